package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

// paused pauses the job of a world.
func (w *world) paused(yes bool) {
	w.t.Helper()
	if _, err := w.db.UpdateJob(w.t.Context(), w.jobID, func(j *store.Job) error { j.Paused = yes; return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) connection(key string) (engine.Connection, error) {
	return w.engine().Connection(w.t.Context(), w.subject(), key, "")
}

// TestLinksAreFound: by source anchor, then by account, then by what was written last (engine.R166, R167).
func TestLinksAreFound(t *testing.T) {
	w := newWorld(t, setup{rules: filtered(inSales())})
	w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Sales"), user("out", "department", "Ops"), group("g", "ann"))
	w.run()
	var listed []string
	err := w.engine().Connections(t.Context(), w.subject(), "", func(c engine.Connection) error {
		listed = append(listed, c.Rule+" "+c.SourceAnchor+" "+c.ObjectTypeName+" "+c.State+" "+c.DisplayName)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"users ann User active Name ann", "users bob User active Name bob", "groups g Group active Group g"}, listed); diff != "" {
		t.Errorf("links (- want, + got):\n%s", diff)
	}
	ann, err := w.connection("ann")
	if err != nil || ann.ObjectID != "ann" || ann.TargetAnchor == "" || ann.Confirmed.IsZero() {
		t.Fatalf("%+v, %v", ann, err)
	}
	for _, key := range []string{ann.TargetAnchor, "ANN@example.com"} {
		if got, err := w.connection(key); err != nil || got != ann {
			t.Errorf("key %s: %+v, %v", key, got, err)
		}
	}
	var ke *engine.KeyError
	for _, key := range []string{"out", "nobody"} {
		if _, err := w.connection(key); !errors.As(err, &ke) || len(ke.Found) != 0 {
			t.Errorf("key %s: %v, want a key error", key, err)
		}
	}
}

// TestADeletedLinkLeavesTheAccount: only the link goes, and only of a paused job (engine.R168). The next cycle finds the
// account again, or after a repair another one, and what refers to it follows.
func TestADeletedLinkLeavesTheAccount(t *testing.T) {
	for _, feed := range []bool{false, true} {
		w := newWorld(t, setup{feed: feed})
		w.source.Put(user("ann"), user("bob", "manager", "ann"), group("g", "ann", "bob"))
		w.run()
		was, err := w.connection("ann")
		if err != nil {
			t.Fatal(err)
		}
		unlink := func() error {
			_, err := w.engine().Unlink(t.Context(), w.subject(), "ann", "", "admin")
			return err
		}
		if err := unlink(); !errors.Is(err, engine.ErrNotPaused) {
			t.Errorf("a link of a running job was deleted: %v", err)
		}
		w.paused(true)
		w.forgetCalls()
		logged := len(w.records(""))
		if err := unlink(); err != nil {
			t.Fatal(err)
		}
		if calls := w.writes(); len(calls) > 0 || !w.active("ann") {
			t.Errorf("the account was touched:%s", show(calls))
		}
		if _, err := w.connection("ann"); err == nil {
			t.Error("the link is still there")
		}
		if n := len(w.records("")) - logged; n != 1 {
			t.Errorf("%d log records, want 1", n)
		}
		var ke *engine.KeyError
		if err := unlink(); !errors.As(err, &ke) || len(ke.Found) != 0 {
			t.Errorf("deleting what is not there: %v", err)
		}
		w.paused(false)
		w.run()
		if now, err := w.connection("ann"); err != nil || now.TargetAnchor != was.TargetAnchor {
			t.Errorf("feed %v: the next cycle linked %q (%v), not %q again", feed, now.TargetAnchor, err, was.TargetAnchor)
		}
		// The repair of engine.R169: another account gets the joining value before the link goes.
		w.paused(true)
		for _, o := range w.target.Objects(identity.User) {
			if o.Anchor == was.TargetAnchor {
				o.Attrs.Set("userName", "somebody else")
				o.Attrs.Set("externalId", "")
				w.target.Put(o)
			}
		}
		if err := unlink(); err != nil {
			t.Fatal(err)
		}
		w.paused(false)
		w.run()
		now, err := w.connection("ann")
		if err != nil || now.TargetAnchor == was.TargetAnchor {
			t.Errorf("feed %v: linked to %q again (%v)", feed, now.TargetAnchor, err)
		}
		if got := w.account(identity.User, "bob")["manager"]; got != "ann" {
			t.Errorf("feed %v: bob's manager is %v", feed, got)
		}
		if diff := cmp.Diff([]string{"ann", "bob"}, w.account(identity.Group, "g")["members"]); diff != "" {
			t.Errorf("feed %v: members (- want, + got):\n%s", feed, diff)
		}
		w.steady()
	}
}

// TestADeletedLinkIsForgottenByAnInterruptedCycle: what a paused cycle had decided about the object is not carried out.
func TestADeletedLinkIsForgottenByAnInterruptedCycle(t *testing.T) {
	for n := 1; ; n += 2 {
		w := newWorld(t, setup{noPredict: true, settings: func(s *job.Settings) { s.DeletionGuard.Enabled = false }})
		w.source.Put(user("ann"), user("bob"))
		w.run()
		w.source.Remove(identity.User, "ann")
		w.source.Put(user("bob", "title", "x"))
		d := &dying{Store: w.db}
		d.left.Store(int64(n))
		w.store = d
		if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err == nil {
			return
		}
		w.store, w.holder = w.db, "after"
		w.later(5 * time.Minute)
		w.paused(true)
		if _, err := w.engine().Unlink(t.Context(), w.subject(), "ann", "", "admin"); err != nil {
			continue // it was deleted before
		}
		w.paused(false)
		w.forgetCalls()
		w.run()
		for _, c := range w.writes() {
			if c.Object == nil && len(c.Change) == 0 {
				t.Errorf("killed after %d writes: the account whose link was deleted was deleted: %s", n, show(w.writes()))
			}
		}
		w.steady()
	}
}
