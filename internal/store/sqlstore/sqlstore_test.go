package sqlstore_test

import (
	"path/filepath"
	"testing"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/database/postgres"
	"github.com/rollcall-id/rollcall/internal/database/sqlite"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
	"github.com/rollcall-id/rollcall/internal/store/storetest"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return sqlstore.New(onSQLite(t)) })
}

func TestPostgreSQL(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return sqlstore.New(onPostgres(t)) })
}

func onSQLite(t testing.TB) *database.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rollcall.db"))
	if err != nil {
		t.Fatal(err)
	}
	return migrated(t, db)
}

func onPostgres(t testing.TB) *database.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), testbed.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	return migrated(t, db)
}

func migrated(t testing.TB, db *database.DB) *database.DB {
	t.Helper()
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
