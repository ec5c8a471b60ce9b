package docker

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

func TestSummaryStatus(t *testing.T) {
	for _, c := range []struct {
		state, text string
		want        lifecycle.State
		reason      string
	}{
		{"running", "Up 5 minutes", lifecycle.Running, "CONTAINER_RUNNING"},
		{"running", "Up 5 minutes (healthy)", lifecycle.Running, "CONTAINER_RUNNING"},
		{"paused", "Up 5 minutes (Paused)", lifecycle.Paused, "CONTAINER_PAUSED"},
		{"restarting", "Restarting (1) 2 seconds ago", lifecycle.Running, "CONTAINER_RESTARTING"},
		{"created", "Created", lifecycle.Pending, "CONTAINER_STARTING"},
		{"exited", "Exited (0) 3 hours ago", lifecycle.Terminated, "CONTAINER_EXITED"},
		{"exited", "Exited (137) 3 hours ago", lifecycle.Failed, "CONTAINER_EXITED_ERROR"},
		{"exited", "Exited (-1) 3 hours ago", lifecycle.Failed, "CONTAINER_EXITED_ERROR"},
		{"exited", "gone, Exited (0)", lifecycle.Failed, "CONTAINER_EXITED_ERROR"},
		{"exited", "Exited (99999999999999999999)", lifecycle.Failed, "CONTAINER_EXITED_ERROR"},
		{"dead", "Dead", lifecycle.Failed, "CONTAINER_EXITED_ERROR"},
		{"removing", "Removal In Progress", lifecycle.Unknown, "CONTAINER_STATE_UNKNOWN"},
		{"", "", lifecycle.Unknown, "CONTAINER_STATE_UNKNOWN"},
	} {
		got := summaryState(c.state, c.text).toStatus(time.Unix(7, 0))
		require.Equal(t, c.want, got.State, c.text)
		require.Equal(t, c.reason, got.Reason, c.text)
		require.NotEmpty(t, got.Message)
		require.Equal(t, time.Unix(7, 0).UTC(), got.Since)
	}
	require.Contains(t, summaryState("exited", "Exited (137) 1 second ago").toStatus(time.Time{}).Message, "137")
}

func TestInspectStatus(t *testing.T) {
	oom := inspectState(&container.State{Status: "exited", ExitCode: 137, OOMKilled: true}).toStatus(time.Time{})
	require.Equal(t, lifecycle.Failed, oom.State)
	require.Contains(t, oom.Message, "memory")
	require.Equal(t, lifecycle.Unknown, inspectState(nil).toStatus(time.Time{}).State)
}

func TestEngineTime(t *testing.T) {
	require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC), engineTime("2026-01-02T03:04:05.123456789Z"))
	for _, never := range []string{"", "0001-01-01T00:00:00Z", "yesterday"} {
		require.True(t, engineTime(never).IsZero(), never)
	}
}

func TestSummaryCommand(t *testing.T) {
	require.Equal(t, []string{"python", "my app.py"}, summaryCommand("/opt/opensandbox/bootstrap.sh python 'my app.py'"))
	for _, foreign := range []string{"", "/bin/sh -c x", "/opt/opensandbox/bootstrap.sh", "/opt/opensandbox/bootstrap.sh 'unclosed"} {
		require.Nil(t, summaryCommand(foreign), foreign)
	}
}
