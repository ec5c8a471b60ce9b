package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

// The texts of the mistake that is made most.
const (
	bareValue = "this is no value; strings need quotes"
	afterItem = "there is more text after the value; strings need quotes around all of it"
)

// syntaxTexts say in our words what the parser says, which often quotes the document: an
// unquoted API key is a likely mistake, and must not end up in a log. The first whose
// part occurs in the parser's message is used.
var syntaxTexts = []struct {
	part, text string
	inValue    bool // it happened in the value of the key that was read last
}{
	{"table array name delimiter", "a header of a table array is written [[name]]", false},
	{"end table name", "a table header is written [name], or [[name]] for an array of tables", false},
	{"but got ']'", "there is a ] too many", false},
	{"table names cannot be empty", "a table header has an empty name", false},
	{"top-level item to end", afterItem, false},
	{"NULL bytes", "the file holds bytes that are no text; it has to be UTF-8", false},
	{"UTF-8", "the file holds bytes that are not UTF-8", false},
	{"control characters", "the file holds a control character", false},
	{"expected key separator", "a key is followed by = and its value", false},
	{"expected '.' or '='", "a key is followed by = and its value; a key with spaces needs quotes", false},
	{"key name appears blank", "there is no key before the =", false},
	{"cannot start with a '.'", "a key cannot begin with a dot", false},
	{"unexpected EOF; expected value", "there is no value after the =", true},
	{"strings cannot contain newlines", "a string is not closed on its line", true},
	{"unexpected EOF; expected", "a string is not closed", true},
	{"hexadecimal digits after", "a string has a \\u or \\x escape without its digits", true},
	{"scape", "a string has an escape that TOML does not know; write \\\\ for a backslash, or use single quotes", true},
	{"array terminator", "an array is not closed with ], or a comma is missing in it", true},
	{"inline table", "an inline table is not closed with }, or a comma is missing in it", true},
	{"unexpected comma", "there is a comma too many", true},
	{"out of range", "the number is too large", true},
	{"leading zeroes", "a number has no leading zeroes; a string needs quotes", true},
	{"expected value", bareValue, true},
	{"digit", bareValue, true},
	{"nteger", bareValue, true},
	{"float", bareValue, true},
	{"number", bareValue, true},
	{"datetime", bareValue, true},
}

// syntax describes a TOML error as "file:line text". It quotes keys, never values.
func syntax(file string, document []byte, err error) error {
	var p toml.ParseError
	if !errors.As(err, &p) {
		return errors.New("it is not valid TOML")
	}
	text, key := "this is not TOML", ""
	if strings.HasPrefix(p.Message, "Key '") || strings.HasSuffix(p.Message, "is not a table") {
		text = second(p, document)
	} else {
		for _, known := range syntaxTexts {
			if strings.Contains(p.Message, known.part) {
				text = known.text
				if known.inValue {
					key = shownPath(p.LastKey)
				}
				break
			}
		}
	}
	if text == afterItem && strings.HasPrefix(lineAt(document, p.Position.Line), "[") {
		text = "there is more text after the table header"
	}
	return errors.New(at(file, p.Position.Line, key, text))
}

// second describes a key or table that the document defines again.
func second(p toml.ParseError, document []byte) string {
	key := p.LastKey
	if _, quoted, ok := strings.Cut(p.Message, "'"); ok {
		key, _, _ = strings.Cut(quoted, "'")
	}
	text := shownPath(key) + " is defined a second time, or as two different things"
	if line := findPositions(document)[key]; line > 0 && line < p.Position.Line {
		text += fmt.Sprintf("; the first is on line %d", line)
	}
	return text
}

// lineAt is a line of the document, counted from 1, without the space around it.
func lineAt(document []byte, n int) string {
	lines := bytes.Split(document, []byte("\n"))
	if n < 1 || n > len(lines) {
		return ""
	}
	return string(bytes.TrimSpace(lines[n-1]))
}
