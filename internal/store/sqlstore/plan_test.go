package sqlstore_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
)

// A cycle that reads a change feed asks for unsettled objects each time; it must not go through all objects for that
// (P6). The choice of PostgreSQL depends on the size of the table.
func TestUnsettledObjectsAreFoundByIndex(t *testing.T) {
	db := onSQLite(t)
	var plan strings.Builder
	err := database.Query(t.Context(), db.Read(), `EXPLAIN QUERY PLAN `+sqlstore.SelectUnsettled, []any{"job", "users"}, func(rows *sql.Rows) error {
		var id, parent, unused int
		var detail string
		err := rows.Scan(&id, &parent, &unused, &detail)
		plan.WriteString(detail + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan.String(), "USING INDEX job_objects_unsettled") {
		t.Errorf("the plan is:\n%s", plan.String())
	}
}
