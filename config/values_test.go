package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const kubernetesMinimal = "[runtime]\ntype = \"kubernetes\"\nexecd_image = \"e:1\"\n"

// fieldCases pair one line with the violation it must lead to; "" = it loads.
var fieldCases = []struct{ section, line, message string }{
	{"server", `port = "8080"`, ""},
	{"server", `port = 8080.0`, ""},
	{"server", `port = 8080.5`, "Input should be a valid integer"},
	{"server", `port = true`, "Input should be a valid integer"},
	{"server", `port = ""`, "Input should be a valid integer"},
	{"server", `port = 0`, "Input should be greater than or equal to 1"},
	{"server", `port = 65536`, "Input should be less than or equal to 65535"},
	{"server", `port = 99999999999999999999`, "Failed to read config file"},
	{"server", `host = 8080`, "Input should be a valid string"},
	{"server", `host = ""`, "String should have at least 1 character"},
	{"server", `host = "  "`, "Input should not be blank"},
	{"server", `host = "::"`, ""},
	{"server", `host = "[::1]"`, ""},
	{"server", `host = "unix//run/edge.sock"`, ""},
	{"server", `host = "unix/run/edge.sock"`, "A Unix socket is written"},
	{"server", `host = "unix/"`, "A Unix socket is written"},
	{"server", `host = "http://x"`, "Input should be an IP address"},
	{"server", `host = "a b"`, "Input should be an IP address"},
	{"server", `host = "a\u0000b"`, "control characters"},
	{"server", `loop = "uvloop"`, ""},
	{"server", `loop = "Auto"`, "Input should be 'auto', 'uvloop' or 'asyncio'"},
	{"server", `http = "h2"`, "Input should be 'auto', 'httptools' or 'h11'"},
	{"server", `max_sandbox_timeout_seconds = 59`, "Input should be greater than or equal to 60"},
	{"server", `max_sandbox_timeout_seconds = 99999999999999`, "Input should be less than or equal to"},
	{"server", `limit_concurrency = 0`, ""},
	{"server", `limit_concurrency = -1`, "Input should be greater than or equal to 0"},
	{"server", `timeout_keep_alive = 0`, "Input should be greater than or equal to 1"},
	{"server", `backlog = 0`, "Input should be greater than or equal to 1"},
	{"server", `thread_pool_size = 0`, "Input should be greater than or equal to 1"},
	{"server", `max_header_bytes = 100`, "Input should be greater than or equal to 4096"},
	{"server", `require_access = "sometimes"`, "Input should be 'none', 'key' or 'secure'"},
	{"server", `eip = "203.0.113.9:8443"`, ""},
	{"server", `eip = "https://edge.example.com/"`, ""},
	{"server", `eip = "ftp://x"`, "Input should be a host or host:port."},
	{"server", `eip = "user@host"`, "Input should be a host or host:port."},
	{"server", `eip = "host:99999"`, "Input should be a host or host:port."},
	{"server", `eip = " "`, ""},
	{"server", `cors_origins = ["https://a.example"]`, ""},
	{"server", `cors_origins = ["*"]`, "Entry 1: Each origin should be written"},
	{"server", `cors_origins = ["https://a.example/"]`, "Entry 1: Each origin"},
	{"server", `cors_origins = "https://a.example"`, "Input should be a valid list"},
	{"server", `public_hosts = ["a.example", 3]`, "Entry 2: Input should be a valid string"},
	{"server", `docs = "off"`, ""},
	{"server", `docs = 2`, "Input should be a valid boolean"},
	{"log", `level = "warning"`, ""},
	{"log", `level = "WA"`, "String should have at least 3 characters"},
	{"log", `level = "TRACE"`, "Input should be 'DEBUG', 'INFO'"},
	{"log", `format = "xml"`, "Input should be 'text' or 'json'"},
	{"log", `file_max_bytes = 0`, "Input should be greater than or equal to 1"},
	{"log", `file_backup_count = 0`, ""},
	{"docker", `pids_limit = 0`, ""},
	{"docker", `pids_limit = -1`, ""},
	{"docker", `pids_limit = "null"`, ""},
	{"docker", `pids_limit = -2`, "Input should be greater than or equal to 1"},
	{"docker", `network_mode = "My-Net"`, ""},
	{"docker", `network_mode = "a b"`, "Input should be host, bridge or the name"},
	{"docker", `api_timeout = 0`, "Input should be greater than or equal to 1"},
	{"docker", `adopt = "some"`, "Input should be 'unclaimed', 'own' or 'all'"},
	{"docker", `reach = "magic"`, "Input should be"},
	{"docker", `publish_address = "fd00::1"`, ""},
	{"docker", `publish_address = "[fd00::1]"`, "Input should be an IP address of the engine's host"},
	{"docker", `publish_address = "localhost"`, "Input should be an IP address of the engine's host"},
	{"docker", `port_range_min = 80`, "greater than or equal to 1024"},
	{"docker", `port_range_max = 39999`, "port_range_max must not be smaller than port_range_min."},
	{"docker", `host_mode_ports = 8080`, "Input should be a valid list"},
	{"docker", `host_mode_ports = [8080, 0]`, "Entry 2: Input should be a port, 1 to 65535"},
	{"docker", `instance = "a/b"`, "Input should be up to 63 letters"},
	{"docker", `host = "/var/run/docker.sock"`, "Input should be unix:///path or tcp://host:port."},
	{"docker", `drop_capabilities = []`, ""},
	{"docker", `drop_capabilities = ["NET-RAW"]`, "Entry 1: Each capability"},
	{"docker", `seccomp_profile = "{\n}"`, ""},
	{"docker", `execd_start_timeout_seconds = 0`, "Input should be greater than or equal to 1"},
	{"docker", `log_max_bytes = -1`, ""},
	{"docker", `log_max_bytes = 100`, "Input should be greater than or equal to 4096"},
	{"docker", `log_max_files = 0`, "Input should be greater than or equal to 1"},
	{"docker", `shm_size = "1.5Gi"`, ""},
	{"docker", `shm_size = "much"`, "Input should be an amount such as 512Mi"},
	{"docker", `storage_size = 10`, "Input should be a valid string"},
	{"docker", `tmpfs = "/tmp"`, "Input should be a valid list"},
	{"docker", `dns_servers = ["9.9.9.9\n"]`, "Entry 1: Input should not contain control characters"},
	{"docker", `pull_policy = "sometimes"`, "Input should be 'missing', 'always' or 'never'"},
	{"docker", `pull_timeout_seconds = 0`, "Input should be greater than or equal to 1"},
	{"docker", `max_pulls = 101`, "Input should be less than or equal to 100"},
	{"docker", `pull_min_free = "0"`, ""},
	{"docker.default_limits", `memory = "2Gi"`, ""},
	{"docker.default_limits", `memory = "2 Gi"`, "Input should be an amount such as 512Mi"},
	{"docker.default_limits", `cpu = "500m"`, ""},
	{"docker.default_limits", `cpu = "two"`, "Input should be a number of processors"},
	{"egress", `image = ""`, "String should have at least 1 character"},
	{"egress", `mode = "nft"`, "Input should be 'dns' or 'dns+nft'"},
	{"storage", `allowed_host_paths = ["data"]`, "Entry 1: Input should be an absolute path."},
	{"storage", `ossfs_mount_root = "mnt"`, "Input should be an absolute path."},
	{"storage", `allowed_volumes = ["pgdata", "../x"]`, "Entry 2: Each volume should be a name"},
	{"storage", `allowed_volumes = []`, ""},
	{"storage", `allowed_oss_endpoints = ["https://oss.example.com"]`, "Entry 1: Each endpoint"},
	{"storage", `allowed_oss_endpoints = ["*.example.com", "store.internal"]`, ""},
	{"storage", `volume_default_size = "1 GB"`, "Input should be a quantity"},
	{"store", `type = "postgres"`, "Input should be 'sqlite'"},
	{"store", `path = ""`, "String should have at least 1 character"},
	{"secure_runtime", `type = "runc"`, "Input should be '', 'gvisor', 'kata' or 'firecracker'"},
	{"renew_intent", `min_interval_seconds = 0`, "Input should be greater than or equal to 1"},
	{"renew_intent", `redis.queue_key = ""`, "String should have at least 1 character"},
	{"renew_intent", `redis.dsn = "http://x"`, "Input should begin with redis://"},
	{"renew_intent", `redis = 3`, "Input should be a table"},
	{"image", `allowed_registries = ["https://docker.io"]`, "Entry 1: Each registry"},
	{"metrics", `listen = "9464"`, "Input should be host:port."},
	{"metrics", `listen = ":9464"`, ""},
	{"ingress", `mode = "wildcard"`, "Input should be 'direct' or 'gateway'"},
	{"ingress", `public_port = 0`, "Input should be greater than or equal to 1"},
	{"kubernetes", `workload_provider = "Agent-Sandbox"`, ""},
	{"kubernetes", `workload_provider = "pods"`, "Unsupported workload provider type 'pods'. Available providers: batchsandbox, agent-sandbox"},
	{"kubernetes", `image_pull_policy = "always"`, "Input should be 'Always', 'IfNotPresent' or 'Never'"},
	{"kubernetes", `sandbox_create_poll_interval_seconds = 0`, "Input should be greater than 0"},
	{"kubernetes", `sandbox_create_poll_interval_seconds = 0.25`, ""},
	{"kubernetes", `read_qps = nan`, "Input should be a valid number"},
	{"kubernetes", `read_qps = -1`, "Input should be greater than or equal to 0"},
	{"kubernetes", `read_qps = "2.5"`, ""},
	{"kubernetes", `execd_init_resources.limits = { cpu = 1 }`, "cpu: Input should be a valid string"},
	{"kubernetes", `execd_init_resources = { limits = { cpu = "1" } }`, ""},
	{"agent_sandbox", `shutdown_policy = "delete"`, "Input should be 'Delete' or 'Retain'"},
}

