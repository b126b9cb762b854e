package engine_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

// tariffed is a target that reads before it changes attributes, adds two members at a time, removes them one by one, and
// never shows titles in its listing.
type tariffed struct {
	*memory.System
	meter *connector.Meter
}

func (t tariffed) Cost(op connector.Operation, _ identity.Kind, changes []connector.Change) []string {
	switch {
	case op == connector.OpUpdate && attributes(changes):
		return []string{http.MethodGet, http.MethodPatch}
	case op == connector.OpUpdate:
		return []string{http.MethodPatch}
	case op == connector.OpCreate:
		return []string{http.MethodPost}
	}
	return []string{http.MethodDelete}
}

func (t tariffed) Batch(_ identity.Kind, _ string, op connector.Op) int {
	if op == connector.Add {
		return 2
	}
	return 1
}

func (t tariffed) Update(ctx context.Context, u connector.Update) (*identity.Object, error) {
	if attributes(u.Changes) {
		t.meter.Add(http.MethodGet)
	}
	return t.System.Update(ctx, u)
}

func (t tariffed) List(ctx context.Context, kind identity.Kind, cursor string) (connector.Page, error) {
	page, err := t.System.List(ctx, kind, cursor)
	for _, o := range page.Objects {
		var shown identity.Attrs
		for _, a := range o.Attrs {
			if a.Name != "title" {
				shown = append(shown, a)
			}
		}
		o.Attrs = shown
	}
	page.Hidden = []string{"title"}
	return page, err
}

// attributes tells whether something else than members changes.
func attributes(changes []connector.Change) bool {
	for _, ch := range changes {
		if ch.Op != connector.Add && ch.Op != connector.Remove {
			return true
		}
	}
	return false
}

func withTariff(caps connector.Caps) setup {
	s := inCreates(caps)
	s.wrap = func(t connector.Target, m *connector.Meter) connector.Target { return tariffed{t.(*memory.System), m} }
	return s
}

// TestATargetTellsItsTariff: every run of a world compares what was planned with what was sent, here with what the target
// itself says that its operations take (design D1).
func TestATargetTellsItsTariff(t *testing.T) {
	w := newWorld(t, withTariff(connector.Caps{MembersApart: true}))
	everybody := []string{"a", "b", "c", "d", "e"}
	for _, id := range everybody {
		w.source.Put(user(id, "manager", "a"))
	}
	w.source.Put(group("g", everybody...))
	want(t, w.run(), store.Counts{Created: 6})
	if diff := cmp.Diff(everybody, w.members("g")); diff != "" {
		t.Errorf("members (- want, + got):\n%s", diff)
	}
	sizes := func(op connector.Op) (out []int) {
		for _, call := range w.calls(connector.OpUpdate) {
			for _, ch := range call.Change {
				if list, ok := ch.New.([]any); ok && ch.Op == op {
					out = append(out, len(list))
				}
			}
		}
		return out
	}
	if diff := cmp.Diff([]int{2, 2, 1}, sizes(connector.Add)); diff != "" {
		t.Errorf("members added, none of them with the create (- want, + got):\n%s", diff)
	}
	for _, call := range w.calls(connector.OpCreate) {
		if call.Kind == identity.User && call.Object.Text("userName") != "a@example.com" {
			if _, ok := call.Object.Get("manager"); !ok {
				t.Errorf("a create without its manager: %v", call.Object)
			}
		}
		if _, ok := call.Object.Get("members"); ok {
			t.Errorf("a create with members: %v", call.Object)
		}
	}

	w.source.Put(group("g", "a"))
	w.source.Put(user("b", "manager", "a", "title", "Smith"))
	w.run()
	if diff := cmp.Diff([]int{1, 1, 1, 1}, sizes(connector.Remove), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("members removed (- want, + got):\n%s", diff)
	}
	w.source.Remove(identity.User, "c")
	w.run()
}

// TestWhatAListingNeverShowsIsNoDrift: one account without an attribute would look changed by hand; the target says that
// its listing never has it (design D3).
func TestWhatAListingNeverShowsIsNoDrift(t *testing.T) {
	w := newWorld(t, withTariff(connector.Caps{List: true}))
	w.source.Put(user("a", "title", "Smith"))
	want(t, w.run(), store.Counts{Created: 1})
	drift(t, w.reconcile(), 1, 0, 0, 0, 0)
	w.edit(identity.User, "a", "displayName", "by hand")
	drift(t, w.reconcile(), 1, 0, 1, 0, 0)
}
