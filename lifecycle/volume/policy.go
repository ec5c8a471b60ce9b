package volume

import (
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
)

// The codes of contract 01 §16 that this package answers with, all of them 400.
const (
	codeDuplicateName   = "VOLUME::DUPLICATE_NAME"
	codeInvalidName     = "VOLUME::INVALID_NAME"
	codeMountPath       = "VOLUME::INVALID_MOUNT_PATH"
	codeBackend         = "VOLUME::INVALID_BACKEND"
	codeClaimName       = "VOLUME::INVALID_PVC_NAME"
	codeClaimNotAllowed = "VOLUME::PVC_NOT_ALLOWED"
	codeHostPath        = "VOLUME::INVALID_HOST_PATH"
	codeOSSFSBucket     = "VOLUME::INVALID_OSSFS_BUCKET"
	codeOSSFSEndpoint   = "VOLUME::INVALID_OSSFS_ENDPOINT"
	codeOSSFSOption     = "VOLUME::INVALID_OSSFS_OPTION"
	codeOSSFSKeys       = "VOLUME::INVALID_OSSFS_CREDENTIALS"
	codeOSSFSVersion    = "VOLUME::INVALID_OSSFS_VERSION"
	codeParameter       = "SANDBOX::INVALID_PARAMETER"

	// CodeSubPath and CodeHostNotAllowed are also what a runtime answers when it finds on
	// the disk what no text shows.
	CodeSubPath        = "VOLUME::INVALID_SUB_PATH"
	CodeHostNotAllowed = "VOLUME::HOST_PATH_NOT_ALLOWED"
)

// Bounds of one request.
const (
	maxVolumes = 64
	maxName    = 63
	maxClaim   = 253
	maxPath    = 4096 // the kernel's
)

var nameGrammar = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// Policy is what the operator lets sandboxes mount.
type Policy struct {
	// HostPaths are the absolute prefixes below which host paths may lie; "/" stands for
	// every path, none for no path.
	HostPaths []string
	// Claims are volumes that may be mounted although this server did not make them; nil =
	// every one of them.
	Claims []string
	// Endpoints are the hosts of object stores, as "host" or "*.domain"; none = no bucket.
	Endpoints []string
}

// Check applies the rules to the volumes in their order and returns the first violation, a
// 400 that names the volume. It rewrites nothing.
func (p Policy) Check(volumes []Volume) error {
	if len(volumes) > maxVolumes {
		return refuse(codeParameter, "volumes: at most %d are allowed.", maxVolumes)
	}
	names, targets := make(map[string]bool), make(map[string]string)
	for _, v := range volumes {
		if names[v.Name] {
			return refuse(codeDuplicateName, "volumes: two are named %q; give each a name of its own.", apierror.Clip(v.Name))
		}
		names[v.Name] = true
		if err := p.checkOne(v); err != nil {
			return err
		}
		target := v.Target()
		if other, taken := targets[target]; taken {
			return refuse(codeMountPath, "volume %q: %q is mounted there already.", v.Name, other)
		}
		targets[target] = v.Name
	}
	return nil
}

func (p Policy) checkOne(v Volume) error {
	if len(v.Name) > maxName || !nameGrammar.MatchString(v.Name) {
		return refuse(codeInvalidName, "volume %q: the name must be lower-case letters, digits and inner hyphens, at most %d.", apierror.Clip(v.Name), maxName)
	}
	for _, rule := range []func(Volume) error{checkTarget, checkSubPath, p.checkBackend} {
		if err := rule(v); err != nil {
			return err
		}
	}
	return nil
}

// Target is where the volume is mounted in the sandbox.
func (v Volume) Target() string { return path.Clean(v.MountPath) }

// occupied are the places of a sandbox that no volume may replace or hide: its root, what
// the kernel shows there, and the runtime files.
var occupied = []string{"/proc", "/sys", "/opt/opensandbox"}

func checkTarget(v Volume) error {
	if !strings.HasPrefix(v.MountPath, "/") || unprintable(v.MountPath) {
		return refuse(codeMountPath, "volume %q: mountPath must be an absolute path.", v.Name)
	}
	target := v.Target()
	for _, place := range occupied {
		if below(target, place) || below(place, target) {
			return refuse(codeMountPath, "volume %q: mountPath %q would take the place of %s, which the sandbox needs; choose another.", v.Name, apierror.Clip(v.MountPath), place)
		}
	}
	return nil
}

func checkSubPath(v Volume) error {
	if strings.HasPrefix(v.SubPath, "/") || unprintable(v.SubPath) || slices.Contains(strings.Split(v.SubPath, "/"), "..") {
		return refuse(CodeSubPath, "volume %q: subPath must be a relative path without \"..\".", v.Name)
	}
	return nil
}

func (p Policy) checkBackend(v Volume) error {
	switch {
	case v.Host != nil && v.Claim == nil && v.OSSFS == nil:
		return p.checkHost(v)
	case v.Host == nil && v.Claim != nil && v.OSSFS == nil:
		return p.checkClaim(v)
	case v.Host == nil && v.Claim == nil && v.OSSFS != nil:
		return p.checkOSSFS(v)
	}
	return refuse(codeBackend, "volume %q: exactly one of host, pvc and ossfs is required.", v.Name)
}

// reserved begins the names of volumes that hold the runtime files of sandboxes.
const reserved = "opensandbox-"

func (p Policy) checkClaim(v Volume) error {
	name := v.Claim.Name
	if len(name) > maxClaim || !nameGrammar.MatchString(name) {
		return refuse(codeClaimName, "volume %q: pvc.claimName must be lower-case letters, digits and inner hyphens, at most %d.", v.Name, maxClaim)
	}
	if strings.HasPrefix(name, reserved) {
		return refuse(codeClaimNotAllowed, "volume %q: names that begin with %q belong to the server.", v.Name, reserved)
	}
	return nil
}

// CheckExisting is the rule for a volume that exists. ours says that this server's label is
// on it.
func (p Policy) CheckExisting(v Volume, ours bool) error {
	if ours || p.Claims == nil || slices.Contains(p.Claims, v.Claim.Name) {
		return nil
	}
	return refuse(codeClaimNotAllowed, "volume %q: %q was not made by this server; the operator allows such volumes with storage.allowed_volumes.", v.Name, v.Claim.Name)
}

func refuse(code, format string, args ...any) error {
	return apierror.New(http.StatusBadRequest, code, format, args...)
}

// unprintable tells a text that no path needs and no line of a file or log should carry.
func unprintable(s string) bool {
	return len(s) > maxPath || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// below tells whether p is prefix or lies below it; both are clean.
func below(p, prefix string) bool {
	return p == prefix || prefix == "/" || strings.HasPrefix(p, prefix+"/")
}
