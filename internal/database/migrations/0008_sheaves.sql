-- +goose Up

-- One tree in place of two for the index of accounts: an entry is made for each account that a first load makes.
ALTER TABLE cycle_index RENAME TO cycle_index_old;
CREATE TABLE cycle_index (
    cycle  BIGINT NOT NULL,
    kind   {{text}} NOT NULL,
    attr   {{text}} NOT NULL,
    value  {{text}} NOT NULL,
    anchor {{text}} NOT NULL,
    doc    {{blob}},
    PRIMARY KEY (cycle, kind, attr, value, anchor)
) {{narrow}};
INSERT INTO cycle_index (cycle, kind, attr, value, anchor, doc) SELECT cycle, kind, attr, value, anchor, doc FROM cycle_index_old;
DROP TABLE cycle_index_old;

-- What differs comes first: a target is found without comparing job and rule at each step.
DROP INDEX job_objects_target;
CREATE INDEX job_objects_target ON job_objects (target, job, rule) WHERE target <> '';

-- Sheaves: up to 64 items of a work list in one row, in the order of their anchors. First and last are anchors; the
-- ranges of the sheaves of a rule do not overlap. What stands here of an item never changes.
CREATE TABLE cycle_sheaves (
    num   {{serial}},
    cycle BIGINT NOT NULL,
    rule  {{text}} NOT NULL,
    first {{text}} NOT NULL,
    last  {{text}} NOT NULL,
    head  {{blob}} NOT NULL, -- anchors, parents and targets
    docs  {{blob}} NOT NULL
);
CREATE UNIQUE INDEX cycle_sheaves_last ON cycle_sheaves (cycle, rule, last);

-- Where the items of a sheaf stand in the export order: a bit for each item. One that is finished, or that has become a
-- row of cycle_work, has no bit anywhere.
CREATE TABLE cycle_places (
    num    {{serial}},
    cycle  BIGINT NOT NULL,
    stage  INTEGER NOT NULL,
    pass   INTEGER NOT NULL,
    depth  INTEGER NOT NULL,
    rule   {{text}} NOT NULL,
    last   {{text}} NOT NULL, -- of the sheaf
    action {{text}} NOT NULL,
    sheaf  BIGINT NOT NULL,
    items  BIGINT NOT NULL
);
CREATE INDEX cycle_places_order ON cycle_places (cycle, stage, pass, depth, rule, last);
CREATE INDEX cycle_places_sheaf ON cycle_places (sheaf);
