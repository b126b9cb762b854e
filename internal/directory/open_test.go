package directory_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

// world is a directory with a clock that the test moves and ids that count.
type world struct {
	*testing.T
	*directory.Directory
	db *database.DB

	mu  sync.Mutex
	now time.Time
	ids int
}

var begin = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// onBoth runs a test over SQLite and over PostgreSQL.
func onBoth(t *testing.T, test func(w *world)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { onSQLite(t, test) })
	t.Run("postgres", func(t *testing.T) { start(t, testbed.PostgresDatabase(t), test) })
}

func onSQLite(t *testing.T, test func(w *world)) {
	t.Helper()
	start(t, testbed.ScratchDatabase(t), test)
}

func start(t *testing.T, db *database.DB, test func(w *world)) {
	t.Helper()
	w := &world{T: t, db: db, now: begin}
	w.Directory = directory.New(db, directory.Config{
		Now: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.now
		},
		NewID: func() (string, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.ids++
			return fmt.Sprintf("00000000-0000-4000-8000-%012d", w.ids), nil
		}})
	test(w)
}

func (w *world) ctx() context.Context { return w.T.Context() }

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// attrs makes attributes of name, value, name, value and so on.
func attrs(list ...any) identity.Attrs {
	var out identity.Attrs
	for i := 0; i < len(list); i += 2 {
		out = append(out, identity.Attr{Name: list[i].(string), Value: list[i+1]})
	}
	return out
}

// user creates a user with a userPrincipalName of the name, and returns the id.
func (w *world) user(name string, more ...any) string {
	w.T.Helper()
	e, err := w.CreateUser(w.ctx(), append(attrs("userPrincipalName", name+"@example.com", "displayName", name), attrs(more...)...))
	w.must(err)
	return e.Anchor
}

func (w *world) group(name string, more ...any) string {
	w.T.Helper()
	e, err := w.CreateGroup(w.ctx(), append(attrs("displayName", name), attrs(more...)...))
	w.must(err)
	return e.Anchor
}

// exec runs a statement on the database itself.
func (w *world) exec(statement string) error {
	return w.db.Tx(w.ctx(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(w.ctx(), statement)
		return err
	})
}

// empty purges everybody.
func (w *world) empty() {
	w.T.Helper()
	for _, kind := range []identity.Kind{identity.User, identity.Group} {
		for item, err := range w.Scan(w.ctx(), connector.ReadRequest{Kind: kind}, "") {
			w.must(err)
			w.must(w.Batch(w.ctx(), func(tx *directory.Tx) error { return tx.Purge(kind, item.Object.Anchor) }))
		}
	}
}

func user(id string) identity.Ref  { return identity.Ref{Kind: identity.User, Anchor: id} }
func group(id string) identity.Ref { return identity.Ref{Kind: identity.Group, Anchor: id} }

// moved does something and returns whom the feed delivers because of it: the ids of objects, with "gone " before those
// that are.
func (w *world) moved(f func()) map[string]bool {
	w.T.Helper()
	since, err := w.Position(w.ctx())
	w.must(err)
	f()
	out := map[string]bool{}
	for _, kind := range []identity.Kind{identity.User, identity.Group} {
		for item, err := range w.Changes(w.ctx(), connector.ReadRequest{Kind: kind}, "", since) {
			w.must(err)
			key := item.Object.Anchor
			if item.Gone {
				key = "gone " + key
			}
			if out[key] {
				w.T.Errorf("%s is delivered twice", key)
			}
			out[key] = true
		}
	}
	return out
}

func (w *world) same(what string, want, got any) {
	w.T.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.T.Errorf("%s (- want, + got):\n%s", what, diff)
	}
}

func set(ids ...string) map[string]bool {
	out := map[string]bool{}
	for _, id := range ids {
		out[id] = true
	}
	return out
}
