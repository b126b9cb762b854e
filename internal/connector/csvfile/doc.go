// Package csvfile is the connector to HR files: people and groups in files of comma-separated values, each file the
// complete list of its kind (design 6.2, csv source). It reads local files only; fetching and watching folders is not
// its work, nor is telling what changed, which the engine does by comparing whole reads.
//
// A file is taken as a whole or not at all, since a person who is missing counts as having left: broken encoding, a
// missing column, an empty key, a half-written last row, or a file that changes while it is read end the reading with
// an error. A single row that is not in order is delivered as an item with an error and keeps its earlier state.
//
// Read setting.go for what can be set, record.go for the format, source.go for how rows become objects, members.go for
// memberships.
package csvfile
