package docker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/uuid"

	"github.com/opensandbox-edge/edge/internal/backoff"
	"github.com/opensandbox-edge/edge/internal/identity"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Reach says how this server gets to sandboxes that have a network of their own.
type Reach string

const (
	// ReachAuto tries once per start whether an address on the sandboxes' network can be
	// reached, and has the engine publish ports if not. It is the default.
	ReachAuto Reach = "auto"
	// ReachAddress dials sandboxes at their addresses and publishes nothing.
	ReachAddress Reach = "address"
	// ReachPublished dials ports that the engine publishes: where sandboxes run in a
	// virtual machine, or on a network that this server is not on.
	ReachPublished Reach = "published"
)

const (
	probeTimeout = 5 * time.Second // for a container to be reached once it runs
	probeMemory  = 64 << 20
	probePids    = 64
)

// prober finds out whether this process reaches container addresses, once.
type prober struct {
	gate    chan struct{} // held while probing
	outcome atomic.Pointer[bool]
}

// viaPublished tells whether sandboxes are dialled by published ports, as far as known.
func (r *Runtime) viaPublished() bool {
	if r.opts.Reach != ReachAuto {
		return r.opts.Reach == ReachPublished
	}
	reached := r.probe.outcome.Load()
	return reached != nil && !*reached
}

// probes tells whether there is something to find out.
func (r *Runtime) probes() bool {
	return r.opts.Reach == ReachAuto && !r.opts.Publish && r.opts.NetworkMode != networkHost
}

// findReach probes unless that was done. A probe that told nothing is repeated by the next
// create; until then addresses are believed in, which is right nearly everywhere. The
// error is that of ctx.
func (r *Runtime) findReach(ctx context.Context) error {
	if !r.probes() || r.probe.outcome.Load() != nil {
		if r.opts.Reach != ReachAuto && r.meter.reachable.Load() == nil {
			r.meter.reachable.set(r.opts.Reach == ReachAddress)
		}
		return nil
	}
	select {
	case r.probe.gate <- struct{}{}:
		defer func() { <-r.probe.gate }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if r.probe.outcome.Load() != nil {
		return nil
	}
	began := time.Now()
	reached, err := r.tryAddress(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		r.log.Warn("whether sandboxes can be reached at their addresses could not be tried; the next create tries again", "network", r.opts.NetworkMode, "error", err)
		return nil
	case reached:
		r.log.Info("sandboxes are reached at their addresses", "network", r.opts.NetworkMode, "took", time.Since(began))
	default:
		r.log.Warn("sandboxes cannot be reached at their addresses from here; the engine publishes ports of new ones instead, see docker.reach and docker.publish_address",
			"network", r.opts.NetworkMode, "publish_address", r.opts.PublishAddress, "took", time.Since(began))
	}
	r.meter.reachable.set(reached)
	r.probe.outcome.Store(&reached)
	return nil
}

// tryAddress starts a container of the execd image on the sandboxes' network and asks its
// execd, as for a sandbox. An error says that nothing was learned.
func (r *Runtime) tryAddress(ctx context.Context) (reached bool, err error) {
	imageID, err := r.execd.imageID(ctx)
	if err != nil {
		return false, err
	}
	id := uuid.NewString()
	pids := int64(probePids)
	// Neighbours on the network must not use the daemon: no token has this digest.
	env := []string{wire.EnvSandboxID + "=" + id, wire.EnvExecdTokenSum + "=" + identity.Challenge() + identity.Challenge()}
	call, cancel := r.call(context.WithoutCancel(ctx))
	defer cancel()
	made, err := r.engine.ContainerCreate(call, &container.Config{
		Image: imageID, Entrypoint: []string{"/execd"}, Cmd: []string{}, Env: env,
		Labels: map[string]string{LabelAuxiliary: auxiliaryExecd, LabelInstance: r.opts.Instance},
	}, &container.HostConfig{
		NetworkMode: container.NetworkMode(r.opts.NetworkMode), CapDrop: []string{"ALL"},
		SecurityOpt: []string{"no-new-privileges:true"}, ReadonlyRootfs: true,
		Resources: container.Resources{Memory: probeMemory, MemorySwap: probeMemory, PidsLimit: &pids},
	}, nil, nil, "sandbox-execd-"+id)
	if err != nil {
		return false, err
	}
	defer r.discard(ctx, made.ID)
	if err := r.startOnce(ctx, made.ID); err != nil {
		return false, err
	}
	c, err := r.engine.ContainerInspect(call, made.ID)
	if err != nil {
		return false, err
	}
	if c.NetworkSettings == nil {
		return false, errors.New("the engine reports no network")
	}
	addr := r.address(r.opts.NetworkMode, c.NetworkSettings.Networks)
	if !addr.IsValid() {
		return false, errors.New("the engine reports no address")
	}
	last, err := r.ask(ctx, netip.AddrPortFrom(addr, wire.PortExecd))
	if err != nil || last == nil {
		return last == nil, err
	}
	// Only a daemon that runs and was not reached says something about the way to it.
	if c, err = r.engine.ContainerInspect(call, made.ID); err == nil && (c.State == nil || !c.State.Running) {
		err = fmt.Errorf("the container did not stay up: %w", last)
	}
	r.log.Debug("no answer from a container", "address", addr, "error", last)
	return false, err
}

// ask asks an execd until it answers or the time for it is over; last is then why not.
func (r *Runtime) ask(ctx context.Context, execd netip.AddrPort) (last, err error) {
	bounded, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	daemon, pauses := lifecycle.NewProber(), backoff.Backoff{First: time.Millisecond, Most: 100 * time.Millisecond}
	for {
		if last = daemon.Ping(bounded, lifecycle.Daemon{Address: execd}); last == nil {
			return nil, nil
		}
		if pauses.Wait(bounded) != nil {
			if ctx.Err() != nil {
				return last, context.Cause(ctx)
			}
			return last, nil
		}
	}
}
