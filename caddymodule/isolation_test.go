package caddymodule

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// The rules for browsers come from the file, and a reload changes them.
func TestBrowserRulesOfTheFile(t *testing.T) {
	r := newRig(t)
	port := r.place(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Set-Cookie", "a=1; Path=/")
		w.Header().Set("X-Host", req.Host)
	}))
	route := fmt.Sprintf("/sandboxes/%s/proxy/%d", sandboxID, port)
	foreign := []string{"Origin: https://evil.example", "Cookie: session=1"}

	r.load(r.toml(testKey))
	got := r.do("GET", route+"/")
	require.Equal(t, "a=1; Path="+route+"/", got.header.Get("Set-Cookie"))
	require.NotEqual(t, r.addr, got.header.Get("X-Host"))
	require.Equal(t, http.StatusForbidden, r.do("POST", route+"/", foreign...).status)

	r.load(r.toml(testKey, "[ingress]\nshared_origin_isolation = \"strict\""))
	require.Contains(t, r.do("GET", route+"/").header.Get("Content-Security-Policy"), "sandbox ")

	r.load(r.toml(testKey, "[ingress]\nshared_origin_isolation = \"off\"\ncross_site = \"allow\"\npreserve_host = true"))
	got = r.do("GET", route+"/")
	require.Equal(t, "a=1; Path=/", got.header.Get("Set-Cookie"))
	require.Equal(t, r.addr, got.header.Get("X-Host"))
	require.Equal(t, http.StatusOK, r.do("POST", route+"/", foreign...).status)
}
