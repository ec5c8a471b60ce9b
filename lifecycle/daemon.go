package lifecycle

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// Daemon is the execd of one sandbox, to be asked.
type Daemon struct {
	Address netip.AddrPort
	// The others matter when the daemon has to prove that it is the sandbox's, because the
	// address is not the sandbox's alone.
	MustProve bool
	SandboxID string
	TokenSum  *[32]byte // nil = a sandbox without a token
}

// Prober asks an execd once whether it answers, and for its proof where it must prove.
type Prober interface {
	Ping(ctx context.Context, d Daemon) error
}

// daemon is the execd that e leads to; ok is false when none can be dialled.
func (e *Entry) daemon() (d Daemon, ok bool) {
	addr, ok := e.Dial(wire.PortExecd)
	return Daemon{Address: addr, MustProve: e.SharesHost, SandboxID: e.ID, TokenSum: e.ExecdTokenSum}, ok
}

// ConfirmDaemon makes sure, for a sandbox on a shared network, that its execd still is the
// one that listens. It is asked after each connect and before the first byte: by then the
// port may be another sandbox's, which must see neither a request nor its tokens. For
// sandboxes with an address of their own it costs nothing.
//
// The error is an *apierror.Error with status 503 and the given code.
func ConfirmDaemon(ctx context.Context, p Prober, e *Entry, code string) error {
	if !e.SharesHost {
		return nil
	}
	d, ok := e.daemon()
	if ok {
		ctx, cancel := context.WithTimeout(ctx, maxProbe)
		defer cancel()
		err := p.Ping(ctx, d)
		if err == nil {
			return nil
		}
		return errUnproven(code).Because(err)
	}
	return errUnproven(code)
}

func errUnproven(code string) *apierror.Error {
	return apierror.New(http.StatusServiceUnavailable, code,
		"The sandbox's execd does not answer on the port that is its own. Try again soon.").Retry(1)
}

// confineToHost takes from an entry on the host's network what would lead to the host's
// own services and to other sandboxes: what is left are execd's private port and the
// ports that the operator named (threat row K2).
func (s *Service) confineToHost(e *Entry) {
	if !e.SharesHost {
		return
	}
	ports := make(map[uint16]netip.AddrPort, len(s.o.HostPorts)+1)
	for _, port := range s.o.HostPorts {
		if e.Address.IsValid() {
			ports[port] = netip.AddrPortFrom(e.Address, port)
		}
	}
	delete(ports, wire.PortExecd) // whoever has that port there, it is not this sandbox's
	if execd, known := e.Published[wire.PortExecd]; known {
		ports[wire.PortExecd] = execd
	}
	e.Address, e.Published = netip.Addr{}, ports
}
