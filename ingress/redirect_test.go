package ingress_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// redirector answers every request with one Location.
type redirector struct {
	status    int
	locations []string
}

func (d *redirector) handler(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Location"] = d.locations
	w.WriteHeader(d.status)
}

func TestRedirectTheft(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	var app redirector
	s := e.sandbox(t, id, app.handler, 8080, 44772, 18080)
	upstream := s.Listener.Addr().String()
	other := "11111111-4e5f-6071-8293-a4b5c6d7e8f9"

	// Outside on every form.
	outside := []string{
		"https://evil.example/", "http://evil.example/", "//evil.example/x", `/\evil.example`, `\\evil.example`, "/\tevil", " //evil.example",
		"http:evil.example", "http:///evil.example", "javascript:alert(1)", "ftp://{host}/", "https://{host}{prefix}/x",
		"http://user@{host}{prefix}/x", "http://{host}.evil.example/", "http://{host}:81{prefix}/", "http://" + upstream + ".evil.example/",
		"http://" + upstream + "@evil.example/", "http://{host}%2eevil/", "/%zz",
	}
	// Outside where the origin is shared with the API and other sandboxes.
	shared := []string{
		"http://{host}/v1/sandboxes", "//{host}/v1/sandboxes/" + other, "http://{host}/sandboxes/" + other + "/proxy/44772/command",
		"http://{host}/snapshots", "http://{host}/pools", "http://{host}/" + other + "/8080/", "http://{host}/%76%31/sandboxes",
	}
	// The same as paths: under a prefix those become the application's own.
	rooted := []string{"/v1/sandboxes/" + other, "/sandboxes/" + other + "/proxy/80/", "/x/../v1/sandboxes", "/%2e%2e/v1/snapshots", "/./sandboxes"}
	// Climbing out of a prefix.
	climbing := []string{"{up}v1/sandboxes", "{prefix}/{up}v1/sandboxes", "{prefix}/{UP}v1/sandboxes", "http://{host}{prefix}/{up}pools"}
	inside := []string{
		"/login", "/", "next", "?page=2", "#top", "./a/b", "http://{host}{prefix}/x", "//{host}{prefix}/x?y=//z", "http://" + upstream + "/back",
		"//" + upstream + "/back", "http://" + upstream, "{prefix}/already", "/a//b", "http://{HOST}{prefix}/x",
	}

	fill := func(location string, f form) string {
		depth := strings.Count(f.prefix+"/a/", "/")
		return strings.NewReplacer(
			"{host}", f.host, "{HOST}", strings.ToUpper(f.host), "{prefix}", f.prefix,
			"{up}", strings.Repeat("../", depth), "{UP}", strings.Repeat(".%2E/", depth),
		).Replace(location)
	}
	check := func(t *testing.T, f form, location string, refused bool, with func(*http.Request)) {
		t.Helper()
		for _, status := range []int{302, 308} {
			app.status, app.locations = status, []string{fill(location, f)}
			r := f.request(t, e, "GET", "/a/b", nil)
			with(r)
			res, body := e.do(t, r)
			if refused {
				require.Equal(t, 502, res.StatusCode, "%q → %q", app.locations[0], res.Header.Get("Location"))
				require.Equal(t, ingress.CodeRedirectRefused, code(t, body))
				require.NotContains(t, res.Header, "Location")
				continue
			}
			require.Equal(t, status, res.StatusCode, "%q: %s", app.locations[0], body)
		}
	}

	guards := map[string]struct {
		port string
		with func(*http.Request)
	}{
		"execd port":         {"44772", func(*http.Request) {}},
		"egress port":        {"18080", func(*http.Request) {}},
		"with the key":       {"8080", func(r *http.Request) { r.Header.Set("OPEN-SANDBOX-API-KEY", apiKey) }},
		"with a wrong key":   {"8080", func(r *http.Request) { r.Header.Set("OPEN-SANDBOX-API-KEY", "old") }},
		"key as bearer":      {"8080", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+apiKey) }},
		"with a token":       {"8080", func(r *http.Request) { r.Header.Set("X-EXECD-ACCESS-TOKEN", "T") }},
		"with secure access": {"8080", func(r *http.Request) { r.Header.Set("OpenSandbox-Secure-Access", "K") }},
	}
	for name, g := range guards {
		for _, f := range forms(g.port) {
			t.Run(name+"/"+f.name, func(t *testing.T) {
				for _, l := range outside {
					check(t, f, l, true, g.with)
				}
				for _, l := range inside {
					check(t, f, l, false, g.with)
				}
				for _, l := range shared {
					check(t, f, l, f.name != "wildcard", g.with)
				}
				for _, l := range rooted {
					// Only encoded dots at the root climb out of a prefix: "/x/.." stays inside.
					check(t, f, l, f.name == "header" || (f.prefix != "" && strings.Contains(l, "%2e")), g.with)
				}
				for _, l := range climbing {
					check(t, f, l, f.name != "wildcard", g.with)
				}
				app.status, app.locations = 302, []string{"/ok", "https://evil.example/"}
				r := f.request(t, e, "GET", "/", nil)
				g.with(r)
				res, _ := e.do(t, r)
				require.Equal(t, 502, res.StatusCode, "two locations")
			})
		}
	}

	t.Run("nobody's credentials", func(t *testing.T) {
		for _, f := range forms("8080") {
			for _, l := range outside {
				if strings.ContainsAny(l, "\t") {
					continue
				}
				check(t, f, l, false, func(*http.Request) {})
			}
		}
	})
}

