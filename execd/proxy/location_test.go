package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func testTarget(path string) target {
	return target{port: 8080, url: &url.URL{RawPath: path}, host: "172.17.0.2:44772", outer: "/sandboxes/s/proxy/44772"}
}

func TestPublicLocation(t *testing.T) {
	for location, want := range map[string]string{
		"/login":                                "/proxy/8080/login",
		"/":                                     "/proxy/8080/",
		"/a//b?x=/../y":                         "/proxy/8080/a//b?x=/../y",
		"next":                                  "/proxy/8080/a/next",
		"../b#f":                                "/proxy/8080/b#f",
		"?page=2":                               "?page=2",
		"#top":                                  "#top",
		"":                                      "",
		"/proxy/8080":                           "/proxy/8080",
		"/proxy/8080/x":                         "/proxy/8080/x",
		"/proxy/80801":                          "/proxy/8080/proxy/80801",
		"/sandboxes/s/proxy/44772/proxy/8080/x": "/sandboxes/s/proxy/44772/proxy/8080/x",
		"http://172.17.0.2:44772/x?y":           "/proxy/8080/x?y",
		"HTTPS://127.0.0.1:8080":                "/proxy/8080/",
		"//localhost:8080//x":                   "/proxy/8080//x",
		// Other paths of the daemon stay out of reach.
		"/command":                        "/proxy/8080/command",
		"/../command":                     "/proxy/8080/command",
		"/x/%2e%2E/..//../command":        "/proxy/8080/command",
		"../../../command":                "/proxy/8080/command",
		"/proxy/8080/../../command":       "/proxy/8080/command",
		"/proxy/8080/..":                  "/proxy/8080/",
		"/proxy/9090/x":                   "/proxy/8080/proxy/9090/x",
		"http://172.17.0.2:44772/command": "/proxy/8080/command",
		"///command":                      "/proxy/8080/command",
		"http:///command":                 "/proxy/8080/command",
		// Elsewhere is a front's affair.
		"https://example.com/x":                   "https://example.com/x",
		"//example.com/command":                   "//example.com/command",
		"http://user@172.17.0.2:44772/x":          "http://user@172.17.0.2:44772/x",
		"http://172.17.0.2:44772.evil.example/x/": "http://172.17.0.2:44772.evil.example/x/",
		"javascript:x":                            "javascript:x",
	} {
		got, ok := testTarget("/a/b").publicLocation(location)
		require.True(t, ok, location)
		require.Equal(t, want, got, location)
	}
	for _, location := range []string{`/\evil`, `..\..\command`, "/a\tb", "/\x7f"} {
		_, ok := testTarget("/a/b").publicLocation(location)
		require.False(t, ok, location)
	}
}

// FuzzPublicLocation: whatever stays on this origin stays below the prefix.
func FuzzPublicLocation(f *testing.F) {
	f.Add("/x/../../command")
	f.Add("..%2f..%2fcommand")
	f.Add("/proxy/8080/%2e%2e/")
	f.Fuzz(func(t *testing.T, location string) {
		public, ok := testTarget("/a/b").publicLocation(location)
		if !ok {
			return
		}
		base := &url.URL{Scheme: "http", Host: "front.example", Path: "/proxy/8080/a/b"}
		to, err := base.Parse(public)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme {
			return
		}
		path := to.EscapedPath()
		under := func(prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }
		require.True(t, under("/proxy/8080") || under("/sandboxes/s/proxy/44772/proxy/8080"), "%q → %q → %q", location, public, path)
	})
}

func TestOuterPrefix(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "/": "", "/a/b": "/a/b", "/a/": "/a", "a": "", "//evil": "", "https://evil": "",
	} {
		require.Equal(t, want, outerPrefix(http.Header{"X-Forwarded-Prefix": {in}}), in)
	}
}
