-- +goose Up
ALTER TABLE edge_sandboxes ADD COLUMN secure_access INTEGER NOT NULL DEFAULT 0; -- 0 or 1

-- +goose Down
ALTER TABLE edge_sandboxes DROP COLUMN secure_access;
