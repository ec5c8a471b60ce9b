package files

import (
	"errors"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// ErrPattern says that a pattern cannot be used.
var ErrPattern = errors.New("bad pattern")

// maxNegations bounds the "!(…)" of a pattern: each multiplies the ways to match.
const maxNegations = 2

// glob matches names as contract 06 §9.1 describes: doublestar's syntax, and
// "!(x)" for any run of characters within a segment that x does not match.
type glob struct {
	pattern string
	whole   bool // the pattern speaks of the path below the root, not of the base name
}

func compile(pattern string) (glob, error) {
	if pattern == "" {
		pattern = "**"
	}
	g := glob{pattern: pattern, whole: strings.Contains(strings.TrimPrefix(pattern, "**/"), "/")}
	if !g.whole {
		g.pattern = strings.TrimPrefix(pattern, "**/")
	}
	if len(pattern) > 4096 || strings.Count(pattern, "!(") > maxNegations {
		return g, ErrPattern
	}
	for rest := g.pattern; rest != ""; {
		before, inner, after, ok := cutNegation(rest)
		if !ok {
			before = rest
		} else if strings.ContainsAny(inner, "/") || strings.Count(before, "{") > strings.Count(before, "}") {
			return g, ErrPattern // it would have to reach beyond its segment, or half of an alternative
		} else if !doublestar.ValidatePattern(alternatives(inner)) {
			return g, ErrPattern
		}
		if !doublestar.ValidatePattern(before) {
			return g, ErrPattern
		}
		rest = after
	}
	return g, nil
}

// match takes the path relative to the root.
func (g glob) match(relative string) bool {
	if !g.whole {
		relative = relative[strings.LastIndexByte(relative, '/')+1:]
	}
	return matchPattern(g.pattern, relative)
}

func matchPattern(pattern, name string) bool {
	before, inner, after, ok := cutNegation(pattern)
	if !ok {
		matched, _ := doublestar.Match(pattern, name)
		return matched
	}
	// The negation takes name[i:j] for some i and j within one segment.
	for i := 0; i <= len(name); i++ {
		if head, _ := doublestar.Match(before, name[:i]); !head {
			continue
		}
		for j := i; j <= len(name); j++ {
			if j > i && name[j-1] == '/' {
				break
			}
			if taken, _ := doublestar.Match(alternatives(inner), name[i:j]); !taken && matchPattern(after, name[j:]) {
				return true
			}
		}
	}
	return false
}

// cutNegation splits at the first "!(…)". An escaped or unclosed one is literal.
func cutNegation(pattern string) (before, inner, after string, ok bool) {
	for i := 0; i+1 < len(pattern); i++ {
		switch {
		case pattern[i] == '\\':
			i++
		case pattern[i] == '!' && pattern[i+1] == '(':
			if end := strings.IndexByte(pattern[i:], ')'); end > 0 {
				return pattern[:i], pattern[i+2 : i+end], pattern[i+end+1:], true
			}
			return "", "", "", false
		}
	}
	return "", "", "", false
}

func alternatives(inner string) string {
	if strings.Contains(inner, "|") {
		return "{" + strings.ReplaceAll(inner, "|", ",") + "}"
	}
	return inner
}
