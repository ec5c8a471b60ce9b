package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/caddymodule/listener"
)

func init() {
	caddy.RegisterModule(new(Auth))
	httpcaddyfile.RegisterHandlerDirective("opensandbox_auth", parseAuth)
	// All three stand before reverse_proxy, in this order; each registration puts its
	// directive directly in front of it.
	for _, directive := range []string{"opensandbox_auth", "opensandbox_lifecycle", "opensandbox_ingress"} {
		httpcaddyfile.RegisterDirectiveOrder(directive, httpcaddyfile.Before, "reverse_proxy")
	}
}

// Auth classifies each request once, gives it a request id, answers CORS questions for
// the API, and demands the API key where the class needs it. The lifecycle and ingress
// handlers behind it act on its decision and serve nothing without one.
//
// It sets the placeholders {opensandbox.key.name} (which key was used),
// {opensandbox.sandbox.id} and {opensandbox.route.form} (direct, wildcard, uri or header),
// each empty when there is none.
//
// Caddyfile:
//
//	opensandbox_auth
type Auth struct {
	app *App
}

// CaddyModule returns the Caddy module information.
func (*Auth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.opensandbox_auth", New: func() caddy.Module { return new(Auth) }}
}

// Provision finds the app.
func (a *Auth) Provision(ctx caddy.Context) (err error) {
	a.app, err = appOf(ctx, "opensandbox_auth")
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		server.RegisterConnState(listener.Follow)
		server.RegisterConnContext(rememberConn)
	}
	return err
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (a *Auth) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if s := a.app.state(); s != nil {
		s.inflight.Enter()
		defer s.inflight.Leave()
	}
	authenticator := a.app.effective().authenticator
	admitted, refused := authenticator.Admit(w, r)
	if refused != nil {
		describe(r, &auth.Decision{RequestID: auth.EnsureRequestID(w.Header(), r)})
		boundBody(w, r, restTimeout)
		authenticator.Refuse(w, r, refused)
		thin(w, r)
		return nil
	}
	decision, _ := auth.FromContext(admitted.Context())
	describe(r, decision)
	err := next.ServeHTTP(w, admitted)
	if decision.KeyName == "" {
		thin(w, r)
	}
	return err
}

// describe adds what is known about the request to its log lines, span and placeholders.
// It does no more than say where to ask: most requests write no line and use no placeholder.
func describe(r *http.Request, d *auth.Decision) {
	traceAttributes(r, d)
	if extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Set(zap.Inline((*described)(d)))
	}
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map((*described)(d).placeholder)
	}
}

// described is a decision in the words of logs and placeholders.
type described auth.Decision

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (d *described) MarshalLogObject(to zapcore.ObjectEncoder) error {
	for _, field := range logFields((*auth.Decision)(d)) {
		to.AddString(field.Key, field.Value.String())
	}
	return nil
}

func (d *described) placeholder(key string) (any, bool) {
	switch key {
	case "opensandbox.key.name":
		return d.KeyName, true
	case "opensandbox.sandbox.id":
		return d.Route.SandboxID, true
	case "opensandbox.route.form":
		return d.Route.Form.String(), true
	}
	return nil, false
}

// appOf returns the configuration's app, which exists with defaults when the
// configuration does not name it.
func appOf(ctx caddy.Context, handler string) (*App, error) {
	found, err := ctx.App("opensandbox")
	if err != nil {
		return nil, err
	}
	app := found.(*App)
	app.oversight.provisioned(ctx, app, handler)
	return app, nil
}

func parseAuth(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := new(Auth)
	return a, a.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens; it takes none.
func (a *Auth) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// noArguments refuses arguments and blocks: the TOML file configures the handlers.
func noArguments(d *caddyfile.Dispenser) error {
	d.Next() // consume the directive's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		return d.Errf("%q is not an option here; it belongs into the TOML file", d.Val())
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Auth)(nil)
	_ caddyhttp.MiddlewareHandler = (*Auth)(nil)
	_ caddyfile.Unmarshaler       = (*Auth)(nil)
	_ zapcore.ObjectMarshaler     = (*described)(nil)
)
