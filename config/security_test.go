package config

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/secret"
)

// TestSecurityReport fixes the report for the weakest file that loads, for the
// bare minimum, and for what init-config writes.
func TestSecurityReport(t *testing.T) {
	weakest := minimal + `
[server]
api_key = "your-secret-api-key"
api_keys = ["short"]
eip = "api.example.com"
cors_origins = ["http://console.example.com"]
execd_access_token = false
forward_credentials = true
limit_concurrency = 0
[docker]
host = "tcp://10.0.0.1:2375"
publish = true
adopt = "all"
drop_capabilities = ["CAP_NET_RAW"]
no_new_privileges = false
apparmor_profile = "unconfined"
seccomp_profile = "unconfined"
pids_limit = 0
[ingress]
mode = "gateway"
gateway.address = "*.sandboxes.example.com"
gateway.route.mode = "wildcard"
gateway.also = [{ mode = "header", address = "gw" }]
secure_access = { active_key = "a", allow_weak_keys = true, keys = [{ key_id = "a", key = "AQ==" }] }
[storage]
allowed_host_paths = ["/var/run", "/data"]
[renew_intent]
enabled = true
redis.enabled = true
redis.dsn = "redis://10.0.0.2"
[metrics]
listen = ":9464"
`
	example, err := Example(Docker, secret.New("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	var out bytes.Buffer
	for _, c := range []struct{ name, document string }{{"weakest", weakest}, {"minimal", minimal}, {"example docker", string(example)}} {
		l, err := parse(c.document)
		require.NoError(t, err)
		fmt.Fprintf(&out, "== %s\n", c.name)
		for _, f := range l.Security() {
			fmt.Fprintln(&out, f)
		}
	}
	golden(t, "testdata/security.golden", out.Bytes())
}

func TestSecurityCountsFileModes(t *testing.T) {
	l, err := load(write(t, "s.toml", minimal+"[server]\napi_key = \"0123456789abcdef\"\n", os.FileMode(0o644)))
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(l.Security()), "ERROR file mode: this file holds credentials")
}

func TestMountsThatGiveTheMachineAway(t *testing.T) {
	for prefix, bad := range map[string]bool{
		"/": true, "/etc": true, "/etc/ssl": true, "/var/run": true, "/var": true, "/home/u": true, "/proc/1": true,
		"/data": false, "/etcetera": false, "/srv/sandboxes": false,
	} {
		l, err := parse(minimal + "[storage]\nallowed_host_paths = [\"" + prefix + "\"]\n")
		require.NoError(t, err)
		found := false
		for _, f := range l.Security() {
			found = found || f.Severity == SeverityError && f.Key == "storage.allowed_host_paths"
		}
		require.Equal(t, bad, found, prefix)
	}
}
