package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

func (w *world) manager(id string) any { return w.account(identity.User, id)["manager"] }

func (w *world) members(id string) []string {
	m, _ := w.account(identity.Group, id)["members"].([]string)
	return m
}

func inCreates(c connector.Caps) setup { c.ReferencesInCreate = true; return setup{caps: c} }

func methods(calls []memory.Call) map[connector.Operation]int {
	out := map[connector.Operation]int{}
	for _, c := range calls {
		out[c.Op]++
	}
	return out
}

// TestManagersComeFirst: a chart with forty people in it takes one call per person (design D1, P1).
func TestManagersComeFirst(t *testing.T) {
	w := newWorld(t, inCreates(connector.Caps{MemberBatch: 10}))
	for i := range 40 { // the smallest anchors report to the largest, so that the order of anchors is the wrong one
		if i < 39 {
			w.source.Put(user(num("p", i), "manager", num("p", min(39, 2*i+1))))
		} else {
			w.source.Put(user(num("p", i)))
		}
	}
	w.source.Put(group("g", num("p", 0), num("p", 1), num("p", 2)))
	rep := w.run()
	want(t, rep, store.Counts{Created: 41})
	if diff := cmp.Diff(map[connector.Operation]int{connector.OpCreate: 41}, methods(w.writes())); diff != "" {
		t.Errorf("writes (- want, + got):\n%s", diff)
	}
	made := map[string]int{}
	for i, c := range w.calls(connector.OpCreate) {
		made[c.Anchor] = i
		for _, a := range c.Object.Attrs {
			if r, ok := a.Value.(identity.Ref); ok {
				if at, ok := made[r.Anchor]; !ok || at > i {
					t.Errorf("account %s was created before its manager %s", c.Anchor, r.Anchor)
				}
			}
		}
	}
	for i := range 39 {
		if got := w.manager(num("p", i)); got != num("p", min(39, 2*i+1)) {
			t.Errorf("manager of %d: %v", i, got)
		}
	}
	w.steady()
}

func TestCycleInTheChart(t *testing.T) { // design D1: cycles in the chart get the PATCH
	for n := 1; n <= 4; n++ {
		t.Run(fmt.Sprintf("%d people in a ring", n), func(t *testing.T) {
			w := newWorld(t, inCreates(connector.Caps{}))
			for i := range n {
				w.source.Put(user(num("p", i), "manager", num("p", (i+1)%n)))
			}
			w.source.Put(user("under", "manager", num("p", 0)))
			want(t, w.run(), store.Counts{Created: int64(n) + 1})
			if diff := cmp.Diff(map[connector.Operation]int{connector.OpCreate: n + 1, connector.OpUpdate: 1}, methods(w.writes())); diff != "" {
				t.Errorf("writes (- want, + got):\n%s", diff)
			}
			for i := range n {
				if got := w.manager(num("p", i)); got != num("p", (i+1)%n) {
					t.Errorf("manager of %d: %v", i, got)
				}
			}
			w.steady()
		})
	}
}

func TestReferencesAfterTheCreate(t *testing.T) { // engine.R90, R92; referencesInCreate: false
	w := newWorld(t, setup{caps: connector.Caps{MemberBatch: 2}})
	w.source.Put(user("ann", "manager", "bob"), user("bob"), user("cec", "manager", "bob"), group("g", "ann", "bob", "cec"))
	want(t, w.run(), store.Counts{Created: 4})
	for _, c := range w.calls(connector.OpCreate) {
		for _, a := range c.Object.Attrs {
			if _, ok := a.Value.(identity.Ref); ok || a.Name == "members" {
				t.Errorf("the create of %s carried %s", c.Anchor, a.Name)
			}
		}
	}
	if diff := cmp.Diff(map[connector.Operation]int{connector.OpCreate: 4, connector.OpUpdate: 4}, methods(w.writes())); diff != "" {
		t.Errorf("writes (- want, + got):\n%s", diff)
	}
	if w.manager("ann") != "bob" || len(w.members("g")) != 3 {
		t.Errorf("manager %v, members %v", w.manager("ann"), w.members("g"))
	}
	w.steady()
}

