package caddymodule

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"
)

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
	return zapslog.NewHandler(caddy.Log().Core(), zapslog.WithName("opensandbox"))
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
