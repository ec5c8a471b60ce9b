package pools_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// A real execd stands in every member.
func TestAClaimsVariablesAndCommandReachItsSandbox(t *testing.T) {
	b := newBed(t)
	envFile := b.daemon()
	b.start()
	b.pool(steady(1, 3))
	proof := filepath.Join(t.TempDir(), "pro'of")
	sb := b.claim(func(r *lifecycle.CreateRequest) {
		r.Env = []lifecycle.EnvVar{{Name: "A", Value: `it's "1"`}, {Name: "EMPTY", Value: ""}}
		r.Entrypoint = []string{"sh", "-c", `printf '%s|%s|%s' "$A" "$FROM" "$1" > "$0"`, proof, "last'word $A"}
	})
	require.Equal(t, lifecycle.Running, sb.Status.State)
	require.Equal(t, "sh", sb.Entrypoint[0])
	b.eventually(func() bool { text, _ := os.ReadFile(proof); return string(text) == `it's "1"|image|last'word $A` }, "the command did not run as it was given")
	text, err := os.ReadFile(envFile)
	require.NoError(t, err)
	require.Equal(t, "FROM=image\nA=it's \"1\"\nEMPTY=\n", string(text), "what later commands read")
	r, ok := b.record(sb.ID)
	require.True(t, ok)
	require.Equal(t, lifecycle.Live, r.Phase)
	e, ok := b.service.Directory().Lookup(sb.ID)
	require.True(t, ok)
	require.Equal(t, lifecycle.Running, e.State)

	line := filepath.Join(t.TempDir(), "line")
	b.filled(1)
	b.claim(func(r *lifecycle.CreateRequest) { r.Entrypoint = []string{"touch " + line} })
	b.eventually(func() bool { _, err := os.Stat(line); return err == nil }, "one element with a space is a line of shell")
}

func TestAnEntrypointThatIsNotThere(t *testing.T) {
	b := newBed(t)
	b.daemon()
	b.start()
	b.pool(steady(1, 3))
	var member string
	for id := range b.members() {
		member = id
	}
	_, err := b.service.Create(t.Context(), claim(func(r *lifecycle.CreateRequest) { r.Entrypoint = []string{"/no/such/program"} }))
	fails(t, err, 400, "DOCKER::INVALID_ENTRYPOINT")
	require.False(t, b.runtime.Has(member), "what a client may have touched is nobody else's")
	require.Zero(t, b.listed())
	b.filled(1)
}

func TestAHostileDaemonOnlySpoilsItsOwnClaim(t *testing.T) {
	for title, answer := range map[string]http.HandlerFunc{
		"refuses": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusTemporaryRedirect)
		},
		"breaks off": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"type":"init"}`+"\n\n")
		},
		"fails": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"type":"error","error":{"ename":"x\u0007","evalue":"1"}}`+"\n\n")
		},
		"never ends": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := fmt.Fprintln(w, `{"type":"stdout","text":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}`); err != nil {
					return
				}
			}
		},
	} {
		t.Run(title, func(t *testing.T) {
			daemon := httptest.NewServer(answer)
			t.Cleanup(daemon.Close)
			b := newBed(t)
			b.runtime.Published = map[uint16]netip.AddrPort{44772: netip.MustParseAddrPort(daemon.Listener.Addr().String())}
			b.start()
			b.pool(steady(1, 3))
			begin := time.Now()
			_, err := b.service.Create(t.Context(), claim(func(r *lifecycle.CreateRequest) {
				r.Env = []lifecycle.EnvVar{{Name: "SECRET", Value: "hunter2"}}
			}))
			fails(t, err, 500, "DOCKER::SANDBOX_START_FAILED")
			require.NotContains(t, err.Error(), "hunter2")
			require.NotContains(t, err.Error(), "\x07")
			require.Less(t, time.Since(begin), patience, "the wait is bounded")
			require.Zero(t, b.listed())
			b.filled(1)
		})
	}
}
