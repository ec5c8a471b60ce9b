package lane

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// parse reads the head, which is whole in the buffer. It returns nil for everything that
// is for the other server to answer: the checks are those net/http's server makes beside
// its parser, and no HTTP but 1.1.
func (c *conn) parse() *http.Request {
	r, err := http.ReadRequest(c.in)
	if err != nil {
		return nil
	}
	if r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Method == http.MethodConnect || r.RequestURI == "*" || r.Host == "" || !httpguts.ValidHostHeader(r.Host) {
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

func expectsContinue(r *http.Request) bool {
	values := r.Header["Expect"]
	return len(values) == 1 && strings.EqualFold(values[0], "100-continue")
}
