-- +goose Up

-- The state of jobs. Rows of bulk tables name their job and cycle by number: a number is a fifth of a GUID, and such a
-- key stands in every row and index. Numbers are never used twice. No foreign keys from bulk tables: what a deleted
-- job leaves behind is removed piece by piece (dropped_jobs).

CREATE TABLE jobs (
    num           {{serial}},
    id            {{text}} NOT NULL UNIQUE,
    name          {{text}} NOT NULL,
    name_fold     {{text}} NOT NULL UNIQUE,
    template      {{text}} NOT NULL,
    file          {{blob}},
    file_dir      {{text}} NOT NULL,
    file_hash     {{text}} NOT NULL,
    version       BIGINT NOT NULL,
    paused        INTEGER NOT NULL,
    initial_due   INTEGER NOT NULL,
    watermark     {{text}} NOT NULL,
    no_references INTEGER NOT NULL,
    last_total    {{blob}},
    confirmed_at  BIGINT NOT NULL,
    quarantine    {{blob}},
    steady_first  BIGINT NOT NULL,
    steady_last   BIGINT NOT NULL,
    created       BIGINT NOT NULL,
    updated       BIGINT NOT NULL
);

-- Who holds a job. Apart from jobs, because every batch of writes locks its row.
CREATE TABLE job_holds (
    job        BIGINT NOT NULL PRIMARY KEY,
    epoch      BIGINT NOT NULL,
    holder     {{text}} NOT NULL,
    held_until BIGINT NOT NULL
) {{narrow}};

CREATE TABLE job_versions (
    job    BIGINT NOT NULL,
    number BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    author {{text}} NOT NULL,
    file   {{blob}},
    note   {{text}} NOT NULL,
    PRIMARY KEY (job, number)
);

-- Jobs that were deleted, until their rows in the bulk tables are gone.
CREATE TABLE dropped_jobs (
    job BIGINT NOT NULL PRIMARY KEY
) {{narrow}};

CREATE TABLE cycles (
    num        {{serial}},
    id         {{text}} NOT NULL UNIQUE,
    job        BIGINT NOT NULL,
    type       {{text}} NOT NULL,
    state      {{text}} NOT NULL,
    phase      {{text}} NOT NULL,
    version    BIGINT NOT NULL,
    began      BIGINT NOT NULL,
    ended      BIGINT NOT NULL,
    counts     {{blob}},
    requests   {{blob}},
    planned    BIGINT NOT NULL,
    done       BIGINT NOT NULL,
    watermark  {{text}} NOT NULL,
    held       {{text}} NOT NULL,
    error_code {{text}} NOT NULL,
    error      {{text}} NOT NULL,
    checkpoint {{blob}}
);
CREATE INDEX cycles_of_job ON cycles (job, num);

-- Source objects and links. A hash is kept as two numbers, high half first.
CREATE TABLE job_objects (
    job       BIGINT NOT NULL,
    rule      {{text}} NOT NULL,
    anchor    {{text}} NOT NULL,
    hash_hi   BIGINT NOT NULL,
    hash_lo   BIGINT NOT NULL,
    state     INTEGER NOT NULL,
    target    {{text}} NOT NULL,
    confirmed BIGINT NOT NULL,
    PRIMARY KEY (job, rule, anchor)
) {{narrow}};
CREATE INDEX job_objects_target ON job_objects (job, rule, target) WHERE target <> '';

CREATE TABLE job_projections (
    job    BIGINT NOT NULL,
    rule   {{text}} NOT NULL,
    anchor {{text}} NOT NULL,
    name   {{text}} NOT NULL,
    doc    {{blob}},
    PRIMARY KEY (job, rule, anchor)
) {{narrow}};

CREATE TABLE job_members (
    job    BIGINT NOT NULL,
    rule   {{text}} NOT NULL,
    anchor {{text}} NOT NULL,
    attr   {{text}} NOT NULL,
    kind   {{text}} NOT NULL,
    ref    {{text}} NOT NULL,
    target {{text}} NOT NULL,
    PRIMARY KEY (job, rule, anchor, attr, kind, ref)
) {{narrow}};

