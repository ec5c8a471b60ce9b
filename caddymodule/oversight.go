package caddymodule

import (
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/opensandbox-edge/edge/logging"
)

// oversight warns, while a configuration is being provisioned, about what it can see
// going wrong: handlers that opensandbox_auth does not stand in front of (threat row R2),
// and logs that write credentials in clear (X7).
type oversight struct {
	mu     sync.Mutex
	auth   map[*caddyhttp.Server]bool // opensandbox_auth was provisioned
	warned map[*caddyhttp.Server]bool
	logs   sync.Once
}

// provisioned is told of every handler of ours. Handlers are provisioned in the order
// of the routes, so one that comes before opensandbox_auth stands before it.
func (o *oversight) provisioned(ctx caddy.Context, app *App, handler string) {
	o.logs.Do(func() {
		if unmasked(ctx) {
			app.log.Warn("a log without our encoder will show API keys and tokens: add `format opensandbox` to every log, the default log included")
		}
	})
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.auth == nil {
		o.auth, o.warned = map[*caddyhttp.Server]bool{}, map[*caddyhttp.Server]bool{}
	}
	if handler == "opensandbox_auth" {
		o.auth[server] = true
		return
	}
	if !o.auth[server] && !o.warned[server] {
		o.warned[server] = true
		app.log.Warn(handler+" has no opensandbox_auth in front of it and will answer 500 to every request", "listen", server.Listen)
	}
}

// unmasked looks at the encoders behind the loggers of requests. Deriving a logger with
// an inline field hands each encoder to the field; nothing is written.
func unmasked(ctx caddy.Context) bool {
	found := false
	for _, module := range []loggerName{"http.log.access", "http.log.error", "http.handlers.opensandbox_auth"} {
		_ = ctx.Logger(module).With(zap.Inline(zapcore.ObjectMarshalerFunc(func(enc zapcore.ObjectEncoder) error {
			if _, ours := enc.(*logging.Encoder); !ours {
				found = true
			}
			return nil
		})))
	}
	return found
}

// loggerName lets the name of a logger stand for the module that logs under it.
type loggerName string

// CaddyModule implements caddy.Module.
func (n loggerName) CaddyModule() caddy.ModuleInfo { return caddy.ModuleInfo{ID: caddy.ModuleID(n)} }