func TestTargetThatDropsReferencesFromCreates(t *testing.T) { // design D1
	cfg := inCreates(connector.Caps{Concurrency: 1})
	cfg.drops, cfg.noPredict = true, true
	w := newWorld(t, cfg)
	for i := range 5 {
		w.source.Put(user(num("p", i), "manager", "boss"))
	}
	w.source.Put(user("boss"), group("g", "boss", num("p", 0)))
	want(t, w.run(), store.Counts{Created: 7})
	carried := 0
	for _, c := range w.calls(connector.OpCreate) {
		if _, ok := c.Object.Get("manager"); ok {
			carried++
		}
		if _, ok := c.Object.Get("members"); ok {
			carried++
		}
	}
	if carried != 1 {
		t.Errorf("%d creates carried references; the first that was dropped ends it", carried)
	}
	for i := range 5 {
		if got := w.manager(num("p", i)); got != "boss" {
			t.Errorf("manager of %d: %v", i, got)
		}
	}
	if len(w.members("g")) != 2 {
		t.Errorf("members %v", w.members("g"))
	}
	w.cfg.noPredict = false
	w.steady()
	w.source.Put(user("late", "manager", "boss"))
	w.run()
	if _, ok := w.calls(connector.OpCreate)[0].Object.Get("manager"); ok {
		t.Error("a later cycle sends references in creates again")
	}
	if w.manager("late") != "boss" {
		t.Errorf("manager %v", w.manager("late"))
	}
}

func TestMembersGoInBatches(t *testing.T) { // design D1; scim.R42
	for _, inCreate := range []bool{true, false} {
		w := newWorld(t, setup{caps: connector.Caps{MemberBatch: 4, ReferencesInCreate: inCreate}})
		var all []string
		for i := range 10 {
			all = append(all, num("p", i))
			w.source.Put(user(num("p", i)))
		}
		w.source.Put(group("g", all...))
		w.run()
		updates := 3
		if inCreate {
			updates = 2 // four went into the create
		}
		if diff := cmp.Diff(map[connector.Operation]int{connector.OpCreate: 11, connector.OpUpdate: updates}, methods(w.writes())); diff != "" {
			t.Errorf("writes (- want, + got):\n%s", diff)
		}
		if diff := cmp.Diff(all, w.members("g")); diff != "" {
			t.Error(diff)
		}
		w.steady()

		for i := range 5 {
			w.source.Put(user(num("q", i)))
			all = append(all, num("q", i))
		}
		w.source.Put(group("g", all[5:]...)) // five go, five come
		want(t, w.run(), store.Counts{Created: 5, Updated: 1, Unchanged: 10})
		var ops []string
		for _, c := range w.calls(connector.OpUpdate) {
			for _, ch := range c.Change {
				list, _ := ch.New.([]any)
				ops = append(ops, fmt.Sprint(ch.Op, len(list)))
			}
		}
		if diff := cmp.Diff([]string{"remove4", "remove1", "add4", "add1"}, ops); diff != "" {
			t.Errorf("batches (- want, + got):\n%s", diff)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(all[5:])), w.members("g")); diff != "" {
			t.Error(diff)
		}
		w.steady()
	}
}

