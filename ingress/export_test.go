package ingress

import "time"

// SetPatience makes execd be awaited longer than on an idle machine.
func (u *Upstreams) SetPatience(d time.Duration) { u.patience = d }

// Failure is what a client is told of an error of the round trip.
var Failure = failure

// WebSocketAccept is what sandboxes of tests answer with.
var WebSocketAccept = webSocketAccept
