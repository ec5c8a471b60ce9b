package stream

// Type says what an Event reports.
type Type string

// The event types a command can produce (contract 06 §4.2).
const (
	Init     Type = "init"               // Text is the execution id; first and exactly once
	Ping     Type = "ping"               // Text is "pong"; keepalive
	Stdout   Type = "stdout"             // Text is one line, never empty
	Stderr   Type = "stderr"             // Text is one line, never empty
	Failure  Type = "error"              // Error is set; terminal
	Complete Type = "execution_complete" // terminal of a success
)

// Event is one element of the stream. Zero fields are omitted on the wire.
type Event struct {
	Type          Type   `json:"type"`
	Text          string `json:"text,omitempty"`
	Error         *Error `json:"error,omitempty"`
	ExecutionTime int64  `json:"execution_time,omitempty"` // milliseconds
	Timestamp     int64  `json:"timestamp"`                // Unix milliseconds; set by Writer.Send
}

// Error is the body of a Failure event. SDKs read the exit code from EValue, so
// for a command that ran it is a number: the exit status, or "-1" for a signal.
type Error struct {
	EName     string   `json:"ename"`
	EValue    string   `json:"evalue"`
	Traceback []string `json:"traceback"`
	TimedOut  bool     `json:"timed_out,omitempty"`
	Signal    string   `json:"signal,omitempty"` // "SIGKILL", when a signal ended the command
}
