package image_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/image"
)

const hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParse(t *testing.T) {
	for in, want := range map[string]image.Reference{
		"python":                               {Name: "python:latest", Registry: "docker.io"},
		" python:3.11 ":                        {Name: "python:3.11", Registry: "docker.io"},
		"docker.io/library/python:3.11":        {Name: "python:3.11", Registry: "docker.io"},
		"abc123":                               {Name: "abc123:latest", Registry: "docker.io"}, // never an id prefix
		"team/app":                             {Name: "team/app:latest", Registry: "docker.io"},
		"registry.example.com:5000/team/app:1": {Name: "registry.example.com:5000/team/app:1", Registry: "registry.example.com:5000"},
		"[fd00::1]:5000/x":                     {Name: "[fd00::1]:5000/x:latest", Registry: "[fd00::1]:5000"},
		"R.example.com/x":                      {Name: "R.example.com/x:latest", Registry: "r.example.com"},
		"localhost/app":                        {Name: "localhost/app:latest", Registry: "localhost"},
		"app@sha256:" + hex:                    {Name: "app@sha256:" + hex, Registry: "docker.io"},
		"app:1@sha256:" + hex:                  {Name: "app@sha256:" + hex, Registry: "docker.io"},
		"sha256:" + hex:                        {Name: "sha256:" + hex},
		"opensandbox-snapshots:0b7e1f2a-1111-422": {Name: "opensandbox-snapshots:0b7e1f2a-1111-422", Registry: "docker.io"},
	} {
		got, err := image.Parse(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	for _, bad := range []string{
		"", " ", "..", "../containers/x", "a/../b", "http://registry/x", "https://x/y:z", "UPPER", "UPPER/x", "Library/x:1", "LOCALHOST/x", "a b", "a:b:c", "a\x00", "a\nb", "a?b", "a#b",
		"python:" + strings.Repeat("t", 200), strings.Repeat("a", 2000), hex, "a@sha256:123", "%2e%2e/x", "/x", "x/", "a%2fb", "x@sha256:short",
		strings.Repeat("a/", 600) + "b",
	} {
		got, err := image.Parse(bad)
		require.Error(t, err, "%q → %v", bad, got)
	}
}

func TestPolicy(t *testing.T) {
	check := func(p image.Policy, text string) error {
		ref, err := image.Parse(text)
		require.NoError(t, err, text)
		return p.Check(ref)
	}
	for text, ok := range map[string]bool{
		"python": true, "localhost:5000/x": true, "10.0.0.1:5000/x": true, "127.0.0.1:5000/x": true, "[fd00::1]:5000/x": true, "sha256:" + hex: true,
		"169.254.169.254/x": false, "[::ffff:a9fe:a9fe]:80/x": false, "METADATA.google.internal/x": false, "metadata.goog/x": false,
		"2852039166:80/x": false, "fd20.example.com/x": true, "192.0.0.192/x": false, "[fd20:ce::254]:80/x": false,
	} {
		require.Equal(t, ok, check(image.Policy{}, text) == nil, "%q", text)
	}
	some := image.Policy{
		Allowed: []string{"docker.io", "*.example.com", "10.0.0.1:5000", "169.254.169.254"},
		Denied:  []string{"Bad.example.com"},
	}
	for text, want := range map[string]error{
		"python": nil, "docker.io/a/b": nil, "r.example.com/a": nil, "a.b.EXAMPLE.com/a": nil, "10.0.0.1:5000/a": nil,
		"example.com/a": image.ErrNotAllowed, "evilexample.com/a": image.ErrNotAllowed, "ghcr.io/a": image.ErrNotAllowed,
		"10.0.0.1:5001/a": image.ErrNotAllowed, "r.example.com:444/a": image.ErrNotAllowed,
		"bad.example.com/a": image.ErrForbidden, "169.254.169.254/a": image.ErrForbidden, "sha256:" + hex: image.ErrNoRegistry,
	} {
		require.ErrorIs(t, check(some, text), want, "%q", text)
	}
	require.ErrorIs(t, check(image.Policy{Allowed: []string{}}, "python"), image.ErrNotAllowed, "an empty list allows nothing")
	require.ErrorIs(t, check(image.Policy{Denied: []string{"docker.io"}}, "python"), image.ErrForbidden)
	require.ErrorIs(t, check(image.Policy{Denied: []string{"docker.io"}}, "sha256:"+hex), image.ErrNoRegistry, "an id must not get round a denial")
}

// Whatever the text, a reference that passes cannot name another path of an engine's
// API, and parsing what was parsed changes nothing.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"python:3.11", "../containers/x", "a@sha256:" + strings.Repeat("0", 64), "[::1]:1/x", "169.254.169.254/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := image.Parse(text)
		if err != nil {
			return
		}
		for _, element := range strings.Split(r.Name, "/") {
			require.NotContains(t, []string{"", ".", ".."}, element, "%q", text)
		}
		require.False(t, strings.ContainsAny(r.Name, "?#%\\ \x00\n"), "%q → %q", text, r.Name)
		again, err := image.Parse(r.Name)
		require.NoError(t, err, "%q", r.Name)
		require.Equal(t, r, again)
		if (image.Policy{}).Check(r) == nil {
			require.False(t, strings.HasPrefix(r.Registry, "169.254."), "%q", text)
		}
	})
}
