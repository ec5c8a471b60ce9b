package environ

import (
	"slices"
	"strings"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// Vars is an environment. A nil Vars is empty and may be read, not written.
type Vars map[string]string

// FromList reads "NAME=value" entries, as os.Environ gives them, without the
// daemon's credentials. Of repeated names the first counts, as for getenv.
func FromList(list []string) Vars {
	v := make(Vars, len(list))
	for _, entry := range list {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || name == "" || name == wire.EnvExecdToken || name == wire.EnvExecdTokenSum {
			continue
		}
		if _, seen := v[name]; !seen {
			v[name] = value
		}
	}
	return v
}

// Lookup is shaped like os.LookupEnv.
func (v Vars) Lookup(name string) (string, bool) {
	value, ok := v[name]
	return value, ok
}

// With returns a copy in which the entries of later win.
func (v Vars) With(later Vars) Vars {
	sum := make(Vars, len(v)+len(later))
	for name, value := range v {
		sum[name] = value
	}
	for name, value := range later {
		sum[name] = value
	}
	return sum
}

// List returns sorted "NAME=value" entries for exec.
func (v Vars) List() []string {
	list := make([]string, 0, len(v))
	for name, value := range v {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// ValidName reports whether name can be the name of a variable: exec would
// mangle or refuse anything else.
func ValidName(name string) bool { return name != "" && !strings.ContainsAny(name, "=\x00") }

// ValidValue reports whether value can be passed through exec.
func ValidValue(value string) bool { return !strings.ContainsRune(value, 0) }
