-- +goose Up

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
