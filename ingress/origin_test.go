package ingress_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/forwarded"
)

// The sandbox hears of the client what a trusted proxy says, and of nobody else's claims
// (threat row B5).
func TestOriginBehindTrustedProxies(t *testing.T) {
	claims := []string{
		"X-Forwarded-For: 6.6.6.6, 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: public.example.com:8443",
		"X-Forwarded-Prefix: /evil", "X-Forwarded-Port: 1", "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6", "X-Original-URL: /evil",
	}
	for _, c := range []struct {
		trusted            []string
		chain, proto, host string // "" = the connection's
	}{
		{trusted: []string{"127.0.0.0/8"}, chain: "203.0.113.9, 127.0.0.1", proto: "https", host: "public.example.com:8443"},
		{trusted: []string{"192.0.2.0/24"}, chain: "127.0.0.1", proto: "http"},
		{chain: "127.0.0.1", proto: "http"},
	} {
		proxies, err := forwarded.NewProxies(c.trusted)
		require.NoError(t, err)
		e := newEdgeBehind(t, proxies)
		var got seen
		e.sandbox(t, id, got.handler, 8080)
		for _, f := range forms("8080") {
			host := c.host
			if host == "" {
				host = f.host
			}
			r := sentAs(t, e, &got, f, "8080", claims...)
			want := map[string]string{
				"X-Forwarded-For": c.chain, "X-Forwarded-Proto": c.proto, "X-Forwarded-Host": host, "X-Forwarded-Prefix": f.prefix,
				"X-Forwarded-Port": "", "Forwarded": "", "X-Real-Ip": "", "X-Original-Url": "",
			}
			for name, value := range want {
				require.Equal(t, value, r.Header.Get(name), "%s %s %v", f.name, name, c.trusted)
			}
		}
	}
}

// A redirect to the name that the client used is one to this server.
func TestRedirectsToThePublicName(t *testing.T) {
	proxies, err := forwarded.NewProxies([]string{"127.0.0.1"})
	require.NoError(t, err)
	e := newEdgeBehind(t, proxies)
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusFound)
	}, 44772)
	f := direct("44772")
	for to, status := range map[string]int{
		"https://public.example.com" + f.prefix + "/x": 302,
		"http://public.example.com" + f.prefix + "/x":  502,
		"https://" + host + f.prefix + "/x":            502,
		"http://" + host + f.prefix + "/x":             502,
	} {
		r := f.request(t, e, "GET", "/?to="+to, nil)
		r.Header.Set("X-Forwarded-Host", "public.example.com")
		r.Header.Set("X-Forwarded-Proto", "https")
		res, _ := e.do(t, r)
		require.Equal(t, status, res.StatusCode, to)
	}
}
