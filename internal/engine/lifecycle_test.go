package engine_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/store"
)

func disabled(o *identity.Object) *identity.Object    { o.Disabled = true; return o }
func softDeleted(o *identity.Object) *identity.Object { o.SoftDeleted = true; return o }

func without(a job.Actions, name string) job.Actions {
	switch name {
	case "create":
		a.Create = false
	case "update":
		a.Update = false
	case "delete":
		a.Delete = false
	}
	return a
}

func (w *world) linkOf(anchor string) store.LinkState {
	o, ok := w.state()[store.ObjectKey{Rule: "users", Anchor: anchor}]
	if !ok {
		return -1
	}
	return o.State
}

// TestLifeOfAnAccount walks one person through events of the source; each step is a whole cycle (engine.R77-R87). It is
// walked with a full read, and with a feed of changes.
func TestLifeOfAnAccount(t *testing.T) {
	type step struct {
		event  *identity.Object // nil: gone for good
		counts store.Counts
		active bool // the account can be used
		exists bool
		link   store.LinkState
	}
	in := func() *identity.Object { return user("ann", "department", "Sales") }
	out := func() *identity.Object { return user("ann", "department", "Ops") }
	for _, c := range []struct {
		name  string
		rules func(*job.Rule)
		set   func(*job.Settings)
		steps []step
	}{
		{name: "blocked and unblocked (R77 d)", steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{disabled(in()), store.Counts{Disabled: 1}, false, true, store.Disabled},
			{in(), store.Counts{Enabled: 1}, true, true, store.Active},
		}},
		{name: "soft-deleted and restored (R77 c, R86)", steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{softDeleted(in()), store.Counts{Disabled: 1}, false, true, store.Disabled},
			{in(), store.Counts{Enabled: 1}, true, true, store.Active},
		}},
		{name: "soft-deleted, then gone for good (R83)", steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{softDeleted(in()), store.Counts{Disabled: 1}, false, true, store.Disabled},
			{nil, store.Counts{Deleted: 1}, false, false, -1},
			{in(), store.Counts{Created: 1}, true, true, store.Active},
		}},
		{name: "gone for good at once (R83)", steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{nil, store.Counts{Deleted: 1}, false, false, -1},
		}},
		{name: "out of the filter: disabled and no longer managed (R77 b, R84), and back (R85)", steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{out(), store.Counts{Disabled: 1}, false, true, store.Released},
			{user("ann", "department", "Ops", "title", "x"), store.Counts{Skipped: 1}, false, true, store.Released},
			{in(), store.Counts{Enabled: 1}, true, true, store.Active},
		}},
		{name: "out of the filter, then gone: nothing is sent any more (R84)", steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{out(), store.Counts{Disabled: 1}, false, true, store.Released},
			{nil, store.Counts{}, false, true, store.Released},
			{in(), store.Counts{Enabled: 1}, true, true, store.Active},
		}},
		{name: "blocked, then out of the filter: nothing is left to take away", steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{disabled(in()), store.Counts{Disabled: 1}, false, true, store.Disabled},
			{disabled(out()), store.Counts{Unchanged: 1}, false, true, store.Released},
		}},
		{name: "blocked, then out of the filter with another title: still no disable", steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{disabled(in()), store.Counts{Disabled: 1}, false, true, store.Disabled},
			{disabled(user("ann", "department", "Ops", "title", "x")), store.Counts{Unchanged: 1}, false, true, store.Released},
		}},
		{name: "values of a blocked person still flow", steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{disabled(in()), store.Counts{Disabled: 1}, false, true, store.Disabled},
			{disabled(user("ann", "department", "Sales", "title", "x")), store.Counts{Updated: 1}, false, true, store.Disabled},
		}},
		{name: "back in scope but blocked: stays disabled, and is managed again", steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{out(), store.Counts{Disabled: 1}, false, true, store.Released},
			{disabled(in()), store.Counts{Unchanged: 1}, false, true, store.Disabled},
			{nil, store.Counts{Deleted: 1}, false, false, -1},
		}},
		{name: "delete switched off: gone means disabled (design 6.2)", rules: func(r *job.Rule) { r.Actions = without(r.Actions, "delete") }, steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{nil, store.Counts{Disabled: 1}, false, true, store.Released},
			{in(), store.Counts{Enabled: 1}, true, true, store.Active},
		}},
		{name: "delete switched off, blocked before: nothing (R76)", rules: func(r *job.Rule) { r.Actions = without(r.Actions, "delete") }, steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{disabled(in()), store.Counts{Disabled: 1}, false, true, store.Disabled},
			{nil, store.Counts{}, false, true, store.Disabled},
		}},
		{name: "update switched off: neither updates nor disables (R76)", rules: func(r *job.Rule) { r.Actions = without(r.Actions, "update") }, steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{user("ann", "department", "Sales", "title", "x"), store.Counts{Skipped: 1}, true, true, store.Active},
			{out(), store.Counts{Skipped: 1}, true, true, store.Active},
			{nil, store.Counts{Deleted: 1}, false, false, -1},
		}},
		{name: "create switched off: nothing is created (R76)", rules: func(r *job.Rule) { r.Actions = without(r.Actions, "create") }, steps: []step{
			{in(), store.Counts{Skipped: 1}, false, false, store.Unlinked},
		}},
		{name: "IsSoftDeleted unmapped: nothing is sent (R80)", rules: func(r *job.Rule) { r.Attributes[4].Expression = `"True"` }, steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{disabled(in()), store.Counts{Skipped: 1}, true, true, store.Disabled},
			{in(), store.Counts{Unchanged: 1}, true, true, store.Active},
			{out(), store.Counts{Skipped: 1}, true, true, store.Released},
		}},
		{name: "skipOutOfScopeDeletions: left alone (R81), but a block is sent", set: func(s *job.Settings) { s.SkipOutOfScopeDeletions = true }, steps: []step{
			{in(), store.Counts{Created: 1}, true, true, store.Active},
			{disabled(in()), store.Counts{Disabled: 1}, false, true, store.Disabled},
			{in(), store.Counts{Enabled: 1}, true, true, store.Active},
			{out(), store.Counts{Skipped: 1}, true, true, store.Released},
			{in(), store.Counts{Unchanged: 1}, true, true, store.Active},
		}},
	} {
		for _, feed := range []bool{false, true} {
			name := c.name + ", full read"
			if feed {
				name = c.name + ", feed"
			}
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, setup{feed: feed, settings: c.set, rules: func([]job.Rule) []job.Rule {
					rules := filtered(inSales())([]job.Rule{userRule()})
					if c.rules != nil {
						c.rules(&rules[0])
					}
					return rules
				}})
				others := int64(0)
				if !feed { // so that one person gone is not half of the source
					for _, a := range []string{"x1", "x2", "x3"} {
						w.source.Put(user(a))
					}
					others = 3
				}
				for i, s := range c.steps {
					if s.event == nil {
						w.source.Remove(identity.User, "ann")
					} else {
						w.source.Put(s.event)
					}
					rep := w.run()
					if i == 0 {
						s.counts.Skipped += others
					} else {
						s.counts.Unchanged += others
					}
					if feed && s.event == nil && s.counts.Deleted+s.counts.Disabled == 0 {
						s.counts.Unchanged++ // the feed tells that the person is gone, and nothing is left to do
					}
					want(t, rep, s.counts)
					if got := w.account(identity.User, "ann"); (got != nil) != s.exists || w.active("ann") != s.active {
						t.Errorf("step %d: account %v; want exists %v, active %v", i, got, s.exists, s.active)
					}
					if got := w.linkOf("ann"); got != s.link {
						t.Errorf("step %d: link state %d, want %d", i, got, s.link)
					}
					w.steady()
				}
			})
		}
	}
}

