-- +goose Up
CREATE TABLE edge_sandboxes (
    id            TEXT PRIMARY KEY,
    phase         TEXT    NOT NULL CHECK (phase IN ('creating', 'live', 'deleting')),
    image         TEXT    NOT NULL,
    snapshot_id   TEXT    NOT NULL,
    platform_os   TEXT    NOT NULL, -- '' = not constrained
    platform_arch TEXT    NOT NULL,
    entrypoint    TEXT    NOT NULL, -- JSON array of strings
    metadata      TEXT    NOT NULL, -- JSON object of strings
    created_us    INTEGER NOT NULL, -- Unix time in microseconds, as all *_us
    expires_us    INTEGER,          -- NULL = manual cleanup
    renew_us      INTEGER NOT NULL, -- a duration; 0 = not renewed by access
    execd_token   INTEGER NOT NULL  -- 0 or 1
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE edge_sandboxes;
