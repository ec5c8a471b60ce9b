package docker

import (
	"context"
	"fmt"
	"strconv"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/opensandbox-edge/edge/internal/quote"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/diagnostics"
	"github.com/opensandbox-edge/edge/lifecycle/docker/examine"
)

var _ diagnostics.Diagnoser = (*Runtime)(nil)

// Logs implements diagnostics.Diagnoser. Each line begins with its time.
func (r *Runtime) Logs(ctx context.Context, id string, q diagnostics.LogQuery) (diagnostics.Logs, error) {
	c, err := r.inspect(ctx, id)
	if err != nil {
		return diagnostics.Logs{}, err
	}
	call, cancel := r.call(ctx)
	defer cancel()
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Tail: strconv.Itoa(q.Lines)}
	if !q.Since.IsZero() {
		options.Since = strconv.FormatInt(max(q.Since.Unix(), 0), 10)
	}
	stream, err := r.engine.ContainerLogs(call, c.ID, options)
	switch {
	case errdefs.IsNotFound(err):
		return diagnostics.Logs{}, lifecycle.ErrNotFound
	case err != nil && unreadable(c, err):
		return diagnostics.Logs{Gaps: []string{fmt.Sprintf("The engine's log driver %q keeps nothing to read.", quote.Text(c.HostConfig.LogConfig.Type))}}, nil
	case err != nil:
		return diagnostics.Logs{}, engineError(ctx, err, codeQueryFailed, "reading the sandbox's log")
	}
	defer stream.Close()
	var out diagnostics.Logs
	out.Text, out.Cut, err = examine.Tail(stream, !c.Config.Tty, q.Bytes)
	return out, engineError(ctx, err, codeQueryFailed, "reading the sandbox's log")
}

// unreadable tells a log driver that gives nothing back from a failure. Engines answer it
// with different statuses.
func unreadable(c container.InspectResponse, err error) bool {
	return errdefs.IsNotImplemented(err) || c.HostConfig != nil && c.HostConfig.LogConfig.Type == "none"
}

// Happenings implements diagnostics.Diagnoser.
func (r *Runtime) Happenings(ctx context.Context, id string) (diagnostics.Happenings, error) {
	c, err := r.inspect(ctx, id)
	if err != nil {
		return diagnostics.Happenings{}, err
	}
	return examine.Happenings(c), nil
}

// Describe implements diagnostics.Diagnoser.
func (r *Runtime) Describe(ctx context.Context, id string) ([]diagnostics.Section, error) {
	c, err := r.inspect(ctx, id)
	if err != nil {
		return nil, err
	}
	return examine.Describe(c), nil
}