func TestFieldRules(t *testing.T) {
	for _, c := range fieldCases {
		t.Run(c.section+"/"+c.line, func(t *testing.T) {
			document := minimal
			if c.section == "kubernetes" || c.section == "agent_sandbox" {
				document = kubernetesMinimal
			}
			_, err := parse(document + "[" + c.section + "]\n" + c.line + "\n")
			if c.message == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.message)
			if !strings.HasPrefix(c.message, "Failed") {
				require.ErrorContains(t, err, "test.toml:5 "+c.section+".", "every message has its line and key")
			}
		})
	}
}

func TestBooleansInEverySpelling(t *testing.T) {
	for text, want := range map[string]bool{
		`true`: true, `1`: true, `1.0`: true, `"yes"`: true, `"On"`: true, `"TRUE"`: true, `"t"`: true, `"Y"`: true, `"1"`: true,
		`false`: false, `0`: false, `0.0`: false, `"no"`: false, `"OFF"`: false, `"False"`: false, `"f"`: false, `"n"`: false, `"0"`: false,
	} {
		l, err := parse(minimal + "[renew_intent]\nenabled = " + text + "\n")
		require.NoError(t, err, text)
		require.Equal(t, want, l.Config.RenewIntent.Enabled, text)
	}
}

func TestUnitsAndSpecialValues(t *testing.T) {
	l, err := parse(minimal + `
[docker]
pids_limit = "null"
network_mode = "MyNet"
host_mode_ports = ["8080", 9000]
seccomp_profile = "~/seccomp.json"
[server]
host = "[::1]"
max_sandbox_timeout_seconds = 120
[log]
level = "warning"
file_path = "~/x.log"
`)
	require.NoError(t, err)
	require.Zero(t, l.Config.Docker.PidsLimit)
	require.Equal(t, "MyNet", l.Config.Docker.NetworkMode, "network names keep their case")
	require.Equal(t, "/home/u/seccomp.json", l.Config.Docker.SeccompProfile)
	require.Equal(t, "[::1]:8080", l.Config.Server.ListenAddress())
	require.Equal(t, 2*time.Minute, l.Config.Server.MaxTimeout)
	require.Equal(t, "WARNING", l.Config.Log.Level)
	require.Equal(t, "WARN", l.Config.Log.Slog().String())
	require.Equal(t, "/home/u/x.log", l.Config.Log.FilePath)
	require.Equal(t, []uint16{8080, 9000}, l.Config.Docker.HostModePorts)

	k, err := parse(kubernetesMinimal + "[kubernetes]\nsandbox_create_poll_interval_seconds = 0.25\nworkload_provider = \"BatchSandbox\"\n")
	require.NoError(t, err)
	require.Equal(t, 250*time.Millisecond, k.Config.Kubernetes.CreatePollInterval)
	require.Equal(t, ProviderBatchSandbox, k.Config.Kubernetes.WorkloadProvider)
}