func TestGroupsAreDeletedWhenTheyLeave(t *testing.T) { // engine.R87
	scoped := func(rules []job.Rule) []job.Rule {
		for i := range rules {
			if rules[i].Name == "groups" {
				rules[i].Filter.Groups = append(rules[i].Filter.Groups, inKind())
			}
		}
		return rules
	}
	kind := func(g *identity.Object, k string) *identity.Object { g.Attrs.Set("kind", k); return g }
	t.Run("out of the filter, and back", func(t *testing.T) {
		w := newWorld(t, setup{rules: scoped})
		w.source.Put(user("ann"), kind(group("g", "ann"), "app"), kind(group("h"), "app"))
		w.run()
		w.source.Put(kind(group("g", "ann"), "other"))
		want(t, w.run(), store.Counts{Deleted: 1, Unchanged: 2})
		if w.account(identity.Group, "g") != nil {
			t.Error("the group is still there")
		}
		w.steady()
		w.source.Put(kind(group("g", "ann"), "app"))
		want(t, w.run(), store.Counts{Created: 1, Unchanged: 2})
		if diff := cmp.Diff([]string{"ann"}, w.account(identity.Group, "g")["members"]); diff != "" {
			t.Error(diff)
		}
		w.steady()
	})
	t.Run("gone", func(t *testing.T) {
		w := newWorld(t, setup{})
		w.source.Put(user("ann"), group("g", "ann"), group("h"))
		w.run()
		w.source.Remove(identity.Group, "g")
		want(t, w.run(), store.Counts{Deleted: 1, Unchanged: 2})
		w.steady()
	})
	t.Run("gone, deletes switched off", func(t *testing.T) {
		w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule { rules[0].Actions.Delete = false; return rules }})
		w.source.Put(user("ann"), group("g", "ann"), group("h"))
		w.run()
		w.source.Remove(identity.Group, "g")
		want(t, w.run(), store.Counts{Skipped: 1, Unchanged: 2})
		if w.account(identity.Group, "g") == nil {
			t.Error("the group was deleted")
		}
		w.steady()
	})
	t.Run("out of the filter with skipOutOfScopeDeletions", func(t *testing.T) {
		w := newWorld(t, setup{rules: scoped, settings: func(s *job.Settings) { s.SkipOutOfScopeDeletions = true }})
		w.source.Put(kind(group("g"), "app"), kind(group("h"), "app"))
		w.run()
		w.source.Put(kind(group("g"), "other"))
		want(t, w.run(), store.Counts{Skipped: 1, Unchanged: 1})
		w.steady()
	})
}

