package lane

import (
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/opensandbox-edge/edge/ingress/guard"
)

// parse reads the head, which is whole in the buffer. It returns nil for everything that
// is for the other server to answer: the checks are those the guard makes, once more, and
// those net/http's server makes beside its parser, and no HTTP but 1.1.
func (c *conn) parse() *http.Request {
	if !guard.Sound(c.head) {
		return nil
	}
	r, err := http.ReadRequest(c.in)
	if err != nil {
		return nil
	}
	if r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Method == http.MethodConnect || r.RequestURI[0] != '/' || r.Host == "" || !httpguts.ValidHostHeader(r.Host) {
		return nil
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return nil
			}
		}
	}
	if expect := r.Header["Expect"]; len(expect) > 0 && !expectsContinue(r) {
		return nil
	}
	r.Close = r.Close || c.lane.draining.Load()
	return r
}

// framing is a head that frames the content of a request as its own head did, so that the
// parser can read it in the lane. It is nil for no request.
func framing(r *http.Request) []byte {
	if r == nil {
		return nil
	}
	head := []byte("POST / HTTP/1.1\r\nHost: a\r\n")
	if len(r.TransferEncoding) > 0 {
		head = append(head, "Transfer-Encoding: chunked\r\n"...)
		for name := range r.Trailer {
			head = append(append(append(head, "Trailer: "...), name...), "\r\n"...)
		}
	} else if r.ContentLength > 0 {
		head = append(strconv.AppendInt(append(head, "Content-Length: "...), r.ContentLength, 10), "\r\n"...)
	}
	return append(head, "\r\n"...)
}

func expectsContinue(r *http.Request) bool {
	values := r.Header["Expect"]
	return len(values) == 1 && strings.EqualFold(values[0], "100-continue")
}
