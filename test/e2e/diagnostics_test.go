//go:build docker

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// diagnose asks for a report and returns the answer, whatever it is.
func diagnose(t *testing.T, s *edge.Server, id, what string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr+"/v1/sandboxes/"+id+"/diagnostics/"+what, nil)
	require.NoError(t, err)
	req.Header.Set("OPEN-SANDBOX-API-KEY", s.Key)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, res.Header, string(body)
}

// Reports tell what a sandbox did, and no secret: neither variables' values nor tokens,
// not even those that the sandbox itself printed.
func TestDiagnosticsOfARealSandbox(t *testing.T) {
	s := start(t, "")
	r := request(s)
	r.Env = map[string]string{"DATABASE_URL": "postgres://u:p4ss-of-a-variable@db"}
	r.Metadata = map[string]string{"team": "ml"}
	r.SecureAccess = true
	r.Entrypoint = []string{"sh", "-c", `echo started; printf '\033[2Jscreen\n'; mkfifo /tmp/in; while :; do cat /tmp/in; done`}
	sandbox, token := create(t, s, r)
	endpoint, err := s.Endpoint(t.Context(), sandbox.ID, 44772, "")
	require.NoError(t, err)
	secured := endpoint.Headers["OpenSandbox-Secure-Access"]
	require.NotEmpty(t, token)
	require.NotEmpty(t, secured)

	// The sandbox prints the headers that a careless program would.
	res := execd(t, s, sandbox.ID, token, secured, `{"command":"printf 'leak %s %s\\n' `+token+` `+secured+` > /tmp/in"}`)
	require.Equal(t, 200, res)
	var logs string
	eventually(t, func() error {
		var status int
		status, _, logs = diagnose(t, s, sandbox.ID, "logs?tail=10000")
		if status != 200 || !strings.Contains(logs, "leak") {
			return errNotYet
		}
		return nil
	})
	require.Contains(t, logs, "leak *** ***")
	require.Contains(t, logs, `\x1b[2Jscreen`)

	require.NoError(t, s.Call(t.Context(), http.MethodPost, "/v1/sandboxes/"+sandbox.ID+"/pause", nil, nil))
	require.NoError(t, s.Call(t.Context(), http.MethodPost, "/v1/sandboxes/"+sandbox.ID+"/resume", nil, nil))
	require.NoError(t, s.Renew(t.Context(), sandbox.ID, time.Now().Add(time.Hour)))

	for _, what := range []string{
		"logs", "logs?tail=2&since=1h", "events", "inspect", "summary", "summary?tail=10000&event_limit=1",
		"logs?scope=container", "logs?scope=all&tail=1", "events?scope=runtime", "events?scope=lifecycle", "events?scope=all",
	} {
		status, head, body := diagnose(t, s, sandbox.ID, what)
		require.Equal(t, 200, status, "%s: %s", what, body)
		for _, secret := range []string{"p4ss-of-a-variable", token, secured, s.Key} {
			require.NotContains(t, body, secret, what)
		}
		require.NotContains(t, body, "\x1b")
		if !strings.Contains(what, "scope") {
			require.Equal(t, "text/plain; charset=utf-8", head.Get("Content-Type"))
			continue
		}
		var d struct {
			SandboxID, Kind, Scope, Delivery, ContentType, Content string
			ContentLength                                          int
			Truncated                                              bool
			Warnings                                               []string
		}
		require.NoError(t, json.Unmarshal([]byte(body), &d))
		require.Equal(t, sandbox.ID, d.SandboxID)
		require.Equal(t, "inline", d.Delivery)
		require.NotEmpty(t, d.Content)
		require.Len(t, d.Content, d.ContentLength)
		require.Equal(t, what == "logs?scope=all&tail=1", d.Truncated, what)
		require.Empty(t, d.Warnings)
	}
	_, _, inspect := diagnose(t, s, sandbox.ID, "inspect")
	require.Contains(t, inspect, "DATABASE_URL\n", "the name is shown")
	require.Contains(t, inspect, "team=ml\n")
	_, _, events := diagnose(t, s, sandbox.ID, "events?scope=lifecycle")
	for _, reason := range []string{"Creating", "Created", "Paused", "Running", "Renewed"} {
		require.Contains(t, events, reason)
	}
	_, _, summary := diagnose(t, s, sandbox.ID, "summary")
	for _, part := range []string{"SANDBOX DIAGNOSTICS SUMMARY", "INSPECT", "EVENTS", "LOGS (last 50 lines)", "leak *** ***"} {
		require.Contains(t, summary, part)
	}

	// After a restart the lifecycle's past is a gap, and said to be one.
	require.NoError(t, s.Stop())
	require.NoError(t, s.Start(t.Context()))
	_, _, events = diagnose(t, s, sandbox.ID, "events?scope=all")
	require.Contains(t, events, "Restored")
	require.Contains(t, events, `"warnings":["`)

	require.NoError(t, s.Delete(t.Context(), sandbox.ID))
	for _, what := range []string{"logs", "logs?scope=all", "events", "events?scope=lifecycle", "inspect", "summary"} {
		status, _, body := diagnose(t, s, sandbox.ID, what)
		require.Equal(t, 404, status, "%s: %s", what, body)
		require.Contains(t, body, "DOCKER::SANDBOX_NOT_FOUND")
	}
	status, _, body := diagnose(t, s, sandbox.ID, "logs?scope=network")
	require.Equal(t, 400, status, "a client's mistake comes first")
	require.Contains(t, body, "DIAGNOSTICS_SCOPE_UNSUPPORTED")
}

// execd runs a command in a sandbox and returns the status.
func execd(t *testing.T, s *edge.Server, id, token, secured, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr+"/v1/sandboxes/"+id+"/proxy/44772/command", strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-EXECD-ACCESS-TOKEN", token)
	req.Header.Set("OpenSandbox-Secure-Access", secured)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	return res.StatusCode
}
