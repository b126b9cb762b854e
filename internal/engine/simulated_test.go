package engine_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/store"
)

// What the fault simulator (internal/sim) found, each made as small as it goes.

var lostAnswer = &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeTimeout, MaybeDone: true}

// losing makes the answers of an operation get lost once it took effect, and all look-ups after that.
func losing(w *world, op connector.Operation) {
	lost := false
	w.fail(func(c memory.Call) error {
		if lost && c.Op == connector.OpFind {
			return lostAnswer
		}
		return nil
	}, func(c memory.Call) error {
		if c.Op == op {
			lost = true
			return lostAnswer
		}
		return nil
	})
}

func TestADisableIsNotStoppedByAUserNameThatIsTaken(t *testing.T) { // engine.R79, I5
	w := newWorld(t, setup{noPredict: true})
	w.source.Put(user("ann"), user("bob"))
	w.run()
	w.source.Put(disabled(user("ann", "login", "BOB@example.com")))
	want(t, w.run(), store.Counts{Disabled: 1, Unchanged: 1})
	if w.active("ann") || w.linkOf("ann") != store.Disabled {
		t.Errorf("account %v, link %v", w.account(identity.User, "ann"), w.linkOf("ann"))
	}
	w.source.Put(user("ann", "login", "anna@example.com"))
	w.run()
	if !w.active("ann") || w.account(identity.User, "ann")["userName"] != "anna@example.com" {
		t.Errorf("account %v", w.account(identity.User, "ann"))
	}
}

func TestALostCreateIsLookedForWhenItsPersonLeavesOrIsRenamed(t *testing.T) { // I1, I5
	for _, tt := range []struct {
		name    string
		edit    func(w *world)
		actives int
	}{
		{"gone", func(w *world) { w.source.Remove(identity.User, "ann") }, 0},
		{"out of scope", func(w *world) { w.source.Put(user("ann", "department", "Ops")) }, 0},
		{"disabled", func(w *world) { w.source.Put(disabled(user("ann", "department", "Sales"))) }, 0},
		{"renamed", func(w *world) { w.source.Put(user("ann", "department", "Sales", "login", "new@example.com")) }, 1},
		{"as before", func(*world) {}, 1},
	} {
		for _, feed := range []bool{false, true} {
			w := newWorld(t, setup{feed: feed, noPredict: true, rules: filtered(inSales())})
			w.source.Put(user("ann", "department", "Sales"))
			losing(w, connector.OpCreate)
			if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
				t.Fatal(err)
			}
			w.fail(nil, nil)
			tt.edit(w)
			if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
				t.Fatal(err)
			}
			accounts := w.target.Objects(identity.User)
			actives := 0
			for _, a := range accounts {
				if on, _ := a.Get("active"); on == any(true) {
					actives++
				}
			}
			if actives != tt.actives || len(accounts) > 1 {
				t.Errorf("%s, feed %v: accounts %v", tt.name, feed, accounts)
			}
			w.steady()
		}
	}
}

