package database_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/database/postgres"
	"github.com/rollcall-id/rollcall/internal/database/sqlite"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

// onBoth runs a test on each database; reopen opens the same database once more.
func onBoth(t *testing.T, run func(t *testing.T, reopen func() *database.DB)) {
	opened := func(t *testing.T, open func(context.Context, string) (*database.DB, error), name string) func() *database.DB {
		return func() *database.DB {
			t.Helper()
			db, err := open(t.Context(), name)
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
	}
	t.Run("SQLite", func(t *testing.T) { run(t, opened(t, sqlite.Open, filepath.Join(t.TempDir(), "rollcall.db"))) })
	t.Run("PostgreSQL", func(t *testing.T) { run(t, opened(t, postgres.Open, testbed.Postgres(t))) })
}

func file(text string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)}
}

func exec(t *testing.T, db *database.DB, text string, args ...any) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), text, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func texts(t *testing.T, db *database.DB, query string) []string {
	t.Helper()
	var got []string
	err := database.Query(t.Context(), db.Read(), query, nil, func(rows *sql.Rows) error {
		var s string
		err := rows.Scan(&s)
		got = append(got, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestMigrateTwiceIsMigrateOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, reopen func() *database.DB) {
		for range 2 {
			if err := reopen().Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := texts(t, reopen(), `SELECT 'jobs' FROM jobs UNION ALL SELECT 'here'`); !cmp.Equal(got, []string{"here"}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestWordsOfMigrationsMeanTheSameOnBothDatabases(t *testing.T) {
	onBoth(t, func(t *testing.T, reopen func() *database.DB) {
		db := reopen()
		err := database.MigrateFrom(db, t.Context(), fstest.MapFS{"0001_words.sql": file(`
			CREATE TABLE a (id {{serial}}, name {{text}} NOT NULL, doc {{blob}});
			CREATE TABLE b (name {{text}} NOT NULL PRIMARY KEY) {{narrow}};`)})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"ä", "a", "Z", "\U0001F600", "z", "A"} {
			exec(t, db, `INSERT INTO a (name, doc) VALUES ($1, $2)`, name, []byte{0, 0xff})
			exec(t, db, `INSERT INTO b (name) VALUES ($1)`, name)
		}
		want := []string{"A", "Z", "a", "z", "ä", "\U0001F600"}
		for _, query := range []string{`SELECT name FROM a WHERE id > 0 AND length(doc) = 2 ORDER BY name`, `SELECT name FROM b ORDER BY name`} {
			if diff := cmp.Diff(want, texts(t, db, query)); diff != "" {
				t.Errorf("%s (- want, + got):\n%s", query, diff)
			}
		}
		exec(t, db, `DELETE FROM a`)
		exec(t, db, `INSERT INTO a (name) VALUES ('next')`)
		if got := texts(t, db, `SELECT CAST(id AS TEXT) FROM a`); !cmp.Equal(got, []string{"7"}) {
			t.Errorf("a number is used again: %v", got)
		}
	})
}

func TestAWordThatDoesNotExistStopsTheMigration(t *testing.T) {
	onBoth(t, func(t *testing.T, reopen func() *database.DB) {
		err := database.MigrateFrom(reopen(), t.Context(), fstest.MapFS{"0001_x.sql": file(`CREATE TABLE a (id {{txet}});`)})
		if err == nil || !strings.Contains(err.Error(), "txet") {
			t.Errorf("got %v, want an error that names the word", err)
		}
	})
}

func TestAFailingMigrationLeavesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, reopen func() *database.DB) {
		db := reopen()
		files := fstest.MapFS{"0001_good.sql": file(`CREATE TABLE good (id BIGINT);`), "0002_bad.sql": file(`CREATE TABLE half (id BIGINT); INSERT INTO nowhere VALUES (1);`)}
		if err := database.MigrateFrom(db, t.Context(), files); err == nil || !strings.Contains(err.Error(), "0002_bad.sql") {
			t.Fatalf("got %v, want an error that names the file", err)
		}
		files["0002_bad.sql"] = file(`CREATE TABLE half (id BIGINT); INSERT INTO good VALUES (1);`)
		if err := database.MigrateFrom(db, t.Context(), files); err != nil {
			t.Fatalf("after the file was mended: %v", err)
		}
		if got := texts(t, db, `SELECT CAST(id AS TEXT) FROM good`); !cmp.Equal(got, []string{"1"}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestANewerSchemaIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, reopen func() *database.DB) {
		files := fstest.MapFS{"0001_a.sql": file(`CREATE TABLE a (id BIGINT);`), "0002_b.sql": file(`CREATE TABLE b (id BIGINT);`)}
		if err := database.MigrateFrom(reopen(), t.Context(), files); err != nil {
			t.Fatal(err)
		}
		delete(files, "0002_b.sql")
		err := database.MigrateFrom(reopen(), t.Context(), files)
		if !errors.Is(err, database.ErrNewer) || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), "up to 1") {
			t.Errorf("got %v", err)
		}
	})
}

func TestProcessesMigratingAtOnceApplyEachMigrationOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, reopen func() *database.DB) {
		files := fstest.MapFS{"0001_a.sql": file(`CREATE TABLE a (n BIGINT); INSERT INTO a VALUES (1);`)}
		for n := 2; n <= 8; n++ { // changes that could be applied twice without an error
			files[fmt.Sprintf("%04d_more.sql", n)] = file(`UPDATE a SET n = n * 2;`)
		}
		const processes = 4
		var wg sync.WaitGroup
		errs := make([]error, processes)
		for i := range processes {
			db := reopen()
			wg.Go(func() { errs[i] = database.MigrateFrom(db, t.Context(), files) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if got := texts(t, reopen(), `SELECT CAST(n AS TEXT) FROM a`); !cmp.Equal(got, []string{"128"}) {
			t.Errorf("got %v, want 128", got)
		}
	})
}

func TestTxCommitsAllOrNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, reopen func() *database.DB) {
		db := reopen()
		exec(t, db, `CREATE TABLE a (id BIGINT PRIMARY KEY)`)
		refusal := errors.New("refused")
		insert := func(id int, after func() error) error {
			return db.Tx(t.Context(), func(tx *sql.Tx) error {
				if _, err := tx.ExecContext(t.Context(), `INSERT INTO a VALUES ($1)`, id); err != nil {
					return err
				}
				return after()
			})
		}
		if err := insert(1, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		if err := insert(2, func() error { return refusal }); !errors.Is(err, refusal) {
			t.Errorf("an error of f: got %v", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a panic of f is lost")
				}
			}()
			_ = insert(3, func() error { panic("boom") })
		}()
		err := insert(1, func() error { return nil })
		if !db.Conflict(err) {
			t.Errorf("a key again: %v is no conflict", err)
		}
		if db.Conflict(refusal) || db.Conflict(nil) {
			t.Error("another error is a conflict")
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = db.Tx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), `INSERT INTO a VALUES (4)`)
			cancel()
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before the commit: got %v", err)
		}
		if got := texts(t, db, `SELECT CAST(id AS TEXT) FROM a`); !cmp.Equal(got, []string{"1"}) {
			t.Errorf("rows %v, want only the first", got)
		}
	})
}

