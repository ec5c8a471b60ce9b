package docker

import (
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
)

// refusalSigns map phrases of the engine to the operator's key that it refused: what the
// start could not check, or what changed on the engine since. The engine has no codes
// for them, so its text is the only evidence; it decides wording, never control flow.
var refusalSigns = []struct{ phrase, key, hint string }{
	{"--storage-opt", "docker.storage_size", "the engine's disk has no quotas; on xfs it must be mounted with pquota"},
	{"setting rlimit", "docker.ulimits", "the engine's own limits are lower than these"},
	{"apparmor failed", "docker.apparmor_profile", "load the profile on the engine's host"},
	{"apparmor profile", "docker.apparmor_profile", "load the profile on the engine's host"},
	{"seccomp profile", "docker.seccomp_profile", "the engine does not understand the profile"},
	{"arch for seccomp", "docker.seccomp_profile", "the OCI runtime does not understand the profile"},
	{"init seccomp", "docker.seccomp_profile", "the OCI runtime does not understand the profile"},
	{"runtime name", "secure_runtime.docker_runtime", "the engine no longer has this OCI runtime"},
}

// operatorRefusal recognises a refusal of what the operator configured, which no other
// request could avoid; nil for anything else.
func operatorRefusal(err error) error {
	if err == nil {
		return nil
	}
	text := strings.ToLower(err.Error())
	for _, sign := range refusalSigns {
		if strings.Contains(text, sign.phrase) {
			return apierror.New(http.StatusInternalServerError, codeStartFailed,
				"The container engine refused %s of this server: %s.", sign.key, sign.hint).Because(err)
		}
	}
	return nil
}
