package ingress_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// noise is a reproducible stream that knows the sum of what was read of it.
func noise(size int64) (io.Reader, hash.Hash) {
	sum := sha256.New()
	return io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), size), sum), sum
}

func TestLargeBodiesStream(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			size, _ := strconv.ParseInt(r.URL.Query().Get("size"), 10, 64)
			body, _ := noise(size)
			if r.URL.Query().Has("sized") {
				w.Header().Set("Content-Length", fmt.Sprint(size))
			}
			_, _ = io.Copy(w, body)
			return
		}
		sum := sha256.New()
		n, _ := io.Copy(sum, r.Body)
		_, _ = fmt.Fprintf(w, "%d %x", n, sum.Sum(nil))
	}, 8080)
	for i, f := range forms("8080") {
		size, query := int64(4<<20), ""
		if i == 0 {
			size = 64 << 20
		}
		t.Run(f.name, func(t *testing.T) {
			body, sent := noise(size)
			r := f.request(t, e, "PUT", "/", io.NopCloser(body))
			if i%2 == 0 {
				r.ContentLength, query = size, "&sized"
			}
			_, got := e.do(t, r)
			require.Equal(t, fmt.Sprintf("%d %x", size, sent.Sum(nil)), got)

			res, err := e.client.Do(f.request(t, e, "GET", fmt.Sprintf("/?size=%d%s", size, query), nil))
			require.NoError(t, err)
			defer func() { _ = res.Body.Close() }()
			sum := sha256.New()
			n, err := io.Copy(sum, res.Body)
			require.NoError(t, err)
			require.Equal(t, size, n)
			require.Equal(t, sent.Sum(nil), sum.Sum(nil))
		})
	}
}

func TestEventsAreNotBuffered(t *testing.T) {
	e := newEdge(t)
	next := make(chan string)
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if r.URL.RawQuery == "sized" {
			w.Header().Set("Content-Length", "27")
		}
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		for event := range next {
			_, _ = io.WriteString(w, event)
			_ = http.NewResponseController(w).Flush()
			if event == "data: 3\n\n\n\n" {
				return
			}
		}
	}, 8080)
	for _, f := range forms("8080") {
		for _, query := range []string{"", "?sized"} {
			r := f.request(t, e, "GET", "/"+query, nil)
			got := make(chan *http.Response)
			go func() {
				res, err := e.client.Do(r)
				if err != nil {
					res = nil
				}
				got <- res
			}()
			var res *http.Response
			if query == "" {
				res = <-got // the head arrives before any event
			}
			lines := (*bufio.Reader)(nil)
			for i := 1; i <= 3; i++ {
				event := fmt.Sprintf("data: %d\n", i)
				if i == 3 {
					event += "\n\n\n"
				}
				next <- event
				if res == nil {
					res = <-got
				}
				require.NotNil(t, res)
				if lines == nil {
					lines = bufio.NewReader(res.Body)
				}
				line, err := lines.ReadString('\n') // would wait for ever if the event were held back
				require.NoError(t, err)
				require.Equal(t, fmt.Sprintf("data: %d\n", i), line)
			}
			_ = res.Body.Close()
		}
	}
	close(next)
}

func TestBothDirectionsAtOnce(t *testing.T) {
	e := newEdge(t)
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(w, strings.ToUpper(line))
			_ = rc.Flush()
		}
	}, 8080)
	for _, f := range forms("8080") {
		out, in := io.Pipe()
		go func() { _, _ = io.WriteString(in, "one\n") }()
		res, err := e.client.Do(f.request(t, e, "POST", "/", out))
		require.NoError(t, err)
		lines := bufio.NewReader(res.Body)
		for i, want := range []string{"ONE\n", "TWO\n", "THREE\n"} {
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, want, line)
			if i < 2 {
				_, _ = io.WriteString(in, strings.ToLower([]string{"TWO\n", "THREE\n"}[i]))
			}
		}
		require.NoError(t, in.Close())
		_, err = lines.ReadString('\n')
		require.ErrorIs(t, err, io.EOF)
		_ = res.Body.Close()
	}
}

