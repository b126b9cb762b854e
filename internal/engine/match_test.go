package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/store"
)

// existing makes an account of the target that Rollcall has not made.
func existing(anchor, login string, more ...any) *identity.Object {
	o := &identity.Object{Kind: identity.User, Anchor: anchor, Attrs: identity.Attrs{{Name: "userName", Value: login}}}
	for i := 0; i+1 < len(more); i += 2 {
		o.Attrs.Set(more[i].(string), more[i+1])
	}
	return o
}

// like makes an account just as the rule would.
func like(anchor, id string) *identity.Object {
	return existing(anchor, id+"@example.com", "displayName", "Name "+id, "externalId", id, "active", true)
}

func usersOnly(change func(*job.Rule)) func([]job.Rule) []job.Rule {
	return func([]job.Rule) []job.Rule {
		r := userRule()
		if change != nil {
			change(&r)
		}
		return []job.Rule{r}
	}
}

// byNumberThenMail joins on employeeNumber first, then on mail (engine.R47).
func byNumberThenMail(r *job.Rule) {
	r.Attributes[0].Match = 0
	r.Attributes = append(r.Attributes, mapping.Attribute{Target: "employeeNumber", Expression: "[number]", Match: 1}, mapping.Attribute{Target: "mail", Expression: "[mail]", Match: 2})
}

func TestBrownField(t *testing.T) { // engine.R51, R55, R57
	for _, c := range []struct {
		name    string
		account *identity.Object
		counts  store.Counts
		patches int
	}{
		{"an account without a difference is linked and not written", like("7", "ann"), store.Counts{Unchanged: 1}, 0},
		{"letter case of an attribute that ignores it is no difference", existing("7", "ANN@example.com", "displayName", "NAME ann", "externalId", "ann", "active", true), store.Counts{Unchanged: 1}, 0},
		{"an account with a difference is updated", existing("7", "ann@example.com", "displayName", "Other", "externalId", "ann", "active", true), store.Counts{Updated: 1}, 1},
		{"an inactive account is enabled", existing("7", "ann@example.com", "displayName", "Name ann", "externalId", "ann", "active", false), store.Counts{Enabled: 1}, 1},
		{"attributes that are not mapped stay", existing("7", "ann@example.com", "displayName", "Name ann", "externalId", "ann", "active", true, "department", "Ops"), store.Counts{Unchanged: 1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{})
			w.target.Put(c.account, existing("8", "stranger@example.com", "active", true))
			w.source.Put(user("ann"))
			want(t, w.run(), c.counts)
			if n := len(w.writes()); n != c.patches {
				t.Errorf("%d writes, want %d: %s", n, c.patches, show(w.writes()))
			}
			if o := w.state()[store.ObjectKey{Rule: "users", Anchor: "ann"}]; o.Target != "7" || o.State != store.Active {
				t.Errorf("link of ann: %+v", o)
			}
			w.steady()
			if got := w.cycleInitial(); len(got) > 0 {
				t.Errorf("a forced initial cycle wrote although nothing had changed (I4): %s", show(got))
			}
			if len(w.target.Objects(identity.User)) != 2 {
				t.Error("an account without a source object was touched (engine.R57, R165)")
			}
		})
	}
}

func TestMatchingByPriority(t *testing.T) { // engine.R47, R48, R50, R51
	for _, c := range []struct {
		name     string
		accounts []*identity.Object
		person   *identity.Object
		target   string // account that is linked, "" for a new one
		finds    int
	}{
		{"the first priority with a hit decides, the second is not asked",
			[]*identity.Object{existing("7", "a", "employeeNumber", "1"), existing("8", "b", "mail", "ann@x")}, user("ann", "number", "1", "mail", "ann@x"), "7", 1},
		{"no hit by the first priority: the second is asked",
			[]*identity.Object{existing("8", "b", "mail", "ann@x")}, user("ann", "number", "1", "mail", "ann@x"), "8", 2},
		{"a priority without a value is passed over",
			[]*identity.Object{existing("8", "b", "mail", "ann@x")}, user("ann", "mail", "ann@x"), "8", 1},
		{"no hit at all creates", nil, user("ann", "number", "1", "mail", "ann@x"), "", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{rules: usersOnly(byNumberThenMail)})
			w.target.Put(c.accounts...)
			w.source.Put(c.person)
			w.run()
			got := w.state()[store.ObjectKey{Rule: "users", Anchor: "ann"}].Target
			if c.target == "" {
				if len(w.calls(connector.OpCreate)) != 1 {
					t.Error("no account was created")
				}
			} else if got != c.target {
				t.Errorf("linked to %q, want %q", got, c.target)
			}
			if n := len(w.calls(connector.OpFind)); n != c.finds {
				t.Errorf("%d queries, want %d", n, c.finds)
			}
		})
	}
}

