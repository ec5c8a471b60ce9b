package lifecycle_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
)

type change = func(*lifecycle.CreateRequest)

func extension(key, value string) change {
	return func(r *lifecycle.CreateRequest) { r.Extensions = map[string]string{key: value} }
}

func metadata(key, value string) change {
	return func(r *lifecycle.CreateRequest) { r.Metadata = map[string]string{key: value} }
}

func platform(os, arch string) change {
	return func(r *lifecycle.CreateRequest) { r.Platform = &lifecycle.Platform{OS: os, Arch: arch} }
}

func timeout(d time.Duration) change {
	return func(r *lifecycle.CreateRequest) { r.Timeout = d }
}

func resource(key, value string) change {
	return func(r *lifecycle.CreateRequest) { r.Resources = map[string]string{key: value} }
}

func image(uri string) change {
	return func(r *lifecycle.CreateRequest) { r.Image = uri }
}

func env(name, value string) change {
	return func(r *lifecycle.CreateRequest) { r.Env = []lifecycle.EnvVar{{Name: name, Value: value}} }
}

const parameter = "SANDBOX::INVALID_PARAMETER"

func TestRefusedRequests(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.MaxTimeout = 24 * time.Hour })
	for _, c := range []struct {
		name   string
		change change
		status int
		code   string
		text   string // part of the message
	}{
		{"idle blank", extension(idleKey, ""), 400, parameter, `Invalid extensions["access.idle.timeout.seconds"]:`},
		{"idle too short", extension(idleKey, "59"), 400, parameter, idleKey},
		{"idle too long", extension(idleKey, "86401"), 400, parameter, idleKey},
		{"idle word", extension(idleKey, "1m"), 400, parameter, idleKey},
		{"bound blank", extension(renewMaxKey, " "), 400, parameter, `Invalid extensions["access.renew.max.seconds"]:`},
		{"bound too short", extension(renewMaxKey, "59"), 400, parameter, renewMaxKey},
		{"bound too long", extension(renewMaxKey, "31622401"), 400, parameter, renewMaxKey},
		{"renew blank", extension(renewKey, "  "), 400, parameter, `Invalid extensions["access.renew.extend.seconds"]:`},
		{"renew word", extension(renewKey, "soon"), 400, parameter, renewKey},
		{"renew signed", extension(renewKey, "+300"), 400, parameter, renewKey},
		{"renew fraction", extension(renewKey, "300.0"), 400, parameter, renewKey},
		{"renew too short", extension(renewKey, "299"), 400, parameter, renewKey},
		{"renew too long", extension(renewKey, "86401"), 400, parameter, renewKey},
		{"renew huge", extension(renewKey, strings.Repeat("9", 1000)), 400, parameter, renewKey},
		{"renew padded", extension(renewKey, strings.Repeat("0", 1000)+"300"), 400, parameter, renewKey},
		{"pool", extension("poolRef", " p "), 400, "SANDBOX::UNSUPPORTED_POOL_REF", "poolRef"},
		{"snapshot", func(r *lifecycle.CreateRequest) { r.SnapshotID = " s-1 " }, 404, "SNAPSHOT::NOT_FOUND", `"s-1"`},
		{"no entrypoint", func(r *lifecycle.CreateRequest) { r.Entrypoint = nil }, 400, "DOCKER::INVALID_ENTRYPOINT", "entrypoint"},
		{"NUL in entrypoint", func(r *lifecycle.CreateRequest) { r.Entrypoint = []string{"a\x00b"} }, 400, "DOCKER::INVALID_ENTRYPOINT", "NUL"},
		{"reserved label", metadata("opensandbox.io/id", "x"), 400, "SANDBOX::INVALID_METADATA_LABEL", "opensandbox.io/"},
		{"label value", metadata("k", "secret value"), 400, "SANDBOX::INVALID_METADATA_LABEL", `"k"`},
		{"platform os", platform("plan9", "amd64"), 400, parameter, "platform.os"},
		{"platform arch", platform("linux", "mips"), 400, parameter, "platform.arch"},
		{"windows", platform("windows", "amd64"), 400, parameter, "Windows"},
		{"timeout over the limit", timeout(24*time.Hour + time.Second), 400, parameter, "86400"},
		{"timeout not representable", timeout(lifecycle.TimeoutSeconds(1 << 62)), 400, parameter, "year 9999"},
		{"timeout negative", timeout(-time.Second), 400, parameter, "timeout"},
		{"secure access", func(r *lifecycle.CreateRequest) { r.SecureAccess = true }, 400, parameter, "secureAccess"},
		{"network policy", func(r *lifecycle.CreateRequest) { r.NetworkPolicy = true }, 400, parameter, "networkPolicy"},
		{"credential proxy", func(r *lifecycle.CreateRequest) { r.CredentialProxy = true }, 400, parameter, "credentialProxy"},
		{"volumes", mounts(volume.Volume{Name: "v"}), 400, parameter, "volumes"},
		{"image path", image("../containers/x"), 400, parameter, "image.uri"},
		{"image in upper case", image("UPPER/x"), 400, parameter, "image.uri"},
		{"env name empty", env("", "v"), 400, parameter, "env"},
		{"env name with =", env("A=B", "v"), 400, parameter, "env"},
		{"env name with newline", env("A\nB", "v"), 400, parameter, "env"},
		{"env value with NUL", env("A", "hunter2\x00"), 400, parameter, `"A"`},
		{"memory", resource("memory", "lots"), 400, parameter, "resourceLimits.memory"},
		{"cpu", resource("cpu", "-1"), 400, parameter, "resourceLimits.cpu"},
		{"gpu", resource("gpu", "none"), 400, parameter, "resourceLimits.gpu"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := b.Create(t.Context(), request(c.change))
			e := fails(t, err, c.status, c.code)
			require.Contains(t, e.Message, c.text)
			require.NotContains(t, e.Error(), "hunter2")
			require.NotContains(t, e.Message, "secret value")
		})
	}
	require.Zero(t, b.runtime.Count(runtimefake.Create), "a refused request reached the backend")
	b.nothingLeft()
}

