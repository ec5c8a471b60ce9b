package feed

import (
	"fmt"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/quote"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// resync is one stream's way into the directory. What a snapshot does not name is gone
// when the snapshot is complete, and not before: an unchanged sandbox keeps its
// generation over a reconnection, and with it its connections.
type resync struct {
	client *Client
	named  map[string]struct{} // by the snapshot being read; nil outside of one
	begun  bool
}

var errTooLarge = fmt.Errorf("the feed has more than %d sandboxes", maxEntries)

// take applies one line. An error ends the stream: the peer and we are not of one mind.
func (s *resync) take(l *line) error {
	c := s.client
	if !s.begun && l.Kind != kindSnapshot {
		return fmt.Errorf("the feed begins with %q instead of a snapshot", apierror.Clip(l.Kind))
	}
	switch l.Kind {
	case kindSnapshot:
		if l.Version != version {
			return fmt.Errorf("the feed has version %d, this gateway understands %d: run the same release on both", l.Version, version)
		}
		if !isName(l.Runtime, maxState) {
			return fmt.Errorf("the feed names no runtime")
		}
		c.runtime.Store(&l.Runtime)
		s.begun, s.named = true, make(map[string]struct{})
		return nil
	case kindEntry:
		if l.Entry == nil {
			return fmt.Errorf("the feed has an entry without one")
		}
		if s.named != nil {
			s.named[l.Entry.ID] = struct{}{}
			if len(s.named) > maxEntries {
				return errTooLarge
			}
		}
		if err := c.apply(l.Entry); err != nil {
			return err
		}
	case kindGone:
		c.writing.Lock()
		c.directory.Remove(l.ID, lifecycle.ErrGone)
		c.writing.Unlock()
		delete(s.named, l.ID)
	case kindSynced:
		c.forgetOthers(s.named)
		s.named = nil
		c.heard.Store(time.Now().UnixNano())
		if !c.synced.Swap(true) {
			c.log.Info("the sandboxes of the lifecycle server are known", "sandboxes", c.directory.Len())
			c.o.OnSynced()
			c.served.Store(true)
		}
	case kindBeat:
		if !l.Deaf {
			c.deaf.Store(0)
		} else if c.deaf.Load() == 0 {
			c.deaf.Store(time.Now().UnixNano())
		}
	}
	if s.named == nil {
		c.heard.Store(time.Now().UnixNano()) // within a snapshot what comes later may be long gone
	}
	return nil
}

// apply puts an entry into the directory. One that cannot be understood takes its
// sandbox's place away: serving what it replaces could be wrong, and serving a part of it
// could leave out an access check.
func (c *Client) apply(e *entry) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.put(e)
}

// put is apply for those who hold c.writing.
func (c *Client) put(e *entry) error {
	known, err := e.decode()
	if err != nil {
		c.refuse(e.ID, err)
		c.directory.Remove(e.ID, lifecycle.ErrGone)
		return nil
	}
	if _, exists := c.directory.Lookup(e.ID); !exists && c.directory.Len() >= maxEntries {
		return errTooLarge
	}
	c.confine(&known)
	if _, err := c.directory.Publish(known); err != nil {
		c.refuse(e.ID, err)
	}
	return nil
}

// confine drops published ports on loopback, which are this machine's, unless the
// lifecycle server is on this machine too.
func (c *Client) confine(e *lifecycle.Entry) {
	if c.local {
		return
	}
	for port, to := range e.Published {
		if to.Addr().Unmap().IsLoopback() {
			delete(e.Published, port)
		}
	}
}

func (c *Client) refuse(id string, err error) {
	c.metrics.refused.Inc()
	c.log.Warn("the feed has an entry that cannot be served as it is", "sandbox", apierror.Clip(id), "cause", quote.Error(err))
}

// forgetOthers removes what a complete snapshot did not name.
func (c *Client) forgetOthers(named map[string]struct{}) {
	if named == nil {
		return
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.directory.Range(func(e *lifecycle.Entry) bool {
		if _, ok := named[e.ID]; !ok {
			c.directory.Remove(e.ID, lifecycle.ErrGone)
		}
		return true
	})
}
