package ingress_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// lines collects log lines.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) all(t testing.TB) (parsed []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		parsed = append(parsed, m)
	}
	return parsed
}

// A sandbox that fails as fast as it is asked does not fill the log, neither by the
// number of lines nor by what it has them quote.
func TestFailuresDoNotFloodTheLog(t *testing.T) {
	var log lines
	e := newEdge(t, func(o *ingress.Options) {
		o.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	})
	addr, _ := rawBackend(t, "\x1b[2Jforged "+strings.Repeat("A", 3000)+"\r\n")
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
	began := time.Now()
	const requests = 50
	for range requests {
		res, _ := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
		require.Equal(t, 502, res.StatusCode)
	}
	atMost := 1 + int(time.Since(began)/time.Second)
	all := log.all(t)
	require.NotEmpty(t, all)
	require.LessOrEqual(t, len(all), atMost, "one per second")
	cause := all[0]["cause"].(string)
	require.Contains(t, cause, "malformed HTTP")
	require.LessOrEqual(t, len(cause), 300)
	require.NotContains(t, cause, "\x1b")
}
