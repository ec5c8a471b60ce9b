package docker

import (
	"strings"

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

// checkEnv refuses what the engine or a process would read as something else.
func checkEnv(v lifecycle.EnvVar) error {
	switch {
	case v.Name == "":
		return invalidParameter("env: a variable has an empty name.")
	case strings.ContainsAny(v.Name, "=\x00\n"):
		return invalidParameter("env: the name %q contains '=', NUL or a line feed.", clip(v.Name))
	case strings.ContainsRune(v.Value, 0):
		return invalidParameter("env: the value of %q contains NUL.", clip(v.Name))
	case hasAnyPrefix(v.Name, reservedEnv) && !allowedEnv[v.Name]:
		return invalidParameter("env: %q is reserved for the server; remove it.", clip(v.Name))
	}
	return nil
}

// clip bounds client text that is repeated in a message.
func clip(s string) string {
	const limit = 120
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}
