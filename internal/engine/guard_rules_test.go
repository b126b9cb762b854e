package engine_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

// The rules of engine section 12 as design D6 has them, one by one, where guard_test.go does not show them already:
//
//	R118 on by default, threshold and percent  TestTheSmallerOfThresholdAndPercentHolds
//	R119 users and groups, disables and deletes  TestGuardCountsUsersAndGroupsTogether, TestGuard
//	R120 held, logged as stageddelete, quarantine  TestGuard
//	R121 each cycle by itself; D6: what is held counts again  TestGuard
//	R122 allow  TestGuardIsReleased, TestAllowedOperationsAreCheckedAgain, TestAllowingCoversWhatWasHeldThen
//	R123 reject by restoring  TestGuardIsReleased (the cause vanishes), TestHeldOperationsOfARuleThatIsSwitchedOff
//	R124 IsSoftDeleted; strictly greater; creates and updates go on  TestGuard

// TestTheSmallerOfThresholdAndPercentHolds: engine.R118, and the floor of design D6.
func TestTheSmallerOfThresholdAndPercentHolds(t *testing.T) {
	for _, c := range []struct {
		name                      string
		percent, threshold, floor int
		leave                     int
		held                      bool
	}{
		{"percent is smaller", 10, 500, 0, 5, true},
		{"up to percent", 10, 500, 0, 4, false},
		{"threshold is smaller", 50, 3, 0, 4, true},
		{"up to the threshold", 50, 3, 0, 3, false},
		{"the floor outranks percent", 1, 500, 5, 5, false},
		{"the threshold outranks the floor", 1, 2, 5, 3, true},
		{"nothing at all", 0, 0, 0, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{rules: filtered(inSales()), settings: percent(c.percent, c.threshold, c.floor)})
			fill(w, 40)
			w.run()
			w.leave(0, c.leave, false)
			rep := w.run()
			if held := rep.Held != ""; held != c.held || (rep.Counts.Staged > 0) != c.held || rep.Counts.Disabled+rep.Counts.Staged != int64(c.leave) {
				t.Errorf("held %q, counts %+v", rep.Held, rep.Counts)
			}
		})
	}
}

// TestAllowedOperationsAreCheckedAgain: somebody who has come back keeps access, although it was allowed to take it away
// (engine.R122, R123).
func TestAllowedOperationsAreCheckedAgain(t *testing.T) {
	feeds(t, func(t *testing.T, feed bool) {
		for _, gone := range []bool{false, true} {
			w := newWorld(t, setup{feed: feed, rules: filtered(inSales()), settings: percent(20, 500, 5)})
			fill(w, 20)
			w.run()
			w.leave(0, 6, gone)
			w.run()
			w.allow()
			w.source.Put(user(num("p", 2), "department", "Sales"))
			rep := w.run()
			if rep.Counts.Disabled+rep.Counts.Deleted != 5 || !w.active(num("p", 2)) || w.active(num("p", 1)) || len(w.staged()) != 0 || rep.Quarantine != nil {
				t.Errorf("gone %v: %+v, %d staged", gone, rep.Counts, len(w.staged()))
			}
			w.steady()
		}
	})
}

// TestAllowingCoversWhatWasHeldThen: what has become graver since is held again (engine.R124 Open, count at release).
func TestAllowingCoversWhatWasHeldThen(t *testing.T) {
	t.Run("who allowed disables has not allowed deletes", func(t *testing.T) {
		w := newWorld(t, setup{rules: filtered(inSales()), settings: percent(20, 500, 5)})
		fill(w, 20)
		w.run()
		w.leave(0, 6, false)
		w.run()
		w.allow()
		w.leave(0, 6, true)
		rep := w.run()
		if rep.Counts.Staged != 6 || rep.Counts.Deleted+rep.Counts.Disabled != 0 || w.account(identity.User, num("p", 0)) == nil {
			t.Errorf("counts %+v", rep.Counts)
		}
		if s := w.staged(); len(s) != 6 || s[0].Action != "delete" || s[0].Allowed {
			t.Errorf("staged %+v", s)
		}
		w.allow()
		want(t, w.run(), store.Counts{Deleted: 6, Unchanged: 14})
	})
	t.Run("who allowed deletes has allowed disables", func(t *testing.T) {
		w := newWorld(t, setup{rules: filtered(inSales()), settings: percent(20, 500, 5)})
		fill(w, 20)
		w.run()
		w.leave(0, 6, true)
		w.run()
		w.allow()
		w.leave(0, 6, false)
		want(t, w.run(), store.Counts{Disabled: 6, Unchanged: 14})
	})
	t.Run("who allowed some memberships to go has not allowed more", func(t *testing.T) {
		w := newWorld(t, setup{settings: func(s *job.Settings) {
			s.MembershipGuard = job.Guard{Enabled: true, Percent: 20, Threshold: 5000, Floor: 3}
		}})
		var all []string
		for i := range 20 {
			w.source.Put(user(num("p", i)))
			all = append(all, num("p", i))
		}
		w.source.Put(group("g", all...))
		w.run()
		w.source.Put(group("g", all[5:]...))
		w.run()
		if s := w.staged(); len(s) != 1 || s[0].Size != 5 {
			t.Fatalf("staged %+v", s)
		}
		w.allow()
		w.source.Put(group("g", all[8:]...))
		rep := w.run()
		if rep.Counts.Staged != 1 || len(w.members("g")) != 20 || w.staged()[0].Size != 8 {
			t.Errorf("counts %+v, %d members, staged %+v", rep.Counts, len(w.members("g")), w.staged())
		}
		w.allow()
		w.source.Put(group("g", all[7:]...)) // one of them is back
		w.run()
		if diff := cmp.Diff(all[7:], w.members("g")); diff != "" {
			t.Errorf("members (- want, + got):\n%s", diff)
		}
		w.steady()
	})
	t.Run("those who are found later are counted and held by themselves", func(t *testing.T) {
		w := newWorld(t, setup{rules: filtered(inSales()), settings: percent(20, 500, 5)})
		fill(w, 40)
		w.run()
		w.leave(0, 9, false)
		w.run()
		w.allow()
		w.leave(9, 18, false)
		rep := w.run()
		if rep.Counts.Disabled != 9 || rep.Counts.Staged != 9 || !w.active(num("p", 9)) || w.active(num("p", 8)) {
			t.Errorf("counts %+v", rep.Counts)
		}
	})
}

