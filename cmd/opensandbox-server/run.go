package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"syscall"
	"time"

	caddyserver "github.com/caddyserver/caddy/v2"

	"github.com/opensandbox-edge/edge/caddymodule"
	"github.com/opensandbox-edge/edge/caddymodule/listener"
	"github.com/opensandbox-edge/edge/cmd/opensandbox-server/internal/cli"
	"github.com/opensandbox-edge/edge/config"
)

// watchInterval is how often --reload looks at the file.
const watchInterval = time.Second

// run serves a checked configuration until it is told to stop (contract 07 §7). The
// order is: is the port free, open the store and the backend, restore the sandboxes,
// and only then bind the port. It owns the process's signals: TERM and INT stop, the
// second one at once; HUP applies the file again.
func run(ctx context.Context, start cli.Start) (err error) {
	tuneCollector()
	loaded := start.Loaded
	syscall.Umask(0o077) // the store, its journal and log files are nobody else's (threat row X9)
	signals := listenToSignals()
	defer signals.end()

	if err := portFree(ctx, loaded.Config); err != nil {
		return err
	}
	// Caddy's own lines wait until its logging is set up: before, it would write
	// another format to another stream.
	_, original, _ := caddyserver.BufferedLog()
	defer caddyserver.UnbufferDefaultLogger(original)

	hold, stopped, err := open(ctx, loaded, start.Out, signals)
	if err != nil || stopped {
		return err
	}
	defer func() { err = errors.Join(err, hold.Close()) }()
	if err := hold.Load(loaded); err != nil {
		return fmt.Errorf("starting the server: %w", portError(err))
	}
	caddyserver.UnbufferDefaultLogger(original)
	hold.Log().Info("ready", "address", loaded.Config.Server.ListenAddress())
	giveBack()

	serve(start, hold, signals)
	return stop(hold, signals)
}

// rule tells the modules that the start-up guard has let a server without key pass.
func rule(c *config.Config) caddymodule.KeyRule {
	if len(c.Server.Keys()) == 0 {
		return caddymodule.InsecureConfirmed
	}
	return caddymodule.KeyRequired
}

// portFree finds out early, before anything is touched, that the start is bound to fail.
func portFree(ctx context.Context, c *config.Config) error {
	addresses := []string{c.Server.ListenAddress()}
	if c.Metrics.Listen != "" {
		addresses = append(addresses, c.Metrics.Listen)
	}
	for _, address := range addresses {
		if strings.HasPrefix(address, "unix/") {
			continue
		}
		if err := listener.PortFree(ctx, address); err != nil {
			return err
		}
	}
	return nil
}

// portError gives back the identity that Caddy's text has lost, for the exit code.
func portError(err error) error {
	if strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) {
		return fmt.Errorf("%w: %w", syscall.EADDRINUSE, err)
	}
	return err
}

// open opens the state; a signal to stop ends the attempt.
func open(ctx context.Context, loaded *config.Loaded, out io.Writer, signals *signals) (hold *caddymodule.Hold, stopped bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		hold, err = caddymodule.Open(ctx, loaded, rule(loaded.Config), out)
	}()
	for {
		select {
		case <-done:
			if stopped && err == nil {
				err = hold.Close()
			} else if stopped {
				err = nil // it was told to give up
			}
			return hold, stopped, err
		case s := <-signals.arrived:
			if s == syscall.SIGHUP {
				continue // the file is being applied already
			}
			if !signals.counts(s, time.Now()) {
				continue
			}
			if stopped {
				exitAtOnce(s)
			}
			stopped = true
			cancel()
		}
	}
}

// serve applies the file again when it is asked to, and returns when it is to stop.
func serve(start cli.Start, hold *caddymodule.Hold, signals *signals) {
	var look <-chan time.Time
	loaded := start.Loaded
	if start.Watch {
		ticker := time.NewTicker(watchInterval)
		defer ticker.Stop()
		look = ticker.C
	}
	stamp := loaded.Stamp // a change during the start is seen as well
	for {
		select {
		case s := <-signals.arrived:
			if s != syscall.SIGHUP {
				signals.counts(s, time.Now()) // the first
				hold.Log().Info("stopping", "signal", s.String())
				return
			}
		case <-look:
			now := config.StampOf(loaded.Path)
			if now == stamp {
				continue
			}
			stamp = now
		}
		loaded = reload(loaded, hold)
	}
}

// reload applies the file again. A file that cannot be applied changes nothing.
func reload(loaded *config.Loaded, hold *caddymodule.Hold) *config.Loaded {
	next, err := loaded.Reload()
	if err == nil {
		err = hold.Load(next)
	}
	if err != nil {
		hold.Log().Error("reload refused; the server goes on with the configuration it has", "cause", innermost(err.Error()), "config", loaded.Path, "error", err)
		return loaded
	}
	for _, warning := range next.Report.Warnings {
		hold.Log().Warn("configuration: " + warning.String())
	}
	hold.Log().Info("configuration reloaded", "config", next.Path)
	return next
}

// caddyLayer is one of the places that Caddy puts before an error, as text alone.
var caddyLayer = regexp.MustCompile(`^(?:loading (?:new config|[\w.]+ app module|handler modules|module '[^']*')|provision [\w.]+|server [\w.]+|setting up route handlers|(?:route|position) \d+|[\w.]+ app module|start): `)

// innermost is what an error says, without the places Caddy names before it.
func innermost(text string) string {
	for {
		layer := caddyLayer.FindString(text)
		if layer == "" {
			return text
		}
		text = text[len(layer):]
	}
}

// stop ends accepting, lets requests finish within bounds, and closes the state.
func stop(hold *caddymodule.Hold, signals *signals) error {
	ctx, cancel := context.WithTimeout(context.Background(), caddymodule.StopTimeout)
	defer cancel()
	finished := make(chan error, 1)
	hold.Stopping()
	go func() {
		err := caddyserver.Stop()
		if hold.Drain(ctx) != nil {
			hold.Log().Warn("requests were still running when the time to stop was over")
		}
		finished <- err
	}()
	for {
		select {
		case err := <-finished:
			return err
		case s := <-signals.arrived:
			if s != syscall.SIGHUP && signals.counts(s, time.Now()) {
				exitAtOnce(s)
			}
		}
	}
}
