package caddymodule

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/lane"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// A client that takes no interim answers holds no exchange of a sandbox that is deleted
// (threat row A8).
func TestADeletedSandboxLeavesNoStuckInterimAnswer(t *testing.T) {
	lastConnection(t)
	r := newRig(t)
	address := ownAddress(t)
	ln, err := net.Listen("tcp", net.JoinHostPort(address.String(), "0"))
	require.NoError(t, err)
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
	hinting := make(chan struct{})
	wg.Go(func() {
		var once sync.Once
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				for in := bufio.NewReader(conn); ; {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					switch {
					case strings.HasSuffix(req.URL.Path, "/big"):
						_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n%s", strings.Repeat("a", 1000000))
					case strings.HasSuffix(req.URL.Path, "/hints"):
						once.Do(func() { close(hinting) })
						_, _ = io.WriteString(conn, strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: "+strings.Repeat("x", 60000)+"\r\n\r\n", 32))
					default:
						_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					}
				}
			})
		}
	})
	r.fake.Address = address
	require.NoError(t, r.fake.Place(lifecycle.Spec{ID: sandboxID, Image: "demo", Entrypoint: []string{"sleep"}, Timeout: time.Hour}))
	path := fmt.Sprintf("/sandboxes/%s/proxy/%d", sandboxID, ln.Addr().(*net.TCPAddr).Port)
	r.load(r.toml(testKey))
	c := r.dial()
	require.Equal(t, 200, c.get(path+"/ok").status)
	// As many answers as the sockets hold, and then interim ones.
	for range 3 {
		_, err = fmt.Fprintf(c, "GET %s/big HTTP/1.1\r\nHost: %s\r\n\r\n", path, r.addr)
		require.NoError(t, err)
	}
	_, err = fmt.Fprintf(c, "GET %s/hints HTTP/1.1\r\nHost: %s\r\n\r\n", path, r.addr)
	require.NoError(t, err)
	<-hinting
	places := r.inFlight()
	require.Equal(t, 1, places.Len())

	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+r.addr+"/v1/sandboxes/"+sandboxID, http.NoBody)
	require.NoError(t, err)
	req.Header.Set("OPEN-SANDBOX-API-KEY", testKey)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	_ = res.Body.Close()
	require.Equal(t, http.StatusNoContent, res.StatusCode)
	require.Eventually(t, func() bool {
		return places.Len() == 0
	}, wait, tick, "it is long over by then: half a second after the delete")
}

// With access the server's stall timeout is lifted, but a client that owes content is not
// waited for as long as one that only listens (threat row X2).
func TestLiftedTimeouts(t *testing.T) {
	for name, c := range map[string]struct {
		length int64
		idle   time.Duration
	}{
		"nothing is owed": {0, streamIdle},
		"a length":        {10, lane.ContentTimeout},
		"chunks":          {-1, lane.ContentTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			reader := &caddyhttp.IdleTimeoutReader{Deadline: caddyhttp.IdleDeadline{Timeout: time.Minute, MinRate: 1}}
			lifted := new(liftedTimeouts)
			ctx := caddyhttp.ContextWithIdleTimeouts(t.Context(), reader, nil)
			r := (&http.Request{ContentLength: c.length}).WithContext(context.WithValue(ctx, liftedKey{}, lifted))
			liftTimeouts(nil, r)
			require.Equal(t, c.idle, reader.Deadline.Timeout)
			require.Zero(t, reader.Deadline.MinRate)
			lifted.restore()
			require.Equal(t, time.Minute, reader.Deadline.Timeout)
		})
	}
}
