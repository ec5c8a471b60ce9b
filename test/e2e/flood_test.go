//go:build docker

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// TestAFloodStarvesNobody fills a server with connections from hundreds of addresses:
// WebSockets and trickling uploads of one sandbox, and heads that never end, each opened
// again as soon as the server closes it. Meanwhile the API, the health check and another
// sandbox answer everything (threat rows X1, X2).
func TestAFloodStarvesNobody(t *testing.T) {
	const sockets, uploads = 2000, 500
	limit := floodLimit(t)
	metrics := freeAddr(t)
	s := prepare(t, fmt.Sprintf("[metrics]\nlisten = %q\n", metrics))
	text, err := os.ReadFile(s.ConfigPath())
	require.NoError(t, err)
	bounded := strings.Replace(string(text), "[server]\n", fmt.Sprintf("[server]\nmax_connections = %d\n", limit), 1)
	require.NoError(t, os.WriteFile(s.ConfigPath(), []byte(bounded), 0o600))
	require.NoError(t, s.Start(t.Context()))
	victim, token := web(t, s)
	other, _ := web(t, s)
	requireEcho(t, dial(t, s, edge.Direct, victim.ID), "before")

	u := &users{server: s, other: other.ID}
	calm := u.measure(t, func() bool { return u.rounds >= 100 })
	rss := residentSet(t, s)

	f := &flood{server: s}
	defer f.end()
	for range sockets {
		f.openWebSocket(t, victim.ID)
	}
	afterSockets := residentSet(t, s)
	head := func() string { return "GET / HTTP/1.1\r\nHost: a\r\nX: " }
	upload := func() string {
		return fmt.Sprintf("POST /v1/sandboxes/%s/proxy/44772/files/upload HTTP/1.1\r\nHost: %s\r\nX-EXECD-ACCESS-TOKEN: %s\r\n"+
			"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n", victim.ID, s.Addr, token)
	}
	f.trickle(uploads, upload)
	f.trickle(limit-sockets-uploads, head) // more than the reserve leaves room for
	full := func() (open float64) {
		eventually(t, func() error {
			if open = gauge(t, metrics, "opensandbox_connections_open"); open < 0.9*float64(limit) {
				return fmt.Errorf("%v connections", open)
			}
			return nil
		})
		return open
	}
	full()

	// Longer than a head may take, so that the server closes many of them for that, too.
	const flooded = 12 * time.Second
	began := time.Now()
	under := u.measure(t, func() bool { return u.rounds >= 100 && time.Since(began) > flooded })
	open, shed := full(), gauge(t, metrics, "opensandbox_connections_shed_total")
	require.Positive(t, shed)
	for _, c := range f.sockets { // had a request, so none was closed
		_, err := io.WriteString(c, "\x81\x82\x00\x00\x00\x00hi")
		require.NoError(t, err)
		echo := make([]byte, 4)
		_, err = io.ReadFull(c, echo)
		require.NoError(t, err)
		require.Equal(t, "\x81\x02hi", string(echo))
	}
	most := residentSet(t, s)

	f.end()
	eventually(t, func() error {
		open := gauge(t, metrics, "opensandbox_connections_open")
		if open > 20 {
			return fmt.Errorf("%v connections are left", open)
		}
		if n := gauge(t, metrics, "opensandbox_proxy_requests_in_flight"); n > 1 {
			return fmt.Errorf("%v requests are left", n)
		}
		return nil
	})
	requireEcho(t, dial(t, s, edge.Direct, victim.ID), "after")
	for name := range calm {
		t.Logf("%-22s p99 %v calm, %v flooded (%d requests)", name, p99(calm[name]), p99(under[name]), len(under[name]))
	}
	t.Logf("%v connections of %d, %v shed; RSS %d MiB before, %d with %d WebSockets (%d KiB each, garbage included), %d flooded, %d after",
		open, limit, shed, rss>>20, afterSockets>>20, sockets, (afterSockets-rss)/sockets>>10, most>>20, residentSet(t, s)>>20)
}

// floodLimit is how many connections this process can hold, with some to spare, and no
// more than a server derives from 20000 files.
func floodLimit(t *testing.T) int {
	var files syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
	limit := min(int(files.Max)/2-128, 9872)
	if limit < 4000 {
		t.Skipf("SKIPPED: a flood needs 8256 open files, and this process may have %d", files.Max)
	}
	return limit
}

