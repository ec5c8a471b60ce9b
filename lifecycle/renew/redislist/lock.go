package redislist

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/opensandbox-edge/edge/lifecycle/renew"
)

const (
	lockPrefix  = "opensandbox:renew:lock:" // + sandbox id (contract 04 §10.7)
	lockTimeout = time.Second
	// lockRest is how long Redis is not asked again after a failure.
	lockRest = 5 * time.Second
)

// errResting is answered without asking.
var errResting = errors.New("there was no answer from Redis a moment ago")

// Lock is a renew.Lock in Redis. Other servers of the same sandboxes leave a sandbox to
// whoever took its lock, for one interval; who has it keeps it.
type Lock struct {
	client *redis.Client
	nonce  string // tells our locks from others'
	rest   atomic.Int64
}

var _ renew.Lock = (*Lock)(nil)

// NewLock makes a Lock, to be closed.
func NewLock(d DSN, connections int) *Lock {
	return &Lock{client: connect(d, connections), nonce: rand.Text()}
}

// Close gives the connections back; the locks end by themselves.
func (l *Lock) Close() error { return l.client.Close() }

// Take implements renew.Lock.
func (l *Lock) Take(ctx context.Context, id string, interval time.Duration) (bool, error) {
	now := time.Now().UnixNano()
	if now < l.rest.Load() {
		return true, errResting
	}
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	var ours bool
	err := guarded(func() (err error) {
		ours, err = l.take(ctx, lockPrefix+id, max(interval, time.Second).Truncate(time.Second))
		return err
	})
	if err != nil {
		l.rest.Store(now + int64(lockRest))
		return true, err
	}
	return ours, nil
}

func (l *Lock) take(ctx context.Context, key string, interval time.Duration) (bool, error) {
	if taken, err := l.client.SetNX(ctx, key, l.nonce, interval).Result(); taken || err != nil {
		return taken, err
	}
	owner, err := l.client.Get(ctx, key).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return true, nil // it ended between the two
	case err != nil || owner != l.nonce:
		return false, err
	}
	return true, l.client.Expire(ctx, key, interval).Err()
}
