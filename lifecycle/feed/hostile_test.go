package feed_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/feed"
	"github.com/opensandbox-edge/edge/secret"
)

const (
	snapshot = `{"kind":"snapshot","version":1,"runtime":"docker","later":{"x":[1]}}` + "\n"
	good     = `{"kind":"entry","entry":{"id":"good","state":"Running","address":"10.0.0.1","unheard_of":true}}` + "\n"
	synced   = `{"kind":"synced"}` + "\n"
)

// What one entry says wrong is that sandbox's loss alone.
func TestABrokenEntryCostsItsSandboxAlone(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for name, entry := range map[string]string{
		"sum too short":    `{"id":"bad","state":"Running","address":"10.0.0.2","execd_token_sha256":"abcd"}`,
		"sum no hex":       `{"id":"bad","state":"Running","address":"10.0.0.2","secure_access_sha256":"` + strings.Repeat("xy", 32) + `"}`,
		"address a name":   `{"id":"bad","state":"Running","address":"metadata.internal"}`,
		"published a name": `{"id":"bad","state":"Running","published":{"80":"localhost:80"}}`,
		"no state":         `{"id":"bad","address":"10.0.0.2"}`,
		"state with codes": `{"id":"bad","state":"Run\u001b[2J","address":"10.0.0.2"}`,
		"id of the API":    `{"id":"v1","state":"Running","address":"10.0.0.2","execd_token_sha256":"` + sum + `"}`,
		"id with a path":   `{"id":"a/../b","state":"Running","address":"10.0.0.2"}`,
		"no id":            `{"state":"Running","address":"10.0.0.2"}`,
		"negative span":    `{"id":"bad","state":"Running","address":"10.0.0.2","renew_extend_seconds":-1}`,
		"long backend":     `{"id":"bad","state":"Running","address":"10.0.0.2","backend":"` + strings.Repeat("x", 600) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			before := `{"kind":"entry","entry":{"id":"bad","state":"Running","address":"10.0.0.7"}}` + "\n"
			g := newClient(t, peer(t, 200, "application/x-ndjson", snapshot+before+good+`{"kind":"entry","entry":`+entry+"}\n"+synced).URL)
			ready(t, g)
			lookup(t, g, "good")
			if strings.Contains(entry, `"bad"`) {
				_, ok := g.Directory().Lookup("bad")
				require.False(t, ok, "neither the new entry nor the one before is served")
				require.Equal(t, 1, g.Directory().Len())
			} else {
				require.Equal(t, 2, g.Directory().Len())
			}
		})
	}
}

// A lifecycle server cannot have a gateway dial what no route may reach.
func TestAddressesAreConfined(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "169.254.169.254", "::1", "0.0.0.0", "fe80::1", "::ffff:169.254.169.254"} {
		g := newClient(t, peer(t, 200, "application/x-ndjson", snapshot+
			`{"kind":"entry","entry":{"id":"bad","state":"Running","address":"`+address+`","published":{"81":"169.254.169.254:80"}}}`+"\n"+synced).URL)
		ready(t, g)
		for _, port := range []uint16{80, 81} {
			_, ok := lookup(t, g, "bad").Dial(port)
			require.False(t, ok, "%s:%d", address, port)
		}
	}
}

func TestABrokenStreamIsNoSnapshot(t *testing.T) {
	for name, text := range map[string]string{
		"no json":         snapshot + good + "}{\n" + synced,
		"html":            "<html>\n",
		"later version":   `{"kind":"snapshot","version":2,"runtime":"docker"}` + "\n" + good + synced,
		"no snapshot":     good + synced,
		"endless line":    snapshot + strings.Repeat("x", 70<<10) + "\n" + synced,
		"wrong types":     snapshot + `{"kind":"entry","entry":{"id":7}}` + "\n" + synced,
		"port too large":  snapshot + `{"kind":"entry","entry":{"id":"a","state":"Running","published":{"70000":"10.0.0.1:1"}}}` + "\n" + synced,
		"empty entry":     snapshot + `{"kind":"entry"}` + "\n" + synced,
		"runtime escapes": `{"kind":"snapshot","version":1,"runtime":"\u001b]0;x"}` + "\n" + synced,
	} {
		t.Run(name, func(t *testing.T) {
			var connections atomic.Int64
			s := peer(t, 200, "application/x-ndjson", text)
			inner := s.Config.Handler
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { connections.Add(1); inner.ServeHTTP(w, r) })
			g := newClient(t, s.URL)
			soon(t, "it is tried again", func() bool { return connections.Load() > 1 })
			require.False(t, g.Ready().Ready)
		})
	}
}

func TestAnAnswerThatIsNoFeed(t *testing.T) {
	for name, s := range map[string]*httptest.Server{
		"refused": peer(t, 401, "application/json", `{}`),
		"nothing": peer(t, 404, "application/json", `{}`),
		"a page":  peer(t, 200, "text/html", snapshot+good+synced),
	} {
		t.Run(name, func(t *testing.T) {
			var tries atomic.Int64
			inner := s.Config.Handler
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tries.Add(1); inner.ServeHTTP(w, r) })
			g := newClient(t, s.URL)
			soon(t, "it is tried again", func() bool { return tries.Load() > 1 })
			require.False(t, g.Ready().Ready)
			require.Zero(t, g.Directory().Len())
		})
	}
}

// The key goes to the configured server and nowhere else.
func TestTheKeyFollowsNoRedirectAndNoProxy(t *testing.T) {
	var elsewhere atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer thief.Close()
	t.Setenv("HTTP_PROXY", thief.URL)
	t.Setenv("http_proxy", thief.URL)
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("OPEN-SANDBOX-API-KEY") == apiKey {
			asked.Add(1)
		}
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	g := newClient(t, s.URL)
	soon(t, "the server is asked", func() bool { return asked.Load() > 1 })
	g.Close()
	require.Zero(t, elsewhere.Load())
}

func TestTLSBelievesTheGivenAuthorityAlone(t *testing.T) {
	c := newControl(t)
	c.put(t, "a", "10.0.0.1")
	s := httptest.NewTLSServer(c.handler)
	defer s.Close()
	defer s.CloseClientConnections()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	g := newClient(t, s.URL, func(o *feed.ClientOptions) { o.CAFile = ca })
	ready(t, g)
	lookup(t, g, "a")

	stranger := newClient(t, s.URL)
	require.Error(t, stranger.Resume(t.Context(), "a"))
	require.False(t, stranger.Ready().Ready)
	g.Close()

	require.NoError(t, os.WriteFile(ca, []byte("no PEM"), 0o600))
	_, err := feed.NewClient(feed.ClientOptions{URL: s.URL, Key: secret.New(apiKey), CAFile: ca})
	require.ErrorContains(t, err, "ca_file")
	_, err = feed.NewClient(feed.ClientOptions{URL: s.URL, Key: secret.New(apiKey), CAFile: ca + ".absent"})
	require.ErrorContains(t, err, "ca_file")
}
