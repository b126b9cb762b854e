package engine_test

import (
	"testing"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Engine section 3: what initial and incremental cycles do.

func TestAnInitialCycleFromEndToEnd(t *testing.T) { // engine.R13, R14 as design D1 changes them
	w := newWorld(t, setup{feed: true, rules: filtered(inSales()), caps: connector.Caps{Concurrency: 1}}) // with more, calls that do not wait for each other overlap
	w.target.Put(existing("77", "ann@example.com"))
	w.source.Put(user("ann", "department", "Sales", "manager", "bob"), user("bob", "department", "Sales"), user("out", "department", "Ops"),
		group("g", "ann", "bob", "out"))
	before := w.job()
	if before.Watermark != "" || !before.InitialDue {
		t.Fatalf("job %+v", before)
	}
	rep := w.run()
	want(t, rep, store.Counts{Created: 2, Updated: 1, Skipped: 1}) // bob and the group are made, ann is matched
	if rep.Cycle.Type != store.Initial {
		t.Errorf("the first cycle is %s", rep.Cycle.Type)
	}
	if o := w.state()[store.ObjectKey{Rule: "users", Anchor: "ann"}]; o.Target != "77" || o.State != store.Active {
		t.Errorf("link %+v", o)
	}
	if w.manager("ann") != "bob" || len(w.members("g")) != 2 {
		t.Errorf("manager %v, members %v", w.manager("ann"), w.members("g"))
	}
	calls := w.calls(connector.OpCreate, connector.OpUpdate)
	for i, c := range calls {
		if c.Kind == identity.Group && i+1 < len(calls) && calls[i+1].Kind == identity.User {
			t.Errorf("a group was written before a user:%s", show(calls))
		}
	}
	if j := w.job(); j.Watermark == "" || j.InitialDue {
		t.Errorf("job %+v", j)
	}
	w.steady()
}

func TestAnInitialCycleKeepsLinks(t *testing.T) { // engine.R15
	w := newWorld(t, setup{rules: usersOnly(nil)})
	w.source.Put(user("ann"))
	w.run()
	mine := w.anchorOf(identity.User, "ann")
	w.target.Put(existing("other", "new@example.com")) // which would be a match now
	w.source.Put(user("ann", "login", "renamed@example.com", "title", "x"))
	w.restart(0)
	rep := w.cycle(engine.Options{Manual: true, Initial: true})
	want(t, rep, store.Counts{Updated: 1})
	for _, c := range w.calls(connector.OpUpdate) {
		if c.Anchor != mine {
			t.Errorf("the account %s was written, the link is to %s", c.Anchor, mine)
		}
	}
	if n := len(w.calls(connector.OpFind, connector.OpList)); n != 0 {
		t.Errorf("a linked object was matched again, in %d calls", n)
	}
}

func TestAnIncrementalCycleFromEndToEnd(t *testing.T) { // engine.R17
	w := newWorld(t, setup{feed: true, rules: filtered(inSales())})
	for _, a := range []string{"same", "left", "blocked", "gone", "changed"} {
		w.source.Put(user(a, "department", "Sales"))
	}
	w.run()
	mark := w.job().Watermark
	w.source.Put(user("left", "department", "Ops"), disabled(user("blocked", "department", "Sales")), user("changed", "department", "Sales", "title", "x"),
		user("new", "department", "Sales"), user("out", "department", "Ops"))
	w.source.Remove(identity.User, "gone")
	rep := w.run()
	want(t, rep, store.Counts{Created: 1, Updated: 1, Disabled: 2, Deleted: 1, Skipped: 1})
	if rep.Cycle.Type != store.Incremental || rep.Counts.Imported != 6 {
		t.Errorf("%s, %d objects read", rep.Cycle.Type, rep.Counts.Imported)
	}
	if w.job().Watermark == mark {
		t.Error("the watermark did not move")
	}
	w.steady()
}

func TestWhatChangesInTheTargetAloneIsNotSeen(t *testing.T) { // engine.R18; a reconciliation sees it (design D3)
	w := newWorld(t, setup{rules: usersOnly(nil)})
	w.source.Put(user("ann", "title", "a"), user("bob"))
	w.run()
	o := w.target.Objects(identity.User)[0]
	o.Attrs.Set("displayName", "somebody else")
	w.target.Put(o)
	want(t, w.run(), store.Counts{Unchanged: 2})
	if got := w.target.Objects(identity.User)[0].Text("displayName"); got != "somebody else" {
		t.Errorf("display name %q", got)
	}
}

// TestTheWatermarkIsTakenBeforeTheFirstPage and kept only when the cycle is over: what changes meanwhile is read by the
// next cycle, and a cycle that dies is repeated from the old mark (engine.R19).
func TestTheWatermarkIsTakenBeforeTheFirstPage(t *testing.T) {
	w := newWorld(t, setup{feed: true, noPredict: true, rules: usersOnly(nil)})
	w.source.Put(user("ann"))
	w.run()
	w.source.Put(user("bob"))
	mark := w.job().Watermark
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpCreate {
			w.source.Put(user("late"))
			return &connector.Error{Kind: connector.KindAuth, Code: connector.CodeUnauthorized}
		}
		return nil
	}, nil)
	if rep := w.run(); rep.Cycle.State != store.Failed || w.job().Watermark != mark {
		t.Errorf("cycle %+v, watermark %q, before %q", rep.Cycle, w.job().Watermark, mark)
	}
	w.fail(nil, nil)
	want(t, w.run(), store.Counts{Created: 2})
	w.source.Put(user("cec"))
	once := true
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpCreate && once {
			once = false
			w.source.Put(user("later"))
		}
		return nil
	}, nil)
	want(t, w.run(), store.Counts{Created: 1})
	w.fail(nil, nil)
	want(t, w.run(), store.Counts{Created: 1})
	if w.account(identity.User, "later") == nil {
		t.Error("what changed during a cycle was lost")
	}
	w.steady()
}

func TestEachWaitingFailureIsLookedAtOnceACycle(t *testing.T) { // engine.R106, R107
	w := newWorld(t, setup{feed: true, noPredict: true, rules: usersOnly(nil)})
	w.bad(0, 3)
	w.refusing(false)
	w.run()
	w.later(time.Hour)
	w.forgetCalls()
	rep := w.cycle(engine.Options{})
	want(t, rep, store.Counts{})
	if n := len(w.records(rep.Cycle.ID)); n != 0 || rep.Requests.Total > 1 {
		t.Errorf("failures that wait cost %d records and %d calls", n, rep.Requests.Total)
	}
	w.later(5 * time.Hour)
	rep = w.cycle(engine.Options{})
	want(t, rep, store.Counts{Failed: 3})
	if n := len(w.records(rep.Cycle.ID)); n != 3 {
		t.Errorf("%d records of 3 retries", n)
	}
}