func TestLocationIsTranslated(t *testing.T) {
	e := newEdge(t)
	var app redirector
	s := e.sandbox(t, id, app.handler, 8080)
	upstream := s.Listener.Addr().String()
	for _, f := range forms("8080") {
		for location, want := range map[string]string{
			"/login?next=/a":                  f.prefix + "/login?next=/a",
			"/":                               f.prefix + "/",
			"next":                            "next",
			"?q":                              "?q",
			"//evil.example/x":                "//evil.example/x",
			`/\evil.example`:                  `/\evil.example`,
			"https://other.example/x":         "https://other.example/x",
			"http://" + upstream + "/a?b#c":   f.prefix + "/a?b#c",
			"http://" + upstream:              f.prefix + "/",
			"//" + upstream + "?q":            f.prefix + "/?q",
			"http://" + upstream + "//evil/x": f.prefix + "/.//evil/x",
			f.prefix + "/already":             f.prefix + "/already",
		} {
			for _, status := range []int{201, 302} {
				app.status, app.locations = status, []string{location}
				res, _ := e.do(t, f.request(t, e, "GET", "/a/b", nil))
				require.Equal(t, status, res.StatusCode)
				require.Equal(t, want, res.Header.Get("Location"), "%s %q", f.name, location)
			}
		}
	}
}

// The prefix of a signed route holds its signature, which redirects keep.
func TestLocationUnderSignedPrefixes(t *testing.T) {
	policy := signing(t)
	e := newEdge(t, withKeys(policy))
	var app redirector
	s := e.sandbox(t, id, app.handler)
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, SecureSum: tokenSum(accessToken)}, s.Listener.Addr(), 8080)
	r, g := policy.Keys.Mint(id, 8080, uint64(time.Now().Add(time.Hour).Unix()))
	for _, f := range signedForms(8080, r.Expires, g) {
		for location, want := range map[string]string{
			"/login": f.prefix + "/login", "next": "next", "http://" + s.Listener.Addr().String() + "/x": f.prefix + "/x",
			f.prefix + "/already": f.prefix + "/already", "//evil.example": "//evil.example",
		} {
			app.status, app.locations = 302, []string{location}
			res, _ := e.do(t, f.request(t, e, "GET", "/a/b", nil))
			require.Equal(t, 302, res.StatusCode, f.name)
			require.Equal(t, want, res.Header.Get("Location"), "%s %q", f.name, location)
		}
	}
}

// The other fields with an address are translated alike, and never tell the upstream's.
func TestOtherAddressesAreTranslated(t *testing.T) {
	e := newEdge(t)
	var name, value string
	s := e.sandbox(t, id, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(name, value) }, 8080)
	upstream := "http://" + s.Listener.Addr().String()
	for _, f := range forms("8080") {
		for _, c := range []struct{ name, sent, want string }{
			{"Content-Location", "/doc.en", f.prefix + "/doc.en"},
			{"Content-Location", upstream + "/doc", f.prefix + "/doc"},
			{"Content-Location", "doc.en", "doc.en"},
			{"Refresh", "5", "5"},
			{"Refresh", "0; url=/login", "0; url=" + f.prefix + "/login"},
			{"Refresh", "0;URL = '" + upstream + "/x?a=b'", "0; url=" + f.prefix + "/x?a=b"},
			{"Refresh", `3, url="/a"`, "3, url=" + f.prefix + "/a"},
			{"Refresh", "0; url=https://elsewhere.example/", "0; url=https://elsewhere.example/"},
			{"Refresh", "0; url=//elsewhere.example/", "0; url=//elsewhere.example/"},
			{"Refresh", "0; /odd", "0; /odd"},
			{"Refresh", "0; url", "0; url"},
		} {
			name, value = c.name, c.sent
			res, _ := e.do(t, f.request(t, e, "GET", "/", nil))
			require.Equal(t, c.want, res.Header.Get(c.name), "%s %q", f.name, c.sent)
		}
	}
}

// An application that was told the client's Host writes it into its redirects.
func TestLocationWithThePreservedHost(t *testing.T) {
	e := newEdge(t, func(o *ingress.Options) { o.PreserveHost = true })
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/login", http.StatusFound)
	}, 8080)
	for _, f := range forms("8080") {
		res, _ := e.do(t, f.request(t, e, "GET", "/", nil))
		require.Equal(t, f.prefix+"/login", res.Header.Get("Location"), f.name)
	}
}
