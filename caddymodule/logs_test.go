package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

var at = time.Date(2026, 6, 15, 10, 0, 0, 0, time.UTC)

func itoa(n int) string { return strconv.Itoa(n) }

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// Access lines rotate on their own, carry the real request id, and new limits of a
// reload count without losing a line.
func TestLogFilesRotate(t *testing.T) {
	r := newRig(t)
	r.load(r.toml(testKey, "file_max_bytes = 2000", "file_backup_count = 2"))
	hit := func(n int) {
		for i := range n {
			r.do(http.MethodGet, "/health", fmt.Sprintf("X-Request-ID: request-%d", i))
		}
	}
	access := filepath.Join(r.dir, "access.log")
	hit(60)
	require.Eventually(t, func() bool { _, err := os.Stat(access + ".2"); return err == nil }, wait, tick)
	require.NoFileExists(t, access+".3")
	require.Contains(t, readFile(t, access+".1"), "[request-")
	require.Contains(t, readFile(t, access+".1"), `"GET /health HTTP/1.1" 200`)
	for _, name := range []string{access, access + ".1", access + ".2"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), int64(2000))
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

// Two configurations that write one file with different limits share it.
func TestOneFilePerPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	two, five := 2, 5
	old, err := (&LogWriter{Path: path, MaxBytes: 10, Backups: &two}).OpenWriter()
	require.NoError(t, err)
	next, err := (&LogWriter{Path: path, MaxBytes: 1000, Backups: &five}).OpenWriter()
	require.NoError(t, err)
	for range 4 {
		_, err = old.Write([]byte("old line\n"))
		require.NoError(t, err)
		_, err = next.Write([]byte("new line\n"))
		require.NoError(t, err)
	}
	require.NoError(t, old.Close())
	_, err = next.Write([]byte("last\n"))
	require.NoError(t, err)
	require.NoError(t, next.Close())
	require.Equal(t, 9, strings.Count(readFile(t, path), "\n"))
	require.NoFileExists(t, path+".1")
}

func TestLogWriterIsValidated(t *testing.T) {
	negative := -1
	for _, w := range []*LogWriter{{}, {Path: "x", MaxBytes: -1}, {Path: "x", Backups: &negative}} {
		require.NoError(t, w.Provision(caddyContext(t)))
		require.Error(t, w.Validate())
	}
	w := &LogWriter{Path: "x"}
	require.NoError(t, w.Provision(caddyContext(t)))
	require.NoError(t, w.Validate())
	require.EqualValues(t, 100<<20, w.MaxBytes)
	require.Equal(t, 5, *w.Backups)
}

func TestLogEncoderRefusesOtherLayouts(t *testing.T) {
	require.ErrorContains(t, (&LogEncoder{Layout: "xml"}).Provision(caddyContext(t)), "text, file or json")
}

// A log that shows credentials is said to (threat row X7).
func TestLoggingWithoutOurEncoderWarns(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		warns  bool
	}{"ours": {"format opensandbox", false}, "caddy's": {"format json", true}, "default": {"", true}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			path := r.toml(testKey)
			require.NoError(t, r.caddyfile(fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	storage_check off
	storage_clean_interval off
	log {
		output opensandbox_file %s
		%s
	}
	opensandbox {
		config %s
	}
}
http://%s {
	bind opensandbox/127.0.0.1
	opensandbox_auth
	opensandbox_lifecycle
	opensandbox_ingress
}`, r.log(), c.format, path, r.addr)))
			r.ready()
			require.Equal(t, c.warns, strings.Contains(readFile(t, r.log()), "will show API keys"))
			require.NotContains(t, readFile(t, r.log()), "no opensandbox_auth in front")
		})
	}
}

// What fails for a client is one line that names the request, in every layout; a stack
// trace of the logger would tell nothing and make many lines of it.
func TestErrorsOfRequestsCarryNoStackTrace(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			r := newRig(t)
			r.fake.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
				if verb == runtimefake.Create {
					return errors.New("the backend is broken")
				}
				return nil
			})
			r.load(r.toml(testKey, fmt.Sprintf("format = %q", format)))
			require.Equal(t, http.StatusInternalServerError, r.create("demo").status)
			var line string
			for _, one := range strings.Split(readFile(t, r.log()), "\n") {
				if strings.Contains(one, "lifecycle request failed") {
					line = one
				}
			}
			require.Contains(t, line, "the backend is broken")
			require.Contains(t, line, "api_key_name")
			require.NotContains(t, readFile(t, r.log()), "stacktrace")
		})
	}
}
