// Package sqlstore implements every role of package store over SQLite and PostgreSQL, with one SQL text per operation
// beside its method. It opens no database and has no rules: what a row means is the engine's affair.
//
// What the contract leaves open, decided here:
//
//   - The lists of a batch take effect in the order of the fields of store.Batch, except that an index is dropped before
//     entries are added. Of several rows with the same key in one list the last one counts. Changes to rows that do not
//     exist (Touched, Done) are ignored.
//   - Anchors and other keys must be valid UTF-8 without NUL, of 1 to database.KeyMax bytes; a batch with another one is
//     an error that names it. Joining values of the index may be anything. Names are made storable.
//   - The cycle of a batch must exist, or come with it, when the batch has work or index entries.
//   - A deleted job is ErrNotFound to a batch, not ErrStale.
//   - Lists and sequences of a job or cycle that does not exist are empty, not an error.
//   - Empty documents come back as nil. Times come back in UTC, cut to microseconds.
//   - Sequences read in pages: what is committed behind the place they have reached is not seen, what lies ahead is.
//     They hold no connection while the caller works on a row.
//
// Read store.go, commit.go, then the file of a role.
package sqlstore
