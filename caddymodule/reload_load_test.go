package caddymodule

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// A hundred reloads under load: what is in a sandbox goes on as if nothing had happened,
// strictly; the API's clients, on connections of Caddy's servers, may have to try once
// more when a connection closes before the first byte.
func TestAHundredReloadsUnderLoad(t *testing.T) {
	const reloads, streams = 100, 4
	lastConnection(t)
	r := newRig(t)
	base := fmt.Sprintf("http://%s/sandboxes/%s/proxy/%d/", r.addr, sandboxID, r.place(http.HandlerFunc(everything)))
	r.load(r.toml(testKey))

	var load, open sync.WaitGroup
	done := make(chan struct{})
	var served, api, retried, failed atomic.Int64
	stopped := func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
	problem := func(format string, args ...any) {
		failed.Add(1)
		t.Errorf(format, args...)
	}

	// Traffic into the sandbox, each worker on one connection that must never end.
	for _, body := range []string{"", "length", "chunks"} {
		load.Go(func() {
			var dials atomic.Int64
			client := countingClient(&dials)
			defer client.CloseIdleConnections()
			for n := 0; !stopped(); n++ {
				sent := bytes.Repeat([]byte{'a' + byte(n%26)}, n%5000)
				got, err := exchange(client, base, "", body, sent)
				if err != nil || !bytes.Equal(got, sent) && body != "" {
					problem("a sandbox request failed: %v", err)
					return
				}
				served.Add(1)
			}
			if n := dials.Load(); n != 1 {
				problem("a client of the sandbox had to connect %d times", n)
			}
		})
	}
	// Traffic of the API.
	load.Go(func() {
		client := countingClient(new(atomic.Int64))
		defer client.CloseIdleConnections()
		for !stopped() {
			_, err := exchange(client, "http://"+r.addr+"/v1/sandboxes", testKey, "", nil)
			if closedEarly(err) {
				retried.Add(1)
				_, err = exchange(client, "http://"+r.addr+"/v1/sandboxes", testKey, "", nil)
			}
			if err != nil {
				problem("an API request failed twice: %v", err)
				return
			}
			served.Add(1)
			api.Add(1)
		}
	})
	// Streams that were open before and are open afterwards: on connections that began with
	// them, and on kept ones.
	var ticks atomic.Int64
	for i := range streams {
		open.Go(func() { r.stream(base, i%2 == 0, done, &ticks, problem) })
		open.Go(func() { r.talkOverWebSocket(base, done, &ticks, problem) })
	}

	require.Eventually(t, func() bool { return served.Load() > 50 && ticks.Load() > 50 }, wait, tick)
	for i := range reloads {
		r.load(r.toml(testKey, fmt.Sprintf("# %d", i)))
		// A second try that runs into the next reload would be that one's first.
		before, beforeAPI := served.Load(), api.Load()
		require.Eventually(t, func() bool {
			return served.Load() > before+5 && api.Load() > beforeAPI+1 || failed.Load() > 0
		}, wait, time.Millisecond)
	}
	at := ticks.Load()
	require.Eventually(t, func() bool { return ticks.Load() > at+50 || failed.Load() > 0 }, wait, tick, "the streams go on")
	close(done)
	load.Wait()
	open.Wait()
	require.Zero(t, failed.Load())
	t.Logf("%d reloads, %d requests, %d stream messages: %d API requests were tried again, nothing failed", reloads, served.Load(), ticks.Load(), retried.Load())
}

// everything is the sandbox: it echoes contents, streams and talks.
func everything(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Upgrade") != "":
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		for {
			kind, message, err := conn.Read(r.Context())
			if err != nil || conn.Write(r.Context(), kind, message) != nil {
				return
			}
		}
	case strings.HasSuffix(r.URL.Path, "/events"):
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 0; r.Context().Err() == nil; i++ {
			if _, err := fmt.Fprintf(w, "data: %d\n\n", i); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(5 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
	default:
		_, _ = io.Copy(w, r.Body)
	}
}

// countingClient never tries again by itself.
func countingClient(dials *atomic.Int64) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}}}
}

// exchange sends one request that Go's client will not repeat.
func exchange(client *http.Client, url, key, how string, sent []byte) ([]byte, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	switch how {
	case "length":
		method, body = http.MethodPost, bytes.NewReader(sent)
	case "chunks":
		method, body = http.MethodPut, struct{ io.Reader }{bytes.NewReader(sent)}
	}
	req, err := http.NewRequest(method, url, body) //nolint:noctx // ends with the test
	if err != nil {
		return nil, err
	}
	req.GetBody = nil
	if key != "" {
		req.Header.Set("OPEN-SANDBOX-API-KEY", key)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", res.StatusCode, got)
	}
	return got, err
}

// closedEarly tells that a connection was closed before the first byte of an answer.
func closedEarly(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		err != nil && strings.Contains(err.Error(), "server closed idle connection")
}

// stream reads an event stream, on a connection of its own or behind another request.
func (r *rig) stream(base string, behind bool, done <-chan struct{}, ticks *atomic.Int64, problem func(string, ...any)) {
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		problem("%v", err)
		return
	}
	defer conn.Close()
	path := strings.TrimPrefix(base, "http://"+r.addr)
	in := bufio.NewReader(conn)
	if behind {
		_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, r.addr)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			problem("%v", err)
			return
		}
		_, _ = io.Copy(io.Discard, res.Body)
	}
	_, _ = fmt.Fprintf(conn, "GET %sevents HTTP/1.1\r\nHost: %s\r\n\r\n", path, r.addr)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		problem("%v", err)
		return
	}
	lines, next := bufio.NewScanner(res.Body), 0
	for lines.Scan() {
		if lines.Text() == "" {
			continue
		}
		if lines.Text() != fmt.Sprintf("data: %d", next) {
			problem("event %d is %q", next, lines.Text())
			return
		}
		next++
		ticks.Add(1)
		select {
		case <-done:
			return
		default:
		}
	}
	problem("a stream ended after %d events: %v", next, lines.Err())
}

func (r *rig) talkOverWebSocket(base string, done <-chan struct{}, ticks *atomic.Int64, problem func(string, ...any)) {
	ctx := r.t.Context()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(base, "http")+"ws", nil) //nolint:bodyclose // the connection has it
	if err != nil {
		problem("%v", err)
		return
	}
	defer func() { _ = conn.CloseNow() }()
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		case <-time.After(5 * time.Millisecond):
		}
		sent := fmt.Sprint("message ", n)
		if err := conn.Write(ctx, websocket.MessageText, []byte(sent)); err != nil {
			problem("a WebSocket ended: %v", err)
			return
		}
		_, got, err := conn.Read(ctx)
		if err != nil || string(got) != sent {
			problem("a WebSocket answered %q: %v", got, err)
			return
		}
		ticks.Add(1)
	}
}
