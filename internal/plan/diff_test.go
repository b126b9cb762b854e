package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
)

func TestDiffOfOneAttribute(t *testing.T) {
	flowing := func(name string) mapping.Attribute {
		a := from(name)
		a.FlowNull = true
		return a
	}
	none := mapping.Attribute{Target: "displayName", Default: "Employee"}
	set := func(attr string, old, val any) *connector.Change {
		return &connector.Change{Attr: attr, Op: connector.Set, Old: old, New: val}
	}
	cleared := func(attr string, old any) *connector.Change {
		return &connector.Change{Attr: attr, Op: connector.Clear, Old: old}
	}
	add := func(attr string, old any, fresh ...any) *connector.Change {
		return &connector.Change{Attr: attr, Op: connector.Add, Old: old, New: fresh}
	}
	flowType := func(name string, apply mapping.Apply) mapping.Attribute {
		a := from(name)
		a.Apply = apply
		return a
	}
	nullable := func(a mapping.Attribute) mapping.Attribute { a.FlowNull = true; return a }
	tests := []struct {
		name     string
		attr     mapping.Attribute
		old, val any
		written  *connector.Change // what is done when the old value was written by us
		read     *connector.Change // what is done when it was read from the target
	}{
		{"the same value is no change", from("displayName"), "Ada", "Ada", nil, nil},
		{"another value is set", from("displayName"), "Ada", "Eve", set("displayName", "Ada", "Eve"), set("displayName", "Ada", "Eve")},
		{"a first value is set with nothing before it, scim.R33", from("displayName"), nil, "Ada", set("displayName", nil, "Ada"), set("displayName", nil, "Ada")},
		{"null leaves the old value, engine.R63", from("displayName"), "Ada", nil, nil, nil},
		{"null on nothing is no change, engine.R63", from("displayName"), nil, nil, nil, nil},
		{"empty text flows over a value, engine.R66", from("displayName"), "Ada", "", set("displayName", "Ada", ""), set("displayName", "Ada", "")},
		{"empty text on nothing is no change", from("displayName"), nil, "", nil, nil},
		{"empty text on empty text is no change", from("displayName"), "", "", nil, nil},
		{"null clears with flowNull, engine.R64", flowing("displayName"), "Ada", nil, cleared("displayName", "Ada"), cleared("displayName", "Ada")},
		{"empty text clears with flowNull, engine.R64", flowing("displayName"), "Ada", "", cleared("displayName", "Ada"), cleared("displayName", "Ada")},
		{"flowNull has nothing to clear where nothing is", flowing("displayName"), nil, nil, nil, nil},
		{"flowNull has nothing to clear where empty text is", flowing("displayName"), "", nil, nil, nil},
		{"flowNull clears several values too, engine.R65", flowing("tags"), []any{"a", "b"}, nil, cleared("tags", []any{"a", "b"}), cleared("tags", []any{"a", "b"})},
		{"flowNull clears false, which is a value", flowing("active"), false, nil, cleared("active", false), cleared("active", false)},
		{"a value flows with flowNull", flowing("displayName"), "Ada", "Eve", set("displayName", "Ada", "Eve"), set("displayName", "Ada", "Eve")},

		{"the default is not written by an update, engine.R61", mapping.Attribute{Target: "displayName", Expression: "[x]", Default: "Employee"}, nil, nil, nil, nil},
		{"what flows only on create is left alone, engine.R59", mapping.Attribute{Target: "displayName", Expression: "[x]", Apply: mapping.OnCreate}, "Ada", "Eve", nil, nil},
		{"what flows only on create is not cleared, engine.R59", mapping.Attribute{Target: "displayName", Expression: "[x]", Apply: mapping.OnCreate, FlowNull: true}, "Ada", nil, nil, nil},

		{"kind None fills an empty attribute, engine.R61", none, nil, nil, set("displayName", nil, "Employee"), set("displayName", nil, "Employee")},
		{"kind None fills an attribute of empty text, engine.R61", none, "", nil, set("displayName", "", "Employee"), set("displayName", "", "Employee")},
		{"kind None leaves a value alone, engine.R61", none, "Boss", nil, nil, nil},
		{"kind None leaves a value alone with flowNull", mapping.Attribute{Target: "displayName", Default: "Employee", FlowNull: true}, "Boss", nil, nil, nil},
		{"kind None without a default does nothing", mapping.Attribute{Target: "displayName", FlowNull: true}, "Boss", nil, nil, nil},
		{"kind None writes its default in the attribute's type", mapping.Attribute{Target: "active", Default: "true"}, nil, nil, set("active", nil, true), set("active", nil, true)},

		{"another case is a change where case counts, engine.R3", from("displayName"), "ada", "Ada", set("displayName", "ada", "Ada"), set("displayName", "ada", "Ada")},
		{"another case is a change of what we wrote, and the target's own spelling", from("nickName"), "ada", "Ada", set("nickName", "ada", "Ada"), nil},
		{"another value is a change where case does not count", from("nickName"), "ada", "eve", set("nickName", "ada", "eve"), set("nickName", "ada", "eve")},
		{"another order is a change of what we wrote, and the target's own order", from("tags"), []any{"b", "a"}, []any{"a", "b"}, set("tags", []any{"b", "a"}, []any{"a", "b"}), nil},
		{"a value more is a change", from("tags"), []any{"a"}, []any{"a", "b"}, set("tags", []any{"a"}, []any{"a", "b"}), set("tags", []any{"a"}, []any{"a", "b"})},
		{"a value twice is not another value", from("tags"), []any{"a", "b", "b"}, []any{"a", "a", "b"}, set("tags", []any{"a", "b", "b"}, []any{"a", "a", "b"}), set("tags", []any{"a", "b", "b"}, []any{"a", "a", "b"})},
		{"several values are not one value of the same text", from("tags"), []any{"a", "b"}, []any{"a; b"}, set("tags", []any{"a", "b"}, []any{"a; b"}), set("tags", []any{"a", "b"}, []any{"a; b"})},
		{"another order and another case are the target's own", from("aliases"), []any{"A", "b"}, []any{"B", "a"}, set("aliases", []any{"A", "b"}, []any{"B", "a"}), nil},
		{"case sorts no value elsewhere where it does not count", from("aliases"), []any{"a", "B"}, []any{"A", "b"}, set("aliases", []any{"a", "B"}, []any{"A", "b"}), nil},
		{"another case in several values is a change where case counts", from("tags"), []any{"a", "B"}, []any{"A", "b"}, set("tags", []any{"a", "B"}, []any{"A", "b"}), set("tags", []any{"a", "B"}, []any{"A", "b"})},
		{
			"complex values in another order are the target's own", from("tags"),
			[]any{map[string]any{"value": "b"}, map[string]any{"value": "a"}}, []any{map[string]any{"value": "a"}, map[string]any{"value": "b"}},
			set("tags", []any{map[string]any{"value": "b"}, map[string]any{"value": "a"}}, []any{map[string]any{"value": "a"}, map[string]any{"value": "b"}}), nil,
		},
		{"a target may keep one value as a list of one", from("displayName"), []any{"Ada"}, "Ada", set("displayName", []any{"Ada"}, "Ada"), nil},

		{"a target may keep a number as text", from("level"), "3", int64(3), set("level", "3", int64(3)), nil},
		{"another number as text is a change", from("level"), "4", int64(3), set("level", "4", int64(3)), set("level", "4", int64(3))},
		{"a target may keep a number as a fraction", from("level"), 3.0, int64(3), nil, nil},
		{"a target may keep a Boolean as text", from("active"), "true", true, set("active", "true", true), nil},
		{"a target may keep a Boolean as text in capitals", from("active"), "FALSE", false, set("active", "FALSE", false), nil},
		{"the other Boolean as text is a change", from("active"), "true", false, set("active", "true", false), set("active", "true", false)},
		{"false is a first value", from("active"), nil, false, set("active", nil, false), set("active", nil, false)},
		{"false over true", from("active"), true, false, set("active", true, false), set("active", true, false)},

		{"AttributeAddOnly fills what is empty, engine.R59", flowType("displayName", mapping.AttributeAddOnly), nil, "Ada", set("displayName", nil, "Ada"), set("displayName", nil, "Ada")},
		{"AttributeAddOnly leaves a value alone, engine.R59", flowType("displayName", mapping.AttributeAddOnly), "Ada", "Eve", nil, nil},
		{"AttributeAddOnly leaves several values alone, engine.R59", flowType("tags", mapping.AttributeAddOnly), []any{"a"}, []any{"b"}, nil, nil},
		{"AttributeAddOnly clears nothing, engine.R59", nullable(flowType("displayName", mapping.AttributeAddOnly)), "Ada", nil, nil, nil},
		{"ValueAddOnly writes another value, engine.R59", flowType("displayName", mapping.ValueAddOnly), "Ada", "Eve", set("displayName", "Ada", "Eve"), set("displayName", "Ada", "Eve")},
		{"ValueAddOnly takes no value away, engine.R59", nullable(flowType("displayName", mapping.ValueAddOnly)), "Ada", nil, nil, nil},
		{"ValueAddOnly takes no value away for empty text, engine.R59", flowType("displayName", mapping.ValueAddOnly), "Ada", "", nil, nil},
		{"ValueAddOnly adds to several values, engine.R59", flowType("tags", mapping.ValueAddOnly), []any{"a"}, []any{"b", "a", "b"}, add("tags", []any{"a"}, "b"), add("tags", []any{"a"}, "b")},
		{"MultiValueAddOnly adds new values, engine.R59", flowType("tags", mapping.MultiValueAddOnly), []any{"a", "x"}, []any{"b", "a"}, add("tags", []any{"a", "x"}, "b"), add("tags", []any{"a", "x"}, "b")},
		{"MultiValueAddOnly takes no value away, engine.R59", flowType("tags", mapping.MultiValueAddOnly), []any{"a", "b"}, []any{"b"}, nil, nil},
		{"MultiValueAddOnly adds to the one value that a target shows", flowType("tags", mapping.MultiValueAddOnly), "a", []any{"a", "b"}, add("tags", "a", "b"), add("tags", "a", "b")},
		{"MultiValueAddOnly adds first values", flowType("tags", mapping.MultiValueAddOnly), nil, []any{"a"}, add("tags", nil, "a"), add("tags", nil, "a")},
		{"MultiValueAddOnly knows a value in another case where case does not count", flowType("aliases", mapping.MultiValueAddOnly), []any{"A"}, []any{"a"}, nil, nil},
		{"roles are added and not taken away, engine.R73", mapping.Attribute{Target: "tags", Expression: "AppRoleAssignmentsComplex([appRoleAssignments])"}, []any{"a"}, []any{"b"}, add("tags", []any{"a"}, "b"), add("tags", []any{"a"}, "b")},
		{"roles are replaced, engine.R73", mapping.Attribute{Target: "tags", Expression: "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])"}, []any{"a"}, []any{"b"}, set("tags", []any{"a"}, []any{"b"}), set("tags", []any{"a"}, []any{"b"})},

		{"an ignored mapping does nothing, expressions section 8", flowing("displayName"), "Ada", ignored{}, nil, nil},
		{"a reference is not compared here", mapping.Attribute{Target: "manager", Reference: "[manager]", FlowNull: true}, "7", nil, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mappings, should := compile(t, tt.attr), withIgnored(values(tt.val))
			for _, c := range []struct {
				read bool
				want *connector.Change
			}{{false, tt.written}, {true, tt.read}} {
				cur := &Current{Values: map[string]any{}, Read: c.read}
				if tt.old != nil {
					cur.Values[tt.attr.Target] = tt.old
				}
				var want []connector.Change
				if c.want != nil {
					want = []connector.Change{*c.want}
				}
				if diff := cmp.Diff(want, Diff(mappings, should, cur)); diff != "" {
					t.Errorf("read %t (-want +got):\n%s", c.read, diff)
				}
			}
		})
	}
}

