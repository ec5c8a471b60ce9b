package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/opensandbox-edge/edge/caddymodule/listener"
	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/logging"
)

// Hold is a program's own share of the long-lived state: it opens the state before any
// configuration is loaded, so that the port is bound only after the restore is
// complete, and keeps it until the last request has ended.
type Hold struct {
	state    *state
	settings *settings
	rule     KeyRule
	writer   io.Closer
}

// Open opens the long-lived state of a loaded TOML file and waits for the restore.
// Lines that are logged before Load go to out, or to the log file if there is one.
func Open(ctx context.Context, loaded *config.Loaded, rule KeyRule, out io.Writer) (*Hold, error) {
	c := loaded.Config
	log, writer, err := earlyLog(&c.Log, out)
	if err != nil {
		return nil, err
	}
	h := &Hold{rule: rule, writer: writer}
	if err := h.open(ctx, loaded, log); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *Hold) open(ctx context.Context, loaded *config.Loaded, log slog.Handler) (err error) {
	c := loaded.Config
	if h.settings, err = newSettings(c, c.Server.Keys(), nil, log); err != nil {
		return err
	}
	maskSecrets(h.settings)
	runtime, err := runtimeOf(c)
	if err != nil {
		return err
	}
	if h.state, _, err = acquireState(h.settings); err != nil {
		return err
	}
	if err := h.state.install(h.settings); err != nil {
		return err
	}
	if c.GatewayOnly() {
		h.Log().Info("starting as a gateway", "config", loaded.Path, "control", c.Control.URL)
	} else {
		h.Log().Info("starting", "config", loaded.Path, "runtime", c.Runtime.Type, "store", c.Store.Path)
	}
	if len(loaded.Report.Inert) > 0 {
		h.Log().Info("these keys are accepted and have no effect in this server", "keys", loaded.Report.Inert)
	}
	return h.state.open(ctx, c, runtime)
}

// runtimeOf is the guest module that a configuration names; nil in a gateway.
func runtimeOf(c *config.Config) (Runtime, error) {
	if c.GatewayOnly() {
		return nil, nil //nolint:nilnil // it has none
	}
	info, err := caddy.GetModule("opensandbox.runtimes." + c.Runtime.Type)
	if err != nil {
		return nil, fmt.Errorf("runtime.type %q: this build has no such runtime: %w", c.Runtime.Type, err)
	}
	runtime, ok := info.New().(Runtime)
	if !ok {
		return nil, fmt.Errorf("the module %s is not a runtime", info.ID)
	}
	return runtime, nil
}

// Log returns a logger that follows the configuration in force.
func (h *Hold) Log() *slog.Logger {
	if h.state == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.state.root.logger()
}

// Load adapts a TOML file, read again or for the first time, and runs it in place of
// the configuration before. On error that one goes on.
func (h *Hold) Load(loaded *config.Loaded) error {
	if len(loaded.Config.Server.Keys()) == 0 && h.rule == KeyRequired {
		return errors.New("the file has no API key any more")
	}
	adapted, err := Adapt(loaded, h.rule)
	if err != nil {
		return err
	}
	// The file behind the configuration may have changed where the adapted text has not.
	if err := caddy.Load(adapted, true); err != nil {
		return err
	}
	h.state.uninstall(h.settings) // the loaded configuration stands on its own now
	return nil
}

// flushTimeout bounds the wait for connections after their requests have ended. It only
// runs out when a client has just connected and says nothing.
const flushTimeout = 2 * time.Second

// Stopping has to be called before the servers are stopped: what never ends by itself, the
// feed of gateways, ends then instead of holding up the stop.
func (h *Hold) Stopping() { h.state.stopping.Store(true) }

// Drain waits until no request is inside the handlers and the answers are written out,
// or for ctx. The servers have to be stopping: they close connections that fall idle.
func (h *Hold) Drain(ctx context.Context) error {
	h.state.shutdownClients(ctx)
	if err := h.state.inflight.Wait(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	_ = listener.WaitConnections(ctx)
	return nil
}

// Close gives the share back; the last one closes the state. Sandboxes live on.
func (h *Hold) Close() (err error) {
	if h.state != nil {
		err = releaseState()
	}
	if h.settings != nil {
		unmaskSecrets(h.settings)
	}
	if h.writer != nil {
		err = errors.Join(err, h.writer.Close())
	}
	return err
}

// earlyLog writes like the adapted configuration will, before Caddy has loaded it.
func earlyLog(l *config.Log, out io.Writer) (slog.Handler, io.Closer, error) {
	options := logging.Options{Format: logging.FormatText, Redactor: redactor}
	var closer io.Closer
	if l.FileEnabled {
		options.Format = logging.FormatFile
		file, err := (&LogWriter{Path: l.FilePath, MaxBytes: l.MaxBytes, Backups: &l.BackupCount}).OpenWriter()
		if err != nil {
			return nil, nil, err
		}
		out, closer = file, file
	} else if stream, ok := out.(interface{ Fd() uintptr }); ok {
		options.Color = colorful() && term.IsTerminal(int(stream.Fd()))
	}
	if l.Format == string(logging.FormatJSON) {
		options.Format = logging.FormatJSON
	}
	var level zapcore.Level
	if err := level.UnmarshalText([]byte(caddyLevel(l))); err != nil {
		return nil, nil, err
	}
	core := zapcore.NewCore(logging.NewEncoder(options), zapcore.Lock(zapcore.AddSync(out)), level)
	return newLogHandler(core), closer, nil
}
