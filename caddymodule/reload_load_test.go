package caddymodule

import (
	"bufio"
	"bytes"
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

// A hundred reloads under load: no request fails, no connection ends and no stream does
// that goes into a sandbox. On connections of Caddy's servers that should be so, too; what
// a stopping server drops nevertheless is counted, and tried again.
func TestAHundredReloadsUnderLoad(t *testing.T) {
	const reloads, streams = 100, 4
	lastConnection(t)
	r := newRig(t)
	base := fmt.Sprintf("http://%s/sandboxes/%s/proxy/%d/", r.addr, sandboxID, r.place(http.HandlerFunc(everything)))
	r.load(r.toml(testKey))

	var load, open sync.WaitGroup
	done := make(chan struct{})
	var served, failed atomic.Int64
	problem := func(format string, args ...any) {
		failed.Add(1)
		t.Errorf(format, args...)
	}
	// Each worker has one connection. One that is not kept in the lane may be told that it
	// ends with an answer.
	var told, retried atomic.Int64
	worker := func(url, key, body string, kept bool) *atomic.Int64 {
		count := new(atomic.Int64)
		load.Go(func() {
			c, err := r.connect()
			if err != nil {
				problem("%v", err)
				return
			}
			defer func() { _ = c.Close() }()
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				sent := bytes.Repeat([]byte{'a' + byte(n%26)}, n*7%5000)
				got, err := c.exchange(url, key, body, sent)
				if errors.Is(err, errLastAnswer) && !kept {
					told.Add(1)
					_ = c.Close()
					c, err = r.connect()
				}
				if closedEarly(err) && !kept {
					retried.Add(1)
					_ = c.Close()
					if c, err = r.connect(); err == nil {
						_, err = c.exchange(url, key, body, sent)
					}
				}
				if err != nil || body != "" && !bytes.Equal(got, sent) {
					problem("%s %q: request %d of its connection: %d bytes sent, %d back: %v", url, body, n, len(sent), len(got), err)
					return
				}
				count.Add(1)
				served.Add(1)
			}
		})
		return count
	}
	var workers []*atomic.Int64
	for _, body := range []string{"", "length", "chunks"} {
		workers = append(workers, worker(base, "", body, true))
	}
	workers = append(workers, worker("http://"+r.addr+"/v1/sandboxes", testKey, "", false), worker("http://"+r.addr+"/health", "", "", false))
	// And connections that come and go.
	var fresh atomic.Int64
	load.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			c, err := r.connect()
			if err == nil {
				_, err = c.exchange("http://"+r.addr+"/health", "", "", nil)
				_ = c.Close()
			}
			if closedEarly(err) {
				retried.Add(1)
				continue
			}
			if err != nil && !errors.Is(err, errLastAnswer) {
				problem("the first request of a connection: %v", err)
				return
			}
			fresh.Add(1)
		}
	})
	// Streams that were open before and are open afterwards: on connections that began with
	// them, and on kept ones.
	var ticks atomic.Int64
	for i := range streams {
		open.Go(func() { r.stream(base, i%2 == 0, done, &ticks, problem) })
		open.Go(func() { r.talkOverWebSocket(base, done, &ticks, problem) })
	}

	// All workers go on, or something failed.
	proceed := func() {
		t.Helper()
		before := make([]int64, len(workers))
		for i, w := range workers {
			before[i] = w.Load()
		}
		at, connections := ticks.Load(), fresh.Load()
		require.Eventually(t, func() bool {
			for i, w := range workers {
				if w.Load() <= before[i] {
					return failed.Load() > 0
				}
			}
			return ticks.Load() > at && fresh.Load() > connections || failed.Load() > 0
		}, wait, time.Millisecond)
	}
	proceed()
	for i := range reloads {
		r.load(r.toml(testKey, fmt.Sprintf("# %d", i)))
		proceed()
	}
	at := ticks.Load()
	require.Eventually(t, func() bool { return ticks.Load() > at+50 || failed.Load() > 0 }, wait, tick, "the streams go on")
	close(done)
	load.Wait()
	open.Wait()
	require.Zero(t, failed.Load())
	require.Less(t, retried.Load(), int64(reloads/10))
	t.Logf("%d reloads, %d requests on %d connections, %d on one each, %d stream messages: nothing failed, %d requests to the API were tried again, %d of its connections ended with an answer",
		reloads, served.Load(), len(workers), fresh.Load(), ticks.Load(), retried.Load(), told.Load())
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
		got, err := io.ReadAll(r.Body) // net/http takes the rest away when an answer begins
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(got)
	}
}

// connection is one connection of a client that never tries again.
type connection struct {
	net.Conn
	in *bufio.Reader
}

func (r *rig) connect() (*connection, error) {
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		return nil, err
	}
	return &connection{conn, bufio.NewReader(conn)}, conn.SetDeadline(time.Now().Add(10 * wait))
}

// closedEarly tells that a connection was closed before the first byte of an answer.
func closedEarly(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// errLastAnswer says that an answer is good and ends its connection.
var errLastAnswer = errors.New("the answer says that the connection is closed")

// exchange sends a request.
func (c *connection) exchange(url, key, how string, sent []byte) ([]byte, error) {
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
	if key != "" {
		req.Header.Set("OPEN-SANDBOX-API-KEY", key)
	}
	if err := req.Write(c); err != nil {
		return nil, fmt.Errorf("sending: %w", err)
	}
	res, err := http.ReadResponse(c.in, req)
	if err != nil {
		return nil, fmt.Errorf("the head of the answer: %w", err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
	case res.StatusCode != http.StatusOK:
		err = fmt.Errorf("status %d: %s", res.StatusCode, got)
	case res.Close:
		err = errLastAnswer
	}
	return got, err
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
