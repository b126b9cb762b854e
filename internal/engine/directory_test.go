package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	dirconn "github.com/rollcall-id/rollcall/internal/connector/directory"
	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/scope"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

// fromDirectory makes a world whose source is the built-in directory.
func fromDirectory(t *testing.T, nested string, mode job.ScopeMode) (*world, *directory.Directory) {
	t.Helper()
	w := newWorld(t, setup{feed: true, settings: func(s *job.Settings) { s.Scope, s.DeletionGuard.Floor = mode, 50 }, rules: func([]job.Rule) []job.Rule {
		u, g := userRule(), groupRule()
		u.Attributes = []mapping.Attribute{{Target: "userName", Expression: "[userPrincipalName]", Match: 1}, {Target: "externalId", Expression: "[displayName]"},
			{Target: "active", Expression: "Not([IsSoftDeleted])"}, {Target: "manager", Reference: "[manager]"}}
		g.Attributes = []mapping.Attribute{{Target: "displayName", Expression: "[displayName]", Match: 1}, {Target: "externalId", Expression: "[displayName]"},
			{Target: "members", Reference: "[members]"}}
		g.Nested = nested
		return []job.Rule{u, g}
	}})
	d := directory.New(testbed.ScratchDatabase(t), directory.Config{Now: w.now})
	w.def.Source.Connector = job.Directory
	w.other = dirconn.NewSource(d, connector.Env{Job: "app"})
	return w, d
}

func person(t *testing.T, d *directory.Directory, name string, more ...any) identity.Ref {
	t.Helper()
	attrs := identity.Attrs{{Name: "userPrincipalName", Value: name + "@example.com"}, {Name: "displayName", Value: name}}
	for i := 0; i+1 < len(more); i += 2 {
		attrs.Set(more[i].(string), more[i+1])
	}
	e, err := d.CreateUser(t.Context(), attrs)
	if err != nil {
		t.Fatal(err)
	}
	return identity.Ref{Kind: identity.User, Anchor: e.Anchor}
}

func team(t *testing.T, d *directory.Directory, name string, members ...any) identity.Ref {
	t.Helper()
	e, err := d.CreateGroup(t.Context(), identity.Attrs{{Name: "displayName", Value: name}, {Name: "members", Value: members}})
	if err != nil {
		t.Fatal(err)
	}
	return identity.Ref{Kind: identity.Group, Anchor: e.Anchor}
}

// TestGroupsWithinGroups: left out by default, flattened on request, and followed when an inner group changes
// (engine.R34, R99).
func TestGroupsWithinGroups(t *testing.T) {
	for _, c := range []struct {
		nested                string
		first, joined, parted []string // members of the outermost group
	}{
		{"", []string{"ann"}, []string{"ann"}, []string{"ann"}},
		{job.NestedIgnore, []string{"ann"}, []string{"ann"}, []string{"ann"}},
		{job.NestedFlatten, []string{"ann", "bob", "cec"}, []string{"ann", "bob", "cec", "dan"}, []string{"ann", "bob"}},
	} {
		t.Run("nested "+c.nested, func(t *testing.T) {
			w, d := fromDirectory(t, c.nested, job.ScopeAll)
			inner := team(t, d, "inner", person(t, d, "cec"))
			middle := team(t, d, "middle", person(t, d, "bob"), inner)
			team(t, d, "outer", person(t, d, "ann"), middle)
			dan := person(t, d, "dan")
			check := func(when string, want []string) {
				t.Helper()
				w.run()
				if diff := cmp.Diff(want, w.members("outer")); diff != "" {
					t.Errorf("%s (- want, + got):\n%s", when, diff)
				}
				w.steady()
			}
			check("first", c.first)
			if err := d.AddMembers(t.Context(), inner.Anchor, dan); err != nil {
				t.Fatal(err)
			}
			check("somebody joins the innermost group", c.joined)
			if err := d.RemoveMembers(t.Context(), middle.Anchor, inner); err != nil {
				t.Fatal(err)
			}
			check("the innermost group is taken out", c.parted)
		})
	}
}

// TestAssignedGroupByRule: whoever the rule takes in is provisioned, and whoever it drops is disabled (engine.R29, R30,
// R32).
func TestAssignedGroupByRule(t *testing.T) {
	w, d := fromDirectory(t, "", job.ScopeAssigned)
	ctx := t.Context()
	person(t, d, "ann", "department", "Sales")
	bob := person(t, d, "bob", "department", "Ops")
	cec := person(t, d, "cec", "department", "Sales")
	sales := team(t, d, "sales")
	rule := scope.Filter{Groups: []scope.Group{{Clauses: []scope.Clause{{Attribute: "department", Operator: "EQUALS", Values: []string{"Sales"}}}}}}
	if err := d.SetRule(ctx, sales.Anchor, rule); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Assign(ctx, "app", sales, ""); err != nil {
		t.Fatal(err)
	}
	check := func(when string, active map[string]bool, members ...string) {
		t.Helper()
		w.run()
		got := map[string]bool{}
		for _, o := range w.target.Objects(identity.User) {
			got[o.Text("externalId")] = w.active(o.Text("externalId"))
		}
		if diff := cmp.Diff(active, got); diff != "" {
			t.Errorf("%s: accounts (- want, + got):\n%s", when, diff)
		}
		if diff := cmp.Diff(members, w.members("sales")); diff != "" {
			t.Errorf("%s: members (- want, + got):\n%s", when, diff)
		}
		w.steady()
	}
	move := func(who identity.Ref, to string) {
		t.Helper()
		if _, err := d.UpdateUser(ctx, who.Anchor, identity.Attrs{{Name: "department", Value: to}}); err != nil {
			t.Fatal(err)
		}
	}
	check("first", map[string]bool{"ann": true, "cec": true}, "ann", "cec")
	move(bob, "Sales")
	check("bob comes to Sales", map[string]bool{"ann": true, "bob": true, "cec": true}, "ann", "bob", "cec")
	move(cec, "Ops")
	check("cec leaves Sales", map[string]bool{"ann": true, "bob": true, "cec": false}, "ann", "bob")
	move(cec, "Sales")
	check("cec comes back", map[string]bool{"ann": true, "bob": true, "cec": true}, "ann", "bob", "cec")
	if _, err := d.UpdateGroup(ctx, sales.Anchor, identity.Attrs{{Name: "securityEnabled", Value: false}}); err != nil {
		t.Fatal(err)
	}
	w.run()
	if w.active("ann") || w.active("bob") || w.active("cec") {
		t.Error("a group that is not security-enabled entitles nobody (engine.R30)")
	}
}