CREATE TABLE job_unresolved (
    job    BIGINT NOT NULL,
    kind   {{text}} NOT NULL,
    ref    {{text}} NOT NULL,
    rule   {{text}} NOT NULL,
    anchor {{text}} NOT NULL,
    attr   {{text}} NOT NULL,
    PRIMARY KEY (job, kind, ref, rule, anchor, attr)
) {{narrow}};
CREATE INDEX job_unresolved_owner ON job_unresolved (job, rule, anchor);

CREATE TABLE job_escrows (
    job          BIGINT NOT NULL,
    rule         {{text}} NOT NULL,
    anchor       {{text}} NOT NULL,
    name         {{text}} NOT NULL,
    hash_hi      BIGINT NOT NULL,
    hash_lo      BIGINT NOT NULL,
    code         {{text}} NOT NULL,
    reason       {{text}} NOT NULL,
    reference    INTEGER NOT NULL,
    attempts     BIGINT NOT NULL,
    first_failed BIGINT NOT NULL,
    last_failed  BIGINT NOT NULL,
    next_attempt BIGINT NOT NULL,
    PRIMARY KEY (job, rule, anchor)
);

CREATE TABLE job_staged (
    job       BIGINT NOT NULL,
    rule      {{text}} NOT NULL,
    anchor    {{text}} NOT NULL,
    name      {{text}} NOT NULL,
    target    {{text}} NOT NULL,
    action    {{text}} NOT NULL,
    reason    {{text}} NOT NULL,
    staged_at BIGINT NOT NULL,
    cycle_id  {{text}} NOT NULL,
    allowed   INTEGER NOT NULL,
    PRIMARY KEY (job, rule, anchor)
);

-- The work list of a cycle: what is still to be done. An item is removed with the result of it. Documents are some
-- hundred bytes, so one tree that holds all is less work than two.
CREATE TABLE cycle_work (
    cycle  BIGINT NOT NULL,
    rule   {{text}} NOT NULL,
    anchor {{text}} NOT NULL,
    stage  INTEGER NOT NULL,
    pass   INTEGER NOT NULL,
    depth  INTEGER NOT NULL,
    parent {{text}} NOT NULL,
    action {{text}} NOT NULL,
    target {{text}} NOT NULL,
    doc    {{blob}},
    PRIMARY KEY (cycle, rule, anchor)
) {{narrow}};
CREATE INDEX cycle_work_order ON cycle_work (cycle, stage, pass, depth, rule, anchor); -- in which they are exported

CREATE TABLE cycle_index (
    cycle  BIGINT NOT NULL,
    kind   {{text}} NOT NULL,
    attr   {{text}} NOT NULL,
    value  {{text}} NOT NULL,
    anchor {{text}} NOT NULL,
    doc    {{blob}},
    PRIMARY KEY (cycle, kind, attr, value, anchor)
);

CREATE TABLE provisioning_log (
    seq         {{serial}},
    id          {{text}} NOT NULL UNIQUE,
    job         BIGINT NOT NULL,
    cycle_id    {{text}} NOT NULL,
    at          BIGINT NOT NULL,
    action      {{text}} NOT NULL,
    status      {{text}} NOT NULL,
    rule        {{text}} NOT NULL,
    source_id   {{text}} NOT NULL,
    source_name {{text}} NOT NULL,
    name_fold   {{text}} NOT NULL,
    target_id   {{text}} NOT NULL,
    error_code  {{text}} NOT NULL,
    doc         {{blob}}
);
CREATE INDEX provisioning_log_at ON provisioning_log (at, seq);
CREATE INDEX provisioning_log_job ON provisioning_log (job, at, seq);
CREATE INDEX provisioning_log_cycle ON provisioning_log (cycle_id, at, seq);

-- Sliding windows of rate-limited sites. A row of rate_calls is n calls of a ticket that leave the window at a time.
CREATE TABLE rate_sites (
    site    {{text}} NOT NULL PRIMARY KEY,
    tickets BIGINT NOT NULL
) {{narrow}};

CREATE TABLE rate_calls (
    site     {{text}} NOT NULL,
    leaves   BIGINT NOT NULL,
    ticket   BIGINT NOT NULL,
    answered INTEGER NOT NULL,
    n        BIGINT NOT NULL,
    length   BIGINT NOT NULL,
    PRIMARY KEY (site, leaves, ticket, answered)
) {{narrow}};
CREATE INDEX rate_calls_ticket ON rate_calls (site, ticket);
