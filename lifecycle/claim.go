package lifecycle

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/image"
)

// extensionPool names a pool to take the sandbox from (contract 01 §6.6).
const extensionPool = "poolRef"

// What published clients send when their user asked for nothing (contract 01 §17.1). In a
// claim it is no wish.
var (
	clientEntrypoint = []string{"tail", "-f", "/dev/null"}
	clientResources  = map[string]string{"cpu": "1", "memory": "2Gi"}
)

// reservedEnv are the names that steer the daemon of a sandbox. It runs already when a
// claim comes, so that none of them could be honoured.
var reservedEnv = []string{"EXECD_", "OPENSANDBOX_"}

// maxClaimEnv bounds the variables of one claim, in bytes: they reach the sandbox as one
// text, for which Linux has 128 KiB.
const maxClaimEnv = 96 << 10

// checkPool is the rule of creates that name a pool: its members exist, and what cannot be
// changed of a started sandbox is refused.
func (s *Service) checkPool(c *checked, _ time.Time) error {
	c.pool = strings.TrimSpace(c.request.Extensions[extensionPool])
	if c.pool == "" {
		return nil
	}
	if s.o.Pools == nil {
		return apierror.New(http.StatusBadRequest, codePoolRef, "extensions.poolRef: the %s runtime has no pools; create from an image.", s.o.Runtime.Name())
	}
	template, err := s.o.Pools.Template(c.pool)
	if err != nil {
		return err
	}
	r := &c.request
	switch {
	case strings.TrimSpace(r.SnapshotID) != "":
		return fixed("snapshotId")
	case r.NetworkPolicy:
		return fixed("networkPolicy")
	case r.CredentialProxy:
		return fixed("credentialProxy")
	case r.Platform != nil:
		return fixed("platform")
	case len(r.Volumes) > 0:
		return fixed("volumes")
	case r.ImageAuth != nil:
		return fixed("image.auth")
	case !sameImage(r.Image, template.Image):
		return invalid("image: the sandboxes of pool %q are made from %q; leave image out or name that one.", c.pool, template.Image)
	case !sameResources(r.Resources, template.Resources):
		return fixed("resourceLimits")
	}
	r.Image, r.Resources = template.Image, template.Resources
	if err := claimEnv(r.Env); err != nil {
		return err
	}
	c.launch = r.Entrypoint
	if slices.Equal(r.Entrypoint, clientEntrypoint) || slices.Equal(r.Entrypoint, template.Entrypoint) {
		c.launch = nil // it, or its like, runs already
	}
	if r.Entrypoint == nil {
		r.Entrypoint = []string{}
	}
	return nil
}

func fixed(member string) error {
	return invalid("%s: a sandbox from a pool has what the pool's template says; leave it out, or create from an image.", member)
}

func sameImage(asked, has string) bool {
	if strings.TrimSpace(asked) == "" {
		return true
	}
	a, err := image.Parse(strings.TrimSpace(asked))
	b, other := image.Parse(has)
	return err == nil && other == nil && a.Name == b.Name
}

func sameResources(asked, has map[string]string) bool {
	if len(asked) == 0 || equalMaps(asked, clientResources) {
		return true
	}
	a, _, err := parseLimits(asked)
	b, _, other := parseLimits(has)
	return err == nil && other == nil && a == b
}

func equalMaps(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// claimEnv refuses the variables that execd's env file cannot carry as they are: it has a
// line for each, trims it and expands references (contract 06 §6.5).
func claimEnv(env []EnvVar) error {
	size := 0
	for _, v := range env {
		if err := v.Check(); err != nil {
			return err
		}
		size += len(v.Name) + len(v.Value) + 2
		name := apierror.Clip(v.Name)
		switch {
		case hasPrefix(v.Name, reservedEnv):
			return invalid("env: %q is reserved for the server; remove it.", name)
		case v.Name != strings.TrimSpace(v.Name) || v.Name[0] == '#':
			return invalid("env: %q is not a name that a sandbox from a pool can be given.", name)
		case v.Value != strings.TrimSpace(v.Value) || strings.ContainsAny(v.Value, "\n\r$"):
			return invalid("env: the value of %q has a \"$\", a line break or space around it, which a sandbox from a pool cannot be given; write it into a file instead, or create from an image.", name)
		case size > maxClaimEnv:
			return invalid("env: more than %d bytes.", maxClaimEnv)
		}
	}
	return nil
}

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// errUnfit says that a member could not be handed out; another one may be.
var errUnfit = errors.New("the member does not run any more")

// claim answers a create that names a pool: with a member, or with a sandbox made as one
// would be where the pool has none left and allows it. chosen hears of the sandbox before
// it is the claim's. The gate is the caller's.
func (s *Service) claim(ctx context.Context, c checked, begin time.Time, chosen func(id string) error) (Sandbox, error) {
	if !s.pending.enter(c.request.Client, s.o.MaxPendingCreates) {
		s.metrics.refused.Inc()
		return Sandbox{}, apierror.New(http.StatusTooManyRequests, codeTooMany, "Too many sandboxes are being created. Try again.").Retry(1)
	}
	defer s.pending.leave(c.request.Client)
	for {
		place, err := s.o.Pools.Take(c.pool)
		if err != nil {
			s.metrics.refused.Inc()
			return Sandbox{}, err
		}
		path := pathPool
		if place.Cold {
			path = pathCold
			if err := s.AddMember(ctx, place); err != nil {
				s.metrics.createdBy(path, s.RuntimeName(), s.clock.Now().Sub(begin), err)
				return Sandbox{}, err
			}
		}
		sb, err := s.handOut(ctx, place.ID, c, chosen)
		if errors.Is(err, errUnfit) && !place.Cold && ctx.Err() == nil {
			continue // one that was made for the claim and ended at once would end again
		}
		took := s.clock.Now().Sub(begin)
		s.metrics.createdBy(path, s.RuntimeName(), took, err)
		if err != nil {
			s.log.WarnContext(ctx, "sandbox not claimed", "sandbox", place.ID, "pool", c.pool, "error", err)
			return Sandbox{}, s.backendError(err, "SANDBOX_START_FAILED", "The sandbox from the pool could not be handed out")
		}
		s.log.InfoContext(ctx, "sandbox claimed", "sandbox", place.ID, "pool", c.pool, "path", path, "took", took)
		return sb, nil
	}
}

// handOut makes a member the claim's. Whatever fails, it is nobody's afterwards and is
// removed: a sandbox that one client may have touched is no other's.
func (s *Service) handOut(ctx context.Context, id string, c checked, chosen func(id string) error) (Sandbox, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(ErrClosed) })()
	u, err := s.known(id)
	if err != nil {
		s.o.Pools.Gone(id)
		return Sandbox{}, errUnfit
	}
	if err := u.acquire(context.WithoutCancel(ctx)); err != nil {
		return Sandbox{}, err
	}
	defer s.release(u)
	if u.gone {
		return Sandbox{}, errUnfit
	}
	var sb Sandbox
	if err = chosen(id); err == nil {
		sb, err = s.become(ctx, u, c, cancel)
	}
	if err == nil {
		return sb, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(err, cause)
	}
	if !u.gone {
		s.undo(ctx, u, causeCreate)
	}
	return Sandbox{}, err
}

