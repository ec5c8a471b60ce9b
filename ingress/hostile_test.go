package ingress_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

func TestHostileAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":            "",
		"no HTTP":            "SSH-2.0-OpenSSH\r\n",
		"status too small":   "HTTP/1.1 042 X\r\nContent-Length: 0\r\n\r\n",
		"unasked 101":        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"101 without a name": "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"endless head":       "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 128<<10) + "\r\n\r\n",
		"interim flood":      strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 40) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"two lengths":        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"folded nonsense":    "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t)
			addr, _ := rawBackend(t, answer)
			e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
			for _, f := range forms("8080") {
				res, body := e.do(t, f.request(t, e, "GET", "/", nil))
				require.Equal(t, 502, res.StatusCode)
				require.Equal(t, ingress.CodeConnectionFailed, code(t, body))
				require.NotContains(t, body, "127.0.0.1", "no internals")
			}
		})
	}
}

func TestAnswerCutShortIsNotAnEnd(t *testing.T) {
	e := newEdge(t)
	addr, _ := rawBackend(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
	res, err := e.client.Do(direct("8080").request(t, e, "GET", "/", nil))
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	buf := make([]byte, 64)
	n, err := res.Body.Read(buf)
	for err == nil && n < len(buf) {
		var m int
		m, err = res.Body.Read(buf[n:])
		n += m
	}
	require.Equal(t, "hello", string(buf[:n]), "nothing is appended")
	require.ErrorContains(t, err, "unexpected EOF")
}

func TestInterimAnswersAreFiltered(t *testing.T) {
	e := newEdge(t)
	addr, _ := rawBackend(t, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\nLocation: https://evil.example\r\nSet-Cookie: a=b\r\n"+
		"Access-Control-Allow-Origin: *\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Request-ID: forged\r\nKeep-Alive: 1\r\nContent-Length: 9\r\n\r\n"+
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
	for _, f := range forms("8080")[:3] {
		res, _ := e.raw(t, "GET "+f.prefix+"/ HTTP/1.1\r\nHost: "+f.host+"\r\nX-Request-ID: mine\r\nConnection: close\r\n\r\n")
		require.Equal(t, 103, res.StatusCode)
		require.Equal(t, []string{"</style.css>"}, res.Header["Link"])
		require.Equal(t, []string{"mine"}, res.Header["X-Request-Id"])
		for _, name := range []string{"Location", "Set-Cookie", "Access-Control-Allow-Origin", "X-Hop", "Keep-Alive", "Content-Length"} {
			require.NotContains(t, res.Header, name)
		}
		res, _ = e.raw(t, "GET "+f.prefix+"/ HTTP/1.0\r\nHost: "+f.host+"\r\n\r\n")
		require.Equal(t, 200, res.StatusCode, "HTTP/1.0 has no interim answers")
	}
}

func TestInterimAnswersPass(t *testing.T) {
	e := newEdge(t)
	addr, _ := rawBackend(t, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
	f := direct("8080")
	res, _ := e.raw(t, "GET "+f.prefix+"/ HTTP/1.1\r\nHost: "+f.host+"\r\nConnection: close\r\n\r\n")
	require.Equal(t, 103, res.StatusCode)
	require.Equal(t, "</style.css>", res.Header.Get("Link"))
	res, body := e.do(t, f.request(t, e, "GET", "/", nil))
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "ok", body)
	require.NotContains(t, res.Header, "Link")
}
