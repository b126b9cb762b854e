package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

// never switches the reconciliation off.
func never(s *job.Settings) { s.Reconcile = job.Never }

// drifting sets what becomes of changes in the target; attributes come in pairs.
func drifting(word string, attributes ...string) func(*job.Settings) {
	return func(s *job.Settings) {
		s.Drift = word
		for i := 0; i+1 < len(attributes); i += 2 {
			if s.DriftAttributes == nil {
				s.DriftAttributes = map[string]string{}
			}
			s.DriftAttributes[attributes[i]] = attributes[i+1]
		}
	}
}

// edit changes an account by hand; attributes come in pairs, nil takes a value away.
func (w *world) edit(kind identity.Kind, id string, pairs ...any) {
	w.t.Helper()
	for _, o := range w.target.Objects(kind) {
		if o.Text("externalId") != id {
			continue
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			o.Attrs.Set(pairs[i].(string), pairs[i+1])
		}
		o.Attrs = slices.DeleteFunc(o.Attrs, func(a identity.Attr) bool { return a.Value == nil })
		w.target.Put(o)
		return
	}
	w.t.Fatalf("there is no account of %s", id)
}

// reconcile runs a cycle that compares the target.
func (w *world) reconcile() engine.RunReport {
	w.t.Helper()
	return w.cycle(engine.Options{Manual: true, Reconcile: true})
}

func drift(t *testing.T, rep engine.RunReport, accounts, unmanaged, changed, corrected, missing int64) {
	t.Helper()
	want := &store.Reconciliation{Accounts: accounts, Unmanaged: unmanaged, Changed: changed, Corrected: corrected, Missing: missing}
	if diff := cmp.Diff(want, rep.Drift, cmpopts.IgnoreFields(store.Reconciliation{}, "At", "CycleID")); diff != "" {
		t.Errorf("drift (- want, + got):\n%s", diff)
	}
}

// modified returns the modified properties of an object's record as "name: old -> new".
func (w *world) modified(rep engine.RunReport, id string) []string {
	w.t.Helper()
	var out []string
	for _, r := range w.records(rep.Cycle.ID) {
		if r.SourceID != id {
			continue
		}
		var doc struct {
			Modified []struct {
				Name string `json:"displayName"`
				Old  any    `json:"oldValue"`
				New  any    `json:"newValue"`
			} `json:"modifiedProperties"`
		}
		if err := json.Unmarshal(r.Doc, &doc); err != nil {
			w.t.Fatal(err)
		}
		text := func(v any) string {
			b, err := json.Marshal(v)
			if err != nil {
				w.t.Fatal(err)
			}
			return string(b)
		}
		for _, p := range doc.Modified {
			out = append(out, p.Name+": "+text(p.Old)+" -> "+text(p.New))
		}
	}
	return out
}

func feeds(t *testing.T, f func(t *testing.T, feed bool)) {
	t.Helper()
	t.Run("full reads", func(t *testing.T) { f(t, false) })
	t.Run("a change feed", func(t *testing.T) { f(t, true) })
}

func TestDriftIsReported(t *testing.T) { // design D3
	feeds(t, func(t *testing.T, feed bool) {
		w := newWorld(t, setup{feed: feed})
		w.source.Put(user("ann", "title", "Clerk"), user("bob", "title", "Clerk"), user("cid", "title", "Clerk", "manager", "ann"))
		w.run()
		w.target.Put(like("500", "stranger"))
		w.edit(identity.User, "bob", "title", "Boss")
		w.edit(identity.User, "cid", "manager", nil)
		for range 2 { // told each time
			rep := w.reconcile()
			drift(t, rep, 4, 1, 2, 0, 0)
			if rep.Counts.Unchanged < 2 || rep.Counts.Updated+rep.Counts.Skipped+rep.Counts.Failed != 0 || len(w.writes()) != 0 {
				t.Errorf("counts %+v, writes %s", rep.Counts, show(w.writes()))
			}
			if got := w.codeOf(rep, "bob"); got != "other warning Drift" {
				t.Errorf("record %q", got)
			}
			if diff := cmp.Diff([]string{`title: "Clerk" -> "Boss"`}, w.modified(rep, "bob")); diff != "" {
				t.Errorf("modified properties (- want, + got):\n%s", diff)
			}
			if got := w.modified(rep, "cid"); len(got) != 1 || !strings.HasPrefix(got[0], "manager: ") || !strings.HasSuffix(got[0], " -> null") {
				t.Errorf("modified properties %q", got)
			}
		}
		w.steady()
		w.source.Put(user("bob", "title", "Clerk", "name", "Robert")) // what did not change in the source is not sent either
		w.run()
		if got := w.account(identity.User, "bob"); got["title"] != "Boss" || got["displayName"] != "Robert" {
			t.Errorf("account %v", got)
		}
	})
}

