-- +goose Up
ALTER TABLE edge_sandboxes ADD COLUMN renew_max_us  INTEGER NOT NULL DEFAULT 0; -- a duration from the creation; 0 = no bound
ALTER TABLE edge_sandboxes ADD COLUMN idle_us       INTEGER NOT NULL DEFAULT 0; -- a duration; 0 = being idle does not matter
ALTER TABLE edge_sandboxes ADD COLUMN idle_until_us INTEGER;                    -- NULL without idle_us

-- +goose Down
ALTER TABLE edge_sandboxes DROP COLUMN idle_until_us;
ALTER TABLE edge_sandboxes DROP COLUMN idle_us;
ALTER TABLE edge_sandboxes DROP COLUMN renew_max_us;
