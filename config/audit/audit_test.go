package audit

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/secret"
)

var update = flag.Bool("update", false, "write the golden file anew")

const minimal = "[runtime]\ntype = \"docker\"\nexecd_image = \"opensandbox/execd:latest\"\n"

var options = config.Options{Path: "test.toml", Home: "/home/u", Lookup: func(string) (string, bool) { return "", false }}

func parse(document string) (*config.Loaded, error) { return config.Parse(options, []byte(document)) }

const weakest = minimal + `
[server]
api_key = "your-secret-api-key"
api_keys = ["short"]
eip = "api.example.com"
cors_origins = ["http://console.example.com"]
execd_access_token = false
forward_credentials = true
limit_concurrency = 0
trusted_proxies = ["10.0.0.0/8", "0.0.0.0/0"]
[docker]
host = "tcp://10.0.0.1:2375"
publish = true
adopt = "all"
drop_capabilities = ["CAP_NET_RAW"]
no_new_privileges = false
apparmor_profile = "unconfined"
seccomp_profile = "unconfined"
pids_limit = 0
log_max_bytes = 0
extra_hosts = ["host:host-gateway"]
[ingress]
mode = "gateway"
gateway.address = "*.sandboxes.example.com"
gateway.route.mode = "wildcard"
gateway.also = [{ mode = "header", address = "gw" }]
shared_origin_isolation = "off"
cross_site = "allow"
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

// TestReport fixes the report for the weakest file that loads, for the
// bare minimum, and for what init-config writes.
func TestReport(t *testing.T) {
	example, err := config.Example(config.Docker, secret.New("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	var out bytes.Buffer
	for _, c := range []struct{ name, document string }{{"weakest", weakest}, {"minimal", minimal}, {"example docker", string(example)}} {
		l, err := parse(c.document)
		require.NoError(t, err)
		fmt.Fprintf(&out, "== %s\n", c.name)
		for _, f := range Run(l) {
			fmt.Fprintln(&out, f)
		}
	}
	const golden = "testdata/audit.golden"
	if *update {
		require.NoError(t, os.WriteFile(golden, out.Bytes(), 0o600))
		return
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}

func TestFileModesCount(t *testing.T) {
	o := options
	o.Path = filepath.Join(t.TempDir(), "s.toml")
	require.NoError(t, os.WriteFile(o.Path, []byte(minimal+"[server]\napi_key = \"0123456789abcdef\"\n"), 0o644)) //nolint:gosec // what is tested
	l, err := config.Load(o)
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(Run(l)), "ERROR file mode: this file holds credentials")
}

func TestMountsThatGiveTheMachineAway(t *testing.T) {
	for prefix, bad := range map[string]bool{
		"/": true, "/etc": true, "/etc/ssl": true, "/var/run": true, "/var": true, "/home/u": true, "/proc/1": true,
		"/data": false, "/etcetera": false, "/srv/sandboxes": false,
	} {
		l, err := parse(minimal + "[storage]\nallowed_host_paths = [\"" + prefix + "\"]\n")
		require.NoError(t, err)
		found := false
		for _, f := range Run(l) {
			found = found || f.Severity == SeverityError && f.Key == "storage.allowed_host_paths"
		}
		require.Equal(t, bad, found, prefix)
	}
}

func FuzzFindings(f *testing.F) {
	f.Add([]byte(weakest))
	f.Add([]byte(minimal))
	f.Add([]byte(minimal + "[server]\napi_key = \"${K}\"\napi_keys = [\"${K}\"]\n[renew_intent]\nredis.enabled = true\nredis.dsn = \"${K}\"\n"))
	f.Fuzz(func(t *testing.T, document []byte) {
		if bytes.Contains(document, []byte("_file")) || bytes.Contains(document, []byte("FUZZ")) {
			return // names files of this machine, or writes the variable's value anywhere
		}
		o := options
		o.Lookup = func(name string) (string, bool) { return "FUZZSECRETFUZZSECRET", name == "K" }
		l, err := config.Parse(o, document)
		if err != nil {
			return
		}
		for _, finding := range Run(l) {
			require.NotContains(t, finding.String(), "FUZZSECRET")
			require.False(t, strings.ContainsFunc(finding.String(), func(r rune) bool { return r < 0x20 }), "a control character reaches the terminal")
		}
	})
}
