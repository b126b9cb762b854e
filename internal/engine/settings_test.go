package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scope"
	"github.com/rollcall-id/rollcall/internal/store"
)

// one adds a mapping of the user rule in place of that of its target.
func one(a mapping.Attribute) func([]job.Rule) []job.Rule {
	return usersOnly(func(r *job.Rule) {
		for i := range r.Attributes {
			if r.Attributes[i].Target == a.Target {
				r.Attributes[i] = a
				return
			}
		}
		r.Attributes = append(r.Attributes, a)
	})
}

// TestFlowTypes walks one attribute through the cycles of each flow type (engine.R59), with somebody who edits the
// account in the application in between.
func TestFlowTypes(t *testing.T) {
	type step struct {
		source any // value in the source
		theirs any // value that somebody writes to the account afterwards; nil for nothing
		want   any // value of the account before that
	}
	list := func(s ...any) any { return s }
	strings := func(s ...string) any { return s }
	for _, c := range []struct {
		name  string
		attr  mapping.Attribute
		steps []step
	}{
		{"always: every change (engine.R59)", mapping.Attribute{Target: "title", Expression: "[title]"},
			[]step{{"a", nil, "a"}, {"b", nil, "b"}, {nil, nil, "b"}}},
		{"create: once (engine.R59)", mapping.Attribute{Target: "title", Expression: "[title]", Apply: mapping.OnCreate},
			[]step{{"a", nil, "a"}, {"b", nil, "a"}}},
		{"AttributeAddOnly: while there is none (engine.R59)", mapping.Attribute{Target: "title", Expression: "[title]", Apply: mapping.AttributeAddOnly},
			[]step{{nil, nil, nil}, {"a", nil, "a"}, {"b", nil, "a"}, {nil, nil, "a"}}},
		{"ValueAddOnly: values, and never none (engine.R59)", mapping.Attribute{Target: "title", Expression: "[title]", Apply: mapping.ValueAddOnly, FlowNull: true},
			[]step{{"a", nil, "a"}, {"b", nil, "b"}, {nil, nil, "b"}}},
		{"MultiValueAddOnly: new values, and those of others stay (engine.R59)", mapping.Attribute{Target: "tags", Expression: "[tags]", Apply: mapping.MultiValueAddOnly},
			[]step{{list("a"), list("a", "theirs"), strings("a")}, {list("b"), nil, strings("a", "b", "theirs")}, {nil, nil, strings("a", "b", "theirs")}, {list("a", "b"), nil, strings("a", "b", "theirs")}}},
		{"roles are added (engine.R73)", mapping.Attribute{Target: "tags", Expression: "[tags]", Apply: mapping.ValueAddOnly},
			[]step{{list("a"), nil, strings("a")}, {list("c"), nil, strings("a", "c")}}},
		{"without: the list is replaced (engine.R59)", mapping.Attribute{Target: "tags", Expression: "[tags]"},
			[]step{{list("a"), nil, strings("a")}, {list("b"), nil, strings("b")}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{rules: one(c.attr)})
			name := c.attr.Target
			for i, s := range c.steps {
				w.source.Put(user("ann", name, s.source))
				w.run()
				if diff := cmp.Diff(s.want, w.account(identity.User, "ann")[name]); diff != "" {
					t.Errorf("cycle %d (- want, + got):\n%s", i, diff)
				}
				w.steady()
				if s.theirs != nil {
					o := w.target.Objects(identity.User)[0]
					o.Attrs.Set(name, s.theirs)
					w.target.Put(o)
				}
			}
		})
	}
}

func TestFlowTypesOfReferences(t *testing.T) { // engine.R59
	for _, c := range []struct {
		apply   mapping.Apply
		manager any
		members []string
	}{
		{"", "cec", []string{"cec"}},
		{mapping.OnCreate, "bob", []string{"bob"}},
		{mapping.ValueAddOnly, "cec", []string{"bob", "cec"}},
		{mapping.AttributeAddOnly, "bob", []string{"bob", "cec"}},
	} {
		t.Run("apply "+string(c.apply), func(t *testing.T) {
			w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule {
				rules[0].Attributes[2].Apply, rules[1].Attributes[5].Apply = c.apply, c.apply
				return rules
			}})
			w.source.Put(user("bob"), user("cec"), user("ann", "manager", "bob"), group("g", "bob"))
			w.run()
			w.source.Put(user("ann", "manager", "cec"), group("g", "cec"))
			w.run()
			if diff := cmp.Diff(c.manager, w.manager("ann")); diff != "" {
				t.Errorf("manager (- want, + got):\n%s", diff)
			}
			if diff := cmp.Diff(c.members, w.members("g")); diff != "" {
				t.Errorf("members (- want, + got):\n%s", diff)
			}
			w.steady()
		})
	}
}

