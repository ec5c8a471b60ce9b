package ingress_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// inFlight is how much is under way with a sandbox.
func (e *edge) inFlight(id string) int {
	entry, ok := e.Lookup(id)
	if !ok {
		return -1
	}
	return entry.InFlight.Len()
}

const neighbour = "ffffffff-4e5f-6071-8293-a4b5c6d7e8f9"

func TestASandboxTakesNoMoreThanItsShare(t *testing.T) {
	e := newEdge(t, func(o *ingress.Options) { o.MaxRequests = 2 })
	hold := make(chan struct{})
	busy := make(chan struct{}, 2)
	serve := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			busy <- struct{}{}
			<-hold
		}
	}
	s := e.sandbox(t, id, serve, 8080)
	e.sandbox(t, neighbour, serve, 8080)

	answers := make(chan int, 2)
	for range 2 {
		go func() {
			res, err := e.client.Get(e.url + "/sandboxes/" + id + "/proxy/8080/hold")
			if err != nil {
				answers <- 0
				return
			}
			_ = res.Body.Close()
			answers <- res.StatusCode
		}()
		<-busy
	}
	for _, f := range forms("8080") {
		res, body := e.do(t, f.request(t, e, "GET", "/", nil))
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, f.name)
		require.Equal(t, ingress.CodeSandboxFull, code(t, body))
		require.Equal(t, "1", res.Header.Get("Retry-After"))
	}
	// A new generation is the same sandbox, and another sandbox another one.
	e.publish(t, lifecycle.Entry{ID: id, BackendID: "second", State: lifecycle.Running}, s.Listener.Addr(), 8080, 8081)
	res, err := e.client.Get(e.url + "/sandboxes/" + neighbour + "/proxy/8080/")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
	close(hold)
	<-answers
	<-answers
	require.Eventually(t, func() bool { return e.inFlight(id) == 0 }, eventually, tick)
	again, _ := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, http.StatusOK, again.StatusCode)
}

func TestStrangersDoNotFillASandboxUp(t *testing.T) {
	e := newEdge(t, func(o *ingress.Options) { o.MaxRequests = 1 })
	s := e.sandbox(t, neighbour, func(http.ResponseWriter, *http.Request) {}, 44772)
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, ExecdTokenSum: tokenSum("secret")}, s.Listener.Addr(), 44772)
	full, ok := e.Lookup(id)
	require.True(t, ok)
	require.True(t, full.InFlight.Enter(1))
	defer full.InFlight.Leave()
	res, _ := e.do(t, direct("44772").request(t, e, "GET", "/x", nil))
	require.Equal(t, http.StatusUnauthorized, res.StatusCode, "access is decided first")
}

func TestConnectionsKeptForTheAPIServeNoSandbox(t *testing.T) {
	var full atomic.Bool
	e := newEdge(t, func(o *ingress.Options) { o.Reserved = func(*http.Request) bool { return full.Load() } })
	e.sandbox(t, id, func(http.ResponseWriter, *http.Request) {}, 8080)
	full.Store(true)
	res, body := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Equal(t, ingress.CodeServerFull, code(t, body))
	require.True(t, res.Close)
	full.Store(false)
	res, _ = e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, http.StatusOK, res.StatusCode)
}

func TestNobodyTricklesABodyIntoARefusal(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	_, err = fmt.Fprintf(c, "POST /sandboxes/%s/proxy/8080/ HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000\r\n\r\nx", neighbour, host)
	require.NoError(t, err)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(eventually)))
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, res.StatusCode)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	_, err = in.ReadByte()
	require.ErrorIs(t, err, io.EOF, "the connection ends though the body did not")
}
