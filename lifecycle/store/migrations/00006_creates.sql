-- +goose Up
ALTER TABLE edge_sandboxes ADD COLUMN promised   INTEGER NOT NULL DEFAULT 0; -- 0 or 1: the client has the id already
ALTER TABLE edge_sandboxes ADD COLUMN failed_us  INTEGER;                    -- phase 'creating' and not NULL: it could not be made
ALTER TABLE edge_sandboxes ADD COLUMN failed_why TEXT NOT NULL DEFAULT '';

CREATE TABLE edge_create_keys (
    key_sum     BLOB PRIMARY KEY, -- keyed hashes: neither keys nor requests can be told from them
    content_sum BLOB    NOT NULL,
    sandbox_id  TEXT    NOT NULL,
    created_us  INTEGER NOT NULL,
    done        INTEGER NOT NULL  -- 0 or 1
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE edge_create_keys;
ALTER TABLE edge_sandboxes DROP COLUMN failed_why;
ALTER TABLE edge_sandboxes DROP COLUMN failed_us;
ALTER TABLE edge_sandboxes DROP COLUMN promised;
