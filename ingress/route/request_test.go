package route_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/route"
)

func TestFromHTTP(t *testing.T) {
	read := func(head string) route.Request {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
		require.NoError(t, err)
		return route.FromHTTP(r)
	}
	r := read("GET /a%2Fb/\"{x}//../%7e?q=1 HTTP/1.1\r\nHost: h:80\r\nOpenSandbox-Ingress-To: x-80\r\nOPEN-SANDBOX-INGRESS: y-81")
	require.Equal(t, `/a%2Fb/"{x}//../%7e`, r.Path, "exactly as on the wire")
	require.Equal(t, "h:80", r.Authority)
	require.Equal(t, []string{"x-80"}, r.IngressTo)
	require.Equal(t, []string{"y-81"}, r.IngressToLegacy)

	r = read("GET http://a.example/p?q HTTP/1.1\r\nHost: a.example")
	require.Equal(t, "a.example", r.TargetAuthority)
	require.Equal(t, "/p", r.Path)
	require.Equal(t, "/", read("GET http://a.example?q HTTP/1.1\r\nHost: a.example").Path)

	tab := anyHost(t)
	v := tab.Classify(read("GET http://user@a.example/v1/sandboxes HTTP/1.1\r\nHost: a.example"))
	require.NotNil(t, v.Err)
	require.Equal(t, route.CodeBadAuthority, v.Err.Code)
}
