package memory_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// The target contract is held by conntest.RunTarget in package conntest.

func company() schema.Schema {
	return schema.Schema{
		{Kind: identity.User, Attributes: []schema.Attribute{{Name: "userName", Required: true, Unique: true, FoldCase: true}, {Name: "title"}, {Name: "id", ReadOnly: true},
			{Name: "manager", Type: schema.Reference}}},
		{Kind: identity.Group, Attributes: []schema.Attribute{{Name: "displayName"}, {Name: "members", Type: schema.Reference, MultiValued: true}}},
	}
}

func person(anchor, title string) *identity.Object {
	return &identity.Object{Kind: identity.User, Anchor: anchor, Attrs: identity.Attrs{{Name: "userName", Value: anchor}, {Name: "title", Value: title}}}
}

// changes are the anchors delivered after a mark, those that are gone with a minus.
func changes(t *testing.T, s *memory.System, since string) []string {
	t.Helper()
	got := []string{}
	for item, err := range s.Changes(t.Context(), connector.ReadRequest{Kind: identity.User, Attrs: []string{"title"}}, since) {
		if err != nil {
			t.Fatal(err)
		}
		sign := ""
		if item.Gone {
			sign = "-"
		}
		got = append(got, sign+item.Object.Anchor)
	}
	return got
}

func position(t *testing.T, s *memory.System) string {
	t.Helper()
	mark, err := s.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return mark
}

func TestChangesDeliverEachChangedObjectOnceAsItIsNow(t *testing.T) {
	s := memory.New(memory.Config{Schema: company()})
	s.Put(person("a", "1"), person("b", "1"), person("c", "1"))
	mark := position(t, s)
	if got := changes(t, s, mark); len(got) != 0 {
		t.Errorf("nothing changed, delivered %q", got)
	}
	s.Put(person("c", "2"))
	s.Put(person("a", "2"))
	s.Remove(identity.User, "b")
	s.Put(person("c", "3"))
	if diff := cmp.Diff([]string{"a", "-b", "c"}, changes(t, s, mark)); diff != "" {
		t.Error(diff)
	}
	s.Forget()
	for _, old := range []string{mark, "", "nonsense", "999"} {
		var err error
		for _, err = range s.Changes(t.Context(), connector.ReadRequest{Kind: identity.User}, old) {
			break
		}
		if connector.KindOf(err) != connector.KindNotFound {
			t.Errorf("mark %q: %v, want not found", old, err)
		}
	}
	if got := changes(t, s, position(t, s)); len(got) != 0 {
		t.Errorf("a new mark delivers %q", got)
	}
}

func TestReadAndLookup(t *testing.T) {
	s := memory.New(memory.Config{Schema: company()})
	disabled := person("b", "x")
	disabled.Disabled, disabled.Assignment = true, &identity.Assignment{Assigned: true, Roles: []identity.Role{{Value: "r"}}}
	s.Put(person("10", "ten"), person("9", "nine"), disabled)
	req := connector.ReadRequest{Kind: identity.User, Attrs: []string{"title"}}
	only := func(anchor, title string) *identity.Object {
		return &identity.Object{Kind: identity.User, Anchor: anchor, Attrs: identity.Attrs{{Name: "title", Value: title}}}
	}
	b := only("b", "x")
	b.Disabled, b.Assignment = true, disabled.Assignment
	var got []*identity.Object
	for item, err := range s.Read(t.Context(), req) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item.Object)
	}
	if diff := cmp.Diff([]*identity.Object{only("9", "nine"), only("10", "ten"), b}, got); diff != "" {
		t.Error(diff)
	}
	got[0].Attrs.Set("title", "changed by the reader")
	var items []connector.Item
	for item, err := range s.Lookup(t.Context(), req, []string{"9", "gone"}) {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	want := []connector.Item{{Object: only("9", "nine")}, {Object: &identity.Object{Kind: identity.User, Anchor: "gone"}, Gone: true}}
	if diff := cmp.Diff(want, items); diff != "" {
		t.Error(diff)
	}
	for _, err := range s.Read(t.Context(), connector.ReadRequest{Kind: identity.User, Attrs: []string{"title", "salary", "shoe"}}) {
		if e := connector.AsError(err); e.Kind != connector.KindInvalid || e.Detail != "there are no attributes salary, shoe" {
			t.Errorf("unknown attributes: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range s.Read(ctx, req) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

func TestHooksFailCallsBeforeAndAfterTheyTakeEffect(t *testing.T) {
	lost := &connector.Error{Kind: connector.KindTemporary, MaybeDone: true}
	down := &connector.Error{Kind: connector.KindTemporary}
	meter := &connector.Meter{}
	var s *memory.System
	s = memory.New(memory.Config{Schema: company(), Meter: meter,
		Before: func(c memory.Call) error {
			if c.Op == connector.OpDelete {
				return down
			}
			return nil
		},
		After: func(c memory.Call) error {
			if c.Op == connector.OpCreate && len(s.Objects(identity.User)) == 1 && c.Anchor == "1" {
				return lost
			}
			return nil
		}})
	_, err := s.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "userName", Value: "mira"}}})
	if !errors.Is(err, lost) || len(s.Objects(identity.User)) != 1 {
		t.Errorf("%v with %d objects: the account is made and its answer lost", err, len(s.Objects(identity.User)))
	}
	if err := s.Delete(t.Context(), identity.User, "1"); !errors.Is(err, down) || len(s.Objects(identity.User)) != 1 {
		t.Errorf("%v with %d objects: nothing happened", err, len(s.Objects(identity.User)))
	}
	var ops []connector.Operation
	for _, c := range s.Journal() {
		ops = append(ops, c.Op)
	}
	if diff := cmp.Diff([]connector.Operation{connector.OpCreate, connector.OpDelete}, ops); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int64{http.MethodPost: 1, http.MethodDelete: 1}, meter.Read().ByMethod); diff != "" {
		t.Error(diff)
	}
}

