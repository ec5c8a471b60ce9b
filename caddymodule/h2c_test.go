package caddymodule

import (
	"context"
	"net/http"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/websockettest"
)

// The port of a TOML start takes HTTP/2 with prior knowledge, which gRPC clients and
// proxies in front use, and WebSockets on it.
func TestHTTP2InTheClear(t *testing.T) {
	r := newRig(t)
	port := r.place(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Upgrade") == "" {
			return
		}
		c, err := websocket.Accept(w, req, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		kind, message, err := c.Read(req.Context())
		if err == nil {
			_ = c.Write(req.Context(), kind, message)
			_, _, _ = c.Read(req.Context())
		}
	}))
	r.load(r.toml(testKey))
	two := websockettest.HTTP2(nil, nil)
	defer two.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	base := "http://" + r.addr + "/sandboxes/" + sandboxID + "/proxy/" + itoa(port)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/", http.NoBody)
	require.NoError(t, err)
	resp, err := two.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "HTTP/2.0", resp.Proto)
	require.Equal(t, http.StatusOK, resp.StatusCode)

	c, _, err := websocket.Dial(ctx, base+"/ws", &websocket.DialOptions{HTTPClient: &http.Client{Transport: two.Upgrades()}})
	require.NoError(t, err)
	defer func() { _ = c.CloseNow() }()
	require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("hello")))
	_, answer, err := c.Read(ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", string(answer))
	require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
}
