package auth

import (
	"context"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/ingress/forwarded"
	"github.com/opensandbox-edge/edge/ingress/route"
)

// Decision is what authentication found out about a request. Only this package's
// middleware makes one; a handler that needs it and finds none must fail closed.
type Decision struct {
	Route route.Verdict
	// Origin is where the request came from, as far as trusted proxies are believed.
	forwarded.Origin
	// Allowed tells that the API may be served: a valid key, or no key configured
	// (declared insecure mode). It is also false on public and sandbox routes
	// that carried no key.
	Allowed bool
	// KeyErr is the refusal that is due when a sandbox's daemon asks for no token of its
	// own: sandbox routes demand the key, and this request to the daemon had none. It is nil
	// in every other case.
	KeyErr *apierror.Error
	// KeyName names the matching key for logs and placeholders; "" without one.
	KeyName string
	// RequestID is the id that the response carries as X-Request-ID.
	RequestID string
}

type contextKey struct{}

// NewContext returns a context that carries d.
func NewContext(ctx context.Context, d *Decision) context.Context {
	return context.WithValue(ctx, contextKey{}, d)
}

// FromContext returns the decision made for this request, if authentication ran.
func FromContext(ctx context.Context) (*Decision, bool) {
	d, ok := ctx.Value(contextKey{}).(*Decision)
	return d, ok
}
