package diagnostics

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/opensandbox-edge/edge/internal/quote"
)

// maxFields bounds the lines of one section: an image may carry any number of labels.
const maxFields = 256

// colour is what programs write to colour their lines. It is dropped; every other control
// sequence is shown, so that none acts on the terminal of who reads (threat row K13).
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// legible makes log text fit for a terminal and for JSON: valid UTF-8, lines that end in
// a line feed, tabs, and nothing else that acts.
func legible(text []byte) string {
	text = colour.ReplaceAll(text, nil)
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == '\r' && i+1 < len(text) && text[i+1] == '\n':
		case r == '\n', r == '\t', !acts(r):
			b.WriteRune(r) // what is no UTF-8 becomes U+FFFD
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += size
	}
	return b.String()
}

// acts tells runes that do something rather than show something: control characters and
// those that turn the direction of a line.
func acts(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// userInfo is the part of a URL where people put passwords.
var userInfo = regexp.MustCompile(`://[^/\s@]+@`)

// foreign makes one line of text that somebody else chose.
func foreign(text string) string {
	return quote.Text(userInfo.ReplaceAllString(text, "://***@"))
}

// writeSections aligns the values of each section.
func writeSections(b *strings.Builder, sections []Section) {
	for _, s := range sections {
		indent := ""
		if s.Title != "" {
			fmt.Fprintf(b, "%s:\n", s.Title)
			indent = "  "
		}
		writeFields(b, indent, s.Fields)
	}
}

func writeFields(b *strings.Builder, indent string, fields []Field) {
	shown := fields[:min(len(fields), maxFields)]
	width := 0
	for _, f := range shown {
		if f.Value != "" {
			width = max(width, min(utf8.RuneCountInString(foreign(f.Label)), 24))
		}
	}
	for _, f := range shown {
		label := foreign(f.Label)
		if f.Value == "" {
			fmt.Fprintf(b, "%s%s\n", indent, label)
			continue
		}
		fmt.Fprintf(b, "%s%-*s %s\n", indent, width+1, label+":", foreign(f.Value))
	}
	if more := len(fields) - len(shown); more > 0 {
		fmt.Fprintf(b, "%s(%d more)\n", indent, more)
	}
}

// writeEvents writes one line per event.
func writeEvents(b *strings.Builder, events []Event) {
	for _, e := range events {
		at, kind := "N/A", "Normal"
		if !e.At.IsZero() {
			at = e.At.UTC().Format(time.RFC3339)
		}
		if e.Warning {
			kind = "Warning"
		}
		fmt.Fprintf(b, "[%s] %-8s %-20s %s\n", at, kind, foreign(e.Reason), foreign(e.Message))
	}
}

// newest keeps the last n lines of text; cut tells whether there were more. Both text and
// result end with a line feed unless empty.
func newest(text []byte, n int) (kept []byte, cut bool) {
	from := len(text)
	for ; n > 0 && from > 0; n-- {
		from = bytes.LastIndexByte(text[:from-1], '\n') + 1
	}
	return text[from:], from > 0
}
