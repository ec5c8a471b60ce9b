package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
)

var _ lifecycle.Store = (*Store)(nil)

// row is a record as the table has it.
type row struct {
	ID           string        `db:"id"`
	Phase        string        `db:"phase"`
	Image        string        `db:"image"`
	SnapshotID   string        `db:"snapshot_id"`
	PlatformOS   string        `db:"platform_os"`
	PlatformArch string        `db:"platform_arch"`
	Entrypoint   string        `db:"entrypoint"`
	Metadata     string        `db:"metadata"`
	Created      int64         `db:"created_us"`
	Expires      sql.NullInt64 `db:"expires_us"`
	Renew        int64         `db:"renew_us"`
	RenewMax     int64         `db:"renew_max_us"`
	Idle         int64         `db:"idle_us"`
	IdleUntil    sql.NullInt64 `db:"idle_until_us"`
	ExecdToken   bool          `db:"execd_token"`
	SecureAccess bool          `db:"secure_access"`
	Promised     bool          `db:"promised"`
	Failed       sql.NullInt64 `db:"failed_us"`
	FailedWhy    string        `db:"failed_why"`
}

const putQuery = `
INSERT INTO edge_sandboxes
       (id, phase, image, snapshot_id, platform_os, platform_arch, entrypoint, metadata, created_us, expires_us,
        renew_us, renew_max_us, idle_us, idle_until_us, execd_token, secure_access, promised, failed_us, failed_why)
VALUES (:id, :phase, :image, :snapshot_id, :platform_os, :platform_arch, :entrypoint, :metadata, :created_us, :expires_us,
        :renew_us, :renew_max_us, :idle_us, :idle_until_us, :execd_token, :secure_access, :promised, :failed_us, :failed_why)
ON CONFLICT (id) DO UPDATE SET
       phase = excluded.phase, image = excluded.image, snapshot_id = excluded.snapshot_id,
       platform_os = excluded.platform_os, platform_arch = excluded.platform_arch,
       entrypoint = excluded.entrypoint, metadata = excluded.metadata, created_us = excluded.created_us,
       expires_us = excluded.expires_us, renew_us = excluded.renew_us,
       renew_max_us = excluded.renew_max_us, idle_us = excluded.idle_us, idle_until_us = excluded.idle_until_us,
       execd_token = excluded.execd_token, secure_access = excluded.secure_access,
       promised = excluded.promised, failed_us = excluded.failed_us, failed_why = excluded.failed_why`

// Put implements lifecycle.Store.
func (s *Store) Put(ctx context.Context, r lifecycle.Record) error {
	packed, err := pack(r)
	if err != nil {
		return fmt.Errorf("put record %s: %w", r.ID, err)
	}
	if _, err := s.db.NamedExecContext(ctx, putQuery, packed); err != nil {
		return fmt.Errorf("put record %s: %w", r.ID, err)
	}
	return nil
}

// Delete implements lifecycle.Store.
func (s *Store) Delete(ctx context.Context, id string) error {
	if _, err := s.db.ExecContext(ctx, "DELETE FROM edge_sandboxes WHERE id = ?", id); err != nil {
		return fmt.Errorf("delete record %s: %w", id, err)
	}
	return nil
}

// All implements lifecycle.Store.
func (s *Store) All(ctx context.Context) ([]lifecycle.Record, error) {
	var rows []row
	if err := s.db.SelectContext(ctx, &rows, "SELECT * FROM edge_sandboxes"); err != nil {
		return nil, fmt.Errorf("read records: %w", explain(err))
	}
	records := make([]lifecycle.Record, 0, len(rows))
	for _, r := range rows {
		record, err := r.unpack()
		if err != nil {
			return nil, fmt.Errorf("read record %s: %w", r.ID, err)
		}
		records = append(records, record)
	}
	return records, nil
}

func pack(r lifecycle.Record) (row, error) {
	entrypoint, err := json.Marshal(nonNil(r.Entrypoint))
	if err != nil {
		return row{}, err
	}
	metadata := []byte("{}")
	if len(r.Metadata) > 0 {
		if metadata, err = json.Marshal(r.Metadata); err != nil {
			return row{}, err
		}
	}
	p := row{
		ID: r.ID, Phase: string(r.Phase), Image: r.Image, SnapshotID: r.SnapshotID,
		Entrypoint: string(entrypoint), Metadata: string(metadata),
		Created: r.CreatedAt.UnixMicro(), Expires: packTime(r.ExpiresAt),
		Renew: r.RenewExtend.Microseconds(), RenewMax: r.RenewMax.Microseconds(),
		Idle: r.IdleTimeout.Microseconds(), IdleUntil: packTime(r.IdleUntil), ExecdToken: r.ExecdToken,
		SecureAccess: r.SecureAccess, Promised: r.Promised,
	}
	if r.Phase == lifecycle.Unmade {
		// The table's phases are fixed; what could not be made is one that failed while creating.
		p.Phase, p.Failed, p.FailedWhy = string(lifecycle.Creating), packTime(r.Failure.At), r.Failure.Message
	}
	if r.Platform != nil {
		p.PlatformOS, p.PlatformArch = r.Platform.OS, r.Platform.Arch
	}
	return p, nil
}

// packTime stores a time, and no time as NULL.
func packTime(t time.Time) sql.NullInt64 {
	if t.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: true}
}

func unpackTime(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}

func duration(microseconds int64) time.Duration {
	return time.Duration(microseconds) * time.Microsecond
}

func (p row) unpack() (lifecycle.Record, error) {
	r := lifecycle.Record{
		ID: p.ID, Phase: lifecycle.Phase(p.Phase), Image: p.Image, SnapshotID: p.SnapshotID,
		CreatedAt: time.UnixMicro(p.Created).UTC(), ExpiresAt: unpackTime(p.Expires),
		RenewExtend: duration(p.Renew), RenewMax: duration(p.RenewMax),
		IdleTimeout: duration(p.Idle), IdleUntil: unpackTime(p.IdleUntil),
		ExecdToken: p.ExecdToken, SecureAccess: p.SecureAccess, Promised: p.Promised,
	}
	if p.Failed.Valid {
		r.Phase, r.Failure = lifecycle.Unmade, lifecycle.Failure{At: unpackTime(p.Failed), Message: p.FailedWhy}
	}
	if p.PlatformOS != "" {
		r.Platform = &lifecycle.Platform{OS: p.PlatformOS, Arch: p.PlatformArch}
	}
	if err := json.Unmarshal([]byte(p.Entrypoint), &r.Entrypoint); err != nil {
		return r, fmt.Errorf("entrypoint: %w", err)
	}
	if err := json.Unmarshal([]byte(p.Metadata), &r.Metadata); err != nil {
		return r, fmt.Errorf("metadata: %w", err)
	}
	return r, nil
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
