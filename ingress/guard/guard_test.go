package guard_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/guard"
)

// guarded reads src through a guard.
type guarded struct {
	guard.Guard
	src io.Reader
}

func (g *guarded) Read(p []byte) (int, error) { return g.Guard.Read(g.src, p) }

const host = "Host: a\r\n"

// requests are streams and how many requests a parser behind the guard gets to the end of.
var requests = []struct {
	name, raw string
	served    int
	clean     bool // every byte passes
}{
	{"one", "GET / HTTP/1.1\r\n" + host + "\r\n", 1, true},
	{"pipelined", "GET / HTTP/1.1\r\n" + host + "\r\nGET /2 HTTP/1.1\r\n" + host + "\r\n", 2, true},
	{"body", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\na\nb\r\nGET /2 HTTP/1.1\r\n" + host + "\r\n", 2, true},
	{"body of nothing", "POST / HTTP/1.1\r\n" + host + "content-length:0\r\n\r\nGET /2 HTTP/1.1\r\n" + host + "\r\n", 2, true},
	{"chunks", "POST / HTTP/1.1\r\n" + host + "transfer-encoding: Chunked\r\n\r\n3;x=y\r\n\n\n\n\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\nGET /2 HTTP/1.1\r\n" + host + "\r\n", 2, true},
	{"tabs around a value", "POST / HTTP/1.1\r\n" + host + "Content-Length: \t1 \t\r\n\r\nxGET /2 HTTP/1.1\r\n" + host + "\r\n", 2, true},
	{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 1, true},
	{"upgrade not taken", "GET / HTTP/1.1\r\n" + host + "Upgrade: websocket\r\nConnection: upgrade\r\n\r\nGET /2 HTTP/1.1\n" + host + "\r\n", 1, false},
	{"method PROXY", "PROXY / HTTP/1.1\r\n" + host + "\r\nGET /2 HTTP/1.1\n" + host + "\r\n", 1, false},
	{"method PROXY for a family", "PROXY TCP4 HTTP/1.1\r\n" + host + "\r\nGET /2 HTTP/1.1\n" + host + "\r\n", 0, false},
	{"method PROXY for UNKNOWN", "PROXY UNKNOWN HTTP/1.1\r\n" + host + "\r\nGET /2 HTTP/1.1\n" + host + "\r\n", 0, false},
	{"method PROXY with a long target", "PROXY TCP4 1.2.3.4 5.6.7.8 1 HTTP/1.1\r\n" + host + "\r\nGET /2 HTTP/1.1\n" + host + "\r\n", 0, false},

	{"length and chunked", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /2 HTTP/1.1\r\n" + host + "\r\n", 0, false},
	{"chunked and length", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /2 HTTP/1.1\r\n" + host + "\r\n", 0, false},
	{"two lengths", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456", 0, false},
	{"one length twice", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n1", 0, false},
	{"list of lengths", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1, 1\r\n\r\n1", 0, false},
	{"plus", "POST / HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\n1", 0, false},
	{"minus", "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n1", 0, false},
	{"hex", "POST / HTTP/1.1\r\n" + host + "Content-Length: 0x1\r\n\r\n1", 0, false},
	{"no length", "POST / HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\n1", 0, false},
	{"huge", "POST / HTTP/1.1\r\n" + host + "Content-Length: 18446744073709551617\r\n\r\n1", 0, false},
	{"xchunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 0, false},
	{"identity", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\n\r\n", 0, false},
	{"chunked twice", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 0, false},
	{"two chunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, false},
	{"vertical tab", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 0, false},
	{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, false},
	{"space before colon", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 0, false},
	{"folded", "GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", 0, false},
	{"folded by tab", "GET / HTTP/1.1\r\n" + host + "X: a\r\n\tb: c\r\n\r\n", 0, false},
	{"first line folded", "GET / HTTP/1.1\r\n X: a\r\n" + host + "\r\n", 0, false},
	{"bare LF", "GET / HTTP/1.1\n" + host + "\r\n", 0, false},
	{"bare LF after a field", "GET / HTTP/1.1\r\nX: 1\n" + host + "\r\n", 0, false},
	{"bare LF ends the head", "GET / HTTP/1.1\r\n" + host + "\n", 0, false},
	{"bare CR", "GET / HTTP/1.1\r\nX: 1\rY: 2\r\n" + host + "\r\n", 0, false},
	{"two CR", "GET / HTTP/1.1\r\r\n" + host + "\r\n", 0, false},
	{"NUL", "GET / HTTP/1.1\r\nX: \x00\r\n" + host + "\r\n", 0, false},
	{"two hosts", "GET / HTTP/1.1\r\n" + host + host + "\r\n", 0, false},
	{"absolute target", "GET http://A/x HTTP/1.1\r\n" + host + "\r\n", 1, true},
	{"absolute target of another host", "GET http://b/x HTTP/1.1\r\n" + host + "\r\n", 0, false},
	{"absolute target with user", "GET http://u@a/x HTTP/1.1\r\n" + host + "\r\n", 0, false},
	{"no name", "GET / HTTP/1.1\r\n: x\r\n" + host + "\r\n", 0, false},
	{"no colon", "GET / HTTP/1.1\r\n" + host + "x\r\n\r\n", 0, false},
	{"no version", "GET /\r\n" + host + "\r\n", 0, false},
	{"other version", "GET / HTTP/2.0\r\n" + host + "\r\n", 0, false},
	{"HTTP/2 later", "GET / HTTP/1.1\r\n" + host + "\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1, false},
	{"half a preface", "PRI * HTTP/2.0\r\n" + host + "\r\n", 0, false},
	{"second is bad", "GET / HTTP/1.1\r\n" + host + "\r\nGET /2 HTTP/1.1\nHost: a\r\n\r\n", 1, false},
	{"chunk without size", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n", 0, false},
	{"chunk by bare LF", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n", 0, false},
	{"chunk with bare LF in an extension", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n", 0, false},
	{"chunk too long for its size", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n", 0, false},
	{"chunk size overflows", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\nx\r\n0\r\n\r\n", 0, false},
	{"signed chunk size", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n", 0, false},
	{"long extension", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("a", 2000) + "\r\nx\r\n0\r\n\r\n", 0, false},
	{"trailer by bare LF", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: 1\n\r\n", 0, false},
	{"framing in a trailer", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\ncontent-length: 5\r\n\r\n", 0, false},
	{"empty host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", 0, false},
	{"folded trailer", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n y\r\n\r\n", 0, false},
}

// The verdict does not depend on how the bytes arrive.
func TestFraming(t *testing.T) {
	arrivals := map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "in halves": iotest.HalfReader,
	}
	for _, c := range requests {
		for how, arrive := range arrivals {
			t.Run(c.name+" "+how, func(t *testing.T) {
				require.Equal(t, c.served, served(&guarded{src: arrive(strings.NewReader(c.raw))}))
				all, err := io.ReadAll(&guarded{src: arrive(strings.NewReader(c.raw))})
				require.NoError(t, err)
				require.Equal(t, c.clean, string(all) == c.raw, "%q", all)
			})
		}
	}
}

// served counts the requests that Go's parser reads to their end.
func served(r io.Reader) (n int) {
	for in := bufio.NewReader(r); ; n++ {
		req, err := http.ReadRequest(in)
		if err != nil {
			return n
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return n
		}
	}
}

func TestWhatIsNoHTTP1Passes(t *testing.T) {
	for name, raw := range map[string]string{
		"TLS":          "\x16\x03\x01\x02\x00\n\x00\n",
		"HTTP/2":       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\n\x00\n",
		"PROXY, TLS":   "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n\x16\x03\x01\x02\x00\n\x00\n",
		"PROXY binary": "\r\n\r\n\x00\r\nQUIT\n\n",
	} {
		g := &guarded{src: iotest.HalfReader(strings.NewReader(raw))}
		all, err := io.ReadAll(g)
		require.NoError(t, err)
		require.Equal(t, raw, string(all), name)
		require.False(t, g.Watching(), name)
	}
}

// A reader of PROXY headers may stand before the parser. What it leaves is watched.
func TestWhatFollowsAProxyHeaderIsWatched(t *testing.T) {
	for _, header := range []string{"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "PROXY TCP6 ::1 ::2 1 65535\r\n", "PROXY UNKNOWN\r\n"} {
		in := bufio.NewReader(&guarded{src: iotest.HalfReader(strings.NewReader(
			header + "GET / HTTP/1.1\r\n" + host + "\r\nGET /2 HTTP/1.1\n" + host + "\r\n"))})
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, header, line)
		require.Equal(t, 1, served(in), header)
		require.Zero(t, served(strings.NewReader(header)), "a parser takes no header for a request")
	}
}

func TestAReleasedConnectionIsLeftAlone(t *testing.T) {
	const ask = "GET / HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	raw := strings.NewReader(ask)
	g := &guarded{src: raw}
	_, err := http.ReadRequest(bufio.NewReader(g))
	require.NoError(t, err)
	require.True(t, g.Watching(), "a wish for another protocol is none")
	g.Release()
	require.False(t, g.Watching())
	raw.Reset("\n\n\n")
	all, err := io.ReadAll(g)
	require.NoError(t, err)
	require.Equal(t, "\n\n\n", string(all))
}

// What was refused while requests were expected is lost to what follows them.
func TestAReleaseAfterARefusalEndsTheConnection(t *testing.T) {
	raw := strings.NewReader("GET / HTTP/1.1\r\n" + host + "\r\nany\nthing")
	g := &guarded{src: raw}
	_, err := http.ReadRequest(bufio.NewReader(g))
	require.NoError(t, err)
	g.Release()
	raw.Reset("more")
	all, err := io.ReadAll(g)
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestSound(t *testing.T) {
	for _, c := range requests {
		head, _, whole := strings.Cut(c.raw, "\r\n\r\n")
		if !whole {
			continue
		}
		head += "\r\n\r\n"
		all, err := io.ReadAll(&guarded{src: strings.NewReader(head)})
		require.NoError(t, err)
		preface := strings.HasPrefix(head, "PRI ")
		require.Equal(t, string(all) == head && !preface, guard.Sound([]byte(head)), c.name)
	}
	require.False(t, guard.Sound([]byte("\r\n")))
	require.False(t, guard.Sound([]byte("GET / HTTP/1.1\r\n"+host)))
	require.False(t, guard.Sound([]byte("PROXY UNKNOWN\r\n")))
}

// FuzzGuard holds the verdict to be independent of how the bytes arrive, and what passes
// to be unambiguous.
func FuzzGuard(f *testing.F) {
	for _, c := range requests {
		f.Add(c.raw, 7)
	}
	f.Fuzz(func(t *testing.T, raw string, piece int) {
		whole, _ := io.ReadAll(&guarded{src: strings.NewReader(raw)})
		pieces, _ := io.ReadAll(&guarded{src: &inPieces{raw, max(1, piece%64)}})
		require.Equal(t, served(strings.NewReader(string(whole))), served(strings.NewReader(string(pieces))))

		g := &guarded{src: strings.NewReader(raw)}
		for in := bufio.NewReader(g); ; {
			req, err := http.ReadRequest(in)
			if err != nil || !g.Watching() {
				return
			}
			if len(req.TransferEncoding) > 0 {
				require.NotContains(t, req.Header, "Content-Length")
			}
			require.LessOrEqual(t, len(req.Header["Content-Length"]), 1)
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
		}
	})
}

type inPieces struct {
	rest string
	size int
}

func (r *inPieces) Read(p []byte) (int, error) {
	if r.rest == "" {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:min(r.size, len(r.rest))])
	r.rest = r.rest[n:]
	return n, nil
}

func BenchmarkHead(b *testing.B) {
	raw := "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nOpenSandbox-Ingress-To: sb000007-8080\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n"
	var g guard.Guard
	p := make([]byte, 4096)
	src := strings.NewReader(raw)
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(raw)
		if n, err := g.Read(src, p); n != len(raw) || err != nil {
			b.Fatal(n, err)
		}
	}
}
