-- +goose Up

-- The built-in directory (package directory). Objects are kept whole, as documents; what they are looked up by stands
-- in columns and tables beside it. Ids grow with time, so new objects are appended to the end of every tree.

-- One row: the number of the last transaction, and the lowest position of the change feed that is still good.
CREATE TABLE dir_counter (
    id      INTEGER NOT NULL PRIMARY KEY,
    last    BIGINT NOT NULL,
    horizon BIGINT NOT NULL
);
INSERT INTO dir_counter (id, last, horizon) VALUES (1, 0, 0);

CREATE TABLE dir_object (
    kind     {{text}} NOT NULL,
    id       {{text}} NOT NULL,
    seq      BIGINT NOT NULL,   -- transaction that changed it last
    active   INTEGER NOT NULL,  -- users: accountEnabled; groups: securityEnabled
    deleted  BIGINT NOT NULL,   -- when it was soft-deleted, 0 while live
    created  BIGINT NOT NULL,
    changed  BIGINT NOT NULL,
    upn_key  {{text}},          -- userPrincipalName, folded; NULL for groups
    name_key {{text}} NOT NULL, -- displayName, folded
    manager  {{text}} NOT NULL, -- id of a user, '' for none
    doc      {{blob}} NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX dir_object_upn ON dir_object (upn_key);
CREATE INDEX dir_object_name ON dir_object (kind, name_key, id);
CREATE INDEX dir_object_seq ON dir_object (kind, seq, id);
CREATE INDEX dir_object_manager ON dir_object (manager) WHERE manager <> '';
CREATE INDEX dir_object_deleted ON dir_object (deleted) WHERE deleted > 0;

-- Values that objects are looked up by, in the form of their attribute's case rule.
CREATE TABLE dir_value (
    kind  {{text}} NOT NULL,
    attr  {{text}} NOT NULL,
    value {{text}} NOT NULL,
    id    {{text}} NOT NULL,
    PRIMARY KEY (kind, attr, value, id)
) {{narrow}};

-- Own extension attributes that have been written so far.
CREATE TABLE dir_extension (
    kind {{text}} NOT NULL,
    name {{text}} NOT NULL,
    PRIMARY KEY (kind, name)
) {{narrow}};

CREATE TABLE dir_member (
    group_id    {{text}} NOT NULL,
    member_id   {{text}} NOT NULL,
    member_kind {{text}} NOT NULL,
    hidden      INTEGER NOT NULL, -- the member is soft-deleted
    PRIMARY KEY (group_id, member_id)
) {{narrow}};
CREATE INDEX dir_member_of ON dir_member (member_id, group_id);

-- Objects that are gone for good, for readers of the change feed.
CREATE TABLE dir_tombstone (
    kind {{text}} NOT NULL,
    seq  BIGINT NOT NULL,
    id   {{text}} NOT NULL,
    at   BIGINT NOT NULL,
    PRIMARY KEY (kind, seq, id)
) {{narrow}};
CREATE INDEX dir_tombstone_seq ON dir_tombstone (seq);

CREATE TABLE dir_role (
    app          {{text}} NOT NULL,
    id           {{text}} NOT NULL,
    value        {{text}} NOT NULL,
    display_name {{text}} NOT NULL,
    description  {{text}} NOT NULL,
    enabled      INTEGER NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE TABLE dir_assignment (
    id             {{text}} NOT NULL PRIMARY KEY,
    app            {{text}} NOT NULL,
    principal_kind {{text}} NOT NULL,
    principal      {{text}} NOT NULL,
    role           {{text}} NOT NULL, -- '' for default access
    created        BIGINT NOT NULL
);
CREATE UNIQUE INDEX dir_assignment_once ON dir_assignment (app, principal_kind, principal, role);
CREATE INDEX dir_assignment_of ON dir_assignment (principal);
