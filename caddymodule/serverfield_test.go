package caddymodule

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Neither side of the edge gives an application a Server field that it did not send.
func TestTheServerFieldIsTheApplications(t *testing.T) {
	lastConnection(t)
	r := newRig(t)
	_, path := r.record() // answers without one
	r.load(r.toml(testKey))
	conn, err := net.Dial("tcp", r.addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(wait)))
	in := bufio.NewReader(conn)
	for _, side := range []string{"first", "later", "later still"} {
		_, err := conn.Write([]byte(expand("GET PATH HTTP/1.1\r\nHost: HOST\r\n\r\n", r.addr, path)))
		require.NoError(t, err)
		res, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.NotContains(t, res.Header, "Server", side)
	}
}
