//go:build docker

package e2e

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

func TestBadInputGetsATypedErrorAndLeavesNothing(t *testing.T) {
	s := start(t, "")
	image := `"image":{"uri":"` + s.DemoImage + `"},"resourceLimits":{},"entrypoint":["sleep","60"]`
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code               string
	}{
		"malformed JSON":      {"POST", "/v1/sandboxes", `{"image":`, 422, "SANDBOX::INVALID_PARAMETER"},
		"no body":             {"POST", "/v1/sandboxes", ``, 422, "SANDBOX::INVALID_PARAMETER"},
		"wrong types":         {"POST", "/v1/sandboxes", `{"image":7,"timeout":"soon","entrypoint":"x"}`, 422, "SANDBOX::INVALID_PARAMETER"},
		"short timeout":       {"POST", "/v1/sandboxes", `{` + image + `,"timeout":59}`, 422, "SANDBOX::INVALID_PARAMETER"},
		"no image":            {"POST", "/v1/sandboxes", `{"resourceLimits":{},"entrypoint":["a"]}`, 422, "SANDBOX::INVALID_PARAMETER"},
		"bad label":           {"POST", "/v1/sandboxes", `{` + image + `,"metadata":{"opensandbox.io/id":"x"}}`, 400, "SANDBOX::INVALID_METADATA_LABEL"},
		"bad limit":           {"POST", "/v1/sandboxes", `{"image":{"uri":"` + s.DemoImage + `"},"entrypoint":["a"],"resourceLimits":{"memory":"lots"}}`, 400, "SANDBOX::INVALID_PARAMETER"},
		"bad extension":       {"POST", "/v1/sandboxes", `{` + image + `,"extensions":{"access.renew.extend.seconds":"1"}}`, 400, "SANDBOX::INVALID_PARAMETER"},
		"pool":                {"POST", "/v1/sandboxes", `{"extensions":{"poolRef":"p"}}`, 404, "KUBERNETES::POOL_NOT_FOUND"},
		"snapshot":            {"POST", "/v1/sandboxes", `{"snapshotId":"nope","resourceLimits":{}}`, 404, "SNAPSHOT::NOT_FOUND"},
		"forbidden volume":    {"POST", "/v1/sandboxes", `{` + image + `,"volumes":[{"name":"a","mountPath":"/a","host":{"path":"/etc"}}]}`, 400, "VOLUME::HOST_PATH_NOT_ALLOWED"},
		"policy":              {"POST", "/v1/sandboxes", `{` + image + `,"networkPolicy":{}}`, 400, "SANDBOX::INVALID_PARAMETER"},
		"engine path":         {"POST", "/v1/sandboxes", `{"image":{"uri":"../containers/json"},"entrypoint":["a"],"resourceLimits":{}}`, 400, "SANDBOX::INVALID_PARAMETER"},
		"metadata address":    {"POST", "/v1/sandboxes", `{"image":{"uri":"169.254.169.254/x"},"entrypoint":["a"],"resourceLimits":{}}`, 400, "SANDBOX::INVALID_PARAMETER"},
		"absent image":        {"POST", "/v1/sandboxes", `{"image":{"uri":"127.0.0.1:1/nobody/nothing:1"},"entrypoint":["a"],"resourceLimits":{}}`, 500, "DOCKER::SANDBOX_IMAGE_PULL_FAILED"},
		"unbalanced quotes":   {"POST", "/v1/sandboxes", `{"image":{"uri":"` + s.DemoImage + `"},"entrypoint":["sh -c 'x"],"resourceLimits":{}}`, 400, "DOCKER::INVALID_ENTRYPOINT"},
		"reserved env":        {"POST", "/v1/sandboxes", `{` + image + `,"env":{"EXECD_ACCESS_TOKEN":""}}`, 400, "SANDBOX::INVALID_PARAMETER"},
		"oversized":           {"POST", "/v1/sandboxes", `{"env":{"A":"` + strings.Repeat("x", 9<<20) + `"}}`, 413, "GENERAL::PAYLOAD_TOO_LARGE"},
		"unknown id":          {"GET", "/v1/sandboxes/nope", ``, 404, "DOCKER::SANDBOX_NOT_FOUND"},
		"bad page":            {"GET", "/v1/sandboxes?page=0", ``, 422, "SANDBOX::INVALID_PARAMETER"},
		"bad filter":          {"GET", "/v1/sandboxes?metadata=x", ``, 400, "INVALID_METADATA_FORMAT"},
		"port out of range":   {"GET", "/v1/sandboxes/x/endpoints/70000", ``, 400, "DOCKER::INVALID_PORT"},
		"port not a number":   {"GET", "/v1/sandboxes/x/endpoints/http", ``, 422, "SANDBOX::INVALID_PARAMETER"},
		"unknown path":        {"GET", "/v1/nothing", ``, 404, "GENERAL::NOT_FOUND"},
		"wrong method":        {"PUT", "/v1/sandboxes", ``, 405, "GENERAL::METHOD_NOT_ALLOWED"},
		"proxy to unknown id": {"GET", "/v1/sandboxes/nope/proxy/8080/", ``, 404, "DOCKER::SANDBOX_NOT_FOUND"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := raw(t, s, c.method, c.path, c.body, s.Key)
			require.Equal(t, c.status, status, body)
			require.Contains(t, body, `"code":"`+c.code+`"`)
			require.Contains(t, body, `"message":"`)
			require.NotContains(t, body, "xxxx", "the request is not echoed")
		})
	}
	left, err := s.Containers(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestKeysAreDemandedAndNotLeaked(t *testing.T) {
	s := start(t, "")
	for path, public := range map[string]bool{
		"/health": true, "/docs": true, "/redoc": true, "/openapi.json": true,
		"/v1/sandboxes": false, "/sandboxes": false, "/v1/sandboxes/x": false, "/v1/nothing": false,
		"/V1/sandboxes": false, "//v1/sandboxes": false, "/v1/sandboxes/x%2Fproxy%2F80": false, "/v1/sandboxes/x/proxy/http": false,
	} {
		status, body := raw(t, s, "GET", path, "", "")
		if public {
			require.Equal(t, 200, status, path)
			continue
		}
		require.Contains(t, []int{400, 401, 404}, status, "%s: %s", path, body)
		require.NotContains(t, body, `"items"`, path)
	}
	status, body := raw(t, s, "GET", "/v1/sandboxes", "", "")
	require.Equal(t, 401, status)
	require.Contains(t, body, "MISSING_API_KEY")
	status, body = raw(t, s, "GET", "/v1/sandboxes", "", s.Key+"x")
	require.Equal(t, 401, status)
	require.Contains(t, body, "INVALID_API_KEY")
	require.NotContains(t, body, s.Key)
}

func TestStartIsRefusedWithAReason(t *testing.T) {
	t.Run("no engine", func(t *testing.T) {
		s := prepare(t, "")
		s.EngineSocket = t.TempDir() + "/absent.sock"
		require.Error(t, s.Start(t.Context()))
		require.Equal(t, 3, s.ExitCode())
		require.Contains(t, s.Log(), "DOCKER_HOST")
	})
	t.Run("no key", func(t *testing.T) {
		s := prepare(t, "")
		edit(t, s, `api_key = "`+s.Key+`"`, "")
		require.Error(t, s.Start(t.Context()))
		require.Equal(t, 1, s.ExitCode())
		require.Contains(t, s.Log(), "OPENSANDBOX_INSECURE_SERVER")
	})
	t.Run("ten mistakes, told at once", func(t *testing.T) {
		s := prepare(t, `
[log]
level = "X"
file_max_bytes = 0
file_backup_count = -1
[kubernetes]
informer_resync_seconds = 0
read_qps = -1
[secure_runtime]
type = "vm"
[egress]
mode = "off"
image = ""
[agent_sandbox]
shutdown_policy = "Never"
`)
		edit(t, s, "port = ", "port = 700000 # ")
		require.Error(t, s.Start(t.Context()))
		require.Equal(t, 1, s.ExitCode())
		for _, key := range []string{
			"server.port", "log.level", "log.file_max_bytes", "log.file_backup_count", "kubernetes.informer_resync_seconds",
			"kubernetes.read_qps", "secure_runtime.type", "egress.mode", "egress.image", "agent_sandbox.shutdown_policy",
		} {
			require.Contains(t, s.Log(), key)
		}
		require.Regexp(t, `sandbox\.toml:\d+`, s.Log(), "file and line are named")
	})
	t.Run("port in use", func(t *testing.T) {
		first := start(t, "")
		second := prepare(t, "")
		_, port, _ := strings.Cut(second.Addr, ":")
		_, taken, _ := strings.Cut(first.Addr, ":")
		edit(t, second, "port = "+port, "port = "+taken)
		err := second.Start(t.Context())
		require.Error(t, err)
		require.NotEqual(t, 0, second.ExitCode())
		require.Contains(t, second.Log(), "address already in use")
	})
}

func edit(t *testing.T, s *edge.Server, from, to string) {
	t.Helper()
	b, err := os.ReadFile(s.ConfigPath())
	require.NoError(t, err)
	require.Contains(t, string(b), from)
	require.NoError(t, os.WriteFile(s.ConfigPath(), []byte(strings.Replace(string(b), from, to, 1)), 0o600))
}

// raw makes one request exactly as written and returns status and body.
func raw(t *testing.T, s *edge.Server, method, path, body, key string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr, strings.NewReader(body))
	require.NoError(t, err)
	// Not parsed, so that odd escapes reach the server as they stand here.
	req.URL.Opaque = "//" + s.Addr + path
	if at, query, found := strings.Cut(path, "?"); found {
		req.URL.Opaque, req.URL.RawQuery = "//"+s.Addr+at, query
	}
	if key != "" {
		req.Header.Set("OPEN-SANDBOX-API-KEY", key)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}
