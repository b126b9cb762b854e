-- +goose Up

-- Reconciliation (design D3): from when its interval is counted, and what the last one found.
ALTER TABLE jobs ADD COLUMN reconcile_from BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN reconciled {{blob}};

-- A saved plan is carried out by one cycle at most (design D5).
ALTER TABLE cycles ADD COLUMN plan {{text}} NOT NULL DEFAULT '';
CREATE UNIQUE INDEX cycles_of_plan ON cycles (plan) WHERE plan <> '';

-- How many memberships a held removal takes away: who allows some does not allow those that come later.
ALTER TABLE job_staged ADD COLUMN size BIGINT NOT NULL DEFAULT 0;

-- Linked accounts that a running cycle has found while it listed the target, with what was changed in them.
CREATE TABLE cycle_found (
    cycle  BIGINT NOT NULL,
    rule   {{text}} NOT NULL,
    anchor {{text}} NOT NULL,
    doc    {{blob}},
    PRIMARY KEY (cycle, rule, anchor)
) {{narrow}};
