package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/pools"
)

var _ pools.Store = (*Store)(nil)

// poolRow is a pool as the table has it.
type poolRow struct {
	Name      string `db:"name"`
	Template  string `db:"template"`
	BufferMax int    `db:"buffer_max"`
	BufferMin int    `db:"buffer_min"`
	PoolMax   int    `db:"pool_max"`
	PoolMin   int    `db:"pool_min"`
	Created   int64  `db:"created_us"`
}

// PutPool implements pools.Store.
func (s *Store) PutPool(ctx context.Context, p pools.Pool) error {
	template, err := json.Marshal(p.Template)
	if err != nil {
		return fmt.Errorf("put pool %s: %w", p.Name, err)
	}
	const query = `
INSERT INTO edge_pools (name, template, buffer_max, buffer_min, pool_max, pool_min, created_us)
VALUES (:name, :template, :buffer_max, :buffer_min, :pool_max, :pool_min, :created_us)
ON CONFLICT (name) DO UPDATE SET
       buffer_max = excluded.buffer_max, buffer_min = excluded.buffer_min,
       pool_max = excluded.pool_max, pool_min = excluded.pool_min`
	_, err = s.db.NamedExecContext(ctx, query, poolRow{
		Name: p.Name, Template: string(template), Created: p.CreatedAt.UnixMicro(),
		BufferMax: p.Capacity.BufferMax, BufferMin: p.Capacity.BufferMin,
		PoolMax: p.Capacity.PoolMax, PoolMin: p.Capacity.PoolMin,
	})
	if err != nil {
		return fmt.Errorf("put pool %s: %w", p.Name, err)
	}
	return nil
}

// DeletePool implements pools.Store.
func (s *Store) DeletePool(ctx context.Context, name string) error {
	if _, err := s.db.ExecContext(ctx, "DELETE FROM edge_pools WHERE name = ?", name); err != nil {
		return fmt.Errorf("delete pool %s: %w", name, err)
	}
	return nil
}

// Pools implements pools.Store.
func (s *Store) Pools(ctx context.Context) ([]pools.Pool, error) {
	var rows []poolRow
	if err := s.db.SelectContext(ctx, &rows, "SELECT * FROM edge_pools ORDER BY name"); err != nil {
		return nil, explain(err)
	}
	found := make([]pools.Pool, 0, len(rows))
	for _, r := range rows {
		p := pools.Pool{
			Name: r.Name, CreatedAt: time.UnixMicro(r.Created).UTC(),
			Capacity: pools.Capacity{BufferMax: r.BufferMax, BufferMin: r.BufferMin, PoolMax: r.PoolMax, PoolMin: r.PoolMin},
		}
		if err := json.Unmarshal([]byte(r.Template), &p.Template); err != nil {
			return nil, fmt.Errorf("the template of pool %s: %w", r.Name, err)
		}
		found = append(found, p)
	}
	return found, nil
}

// PutMember implements pools.Store.
func (s *Store) PutMember(ctx context.Context, id, pool string) error {
	if _, err := s.db.ExecContext(ctx, "INSERT INTO edge_pool_members (id, pool) VALUES (?, ?)", id, pool); err != nil {
		return fmt.Errorf("put member %s of pool %s: %w", id, pool, err)
	}
	return nil
}

var errNoMember = errors.New("it is no member of a pool, or claimed")

// ClaimMember implements pools.Store.
func (s *Store) ClaimMember(ctx context.Context, r lifecycle.Record) error {
	packed, err := pack(r)
	if err != nil {
		return fmt.Errorf("claim member %s: %w", r.ID, err)
	}
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("claim member %s: %w", r.ID, err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	var result sql.Result
	if result, err = tx.ExecContext(ctx, "UPDATE edge_pool_members SET claimed = 1 WHERE id = ? AND claimed = 0", r.ID); err == nil {
		var n int64
		if n, err = result.RowsAffected(); err == nil && n != 1 {
			err = errNoMember
		}
	}
	if err == nil {
		_, err = tx.NamedExecContext(ctx, putQuery, packed)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("claim member %s: %w", r.ID, err)
	}
	return nil
}

// Members implements pools.Store.
func (s *Store) Members(ctx context.Context) ([]pools.Member, error) {
	var found []pools.Member
	if err := s.db.SelectContext(ctx, &found, "SELECT id, pool, claimed FROM edge_pool_members"); err != nil {
		return nil, explain(err)
	}
	return found, nil
}
