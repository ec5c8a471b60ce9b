package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyYESAcknowledges(t *testing.T) {
	for value, want := range map[string]bool{"YES": true, "yes": false, "Yes ": false, " YES": false, "1": false, "": false} {
		got := InsecureAcknowledged(func(name string) (string, bool) { return value, name == EnvInsecure })
		require.Equal(t, want, got, value)
	}
}

// TestPrecedence fixes in a golden file which source wins for every combination.
func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(keyFile, []byte("key-from-a-file-0123\n"), 0o600))
	files := []struct{ name, server string }{
		{"no key", ""},
		{"blank key", `api_key = "  "`},
		{"key", `api_key = " key-from-toml-0123456 "`},
		{"indirect key", `api_key = "${MY_KEY}"`},
		{"key file", fmt.Sprintf("api_key_file = %q", keyFile)},
		{"key and list", "api_key = \"key-from-toml-0123456\"\napi_keys = [\"${MY_KEY}\", \"old-key-0123456789\"]"},
		{"key and key file", fmt.Sprintf("api_key = \"key-from-toml-0123456\"\napi_key_file = %q", keyFile)},
	}
	environments := [][]string{
		{},
		{EnvAPIKey, ""},
		{EnvAPIKey, " \t"},
		{EnvAPIKey, "key-from-environment"},
		{"OPEN_SANDBOX_API_KEY", "client-key-0123456789"},
	}
	var out bytes.Buffer
	for _, f := range files {
		for _, e := range environments {
			fmt.Fprintf(&out, "file: %-17s environment: %-49s → ", f.name, fmt.Sprintf("%q", e))
			l, err := parse(minimal+"[server]\n"+f.server+"\n", append(e, "MY_KEY", "key-behind-a-name-01")...)
			if err != nil {
				fmt.Fprintf(&out, "%v\n", err.(*Invalid).Violations[0].Message)
				continue
			}
			for _, k := range l.Config.Server.Keys() {
				fmt.Fprintf(&out, "%s=%s ", k.Name, k.Key.Reveal())
			}
			fmt.Fprintf(&out, "(%s; %d warnings)\n", l.Report.Origin("server.api_key"), len(l.Report.Warnings))
		}
	}
	golden(t, "testdata/precedence.golden", out.Bytes())
}

func TestOtherVariables(t *testing.T) {
	document := minimal + "[docker]\npending_failure_ttl_seconds = 10\nhost = \"tcp://a:1\"\n"
	l, err := parse(document, EnvPendingTTL, "20", EnvDockerHost, "unix:///x.sock")
	require.NoError(t, err)
	require.Equal(t, "20s", l.Config.Docker.PendingFailureTTL.String())
	require.Equal(t, "unix:///x.sock", l.Config.Docker.Host)
	require.Equal(t, "env DOCKER_HOST", l.Report.Origin("docker.host").String())

	l, err = parse(document, EnvPendingTTL, "", EnvDockerHost, "")
	require.NoError(t, err)
	require.Equal(t, "10s", l.Config.Docker.PendingFailureTTL.String())
	require.Equal(t, "tcp://a:1", l.Config.Docker.Host)

	for value, message := range map[string]string{
		"soon": "environment PENDING_FAILURE_TTL: Input should be a valid integer", "-1": "greater than or equal to 0", "99999999999999": "less than or equal to",
	} {
		_, err = parse(document, EnvPendingTTL, value)
		require.ErrorContains(t, err, message)
	}
	_, err = parse(document, EnvDockerHost, "nonsense")
	require.ErrorContains(t, err, "environment DOCKER_HOST: Input should be unix:///path")

	_, err = parse(minimal + "[server]\napi_key = \"${NOT_THERE}\"\n")
	require.ErrorContains(t, err, "test.toml:5 server.api_key: refers to the environment variable NOT_THERE, which is not set")
}

func TestPathResolution(t *testing.T) {
	resolve := func(flag string, pairs ...string) string {
		path, err := Resolve(Options{Path: flag, Lookup: env(pairs...), Home: "/home/u"})
		require.NoError(t, err)
		return path
	}
	require.Equal(t, "/home/u/.sandbox.toml", resolve(""))
	require.Equal(t, "/home/u/.sandbox.toml", resolve("", EnvPath, ""))
	require.Equal(t, "/home/u/a.toml", resolve("", EnvPath, "~/a.toml"))
	require.Equal(t, "/b.toml", resolve("/b.toml", EnvPath, "/a.toml"))
	require.Equal(t, "/root/x.toml", resolve("~root/x.toml"))
	wd, err := os.Getwd()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(wd, "x.toml"), resolve("x.toml"))
	_, err = Resolve(Options{Path: "~no-such-user-here/x"})
	require.ErrorContains(t, err, "no such user")
}
