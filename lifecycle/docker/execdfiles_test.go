package docker

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func testBinaries(bootstrap string) binaries {
	b := binaries{execd: binary{content: []byte("execd")}, bootstrap: binary{content: []byte(bootstrap)}}
	b.execd.digest, b.bootstrap.digest = digest(b.execd.content), digest(b.bootstrap.content)
	return b
}

// entries reads a tar; change may alter a header or drop the entry by returning false.
func rewrite(t *testing.T, archive []byte, change func(*tar.Header, *[]byte) bool) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		h.Name = "opensandbox/" + h.Name // as the engine returns the folder
		if h.Typeflag == tar.TypeLink {
			h.Linkname = "opensandbox/" + h.Linkname
		}
		if !change(h, &content) {
			continue
		}
		h.Size = int64(len(content))
		require.NoError(t, w.WriteHeader(h))
		_, err = w.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestVolumeContentIsCompared(t *testing.T) {
	for name, b := range map[string]binaries{"one binary": testBinaries("execd"), "a script": testBinaries("#!/bin/sh")} {
		t.Run(name, func(t *testing.T) {
			archive, err := b.archive()
			require.NoError(t, err)
			same := func(*tar.Header, *[]byte) bool { return true }
			require.NoError(t, b.compare(bytes.NewReader(rewrite(t, archive, same))))

			for what, change := range map[string]func(*tar.Header, *[]byte) bool{
				"execd altered": func(h *tar.Header, c *[]byte) bool {
					if h.Name == "opensandbox/execd" {
						*c = []byte("evil!")
					}
					return true
				},
				"bootstrap missing": func(h *tar.Header, _ *[]byte) bool { return h.Name != "opensandbox/bootstrap.sh" },
				"run missing":       func(h *tar.Header, _ *[]byte) bool { return h.Typeflag != tar.TypeDir },
				"run not writable": func(h *tar.Header, _ *[]byte) bool {
					if h.Typeflag == tar.TypeDir {
						h.Mode = 0o755
					}
					return true
				},
				"link astray": func(h *tar.Header, _ *[]byte) bool {
					if h.Typeflag == tar.TypeSymlink {
						h.Linkname = "/etc/passwd"
					}
					return true
				},
				"not executable": func(h *tar.Header, _ *[]byte) bool {
					if h.Name == "opensandbox/execd" {
						h.Mode = 0o644
					}
					return true
				},
			} {
				require.Error(t, b.compare(bytes.NewReader(rewrite(t, archive, change))), what)
			}
			require.Error(t, b.compare(bytes.NewReader(nil)), "an empty volume")
		})
	}
}

func TestRootArchive(t *testing.T) {
	archive, err := testBinaries("execd").archive()
	require.NoError(t, err)
	rooted, err := rootArchive(archive)
	require.NoError(t, err)
	found := map[string]string{}
	r := tar.NewReader(bytes.NewReader(rooted))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		found[h.Name] = h.Linkname
	}
	require.Equal(t, map[string]string{
		"opt/opensandbox/": "", "opt/opensandbox/execd": "", "opt/opensandbox/bootstrap.sh": "opt/opensandbox/execd", "opt/opensandbox/run/": "",
		"opt/opensandbox/.env": "run/.env", "opt/opensandbox/merged-ca-certificates.pem": "run/merged-ca-certificates.pem",
	}, found)
}
