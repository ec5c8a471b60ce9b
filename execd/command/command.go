package command

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd/problem"
	"github.com/opensandbox-edge/edge/execd/stream"
)

// ErrNotRunning is the cause of a signal that found nothing to receive it.
var ErrNotRunning = errors.New("command is not running")

// Command is one run of a shell command. All methods are safe for concurrent use.
type Command struct {
	id       string
	plan     plan
	registry *Registry
	output   *output
	exited   chan struct{} // closed when the leader has ended; no signal goes out afterwards
	done     chan struct{} // closed when result is complete and all output delivered

	mu     sync.Mutex
	pid    int // 0 = not started, or reaped: the number may belong to someone else by now
	pumps  []*pump
	result Result
}

// ID is 32 hexadecimal characters.
func (c *Command) ID() string { return c.id }

// Text is the command as requested.
func (c *Command) Text() string { return c.plan.text }

// Done is closed when the command has ended and all it wrote before is delivered.
func (c *Command) Done() <-chan struct{} { return c.done }

// Result returns what is known so far; it is final once Done is closed.
func (c *Command) Result() Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.result
}

// Running reports whether the leader has not ended yet.
func (c *Command) Running() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// Start starts the process. onLine, which may be nil, is called for every line of
// a Foreground command, from one goroutine per channel; while it blocks, so does
// the command's writing. A failure to start is both returned and recorded.
func (c *Command) Start(onLine func(channel stream.Type, text string)) error {
	err := c.start(onLine)
	if err == nil {
		return nil
	}
	c.mu.Lock()
	c.result.ExitCode, c.result.Text, c.result.NotStarted = startFailed, err.Error(), true
	c.result.FinishedAt = time.Now()
	c.mu.Unlock()
	close(c.exited)
	c.registry.finished(c)
	close(c.done)
	return err
}

func (c *Command) start(onLine func(stream.Type, string)) error {
	if c.plan.shell == "" {
		return errors.New("neither bash nor sh is on PATH: the image has no shell to run commands with")
	}
	cmd := &exec.Cmd{
		Path: c.plan.shell,
		Args: []string{filepath.Base(c.plan.shell), "-c", c.plan.text},
		Env:  c.plan.env.List(),
		Dir:  c.plan.cwd,
		SysProcAttr: &syscall.SysProcAttr{
			Setpgid: true, // one group per command: every kill goes to all of it
		},
	}
	if c.plan.account != nil {
		cmd.SysProcAttr.Credential = c.plan.account.credential()
	}
	ends, err := c.connect(cmd, onLine)
	if err == nil {
		err = c.launch(cmd)
	}
	for _, w := range ends {
		_ = w.Close()
	}
	if err != nil {
		for _, p := range c.pumps {
			_ = p.pipe.Close()
		}
		return err
	}
	for _, p := range c.pumps {
		c.registry.pump(p)
	}
	c.registry.work.Go(func() { c.wait(cmd) })
	return nil
}

// connect makes the pipes. A background command gets one for both channels, so
// that its output keeps the order it was written in.
func (c *Command) connect(cmd *exec.Cmd, onLine func(stream.Type, string)) (ends []*os.File, err error) {
	pipe := func(channel stream.Type) (*os.File, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		p := &pump{pipe: r, keep: c.output, drained: make(chan struct{})}
		if onLine != nil && c.plan.kind == Foreground {
			p.lines = stream.NewLines(func(text string) { onLine(channel, text) })
		}
		c.pumps, ends = append(c.pumps, p), append(ends, w)
		return w, nil
	}
	var out, errs *os.File
	if out, err = pipe(stream.Stdout); err != nil {
		return ends, err
	}
	if errs = out; c.plan.kind == Foreground {
		if errs, err = pipe(stream.Stderr); err != nil {
			return ends, err
		}
	}
	cmd.Stdout, cmd.Stderr = out, errs
	return ends, nil
}

func (c *Command) launch(cmd *exec.Cmd) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	c.pid = cmd.Process.Pid
	c.registry.mu.Lock()
	late := c.registry.closed // Shutdown may have passed by while there was no process to signal
	c.registry.mu.Unlock()
	if late {
		_ = unix.Kill(-c.pid, unix.SIGKILL)
	}
	return nil
}

// wait sees the command to its end. The leader is left a zombie until pid is
// cleared: only so can no signal ever reach a process that inherited the number.
func (c *Command) wait(cmd *exec.Cmd) {
	if c.plan.timeout > 0 {
		timer := time.AfterFunc(c.plan.timeout, c.timeOut)
		defer timer.Stop()
	}
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	c.mu.Lock()
	c.pid = 0
	c.mu.Unlock()
	waitErr := cmd.Wait()
	close(c.exited)
	for _, p := range c.pumps {
		p.leaderExited()
	}
	for _, p := range c.pumps {
		<-p.drained
	}
	c.mu.Lock()
	c.result.FinishedAt = time.Now()
	if cmd.ProcessState != nil {
		c.result.exited(cmd.ProcessState)
	} else {
		c.result.ExitCode, c.result.Text = -1, waitErr.Error()
	}
	c.mu.Unlock()
	c.registry.finished(c)
	close(c.done)
}

func (c *Command) timeOut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid != 0 && unix.Kill(-c.pid, unix.SIGKILL) == nil {
		c.result.TimedOut = true
	}
}

// signal goes to the whole group.
func (c *Command) signal(s unix.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid == 0 {
		return ErrNotRunning
	}
	return unix.Kill(-c.pid, s)
}

// Interrupt sends TERM to the group, KILL after the grace period, and returns
// when the leader has ended (contract 06 §6.2). A command that is not running is a 500.
func (c *Command) Interrupt() error {
	if err := c.signal(unix.SIGTERM); err != nil {
		return apierror.New(http.StatusInternalServerError, problem.RuntimeError,
			"command session %s is not running", c.id).Because(err)
	}
	grace := time.NewTimer(c.registry.options.Grace)
	defer grace.Stop()
	select {
	case <-c.exited:
		return nil
	case <-grace.C:
	}
	_ = c.signal(unix.SIGKILL) // not running any more is what we want
	confirm := time.NewTimer(c.registry.options.Grace)
	defer confirm.Stop()
	select {
	case <-c.exited:
		return nil
	case <-confirm.C:
		return apierror.New(http.StatusInternalServerError, problem.RuntimeError,
			"command %s did not end although it was killed", c.id)
	}
}

// ReadOutput copies kept output from offset on and returns the offset of the
// first byte copied, which is later than offset where older output was dropped.
func (c *Command) ReadOutput(p []byte, offset int64) (n int, start int64) {
	return c.output.ReadAt(p, offset)
}

// OutputEnd is the offset after the last byte of output so far.
func (c *Command) OutputEnd() int64 { return c.output.Total() }
