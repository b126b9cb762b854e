package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

func fill(w *world, n int) {
	for i := range n {
		w.source.Put(user(num("p", i), "department", "Sales"))
	}
}

func (w *world) leave(from, to int, gone bool) {
	for i := from; i < to; i++ {
		if gone {
			w.source.Remove(identity.User, num("p", i))
		} else {
			w.source.Put(user(num("p", i), "department", "Ops"))
		}
	}
}

func (w *world) staged() []store.Staged {
	w.t.Helper()
	s, err := w.db.Staged(w.t.Context(), w.jobID)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) allow(anchors ...string) {
	w.t.Helper()
	var keys []store.ObjectKey
	for _, a := range anchors {
		keys = append(keys, store.ObjectKey{Rule: "users", Anchor: a})
	}
	if _, err := w.engine().Allow(w.t.Context(), w.jobID, keys); err != nil {
		w.t.Fatal(err)
	}
}

func percent(p, threshold, floor int) func(*job.Settings) {
	return func(s *job.Settings) {
		s.DeletionGuard = job.Guard{Enabled: true, Percent: p, Threshold: threshold, Floor: floor}
	}
}

// TestGuard holds at the limit plus one, for disables and for deletes, by full read and by feed (design D6).
func TestGuard(t *testing.T) {
	for _, c := range []struct {
		name  string
		gone  bool
		feed  bool
		leave int
		held  bool
	}{
		{"disables at the limit go out", false, false, 8, false},
		{"one disable more is held", false, false, 9, true},
		{"deletes at the limit go out", true, false, 8, false},
		{"one delete more is held", true, false, 9, true},
		{"feed: disables at the limit go out", false, true, 8, false},
		{"feed: one disable more is held", false, true, 9, true},
		{"feed: one delete more is held", true, true, 9, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{feed: c.feed, rules: filtered(inSales())})
			fill(w, 40) // 20 % of 40 is 8
			w.run()
			w.leave(0, c.leave, c.gone)
			w.source.Put(user("new", "department", "Sales"), user(num("p", 39), "department", "Sales", "title", "x"))
			rep := w.run()
			counts := store.Counts{Created: 1, Updated: 1, Unchanged: 39 - int64(c.leave)}
			n := int64(c.leave)
			switch {
			case c.held:
				counts.Staged = n
			case c.gone:
				counts.Deleted = n
			default:
				counts.Disabled = n
			}
			if c.feed {
				counts.Unchanged = 0
			}
			want(t, rep, counts)
			if rep.Cycle.State != store.Succeeded {
				t.Errorf("state %s", rep.Cycle.State)
			}
			if !c.held {
				if rep.Quarantine != nil || rep.Held != "" || len(w.staged()) != 0 {
					t.Errorf("quarantine %v, held %q, staged %v", rep.Quarantine, rep.Held, w.staged())
				}
				return
			}
			if diff := cmp.Diff(&engine.QuarantineInfo{Reason: "TooManyDeletes"}, rep.Quarantine); diff != "" || rep.Held != "TooManyDeletes" {
				t.Errorf("held %q; quarantine (- want, + got):\n%s", rep.Held, diff)
			}
			if got := w.codeOf(rep, num("p", 0)); got != "stageddelete skipped stagedDelete" {
				t.Errorf("record: %s", got)
			}
			if len(w.staged()) != c.leave || !w.active(num("p", 0)) {
				t.Errorf("%d staged, first active: %v", len(w.staged()), w.active(num("p", 0)))
			}
			rep = w.run() // they persist and count again
			if rep.Counts.Staged != n || rep.Quarantine == nil || len(w.staged()) != c.leave {
				t.Errorf("next cycle: %+v, quarantine %v, %d staged", rep.Counts, rep.Quarantine, len(w.staged()))
			}
			if got := len(w.records(rep.Cycle.ID)); got != 0 {
				t.Errorf("%d records for what was held before", got)
			}
		})
	}
}