func TestAllViolationsAtOnce(t *testing.T) {
	_, err := parse(`[server]
port = 0
loop = "fast"
api_key = 5

[runtime]
type = "podman"

[ingress]
gateway.route.mode = "host"
secure_access = { active_key = "AA", keys = [{ key_id = "a", key = "!!" }, { key = "c2hvcnQ=" }] }

[storage]
volume_default_size = "big"
`)
	var invalid *Invalid
	require.ErrorAs(t, err, &invalid)
	var got []string
	for _, v := range invalid.Violations {
		got = append(got, v.String())
	}
	require.Equal(t, []string{
		"test.toml:2 server.port: Input should be greater than or equal to 1",
		"test.toml:4 server.api_key: Input should be a valid string",
		"test.toml:3 server.loop: Input should be 'auto', 'uvloop' or 'asyncio'",
		"test.toml:7 runtime.type: Input should be 'docker' or 'kubernetes'",
		"test.toml:6 runtime.execd_image: Field required",
		"test.toml:10 ingress.gateway.address: Field required",
		"test.toml:10 ingress.gateway.route.mode: Input should be 'wildcard', 'header' or 'uri'",
		"test.toml:11 ingress.secure_access.active_key: active_key must be exactly one character [0-9a-z], got 'AA'",
		"test.toml:11 ingress.secure_access.keys[1].key_id: Field required",
		"test.toml:14 storage.volume_default_size: Input should be a quantity such as 500Mi or 1Gi.",
		"test.toml:11 ingress.secure_access.keys[0].key: key is not valid base64",
		"test.toml:11 ingress.secure_access.keys[1].key: key decodes to 5 bytes; signing keys need at least 16, unless ingress.secure_access.allow_weak_keys = true",
	}, got)
}
