package caddymodule

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/opensandbox-edge/edge/internal/websockettest"
)

// trickle sends a byte every 20 ms until the connection ends.
func (w *wire) trickle() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	w.t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		every := time.NewTicker(20 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-every.C:
			case <-ctx.Done():
				return
			}
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
		}
	}()
}

func TestABodyHasSoLongWhateverItsPace(t *testing.T) {
	const bound = 200 * time.Millisecond
	failures := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		boundBody(w, r, bound)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			failures <- err
			return
		}
		<-time.After(2 * bound) // answering may take longer
		_, _ = w.Write(body)
	}))
	defer server.Close()
	r := &rig{t: t, addr: server.Listener.Addr().String()}
	c := r.dial()
	for range 2 {
		_, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
		require.NoError(t, err)
		res, err := http.ReadResponse(c.in, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, "hi", string(body))
	}
	_, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
	require.NoError(t, err)
	c.trickle()
	require.ErrorIs(t, <-failures, os.ErrDeadlineExceeded)
}

// What is refused without its body is answered, and over, although the client goes on.
func TestARefusalWaitsForNoBody(t *testing.T) {
	lastConnection(t)
	r := newRig(t)
	r.load(r.toml(testKey))
	for _, framing := range []string{"Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1;"} {
		c := r.dial()
		_, err := fmt.Fprintf(c, "POST /v1/sandboxes HTTP/1.1\r\nHost: %s\r\n%s", r.addr, framing)
		require.NoError(t, err)
		c.trickle()
		res, err := http.ReadResponse(c.in, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, res.StatusCode)
		_, err = io.ReadAll(res.Body)
		require.NoError(t, err)
		_, err = c.in.ReadByte()
		require.True(t, err == io.EOF || isReset(err), "%v", err)
	}
}

func isReset(err error) bool {
	_, network := err.(*net.OpError) //nolint:errorlint // as the socket gave it
	return network && !os.IsTimeout(err)
}

// The server's timeouts stay on against strangers and are lifted with access: a WebSocket
// over HTTP/2, or in the lane, may say nothing for longer than any of them.
func TestIdleWebSocketsOutliveTheStallTimeouts(t *testing.T) {
	lastConnection(t)
	const stall = 600 * time.Millisecond
	r := newRig(t)
	port := r.place(http.HandlerFunc(everything))
	adapted := string(r.adapt(r.toml(testKey)))
	bounds := fmt.Sprintf(`"idle_timeout": %d, "read_idle_timeout": %d, "write_idle_timeout": %d`, stall, stall, stall)
	adapted = replaceOnce(t, adapted, `"idle_timeout": 35000000000`, bounds)
	require.NoError(t, caddy.Load([]byte(adapted), true))
	r.ready()
	two := websockettest.HTTP2(nil, nil)
	defer two.CloseIdleConnections()
	for name, client := range map[string]*http.Client{
		"HTTP/1.1": {Transport: new(http.Transport)},
		"HTTP/2":   {Transport: two.Upgrades()},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		c, _, err := websocket.Dial(ctx, fmt.Sprintf("http://%s/sandboxes/%s/proxy/%d/ws", r.addr, sandboxID, port), &websocket.DialOptions{HTTPClient: client})
		require.NoError(t, err, name)
		defer func() { _ = c.CloseNow() }()
		for range 2 {
			<-time.After(2 * stall)
			require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("hello")), name)
			_, echo, err := c.Read(ctx)
			require.NoError(t, err, name)
			require.Equal(t, "hello", string(echo))
		}
	}
	// The same timeouts do end what was granted nothing.
	c := r.dial()
	_, err := fmt.Fprintf(c, "POST /v1/sandboxes HTTP/1.1\r\nHost: %s\r\n%s\r\nContent-Length: 9\r\n\r\n", r.addr, keyHeader(testKey))
	require.NoError(t, err)
	res, err := http.ReadResponse(c.in, nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, res.StatusCode, 400)
}

// A connection carries a bounded number of requests at once, by the default of Go's
// server; docs/reference/limits.md names it.
func TestStreamsOfAConnectionAreBounded(t *testing.T) {
	lastConnection(t)
	r := newRig(t)
	r.load(r.toml(testKey))
	c := r.dial()
	_, err := io.WriteString(c, http2.ClientPreface)
	require.NoError(t, err)
	frames := http2.NewFramer(c, c.in)
	require.NoError(t, frames.WriteSettings())
	for {
		frame, err := frames.ReadFrame()
		require.NoError(t, err)
		settings, ok := frame.(*http2.SettingsFrame)
		if !ok || settings.IsAck() {
			continue
		}
		most, ok := settings.Value(http2.SettingMaxConcurrentStreams)
		require.True(t, ok)
		require.EqualValues(t, 250, most)
		return
	}
}

// A gigabyte goes into a sandbox at any pace: the bounds of API bodies are not for it.
func TestUploadsIntoSandboxesHaveNoBound(t *testing.T) {
	lastConnection(t)
	r := newRig(t)
	var got int64
	port := r.place(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { got, _ = io.Copy(io.Discard, req.Body) }))
	adapted := replaceOnce(t, string(r.adapt(r.toml(testKey))), `"idle_timeout": 35000000000`, `"idle_timeout": 35000000000, "read_idle_timeout": 600000000`)
	require.NoError(t, caddy.Load([]byte(adapted), true))
	r.ready()
	const size = 64 << 20 // well above what any API body may have
	pause := make(chan struct{})
	time.AfterFunc(1500*time.Millisecond, func() { close(pause) })
	body := io.MultiReader(io.LimitReader(endless{}, size/2), waiting(pause), io.LimitReader(endless{}, size/2))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, fmt.Sprintf("http://%s/sandboxes/%s/proxy/%d/", r.addr, sandboxID, port), body)
	require.NoError(t, err)
	req.ContentLength = size
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.EqualValues(t, size, got)

	// The API takes no such thing.
	req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.addr+"/v1/sandboxes", bytes.NewReader(bytes.Repeat([]byte(" "), 16<<20)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("OPEN-SANDBOX-API-KEY", testKey)
	res, err = client.Do(req)
	if err == nil {
		_ = res.Body.Close()
		require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	} else {
		require.True(t, strings.Contains(err.Error(), "reset") || strings.Contains(err.Error(), "broken pipe"), "%v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// waiting is a reader that ends when the channel is closed.
type waiting <-chan struct{}

func (w waiting) Read([]byte) (int, error) {
	<-w
	return 0, io.EOF
}
