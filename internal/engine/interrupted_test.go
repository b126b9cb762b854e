package engine_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

// What an earlier process may have sent before it died, and of which nothing was recorded.

// diesAt runs a cycle whose process dies at a call of the target: once it took effect, or before it.
func (w *world) diesAt(effect bool, at func(c memory.Call) bool) {
	w.t.Helper()
	d := &dying{Store: w.db}
	d.left.Store(1 << 20)
	w.store = d
	die := func(c memory.Call) error {
		if !at(c) {
			return nil
		}
		d.left.Store(0)
		if effect {
			return nil
		}
		return &connector.Error{Kind: connector.KindRateLimited, NotSent: true}
	}
	if w.fail(die, nil); effect {
		w.fail(nil, die)
	}
	if _, err := w.engine().Run(w.t.Context(), w.subject(), engine.Options{Manual: true}); err == nil {
		w.t.Fatal("the process did not die")
	}
	w.fail(nil, nil)
	w.store, w.holder = w.db, "next"
	w.later(5 * time.Minute) // the dead process keeps the job no longer
}

func updates(kind identity.Kind) func(c memory.Call) bool {
	return func(c memory.Call) bool { return c.Op == connector.OpUpdate && c.Kind == kind }
}

// TestAnAccountThatACycleHasMatchedBeforeItWasGivenUp: nobody recorded the match, and the person is to have no account
// by the time that somebody looks again. It is theirs if it shows what the cycle sent, and else somebody's own (I2).
func TestAnAccountThatACycleHasMatchedBeforeItWasGivenUp(t *testing.T) { // I5
	for _, effect := range []bool{true, false} {
		for name, edit := range map[string]func(w *world){
			"gone":         func(w *world) { w.source.Remove(identity.User, "ann") },
			"out of scope": func(w *world) { w.source.Put(user("ann", "department", "Ops")) },
			"disabled":     func(w *world) { w.source.Put(disabled(user("ann", "department", "Sales"))) },
			"renamed":      func(w *world) { w.source.Put(user("ann", "department", "Sales", "login", "anna@example.com")) },
		} {
			t.Run(name, func(t *testing.T) {
				feeds(t, func(t *testing.T, feed bool) {
					w := newWorld(t, setup{feed: feed, noPredict: true, loose: true, rules: filtered(inSales())})
					w.source.Put(user("bob", "department", "Sales"))
					w.run()
					w.source.Put(user("ann", "department", "Sales"))
					w.target.Put(&identity.Object{Kind: identity.User, Anchor: "hand", Attrs: identity.Attrs{{Name: "userName", Value: "ann@example.com"}, {Name: "active", Value: true}}})
					w.diesAt(effect, updates(identity.User))
					edit(w)
					w.cycle(engine.Options{Manual: true, Initial: true})
					i := slices.IndexFunc(w.target.Objects(identity.User), func(o *identity.Object) bool { return o.Anchor == "hand" })
					usable := false
					if i >= 0 {
						on, _ := w.target.Objects(identity.User)[i].Get("active")
						usable = on == any(true)
					}
					if want := !effect || name == "renamed"; usable != want {
						t.Errorf("took effect %v: the account can be used: %v", effect, usable)
					}
					if name == "renamed" && effect && w.anchorOf(identity.User, "ann") != "hand" {
						t.Errorf("ann has another account: %v", w.target.Objects(identity.User))
					}
					w.run()
					w.steady()
				})
			})
		}
	}
}

// TestMembersThatAnEarlierProcessHasAdded: it died before that was recorded, and the attempt to repeat it is refused.
func TestMembersThatAnEarlierProcessHasAdded(t *testing.T) { // I5
	for _, tt := range []struct {
		name string
		next func(w *world)
	}{
		{"the next process is refused", func(w *world) {
			w.fail(func(c memory.Call) error {
				if c.Op == connector.OpUpdate && c.Kind == identity.Group {
					return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable, Status: 400}
				}
				return nil
			}, nil)
			w.run()
			w.fail(nil, nil)
		}},
		{"the job fails for the next process", func(w *world) {
			w.fail(func(c memory.Call) error {
				if c.Op == connector.OpUpdate && c.Kind == identity.Group {
					return &connector.Error{Kind: connector.KindAuth, Code: connector.CodeUnauthorized, Status: 401}
				}
				return nil
			}, nil)
			if _, err := w.engine().Run(w.t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
				w.t.Fatal(err)
			}
			w.fail(nil, nil)
		}},
		{"the cycle is given up", func(w *world) { w.save() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			feeds(t, func(t *testing.T, feed bool) {
				w := newWorld(t, setup{feed: feed, noPredict: true, loose: true})
				w.source.Put(user("ann"), user("bob"), group("g", "ann"))
				w.run()
				w.source.Put(group("g", "ann", "bob"))
				w.diesAt(true, updates(identity.Group))
				tt.next(w)
				w.source.Put(group("g", "ann"))
				w.run()
				if diff := cmp.Diff([]string{"ann"}, w.members("g")); diff != "" {
					t.Errorf("members (- want, + got):\n%s", diff)
				}
				w.run()
				w.steady()
			})
		})
	}
}

