package command

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/execd/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

func newRegistry(t *testing.T, change func(*Options)) *Registry {
	t.Helper()
	o := Options{Process: environ.FromList(os.Environ()), TempDir: t.TempDir(), Grace: time.Second}
	if change != nil {
		change(&o)
	}
	r := NewRegistry(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		r.Shutdown(ctx)
	})
	return r
}

type transcript struct {
	mu       sync.Mutex
	out, err []string
}

func (l *transcript) line(channel stream.Type, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if channel == stream.Stdout {
		l.out = append(l.out, text)
	} else {
		l.err = append(l.err, text)
	}
}

func (l *transcript) stdout() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.out...)
}

func start(t *testing.T, r *Registry, spec Spec) (*Command, *transcript) {
	t.Helper()
	c, err := r.Prepare(spec)
	require.NoError(t, err)
	var l transcript
	_ = c.Start(l.line)
	return c, &l
}

func await(t *testing.T, c *Command) Result {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("the command did not end")
	}
	return c.Result()
}

func run(t *testing.T, r *Registry, spec Spec) (Result, *transcript) {
	t.Helper()
	c, l := start(t, r, spec)
	return await(t, c), l
}

func kept(c *Command) string {
	b := make([]byte, c.OutputEnd())
	n, _ := c.ReadOutput(b, 0)
	return string(b[:n])
}

func TestOutcomes(t *testing.T) {
	r := newRegistry(t, nil)

	res, l := run(t, r, Spec{Command: `printf 'a\n\nb\n\n\nc\n'; echo oops >&2`})
	require.Equal(t, []string{"a", "\n", "b", "\n", "\n", "c"}, l.out)
	require.Equal(t, []string{"oops"}, l.err)
	require.Equal(t, 0, res.ExitCode)
	require.Empty(t, res.Text)
	require.False(t, res.FinishedAt.Before(res.StartedAt))

	res, _ = run(t, r, Spec{Command: "exit 7"})
	require.Equal(t, 7, res.ExitCode)
	require.Equal(t, "exit status 7", res.Text)

	res, l = run(t, r, Spec{Command: "no-such-command-here"})
	require.Equal(t, 127, res.ExitCode)
	require.Contains(t, strings.Join(l.err, "\n"), "no-such-command-here")

	res, _ = run(t, r, Spec{Command: "kill -TERM $$"})
	require.Equal(t, -1, res.ExitCode)
	require.Equal(t, "signal: terminated", res.Text)
	require.Equal(t, "SIGTERM", res.Signal)
	require.False(t, res.TimedOut)
}

func TestTimeoutKillsTheWholeGroup(t *testing.T) {
	r := newRegistry(t, nil)
	res, _ := run(t, r, Spec{Command: "sleep 300", TimeoutMS: 100})
	require.True(t, res.TimedOut)
	require.Equal(t, -1, res.ExitCode)
	require.Equal(t, "SIGKILL", res.Signal)
	require.Equal(t, "signal: killed", res.Text)

	c, l := start(t, r, Spec{Command: "sleep 300 & echo $!; wait"})
	require.Eventually(t, func() bool { return len(l.stdout()) == 1 }, patience, time.Millisecond)
	c.timeOut()
	require.True(t, await(t, c).TimedOut)
	child, err := strconv.Atoi(l.stdout()[0])
	require.NoError(t, err)
	require.Eventually(t, func() bool { return gone(child) }, patience, 5*time.Millisecond)
}

// gone reports whether pid has ended; an orphan may stay a zombie where nobody reaps.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z")
}

func TestHugeTimeoutIsNone(t *testing.T) {
	r := newRegistry(t, nil)
	res, _ := run(t, r, Spec{Command: "true", TimeoutMS: 1<<63 - 1})
	require.Equal(t, 0, res.ExitCode)
}

func TestGrandchildDoesNotHoldTheCommand(t *testing.T) {
	r := newRegistry(t, nil)
	fifo := filepath.Join(t.TempDir(), "go")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	c, l := start(t, r, Spec{Command: "(cat " + fifo + " >/dev/null; echo late) & echo early"})
	res := await(t, c)
	require.Equal(t, 0, res.ExitCode)
	require.Equal(t, []string{"early"}, l.stdout())

	// Its later output is kept, and it lives: the pipe still has a reader.
	require.NoError(t, os.WriteFile(fifo, nil, 0))
	require.Eventually(t, func() bool { return kept(c) == "early\nlate\n" }, patience, 5*time.Millisecond)
	require.Equal(t, []string{"early"}, l.stdout(), "the stream is over")
}

func TestAllOutputPrecedesDone(t *testing.T) {
	r := newRegistry(t, nil)
	// The descendant keeps the pipe open, so only the drain can tell that it is empty.
	_, l := run(t, r, Spec{Command: "sleep 5 & seq 1 5000"})
	require.Len(t, l.stdout(), 5000)
	require.Equal(t, "5000", l.stdout()[4999])
}

