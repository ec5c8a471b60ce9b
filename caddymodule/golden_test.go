package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// separator stands between a Caddyfile and what it is adapted to.
const separator = "----------\n"

func adaptCaddyfile(t *testing.T, text, file string) (string, error) {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": file})
	if err != nil {
		return "", err
	}
	var pretty bytes.Buffer
	require.NoError(t, json.Indent(&pretty, adapted, "", "\t"))
	return pretty.String() + "\n", nil
}

// One fixture per directive: Caddyfile above the line, JSON below.
func TestCaddyfileFixtures(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/*.caddytest")
	require.NoError(t, err)
	require.NotEmpty(t, fixtures)
	for _, name := range fixtures {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			caddyfile, want, _ := strings.Cut(string(text), separator)
			got, err := adaptCaddyfile(t, caddyfile, "Caddyfile")
			require.NoError(t, err)
			if *update {
				require.NoError(t, os.WriteFile(name, []byte(caddyfile+separator+got), 0o600))
				return
			}
			require.Equal(t, want, got)
		})
	}
}

// Every directive page has a fixture, and the other way round.
func TestEveryDirectiveHasAPageAndAFixture(t *testing.T) {
	names := func(pattern, suffix string) (out []string) {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, f := range files {
			if name := strings.TrimSuffix(filepath.Base(f), suffix); name != "README" {
				out = append(out, name)
			}
		}
		return out
	}
	require.Equal(t, names("testdata/*.caddytest", ".caddytest"), names("../docs/directives/*.md", ".md"))
}

// Whoever meets a module in `caddy list-modules` finds a page that names it.
func TestEveryModuleHasAPage(t *testing.T) {
	var pages strings.Builder
	for _, pattern := range []string{"../docs/directives/*.md", "../docs/reference/*.md"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range files {
			pages.WriteString(readFile(t, name))
		}
	}
	count := 0
	for _, id := range caddy.Modules() {
		if !strings.Contains(id, "opensandbox") || id == string(fakeModule{}.CaddyModule().ID) {
			continue
		}
		count++
		name := caddy.ModuleID(id).Name()
		require.True(t, strings.Contains(pages.String(), name+"\n\n```caddyfile") || strings.Contains(pages.String(), "`"+id+"`"), "%s has no page", id)
	}
	require.GreaterOrEqual(t, count, 8)
	require.Contains(t, pages.String(), "# The config adapter `sandbox_toml`")
}

func TestCaddyfileMistakes(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"argument of the option":  {"{\nopensandbox x\n}", "argument"},
		"given twice":             {"{\nopensandbox {\n}\nopensandbox {\n}\n}", "twice"},
		"unknown option":          {"{\nopensandbox {\nruntime docker\n}\n}", "TOML file"},
		"no path":                 {"{\nopensandbox {\nconfig\n}\n}", "argument"},
		"no key":                  {"{\nopensandbox {\napi_key\n}\n}", "argument"},
		"argument of insecure":    {"{\nopensandbox {\ninsecure yes\n}\n}", "argument"},
		"argument of auth":        {"http://a {\nopensandbox_auth one two\n}", "argument"},
		"block of lifecycle":      {"http://a {\nopensandbox_lifecycle {\nkey x\n}\n}", "TOML file"},
		"block of ingress":        {"http://a {\nopensandbox_ingress {\nport 1\n}\n}", "TOML file"},
		"unknown encoder option":  {"{\nlog {\nformat opensandbox {\ncolor on\n}\n}\n}", "only layout"},
		"writer without a path":   {"{\nlog {\noutput opensandbox_file\n}\n}", "argument"},
		"writer, no number":       {"{\nlog {\noutput opensandbox_file /x {\nbackups many\n}\n}\n}", "number"},
		"writer, unknown option":  {"{\nlog {\noutput opensandbox_file /x {\nroll 1\n}\n}\n}", "max_bytes"},
		"writer, no value at all": {"{\nlog {\noutput opensandbox_file /x {\nbackups\n}\n}\n}", "argument"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := adaptCaddyfile(t, c.text, "Caddyfile")
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A path in a Caddyfile is relative to it, like those of import.
func TestConfigPathIsRelativeToTheCaddyfile(t *testing.T) {
	got, err := adaptCaddyfile(t, "{\nopensandbox {\nconfig sandbox.toml\n}\n}", "/etc/caddy/Caddyfile")
	require.NoError(t, err)
	require.Contains(t, got, `"/etc/caddy/sandbox.toml"`)
}

// The TOML adapter, with everything that shapes Caddy's configuration.
func TestAdapterFixtures(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/*.toml")
	require.NoError(t, err)
	require.NotEmpty(t, fixtures)
	for _, name := range fixtures {
		t.Run(filepath.Base(name), func(t *testing.T) {
			body, err := os.ReadFile(name)
			require.NoError(t, err)
			loaded, err := config.Parse(config.Options{
				Path: "/etc/opensandbox/sandbox.toml", Home: "/home/edge", Lookup: func(string) (string, bool) { return "", false },
			}, body)
			require.NoError(t, err)
			got, err := Adapt(loaded, KeyRequired)
			require.NoError(t, err)
			golden := strings.TrimSuffix(name, ".toml") + ".json"
			if *update {
				require.NoError(t, os.WriteFile(golden, append(got, '\n'), 0o600))
				return
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got)+"\n")
			require.NotContains(t, string(got), "a-secret-api-key")
		})
	}
}

func TestAdapterNeedsAFile(t *testing.T) {
	_, _, err := Adapter{}.Adapt([]byte("[runtime]"), nil)
	require.ErrorContains(t, err, "--config")
	_, _, err = Adapter{}.Adapt([]byte("[runtime]\ntype = 1"), map[string]any{"filename": "/etc/opensandbox/sandbox.toml"})
	require.ErrorContains(t, err, "/etc/opensandbox/sandbox.toml:2")
}

// The example is adapted without a warning and names every directive.
func TestExampleShowsEveryDirective(t *testing.T) {
	text, err := os.ReadFile("../Caddyfile.example")
	require.NoError(t, err)
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": "../Caddyfile.example"})
	require.NoError(t, err)
	require.Empty(t, warnings)
	for _, name := range []string{
		`"opensandbox"`, `"opensandbox_auth"`, `"opensandbox_lifecycle"`, `"opensandbox_ingress"`, `"format":"opensandbox"`,
		`"output":"opensandbox_file"`, `"opensandbox/127.0.0.1:8080"`, `|0600"`, `"persist":false`, `"allow_0rtt":false`, `"handler":"metrics"`,
	} {
		require.Contains(t, string(adapted), name)
	}
	example, err := os.ReadFile("../sandbox.example.toml")
	require.NoError(t, err)
	require.Contains(t, string(example), config.ExampleKey)
}