// The first failure in the contract's order is the one that is told.
func TestOrderOfChecks(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.MaxTimeout = time.Hour })
	// Each step mends the failure the one before it was refused for.
	wrong := request(
		image("../x"), resource("cpu", "x"), env("", ""), platform("plan9", "x"), timeout(2*time.Hour),
		metadata("opensandbox.io/x", ""),
		func(r *lifecycle.CreateRequest) {
			r.Extensions = map[string]string{"access.renew.extend.seconds": "1", "poolRef": "p"}
			r.SnapshotID, r.Entrypoint = "s", nil
			r.SecureAccess, r.NetworkPolicy, r.CredentialProxy = true, true, true
			r.Volumes = make([]volume.Volume, 1)
		},
	)
	for _, step := range []struct {
		code, text string
		mend       change
	}{
		{parameter, "access.renew", extension("poolRef", "p")},
		{"SANDBOX::UNSUPPORTED_POOL_REF", "poolRef", extension("poolRef", " ")},
		{"SNAPSHOT::NOT_FOUND", "snapshot", func(r *lifecycle.CreateRequest) { r.SnapshotID = " " }},
		{"DOCKER::INVALID_ENTRYPOINT", "entrypoint", func(r *lifecycle.CreateRequest) { r.Entrypoint = []string{"a"} }},
		{"SANDBOX::INVALID_METADATA_LABEL", "reserved", metadata("k", "v")},
		{parameter, "platform.os", platform("windows", "amd64")},
		{parameter, "timeout", timeout(time.Hour)},
		{parameter, "secureAccess", func(r *lifecycle.CreateRequest) { r.SecureAccess = false }},
		{parameter, "networkPolicy", func(r *lifecycle.CreateRequest) { r.NetworkPolicy = false }},
		{parameter, "credentialProxy", func(r *lifecycle.CreateRequest) { r.CredentialProxy = false }},
		{parameter, "image.uri", image("demo")},
		{parameter, "volumes", mounts()},
		{parameter, "Windows", platform("linux", "arm64")},
		{parameter, "env", env("A", "")},
		{parameter, "resourceLimits.cpu", resource("cpu", "1")},
	} {
		_, err := b.Create(t.Context(), wrong)
		status := 400
		if step.code == "SNAPSHOT::NOT_FOUND" {
			status = 404
		}
		require.Contains(t, fails(t, err, status, step.code).Message, step.text)
		step.mend(&wrong)
	}
	_, err := b.Create(t.Context(), wrong)
	require.NoError(t, err)
}

func TestAcceptedRequests(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.MaxTimeout = 24 * time.Hour })
	for name, c := range map[string]change{
		"longest timeout":       timeout(24 * time.Hour),
		"no timeout":            timeout(0),
		"shortest renew":        extension("access.renew.extend.seconds", "300"),
		"longest renew":         extension("access.renew.extend.seconds", "86400"),
		"shortest idle":         extension(idleKey, " 60 "),
		"longest idle":          extension(idleKey, "86400"),
		"shortest bound":        extension(renewMaxKey, "60"),
		"longest bound":         extension(renewMaxKey, "31622400"),
		"blank pool":            extension("poolRef", " "),
		"unknown extension":     extension("x", "y"),
		"no resources":          func(r *lifecycle.CreateRequest) { r.Resources = nil },
		"resource nobody knows": resource("ephemeral-storage", "whatever"),
		"empty env value":       env("A", ""),
		"empty argument":        func(r *lifecycle.CreateRequest) { r.Entrypoint = []string{"sh", ""} },
		"spaces around image":   image(" python:3.11 "),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Create(t.Context(), request(c))
			require.NoError(t, err)
		})
	}
}

// entries makes metadata "k0" … of n entries.
func entries(n int) map[string]string {
	out := make(map[string]string, n)
	for i := range n {
		out[fmt.Sprintf("k%d", i)] = ""
	}
	return out
}

func TestTooMuchMetadata(t *testing.T) {
	b := started(t)
	_, err := b.Create(t.Context(), request(func(r *lifecycle.CreateRequest) { r.Metadata = entries(129) }))
	fails(t, err, 400, "SANDBOX::INVALID_METADATA_LABEL")
}

func TestTimeoutSeconds(t *testing.T) {
	require.Equal(t, time.Minute, lifecycle.TimeoutSeconds(60))
	require.Equal(t, lifecycle.TimeoutSeconds(1<<62), lifecycle.TimeoutSeconds(-1))
	require.Positive(t, lifecycle.TimeoutSeconds(1<<62))
}

func TestNewNeedsItsParts(t *testing.T) {
	_, err := lifecycle.New(lifecycle.Options{})
	require.Error(t, err)
}
