package config

import (
	"bytes"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"
)

const effectiveDocument = minimal + `
[server]
api_key = "${K}"
port = 9000
[docker]
network_mode = "bridge"
pids_limit = "null"
[ingress]
mode = "gateway"
gateway.address = "*.sandboxes.example.com"
gateway.route.mode = "wildcard"
gateway.also = [{ mode = "uri", address = "gw.example.com" }]
`

func TestEffective(t *testing.T) {
	l, err := parse(effectiveDocument, "K", "0123456789abcdef", EnvPendingTTL, "60")
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, l.WriteEffective(&out))
	golden(t, "testdata/effective.golden", out.Bytes())

	var tree map[string]any
	require.NoError(t, toml.Unmarshal(out.Bytes(), &tree), "the output is TOML itself")
}

func TestEffectiveShowsEveryKindOfValue(t *testing.T) {
	l, err := parse(kubernetesMinimal + "[kubernetes]\nsandbox_create_poll_interval_seconds = 0.5\nexecd_init_resources.limits = { cpu = \"1\", memory = \"a\\\"b\" }\n[storage]\nallowed_host_paths = [\"/a b\", \"/c\"]\n")
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, l.WriteEffective(&out))
	for _, line := range []string{
		"sandbox_create_poll_interval_seconds = 0.5 ", `limits = { "cpu" = "1", "memory" = "a\"b" } `, `allowed_host_paths = ["/a b", "/c"] `,
		"read_qps = 0.0 ", "informer_enabled = true ",
	} {
		require.Contains(t, out.String(), line)
	}
	require.NotContains(t, out.String(), "[docker]")
}