func TestDiffKeepsTheOrderOfTheMappings(t *testing.T) {
	set := compile(t, from("displayName"), from("code"), mapping.Attribute{Target: "nickName", Expression: "[n]", FlowNull: true}, from("active"))
	cur := &Current{Values: map[string]any{"displayName": "Ada", "code": "7", "nickName": "A"}}
	got := Diff(set, values("Eve", "7", nil, true), cur)
	want := []connector.Change{
		{Attr: "displayName", Op: connector.Set, Old: "Ada", New: "Eve"},
		{Attr: "nickName", Op: connector.Clear, Old: "A"},
		{Attr: "active", Op: connector.Set, New: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Diff (-want +got):\n%s", diff)
	}
	cur.Merge(got)
	if again := Diff(set, values("Eve", "7", nil, true), cur); again != nil {
		t.Errorf("after the changes there are more: %v", again)
	}
	if diff := cmp.Diff(map[string]any{"displayName": "Eve", "code": "7", "active": true}, cur.Values); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
}

func TestAddedValuesAreRemembered(t *testing.T) { // engine.R59
	set := compile(t, mapping.Attribute{Target: "tags", Expression: "[tags]", Apply: mapping.MultiValueAddOnly})
	cur := &Current{Values: map[string]any{"tags": []any{"a"}}}
	cur.Merge(Diff(set, values([]any{"b"}), cur))
	if diff := cmp.Diff(map[string]any{"tags": []any{"a", "b"}}, cur.Values); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	if again := Diff(set, values([]any{"b"}), cur); again != nil {
		t.Errorf("after the changes there are more: %v", again)
	}
}

func TestValuesThatAlwaysFlow(t *testing.T) { // engine.R60
	always := func(a mapping.Attribute) mapping.Attribute { a.FlowBehavior = mapping.FlowAlways; return a }
	onCreate, once := always(from("level")), always(from("active"))
	onCreate.Apply, once.Apply = mapping.OnCreate, mapping.AttributeAddOnly
	set := compile(t, from("displayName"), always(from("code")), always(from("nickName")), onCreate, once, always(from("tags")))
	should := values("Eve", "7", nil, int64(3), true, []any{"a"})
	cur := &Current{Values: map[string]any{"displayName": "Ada", "code": "7", "active": false, "tags": []any{"b"}}}
	changes := Diff(set, should, cur)
	want := []connector.Change{{Attr: "code", Op: connector.Set, Old: "7", New: "7"}}
	if diff := cmp.Diff(want, Carry(set, should, cur, changes)); diff != "" {
		t.Errorf("Carry, beside %v (-want +got):\n%s", changes, diff)
	}
	cur.Merge(changes)
	if again := Diff(set, should, cur); again != nil {
		t.Errorf("what always flows causes an update: %v", again)
	}
}

func TestDiffWithAnAccountOfWhichNothingIsKnown(t *testing.T) {
	got := Diff(compile(t, from("displayName"), from("code")), values("Ada", nil), nil)
	if diff := cmp.Diff([]connector.Change{{Attr: "displayName", Op: connector.Set, New: "Ada"}}, got); diff != "" {
		t.Errorf("Diff (-want +got):\n%s", diff)
	}
}

func TestDiffChangesNeitherSide(t *testing.T) {
	old, val := []any{"b", "a"}, []any{"c", "b"}
	Diff(compile(t, from("tags")), values(val), &Current{Values: map[string]any{"tags": old}, Read: true})
	if diff := cmp.Diff([][]any{{"b", "a"}, {"c", "b"}}, [][]any{old, val}); diff != "" {
		t.Errorf("the lists were sorted where they lie (-want +got):\n%s", diff)
	}
}

func TestADefaultIsNotWrittenAgainWhenTheSourceHasTheSameValue(t *testing.T) {
	a := from("level")
	a.Default = "3"
	set := compile(t, from("userName"), from("unit"), a)
	created, err := New(set, values("ada", "u", nil))
	if err != nil {
		t.Fatal(err)
	}
	cur := &Current{Values: map[string]any{}}
	for _, a := range created {
		cur.Values[a.Name] = a.Value
	}
	if got := Diff(set, values("ada", "u", int64(3)), cur); got != nil {
		t.Errorf("the source says what the default said, and yet: %v", got)
	}
}

func TestMerge(t *testing.T) {
	ref := func(anchor string) identity.Ref { return identity.Ref{Kind: identity.User, Anchor: anchor} }
	tests := []struct {
		name    string
		cur     Current
		changes []connector.Change
		want    Current
	}{
		{
			"a value is set", Current{Values: map[string]any{"a": "1", "b": "2"}},
			[]connector.Change{{Attr: "a", Op: connector.Set, Old: "1", New: "3"}},
			Current{Values: map[string]any{"a": "3", "b": "2"}, Refs: map[string]string{}},
		},
		{
			"a value is cleared", Current{Values: map[string]any{"a": "1", "b": "2"}},
			[]connector.Change{{Attr: "a", Op: connector.Clear, Old: "1"}},
			Current{Values: map[string]any{"b": "2"}, Refs: map[string]string{}},
		},
		{
			"a reference is set", Current{Refs: map[string]string{"manager": "1"}},
			[]connector.Change{{Attr: "manager", Op: connector.Set, Old: ref("1"), New: ref("2")}},
			Current{Values: map[string]any{}, Refs: map[string]string{"manager": "2"}},
		},
		{
			"a reference is cleared and a value of the same name is not", Current{Values: map[string]any{"manager": "x"}, Refs: map[string]string{"manager": "1"}},
			[]connector.Change{{Attr: "manager", Op: connector.Clear, Old: ref("1")}},
			Current{Values: map[string]any{"manager": "x"}, Refs: map[string]string{}},
		},
		{
			"members are kept elsewhere", Current{},
			[]connector.Change{{Attr: "members", Op: connector.Add, New: []any{ref("1")}}, {Attr: "members", Op: connector.Remove, New: []any{ref("2")}}},
			Current{Values: map[string]any{}, Refs: map[string]string{}},
		},
		{
			"what was read has been written since", Current{Values: map[string]any{"a": "1"}, Read: true}, nil,
			Current{Values: map[string]any{"a": "1"}, Refs: map[string]string{}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cur.Merge(tt.changes)
			if diff := cmp.Diff(tt.want, tt.cur); diff != "" {
				t.Errorf("Merge (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSettle(t *testing.T) {
	attrs := []mapping.Attribute{from("nickName"), from("tags"), from("level"), from("displayName"), from("code"), {Target: "manager", Reference: "[manager]"}, from("active")}
	should := withIgnored(values("Ada", []any{"a", "b"}, int64(3), "Eve", nil, "x", ignored{}))
	read := func() map[string]any {
		return map[string]any{"nickName": "ADA", "tags": []any{"b", "a"}, "level": "3", "displayName": "Ada", "code": "7", "manager": "x", "active": "true"}
	}
	t.Run("the target's spelling gives way to ours where the two are the same", func(t *testing.T) {
		cur := Current{Values: read(), Read: true}
		cur.Settle(compile(t, attrs...), should)
		want := Current{Values: map[string]any{"nickName": "Ada", "tags": []any{"a", "b"}, "level": int64(3), "displayName": "Ada", "code": "7", "manager": "x", "active": "true"}}
		if diff := cmp.Diff(want, cur); diff != "" {
			t.Errorf("Settle (-want +got):\n%s", diff)
		}
	})
	t.Run("what was not read stays", func(t *testing.T) {
		cur := Current{Values: read()}
		cur.Settle(compile(t, attrs...), should)
		if diff := cmp.Diff(Current{Values: read()}, cur); diff != "" {
			t.Errorf("Settle (-want +got):\n%s", diff)
		}
	})
	t.Run("a change of case in the source is seen after it, engine.R3", func(t *testing.T) {
		set := compile(t, from("nickName"))
		cur := &Current{Values: map[string]any{"nickName": "ADA"}, Read: true}
		cur.Settle(set, values("Ada"))
		want := []connector.Change{{Attr: "nickName", Op: connector.Set, Old: "Ada", New: "ada"}}
		if diff := cmp.Diff(want, Diff(set, values("ada"), cur)); diff != "" {
			t.Errorf("Diff (-want +got):\n%s", diff)
		}
	})
}

func TestDoubtSendsAgain(t *testing.T) { // scim.R63: a write of which nobody knows whether it took effect
	set := compile(t, from("displayName"), mapping.Attribute{Target: "code", Expression: "[code]", FlowNull: true}, from("level"))
	cur := &Current{Values: map[string]any{"displayName": "Ada", "code": "7", "level": int64(3)}, Refs: map[string]string{"manager": "1", "assistant": "2"}}
	should := values("Eve", nil, int64(3))
	changes := append(Diff(set, should, cur), connector.Change{Attr: "manager", Op: connector.Set, New: identity.Ref{Anchor: "9"}})
	cur.Doubt(changes)

	want := &Current{Values: map[string]any{"code": "7", "level": int64(3)}, Refs: map[string]string{"assistant": "2"}}
	if diff := cmp.Diff(want, cur); diff != "" {
		t.Errorf("Doubt (-want +got):\n%s", diff)
	}
	again := []connector.Change{{Attr: "displayName", Op: connector.Set, New: "Eve"}, {Attr: "code", Op: connector.Clear, Old: "7"}}
	if diff := cmp.Diff(again, Diff(set, should, cur)); diff != "" {
		t.Errorf("Diff afterwards (-want +got):\n%s", diff)
	}
	(&Current{}).Doubt(changes) // nothing is known, nothing is forgotten
}

func TestProperties(t *testing.T) {
	set := compile(t, from("displayName"),
		mapping.Attribute{Target: "code", Expression: "Redact([code])"},
		mapping.Attribute{Target: "tags", Expression: `Redact(Split([t], ","))`})
	ref := identity.Ref{Kind: identity.User, Anchor: "17"}
	when := time.Date(2026, 7, 30, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		in   connector.Change
		want Property
	}{
		{"a change shows both values, engine.R145", connector.Change{Attr: "displayName", Op: connector.Set, Old: "Ada", New: "Eve"}, Property{"displayName", "Ada", "Eve"}},
		{"a cleared value is gone", connector.Change{Attr: "displayName", Op: connector.Clear, Old: "Ada"}, Property{"displayName", "Ada", nil}},
		{"a value that is no text stays what it is", connector.Change{Attr: "since", Op: connector.Set, Old: false, New: when}, Property{"since", false, when}},
		{"a reference is its anchor", connector.Change{Attr: "manager", Op: connector.Set, Old: identity.Ref{Anchor: "1"}, New: ref}, Property{"manager", "1", "17"}},
		{"added members are new", connector.Change{Attr: "members", Op: connector.Add, New: []any{ref}}, Property{"members", nil, []any{"17"}}},
		{"removed members are old", connector.Change{Attr: "members", Op: connector.Remove, New: []any{ref}}, Property{"members", []any{"17"}, nil}},
		{"a redacted value is not shown, engine.R71", connector.Change{Attr: "code", Op: connector.Set, Old: "1", New: "2"}, Property{"code", "[Redact]", "[Redact]"}},
		{"a redacted value that was not there is not claimed, engine.R71", connector.Change{Attr: "code", Op: connector.Set, New: "2"}, Property{"code", nil, "[Redact]"}},
		{"a redacted value that is cleared, engine.R71", connector.Change{Attr: "code", Op: connector.Clear, Old: "2"}, Property{"code", "[Redact]", nil}},
		{"redacted values that are removed, engine.R71", connector.Change{Attr: "tags", Op: connector.Remove, New: []any{"x"}}, Property{"tags", "[Redact]", nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff([]Property{tt.want}, Properties(set, []connector.Change{tt.in})); diff != "" {
				t.Errorf("Properties (-want +got):\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff([]Property{}, Properties(set, nil)); diff != "" { // "[]" and not "null" in JSON (design 6.1)
		t.Errorf("no changes (-want +got):\n%s", diff)
	}
}

func TestRedacted(t *testing.T) { // engine.R71
	set := compile(t, from("displayName"), mapping.Attribute{Target: "code", Expression: `Append("x", Redact([code]))`})
	for attr, want := range map[string]bool{"code": true, "displayName": false, "unknown": false} {
		if got := Redacted(set, attr); got != want {
			t.Errorf("Redacted(%q) = %t, want %t", attr, got, want)
		}
	}
}
