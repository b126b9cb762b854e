package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// undo plans the undo of a cycle, carries it out, and holds the two against each other.
func (w *world) undo(of engine.RunReport) engine.RunReport {
	w.t.Helper()
	opt := engine.Options{Manual: true, Undo: of.Cycle.ID}
	told := w.plan(opt)
	w.forgetCalls()
	rep, err := w.engine().Run(w.t.Context(), w.subject(), opt)
	if err != nil {
		w.t.Fatalf("undo: %v", err)
	}
	if rep.Cycle.Type != store.Undo || rep.Cycle.State == store.Failed {
		w.t.Errorf("cycle %+v: %s", rep.Cycle, rep.Error)
	}
	w.checkLog(rep)
	w.compare(told, rep)
	if j := w.subject().Job; !j.Paused || !j.InitialDue {
		w.t.Errorf("paused %v, initial cycle due %v", j.Paused, j.InitialDue)
	}
	return rep
}

// reasonOf is the reason of an object's record.
func (w *world) reasonOf(rep engine.RunReport, id string) string {
	w.t.Helper()
	for _, r := range w.records(rep.Cycle.ID) {
		if r.SourceID == id {
			if _, rest, ok := strings.Cut(string(r.Doc), `"reason":"`); ok {
				reason, _, _ := strings.Cut(rest, `"`)
				return reason
			}
		}
	}
	return ""
}

func TestUndoWritesBackWhatACycleReplaced(t *testing.T) { // design D5
	feeds(t, func(t *testing.T, feed bool) {
		w := newWorld(t, setup{feed: feed})
		w.source.Put(user("ann", "title", "Clerk", "manager", "bob"), user("bob", "title", "Clerk"), user("cid"), user("dan", "title", "Clerk"))
		w.run()
		w.source.Put(user("ann", "title", "Boss", "name", "Anna", "manager", "cid"), user("bob", "title", "Boss"), user("cid", "title", "Boss"))
		bad := w.run()
		if bad.Counts.Updated != 3 {
			t.Fatalf("counts %+v", bad.Counts)
		}
		rep := w.undo(bad)
		if rep.Counts.Updated != 3 || rep.Counts.Skipped+rep.Counts.Failed != 0 || len(w.writes()) != 3 {
			t.Errorf("counts %+v, writes %s", rep.Counts, show(w.writes()))
		}
		if got := w.account(identity.User, "ann"); got["title"] != "Clerk" || got["displayName"] != "Name ann" || got["manager"] != "bob" {
			t.Errorf("ann %v", got)
		}
		if _, there := w.account(identity.User, "cid")["title"]; there {
			t.Errorf("cid %v: the title that was not there before is still there", w.account(identity.User, "cid"))
		}
		if got := w.codeOf(rep, "ann"); got != "update success" {
			t.Errorf("record %q", got)
		}
		again := w.undo(bad) // nothing is left to do
		if again.Counts.Unchanged != 3 || len(w.writes()) != 0 {
			t.Errorf("counts %+v, writes %s", again.Counts, show(w.writes()))
		}
		w.start() // the source still says what it said
		after := w.run()
		if after.Counts.Updated != 3 || w.account(identity.User, "ann")["title"] != "Boss" {
			t.Errorf("counts %+v, ann %v", after.Counts, w.account(identity.User, "ann"))
		}
		w.steady()
	})
}

func TestUndoLeavesWhatWasChangedSince(t *testing.T) { // design D5
	w := newWorld(t, setup{})
	w.source.Put(user("ann", "title", "Clerk"), user("bob", "title", "Clerk"), user("cid", "title", "Clerk"), user("dan", "title", "Clerk"))
	w.run()
	for _, id := range []string{"ann", "bob", "cid", "dan"} {
		w.source.Put(user(id, "title", "Boss", "name", "New"))
	}
	bad := w.run()
	w.edit(identity.User, "ann", "title", "by hand")
	w.source.Put(user("bob", "title", "later", "name", "later"))
	w.run()
	w.target.Remove(identity.User, w.anchorOf(identity.User, "cid"))
	rep := w.undo(bad)
	if rep.Counts.Updated != 2 || rep.Counts.Skipped != 2 || rep.Counts.Failed != 0 {
		t.Errorf("counts %+v", rep.Counts)
	}
	if got := w.account(identity.User, "ann"); got["title"] != "by hand" || got["displayName"] != "Name ann" {
		t.Errorf("ann %v", got)
	}
	if got := w.account(identity.User, "bob"); got["title"] != "later" || got["displayName"] != "later" {
		t.Errorf("bob %v", got)
	}
	for id, want := range map[string]string{"ann": "update warning ChangedSince", "bob": "other skipped ChangedSince", "cid": "other skipped ChangedSince", "dan": "update success"} {
		if got := w.codeOf(rep, id); got != want {
			t.Errorf("%s: record %q, want %q (%s)", id, got, want, w.reasonOf(rep, id))
		}
	}
	if got := w.reasonOf(rep, "ann"); !strings.Contains(got, "title") || strings.Contains(got, "displayName") {
		t.Errorf("reason %q", got)
	}
}

