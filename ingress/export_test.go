package ingress

import (
	"time"

	"github.com/opensandbox-edge/edge/ingress/upstream"
)

// NewPatientUpstreams make execd be awaited longer than on an idle machine.
func NewPatientUpstreams(d Directory, patience time.Duration) *Upstreams {
	return upstream.New(upstream.Options{Confirm: d.Confirm, ExecdPatience: patience})
}

// Failure is what a client is told of an error of the round trip.
var Failure = failure

// WebSocketAccept is what sandboxes of tests answer with.
var WebSocketAccept = webSocketAccept
