package config

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

const gatewayFile = `
[server]
api_key = "0123456789abcdef0123"
[control]
url = "http://10.0.0.5:8080"
api_key = "0123456789abcdef0123"
`

func TestAGatewayNeedsNoRuntime(t *testing.T) {
	l, err := Parse(Options{Path: "gateway.toml"}, []byte(gatewayFile))
	require.NoError(t, err)
	require.True(t, l.Config.GatewayOnly())
	require.Empty(t, l.Report.Warnings)
	var shown bytes.Buffer
	require.NoError(t, l.WriteEffective(&shown))
	require.Contains(t, shown.String(), "[control]")
	require.NotContains(t, shown.String(), "0123456789abcdef0123")
	for _, section := range []string{"[runtime]", "[docker]", "[store]", "[storage]", "[image]", "[egress]", "[kubernetes]"} {
		require.NotContains(t, shown.String(), section)
	}
	_, err = Parse(Options{Path: "x.toml"}, []byte("[server]\nport = 1\n"))
	require.ErrorContains(t, err, "runtime: Field required", "a lifecycle server does")
}

func TestALifecycleServersSectionsHaveNoEffectInAGateway(t *testing.T) {
	l, err := Parse(Options{Path: "gateway.toml"}, []byte(gatewayFile+`
[runtime]
type = "docker"
execd_image = "x"
[docker]
network_mode = "bridge"
[store]
path = "/nowhere/else.db"
`))
	require.NoError(t, err)
	var keys []string
	for _, w := range l.Report.Warnings {
		require.Contains(t, w.Message, "has no effect")
		keys = append(keys, w.Key)
	}
	require.ElementsMatch(t, []string{"runtime", "docker", "store"}, keys)
}

func TestControlURLs(t *testing.T) {
	for url, fits := range map[string]bool{
		"http://10.0.0.5:8080": true, "https://control.example.com": true, "https://control.example.com/": true,
		"control:8080": false, "unix:///run/x.sock": false, "http://u:p@host": false, "http://host/v1": false,
		"http://host?x": false, "http://": false, "ftp://host": false,
	} {
		_, err := Parse(Options{Path: "x.toml"}, []byte("[control]\napi_key = \"k\"\nurl = \""+url+"\"\n"))
		require.Equal(t, fits, err == nil, "%s: %v", url, err)
	}
	_, err := Parse(Options{Path: "x.toml"}, []byte("[control]\nurl = \"http://h\"\n"))
	require.ErrorContains(t, err, "control.api_key: Field required")
}
