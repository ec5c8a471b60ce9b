package ingress

import (
	"bufio"
	"io"
	"net/http"
)

// switchProtocols relays a WebSocket as raw bytes: no frame is parsed or buffered, so
// extensions, close codes and message sizes are the two ends' own affair (contract 04 D10).
func (x *exchange) switchProtocols(res *http.Response) error {
	upstream, ok := res.Body.(io.ReadWriteCloser)
	if !ok || !x.switched(res.Header) {
		return errBrokenAnswer
	}
	for _, name := range [...]string{"Content-Length", "Transfer-Encoding", "Trailer"} {
		delete(res.Header, name) // it is no message that follows
	}
	if x.stream != nil {
		return x.openStream(res.Header, upstream)
	}
	return x.hijack(res.Header, upstream)
}

// hijack answers over HTTP/1.1 and carries the bytes of the connection.
func (x *exchange) hijack(answer http.Header, upstream io.ReadWriteCloser) error {
	header := x.w.Header()
	x.copyResponseHeader(answer)
	header["Connection"], header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}

	conn, buffered, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return errBadUpgrade.Because(err)
	}
	x.status = http.StatusSwitchingProtocols
	client := &clientConn{Conn: conn, buffered: buffered.Reader}
	defer client.abort()

	// From here on there is no HTTP answer to give: failures close both ends.
	if err := writeSwitch(buffered.Writer, header); err != nil {
		return nil
	}
	_ = x.splice(client, upstream)
	return nil
}

func writeSwitch(w *bufio.Writer, header http.Header) error {
	// http.Response.Write is no help: it would add framing headers.
	if _, err := w.WriteString("HTTP/1.1 101 Switching Protocols\r\n"); err != nil {
		return err
	}
	if err := header.Write(w); err != nil {
		return err
	}
	if _, err := w.WriteString("\r\n"); err != nil {
		return err
	}
	return w.Flush()
}

// openStream answers an extended CONNECT and carries the bytes of its stream. A WebSocket
// that breaks resets the stream; one that ends, ends it (RFC 8441 §5).
func (x *exchange) openStream(answer http.Header, upstream io.ReadWriteCloser) error {
	x.copyResponseHeader(answer)
	delete(x.w.Header(), "Sec-Websocket-Accept")
	x.status = http.StatusOK
	x.w.WriteHeader(http.StatusOK)

	client := &clientStream{body: x.stream, w: x.w, rc: http.NewResponseController(x.w)}
	if err := client.rc.Flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
	if err := x.splice(client, upstream); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}
