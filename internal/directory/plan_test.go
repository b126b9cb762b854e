package directory_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/rollcall-id/rollcall/internal/directory"
)

// What is asked by a manager uses the partial index, which SQLite can only tell from the condition spelled out. The
// choice of PostgreSQL depends on the size of the table.
func TestReportsAreFoundByIndex(t *testing.T) {
	onSQLite(t, func(w *world) {
		for _, statement := range directory.ByManager {
			if plan := w.plan(statement, "x", 1); !strings.Contains(plan, "USING INDEX dir_object_manager") {
				w.T.Errorf("the plan of %s is:\n%s", statement, plan)
			}
		}
	})
}

// plan returns how SQLite would carry out a statement.
func (w *world) plan(statement string, args ...any) string {
	w.T.Helper()
	rows, err := w.db.Read().QueryContext(w.ctx(), `EXPLAIN QUERY PLAN `+statement, args...)
	w.must(err)
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail sql.NullString
		w.must(rows.Scan(&id, &parent, &unused, &detail))
		plan.WriteString(detail.String + "\n")
	}
	w.must(rows.Err())
	return plan.String()
}
