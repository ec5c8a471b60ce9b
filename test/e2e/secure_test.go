//go:build docker

package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

const signingKeys = `
[ingress.secure_access]
active_key = "a"
[[ingress.secure_access.keys]]
key_id = "a"
key = "AQIDBAUGBwgJCgsMDQ4PEA=="
`

var signedHost = regexp.MustCompile(`-8080-([0-9a-z]+)-([0-9a-f]{8}a)\.`)

// A sandbox created with secureAccess lets nobody in on any route form, by request or
// WebSocket, without its token or a signature; and does so after restarts, of a server that
// has lost its store as well.
func TestSecureAccess(t *testing.T) {
	s := start(t, signingKeys)
	r := request(s)
	r.Entrypoint = []string{"/usr/bin/demo-web"}
	r.SecureAccess = true
	sandbox, err := s.Create(t.Context(), r)
	require.NoError(t, err)
	r.SecureAccess = false
	open, err := s.Create(t.Context(), r)
	require.NoError(t, err)

	plain, err := s.Endpoint(t.Context(), sandbox.ID, 8080, "")
	require.NoError(t, err)
	token := plain.Headers["OpenSandbox-Secure-Access"]
	require.Len(t, token, 32)
	until := time.Now().Add(time.Hour).Unix()
	signed, err := s.Endpoint(t.Context(), sandbox.ID, 8080, fmt.Sprintf("expires=%d", until))
	require.NoError(t, err)
	require.Empty(t, signed.Headers)
	parts := signedHost.FindStringSubmatch(signed.Endpoint)
	require.Len(t, parts, 3, signed.Endpoint)

	check := func(t *testing.T) {
		for _, form := range edge.Forms {
			route := s.Route(form, sandbox.ID, 8080, "")
			refuses(t, route, form)
			refuses(t, route.With("OpenSandbox-Secure-Access", token+"x"), form)
			grants(t, route.With("OpenSandbox-Secure-Access", token), form)
			grants(t, s.Route(form, open.ID, 8080, ""), form)
			route.Close()
			if form == edge.Direct {
				continue
			}
			wrong := s.Signed(form, sandbox.ID, 8080, parts[1], "00000000a")
			refuses(t, wrong, form)
			wrong.Close()
			right := s.Signed(form, sandbox.ID, 8080, parts[1], parts[2])
			grants(t, right, form)
			right.Close()
		}
		daemon, err := s.Endpoint(t.Context(), sandbox.ID, 44772, "")
		require.NoError(t, err)
		require.Equal(t, token, daemon.Headers["OpenSandbox-Secure-Access"])
		execd := s.Route(edge.Direct, sandbox.ID, 44772, daemon.Headers["X-EXECD-ACCESS-TOKEN"])
		defer execd.Close()
		_, err = execd.Command(t.Context(), "true")
		require.ErrorContains(t, err, "401")
		out, err := execd.With("OpenSandbox-Secure-Access", token).Command(t.Context(), "echo in")
		require.NoError(t, err)
		require.Contains(t, out, "in")
	}
	eventually(t, func() error { // the page may need a moment more than execd
		status, _, err := s.Route(edge.Direct, open.ID, 8080, "").Read(t.Context(), http.MethodGet, "/", nil, "")
		if err != nil || status != http.StatusOK {
			return errNotYet
		}
		return nil
	})
	t.Run("at first", check)

	require.NoError(t, s.Stop())
	require.NoError(t, s.Start(t.Context()))
	t.Run("after a restart", check)

	require.NoError(t, s.Stop())
	require.NoError(t, s.ForgetStore())
	require.NoError(t, s.Start(t.Context()))
	t.Run("after the store was lost", check)

	got, err := s.Get(t.Context(), sandbox.ID)
	require.NoError(t, err)
	require.Equal(t, "Running", got.Status.State)
	inspected, err := s.Inspect(t.Context())
	require.NoError(t, err)
	require.NotContains(t, inspected, token, "the token is on no label")
	require.NotContains(t, s.Log(), token)
}

func TestSecureAccessNeedsAGateway(t *testing.T) {
	s, err := edge.New(edge.Options{
		Binary: fromEnv(t, "EDGE_SERVER"), ExecdImg: fromEnv(t, "EDGE_EXECD_IMAGE"), DemoImage: fromEnv(t, "EDGE_DEMO_IMAGE"),
		Dir: t.TempDir(), Ingress: "# direct\n# %[1]s %[2]d\n",
	})
	require.NoError(t, err)
	t.Cleanup(s.Kill)
	require.NoError(t, s.Start(t.Context()))
	r := request(s)
	r.SecureAccess = true
	_, err = s.Create(t.Context(), r)
	requireStatus(t, err, 400, "SANDBOX::INVALID_PARAMETER")
}

func refuses(t *testing.T, r edge.Route, form edge.Form) {
	t.Helper()
	status, body, err := r.Read(t.Context(), http.MethodGet, "/", nil, "")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, status, "%s: %s", form, body)
	_, err = r.WebSocket(t.Context(), "/ws")
	require.ErrorContains(t, err, "401", form)
}

func grants(t *testing.T, r edge.Route, form edge.Form) {
	t.Helper()
	status, body, err := r.Read(t.Context(), http.MethodGet, "/", nil, "")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, "%s: %s", form, body)
	conn, err := r.WebSocket(t.Context(), "/ws")
	require.NoError(t, err, form)
	require.NoError(t, conn.CloseNow())
}
