package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/require"
)

// apiRequests reach the API in ways that a matcher in front may not see.
var apiRequests = []struct{ method, target string }{
	{http.MethodGet, "/v1/sandboxes"},
	{http.MethodGet, "/sandboxes"},
	{http.MethodPost, "/v1/sandboxes"},
	{http.MethodDelete, "/v1/sandboxes/0f3c2a44-5a8e-4d4e-9f0e-2f1f6f0f9a11"},
	{http.MethodGet, "/V1/sandboxes"},
	{http.MethodGet, "//v1/sandboxes"},
	{http.MethodGet, "/x/../v1/sandboxes"},
	{http.MethodGet, "/v1/sandboxes/a/endpoints/80"},
	{http.MethodGet, "/sandboxes/a/proxy/80/x"},
	{http.MethodGet, "/health"},
}

// TestLifecycleFailsClosed is threat row R2: wherever authentication did not decide, no
// request is served, with the right key or without.
func TestLifecycleFailsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		site    string
		visible bool // when the configuration is loaded
	}{
		"missing":               {"opensandbox_lifecycle\nopensandbox_ingress", true},
		"only ingress":          {"opensandbox_ingress", true},
		"misordered":            {"route {\nopensandbox_lifecycle\nopensandbox_ingress\nopensandbox_auth\n}", true},
		"scoped by a matcher":   {"@api path /elsewhere/*\nopensandbox_auth @api\nopensandbox_lifecycle\nopensandbox_ingress", false},
		"in another handle":     {"handle /elsewhere/* {\nopensandbox_auth\n}\nhandle {\nopensandbox_lifecycle\nopensandbox_ingress\n}", false},
		"behind a path matcher": {"route {\nopensandbox_auth /nothing\nrewrite * /v1/sandboxes\nopensandbox_lifecycle\n}", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			path := r.toml(testKey)
			require.NoError(t, r.caddyfile(fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	storage_check off
	storage_clean_interval off
	log {
		output opensandbox_file %s
		format opensandbox
	}
	opensandbox {
		config %s
	}
}
http://%s {
	bind opensandbox/127.0.0.1
	%s
}`, r.log(), path, r.addr, c.site)))
			r.ready()
			for _, request := range apiRequests {
				for _, headers := range [][]string{nil, {keyHeader(testKey)}} {
					got := r.do(request.method, request.target, headers...)
					require.Equal(t, http.StatusInternalServerError, got.status, "%s %s: %s", request.method, request.target, got.body)
					require.Contains(t, got.body, "UNAUTHENTICATED_ROUTE")
				}
			}
			log, err := os.ReadFile(r.log())
			require.NoError(t, err)
			require.Contains(t, string(log), "request refused")
			require.Equal(t, c.visible, strings.Contains(string(log), "no opensandbox_auth in front"))
		})
	}
}

// The same as JSON, where nobody orders handlers.
func TestLifecycleFailsClosedAsJSON(t *testing.T) {
	for name, routes := range map[string]string{
		"missing":    `[{"handle":[{"handler":"opensandbox_lifecycle"},{"handler":"opensandbox_ingress"}]}]`,
		"misordered": `[{"handle":[{"handler":"opensandbox_lifecycle"},{"handler":"opensandbox_auth"}]}]`,
		"scoped": `[{"match":[{"path":["/v1/*"]}],"handle":[{"handler":"opensandbox_auth"}]},
			{"match":[{"not":[{"path":["/v1/*"]}]}],"handle":[{"handler":"opensandbox_lifecycle"},{"handler":"opensandbox_ingress"}]}]`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			var adapted map[string]any
			require.NoError(t, json.Unmarshal(r.adapt(r.toml(testKey)), &adapted))
			server := adapted["apps"].(map[string]any)["http"].(map[string]any)["servers"].(map[string]any)["opensandbox"].(map[string]any)
			var list any
			require.NoError(t, json.Unmarshal([]byte(routes), &list))
			server["routes"] = list
			text, err := json.Marshal(adapted)
			require.NoError(t, err)
			require.NoError(t, caddy.Load(text, true))
			r.ready()
			for _, request := range apiRequests {
				if name == "scoped" && (request.target[:3] == "/v1" || request.target[:3] == "/V1" || request.target[:2] == "//" || request.target[:3] == "/x/") {
					continue // Caddy's matcher folds these, so authentication sees them and ends there
				}
				got := r.do(request.method, request.target, keyHeader(testKey))
				require.Equal(t, http.StatusInternalServerError, got.status, "%s %s", request.method, request.target)
			}
		})
	}
}

func TestTheRightOrderNeedsNoOption(t *testing.T) {
	r := newRig(t)
	path := r.toml(testKey)
	require.NoError(t, r.caddyfile(fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	storage_check off
	storage_clean_interval off
	log {
		output discard
		format opensandbox
	}
	opensandbox {
		config %s
	}
}
http://%s {
	bind opensandbox/127.0.0.1
	opensandbox_ingress
	opensandbox_lifecycle
	opensandbox_auth
	header X-Seen "{opensandbox.key.name}"
}`, path, r.addr)))
	r.ready()
	require.Equal(t, http.StatusUnauthorized, r.do(http.MethodGet, "/v1/sandboxes").status)
	require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/v1/sandboxes", keyHeader(testKey)).status)
	require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/health").status)
	require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/docs").status)
}
