package directory_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/scope"
)

func clause(attr, op string, values ...string) scope.Clause {
	return scope.Clause{Attribute: attr, Operator: op, Values: values}
}

func filter(groups ...[]scope.Clause) scope.Filter {
	var f scope.Filter
	for _, g := range groups {
		f.Groups = append(f.Groups, scope.Group{Clauses: g})
	}
	return f
}

func and(clauses ...scope.Clause) []scope.Clause { return clauses }

func (w *world) membersOf(group string) []string {
	w.T.Helper()
	refs, err := w.Members(w.ctx(), group)
	w.must(err)
	ids := []string{}
	for _, r := range refs {
		ids = append(ids, r.Anchor)
	}
	slices.Sort(ids)
	return ids
}

// TestGroupByRule: the members are those for whom the rule holds, in the transaction that makes it hold, and the feed
// tells of it (engine.R32).
func TestGroupByRule(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b, c := w.user("a", "department", "Sales"), w.user("b", "department", "Ops"), w.user("c", "department", "Sales", "country", "DE")
		by := w.group("by rule", "members", []any{user(b)})
		outer := w.group("outer", "members", []any{group(by)})
		_, _, err := w.Assign(w.ctx(), "app", group(by), "")
		w.must(err)
		update := func(id string, list ...any) func() error {
			return func() error { _, err := w.UpdateUser(w.ctx(), id, attrs(list...)); return err }
		}
		var d string
		for _, step := range []struct {
			name    string
			do      func() error
			moved   []string
			members func() []string
		}{
			{"a rule takes who it is for, and drops who it is not for", func() error { return w.SetRule(w.ctx(), by, filter(and(clause("department", "EQUALS", "Sales")))) },
				[]string{by, outer, a, b, c}, func() []string { return []string{a, c} }},
			{"the same rule again changes nothing", func() error { return w.SetRule(w.ctx(), by, filter(and(clause("department", "equals", "Sales")))) },
				nil, func() []string { return []string{a, c} }},
			{"a value that lets somebody in", update(b, "department", "Sales"), []string{by, outer, b}, func() []string { return []string{a, b, c} }},
			{"a value that the rule does not ask for", update(b, "jobTitle", "x"), []string{b}, func() []string { return []string{a, b, c} }},
			{"a value that puts somebody out: a deprovisioning event for who is assigned by the group", update(a, "department", nil), []string{by, outer, a}, func() []string { return []string{b, c} }},
			{"somebody new", func() error { d = w.user("d", "department", "Sales"); return nil }, []string{by, outer, "d"}, func() []string { return []string{b, c, d} }},
			{"into the recycle bin", func() error { return w.DeleteUser(w.ctx(), c) }, []string{by, outer, c}, func() []string { return []string{b, d} }},
			{"another rule, of several groups, passes over who is in the recycle bin", func() error {
				return w.SetRule(w.ctx(), by, filter(and(clause("department", "EQUALS", "Sales"), clause("country", "EQUALS", "DE")), and(clause("jobTitle", "EQUALS", "x"))))
			}, []string{by, outer, "d"}, func() []string { return []string{b} }},
			{"out of the recycle bin, by the rule that is in force now", func() error { return w.RestoreUser(w.ctx(), c) }, []string{by, outer, c}, func() []string { return []string{b, c} }},
			{"a rule that asks who can sign in", func() error { return w.SetRule(w.ctx(), by, filter(and(clause("accountEnabled", "IS FALSE")))) },
				[]string{by, outer, b, c}, func() []string { return []string{} }},
			{"and somebody who cannot any more", update(a, "accountEnabled", false), []string{by, outer, a}, func() []string { return []string{a} }},
			{"without the rule the members stay", func() error { return w.ClearRule(w.ctx(), by) }, nil, func() []string { return []string{a} }},
			{"and are changed by hand again", func() error { return w.AddMembers(w.ctx(), by, user(b)) }, []string{by, outer, b}, func() []string { return []string{a, b} }},
		} {
			moved := w.moved(func() { w.must(step.do()) })
			wanted := map[string]bool{}
			for _, id := range step.moved {
				if id == "d" {
					id = d
				}
				wanted[id] = true
			}
			w.same(step.name+": moved", wanted, moved)
			w.same(step.name+": members", step.members(), w.membersOf(by))
		}
	})
}

func TestRulesThatAreRefused(t *testing.T) { // engine.R32
	onBoth(t, func(w *world) {
		a := w.user("a", "department", "Sales")
		g, bin := w.group("g", "members", []any{user(a)}), w.group("bin")
		w.must(w.DeleteGroup(w.ctx(), bin))
		for name, f := range map[string]scope.Filter{
			"no clause":                  {},
			"an unknown attribute":       filter(and(clause("shoeSize", "EQUALS", "9"))),
			"several values":             filter(and(clause("otherMails", "EQUALS", "a@x"))),
			"the manager":                filter(and(clause("manager", "EQUALS", a))),
			"an unknown operator":        filter(and(clause("department", "SOUNDS LIKE", "sails"))),
			"a pattern that is no regex": filter(and(clause("department", "REGEX MATCH", "("))),
			"a filter of other kinds":    {Groups: filter(and(clause("department", "EQUALS", "x"))).Groups, InputFilterGroups: filter(and(clause("department", "EQUALS", "x"))).Groups},
		} {
			if err := w.SetRule(w.ctx(), g, f); !errors.Is(err, directory.ErrInvalid) {
				w.T.Errorf("%s: error %v", name, err)
			}
			if _, ok, err := w.Rule(w.ctx(), g); ok || err != nil {
				w.T.Errorf("%s: the group has a rule (%v)", name, err)
			}
		}
		w.same("members", []string{a}, w.membersOf(g))
		for _, id := range []string{bin, "nobody"} {
			if err := w.SetRule(w.ctx(), id, filter(and(clause("department", "EQUALS", "x")))); !errors.Is(err, directory.ErrNotFound) {
				w.T.Errorf("%s: error %v", id, err)
			}
		}
		if _, _, err := w.Rule(w.ctx(), "nobody"); !errors.Is(err, directory.ErrNotFound) {
			w.T.Errorf("rule of no group: %v", err)
		}
	})
}

