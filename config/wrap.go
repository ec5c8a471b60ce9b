package config

import (
	"strings"
	"unicode"
)

// commentWidth is the width of generated comments in columns; a Chinese character takes two.
const commentWidth = 96

// comment writes text as lines that begin with "# ".
func comment(b *strings.Builder, text string) {
	for _, line := range wrap(text, commentWidth-2) {
		b.WriteString("# " + line + "\n")
	}
}

// wrap breaks text into lines. Latin words stay whole; Chinese text breaks between
// characters, but not before a closing punctuation mark.
func wrap(text string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range words(text) {
		w := columns(word)
		if used > 0 && used+columns(strings.TrimRight(word, " ")) > width {
			lines = append(lines, strings.TrimRight(line, " "))
			line, used = "", 0
		}
		if used == 0 {
			word = strings.TrimLeft(word, " ")
			w = columns(word)
		}
		line += word
		used += w
	}
	if line != "" {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

// words cuts text into pieces that must not be broken, spaces at their end included.
func words(text string) []string {
	var out []string
	current := ""
	flush := func() {
		if current != "" {
			out = append(out, current)
			current = ""
		}
	}
	for _, r := range text {
		switch {
		case r == ' ':
			current += " "
			flush()
		case wide(r) && unicode.IsPunct(r) && current == "" && len(out) > 0:
			out[len(out)-1] += string(r)
		case wide(r) && unicode.IsPunct(r):
			current += string(r)
			flush()
		case wide(r):
			flush()
			current = string(r)
			flush()
		default:
			current += string(r)
		}
	}
	flush()
	return out
}

func wide(r rune) bool { return r >= 0x2e80 }

func columns(s string) int {
	n := 0
	for _, r := range s {
		n++
		if wide(r) {
			n++
		}
	}
	return n
}
