package h1_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/h1"
)

// read reads one answer as a connection delivers it: whole, or byte by byte.
func read(src io.Reader, head bool) (a h1.Answer, body string, rest *h1.Reader, err error) {
	in := h1.NewReader(src)
	text, err := in.Head()
	if err != nil {
		return a, "", in, err
	}
	if a, err = h1.ParseAnswer(text, head); err != nil {
		return a, "", in, err
	}
	var b h1.Body
	b.Reset(in, &a, &a.Trailer)
	all, err := io.ReadAll(&b)
	return a, string(all), in, err
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		text, body string
		head       bool
		kind       h1.Kind
		length     int64
		last       bool
	}{
		"sized":                {text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", body: "ok", kind: h1.Sized, length: 2},
		"no reason":            {text: "HTTP/1.1 200\r\ncontent-length:2\r\n\r\nok", body: "ok", kind: h1.Sized, length: 2},
		"empty":                {text: "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", kind: h1.None},
		"same length twice":    {text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 02\r\n\r\nok", body: "ok", kind: h1.Sized, length: 2},
		"chunked":              {text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1;a=\"b\"\r\no\r\n01\r\nk\r\n0\r\n\r\n", body: "ok", kind: h1.Chunked, length: -1},
		"to the end":           {text: "HTTP/1.1 200 OK\r\n\r\nok", body: "ok", kind: h1.ToEnd, length: -1, last: true},
		"HTTP/1.0":             {text: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", body: "ok", kind: h1.Sized, length: 2, last: true},
		"closing":              {text: "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok", body: "ok", kind: h1.Sized, length: 2, last: true},
		"bare line feeds":      {text: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", body: "ok", kind: h1.Sized, length: 2, last: true},
		"HEAD":                 {text: "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", head: true, kind: h1.None, length: 7, last: true},
		"204":                  {text: "HTTP/1.1 204 No\r\n\r\n", kind: h1.None},
		"204 with a length":    {text: "HTTP/1.1 204 No\r\nContent-Length: 7\r\n\r\n", kind: h1.None, last: true},
		"304 with chunks":      {text: "HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n", kind: h1.None, last: true},
		"101":                  {text: "HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\nok", body: "ok", kind: h1.Tunnel, length: -1, last: true},
		"interim":              {text: "HTTP/1.1 103 Hints\r\nContent-Length: 7\r\n\r\n", kind: h1.None},
		"status without sense": {text: "HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n", kind: h1.None},
	} {
		t.Run(name, func(t *testing.T) {
			for _, src := range []io.Reader{strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text)), iotest.DataErrReader(strings.NewReader(c.text))} {
				a, body, rest, err := read(src, c.head)
				require.NoError(t, err)
				require.Equal(t, c.body, body)
				require.Equal(t, c.kind, a.Kind)
				require.Equal(t, c.length, a.Length)
				require.Equal(t, c.last, a.Last)
				require.Zero(t, rest.Buffered())
			}
		})
	}
}

func TestFieldsAndTrailers(t *testing.T) {
	a, body, _, err := read(strings.NewReader("HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nX-Empty:\r\nSet-Cookie: \t b=2 \r\nVary: \xff\r\n"+
		"Trailer: X-Sum, x-other\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\nX-Sum: 2\r\nX-More: 3\r\n\r\n"), false)
	require.NoError(t, err)
	require.Equal(t, "ok", body)
	require.Equal(t, http.Header{"Set-Cookie": {"a=1", "b=2"}, "X-Empty": {""}, "Vary": {"\xff"}}, a.Header)
	require.Equal(t, http.Header{"X-Sum": {"1", "2"}, "X-Other": nil, "X-More": {"3"}}, a.Trailer)
}

// The work for a head and its trailers is bounded; up to the bounds all is as it was, and
// a length that was said twice is said once.
func TestHeadsAtTheirBounds(t *testing.T) {
	a, _, _, err := read(strings.NewReader("HTTP/1.1 200 OK\r\nConnection: "+strings.Repeat("a,", 31)+"close\r\n"+
		strings.Repeat("X-A: a\r\n", 253)+"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok"), false)
	require.NoError(t, err)
	require.True(t, a.Last)
	require.Len(t, a.Header["X-A"], 253)
	require.Equal(t, []string{"2"}, a.Header["Content-Length"])
	a, _, _, err = read(strings.NewReader("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: "+strings.Repeat("a,", 31)+"b\r\n\r\n0\r\n"+
		strings.Repeat("A: a\r\n", 256)+"\r\n"), false)
	require.NoError(t, err)
	require.Len(t, a.Trailer["A"], 256)
	require.Contains(t, a.Trailer, "B")
}

func TestRefusedHeads(t *testing.T) {
	for name, text := range map[string]string{
		"no HTTP":              "SSH-2.0-x\r\n\r\n",
		"empty first line":     "\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/2":               "HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.2":             "HTTP/1.2 200 OK\r\n\r\n",
		"lower case":           "http/1.1 200 OK\r\n\r\n",
		"two blanks":           "HTTP/1.1  200 OK\r\n\r\n",
		"tab":                  "HTTP/1.1\t200 OK\r\n\r\n",
		"status too small":     "HTTP/1.1 099 OK\r\n\r\n",
		"status too short":     "HTTP/1.1 20 OK\r\n\r\n",
		"status too long":      "HTTP/1.1 2000 OK\r\n\r\n",
		"signed status":        "HTTP/1.1 +20 OK\r\n\r\n",
		"control in reason":    "HTTP/1.1 200 O\x00K\r\n\r\n",
		"folded line":          "HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\n\r\n",
		"folded first line":    "HTTP/1.1 200 OK\r\n X-A: 1\r\n\r\n",
		"blank before colon":   "HTTP/1.1 200 OK\r\nX-A : 1\r\n\r\n",
		"no colon":             "HTTP/1.1 200 OK\r\nX-A\r\n\r\n",
		"no name":              "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
		"bare CR":              "HTTP/1.1 200 OK\r\nX-A: 1\rX-B: 2\r\n\r\n",
		"bare CR as an end":    "HTTP/1.1 200 OK\rX-B: 2\r\n\r\n",
		"NUL":                  "HTTP/1.1 200 OK\r\nX-A: \x00\r\n\r\n",
		"two lengths":          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
		"list of lengths":      "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab",
		"signed length":        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab",
		"huge length":          "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
		"empty length":         "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"length and chunks":    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked twice":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"gzip, chunked":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"identity":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
		"chunks in 1.0":        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"length as a trailer":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n",
		"33 options":           "HTTP/1.1 200 OK\r\nConnection: a\r\nconnection: " + strings.Repeat("a,", 31) + "a\r\nContent-Length: 0\r\n\r\n",
		"33 trailers":          "HTTP/1.1 200 OK\r\nTrailer: " + strings.Repeat("a,", 32) + "a\r\nContent-Length: 0\r\n\r\n",
		"257 fields":           "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: a\r\n", 256) + "Content-Length: 0\r\n\r\n",
		"257 trailer lines":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("X-A: a\r\n", 257) + "\r\n",
		"nothing":              "",
		"half a head":          "HTTP/1.1 200 OK\r\nX-A",
		"endless field":        "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 1<<20),
		"endless list":         "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: a\r\n", 1<<17),
		"a byte above 64 KiB":  "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", h1.MaxHead-25) + "\r\n\r\n",
		"other spelling of TE": "HTTP/1.1 200 OK\r\nTransfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, src := range []io.Reader{strings.NewReader(text), iotest.HalfReader(strings.NewReader(text))} {
				_, _, _, err := read(src, false)
				require.Error(t, err)
			}
		})
	}
	_, _, _, err := read(strings.NewReader("HTTP/1.1 200 OK\r\nX-A: "+strings.Repeat("a", h1.MaxHead-26)+"\r\n\r\n"), true)
	require.NoError(t, err, "64 KiB are allowed")
}

