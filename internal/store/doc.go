// Package store says what Rollcall keeps between cycles: rows and the roles through which they are read and written.
// It holds no SQL; package sqlstore implements every role over SQLite and PostgreSQL with one set of SQL texts, and
// package storetest is the suite that both pass.
//
// All writes of a cycle go through Commit in batches: a batch takes effect as a whole or not at all, and only while its
// epoch is the job's (design D13), so a process that lost a job to another can write nothing.
//
// Read rows.go for what is kept, roles.go for how it is reached.
package store
