package ingress_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// The rules for browsers know no versions of HTTP (threat rows W3, W5).
func TestBrowserRulesOverEveryProtocol(t *testing.T) {
	e := newEdge(t)
	addr, dialled := rawBackend(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nSet-Cookie: a=1; Path=/; Domain=example.com\r\nClear-Site-Data: \"*\"\r\n\r\n")
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
	for _, p := range protocols(t, e) {
		for _, f := range forms("8080") {
			t.Run(p.name+"/"+f.name, func(t *testing.T) {
				send := func(method string, header http.Header) (*http.Response, string) {
					r := f.request(t, p.edge, method, "/", nil)
					for name, values := range header {
						r.Header[name] = values
					}
					res, err := p.round.RoundTrip(r)
					require.NoError(t, err)
					defer func() { _ = res.Body.Close() }()
					body, err := io.ReadAll(res.Body)
					require.NoError(t, err)
					return res, string(body)
				}
				before := dialled()
				foreign := http.Header{"Origin": {"https://evil.example"}, "Cookie": {"session=1"}}
				res, body := send("POST", foreign)
				require.Equal(t, 403, res.StatusCode)
				require.Equal(t, ingress.CodeCrossSite, code(t, body))
				_, res, err := p.dial(withTimeout(t), f, foreign.Clone())
				require.Error(t, err)
				require.Equal(t, 403, res.StatusCode)

				res, body = send("GET", http.Header{"Service-Worker": {"script"}})
				if f.name != "wildcard" {
					require.Equal(t, 403, res.StatusCode)
					require.Equal(t, ingress.CodeWorkerScript, code(t, body))
					require.Equal(t, before, dialled(), "nothing was dialled")
				}
				res, _ = send("POST", http.Header{"Origin": {"https://" + f.host}, "Cookie": {"session=1"}})
				require.Equal(t, 200, res.StatusCode)
				require.Equal(t, f.name == "wildcard", res.Header.Get("Clear-Site-Data") != "")
				require.NotContains(t, res.Header.Get("Set-Cookie"), "Domain")
			})
		}
	}
}

func TestOwnPagesOpenWebSocketsOverEveryProtocol(t *testing.T) {
	e := newEdge(t)
	e.sandbox(t, id, echo, 8080)
	for _, p := range protocols(t, e) {
		for _, f := range forms("8080") {
			c, _, err := p.dial(withTimeout(t), f, http.Header{"Origin": {"https://" + f.host}, "Cookie": {"session=1"}})
			require.NoError(t, err, "%s %s", p.name, f.name)
			_ = c.Close(websocket.StatusNormalClosure, "")
		}
	}
}

// A sandbox that fails in the middle of its answer breaks the stream of that answer and
// no other (contract 04 D5).
func TestAnswerCutShortOverEveryProtocol(t *testing.T) {
	e := newEdge(t)
	for name, answer := range map[string]string{
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
	} {
		addr, _ := rawBackend(t, answer)
		e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
		for _, p := range protocols(t, e) {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				res, err := p.round.RoundTrip(direct("8080").request(t, p.edge, "GET", "/", nil))
				if err == nil { // the reset of a stream may overtake the head
					defer func() { _ = res.Body.Close() }()
					require.Equal(t, 200, res.StatusCode)
					var body []byte
					body, err = io.ReadAll(res.Body)
					require.True(t, strings.HasPrefix("hello", string(body)), "nothing is appended: %q", body)
				}
				require.Error(t, err, "the answer must not look complete")

				res, err = p.round.RoundTrip(direct("1").request(t, p.edge, "GET", "/", nil))
				require.NoError(t, err, "others go on")
				_ = res.Body.Close()
				require.Equal(t, 503, res.StatusCode)
				require.NotEmpty(t, res.Header.Get("Retry-After"))
			})
		}
	}
}
