package lifecycle_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

func TestSecretIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "instance.key")
	made := make([]secret.Text, 20)
	var wg sync.WaitGroup
	for i := range made {
		wg.Go(func() {
			var err error
			if made[i], err = lifecycle.LoadSecret(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Len(t, made[0].Reveal(), 32)
	for _, s := range made {
		require.True(t, s.Equal(made[0].Reveal()), "two processes have two secrets")
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	dir, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), dir.Mode().Perm())
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1, "a temporary file is left")
}

func TestSecretIsRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, size int, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, make([]byte, size), 0o600))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	for path, text := range map[string]string{
		write("group", 32, 0o640): "read by others", write("world", 32, 0o604): "read by others",
		write("short", 31, 0o600): "31 bytes", write("empty", 0, 0o600): "0 bytes", write("long", 33, 0o600): "33 bytes",
		dir: "not a regular file",
	} {
		_, err := lifecycle.LoadSecret(path)
		require.ErrorContains(t, err, text)
	}
}

func TestExecdToken(t *testing.T) {
	one := secret.New("one")
	token := lifecycle.DeriveExecdToken(one, "a").Reveal()
	// HMAC-SHA256("one", "execd\na"), as openssl computes it.
	require.Equal(t, "5c14c069f1d7075b0399805bac02294ece6768ebd67bf05d3dee1e4a572df4ca", token)
	raw, err := hex.DecodeString(token)
	require.NoError(t, err)
	require.Len(t, raw, 32)
	require.NotEqual(t, token, lifecycle.DeriveExecdToken(one, "b").Reveal())
	require.NotEqual(t, token, lifecycle.DeriveExecdToken(secret.New("two"), "a").Reveal())
}

func TestAccessToken(t *testing.T) {
	one := secret.New("one")
	token := lifecycle.DeriveAccessToken(one, "a").Reveal()
	// HMAC-SHA256("one", "secure-access\na"), its first 24 bytes.
	require.Equal(t, "MFPr-RoVsRXSQxyR3tz7GAyWyLdNpHer", token)
	require.Len(t, token, 32)
	require.NotEqual(t, token, lifecycle.DeriveAccessToken(one, "b").Reveal())
	require.NotEqual(t, token, lifecycle.DeriveAccessToken(secret.New("two"), "a").Reveal())
}
