package hardening

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/opensandbox-edge/edge/lifecycle"
)

const defaultTmpfsBytes = 64 << 20

var modeGrammar = regexp.MustCompile(`^[0-7]{3,4}$`)

// ownPaths are what no file system of the operator's may cover: the kernel's, and execd's.
var ownPaths = []string{"/proc", "/sys", "/dev", "/opt/opensandbox"}

// readTmpfs turns entries into the engine's form: path → mount options. The engine adds
// nosuid and nodev to all, and noexec where exec is not asked for.
func readTmpfs(entries []string) (map[string]string, error) {
	out := make(map[string]string, len(entries))
	for _, entry := range entries {
		target, options, _ := strings.Cut(entry, ":")
		if !path.IsAbs(target) || path.Clean(target) != target || target == "/" || strings.ContainsAny(target, ",\x00\n") {
			return nil, fmt.Errorf("%q: want an absolute path other than /, e.g. \"/tmp:size=64Mi\"", entry)
		}
		for _, own := range ownPaths {
			if target == own || strings.HasPrefix(target, own+"/") || strings.HasPrefix(own, target+"/") {
				return nil, fmt.Errorf("%q: %s must stay what it is; choose another path", entry, own)
			}
		}
		if _, twice := out[target]; twice {
			return nil, fmt.Errorf("%s is given twice", target)
		}
		var err error
		if out[target], err = tmpfsOptions(options); err != nil {
			return nil, fmt.Errorf("%q: %w", entry, err)
		}
	}
	return out, nil
}

func tmpfsOptions(text string) (string, error) {
	size, mode, exec := int64(defaultTmpfsBytes), "1777", false
	for _, option := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(option, "=")
		ok := true
		switch name {
		case "":
			ok = text == ""
		case "size":
			size, ok = lifecycle.ParseMemory(value)
			ok = ok && size > 0
		case "mode":
			mode, ok = value, modeGrammar.MatchString(value)
		case "exec":
			exec, ok = true, option == "exec"
		default:
			ok = false
		}
		if !ok {
			return "", fmt.Errorf("%q is not one of size=64Mi, mode=1777, exec", option)
		}
	}
	options := "size=" + strconv.FormatInt(size, 10) + ",mode=" + mode
	if exec {
		options += ",exec"
	}
	return options, nil
}
