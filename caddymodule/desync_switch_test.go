package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// oddly is a request that no reader may take, with another one in its content.
const oddly = "POST PATHODD HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nNEXT"

// No request ends the watch over those that follow it: only what a server does with the
// connection can (threat row B1).
func TestNoRequestSwitchesTheGuardOff(t *testing.T) {
	const (
		plain     = "GET PATH HTTP/1.1\r\nHost: HOST\r\n\r\n"
		upgrade   = "GET PATH HTTP/1.1\r\nHost: HOST\r\nUpgrade: x\r\n\r\n"
		webSocket = "GET PATH HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	)
	lastConnection(t)
	r := newRig(t)
	sandbox, path := r.record()
	r.load(r.toml(testKey))
	for i, c := range []struct {
		name, raw string
		answers   int // before the refusal
	}{
		{"method PROXY", "PROXY PATH HTTP/1.1\r\nHost: HOST\r\n\r\n", 1},
		{"method PROXY of the API", "PROXY /health HTTP/1.1\r\nHost: HOST\r\n\r\n", 1},
		{"header of the PROXY protocol", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", 0},
		{"header of the PROXY protocol without addresses", "PROXY UNKNOWN\r\n", 0},
		{"upgrade", upgrade, 1},
		{"WebSocket that the sandbox does not take", webSocket, 1},
		{"upgrade behind a request", plain + upgrade, 2},
		{"WebSocket behind a request", plain + webSocket, 2},
		{"upgrade of the API behind a request", plain + "GET /health HTTP/1.1\r\nHost: HOST\r\nUpgrade: x\r\n\r\n", 2},
	} {
		for how, apart := range map[string]bool{"in one write": false, "after the answers": true} {
			t.Run(c.name+" "+how, func(t *testing.T) {
				conn, err := net.Dial("tcp", r.addr)
				require.NoError(t, err)
				defer conn.Close()
				require.NoError(t, conn.SetDeadline(time.Now().Add(wait)))
				in := bufio.NewReader(conn)
				send := func(raw string) {
					_, err := io.WriteString(conn, expand(raw, r.addr, fmt.Sprint(path, how[:2], i, "/")))
					require.NoError(t, err)
				}
				answers := func(n int) (last int) {
					for range n {
						res, err := http.ReadResponse(in, nil)
						require.NoError(t, err)
						_, _ = io.Copy(io.Discard, res.Body)
						last = res.StatusCode
					}
					return last
				}
				if apart {
					send(c.raw)
					answers(c.answers)
					send(oddly)
					require.Equal(t, 400, answers(1))
				} else {
					send(c.raw + oddly)
					require.Equal(t, 400, answers(c.answers+1))
				}
				_, err = in.ReadByte()
				require.Error(t, err)
				require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			})
		}
	}
	sandbox.stop()
	for _, one := range sandbox.begun {
		require.NotContains(t, one, smuggled)
		require.NotContains(t, one, "ODD")
	}
	require.NotEmpty(t, sandbox.begun)
}
