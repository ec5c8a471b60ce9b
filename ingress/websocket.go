package ingress

import (
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // what RFC 6455 asks for; nothing rests on its strength
	"encoding/base64"
	"net/http"

	"golang.org/x/net/http/httpguts"
)

// checkUpgrade recognises WebSocket handshakes by tokens in any case and any place, as
// browsers send them, and refuses the ones that would desynchronise a connection
// (threat row B3). Other protocols' upgrades are not offered to the sandbox.
func (x *exchange) checkUpgrade() error {
	if x.r.Method == http.MethodConnect {
		return x.acceptConnect()
	}
	h := x.r.Header
	if !httpguts.HeaderValuesContainsToken(h["Upgrade"], "websocket") {
		return nil
	}
	if x.r.ProtoMajor != 1 || x.r.ProtoMinor == 0 || x.r.Method != http.MethodGet || x.r.ContentLength != 0 ||
		len(x.r.TransferEncoding) > 0 || !httpguts.HeaderValuesContainsToken(h["Connection"], "upgrade") {
		// Where this message ends is anybody's guess.
		x.w.Header().Set("Connection", "close")
		return errBadUpgrade
	}
	if key, version := h["Sec-Websocket-Key"], h["Sec-Websocket-Version"]; len(key) != 1 || key[0] == "" || len(version) != 1 || version[0] != "13" {
		return errBadUpgrade // no answer of a sandbox could be a handshake with this
	}
	x.upgrade = true
	return nil
}

// acceptConnect turns the extended CONNECT of HTTP/2 and HTTP/3 (RFC 8441, RFC 9220) into
// the handshake that HTTP/1.1 has for the same thing. From here on it is one: only the
// bytes of the WebSocket come from the stream instead of a connection. The route's
// verdict has seen that the protocol is websocket.
func (x *exchange) acceptConnect() error {
	if x.r.ProtoMajor < 2 || len(x.r.Header["Content-Length"]) > 0 {
		return errBadUpgrade // a tunnel has no length
	}
	r := x.r.WithContext(x.r.Context())
	r.Method = http.MethodGet
	r.Body, r.ContentLength, r.Trailer = http.NoBody, 0, nil
	r.Header = r.Header.Clone()
	delete(r.Header, ":protocol")
	delete(r.Header, "Expect") // was about the body
	// HTTP/2 and HTTP/3 know no key, so a client's is nobody's.
	r.Header["Sec-Websocket-Key"] = []string{newWebSocketKey()}
	x.stream, x.r, x.upgrade = x.r.Body, r, true
	return nil
}

// switched tells whether a 101 is the answer to this very handshake (threat row B2).
func (x *exchange) switched(answer http.Header) bool {
	key, accept := x.r.Header["Sec-Websocket-Key"], answer["Sec-Websocket-Accept"]
	return x.upgrade &&
		httpguts.HeaderValuesContainsToken(answer["Upgrade"], "websocket") &&
		httpguts.HeaderValuesContainsToken(answer["Connection"], "upgrade") &&
		len(key) == 1 && len(accept) == 1 && accept[0] == webSocketAccept(key[0])
}

// mistaken tells an answer that must not reach the client as it is: to an extended
// CONNECT every 2xx says that the tunnel is open.
func (x *exchange) mistaken(status int) bool {
	return x.stream != nil && status/100 == 2
}

func newWebSocketKey() string {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// webSocketAccept is what the server of a WebSocket answers to a key (RFC 6455 §4.2.2).
func webSocketAccept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see above
	return base64.StdEncoding.EncodeToString(sum[:])
}
