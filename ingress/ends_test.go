package ingress_test

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// Deleted, expired or paused: event streams over every protocol end with the sandbox, and
// not when a timeout finds them (threat row A8). TestEveryWebSocketEndsWithTheSandbox has the WebSockets.
func TestEveryEventStreamEndsWithTheSandbox(t *testing.T) {
	e := newEdge(t)
	for _, p := range protocols(t, e) {
		for name, end := range map[string]func(){
			"gone": func() { e.Remove(id, lifecycle.ErrGone) },
			"paused": func() {
				_, err := e.Publish(lifecycle.Entry{ID: id, State: lifecycle.Paused})
				require.NoError(t, err)
			},
		} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "text/event-stream")
					_, _ = io.WriteString(w, "data: first\n\n")
					_ = http.NewResponseController(w).Flush()
					<-r.Context().Done()
				}, 8080)
				res, err := p.round.RoundTrip(direct("8080").request(t, p.edge, "GET", "/", nil).WithContext(withTimeout(t)))
				require.NoError(t, err)
				defer func() { _ = res.Body.Close() }()
				in := bufio.NewReader(res.Body)
				line, err := in.ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, "data: first\n", line)
				started := time.Now()
				end()
				_, err = io.Copy(io.Discard, in)
				require.Error(t, err, "it was cut")
				require.Less(t, time.Since(started), promptly)
			})
		}
	}
}
