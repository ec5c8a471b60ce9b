package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/opensandbox-edge/edge/secret"
)

func TestExamplesLoadAsTheyAre(t *testing.T) {
	for _, kind := range Templates() {
		t.Run(string(kind), func(t *testing.T) {
			body, err := Example(kind, secret.Text{})
			require.NoError(t, err)
			l, err := parse(string(body))
			require.NoError(t, err)
			c := l.Config
			require.Equal(t, 8080, c.Server.Port)
			require.Equal(t, "24h0m0s", c.Server.MaxTimeout.String())
			require.Empty(t, c.Server.Keys())
			require.Equal(t, "direct", c.Ingress.Mode)
			if strings.HasSuffix(string(kind), "-zh") {
				require.True(t, strings.HasPrefix(c.Runtime.ExecdImage, mainlandRegistry))
				require.Contains(t, string(body), "监听")
			} else {
				require.NotRegexp(t, `\p{Han}`, string(body))
			}
			for _, w := range l.Report.Warnings {
				require.Equal(t, "kubernetes.batchsandbox_template_file", w.Key)
			}
			if c.Runtime.Type == RuntimeDocker {
				require.Equal(t, "bridge", c.Docker.NetworkMode)
				require.Equal(t, "127.0.0.1", c.Server.Host)
			} else {
				require.Equal(t, "opensandbox", c.Kubernetes.Namespace)
				require.Equal(t, "0.0.0.0", c.Server.Host)
			}
		})
	}
}

// commentedKey is a line of a template that holds a key which is switched off.
var commentedKey = regexp.MustCompile(`^# ([a-z0-9_.]+) = (.+)$`)

// Each key that a template comments out must load when its "# " is taken away, so
// that nobody has to look up a type.
func TestEveryCommentedLineOfAnExampleIsValid(t *testing.T) {
	for _, kind := range Templates() {
		body, err := Example(kind, secret.Text{})
		require.NoError(t, err)
		lines := strings.Split(string(body), "\n")
		tried := 0
		section := ""
		for i, line := range lines {
			if h := strings.TrimPrefix(line, "# "); strings.HasPrefix(h, "[") && strings.HasSuffix(h, "]") {
				section = strings.Trim(h, "[]")
			}
			m := commentedKey.FindStringSubmatch(line)
			if m == nil || strings.HasPrefix(section, "ingress.gateway") || strings.HasPrefix(section, "ingress.secure") ||
				section == "agent_sandbox" || strings.HasPrefix(m[1], "tls_") || section == "secure_runtime" && m[1] != "type" || m[1] == "api_key_file" {
				continue // these stand in blocks that are tried as a whole below, or name files
			}
			tried++
			changed := append([]string(nil), lines...)
			changed[i] = strings.TrimPrefix(line, "# ")
			_, err := parse(strings.Join(changed, "\n"), "SANDBOX_API_KEY", "0123456789abcdef", "SANDBOX_API_KEY_OLD", "0123456789abcdef")
			require.NoError(t, err, line)
		}
		require.Greater(t, tried, 25)
	}
}

func TestCommentedBlocksAreValid(t *testing.T) {
	body, err := Example(Kubernetes, secret.Text{})
	require.NoError(t, err)
	text := strings.Replace(string(body), `mode = "direct"`, `mode = "gateway"`, 1)
	from, to := strings.Index(text, "# [ingress.gateway]"), strings.Index(text, "[egress]")
	require.Positive(t, from)
	var block []string
	for _, line := range strings.Split(text[from:to], "\n") {
		if h := strings.TrimPrefix(line, "# "); commentedKey.MatchString(line) || strings.HasPrefix(h, "[") {
			line = h
		}
		block = append(block, line)
	}
	l, err := parse(text[:from]+strings.Join(block, "\n")+text[to:], "SANDBOX_SIGNING_KEY", "AQIDBAUGBwgJCgsMDQ4PEA==")
	require.NoError(t, err)
	require.Equal(t, []GatewayRoute{
		{Mode: "wildcard", Address: "*.sandboxes.example.com"},
		{Mode: "uri", Address: "gateway.example.com/sandboxes"},
	}, l.Config.Ingress.Routes())
	require.Len(t, l.Config.Ingress.SecureAccess.Keys, 1)
}

