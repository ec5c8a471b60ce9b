package docker

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

const testID = "6f1c3a52-0f0e-4d9b-9a57-0c5f0d7a1b2c"

func TestLabelsOfASandbox(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC)
	got, err := labelsFor(lifecycle.Spec{
		ID: testID, Image: "python:3.11", Entrypoint: []string{"python app.py"}, Timeout: 10 * time.Minute, RenewValue: "600",
		RenewMax: 2 * time.Hour, IdleTimeout: 90 * time.Second, SecureAccess: true,
		Platform: &lifecycle.Platform{OS: "linux", Arch: "amd64"}, ExecdTokenSHA256: strings.Repeat("a", 64),
		Metadata: map[string]string{"team": "a", "traefik.enable": "true", LabelID: "other"},
	}, "edge-1", now)
	require.NoError(t, err)
	require.JSONEq(t, `{"v":1,"image":"python:3.11","entrypoint":["python app.py"],"execdToken":true,
		"metadata":{"team":"a","traefik.enable":"true","opensandbox.io/id":"other"}}`, got[LabelSeed])
	delete(got, LabelSeed)
	require.Equal(t, map[string]string{
		"team":                                       "a",
		"opensandbox.io/id":                          testID,
		"opensandbox.io/expires-at":                  "2026-01-02T03:14:05.123456+00:00",
		"opensandbox.io/manual-cleanup":              "",
		"opensandbox.io/platform-os":                 "linux",
		"opensandbox.io/platform-arch":               "amd64",
		"opensandbox.io/snapshot-id":                 "",
		"opensandbox.io/access-renew-extend-seconds": "600",
		"opensandbox.io/access-renew-max-seconds":    "7200",
		"opensandbox.io/access-idle-timeout-seconds": "90",
		"opensandbox.io/embedding-proxy-port":        "",
		"opensandbox.io/http-port":                   "",
		"opensandbox.io/egress-auth-token":           "",
		"opensandbox.io/secure-access-token":         "",
		"opensandbox.io/secure-access":               "true",
		"opensandbox.io/execd-port":                  "",
		"opensandbox.io/ossfs-mounts":                "",
		"opensandbox.io/volume-managed-by":           "",
		"opensandbox.io/instance":                    "edge-1",
		"opensandbox.io/auxiliary":                   "",
	}, got, "every system label is there, blank when absent; labels other tools obey are not")
}

func TestManualCleanupExcludesExpiry(t *testing.T) {
	got, err := labelsFor(lifecycle.Spec{ID: testID}, "edge-1", time.Now())
	require.NoError(t, err)
	require.Equal(t, "true", got[LabelManualCleanup])
	require.Empty(t, got[LabelExpiresAt])
}

func TestLabelsHideTheTokenItself(t *testing.T) {
	got, err := labelsFor(lifecycle.Spec{ID: testID, ExecdTokenSHA256: "deadbeef"}, "edge-1", time.Now())
	require.NoError(t, err)
	for key, value := range got {
		require.NotContains(t, value, "deadbeef", key)
	}
}

func TestDemandForAccessVerification(t *testing.T) {
	labels := func(spec lifecycle.Spec) map[string]string {
		spec.ID = testID
		got, err := labelsFor(spec, "edge-1", time.Now())
		require.NoError(t, err)
		return got
	}
	with := func(key, value string) map[string]string { return map[string]string{LabelID: testID, key: value} }
	broken := labels(lifecycle.Spec{SecureAccess: true})
	broken[LabelSeed] = "{"
	for _, c := range []struct {
		name    string
		labels  map[string]string
		secured bool
		token   string
	}{
		{"ours", labels(lifecycle.Spec{}), false, ""},
		{"ours, secured", labels(lifecycle.Spec{SecureAccess: true}), true, ""},
		{"ours, secured, with a broken seed", broken, true, ""},
		{"any other word", with(LabelSecureAccess, "false"), true, ""},
		{"blank", with(LabelSecureAccess, " "), false, ""},
		{"too long to be true", with(LabelSecureAccess, strings.Repeat("x", maxLabelBytes+1)), true, ""},
		{"the reference's", with(LabelAccessToken, " K "), true, "K"},
		{"the reference's, blank", with(LabelAccessToken, " "), false, ""},
		{"a token that no header carries", with(LabelAccessToken, "a\nb"), true, ""},
		{"a token that is too long", with(LabelAccessToken, strings.Repeat("k", maxTokenBytes+1)), true, ""},
	} {
		record, _ := readSeed(testID, c.labels)
		require.Equal(t, c.secured, record.SecureAccess, c.name)
		require.Equal(t, c.token, accessToken(c.labels).Reveal(), c.name)
	}
}

