package ingress_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/upstream"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// The same odd traffic goes to one backend three times: through either core, and
// straight. What the backend and the client see is compared.

// oddRequests are what a client may send; %s stands for the first path segment.
var oddRequests = []string{
	"GET /%s HTTP/1.1\r\n\r\n",
	"GET /%s//a/../b/./%%2e%%2E/%%00%%ff?x=%%20&y&&=;/?%%3f HTTP/1.1\r\n\r\n",
	"GET /%s/\"<>\\^`{|}~'()*,;:@!$&+=-._ HTTP/1.1\r\n\r\n",
	"GET /%s/ümlaut?ü HTTP/1.1\r\n\r\n",
	"GET /%s? HTTP/1.1\r\n\r\n",
	"HEAD /%s HTTP/1.1\r\n\r\n",
	"OPTIONS /%s HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	"DELETE /%s HTTP/1.1\r\n\r\n",
	"DELETE /%s HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
	"POST /%s HTTP/1.1\r\n\r\n",
	"POST /%s HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	"PUT /%s HTTP/1.1\r\nContent-Length: 5\r\n\r\n\r\n\r\nx",
	"PATCH /%s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=\"a\"\r\nhello\r\n00\r\n\r\n",
	"POST /%s HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\nA\r\n0123456789\r\n0\r\nX-Sum: 7\r\nX-Unannounced: 1\r\n\r\n",
	"POST /%s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"GET /%s HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
	"PROPFIND /%s HTTP/1.1\r\nDepth: 1\r\n\r\n",
	"M-SEARCH! /%s HTTP/1.1\r\n\r\n",
	"GET /%s HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\nX-A:\r\nX-A: \t 3 \t\r\nX-Empty:\r\n\r\n",
	"GET /%s HTTP/1.1\r\nAccept-Encoding: br\r\nTE: trailers, gzip\r\nUser-Agent:\r\n\r\n",
	"GET /%s HTTP/1.1\r\nConnection: X-Drop, keep-alive\r\nX-Drop: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
	"GET /%s HTTP/1.1\r\nRange: bytes=0-\r\nIf-None-Match: \"x\"\r\nAuthorization: Digest x\r\nX-Latin: \xe9\r\n\r\n",
	"GET /%s HTTP/1.1\r\nX-Long: " + strings.Repeat("long ", 5000) + "\r\n\r\n",
	"POST /%s HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
	"GET /%s HTTP/1.0\r\n\r\n",
}

// oddAnswers are what a sandbox may answer, by the first path segment. The keys that
// begin with "x" are not what HTTP/1.1 allows, so only the cores are compared.
var oddAnswers = map[string]string{
	"sized":       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"chunked":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n10000\r\n" + strings.Repeat("0123456789abcdef", 4096) + "\r\n0\r\n\r\n",
	"trailers":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n",
	"unannounced": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
	"to-the-end":  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
	"http10":      "HTTP/1.0 200 OK\r\n\r\nuntil the end",
	"empty":       "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"204":         "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
	"205":         "HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n",
	"304":         "HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\nContent-Length: 1234\r\n\r\n",
	"404":         "HTTP/1.1 404 Nope\r\nContent-Length: 4\r\nContent-Type:\r\n\r\nnope",
	"418":         "HTTP/1.1 418\r\nContent-Length: 0\r\n\r\n",
	"599":         "HTTP/1.1 599 Odd\r\nContent-Length: 1\r\n\r\nx",
	"999":         "HTTP/1.1 999 Odder\r\nContent-Length: 1\r\n\r\nx",
	"fields":      "HTTP/1.1 200 OK\r\nset-cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nX-Empty:\r\nX-A:  \t1 \r\nX-LATIN: \xe9\r\nWarning: 1\r\nDate: yesterday\r\nServer: odd\r\nContent-Length: 2\r\n\r\nok",
	"same-length": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
	"gzip":        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
	"hints":       "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",

	"xshort":   "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
	"xchunks":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nz\r\n\r\n",
	"xlf":      "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
	"xboth":    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"xlengths": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
	"xfold":    "HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
	"xcr":      "HTTP/1.1 200 OK\r\nX-A: 1\r2\r\nContent-Length: 0\r\n\r\n",
	"xmore":    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + forged,
	"x204":     "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok",
	"x101":     "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
	"x100":     strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 40) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"xnothing": "",
	"xbanner":  "220 mail.example ESMTP\r\n",
}

// message is what one side saw of a request or answer, in words that can be compared.
type message struct {
	line, body, failure string
	fields, trailers    []string
}

// recorder is a backend that notes what it gets and answers by the path.
type recorder struct {
	addr net.Addr
	mu   sync.Mutex
	got  []message
}

func newRecorder(t testing.TB) *recorder {
	rec := new(recorder)
	rec.addr = listen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			m, r, err := readMessage(c, in)
			if err != nil {
				return
			}
			rec.mu.Lock()
			rec.got = append(rec.got, m)
			rec.mu.Unlock()
			segment, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
			answer := oddAnswers[segment]
			if r.Method == http.MethodHead {
				last := max(0, strings.LastIndex(answer, "HTTP/1."))
				head, _, _ := strings.Cut(answer[last:], "\r\n\r\n")
				answer = answer[:last] + head + "\r\n\r\n"
			}
			if _, err := io.WriteString(c, answer); err != nil || answer == "" || segment == "to-the-end" || segment == "http10" || segment == "xshort" || segment == "xchunks" {
				return
			}
		}
	}).Addr()
	return rec
}