// TestAnAccountOfAnotherIsNotTakenForALostCreate: somebody makes an account by hand, with the user name of a create of
// ours that never arrived. Without evidence that it is ours, it is left alone, and the log tells.
func TestAnAccountOfAnotherIsNotTakenForALostCreate(t *testing.T) { // I2
	without := func(names ...string) func(*job.Rule) {
		return func(r *job.Rule) {
			r.Attributes = slices.DeleteFunc(r.Attributes, func(m mapping.Attribute) bool { return slices.Contains(names, m.Target) })
		}
	}
	usual := func(*job.Rule) {}
	for _, tt := range []struct {
		name string
		rule func(*job.Rule)
		hand identity.Attrs // beside the user name
		ours bool
	}{
		{"of somebody else", usual, identity.Attrs{{Name: "displayName", Value: "Another"}}, false},
		{"of the same person, without our key", usual, identity.Attrs{{Name: "displayName", Value: "Ann"}, {Name: "title", Value: "Chief"}}, false},
		{"with our key, and changed by hand in everything else", usual, identity.Attrs{{Name: "displayName", Value: "Another"}, {Name: "title", Value: "Cook"}, {Name: "externalId", Value: "ann"}}, true},
		{"where nothing but the joining value is mapped", without("displayName", "title", "externalId"), nil, false},
		{"where one other value is mapped, the same", without("title", "externalId"), identity.Attrs{{Name: "displayName", Value: "Ann"}}, false},
		{"where no key is mapped, with all values", without("externalId"), identity.Attrs{{Name: "displayName", Value: "Ann"}, {Name: "title", Value: "Chief"}}, true},
		{"where no key is mapped, with one other value", without("externalId"), identity.Attrs{{Name: "displayName", Value: "Ann"}, {Name: "title", Value: "Cook"}}, false},
	} {
		for _, givenUp := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cycle given up %v", tt.name, givenUp), func(t *testing.T) {
				w := newWorld(t, setup{noPredict: true, loose: true, rules: usersOnly(tt.rule), caps: connector.Caps{Concurrency: 1}})
				w.source.Put(user("bob"))
				w.run()
				w.source.Put(user("ann", "name", "Ann", "title", "Chief"))
				down := &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeServerError, MaybeDone: true}
				if givenUp {
					w.diesAt(false, func(c memory.Call) bool { return c.Op == connector.OpCreate })
				} else {
					sent := false
					w.fail(func(c memory.Call) error {
						if sent = sent || c.Op == connector.OpCreate; sent {
							return down
						}
						return nil
					}, nil)
					if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
						t.Fatal(err)
					}
					w.fail(nil, nil)
				}
				w.target.Put(&identity.Object{Kind: identity.User, Anchor: "hand", Attrs: append(identity.Attrs{{Name: "userName", Value: "ann@example.com"}}, tt.hand...)})
				w.source.Remove(identity.User, "ann")
				rep := w.cycle(engine.Options{Manual: true, Initial: givenUp})
				there := slices.ContainsFunc(w.target.Objects(identity.User), func(o *identity.Object) bool { return o.Anchor == "hand" })
				if there == tt.ours || there && len(w.writes()) > 0 {
					t.Errorf("the account is there: %v; calls:%s", there, show(w.writes()))
				}
				told := map[bool]string{true: "delete success", false: "other skipped EntrySynchronizationSkipped"}[tt.ours]
				if got := w.codeOf(rep, "ann"); got != told {
					t.Errorf("the log tells %q, want %q", got, told)
				}
				w.steady()
			})
		}
	}
}

func TestReferencesToAnAccountThatWasDeletedAndMadeAgain(t *testing.T) { // design D4
	w := newWorld(t, setup{noPredict: true})
	w.source.Put(user("boss"), user("ann", "manager", "boss"), group("g", "boss", "ann"))
	w.run()
	w.source.Remove(identity.User, "boss")
	w.run()
	if w.manager("ann") != nil {
		t.Fatalf("manager %v", w.manager("ann"))
	}
	w.source.Put(user("boss")) // nothing else changes
	w.run()
	if w.manager("ann") != "boss" {
		t.Errorf("manager %v", w.manager("ann"))
	}
	if diff := cmp.Diff([]string{"ann", "boss"}, w.members("g")); diff != "" {
		t.Error(diff)
	}
	w.run() // finds that nobody is left
	w.steady()
}

// TestADeleteWhoseAnswerWasLostAndAPersonWhoComesBack: the account that we have deleted is made again, and one that
// others delete later is not.
func TestADeleteWhoseAnswerWasLostAndAPersonWhoComesBack(t *testing.T) { // engine.R56 is about accounts that others deleted
	noManager := func(r *job.Rule) {
		r.Attributes = slices.DeleteFunc(r.Attributes, func(m mapping.Attribute) bool { return m.Reference != "" })
	}
	for _, tt := range []struct {
		name   string
		rule   func(*job.Rule)
		effect bool
	}{
		{"took effect, where accounts refer to others", nil, true},
		{"took effect, where none does", noManager, true},
		{"took no effect, where accounts refer to others", nil, false},
		{"took no effect, where none does", noManager, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, setup{noPredict: true, rules: usersOnly(tt.rule)})
			w.source.Put(user("ann"), user("bob"))
			w.run()
			w.source.Remove(identity.User, "ann")
			lose := func(c memory.Call) error {
				if c.Op == connector.OpDelete {
					return lostAnswer
				}
				return nil
			}
			if w.fail(lose, nil); tt.effect {
				w.fail(nil, lose)
			}
			if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
				t.Fatal(err)
			}
			w.fail(nil, nil)
			w.source.Put(user("ann", "title", "x"))
			w.run()
			if !w.active("ann") {
				t.Fatalf("ann has no account: %v", w.target.Objects(identity.User))
			}
			w.run() // finds that nobody refers to the one that was lost
			for u, err := range w.db.Unresolved(t.Context(), w.jobID) {
				t.Errorf("%v waits still, %v", u, err)
			}
			if err := w.target.Delete(t.Context(), identity.User, w.anchorOf(identity.User, "ann")); err != nil {
				t.Fatal(err)
			}
			w.source.Put(user("ann", "title", "y"))
			if got := w.codeOf(w.run(), "ann"); got != "update failure "+connector.CodeInvalidAnchor {
				t.Errorf("an account that somebody deleted by hand: %s", got)
			}
		})
	}
}

