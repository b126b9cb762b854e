// Package postgres opens a PostgreSQL database as a [database.DB]. It holds no SQL. Any version that is still
// supported will do; the encoding of the database must be UTF8, its collation does not matter. Read postgres.go.
package postgres
