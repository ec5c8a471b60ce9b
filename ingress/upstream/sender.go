package upstream

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/opensandbox-edge/edge/ingress/h1"
)

const (
	// continuePatience is for sandboxes that ignore "Expect: 100-continue".
	continuePatience = time.Second
	// settleTime is for the last write of a body when the answer is there already.
	settleTime = 100 * time.Millisecond
)

// sender copies a request's body to the sandbox while the answer is read. The end of the
// body or of the connection ends it, and its pool waits for it.
type sender struct {
	conn    *conn
	r       *Request
	verdict chan bool // whether the sandbox wants the body; nil if it is not asked

	last   atomic.Bool   // the last byte is being written, or was
	done   chan struct{} // closed at the end; the rest is valid then
	err    error
	source bool // err is the client's
}

var errNotWanted = errors.New("the sandbox answered without the body")

// sendBody starts the sending. It returns nil when the generation is over.
func (c *conn) sendBody(r *Request) *sender {
	s := &sender{conn: c, r: r, done: make(chan struct{})}
	if c.waits {
		s.verdict = make(chan bool, 1)
	}
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.pool.over {
		return nil
	}
	c.pool.senders.Go(func() {
		defer close(s.done)
		s.err = s.run()
	})
	return s
}

// want says whether the sandbox wants the body. Only the first word counts.
func (s *sender) want(yes bool) {
	select {
	case s.verdict <- yes:
	default:
	}
}

// answered is to be called when an answer has come, and tells whether that was early.
func (s *sender) answered() (early bool) {
	s.want(false)
	return !s.last.Load()
}

// settle ends the sending and tells whether all was sent. It waits for nothing but a
// write of the last bytes.
func (s *sender) settle() bool {
	s.want(false)
	if !s.last.Load() {
		return false
	}
	select {
	case <-s.done:
		return s.err == nil
	default:
	}
	// It is about to notice that its write is done. Or the sandbox has answered and
	// does not read.
	if s.conn.SetWriteDeadline(time.Now().Add(settleTime)) != nil {
		return false
	}
	<-s.done
	return s.err == nil && s.conn.SetWriteDeadline(time.Time{}) == nil
}

// reason is why the exchange failed: err, or what was wrong with the client's body.
func (s *sender) reason(err error) error {
	select {
	case <-s.done:
		if s.source {
			return s.err
		}
	default:
	}
	return err
}

func (s *sender) run() (err error) {
	if !s.wanted() {
		return errNotWanted
	}
	room := NewPiece()
	defer room.Free()
	if s.r.Length >= 0 {
		err = s.sized(room[:])
	} else {
		err = s.chunked(room[:])
	}
	if s.source {
		_ = s.conn.Close() // the sandbox must not take what it got for all
	}
	return err
}

// wanted waits for the sandbox's word, if it was asked.
func (s *sender) wanted() bool {
	if s.verdict == nil {
		return true
	}
	timer := time.NewTimer(continuePatience)
	defer timer.Stop()
	select {
	case yes := <-s.verdict:
		return yes
	case <-timer.C:
		return true
	}
}

func (s *sender) sized(room []byte) error {
	for left := s.r.Length; left > 0; {
		n, err := s.r.Body.Read(room[:min(int64(len(room)), left)])
		if left -= int64(n); left == 0 {
			s.last.Store(true)
		}
		if n > 0 {
			if _, err := s.conn.Write(room[:n]); err != nil {
				return err
			}
		}
		if left > 0 && err != nil {
			return s.failed(err)
		}
	}
	return nil
}

// chunked writes each piece as one chunk, and trailers after the last one.
func (s *sender) chunked(room []byte) error {
	const line, end = len("8000\r\n"), len("\r\n")
	for {
		n, err := s.r.Body.Read(room[line : len(room)-end])
		if n > 0 {
			var size [line]byte
			head := h1.AppendChunk(size[:0], n)
			start := line - copy(room[line-len(head):], head)
			stop := line + n + copy(room[line+n:], "\r\n")
			if _, err := s.conn.Write(room[start:stop]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return s.failed(err)
		}
	}
	text, err := h1.AppendTrailer(room[:0], s.r.Trailer)
	if err != nil {
		return s.failed(err)
	}
	s.last.Store(true)
	_, err = s.conn.Write(text)
	return err
}

func (s *sender) failed(err error) error {
	if err == io.EOF {
		err = errEarlyEnd
	}
	// After the exchange the body is not ours, and nobody wants to hear about it.
	s.source = !errors.Is(err, http.ErrBodyReadAfterClose)
	return err
}
