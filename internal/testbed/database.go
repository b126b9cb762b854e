package testbed

import (
	"testing"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/database/postgres"
	"github.com/rollcall-id/rollcall/internal/database/sqlite"
)

// ScratchDatabase opens an embedded database with all tables, like any other but for the waiting for the disk.
func ScratchDatabase(t testing.TB) *database.DB {
	t.Helper()
	db, err := sqlite.OpenTemp(t.Context())
	return Migrated(t, db, err)
}

// PostgresDatabase opens a new database with all tables on the server that Postgres takes.
func PostgresDatabase(t testing.TB) *database.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), Postgres(t))
	return Migrated(t, db, err)
}

// Migrated makes all tables in a database that was just opened with this result, and closes it when the test ends.
func Migrated(t testing.TB, db *database.DB, err error) *database.DB {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}
