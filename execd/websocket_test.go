package execd

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// TestProxyWebSocket sends messages both ways and sees that the daemon's end
// closes the connection of both.
func TestProxyWebSocket(t *testing.T) {
	d := serve(t, nil)
	closed := make(chan struct{})
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(closed)
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, Subprotocols: []string{"chat"}})
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, append([]byte("echo "), data...)) != nil {
				return
			}
		}
	}))
	defer app.Close()
	_, port, _ := net.SplitHostPort(app.Listener.Addr().String())
	c, _, err := websocket.Dial(t.Context(), "ws://"+d.addr+"/proxy/"+port+"/ws?x=1", &websocket.DialOptions{
		HTTPClient: d.client, Subprotocols: []string{"chat"},
	})
	require.NoError(t, err)
	defer c.CloseNow()
	require.Equal(t, "chat", c.Subprotocol())
	for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
		require.NoError(t, c.Write(t.Context(), kind, []byte("hi")))
		got, data, err := c.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, kind, got)
		require.Equal(t, "echo hi", string(data))
	}
	d.server.Shutdown()
	_, _, err = c.Read(t.Context())
	require.Error(t, err)
	<-closed
}
