package files

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// The two ways a Range header can fail.
var (
	ErrRangeMalformed     = errors.New("malformed range")
	ErrRangeUnsatisfiable = errors.New("range lies beyond the end")
)

// Span is the part of a file from Start on, Length bytes, at least one.
type Span struct{ Start, Length int64 }

// ParseRange reads a Range header for a file of the given size and returns the
// first range of its list that the file can satisfy (contract 06 §9.3).
func ParseRange(header string, size int64) (Span, error) {
	unit, list, ok := strings.Cut(header, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return Span{}, ErrRangeMalformed
	}
	var found *Span
	some := false
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.Trim(item, " \t"); item == "" {
			continue // empty elements of a list are to be ignored
		}
		some = true
		span, err := parseSpan(item, size)
		if errors.Is(err, ErrRangeMalformed) {
			return Span{}, err
		}
		if err == nil && found == nil {
			found = &span
		}
	}
	switch {
	case !some:
		return Span{}, ErrRangeMalformed
	case found == nil:
		return Span{}, ErrRangeUnsatisfiable
	default:
		return *found, nil
	}
}

func parseSpan(item string, size int64) (Span, error) {
	first, last, ok := strings.Cut(item, "-")
	first, last = strings.TrimRight(first, " \t"), strings.TrimLeft(last, " \t")
	if !ok || first == "" && last == "" {
		return Span{}, ErrRangeMalformed
	}
	if first == "" {
		n, err := position(last)
		if err != nil {
			return Span{}, err
		}
		if n = min(n, size); n == 0 {
			return Span{}, ErrRangeUnsatisfiable
		}
		return Span{size - n, n}, nil
	}
	start, err := position(first)
	if err != nil {
		return Span{}, err
	}
	end := size - 1
	if last != "" {
		e, err := position(last)
		if err != nil || e < start {
			return Span{}, ErrRangeMalformed
		}
		end = min(end, e)
	}
	if start >= size {
		return Span{}, ErrRangeUnsatisfiable
	}
	return Span{start, end - start + 1}, nil
}

// position reads plain digits; what is too large for any file is as good as infinite.
func position(s string) (int64, error) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, ErrRangeMalformed
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return math.MaxInt64, nil
	}
	if err != nil {
		return 0, ErrRangeMalformed
	}
	return n, nil
}