// TestReferencesHeal brings people and groups into scope in every order; in the end every reference stands (design D4,
// engine.R95-R98).
func TestReferencesHeal(t *testing.T) {
	objects := map[string]func() *identity.Object{
		"boss":   func() *identity.Object { return user("boss", "department", "Sales") },
		"worker": func() *identity.Object { return user("worker", "department", "Sales", "manager", "boss") },
		"team":   func() *identity.Object { return group("team", "boss", "worker") },
	}
	for _, order := range permutations(slices.Sorted(maps.Keys(objects))) {
		for _, feed := range []bool{false, true} {
			for _, inCreate := range []bool{true, false} {
				t.Run(fmt.Sprint(order, " feed ", feed, " in create ", inCreate), func(t *testing.T) {
					w := newWorld(t, setup{feed: feed, rules: filtered(inSales()), caps: connector.Caps{ReferencesInCreate: inCreate}})
					for name, o := range objects { // everybody is there, but nobody is in scope
						if name != "team" {
							out := o()
							out.Attrs.Set("department", "Ops")
							w.source.Put(out)
						}
					}
					for _, name := range order {
						w.source.Put(objects[name]())
						if rep := w.run(); rep.Counts.Failed > 0 {
							t.Errorf("an unresolved reference is no failure: %+v", rep.Counts)
						}
						w.steady()
					}
					if w.manager("worker") != "boss" {
						t.Errorf("manager of worker: %v", w.manager("worker"))
					}
					if diff := cmp.Diff([]string{"boss", "worker"}, w.members("team")); diff != "" {
						t.Error(diff)
					}
				})
			}
		}
	}
}

func permutations(in []string) [][]string {
	if len(in) <= 1 {
		return [][]string{slices.Clone(in)}
	}
	var out [][]string
	for i := range in {
		rest := slices.Delete(slices.Clone(in), i, i+1)
		for _, p := range permutations(rest) {
			out = append(out, append([]string{in[i]}, p...))
		}
	}
	return out
}

func TestUnresolvedReferenceIsAWarning(t *testing.T) { // engine.R95, R96, design D4
	w := newWorld(t, inCreates(connector.Caps{}))
	w.source.Put(user("ann", "manager", "nobody"), group("g", "ann", "nobody"))
	rep := w.run()
	want(t, rep, store.Counts{Created: 2})
	for _, id := range []string{"ann", "g"} {
		if got := w.codeOf(rep, id); got != "create warning UnableToResolveReferenceAttributeValue" {
			t.Errorf("record of %s: %s", id, got)
		}
	}
	w.steady()
}

// TestReferenceThatIsNotWantedAnyMoreDoesNotHeal: the index of unresolved references must follow the source.
func TestReferenceThatIsNotWantedAnyMoreDoesNotHeal(t *testing.T) { // design D4
	for _, feed := range []bool{false, true} {
		w := newWorld(t, setup{feed: feed, caps: connector.Caps{ReferencesInCreate: true}})
		w.source.Put(user("ann", "manager", "late"), user("bob"), group("g", "ann", "late"), group("h", "late", "ann"))
		w.run()
		w.source.Put(user("ann", "manager", "bob"), group("g", "ann"))
		w.run()
		w.source.Put(user("late"))
		w.run()
		if got := w.manager("ann"); got != "bob" {
			t.Errorf("manager of ann: %v, want bob", got)
		}
		if diff := cmp.Diff([]string{"ann"}, w.members("g")); diff != "" {
			t.Errorf("somebody who is no member any more was added (- want, + got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"ann", "late"}, w.members("h")); diff != "" {
			t.Error(diff)
		}
		w.steady()
	}
}

func TestNothingIsHealedOnWhatIsLeftAlone(t *testing.T) {
	w := newWorld(t, setup{feed: true})
	w.source.Put(user("ann", "manager", "late"))
	w.run()
	w.def.Settings.Protected = []string{"ann@example.com"}
	w.source.Put(user("ann", "manager", "late", "title", "x"))
	want(t, w.run(), store.Counts{Skipped: 1})
	w.source.Put(user("late"))
	want(t, w.run(), store.Counts{Created: 1})
	if got := w.manager("ann"); got != nil {
		t.Errorf("a protected account was given the manager %v", got)
	}
}

func TestMemberWhoIsLeavingIsNotAdded(t *testing.T) { // engine.R96
	w := newWorld(t, setup{rules: filtered(inSales())})
	w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Sales"), user("cec", "department", "Sales"), group("g", "ann"))
	w.run()
	w.source.Put(user("bob", "department", "Ops"), group("g", "ann", "bob"))
	want(t, w.run(), store.Counts{Disabled: 1, Unchanged: 3})
	if diff := cmp.Diff([]string{"ann"}, w.members("g")); diff != "" {
		t.Error(diff)
	}
	w.source.Put(user("bob", "department", "Sales"))
	want(t, w.run(), store.Counts{Enabled: 1, Updated: 1, Unchanged: 2})
	if diff := cmp.Diff([]string{"ann", "bob"}, w.members("g")); diff != "" {
		t.Error(diff)
	}
	w.steady()
}

func TestRemovedReferences(t *testing.T) { // engine.R101
	for _, flowNull := range []bool{false, true} {
		w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule {
			rules[1].Attributes[5].FlowNull = flowNull
			return rules
		}})
		w.source.Put(user("ann"), user("bob", "manager", "ann"), group("g", "ann", "bob"))
		w.run()
		w.source.Put(user("bob"), group("g", "ann"))
		w.run()
		var left any = "ann"
		if flowNull {
			left = nil
		}
		if diff := cmp.Diff(left, w.manager("bob")); diff != "" {
			t.Errorf("flowNull %v: manager (- want, + got):\n%s", flowNull, diff)
		}
		if diff := cmp.Diff([]string{"ann"}, w.members("g")); diff != "" {
			t.Error(diff)
		}
		w.steady()
	}
}

