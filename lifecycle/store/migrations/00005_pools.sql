-- +goose Up
CREATE TABLE edge_pools (
    name       TEXT PRIMARY KEY,
    template   TEXT    NOT NULL, -- JSON
    buffer_max INTEGER NOT NULL,
    buffer_min INTEGER NOT NULL,
    pool_max   INTEGER NOT NULL,
    pool_min   INTEGER NOT NULL,
    created_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A member goes with its pool and with its sandbox. The record of one that is not claimed
-- is in phase 'creating'.
CREATE TABLE edge_pool_members (
    id      TEXT PRIMARY KEY REFERENCES edge_sandboxes (id) ON DELETE CASCADE,
    pool    TEXT    NOT NULL REFERENCES edge_pools (name) ON DELETE CASCADE,
    claimed INTEGER NOT NULL DEFAULT 0 -- 0 or 1
) STRICT, WITHOUT ROWID;
CREATE INDEX edge_pool_members_by_pool ON edge_pool_members (pool);

-- +goose Down
DROP TABLE edge_pool_members;
DROP TABLE edge_pools;
