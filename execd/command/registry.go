package command

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/execd/problem"
)

// Options configures a Registry. Zero fields take the default named beside them.
type Options struct {
	Process environ.Vars // environment every command starts from, credentials removed already
	EnvFile string       // re-read for every command (contract 06 §6.5); "" = none
	TempDir string       // where long output goes, into files without a name; os.TempDir()
	Log     *slog.Logger // slog.Default()

	MaxRunning  int           // commands at one time, each costs a thread; 1024
	MaxFinished int           // finished commands that are remembered; 1000
	Retention   time.Duration // how long a finished command is remembered; 1 h
	MaxOutput   int64         // bytes of output kept per command, the newest; 16 MiB
	MaxOutputs  int64         // bytes of output kept for all finished commands; 256 MiB
	Grace       time.Duration // between TERM and KILL when interrupted; 3 s
}

func (o Options) withDefaults() Options {
	set := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	if o.TempDir == "" {
		o.TempDir = os.TempDir()
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.MaxRunning <= 0 {
		o.MaxRunning = 1024
	}
	if o.MaxFinished <= 0 {
		o.MaxFinished = 1000
	}
	if o.Retention <= 0 {
		o.Retention = time.Hour
	}
	if o.Grace <= 0 {
		o.Grace = 3 * time.Second
	}
	set(&o.MaxOutput, 16<<20)
	set(&o.MaxOutputs, 256<<20)
	return o
}

// Registry owns every command and every goroutine that serves one.
type Registry struct {
	options Options
	mu      sync.Mutex
	closed  bool
	running int
	byID    map[string]*Command
	done    []*Command         // finished, oldest first
	pumps   map[*pump]struct{} // those that still read, also for commands forgotten long ago
	work    sync.WaitGroup
}

// NewRegistry makes an empty registry. Call Shutdown to end what it started.
func NewRegistry(o Options) *Registry {
	return &Registry{options: o.withDefaults(), byID: map[string]*Command{}, pumps: map[*pump]struct{}{}}
}

// Prepare checks spec, allots an id and registers the command, so that the id is
// known before anyone hears of it. The caller must call Start exactly once.
func (r *Registry) Prepare(spec Spec) (*Command, error) {
	plan, err := spec.plan(r.options)
	if err != nil {
		return nil, err
	}
	c := &Command{
		id: newID(), plan: plan, registry: r,
		output: newOutput(r.options.TempDir, r.options.MaxOutput),
		exited: make(chan struct{}), done: make(chan struct{}),
	}
	c.result.StartedAt = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, apierror.New(http.StatusServiceUnavailable, problem.RuntimeError, "The sandbox is shutting down.")
	case r.running >= r.options.MaxRunning:
		return nil, apierror.New(http.StatusServiceUnavailable, problem.RuntimeError,
			"%d commands are running already; interrupt some or wait for them.", r.running).Retry(1)
	}
	r.running++
	r.byID[c.id] = c
	return c, nil
}

// Lookup finds a command by its id, running or not; 404 when there is none (any more).
func (r *Registry) Lookup(id string) (*Command, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.byID[id]; c != nil {
		return c, nil
	}
	return nil, apierror.New(http.StatusNotFound, problem.CommandNotFound, "command not found: %s", id)
}

// pump runs p until its pipe ends or Shutdown closes it.
func (r *Registry) pump(p *pump) {
	r.mu.Lock()
	r.pumps[p] = struct{}{}
	r.mu.Unlock()
	r.work.Go(func() {
		p.run()
		r.mu.Lock()
		delete(r.pumps, p)
		r.mu.Unlock()
	})
}

// finished moves c among the finished commands and forgets the surplus.
func (r *Registry) finished(c *Command) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	r.done = append(r.done, c)
	r.collect(time.Now())
}

// Shutdown refuses new commands, sends TERM to the group of every running one,
// KILL once ctx ends, and returns when all of them, and all goroutines, are gone.
func (r *Registry) Shutdown(ctx context.Context) {
	r.mu.Lock()
	r.closed = true
	all := make([]*Command, 0, len(r.byID))
	for _, c := range r.byID {
		all = append(all, c)
	}
	r.mu.Unlock()
	for _, c := range all {
		_ = c.signal(unix.SIGTERM)
	}
	for _, c := range all {
		select {
		case <-c.exited:
		case <-ctx.Done():
			_ = c.signal(unix.SIGKILL)
		}
	}
	for _, c := range all {
		<-c.done
	}
	r.mu.Lock()
	for p := range r.pumps {
		_ = p.pipe.Close() // what a surviving descendant still writes has no reader any more
	}
	r.mu.Unlock()
	r.work.Wait()
	for _, c := range all {
		c.output.Close()
	}
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}
