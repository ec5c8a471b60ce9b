package caddymodule

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// inFlight counts what is under way with the sandbox.
func (r *rig) inFlight() *lifecycle.InFlight {
	e, ok := pooledState().opened.source.Lookup(sandboxID)
	require.True(r.t, ok)
	return e.InFlight
}

// Whoever serves it, a client that has gone gives its place back, also while the sandbox
// reads nothing of what it sent (threat row X1).
func TestGoneClientsGiveTheirPlacesBack(t *testing.T) {
	for name, extra := range map[string]string{"kept": "", "not kept": "[ingress]\nkeep_clients = false"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			end := make(chan struct{})
			port := r.place(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end }))
			t.Cleanup(func() { close(end) }) // before the sandbox's server waits for its handlers
			r.load(r.toml(testKey, extra))
			c := r.dial()
			_, err := fmt.Fprintf(c, "POST /sandboxes/%s/proxy/%d/ HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000000000\r\n\r\n", sandboxID, port, r.addr)
			require.NoError(t, err)
			piece := make([]byte, 1<<20)
			for err == nil { // until nobody takes more
				require.NoError(t, c.SetWriteDeadline(time.Now().Add(300*time.Millisecond)))
				_, err = c.Write(piece)
			}
			require.ErrorContains(t, err, "timeout")
			places := r.inFlight()
			require.Equal(t, 1, places.Len())
			require.NoError(t, c.Conn.(*net.TCPConn).SetLinger(0)) // Close resets
			require.NoError(t, c.Close())
			require.Eventually(t, func() bool { return places.Len() == 0 }, wait, 10*time.Millisecond)
		})
	}
}