func TestDriftIsCorrectedWithOneCall(t *testing.T) { // design D3
	feeds(t, func(t *testing.T, feed bool) {
		w := newWorld(t, setup{feed: feed, settings: drifting(job.DriftCorrect)})
		w.source.Put(user("ann", "title", "Clerk"), user("bob", "title", "Clerk", "manager", "ann"), user("cid"))
		w.run()
		w.target.Put(like("500", "stranger"))
		cid := identity.Ref{Kind: identity.User, Anchor: w.anchorOf(identity.User, "cid")}
		w.edit(identity.User, "bob", "title", "Boss", "displayName", "Bobby", "manager", cid)
		rep := w.reconcile()
		drift(t, rep, 4, 1, 1, 1, 0)
		if rep.Counts.Updated != 1 || len(w.writes()) != 1 {
			t.Errorf("counts %+v, writes %s", rep.Counts, show(w.writes()))
		}
		if got := w.account(identity.User, "bob"); got["title"] != "Clerk" || got["displayName"] != "Name bob" || got["manager"] != "ann" {
			t.Errorf("account %v", got)
		}
		if got := w.modified(rep, "bob"); len(got) != 3 || !slices.Contains(got, `title: "Boss" -> "Clerk"`) {
			t.Errorf("modified properties %q", got)
		}
		rep = w.reconcile()
		drift(t, rep, 4, 1, 0, 0, 0)
		if len(w.writes()) != 0 {
			t.Errorf("writes %s", show(w.writes()))
		}
		w.steady()
	})
}

func TestDriftPerAttribute(t *testing.T) { // design D3
	w := newWorld(t, setup{settings: drifting(job.DriftReport, "title", job.DriftCorrect, "displayName", job.DriftIgnore)})
	w.source.Put(user("ann", "title", "Clerk", "manager", "bob"), user("bob"))
	w.run()
	w.edit(identity.User, "ann", "title", "Boss", "displayName", "Annie", "manager", nil)
	rep := w.reconcile()
	drift(t, rep, 2, 0, 1, 1, 0)
	if got := w.codeOf(rep, "ann"); got != "update warning Drift" { // the update went well, and something is told
		t.Errorf("record %q", got)
	}
	if diff := cmp.Diff([]string{`title: "Boss" -> "Clerk"`}, w.modified(rep, "ann")); diff != "" {
		t.Errorf("modified properties (- want, + got):\n%s", diff)
	}
	if got := w.account(identity.User, "ann"); got["title"] != "Clerk" || got["displayName"] != "Annie" || got["manager"] != nil {
		t.Errorf("account %v", got)
	}
	if rep := w.reconcile(); rep.Drift.Changed != 1 || rep.Drift.Corrected != 0 {
		t.Errorf("drift %+v", rep.Drift)
	}
	w.edit(identity.User, "ann", "manager", identity.Ref{Kind: identity.User, Anchor: w.anchorOf(identity.User, "bob")})
	drift(t, w.reconcile(), 2, 0, 0, 0, 0) // what is ignored is not counted either
}

func TestASourceThatChangedToWhatTheTargetHas(t *testing.T) { // design D3
	w := newWorld(t, setup{})
	w.source.Put(user("ann", "title", "a"), user("bob"))
	w.run()
	w.edit(identity.User, "ann", "title", "b")
	w.source.Put(user("ann", "title", "b"))
	rep := w.reconcile()
	drift(t, rep, 2, 0, 0, 0, 0)
	want(t, rep, store.Counts{Unchanged: 2})
	w.source.Put(user("ann", "title", "a"))
	want(t, w.run(), store.Counts{Updated: 1, Unchanged: 1})
	if got := w.account(identity.User, "ann")["title"]; got != "a" {
		t.Errorf("title %v", got)
	}
}

