package docker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"
	"time"

	dockerimage "github.com/docker/docker/api/types/image"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/backoff"
	"github.com/opensandbox-edge/edge/lifecycle/image"
	"github.com/opensandbox-edge/edge/secret"
)

// puller downloads images: one download per image, platform and login however many
// sandboxes wait for it, a bounded number of downloads at once. A download whose last
// waiter has left is cancelled.
type puller struct {
	runtime *Runtime
	slots   chan struct{}
	timeout time.Duration // of one download
	disk    diskFloor

	mu      sync.Mutex
	flights map[string]*flight
}

// flight is one download and those who wait for it.
type flight struct {
	waiters int
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // set before done is closed
}

func newPuller(r *Runtime) *puller {
	return &puller{runtime: r, slots: make(chan struct{}, r.opts.MaxPulls), timeout: r.opts.PullTimeout, flights: make(map[string]*flight)}
}

// pull downloads i. platform is empty or "os/arch". The error is typed, or the caller's
// own context's.
func (p *puller) pull(ctx context.Context, i image.Reference, platform string, login secret.Text) error {
	if i.Local() {
		return pullError(reasonNotFound, i, fmt.Errorf("an image id cannot be pulled"))
	}
	// Logins are part of the key: a caller with wrong credentials neither rides on
	// nor breaks another's download.
	key := fmt.Sprintf("%s\n%s\n%x", i.Name, platform, sha256.Sum256([]byte(login.Reveal())))

	p.mu.Lock()
	f, running := p.flights[key]
	if !running {
		life, cancel := context.WithTimeout(p.runtime.life, p.timeout)
		f = &flight{cancel: cancel, done: make(chan struct{})}
		p.flights[key] = f
		p.runtime.background.Go(func() {
			err := p.download(life, i, platform, login)
			cancel()
			p.mu.Lock()
			if p.flights[key] == f {
				delete(p.flights, key)
			}
			p.mu.Unlock()
			f.err = err
			close(f.done)
		})
	}
	f.waiters++
	p.mu.Unlock()

	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		p.mu.Lock()
		if f.waiters--; f.waiters == 0 {
			f.cancel()
			// A newcomer must start its own download, not join the dying one.
			if p.flights[key] == f {
				delete(p.flights, key)
			}
		}
		p.mu.Unlock()
		return context.Cause(ctx)
	}
}

// pullAttempts and pullPause are for failures on the way to the registry; an answer of
// the registry is final.
const (
	pullAttempts = 3
	pullPause    = 500 * time.Millisecond
)

func (p *puller) download(ctx context.Context, i image.Reference, platform string, login secret.Text) error {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return pullError(reasonTimeout, i, ctx.Err())
	}
	if err := p.disk.check(); err != nil {
		p.runtime.log.Error("no image is pulled until the engine's disk has room", "image", i.Name, "error", err)
		return pullError(reasonDiskFull, i, err)
	}
	pauses := backoff.Backoff{First: pullPause, Most: pullAttempts * pullPause}
	for attempt := 1; ; attempt++ {
		start := time.Now()
		err := p.once(ctx, i, platform, login)
		if err == nil {
			p.runtime.log.Info("pulled image", "image", i.Name, "platform", platform, "took", time.Since(start).Round(time.Millisecond))
			return nil
		}
		reason := classifyPull(err)
		if ctx.Err() != nil {
			reason = reasonTimeout
		}
		p.runtime.log.Warn("pulling image failed", "image", i.Name, "platform", platform, "reason", string(reason), "attempt", attempt, "error", err)
		if reason != reasonNetwork || attempt == pullAttempts {
			return pullError(reason, i, err)
		}
		if err := pauses.Wait(ctx); err != nil {
			return pullError(reasonTimeout, i, err)
		}
	}
}

// once runs one pull to the end of its progress stream, where most failures are reported.
func (p *puller) once(ctx context.Context, i image.Reference, platform string, login secret.Text) error {
	stream, err := p.runtime.engine.ImagePull(ctx, i.Name, dockerimage.PullOptions{RegistryAuth: login.Reveal(), Platform: platform})
	if err != nil {
		return err
	}
	defer stream.Close()
	return readProgress(stream)
}

// pullError is the client's view of a failed pull (contract 02 §4): the code and status
// are the contract's, the reason is in the text, the engine's words stay in the log.
func pullError(reason pullReason, i image.Reference, cause error) error {
	if reason == reasonPlatform {
		return invalidParameter("The image %s is not available for the requested platform.", apierror.Clip(i.Name)).Because(cause)
	}
	return apierror.New(http.StatusInternalServerError, codePullFailed, "The image %s could not be pulled: %s", apierror.Clip(i.Name), reason.hint()).Because(cause)
}
