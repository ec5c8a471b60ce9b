package ingress

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// cutGrace is how long a client that does not read may hold an exchange after its
// sandbox ended; streams end within one second (threat row A8).
const cutGrace = 500 * time.Millisecond

// cut ends an exchange with the generation of its sandbox. The upstream side ends at
// once; a handler that is stuck in a write to a slow client is freed a little later.
type cut struct {
	stop func() bool

	mu       sync.Mutex
	timer    *time.Timer
	client   *http.ResponseController
	released bool
	expired  bool
}

func (x *exchange) cutWith(e *lifecycle.Entry, cancel context.CancelCauseFunc) *cut {
	c := &cut{client: http.NewResponseController(x.w)}
	c.stop = context.AfterFunc(e.Ctx, func() {
		cancel(ended(e))
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.released {
			c.timer = time.AfterFunc(cutGrace, c.expire)
		}
	})
	return c
}

func (c *cut) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.released {
		return
	}
	c.expired = true
	_ = c.client.SetWriteDeadline(time.Now())
}

// release ends the watch. A deadline that came too late is taken back: the next request
// on this connection is not to blame.
func (c *cut) release() {
	c.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.released = true
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.expired {
		_ = c.client.SetWriteDeadline(time.Time{})
	}
}
