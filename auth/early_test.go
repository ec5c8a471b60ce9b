package auth_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/auth"
)

// A recorded request must do nothing when it is sent again (threat row B6).
func TestWhatMayBeAReplayIsNotActedOn(t *testing.T) {
	a, err := auth.New(options(t))
	require.NoError(t, err)
	const api, sandbox = "/v1/sandboxes", "/sandboxes/x/proxy/44772/command"
	for _, c := range []struct {
		name, method, path string
		early              bool
		header             []string
		refused            bool
	}{
		{"create", "POST", api, true, nil, true},
		{"create after the handshake", "POST", api, false, nil, false},
		{"delete", "DELETE", api + "/x", true, nil, true},
		{"command", "POST", sandbox, true, nil, true},
		{"a method of the application's", "PROPFIND", sandbox, true, nil, true},
		{"read", "GET", sandbox, true, nil, false},
		{"WebSocket", "GET", sandbox, true, []string{"Upgrade", "WebSocket"}, true},
		{"WebSocket after the handshake", "GET", sandbox, false, []string{"Upgrade", "websocket"}, false},
		{"a proxy in front says so", "POST", sandbox, false, []string{"Early-Data", "1"}, true},
		{"a proxy in front, read", "GET", sandbox, false, []string{"Early-Data", "1"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "https://h"+c.path, http.NoBody)
			r.RequestURI = c.path
			r.TLS = &tls.ConnectionState{HandshakeComplete: !c.early}
			r.Header.Set("OPEN-SANDBOX-API-KEY", key)
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Set(c.header[i], c.header[i+1])
			}
			_, refused := a.Admit(httptest.NewRecorder(), r)
			if !c.refused {
				require.Nil(t, refused)
				return
			}
			require.NotNil(t, refused)
			require.Equal(t, 425, refused.Status)
			require.Equal(t, auth.CodeTooEarly, refused.Code)
		})
	}
}