func TestRefusals(t *testing.T) {
	s := memory.New(memory.Config{Schema: company()})
	s.Put(person("a", "1"))
	attr := func(name string, v any) *identity.Object {
		o := &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "userName", Value: "b"}}}
		o.Attrs.Set(name, v)
		return o
	}
	tests := []struct {
		name string
		obj  *identity.Object
		kind connector.Kind
		code string
	}{
		{"a taken user name, without regard to case", attr("userName", "A"), connector.KindConflict, connector.CodeConflict},
		{"no user name", &identity.Object{Kind: identity.User}, connector.KindInvalid, connector.CodeMandatoryMissing},
		{"an unknown attribute", attr("shoe", "42"), connector.KindInvalid, connector.CodeUnprocessable},
		{"an attribute that is read only", attr("id", "7"), connector.KindInvalid, connector.CodeUnprocessable},
		{"a manager who does not exist", attr("manager", identity.Ref{Kind: identity.User, Anchor: "nobody"}), connector.KindInvalid, connector.CodeUnprocessable},
	}
	for _, tt := range tests {
		_, err := s.Create(t.Context(), tt.obj)
		if e := connector.AsError(err); err == nil || e.Kind != tt.kind || e.Code != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if n := len(s.Objects(identity.User)); n != 1 {
		t.Errorf("%d objects after refusals, want 1", n)
	}
}

func TestDeletedObjectsLeaveTheGroupsTheyWereIn(t *testing.T) {
	s := memory.New(memory.Config{Schema: company()})
	ref := func(a string) identity.Ref { return identity.Ref{Kind: identity.User, Anchor: a} }
	boss := person("boss", "x")
	boss.Attrs.Set("manager", ref("a"))
	s.Put(person("a", "1"), person("b", "1"), boss,
		&identity.Object{Kind: identity.Group, Anchor: "g", Attrs: identity.Attrs{{Name: "members", Value: []any{ref("a"), ref("b")}}}})
	mark := position(t, s)
	if err := s.Delete(t.Context(), identity.User, "a"); err != nil {
		t.Fatal(err)
	}
	v, _ := s.Objects(identity.Group)[0].Get("members")
	if diff := cmp.Diff([]any{ref("b")}, v); diff != "" {
		t.Error(diff)
	}
	if got := changes(t, s, mark); !slices.Equal(got, []string{"-a", "boss"}) {
		t.Errorf("changes %q", got)
	}
}

func TestDroppedReferencesAreAbsentFromTheAnswer(t *testing.T) {
	s := memory.New(memory.Config{Schema: company(), DropsReferences: true})
	s.Put(person("a", "1"))
	made, err := s.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "userName", Value: "b"}, {Name: "manager", Value: identity.Ref{Kind: identity.User, Anchor: "a"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, kept := made.Get("manager"); kept {
		t.Error("the answer shows a reference that was dropped")
	}
}
