package bootstrap

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/execd/environ"
)

// maxCertificates bounds what is read of certificate files.
const maxCertificates = 16 << 20

// rootBundles are the places roots are looked for, in the order of the contract
// (06 §14.2 step 1); the first pattern stands for Python's certifi.
var rootBundles = []string{
	"/usr/*/lib/python3*/*-packages/certifi/cacert.pem", "/usr/lib/python3*/*-packages/certifi/cacert.pem",
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
}

// trust waits for the certificate of the egress sidecar, makes it known, and
// returns the variables that point programs to it. Whatever fails is a warning:
// a sandbox without the certificate is better than none.
func (c Config) trust(ctx context.Context, r *reaper) environ.Vars {
	if !c.proxied() {
		return nil
	}
	certificate, err := c.awaitCertificate(ctx)
	if err != nil {
		c.Log.Warn("going on without the egress certificate", "file", c.CAFile, "error", err)
		return nil
	}
	c.updateStore(ctx, r, certificate)
	bundle := c.CAFile
	if merged, err := c.mergeRoots(certificate); err != nil {
		c.Log.Warn("only the egress certificate is trusted: roots could not be merged", "error", err)
	} else {
		bundle = merged
	}
	vars := environ.Vars{"NODE_EXTRA_CA_CERTS": c.CAFile}
	for _, name := range []string{"REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE"} {
		vars[name] = bundle
	}
	// The daemon runs already; its commands learn the variables from the env file.
	if err := c.appendEnvFile(vars); err != nil {
		c.Log.Warn("commands will not know the egress certificate", "error", err)
	}
	return vars
}

func (c Config) awaitCertificate(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.CATimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if pem, err := readBounded(c.CAFile); err == nil && len(bytes.TrimSpace(pem)) > 0 {
			return pem, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// mergeRoots writes the image's roots and the certificate into one file: where
// the contract wants it, or, on a read-only root, wherever it can.
func (c Config) mergeRoots(certificate []byte) (string, error) {
	roots, err := findRoots()
	if err != nil {
		return "", err
	}
	merged := append(append(bytes.TrimRight(roots, "\n"), '\n'), certificate...)
	if err := os.WriteFile(c.CABundle, merged, 0o644); err == nil {
		return c.CABundle, nil
	}
	for _, parent := range []string{filepath.Join(root, "run"), c.Vars["TMPDIR"], "/tmp", "/dev/shm", "/run", c.Vars["HOME"]} {
		if parent == "" {
			continue
		}
		// A fresh directory: a name another user prepared must not be followed.
		dir, err := os.MkdirTemp(parent, "opensandbox-ca-")
		if err != nil {
			continue
		}
		file := filepath.Join(dir, "merged-ca-certificates.pem")
		if os.Chmod(dir, 0o755) == nil && os.WriteFile(file, merged, 0o644) == nil {
			return file, nil
		}
		_ = os.RemoveAll(dir)
	}
	return "", errors.New("no directory is writable")
}

func findRoots() ([]byte, error) {
	for _, pattern := range rootBundles {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			if pem, err := readBounded(file); err == nil && len(pem) > 0 {
				return pem, nil
			}
		}
	}
	return nil, errors.New("the image has no bundle of root certificates")
}

// updateStore adds the certificate to the system's store where the image has a
// tool for that and we may use it.
func (c Config) updateStore(ctx context.Context, r *reaper, certificate []byte) {
	for _, store := range []struct{ tool, anchor string }{
		{"update-ca-certificates", "/usr/local/share/ca-certificates/opensandbox-mitmproxy-ca.crt"},
		{"update-ca-trust", "/etc/pki/ca-trust/source/anchors/opensandbox-mitmproxy-ca.pem"},
	} {
		tool := c.Vars.Program(store.tool)
		if tool == "" {
			continue
		}
		err := os.MkdirAll(filepath.Dir(store.anchor), 0o755)
		if err == nil {
			err = os.WriteFile(store.anchor, certificate, 0o644)
		}
		if err == nil {
			err = c.runTool(ctx, r, tool)
		}
		if err != nil {
			c.Log.Warn("the system's certificate store was not updated", "tool", store.tool, "error", err)
		}
		return
	}
	c.Log.Warn("the system's certificate store was not updated: no tool for it in the image")
}

func (c Config) runTool(ctx context.Context, r *reaper, tool string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	fd := null.Fd()
	p, err := r.start(tool, []string{tool}, &syscall.ProcAttr{
		Env: c.Vars.List(), Files: []uintptr{fd, fd, fd}, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	select {
	case <-p.ended:
	case <-ctx.Done():
		r.signal(p, unix.SIGKILL)
		<-p.ended
		return ctx.Err()
	}
	if code(p.status) != 0 {
		return errors.New("it failed")
	}
	return nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return io.ReadAll(io.LimitReader(f, maxCertificates))
}