func TestMatchingByIndexGivesTheSameAsQueries(t *testing.T) { // engine.R47, design D1
	for _, page := range []int{2, 100} {
		w := newWorld(t, setup{caps: connector.Caps{PageSize: page}, rules: usersOnly(byNumberThenMail)})
		w.target.Put(existing("7", "a", "employeeNumber", "1"), existing("8", "b", "mail", "ann@x"), existing("9", "c", "mail", "bob@x"), existing("10", "d", "employeeNumber", "3"), existing("11", "e", "employeeNumber", "3"))
		w.source.Put(user("ann", "number", "1", "mail", "ann@x"), user("bob", "number", "2", "mail", "bob@x"), user("cec", "number", "3"), user("dan", "number", "4"))
		rep := w.run()
		links := map[string]string{}
		for k, o := range w.state() {
			if o.Target != "" && k.Anchor != "dan" {
				links[k.Anchor] = o.Target
			}
		}
		if diff := cmp.Diff(map[string]string{"ann": "7", "bob": "9"}, links); diff != "" {
			t.Errorf("page size %d: links (- want, + got):\n%s", page, diff)
		}
		if got := w.codeOf(rep, "cec"); got != "other failure DuplicateTargetEntries" {
			t.Errorf("page size %d: record of cec: %s", page, got)
		}
		if n := len(w.calls(connector.OpFind)); n != 0 && page == 100 {
			t.Errorf("%d queries beside the index", n)
		}
	}
}

func TestSeveralAccountsWithTheJoiningValue(t *testing.T) { // engine.R51
	w := newWorld(t, setup{rules: usersOnly(byNumberThenMail)})
	w.target.Put(existing("7", "a", "employeeNumber", "1"), existing("8", "b", "employeeNumber", "1"))
	w.source.Put(user("ann", "number", "1"))
	rep := w.run()
	want(t, rep, store.Counts{Failed: 1})
	if got := w.codeOf(rep, "ann"); got != "other failure DuplicateTargetEntries" {
		t.Errorf("record: %s", got)
	}
	if rep.Cycle.State != store.EntryLevelErrors || len(w.writes()) != 0 {
		t.Errorf("state %s, writes %s", rep.Cycle.State, show(w.writes()))
	}
	w.target.Remove(identity.User, "8")
	want(t, w.run(), store.Counts{Updated: 1})
	w.steady()
}

func TestTwoSourceObjectsWithOneJoiningValue(t *testing.T) { // engine.R52
	second := user("bob")
	second.Attrs.Set("login", "ANN@example.com")
	t.Run("both new in one cycle", func(t *testing.T) {
		w := newWorld(t, setup{})
		w.source.Put(user("ann"), second)
		rep := w.run()
		want(t, rep, store.Counts{Created: 1, Failed: 1})
		if got := w.codeOf(rep, "bob"); got != "other failure DuplicateSourceEntries" {
			t.Errorf("record: %s", got)
		}
		want(t, w.run(), store.Counts{Unchanged: 1, Failed: 1})
	})
	t.Run("one linked in an earlier cycle", func(t *testing.T) {
		w := newWorld(t, setup{})
		w.source.Put(user("ann"))
		w.run()
		w.source.Put(second)
		rep := w.run()
		want(t, rep, store.Counts{Unchanged: 1, Failed: 1})
		if got := w.codeOf(rep, "bob"); got != "other failure DuplicateSourceEntries" {
			t.Errorf("record: %s", got)
		}
	})
	t.Run("both match one existing account", func(t *testing.T) {
		w := newWorld(t, setup{})
		w.target.Put(like("7", "ann"))
		w.source.Put(user("ann"), second)
		rep := w.run()
		want(t, rep, store.Counts{Unchanged: 1, Failed: 1})
		if n := len(w.target.Objects(identity.User)); n != 1 {
			t.Errorf("%d accounts", n)
		}
	})
}