func TestOneBadReferenceFailsAlone(t *testing.T) { // I7
	for _, create := range []bool{false, true} {
		w := newWorld(t, inCreates(connector.Caps{}))
		w.cfg.noPredict = true
		w.source.Put(user("boss"), user("a"), user("b"), user("c"))
		w.run()
		if err := w.target.Delete(t.Context(), identity.User, w.anchorOf(identity.User, "boss")); err != nil {
			t.Fatal(err)
		}
		if !create {
			w.source.Put(user("new"), group("g"))
			w.run()
		}
		w.source.Put(user("new", "manager", "boss", "title", "x"), group("g", "a", "b", "boss", "c"))
		w.run()
		if create { // a create that is refused is sent without its references when it has failed before
			w.run()
		}
		if diff := cmp.Diff([]string{"a", "b", "c"}, w.members("g")); diff != "" {
			t.Errorf("create %v: %s", create, diff)
		}
		if a := w.account(identity.User, "new"); a == nil || a["title"] != "x" {
			t.Errorf("create %v: account %v", create, a)
		}
	}
}

func TestReferencesThatWaitWhenTheJobFails(t *testing.T) { // D4: the work list is dropped with the cycle
	w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil)})
	w.source.Put(user("boss"), user("ann", "manager", "boss"))
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpUpdate {
			return &connector.Error{Kind: connector.KindAuth, Code: connector.CodeUnauthorized}
		}
		return nil
	}, nil)
	if rep, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil || rep.Cycle.State != store.Failed {
		t.Fatalf("%+v, %v", rep, err)
	}
	w.fail(nil, nil)
	w.run()
	if w.manager("ann") != "boss" {
		t.Errorf("manager %v", w.manager("ann"))
	}
}

// TestNoCallAfterTheJobIsLost: a process that was taken for dead makes no call when it comes back (design D13, I9).
func TestNoCallAfterTheJobIsLost(t *testing.T) {
	for _, op := range []connector.Operation{connector.OpProbe, connector.OpList, connector.OpCreate} {
		w := newWorld(t, setup{noPredict: true, caps: connector.Caps{Concurrency: 1}})
		small(w)
		slept, after := false, 0
		w.fail(nil, func(c memory.Call) error {
			switch {
			case slept && w.holder == "first":
				after++
			case c.Op == op && !slept:
				slept = true
				w.later(10 * time.Minute)
				w.holder = "second"
				defer func() { w.holder = "first" }()
				_, err := w.engine().Run(context.WithoutCancel(t.Context()), w.subject(), engine.Options{Manual: true})
				return err
			}
			return nil
		})
		if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err == nil {
			t.Errorf("%s: the first process went on", op)
		}
		if after > 0 {
			t.Errorf("%s: %d calls after the job was lost", op, after)
		}
	}
}

func TestAnAnswerThatNobodyUnderstandsIsTold(t *testing.T) { // I6
	w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil), settings: func(s *job.Settings) { s.OnMissingTarget = job.MissingRematch }})
	w.source.Put(user("ann"))
	w.run()
	w.source.Put(user("ann", "title", "x"))
	w.fail(nil, func(c memory.Call) error {
		if c.Op == connector.OpUpdate {
			return &connector.Error{Kind: connector.KindIncompatible, Code: connector.CodeServiceIncompatible}
		}
		return nil
	})
	rep, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true})
	if err != nil || rep.Cycle.State != store.Failed {
		t.Fatalf("%+v, %v", rep, err)
	}
	if told := w.codeOf(rep, "ann"); told != "update failure "+connector.CodeServiceIncompatible {
		t.Errorf("the log tells %q", told)
	}
	w.fail(nil, nil)
	w.source.Put(user("ann")) // and back, before anybody looked
	w.run()
	w.steady()
}

