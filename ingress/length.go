package ingress

import "strconv"

// checkLength refuses a length that is not the body's. HTTP/1.1 is read by it, so there
// is nothing to compare; in HTTP/2 the field is only a claim (RFC 9113 §8.1.1).
func (x *exchange) checkLength() error {
	values := x.r.Header["Content-Length"]
	if x.r.ProtoMajor < 2 || len(values) == 0 {
		return nil
	}
	if n, err := strconv.ParseUint(values[0], 10, 63); len(values) > 1 || err != nil || int64(n) != x.r.ContentLength {
		return errBadLength
	}
	return nil
}
