package ingress

import (
	"net/http"
	"net/netip"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// lookup finds the sandbox, in whatever state it is.
func (x *exchange) lookup() error {
	entry, ok := x.Directory.Lookup(x.route.SandboxID)
	if !ok {
		return x.notFound()
	}
	x.entry = entry
	return nil
}

// ready finds the address of the port, and answers for sandboxes that take no traffic.
func (x *exchange) ready() error {
	if err := x.checkState(x.entry); err != nil {
		return err
	}
	addr, ok := x.entry.Dial(x.route.Port)
	if !ok {
		if _, known := x.entry.Dial(wire.PortExecd); known || x.entry.SharesHost {
			return errPortOutOfReach
		}
		return x.notReady()
	}
	x.addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	return nil
}

func (x *exchange) checkState(e *lifecycle.Entry) error {
	switch e.State {
	case lifecycle.Running:
		return nil
	case lifecycle.Paused, lifecycle.Pausing:
		return apierror.New(http.StatusConflict, x.CodePrefix+"::SANDBOX_NOT_RUNNING",
			"The sandbox is paused. Resume it first.").Retry(5)
	case lifecycle.Stopping, lifecycle.Terminated, lifecycle.Failed:
		return apierror.New(http.StatusConflict, x.CodePrefix+"::SANDBOX_NOT_RUNNING",
			"The sandbox has stopped and takes no more requests.")
	default: // Pending, Resuming, Unknown and states of later releases
		return x.notReady()
	}
}

func (x *exchange) notFound() error {
	// The id is in the grammar [A-Za-z0-9_-]{1,63}, so it may be repeated.
	return apierror.New(http.StatusNotFound, x.CodePrefix+"::SANDBOX_NOT_FOUND",
		"Sandbox %s does not exist.", x.route.SandboxID)
}

func (x *exchange) notReady() error {
	return apierror.New(http.StatusServiceUnavailable, x.CodePrefix+"::SANDBOX_NOT_READY",
		"The sandbox is not ready for requests yet. Try again soon.").Retry(1)
}
