package config

import (
	"fmt"
	"io"
	"strings"
)

// originColumn is where check-config's remarks begin, when the value is short enough.
const originColumn = 52

// WriteEffective prints the configuration as the server will use it: TOML, with the
// origin of every value beside it and credentials masked.
func (l *Loaded) WriteEffective(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Effective configuration from %s\n", Printable(l.Path))
	last := ""
	visit(l.Config, func(s *Section, k *Key, path string, target any) {
		if !l.applies(s) {
			return
		}
		header := "[" + s.Name + "]"
		element, _ := cutLast(path)
		if s.Array {
			header = "[" + header + "]"
		}
		if element != last {
			last = element
			b.WriteString("\n" + header + "\n")
		}
		origin := l.Report.Origin(path)
		if origin.Source == FromDefault && k.Default == nil && k.Kind != Boolean {
			writeColumns(&b, "# "+k.Name, "absent: "+k.Absent)
			return
		}
		writeColumns(&b, k.Name+" = "+literal(target), origin.String())
	})
	_, err := io.WriteString(w, b.String())
	return err
}

func writeColumns(b *strings.Builder, text, remark string) {
	fmt.Fprintf(b, "%-*s # %s\n", originColumn, text, remark)
}

// applies leaves out sections of the other runtime and those that only exist when written.
func (l *Loaded) applies(s *Section) bool {
	if s.Only != "" && s.Only != l.Config.Runtime.Type {
		return false
	}
	if s.Lifecycle && l.Config.GatewayOnly() {
		return false
	}
	return !s.Chosen || l.Report.Given(s.Name)
}

// Printable makes a path fit for a terminal.
func Printable(path string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, path)
}
