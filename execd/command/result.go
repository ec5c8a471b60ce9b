package command

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// startFailed is the recorded exit code of a command that never ran (contract 06 §6.1).
const startFailed = 255

// Result is what became of a command.
type Result struct {
	StartedAt  time.Time
	FinishedAt time.Time // zero while it runs
	ExitCode   int       // -1 when a signal ended it, 255 when it could not be started
	Text       string    // "" on success, else "exit status 2", "signal: killed", or why it did not start
	Signal     string    // "SIGKILL", when a signal ended it
	TimedOut   bool
	NotStarted bool
}

func (r *Result) exited(state *os.ProcessState) {
	r.ExitCode = state.ExitCode() // -1 for a signal
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		r.Signal = unix.SignalName(ws.Signal())
	}
	// The timer may have fired at a leader that had just ended by itself.
	r.TimedOut = r.TimedOut && r.Signal == "SIGKILL"
	if !state.Success() {
		r.Text = state.String()
	}
}
