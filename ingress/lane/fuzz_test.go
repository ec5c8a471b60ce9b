package lane_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/guard"
	"github.com/opensandbox-edge/edge/ingress/lane"
)

// FuzzLane sends the same bytes to net/http's server, and to the lane in front of it: both
// have to see the same requests, or the lane fewer.
func FuzzLane(f *testing.F) {
	for _, c := range exchanges {
		f.Add(c.raw + get("/last"))
	}
	for _, raw := range []string{
		"GET /declined HTTP/1.1\r\nHost: a\r\n\r\n" + get("/next"),
		"POST /declined HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get("/next"),
		"GET / HTTP/1.0\r\n\r\n" + get("/next"),
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: \xff\r\nx:\ty \r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\nX-T: b\r\n\r\n\r\n" + get("/next"),
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		plain := new(witness)
		plain.server(newMemory(raw))

		both := new(witness)
		l := lane.New(lane.Options{})
		conn := newMemory(raw)
		conn.back = func() { both.server(conn) }
		l.Take(lane.Taken{Conn: conn, Handler: func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/declined") {
				return false
			}
			both.ServeHTTP(w, r)
			return true
		}})
		<-conn.closed
		l.Close()
		require.LessOrEqual(t, len(both.seen), len(plain.seen))
		require.Equal(t, plain.seen[:len(both.seen)], both.seen)
	})
}

// witness writes down the requests it sees.
type witness struct{ seen []string }

func (s *witness) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.seen = append(s.seen, fmt.Sprintf("%s %s %s %s %d %v %q %v %v", r.Method, r.RequestURI, r.Host, r.URL, r.ContentLength, r.Header, body, err != nil, r.Trailer))
}

// server serves one connection by net/http to its end.
func (s *witness) server(conn *memory) {
	server := &http.Server{Handler: s, ReadHeaderTimeout: patience, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	_ = server.Serve(&once{conn: conn})
	<-conn.closed
	_ = server.Close()
}

// once is a listener that accepts one connection.
type once struct{ conn net.Conn }

func (o *once) Accept() (net.Conn, error) {
	if c := o.conn; c != nil {
		o.conn = nil
		return c, nil
	}
	return nil, io.EOF
}

func (*once) Close() error   { return nil }
func (*once) Addr() net.Addr { return &net.TCPAddr{} }

// memory is a guarded connection whose client has sent everything it will.
type memory struct {
	guard  guard.Guard
	mu     sync.Mutex
	rest   io.Reader
	unread []byte
	back   func()
	once   sync.Once
	closed chan struct{}
}

func newMemory(raw string) *memory {
	return &memory{rest: strings.NewReader(raw), closed: make(chan struct{})}
}

func (m *memory) Read(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.unread) > 0 {
		n := copy(p, m.unread)
		m.unread = m.unread[n:]
		return n, nil
	}
	return m.guard.Read(m.rest, p)
}

func (m *memory) HandBack(unread []byte) {
	m.unread = append([]byte(nil), unread...)
	m.back()
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (*memory) Write(p []byte) (int, error)      { return len(p), nil }
func (*memory) Rest(bool)                        {}
func (*memory) Keep()                            {}
func (*memory) Release()                         {}
func (*memory) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*memory) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*memory) SetDeadline(time.Time) error      { return nil }
func (*memory) SetReadDeadline(time.Time) error  { return nil }
func (*memory) SetWriteDeadline(time.Time) error { return nil }
