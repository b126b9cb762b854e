-- +goose Up

-- Objects that the next cycle has to evaluate although nothing says that they changed (a zero hash). Few ever are; a
-- released object (state 3) waits for its return and is none of them.
CREATE INDEX job_objects_unsettled ON job_objects (job, rule, anchor) WHERE hash_hi = 0 AND hash_lo = 0 AND state <> 3;
