package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
)

func TestDrift(t *testing.T) { // design D3
	flowing := mapping.Attribute{Target: "displayName", Expression: "[displayName]", FlowNull: true}
	set := func(attr string, found, written any) []connector.Change {
		return []connector.Change{{Attr: attr, Op: connector.Set, Old: found, New: written}}
	}
	for _, tt := range []struct {
		name           string
		attr           mapping.Attribute
		written, found any
		want           []connector.Change
	}{
		{"what was written is there", from("displayName"), "Ada", "Ada", nil},
		{"another value", from("displayName"), "Ada", "Eve", set("displayName", "Eve", "Ada")},
		{"a value that is gone", from("displayName"), "Ada", nil, set("displayName", nil, "Ada")},
		{"letter case where the target ignores it (engine.R3)", from("nickName"), "Ada", "ADA", nil},
		{"letter case where it does not", from("displayName"), "Ada", "ADA", set("displayName", "ADA", "Ada")},
		{"the order of several values", from("tags"), []any{"a", "b"}, []any{"b", "a"}, nil},
		{"a number that the target keeps as text", from("level"), int64(3), "3", nil},
		{"a switch", from("active"), true, false, set("active", false, true)},
		{"a value where none was written belongs to the application", from("displayName"), nil, "Eve", nil},
		{"unless null flows (engine.R64)", flowing, nil, "Eve", []connector.Change{{Attr: "displayName", Op: connector.Clear, Old: "Eve"}}},
		{"nothing where nothing was written", flowing, nil, "", nil},
		{"what is written on create only", mapping.Attribute{Target: "displayName", Expression: "[x]", Apply: mapping.OnCreate}, "Ada", "Eve", nil},
		{"what only a default fills (engine.R61)", mapping.Attribute{Target: "displayName", Default: "Employee"}, "Employee", "Boss", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values := func(v any) *Current {
				c := &Current{Values: map[string]any{}, Refs: map[string]string{}}
				if v != nil {
					c.Values[tt.attr.Target] = v
				}
				return c
			}
			last, found := values(tt.written), values(tt.found)
			got := Drift(compile(t, tt.attr), last, found)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("drift (- want, + got):\n%s", diff)
			}
			if len(got) == 0 {
				return
			}
			if over := last.Overlay(got); !identity.Equal(over.Value(tt.attr.Target), tt.found, false) {
				t.Errorf("laid over what was written: %v, want %v", over.Values, tt.found)
			}
			if diff := cmp.Diff(values(tt.written), last); diff != "" {
				t.Errorf("what was written last has changed:\n%s", diff)
			}
		})
	}
}

func TestDriftOfAManager(t *testing.T) { // design D3
	m := mapping.Attribute{Target: "manager", Reference: "[manager]"}
	flowing := m
	flowing.FlowNull = true
	ref := func(anchor string) any {
		if anchor == "" {
			return nil
		}
		return identity.Ref{Anchor: anchor}
	}
	for _, tt := range []struct {
		name           string
		attr           mapping.Attribute
		written, found string
		op             connector.Op // "" for no drift
	}{
		{"the same", m, "1", "1", ""},
		{"another", m, "1", "2", connector.Set},
		{"none any more", m, "1", "", connector.Set},
		{"one where none was written", m, "", "2", ""},
		{"one where none was written, and null flows (engine.R101)", flowing, "", "2", connector.Clear},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refs := func(anchor string) *Current {
				c := &Current{Values: map[string]any{}, Refs: map[string]string{}}
				if anchor != "" {
					c.Refs["manager"] = anchor
				}
				return c
			}
			var want []connector.Change
			if tt.op != "" {
				want = []connector.Change{{Attr: "manager", Op: tt.op, Old: ref(tt.found), New: ref(tt.written)}}
			}
			got := Drift(compile(t, tt.attr), refs(tt.written), refs(tt.found))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("drift (- want, + got):\n%s", diff)
			}
			if tt.op != "" {
				if diff := cmp.Diff(refs(tt.found), refs(tt.written).Overlay(got)); diff != "" {
					t.Errorf("laid over what was written:\n%s", diff)
				}
			}
		})
	}
}