func TestWhatAlwaysFlowsGoesAlong(t *testing.T) { // engine.R60
	w := newWorld(t, setup{rules: one(mapping.Attribute{Target: "externalId", Expression: "[objectId]", FlowBehavior: mapping.FlowAlways})})
	w.source.Put(user("ann", "title", "a"), user("boss"))
	w.run()
	w.steady() // by itself it causes nothing
	sent := func() map[string]any {
		out := map[string]any{}
		for _, c := range w.calls(connector.OpUpdate) {
			for _, ch := range c.Change {
				out[ch.Attr] = ch.New
			}
		}
		return out
	}
	w.source.Put(user("ann", "title", "b"))
	want(t, w.run(), store.Counts{Updated: 1, Unchanged: 1})
	if diff := cmp.Diff(map[string]any{"title": "b", "externalId": "ann"}, sent()); diff != "" {
		t.Errorf("with another attribute (- want, + got):\n%s", diff)
	}
	w.source.Put(user("ann", "title", "b", "manager", "boss"))
	w.run()
	if diff := cmp.Diff("ann", sent()["externalId"]); diff != "" {
		t.Errorf("with a manager (- want, + got):\n%s", diff)
	}
	w.source.Put(disabled(user("ann", "title", "b", "manager", "boss")))
	want(t, w.run(), store.Counts{Disabled: 1, Unchanged: 1})
	if diff := cmp.Diff(map[string]any{"active": false, "externalId": "ann"}, sent()); diff != "" {
		t.Errorf("with a disable (- want, + got):\n%s", diff)
	}
	w.steady()
}

func TestSensitiveValuesAreNotLogged(t *testing.T) { // engine.R71
	w := newWorld(t, setup{rules: one(mapping.Attribute{Target: "title", Expression: "[title]", Sensitive: true})})
	for _, title := range []string{"hush-1", "hush-2"} {
		w.source.Put(user("ann", "title", title))
		told := w.plan(manual())
		for _, ch := range told.Changes {
			for _, p := range ch.Properties {
				if p.Name == "title" && p.New != "[Redact]" {
					t.Errorf("the plan shows %v", p)
				}
			}
		}
		rep := w.run()
		if got := w.account(identity.User, "ann")["title"]; got != title {
			t.Errorf("title %v", got)
		}
		recs := w.records(rep.Cycle.ID)
		if len(recs) != 1 || !strings.Contains(string(recs[0].Doc), "[Redact]") || strings.Contains(string(recs[0].Doc), "hush") {
			t.Errorf("log: %s", recs[0].Doc)
		}
	}
}

