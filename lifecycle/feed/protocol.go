package feed

import "time"

// Path is where a lifecycle server serves the feed: the stream itself, and one
// sandbox's entry below it. It needs an API key.
const Path = "/v1/directory"

// version is of the meaning of the lines. A client refuses one it does not know: an entry
// may demand something then that the client would not enforce.
const version = 1

const (
	contentType = "application/x-ndjson"

	// beatEvery is the most silence on a healthy stream.
	beatEvery = 500 * time.Millisecond
	// maxLine bounds one line, in bytes.
	maxLine = 64 << 10
	// maxPublished bounds the published ports of one entry.
	maxPublished = 512
	// writeTimeout is how long a client may leave a part of the stream unread.
	writeTimeout = 10 * time.Second
)

// The kinds of lines. A stream is a snapshot, its entries, "synced", and then entries and
// removals as they happen; a server whose client fell behind sends a snapshot again.
const (
	kindSnapshot = "snapshot"
	kindEntry    = "entry"
	kindGone     = "gone"
	kindSynced   = "synced"
	kindBeat     = "beat"
)

// line is one line of the stream. Members that a reader does not know are ignored.
type line struct {
	Kind string `json:"kind"`

	Version int    `json:"version,omitempty"` // with snapshot
	Runtime string `json:"runtime,omitempty"` // with snapshot: "docker" or "kubernetes"

	Entry *entry `json:"entry,omitempty"` // with entry
	ID    string `json:"id,omitempty"`    // with gone

	// Deaf, with beat, says that the server itself does not hear its backend at present.
	Deaf bool `json:"deaf,omitempty"`
}
