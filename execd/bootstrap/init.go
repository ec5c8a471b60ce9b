package bootstrap

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// endings are the signals that end us while there is no user's process yet to decide.
var endings = []os.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT}

// forwarded are the signals that reach the user's process by way of us: all of them,
// since an image may name any as its stop signal, but for those that are ours to act
// on (a child ended), the runtime's own (URG), those our own writes cause (PIPE), and
// those no process can catch.
var forwarded = func() (all []os.Signal) {
	const last = unix.Signal(64)
	for s := unix.Signal(1); s <= last; s++ {
		switch s {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGCHLD, unix.SIGURG, unix.SIGPIPE, unix.SIGPROF:
		case 32, 33: // the C library's, for its threads
		default:
			all = append(all, s)
		}
	}
	return all
}()

// Run is the life of the sandbox. It returns the exit code of the container: that
// of the user's process, 128+n when signal n ended it, and 1 when it never ran
// because the daemon or a shell was missing.
func Run(c Config) int {
	// They stay ours until the process has ended: one more of them must not take the place
	// of the exit code.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, endings...)
	hide(c.Secrets)

	if err := c.prepareEnvFile(); err != nil {
		c.Log.Warn("the env file cannot be prepared", "file", c.Vars[envsVar], "error", err)
	}
	c.source()

	if os.Getpid() != 1 {
		// Started beside other processes: orphans would otherwise go past us.
		_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	r := newReaper()
	finished := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() { r.run(finished) })
	defer work.Wait()
	defer close(finished)
	return c.live(r, signals)
}

// live runs daemon and user process, in this order, until the latter ends.
func (c Config) live(r *reaper, signals chan os.Signal) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	began := await(ctx, func(ctx context.Context) started {
		d, err := startDaemon(ctx, c, r)
		return started{d, err}
	})
	var d *daemon
	select {
	case s := <-began:
		if s.err != nil {
			c.Log.Error("the sandbox cannot start: " + s.err.Error())
			return 1
		}
		d = s.daemon
	case s := <-signals:
		cancel()
		if late := <-began; late.daemon != nil {
			late.daemon.stop()
		}
		return 128 + int(s.(syscall.Signal)) //nolint:forcetypeassert // on Unix every os.Signal is one
	}
	defer d.stop()

	// The daemon runs already; only the user's process waits for the certificate.
	trusted := await(ctx, func(ctx context.Context) environ.Vars { return c.trust(ctx, r) })
	select {
	case vars := <-trusted:
		c.Vars = c.Vars.With(vars)
	case s := <-signals:
		cancel()
		<-trusted
		return 128 + int(s.(syscall.Signal)) //nolint:forcetypeassert // as above
	}

	user, failed, err := c.startUser(r)
	if err != nil {
		c.Log.Error("the entrypoint cannot start: " + err.Error())
		return failed
	}
	signal.Notify(signals, forwarded...)
	for {
		select {
		case s := <-signals:
			r.signal(user, s.(syscall.Signal)) //nolint:forcetypeassert // as above
		case <-user.ended:
			return code(user.status)
		}
	}
}

type started struct {
	daemon *daemon
	err    error
}

// await runs f beside the caller, who must take its one result.
func await[T any](ctx context.Context, f func(context.Context) T) <-chan T {
	result := make(chan T, 1)
	go func() { result <- f(ctx) }()
	return result
}

// hide keeps a token in clear from being read in /proc/1/environ by what runs in
// the sandbox under the same uid. A hash needs no hiding.
func hide(secrets []string) {
	for _, entry := range secrets {
		if strings.HasPrefix(entry, wire.EnvExecdToken+"=") {
			Conceal()
		}
	}
}

// Conceal makes this process's environment and memory unreadable for others
// without CAP_SYS_PTRACE. Where the kernel refuses, nothing is lost but that.
func Conceal() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
