package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

func TestPages(t *testing.T) {
	server := httptest.NewServer(routes())
	defer server.Close()
	for path, want := range map[string]string{"/": "<title>OpenSandbox Edge demo</title>", "/healthz": `"healthy"`} {
		answer, err := http.Get(server.URL + path)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusOK, answer.StatusCode, path)
		require.Contains(t, string(body), want)
	}
	answer, err := http.Get(server.URL + "/absent")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
}

func TestWebSocketEchoes(t *testing.T) {
	server := httptest.NewServer(routes())
	defer server.Close()
	conn, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http")+"/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Origin": {"https://edge.example.com"}},
	})
	require.NoError(t, err)
	defer conn.CloseNow()
	for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
		require.NoError(t, conn.Write(t.Context(), kind, []byte("hello")))
		got, message, err := conn.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, kind, got)
		require.Equal(t, "hello", string(message))
	}
	require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))
}
