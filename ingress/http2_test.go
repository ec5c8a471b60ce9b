package ingress_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// overHTTP2 is the same edge behind a TLS listener that speaks HTTP/2.
func overHTTP2(t *testing.T, e *edge) *edge {
	t.Helper()
	h, _ := newHandlerBehindAuth(t, e)
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	client := s.Client()
	client.Transport.(*http.Transport).DisableCompression = true
	t.Cleanup(client.CloseIdleConnections)
	return &edge{directory: e.directory, url: s.URL, upstreams: e.upstreams, client: client}
}

func TestHTTP2CarriesBothDirectionsAtOnce(t *testing.T) {
	plain := newEdge(t)
	e := overHTTP2(t, plain)
	var got seen
	plain.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/echo" {
			rc := http.NewResponseController(w)
			_ = rc.EnableFullDuplex()
			lines := bufio.NewReader(r.Body)
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					break
				}
				_, _ = io.WriteString(w, strings.ToUpper(line))
				_ = rc.Flush()
			}
			w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
			return
		}
		got.handler(w, r)
	}, 8080)
	for _, f := range forms("8080") {
		t.Run(f.name, func(t *testing.T) {
			res, _ := e.do(t, f.request(t, e, "GET", "/a%2Fb?x", nil))
			require.Equal(t, 2, res.ProtoMajor)
			require.Equal(t, 200, res.StatusCode)
			require.Equal(t, "/a%2Fb?x", got.last(t).RequestURI)
			require.Equal(t, "https", got.last(t).Header.Get("X-Forwarded-Proto"))

			out, in := io.Pipe()
			go func() { _, _ = io.WriteString(in, "one\n") }()
			res, err := e.client.Do(f.request(t, e, "POST", "/echo", out))
			require.NoError(t, err)
			lines := bufio.NewReader(res.Body)
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "ONE\n", line)
			_, _ = io.WriteString(in, "two\n")
			require.NoError(t, in.Close())
			rest, err := io.ReadAll(lines)
			require.NoError(t, err)
			require.Equal(t, "TWO\n", string(rest))
			require.Equal(t, "1", res.Trailer.Get("X-Sum"))
			_ = res.Body.Close()
		})
	}
}

func TestHTTP2StreamsAreCut(t *testing.T) {
	plain := newEdge(t)
	e := overHTTP2(t, plain)
	ended := make(chan struct{})
	plain.sandbox(t, id, func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		block := make([]byte, 1<<20)
		for {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}, 8080)
	res, err := e.client.Do(direct("8080").request(t, e, "GET", "/", nil))
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	started := time.Now()
	plain.Remove(id, lifecycle.ErrGone)
	<-ended
	_, err = io.Copy(io.Discard, res.Body)
	require.Error(t, err)
	require.Less(t, time.Since(started), promptly)

	// The connection itself lives on.
	res, _ = e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, 404, res.StatusCode)
}
