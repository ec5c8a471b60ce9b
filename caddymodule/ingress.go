package caddymodule

import (
	"context"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/caddymodule/listener"
	"github.com/opensandbox-edge/edge/ingress/lane"
	"github.com/opensandbox-edge/edge/ingress/route"
)

func init() {
	caddy.RegisterModule(new(Ingress))
	httpcaddyfile.RegisterHandlerDirective("opensandbox_ingress", parseIngress)
}

// streamIdle is how long a WebSocket over HTTP/2 or HTTP/3 may rest, in place of the
// server's stall timeout. Content that a client has announced may not, for longer than in
// the lane.
const streamIdle = 24 * time.Hour

// clientStall is how long one write to a client that does not read may take, in place of
// the server's timeout: between writes no time counts.
const clientStall = listener.StallTimeout

// Ingress carries requests into sandboxes: /sandboxes/{id}/proxy/{port}/…, and the
// wildcard, uri and header routes that the TOML file turns on. Other requests go to
// the next handler.
//
// Like opensandbox_lifecycle it needs the decision of opensandbox_auth.
//
// Caddyfile:
//
//	opensandbox_ingress {
//		alone
//	}
type Ingress struct {
	// Alone tells that requests into sandboxes are for no other handler, on any host of this
	// server: nothing before this handler but opensandbox_auth and opensandbox_lifecycle has
	// to see them. Then a plain HTTP/1.1 connection that has carried one stays with the
	// proxy for those that follow, unless ingress.keep_clients is false: faster, and
	// not touched by reloads. Requests that are not for a sandbox go back to the server.
	Alone bool `json:"alone,omitempty"`

	app *App
}

// CaddyModule returns the Caddy module information.
func (*Ingress) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.opensandbox_ingress", New: func() caddy.Module { return new(Ingress) }}
}

// Provision finds the app.
func (i *Ingress) Provision(ctx caddy.Context) (err error) {
	if i.app, err = appOf(ctx, "opensandbox_ingress"); err != nil {
		return err
	}
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && i.Alone {
		i.app.settings.keepClients(ctx, server)
	}
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (i *Ingress) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	decision, decided := auth.FromContext(r.Context())
	if !decided {
		return refuseUndecided(i.app, w, r, "opensandbox_ingress")
	}
	if decision.Route.Class != route.Proxy && decision.Route.Class != route.Gateway {
		return next.ServeHTTP(w, r)
	}
	e := i.app.edge()
	if e == nil {
		apierror.Answer(w, r, errNotReady)
		return nil
	}
	if !reserved(r) && e.takeOver(i.app.state(), w, r) {
		return nil
	}
	lifted := new(liftedTimeouts)
	defer lifted.restore()
	e.ingress.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), liftedKey{}, lifted)))
	return nil
}

// liftedTimeouts are the server's stall timeouts that a request has been freed from.
type liftedTimeouts struct{ undo []func() }

type liftedKey struct{}

// liftTimeouts is called once access to the sandbox is granted: until then the server's
// own stall timeouts guard against slow strangers.
func liftTimeouts(_ http.ResponseWriter, r *http.Request) {
	lifted, ok := r.Context().Value(liftedKey{}).(*liftedTimeouts)
	if !ok {
		return
	}
	reader, writer := caddyhttp.IdleTimeoutsFromContext(r.Context())
	if reader != nil {
		idle := streamIdle
		if r.ContentLength != 0 {
			idle = lane.ContentTimeout
		}
		lifted.undo = append(lifted.undo, reader.Override(idle, 0))
	}
	if writer != nil {
		lifted.undo = append(lifted.undo, writer.Override(clientStall, 0, 0))
	}
}

// restore puts the server's timeouts back, for what net/http does after the handler.
func (l *liftedTimeouts) restore() {
	for _, undo := range l.undo {
		undo()
	}
}

func parseIngress(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	i := new(Ingress)
	return i, i.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens.
func (i *Ingress) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the directive's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "alone" {
			return d.Errf("%q is not an option here: there is only alone; the rest belongs into the TOML file", d.Val())
		}
		if d.NextArg() {
			return d.ArgErr()
		}
		i.Alone = true
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Ingress)(nil)
	_ caddyhttp.MiddlewareHandler = (*Ingress)(nil)
	_ caddyfile.Unmarshaler       = (*Ingress)(nil)
)
