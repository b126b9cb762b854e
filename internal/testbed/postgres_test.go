package testbed

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"
)

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestPostgresGivesEachCallAnEmptyDatabase(t *testing.T) {
	first, second := open(t, Postgres(t)), open(t, Postgres(t))
	// The same table in both: the second statement fails if they share a database.
	for _, db := range []*sql.DB{first, second} {
		if _, err := db.ExecContext(t.Context(), `CREATE TABLE account (id TEXT PRIMARY KEY)`); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPostgresDropsTheDatabaseThoughItIsInUse(t *testing.T) {
	server := setting(t, postgresVariable)
	var name string
	t.Run("user", func(t *testing.T) {
		dsn := Postgres(t)
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		name = strings.TrimPrefix(u.Path, "/")
		leaked, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Fatal(err)
		}
		if err := leaked.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := count(t, server, name); n != 1 {
			t.Errorf("%d databases named %q while the test runs, want 1", n, name)
		}
	})
	if n := count(t, server, name); n != 0 {
		t.Errorf("%d databases named %q after the test, want 0", n, name)
	}
}

func count(t *testing.T, server, name string) int {
	t.Helper()
	var n int
	err := open(t, server).QueryRowContext(t.Context(), `SELECT count(*) FROM pg_database WHERE datname = $1`, name).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
