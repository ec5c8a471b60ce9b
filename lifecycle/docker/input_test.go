package docker

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

func TestCommand(t *testing.T) {
	for name, c := range map[string]struct{ in, want []string }{
		"argv as it is":        {[]string{"python", "app.py --x"}, []string{"python", "app.py --x"}},
		"one word":             {[]string{"nginx"}, []string{"nginx"}},
		"shell line":           {[]string{"python app.py"}, []string{"python", "app.py"}},
		"single quotes":        {[]string{`sh -c 'echo "a b" $HOME'`}, []string{"sh", "-c", `echo "a b" $HOME`}},
		"double quotes":        {[]string{`sh -c "echo \"a\" \$x \\ \n"`}, []string{"sh", "-c", `echo "a" \$x \ \n`}},
		"escape":               {[]string{`a\ b \'c`}, []string{"a b", "'c"}},
		"empty words":          {[]string{`a '' ""`}, []string{"a", "", ""}},
		"joined quotes":        {[]string{`a'b 'c"d "e f`}, []string{"ab cd e", "f"}},
		"operators are text":   {[]string{"a && b | c > d; e & $(f)"}, []string{"a", "&&", "b", "|", "c", ">", "d;", "e", "&", "$(f)"}},
		"other white space":    {[]string{" a\tb\n c "}, []string{"a", "b", "c"}},
		"a tab alone is argv":  {[]string{"a\tb"}, []string{"a\tb"}},
		"comment sign is text": {[]string{"a #b"}, []string{"a", "#b"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := command(c.in)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	for _, bad := range [][]string{nil, {}, {" "}, {`a 'b`}, {`a "b`}, {`a b\`}, {`a "b\`}, {"a", "b\x00"}} {
		_, err := command(bad)
		var typed *apierror.Error
		require.ErrorAs(t, err, &typed, "%q", bad)
		require.Equal(t, 400, typed.Status)
		require.Equal(t, "DOCKER::INVALID_ENTRYPOINT", typed.Code)
	}
}

func FuzzSplitWords(f *testing.F) {
	f.Add("a", "b c", `d'e"\`)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		words := []string{a, b, c}
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		got, err := splitWords(strings.Join(quoted, " "))
		require.NoError(t, err)
		require.Equal(t, words, got)
		_, _ = splitWords(a) // any text at all
	})
}

func TestEnvironment(t *testing.T) {
	got, err := environment(lifecycle.Spec{ID: testID, ExecdTokenSHA256: "ab", Env: []lifecycle.EnvVar{
		{Name: "A", Value: "1"},
		{Name: "B", Value: ""},
		{Name: "A", Value: "2=3\n"},
		{Name: "EXECD_LOG_FILE", Value: "/x"},
		{Name: "JUPYTER_TOKEN", Value: "t"},
		{Name: "OTEL_SERVICE_NAME", Value: "s"},
		{Name: "EXECD", Value: "/opt/opensandbox/execd -v"},
		{Name: "OPEN_SANDBOX_API_KEY", Value: "client side"},
	}})
	require.NoError(t, err)
	require.Equal(t, []string{
		"A=2=3\n", "B=", "EXECD_LOG_FILE=/x", "JUPYTER_TOKEN=t", "OTEL_SERVICE_NAME=s", "EXECD=/opt/opensandbox/execd -v", "OPEN_SANDBOX_API_KEY=client side",
		"OPENSANDBOX_ID=" + testID, "EXECD_ACCESS_TOKEN_SHA256=ab",
	}, got)

	blank, err := environment(lifecycle.Spec{ID: testID})
	require.NoError(t, err)
	require.Equal(t, []string{"OPENSANDBOX_ID=" + testID, "EXECD_ACCESS_TOKEN_SHA256="}, blank, "an image must not choose the token")
}

func TestEnvironmentRefuses(t *testing.T) {
	for _, name := range []string{
		"", "A=B", "A\x00", "A\nB", "OPENSANDBOX_ID", "EXECD_ACCESS_TOKEN", "EXECD_ACCESS_TOKEN_SHA256",
		"OPENSANDBOX_EGRESS_RULES", "OPENSANDBOX_EGRESS_MITMPROXY_TRANSPARENT", "EXECD_ANYTHING",
	} {
		_, err := environment(lifecycle.Spec{ID: testID, Env: []lifecycle.EnvVar{{Name: name, Value: "secret-value"}}})
		var typed *apierror.Error
		require.ErrorAs(t, err, &typed, "%q", name)
		require.Equal(t, 400, typed.Status)
		require.Equal(t, "SANDBOX::INVALID_PARAMETER", typed.Code)
		require.NotContains(t, err.Error(), "secret-value")
		if strings.HasPrefix(name, "EXECD_") || strings.HasPrefix(name, "OPENSANDBOX_") {
			require.Contains(t, typed.Message, name)
		}
	}
	_, err := environment(lifecycle.Spec{ID: testID, Env: []lifecycle.EnvVar{{Name: "A", Value: "x\x00y"}}})
	require.Error(t, err)
}

func TestContainerName(t *testing.T) {
	name, ok := containerName(testID)
	require.True(t, ok)
	require.Equal(t, "sandbox-"+testID, name)
	for _, id := range []string{"", "x", "../containers/x", strings.ToUpper(testID), "{" + testID + "}", "urn:uuid:" + testID, strings.ReplaceAll(testID, "-", ""), testID + "/json", testID + "?x"} {
		_, ok := containerName(id)
		require.False(t, ok, id)
	}
}

func TestImagesOfSnapshotsAreNotForTheAsking(t *testing.T) {
	r := &Runtime{}
	spec := lifecycle.Spec{ID: testID, Entrypoint: []string{"sleep"}}
	for name, refused := range map[string]bool{
		"opensandbox-snapshots:" + testID:                          true,
		"docker.io/library/opensandbox-snapshots:" + testID:        true,
		"opensandbox-snapshots@sha256:" + strings.Repeat("0a", 32): true,
		"opensandbox-snapshots":                                    true,
		"opensandbox-snapshots-of-mine:1":                          false,
		"registry.example.com/opensandbox-snapshots:1":             false,
	} {
		spec.Image, spec.SnapshotID = name, ""
		_, err := r.plan(spec)
		if !refused {
			require.NoError(t, err, name)
			continue
		}
		var typed *apierror.Error
		require.ErrorAs(t, err, &typed, name)
		require.Equal(t, 400, typed.Status)
		require.Equal(t, "SANDBOX::INVALID_PARAMETER", typed.Code)
		spec.SnapshotID = testID
		_, err = r.plan(spec)
		require.NoError(t, err, "%s by way of its snapshot", name)
	}
}