func TestCaseOfAJoiningValueCountsWhereTheTargetSaysSo(t *testing.T) { // engine.R3, R49
	exact := usersOnly(func(r *job.Rule) {
		r.Attributes[0].Match = 0
		r.Attributes = append(r.Attributes, mapping.Attribute{Target: "employeeNumber", Expression: "[number]", Match: 1})
	})
	for _, page := range []int{1, 100} { // by query and by index
		w := newWorld(t, setup{rules: exact, caps: connector.Caps{PageSize: page}})
		w.target.Put(existing("7", "x", "employeeNumber", "ab"), existing("8", "y", "employeeNumber", "zz"))
		w.source.Put(user("ann", "number", "AB"), user("bob", "number", "ab"), user("cec", "number", "Ab"))
		rep := w.run()
		want(t, rep, store.Counts{Created: 2, Updated: 1})
		if got := w.anchorOf(identity.User, "bob"); got != "7" {
			t.Errorf("page size %d: bob is linked to %q", page, got)
		}
	}
}

func TestConflictAfterAMissInTheIndex(t *testing.T) { // design D1
	w := newWorld(t, setup{noPredict: true, caps: connector.Caps{PageSize: 100}})
	w.source.Put(user("ann"), user("bob"), user("cec"))
	hidden := like("7", "ann")
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpCreate && c.Object.Text("externalId") == "bob" {
			w.target.Put(hidden) // made by somebody else after the listing
		}
		return nil
	}, nil)
	w.target.Put(existing("8", "other@example.com"))
	w.fail(nil, nil)
	w.before = func(c memory.Call) error {
		if c.Op == connector.OpCreate && c.Object.Text("externalId") == "ann" && len(w.target.Objects(identity.User)) < 4 && w.anchorOf(identity.User, "ann") == "" {
			w.target.Put(hidden)
		}
		return nil
	}
	rep := w.run()
	want(t, rep, store.Counts{Created: 2, Unchanged: 1})
	if n := len(w.calls(connector.OpFind)); n != 1 {
		t.Errorf("%d queries after the conflict, want 1", n)
	}
	if o := w.state()[store.ObjectKey{Rule: "users", Anchor: "ann"}]; o.Target != "7" {
		t.Errorf("ann is linked to %q", o.Target)
	}
	w.fail(nil, nil)
	w.steady()
}

func TestConflictOfAnotherAttributeIsAFailure(t *testing.T) { // engine.R89
	w := newWorld(t, setup{noPredict: true, target: func(s schema.Schema) schema.Schema {
		s[0].Attributes[2].Unique = true // title
		return s
	}})
	w.target.Put(existing("7", "other@example.com", "title", "CEO"))
	w.source.Put(user("ann", "title", "CEO"), user("bob"))
	rep := w.run()
	want(t, rep, store.Counts{Created: 1, Failed: 1})
	if got := w.codeOf(rep, "ann"); got != "create failure EntryConflict" {
		t.Errorf("record: %s", got)
	}
	if w.account(identity.User, "ann") != nil {
		t.Error("ann has an account")
	}
}

// TestCallsOfMatching: the cheaper of a listing and queries is taken (design D1).
func TestCallsOfMatching(t *testing.T) {
	for _, c := range []struct {
		name                 string
		existing, people     int
		page                 int
		finds, lists, before int
	}{
		{"one person is asked for", 0, 1, 50, 1, 0, 0},
		{"an empty target is listed once", 0, 40, 50, 0, 1, 0},
		{"more people than pages: the target is listed", 90, 10, 10, 0, 9, 0},
		{"more pages than people: the first page is kept, the rest are asked for", 200, 5, 10, 5, 1, 0},
		{"after the first cycle a single newcomer among many is asked for", 0, 1, 10, 1, 0, 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{caps: connector.Caps{PageSize: c.page}, rules: usersOnly(nil)})
			for i := range c.existing {
				w.target.Put(existing(num("t", i), num("old", i)))
			}
			for i := range c.before {
				w.source.Put(user(num("before", i)))
			}
			if c.before > 0 {
				w.run()
			}
			for i := range c.people {
				w.source.Put(user(num("new", i)))
			}
			rep := w.run()
			if finds, lists := len(w.calls(connector.OpFind)), len(w.calls(connector.OpList)); finds != c.finds || lists != c.lists {
				t.Errorf("%d queries and %d pages, want %d and %d", finds, lists, c.finds, c.lists)
			}
			want(t, rep, store.Counts{Created: int64(c.people), Unchanged: int64(c.before)})
		})
	}
}
