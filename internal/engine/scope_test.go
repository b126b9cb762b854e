package engine_test

import (
	"testing"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/scope"
	"github.com/rollcall-id/rollcall/internal/store"
)

func filtered(groups ...scope.Group) func([]job.Rule) []job.Rule {
	return func(rules []job.Rule) []job.Rule {
		for i := range rules {
			if rules[i].Name == "users" {
				rules[i].Filter = scope.Filter{Groups: groups}
			}
		}
		return rules
	}
}

func inSales() scope.Group {
	return scope.Group{Name: "Sales", Clauses: []scope.Clause{{Attribute: "department", Operator: "EQUALS", Values: []string{"Sales"}}}}
}

func assigned(o *identity.Object, yes bool, roles ...string) *identity.Object {
	o.Assignment = &identity.Assignment{Assigned: yes}
	for _, r := range roles {
		o.Assignment.Roles = append(o.Assignment.Roles, identity.Role{ID: r, Value: r, DisplayName: r})
	}
	return o
}

func TestObjectsOutsideTheFilterAreSkipped(t *testing.T) { // engine.R38, R27
	w := newWorld(t, setup{rules: filtered(inSales(), scope.Group{Clauses: []scope.Clause{{Attribute: "title", Operator: "EQUALS", Values: []string{"CEO"}}}})})
	w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Ops"), user("cec", "title", "CEO"), user("dan"))
	rep := w.run()
	want(t, rep, store.Counts{Created: 2, Skipped: 2})
	if rep.Counts.InScope != 2 || rep.Counts.Imported != 4 {
		t.Errorf("counts %+v: 4 imported and 2 in scope are right", rep.Counts)
	}
	if got := w.codeOf(rep, "bob"); got != "other skipped EntrySynchronizationSkipped" {
		t.Errorf("record of bob: %s", got)
	}
	if w.account(identity.User, "ann") == nil || w.account(identity.User, "cec") == nil || w.account(identity.User, "bob") != nil {
		t.Error("the accounts are not those of ann and cec")
	}
	w.steady()
}

func TestAnExpressionThatFailsOutsideScopeIsNoFailure(t *testing.T) { // engine.R27
	rules := func(rules []job.Rule) []job.Rule {
		rules = filtered(inSales())(rules)
		rules[1].Attributes[2].Expression = `FormatDateTime([title], "", "yyyy-MM-dd", "yyyy")`
		return rules
	}
	w := newWorld(t, setup{rules: rules})
	w.source.Put(user("ann", "department", "Sales", "title", "no date"), user("bob", "department", "Ops", "title", "no date"))
	rep := w.run()
	want(t, rep, store.Counts{Skipped: 1, Failed: 1})
	if got := w.codeOf(rep, "bob"); got != "other skipped EntrySynchronizationSkipped" {
		t.Errorf("record of bob, who is out of scope: %s", got)
	}
}

func TestScopeByAssignment(t *testing.T) { // engine.R28, R29, R39
	w := newWorld(t, setup{settings: func(s *job.Settings) { s.Scope = job.ScopeAssigned }, rules: filtered(inSales())})
	g := group("g", "ann")
	w.source.Put(assigned(user("ann", "department", "Sales"), true), assigned(user("bob", "department", "Sales"), false),
		assigned(user("cec", "department", "Ops"), true), user("dan", "department", "Sales"), assigned(g, true), group("h", "ann"))
	rep := w.run()
	want(t, rep, store.Counts{Created: 2, Skipped: 4})
	if w.account(identity.User, "ann") == nil || w.account(identity.Group, "g") == nil {
		t.Error("ann and g are assigned and pass the filter, and have no account")
	}
	w.steady()

	w.source.Put(assigned(user("ann", "department", "Sales"), false))
	rep = w.run()
	want(t, rep, store.Counts{Disabled: 1, Unchanged: 5})
	if w.active("ann") {
		t.Error("ann was unassigned and is still active (engine.R77 a)")
	}
	w.steady()
}

func TestDefaultAccessCanBeExcluded(t *testing.T) { // engine.R35
	w := newWorld(t, setup{settings: func(s *job.Settings) { s.Scope, s.ExcludeDefaultAccess = job.ScopeAssigned, true }})
	w.source.Put(assigned(user("ann"), true, "Learner"), assigned(user("bob"), true))
	rep := w.run()
	want(t, rep, store.Counts{Created: 1, Skipped: 1})
	if got := w.codeOf(rep, "bob"); got != "other skipped NotEffectivelyEntitled" {
		t.Errorf("record of bob: %s", got)
	}
}

func TestScopeAllNeedsNoAssignment(t *testing.T) { // engine.R28
	w := newWorld(t, setup{})
	w.source.Put(assigned(user("ann"), false))
	want(t, w.run(), store.Counts{Created: 1})
}

