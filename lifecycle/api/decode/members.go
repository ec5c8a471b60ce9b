package decode

import "strings"

// Members reads the members of one JSON object and remembers which were asked for.
// A nil *Members is an object that was not there or was none: its fields are absent
// and nothing more is reported about them.
type Members struct {
	problems *Problems
	loc      Loc
	value    *Value
	asked    map[string]bool
}

// Object starts reading v as an object; anything else is recorded as a violation.
func (p *Problems) Object(v *Value, loc Loc) *Members {
	if v.kind != Object {
		p.Add(loc, "model_attributes_type", "must be a JSON object")
		return nil
	}
	return &Members{problems: p, loc: loc, value: v, asked: map[string]bool{}}
}

// Field finds a member by its camelCase name, or by the snake_case form of it; when
// both are there the camelCase one wins.
func (m *Members) Field(name string) Field {
	if m == nil {
		return Field{muted: true, problems: &Problems{}}
	}
	alias := snake(name)
	m.asked[name], m.asked[alias] = true, true
	v, ok := m.value.members[name]
	if !ok {
		v = m.value.members[alias]
	}
	return Field{problems: m.problems, loc: m.loc.In(name), value: v}
}

// Done remembers the members nobody asked for.
func (m *Members) Done() {
	if m == nil {
		return
	}
	for _, name := range m.value.names {
		if !m.asked[name] {
			m.problems.ignore(m.loc, name)
		}
	}
}

func snake(camel string) string {
	var b strings.Builder
	for _, r := range camel {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