func TestUndoOfCreations(t *testing.T) { // design D5
	start := func(t *testing.T, s setup) (*world, engine.RunReport) {
		w := newWorld(t, s)
		w.source.Put(user("old"), group("g", "old"))
		w.run()
		w.source.Put(user("ann"), user("bob", "manager", "ann"), group("h", "ann", "old"), group("g", "old", "ann"))
		bad := w.run()
		if bad.Counts.Created != 3 || bad.Counts.Updated != 1 {
			t.Fatalf("counts %+v", bad.Counts)
		}
		return w, bad
	}
	t.Run("they are deleted", func(t *testing.T) {
		w, bad := start(t, setup{})
		rep := w.undo(bad)
		if rep.Counts.Deleted != 3 || rep.Counts.Updated != 1 || len(w.target.Objects(identity.User)) != 1 || len(w.target.Objects(identity.Group)) != 1 {
			t.Errorf("counts %+v", rep.Counts)
		}
		if diff := cmp.Diff([]string{"old"}, w.members("g")); diff != "" {
			t.Errorf("members (- want, + got):\n%s", diff)
		}
		w.start()
		if after := w.run(); after.Counts.Created != 3 || after.Counts.Updated != 1 || len(w.members("g")) != 2 {
			t.Errorf("after that: %+v, members %v", after.Counts, w.members("g"))
		}
		w.steady()
	})
	t.Run("or disabled where the rule does not delete, groups stay", func(t *testing.T) {
		w, bad := start(t, setup{rules: func(rules []job.Rule) []job.Rule {
			for i := range rules {
				rules[i].Actions.Delete = false
			}
			return rules
		}})
		rep := w.undo(bad)
		if rep.Counts.Disabled != 2 || rep.Counts.Updated != 1 || rep.Counts.Skipped != 1 || w.active("ann") || !w.active("old") {
			t.Errorf("counts %+v", rep.Counts)
		}
		w.start()
		w.run()
		if !w.active("ann") {
			t.Error("not enabled again")
		}
		w.steady()
	})
	t.Run("but not when somebody has changed them since", func(t *testing.T) {
		w, bad := start(t, setup{})
		w.edit(identity.User, "ann", "title", "by hand")
		w.edit(identity.User, "ann", "displayName", "by hand")
		w.source.Put(user("bob", "manager", "ann", "title", "later"))
		w.run()
		rep := w.undo(bad)
		if rep.Counts.Deleted != 1 || rep.Counts.Skipped != 2 || w.account(identity.User, "ann") == nil || w.account(identity.User, "bob") == nil {
			t.Errorf("counts %+v", rep.Counts)
		}
	})
	t.Run("and not more than the guard lets go", func(t *testing.T) { // design D6
		w := newWorld(t, setup{settings: percent(20, 500, 5)})
		fill(w, 12)
		bad := w.run()
		for range 2 {
			rep := w.undo(bad)
			if rep.Counts.Staged != 12 || rep.Counts.Deleted != 0 || rep.Held != "TooManyDeletes" || len(w.staged()) != 12 {
				t.Errorf("counts %+v, held %q, %d staged", rep.Counts, rep.Held, len(w.staged()))
			}
		}
		w.allow()
		rep := w.undo(bad)
		if rep.Counts.Deleted != 12 || len(w.target.Objects(identity.User)) != 0 || len(w.staged()) != 0 {
			t.Errorf("counts %+v", rep.Counts)
		}
	})
}

