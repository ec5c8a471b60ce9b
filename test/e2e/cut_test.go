//go:build docker

package e2e

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// A client that listens to a sandbox learns that it is paused, deleted or expired, on every
// form of route (threat row A8): its WebSocket and its event stream end.
func TestStreamsEndWithTheSandboxTheyBelongTo(t *testing.T) {
	s := start(t, "")
	for name, end := range map[string]func(id string) error{
		"pause": func(id string) error {
			return s.Call(t.Context(), http.MethodPost, "/v1/sandboxes/"+id+"/pause", nil, nil)
		},
		"delete": func(id string) error { return s.Delete(t.Context(), id) },
		"expiry": func(id string) error { return s.Renew(t.Context(), id, time.Now().Add(time.Second)) },
	} {
		t.Run(name, func(t *testing.T) {
			sandbox, token := web(t, s)
			stream := ticks(t, s, sandbox.ID, token)
			requireTicks(t, stream, 1)
			ended := make(chan edge.Form, len(edge.Forms))
			for _, form := range edge.Forms {
				conn := dial(t, s, form, sandbox.ID)
				requireEcho(t, conn, string(form))
				go func() {
					_, _, _ = conn.Read(context.WithoutCancel(t.Context()))
					ended <- form
				}()
			}
			require.NoError(t, end(sandbox.ID))
			for range edge.Forms {
				select {
				case <-ended:
				case <-time.After(time.Minute):
					t.Fatal("a WebSocket goes on")
				}
			}
			for stream.Scan() { // what was on its way, and then the end
			}
		})
	}
}
