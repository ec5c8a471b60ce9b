package intent

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	names "github.com/opensandbox-edge/edge/internal/wire"
)

// Decode reads one element of the list. Names count as they are written, unknown ones are
// ignored, and so are a port and a path of the wrong type: nothing depends on them.
// ObservedAt may be of any time; see Fresh.
func Decode(element string) (Intent, error) {
	if len(element) > MaxBytes {
		return Intent{}, ErrMalformed
	}
	// A map and not a struct: package json would take "SANDBOX_ID" for sandbox_id.
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(element), &fields) != nil || fields == nil {
		return Intent{}, ErrMalformed
	}
	var i Intent
	var observed string
	if !text(fields["sandbox_id"], &i.SandboxID) || !text(fields["observed_at"], &observed) {
		return Intent{}, ErrMalformed
	}
	if i.SandboxID = strings.TrimSpace(i.SandboxID); !names.ValidID(i.SandboxID) {
		return Intent{}, ErrMalformed
	}
	var ok bool
	if i.ObservedAt, ok = parseTime(strings.TrimSpace(observed)); !ok {
		return Intent{}, ErrMalformed
	}
	var port int
	if json.Unmarshal(fields["port"], &port) == nil && 0 < port && port <= math.MaxUint16 {
		i.Port = uint16(port)
	}
	text(fields["request_uri"], &i.RequestURI)
	return i, nil
}

// text reads a JSON string; null is none.
func text(raw json.RawMessage, to *string) bool {
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, to) == nil
}

// layouts are ISO 8601 as Go and Python write it. Package time accepts a fraction of the
// second of any length where a layout has none; without an offset a time is UTC.
var layouts = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05",
}

func parseTime(s string) (time.Time, bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			// The reference knows microseconds.
			return t.UTC().Truncate(time.Microsecond), true
		}
	}
	return time.Time{}, false
}
