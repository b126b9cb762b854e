-- +goose Up

-- The life of a job: every save kept, what stops it, how its last cycles went, what a restart has yet to reset.

ALTER TABLE jobs ADD COLUMN saved BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN escrows_pruned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN failed_runs BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN last_clean {{text}} NOT NULL DEFAULT '';   -- cycle id
ALTER TABLE jobs ADD COLUMN last_export {{text}} NOT NULL DEFAULT '';  -- cycle id
ALTER TABLE jobs ADD COLUMN asked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN reset_due BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN woken INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET saved = version;

ALTER TABLE job_versions ADD COLUMN mapped BIGINT NOT NULL DEFAULT 0;
ALTER TABLE job_versions ADD COLUMN file_dir {{text}} NOT NULL DEFAULT '';
UPDATE job_versions SET mapped = number;