func TestAnAccountTurnedOffOrOnByHand(t *testing.T) { // design D3, through the ordinary actions
	w := newWorld(t, setup{settings: drifting(job.DriftCorrect), rules: filtered(inSales())})
	w.source.Put(user("ann", "department", "Sales"), disabled(user("bob", "department", "Sales")), user("cid", "department", "Sales"), user("dan", "department", "Sales"))
	w.source.Put(user("bob", "department", "Sales"))
	w.run()
	w.source.Put(disabled(user("bob", "department", "Sales")))
	w.source.Put(user("dan", "department", "Ops")) // out of scope: released, and nobody's business any more (engine.R84)
	w.run()
	w.edit(identity.User, "ann", "active", false)
	w.edit(identity.User, "bob", "active", true)
	w.edit(identity.User, "dan", "active", true)
	rep := w.reconcile()
	want(t, rep, store.Counts{Enabled: 1, Disabled: 1, Unchanged: 2})
	drift(t, rep, 4, 0, 2, 2, 0)
	if !w.active("ann") || w.active("bob") || !w.active("dan") {
		t.Errorf("ann %v, bob %v, dan %v", w.active("ann"), w.active("bob"), w.active("dan"))
	}
	w.steady()
}

// TestCorrectionsStandUnderTheGuard: accounts that were turned on by hand are turned off through the ordinary export.
func TestCorrectionsStandUnderTheGuard(t *testing.T) { // design D3, D6
	w := newWorld(t, setup{settings: func(s *job.Settings) {
		drifting(job.DriftCorrect)(s)
		percent(20, 500, 5)(s)
	}})
	fill(w, 20)
	w.run()
	for i := range 6 {
		w.source.Put(disabled(user(num("p", i))))
		if i%5 == 4 {
			w.run()
		}
	}
	w.run()
	for i := range 6 {
		w.edit(identity.User, num("p", i), "active", true)
	}
	rep := w.reconcile()
	if rep.Counts.Staged != 6 || rep.Held != "TooManyDeletes" || !w.active(num("p", 0)) {
		t.Errorf("counts %+v, held %q", rep.Counts, rep.Held)
	}
	w.allow()
	rep = w.run()
	if rep.Counts.Disabled != 6 || w.active(num("p", 0)) {
		t.Errorf("counts %+v", rep.Counts)
	}
}

func TestMissingAccounts(t *testing.T) { // design D3, engine.R56
	t.Run("error", func(t *testing.T) {
		feeds(t, func(t *testing.T, feed bool) {
			w := newWorld(t, setup{feed: feed})
			w.source.Put(user("ann"), user("bob"), user("cid"))
			w.run()
			w.target.Remove(identity.User, w.anchorOf(identity.User, "ann"))
			rep := w.reconcile()
			drift(t, rep, 2, 0, 0, 0, 1)
			if rep.Counts.Failed != 1 || len(w.writes()) != 0 || w.codeOf(rep, "ann") != "other failure InvalidAnchor" {
				t.Errorf("counts %+v, record %q, writes %s", rep.Counts, w.codeOf(rep, "ann"), show(w.writes()))
			}
			if rep.Requests.Total != 2+1+1 { // two probes, a page, and a read of the account that was not on it
				t.Errorf("%d calls", rep.Requests.Total)
			}
		})
	})
	t.Run("rematch makes another account, with its memberships", func(t *testing.T) {
		feeds(t, func(t *testing.T, feed bool) {
			w := newWorld(t, setup{feed: feed, settings: func(s *job.Settings) { s.OnMissingTarget = job.MissingRematch }})
			w.source.Put(user("ann"), user("bob"), user("cid"))
			w.source.Put(group("g", "ann", "bob"), group("h", "bob"))
			w.run()
			if err := w.target.Delete(t.Context(), identity.User, w.anchorOf(identity.User, "ann")); err != nil {
				t.Fatal(err)
			}
			rep := w.reconcile()
			drift(t, rep, 4, 0, 0, 0, 1)
			if rep.Counts.Created != 1 || rep.Counts.Updated != 1 || rep.Counts.Failed != 0 {
				t.Errorf("counts %+v", rep.Counts)
			}
			if diff := cmp.Diff([]string{"ann", "bob"}, w.members("g")); diff != "" {
				t.Errorf("members (- want, + got):\n%s", diff)
			}
			w.steady()
			drift(t, w.reconcile(), 5, 0, 0, 0, 0)
		})
	})
	t.Run("rematch finds another account", func(t *testing.T) {
		w := newWorld(t, setup{settings: func(s *job.Settings) { s.OnMissingTarget = job.MissingRematch }})
		w.source.Put(user("ann"), user("bob"))
		w.run()
		w.target.Remove(identity.User, w.anchorOf(identity.User, "ann"))
		w.target.Put(like("77", "ann"))
		rep := w.reconcile()
		drift(t, rep, 2, 1, 0, 0, 1)
		if o := w.state()[store.ObjectKey{Rule: "users", Anchor: "ann"}]; o.Target != "77" || rep.Counts.Created != 0 {
			t.Errorf("link %+v, counts %+v", o, rep.Counts)
		}
		w.steady()
	})
	t.Run("rematch lets go of somebody who is disabled", func(t *testing.T) {
		w := newWorld(t, setup{settings: func(s *job.Settings) { s.OnMissingTarget = job.MissingRematch }})
		w.source.Put(user("ann"), user("bob"), user("cid"))
		w.run()
		w.source.Put(disabled(user("ann")))
		w.run()
		w.target.Remove(identity.User, w.anchorOf(identity.User, "ann"))
		rep := w.reconcile()
		want(t, rep, store.Counts{Unchanged: 3})
		if _, known := w.state()[store.ObjectKey{Rule: "users", Anchor: "ann"}]; known || len(w.writes()) != 0 {
			t.Errorf("state %v, writes %s", w.state(), show(w.writes()))
		}
	})
}

