package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/internal/backoff"
)

// daemon keeps the in-sandbox daemon running.
type daemon struct {
	config   Config
	reaper   *reaper
	stopping chan struct{}
	stopped  chan struct{} // closed when supervise has returned
	current  chan *child   // holds the running process, or nil; a mutex with a value
}

// startDaemon starts it and returns once it listens. Until then its end is an
// error; afterwards it is restarted.
func startDaemon(ctx context.Context, c Config, r *reaper) (*daemon, error) {
	d := &daemon{config: c, reaper: r, stopping: make(chan struct{}), stopped: make(chan struct{}), current: make(chan *child, 1)}
	first, ready, err := d.launch()
	if err != nil {
		return nil, fmt.Errorf("execd did not start: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Ready)
	defer cancel()
	defer ready.Close()
	if err := d.awaitReady(ctx, first, ready); err != nil {
		d.end(first)
		return nil, err
	}
	d.current <- first
	go d.supervise(first)
	return d, nil
}

// launch starts one process with a pipe on which it reports that it listens.
func (d *daemon) launch() (*child, *os.File, error) {
	argv := d.config.daemon()
	path := argv[0]
	if !strings.Contains(path, "/") {
		if path = d.config.Vars.Program(argv[0]); path == "" {
			return nil, nil, errors.New(argv[0] + ": command not found on PATH")
		}
	}
	if path == d.config.Self {
		argv = append([]string{"execd"}, argv[1:]...) // the name decides what the binary is
	}
	in, err := os.Open(os.DevNull) // the container's stdin is the user's
	if err != nil {
		in = os.Stdin
	} else {
		defer in.Close()
	}
	ready, report, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer report.Close()
	env := append(d.config.Vars.List(), d.config.Secrets...)
	c, err := d.reaper.start(path, argv, &syscall.ProcAttr{
		Env:   append(env, ReadyVar+"=3"),
		Files: []uintptr{in.Fd(), 1, 2, report.Fd()},
		Sys:   &syscall.SysProcAttr{Setpgid: true}, // a terminal's interrupts are not for it
	})
	if err != nil {
		_ = ready.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, ready, nil
}

// awaitReady waits for the byte on the pipe. A daemon named by EXECD may not know
// of it, so there a listening port counts as well; with ours it does not, because
// in a shared network the port could be another's.
func (d *daemon) awaitReady(ctx context.Context, c *child, ready *os.File) error {
	reported := make(chan bool, 1)
	go func() { // ends with the pipe, which the caller closes
		n, _ := ready.Read(make([]byte, 1))
		reported <- n == 1
	}()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	foreign := d.config.Vars[execdVar] != ""
	for {
		select {
		case ok := <-reported:
			if ok {
				return nil
			}
			reported = nil // closed without a word: wait for its end, or for the port
		case <-poll.C:
			if foreign && listens(ctx, d.config.port()) {
				return nil
			}
		case <-c.ended:
			return fmt.Errorf("execd ended with status %d before it listened on port %d", code(c.status), d.config.port())
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("execd did not listen on port %d within %s", d.config.port(), d.config.Ready)
			}
			return ctx.Err()
		}
	}
}

func listens(ctx context.Context, port int) bool {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// supervise restarts the daemon whenever it ends, with growing pauses.
func (d *daemon) supervise(c *child) {
	defer close(d.stopped)
	pauses, began := backoff.Backoff{First: d.config.Backoff, Most: MaxBackoff}, time.Now()
	for {
		if c != nil {
			select {
			case <-c.ended:
			case <-d.stopping:
				return
			}
			d.config.Log.Warn("execd ended and is restarted", "status", code(c.status))
		}
		if time.Since(began) > stable {
			pauses.Reset()
		}
		select {
		case <-time.After(pauses.Next()):
		case <-d.stopping:
			return
		}
		began = time.Now()
		next, ready, err := d.launch()
		if err != nil {
			d.config.Log.Error("execd could not be restarted", "error", err)
		} else {
			_ = ready.Close() // nobody waits for a restart
		}
		<-d.current
		c = next
		d.current <- c
	}
}

// stop ends the daemon and the supervision.
func (d *daemon) stop() {
	close(d.stopping)
	<-d.stopped
	if c := <-d.current; c != nil {
		d.end(c)
	}
}

// end sends TERM, and KILL after the grace period.
func (d *daemon) end(c *child) {
	d.reaper.signal(c, unix.SIGTERM)
	select {
	case <-c.ended:
		return
	case <-time.After(d.config.Grace):
	}
	d.reaper.signal(c, unix.SIGKILL)
	<-c.ended
}
