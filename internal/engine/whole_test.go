package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/store"
)

// crew is a group of people in a target that takes no member away singly.
func crew(t *testing.T, members ...string) *world {
	w := newWorld(t, setup{caps: connector.Caps{MemberBatch: 2, WholeMembers: true}})
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		w.source.Put(user(id))
	}
	w.source.Put(group("g", members...))
	w.run()
	if diff := cmp.Diff(members, w.members("g")); diff != "" {
		t.Fatalf("members (- want, + got):\n%s", diff)
	}
	return w
}

// TestMembersAreTakenAwayByTheListOfAllWhoRemain: a target with connector.Caps.WholeMembers gets one update with all of
// them, those who come in the same cycle included, and the plan says so.
func TestMembersAreTakenAwayByTheListOfAllWhoRemain(t *testing.T) {
	tests := []struct {
		name    string
		members []string
		writes  int
	}{
		{"one goes", []string{"a", "b", "d", "e"}, 1},
		{"one goes and one comes", []string{"a", "b", "d", "e", "f"}, 1},
		{"all go", nil, 1},
		{"one comes", []string{"a", "b", "c", "d", "e", "f"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := crew(t, "a", "b", "c", "d", "e")
			w.source.Put(group("g", tt.members...))
			want(t, w.run(), store.Counts{Updated: 1, Unchanged: 6})
			if diff := cmp.Diff(tt.members, w.members("g"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("members (- want, + got):\n%s", diff)
			}
			calls := w.writes()
			if len(calls) != tt.writes {
				t.Errorf("%d writes, want %d: %s", len(calls), tt.writes, show(calls))
			}
			if got := calls[0].Known["displayName"]; got != "Group g" { // what is known of the account goes along
				t.Errorf("known is %v", calls[0].Known)
			}
			w.steady()
		})
	}
}

// TestAListOfMembersThatWasWrittenInPartIsWrittenAgain: until it is whole, anybody may be missing, also when nobody has to
// go any more by the time it is sent again.
func TestAListOfMembersThatWasWrittenInPartIsWrittenAgain(t *testing.T) {
	for name, later := range map[string][]string{
		"as it was":                          {"a", "b", "d", "e"},
		"who had to go has come back":        {"a", "b", "c", "d", "e"},
		"and somebody else has to go by now": {"a", "b", "c", "d"},
	} {
		t.Run(name, func(t *testing.T) {
			w := crew(t, "a", "b", "c", "d", "e")
			w.source.Put(group("g", "a", "b", "d", "e"))
			w.fail(func(c memory.Call) error {
				if c.Op != connector.OpUpdate {
					return nil
				}
				for _, o := range w.target.Objects(identity.Group) { // the first call of several took effect
					all, _ := c.Change[0].New.([]any)
					o.Attrs.Set("members", all[:2])
					w.target.Put(o)
				}
				return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable, MaybeDone: true, Err: errors.New("the second call was refused")}
			}, nil)
			w.run()
			if diff := cmp.Diff([]string{"a", "b"}, w.members("g")); diff != "" {
				t.Fatalf("members after the failure (- want, + got):\n%s", diff)
			}
			w.fail(nil, nil)
			w.source.Put(group("g", later...))
			w.run()
			if diff := cmp.Diff(later, w.members("g")); diff != "" {
				t.Errorf("members (- want, + got):\n%s", diff)
			}
			w.steady()
		})
	}
}

// rewriting is a target that keeps titles in capitals, and whose schema says that it rewrites texts.
func rewriting(t *testing.T, limit schema.Limit, settings func(*job.Settings)) *world {
	return newWorld(t, setup{settings: settings, caps: connector.Caps{ReadBeforeWrite: connector.ReadAlways}, target: func(s schema.Schema) schema.Schema {
		for i := range s {
			s[i].Limits = map[string]schema.Limit{"": limit}
		}
		return s
	}})
}