// The user's page promises that a generated file explains every option.
func TestExamplesExplainEveryKeyOfTheirRuntime(t *testing.T) {
	for _, kind := range Templates() {
		body, err := Example(kind, secret.Text{})
		require.NoError(t, err)
		runtime := RuntimeDocker
		if strings.HasPrefix(string(kind), "k8s") {
			runtime = RuntimeKubernetes
		}
		for _, s := range Sections() {
			for _, k := range s.Keys {
				name := k.Name
				if _, last := cutLast(s.Name); s.Dotted {
					name = last + "." + name
				}
				found := regexp.MustCompile(`(?m)^(# )?` + regexp.QuoteMeta(name) + ` = `).Match(body)
				if s.Only == "" || s.Only == runtime {
					require.True(t, found, "%s lacks %s.%s", kind, s.Name, k.Name)
				}
			}
		}
	}
}

func TestEveryKeyHasBothLanguages(t *testing.T) {
	han := regexp.MustCompile(`\p{Han}`)
	for _, s := range Sections() {
		require.NotEmpty(t, s.Doc, s.Name)
		require.Regexp(t, han, s.ZH, s.Name)
		for _, k := range s.Keys {
			require.NotEmpty(t, k.Doc, s.Name+"."+k.Name)
			require.NotRegexp(t, han, k.Doc, s.Name+"."+k.Name)
			require.Regexp(t, han, k.ZH, s.Name+"."+k.Name)
			if k.Default == nil && len(k.Example) == 0 {
				require.NotEmpty(t, k.Sample, s.Name+"."+k.Name)
			}
			if k.Default == nil && !k.Required {
				require.NotEmpty(t, k.Absent, s.Name+"."+k.Name)
			}
		}
	}
}

func TestSkeleton(t *testing.T) {
	text := string(Skeleton(secret.Text{}))
	require.True(t, strings.HasPrefix(text, "# Generated from OpenSandbox config schema. Remove sections you do not use.\n"))
	_, err := parse(text)
	require.ErrorContains(t, err, "runtime.type: Input should be 'docker' or 'kubernetes'")

	filled := strings.Replace(strings.Replace(text, `type = ""`, `type = "docker"`, 1), `execd_image = ""`, `execd_image = "e:1"`, 1)
	l, err := parse(filled)
	require.NoError(t, err)
	require.Equal(t, "host", l.Config.Docker.NetworkMode, "nothing but [runtime] is set")

	filled = strings.Replace(strings.Replace(filled, "# [server]", "[server]", 1), "# port = ", "port = 9000", 1)
	l, err = parse(filled)
	require.NoError(t, err)
	require.Equal(t, 9000, l.Config.Server.Port)

	for _, s := range Sections() {
		if !s.Dotted {
			require.Contains(t, text, "["+s.Name+"]")
		}
	}
}

func TestInitWritesPrivateFiles(t *testing.T) {
	home := t.TempDir()
	w, err := Init{Path: "~/new/dir/sandbox.toml", Template: Kubernetes, Home: home, Key: GenerateKey()}.Write()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(home, "new/dir/sandbox.toml"), w.Path)
	info, err := os.Stat(w.Path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	yamlText, err := os.ReadFile(w.Beside)
	require.NoError(t, err)
	var root map[string]any
	require.NoError(t, yaml.Unmarshal(yamlText, &root))
	require.Equal(t, "BatchSandbox", root["kind"])
	require.NoError(t, readTemplate(w.Beside))

	l, err := Load(Options{Path: w.Path, Lookup: env(), Home: home})
	require.NoError(t, err)
	require.Len(t, l.Config.Server.Keys(), 1)
	require.Len(t, l.Config.Server.Keys()[0].Key.Reveal(), 43)
	require.False(t, w.Kept)
	require.Equal(t, w.Beside, l.Config.Kubernetes.BatchSandboxTemplateFile)
	require.Empty(t, l.Report.Warnings)

	again, err := Init{Path: "~/new/dir/other.toml", Template: K8sZH, Home: home}.Write()
	require.NoError(t, err)
	require.True(t, again.Kept)
	l, err = Load(Options{Path: again.Path, Lookup: env(), Home: home})
	require.NoError(t, err)
	require.Equal(t, w.Beside, l.Config.Kubernetes.BatchSandboxTemplateFile, "the template that is there")
	require.Empty(t, l.Report.Warnings)
	require.NoError(t, os.Remove(again.Path))

	_, err = Init{Path: w.Path, Home: home}.Write()
	require.ErrorContains(t, err, "Config file already exists at "+w.Path+". Use --force to overwrite.")

	require.NoError(t, os.Chmod(w.Path, 0o644))
	_, err = Init{Path: w.Path, Home: home, Replace: true}.Write()
	require.NoError(t, err)
	info, err = os.Stat(w.Path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(filepath.Dir(w.Path))
	require.NoError(t, err)
	require.Len(t, entries, 2, "no temporary file is left")
}