func TestGuardIsReleased(t *testing.T) { // design D6, engine.R122
	start := func(t *testing.T, feed, gone bool) *world {
		w := newWorld(t, setup{feed: feed, rules: filtered(inSales()), settings: percent(20, 500, 5)})
		fill(w, 20)
		w.run()
		w.leave(0, 6, gone)
		if rep := w.run(); rep.Counts.Staged != 6 {
			t.Fatalf("counts %+v", rep.Counts)
		}
		return w
	}
	for _, feed := range []bool{false, true} {
		for _, gone := range []bool{false, true} {
			t.Run("allow all", func(t *testing.T) {
				w := start(t, feed, gone)
				w.allow()
				rep := w.run()
				if rep.Counts.Disabled+rep.Counts.Deleted != 6 || rep.Quarantine != nil || len(w.staged()) != 0 {
					t.Errorf("feed %v, gone %v: %+v, quarantine %v, %d staged", feed, gone, rep.Counts, rep.Quarantine, len(w.staged()))
				}
				w.steady()
			})
			t.Run("allow one, the rest no longer exceeds the limit", func(t *testing.T) {
				w := start(t, feed, gone)
				w.allow(num("p", 3))
				rep := w.run()
				if rep.Counts.Disabled+rep.Counts.Deleted != 6 || len(w.staged()) != 0 {
					t.Errorf("feed %v, gone %v: %+v, %d staged", feed, gone, rep.Counts, len(w.staged()))
				}
			})
		}
		t.Run("allow one of many", func(t *testing.T) {
			w := start(t, feed, false)
			w.leave(6, 8, false)
			if rep := w.run(); rep.Counts.Staged != 8 {
				t.Fatalf("counts %+v", rep.Counts)
			}
			w.allow(num("p", 3))
			rep := w.run()
			if rep.Counts.Disabled != 1 || rep.Counts.Staged != 7 || w.active(num("p", 3)) || !w.active(num("p", 4)) || len(w.staged()) != 7 {
				t.Errorf("feed %v: %+v, %d staged", feed, rep.Counts, len(w.staged()))
			}
		})
		t.Run("the cause vanishes", func(t *testing.T) { // engine.R123
			w := start(t, feed, true)
			fill(w, 20)
			rep := w.run()
			if rep.Counts.Staged+rep.Counts.Deleted+rep.Counts.Disabled+rep.Counts.Created != 0 || rep.Quarantine != nil || len(w.staged()) != 0 {
				t.Errorf("feed %v: %+v, quarantine %v, %d staged", feed, rep.Counts, rep.Quarantine, len(w.staged()))
			}
			w.steady()
		})
	}
}

func TestGuardCanBeSwitchedOff(t *testing.T) {
	w := newWorld(t, setup{rules: filtered(inSales()), settings: func(s *job.Settings) { s.DeletionGuard.Enabled = false }})
	fill(w, 20)
	w.run()
	w.leave(0, 15, false)
	want(t, w.run(), store.Counts{Disabled: 15, Unchanged: 5})
}

func TestGuardCountsUsersAndGroupsTogether(t *testing.T) { // engine.R119
	w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule { return filtered(inSales())(rules) }})
	fill(w, 20)
	for i := range 6 {
		w.source.Put(group(num("g", i)))
	}
	w.run()
	w.leave(0, 3, false)
	for i := range 3 {
		w.source.Remove(identity.Group, num("g", i))
	}
	want(t, w.run(), store.Counts{Staged: 6, Unchanged: 20})
}