// TestTargetWithoutDisable: each of the four events that disable an account elsewhere deletes it (engine.R82).
func TestTargetWithoutDisable(t *testing.T) {
	in := func(more ...any) *identity.Object {
		return user("ann", append([]any{"department", "Sales"}, more...)...)
	}
	for _, c := range []struct {
		name  string
		event *identity.Object
	}{
		{"blocked (engine.R77 d)", disabled(in())},
		{"in the recycle bin (engine.R77 c)", softDeleted(in())},
		{"out of the filter (engine.R77 b)", user("ann", "department", "Ops")},
		{"gone for good (engine.R83)", nil},
	} {
		for _, feed := range []bool{false, true} {
			w := newWorld(t, setup{feed: feed, settings: func(s *job.Settings) { s.Deprovision = job.DeprovisionDelete },
				rules: func(rules []job.Rule) []job.Rule {
					rules[1].Attributes[4].Expression = `"True"` // nothing shows IsSoftDeleted
					return filtered(inSales())(rules)
				}})
			w.source.Put(in(), user("bob", "department", "Sales"), user("cec", "department", "Sales", "manager", "ann"), group("g", "ann", "bob"))
			w.run()
			if c.event == nil {
				w.source.Remove(identity.User, "ann")
			} else {
				w.source.Put(c.event)
			}
			rep := w.run()
			if rep.Counts.Deleted != 1 || w.account(identity.User, "ann") != nil {
				t.Errorf("%s: %+v", c.name, rep.Counts)
			}
			w.steady()
			w.source.Put(in("title", "back"))
			if rep = w.run(); rep.Counts.Created != 1 || !w.active("ann") {
				t.Errorf("%s: back: %+v", c.name, rep.Counts)
			}
			if diff := cmp.Diff([]string{"ann", "bob"}, w.members("g")); diff != "" {
				t.Errorf("%s: members of her group once she is back (- want, + got):\n%s", c.name, diff)
			}
			if got := w.manager("cec"); got != "ann" {
				t.Errorf("%s: manager of cec once she is back: %v", c.name, got)
			}
			w.steady()
		}
	}
	t.Run("deletes switched off: nothing is sent (engine.R76)", func(t *testing.T) {
		w := newWorld(t, setup{settings: func(s *job.Settings) { s.Deprovision = job.DeprovisionDelete }, rules: usersOnly(func(r *job.Rule) { r.Actions.Delete = false })})
		w.source.Put(user("ann"), user("bob"), user("cec"))
		w.run()
		w.source.Put(disabled(user("ann")))
		want(t, w.run(), store.Counts{Skipped: 1, Unchanged: 2})
		if !w.active("ann") {
			t.Error("the account was touched")
		}
		w.steady()
	})
	t.Run("the guard counts the deletes (engine.R119)", func(t *testing.T) {
		w := newWorld(t, setup{settings: func(s *job.Settings) { s.Deprovision = job.DeprovisionDelete; s.DeletionGuard.Floor = 1 }, rules: usersOnly(nil)})
		w.source.Put(user("ann"), user("bob"), user("cec"), user("dan"))
		w.run()
		w.source.Put(disabled(user("ann")), disabled(user("bob")))
		want(t, w.run(), store.Counts{Staged: 2, Unchanged: 2})
	})
}

// TestDeleteAfterOutOfScope: who left scope, and is deleted in the source later, has no account any more (engine.R84).
func TestDeleteAfterOutOfScope(t *testing.T) {
	for _, c := range []struct {
		name    string
		set     func(*job.Settings)
		actions job.Actions
		exists  bool
	}{
		{"off: the account stays disabled (engine.R84)", func(*job.Settings) {}, job.Actions{Create: true, Update: true, Delete: true}, true},
		{"on: it is deleted", func(s *job.Settings) { s.DeleteAfterOutOfScope = true }, job.Actions{Create: true, Update: true, Delete: true}, false},
		{"on, but deletes are switched off (engine.R76)", func(s *job.Settings) { s.DeleteAfterOutOfScope = true }, job.Actions{Create: true, Update: true}, true},
		{"on, but the account is protected", func(s *job.Settings) { s.DeleteAfterOutOfScope, s.Protected = true, []string{"ann@example.com"} }, job.Actions{Create: true, Update: true, Delete: true}, true},
	} {
		for _, feed := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				w := newWorld(t, setup{feed: feed, rules: func([]job.Rule) []job.Rule {
					r := userRule()
					r.Actions = c.actions
					return filtered(inSales())([]job.Rule{r})
				}})
				w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Sales"), user("cec", "department", "Sales"))
				w.run()
				w.source.Put(user("ann", "department", "Ops"))
				if rep := w.run(); rep.Counts.Disabled != 1 {
					t.Fatalf("counts %+v", rep.Counts)
				}
				c.set(&w.def.Settings)
				w.source.Put(softDeleted(user("ann", "department", "Ops"))) // what can be restored is not deleted
				if rep := w.run(); rep.Counts.Deleted != 0 {
					t.Errorf("in the recycle bin: %+v", rep.Counts)
				}
				w.source.Remove(identity.User, "ann")
				w.cfg.loose = true
				w.run()
				if got := w.account(identity.User, "ann") != nil; got != c.exists {
					t.Errorf("the account exists: %t, want %t", got, c.exists)
				}
			})
		}
	}
}

func TestABlockIsSentThoughScopeIsLeft(t *testing.T) { // engine.R81: the setting is about scope alone
	w := newWorld(t, setup{settings: func(s *job.Settings) { s.SkipOutOfScopeDeletions = true }, rules: func([]job.Rule) []job.Rule {
		return filtered(inSales())([]job.Rule{userRule()})
	}})
	w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Sales"))
	w.run()
	w.source.Put(disabled(user("ann", "department", "Ops")), user("bob", "department", "Ops"))
	want(t, w.run(), store.Counts{Disabled: 1, Skipped: 1})
	if w.active("ann") || !w.active("bob") {
		t.Errorf("ann is active: %t; bob is active: %t", w.active("ann"), w.active("bob"))
	}
	w.steady()
}

