// These tests are outside of the package: inside, their imports would be its own and be
// initialized first.
package extendedconnect_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	_ "github.com/opensandbox-edge/edge/internal/extendedconnect"
)

// Both HTTP/2 servers of a process announce it, and neither does when the operator says no.
func TestServersAnnounceExtendedConnect(t *testing.T) {
	want := os.Getenv("WANT_EXTENDED_CONNECT")
	if want == "" {
		for settings, want := range map[string]string{
			"": "on", "gctrace=0": "on", "http2xconnect=0": "off", "gctrace=0,http2xconnect=1": "on",
		} {
			again := exec.Command(os.Args[0], "-test.run=^TestServersAnnounceExtendedConnect$", "-test.v")
			again.Env = append(os.Environ(), "WANT_EXTENDED_CONNECT="+want, "GODEBUG="+settings)
			out, err := again.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "--- PASS")
		}
		return
	}
	for name, configure := range map[string]func(*http.Server) error{
		"net/http": func(*http.Server) error { return nil },
		"golang.org/x/net/http2": func(s *http.Server) error {
			//lint:ignore SA1019 Caddy sets up its servers with it
			return http2.ConfigureServer(s, nil)
		},
	} {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.EnableHTTP2 = true
		require.NoError(t, configure(s.Config))
		s.StartTLS()
		require.Equal(t, want == "on", announced(t, s.Listener.Addr().String()), name)
		s.Close()
	}
}

func announced(t *testing.T, address string) bool {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) //nolint:gosec // a test's own server
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	_, err = net.Conn(c).Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	framer := http2.NewFramer(c, c)
	require.NoError(t, framer.WriteSettings())
	frame, err := framer.ReadFrame()
	require.NoError(t, err)
	value, ok := frame.(*http2.SettingsFrame).Value(http2.SettingEnableConnectProtocol)
	return ok && value == 1
}
