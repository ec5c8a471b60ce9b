//go:build docker

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// TestAHeadMayTakeTenSeconds sends heads that never end, first on a connection and behind a
// request into a sandbox, where another part of the server reads (threat row X2).
func TestAHeadMayTakeTenSeconds(t *testing.T) {
	s := start(t, "")
	for _, first := range []bool{true, false} {
		t.Run(fmt.Sprintf("first=%v", first), func(t *testing.T) {
			t.Parallel()
			requireHeadEnds(t, s, first)
		})
	}
}

func requireHeadEnds(t *testing.T, s *edge.Server, first bool) {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(2*time.Minute)))
	in := bufio.NewReader(c)
	if !first {
		_, err = fmt.Fprintf(c, "GET /sandboxes/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9/proxy/80/ HTTP/1.1\r\nHost: %s\r\n\r\n", s.Addr)
		require.NoError(t, err)
		res, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, res.StatusCode)
	}
	began := time.Now()
	_, err = fmt.Fprintf(c, "GET /health HTTP/1.1\r\nHost: %s\r\nX: ", s.Addr)
	require.NoError(t, err)
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	for err == nil {
		<-every.C
		_, err = io.WriteString(c, "a")
	}
	require.True(t, errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET), "%v", err)
	require.Greater(t, time.Since(began), 9*time.Second, "an honest head has its time")
}