// TestAnAllowedOperationThatFails stays allowed: it was asked for once (engine.R122).
func TestAnAllowedOperationThatFails(t *testing.T) {
	w := newWorld(t, setup{noPredict: true, settings: percent(20, 500, 5)})
	fill(w, 20)
	w.run()
	w.leave(0, 6, true)
	w.run()
	w.allow()
	refuse := w.anchorOf(identity.User, num("p", 3))
	w.failDeletesOf(refuse)
	rep := w.run()
	if rep.Counts.Deleted != 5 || rep.Counts.Failed != 1 {
		t.Errorf("counts %+v", rep.Counts)
	}
	w.fail(nil, nil)
	want(t, w.run(), store.Counts{Deleted: 1, Unchanged: 14})
	if len(w.staged()) != 0 {
		t.Errorf("staged %+v", w.staged())
	}
}

// TestHeldOperationsOfARuleThatIsSwitchedOff are dropped: nothing would carry them out (engine.R123).
func TestHeldOperationsOfARuleThatIsSwitchedOff(t *testing.T) {
	w := newWorld(t, setup{settings: percent(20, 500, 2)})
	w.source.Put(user("ann"), user("bob"))
	for i := range 4 {
		w.source.Put(group(num("g", i)))
	}
	w.run()
	for i := range 3 {
		w.source.Remove(identity.Group, num("g", i))
	}
	if rep := w.run(); rep.Counts.Staged != 3 {
		t.Fatalf("counts %+v", rep.Counts)
	}
	for i := range w.def.Rules {
		w.def.Rules[i].Enabled = w.def.Rules[i].Name == "users"
	}
	w.save()
	rep := w.run()
	if len(w.staged()) != 0 || rep.Quarantine != nil || len(w.target.Objects(identity.Group)) != 4 {
		t.Errorf("staged %+v, quarantine %v", w.staged(), rep.Quarantine)
	}
}

// TestASourceThatEndsEarlyTakesNothingAway: a row without a key could be anybody (design D6, half rule).
func TestASourceThatEndsEarlyTakesNothingAway(t *testing.T) {
	w := newWorld(t, setup{noPredict: true})
	fill(w, 10)
	w.source.Put(group("g", num("p", 0), num("p", 1)))
	w.run()
	w.leave(9, 10, true)
	w.source.Put(group("g", num("p", 0)), user("new"), user("nokey"))
	s := w.subject()
	s.Source = keyless{s.Source}
	rep, err := w.engine().Run(t.Context(), s, engine.Options{Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Held != "SourceIncomplete" || rep.Counts.Created != 1 || rep.Counts.Deleted != 0 || len(w.members("g")) != 2 {
		t.Errorf("held %q, counts %+v, members %v", rep.Held, rep.Counts, w.members("g"))
	}
	rep = w.run() // the row is whole again
	if rep.Counts.Deleted != 1 || len(w.members("g")) != 1 || len(w.staged()) != 0 {
		t.Errorf("counts %+v, members %v, staged %+v", rep.Counts, w.members("g"), w.staged())
	}
}

// TestTheHalfRuleAndFewMemberships: up to five memberships may go, whatever share they are (design D6, decision 0007).
func TestTheHalfRuleAndFewMemberships(t *testing.T) {
	for _, c := range []struct {
		name        string
		before, now int
		held        string
	}{
		{"the only one", 1, 0, ""},
		{"five of five", 5, 0, ""},
		{"five of nine", 9, 4, ""},
		{"six of six", 6, 0, "SourceEmpty"},
		{"six of eleven", 11, 5, "SourceHalved"},
		{"six of twelve", 12, 6, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{})
			var all []string
			for i := range c.before {
				w.source.Put(user(num("p", i)))
				all = append(all, num("p", i))
			}
			w.source.Put(group("g", all...))
			w.run()
			w.source.Put(group("g", all[:c.now]...))
			rep := w.run()
			left := c.now
			if c.held != "" {
				left = c.before
			}
			if rep.Held != c.held || len(w.members("g")) != left {
				t.Errorf("held %q, want %q; %d members", rep.Held, c.held, len(w.members("g")))
			}
		})
	}
}

var errDown = errors.New("refused by the test")

func (w *world) failDeletesOf(anchor string) {
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpDelete && c.Anchor == anchor {
			return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable, Err: errDown}
		}
		return nil
	}, nil)
}
