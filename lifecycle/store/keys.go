package store

import (
	"context"
	"fmt"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle/idempotency"
)

var _ idempotency.Store = (*Store)(nil)

// PutKey implements idempotency.Store.
func (s *Store) PutKey(ctx context.Context, e idempotency.Entry) error {
	const query = `INSERT INTO edge_create_keys (key_sum, content_sum, sandbox_id, created_us, done) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (key_sum) DO UPDATE SET content_sum = excluded.content_sum, sandbox_id = excluded.sandbox_id,
       created_us = excluded.created_us, done = excluded.done`
	if _, err := s.db.ExecContext(ctx, query, e.Key[:], e.Content[:], e.Result, e.At.UnixMicro(), e.Done); err != nil {
		return fmt.Errorf("put an idempotency key: %w", err)
	}
	return nil
}

// DeleteKeys implements idempotency.Store.
func (s *Store) DeleteKeys(ctx context.Context, keys ...idempotency.Sum) error {
	if len(keys) == 0 {
		return nil
	}
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("delete idempotency keys: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	for _, key := range keys {
		if _, err := tx.ExecContext(ctx, "DELETE FROM edge_create_keys WHERE key_sum = ?", key[:]); err != nil {
			return fmt.Errorf("delete idempotency keys: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("delete idempotency keys: %w", err)
	}
	return nil
}

// Keys implements idempotency.Store. A row that is not one of ours is left out.
func (s *Store) Keys(ctx context.Context) ([]idempotency.Entry, error) {
	var rows []struct {
		Key     []byte `db:"key_sum"`
		Content []byte `db:"content_sum"`
		Sandbox string `db:"sandbox_id"`
		Created int64  `db:"created_us"`
		Done    bool   `db:"done"`
	}
	if err := s.db.SelectContext(ctx, &rows, "SELECT * FROM edge_create_keys ORDER BY created_us"); err != nil {
		return nil, fmt.Errorf("read the idempotency keys: %w", explain(err))
	}
	entries := make([]idempotency.Entry, 0, len(rows))
	for _, r := range rows {
		e := idempotency.Entry{Result: r.Sandbox, At: time.UnixMicro(r.Created).UTC(), Done: r.Done}
		if copy(e.Key[:], r.Key) == len(e.Key) && copy(e.Content[:], r.Content) == len(e.Content) {
			entries = append(entries, e)
		}
	}
	return entries, nil
}
