package h1_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
	"testing/iotest"

	"github.com/opensandbox-edge/edge/ingress/h1"
)

// FuzzAnswer: what is accepted, net/http reads in the same way, with the same bytes left;
// and it does not matter how the bytes arrive.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nokHTTP",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2;a=b\r\nok\r\n0\r\nX-T: 1\r\n\r\nHTTP",
		"HTTP/1.0 204 No\n\n", "HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nall", "HTTP/1.1 103 E\r\nLink: a\r\n\r\n",
	} {
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, head bool) {
		a, body, rest, err := read(bytes.NewReader(text), head)
		_, slowBody, _, slowErr := read(iotest.OneByteReader(bytes.NewReader(text)), head)
		if (err == nil) != (slowErr == nil) || (err == nil && body != slowBody) {
			t.Fatalf("depends on arrival: %v %q, %v %q", err, body, slowErr, slowBody)
		}
		if err != nil || a.Kind == h1.Tunnel || a.Status < 200 {
			return
		}
		request := &http.Request{Method: http.MethodGet}
		if head {
			request.Method = http.MethodHead
		}
		in := bufio.NewReader(bytes.NewReader(text))
		standard, err := http.ReadResponse(in, request)
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		theirs, err := io.ReadAll(standard.Body)
		if err != nil || string(theirs) != body {
			t.Fatalf("body %q, net/http reads %q (%v)", body, theirs, err)
		}
		if standard.StatusCode != a.Status || standard.ContentLength != a.Length {
			t.Fatalf("%d %d, net/http reads %d %d", a.Status, a.Length, standard.StatusCode, standard.ContentLength)
		}
		left, _ := io.ReadAll(in)
		ours, _ := io.ReadAll(rest)
		if a.Kind != h1.ToEnd && !bytes.Equal(left, ours) {
			t.Fatalf("left over %q, net/http leaves %q", ours, left)
		}
		for name, values := range a.Header {
			if name != "Trailer" && name != "Content-Length" && len(standard.Header[name]) != len(values) {
				t.Fatalf("%s: %q, net/http reads %q", name, values, standard.Header[name])
			}
		}
	})
}

// FuzzChunks: a chunked body ends where net/http says, with the same content.
func FuzzChunks(f *testing.F) {
	for _, seed := range []string{"2\r\nok\r\n0\r\n\r\nrest", "1;x\r\na\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n", "0\r\n\r\n", "00\r\n\r\n"} {
		f.Add([]byte(seed))
	}
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	f.Fuzz(func(t *testing.T, chunks []byte) {
		text := append([]byte(head), chunks...)
		_, body, rest, err := read(bytes.NewReader(text), false)
		if err != nil {
			return
		}
		in := bufio.NewReader(bytes.NewReader(text))
		standard, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := io.ReadAll(standard.Body)
		if err != nil || string(theirs) != body {
			t.Fatalf("body %q, net/http reads %q (%v)", body, theirs, err)
		}
		left, _ := io.ReadAll(in)
		if ours, _ := io.ReadAll(rest); !bytes.Equal(left, ours) {
			t.Fatalf("left over %q, net/http leaves %q", ours, left)
		}
	})
}
