package docker

import (
	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// allowedEnv are the settings of execd and bootstrap a request may make. Other names
// with these prefixes steer our own processes inside the sandbox, some with authority
// (a token, an egress rule), so they are refused by name.
var allowedEnv = map[string]bool{
	"EXECD_API_GRACE_SHUTDOWN":              true,
	"EXECD_JUPYTER_IDLE_POLL_INTERVAL":      true,
	"EXECD_CLONE3_COMPAT":                   true,
	"EXECD_LOG_FILE":                        true,
	"EXECD_ENVS":                            true,
	"EXECD_BOOTSTRAP_PRE_SCRIPT":            true,
	"OPENSANDBOX_LOG_OUTPUT":                true,
	"OPENSANDBOX_EXECD_METRICS_EXTRA_ATTRS": true,
}

var reservedEnv = []string{"EXECD_", "OPENSANDBOX_"}

// environment is the container's Env: the request's variables in order, the last of
// a repeated name winning at the place of the first, then the server's own. The
// server's are always written, blank if need be: an image or a restored snapshot
// may carry another sandbox's.
func environment(spec lifecycle.Spec) ([]string, error) {
	out := make([]string, 0, len(spec.Env)+2)
	place := make(map[string]int, len(spec.Env))
	for _, v := range spec.Env {
		if err := checkEnv(v); err != nil {
			return nil, err
		}
		entry := v.Name + "=" + v.Value
		if i, seen := place[v.Name]; seen {
			out[i] = entry
			continue
		}
		place[v.Name] = len(out)
		out = append(out, entry)
	}
	return append(out, wire.EnvSandboxID+"="+spec.ID, wire.EnvExecdTokenSum+"="+spec.ExecdTokenSHA256), nil
}

// checkEnv refuses what would not arrive as it was written, and what steers us.
func checkEnv(v lifecycle.EnvVar) error {
	if err := v.Check(); err != nil {
		return err
	}
	if hasAnyPrefix(v.Name, reservedEnv) && !allowedEnv[v.Name] {
		return invalidParameter("env: %q is reserved for the server; remove it.", apierror.Clip(v.Name))
	}
	return nil
}
