package ingress_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Answers by way of a gateway say so, on their own word alone (contract 04 §1, §7.2).
func TestGatewayAnswersArePoweredBy(t *testing.T) {
	const field = "Reverse-Proxy-Server-Powerby"
	e := newEdge(t)
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(field, "the sandbox")
		if r.URL.Path == "/ws" {
			echo(w, r)
			return
		}
		_, _ = io.WriteString(w, "ok")
		w.Header().Set(http.TrailerPrefix+field, "the sandbox")
	}, 8080)
	for _, f := range forms("8080") {
		want := []string{"OpenSandbox-ingress"}
		if strings.Contains(f.prefix, "/proxy/") {
			want = []string{"the sandbox"}
		}
		res, _ := e.do(t, f.request(t, e, "GET", "/", nil))
		require.Equal(t, want, res.Header[field], f.name)
		if want[0] != "the sandbox" {
			require.Empty(t, res.Trailer, f.name)
		}
		c, switched, err := f.dial(withTimeout(t), e, nil)
		require.NoError(t, err, f.name)
		require.NoError(t, c.CloseNow())
		require.Equal(t, want, switched.Header[field], f.name)
	}
}
