-- +goose Up
-- The reference's own table and format (contract 01 §12.4): either server finds the
-- snapshots of the other.
CREATE TABLE IF NOT EXISTS snapshots (
    id                 TEXT PRIMARY KEY,
    source_sandbox_id  TEXT NOT NULL,
    name               TEXT,
    description        TEXT,
    restore_config     TEXT NOT NULL, -- {"image": null} or {"image": "repo:tag"}
    state              TEXT NOT NULL,
    reason             TEXT,
    message            TEXT,
    last_transition_at TEXT,          -- ISO 8601 with +00:00, as all times
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_snapshots_source_sandbox_id ON snapshots (source_sandbox_id);
CREATE INDEX IF NOT EXISTS idx_snapshots_state ON snapshots (state);
CREATE INDEX IF NOT EXISTS idx_snapshots_created_at ON snapshots (created_at DESC);

-- +goose Down
-- The table may be the reference's, so it stays.
SELECT 1;