func TestRefusedBodies(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, text := range map[string]string{
		"too short":                   "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
		"no last chunk":               chunked + "2\r\nok\r\n",
		"half a chunk":                chunked + "3\r\nok",
		"no size":                     chunked + "\r\nok\r\n0\r\n\r\n",
		"negative":                    chunked + "-2\r\nok\r\n0\r\n\r\n",
		"prefixed":                    chunked + "0x2\r\nok\r\n0\r\n\r\n",
		"blank before the size":       chunked + " 2\r\nok\r\n0\r\n\r\n",
		"size above 60 bits":          chunked + "10000000000000000\r\nok\r\n0\r\n\r\n",
		"bare line feed":              chunked + "2\nok\r\n0\r\n\r\n",
		"bare CR in an extension":     chunked + "2;a\rb\r\nok\r\n0\r\n\r\n",
		"data longer than said":       chunked + "2\r\nokk\r\n0\r\n\r\n",
		"no line end behind data":     chunked + "2\r\nok0\r\n\r\n",
		"bare line feed in a trailer": chunked + "0\r\nX-A: 1\n\r\n",
		"folded trailer":              chunked + "0\r\nX-A: 1\r\n 2\r\n\r\n",
		"framing in a trailer":        chunked + "0\r\nContent-Length: 2\r\n\r\n",
		"endless trailer":             chunked + "0\r\nX-A: " + strings.Repeat("a", 1<<20),
		"endless extension":           chunked + "2;" + strings.Repeat("a", 1<<20),
		"nothing but extensions":      chunked + strings.Repeat("1;"+strings.Repeat("a", 4000)+"\r\na\r\n", 100) + "0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, src := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
				_, _, _, err := read(src, false)
				require.Error(t, err)
			}
		})
	}
}

// What comes after an answer stays where it is.
func TestNothingBeyondAnAnswerIsConsumed(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 204 No\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-A: 1\r\n\r\n",
	} {
		_, _, rest, err := read(strings.NewReader(text+"HTTP/1.1 200 forged\r\n\r\n"), false)
		require.NoError(t, err)
		head, err := rest.Head()
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 200 forged\r\n\r\n", string(head))
	}
}

func TestReadyTellsWhetherAReadWaits(t *testing.T) {
	server, client := io.Pipe()
	go func() {
		_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\n")
		_, _ = io.WriteString(client, "c\r\n0\r\n\r\n")
	}()
	in := h1.NewReader(server)
	text, err := in.Head()
	require.NoError(t, err)
	a, err := h1.ParseAnswer(text, false)
	require.NoError(t, err)
	var b h1.Body
	b.Reset(in, &a, &a.Trailer)
	require.True(t, b.Ready())
	buf := make([]byte, 100)
	n, err := b.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "ab", string(buf[:n]), "as many chunks as there are")
	require.False(t, b.Ready())
	n, err = b.Read(buf)
	require.Equal(t, io.EOF, err, "with the last byte")
	require.Equal(t, "c", string(buf[:n]))
	require.True(t, b.Ended())
}