func TestValues(t *testing.T) { // engine.R61-R65
	extra := func(attrs ...mapping.Attribute) func([]job.Rule) []job.Rule {
		return usersOnly(func(r *job.Rule) {
			r.Attributes = append(r.Attributes[:2:2], r.Attributes[3:]...) // title is the test's
			r.Attributes = append(r.Attributes, attrs...)
		})
	}
	for _, c := range []struct {
		name    string
		attr    mapping.Attribute
		values  []any // of title, cycle by cycle; nil for none
		results []any // of the account's title
	}{
		{"a null is not exported, the old value stays (R63)", mapping.Attribute{Target: "title", Expression: "[title]"}, []any{nil, "a", nil}, []any{nil, "a", "a"}},
		{"flowNull clears on update (R64)", mapping.Attribute{Target: "title", Expression: "[title]", FlowNull: true}, []any{nil, "a", nil, "b"}, []any{nil, "a", nil, "b"}},
		{"the default is written on create only (R61)", mapping.Attribute{Target: "title", Expression: "[title]", Default: "d"}, []any{nil, "a", nil}, []any{"d", "a", "a"}},
		{"flowNull does not write the default on update (R64)", mapping.Attribute{Target: "title", Expression: "[title]", Default: "d", FlowNull: true}, []any{nil, "a", nil}, []any{"d", "a", nil}},
		{"on create only (R59)", mapping.Attribute{Target: "title", Expression: "[title]", Apply: mapping.OnCreate}, []any{"a", "b"}, []any{"a", "a"}},
		{"an empty text flows as it is (R66)", mapping.Attribute{Target: "title", Expression: `IIF(IsPresent([title]), [title], "")`}, []any{"a", nil}, []any{"a", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{rules: extra(c.attr)})
			for i, v := range c.values {
				w.source.Put(user("ann", "title", v))
				w.run()
				if diff := cmp.Diff(c.results[i], w.account(identity.User, "ann")["title"]); diff != "" {
					t.Errorf("cycle %d (- want, + got):\n%s", i, diff)
				}
				w.steady()
			}
		})
	}
}

