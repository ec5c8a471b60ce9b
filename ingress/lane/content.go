package lane

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxDrain is how much of an unread content is read away to keep the connection.
const maxDrain = 256 << 10

// content is what comes after the head of a request. The handler may still be reading,
// in another goroutine, when it has answered.
type content struct {
	conn *conn
	src  io.Reader
	// parsed is the request that the parser puts trailers into, served the handler's.
	parsed, served *http.Request
	read           atomic.Int64 // bytes

	mu       sync.Mutex // held while a read is under way
	expected bool       // the client waits for the word to go on
	eof      bool
	closed   bool
}

func newContent(c *conn, r *http.Request) *content {
	return &content{conn: c, src: r.Body, parsed: r, served: r, expected: expectsContinue(r)}
}

// Read implements io.Reader.
func (b *content) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.eof:
		return 0, io.EOF
	case b.expected:
		b.expected = false
		b.conn.response.writeContinue()
	}
	b.conn.watch.expectContent()
	n, err := b.src.Read(p)
	b.read.Add(int64(n))
	if err == io.EOF {
		b.eof = true
		b.served.Trailer = b.parsed.Trailer
		b.conn.watch.contentRead()
	}
	return n, err
}

// Close implements io.Closer. What is unread stays so until the answer is given.
func (b *content) Close() error { return nil }

// ended tells that nothing of the content is left on the connection.
func (b *content) ended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.eof
}

// expects tells that the client still waits for the word to send.
func (b *content) expects() bool {
	if !b.mu.TryLock() {
		return false // somebody reads, so it was given
	}
	defer b.mu.Unlock()
	return b.expected
}

// finish takes the content from the handler. With drain it reads away a rest that is
// small, and returns whether the next request follows.
func (b *content) finish(drain bool) bool {
	if !b.mu.TryLock() {
		// Somebody reads: what they have read of the rest is lost, and so is the connection.
		_ = b.conn.response.SetReadDeadline(time.Unix(1, 0))
		b.mu.Lock()
		drain = false
	}
	defer b.mu.Unlock()
	b.closed = true
	if b.eof {
		return true
	}
	if !drain || b.expected {
		return false
	}
	b.conn.setReadDeadline(time.Now().Add(closing))
	n, err := io.CopyN(io.Discard, b.src, maxDrain)
	b.eof = err == io.EOF && n < maxDrain
	return b.eof
}