func TestUndoOfDisablesAndEnables(t *testing.T) { // design D5
	w := newWorld(t, setup{rules: filtered(inSales())})
	w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Sales"), user("cid", "department", "Sales"), user("dan", "department", "Sales"))
	w.run()
	w.source.Put(disabled(user("cid", "department", "Sales")))
	w.run()
	w.source.Put(user("ann", "department", "Ops"), disabled(user("bob", "department", "Sales")), user("cid", "department", "Sales"))
	bad := w.run()
	want(t, bad, store.Counts{Disabled: 2, Enabled: 1, Unchanged: 1})
	rep := w.undo(bad)
	if rep.Counts.Enabled != 2 || rep.Counts.Disabled != 1 || !w.active("ann") || !w.active("bob") || w.active("cid") {
		t.Errorf("counts %+v, ann %v, bob %v, cid %v", rep.Counts, w.active("ann"), w.active("bob"), w.active("cid"))
	}
	w.undo(rep) // an undo can be undone
	if w.active("ann") || w.active("bob") || !w.active("cid") {
		t.Errorf("undone again: ann %v, bob %v, cid %v", w.active("ann"), w.active("bob"), w.active("cid"))
	}
	w.start()
	w.run()
	if w.active("ann") || w.active("bob") || !w.active("cid") {
		t.Errorf("next cycle: ann %v, bob %v, cid %v", w.active("ann"), w.active("bob"), w.active("cid"))
	}
	w.steady()
}

// TestUndoOfADisableSendsMembershipsAgain: the application dropped them with the account that was disabled.
func TestUndoOfADisableSendsMembershipsAgain(t *testing.T) { // engine.R88, design D5
	w := newWorld(t, setup{})
	w.crew()
	w.source.Put(group("idle", "deputy"))
	w.run()
	w.source.Put(disabled(user("worker", "manager", "deputy")))
	bad := w.run()
	want(t, bad, store.Counts{Disabled: 1, Unchanged: bad.Counts.Unchanged})
	w.teamIs("boss", "deputy")
	rep := w.undo(bad)
	if diff := cmp.Diff([]string{"boss", "deputy", "worker"}, w.members("team")); diff != "" {
		t.Errorf("members (- want, + got):\n%s", diff)
	}
	if rep.Counts.Enabled != 1 || rep.Counts.Updated != 1 {
		t.Errorf("counts %+v", rep.Counts)
	}
	w.source.Put(user("worker", "manager", "deputy"))
	w.start()
	w.run()
	w.steady()
}

func TestUndoOfDeletions(t *testing.T) { // design D5
	w := newWorld(t, setup{})
	w.source.Put(user("ann", "title", "Clerk", "manager", "bob"), user("bob"), user("cid", "manager", "ann"), group("g", "ann", "bob"), group("h", "ann"), group("i", "bob"))
	w.run()
	old := w.anchorOf(identity.User, "ann")
	w.source.Remove(identity.User, "ann")
	w.source.Remove(identity.Group, "h")
	w.source.Put(group("g", "bob"), user("cid", "manager", "bob"))
	bad := w.run()
	if bad.Counts.Deleted != 2 || bad.Counts.Updated != 2 {
		t.Fatalf("counts %+v", bad.Counts)
	}
	told := w.plan(engine.Options{Undo: bad.Cycle.ID})
	for _, ch := range told.Changes {
		if ch.Source.ID == "ann" && (ch.Action != plan.Create || !strings.Contains(ch.Reason, "another id")) {
			t.Errorf("%s: %s", ch.Action, ch.Reason)
		}
	}
	rep := w.undo(bad)
	if rep.Counts.Created != 2 || rep.Counts.Updated != 2 || rep.Counts.Failed+rep.Counts.Skipped != 0 {
		t.Errorf("counts %+v", rep.Counts)
	}
	got := w.account(identity.User, "ann")
	if got["title"] != "Clerk" || got["manager"] != "bob" || !w.active("ann") || w.anchorOf(identity.User, "ann") == old {
		t.Errorf("ann %v", got)
	}
	if w.account(identity.User, "cid")["manager"] != "ann" {
		t.Errorf("cid %v", w.account(identity.User, "cid"))
	}
	for g, members := range map[string][]string{"g": {"ann", "bob"}, "h": {"ann"}, "i": {"bob"}} {
		if diff := cmp.Diff(members, w.members(g)); diff != "" {
			t.Errorf("members of %s (- want, + got):\n%s", g, diff)
		}
	}
	w.start()
	if after := w.run(); after.Counts.Deleted != 2 || w.account(identity.User, "ann") != nil {
		t.Errorf("the source still says that they are gone: %+v", after.Counts)
	}
	w.steady()
}

