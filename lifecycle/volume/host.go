package volume

import (
	"path"
	"regexp"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
)

var drive = regexp.MustCompile(`^[A-Za-z]:`)

func (p Policy) checkHost(v Volume) error {
	written := slashed(v.Host.Path)
	plain := drive.ReplaceAllString(written, "")
	if !strings.HasPrefix(plain, "/") || unprintable(plain) || strings.Contains(plain, "/..") || strings.Contains(plain, "//") ||
		len(plain) > 1 && strings.HasSuffix(plain, "/") {
		return refuse(codeHostPath, "volume %q: host.path must be an absolute path without \"/..\", \"//\" and a slash at the end.", v.Name)
	}
	if !p.AllowsHost(written) || !p.AllowsHost(v.HostSource()) {
		return refuse(CodeHostNotAllowed, "volume %q: %q is not below an entry of storage.allowed_host_paths.", v.Name, apierror.Clip(v.Host.Path))
	}
	return nil
}

// AllowsHost tells whether a clean path of the host equals an allowed prefix or lies below
// one.
func (p Policy) AllowsHost(source string) bool {
	source = lowerDrive(slashed(source))
	for _, prefix := range p.HostPaths {
		if prefix = lowerDrive(slashed(prefix)); prefix != "" && below(source, path.Clean(prefix)) {
			return true
		}
	}
	return false
}

// HostSource is the path of the host that is asked for, sub-path included.
func (v Volume) HostSource() string { return path.Join(slashed(v.Host.Path), v.SubPath) }

func slashed(s string) string { return strings.ReplaceAll(s, `\`, "/") }

func lowerDrive(s string) string {
	return drive.ReplaceAllStringFunc(s, strings.ToLower)
}