func TestGroupsWithinGroupsAreNotWritten(t *testing.T) { // engine.R99
	w := newWorld(t, setup{})
	g := group("g", "ann")
	g.Attrs.Set("members", []any{identity.Ref{Kind: identity.User, Anchor: "ann"}, identity.Ref{Kind: identity.Group, Anchor: "h"}})
	w.source.Put(user("ann"), g, group("h"))
	want(t, w.run(), store.Counts{Created: 3})
	if diff := cmp.Diff([]string{"ann"}, w.members("g")); diff != "" {
		t.Error(diff)
	}
	w.steady()
}

func TestBrownFieldReferences(t *testing.T) {
	w := newWorld(t, inCreates(connector.Caps{}))
	boss, ann := like("1", "boss"), like("2", "ann")
	ann.Attrs.Set("manager", identity.Ref{Kind: identity.User, Anchor: "1"})
	old := &identity.Object{Kind: identity.Group, Anchor: "9", Attrs: identity.Attrs{{Name: "displayName", Value: "Group g"}, {Name: "externalId", Value: "g"}}}
	w.target.Put(boss, ann, old)
	w.source.Put(user("boss"), user("ann", "manager", "boss"), user("new", "manager", "ann"), group("g", "ann", "new"))
	want(t, w.run(), store.Counts{Created: 1, Updated: 1, Unchanged: 2})
	if diff := cmp.Diff(map[connector.Operation]int{connector.OpCreate: 1, connector.OpUpdate: 1}, methods(w.writes())); diff != "" {
		t.Errorf("writes (- want, + got):\n%s", diff)
	}
	if w.manager("new") != "ann" || len(w.members("g")) != 2 {
		t.Errorf("manager %v, members %v", w.manager("new"), w.members("g"))
	}
	w.steady()
}

func TestReferenceToAnAccountThatFailed(t *testing.T) { // engine.R100, design D4
	w := newWorld(t, inCreates(connector.Caps{}))
	w.source.Put(user("ann", "manager", "boss"), user("boss"), group("g", "ann", "boss"))
	w.fail(refuse("boss"), nil)
	rep := w.run()
	want(t, rep, store.Counts{Created: 2, Failed: 1})
	w.fail(nil, nil)
	want(t, w.run(), store.Counts{Created: 1, Updated: 2})
	if w.manager("ann") != "boss" || len(w.members("g")) != 2 {
		t.Errorf("manager %v, members %v", w.manager("ann"), w.members("g"))
	}
	w.steady()
}

