package registryauth

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

func decodeHeader(t *testing.T, s secret.Text) string {
	t.Helper()
	body, err := base64.URLEncoding.DecodeString(s.Reveal())
	require.NoError(t, err)
	return string(body)
}

func TestRequestLogin(t *testing.T) {
	require.True(t, FromRequest(nil).IsZero())
	require.True(t, FromRequest(&lifecycle.RegistryAuth{}).IsZero())
	got := FromRequest(&lifecycle.RegistryAuth{Username: "me", Password: secret.New(`p"w`)})
	require.JSONEq(t, `{"username":"me","password":"p\"w"}`, decodeHeader(t, got))
}

func writeLogins(t *testing.T, content string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(content), 0o600))
	t.Setenv("DOCKER_CONFIG", dir)
}

func TestServerLogin(t *testing.T) {
	auth := base64.StdEncoding.EncodeToString([]byte("bob:pa:ss"))
	writeLogins(t, `{"auths":{
		"https://index.docker.io/v1/":{"auth":"`+auth+`"},
		"registry.example.com:5000":{"auth":"`+auth+`"},
		"https://other.example.com":{"username":"u","password":"p"},
		"token.example.com":{"auth":"`+auth+`","identitytoken":"idt"},
		"broken.example.com":{"auth":"!"}}}`)
	for registry, want := range map[string]string{
		"docker.io":                 `{"username":"bob","password":"pa:ss"}`,
		"registry.example.com:5000": `{"username":"bob","password":"pa:ss"}`,
		"other.example.com":         `{"username":"u","password":"p"}`,
		"token.example.com":         `{"identitytoken":"idt"}`,
	} {
		got, err := FromServer(t.Context(), registry)
		require.NoError(t, err, registry)
		require.JSONEq(t, want, decodeHeader(t, got), registry)
	}
	none, err := FromServer(t.Context(), "registry.example.com")
	require.NoError(t, err)
	require.True(t, none.IsZero(), "another port is another registry")
	_, err = FromServer(t.Context(), "broken.example.com")
	require.Error(t, err)
}

func TestServerLoginFromAHelper(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\nread host\ncase $host in\n" +
		"private.example.com) echo '{\"ServerURL\":\"x\",\"Username\":\"helper\",\"Secret\":\"s3cret\"}';;\n" +
		"token.example.com) echo '{\"Username\":\"<token>\",\"Secret\":\"idt\"}';;\n" +
		"env.example.com) echo \"{\\\"Username\\\":\\\"env\\\",\\\"Secret\\\":\\\"${OPENSANDBOX_SERVER_API_KEY:-none}\\\"}\";;\n" +
		"fail.example.com) echo s3cret >&2; exit 3;;\n" +
		"*) echo 'credentials not found in native keychain'; exit 1;;\nesac\n"
	require.NoError(t, os.WriteFile(filepath.Join(bin, "docker-credential-test"), []byte(script), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("OPENSANDBOX_SERVER_API_KEY", "the-key")
	writeLogins(t, `{"credHelpers":{"private.example.com":"test","fail.example.com":"test","odd.example.com":"../evil"},"credsStore":"test"}`)

	for registry, want := range map[string]string{
		"private.example.com": `{"username":"helper","password":"s3cret"}`,
		"token.example.com":   `{"identitytoken":"idt"}`,
		"env.example.com":     `{"username":"env","password":"none"}`, // helpers do not see our environment
	} {
		got, err := FromServer(t.Context(), registry)
		require.NoError(t, err, registry)
		require.JSONEq(t, want, decodeHeader(t, got), registry)
	}
	none, err := FromServer(t.Context(), "public.example.com")
	require.NoError(t, err)
	require.True(t, none.IsZero())
	_, err = FromServer(t.Context(), "fail.example.com")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "s3cret")
	_, err = FromServer(t.Context(), "odd.example.com")
	require.ErrorContains(t, err, "name")
}

func TestServerLoginWithoutAFile(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	none, err := FromServer(t.Context(), "docker.io")
	require.NoError(t, err)
	require.True(t, none.IsZero())
	writeLogins(t, `{"auths": "`+strings.Repeat("hunter2", 3)+`"}`)
	_, err = FromServer(t.Context(), "docker.io")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
}