// TestAListingThatLacksMuchIsNotBelieved: an application whose listing is broken must not make everybody fail.
func TestAListingThatLacksMuchIsNotBelieved(t *testing.T) { // design D3, D6
	w := newWorld(t, setup{settings: func(s *job.Settings) { s.OnMissingTarget = job.MissingRematch }})
	fill(w, 9)
	w.run()
	for i := range 5 {
		w.target.Remove(identity.User, w.anchorOf(identity.User, num("p", i)))
	}
	rep := w.reconcile()
	drift(t, rep, 4, 0, 0, 0, 0)
	want(t, rep, store.Counts{Unchanged: 9})
	if len(w.calls(connector.OpGet)) != 0 || len(rep.Warnings) != 1 || !strings.Contains(rep.Warnings[0], "nobody is taken for deleted") {
		t.Errorf("reads %s, warnings %q", show(w.calls(connector.OpGet)), rep.Warnings)
	}
}

func TestAnAttributeThatTheTargetNeverShows(t *testing.T) { // design D3
	w := newWorld(t, setup{settings: drifting(job.DriftCorrect)})
	for _, id := range []string{"ann", "bob", "cid"} {
		w.source.Put(user(id, "title", "Clerk"))
	}
	w.run()
	for _, id := range []string{"ann", "bob", "cid"} {
		w.edit(identity.User, id, "title", nil)
	}
	rep := w.reconcile()
	drift(t, rep, 3, 0, 0, 0, 0)
	if len(w.writes()) != 0 || len(rep.Warnings) != 1 || !strings.Contains(rep.Warnings[0], "no value of title") {
		t.Errorf("writes %s, warnings %q", show(w.writes()), rep.Warnings)
	}
	w.edit(identity.User, "ann", "title", "Clerk") // one account shows it, so the others have lost theirs
	drift(t, w.reconcile(), 3, 0, 2, 2, 0)
}

// TestWhenAReconciliationIsDue: at the interval, counted from the end of the initial cycle (design D3).
func TestWhenAReconciliationIsDue(t *testing.T) {
	w := newWorld(t, setup{})
	w.source.Put(user("ann"), user("bob"))
	for _, step := range []struct {
		after time.Duration
		lists bool
	}{
		{0, false}, // the initial cycle
		{23 * time.Hour, false}, {time.Hour, true}, {time.Hour, false}, {22 * time.Hour, false}, {time.Hour, true},
	} {
		w.later(step.after)
		rep := w.run()
		if got := rep.Drift != nil; got != step.lists || step.lists != (rep.Cycle.Type != store.Initial && len(w.calls(connector.OpList)) > 0) {
			t.Errorf("after %s more: reconciled %v, want %v; %d pages", step.after, got, step.lists, len(w.calls(connector.OpList)))
		}
	}
	w.def.Settings.Reconcile = job.Never
	w.later(1000 * time.Hour)
	if rep := w.run(); rep.Drift != nil {
		t.Errorf("reconciled although it is switched off")
	}
	if rep := w.reconcile(); rep.Drift == nil {
		t.Errorf("not reconciled although it was asked for")
	}
}