// become turns a member into the claim's sandbox. The caller holds the lock and cleans up.
func (s *Service) become(ctx context.Context, u *tracked, c checked, abort context.CancelCauseFunc) (Sandbox, error) {
	if s.stream.downFor() > staleAfter {
		// It may have ended unheard, and its address be another's by now (threat row K9).
		if err := s.inspect(ctx, u); err != nil {
			return Sandbox{}, err
		}
	}
	v, ended := u.view.Load(), u.ended.Load()
	if u.gone || u.stale.Load() || v.record.Phase != Live || v.status.State != Running {
		return Sandbox{}, errUnfit
	}
	now := s.clock.Now()
	record := c.claimed(v.record, now)
	equips := len(c.request.Env) > 0 || len(c.launch) > 0
	if equips {
		record.Phase = Creating // a restart removes it: nobody has been told of it
	}
	if err := s.record(ctx, record); err != nil {
		return Sandbox{}, err
	}
	u.abort = abort
	u.view.Store(v.withRecord(record))
	u.member.Store(false)
	if equips {
		if err := s.equip(ctx, u, c); err != nil {
			return Sandbox{}, err
		}
		record.Phase = Live
		if err := s.save(ctx, record); err != nil {
			return Sandbox{}, err
		}
		u.view.Store(u.view.Load().withRecord(record))
	}
	s.note(u, occurredReady, "A client claimed it from a pool; it can be used.")
	s.arm(u)
	if errors.Is(s.publish(u, ended), errOutdated) {
		if err := s.inspect(ctx, u); err != nil {
			return Sandbox{}, err
		}
		if u.gone {
			return Sandbox{}, errUnfit
		}
	}
	return u.view.Load().sandbox().clone(), nil
}

// record writes a claim durably, and measures it.
func (s *Service) record(ctx context.Context, r Record) error {
	begin := s.clock.Now()
	err := s.o.Pools.Claim(ctx, r)
	s.metrics.stored(ctx, "claim", s.clock.Now().Sub(begin), err)
	return err
}

func (s *Service) equip(ctx context.Context, u *tracked, c checked) error {
	e := s.entry(u.view.Load())
	confine(&e)
	d, ok := e.daemon()
	if !ok {
		return errors.New("the member has no address")
	}
	if d.MustProve {
		if err := s.o.Prober.Ping(ctx, d); err != nil {
			return err
		}
	}
	eq := Equipment{Execd: d, Env: c.request.Env, Entrypoint: c.launch}
	if u.view.Load().record.ExecdToken {
		eq.Token = DeriveExecdToken(s.o.Secret, u.id)
	}
	return s.o.Pools.Equip(ctx, eq)
}

// claimed is the record of a member as a claim makes it. Its life begins with the claim.
func (c checked) claimed(member Record, now time.Time) Record {
	r := member.Clone()
	r.CreatedAt = stamp(now)
	r.Metadata, r.Entrypoint = c.request.Metadata, c.request.Entrypoint
	r.RenewExtend, r.RenewMax, r.IdleTimeout = c.access.extend, c.access.max, c.access.idle
	r.SecureAccess = c.request.SecureAccess
	if c.request.Timeout > 0 {
		r.ExpiresAt = stamp(now.Add(c.request.Timeout))
	}
	r.IdleUntil = r.idleUntil(now, 0)
	return r.Clone()
}