// TestATextThatTheTargetRewritesIsNoChange (scim.R28): with compareWith: sent only a text that the target lost counts.
func TestATextThatTheTargetRewritesIsNoChange(t *testing.T) {
	w := rewriting(t, schema.Limit{Rewritten: true}, drifting(job.DriftCorrect))
	w.source.Put(user("ann", "title", "Driver"), user("bob", "title", "Driver"))
	w.run()
	w.edit(identity.User, "ann", "title", "DRIVER")
	w.edit(identity.User, "bob", "title", nil)
	rep := w.reconcile()
	want(t, rep, store.Counts{Updated: 1, Unchanged: 1})
	if a, b := w.account(identity.User, "ann")["title"], w.account(identity.User, "bob")["title"]; a != "DRIVER" || b != "Driver" {
		t.Errorf("titles %v and %v", a, b)
	}
	w.source.Put(user("ann", "title", "Driver", "name", "Ann B.")) // the account is read before it is updated
	w.run()
	if calls := w.writes(); len(calls) != 1 || len(calls[0].Change) != 1 || calls[0].Change[0].Attr != "displayName" {
		t.Errorf("writes: %s", show(calls))
	}
}

// TestTextsAreBroughtIntoTheFormThatTheTargetTakes: cut and stripped before they are compared, so that an account that has
// them so is matched and not written again.
func TestTextsAreBroughtIntoTheFormThatTheTargetTakes(t *testing.T) {
	w := newWorld(t, setup{target: func(s schema.Schema) schema.Schema {
		s[0].Limits = map[string]schema.Limit{"": {Strip: "<>;"}, "userName": {MaxLength: 5, Strip: "<>;"}}
		return s
	}, rules: func(rules []job.Rule) []job.Rule {
		rules[1].Attributes = append(rules[1].Attributes, mapping.Attribute{Target: "department", Expression: "[department]", Default: "<none>"})
		return rules[1:]
	}})
	w.target.Put(&identity.Object{Kind: identity.User, Anchor: "t1", Attrs: identity.Attrs{{Name: "userName", Value: "ann.l"}, {Name: "title", Value: "Head 50"},
		{Name: "displayName", Value: "Ann"}, {Name: "active", Value: true}, {Name: "externalId", Value: "ann"}, {Name: "department", Value: "none"}}})
	w.source.Put(user("ann", "login", "ann.lindqvist", "name", "Ann", "title", "Head; <50>"))
	want(t, w.run(), store.Counts{Unchanged: 1})
	if calls := w.writes(); len(calls) != 0 {
		t.Errorf("writes: %s", show(calls))
	}
	w.source.Put(user("bob", "login", "bob.the.builder", "name", "Bob", "title", ">x<"))
	want(t, w.run(), store.Counts{Created: 1, Unchanged: 1})
	if got := w.account(identity.User, "bob"); got["userName"] != "bob.t" || got["title"] != "x" || got["department"] != "none" {
		t.Errorf("account %v", got)
	}
	w.steady()
}

// TestTheSameUpdateInThreeCyclesIsToldWithItsAttribute: a target that keeps another value than it is sent gets it again
// whenever it is compared (scim.R28).
func TestTheSameUpdateInThreeCyclesIsToldWithItsAttribute(t *testing.T) {
	w := newWorld(t, setup{settings: drifting(job.DriftCorrect)})
	w.source.Put(user("ann", "title", "Driver"))
	w.run()
	for cycle := 1; cycle <= 4; cycle++ {
		w.edit(identity.User, "ann", "title", "DRIVER")
		rep := w.reconcile()
		want(t, rep, store.Counts{Updated: 1})
		code := "update success"
		if cycle >= 3 {
			code = "update warning RepeatedUpdate"
		}
		if got := w.codeOf(rep, "ann"); got != code {
			t.Errorf("cycle %d: %s, want %s", cycle, got, code)
		}
		if records := w.records(rep.Cycle.ID); cycle >= 3 && !strings.Contains(string(records[0].Doc), "the same title:") {
			t.Errorf("cycle %d: the record does not name the attribute: %s", cycle, records[0].Doc)
		}
	}
	w.source.Put(user("ann", "title", "Clerk"))
	if got := w.codeOf(w.run(), "ann"); got != "update success" {
		t.Errorf("another value: %s", got)
	}
}
