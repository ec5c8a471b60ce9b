package environ

import (
	"errors"
	"os"
	"slices"
	"strings"
)

// expand replaces $NAME and ${NAME}; everything else, a lone "$" or "$1" included,
// stays as it is. It returns the names that lookup did not know.
func expand(s string, lookup func(string) (string, bool)) (out string, undefined []string) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		name, length := reference(s)
		if length == 0 {
			b.WriteByte('$')
			s = s[1:]
			continue
		}
		value, ok := lookup(name)
		if !ok && !slices.Contains(undefined, name) {
			undefined = append(undefined, name)
		}
		b.WriteString(value)
		s = s[length:]
	}
	b.WriteString(s)
	return b.String(), undefined
}

// reference parses a variable reference at the start of s, which begins with "$".
// A length of 0 means there is none.
func reference(s string) (name string, length int) {
	braced := len(s) > 1 && s[1] == '{'
	start := 1
	if braced {
		start = 2
	}
	end := start
	for end < len(s) && nameByte(s[end], end == start) {
		end++
	}
	switch {
	case end == start:
		return "", 0
	case !braced:
		return s[start:end], end
	case end < len(s) && s[end] == '}':
		return s[start:end], end + 1
	default:
		return "", 0
	}
}

func nameByte(c byte, first bool) bool {
	return c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || !first && c >= '0' && c <= '9'
}

// Path expands variables and a leading "~" (contract 06 §2). A path with a
// literal "$" that exists as it stands is taken as it stands. An undefined
// variable is an error that names all of them, sorted. Empty stays empty.
func Path(path string, vars Vars) (string, error) {
	if strings.Contains(path, "$") {
		if _, err := os.Lstat(path); err == nil {
			return path, nil
		}
		expanded, undefined := expand(path, vars.Lookup)
		if len(undefined) > 0 {
			slices.Sort(undefined)
			return "", errors.New("path references undefined environment variables: " + strings.Join(undefined, ","))
		}
		path = expanded
	}
	if path == "~" || strings.HasPrefix(path, "~/") || strings.HasPrefix(path, `~\`) {
		home, ok := vars.Lookup("HOME")
		if !ok || home == "" {
			return "", errors.New("path starts with ~ but HOME is not set")
		}
		if path == "~" {
			return home, nil
		}
		path = strings.TrimSuffix(home, "/") + "/" + path[2:]
	}
	if strings.ContainsRune(path, 0) {
		return "", errors.New("path contains a NUL byte")
	}
	return path, nil
}