func (rec *recorder) take() (got []message) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	got, rec.got = rec.got, nil
	return got
}

func readMessage(c io.Writer, in *bufio.Reader) (message, *http.Request, error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return message{}, nil, err
	}
	if r.Header.Get("Expect") != "" {
		if _, err := io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return message{}, nil, err
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return message{}, nil, err
	}
	m := message{line: r.Method + " " + r.RequestURI + " " + r.Proto, body: string(body), trailers: fieldLines(r.Trailer), fields: fieldLines(r.Header)}
	m.fields = append(m.fields, fmt.Sprintf("length %d, chunked %v", r.ContentLength, len(r.TransferEncoding) > 0))
	return m, r, nil
}

func fieldLines(h http.Header) (lines []string) {
	for name, values := range h {
		for _, v := range values {
			lines = append(lines, textproto.CanonicalMIMEHeaderKey(name)+": "+v)
		}
	}
	slices.Sort(lines)
	return lines
}

// ask sends a raw request and reads the answers to it, interim ones included.
func ask(t testing.TB, addr, request string) (seen []message) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(eventually)))
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	in := bufio.NewReader(c)
	method, _, _ := strings.Cut(request, " ")
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return append(seen, message{failure: "no answer"})
		}
		body, err := io.ReadAll(res.Body)
		m := message{line: fmt.Sprint(res.StatusCode), body: string(body), trailers: fieldLines(res.Trailer), fields: fieldLines(res.Header)}
		if err != nil {
			m.failure = "cut short"
		}
		if seen = append(seen, m); res.StatusCode >= 200 || res.StatusCode == 101 {
			return seen
		}
	}
}

// without drops the fields that the edge adds, drops or rewrites by design.
func without(messages []message, names ...string) []message {
	out := slices.Clone(messages)
	for i := range out {
		out[i].fields = slices.DeleteFunc(append([]string{}, out[i].fields...), func(line string) bool {
			name, _, _ := strings.Cut(line, ":")
			return slices.Contains(names, name) || line == "User-Agent: " || strings.HasPrefix(name, "X-Forwarded-")
		})
	}
	return out
}

func TestBothCoresAreTheSame(t *testing.T) {
	if core != "" {
		t.Skip("both cores are in here")
	}
	backend := newRecorder(t)
	var edges []string
	for _, c := range []upstream.Core{upstream.Direct, upstream.NetHTTP} {
		e := newEdge(t, func(o *ingress.Options) { o.Core = c })
		e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, backend.addr, 8080)
		edges = append(edges, strings.TrimPrefix(e.url, "http://"))
	}
	compare := func(t *testing.T, request, answer string) {
		text := fmt.Sprintf(request, answer)
		line, rest, _ := strings.Cut(text, "\r\n")
		backend.take() // of what failed before
		through := line + "\r\nHost: " + host + "\r\nOpenSandbox-Ingress-To: " + id + "-8080\r\n" + rest
		straight := line + "\r\nHost: " + host + "\r\n" + rest

		// What the edge says in its own name has a new id each time.
		const identity = "X-Request-Id"
		first := without(ask(t, edges[0], through), identity, "Date")
		firstSeen := backend.take()
		require.Equal(t, first, without(ask(t, edges[1], through), identity, "Date"), "what the client sees of %q", line)
		require.Equal(t, without(firstSeen), without(backend.take()), "what the backend sees of %q", line)
		if answer[0] == 'x' {
			return
		}
		plain := without(ask(t, backend.addr.String(), straight), identity, "Date", "Server", "Vary", "Content-Length", "Connection", "Set-Cookie")
		plainSeen := backend.take()
		if !strings.Contains(text, "HTTP/1.0") && line[:4] != "HEAD" {
			require.Equal(t, plain, without(first, "Reverse-Proxy-Server-Powerby", "Server", "Vary", "Content-Length", "Connection", "Set-Cookie"), "what the client sees of %q", line)
		}
		require.Len(t, firstSeen, 1, "a request is one request")
		require.Len(t, plainSeen, 1)
		require.Equal(t, strings.Replace(plainSeen[0].line, "HTTP/1.0", "HTTP/1.1", 1), firstSeen[0].line)
		require.Equal(t, plainSeen[0].body, firstSeen[0].body)
		hop := []string{
			"Connection", "X-Drop", "Keep-Alive", "Proxy-Connection", "Upgrade", "Http2-Settings", "Te", "Content-Length",
			"Trailer", "User-Agent", "Accept-Encoding", "length 0, chunked false",
		}
		require.Equal(t, without(plainSeen, hop...)[0].fields, without(firstSeen, hop...)[0].fields)
	}
	for _, request := range oddRequests {
		t.Run(strings.Split(request, " HTTP")[0], func(t *testing.T) { compare(t, request, "sized") })
	}
	for answer := range oddAnswers {
		t.Run(answer, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD", "POST"} {
				compare(t, method+" /%s HTTP/1.1\r\n\r\n", answer)
			}
		})
	}
	t.Run("any with any", func(t *testing.T) {
		dice := rand.New(rand.NewPCG(1, 2))
		answers := slices.Sorted(func(yield func(string) bool) {
			for name := range oddAnswers {
				if !yield(name) {
					return
				}
			}
		})
		for range 150 {
			compare(t, oddRequests[dice.IntN(len(oddRequests))], answers[dice.IntN(len(answers))])
		}
	})
}
