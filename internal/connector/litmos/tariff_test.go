package litmos

import (
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sandbox"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// TestTheTariffIsTheTruth: what plan predicts by is what is sent.
func TestTheTariffIsTheTruth(t *testing.T) {
	s, meter := startSite(t, sandbox.Config{CustomFields: []string{"Badge"}}), &connector.Meter{}
	c := open(t, s, map[string]any{"removeFromTeamsOnDisable": true, "memberBatch": 2}, meter,
		userUse(schema.Attribute{Name: "custom.Badge"}),
		groupUse(schema.Attribute{Name: "leaders", Type: schema.Reference, MultiValued: true}, schema.Attribute{Name: "Description"}))
	if _, err := c.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	user := func(i int, more ...identity.Attr) *identity.Object {
		return &identity.Object{Kind: identity.User, Attrs: append(identity.Attrs{{Name: "UserName", Value: fmt.Sprintf("user%d@example.net", i)},
			{Name: "FirstName", Value: "Mira"}, {Name: "LastName", Value: "Okafor"}, {Name: "Active", Value: true}}, more...)}
	}
	var made []any
	for i := range 4 {
		o, err := c.Create(t.Context(), user(i))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, identity.Ref{Kind: identity.User, Anchor: o.Anchor})
	}
	anchor := made[0].(identity.Ref).Anchor
	team, err := c.Create(t.Context(), &identity.Object{Kind: identity.Group, Attrs: identity.Attrs{{Name: "Name", Value: "Sales"}}})
	if err != nil {
		t.Fatal(err)
	}
	set := func(attr string, v any) connector.Change {
		return connector.Change{Attr: attr, Op: connector.Set, New: v}
	}
	refs := func(op connector.Op, attr string, list ...any) connector.Change {
		return connector.Change{Attr: attr, Op: op, New: list}
	}
	tests := []struct {
		name    string
		kind    identity.Kind
		create  *identity.Object
		changes []connector.Change
		want    []string
	}{
		{"a user is made", identity.User, user(10), nil, []string{"POST"}},
		{"a user with an advanced custom field is made", identity.User, user(11, identity.Attr{Name: "custom.Badge", Value: "7"}), nil, []string{"POST", "POST"}},
		{"fields change", identity.User, nil, []connector.Change{set("JobTitle", "Smith"), set("CompanyName", "Depot")}, []string{"GET", "PUT"}},
		{"an advanced custom field changes", identity.User, nil, []connector.Change{set("custom.Badge", "8")}, []string{"GET", "POST"}},
		{"both change", identity.User, nil, []connector.Change{set("custom.Badge", "9"), set("JobTitle", "Baker")}, []string{"GET", "PUT", "GET", "POST"}},
		{"a user is disabled and leaves the teams", identity.User, nil, []connector.Change{set("Active", false)}, []string{"GET", "PUT", "DELETE"}},
		{"a user is enabled", identity.User, nil, []connector.Change{set("Active", true)}, []string{"GET", "PUT"}},
		{"members are added together", identity.Group, nil, []connector.Change{refs(connector.Add, "members", made[:2]...)}, []string{"POST"}},
		{"a member leads", identity.Group, nil, []connector.Change{refs(connector.Add, "leaders", made[0])}, []string{"PUT"}},
		{"a leader leads no more", identity.Group, nil, []connector.Change{refs(connector.Remove, "leaders", made[0])}, []string{"DELETE"}},
		{"members are removed one by one", identity.Group, nil, []connector.Change{refs(connector.Remove, "members", made[:2]...)}, []string{"DELETE", "DELETE"}},
		{"a team is renamed", identity.Group, nil, []connector.Change{set("Name", "Sales 2")}, []string{"GET", "PUT"}},
		{"nothing changes", identity.Group, nil, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := meter.Read().ByMethod
			op, changes := connector.OpUpdate, tt.changes
			var err error
			if tt.create != nil {
				op = connector.OpCreate
				for _, at := range tt.create.Attrs {
					changes = append(changes, set(at.Name, at.Value))
				}
				_, err = c.Create(t.Context(), tt.create)
			} else {
				id := anchor
				if tt.kind == identity.Group {
					id = team.Anchor
				}
				_, err = c.Update(t.Context(), connector.Update{Kind: tt.kind, Anchor: id, Changes: changes})
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, c.Cost(op, tt.kind, changes)); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			sent := meter.Read().ByMethod
			for m, n := range before {
				sent[m] -= n
			}
			maps.DeleteFunc(sent, func(_ string, n int64) bool { return n == 0 })
			want := map[string]int64{}
			for _, m := range tt.want {
				want[m]++
			}
			if diff := cmp.Diff(want, sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
	for op, want := range map[connector.Operation][]string{connector.OpProbe: {"GET"}, connector.OpList: {"GET"}, connector.OpFind: {"GET"}, connector.OpGet: {"GET", "GET"}} {
		if diff := cmp.Diff(want, c.Cost(op, identity.User, nil)); diff != "" {
			t.Errorf("%s: %s", op, diff)
		}
	}
	for _, tt := range []struct {
		attr string
		op   connector.Op
		want int
	}{{"members", connector.Add, 2}, {"members", connector.Remove, 1}, {"leaders", connector.Add, 1}, {"admins", connector.Remove, 1}} {
		if got := c.Batch(identity.Group, tt.attr, tt.op); got != tt.want {
			t.Errorf("%s %s: %d at once, want %d", tt.op, tt.attr, got, tt.want)
		}
	}
}

// TestWhoLeadsBecomesAMember: Litmos answers 404 for a leader who is no member.
func TestWhoLeadsBecomesAMember(t *testing.T) {
	s := startSite(t, sandbox.Config{})
	c := open(t, s, nil, nil, userUse(), groupUse(schema.Attribute{Name: "leaders", Type: schema.Reference, MultiValued: true}))
	who, err := c.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "UserName", Value: "mira@example.net"}, {Name: "FirstName", Value: "Mira"}, {Name: "LastName", Value: "Okafor"}}})
	if err != nil {
		t.Fatal(err)
	}
	team, err := c.Create(t.Context(), &identity.Object{Kind: identity.Group, Attrs: identity.Attrs{{Name: "Name", Value: "Sales"}}})
	if err != nil {
		t.Fatal(err)
	}
	lead := func(id string) error {
		_, err := c.Update(t.Context(), connector.Update{Kind: identity.Group, Anchor: team.Anchor, Changes: []connector.Change{
			{Attr: "leaders", Op: connector.Add, New: []any{identity.Ref{Kind: identity.User, Anchor: id}}}}})
		return err
	}
	if err := lead(who.Anchor); err != nil {
		t.Fatal(err)
	}
	var leaders []struct{ ID string }
	if err := s.call(t.Context(), http.MethodGet, teamPath(team.Anchor)+"/leaders", nil, &leaders); err != nil || len(leaders) != 1 || leaders[0].ID != who.Anchor {
		t.Errorf("leaders: %v, %v", leaders, err)
	}
	if err := lead("nobody"); connector.KindOf(err) != connector.KindInvalid {
		t.Errorf("an account that is gone: %v", err)
	}
	team.Anchor = "gone"
	if err := lead(who.Anchor); connector.KindOf(err) != connector.KindNotFound {
		t.Errorf("a team that is gone: %v", err)
	}
}
