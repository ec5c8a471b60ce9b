package ingress_test

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

func TestASandboxThatTakesNoRequestsSaysWhy(t *testing.T) {
	e := newEdge(t, func(o *ingress.Options) { o.CodePrefix = "KUBERNETES" })
	for _, c := range []struct {
		state      lifecycle.State
		status     int
		code       string
		retryAfter bool
	}{
		{lifecycle.Pending, 503, "KUBERNETES::SANDBOX_NOT_READY", true},
		{lifecycle.Resuming, 503, "KUBERNETES::SANDBOX_NOT_READY", true},
		{lifecycle.Unknown, 503, "KUBERNETES::SANDBOX_NOT_READY", true},
		{"Allocated", 503, "KUBERNETES::SANDBOX_NOT_READY", true},
		{lifecycle.Running, 503, "KUBERNETES::SANDBOX_NOT_READY", true}, // without an address
		{lifecycle.Pausing, 409, "KUBERNETES::SANDBOX_NOT_RUNNING", true},
		{lifecycle.Paused, 409, "KUBERNETES::SANDBOX_NOT_RUNNING", true},
		{lifecycle.Stopping, 409, "KUBERNETES::SANDBOX_NOT_RUNNING", false},
		{lifecycle.Terminated, 409, "KUBERNETES::SANDBOX_NOT_RUNNING", false},
		{lifecycle.Failed, 409, "KUBERNETES::SANDBOX_NOT_RUNNING", false},
	} {
		_, err := e.Publish(lifecycle.Entry{ID: id, State: c.state})
		require.NoError(t, err)
		for _, f := range forms("8080") {
			res, body := e.do(t, f.request(t, e, "POST", "/", strings.NewReader("x")))
			require.Equal(t, c.status, res.StatusCode, c.state)
			require.Equal(t, c.code, code(t, body))
			require.Equal(t, c.retryAfter, res.Header.Get("Retry-After") != "")
		}
	}
	e.Remove(id, lifecycle.ErrGone)
	res, body := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, 404, res.StatusCode)
	require.Equal(t, "KUBERNETES::SANDBOX_NOT_FOUND", code(t, body))
	require.Zero(t, e.touches.Load(), "nothing was granted")
}

// On the host's network every port of the machine is there, and only the sandbox's own are
// dialled (threat row K2): not the admin endpoint, the engine, nor this server.
func TestPortsOfTheHostAreNotDialled(t *testing.T) {
	e := newEdge(t)
	addr, accepted := rawBackend(t, "")
	service := addr.(*net.TCPAddr).AddrPort()
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, SharesHost: true}, addr, 44772)
	for _, port := range []string{strconv.Itoa(int(service.Port())), "2019", "2375", "6379", "22", "8080", "443"} {
		for _, f := range forms(port) {
			res, body := e.do(t, f.request(t, e, "GET", "/", nil))
			require.Equal(t, 502, res.StatusCode, port)
			require.Equal(t, ingress.CodeConnectionFailed, code(t, body), port)
		}
	}
	require.Zero(t, accepted())
}
