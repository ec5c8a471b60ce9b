package redislist_test

import (
	"bufio"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/renew"
	"github.com/opensandbox-edge/edge/lifecycle/renew/redislist"
)

// hostile is a Redis that answers one command with something else than its result.
type hostile struct {
	url   string
	asked atomic.Int64 // how often the command came
}

func startHostile(t *testing.T, command, reply string) *hostile {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h := &hostile{url: "redis://" + ln.Addr().String() + "/0"}
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		conns = map[net.Conn]bool{}
	)
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for c := range conns {
			_ = c.Close()
		}
		conns = nil
		mu.Unlock()
		all.Wait()
	})
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			if conns == nil {
				_ = c.Close()
			} else {
				conns[c] = true
			}
			mu.Unlock()
			all.Go(func() { h.serve(c, command, reply) })
		}
	})
	return h
}

func (h *hostile) serve(c net.Conn, command, reply string) {
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch word := strings.ToLower(strings.TrimSpace(line)); word {
		case command:
			h.asked.Add(1)
			_, _ = io.WriteString(c, reply)
		case "hello", "client", "select":
			_, _ = io.WriteString(c, "-ERR unknown\r\n")
		}
	}
}

// announcements are sizes that the client library would allocate at once, or fail on.
var announcements = map[string]string{
	"the largest string":       "*2\r\n$1\r\na\r\n$9223372036854775807\r\n",
	"beyond every number":      "*2\r\n$1\r\na\r\n$99999999999999999999999999\r\n",
	"the largest array":        "*9000000000000000000\r\n",
	"a large string":           "*2\r\n$1\r\na\r\n$150000000\r\n",
	"a large array":            "*20000000\r\n",
	"arrays in arrays":         strings.Repeat("*15000\r\n", 5000),
	"an array as an element":   "*2\r\n*9000000000000000000\r\n",
	"a map":                    "%4000000000000000000\r\n",
	"a set":                    "~4000000000000000000\r\n",
	"a push":                   ">4000000000000000000\r\n",
	"an attribute":             "|1\r\n+a\r\n*9000000000000000000\r\n",
	"a verbatim string":        "=9223372036854775807\r\n",
	"an error of that length":  "!9223372036854775807\r\n",
	"a size that is negative":  "$-2\r\n",
	"a string without an end":  strings.Repeat("+", 1<<20),
	"another protocol":         "HTTP/1.1 400 Bad Request\r\n\r\n",
	"more than was asked for":  strings.Repeat("*2\r\n$1\r\na\r\n$1\r\nb\r\n", 8<<10),
	"an empty array":           "*0\r\n",
	"an answer of empty lines": "\r\n\r\n\r\n",
}

// Whatever Redis announces costs neither the process nor its memory, and a Redis that goes
// on with it is asked more and more rarely.
func TestHostileAnswers(t *testing.T) {
	for name, reply := range announcements {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startHostile(t, "brpop", reply)
			s := consume(t, h.url, redislist.ConsumerOptions{Feeders: 8})
			within(t, func() bool { return h.asked.Load() > 8 })
			require.Empty(t, s.got())

			h = startHostile(t, "lpush", reply)
			p := publish(t, h.url, redislist.PublisherOptions{Workers: 1})
			p.Touch(entry(t, "a", time.Hour), 1, "")
			within(t, func() bool { return counters(t, p)["failed"] > 0 })

			h = startHostile(t, "set", reply)
			lock := redislist.NewLock(dsn(t, h.url), 1)
			defer func() { require.NoError(t, lock.Close()) }()
			ours, err := lock.Take(t.Context(), "a", time.Minute)
			require.Error(t, err)
			require.True(t, ours, "a sandbox is renewed rather than lost")
		})
	}
}

func TestHostileAnswersTakeLittleMemory(t *testing.T) {
	h := startHostile(t, "brpop", "*2\r\n$1\r\na\r\n$150000000\r\n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := consume(t, h.url, redislist.ConsumerOptions{Feeders: 8})
	within(t, func() bool { return s.bad()[renew.Malformed] >= 16 })
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20), "bytes for 16 answers")
	require.Empty(t, s.got())
}

// A feeder pauses after an answer that is too large, as after any other failure.
func TestTooLargeAnswersAreNotAskedForInALoop(t *testing.T) {
	h := startHostile(t, "brpop", "*9000000000000000000\r\n")
	began := time.Now()
	consume(t, h.url, redislist.ConsumerOptions{Feeders: 1})
	within(t, func() bool { return h.asked.Load() >= 4 })
	// 100, 200 and 400 ms, each from its upper half.
	require.GreaterOrEqual(t, time.Since(began), 350*time.Millisecond)
}