func TestTimeFormat(t *testing.T) {
	require.Equal(t, "2026-01-02T03:04:05+00:00", formatTime(time.Date(2026, 1, 2, 4, 4, 5, 999, time.FixedZone("", 3600))))
	require.Equal(t, "2026-01-02T03:04:05.100000+00:00", formatTime(time.Date(2026, 1, 2, 3, 4, 5, 1e8, time.UTC)))
}

func TestObeyedPrefixes(t *testing.T) {
	for _, key := range []string{"traefik.http.routers.x.rule", "caddy", "caddy_0.reverse_proxy", "com.docker.compose.project", "ofelia.job-exec.x.command", "com.centurylinklabs.watchtower.enable", "Traefik.enable"} {
		require.True(t, obeyed(key), key)
	}
	for _, key := range []string{"team", "example.com/traefik", "name", "my-caddy"} {
		require.False(t, obeyed(key), key)
	}
}

func TestSeedComesBack(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	spec := lifecycle.Spec{
		ID: testID, Image: "python:3.11", Entrypoint: []string{"sh", "-c", "echo 'a b'"}, Timeout: time.Hour, RenewValue: "300",
		RenewMax: 2 * time.Hour, IdleTimeout: 90 * time.Second,
		Platform: &lifecycle.Platform{OS: "linux", Arch: "arm64"}, Metadata: map[string]string{"team": "ml", "caddy": "x", "empty": ""}, ExecdTokenSHA256: "x",
	}
	labels, err := labelsFor(spec, "edge-1", now)
	require.NoError(t, err)
	labels["maintainer"] = "the image's, not the user's"
	got, ignored := readSeed(testID, labels)
	require.Empty(t, ignored)
	require.Equal(t, lifecycle.Record{
		ID: testID, Phase: lifecycle.Live, Image: "python:3.11", Platform: spec.Platform, Entrypoint: spec.Entrypoint, Metadata: spec.Metadata,
		ExpiresAt: now.Add(time.Hour), RenewExtend: 5 * time.Minute, ExecdToken: true,
		RenewMax: spec.RenewMax, IdleTimeout: spec.IdleTimeout,
	}, got)
}

func TestLongEntrypointLeavesTheSeed(t *testing.T) {
	labels, err := labelsFor(lifecycle.Spec{ID: testID, Entrypoint: []string{strings.Repeat("x", maxLabelBytes)}, Metadata: map[string]string{"a": "b"}}, "edge-1", time.Now())
	require.NoError(t, err)
	got, ignored := readSeed(testID, labels)
	require.Empty(t, ignored)
	require.Nil(t, got.Entrypoint)
	require.Equal(t, map[string]string{"a": "b"}, got.Metadata)
}

func TestSeedOfTheReference(t *testing.T) {
	got, ignored := readSeed(testID, map[string]string{
		LabelID: testID, LabelExpiresAt: "2026-01-02T03:04:05.123456+00:00", LabelRenewExtend: " 600 ", LabelPlatformOS: "linux", LabelPlatformArch: "amd64",
		LabelSnapshotID: "0b7e1f2a-1111-4222-8333-444455556666", LabelProxyPort: "41234",
		"team": "a", "org.opencontainers.image.title": "x", "com.docker.compose.service": "y", "desktop.docker.io/z": "z",
	})
	require.Empty(t, ignored)
	require.Equal(t, lifecycle.Record{
		ID: testID, Phase: lifecycle.Live, SnapshotID: "0b7e1f2a-1111-4222-8333-444455556666", Platform: &lifecycle.Platform{OS: "linux", Arch: "amd64"},
		Metadata: map[string]string{"team": "a"}, ExpiresAt: time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC), RenewExtend: 10 * time.Minute,
	}, got)

	manual, ignored := readSeed(testID, map[string]string{LabelID: testID, LabelManualCleanup: "True"})
	require.Empty(t, ignored)
	require.True(t, manual.ExpiresAt.IsZero())
}