// TestMembersOfAGroupThatACycleHasMadeBeforeItWasGivenUp: the create carried them.
func TestMembersOfAGroupThatACycleHasMadeBeforeItWasGivenUp(t *testing.T) { // I5
	w := newWorld(t, setup{noPredict: true, caps: connector.Caps{ReferencesInCreate: true}})
	w.source.Put(user("ann"), user("bob"))
	w.run()
	w.source.Put(group("g", "ann", "bob"))
	w.diesAt(true, func(c memory.Call) bool { return c.Op == connector.OpCreate })
	w.source.Put(group("g", "ann"))
	w.cycle(engine.Options{Manual: true, Initial: true})
	if diff := cmp.Diff([]string{"ann"}, w.members("g")); diff != "" {
		t.Errorf("members (- want, + got):\n%s", diff)
	}
	w.steady()
}

// TestARemovalThatWasRepeatedLeavesNothingOpen: the answer to the first attempt was lost when the process was told to
// stop. What the second one has removed is not added again.
func TestARemovalThatWasRepeatedLeavesNothingOpen(t *testing.T) { // I4
	w := newWorld(t, setup{noPredict: true})
	w.source.Put(user("ann"), user("bob"), group("g", "ann", "bob"))
	w.run()
	w.source.Put(group("g", "ann"))
	ctx, stop := context.WithCancel(t.Context())
	w.fail(nil, func(c memory.Call) error {
		if c.Op != connector.OpUpdate {
			return nil
		}
		stop()
		return lostAnswer
	})
	if _, err := w.engine().Run(ctx, w.subject(), engine.Options{Manual: true}); err == nil {
		t.Fatal("it did not stop")
	}
	w.fail(nil, nil)
	w.run()
	if diff := cmp.Diff([]string{"ann"}, w.members("g")); diff != "" {
		t.Errorf("members (- want, + got):\n%s", diff)
	}
	w.steady()
}

// TestAnAccountThatWasMadeInThisCycleIsNotGivenToAnother: Ann's account is gone, by a request of ours whose answer was
// lost, and Bob, who wanted her user name all along, gets his before she is matched anew.
func TestAnAccountThatWasMadeInThisCycleIsNotGivenToAnother(t *testing.T) { // I1, engine.R51
	w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil), loose: true, caps: connector.Caps{Concurrency: 1}})
	w.source.Put(user("ann"), user("cid"), user("dee"))
	w.run()
	w.source.Put(user("bob", "login", "ANN@example.com"))
	w.run()
	w.source.Remove(identity.User, "ann")
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpFind {
			return lostAnswer // so Bob waits
		}
		return nil
	}, func(c memory.Call) error {
		if c.Op == connector.OpDelete {
			return lostAnswer
		}
		return nil
	})
	if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
		t.Fatal(err)
	}
	w.fail(nil, nil)
	w.source.Put(user("ann"))
	w.run()
	owners := map[string][]string{}
	for key, o := range w.state() {
		if o.State != store.Unlinked {
			owners[o.Target] = append(owners[o.Target], key.Anchor)
		}
	}
	for target, list := range owners {
		if len(list) > 1 {
			t.Errorf("account %s belongs to %v", target, list)
		}
	}
	if len(owners) != 3 || w.linkOf("bob") != store.Active {
		t.Errorf("accounts %v", owners)
	}
}

// TestAnAccountThatACycleHasEnabledBeforeItWasGivenUp is disabled when its person is out of scope again.
func TestAnAccountThatACycleHasEnabledBeforeItWasGivenUp(t *testing.T) { // I5
	for name, off := range map[string]*identity.Object{"out of scope": user("ann", "department", "Ops"), "disabled": disabled(user("ann", "department", "Sales"))} {
		t.Run(name, func(t *testing.T) {
			feeds(t, func(t *testing.T, feed bool) {
				w := newWorld(t, setup{feed: feed, noPredict: true, loose: true, rules: filtered(inSales())})
				w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Sales"))
				w.run()
				w.source.Put(off)
				w.run()
				w.source.Put(user("ann", "department", "Sales"))
				w.diesAt(true, updates(identity.User))
				w.source.Put(off)
				w.cycle(engine.Options{Manual: true, Initial: true})
				if w.active("ann") {
					t.Error("the account can be used")
				}
				w.run()
				w.steady()
			})
		})
	}
}

