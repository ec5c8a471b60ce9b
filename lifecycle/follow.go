package lifecycle

import (
	"context"
	"sync"
)

// maxBehind is how many sandboxes a follower may have changes of in store. Beyond it one
// look at everything costs less, and no follower can make the directory grow.
const maxBehind = 4096

// audience are those who want to hear of changes. It is part of the Directory, whose
// writing lock guards it: a change and its announcement are one step, and nothing here
// waits. While nobody listens a write costs one look at two empty maps.
type audience struct {
	followers map[*Follower]struct{}
	waiting   map[string]*vigil
}

// vigil is the wait of any number of callers for the next change of one id.
type vigil struct {
	over    chan struct{}
	callers int
}

// announce tells that the entry of id is another one, or none, now. d.writing is held.
func (d *Directory) announce(id string) {
	for f := range d.audience.followers {
		f.note(id)
	}
	if v := d.audience.waiting[id]; v != nil {
		delete(d.audience.waiting, id)
		close(v.over)
	}
}

// Await returns as soon as the directory's entry of id is not the one given; nil stands
// for "there is none". It polls nothing. The error is the cause of ctx.
func (d *Directory) Await(ctx context.Context, id string, not *Entry) error {
	d.writing.Lock()
	if now, _ := d.Lookup(id); now != not {
		d.writing.Unlock()
		return nil
	}
	v := d.audience.waiting[id]
	if v == nil {
		v = &vigil{over: make(chan struct{})}
		if d.audience.waiting == nil {
			d.audience.waiting = make(map[string]*vigil)
		}
		d.audience.waiting[id] = v
	}
	v.callers++
	d.writing.Unlock()

	select {
	case <-v.over:
		return nil
	case <-ctx.Done():
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	if v.callers--; v.callers == 0 && d.audience.waiting[id] == v {
		delete(d.audience.waiting, id)
	}
	return context.Cause(ctx)
}

// Follower hears of every change of a Directory. Changes of one id that it has not
// fetched yet are one. Writers never wait for it: when it falls too far behind it is told
// to look at everything again. One goroutine uses it; Close ends it.
type Follower struct {
	directory *Directory
	limit     int
	wake      chan struct{} // capacity 1

	mu      sync.Mutex
	changed map[string]struct{}
	resync  bool
}

// Follow begins to follow. The first Next asks for a look at everything.
func (d *Directory) Follow() *Follower { return d.follow(maxBehind) }

func (d *Directory) follow(limit int) *Follower {
	f := &Follower{directory: d, limit: limit, wake: make(chan struct{}, 1), resync: true}
	f.wake <- struct{}{}
	d.writing.Lock()
	defer d.writing.Unlock()
	if d.audience.followers == nil {
		d.audience.followers = make(map[*Follower]struct{})
	}
	d.audience.followers[f] = struct{}{}
	return f
}

// Next waits for changes and returns the ids whose entries are to be looked up again,
// in no order; what Lookup says then is at least as new as the change. With resync all
// entries are to be read, and everything else forgotten. The error is the cause of ctx.
func (f *Follower) Next(ctx context.Context) (ids []string, resync bool, err error) {
	select {
	case <-f.wake:
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	resync, f.resync = f.resync, false
	for id := range f.changed {
		ids = append(ids, id)
	}
	f.changed = nil
	return ids, resync, nil
}

// Close ends following. It may be called more than once.
func (f *Follower) Close() {
	f.directory.writing.Lock()
	defer f.directory.writing.Unlock()
	delete(f.directory.audience.followers, f)
}

// note takes in a change. It never blocks: Next holds f.mu for a few map operations.
func (f *Follower) note(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.resync: // it will see this one too
	case len(f.changed) >= f.limit:
		f.changed, f.resync = nil, true
	default:
		if f.changed == nil {
			f.changed = make(map[string]struct{})
		}
		f.changed[id] = struct{}{}
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}