func TestMissingMandatoryValue(t *testing.T) { // engine.R62
	w := newWorld(t, setup{rules: usersOnly(func(r *job.Rule) {
		r.Attributes[0].Match = 0
		r.Attributes[0].Expression = "[mail]"
		r.Attributes = append(r.Attributes, mapping.Attribute{Target: "employeeNumber", Expression: "[number]", Match: 1})
	})})
	w.source.Put(user("ann", "number", "1"), user("bob", "number", "2", "mail", "bob@x"))
	rep := w.run()
	want(t, rep, store.Counts{Created: 1, Failed: 1})
	if got := w.codeOf(rep, "ann"); got != "other failure MandatoryFieldsMissing" {
		t.Errorf("record: %s", got)
	}
	w.source.Put(user("ann", "number", "1", "mail", "ann@x"))
	want(t, w.run(), store.Counts{Created: 1, Unchanged: 1})
}

func TestMissingTarget(t *testing.T) { // engine.R56
	t.Run("error", func(t *testing.T) {
		w := newWorld(t, setup{noPredict: true})
		w.source.Put(user("ann"), user("bob"))
		w.run()
		w.target.Remove(identity.User, w.anchorOf(identity.User, "ann"))
		w.source.Put(user("ann", "title", "x"))
		rep := w.run()
		want(t, rep, store.Counts{Failed: 1, Unchanged: 1})
		if got := w.codeOf(rep, "ann"); got != "update failure InvalidAnchor" {
			t.Errorf("record: %s", got)
		}
	})
	t.Run("rematch makes a new account", func(t *testing.T) {
		w := newWorld(t, setup{noPredict: true, settings: func(s *job.Settings) { s.OnMissingTarget = job.MissingRematch }})
		w.source.Put(user("ann"), user("bob"))
		w.run()
		w.target.Remove(identity.User, w.anchorOf(identity.User, "ann"))
		w.source.Put(user("ann", "title", "x"))
		want(t, w.run(), store.Counts{Created: 1, Unchanged: 1})
		if got := w.account(identity.User, "ann")["title"]; got != "x" {
			t.Errorf("title %v", got)
		}
		w.steady()
	})
	t.Run("rematch: a disable of what is gone is done", func(t *testing.T) {
		w := newWorld(t, setup{noPredict: true, settings: func(s *job.Settings) { s.OnMissingTarget = job.MissingRematch }})
		w.source.Put(user("ann"), user("bob"))
		w.run()
		w.target.Remove(identity.User, w.anchorOf(identity.User, "ann"))
		w.source.Put(disabled(user("ann")))
		want(t, w.run(), store.Counts{Unchanged: 2})
		w.steady()
		w.source.Put(user("ann"))
		want(t, w.run(), store.Counts{Created: 1, Unchanged: 1})
	})
	t.Run("rematch finds another account", func(t *testing.T) {
		w := newWorld(t, setup{noPredict: true, settings: func(s *job.Settings) { s.OnMissingTarget = job.MissingRematch }})
		w.source.Put(user("ann"), user("bob"))
		w.run()
		w.target.Remove(identity.User, w.anchorOf(identity.User, "ann"))
		w.target.Put(like("77", "ann"))
		w.source.Put(user("ann", "title", "x"))
		want(t, w.run(), store.Counts{Updated: 1, Unchanged: 1})
		if o := w.state()[store.ObjectKey{Rule: "users", Anchor: "ann"}]; o.Target != "77" {
			t.Errorf("link %+v", o)
		}
		w.steady()
	})
}

