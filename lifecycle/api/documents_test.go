package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/lifecycle/api/openapi"
)

// The document and the route table name the same routes.
func TestDocumentNamesEveryRoute(t *testing.T) {
	var served []string
	h := &Handler{}
	rows, err := h.endpoints()
	require.NoError(t, err)
	for _, e := range rows {
		asset := strings.HasPrefix(e.pattern, "/docs/") || strings.HasPrefix(e.pattern, "/redoc/")
		// Not described: what takes every method, for which the document has no word.
		if e.method == http.MethodHead || e.method == anyMethod || asset {
			continue
		}
		served = append(served, e.method+" "+e.pattern)
		if e.access == needsKey {
			served = append(served, e.method+" /v1"+e.pattern)
		}
	}
	raw, err := openapi.JSON()
	require.NoError(t, err)
	var document struct {
		OpenAPI string `json:"openapi"`
		Info    struct{ Title, Version string }
		Paths   map[string]map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal(raw, &document))
	require.Equal(t, "3.1.0", document.OpenAPI)
	require.Equal(t, "OpenSandbox Lifecycle API", document.Info.Title)
	require.Equal(t, "0.1.0", document.Info.Version)
	var documented []string
	for path, item := range document.Paths {
		for method := range item {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(served)
	slices.Sort(documented)
	require.Equal(t, served, documented)
	require.Len(t, served, 2*22+5)
}

// The document, the route table and the classifier agree on what needs a key.
func TestClassifierAgreesWithTheRoutes(t *testing.T) {
	table, err := route.NewTable(route.Settings{})
	require.NoError(t, err)
	class := func(path string) route.Class {
		path = strings.NewReplacer("/proxy/{port}/{rest...}", "/proxy/abc/x", "{sandboxId}", "a", "{snapshotId}", "a", "{poolName}", "a", "{port}", "80").Replace(path)
		v := table.Classify(route.Request{Method: "GET", Authority: "edge.example.com", Path: path})
		require.Nil(t, v.Err, path)
		return v.Class
	}
	for _, o := range openapi.Operations() {
		want := route.API
		if o.Public {
			want = route.Public
		}
		require.Equal(t, want, class(o.Path), o.Path)
		if !o.Public {
			require.Equal(t, route.API, class("/v1"+o.Path))
		}
	}
	h := &Handler{}
	rows, err := h.endpoints()
	require.NoError(t, err)
	for _, e := range rows {
		want := route.API
		if e.access == public {
			want = route.Public
		}
		require.Equal(t, want, class(e.pattern), e.pattern)
	}
}

func TestDocumentReferencesResolve(t *testing.T) {
	raw, err := openapi.JSON()
	require.NoError(t, err)
	var document map[string]any
	require.NoError(t, json.Unmarshal(raw, &document))
	known := document["components"].(map[string]any)["schemas"].(map[string]any)
	used, ids := map[string]bool{}, map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				name, local := strings.CutPrefix(ref, "#/components/schemas/")
				require.True(t, local, ref)
				require.Contains(t, known, name)
				used[name] = true
			}
			if id, ok := v["operationId"].(string); ok {
				require.False(t, ids[id], "%s is there twice", id)
				ids[id] = true
			}
			if responses, ok := v["responses"].(map[string]any); ok {
				for status, r := range responses {
					require.NotEmpty(t, r.(map[string]any)["description"], status)
				}
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(document)
	for name := range known {
		require.True(t, used[name], "nothing uses the schema %s", name)
	}
}
