package docker

import (
	"context"
	"errors"
	"net/http"

	"github.com/containerd/errdefs"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/registryauth"
	"github.com/opensandbox-edge/edge/secret"
)

// PullPolicy says when the image of a new sandbox is pulled.
type PullPolicy string

const (
	// PullMissing pulls what the engine lacks. It is the default, and costs nothing where the
	// image is there.
	PullMissing PullPolicy = "missing"
	// PullAlways pulls before every create, so that a moved tag is followed.
	PullAlways PullPolicy = "always"
	// PullNever uses what the operator has put on the engine.
	PullNever PullPolicy = "never"
)

// admitImage does what has to come before a create: the pull of PullAlways, and the
// proof that a request may use an image that another's login pulled. An image of a
// snapshot was made here and is in no registry; whose it is, the service has checked.
func (r *Runtime) admitImage(ctx context.Context, p plan) error {
	switch {
	case p.spec.SnapshotID != "":
		return nil
	case r.opts.PullPolicy == PullAlways && !p.image.Local():
		return r.pullFor(ctx, p) // which proves the access, too
	case r.opts.CheckImageAccess:
		return r.mayUse(ctx, p)
	}
	return nil
}

// pullMissing is admitImage's counterpart after a create that did not find its image.
func (r *Runtime) pullMissing(ctx context.Context, p plan) error {
	if r.opts.PullPolicy == PullNever {
		return pullError(reasonPolicy, p.image, errImageAbsent)
	}
	return r.pullFor(ctx, p)
}

// pullFor pulls the image of a sandbox with the login that login finds.
func (r *Runtime) pullFor(ctx context.Context, p plan) error {
	p.spec.Notice.Tell(lifecycle.StepPulling)
	defer p.spec.Notice.Tell(lifecycle.StepCreating)
	platform := ""
	if p.platform != nil {
		platform = p.platform.OS + "/" + p.platform.Architecture
	}
	return r.pulls.pull(ctx, p.image, platform, r.login(ctx, p))
}

// login is the request's, or the server's where that is shared.
func (r *Runtime) login(ctx context.Context, p plan) secret.Text {
	login := registryauth.FromRequest(p.spec.ImageAuth)
	if !login.IsZero() || !r.opts.ShareRegistryAuth || p.image.Local() {
		return login
	}
	login, err := registryauth.FromServer(ctx, p.image.Registry)
	if err != nil {
		r.log.Warn("reading the server's registry logins failed; pulling without", "registry", p.image.Registry, "error", err)
	}
	return login
}

// mayUse asks the image's registry whether the request's login may read it. Images that
// came from no registry are everybody's. What the engine lacks is pulled here: a pull
// by somebody else, between this look and the create, must not stand for the proof.
func (r *Runtime) mayUse(ctx context.Context, p plan) error {
	call, cancel := r.call(ctx)
	defer cancel()
	found, err := r.engine.ImageInspect(call, p.image.Name)
	switch {
	case errdefs.IsNotFound(err):
		return r.pullMissing(ctx, p)
	case err != nil:
		return engineError(ctx, err, codePullFailed, "looking for the image")
	case len(found.RepoDigests) == 0:
		return nil
	case p.image.Local():
		return invalidParameter("image.uri: this server checks who may read an image, which an id does not tell; use the image's name.")
	}
	_, err = r.engine.DistributionInspect(call, p.image.Name, r.login(ctx, p).Reveal())
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return pullError(reasonTimeout, p.image, err)
	}
	r.log.Warn("a request may not use an image that is on the engine", "sandbox", p.spec.ID, "image", p.image.Name, "error", err)
	return apierror.New(http.StatusInternalServerError, codePullFailed,
		"The image %s is on the engine, but the registry does not let this request read it: %s", apierror.Clip(p.image.Name), classifyPull(err).hint()).Because(err)
}
