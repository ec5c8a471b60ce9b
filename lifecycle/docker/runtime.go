package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"

	"github.com/google/uuid"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hardening"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hostport"
	"github.com/opensandbox-edge/edge/lifecycle/image"
)

// Runtime is the lifecycle.Runtime on Docker Engine. It is safe for concurrent use.
type Runtime struct {
	opts    Options
	engine  *engine
	log     *slog.Logger
	meter   *meter
	profile hardening.Profile
	execd   *execdSource
	pulls   *puller
	volumes *mounter

	ports hostport.Book
	probe prober

	// background work ends when stop is called; Close waits for it.
	life       context.Context
	stop       context.CancelFunc
	background sync.WaitGroup
}

var _ lifecycle.Runtime = (*Runtime)(nil)

// New connects to the engine, checks what the options name there (network, OCI
// runtime, seccomp file), removes auxiliary leftovers of an earlier crash and, when the
// execd image is present, fills the shared volume. A missing execd image does not
// fail the start: existing sandboxes must be served; it is pulled in the background
// and a create that needs it says what is missing.
//
// An unusable engine is a 503 DOCKER::INITIALIZATION_ERROR that names DOCKER_HOST.
func New(ctx context.Context, opts Options) (*Runtime, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("docker runtime: %w", err)
	}
	profile, err := hardening.New(opts.Hardening)
	if err != nil {
		return nil, fmt.Errorf("docker runtime: %w", err)
	}
	execdImage, err := image.Parse(opts.ExecdImage)
	if err != nil {
		return nil, fmt.Errorf("docker runtime: runtime.execd_image %q is not an image reference: %w", opts.ExecdImage, err)
	}

	startup, cancel := context.WithTimeout(ctx, opts.APITimeout)
	defer cancel()
	measured := newMeter(opts.Logger)
	cli, err := connect(startup, opts.Host, measured)
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &Runtime{
		opts: opts, engine: cli, log: opts.Logger, meter: measured, profile: profile,
		probe: prober{gate: make(chan struct{}, 1)},
		life:  life, stop: stop,
	}
	r.pulls = newPuller(r)
	r.execd = &execdSource{runtime: r, image: execdImage, gate: make(chan struct{}, 1)}

	if err := r.checkEngine(startup); err != nil {
		_ = r.Close()
		return nil, err
	}
	r.sweepAuxiliaries(startup, auxiliaryAge)
	r.prepareExecd(startup)
	return r, nil
}

// Name implements lifecycle.Runtime.
func (r *Runtime) Name() string { return "docker" }

// Close stops background work and releases connections; sandboxes go on.
func (r *Runtime) Close() error {
	r.stop()
	r.background.Wait()
	var err error
	if r.volumes != nil {
		err = r.volumes.close()
	}
	return errors.Join(err, r.engine.Close())
}

// checkEngine verifies at start what would otherwise fail the first create.
func (r *Runtime) checkEngine(ctx context.Context) error {
	if r.opts.NetworkMode == networkHost {
		r.warnOfHost()
	}
	if userDefined(r.opts.NetworkMode) {
		if err := r.checkNetwork(ctx); err != nil {
			return err
		}
	}
	info, err := r.engine.Info(ctx)
	if err != nil {
		return engineError(ctx, err, codeInitialization, "asking about itself")
	}
	unenforced, err := r.profile.Check(info)
	if err != nil {
		return apierror.New(http.StatusServiceUnavailable, codeInitialization, "%v", err).Because(err)
	}
	if len(unenforced) > 0 {
		r.log.Warn("the engine cannot limit everything: sandboxes have no bound of their own for these", "unlimited", unenforced)
	}
	if r.pulls.disk, err = newDiskFloor(r.engine.local(), info.DockerRootDir, r.opts.PullMinFree); err != nil {
		r.log.Warn("the engine's disk cannot be seen from here: pulls begin however full it is (docker.pull_min_free)", "error", err)
	}
	r.volumes, err = newMounter(ctx, r, info.DockerRootDir)
	return err
}

// prepareExecd fills the volume now if that needs no download, else in the background.
func (r *Runtime) prepareExecd(ctx context.Context) {
	err := r.execd.ensure(ctx, PullNever)
	if err == nil {
		r.background.Go(func() { _ = r.findReach(r.life) }) // the next create waits for it
		return
	}
	if !errors.Is(err, errImageAbsent) {
		r.log.Error("preparing execd for sandboxes failed; the next create tries again", "image", r.opts.ExecdImage, "error", err)
		return
	}
	r.log.Warn("the execd image is not on the engine; pulling it", "image", r.opts.ExecdImage)
	r.background.Go(func() {
		if err := r.execd.ensure(r.life, PullMissing); err != nil && r.life.Err() == nil {
			r.log.Error("no sandbox can be created until the execd image is there: build it with `make images` or pull it",
				"image", r.opts.ExecdImage, "error", err)
		}
	})
}

// call bounds one engine call by the API timeout.
func (r *Runtime) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, r.opts.APITimeout)
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// containerName is the deterministic name of a sandbox's container. ok is false for an
// id that is no canonical UUID: such text must never reach an engine path.
func containerName(id string) (name string, ok bool) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id {
		return "", false
	}
	return "sandbox-" + id, true
}
