package ingress_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// Messages are neither buffered nor bounded: one frame of 64 MiB there and back, as bytes,
// because masking takes longer than everything else.
func TestAHugeMessage(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	keyedSandbox(t, e, func(c *net.TCPConn, in *bufio.Reader) { _, _ = io.Copy(c, in) })
	frame := make([]byte, 64<<20)
	_, _ = rand.Read(frame)
	copy(frame, []byte{0x82, 0x7f, 0, 0, 0, 0, 0x03, 0xff, 0xff, 0xf6})
	for _, p := range protocols(t, e) {
		t.Run(p.name, func(t *testing.T) {
			frame := frame
			if strings.HasPrefix(p.url, "https") {
				frame = frame[:8<<20] // encryption is slow under the race detector
			}
			_, stream := p.tunnel(t, withTimeout(t))
			defer func() { _ = stream.Close() }()
			wrote := make(chan error, 1)
			go func() {
				_, err := stream.Write(frame)
				wrote <- err
			}()
			answer := make([]byte, len(frame))
			_, err := io.ReadFull(stream, answer)
			require.NoError(t, err)
			require.NoError(t, <-wrote)
			require.True(t, bytes.Equal(frame, answer))
		})
	}
}

// Pings are answered by the sandbox, not on the way.
func TestPingsGoThrough(t *testing.T) {
	e := newEdge(t)
	e.sandbox(t, id, echo, 8080)
	for _, p := range protocols(t, e) {
		t.Run(p.name, func(t *testing.T) {
			ctx := withTimeout(t)
			c, _, err := p.dial(ctx, direct("8080"), nil)
			require.NoError(t, err)
			defer func() { _ = c.CloseNow() }()
			c.CloseRead(ctx)
			require.NoError(t, c.Ping(ctx))
		})
	}
}

func TestManyWebSocketsAtOnce(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.sandbox(t, id, echo, 8080)
	for _, p := range protocols(t, e) {
		t.Run(p.name, func(t *testing.T) {
			ctx := withTimeout(t)
			var all sync.WaitGroup
			errs := make(chan error, 40)
			for i := range cap(errs) {
				all.Go(func() {
					errs <- func() error {
						c, _, err := p.dial(ctx, forms("8080")[i%4], nil)
						if err != nil {
							return err
						}
						defer func() { _ = c.CloseNow() }()
						for range 20 {
							if err := c.Write(ctx, websocket.MessageText, []byte{byte('a' + i%26)}); err != nil {
								return err
							}
							_, answer, err := c.Read(ctx)
							if err != nil {
								return err
							}
							if string(answer) != string(rune('a'+i%26)) {
								t.Errorf("%q is another WebSocket's", answer)
							}
						}
						return c.Close(websocket.StatusNormalClosure, "")
					}()
				})
			}
			all.Wait()
			close(errs)
			for err := range errs {
				require.NoError(t, err)
			}
		})
	}
}
