package listener

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// serving is what is known of the net/http server that a connection was accepted by. A
// server that stops closes connections that wait for a request, which their clients may
// just be sending. So when a newer configuration listens, those connections are taken
// from the server and accepted again, if the server has certainly read no request that it
// has not served: its reads fail, it closes the connection, and once it has said so by
// StateClosed the connection is nobody's.
type serving struct {
	view atomic.Pointer[view] // that accepted the connection; nil = none

	waits atomic.Bool // the server waits for a request: StateNew or StateIdle
	fresh atomic.Bool // it has read one, and not from the connection since: it may still drop it

	mu      sync.Mutex
	state   http.ConnState
	entered bool // state is valid
	served  int  // requests that the server has begun to serve
	parked  bool // a read for the next request is under way
	fed     bool // the server has been given bytes since it waits
	ended   bool // it was given an error
	opaque  bool // its requests cannot be seen
	left    bool // it was told to give the connection up
}

// enter takes a state of the server down; false when it is in it already.
func (s *serving) enter(state http.ConnState) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view.Load() == nil || s.entered && s.state == state {
		return false
	}
	s.entered, s.state = true, state
	s.fresh.Store(state == http.StateActive)
	switch state {
	case http.StateNew, http.StateIdle:
		s.fed = false
		s.waits.Store(true)
	case http.StateActive:
		s.served++
		s.waits.Store(false)
	case http.StateHijacked:
		s.view.Store(nil)
		s.waits.Store(false)
	}
	return true
}

// stale tells whether a newer configuration listens.
func (s *serving) stale() bool {
	l := s.view.Load()
	return l != nil && l.stale.Load()
}

// readNext is Read while the server waits for a request.
func (c *trackedConn) readNext(p []byte) (int, error) {
	s := &c.server
	_, _, between := c.guard.Between()
	switch s.park(between) {
	case recalled:
		return 0, errRecalled
	case passing:
		return c.guard.Read((*raw)(c), p)
	}
	n, err := (*raw)(c).Read(p)
	if !s.unpark(n, err) {
		c.unread = append(append([]byte(nil), p[:n]...), c.unread...)
		return 0, errRecalled
	}
	n, err = c.guard.Read(&done{n, err}, p)
	if !c.guard.Watching() {
		s.conceal()
	}
	return n, err
}

// done is a read that has been made, into the buffer that is read into.
type done struct {
	n   int
	err error
}

func (d *done) Read([]byte) (int, error) { return d.n, d.err }

// errRecalled is an error that net/http does not answer.
var errRecalled = &net.OpError{Op: "read", Net: Network, Err: net.ErrClosed}

// What a read may do while the server waits.
type reading uint8

const (
	parked   reading = iota // it may be recalled
	passing                 // it belongs to a request that has begun, or to what is no HTTP/1
	recalled                // it may not begin
)

// park begins a read. between is the guard's word.
func (s *serving) park(between bool) reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.left || between && !s.fed && s.stale():
		s.left = true
		return recalled
	case s.fed || !between:
		s.fed = true
		return passing
	}
	s.parked = true
	return parked
}

// unpark ends a read; false when it is not for the server any more.
func (s *serving) unpark(n int, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked = false
	if s.left {
		return false
	}
	s.fed = n > 0
	s.ended = err != nil
	return true
}

// conceal notes that the requests cannot be seen from here, as under TLS.
func (s *serving) conceal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opaque = true
}

// recall tells the server to give the connection up, and whether it will.
func (c *trackedConn) recall() bool {
	s := &c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stale() || !s.waits.Load() || s.fed || s.ended || s.opaque {
		return false
	}
	s.left = true
	if s.parked {
		_ = c.TCPConn.SetReadDeadline(time.Unix(1, 0)) // the read under way fails
	}
	return true
}

// leaveServer decides what becomes of a connection that its server has closed. When all
// requests that it was given were served, what it has of the next is a part of a line, on
// which nobody can have acted.
func (c *trackedConn) leaveServer() {
	s := &c.server
	s.mu.Lock()
	requests, line, between := c.guard.Between()
	free := s.left && s.waits.Load() && between && requests == s.served
	s.mu.Unlock()
	if free {
		c.again(line)
		return
	}
	_ = c.end()
}

// settleTime bounds the wait for requests that a server is just reading.
const settleTime = 100 * time.Millisecond

// recall takes the waiting connections of a view from its server, which will stop.
func (l *view) recall() {
	l.stale.Store(true)
	for _, c := range open.of(l) {
		c.recall()
	}
}

// settle waits for the view's server to begin the requests that it is just reading: it
// would drop them if it were stopped before.
func (l *view) settle() {
	until := time.Now().Add(settleTime)
	for _, c := range open.of(l) {
		for c.server.reads() && time.Now().Before(until) {
			time.Sleep(time.Millisecond)
		}
	}
}

// reads tells whether the server has been given a part of a request, or all of it, that it
// may not have begun to serve.
func (s *serving) reads() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.opaque && (s.fresh.Load() || s.waits.Load() && s.fed)
}

// of returns the connections that a view's server has.
func (o *connections) of(l *view) (found []*trackedConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := range o.all {
		if c.server.view.Load() == l {
			found = append(found, c)
		}
	}
	return found
}
