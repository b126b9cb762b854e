package directory_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// An operation that fails after it has written something, here because a value is put there that the schema of the
// database refuses, takes nobody with it and leaves nothing behind.
func TestOneThatFailsHalfwayTakesNobodyWithIt(t *testing.T) {
	onBoth(t, func(w *world) {
		err := w.exec(`CREATE UNIQUE INDEX test_once ON dir_value (attr, value)`)
		w.must(err)
		w.user("holder", "employeeId", "E1")
		var wg sync.WaitGroup
		outcomes := make([]error, 40)
		for i := range outcomes {
			wg.Go(func() {
				id := ""
				if i%10 == 5 {
					id = "E1" // breaks the index after the user has been written
				}
				_, outcomes[i] = w.CreateUser(w.ctx(), attrs("userPrincipalName", string(rune('a'+i))+"@x", "displayName", "x", "employeeId", id))
			})
		}
		wg.Wait()
		for i, err := range outcomes {
			if (err != nil) != (i%10 == 5) {
				w.T.Errorf("outcome %d: %v", i, err)
			}
		}
		live, _, err := w.Count(w.ctx(), identity.User)
		w.must(err)
		w.same("users", int64(37), live)

		err = w.Batch(w.ctx(), func(tx *directory.Tx) error {
			if _, err := tx.CreateUser(attrs("userPrincipalName", "swallowed@x", "displayName", "x", "employeeId", "E1")); err == nil {
				return errors.New("the index does not hold")
			}
			return nil // a batch that overlooks a failure is not committed
		})
		if err == nil {
			w.T.Error("a batch with an operation left half done was committed")
		}
		if _, err := w.User(w.ctx(), "swallowed@x"); !errors.Is(err, directory.ErrNotFound) {
			w.T.Errorf("left behind: %v", err)
		}
	})
}
