package ingress

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"

	"golang.org/x/net/http/httpguts"
)

// switchProtocols relays a WebSocket as raw bytes: no frame is parsed or buffered, so
// extensions, close codes and message sizes are the two ends' own affair (contract 04 D10).
func (x *exchange) switchProtocols(res *http.Response) error {
	upstream, ok := res.Body.(io.ReadWriteCloser)
	if !ok || !x.upgrade || !httpguts.HeaderValuesContainsToken(res.Header["Upgrade"], "websocket") {
		// Nobody asked for this (threat row B2).
		return errBrokenAnswer
	}
	header := x.w.Header()
	x.copyResponseHeader(res.Header)
	header["Connection"], header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}

	client, buffered, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return errBadUpgrade.Because(err)
	}
	defer func() { _ = client.Close() }()
	x.status = http.StatusSwitchingProtocols

	// From here on there is no HTTP answer to give: failures close both ends.
	if err := writeSwitch(buffered.Writer, header); err != nil {
		return nil
	}
	x.splice(client, buffered.Reader, upstream)
	return nil
}

func writeSwitch(w *bufio.Writer, header http.Header) error {
	// http.Response.Write is no help: it would add framing headers.
	if _, err := w.WriteString("HTTP/1.1 101 Switching Protocols\r\n"); err != nil {
		return err
	}
	if err := header.WriteSubset(w, map[string]bool{"Content-Length": true, "Transfer-Encoding": true, "Trailer": true}); err != nil {
		return err
	}
	if _, err := w.WriteString("\r\n"); err != nil {
		return err
	}
	return w.Flush()
}

// splice copies both ways until one side ends or the sandbox's generation does, and
// returns when both copies have ended.
func (x *exchange) splice(client net.Conn, fromClient *bufio.Reader, upstream io.ReadWriteCloser) {
	closeBoth := func() {
		_ = client.Close()
		_ = upstream.Close()
	}
	stop := context.AfterFunc(x.entry.Ctx, closeBoth)
	defer stop()

	up := make(chan struct{})
	go func() {
		defer close(up)
		copyCounted(upstream, fromClient, x.Metrics.received.Add)
		closeBoth()
	}()
	copyCounted(client, upstream, x.Metrics.sent.Add)
	closeBoth()
	<-up
}

func copyCounted(dst io.Writer, src io.Reader, count func(float64)) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := src.Read(*buf)
		if n > 0 {
			if _, err := dst.Write((*buf)[:n]); err != nil {
				return
			}
			count(float64(n))
		}
		if err != nil {
			return
		}
	}
}