// TestReconciliationCostsPages: one call for each page, and none for each account (design D3, P2).
func TestReconciliationCostsPages(t *testing.T) {
	w := newWorld(t, setup{caps: connector.Caps{PageSize: 10}})
	fill(w, 25)
	w.source.Put(group("g", num("p", 1)))
	w.run()
	rep := w.reconcile()
	if lists, all := len(w.calls(connector.OpList)), rep.Requests.Total; lists != 3+1 || all != 3+1+2 {
		t.Errorf("%d pages, %d calls", lists, all)
	}
	// The accounts that were listed are the index of those that are looked for (design D1).
	w.source.Put(user("new"), user("newer"))
	w.target.Put(like("900", "newer"))
	rep = w.reconcile()
	if rep.Counts.Created != 1 || rep.Counts.Updated+rep.Counts.Unchanged != 27 || len(w.calls(connector.OpFind)) != 0 {
		t.Errorf("counts %+v, %d queries", rep.Counts, len(w.calls(connector.OpFind)))
	}
}

// TestReconciliationConfirms: accounts that were compared need not be read before they are updated (design D1).
func TestReconciliationConfirms(t *testing.T) {
	w := newWorld(t, setup{})
	w.source.Put(user("ann"), user("bob"))
	w.run()
	w.later(25 * time.Hour)
	w.run()
	w.later(23 * time.Hour)
	w.source.Put(user("ann", "title", "x"))
	want(t, w.run(), store.Counts{Updated: 1, Unchanged: 1})
	if n := len(w.calls(connector.OpGet)); n != 0 {
		t.Errorf("%d reads", n)
	}
}

func TestATargetThatCannotList(t *testing.T) { // design D3
	w := newWorld(t, setup{noPredict: true})
	w.source.Put(user("ann"))
	w.run()
	s := w.subject()
	s.Target = withoutList{s.Target}
	rep, err := w.engine().Run(t.Context(), s, engine.Options{Manual: true, Reconcile: true})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Drift != nil || len(rep.Warnings) != 1 || rep.Cycle.State != store.Succeeded {
		t.Errorf("report %+v", rep)
	}
}

// withoutList hides that the target can list.
type withoutList struct{ connector.Target }

// TestAReconciliationGoesOn at the page where a process died, and a slice ends after a page at the latest (design D13).
func TestAReconciliationGoesOn(t *testing.T) {
	clock := noon
	w := newWorld(t, setup{noPredict: true, caps: connector.Caps{PageSize: 5, Concurrency: 1}, settings: drifting(job.DriftCorrect),
		slice: time.Millisecond, now: func() time.Time { clock = clock.Add(time.Millisecond); return clock }})
	fill(w, 12)
	w.run()
	w.edit(identity.User, num("p", 3), "title", "Boss")
	w.source.Put(user(num("p", 3), "title", "Clerk"))
	w.run()
	w.edit(identity.User, num("p", 3), "title", "Boss")
	ctx, cancel := context.WithCancel(t.Context())
	w.fail(nil, func(c memory.Call) error {
		if c.Op == connector.OpList && len(w.calls(connector.OpList)) == 2 {
			cancel()
		}
		return nil
	})
	w.forgetCalls()
	if _, err := w.engine().Run(ctx, w.subject(), engine.Options{Reconcile: true}); !errors.Is(err, context.Canceled) {
		t.Fatalf("the run was not cut short: %v", err)
	}
	w.fail(nil, nil)
	rep := w.run() // which need not ask for the reconciliation
	drift(t, rep, 12, 0, 1, 1, 0)
	if got := w.account(identity.User, num("p", 3))["title"]; got != "Clerk" {
		t.Errorf("title %v", got)
	}
	if pages := len(w.calls(connector.OpList)); pages != 2 {
		t.Errorf("%d more pages of 3 after the first, want 2", pages)
	}
}