func TestInputFilterPassesOver(t *testing.T) { // engine.R42
	w := newWorld(t, setup{rules: func([]job.Rule) []job.Rule {
		r := userRule()
		r.Filter.InputFilterGroups = []scope.Group{inSales()}
		return []job.Rule{r}
	}})
	w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Ops"))
	want(t, w.run(), store.Counts{Created: 1, Skipped: 1})
	w.steady()
	w.source.Put(disabled(user("ann", "department", "Ops", "title", "x")))
	want(t, w.run(), store.Counts{Skipped: 1, Unchanged: 1})
	if !w.active("ann") || w.linkOf("ann") != store.Active {
		t.Errorf("active %t, link %d: who leaves the input filter is not deprovisioned", w.active("ann"), w.linkOf("ann"))
	}
	w.source.Put(user("ann", "department", "Sales", "title", "x"))
	want(t, w.run(), store.Counts{Updated: 1, Unchanged: 1})
	w.steady()
}

func TestPatternsOfFilters(t *testing.T) { // engine.R42, scoping Q-03
	for _, c := range []struct {
		match   string
		created int64
	}{{job.RegexWhole, 1}, {job.RegexAnywhere, 2}} {
		w := newWorld(t, setup{settings: func(s *job.Settings) { s.RegexMatch = c.match },
			rules: filtered(scope.Group{Clauses: []scope.Clause{{Attribute: "department", Operator: "REGEX MATCH", Values: []string{"Sales"}}}})})
		w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Sales EMEA"), user("cec", "department", "Ops"))
		want(t, w.run(), store.Counts{Created: c.created, Skipped: 3 - c.created})
	}
}

func TestDefaultOfTheTargetsSchema(t *testing.T) { // engine.R62
	w := newWorld(t, setup{rules: one(mapping.Attribute{Target: "title", Expression: "[title]"}), target: func(s schema.Schema) schema.Schema {
		for i := range s[0].Attributes {
			if a := &s[0].Attributes[i]; a.Name == "title" {
				a.Required, a.Default = true, "Member"
			}
		}
		return s
	}})
	w.source.Put(user("ann"), user("bob", "title", "Boss"))
	want(t, w.run(), store.Counts{Created: 2})
	if got := w.account(identity.User, "ann")["title"]; got != "Member" {
		t.Errorf("title %v", got)
	}
	w.steady()
}

func TestSeveralValuesForOne(t *testing.T) { // engine.R67
	w := newWorld(t, setup{rules: one(mapping.Attribute{Target: "title", Expression: "[tags]"})})
	w.source.Put(user("ann", "tags", []any{"a", "b"}), user("bob", "tags", []any{"a"}))
	rep := w.run()
	want(t, rep, store.Counts{Created: 1, Failed: 1})
	if got := w.codeOf(rep, "ann"); got != "other failure SchemaPropertyCanOnlyAcceptValue" {
		t.Errorf("record: %s", got)
	}
}

func TestNothingIsDoneForAMappingThatIgnoresItself(t *testing.T) { // engine.R66
	w := newWorld(t, setup{rules: one(mapping.Attribute{Target: "title", Expression: "IgnoreFlowIfNullOrEmpty([title])", FlowNull: true})})
	for _, title := range []any{"a", nil} {
		w.source.Put(user("ann", "title", title))
		w.run()
		if got := w.account(identity.User, "ann")["title"]; got != "a" {
			t.Errorf("title %v", got)
		}
		w.steady()
	}
}

func TestKindNoneFillsWhatIsEmpty(t *testing.T) { // engine.R61
	w := newWorld(t, setup{rules: one(mapping.Attribute{Target: "title", Default: "Guest"})})
	w.target.Put(like("1", "bob"), like("2", "cec"))
	theirs := w.target.Objects(identity.User)[1]
	theirs.Attrs.Set("title", "Boss")
	w.target.Put(theirs)
	w.source.Put(user("ann"), user("bob"), user("cec"))
	w.run()
	for id, title := range map[string]string{"ann": "Guest", "bob": "Guest", "cec": "Boss"} {
		if got := w.account(identity.User, id)["title"]; got != title {
			t.Errorf("title of %s: %v, want %s", id, got, title)
		}
	}
	w.steady()
}
