package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/opensandbox-edge/edge/lifecycle/snapshots"
)

var _ snapshots.Store = (*Store)(nil)

// snapshotRow is a snapshot as the reference's table has it.
type snapshotRow struct {
	ID      string         `db:"id"`
	Sandbox string         `db:"source_sandbox_id"`
	Name    sql.NullString `db:"name"`
	Restore string         `db:"restore_config"`
	State   string         `db:"state"`
	Reason  sql.NullString `db:"reason"`
	Message sql.NullString `db:"message"`
	Since   sql.NullString `db:"last_transition_at"`
	Created string         `db:"created_at"`
	Updated string         `db:"updated_at"`
}

const snapshotColumns = "id, source_sandbox_id, name, restore_config, state, reason, message, last_transition_at, created_at, updated_at"

// restoreConfig is the JSON of restore_config.
type restoreConfig struct {
	Image *string `json:"image"`
}

// AddSnapshot implements snapshots.Store.
func (s *Store) AddSnapshot(ctx context.Context, n snapshots.Snapshot) error {
	packed, err := packSnapshot(n)
	if err == nil {
		_, err = s.db.NamedExecContext(ctx, "INSERT INTO snapshots ("+snapshotColumns+`) VALUES (:id, :source_sandbox_id, :name,
       :restore_config, :state, :reason, :message, :last_transition_at, :created_at, :updated_at)`, packed)
	}
	if err != nil {
		return fmt.Errorf("add snapshot %s: %w", n.ID, err)
	}
	return nil
}

// MoveSnapshot implements snapshots.Store.
func (s *Store) MoveSnapshot(ctx context.Context, n snapshots.Snapshot, from snapshots.State) (bool, error) {
	packed, err := packSnapshot(n)
	if err != nil {
		return false, fmt.Errorf("move snapshot %s: %w", n.ID, err)
	}
	result, err := s.db.ExecContext(ctx, `
UPDATE snapshots SET restore_config = ?, state = ?, reason = ?, message = ?, last_transition_at = ?, updated_at = ?
 WHERE id = ? AND state = ?`,
		packed.Restore, packed.State, packed.Reason, packed.Message, packed.Since, packed.Updated, n.ID, string(from))
	if err != nil {
		return false, fmt.Errorf("move snapshot %s: %w", n.ID, err)
	}
	changed, err := result.RowsAffected()
	return changed == 1, err
}

// DropSnapshot implements snapshots.Store.
func (s *Store) DropSnapshot(ctx context.Context, id string) error {
	if _, err := s.db.ExecContext(ctx, "DELETE FROM snapshots WHERE id = ?", id); err != nil {
		return fmt.Errorf("drop snapshot %s: %w", id, err)
	}
	return nil
}

// Snapshot implements snapshots.Store.
func (s *Store) Snapshot(ctx context.Context, id string) (snapshots.Snapshot, error) {
	var r snapshotRow
	err := s.db.GetContext(ctx, &r, "SELECT "+snapshotColumns+" FROM snapshots WHERE id = ?", id)
	if errors.Is(err, sql.ErrNoRows) {
		return snapshots.Snapshot{}, snapshots.ErrNoRow
	}
	if err != nil {
		return snapshots.Snapshot{}, fmt.Errorf("read snapshot: %w", explain(err))
	}
	return r.unpack(), nil
}

// Snapshots implements snapshots.Store.
func (s *Store) Snapshots(ctx context.Context, f snapshots.Filter, offset, limit int64) ([]snapshots.Snapshot, int, error) {
	// SQLite lets a primary key be NULL; such a row can be neither named nor removed.
	where, args := " WHERE id IS NOT NULL", []any{}
	if f.SandboxID != "" {
		where += " AND source_sandbox_id = ?"
		args = append(args, f.SandboxID)
	}
	if f.Name != "" {
		where += " AND name = ?"
		args = append(args, f.Name)
	}
	if len(f.States) > 0 {
		in, list, err := sqlx.In(" AND state IN (?)", f.States)
		if err != nil {
			return nil, 0, fmt.Errorf("list snapshots: %w", err)
		}
		where += in
		args = append(args, list...)
	}
	var total int
	if err := s.db.GetContext(ctx, &total, "SELECT count(*) FROM snapshots"+where, args...); err != nil {
		return nil, 0, fmt.Errorf("list snapshots: %w", explain(err))
	}
	var rows []snapshotRow
	query := "SELECT " + snapshotColumns + " FROM snapshots" + where + " ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?"
	if err := s.db.SelectContext(ctx, &rows, query, append(args, limit, offset)...); err != nil {
		return nil, 0, fmt.Errorf("list snapshots: %w", explain(err))
	}
	found := make([]snapshots.Snapshot, 0, len(rows))
	for _, r := range rows {
		found = append(found, r.unpack())
	}
	return found, total, nil
}

// isoTime is the reference's form: the fraction is missing when it is zero.
func isoTime(t time.Time) string {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05-07:00")
	}
	return t.Format("2006-01-02T15:04:05.000000-07:00")
}

func optionalText(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }

func packSnapshot(n snapshots.Snapshot) (snapshotRow, error) {
	var restore restoreConfig
	if n.Image != "" {
		restore.Image = &n.Image
	}
	encoded, err := json.Marshal(restore)
	since := isoTime(n.Status.Since)
	return snapshotRow{
		ID: n.ID, Sandbox: n.SandboxID, Name: optionalText(n.Name), Restore: string(encoded),
		State: string(n.Status.State), Reason: optionalText(n.Status.Reason), Message: optionalText(n.Status.Message),
		Since: optionalText(since), Created: isoTime(n.CreatedAt), Updated: since,
	}, err
}

// unpack reads what others may have written: what it cannot read is missing, so that one
// row takes neither a list nor the start with it.
func (r snapshotRow) unpack() snapshots.Snapshot {
	n := snapshots.Snapshot{
		ID: r.ID, SandboxID: r.Sandbox, Name: r.Name.String, CreatedAt: timeOf(r.Created),
		Status: snapshots.Status{
			State: snapshots.State(r.State), Reason: r.Reason.String, Message: r.Message.String, Since: timeOf(r.Since.String),
		},
	}
	var restore restoreConfig
	if err := json.Unmarshal([]byte(r.Restore), &restore); err == nil && restore.Image != nil {
		n.Image = *restore.Image
	}
	return n
}

// timeOf is zero for what is no time.
func timeOf(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