// TestACycleThatIsGivenUpIsNotTakenForDone kills the process at every write while it gives up an interrupted cycle.
func TestACycleThatIsGivenUpIsNotTakenForDone(t *testing.T) { // engine.R21, I5
	for n := 0; n < 6; n++ {
		w := newWorld(t, setup{noPredict: true, feed: true, rules: usersOnly(nil)})
		w.source.Put(user("ann"), user("bob"))
		w.run()
		w.source.Put(user("ann", "title", "x"), user("cec"))
		if w.killedOnly(6) {
			t.Fatal("it did not die")
		}
		d := &dying{Store: w.db}
		d.left.Store(int64(n))
		w.store = d
		_, _ = w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true, Initial: true})
		w.store, w.holder = w.db, "last"
		w.later(5 * time.Minute)
		w.run()
		if w.account(identity.User, "ann")["title"] != "x" || !w.active("cec") {
			t.Errorf("killed after %d writes: %v, %v", n, w.account(identity.User, "ann"), w.account(identity.User, "cec"))
		}
	}
}

// TestAnAccountThatAReconciliationMissesIsMadeAgain: what refers to it, and what it refers to, is written again, also by
// owners that the cycle has other work for.
func TestAnAccountThatAReconciliationMissesIsMadeAgain(t *testing.T) { // design D3, D4, I5
	people := []*identity.Object{user("boss"), user("ann", "manager", "boss"), user("bob"), user("cid")}
	for _, tt := range []struct {
		name string
		kind identity.Kind
		lost string
		deaf bool           // the job does not mind what is changed in the target
		edit func(w *world) // before the target is compared
		then func(w *world) // before the next cycle; nil for nothing
	}{
		{name: "a person whose group has another name by then", kind: identity.User, lost: "boss", edit: func(w *world) { w.source.Put(renamed(group("g", "boss", "ann"))) }},
		{name: "a person whose report has another title by then", kind: identity.User, lost: "boss", edit: func(w *world) { w.source.Put(user("ann", "manager", "boss", "title", "x")) }},
		{name: "a person about whom nothing else has changed", kind: identity.User, lost: "boss", edit: func(*world) {}},
		{name: "a person who is disabled by then and comes back", kind: identity.User, lost: "boss", edit: func(w *world) { w.source.Put(disabled(user("boss"))) },
			then: func(w *world) { w.source.Put(user("boss")) }},
		{name: "a person about whom nothing else has changed, and nobody minds what else the target lost", kind: identity.User, lost: "boss", deaf: true, edit: func(*world) {}},
		{name: "a group", kind: identity.Group, lost: "g", edit: func(*world) {}},
		{name: "a group that somebody has made again by hand", kind: identity.Group, lost: "g", edit: func(w *world) {
			w.target.Put(&identity.Object{Kind: identity.Group, Anchor: "hand", Attrs: identity.Attrs{{Name: "displayName", Value: "Group g"}, {Name: "externalId", Value: "g"}}})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			feeds(t, func(t *testing.T, feed bool) {
				w := newWorld(t, setup{feed: feed, noPredict: true, settings: func(s *job.Settings) {
					if s.OnMissingTarget = job.MissingRematch; tt.deaf {
						s.Drift = job.DriftIgnore
					}
				}})
				w.source.Put(people...)
				w.source.Put(group("g", "boss", "ann"), group("h", "bob"))
				w.run()
				if err := w.target.Delete(t.Context(), tt.kind, w.anchorOf(tt.kind, tt.lost)); err != nil {
					t.Fatal(err)
				}
				tt.edit(w)
				w.reconcile()
				if tt.then != nil {
					tt.then(w)
					w.run()
				}
				if diff := cmp.Diff([]string{"ann", "boss"}, w.members("g")); diff != "" {
					t.Errorf("members at once (- want, + got):\n%s", diff)
				}
				w.run() // finds who refers to the account that was lost
				if w.manager("ann") != "boss" {
					t.Errorf("manager %v", w.manager("ann"))
				}
				if diff := cmp.Diff([]string{"ann", "boss"}, w.members("g")); diff != "" {
					t.Errorf("members (- want, + got):\n%s", diff)
				}
				w.run() // finds that nobody is left
				w.steady()
			})
		})
	}
}

func renamed(o *identity.Object) *identity.Object {
	o.Attrs.Set("name", "Another")
	return o
}