func TestReadBeforeWrite(t *testing.T) { // design D1, blind update
	for _, c := range []struct {
		policy connector.ReadPolicy
		after  time.Duration
		gets   int
	}{
		{connector.ReadStale, time.Hour, 0},
		{connector.ReadStale, 25 * time.Hour, 1},
		{connector.ReadNever, 25 * time.Hour, 0},
		{connector.ReadAlways, time.Hour, 1},
	} {
		w := newWorld(t, setup{caps: connector.Caps{ReadBeforeWrite: c.policy}, settings: never})
		w.source.Put(user("ann", "title", "a"), user("bob"))
		w.run()
		w.later(c.after)
		w.source.Put(user("ann", "title", "b"))
		want(t, w.run(), store.Counts{Updated: 1, Unchanged: 1})
		if got := len(w.calls(connector.OpGet)); got != c.gets {
			t.Errorf("%s after %s: %d reads, want %d", c.policy, c.after, got, c.gets)
		}
		w.steady()
	}
}

func TestWhatAReadFoundIsRemembered(t *testing.T) { // design D1
	w := newWorld(t, setup{caps: connector.Caps{ReadBeforeWrite: connector.ReadStale}, settings: never})
	w.source.Put(user("ann", "title", "a"), user("bob"))
	w.run()
	w.later(25 * time.Hour)
	acc := w.target.Objects(identity.User)[0]
	if acc.Text("externalId") != "ann" { // the two were made at once
		acc = w.target.Objects(identity.User)[1]
	}
	acc.Attrs.Set("title", "b") // by somebody in the target
	w.target.Put(acc)
	w.source.Put(user("ann", "title", "b")) // the same change in the source
	want(t, w.run(), store.Counts{Unchanged: 2})
	w.source.Put(user("ann", "title", "a"))
	want(t, w.run(), store.Counts{Updated: 1, Unchanged: 1})
	if got := w.account(identity.User, "ann")["title"]; got != "a" {
		t.Errorf("title %v", got)
	}
}

func TestAWriteIsOnlySentForADifference(t *testing.T) { // engine.R26
	w := newWorld(t, setup{})
	w.source.Put(user("ann", "department", "Ops"))
	w.run()
	w.source.Put(user("ann", "department", "Sales")) // not mapped
	want(t, w.run(), store.Counts{Unchanged: 1})
	if n := len(w.writes()); n != 0 {
		t.Errorf("%d writes", n)
	}
	if got := w.cycleInitial(); len(got) != 0 {
		t.Errorf("initial cycle: %s", show(got))
	}
}

func TestSeveralChangesAreOneCall(t *testing.T) { // design D1
	w := newWorld(t, setup{})
	w.source.Put(user("ann"), user("bob"))
	w.run()
	w.source.Put(user("ann", "title", "x", "name", "New", "manager", "bob"))
	want(t, w.run(), store.Counts{Updated: 1, Unchanged: 1})
	if n := len(w.calls(connector.OpUpdate)); n != 1 {
		t.Errorf("%d calls", n)
	}
}

func TestASavedSchemaMakesTheNextCycleInitial(t *testing.T) { // engine.R10, design D14
	w := newWorld(t, setup{rules: usersOnly(nil)})
	w.source.Put(user("ann", "department", "Ops"), user("bob"))
	if rep := w.run(); rep.Cycle.Type != store.Initial {
		t.Errorf("first cycle: %s", rep.Cycle.Type)
	}
	if rep := w.run(); rep.Cycle.Type != store.Incremental {
		t.Errorf("second cycle: %s", rep.Cycle.Type)
	}
	w.def.Rules[0].Attributes[2].Expression = "[department]"
	w.save()
	rep := w.run()
	want(t, rep, store.Counts{Updated: 1, Unchanged: 1})
	if rep.Cycle.Type != store.Initial {
		t.Errorf("after a save: %s", rep.Cycle.Type)
	}
	if rep := w.cycle(engine.Options{}); rep.Cycle.Type != store.Incremental {
		t.Errorf("after that: %s", rep.Cycle.Type)
	}
}
