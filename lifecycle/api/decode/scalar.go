package decode

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Int reads an integer: 60, 60.0 and "60", but not 60.5 (contract 01 §5.2). A value
// beyond int64 becomes the nearest int64, so that the caller's bounds reject it.
func (f Field) Int() (int64, bool) {
	if f.value == nil || f.value.kind == Null && !f.required {
		return 0, false
	}
	switch f.value.kind {
	case Number:
		if n, ok := integer(f.value.text); ok {
			return n, true
		}
		f.Fail("int_from_float", "must be an integer without a fraction")
	case String:
		if n, ok := ParseInt(f.value.text); ok {
			return n, true
		}
		f.Fail("int_parsing", "must be an integer")
	default:
		f.Fail("int_type", "must be an integer")
	}
	return 0, false
}

// IntAtLeast is Int with a lower bound.
func (f Field) IntAtLeast(least int64) (int64, bool) {
	n, ok := f.Int()
	if ok && n < least {
		f.Fail("greater_than_equal", "must be at least "+strconv.FormatInt(least, 10))
		return 0, false
	}
	return n, ok
}

// Bool reads a boolean: true, false, 0, 1 and the words of ParseBool.
func (f Field) Bool() (truth, ok bool) {
	if f.value == nil || f.value.kind == Null && !f.required {
		return false, false
	}
	switch f.value.kind {
	case Bool:
		return f.value.truth, true
	case Number:
		if n, isInt := integer(f.value.text); isInt && (n == 0 || n == 1) {
			return n == 1, true
		}
	case String:
		if truth, ok = ParseBool(f.value.text); ok {
			return truth, true
		}
	}
	f.Fail("bool_parsing", "must be true or false")
	return false, false
}

var intText = regexp.MustCompile(`^[+-]?[0-9]+(\.0+)?$`)

// ParseInt reads an integer from text, as in a query parameter: surrounding white
// space, a sign and a zero fraction are allowed. Out of range is saturated.
func ParseInt(text string) (int64, bool) {
	text = strings.TrimSpace(text)
	if !intText.MatchString(text) {
		return 0, false
	}
	digits, _, _ := strings.Cut(text, ".")
	n, _ := strconv.ParseInt(digits, 10, 64) // saturates by itself
	return n, true
}

// ParseBool reads a boolean from text: true/false, yes/no, on/off, t/f, y/n, 1/0 in any case.
func ParseBool(text string) (truth, ok bool) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "t", "y", "1":
		return true, true
	case "false", "no", "off", "f", "n", "0":
		return false, true
	}
	return false, false
}

// integer reads a JSON number literal that has an integral value.
func integer(literal string) (int64, bool) {
	if !strings.ContainsAny(literal, ".eE") {
		n, _ := strconv.ParseInt(literal, 10, 64)
		return n, true
	}
	v, _ := strconv.ParseFloat(literal, 64) // ±Inf when out of range
	switch {
	case v >= math.MaxInt64:
		return math.MaxInt64, true
	case v <= math.MinInt64:
		return math.MinInt64, true
	}
	return int64(v), v == math.Trunc(v)
}
