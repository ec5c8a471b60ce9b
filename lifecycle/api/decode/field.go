package decode

// Field is one member or list item, present or not. Its readers return the zero
// value when it is absent or null; a value of the wrong type is recorded as a
// violation and read as absent.
type Field struct {
	problems *Problems
	loc      Loc
	value    *Value
	required bool
	muted    bool // the enclosing object is missing: its own violation says enough
}

// Required records a violation when the member is absent; null then counts as a
// value of the wrong type.
func (f Field) Required() Field {
	f.required = true
	if f.value == nil && !f.muted {
		f.problems.Add(f.loc, "missing", "is required")
	}
	return f
}

// Present reports whether there is a value other than null.
func (f Field) Present() bool { return f.value != nil && f.value.kind != Null }

// Fail records a violation of a rule that the caller knows.
func (f Field) Fail(kind, msg string) { f.problems.Add(f.loc, kind, msg) }

// is reports whether the value has the kind, and records a violation if not.
func (f Field) is(want Kind, kind, msg string) bool {
	switch {
	case f.value == nil, f.value.kind == Null && !f.required:
		return false
	case f.value.kind != want:
		f.Fail(kind, msg)
		return false
	}
	return true
}

// String reads a string; numbers and booleans are not strings.
func (f Field) String() (string, bool) {
	if !f.is(String, "string_type", "must be a string") {
		return "", false
	}
	return f.value.text, true
}

// Object checks that the value is an object without looking inside.
func (f Field) Object() { f.is(Object, "dict_type", "must be a JSON object") }

// Members reads an object.
func (f Field) Members() *Members {
	if !f.is(Object, "model_attributes_type", "must be a JSON object") {
		return nil
	}
	return f.problems.Object(f.value, f.loc)
}

// List reads an array; the items are required fields.
func (f Field) List() ([]Field, bool) {
	if !f.is(Array, "list_type", "must be a list") {
		return nil, false
	}
	items := make([]Field, len(f.value.items))
	for i, item := range f.value.items {
		items[i] = Field{problems: f.problems, loc: f.loc.In(i), value: item, required: true}
	}
	return items, true
}

// Strings reads an array of strings.
func (f Field) Strings() ([]string, bool) {
	items, ok := f.List()
	if !ok {
		return nil, false
	}
	texts := make([]string, 0, len(items))
	for _, item := range items {
		if text, ok := item.String(); ok {
			texts = append(texts, text)
		}
	}
	return texts, true
}

// Entry is one member of a map whose names the client chooses.
type Entry struct {
	Name  string
	Value *string // nil for null
}

// Entries reads a map of strings in the order of the request. Null values are
// violations unless the field allows them, see NullableEntries.
func (f Field) Entries() ([]Entry, bool) { return f.entries(Field.entry) }

// NullableEntries reads a map of strings whose values may be null.
func (f Field) NullableEntries() ([]Entry, bool) { return f.entries(Field.nullableEntry) }

func (f Field) entries(read func(Field) (*string, bool)) ([]Entry, bool) {
	if !f.is(Object, "dict_type", "must be a JSON object") {
		return nil, false
	}
	entries := make([]Entry, 0, len(f.value.names))
	for _, name := range f.value.names {
		member := Field{problems: f.problems, loc: f.loc.In(name), value: f.value.members[name], required: true}
		if text, ok := read(member); ok {
			entries = append(entries, Entry{Name: name, Value: text})
		}
	}
	return entries, true
}

func (f Field) entry() (*string, bool) {
	text, ok := f.String()
	return &text, ok
}

func (f Field) nullableEntry() (*string, bool) {
	f.required = false
	if !f.Present() {
		return nil, true
	}
	return f.entry()
}

// StringMap reads a map of strings without nulls.
func (f Field) StringMap() (map[string]string, bool) {
	entries, ok := f.Entries()
	if !ok {
		return nil, false
	}
	m := make(map[string]string, len(entries))
	for _, e := range entries {
		m[e.Name] = *e.Value
	}
	return m, true
}

// Root makes a field of a whole body, for bodies that are a map themselves.
func (p *Problems) Root(v *Value) Field {
	return Field{problems: p, loc: Loc{"body"}, value: v, required: true}
}
