package docker

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// containerState is what inspect and list both tell of a container's state.
type containerState struct {
	status   string // "created", "running", "paused", "restarting", "removing", "exited", "dead"
	exitCode int
	exitSeen bool // the exit code is known
	oom      bool
}

// status maps an engine state to what clients see (contract 02 §10).
func (s containerState) toStatus(since time.Time) lifecycle.Status {
	out := lifecycle.Status{Since: since.UTC().Truncate(time.Microsecond)}
	switch s.status {
	case container.StateRunning:
		out.State, out.Reason, out.Message = lifecycle.Running, "CONTAINER_RUNNING", "The sandbox is running."
	case container.StateRestarting:
		out.State, out.Reason, out.Message = lifecycle.Running, "CONTAINER_RESTARTING", "The sandbox is being restarted."
	case container.StatePaused:
		out.State, out.Reason, out.Message = lifecycle.Paused, "CONTAINER_PAUSED", "The sandbox is paused."
	case container.StateCreated, "starting":
		out.State, out.Reason, out.Message = lifecycle.Pending, "CONTAINER_STARTING", "The sandbox is being started."
	case container.StateExited, container.StateDead:
		switch {
		case s.exitSeen && s.exitCode == 0:
			out.State, out.Reason, out.Message = lifecycle.Terminated, "CONTAINER_EXITED", "The main process ended with exit code 0."
		case s.oom:
			out.State, out.Reason = lifecycle.Failed, "CONTAINER_EXITED_ERROR"
			out.Message = fmt.Sprintf("The main process ended with exit code %d; the sandbox had run out of memory.", s.exitCode)
		case s.exitSeen:
			out.State, out.Reason = lifecycle.Failed, "CONTAINER_EXITED_ERROR"
			out.Message = fmt.Sprintf("The main process ended with exit code %d.", s.exitCode)
		default:
			out.State, out.Reason, out.Message = lifecycle.Failed, "CONTAINER_EXITED_ERROR", "The main process ended; its exit code is not known."
		}
	default:
		out.State, out.Reason = lifecycle.Unknown, "CONTAINER_STATE_UNKNOWN"
		out.Message = fmt.Sprintf("The engine reports the state %q.", apierror.Clip(s.status))
	}
	return out
}

// exitText is how the list shows an ended container, e.g. "Exited (137) 3 minutes ago".
var exitText = regexp.MustCompile(`^Exited \((-?\d{1,10})\)`)

// summaryState reads state and exit code from a list entry, which has the code only in
// its text for people.
func summaryState(state, status string) containerState {
	s := containerState{status: state}
	if m := exitText.FindStringSubmatch(status); m != nil {
		if code, err := strconv.Atoi(m[1]); err == nil {
			s.exitCode, s.exitSeen = code, true
		}
	}
	return s
}

// inspectState reads the state of an inspected container.
func inspectState(s *container.State) containerState {
	if s == nil {
		return containerState{}
	}
	return containerState{status: s.Status, exitCode: s.ExitCode, exitSeen: true, oom: s.OOMKilled}
}

// engineTime reads a timestamp of the engine; its "never" is the zero time.
func engineTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