// TestALostCreateInPlaceOfAnAccountThatIsGone is looked for like any other when its person leaves.
func TestALostCreateInPlaceOfAnAccountThatIsGone(t *testing.T) { // engine.R56, I5
	feeds(t, func(t *testing.T, feed bool) {
		w := newWorld(t, setup{feed: feed, noPredict: true, loose: true, rules: usersOnly(nil), settings: func(s *job.Settings) { s.OnMissingTarget = job.MissingRematch }})
		w.source.Put(user("ann"), user("bob"))
		w.run()
		w.source.Put(user("ann", "title", "x"))
		losing(w, connector.OpUpdate) // so the account is read before it is updated again
		if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
			t.Fatal(err)
		}
		if err := w.target.Delete(t.Context(), identity.User, w.anchorOf(identity.User, "ann")); err != nil {
			t.Fatal(err)
		}
		losing(w, connector.OpCreate)
		if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
			t.Fatal(err)
		}
		w.fail(nil, nil)
		w.source.Remove(identity.User, "ann")
		w.run()
		if n := len(w.target.Objects(identity.User)); n != 1 {
			t.Errorf("%d accounts, want Bob's", n)
		}
		w.steady()
	})
}

// TestWhoIsForgottenTwiceIsStillReferredTo: the group is not looked at meanwhile, and has the account that Boss had first.
func TestWhoIsForgottenTwiceIsStillReferredTo(t *testing.T) { // design D4
	feeds(t, func(t *testing.T, feed bool) {
		w := newWorld(t, setup{feed: feed, noPredict: true, loose: true})
		w.source.Put(user("boss"), user("ann", "manager", "boss"), group("g", "boss", "ann"))
		w.run()
		for _, o := range []*identity.Object{nil, disabled(user("boss")), nil, user("boss")} {
			if o == nil {
				w.source.Remove(identity.User, "boss")
			} else {
				w.source.Put(o)
			}
			w.run()
		}
		if diff := cmp.Diff([]string{"ann", "boss"}, w.members("g")); diff != "" || w.manager("ann") != "boss" {
			t.Errorf("manager %v, members (- want, + got):\n%s", w.manager("ann"), diff)
		}
		w.run() // finds that nobody is left
		w.steady()
	})
}

// TestAMemberInDoubtOfAGroupThatIsReleased is sent again when the group comes back: nobody has found out meanwhile.
func TestAMemberInDoubtOfAGroupThatIsReleased(t *testing.T) { // I5
	feeds(t, func(t *testing.T, feed bool) {
		w := newWorld(t, setup{feed: feed, noPredict: true, loose: true, rules: func(rules []job.Rule) []job.Rule {
			for i := range rules {
				rules[i].Actions.Delete = false
			}
			return rules
		}})
		w.source.Put(user("ann"), user("bob"), group("g", "ann"))
		w.run()
		w.source.Put(group("g", "ann", "bob"))
		w.fail(func(c memory.Call) error {
			if updates(identity.Group)(c) {
				return lostAnswer // and it did not take effect
			}
			return nil
		}, nil)
		if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
			t.Fatal(err)
		}
		w.fail(nil, nil)
		w.source.Remove(identity.Group, "g")
		w.run()
		w.source.Put(group("g", "ann", "bob"))
		w.run()
		if diff := cmp.Diff([]string{"ann", "bob"}, w.members("g")); diff != "" {
			t.Errorf("members (- want, + got):\n%s", diff)
		}
		w.steady()
	})
}

// TestWhoIsInDoubtAndGetsTheNameOfAnother keeps the account that was made for them: one person has one account.
func TestWhoIsInDoubtAndGetsTheNameOfAnother(t *testing.T) { // I1
	feeds(t, func(t *testing.T, feed bool) {
		w := newWorld(t, setup{feed: feed, noPredict: true, loose: true, rules: usersOnly(nil)})
		w.source.Put(user("bob"))
		w.run()
		w.source.Put(user("ann"))
		w.target.Put(&identity.Object{Kind: identity.User, Anchor: "hand", Attrs: identity.Attrs{{Name: "userName", Value: "new@example.com"}}})
		losing(w, connector.OpCreate)
		if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
			t.Fatal(err)
		}
		w.fail(nil, nil)
		w.source.Put(user("ann", "login", "new@example.com"))
		if got := w.codeOf(w.run(), "ann"); got != "update failure "+connector.CodeConflict {
			t.Errorf("the log tells %q", got)
		}
		w.source.Put(user("ann", "login", "ann2@example.com"))
		w.run()
		if a := w.account(identity.User, "ann"); a["userName"] != "ann2@example.com" || len(w.target.Objects(identity.User)) != 3 {
			t.Errorf("ann has %v; accounts %v", a, w.target.Objects(identity.User))
		}
		w.steady()
	})
}
