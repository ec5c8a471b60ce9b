package isolation_test

import (
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/isolation"
)

var (
	direct   = isolation.Policy{Shared: true, Prefix: "/sandboxes/x/proxy/80"}
	header   = isolation.Policy{Shared: true}
	wildcard = isolation.Policy{}
)

func in(mode isolation.Mode, p isolation.Policy) isolation.Policy {
	p.Mode = mode
	return p
}

func TestModes(t *testing.T) {
	for text, want := range map[string]isolation.Mode{"cookies": isolation.Cookies, "strict": isolation.Strict, "off": isolation.Off} {
		got, err := isolation.ParseMode(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := isolation.ParseMode("lax")
	require.Error(t, err)
	require.Zero(t, isolation.Cookies, "a zero policy isolates")
}

func TestFieldsThatActOnTheWholeOrigin(t *testing.T) {
	for _, field := range []string{
		"Service-Worker-Allowed", "Clear-Site-Data", "Strict-Transport-Security", "NEL", "Report-To", "Reporting-Endpoints",
		"Alt-Svc", "Use-As-Dictionary", "Set-Login", "Origin-Agent-Cluster", "Public-Key-Pins", "Expect-CT", "Accept-CH",
		"Secure-Session-Registration", "Shared-Storage-Write", "Set-Cookie2",
	} {
		name := textproto.CanonicalMIMEHeaderKey(field)
		for _, mode := range []isolation.Mode{isolation.Cookies, isolation.Strict} {
			require.True(t, in(mode, direct).Drops(name), field)
			require.True(t, in(mode, header).Drops(name), field)
			require.False(t, in(mode, wildcard).Drops(name), "%s: an origin of its own", field)
		}
		require.False(t, in(isolation.Off, direct).Drops(name), field)
	}
	for _, field := range []string{"Set-Cookie", "Content-Type", "Content-Security-Policy", "Permissions-Policy", "Www-Authenticate", "X-Frame-Options", "Link"} {
		require.False(t, direct.Drops(field), field)
	}
}

func TestCookiesStayOnTheirRoute(t *testing.T) {
	const at = "; Path=/sandboxes/x/proxy/80"
	for _, c := range []struct{ name, sent, direct, header, wildcard string }{ // "" = dropped
		{"plain", "a=1", "a=1" + at + "/", "a=1", "a=1"},
		{"root", "a=1; Path=/", "a=1" + at + "/", "a=1; Path=/", "a=1; Path=/"},
		{"own path", "a=1; Path=/app; HttpOnly", "a=1; HttpOnly" + at + "/app", "a=1; Path=/app; HttpOnly", "a=1; Path=/app; HttpOnly"},
		{"prefix known", "a=1; Path=/sandboxes/x/proxy/80/app", "a=1" + at + "/app", "a=1; Path=/sandboxes/x/proxy/80/app", "a=1; Path=/sandboxes/x/proxy/80/app"},
		{"prefix and more", "a=1; Path=/sandboxes/x/proxy/8080", "a=1" + at + "/sandboxes/x/proxy/8080", "a=1; Path=/sandboxes/x/proxy/8080", "a=1; Path=/sandboxes/x/proxy/8080"},
		{"relative path", "a=1; Path=app", "a=1" + at + "/", "a=1; Path=app", "a=1; Path=app"},
		{"last path counts", "a=1; Path=/a; PATH = /b", "a=1" + at + "/b", "a=1; Path=/a; PATH = /b", "a=1; Path=/a; PATH = /b"},
		{"empty last path", "a=1; Path=/a; path", "a=1" + at + "/", "a=1; Path=/a; path", "a=1; Path=/a; path"},
		{"domain", "a=1; Domain=example.com; Secure", "a=1; Secure" + at + "/", "a=1; Secure", "a=1; Secure"},
		{"domains", "a=1;domain=a.example;DOMAIN =b.example;Max-Age=5", "a=1; Max-Age=5" + at + "/", "a=1;Max-Age=5", "a=1;Max-Age=5"},
		{"the word elsewhere", "domain=1; SameSite=Lax", "domain=1; SameSite=Lax" + at + "/", "domain=1; SameSite=Lax", "domain=1; SameSite=Lax"},
		{"date with a comma", "a=1; Expires=Mon, 23 Nov 2026 10:00:00 GMT", "a=1; Expires=Mon, 23 Nov 2026 10:00:00 GMT" + at + "/", "a=1; Expires=Mon, 23 Nov 2026 10:00:00 GMT", "a=1; Expires=Mon, 23 Nov 2026 10:00:00 GMT"},
		{"partitioned", "a=1; Secure; Partitioned", "a=1; Secure; Partitioned" + at + "/", "a=1; Secure; Partitioned", "a=1; Secure; Partitioned"},
		{"secure name", "__Secure-a=1; Secure", "__Secure-a=1; Secure" + at + "/", "__Secure-a=1; Secure", "__Secure-a=1; Secure"},
		{"host name", "__Host-a=1; Secure; Path=/", "", "", "__Host-a=1; Secure; Path=/"},
		{"host name in any case", " __hOST-a=1; Secure; Path=/", "", "", " __hOST-a=1; Secure; Path=/"},
		{"name of only a value", "=__Host-a=1; Secure; Path=/", "", "", "=__Host-a=1; Secure; Path=/"},
		{"no name at all", "__Host-a; Path=/", "", "", "__Host-a; Path=/"},
		{"empty", "", "", "", ""},
		{"control byte", "a=1\x01; Path=/", "", "", "a=1\x01; Path=/"},
		{"too long", "a=" + strings.Repeat("x", 4100), "", "", "a=" + strings.Repeat("x", 4100)},
		{"too many attributes", "a=1" + strings.Repeat("; Secure", 2000), "", "", "a=1" + strings.Repeat("; Secure", 2000)},
		{"path that browsers ignore", "a=1; Path=/" + strings.Repeat("p", 1020), "a=1" + at + "/", "a=1; Path=/" + strings.Repeat("p", 1020), "a=1; Path=/" + strings.Repeat("p", 1020)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, mode := range []isolation.Mode{isolation.Cookies, isolation.Strict} {
				for _, form := range []struct {
					policy isolation.Policy
					want   string
				}{{direct, c.direct}, {header, c.header}, {wildcard, c.wildcard}} {
					got, ok := in(mode, form.policy).Cookie(c.sent)
					require.Equal(t, form.want, got)
					require.Equal(t, form.want != "" || form.policy == wildcard, ok)
				}
			}
			got, ok := in(isolation.Off, direct).Cookie(c.sent)
			require.True(t, ok)
			require.Equal(t, c.sent, got)
			got, _ = in(isolation.Off, wildcard).Cookie(c.sent)
			require.Equal(t, c.wildcard, got, "siblings are protected in every mode")
		})
	}
}

func TestCookieLists(t *testing.T) {
	sent := []string{"a=1; Path=/", "__Host-b=2; Path=/", "c=3"}
	require.Equal(t, []string{"a=1; Path=/sandboxes/x/proxy/80/", "c=3; Path=/sandboxes/x/proxy/80/"}, direct.Cookies(sent))
	require.Equal(t, []string{"a=1; Path=/", "__Host-b=2; Path=/", "c=3"}, sent, "the sandbox's own head is not written to")
	require.Empty(t, direct.Cookies([]string{"=x"}))
	require.Zero(t, testing.AllocsPerRun(100, func() { wildcard.Cookies(sent) }))
}

func TestStrict(t *testing.T) {
	strict := in(isolation.Strict, direct)
	app := []string{"default-src 'self'", "sandbox allow-same-origin allow-scripts"}
	h := http.Header{"Content-Security-Policy": app[:1:2]}
	strict.Document(h)
	require.Equal(t, []string{app[0], "sandbox allow-scripts allow-forms allow-popups allow-downloads"}, h["Content-Security-Policy"])
	require.Equal(t, "sandbox allow-same-origin allow-scripts", app[1], "the sandbox's own head is not written to")

	for value, withheld := range map[string]bool{"Basic eA==": true, "basic  eA==": true, "BASIC": true, "Bearer x": false, "Basically x": false, "": false} {
		require.Equal(t, withheld, strict.Withholds("Authorization", value), value)
	}
	require.True(t, strict.Withholds("Cookie", "a=1"))
	require.False(t, strict.Withholds("X-Cookie", "Basic eA=="))

	for _, p := range []isolation.Policy{direct, header, in(isolation.Off, direct), in(isolation.Strict, wildcard)} {
		h := http.Header{}
		p.Document(h)
		require.Empty(t, h)
		require.False(t, p.Withholds("Cookie", "a=1"))
		require.False(t, p.Withholds("Authorization", "Basic eA=="))
	}
}

func TestWorkerScripts(t *testing.T) {
	worker, other := http.Header{"Service-Worker": {"script"}}, http.Header{"Sec-Fetch-Dest": {"worker"}, "Service-Worker": {"x"}}
	require.True(t, direct.Worker(worker))
	require.True(t, header.Worker(http.Header{"Service-Worker": {"x", " SCRIPT"}}))
	require.True(t, in(isolation.Strict, direct).Worker(http.Header{"Sec-Fetch-Dest": {"serviceworker"}}))
	require.False(t, direct.Worker(other))
	require.False(t, wildcard.Worker(worker))
	require.False(t, in(isolation.Off, direct).Worker(worker))
}

// Whatever a sandbox writes, a browser reads a host-only cookie below the route.
func FuzzCookie(f *testing.F) {
	f.Add("a=1; Path=/; Domain=example.com; Secure")
	f.Add("a=1; path=/sandboxes/x/proxy/80; PATH=/x;;domain")
	f.Add("=__Host-a; Path")
	f.Fuzz(func(t *testing.T, sent string) {
		got, ok := direct.Cookie(sent)
		if ok {
			require.True(t, strings.HasPrefix(pathOf(got)+"/", "/sandboxes/x/proxy/80/"), got)
			name, _, _ := strings.Cut(got, "=")
			require.NotEmpty(t, strings.TrimSpace(name))
			require.False(t, strings.HasPrefix(strings.ToLower(strings.TrimSpace(name)), "__host-"))
			again, ok := direct.Cookie(got)
			require.True(t, ok || len(again) == 0 && len(got) > 8192)
			if ok {
				require.Equal(t, got, again, "confining twice is confining once")
			}
		}
		for _, p := range []isolation.Policy{direct, header, wildcard} {
			if got, ok := p.Cookie(sent); ok {
				for _, a := range strings.Split(got, ";")[1:] {
					key, _, _ := strings.Cut(a, "=")
					require.NotEqual(t, "domain", strings.ToLower(strings.TrimSpace(key)))
				}
			}
		}
	})
}

// pathOf reads the Path of a Set-Cookie as browsers do: the last one.
func pathOf(cookie string) (path string) {
	for _, a := range strings.Split(cookie, ";")[1:] {
		if key, value, _ := strings.Cut(a, "="); strings.EqualFold(strings.TrimSpace(key), "path") {
			path = strings.TrimSpace(value)
		}
	}
	return path
}
