package examine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/opensandbox-edge/edge/lifecycle/diagnostics"
)

// maxHealthOutput bounds what one health check is quoted with, in bytes (contract 02 §13).
const maxHealthOutput = 200

// Happenings reads from a container's state what happened to it.
func Happenings(c container.InspectResponse) diagnostics.Happenings {
	var h diagnostics.Happenings
	if c.ContainerJSONBase == nil || c.State == nil {
		return h
	}
	add := func(label, value string) {
		if value != "" {
			h.Head = append(h.Head, diagnostics.Field{Label: label, Value: value})
		}
	}
	state := c.State
	add("Container", short(c.ID)+" ("+strings.TrimPrefix(c.Name, "/")+")")
	add("Status", state.Status)
	add("Created", moment(c.Created))
	add("Started", moment(state.StartedAt))
	add("Finished", moment(state.FinishedAt))

	ended, _ := instant(state.FinishedAt)
	warn := func(reason, message string) {
		h.Events = append(h.Events, diagnostics.Event{At: ended, Warning: true, Reason: reason, Message: message})
	}
	if state.OOMKilled {
		warn("OOMKilled", "A process was killed because the memory limit was reached.")
	}
	if !state.Running && state.ExitCode != 0 {
		warn("NonZeroExit", "The main process ended with exit code "+strconv.Itoa(state.ExitCode)+".")
	}
	if state.Error != "" {
		warn("Error", state.Error)
	}
	if state.Health != nil {
		add("Health", state.Health.Status)
		for _, check := range state.Health.Log {
			if check != nil {
				h.Events = append(h.Events, healthCheck(check))
			}
		}
	}
	slices.SortStableFunc(h.Events, func(a, b diagnostics.Event) int { return a.At.Compare(b.At) })
	return h
}

func healthCheck(check *container.HealthcheckResult) diagnostics.Event {
	output := strings.TrimSpace(check.Output)
	return diagnostics.Event{
		At: check.End, Warning: check.ExitCode != 0, Reason: "HealthCheck",
		Message: fmt.Sprintf("exit code %d: %s", check.ExitCode, output[:min(len(output), maxHealthOutput)]),
	}
}

// instant reads a time of the engine; its "never" is none.
func instant(text string) (at time.Time, ok bool) {
	at, err := time.Parse(time.RFC3339Nano, text)
	return at.UTC(), err == nil && at.Year() > 1
}

func moment(text string) string {
	at, ok := instant(text)
	if !ok {
		return ""
	}
	return at.Format(time.RFC3339)
}
