package ingress_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{"v2"}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(-1)
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if string(message) == "bye" {
			_ = c.Close(4321, "as you wish")
			return
		}
		if c.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

func (f form) dial(ctx context.Context, e *edge, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	if header == nil {
		header = http.Header{}
	}
	if f.header != "" {
		header.Set("OpenSandbox-Ingress-To", f.header)
	}
	return websocket.Dial(ctx, "ws"+strings.TrimPrefix(e.url, "http")+f.prefix+"/ws?q=%20", &websocket.DialOptions{
		Host: f.host, HTTPHeader: header, Subprotocols: protocols, CompressionMode: websocket.CompressionContextTakeover,
	})
}

func withTimeout(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), eventually)
	t.Cleanup(cancel)
	return ctx
}

func TestWebSocketsPassInEveryForm(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		got.mu.Lock()
		got.requests = append(got.requests, r.Clone(context.Background()))
		got.mu.Unlock()
		echo(w, r)
	}, 8080)
	for _, f := range forms("8080") {
		t.Run(f.name, func(t *testing.T) {
			ctx := withTimeout(t)
			c, res, err := f.dial(ctx, e, http.Header{
				"Origin": {"https://page.example"}, "X-App": {"1"}, "Open-Sandbox-Api-Key": {apiKey}, "X-Request-Id": {"ws-1"},
			}, "v1", "v2", apiKey)
			require.NoError(t, err)
			defer func() { _ = c.CloseNow() }()
			require.Equal(t, "v2", c.Subprotocol())
			require.Equal(t, f.cookies("a=1", "b=2"), res.Header["Set-Cookie"])
			require.Contains(t, res.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate", "negotiated end to end")
			require.Equal(t, "ws-1", res.Header.Get("X-Request-ID"))

			r := got.last(t)
			require.Equal(t, "/ws?q=%20", r.RequestURI)
			require.Equal(t, "https://page.example", r.Header.Get("Origin"))
			require.Equal(t, "1", r.Header.Get("X-App"))
			require.Equal(t, f.host, r.Header.Get("X-Forwarded-Host"))
			require.NotContains(t, r.Header, "Open-Sandbox-Api-Key")
			require.NotContains(t, r.Header.Get("Sec-WebSocket-Protocol"), apiKey)

			big := make([]byte, 3<<20)
			_, _ = rand.Read(big)
			c.SetReadLimit(-1)
			for _, m := range [][]byte{[]byte("hello"), {}, big} {
				require.NoError(t, c.Write(ctx, websocket.MessageBinary, m))
				kind, answer, err := c.Read(ctx)
				require.NoError(t, err)
				require.Equal(t, websocket.MessageBinary, kind)
				require.Equal(t, len(m), len(answer))
			}
			require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("bye")))
			_, _, err = c.Read(ctx)
			var closed websocket.CloseError
			require.ErrorAs(t, err, &closed)
			require.Equal(t, websocket.StatusCode(4321), closed.Code)
			require.Equal(t, "as you wish", closed.Reason)
		})
	}
	require.EqualValues(t, 4, e.touches.Load())
}

func TestHandshakeSpellings(t *testing.T) {
	e := newEdge(t)
	e.sandbox(t, id, echo, 8080)
	f := direct("8080")
	for name, c := range map[string]struct {
		method, lines string
		status        int
	}{
		"firefox":          {"GET", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n", 101},
		"lower case":       {"GET", "Connection: upgrade\r\nUpgrade: WebSocket\r\n", 101},
		"post":             {"POST", "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n", 400},
		"with a body":      {"GET", "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", 400},
		"chunked":          {"GET", "Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n", 400},
		"no Connection":    {"GET", "Upgrade: websocket\r\n", 400},
		"another protocol": {"GET", "Connection: Upgrade\r\nUpgrade: h2c\r\n", 426}, // the sandbox sees no upgrade
	} {
		t.Run(name, func(t *testing.T) {
			res, _ := e.raw(t, c.method+" "+f.prefix+"/ HTTP/1.1\r\nHost: "+f.host+"\r\n"+c.lines+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
			require.Equal(t, c.status, res.StatusCode)
			if c.status == 101 {
				res, _ = e.raw(t, c.method+" "+f.prefix+"/ HTTP/1.0\r\nHost: "+f.host+"\r\n"+c.lines+
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
				require.Equal(t, 400, res.StatusCode, "HTTP/1.0 cannot upgrade")
			}
		})
	}
}

func TestHandshakesWithoutKeyOrVersionReachNobody(t *testing.T) {
	e := newEdge(t)
	e.sandbox(t, id, func(http.ResponseWriter, *http.Request) { t.Error("a sandbox was asked") }, 8080)
	const key, version = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", "Sec-WebSocket-Version: 13\r\n"
	for name, lines := range map[string]string{
		"no key":        version,
		"empty key":     version + "Sec-WebSocket-Key:\r\n",
		"two keys":      version + key + key,
		"no version":    key,
		"two versions":  key + version + version,
		"other version": key + "Sec-WebSocket-Version: 8\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := direct("8080")
			res, body := e.raw(t, "GET "+f.prefix+"/ HTTP/1.1\r\nHost: "+f.host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+lines+"\r\n")
			require.Equal(t, http.StatusBadRequest, res.StatusCode)
			require.Contains(t, body, "Sec-WebSocket-Key")
		})
	}
}

func TestRefusedHandshakeIsAPlainAnswer(t *testing.T) {
	e := newEdge(t)
	e.sandbox(t, id, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, strings.Repeat("no", 5000), http.StatusForbidden)
	}, 8080)
	_, res, err := direct("8080").dial(withTimeout(t), e, nil)
	require.Error(t, err)
	require.Equal(t, 403, res.StatusCode)

	_, res, err = direct("8081").dial(withTimeout(t), e, nil)
	require.Error(t, err)
	require.Equal(t, 503, res.StatusCode)
	_, res, err = form{host: host, prefix: "/sandboxes/unknown/proxy/1"}.dial(withTimeout(t), e, nil)
	require.Error(t, err)
	require.Equal(t, 404, res.StatusCode)
}