// TestHalfRule: a source that lists nothing, or fewer than half, deprovisions nothing (design D6); per rule.
func TestHalfRule(t *testing.T) {
	for _, c := range []struct {
		name   string
		people int // managed before
		gone   int
		held   string
	}{
		{"empty source", 4, 4, "SourceEmpty"},
		{"fewer than half", 7, 4, "SourceHalved"},
		{"exactly half", 8, 4, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{})
			fill(w, c.people)
			for i := range 4 {
				w.source.Put(group(num("g", i)))
			}
			w.run()
			w.leave(0, c.gone, true)
			w.source.Remove(identity.Group, num("g", 0)) // the rule of the groups is judged by itself
			w.source.Put(group("new"))
			rep := w.run()
			if rep.Held != c.held {
				t.Errorf("held %q, want %q", rep.Held, c.held)
			}
			if c.held == "" {
				want(t, rep, store.Counts{Created: 1, Deleted: 5, Unchanged: int64(c.people-c.gone) + 3})
				return
			}
			want(t, rep, store.Counts{Created: 1, Deleted: 1, Staged: int64(c.gone), Unchanged: int64(c.people-c.gone) + 3})
			if rep.Quarantine == nil || rep.Quarantine.Reason != "TooManyDeletes" {
				t.Errorf("quarantine %v", rep.Quarantine)
			}
		})
	}
}

func TestMembershipGuard(t *testing.T) { // design D6
	start := func(t *testing.T, limit int) (*world, []string) {
		w := newWorld(t, setup{settings: func(s *job.Settings) {
			s.MembershipGuard = job.Guard{Enabled: true, Percent: 20, Threshold: 5000, Floor: limit}
		}})
		var all []string
		for i := range 10 {
			w.source.Put(user(num("p", i)))
			all = append(all, num("p", i))
		}
		w.source.Put(group("g", all...))
		w.run()
		return w, all
	}
	t.Run("at the limit they go", func(t *testing.T) {
		w, all := start(t, 3)
		w.source.Put(group("g", all[3:]...))
		want(t, w.run(), store.Counts{Updated: 1, Unchanged: 10})
		w.steady()
	})
	t.Run("one more is held, persists, and is released", func(t *testing.T) {
		w, all := start(t, 3)
		w.source.Put(group("g", all[4:]...))
		for range 2 {
			rep := w.run()
			want(t, rep, store.Counts{Staged: 1, Unchanged: 10})
			if rep.Held != "TooManyDeletes" || len(w.members("g")) != 10 || len(w.writes()) != 0 {
				t.Errorf("held %q, %d members, writes %s", rep.Held, len(w.members("g")), show(w.writes()))
			}
			if s := w.staged(); len(s) != 1 || s[0].Action != "removeMembers" {
				t.Errorf("staged %+v", s)
			}
		}
		w.allow()
		want(t, w.run(), store.Counts{Updated: 1, Unchanged: 10})
		if diff := cmp.Diff(all[4:], w.members("g")); diff != "" {
			t.Error(diff)
		}
		w.steady()
	})
	t.Run("the group's other changes and its new members go on", func(t *testing.T) {
		w, all := start(t, 3)
		w.source.Put(user("new"))
		g := group("g", append([]string{"new"}, all[4:]...)...)
		g.Attrs.Set("name", "Group renamed")
		w.source.Put(g)
		rep := w.run()
		want(t, rep, store.Counts{Created: 1, Updated: 1, Unchanged: 10})
		if len(w.members("g")) != 11 || w.account(identity.Group, "g")["displayName"] != "Group renamed" || len(w.staged()) != 1 {
			t.Errorf("account %v, staged %v", w.account(identity.Group, "g"), w.staged())
		}
		want(t, w.run(), store.Counts{Staged: 1, Unchanged: 11})
	})
	t.Run("the cause vanishes", func(t *testing.T) {
		w, all := start(t, 3)
		w.source.Put(group("g", all[4:]...))
		w.run()
		w.source.Put(group("g", all...))
		rep := w.run()
		want(t, rep, store.Counts{Unchanged: 11})
		if rep.Quarantine != nil || len(w.staged()) != 0 {
			t.Errorf("quarantine %v, staged %v", rep.Quarantine, w.staged())
		}
		w.steady()
	})
	t.Run("a source that lost more than half of the memberships takes none away", func(t *testing.T) {
		w, all := start(t, 50)
		w.source.Put(group("g", all[6:]...))
		rep := w.run()
		want(t, rep, store.Counts{Staged: 1, Unchanged: 10})
		if rep.Held != "SourceHalved" || len(w.members("g")) != 10 {
			t.Errorf("held %q, %d members", rep.Held, len(w.members("g")))
		}
	})
}
