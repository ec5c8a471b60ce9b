package docker

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseImage(t *testing.T) {
	const hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for in, want := range map[string]image{
		"python":                               {"python:latest", "docker.io"},
		" python:3.11 ":                        {"python:3.11", "docker.io"},
		"docker.io/library/python:3.11":        {"python:3.11", "docker.io"},
		"abc123":                               {"abc123:latest", "docker.io"}, // never an id prefix
		"team/app":                             {"team/app:latest", "docker.io"},
		"registry.example.com:5000/team/app:1": {"registry.example.com:5000/team/app:1", "registry.example.com:5000"},
		"localhost/app":                        {"localhost/app:latest", "localhost"},
		"app@sha256:" + hex:                    {"app@sha256:" + hex, "docker.io"},
		"app:1@sha256:" + hex:                  {"app@sha256:" + hex, "docker.io"},
		"sha256:" + hex:                        {"sha256:" + hex, ""},
		"opensandbox-snapshots:0b7e1f2a-1111-422": {"opensandbox-snapshots:0b7e1f2a-1111-422", "docker.io"},
	} {
		got, err := parseImage(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	for _, bad := range []string{
		"", " ", "..", "../containers/x", "a/../b", "http://registry/x", "https://x/y:z", "UPPER", "a b", "a:b:c", "a\x00", "a\nb", "a?b", "a#b",
		"python:" + strings.Repeat("t", 200), strings.Repeat("a", 2000), hex, "a@sha256:123", "%2e%2e/x", "/x", "x/",
	} {
		got, err := parseImage(bad)
		require.Error(t, err, "%q → %v", bad, got)
	}
}

func TestCheckRegistry(t *testing.T) {
	for in, allowed := range map[string]bool{
		"python":                            true,
		"localhost:5000/x":                  true,
		"10.0.0.1:5000/x":                   true,
		"registry.example.com/x":            true,
		"127.0.0.1:5000/x":                  true,
		"0xcafe.example.com/x":              true,
		"1.example.com/x":                   true,
		"169.254.169.254/x":                 false,
		"169.254.169.254:80/x":              false,
		"[fe80::1]:5000/x":                  false,
		"[fd00:ec2::254]:80/x":              false,
		"[::ffff:169.254.169.254]:80/x":     false,
		"[::ffff:a9fe:a9fe]:80/x":           false,
		"100.100.100.200/x":                 false,
		"metadata.google.internal/x":        false,
		"METADATA.google.internal/x":        false,
		"2852039166:80/x":                   false, // 169.254.169.254 as one number
		"0xa9fea9fe:80/x":                   false,
		"0251.0376.0251.0376/x":             false,
		"169.254.43518/x":                   false,
		"0xA9.0xFE.0xA9.0xFE:80/x":          false,
		"999.1.1.1/x":                       false, // no address, and no name either
		"0.0.0.0:5000/x":                    false,
		"224.0.0.1/x":                       false,
		"sha256:" + strings.Repeat("a", 64): true,
	} {
		i, err := parseImage(in)
		if err != nil {
			require.False(t, allowed, "%s: %v", in, err)
			continue
		}
		require.Equal(t, allowed, checkRegistry(i) == nil, "%s → %s", in, i.registry)
	}
}

func FuzzParseImage(f *testing.F) {
	for _, s := range []string{"python:3.11", "../containers/x", "a@sha256:" + strings.Repeat("0", 64), "[::1]:1/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		i, err := parseImage(text)
		if err != nil {
			return
		}
		// What goes into an engine path has no element that could lead elsewhere.
		for _, element := range strings.Split(i.name, "/") {
			require.NotContains(t, []string{"", ".", ".."}, element, "%q", text)
		}
		require.False(t, strings.ContainsAny(i.name, "?#%\\ \x00\n"), "%q → %q", text, i.name)
		again, err := parseImage(i.name)
		require.NoError(t, err, "%q", i.name)
		require.Equal(t, i, again)
		_ = checkRegistry(i)
	})
}
