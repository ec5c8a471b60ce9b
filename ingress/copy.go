package ingress

import (
	"errors"
	"io"
	"net/http"

	"github.com/opensandbox-edge/edge/ingress/upstream"
	"github.com/opensandbox-edge/edge/internal/quote"
)

// relay streams the answer. From its first line on a failure can only be shown by
// cutting the client's connection (contract 04 D5), so it panics with
// http.ErrAbortHandler instead of returning an error.
func (x *exchange) relay(res *http.Response, body *requestBody) {
	x.copyResponseHeader(res.Header)
	announced := x.announceTrailers(res.Header, res.Trailer)
	if h := x.w.Header(); h["Content-Type"] == nil {
		h["Content-Type"] = nil // the server would guess one
	}
	x.closeIfUnread(body)
	x.status = res.StatusCode
	x.w.WriteHeader(res.StatusCode)

	if err := x.copyBody(res); err != nil {
		x.Logger.Debug("sandbox answer aborted", "sandbox_id", x.route.SandboxID, "port", x.route.Port,
			"cause", quote.Error(err), "request_id", x.decision.RequestID)
		x.Metrics.aborted.Inc()
		panic(http.ErrAbortHandler)
	}
	if len(res.Trailer) > 0 {
		// A body that is still in the server's buffer would get a Content-Length
		// and no trailers.
		_ = http.NewResponseController(x.w).Flush()
		x.copyTrailers(res.Header, res.Trailer, announced)
	}
}

// copyBody passes every piece on as soon as it is there. The last flush of an answer of
// known length is the server's own, when the handler returns.
func (x *exchange) copyBody(res *http.Response) error {
	flusher := http.NewResponseController(x.w)
	ahead, _ := res.Body.(interface{ Ready() bool })
	ready := func() bool { return ahead != nil && ahead.Ready() }
	if res.ContentLength < 0 && !ready() {
		// An event stream may stay silent for long after its head.
		if err := flush(flusher); err != nil {
			return err
		}
	}
	buf := upstream.NewPiece()
	defer buf.Free()
	var written int64
	for {
		n, err := res.Body.Read(buf[:])
		if n > 0 {
			if _, err := x.w.Write(buf[:n]); err != nil {
				return err
			}
			x.Metrics.sent.Add(float64(n))
			x.touchAgain()
			written += int64(n)
			if written != res.ContentLength && err != io.EOF && !ready() {
				if err := flush(flusher); err != nil {
					return err
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			_ = flush(flusher) // what came before the failure is the client's
			return err
		}
	}
}

func flush(c *http.ResponseController) error {
	if err := c.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
