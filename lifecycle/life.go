package lifecycle

import (
	"context"
	"sync"
	"sync/atomic"
)

// life is one generation of a sandbox. Its context is made when somebody asks for it: at
// any one time that is nobody for most of very many sandboxes.
type life struct {
	over atomic.Bool

	mu     sync.Mutex
	cause  error // why it is over
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (l *life) context() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil {
		l.ctx, l.cancel = context.WithCancelCause(context.Background())
		if l.cause != nil {
			l.cancel(l.cause)
		}
	}
	return l.ctx
}

// ended is nil while the generation lives.
func (l *life) ended() error {
	if !l.over.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// end ends the generation; the first cause counts.
func (l *life) end(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		return
	}
	l.cause = cause
	l.over.Store(true)
	if l.cancel != nil {
		l.cancel(cause)
	}
}
