package config

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// positions maps dotted keys (with indexes of array tables) to the line they first
// appear in. It serves messages only: where this parser and the decoding one
// disagree about a document, lines are missing and nothing else changes.
type positions struct {
	parser unstable.Parser
	lines  map[string]int
	counts map[string]int // elements of each array of tables so far
}

func findPositions(document []byte) (lines map[string]int) {
	p := &positions{lines: map[string]int{}, counts: map[string]int{}}
	// The syntax tree API panics on trees it considers impossible; a message without
	// a line number is better than a server that cannot print one.
	defer func() {
		if recover() != nil {
			lines = p.lines
		}
	}()
	p.parser.Reset(document)
	table := ""
	for p.parser.NextExpression() {
		switch e := p.parser.Expression(); e.Kind {
		case unstable.Table:
			table = p.walk("", e.Key())
		case unstable.ArrayTable:
			name := p.walk("", e.Key())
			n := p.counts[name]
			p.counts[name]++
			table = fmt.Sprintf("%s[%d]", name, n)
			p.lines[table] = p.lineOf(e.Key())
		case unstable.KeyValue:
			p.keyValue(table, e)
		}
	}
	return p.lines
}

func (p *positions) keyValue(prefix string, e *unstable.Node) {
	path := p.walk(prefix, e.Key())
	p.value(path, e.Value())
}

func (p *positions) value(path string, v *unstable.Node) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			p.keyValue(path, it.Node())
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.Comment {
				continue
			}
			p.value(fmt.Sprintf("%s[%d]", path, i), it.Node())
			i++
		}
	}
}

// walk notes the line of every prefix of a dotted key and returns the whole key.
func (p *positions) walk(prefix string, keys unstable.Iterator) string {
	path := prefix
	for keys.Next() {
		n := keys.Node()
		if path != "" {
			path += "."
		}
		path += string(n.Data)
		if _, known := p.lines[path]; !known {
			p.lines[path] = p.parser.Shape(n.Raw).Start.Line
		}
		if c := p.counts[path]; c > 0 && !keys.IsLast() {
			path = fmt.Sprintf("%s[%d]", path, c-1)
		}
	}
	return path
}

func (p *positions) lineOf(keys unstable.Iterator) int {
	line := 0
	for keys.Next() {
		line = p.parser.Shape(keys.Node().Raw).Start.Line
	}
	return line
}

// lineOf finds the line of a key, or of the nearest thing around it that has one.
func lineOf(lines map[string]int, key string) int {
	for key != "" {
		if n, ok := lines[key]; ok {
			return n
		}
		cut := strings.LastIndexAny(key, ".[")
		if cut < 0 {
			return 0
		}
		key = key[:cut]
	}
	return 0
}