func TestSeedIgnoresWhatItCannotBelieve(t *testing.T) {
	for name, c := range map[string]struct{ key, value string }{
		"time":             {LabelExpiresAt, "tomorrow"},
		"year zero":        {LabelExpiresAt, "0001-01-01T00:00:00Z"},
		"renew text":       {LabelRenewExtend, "ten"},
		"renew too small":  {LabelRenewExtend, "299"},
		"renew too large":  {LabelRenewExtend, "86401"},
		"renew negative":   {LabelRenewExtend, "-600"},
		"bound too large":  {LabelRenewMax, "31622401"},
		"idle too small":   {LabelIdleTimeout, "59"},
		"idle text":        {LabelIdleTimeout, "1m"},
		"snapshot path":    {LabelSnapshotID, "../../etc/passwd"},
		"seed no JSON":     {LabelSeed, "{"},
		"seed wrong types": {LabelSeed, `{"v":1,"metadata":["a"]}`},
		"seed version":     {LabelSeed, `{"v":2}`},
		"seed reserved":    {LabelSeed, `{"v":1,"metadata":{"opensandbox.io/id":"x"}}`},
		"seed huge":        {LabelSeed, `{"v":1,"image":"` + strings.Repeat("a", maxLabelBytes) + `"}`},
		"not UTF-8":        {LabelSeed, "\xff"},
		"metadata huge":    {"key", strings.Repeat("v", maxMetadataValue+1)},
	} {
		t.Run(name, func(t *testing.T) {
			got, ignored := readSeed(testID, map[string]string{c.key: c.value})
			require.Len(t, ignored, 1)
			require.Equal(t, lifecycle.Record{ID: testID, Phase: lifecycle.Live}, got)
		})
	}
	_, ignored := readSeed(testID, map[string]string{LabelPlatformOS: "plan9", LabelPlatformArch: "mips"})
	require.Len(t, ignored, 1)
}

func TestManagedVolumes(t *testing.T) {
	read := func(text string) []string { return managedVolumes(map[string]string{LabelManagedBy: text}) }
	require.Equal(t, []string{"data", "opensandbox-runtime-x"}, read(`["data","opensandbox-runtime-x"]`))
	require.Equal(t, []string{"ok"}, read(`["../containers/x","ok","","a/b","-x"]`))
	for _, text := range []string{"", "server", "{}", `[1]`, "[" + strings.Repeat(`"a",`, 100) + `"a"]`} {
		require.Empty(t, read(text), text)
	}
}

func FuzzReadSeed(f *testing.F) {
	f.Add(LabelSeed, `{"v":1,"image":"a","entrypoint":["b"],"metadata":{"c":"d"},"execdToken":true}`, "2026-01-02T03:04:05+00:00")
	f.Add("team", "a", "")
	f.Add(LabelRenewExtend, "600", "x")
	f.Fuzz(func(t *testing.T, key, value, expires string) {
		got, _ := readSeed(testID, map[string]string{LabelID: testID, LabelExpiresAt: expires, key: value})
		require.Equal(t, testID, got.ID)
		require.Equal(t, lifecycle.Live, got.Phase)
		if got.RenewExtend != 0 {
			require.GreaterOrEqual(t, got.RenewExtend, 300*time.Second)
			require.LessOrEqual(t, got.RenewExtend, 86400*time.Second)
		}
		if got.SnapshotID != "" {
			_, ok := containerName(got.SnapshotID)
			require.True(t, ok)
		}
		require.LessOrEqual(t, len(got.Metadata), maxSeedMetadata)
		for k, v := range got.Metadata {
			require.True(t, utf8.ValidString(k) && utf8.ValidString(v))
			require.False(t, strings.HasPrefix(k, wire.LabelPrefix))
		}
		_, err := json.Marshal(got)
		require.NoError(t, err)
		managedVolumes(map[string]string{LabelManagedBy: value})
	})
}
