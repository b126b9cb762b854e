package mapping

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
)

func TestReferences(t *testing.T) { // engine.R90
	ref := func(kind identity.Kind, anchor string) identity.Ref { return identity.Ref{Kind: kind, Anchor: anchor} }
	boss := user(identity.Attr{Name: "manager", Value: ref(identity.User, "7")})
	tests := []struct {
		name, reference string
		object          *identity.Object
		want            []identity.Ref
	}{
		{"a direct reference", "[manager]", boss, []identity.Ref{ref(identity.User, "7")}},
		{"a direct reference with blanks around it", " [manager] ", boss, []identity.Ref{ref(identity.User, "7")}},
		{"a direct reference keeps its kind", "[owner]", user(identity.Attr{Name: "owner", Value: ref(identity.Group, "9")}), []identity.Ref{ref(identity.Group, "9")}},
		{"a direct reference in another case", "[Manager]", boss, []identity.Ref{ref(identity.User, "7")}},
		{
			"a direct reference that is ambiguous is absent, expressions O-02", "[Manager]",
			user(identity.Attr{Name: "manager", Value: ref(identity.User, "7")}, identity.Attr{Name: "MANAGER", Value: ref(identity.User, "8")}), nil,
		},
		{"no reference", "[manager]", user(), nil},
		{"a reference to nothing", "[manager]", user(identity.Attr{Name: "manager", Value: ref(identity.User, "")}), nil},
		{"text refers to a user", "[manager]", user(identity.Attr{Name: "manager", Value: "7"}), []identity.Ref{ref(identity.User, "7")}},
		{"a number refers to a user", "[manager]", user(identity.Attr{Name: "manager", Value: int64(7)}), []identity.Ref{ref(identity.User, "7")}},
		{"empty text refers to nobody", "[manager]", user(identity.Attr{Name: "manager", Value: ""}), nil},
		{"an expression gives text that refers to a user", `Append("u-", [manager])`, boss, []identity.Ref{ref(identity.User, "u-7")}},
		{"an expression may give nothing", `IIF([manager]="7", "", [manager])`, boss, nil},
		{"an expression may give several", `Split([list], ",")`, user(identity.Attr{Name: "list", Value: "9,7,9,8"}), []identity.Ref{ref(identity.User, "7"), ref(identity.User, "8"), ref(identity.User, "9")}},
		{"the object itself", "[objectId]", user(), []identity.Ref{ref(identity.User, "s1")}},
		{
			"a list is sorted by kind and anchor, each once", "[members]",
			user(identity.Attr{Name: "members", Value: []any{
				ref(identity.User, "2"), ref(identity.User, "10"), ref(identity.Group, "5"), ref(identity.User, "2"), "10", nil, "", ref(identity.User, ""),
			}}),
			[]identity.Ref{ref(identity.Group, "5"), ref(identity.User, "10"), ref(identity.User, "2")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := compile(t, Attribute{Target: "manager", Reference: tt.reference}).Eval(tt.object, false, false, env)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Result{Values: []Value{{Refs: tt.want}}}, got); diff != "" {
				t.Errorf("Eval (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAReferenceMayBeIgnored(t *testing.T) { // expressions section 8
	got, err := compile(t, Attribute{Target: "manager", Reference: "IgnoreFlowIfNullOrEmpty([manager])"}).Eval(user(), false, false, env)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Result{Values: []Value{{Ignored: true}}}, got); diff != "" {
		t.Errorf("Eval (-want +got):\n%s", diff)
	}
}

func TestCompareRefs(t *testing.T) {
	a, b, c := identity.Ref{Kind: "Group", Anchor: "2"}, identity.Ref{Kind: "User", Anchor: "1"}, identity.Ref{Kind: "User", Anchor: "2"}
	for _, tt := range []struct {
		a, b identity.Ref
		want int
	}{{a, b, -1}, {b, a, 1}, {b, c, -1}, {c, b, 1}, {c, c, 0}} {
		if got := CompareRefs(tt.a, tt.b); got != tt.want {
			t.Errorf("CompareRefs(%v, %v) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestView(t *testing.T) { // design 6.2
	assigned := user()
	assigned.Assignment = &identity.Assignment{Assigned: true, Roles: []identity.Role{{ID: "1", Value: "learner", DisplayName: "Learner"}}}
	unassigned := user()
	unassigned.Assignment = &identity.Assignment{}
	disabled := user(identity.Attr{Name: "mail", Value: "a@x"}, identity.Attr{Name: "manager", Value: identity.Ref{Anchor: "7"}})
	disabled.Disabled = true
	told := user(identity.Attr{Name: "AccountEnabled", Value: "yes"})
	told.Disabled = true
	tests := []struct {
		name   string
		object *identity.Object
		ask    string
		want   any
		ok     bool
	}{
		{"an attribute", disabled, "mail", "a@x", true},
		{"an attribute in another case, expressions O-02", disabled, "Mail", "a@x", true},
		{"a reference is text", disabled, "manager", "7", true},
		{"no attribute", disabled, "phone", nil, false},
		{"objectId is the anchor", disabled, "OBJECTID", "s1", true},
		{"accountEnabled of a disabled person, engine.R77", disabled, "accountEnabled", false, true},
		{"accountEnabled of another", user(), "accountenabled", true, true},
		{"accountEnabled as the source tells it", told, "accountEnabled", "yes", true},
		{"IsSoftDeleted is not known yet", disabled, "IsSoftDeleted", false, true},
		{"roles, engine.R73", assigned, "appRoleAssignments", []any{map[string]any{"id": "1", "value": "learner", "displayName": "Learner"}}, true},
		{"no roles", unassigned, "appRoleAssignments", nil, false},
		{"a source that knows no assignments", user(), "appRoleAssignments", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := View(tt.object).Attr(tt.ask)
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
				t.Errorf("Attr(%q): ok %t (-want +got):\n%s", tt.ask, ok, diff)
			}
		})
	}
}

func TestRolesFlow(t *testing.T) { // engine.R73
	o := user()
	o.Assignment = &identity.Assignment{Assigned: true, Roles: []identity.Role{{ID: "1", Value: "learner", DisplayName: "Learner"}}}
	got, err := compile(t, Attribute{Target: "userName", Expression: "SingleAppRoleAssignment([appRoleAssignments])"}).Eval(o, false, false, env)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Result{Values: []Value{{Value: "Learner"}}}, got); diff != "" {
		t.Errorf("Eval (-want +got):\n%s", diff)
	}
}