func TestBulkRunsPiecesOfAllSizes(t *testing.T) {
	upsert := database.NewBulk(`INSERT INTO a (list, k, v) VALUES {(?, ?, ?)} ON CONFLICT (list, k) DO UPDATE SET v = excluded.v`)
	look := database.NewBulk(`SELECT v FROM a WHERE list = ? AND k IN ({?}) AND v <> ?`)
	onBoth(t, func(t *testing.T, reopen func() *database.DB) {
		db := reopen()
		exec(t, db, `CREATE TABLE a (list BIGINT, k BIGINT, v BIGINT, PRIMARY KEY (list, k))`)
		type row struct{ k, v int64 }
		for _, n := range []int64{0, 1, 2, 63, 64, 65, 127, 128, 500} {
			var rows []row
			var keys []int64
			for k := range n {
				rows = append(rows, row{k, -1}) // the later one of a key counts
				if k%10 == 9 {
					rows = append(rows, row{k, -2})
				}
				rows = append(rows, row{k, k * 10})
				keys = append(keys, k, k+n)
			}
			var affected int64
			err := db.Tx(t.Context(), func(tx *sql.Tx) (err error) {
				affected, err = database.ExecBulk(t.Context(), db, tx, upsert, database.Fixed{}, rows,
					func(r *row) int64 { return r.k }, func(dst []any, r *row) []any { return append(dst, n, r.k, r.v) })
				return err
			})
			if err != nil || affected != int64(len(rows)) {
				t.Fatalf("%d rows: affected %d, %v", len(rows), affected, err)
			}
			var sum int64
			err = database.QueryBulk(t.Context(), db, db.Read(), look, database.Fixed{Before: []any{n}, After: []any{int64(10)}}, keys, database.Itself,
				func(rows *sql.Rows) error {
					var v int64
					err := rows.Scan(&v)
					sum += v
					return err
				})
			want := n * (n - 1) * 5
			if n > 1 {
				want -= 10 // the value that the query leaves out
			}
			if err != nil || sum != want {
				t.Errorf("%d rows: sum %d, want %d, %v", n, sum, want, err)
			}
		}
	})
}