func TestHealingThatFindsNothingToWriteIsNoUpdate(t *testing.T) { // I6
	w := newWorld(t, inCreates(connector.Caps{}))
	w.source.Put(user("ann", "manager", "late"), group("g", "late"))
	w.run()
	w.source.Put(user("late"))
	w.fail(refuse("late"), nil)
	rep := w.run() // check() compares log and writes
	want(t, rep, store.Counts{Failed: 1, Unchanged: 2})
	w.fail(nil, nil)
	want(t, w.run(), store.Counts{Created: 1, Updated: 2})
	w.steady()
}

// refuse makes the creates of some source objects fail for good.
func refuse(ids ...string) func(memory.Call) error {
	return func(c memory.Call) error {
		if c.Op == connector.OpCreate && slices.Contains(ids, c.Object.Text("externalId")) {
			return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable, Op: "create", Status: 422, Detail: "refused by the test"}
		}
		return nil
	}
}

func TestMemberWithANewAccount(t *testing.T) { // engine.R56: the old account was taken away in the target
	w := newWorld(t, setup{noPredict: true, settings: func(s *job.Settings) { s.OnMissingTarget = job.MissingRematch }})
	w.source.Put(user("ann"), user("bob"), group("g", "ann", "bob"))
	w.run()
	w.target.Remove(identity.User, w.anchorOf(identity.User, "ann"))
	w.source.Put(user("ann", "title", "x"))
	w.run()
	g := group("g", "ann", "bob")
	g.Attrs.Set("name", "Group renamed")
	w.source.Put(g)
	w.run()
	if diff := cmp.Diff([]string{"ann", "bob"}, w.members("g")); diff != "" {
		t.Error(diff)
	}
	w.source.Put(group("g", "bob"))
	w.run()
	if diff := cmp.Diff([]string{"bob"}, w.members("g")); diff != "" {
		t.Error(diff)
	}
}

func TestWhatStillWaitsIsNotForgottenWhenItsOwnerChanges(t *testing.T) { // design D4
	w := newWorld(t, inCreates(connector.Caps{}))
	w.source.Put(user("ann", "manager", "late"), group("g", "ann", "late"))
	w.run()
	w.source.Put(user("late"), user("ann", "manager", "late", "title", "x"), group("g", "ann", "late", "bob"), user("bob"))
	w.fail(refuse("late"), nil)
	w.run()
	w.fail(nil, nil)
	w.run()
	if w.manager("ann") != "late" {
		t.Errorf("manager %v", w.manager("ann"))
	}
	if diff := cmp.Diff([]string{"ann", "bob", "late"}, w.members("g")); diff != "" {
		t.Error(diff)
	}
	w.steady()
}

// TestMembersWhoseAddOrRemovalWasLost: members are never read, so what is not known is sent again, or taken away again.
func TestMembersWhoseAddOrRemovalWasLost(t *testing.T) {
	for _, done := range []bool{true, false} {
		w := newWorld(t, setup{noPredict: true})
		w.source.Put(user("ann"), user("bob"), group("g", "ann"), group("h", "ann", "bob"))
		w.run()
		lost := func(c memory.Call) error {
			if c.Op == connector.OpUpdate {
				return &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeTimeout, MaybeDone: true}
			}
			return nil
		}
		hook := func(f func(memory.Call) error) {
			if done {
				w.fail(nil, f)
			} else {
				w.fail(f, nil)
			}
		}
		for _, step := range [][2]*identity.Object{
			{group("g", "ann", "bob"), group("g", "ann")}, // an add that is lost, and then not wanted any more
			{group("g"), group("g", "ann")},               // a removal that is lost, and then not wanted any more
		} {
			w.source.Put(step[0])
			hook(lost)
			if rep := w.run(); rep.Counts.Failed != 1 {
				t.Errorf("counts %+v", rep.Counts)
			}
			hook(nil)
			w.source.Put(step[1])
			w.run()
			if diff := cmp.Diff([]string{"ann"}, w.members("g")); diff != "" {
				t.Errorf("done %v (- want, + got):\n%s", done, diff)
			}
			w.steady()
		}
	}
}

