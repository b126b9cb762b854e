-- +goose Up

-- Secrets of jobs that Rollcall was given, refresh tokens above all, sealed with a key that is not in the database; who is
-- changing one at the moment; and since when a job's own credential is the one it is.

CREATE TABLE sealed_values (
    job     BIGINT NOT NULL,
    name    {{text}} NOT NULL,
    key_id  {{text}} NOT NULL,
    value   {{blob}} NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (job, name)
);

CREATE TABLE sealed_holds (
    job        BIGINT NOT NULL,
    name       {{text}} NOT NULL,
    holder     {{text}} NOT NULL,
    held_until BIGINT NOT NULL,
    PRIMARY KEY (job, name)
) {{narrow}};

CREATE TABLE job_credentials (
    job         BIGINT NOT NULL PRIMARY KEY,
    fingerprint {{text}} NOT NULL,
    since       BIGINT NOT NULL,
    warned      BIGINT NOT NULL
) {{narrow}};
