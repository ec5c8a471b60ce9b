package docker

import (
	"errors"
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
)

// command normalises a request's entrypoint (contract 02 §5): a single element with a
// space in it is a shell line and is split into words, anything else is argv as it is.
func command(entrypoint []string) ([]string, error) {
	argv := entrypoint
	if len(entrypoint) == 1 && strings.Contains(entrypoint[0], " ") {
		words, err := splitWords(entrypoint[0])
		if err != nil {
			return nil, apierror.New(http.StatusBadRequest, codeInvalidEntrypoint,
				"entrypoint: %v; pass the words as separate list items instead.", err)
		}
		argv = words
	}
	if len(argv) == 0 {
		return nil, apierror.New(http.StatusBadRequest, codeInvalidEntrypoint, "entrypoint: there is no command in it.")
	}
	for _, arg := range argv {
		if strings.ContainsRune(arg, 0) {
			return nil, apierror.New(http.StatusBadRequest, codeInvalidEntrypoint, "entrypoint: an item contains NUL.")
		}
	}
	return argv, nil
}

var (
	errUnclosedQuote  = errors.New("a quotation is not closed")
	errTrailingEscape = errors.New("it ends in a lone backslash")
)

// splitWords splits as a POSIX shell splits words, without expanding anything:
// operators, globs and variables are ordinary text, as in the reference. Within
// double quotes a backslash escapes only '"' and itself.
func splitWords(line string) ([]string, error) {
	var (
		words  []string
		word   strings.Builder
		inWord bool // an empty quotation is a word too
		quote  byte
	)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == '\'':
			if c == '\'' {
				quote = 0
			} else {
				word.WriteByte(c)
			}
		case c == '\\':
			if i+1 == len(line) {
				if quote != 0 {
					return nil, errUnclosedQuote
				}
				return nil, errTrailingEscape
			}
			i++
			if quote == '"' && line[i] != '"' && line[i] != '\\' {
				word.WriteByte('\\')
			}
			word.WriteByte(line[i])
			inWord = true
		case quote == '"':
			if c == '"' {
				quote = 0
			} else {
				word.WriteByte(c)
			}
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errUnclosedQuote
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
