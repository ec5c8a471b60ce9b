package proxy

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd/problem"
)

// split parses what follows "/proxy": a port in plain decimal and the raw path
// for the backend, "/" if there is none. Signs, blanks, leading zeros and
// anything else that two parsers could read differently are refused.
func split(raw string) (port int, path string, err error) {
	digits, path, _ := strings.Cut(strings.TrimPrefix(raw, "/"), "/")
	if digits == "" {
		return 0, "", apierror.New(http.StatusBadRequest, problem.InvalidRequestBody, "port is required")
	}
	port, convErr := strconv.Atoi(digits)
	if convErr != nil || port < 1 || port > 65535 || strconv.Itoa(port) != digits {
		return 0, "", apierror.New(http.StatusBadRequest, problem.InvalidRequestBody, "the port in the path must be a number from 1 to 65535")
	}
	return port, "/" + path, nil
}

// clean percent-encodes the bytes that package url would not accept in a raw
// path. It would otherwise encode the path anew as a whole, and turn the "%2F"
// of a client into a slash.
func clean(raw string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(raw) {
		c := raw[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~!$&'()*+,;=:@/%[]", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}