func TestObjectWithoutJoiningValueIsSkippedAtImport(t *testing.T) { // engine.R25
	w := newWorld(t, setup{})
	nobody := user("ann")
	nobody.Attrs.Set("login", nil)
	w.source.Put(nobody, user("bob"))
	rep := w.run()
	want(t, rep, store.Counts{Created: 1, Skipped: 1})
	if got := w.codeOf(rep, "ann"); got != "other skipped ImportSkipped" {
		t.Errorf("record of ann: %s", got)
	}
	w.steady()
	w.source.Put(user("ann"))
	want(t, w.run(), store.Counts{Created: 1, Unchanged: 1})
}

func TestInactiveObjectWithoutAccountIsNotCreated(t *testing.T) { // engine.R78
	w := newWorld(t, setup{})
	off, bin := user("ann"), user("bob")
	off.Disabled, bin.SoftDeleted = true, true
	w.source.Put(off, bin)
	want(t, w.run(), store.Counts{Skipped: 2})
	w.steady()
	w.source.Put(user("ann"), user("bob"))
	want(t, w.run(), store.Counts{Created: 2})
}

func TestProtectedAccountsAreNeverTouched(t *testing.T) {
	w := newWorld(t, setup{settings: func(s *job.Settings) { s.Protected = []string{"BREAKGLASS@example.com"} }})
	w.target.Put(&identity.Object{Kind: identity.User, Anchor: "77", Attrs: identity.Attrs{{Name: "userName", Value: "breakglass@example.com"}, {Name: "active", Value: true}}})
	w.source.Put(user("breakglass", "title", "x"), user("ann"))
	want(t, w.run(), store.Counts{Created: 1, Skipped: 1})
	w.source.Remove(identity.User, "breakglass")
	want(t, w.run(), store.Counts{Unchanged: 1})
	if len(w.target.Objects(identity.User)) != 2 {
		t.Error("the protected account is gone")
	}
}

func TestProtectionOfALinkedAccount(t *testing.T) {
	for _, gone := range []bool{true, false} {
		w := newWorld(t, setup{rules: filtered(inSales())})
		w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Sales"))
		w.run()
		w.def.Settings.Protected = []string{"ann@example.com"}
		if gone {
			w.source.Remove(identity.User, "ann")
		} else {
			w.source.Put(user("ann", "department", "Ops"))
		}
		rep := w.cycle(engine.Options{Manual: true})
		want(t, rep, store.Counts{Skipped: 1, Unchanged: 1})
		if !w.active("ann") {
			t.Errorf("gone %v: the protected account was touched", gone)
		}
	}
}

func inKind() scope.Group {
	return scope.Group{Clauses: []scope.Clause{{Attribute: "kind", Operator: "EQUALS", Values: []string{"app"}}}}
}

func TestInputFiltersPassObjectsOver(t *testing.T) { // scoping Q-11, engine.R42
	for _, feed := range []bool{false, true} {
		rules := func(rules []job.Rule) []job.Rule {
			for i := range rules {
				if rules[i].Name == "users" {
					rules[i].Filter = scope.Filter{InputFilterGroups: []scope.Group{inSales()}}
				}
			}
			return rules
		}
		w := newWorld(t, setup{feed: feed, rules: rules})
		w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Ops"), user("cec", "department", "Sales"), group("g", "ann", "cec"))
		rep := w.run()
		want(t, rep, store.Counts{Created: 3, Skipped: 1})
		if got := w.codeOf(rep, "bob"); got != "other skipped EntrySynchronizationSkipped" {
			t.Errorf("record of bob: %s", got)
		}
		w.steady()

		// Who does not pass any more keeps the account as it is, and the memberships.
		w.source.Put(user("ann", "department", "Ops", "title", "Boss"))
		rep = w.run()
		if calls := w.writes(); len(calls) > 0 || rep.Counts.Skipped != 1 {
			t.Errorf("feed %t: counts %+v, writes: %s", feed, rep.Counts, show(calls))
		}
		if a := w.account(identity.User, "ann"); !w.active("ann") || a["title"] != nil || w.linkOf("ann") != store.Active {
			t.Errorf("feed %t: ann is %v, link %v", feed, a, w.linkOf("ann"))
		}
		w.steady()
		if got := w.cycleInitial(); len(got) > 0 {
			t.Errorf("an initial cycle wrote: %s", show(got))
		}

		// Who passes again is brought up to date; who leaves the source is deleted whether the filter passes them or not.
		w.source.Put(user("ann", "department", "Sales", "title", "Boss"), user("cec", "department", "Ops"))
		w.run()
		if a := w.account(identity.User, "ann"); a["title"] != "Boss" {
			t.Errorf("feed %t: ann is %v", feed, a)
		}
		w.source.Remove(identity.User, "cec")
		w.source.Put(group("g", "ann"))
		if rep = w.run(); rep.Counts.Deleted != 1 || w.account(identity.User, "cec") != nil {
			t.Errorf("feed %t: counts %+v, cec is %v", feed, rep.Counts, w.account(identity.User, "cec"))
		}
	}
}