func TestUndoOfMemberships(t *testing.T) { // design D5
	w := newWorld(t, setup{})
	w.source.Put(user("ann"), user("bob"), user("cid"), user("dan"), group("g", "ann", "bob"), group("h", "ann", "bob"))
	w.run()
	w.source.Put(group("g", "cid", "dan"), group("h", "ann", "cid"))
	bad := w.run()
	w.source.Put(group("h", "ann"))
	w.run() // a later cycle took away again what the bad one had added
	rep := w.undo(bad)
	if rep.Counts.Updated != 2 || rep.Counts.Failed != 0 {
		t.Errorf("counts %+v", rep.Counts)
	}
	for g, members := range map[string][]string{"g": {"ann", "bob"}, "h": {"ann", "bob"}} {
		if diff := cmp.Diff(members, w.members(g)); diff != "" {
			t.Errorf("members of %s (- want, + got):\n%s", g, diff)
		}
	}
	w.start()
	w.run()
	if diff := cmp.Diff([]string{"cid", "dan"}, w.members("g")); diff != "" {
		t.Errorf("next cycle (- want, + got):\n%s", diff)
	}
	w.steady()
}

// TestUndoStandsUnderTheMembershipGuard: what a cycle added is not taken away without limit.
func TestUndoStandsUnderTheMembershipGuard(t *testing.T) { // design D5, D6
	w := newWorld(t, setup{settings: func(s *job.Settings) {
		s.MembershipGuard = job.Guard{Enabled: true, Percent: 20, Threshold: 5000, Floor: 3}
	}})
	var all []string
	for i := range 8 {
		w.source.Put(user(num("p", i)))
		all = append(all, num("p", i))
	}
	w.source.Put(group("g", all[:4]...))
	w.run()
	w.source.Put(group("g", all...))
	bad := w.run()
	rep := w.undo(bad)
	if rep.Counts.Staged != 1 || rep.Held != "TooManyDeletes" || len(w.members("g")) != 8 {
		t.Errorf("counts %+v, held %q", rep.Counts, rep.Held)
	}
}

func TestUndoCannotBringBackWhatTheLogHides(t *testing.T) { // engine.R71
	w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule {
		rules = usersOnly(nil)(rules)
		rules[0].Attributes[2].Expression = "Redact([title])"
		return rules
	}})
	w.source.Put(user("ann", "title", "secret"), user("bob"))
	w.run()
	w.source.Put(user("ann", "title", "other", "name", "Anna"))
	rep := w.undo(w.run())
	if got := w.account(identity.User, "ann"); got["title"] != "other" || got["displayName"] != "Name ann" {
		t.Errorf("ann %v", got)
	}
	if got := w.codeOf(rep, "ann"); got != "update warning ChangedSince" {
		t.Errorf("record %q", got)
	}
	for _, r := range w.records(rep.Cycle.ID) {
		if strings.Contains(string(r.Doc), "other\"") {
			t.Errorf("the log shows what is hidden: %s", r.Doc)
		}
	}
}

func TestAnUndoWaitsForTheCycleThatWasInterrupted(t *testing.T) { // design D5, D13
	w := newWorld(t, setup{noPredict: true})
	w.source.Put(user("ann"), user("bob"))
	first := w.run()
	w.source.Put(user("ann", "title", "x"))
	w.interrupt(engine.Options{})
	if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Undo: first.Cycle.ID}); err == nil || !strings.Contains(err.Error(), "rollcall run") {
		t.Errorf("error %v", err)
	}
	w.run()
	w.interrupt(engine.Options{Undo: first.Cycle.ID})
	w.start()
	rep := w.run() // goes on with the undo
	if rep.Cycle.Type != store.Undo || rep.Counts.Deleted != 1 || rep.Counts.Skipped != 1 {
		t.Errorf("cycle %+v, counts %+v", rep.Cycle, rep.Counts)
	}
}

// interrupt runs a cycle whose process dies soon after it has begun.
func (w *world) interrupt(opt engine.Options) {
	w.t.Helper()
	d := &dying{Store: w.db}
	d.left.Store(3)
	w.store = d
	_, err := w.engine().Run(w.t.Context(), w.subject(), opt)
	w.store = w.db
	if !errors.Is(err, errKilled) {
		w.t.Fatalf("the cycle was not cut short: %v", err)
	}
}
