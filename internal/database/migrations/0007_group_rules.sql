-- +goose Up

-- Membership rules of groups of the directory whose members are computed: a scoping filter as JSON.
CREATE TABLE dir_group_rule (
    group_id {{text}} NOT NULL PRIMARY KEY,
    filter   {{blob}} NOT NULL
);
