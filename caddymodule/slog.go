package caddymodule

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"

	"github.com/opensandbox-edge/edge/auth"
)

// newLogHandler returns the handler of the edge's loggers on a core of Caddy's. It is
// not the one of caddy.Context.Slogger, which puts a stack trace on every error that is
// logged with a request's context: the errors here are answers to clients, and the trace
// would only show the way to the logger. Recovered panics log their own stack.
func newLogHandler(core zapcore.Core) slog.Handler {
	return requestHandler{zapslog.NewHandler(core, zapslog.WithName("opensandbox"), zapslog.AddStacktraceAt(neverStack))}
}

// neverStack is above every level.
const neverStack = slog.Level(127)

// requestHandler adds what is known about a request to the lines logged with its context.
type requestHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h requestHandler) Handle(ctx context.Context, record slog.Record) error {
	if d, ok := auth.FromContext(ctx); ok {
		return h.Handler.WithAttrs(logFields(d)).Handle(ctx, record)
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs implements slog.Handler.
func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}

// logFields are the fields of every line about a request, access lines included.
func logFields(d *auth.Decision) []slog.Attr {
	fields := []slog.Attr{slog.String("request_id", d.RequestID)}
	for _, f := range []slog.Attr{
		slog.String("api_key_name", d.KeyName), slog.String("sandbox_id", d.Route.SandboxID), slog.String("route", d.Route.Form.String()),
	} {
		if f.Value.String() != "" {
			fields = append(fields, f)
		}
	}
	return fields
}

// logRoot is the handler that long-lived parts log to. Their loggers outlive the
// configuration that made them, while its writers are closed on reload; so every
// record asks for the root of the day.
type logRoot struct{ handler atomic.Pointer[slog.Handler] }

// set makes h the root of all loggers from now on.
func (r *logRoot) set(h slog.Handler) { r.handler.Store(&h) }

// get falls back to Caddy's default logger.
func (r *logRoot) get() slog.Handler {
	if h := r.handler.Load(); h != nil {
		return *h
	}
	return newLogHandler(caddy.Log().Core())
}

// logger returns a logger on the root of the day.
func (r *logRoot) logger() *slog.Logger { return slog.New(&rootedHandler{root: r}) }

// rootedHandler replays its attributes and groups onto the root of the day.
type rootedHandler struct {
	root  *logRoot
	steps []func(slog.Handler) slog.Handler
}

// Enabled implements slog.Handler.
func (h *rootedHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.root.get().Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *rootedHandler) Handle(ctx context.Context, record slog.Record) error {
	target := h.root.get()
	for _, step := range h.steps {
		target = step(target)
	}
	return target.Handle(ctx, record)
}

// WithAttrs implements slog.Handler.
func (h *rootedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(t slog.Handler) slog.Handler { return t.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h *rootedHandler) WithGroup(name string) slog.Handler {
	return h.with(func(t slog.Handler) slog.Handler { return t.WithGroup(name) })
}

func (h *rootedHandler) with(step func(slog.Handler) slog.Handler) slog.Handler {
	steps := append(append([]func(slog.Handler) slog.Handler(nil), h.steps...), step)
	return &rootedHandler{root: h.root, steps: steps}
}
