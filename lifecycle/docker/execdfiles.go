package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"

	"github.com/docker/docker/api/types/container"

	"github.com/opensandbox-edge/edge/apierror"
)

const codeBootstrapInstall = "DOCKER::SANDBOX_BOOTSTRAP_INSTALL_FAILED"

// maxBinaryBytes bounds a file that is read from the execd image.
const maxBinaryBytes = 256 << 20

// binary is one executable of the execd image.
type binary struct {
	content []byte
	digest  string // lower-case hex SHA-256
}

// binaries are what the contract demands at the root of an execd image.
type binaries struct{ execd, bootstrap binary }

// read takes the two files from the image.
func (s *execdSource) read(ctx context.Context, aux string) (b binaries, err error) {
	if b.execd, err = s.readFile(ctx, aux, "/execd"); err != nil {
		return b, s.readError(ctx, err, codeExecdDistribution, "/execd")
	}
	if b.bootstrap, err = s.readFile(ctx, aux, "/bootstrap.sh"); err != nil {
		return b, s.readError(ctx, err, codeBootstrapInstall, "/bootstrap.sh")
	}
	return b, nil
}

func (s *execdSource) readError(ctx context.Context, err error, code, file string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return apierror.New(http.StatusInternalServerError, code,
		"The execd image %s has no usable %s; see runtime.execd_image.", s.image.Name, file).Because(err)
}

func (s *execdSource) readFile(ctx context.Context, aux, file string) (binary, error) {
	call, cancel := s.runtime.call(ctx)
	defer cancel()
	stream, _, err := s.runtime.engine.CopyFromContainer(call, aux, file)
	if err != nil {
		return binary{}, err
	}
	defer stream.Close()
	archive := tar.NewReader(stream)
	header, err := archive.Next()
	if err != nil {
		return binary{}, err
	}
	if header.Typeflag != tar.TypeReg || header.Size == 0 || header.Size > maxBinaryBytes {
		return binary{}, fmt.Errorf("%s is not a regular file of 1 to %d bytes", file, maxBinaryBytes)
	}
	content, err := io.ReadAll(io.LimitReader(archive, maxBinaryBytes))
	if err != nil {
		return binary{}, err
	}
	return binary{content: content, digest: digest(content)}, nil
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// links lead from the names the contract fixes to the place that can be written.
var links = []string{".env", "merged-ca-certificates.pem"}

// archive is the tar of everything under /opt/opensandbox. Links are relative, so they
// lead to the same place wherever the tree is mounted.
func (b binaries) archive() ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(b.execd.content) + len(b.bootstrap.content) + 16<<10)
	w := tar.NewWriter(&out)
	put := func(header *tar.Header, content []byte) error {
		header.Size = int64(len(content))
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
	bootstrap := &tar.Header{Typeflag: tar.TypeReg, Name: "bootstrap.sh", Mode: 0o755}
	content := b.bootstrap.content
	if b.bootstrap.digest == b.execd.digest {
		bootstrap.Typeflag, bootstrap.Linkname, content = tar.TypeLink, "execd", nil
	}
	err := errors.Join(
		put(&tar.Header{Typeflag: tar.TypeReg, Name: "execd", Mode: 0o755}, b.execd.content),
		put(bootstrap, content),
		put(&tar.Header{Typeflag: tar.TypeDir, Name: "run/", Mode: 0o1777}, nil),
	)
	for _, name := range links {
		err = errors.Join(err, put(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: "run/" + name, Mode: 0o777}, nil))
	}
	return out.Bytes(), errors.Join(err, w.Close())
}

// fill makes the volume hold exactly the image's files. Half-filled by a crash,
// emptied or altered, it is written again and read back.
func (s *execdSource) fill(ctx context.Context, aux string, b binaries) error {
	if err := s.verify(ctx, aux, b); err == nil {
		return nil
	} else if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	archive, err := b.archive()
	if err != nil {
		return err
	}
	if err := s.runtime.upload(ctx, aux, runtimeDir, archive); err != nil {
		return engineError(ctx, err, codeExecdDistribution, "filling the execd volume")
	}
	if err := s.verify(ctx, aux, b); err != nil {
		return engineError(ctx, fmt.Errorf("the volume after filling: %w", err), codeExecdDistribution, "checking the execd volume")
	}
	s.runtime.log.Info("filled the execd volume", "image", s.image.Name, "execd", b.execd.digest)
	return nil
}

// verify reads the whole volume back and compares it with the image's files.
func (s *execdSource) verify(ctx context.Context, aux string, b binaries) error {
	call, cancel := s.runtime.call(ctx)
	defer cancel()
	stream, _, err := s.runtime.engine.CopyFromContainer(call, aux, runtimeDir)
	if err != nil {
		return err
	}
	defer stream.Close()
	return b.compare(stream)
}

// compare checks a tar of /opt/opensandbox as the engine returns it.
func (b binaries) compare(stream io.Reader) error {
	found := map[string]string{}
	archive := tar.NewReader(stream)
	for entries := 0; ; entries++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if entries > 64 {
			return fmt.Errorf("more files than belong there")
		}
		name := path.Base(path.Clean(header.Name))
		switch header.Typeflag {
		case tar.TypeReg:
			sum := sha256.New()
			if _, err := io.Copy(sum, io.LimitReader(archive, maxBinaryBytes)); err != nil {
				return err
			}
			found[name] = fmt.Sprintf("file %o %x", header.Mode&0o7777, sum.Sum(nil))
		case tar.TypeLink:
			found[name] = found[path.Base(header.Linkname)]
		case tar.TypeSymlink:
			found[name] = "link " + header.Linkname
		case tar.TypeDir:
			found[name] = fmt.Sprintf("dir %o", header.Mode&0o7777)
		}
	}
	want := map[string]string{
		"execd":        "file 755 " + b.execd.digest,
		"bootstrap.sh": "file 755 " + b.bootstrap.digest,
		"run":          "dir 1777",
	}
	for _, name := range links {
		want[name] = "link run/" + name
	}
	for name, content := range want {
		if found[name] != content {
			return fmt.Errorf("%s is %q, want %q", name, found[name], content)
		}
	}
	return nil
}

// upload extracts a tar at a folder of a container.
func (r *Runtime) upload(ctx context.Context, containerID, folder string, archive []byte) error {
	call, cancel := r.call(context.WithoutCancel(ctx))
	defer cancel()
	return r.engine.CopyToContainer(call, containerID, folder, bytes.NewReader(archive), container.CopyToContainerOptions{})
}
