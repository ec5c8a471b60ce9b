package caddymodule

import (
	"context"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/lifecycle/api"
	"github.com/opensandbox-edge/edge/lifecycle/feed"
)

func init() {
	caddy.RegisterModule(new(Lifecycle))
	httpcaddyfile.RegisterHandlerDirective("opensandbox_lifecycle", parseLifecycle)
}

// Lifecycle serves the lifecycle API, the health endpoints and the documentation pages.
// Requests for sandboxes go to the next handler; paths that are nothing are 404.
//
// It serves only what opensandbox_auth has decided about. Where that handler is missing,
// ordered after this one, or kept from a request by a matcher, every request is answered
// with 500 and a log line (threat row R2).
//
// Caddyfile:
//
//	opensandbox_lifecycle
type Lifecycle struct {
	app *App
}

// CaddyModule returns the Caddy module information.
func (*Lifecycle) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.opensandbox_lifecycle", New: func() caddy.Module { return new(Lifecycle) }}
}

// Provision finds the app.
func (l *Lifecycle) Provision(ctx caddy.Context) (err error) {
	l.app, err = appOf(ctx, "opensandbox_lifecycle")
	return err
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (l *Lifecycle) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if _, decided := auth.FromContext(r.Context()); !decided {
		return refuseUndecided(l.app, w, r, "opensandbox_lifecycle")
	}
	if !api.Handles(r) {
		return next.ServeHTTP(w, r)
	}
	e := l.app.edge()
	if e == nil {
		apierror.Write(w, errNotReady)
		return nil
	}
	if gateways := e.parts.source.feed(); gateways != nil && feed.Handles(r) {
		lifted := new(liftedTimeouts)
		defer lifted.restore()
		r = r.WithContext(context.WithValue(r.Context(), liftedKey{}, lifted))
		liftTimeouts(w, r) // a stream of changes may be silent in one direction for ever
		gateways.ServeHTTP(w, r)
		return nil
	}
	boundBody(w, r, bodyTimeout)
	e.api.ServeHTTP(w, r)
	return nil
}

// errNotReady is answered until the restore is complete.
var errNotReady = apierror.New(http.StatusServiceUnavailable, "GENERAL::NOT_READY",
	"The server is still starting; try again shortly.").Retry(2)

// refuseUndecided fails closed: no verdict, no service.
func refuseUndecided(app *App, w http.ResponseWriter, r *http.Request, handler string) error {
	app.log.Error("request refused: opensandbox_auth did not run before "+handler+"; put it in front, without a matcher",
		"method", r.Method, "request_id", auth.EnsureRequestID(w.Header(), r))
	apierror.Write(w, auth.Undecided)
	return nil
}

func parseLifecycle(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	l := new(Lifecycle)
	return l, l.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens; it takes none.
func (l *Lifecycle) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// Interface guards
var (
	_ caddy.Provisioner           = (*Lifecycle)(nil)
	_ caddyhttp.MiddlewareHandler = (*Lifecycle)(nil)
	_ caddyfile.Unmarshaler       = (*Lifecycle)(nil)
)
