package config

import (
	"sort"
	"strings"
)

// maxUnknown bounds the warnings about one file.
const maxUnknown = 50

// renameLegacy moves server.log_level, the name of older files, to log.level.
func (d *decoder) renameLegacy() {
	server, ok := d.tree["server"].(map[string]any)
	if !ok {
		return
	}
	level, ok := server["log_level"]
	if !ok {
		return
	}
	delete(server, "log_level")
	line := lineOf(d.lines, "server.log_level")
	if _, given := d.tree["log"]; !given {
		d.tree["log"] = map[string]any{}
	}
	log, ok := d.tree["log"].(map[string]any)
	if !ok {
		return // reported as no table
	}
	if _, given := log["level"]; given {
		d.report.warn(d.file, line, "server.log_level", "is an old name of log.level, which is given as well; this one is ignored")
		return
	}
	log["level"] = level
	d.lines["log.level"] = line
	d.report.warn(d.file, line, "server.log_level", "is an old name; it is used as log.level")
}

// unknownKeys warns about everything in the file that no section knows, with the
// nearest name that one does.
func (d *decoder) unknownKeys() {
	known := map[string]map[string]bool{"": {}} // section → its keys and sub-tables
	open := map[string]bool{}                   // tables whose keys are free
	add := func(section, name string) {
		if known[section] == nil {
			known[section] = map[string]bool{}
		}
		known[section][name] = true
	}
	for _, s := range sections {
		parent, name := "", s.Name
		for {
			head, rest, nested := strings.Cut(name, ".")
			add(parent, head)
			parent = join(parent, head)
			if !nested {
				break
			}
			name = rest
		}
		for _, k := range s.Keys {
			add(s.Name, k.Name)
			open[s.Name+"."+k.Name] = k.Kind == TextMap
		}
	}
	left := maxUnknown
	d.walkUnknown("", "", d.tree, known, open, &left)
}

func (d *decoder) walkUnknown(section, path string, table map[string]any, known map[string]map[string]bool, open map[string]bool, left *int) {
	names := make([]string, 0, len(table))
	for name := range table {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if *left == 0 {
			return
		}
		at := join(path, name)
		if !known[section][name] {
			*left--
			d.report.warn(d.file, lineOf(d.lines, at), shownPath(at), "%s", unknownText(section, name, table[name]))
			continue
		}
		inner := join(section, name)
		if open[inner] || known[inner] == nil {
			continue
		}
		if sub, ok := table[name].(map[string]any); ok {
			d.walkUnknown(inner, at, sub, known, open, left)
		} else if elements, ok := tables(table[name]); ok {
			for _, e := range elements {
				d.walkUnknown(inner, at, e, known, open, left)
			}
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func shownPath(path string) string {
	parts := strings.Split(path, ".")
	for i, p := range parts {
		parts[i] = shown(p)
	}
	return strings.Join(parts, ".")
}

func unknownText(section, name string, value any) string {
	what := "unknown key, ignored"
	_, isTable := value.(map[string]any)
	if isTable {
		what = "unknown section, ignored"
	}
	if near := nearest(section, name, isTable); near != "" {
		return what + `; did you mean "` + near + `"?`
	}
	return what
}

// nearest looks for a similar name: first among the names beside it, then the same
// name in another section, then similar ones anywhere.
func nearest(section, name string, isTable bool) string {
	const most = 40 // the cost is quadratic and real names are short
	if len(name) > most {
		return ""
	}
	limit := max(1, len(name)/3)
	best, bestDistance := "", limit+1
	consider := func(candidate, shown string, penalty int) {
		if distance := editDistance(strings.ToLower(name), candidate) + penalty; distance < bestDistance {
			best, bestDistance = shown, distance
		}
	}
	for _, s := range sections {
		if parent, last := cutLast(s.Name); isTable && parent == section {
			consider(last, s.Name, 0)
		} else if isTable && last == name {
			consider(last, s.Name, 1)
		}
		for _, k := range s.Keys {
			switch {
			case s.Name == section:
				consider(k.Name, k.Name, 0)
			case k.Name == name && !isTable:
				consider(k.Name, s.Name+"."+k.Name, 1)
			}
		}
	}
	return best
}

func cutLast(path string) (parent, last string) {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// editDistance counts insertions, deletions, substitutions and swaps of neighbours.
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			substitution := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				substitution++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, substitution)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