func TestABulkStatementThatCannotWorkPanicsAtOnce(t *testing.T) {
	for _, text := range []string{`SELECT 1`, `SELECT {1}`, `SELECT {?`, `VALUES {(?)}, {(?)}`} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", text)
				}
			}()
			database.NewBulk(text)
		}()
	}
}

func TestScanDeliversValuesOfTheDriver(t *testing.T) {
	onBoth(t, func(t *testing.T, reopen func() *database.DB) {
		db := reopen()
		exec(t, db, `CREATE TABLE a (i BIGINT, s TEXT)`)
		exec(t, db, `INSERT INTO a VALUES (1, 'x'), (9007199254740993, 'ü'), (NULL, NULL)`)
		var got [][]driver.Value
		err := db.Scan(t.Context(), `SELECT i, s FROM a WHERE i > $1 OR s = $2 OR i IS NULL ORDER BY coalesce(i, 0)`, []any{int64(1), "x"}, func(v []driver.Value) error {
			got = append(got, append([]driver.Value(nil), v...))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := [][]driver.Value{{nil, nil}, {int64(1), "x"}, {int64(9007199254740993), "ü"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows (- want, + got):\n%s", diff)
		}
		stop := errors.New("enough")
		if err := db.Scan(t.Context(), `SELECT i FROM a`, nil, func([]driver.Value) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
		if err := db.Scan(t.Context(), `SELECT nothing`, nil, nil); err == nil {
			t.Error("no error of a wrong query")
		}
		if err := db.Scan(t.Context(), `SELECT $1`, []any{3}, nil); err == nil {
			t.Error("an int is passed on")
		}
	})
}

func TestReadersOfSQLiteCannotWrite(t *testing.T) {
	db, err := sqlite.OpenTemp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := db.Read().ExecContext(t.Context(), `CREATE TABLE a (id BIGINT)`); err == nil {
		t.Error("a reader wrote")
	}
}

func TestAnyPathIsADatabaseFileForItsOwner(t *testing.T) {
	for _, name := range []string{"plain.db", "with blank ?mode=ro&x#y%41.db", "ümlaut;'\".db"} {
		path := filepath.Join(t.TempDir(), name)
		db, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		exec(t, db, `CREATE TABLE a (id BIGINT)`)
		for _, side := range []string{"", "-wal"} {
			info, err := os.Stat(path + side)
			if err != nil {
				t.Fatal(err)
			}
			if mode := info.Mode().Perm(); mode != 0o600 {
				t.Errorf("%s has mode %o", name+side, mode)
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "no such folder", "x.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is missing: got %v", err)
	}
}

func TestAScratchDatabaseLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	db, err := sqlite.OpenTemp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db, `CREATE TABLE a (id BIGINT)`)
	during, err := os.ReadDir(dir)
	if err != nil || len(during) != 1 {
		t.Fatalf("%v while it is open, %v", during, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadDir(dir)
	if err != nil || len(after) != 0 {
		t.Errorf("%v left, %v", after, err)
	}
}

func TestErrorsOfPostgresNeverShowThePassword(t *testing.T) {
	for _, dsn := range []string{"postgres://u:geheim@127.0.0.1:1/x?connect_timeout=2", "postgres://u:geheim@[bad", "host=127.0.0.1 port=x password=geheim", "postgres://u:ge heim@h/x"} {
		_, err := postgres.Open(t.Context(), dsn)
		if err == nil {
			t.Fatalf("%s: no error", dsn)
		}
		if strings.Contains(err.Error(), "heim") {
			t.Errorf("the password is in: %v", err)
		}
	}
}

func TestValuesKeepTheirMeaning(t *testing.T) {
	for _, tc := range []struct{ give, want time.Time }{
		{time.Time{}, time.Time{}},
		{time.Date(2026, 3, 1, 9, 30, 0, 123456789, time.FixedZone("CET", 3600)), time.Date(2026, 3, 1, 8, 30, 0, 123456000, time.UTC)},
		{time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if got := database.Time(database.Micros(tc.give)); got != tc.want {
			t.Errorf("%v came back as %v", tc.give, got)
		}
	}
	for text, want := range map[string]string{"ok ü\n": "ok ü\n", "a\x00b": "a\uFFFDb", "a\xffb": "a\uFFFDb", "": ""} {
		if got := database.Text(text); got != want || !database.ValidText(got) {
			t.Errorf("Text(%q) = %q, want %q", text, got, want)
		}
	}
	for key, want := range map[string]bool{"": false, "a": true, "ü": true, "\xff": false, "\x00": false, strings.Repeat("x", 1000): true, strings.Repeat("x", 1001): false} {
		if got := database.ValidKey(key); got != want {
			t.Errorf("ValidKey(%.20q) = %v", key, got)
		}
	}
}

// A query is kept prepared by its connection; asked again while its rows are read, or after the table has changed, it
// answers as if it were not.
func TestAQueryWithinItselfAndAfterAChangeOfTheTable(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rollcall.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	exec(t, db, "create table t (n integer primary key)")
	exec(t, db, "insert into t values (1), (2), (3)")
	const above = "select * from t where n > ? order by n"
	var got []string
	ask := func(tx *sql.Tx, n int, each func(n int) error) (err error) {
		r, err := tx.QueryContext(t.Context(), above, n)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		for r.Next() {
			var n int
			if err := r.Scan(&n); err != nil {
				return err
			}
			if err := each(n); err != nil {
				return err
			}
		}
		return r.Err()
	}
	for range 2 {
		if err := db.Tx(t.Context(), func(tx *sql.Tx) error {
			return ask(tx, 0, func(outer int) error {
				return ask(tx, outer, func(inner int) error { got = append(got, fmt.Sprint(outer, inner)); return nil })
			})
		}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"1 2", "1 3", "2 3", "1 2", "1 3", "2 3"}, got); diff != "" {
		t.Error(diff)
	}
	exec(t, db, "alter table t add column text text")
	if err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		r, err := tx.QueryContext(t.Context(), above, 2)
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		names, err := r.Columns()
		if diff := cmp.Diff([]string{"n", "text"}, names); diff != "" {
			t.Error(diff)
		}
		return errors.Join(err, r.Err())
	}); err != nil {
		t.Fatal(err)
	}
}
