package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// Kind is the JSON type of a Value.
type Kind uint8

// The JSON types. The zero value is Null.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Value is one parsed JSON value. Numbers keep their literal, so that no precision
// is lost before it is known what they are for.
type Value struct {
	kind    Kind
	truth   bool
	text    string // string content or number literal
	items   []*Value
	names   []string // member names in order of first appearance
	members map[string]*Value
}

// Kind returns the value's JSON type.
func (v *Value) Kind() Kind { return v.kind }

// Limits bounds one body. The zero value means the defaults.
type Limits struct {
	Depth  int // nesting of arrays and objects, default 32
	Values int // values in the whole document, default 65536
}

const (
	defaultDepth  = 32
	defaultValues = 1 << 16
)

// SyntaxError tells that a body is not the JSON it should be. It carries where, never what.
type SyntaxError struct {
	Offset int64 // bytes into the body
	Reason string
}

// Error implements error.
func (e *SyntaxError) Error() string { return e.Reason }

// ErrEmpty is returned by Parse for a body without content.
var ErrEmpty = errors.New("the body is empty")

// Parse reads exactly one JSON value. A member that appears twice keeps its last
// value, as every client-side JSON library would have it. The error is ErrEmpty or
// a *SyntaxError.
func Parse(body []byte, limits Limits) (*Value, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, ErrEmpty
	}
	if !utf8.Valid(body) {
		return nil, &SyntaxError{Reason: "the body is not valid UTF-8"}
	}
	// The token reader below is lenient about what stands between values; the scanner
	// behind Unmarshal is not, and it knows the offset.
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, &SyntaxError{Offset: syntax.Offset, Reason: "the body is not valid JSON"}
		}
		return nil, &SyntaxError{Reason: "the body is not valid JSON"}
	}
	if limits.Depth == 0 {
		limits.Depth = defaultDepth
	}
	if limits.Values == 0 {
		limits.Values = defaultValues
	}
	tokens := json.NewDecoder(bytes.NewReader(body))
	tokens.UseNumber()
	p := &parser{tokens: tokens, left: limits.Values}
	return p.value(limits.Depth)
}

type parser struct {
	tokens *json.Decoder
	left   int // values that may still come
}

func (p *parser) value(depth int) (*Value, error) {
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	return p.from(token, depth)
}

func (p *parser) from(token json.Token, depth int) (*Value, error) {
	if p.left--; p.left < 0 {
		return nil, p.fail("the body holds too many values")
	}
	switch t := token.(type) {
	case bool:
		return &Value{kind: Bool, truth: t}, nil
	case json.Number:
		return &Value{kind: Number, text: t.String()}, nil
	case string:
		return &Value{kind: String, text: t}, nil
	case json.Delim:
		if depth == 0 {
			return nil, p.fail("the body is nested too deeply")
		}
		if t == '[' {
			return p.array(depth - 1)
		}
		return p.object(depth - 1)
	default:
		return &Value{kind: Null}, nil
	}
}

func (p *parser) array(depth int) (*Value, error) {
	v := &Value{kind: Array}
	for p.tokens.More() {
		item, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		v.items = append(v.items, item)
	}
	_, err := p.next()
	return v, err
}

func (p *parser) object(depth int) (*Value, error) {
	v := &Value{kind: Object, members: map[string]*Value{}}
	for p.tokens.More() {
		token, err := p.next()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		member, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		if _, again := v.members[name]; !again {
			v.names = append(v.names, name)
		}
		v.members[name] = member
	}
	_, err := p.next()
	return v, err
}

func (p *parser) next() (json.Token, error) {
	token, err := p.tokens.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, p.fail("the body is not valid JSON")
	}
	return token, nil
}

func (p *parser) fail(reason string) error {
	return &SyntaxError{Offset: p.tokens.InputOffset(), Reason: reason}
}
