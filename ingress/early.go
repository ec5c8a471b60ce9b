package ingress

// markEarly tells the sandbox that a request may be a replay, as an intermediary has to
// (RFC 8470 §5.1): what the edge takes for safe to repeat the application may not.
func (x *exchange) markEarly() {
	if x.r.TLS == nil || x.r.TLS.HandshakeComplete {
		return
	}
	r := x.r.WithContext(x.r.Context())
	r.Header = r.Header.Clone()
	r.Header["Early-Data"] = []string{"1"}
	x.r = r
}