func TestEndlessGrandchildIsBounded(t *testing.T) {
	r := newRegistry(t, func(o *Options) { o.MaxOutput = 64 << 10 })
	c, _ := start(t, r, Spec{Command: "yes & sleep 0.05", Kind: Background})
	await(t, c)
	require.LessOrEqual(t, c.output.Held(), int64(64<<10))
}

func TestBackground(t *testing.T) {
	r := newRegistry(t, nil)
	c, l := start(t, r, Spec{Command: "echo one; echo two >&2; sleep 300 & echo $!", Kind: Background})
	found, err := r.Lookup(c.ID())
	require.NoError(t, err)
	require.Same(t, c, found)
	await(t, c)
	require.Empty(t, l.stdout(), "background output is not delivered")
	lines := strings.Fields(kept(c))
	require.Equal(t, []string{"one", "two"}, lines[:2], "one pipe keeps the order")
	child, _ := strconv.Atoi(lines[2])
	require.False(t, gone(child), "the group survives the shell")
	require.NoError(t, unix.Kill(child, unix.SIGKILL))
}

func TestInterrupt(t *testing.T) {
	r := newRegistry(t, nil)
	c, _ := start(t, r, Spec{Command: "sleep 300"})
	require.NoError(t, c.Interrupt())
	require.Equal(t, "signal: terminated", await(t, c).Text)

	c, l := start(t, r, Spec{Command: "trap '' TERM; echo ready; while :; do sleep 1; done"})
	require.Eventually(t, func() bool { return len(l.stdout()) == 1 }, patience, time.Millisecond)
	require.NoError(t, c.Interrupt())
	require.Equal(t, "signal: killed", await(t, c).Text)

	err := c.Interrupt()
	require.ErrorIs(t, err, ErrNotRunning)
	require.Equal(t, 500, apierror.From(err).Status)
}

func TestBoundsOnRecords(t *testing.T) {
	r := newRegistry(t, func(o *Options) { o.MaxFinished, o.MaxRunning = 2, 3 })
	var ids []string
	for range 4 {
		c, _ := start(t, r, Spec{Command: "true"})
		await(t, c)
		ids = append(ids, c.ID())
	}
	for i, id := range ids {
		_, err := r.Lookup(id)
		require.Equal(t, i < 2, err != nil)
	}
	for range 3 {
		start(t, r, Spec{Command: "sleep 300"})
	}
	_, err := r.Prepare(Spec{Command: "true"})
	require.Equal(t, 503, apierror.From(err).Status)
}

func TestOldRecordsAndSurplusOutputAreForgotten(t *testing.T) {
	r := newRegistry(t, func(o *Options) { o.Retention, o.MaxOutputs = time.Hour, 10 })
	c, _ := start(t, r, Spec{Command: "echo 12345678"})
	await(t, c)
	r.mu.Lock()
	r.collect(time.Now().Add(59 * time.Minute))
	require.Len(t, r.done, 1)
	r.collect(time.Now().Add(61 * time.Minute))
	require.Empty(t, r.done)
	r.mu.Unlock()

	first, _ := start(t, r, Spec{Command: "echo 12345678"})
	await(t, first)
	second, _ := start(t, r, Spec{Command: "echo 12345678"})
	await(t, second)
	_, err := r.Lookup(first.ID())
	require.Equal(t, "COMMAND_NOT_FOUND", apierror.From(err).Code)
	require.Equal(t, "12345678\n", kept(second))
}

func TestShutdownEndsEverything(t *testing.T) {
	r := NewRegistry(Options{Process: environ.FromList(os.Environ()), TempDir: t.TempDir(), MaxFinished: 1})
	obedient, _ := start(t, r, Spec{Command: "sleep 300"})
	stubborn, l := start(t, r, Spec{Command: "trap '' TERM; echo ready; while :; do sleep 1; done"})
	// A forgotten command whose descendant still holds the pipe.
	holder, _ := start(t, r, Spec{Command: "sleep 300 & echo $!", Kind: Background})
	await(t, holder)
	child, _ := strconv.Atoi(strings.TrimSpace(kept(holder)))
	defer func() { _ = unix.Kill(child, unix.SIGKILL) }()
	for range 2 {
		c, _ := start(t, r, Spec{Command: "true"})
		await(t, c)
	}
	require.Eventually(t, func() bool { return len(l.stdout()) == 1 }, patience, time.Millisecond)

	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	r.Shutdown(ctx)
	require.Equal(t, "signal: terminated", obedient.Result().Text)
	require.Equal(t, "signal: killed", stubborn.Result().Text)
	_, err := r.Prepare(Spec{Command: "true"})
	require.Equal(t, 503, apierror.From(err).Status)
}
