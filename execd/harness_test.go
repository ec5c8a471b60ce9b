package execd

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/execd/stream"
	"github.com/opensandbox-edge/edge/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// daemon is a real Server on a loopback port.
type daemon struct {
	t      *testing.T
	server *Server
	addr   string
	client *http.Client
	token  string
}

func serve(t *testing.T, change func(*Options)) *daemon {
	t.Helper()
	o := Options{
		Process: environ.FromList(os.Environ()).With(environ.Vars{"TMPDIR": t.TempDir()}),
		Grace:   time.Second,
		Log:     slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	s := New(o)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Shutdown()
		require.NoError(t, <-ended)
	})
	return &daemon{t: t, server: s, addr: l.Addr().String(), client: &http.Client{Transport: transport}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (d *daemon) open(method, target, body string, headers ...string) *http.Response {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, "http://"+d.addr+target, strings.NewReader(body))
	require.NoError(d.t, err)
	if d.token != "" {
		req.Header.Set(wire.HeaderExecdToken, d.token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := d.client.Do(req)
	require.NoError(d.t, err)
	return res
}

func (d *daemon) do(method, target, body string, headers ...string) answer {
	d.t.Helper()
	res := d.open(method, target, body, headers...)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	return answer{res.StatusCode, res.Header, string(data)}
}

// problem checks the shape every error has and returns its code.
func (a answer) problem(t *testing.T, status int) string {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	var body struct{ Code, Message string }
	require.NoError(t, json.Unmarshal([]byte(a.body), &body), a.body)
	require.NotEmpty(t, body.Message)
	require.Contains(t, a.header.Get("Content-Type"), "application/json")
	return body.Code
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.NoError(t, json.Unmarshal([]byte(a.body), v), a.body)
}

// events reads the framing strictly: a line of JSON and a blank line, nothing else.
func events(t *testing.T, body string) []stream.Event {
	t.Helper()
	var all []stream.Event
	require.True(t, strings.HasSuffix(body, "\n\n"), "%q", body)
	for frame := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		require.NotContains(t, frame, "\n")
		var e stream.Event
		require.NoError(t, json.Unmarshal([]byte(frame), &e), frame)
		require.NotZero(t, e.Timestamp)
		all = append(all, e)
	}
	return all
}

// follow reads a stream while it runs.
type follow struct {
	t   *testing.T
	res *http.Response
	in  *bufio.Reader
}

func (d *daemon) follow(body string) *follow {
	d.t.Helper()
	res := d.open("POST", "/command", body)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	return &follow{d.t, res, bufio.NewReader(res.Body)}
}

func (f *follow) next() stream.Event {
	f.t.Helper()
	line, err := f.in.ReadString('\n')
	require.NoError(f.t, err)
	blank, err := f.in.ReadString('\n')
	require.NoError(f.t, err)
	require.Equal(f.t, "\n", blank)
	return events(f.t, line+blank)[0]
}

// until skips to the first event of a type.
func (f *follow) until(kind stream.Type) stream.Event {
	f.t.Helper()
	for {
		if e := f.next(); e.Type == kind {
			return e
		}
	}
}