// TestAGroupThatIsHeldIsReadOnce: nobody knows whether the rename took effect, so the group is read, and the cycle after
// believes what was read although the removal of its members is still held.
func TestAGroupThatIsHeldIsReadOnce(t *testing.T) { // design P2, D6
	for _, feed := range []bool{false, true} {
		w := newWorld(t, setup{noPredict: true, feed: feed, settings: func(s *job.Settings) {
			s.MembershipGuard = job.Guard{Enabled: true, Percent: 20, Threshold: 5000, Floor: 1}
		}})
		w.source.Put(user("ann"), user("bob"), user("cec"), group("g", "ann", "bob", "cec"))
		w.run()
		renamed := group("g", "ann", "bob", "cec")
		renamed.Attrs.Set("name", "Another")
		w.source.Put(renamed)
		w.fail(nil, func(c memory.Call) error {
			if c.Op == connector.OpUpdate {
				return lostAnswer
			}
			return nil
		})
		if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
			t.Fatal(err)
		}
		w.fail(nil, nil)
		left := group("g", "ann")
		left.Attrs.Set("name", "Another")
		w.source.Put(left)
		rep := w.run()
		if rep.Held == "" || rep.Counts.Staged != 1 || len(w.calls(connector.OpGet)) != 1 {
			t.Fatalf("feed %v: held %q, counts %+v, %d accounts read", feed, rep.Held, rep.Counts, len(w.calls(connector.OpGet)))
		}
		w.steady()
		if len(w.calls(connector.OpGet)) != 0 {
			t.Errorf("feed %v: the group was read again", feed)
		}
		w.source.Put(renamed)
		w.run()
		if g := w.account(identity.Group, "g"); g["displayName"] != "Another" || len(w.members("g")) != 3 {
			t.Errorf("feed %v: group %v", feed, g)
		}
		w.steady()
	}
}

// TestAnAccountThatWasMatchedStaysItsPersons: the match is stored although nobody knows whether the account took the first
// values. Whatever becomes of the person then, their account follows, and no other one is looked for.
func TestAnAccountThatWasMatchedStaysItsPersons(t *testing.T) { // engine.R51, R55
	for _, tt := range []struct {
		name string
		edit *identity.Object
		want map[string]any
	}{
		{"out of scope", user("ann", "department", "Ops"), map[string]any{"active": false, "userName": "ann@example.com"}},
		{"renamed", user("ann", "department", "Sales", "login", "new@example.com"), map[string]any{"active": true, "userName": "new@example.com"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, setup{noPredict: true, rules: filtered(inSales())})
			w.source.Put(user("ann", "department", "Sales"))
			w.target.Put(&identity.Object{Kind: identity.User, Anchor: "hand", Attrs: identity.Attrs{{Name: "userName", Value: "ann@example.com"}, {Name: "active", Value: true}}})
			w.fail(func(c memory.Call) error {
				if c.Op == connector.OpUpdate {
					return lostAnswer // and it did not take effect
				}
				return nil
			}, nil)
			if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
				t.Fatal(err)
			}
			w.fail(nil, nil)
			w.source.Put(tt.edit)
			w.run()
			accounts := w.target.Objects(identity.User)
			if len(accounts) != 1 || accounts[0].Anchor != "hand" {
				t.Fatalf("accounts %v", accounts)
			}
			got := map[string]any{}
			for name := range tt.want {
				got[name], _ = accounts[0].Get(name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			w.steady()
		})
	}
}

// TestAWriteThatOnlyTheListingShowsIsTold: the state could not be written after an account was disabled, and the cycle
// was given up because the job was saved meanwhile.
func TestAWriteThatOnlyTheListingShowsIsTold(t *testing.T) { // I6
	feeds(t, func(t *testing.T, feed bool) {
		w := newWorld(t, setup{feed: feed, noPredict: true, rules: usersOnly(nil)})
		w.source.Put(user("ann"), user("bob"), user("cid"))
		w.run()
		w.source.Put(disabled(user("ann")))
		d := &dying{Store: w.db}
		d.left.Store(1 << 20)
		w.store = d
		w.fail(nil, func(c memory.Call) error {
			if c.Op == connector.OpUpdate {
				d.left.Store(0)
			}
			return nil
		})
		if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err == nil || w.active("ann") {
			t.Fatalf("%v, active %v", err, w.active("ann"))
		}
		w.fail(nil, nil)
		w.store, w.holder = w.db, "second"
		w.later(5 * time.Minute)
		rep := w.cycle(engine.Options{Manual: true, Initial: true, Reconcile: true})
		if told := w.codeOf(rep, "ann"); told != "other skipped RedundantExport" {
			t.Errorf("the log tells %q", told)
		}
		w.steady()
	})
}
