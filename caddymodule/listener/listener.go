package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Network is the name of the listener network, as in "opensandbox/127.0.0.1:8080".
//
// It differs from "tcp" in two ways. Its socket is taken without SO_REUSEPORT, so
// that a second server, or a sandbox in host network mode that runs under the same
// user, cannot take connections away (threat row K1), and "port in use" is an error.
// And the one socket is kept over config reloads by handing accepted connections to
// whichever configuration listens, so none is lost between two of them.
const Network = "opensandbox"

func init() {
	caddy.RegisterNetwork(Network, listen)
	caddyhttp.RegisterNetworkHTTP3(Network, "udp")
}

// sockets holds the open sockets of this network by host:port.
var sockets = caddy.NewUsagePool()

// listen implements caddy.ListenerFunc.
func listen(ctx context.Context, _, host, portRange string, portOffset uint, cfg net.ListenConfig) (any, error) {
	first, _, _ := cutPortRange(portRange)
	port, err := strconv.ParseUint(first, 10, 16)
	if err != nil || port+uint64(portOffset) > 65535 {
		return nil, fmt.Errorf("network %s: bad port %q", Network, portRange)
	}
	return openSocket(ctx, net.JoinHostPort(host, strconv.FormatUint(port+uint64(portOffset), 10)), cfg)
}

func cutPortRange(s string) (first, last string, ok bool) {
	for i := range len(s) {
		if s[i] == '-' {
			return s[:i], s[i+1:], true
		}
	}
	return s, s, false
}

// openSocket returns one more listener on the shared socket of address.
func openSocket(ctx context.Context, address string, cfg net.ListenConfig) (net.Listener, error) {
	v, _, err := sockets.LoadOrNew(address, func() (caddy.Destructor, error) {
		cfg.Control = nil // no SO_REUSEPORT, whatever the caller's default is
		ln, err := cfg.Listen(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		s := &socket{Listener: ln, changed: make(chan struct{}), closing: make(chan struct{}), done: make(chan struct{})}
		s.applyBacklog()
		go s.accept()
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	l := &view{socket: v.(*socket), key: address, accepted: make(chan net.Conn), closed: make(chan struct{})}
	for _, older := range l.add(l) {
		older.recall()
		older.settle()
	}
	return l, nil
}

// socket is one bound socket, shared by the listeners of successive configurations.
// Connections go to the newest of them. If any of them could take one, net/http would
// drop it: a server that is shutting down closes a connection whose first request it
// has just read.
type socket struct {
	net.Listener

	mu      sync.Mutex
	users   []*view       // the newest last
	changed chan struct{} // closed when users changes

	closing chan struct{}
	done    chan struct{}
	err     error // why accepting ended; written before done is closed
}

// add makes l the newest view and returns the others.
func (s *socket) add(l *view) (older []*view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	older = slices.Clone(s.users)
	s.users = append(s.users, l)
	s.wake()
	return older
}

// remove takes l out and tells whether others are left.
func (s *socket) remove(l *view) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = slices.DeleteFunc(s.users, func(one *view) bool { return one == l })
	s.wake()
	if len(s.users) == 0 {
		return false
	}
	s.users[len(s.users)-1].stale.Store(false) // a newer one may have failed to start
	return true
}

// wake tells a waiting delivery to look again. s.mu is held.
func (s *socket) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// newest is where connections go; its channel is nil, and so never ready, when there
// is no listener at the moment.
func (s *socket) newest() (accepted chan<- net.Conn, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.users); n > 0 {
		accepted = s.users[n-1].accepted
	}
	return accepted, s.changed
}

// accept passes connections on until the socket is closed.
func (s *socket) accept() {
	defer close(s.done)
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			var temporary interface{ Temporary() bool }
			if !errors.As(err, &temporary) || !temporary.Temporary() {
				s.err = err
				return
			}
			// Out of descriptors and the like: net/http backs off on such an error when
			// a listener returns it, so let one do that.
			s.deliver(failedConn{err: err})
			continue
		}
		if c := open.admit(conn.(*net.TCPConn), s); c != nil {
			s.deliver(c)
		}
	}
}

// deliver waits until the newest listener takes the connection. A connection that
// waits while a configuration ends gets to the next one.
func (s *socket) deliver(conn net.Conn) {
	for {
		accepted, changed := s.newest()
		select {
		case accepted <- conn:
			return
		case <-changed:
		case <-s.closing:
			if _, failed := conn.(failedConn); !failed {
				_ = conn.Close()
			}
			return
		}
	}
}

// failedConn carries an accept error through the channel of connections.
type failedConn struct {
	net.Conn
	err error
}

// Destruct implements caddy.Destructor: the last listener is gone.
func (s *socket) Destruct() error {
	close(s.closing)
	err := s.Close()
	<-s.done
	return err
}

// view is one configuration's view of a socket.
type view struct {
	*socket
	key      string
	accepted chan net.Conn
	once     sync.Once
	closed   chan struct{}
	stale    atomic.Bool // a newer one, or another one when this is closed, may have its connections
}

// Accept implements net.Listener.
func (l *view) Accept() (net.Conn, error) {
	select { // a closed listener takes no further connection even when one waits
	case <-l.closed:
		return nil, l.closedError()
	default:
	}
	select {
	case conn := <-l.accepted:
		switch conn := conn.(type) {
		case failedConn:
			return nil, conn.err
		case *trackedConn:
			conn.server.view.Store(l)
		}
		return conn, nil
	case <-l.closed:
		return nil, l.closedError()
	case <-l.done:
		return nil, l.err
	}
}

// WaitConnections returns when no connection of this network is open, or with ctx's
// error. A handler's return is not the end of its answer, which net/http writes out
// afterwards; a stopping process waits for the connection to be closed. One goroutine at
// a time may wait.
func WaitConnections(ctx context.Context) error { return open.Wait(ctx) }

func (l *view) closedError() error {
	return &net.OpError{Op: "accept", Net: Network, Addr: l.Addr(), Err: net.ErrClosed}
}

// Close implements net.Listener; the socket closes with its last listener.
func (l *view) Close() error {
	var err error
	l.once.Do(func() {
		close(l.closed)
		if l.remove(l) {
			l.recall()
		}
		_, err = sockets.Delete(l.key)
	})
	return err
}
