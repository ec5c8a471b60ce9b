package lifecycle

import "context"

// Store keeps records across restarts. Every write is durable when it returns:
// the service replies to a client only after it.
type Store interface {
	// Put inserts or replaces a record.
	Put(ctx context.Context, r Record) error
	// Delete removes a record; an absent one is success.
	Delete(ctx context.Context, id string) error
	// All returns every record, for restore.
	All(ctx context.Context) ([]Record, error)
	Close() error
}
