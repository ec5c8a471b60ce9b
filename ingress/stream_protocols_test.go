package ingress_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Streams are the same in every version of HTTP.
func TestStreamsOverEveryProtocol(t *testing.T) {
	e := newEdge(t)
	next, gone := make(chan string), make(chan struct{}, 1)
	var got seen
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			for line := range next {
				if line == "break" {
					panic(http.ErrAbortHandler)
				}
				_, _ = io.WriteString(w, "data: "+line+"\n\n")
				_ = http.NewResponseController(w).Flush()
				if line == "last" {
					return
				}
			}
		case "/sum":
			sum := sha256.New()
			n, _ := io.Copy(sum, r.Body)
			_, _ = fmt.Fprintf(w, "%d %x", n, sum.Sum(nil))
		case "/bytes":
			body, _ := noise(1 << 20)
			_, _ = io.Copy(w, body)
		case "/trailers":
			got.handler(w, r)
			_, _ = io.WriteString(w, "a body")
			_ = http.NewResponseController(w).Flush()
			w.Header().Set(http.TrailerPrefix+"X-Sum", "2")
			w.Header().Set(http.TrailerPrefix+"Set-Cookie", "a=b")
		case "/wait":
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			gone <- struct{}{}
		}
	}, 8080)
	f := direct("8080")
	for _, p := range protocols(t, e) {
		ask := func(t *testing.T, method, path string, body io.Reader) *http.Response {
			t.Helper()
			res, err := p.round.RoundTrip(f.request(t, p.edge, method, path, body).WithContext(withTimeout(t)))
			require.NoError(t, err)
			t.Cleanup(func() { _ = res.Body.Close() })
			require.Equal(t, 200, res.StatusCode)
			return res
		}
		t.Run(p.name+"/events", func(t *testing.T) {
			events := bufio.NewReader(ask(t, "GET", "/events", nil).Body)
			for _, line := range []string{"one", "two", "last"} {
				next <- line // only now is there anything to read
				got, err := events.ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, "data: "+line+"\n", got)
				_, err = events.ReadString('\n')
				require.NoError(t, err)
			}
			_, err := events.ReadByte()
			require.ErrorIs(t, err, io.EOF)
		})
		t.Run(p.name+"/failure in the middle", func(t *testing.T) {
			res := ask(t, "GET", "/events", nil)
			next <- "one"
			next <- "break"
			body, err := io.ReadAll(res.Body)
			require.Error(t, err, "an end would be a lie")
			// A reset may overtake what was sent, but nothing is appended.
			require.True(t, strings.HasPrefix("data: one\n\n", string(body)), "%q", body)
			// HTTP/2 and HTTP/3 reset the stream and keep the connection.
			ask(t, "GET", "/sum", nil)
		})
		t.Run(p.name+"/bodies", func(t *testing.T) {
			for _, announced := range []int64{1 << 20, -1} {
				body, sum := noise(1 << 20)
				r := f.request(t, p.edge, "POST", "/sum", io.NopCloser(body)).WithContext(withTimeout(t))
				r.ContentLength = announced
				res, err := p.round.RoundTrip(r)
				require.NoError(t, err)
				answer, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				_ = res.Body.Close()
				require.Equal(t, fmt.Sprintf("%d %x", 1<<20, sum.Sum(nil)), string(answer))
			}
			want, sum := noise(1 << 20)
			_, _ = io.Copy(io.Discard, want)
			have := sha256.New()
			_, err := io.Copy(have, ask(t, "GET", "/bytes", nil).Body)
			require.NoError(t, err)
			require.Equal(t, sum.Sum(nil), have.Sum(nil))
		})
		t.Run(p.name+"/trailers", func(t *testing.T) {
			r := f.request(t, p.edge, "POST", "/trailers", io.NopCloser(strings.NewReader("x"))).WithContext(withTimeout(t))
			r.ContentLength = -1
			r.Trailer = http.Header{"X-Sum": {"1"}, "X-Forwarded-For": {"1.2.3.4"}, "Open-Sandbox-Api-Key": {apiKey}}
			res, err := p.round.RoundTrip(r)
			require.NoError(t, err)
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			got.mu.Lock()
			trailer := got.trailers[len(got.trailers)-1]
			got.mu.Unlock()
			if p.name != "HTTP3" { // where the server library loses them
				require.Equal(t, "1", trailer.Get("X-Sum"))
			}
			require.NotContains(t, trailer, "X-Forwarded-For")
			require.NotContains(t, trailer, "Open-Sandbox-Api-Key")
			require.Equal(t, "2", res.Trailer.Get("X-Sum"))
			require.NotContains(t, res.Trailer, "Set-Cookie")
		})
		t.Run(p.name+"/the client leaves", func(t *testing.T) {
			_ = ask(t, "GET", "/wait", nil).Body.Close()
			select {
			case <-gone:
			case <-time.After(eventually):
				t.Fatal("the sandbox goes on for nobody")
			}
		})
	}
}
