// Package directory is the built-in directory: people and groups with their attributes, managers, memberships, the app
// roles of applications, and who is assigned to which of them. To the engine it is a system like any other, reached
// through the connector of the same name; the management API and the command line use it directly.
//
// It is not where a job keeps what it knows of accounts (package store), and it knows no job: an application is a
// text that the caller chooses, usually the id of the application's job.
//
// Every write happens in a transaction ([Directory.Batch]) that carries one number of a growing sequence; each object
// the transaction changes takes that number. [Directory.Changes] reads the objects with a number above a mark, so a
// reader that keeps the mark misses nothing and reads nothing twice. Writes of many goroutines share transactions
// (commit.go).
//
// Read attribute.go for what objects have, entry.go for how one is kept, write.go, member.go and assign.go for what can
// be done to them, read.go and feed.go for how they are found, purge.go for how they end.
package directory