// TestMembersThatALostCreateMayHaveBrought: the members of a create that may have taken effect are remembered, and are no
// members of the group that is found in the end when the source has dropped them since.
func TestMembersThatALostCreateMayHaveBrought(t *testing.T) {
	for _, effect := range []bool{true, false} {
		w := newWorld(t, inCreates(connector.Caps{}))
		w.cfg.noPredict = true
		w.source.Put(user("ann"), user("bob"))
		w.run()
		w.source.Put(group("g", "ann", "bob"))
		lost := &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeTimeout, MaybeDone: true}
		blind := false // the group cannot be looked for after its create
		hook := func(c memory.Call) error {
			switch {
			case c.Op == connector.OpCreate:
				blind = true
				return lost
			case blind && c.Op != connector.OpProbe:
				return lost
			}
			return nil
		}
		if effect {
			w.fail(nil, hook)
		} else {
			w.fail(hook, nil)
		}
		rep, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}) // what it wrote it does not know
		if err != nil || rep.Counts.Failed != 1 {
			t.Fatalf("counts %+v, %v", rep.Counts, err)
		}

		w.source.Put(group("g", "bob"))
		w.fail(nil, func(c memory.Call) error {
			if c.Op == connector.OpCreate {
				return lost
			}
			return nil
		})
		w.run()
		w.fail(nil, nil)
		w.source.Put(user("ann", "title", "Foreman"))
		w.run()
		if diff := cmp.Diff([]string{"bob"}, w.members("g")); diff != "" {
			t.Errorf("effect %v (- want, + got):\n%s", effect, diff)
		}
		w.steady()
	}
}

func TestValueWhoseWriteWasLost(t *testing.T) {
	for _, policy := range []connector.ReadPolicy{connector.ReadStale, connector.ReadNever} {
		w := newWorld(t, setup{noPredict: true, caps: connector.Caps{ReadBeforeWrite: policy}})
		w.source.Put(user("ann", "title", "a"), user("bob"), user("cec"))
		w.run()
		w.source.Put(user("ann", "title", "b"), disabled(user("bob")))
		w.fail(nil, func(c memory.Call) error {
			if c.Op == connector.OpUpdate {
				return &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeTimeout, MaybeDone: true}
			}
			return nil
		})
		w.run()
		w.fail(nil, nil)
		w.source.Put(user("ann", "title", "a"), user("bob")) // as it was before
		w.run()
		if w.account(identity.User, "ann")["title"] != "a" || !w.active("bob") {
			t.Errorf("%s: accounts %v, %v", policy, w.account(identity.User, "ann"), w.account(identity.User, "bob"))
		}
		w.steady()
	}
}

func TestMemberWhoComesBackWhileTheGroupChanges(t *testing.T) { // the account is new, so the membership is too
	w := newWorld(t, inCreates(connector.Caps{}))
	w.source.Put(user("ann"), user("bob"), user("cec"), group("g", "ann", "bob"))
	w.run()
	w.source.Remove(identity.User, "ann") // the group goes on naming her
	want(t, w.run(), store.Counts{Deleted: 1, Unchanged: 3})
	w.source.Put(user("ann"), group("g", "ann", "bob", "cec"))
	want(t, w.run(), store.Counts{Created: 1, Updated: 1, Unchanged: 2})
	if diff := cmp.Diff([]string{"ann", "bob", "cec"}, w.members("g")); diff != "" {
		t.Error(diff)
	}
	w.steady()
}