func TestAnEarlyAnswerDoesNotPoisonTheConnection(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	addr, _ := rawBackend(t, "HTTP/1.1 413 Too Big\r\nContent-Length: 3\r\n\r\nbig")
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
	for _, framing := range []string{"Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3e8\r\n"} {
		f := direct("8080")
		c, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(eventually)))
		_, err = io.WriteString(c, "POST "+f.prefix+"/ HTTP/1.1\r\nHost: "+f.host+"\r\n"+framing+
			"GET "+f.prefix+"/smuggled HTTP/1.1\r\nHost: "+f.host+"\r\n\r\n")
		require.NoError(t, err)
		answers, err := io.ReadAll(c)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(answers), "HTTP/1.1 413 "), "%s", answers)
		require.Equal(t, 1, strings.Count(string(answers), "HTTP/1.1 "), "the rest of the body is not the next request")
		require.NoError(t, c.Close())
	}
}

func TestExpectContinueIsTheSandboxesDecision(t *testing.T) {
	e := newEdge(t)
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			http.Error(w, "no", http.StatusExpectationFailed)
			return
		}
		_, _ = io.Copy(w, r.Body)
	}, 8080)
	f := direct("8080")
	for path, first := range map[string]int{"/yes": 100, "/no": 417} {
		c, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(eventually)))
		_, err = io.WriteString(c, "POST "+f.prefix+path+" HTTP/1.1\r\nHost: "+f.host+"\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
		require.NoError(t, err)
		answers := bufio.NewReader(c)
		res, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		require.Equal(t, first, res.StatusCode)
		if first == 100 {
			_, err = io.WriteString(c, "body")
			require.NoError(t, err)
			res, err = http.ReadResponse(answers, nil)
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, "body", string(body))
		}
		_ = res.Body.Close()
		require.NoError(t, c.Close())
	}
}

func TestAVanishedClientFreesTheSandbox(t *testing.T) {
	e := newEdge(t)
	gone := make(chan struct{}, 8)
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		gone <- struct{}{}
	}, 8080)
	for _, f := range forms("8080") {
		ctx, cancel := context.WithCancel(context.Background())
		res, err := e.client.Do(f.request(t, e, "GET", "/", nil).WithContext(ctx))
		require.NoError(t, err)
		cancel()
		_ = res.Body.Close()
		select {
		case <-gone:
		case <-time.After(eventually):
			t.Fatal("the sandbox still works for nobody")
		}
	}
}

func TestStreamsEndWithTheSandboxEvenIfTheClientDoesNotRead(t *testing.T) {
	for _, how := range []string{"removed", "paused", "replaced"} {
		t.Run(how, func(t *testing.T) {
			e := newEdge(t)
			ended := make(chan struct{})
			s := e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				block := make([]byte, 1<<20)
				for {
					if _, err := w.Write(block); err != nil {
						return
					}
				}
			}, 8080)
			res, err := e.client.Do(direct("8080").request(t, e, "GET", "/", nil))
			require.NoError(t, err)
			defer func() { _ = res.Body.Close() }()
			started := time.Now()
			switch how {
			case "removed":
				e.Remove(id, lifecycle.ErrGone)
			case "paused":
				_, err = e.Publish(lifecycle.Entry{ID: id, State: lifecycle.Paused})
				require.NoError(t, err)
			case "replaced":
				e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, BackendID: "other"}, s.Listener.Addr(), 8080)
			}
			<-ended
			require.Less(t, time.Since(started), promptly)
			_, err = io.Copy(io.Discard, res.Body)
			require.Error(t, err, "a cut stream does not look complete")
		})
	}
}

// The handler itself is free as well, though nobody takes what it writes.
func TestAClientThatDoesNotReadHoldsNoHandler(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m, err := ingress.NewMetrics(reg)
	require.NoError(t, err)
	for _, how := range []string{"sandbox", "server"} {
		e := newEdge(t, func(o *ingress.Options) { o.Metrics = m })
		e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
			block := make([]byte, 1<<20)
			for {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, 8080)
		c, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		require.NoError(t, err)
		defer func() { _ = c.Close() }()
		f := direct("8080")
		_, err = io.WriteString(c, "GET "+f.prefix+"/ HTTP/1.1\r\nHost: "+f.host+"\r\n\r\n")
		require.NoError(t, err)
		sent := func() float64 { return gather(t, reg, "opensandbox_proxy_bytes_total", "sent") }
		stuck := -1.0 // until the sockets are full
		require.Eventually(t, func() bool {
			before := stuck
			stuck = sent()
			return stuck > 0 && stuck == before
		}, eventually, 50*tick)
		started := time.Now()
		if how == "sandbox" {
			e.Remove(id, lifecycle.ErrGone)
		} else {
			e.upstreams.Close()
		}
		require.Eventually(t, func() bool { return gather(t, reg, "opensandbox_proxy_requests_in_flight") == 0 }, eventually, tick)
		require.Less(t, time.Since(started), promptly)
	}
}
