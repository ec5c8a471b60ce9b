package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
)

// uploadExecd puts the runtime files into one container with a single upload, the
// fallback where the shared volume cannot be used.
func (r *Runtime) uploadExecd(ctx context.Context, containerID string, archive []byte) error {
	rooted, err := rootArchive(archive)
	if err != nil {
		return err
	}
	return r.upload(ctx, containerID, "/", rooted)
}

// rootArchive moves a tar below /opt/opensandbox: the folder does not exist in most
// images, and an upload cannot create its own target.
func rootArchive(archive []byte) ([]byte, error) {
	const folder = "opt/opensandbox/"
	var out bytes.Buffer
	out.Grow(len(archive) + 4096)
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder, Mode: 0o755}); err != nil {
		return nil, err
	}
	source := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := source.Next()
		if errors.Is(err, io.EOF) {
			return out.Bytes(), w.Close()
		}
		if err != nil {
			return nil, err
		}
		header.Name = folder + strings.TrimPrefix(header.Name, "/")
		if header.Typeflag == tar.TypeLink {
			header.Linkname = folder + header.Linkname // hard links count from the root of the tar
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := io.Copy(w, source); err != nil {
			return nil, err
		}
	}
}
