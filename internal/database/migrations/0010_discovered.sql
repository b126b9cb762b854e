-- +goose Up

-- What the target of a job said of itself when the job was saved (scim.R45-R49).
ALTER TABLE jobs ADD COLUMN discovered {{blob}};
