package config

import (
	"fmt"
	"strings"
)

// Violation is one thing in the configuration that must be changed.
type Violation struct {
	File    string // or "environment"
	Line    int    // 1-based; 0 = not in the file
	Key     string // dotted, with indexes: "ingress.secure_access.keys[1].key"
	Message string
}

// String is "file:line key: message".
func (v Violation) String() string { return at(v.File, v.Line, v.Key, v.Message) }

func at(file string, line int, key, message string) string {
	if line > 0 {
		file = fmt.Sprintf("%s:%d", file, line)
	}
	if key != "" {
		message = key + ": " + message
	}
	return file + " " + message
}

// Invalid is the error of a configuration that breaks rules. All field violations
// are in it, or the first broken cross-field rule (contract 07 §5).
type Invalid struct {
	Path       string
	Violations []Violation
	// Warnings are what else was found until then: an unknown key is often the reason
	// why a required one is missing.
	Warnings []Warning
}

// Error lists every violation, and then every warning, on a line of its own.
func (e *Invalid) Error() string {
	lines := make([]string, 0, len(e.Violations)+len(e.Warnings))
	for _, v := range e.Violations {
		lines = append(lines, v.String())
	}
	for _, w := range e.Warnings {
		lines = append(lines, "warning: "+w.String())
	}
	return "Invalid configuration in " + e.Path + ":\n  " + strings.Join(lines, "\n  ")
}

// WarningKind tells warnings apart that others judge by.
type WarningKind uint8

// The kinds.
const (
	Remark       WarningKind = iota
	OpenToOthers             // a file with credentials that other users can read or change
)

// Warning is something that works but deserves a look.
type Warning struct {
	Kind    WarningKind
	File    string
	Line    int
	Key     string
	Message string
}

// String is "file:line key: message".
func (w Warning) String() string { return at(w.File, w.Line, w.Key, w.Message) }

// Source tells where an effective value comes from.
type Source string

// The sources.
const (
	FromDefault     Source = "default"
	FromFile        Source = "file"
	FromEnvironment Source = "env"
)

// Origin is where one effective value comes from.
type Origin struct {
	Source Source
	Line   int    // with FromFile; 0 when unknown
	Detail string // name of the environment variable, where one is involved
}

// String is what check-config prints beside the value.
func (o Origin) String() string {
	switch {
	case o.Source == FromFile && o.Detail != "":
		return fmt.Sprintf("file line %d, ${%s}", o.Line, o.Detail)
	case o.Source == FromFile && o.Line > 0:
		return fmt.Sprintf("file line %d", o.Line)
	case o.Detail != "":
		return string(o.Source) + " " + o.Detail
	}
	return string(o.Source)
}

// Report is what loading found beside the values.
type Report struct {
	Warnings []Warning
	Inert    []string          // keys that are accepted, differ from their default and do nothing here
	Origins  map[string]Origin // by dotted key with indexes; keys at their default are absent

	sections map[string]bool // present in the file
}

// Origin returns where the value of a dotted key comes from.
func (r *Report) Origin(key string) Origin {
	if o, ok := r.Origins[key]; ok {
		return o
	}
	return Origin{Source: FromDefault}
}

// Given reports whether the file has the section, even an empty one.
func (r *Report) Given(section string) bool { return r.sections[section] }

func (r *Report) warn(file string, line int, key, format string, args ...any) {
	r.Warnings = append(r.Warnings, Warning{File: file, Line: line, Key: key, Message: fmt.Sprintf(format, args...)})
}
