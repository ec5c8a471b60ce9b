package ingress

import (
	"time"

	"github.com/opensandbox-edge/edge/ingress/upstream"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Tests do not wait for seconds to see a stream touch its sandbox again.
func init() { retouch, uploadCounts = 5*time.Millisecond, 50*time.Millisecond }

// Nor to see that a client has left.
func init() { attention = 50 * time.Millisecond }

// NewPatientUpstreams make execd be awaited longer than on an idle machine.
func NewPatientUpstreams(d Directory, patience time.Duration) *upstream.Pools {
	return upstream.New(upstream.Options{Confirm: d.Confirm, ExecdPatience: patience})
}

// Failure is what a client is told of an error of the round trip.
var Failure = failure

// WebSocketAccept is what sandboxes of tests answer with.
var WebSocketAccept = webSocketAccept

// TouchAgainForTest returns what a copy loop does for every piece of a stream.
func TouchAgainForTest(e *lifecycle.Entry) func() {
	x := new(exchange)
	x.touches.to, x.touches.entry, x.touches.began = nobody{}, e, time.Now()
	x.touches.next.Store(int64(time.Hour))
	x.touches.phase.Store(touchPieces)
	return x.touchAgain
}

type nobody struct{}

func (nobody) Touch(*lifecycle.Entry, uint16, string) {}
