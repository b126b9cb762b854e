package engine_test

import (
	"testing"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

// forgetting makes the target forget the cursor of its second page, so often.
func (w *world) forgetting(times int) {
	lists := 0
	w.fail(func(c memory.Call) error {
		if c.Op != connector.OpList {
			return nil
		}
		if lists++; lists%2 == 0 && times > 0 {
			times--
			return &connector.Error{Kind: connector.KindNotFound, Op: "list", Detail: "expiredCursor"}
		}
		return nil
	}, nil)
}

// TestAListingBeginsAnewWhenTheTargetForgetsItsCursor (RFC 9865 section 2.2): nobody is taken for new or for gone because
// a part of a listing was lost. A target that forgets every cursor fails the cycle.
func TestAListingBeginsAnewWhenTheTargetForgetsItsCursor(t *testing.T) {
	filled := func(t *testing.T) *world {
		w := newWorld(t, setup{noPredict: true, caps: connector.Caps{PageSize: 2, Concurrency: 1}, rules: usersOnly(nil)})
		for _, id := range []string{"ann", "bob", "cem", "dee", "eve"} {
			w.source.Put(user(id))
		}
		return w
	}
	t.Run("while accounts are matched", func(t *testing.T) {
		w := filled(t)
		w.run()
		again := newWorld(t, setup{noPredict: true, caps: connector.Caps{PageSize: 2, Concurrency: 1}, rules: usersOnly(nil)})
		for _, o := range w.target.Objects(identity.User) {
			again.target.Put(o)
		}
		for _, id := range []string{"ann", "bob", "cem", "dee", "eve"} {
			again.source.Put(user(id))
		}
		again.forgetting(1)
		if rep := again.run(); rep.Cycle.State != store.Succeeded || rep.Counts.Created != 0 {
			t.Errorf("%+v", rep)
		}
		if n, pages := len(again.target.Objects(identity.User)), len(again.calls(connector.OpList)); n != 5 || pages != 4 {
			t.Errorf("%d accounts after %d pages, want the five that were there after four", n, pages)
		}
	})
	t.Run("while accounts are compared", func(t *testing.T) {
		w := filled(t)
		w.run()
		w.forgetting(1)
		rep := w.reconcile()
		drift(t, rep, 5, 0, 0, 0, 0)
		if pages := len(w.calls(connector.OpList)); pages < 4 {
			t.Errorf("%d pages, want one, and three anew", pages)
		}
	})
	t.Run("again and again", func(t *testing.T) {
		w := filled(t)
		w.run()
		w.forgetting(2)
		rep := w.cycle(engine.Options{Manual: true, Reconcile: true})
		if rep.Cycle.State != store.Failed {
			t.Errorf("%+v", rep)
		}
		if n := len(w.target.Objects(identity.User)); n != 5 {
			t.Errorf("%d accounts", n)
		}
	})
}
