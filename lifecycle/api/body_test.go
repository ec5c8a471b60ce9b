package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/api"
)

func TestContentType(t *testing.T) {
	for value, ok := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "Application/JSON": true, "application/merge-patch+json": true,
		"": true, "text/json": false, "text/plain": false, "application/x-www-form-urlencoded": false, "multipart/form-data; boundary=x": false,
		"json": false, "application/jsonp": false, "application/json, text/plain": false,
	} {
		e := newEdge(t)
		w := e.do("POST", "/v1/sandboxes", createBody, header{"Content-Type": value})
		if ok {
			require.Equal(t, 202, w.Code, value)
		} else {
			wantError(t, w, 422, "SANDBOX::INVALID_PARAMETER")
		}
	}
	e := newEdge(t)
	r := httptest.NewRequest("POST", "/v1/sandboxes", strings.NewReader(createBody))
	r.Header["Content-Type"] = []string{"application/json", "text/plain"}
	r.Header.Set("OPEN-SANDBOX-API-KEY", key)
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	wantError(t, w, 422, "SANDBOX::INVALID_PARAMETER")
}

// What a web page can send without a preflight never passes: browsers say Sec-Fetch-*,
// and without a key every body has to be JSON by name.
func TestSimpleRequestsOfBrowsersAreRefused(t *testing.T) {
	strict := func(o *api.Options) { o.RequireJSONType = true }
	for _, tc := range []struct {
		name, path, body string
		headers          header
		change           []func(*api.Options)
		status           int
	}{
		{"untyped from a browser", "/v1/sandboxes", createBody, header{"Content-Type": "", "Sec-Fetch-Mode": "cors"}, nil, 422},
		{"text from a browser", "/v1/sandboxes", createBody, header{"Content-Type": "text/plain", "Sec-Fetch-Site": "none"}, nil, 422},
		{"JSON from a browser", "/v1/sandboxes", createBody, header{"Sec-Fetch-Site": "cross-site"}, nil, 202},
		{"ignored text body from a browser", "/v1/sandboxes/x/pause", "x", header{"Content-Type": "text/plain", "Sec-Fetch-Site": "none"}, nil, 422},
		{"no body from a browser", "/v1/sandboxes/x/pause", "", header{"Sec-Fetch-Site": "none"}, nil, 202},
		{"untyped without a key", "/v1/sandboxes", createBody, header{"Content-Type": ""}, []func(*api.Options){strict}, 422},
		{"ignored untyped body without a key", "/v1/sandboxes/x/pause", "x", header{"Content-Type": ""}, []func(*api.Options){strict}, 422},
		{"no body without a key", "/v1/sandboxes/x/pause", "", nil, []func(*api.Options){strict}, 202},
		{"JSON without a key", "/v1/sandboxes", createBody, nil, []func(*api.Options){strict}, 202},
		{"ignored text body from a program", "/v1/sandboxes/x/pause", "x", header{"Content-Type": "text/plain"}, nil, 202},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEdge(t, tc.change...)
			w := e.do("POST", tc.path, tc.body, tc.headers)
			require.Equal(t, tc.status, w.Code, w.Body.String())
			require.Equal(t, tc.status == 202, len(e.service.calls) == 1)
		})
	}
}

func TestBodyIsBounded(t *testing.T) {
	const limit = 1 << 20
	e := newEdge(t)
	body := with(`"env":{"A":"` + strings.Repeat("x", limit) + `"}`)
	wantError(t, e.do("POST", "/v1/sandboxes", body), 413, "GENERAL::PAYLOAD_TOO_LARGE")

	// The same without an announced length.
	server := httptest.NewServer(e.handler)
	defer server.Close()
	for length, status := range map[int]int{limit + 1: 413, limit: 422} {
		r, err := http.NewRequest("POST", server.URL+"/v1/sandboxes", struct{ *strings.Reader }{strings.NewReader(strings.Repeat(" ", length))})
		require.NoError(t, err)
		r.ContentLength = -1
		r.Header.Set("OPEN-SANDBOX-API-KEY", key)
		answer, err := server.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, status, answer.StatusCode)
	}
	require.Empty(t, e.service.calls)

	require.Equal(t, 202, e.do("POST", "/v1/sandboxes", with(`"env":{"A":"`+strings.Repeat("x", limit/2)+`"}`)).Code)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, http.ErrBodyReadAfterClose }

func TestBodyThatBreaksOff(t *testing.T) {
	e := newEdge(t)
	r := httptest.NewRequest("POST", "/v1/sandboxes", broken{})
	r.Header.Set("OPEN-SANDBOX-API-KEY", key)
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	wantError(t, w, 400, "GENERAL::UNKNOWN_ERROR")
}

func TestBodySyntax(t *testing.T) {
	for body, loc := range map[string][]any{
		"":                        {"body"},
		"  ":                      {"body"},
		`{"image":`:               {"body", 9.0},
		`{"a":1}x`:                {"body", 8.0},
		strings.Repeat("[", 5000): {"body", 5000.0},
	} {
		e := newEdge(t)
		a := wantError(t, e.do("POST", "/v1/sandboxes", body), 422, "SANDBOX::INVALID_PARAMETER")
		require.Equal(t, loc, a.Detail[0].Loc, body)
	}
}