func TestMembersOfAGroupByRuleAreNotChangedByHand(t *testing.T) { // engine.R32
	onBoth(t, func(w *world) {
		a, b := w.user("a", "department", "Sales"), w.user("b")
		g := w.group("g")
		rule := filter(and(clause("department", "EQUALS", "Sales")))
		w.must(w.SetRule(w.ctx(), g, rule))
		got, ok, err := w.Rule(w.ctx(), g)
		w.must(err)
		w.same("has a rule", true, ok)
		w.same("rule", rule, got)
		for name, do := range map[string]func() error{
			"add":     func() error { return w.AddMembers(w.ctx(), g, user(b)) },
			"remove":  func() error { return w.RemoveMembers(w.ctx(), g, user(a)) },
			"replace": func() error { _, err := w.UpdateGroup(w.ctx(), g, attrs("members", []any{user(b)})); return err },
			"clear": func() error {
				_, err := w.Change(w.ctx(), identity.Group, g, []connector.Change{{Attr: "members", Op: connector.Clear}})
				return err
			},
		} {
			if err := do(); !errors.Is(err, directory.ErrInvalid) {
				w.T.Errorf("%s: error %v", name, err)
			}
		}
		w.same("members", []string{a}, w.membersOf(g))
		_, err = w.UpdateGroup(w.ctx(), g, attrs("description", "x")) // other attributes are no members
		w.must(err)
		w.must(w.PurgeGroup(w.ctx(), g))
		if _, err := w.UpdateUser(w.ctx(), b, attrs("department", "Sales")); err != nil {
			w.T.Errorf("the rule outlived its group: %v", err)
		}
	})
}

// TestMembersWithin: the users of groups within groups, at any depth, each once (engine.R99).
func TestMembersWithin(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b, c := w.user("a"), w.user("b"), w.user("c")
		inner := w.group("inner", "members", []any{user(c)})
		middle := w.group("middle", "members", []any{user(b), group(inner)})
		outer := w.group("outer", "members", []any{user(a), user(b), group(middle)})
		empty := w.group("empty")
		within := func() map[string][]string {
			out := map[string][]string{}
			req := connector.ReadRequest{Kind: identity.Group, Attrs: []string{"displayName", directory.TransitiveMembers}}
			for item, err := range w.Scan(w.ctx(), req, "") {
				w.must(err)
				v, _ := item.Object.Attrs.Find(directory.TransitiveMembers)
				list, _ := v.([]any)
				ids := []string{}
				for _, e := range list {
					ids = append(ids, e.(identity.Ref).Anchor)
				}
				out[item.Object.Anchor] = ids
			}
			return out
		}
		w.same("within", map[string][]string{inner: {c}, middle: {b, c}, outer: {a, b, c}, empty: {}}, within())
		for _, step := range []struct {
			name  string
			do    func() error
			moved []string
			outer []string
		}{
			{"who leaves the innermost group leaves them all", func() error { return w.RemoveMembers(w.ctx(), inner, user(c)) }, []string{inner, middle, outer}, []string{a, b}},
			{"who comes into it comes into them all", func() error { return w.AddMembers(w.ctx(), inner, user(c)) }, []string{inner, middle, outer}, []string{a, b, c}},
			{"groups that contain each other", func() error { return w.AddMembers(w.ctx(), inner, group(outer)) }, []string{inner, middle, outer}, []string{a, b, c}},
			{"a user in the recycle bin", func() error { return w.DeleteUser(w.ctx(), c) }, []string{c, inner, middle, outer}, []string{a, b}},
			{"and back", func() error { return w.RestoreUser(w.ctx(), c) }, []string{c, inner, middle, outer}, []string{a, b, c}},
			{"a group in the recycle bin", func() error { return w.DeleteGroup(w.ctx(), middle) }, []string{inner, middle, outer}, []string{a, b}},
			{"and back", func() error { return w.RestoreGroup(w.ctx(), middle) }, []string{inner, middle, outer}, []string{a, b, c}},
			{"a group that is gone", func() error { return w.PurgeGroup(w.ctx(), inner) }, []string{middle, outer, "gone " + inner}, []string{a, b}},
		} {
			moved := w.moved(func() { w.must(step.do()) })
			wanted := map[string]bool{}
			for _, id := range step.moved {
				wanted[id] = true
			}
			w.same(step.name+": moved", wanted, moved)
			w.same(step.name, step.outer, within()[outer])
		}
		for _, write := range []connector.Op{connector.Set, connector.Add} {
			_, err := w.Change(w.ctx(), identity.Group, empty, []connector.Change{{Attr: directory.TransitiveMembers, Op: write, New: []any{user(a)}}})
			if !errors.Is(err, directory.ErrInvalid) {
				w.T.Errorf("%s: error %v", write, err)
			}
		}
	})
}
