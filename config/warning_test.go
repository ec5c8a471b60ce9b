package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func warnings(t *testing.T, document string) []string {
	l, err := parse(document, "K", "0123456789abcdef")
	require.NoError(t, err)
	var out []string
	for _, w := range l.Report.Warnings {
		out = append(out, w.String())
	}
	return out
}

func TestUnknownKeysNameTheNearestKnownOne(t *testing.T) {
	cases := []struct{ text, want string }{
		{"[server]\nlimit_concurency = 1", `test.toml:5 server.limit_concurency: unknown key, ignored; did you mean "limit_concurrency"?`},
		{"[server]\nPort = 1", `test.toml:5 server.Port: unknown key, ignored; did you mean "port"?`},
		{"[server]\nnetwork_mode = \"x\"", `test.toml:5 server.network_mode: unknown key, ignored; did you mean "docker.network_mode"?`},
		{"[server]\nzzzzzzzz = 1", `test.toml:5 server.zzzzzzzz: unknown key, ignored`},
		{"[dokcer]\nx = 1", `test.toml:4 dokcer: unknown section, ignored; did you mean "docker"?`},
		{"[pause]\nimage = \"x\"", `test.toml:4 pause: unknown section, ignored`},
		{"[router.deep.er]\nx = 1", `test.toml:4 router: unknown section, ignored`},
		{"[renew_intent]\nredis.dns = \"x\"", `test.toml:5 renew_intent.redis.dns: unknown key, ignored; did you mean "dsn"?`},
		{"[secure_access]\nx = 1", `test.toml:4 secure_access: unknown section, ignored; did you mean "ingress.secure_access"?`},
		{"[server.\"\\u001b[31m\"]", "test.toml:4 server.\uFFFD[31m: unknown section, ignored"},
	}
	for _, c := range cases {
		require.Equal(t, []string{c.want}, warnings(t, minimal+c.text+"\n"))
	}
	many := minimal + "[server]\n"
	for i := range 200 {
		many += fmt.Sprintf("unknown_%d = 1\n", i)
	}
	require.Len(t, warnings(t, many), maxUnknown)
	require.Empty(t, warnings(t, kubernetesMinimal+"[kubernetes.execd_init_resources.limits]\n\"any.thing/here\" = \"1\"\n"))
	require.Equal(t, []string{`test.toml:10 ingress.secure_access.keys.secret: unknown key, ignored`},
		warnings(t, signed("active_key = \"a\"\n[[ingress.secure_access.keys]]\nkey_id = \"a\"\nkey = \""+key16+"\"\nsecret = \"x\"\n")), "positions of array tables")
}

func TestConflicts(t *testing.T) {
	cases := []struct{ document, want string }{
		{kubernetesMinimal + "[docker]\n", "docker: has no effect"},
		{minimal + "[log]\nfile_path = \"/x\"\n", "log.file_path: has no effect without log.file_enabled"},
		{minimal + "[log]\naccess_file_path = \"/x\"\n", "log.access_file_path: has no effect without log.file_enabled"},
		{minimal + "[renew_intent]\nredis = { enabled = true, dsn = \"redis://h\" }\n", "renew_intent.redis.enabled: has no effect without"},
		{minimal + "[egress]\nmode = \"dns\"\n", "egress.mode: has no effect without egress.image"},
		{minimal + "[egress]\nimage = \"e:1\"\n", "egress.image: networkPolicy needs docker.network_mode"},
		{minimal + "[server]\neip = \"https://api.example.com:8443/x\"\n[ingress]\nmode = \"gateway\"\ngateway = { address = \"*.sb.example.com\", route = { mode = \"wildcard\" } }\n", "ingress.gateway: *.sb.example.com and https://api.example.com:8443/x share a registrable domain"},
		{minimal + "[ingress]\npublic_port = 1\n", "ingress.public_port: has no effect"},
		{minimal + "[docker]\nhost_mode_ports = [9000, 8080]\n", "docker.host_mode_ports: 8080 is the server's own port"},
		{minimal + "[docker]\npublish = true\n", "docker.publish: with network_mode = \"host\""},
		{minimal + "[docker]\nnetwork_mode = \"bridge\"\nhost_mode_ports = [80]\n", "docker.host_mode_ports: has no effect without"},
		{kubernetesMinimal + "[kubernetes]\nbatchsandbox_template_file = \"/nowhere.yaml\"\n", "kubernetes.batchsandbox_template_file: the file /nowhere.yaml does not exist"},
		{kubernetesMinimal + "[kubernetes]\nbatchsandbox_template_file = \"" + write(t, "t.yaml", "- a\n", 0o600) + "\"\n", "the file is not a YAML mapping"},
		{minimal + "[server]\nlog_level = \"DEBUG\"\n", "server.log_level: is an old name; it is used as log.level"},
		{minimal + "[server]\nlog_level = \"DEBUG\"\n[log]\nlevel = \"INFO\"\n", "server.log_level: is an old name of log.level, which is given as well"},
		{minimal + "[server]\napi_key = \"short\"\n", "server.api_key: the key has fewer than 16 characters"},
	}
	for _, c := range cases {
		got := warnings(t, c.document)
		require.Len(t, got, 1, c.document)
		require.Contains(t, got[0], c.want)
		require.NotContains(t, got[0], "short and")
	}
	require.Equal(t, []string{
		"test.toml:5 server.tls_cert_file: the file cannot be read: no such file or directory",
		"test.toml:6 server.tls_key_file: the file cannot be read: no such file or directory",
	}, warnings(t, minimal+"[server]\ntls_cert_file = \"/nowhere.crt\"\ntls_key_file = \"/nowhere.key\"\n"))

	l, err := parse(minimal+"[server]\nlog_level = \"DEBUG\"\nloop = \"uvloop\"\nhttp = \"h11\"\n", EnvAPIKey, "  ", EnvPendingTTL, "60")
	require.NoError(t, err)
	require.Equal(t, "DEBUG", l.Config.Log.Level)
	require.Equal(t, []string{"server.loop", "server.http"}, l.Report.Inert)
	require.True(t, strings.Contains(l.Report.Warnings[1].String(), "environment OPENSANDBOX_SERVER_API_KEY: is set but blank"))

	_, err = parse(minimal + "[server]\nlog_level = \"LOUD\"\n")
	require.ErrorContains(t, err, "test.toml:5 log.level: Input should be 'DEBUG'")
}

func TestWarningsComeWithViolations(t *testing.T) {
	_, err := parse("[runtime]\ntyp = \"docker\"\nexecd_image = \"e:1\"\n[server]\nport = 0\nlimit_concurency = 1\n")
	for _, want := range []string{
		"\n  test.toml:5 server.port: ",
		"\n  warning: test.toml:2 runtime.typ: unknown key, ignored; did you mean \"type\"?",
		"\n  warning: test.toml:6 server.limit_concurency: unknown key, ignored; did you mean \"limit_concurrency\"?",
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = parse(minimal + "[server]\nport = 0\n")
	require.NotContains(t, err.Error(), "warning:")
}
