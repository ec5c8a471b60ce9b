package diagnostics

import (
	"context"
	"time"
)

// Diagnoser is a lifecycle.Runtime that can tell more about a sandbox than its state.
// Methods are safe for concurrent use. lifecycle.ErrNotFound is returned for an id that
// the backend has nothing of; errors a client may see are *apierror.Error.
//
// What is returned may be hostile: a Diagnoser bounds how much it reads, withholds values
// of environment variables and tokens, and leaves the rest to the Reporter.
type Diagnoser interface {
	// Logs reads what the sandbox's own container wrote, without those of sidecars.
	Logs(ctx context.Context, id string, q LogQuery) (Logs, error)
	// Happenings reads what the backend knows to have happened to the sandbox.
	Happenings(ctx context.Context, id string) (Happenings, error)
	// Describe reads how the sandbox's backend object looks.
	Describe(ctx context.Context, id string) ([]Section, error)
}

// LogQuery says which part of a log is wanted.
type LogQuery struct {
	Lines int       // at most that many, the newest; at least 1
	Since time.Time // zero = from the beginning
	Bytes int       // at most that many, the newest; at least 1
}

// Logs are lines that each begin with their time, oldest first.
type Logs struct {
	Text []byte
	Cut  bool // there was more than Bytes; Text begins with a whole line
	// Gaps say what is missing for another reason, in sentences for people.
	Gaps []string
}

// Happenings are what a backend knows to have happened.
type Happenings struct {
	Head   []Field // what it happened to, and since when
	Events []Event // oldest first
}

// Event is one thing that happened.
type Event struct {
	At      time.Time // zero = unknown
	Warning bool
	Reason  string // one word
	Message string
}

// Section is a part of a description. The first one has no title.
type Section struct {
	Title  string
	Fields []Field
}

// Field is a line of a description. A field without a value is its label alone.
type Field struct{ Label, Value string }