// flood are the clients of an attacker. Every connection comes from the next of 500
// addresses.
type flood struct {
	server  *edge.Server
	dialled int
	mu      sync.Mutex // guards dialled
	sockets []net.Conn
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

func (f *flood) dial() (net.Conn, error) {
	f.mu.Lock()
	n := f.dialled % 500
	f.dialled++
	f.mu.Unlock()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 7, byte(n/250), byte(n%250+1))}, Timeout: 10 * time.Second}
	return d.Dial("tcp", f.server.Addr)
}

func (f *flood) openWebSocket(t *testing.T, id string) {
	c, err := f.dial()
	require.NoError(t, err)
	f.sockets = append(f.sockets, c)
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Minute)))
	_, err = fmt.Fprintf(c, "GET /v1/sandboxes/%s/proxy/8080/ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", id, f.server.Addr)
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
}

// trickle keeps n connections open that begin like this and go on by one byte a second.
func (f *flood) trickle(n int, begin func() string) {
	ctx, cancel := context.WithCancel(context.Background())
	if before := f.stop; before != nil {
		f.stop = func() { before(); cancel() }
	} else {
		f.stop = cancel
	}
	const workers = 20
	for range workers {
		f.wg.Go(func() {
			open := make([]net.Conn, n/workers)
			defer func() {
				for _, c := range open {
					if c != nil {
						_ = c.Close()
					}
				}
			}()
			second := time.NewTicker(time.Second)
			defer second.Stop()
			for {
				for i, c := range open {
					if ctx.Err() != nil {
						return
					}
					text := "a"
					if c == nil {
						if c, _ = f.dial(); c == nil {
							continue // refused: once more in a second
						}
						open[i], text = c, begin()
					}
					if _, err := io.WriteString(c, text); err != nil {
						_ = c.Close()
						open[i] = nil
					}
				}
				select {
				case <-second.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

func (f *flood) end() {
	if f.stop != nil {
		f.stop()
	}
	f.wg.Wait()
	for _, c := range f.sockets {
		_ = c.Close()
	}
}

// users are the clients that an attack is not about.
type users struct {
	server *edge.Server
	other  string // a sandbox
	rounds int
}

// measure has everybody ask until enough has been asked. Every answer must be right.
func (u *users) measure(t *testing.T, enough func() bool) map[string][]time.Duration {
	t.Helper()
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	kept := &http.Client{Transport: &http.Transport{}}
	defer kept.CloseIdleConnections()
	sandbox := "http://" + u.server.Addr + "/v1/sandboxes/" + u.other + "/proxy/8080/healthz"
	took := map[string][]time.Duration{}
	for u.rounds = 0; !enough(); u.rounds++ {
		for _, ask := range []struct {
			name, url string
			client    *http.Client
		}{
			{"list", "http://" + u.server.Addr + "/v1/sandboxes", fresh},
			{"list, kept", "http://" + u.server.Addr + "/v1/sandboxes", kept},
			{"health", "http://" + u.server.Addr + "/health", fresh},
			{"other sandbox", sandbox, fresh},
			{"other sandbox, kept", sandbox, kept},
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ask.url, nil)
			require.NoError(t, err)
			req.Header.Set("OPEN-SANDBOX-API-KEY", u.server.Key)
			began := time.Now()
			res, err := ask.client.Do(req)
			require.NoError(t, err, "%s, round %d", ask.name, u.rounds)
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			require.NoError(t, err, ask.name)
			require.Equal(t, http.StatusOK, res.StatusCode, "%s, round %d: %s", ask.name, u.rounds, body)
			took[ask.name] = append(took[ask.name], time.Since(began))
		}
	}
	return took
}

func p99(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)*99/100].Round(10 * time.Microsecond)
}

// gauge reads one metric of the server.
func gauge(t *testing.T, address, name string) float64 {
	t.Helper()
	res, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			require.NoError(t, err)
			return n
		}
	}
	require.Fail(t, "no such metric", name)
	return 0
}

// residentSet is the memory of the server's process, in bytes.
func residentSet(t *testing.T, s *edge.Server) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.PID()))
	require.NoError(t, err)
	fields := strings.Fields(string(text))
	require.Greater(t, len(fields), 1)
	pages, err := strconv.Atoi(fields[1])
	require.NoError(t, err)
	return pages * os.Getpagesize()
}
