package decode

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
)

// Loc is where a value stands: "body", "query" or "path", then member names and
// list indexes (contract 01 §4.2).
type Loc []any

// In returns the location of a child of l.
func (l Loc) In(child any) Loc { return append(slices.Clip(l), child) }

// Code is the code of every answer made from Problems (contract 01 §4.3).
const Code = "SANDBOX::INVALID_PARAMETER"

const (
	maxDetails = 64 // violations told to the client
	maxSpoken  = 8  // violations spelled out in the message
	maxUnknown = 16 // unknown members remembered for the log
)

// Problems collects what is wrong with one request. The zero value is ready to use.
type Problems struct {
	details []apierror.Detail
	dropped int
	unknown []string
}

// Add records a violation. msg says what is demanded and never what was sent.
func (p *Problems) Add(loc Loc, kind, msg string) {
	if len(p.details) == maxDetails {
		p.dropped++
		return
	}
	shown := make([]any, len(loc))
	for i, part := range loc {
		if name, ok := part.(string); ok {
			part = apierror.Clip(name)
		}
		shown[i] = part
	}
	p.details = append(p.details, apierror.Detail{Type: kind, Loc: shown, Msg: msg})
}

// Any reports whether a violation was recorded.
func (p *Problems) Any() bool { return len(p.details) > 0 }

// Unknown lists members that nobody asked for, by path, for one log line: they are
// ignored, but a newer client should not look understood (contract 01 §19.20).
func (p *Problems) Unknown() []string { return p.unknown }

func (p *Problems) ignore(loc Loc, name string) {
	if len(p.unknown) < maxUnknown {
		p.unknown = append(p.unknown, path(loc.In(apierror.Clip(name))))
	}
}

// Err returns nil, or one 422 that holds all violations, both as the framework's
// detail list and as code and message (contract 01 §4.3).
func (p *Problems) Err() error {
	if len(p.details) == 0 {
		return nil
	}
	var spoken []string
	for _, d := range p.details[:min(len(p.details), maxSpoken)] {
		spoken = append(spoken, path(d.Loc)+": "+d.Msg)
	}
	if more := len(p.details) + p.dropped - len(spoken); more > 0 {
		spoken = append(spoken, fmt.Sprintf("and %d more", more))
	}
	e := apierror.New(http.StatusUnprocessableEntity, Code, "%s", strings.Join(spoken, "; "))
	e.Detail = p.details
	return e
}

// Invalid returns the 422 for a single violation.
func Invalid(loc Loc, kind, msg string) error {
	var p Problems
	p.Add(loc, kind, msg)
	return p.Err()
}

// InvalidBody turns an error of Parse into its 422.
func InvalidBody(err error) error {
	if syntax, ok := err.(*SyntaxError); ok { //nolint:errorlint // Parse returns it unwrapped
		return Invalid(Loc{"body", syntax.Offset}, "json_invalid", syntax.Reason)
	}
	return Invalid(Loc{"body"}, "missing", "a JSON body is required")
}

func path(loc Loc) string {
	parts := make([]string, len(loc))
	for i, part := range loc {
		switch v := part.(type) {
		case string:
			parts[i] = v
		case int:
			parts[i] = strconv.Itoa(v)
		default:
			parts[i] = fmt.Sprint(v)
		}
	}
	return strings.Join(parts, ".")
}
