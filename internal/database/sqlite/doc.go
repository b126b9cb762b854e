// Package sqlite opens SQLite files as a [database.DB]: one writer connection, some readers, write-ahead log. It holds
// no SQL but settings. Read sqlite.go, then prepared.go, which keeps statements prepared.
package sqlite
