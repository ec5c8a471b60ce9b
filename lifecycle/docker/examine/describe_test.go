package examine_test

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/diagnostics"
	"github.com/opensandbox-edge/edge/lifecycle/docker/examine"
)

func inspected() container.InspectResponse {
	pids := int64(512)
	c := container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{
			ID: "0123456789abcdef0123", Name: "/sandbox-x", Created: "2026-03-01T12:00:00.5Z",
			State: &container.State{
				Status: "exited", OOMKilled: true, ExitCode: 137, Error: "it broke",
				StartedAt: "2026-03-01T12:00:01Z", FinishedAt: "2026-03-01T12:10:00Z",
				Health: &container.Health{Status: "unhealthy", Log: []*container.HealthcheckResult{
					{End: time.Date(2026, 3, 1, 12, 5, 0, 0, time.UTC), ExitCode: 1, Output: "refused\n"},
					nil,
					{End: time.Date(2026, 3, 1, 12, 4, 0, 0, time.UTC), Output: string(make([]byte, 5000))},
				}},
			},
			HostConfig: &container.HostConfig{Resources: container.Resources{NanoCPUs: 2e9, Memory: 512 << 20, PidsLimit: &pids}},
		},
		Config: &container.Config{
			Image: "python:3.11",
			Env:   []string{"PATH=/bin", "DATABASE_URL=postgres://u:p4ss@db", "PATH=/usr/bin", "BARE"},
			Labels: map[string]string{
				"opensandbox.io/id": "x", "opensandbox.io/http-port": "", "opensandbox.io/egress-auth-token": "p4ss",
				"opensandbox.io/secure-access-token": "p4ss", "team": "ml", "my.Password": "p4ss", "blank": "",
			},
		},
		NetworkSettings: &container.NetworkSettings{
			Networks: map[string]*network.EndpointSettings{"bridge": {IPAddress: "172.17.0.2"}, "other": nil},
		},
	}
	c.NetworkSettings.Ports = nat.PortMap{"80/tcp": {{HostIP: "127.0.0.1", HostPort: "49153"}}, "81/tcp": nil}
	return c
}

func field(label, value string) diagnostics.Field {
	return diagnostics.Field{Label: label, Value: value}
}

func TestDescribe(t *testing.T) {
	require.Equal(t, []diagnostics.Section{
		{Fields: []diagnostics.Field{
			field("Container ID", "0123456789ab"),
			field("Name", "sandbox-x"),
			field("Image", "python:3.11"),
			field("Status", "exited"),
			field("Running", "false"),
			field("Paused", "false"),
			field("OOMKilled", "true"),
			field("Exit Code", "137"),
			field("Started At", "2026-03-01T12:00:01Z"),
			field("Finished At", "2026-03-01T12:10:00Z"),
			field("Error", "it broke"),
		}},
		{Title: "Resources", Fields: []diagnostics.Field{field("CPU", "2.00 cores"), field("Memory", "512 MiB"), field("PIDs Limit", "512")}},
		{Title: "Network", Fields: []diagnostics.Field{field("bridge", "172.17.0.2"), field("other", "(no address)")}},
		{Title: "Ports", Fields: []diagnostics.Field{{Label: "80/tcp -> 127.0.0.1:49153"}, {Label: "81/tcp (not bound)"}}},
		{Title: "Labels", Fields: []diagnostics.Field{
			{Label: "blank="},
			{Label: "my.Password=***"},
			{Label: "opensandbox.io/egress-auth-token=***"},
			{Label: "opensandbox.io/id=x"},
			{Label: "opensandbox.io/secure-access-token=***"},
			{Label: "team=ml"},
		}},
		// Threat row K13: names alone.
		{Title: "Environment", Fields: []diagnostics.Field{{Label: "BARE"}, {Label: "DATABASE_URL"}, {Label: "PATH"}}},
	}, examine.Describe(inspected()))
}

func TestHappenings(t *testing.T) {
	h := examine.Happenings(inspected())
	require.Equal(t, []diagnostics.Field{
		field("Container", "0123456789ab (sandbox-x)"),
		field("Status", "exited"),
		field("Created", "2026-03-01T12:00:00Z"),
		field("Started", "2026-03-01T12:00:01Z"),
		field("Finished", "2026-03-01T12:10:00Z"),
		field("Health", "unhealthy"),
	}, h.Head)
	reasons := make([]string, 0, len(h.Events))
	for _, e := range h.Events {
		reasons = append(reasons, e.Reason)
		require.Less(t, len(e.Message), 300)
	}
	require.Equal(t, []string{"HealthCheck", "HealthCheck", "OOMKilled", "NonZeroExit", "Error"}, reasons, "oldest first")
	require.False(t, h.Events[0].Warning)
	require.Equal(t, diagnostics.Event{
		At: time.Date(2026, 3, 1, 12, 5, 0, 0, time.UTC), Warning: true, Reason: "HealthCheck", Message: "exit code 1: refused",
	}, h.Events[1])
}

func TestAHealthySandboxHasNoNotableEvents(t *testing.T) {
	c := inspected()
	c.State = &container.State{Status: "running", Running: true, StartedAt: "2026-03-01T12:00:01Z", FinishedAt: "0001-01-01T00:00:00Z", ExitCode: 0}
	h := examine.Happenings(c)
	require.Empty(t, h.Events)
	require.Len(t, h.Head, 4, "it has not finished")
}

func TestAnInspectionMayLackAnyPart(t *testing.T) {
	for _, change := range []func(*container.InspectResponse){
		func(c *container.InspectResponse) { c.ContainerJSONBase = nil },
		func(c *container.InspectResponse) { c.State = nil },
		func(c *container.InspectResponse) { c.HostConfig = nil },
		func(c *container.InspectResponse) { c.Config = nil },
		func(c *container.InspectResponse) { c.NetworkSettings = nil },
	} {
		c := inspected()
		change(&c)
		require.NotEmpty(t, examine.Describe(c))
		examine.Happenings(c)
	}
	require.Equal(t, []diagnostics.Section{{}}, examine.Describe(container.InspectResponse{}))
	require.Zero(t, examine.Happenings(container.InspectResponse{}))
}
