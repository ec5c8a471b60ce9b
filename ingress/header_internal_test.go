package ingress

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/forwarded"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/secret"
)

const someKey = "test-api-key-0123456789"

func browserExchange(form route.Form, prefix string) *exchange {
	r := httptest.NewRequest("GET", "http://x-80.sb.example.com/", nil)
	r.Header = http.Header{
		"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "Accept-Encoding": {"gzip, br"}, "Accept-Language": {"en"},
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64)"}, "Cookie": {"a=1; session=abcdefghijklmnopqrstuvwxyz0123456789"},
		"Connection": {"keep-alive"}, "Referer": {"https://x-80.sb.example.com/a"}, "X-Request-Id": {"1"},
	}
	return &exchange{
		Handler:  &Handler{Options: Options{Keys: auth.NewKeys(auth.Key{Name: "main", Value: secret.New(someKey)})}},
		r:        r,
		decision: &auth.Decision{Origin: new(forwarded.Proxies).Read(r)},
		route:    route.Verdict{Form: form, Prefix: prefix, Port: 80},
		addr:     netip.MustParseAddrPort("172.17.0.2:80"),
	}
}

// The client's address as text is all that an ordinary head costs.
func TestOrdinaryHeadersAreNotCopied(t *testing.T) {
	for _, x := range []*exchange{browserExchange(route.FormWildcard, ""), browserExchange(route.FormURI, "/x/80")} {
		fields := 0
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
			x.eachRequestHeader(func(string, []string) { fields++ })
		}), 1.0)
		require.Positive(t, fields)
	}
}

// What HTTP/2 leaves in the map is not the sandbox's (threat row R4).
func TestPseudoHeadersAreNotForwarded(t *testing.T) {
	x := browserExchange(route.FormWildcard, "")
	x.r.Header[":protocol"], x.r.Header["Host"] = []string{"websocket"}, []string{"evil.example"}
	h := http.Header{}
	x.eachRequestHeader(func(name string, values []string) { h[name] = values })
	require.NotContains(t, h, ":protocol")
	require.NotContains(t, h, "Host")
	require.NotEmpty(t, h["Accept"])
}

func BenchmarkRequestHeader(b *testing.B) {
	x := browserExchange(route.FormWildcard, "")
	b.ReportAllocs()
	for b.Loop() {
		x.eachRequestHeader(func(string, []string) {})
	}
}

// No list and no scheme carries a key into a sandbox (threat row C2), and what holds none
// passes byte for byte.
func FuzzWithoutKeys(f *testing.F) {
	f.Add("Cookie", "a=1; b="+someKey+"; c")
	f.Add("Sec-Websocket-Protocol", "v1,"+someKey+" , v2")
	f.Add("Authorization", "Basic dGVzdC1hcGkta2V5LTAxMjM0NTY3ODk6")
	f.Add("X-Execd-Access-Token", someKey+", T")
	f.Add("X-Any", "Bearer  "+someKey)
	x := browserExchange(route.FormWildcard, "")
	f.Fuzz(func(t *testing.T, name, value string) {
		clean, ok := x.withoutKeys(name, value)
		plain := strings.Contains(unescape(value), someKey) || strings.Contains(strings.ToLower(value), "basic")
		if !ok {
			require.True(t, plain)
			return
		}
		again, ok := x.withoutKeys(name, clean)
		require.True(t, ok)
		require.Equal(t, clean, again)
		if !plain {
			require.Equal(t, value, clean)
		}
		if name == "Cookie" {
			for item := range strings.SplitSeq(clean, ";") {
				_, cookie, _ := strings.Cut(strings.TrimSpace(item), "=")
				require.NotEqual(t, someKey, cookie)
			}
		}
		require.NotEqual(t, someKey, strings.TrimSpace(clean))
	})
}
