package database_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/database"
)

// bulkInsert writes numbers in a transaction of their own.
func bulkInsert(t *testing.T, db *database.DB, b *database.Bulk, numbers ...int64) error {
	t.Helper()
	return db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := database.ExecBulk(t.Context(), db, tx, b, database.Fixed{}, numbers, func(n *int64) int64 { return *n }, database.Itself)
		return err
	})
}

func TestBulkStatementsStayPreparedOnSQLite(t *testing.T) {
	insert := database.NewBulk(`INSERT INTO a (n) VALUES {(?)}`)
	look := database.NewBulk(`SELECT n FROM a WHERE n IN ({?}) ORDER BY n`)
	onBoth(t, func(t *testing.T, reopen func() *database.DB) {
		db := reopen()
		exec(t, db, `CREATE TABLE a (n BIGINT PRIMARY KEY)`)
		found := func(numbers ...int64) (got []int64) {
			t.Helper()
			err := database.QueryBulk(t.Context(), db, db.Read(), look, database.Fixed{}, numbers, database.Itself, func(rows *sql.Rows) error {
				var n int64
				err := rows.Scan(&n)
				got = append(got, n)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		type kept struct{ Writer, Readers int }
		check := func(when string, sqlite kept) {
			t.Helper()
			if db.Postgres() {
				sqlite = kept{} // the driver does it
			}
			writer, readers := db.Kept()
			if diff := cmp.Diff(sqlite, kept{writer, readers}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		for i, want := range []kept{
			{0, 2}, // pieces of two rows and of one; the writer is busy with the first transaction
			{2, 2},
			{2, 2},
		} {
			from := int64(i * 10)
			if err := bulkInsert(t, db, insert, from, from+1, from+2); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]int64{from, from + 1, from + 2}, found(from, from+1, from+2)); diff != "" {
				t.Errorf("round %d (-want +got):\n%s", i, diff)
			}
			check("after a round", want)
		}
		// A transaction that fails, and a table that changes, leave the statements usable.
		if err := bulkInsert(t, db, insert, 50, 51, 0); !db.Conflict(err) {
			t.Errorf("a key again: %v is no conflict", err)
		}
		exec(t, db, `DROP TABLE a`)
		exec(t, db, `CREATE TABLE a (extra TEXT, n BIGINT PRIMARY KEY)`)
		if err := bulkInsert(t, db, insert, 50, 51, 52); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int64{50, 51, 52}, found(50, 51, 52, 0)); diff != "" {
			t.Errorf("after the table changed (-want +got):\n%s", diff)
		}
		check("after the table changed", kept{2, 3})
	})
}

func TestABulkStatementThatFailsBlamesNobodyElse(t *testing.T) {
	good, bad := database.NewBulk(`INSERT INTO a (n) VALUES {(?)}`), database.NewBulk(`INSERT INTO nowhere (n) VALUES {(?)}`)
	look := database.NewBulk(`SELECT n FROM nowhere WHERE n IN ({?})`)
	onBoth(t, func(t *testing.T, reopen func() *database.DB) {
		db := reopen()
		exec(t, db, `CREATE TABLE a (n BIGINT PRIMARY KEY)`)
		for round := range int64(3) {
			if err := bulkInsert(t, db, bad, 1); err == nil || !strings.Contains(err.Error(), "nowhere") {
				t.Errorf("round %d: error %v", round, err)
			}
			if err := bulkInsert(t, db, good, round); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
			err := database.QueryBulk(t.Context(), db, db.Read(), look, database.Fixed{}, []int64{1}, database.Itself, func(*sql.Rows) error { return nil })
			if err == nil || !strings.Contains(err.Error(), "nowhere") {
				t.Errorf("round %d: query: error %v", round, err)
			}
		}
	})
}
