package engine_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

// both runs a test over a source that is read whole and over one that tells changes.
func both(t *testing.T, f func(t *testing.T, cfg setup)) {
	for _, feed := range []bool{false, true} {
		for _, inCreate := range []bool{false, true} {
			t.Run(fmt.Sprint("feed ", feed, " in create ", inCreate), func(t *testing.T) {
				f(t, setup{feed: feed, caps: connector.Caps{ReferencesInCreate: inCreate}, settings: func(s *job.Settings) { s.DeletionGuard.Floor = 50 }})
			})
		}
	}
}

// crew are a boss, a deputy who reports to her, a worker who reports to the deputy, and a team of all three.
func (w *world) crew() {
	w.source.Put(user("boss"), user("deputy", "manager", "boss"), user("worker", "manager", "deputy"), user("other"), group("team", "boss", "deputy", "worker"))
	w.run()
	w.steady()
}

// teamIs sets the members of the team past the engine.
func (w *world) teamIs(people ...string) {
	var members []any
	for _, p := range people {
		members = append(members, identity.Ref{Kind: identity.User, Anchor: w.anchorOf(identity.User, p)})
	}
	for _, o := range w.target.Objects(identity.Group) {
		o.Attrs.Set("members", members)
		w.target.Put(o)
	}
}

func (w *world) wantCrew() {
	w.t.Helper()
	if a, b := w.manager("deputy"), w.manager("worker"); a != "boss" || b != "deputy" {
		w.t.Errorf("managers %v and %v, want boss and deputy", a, b)
	}
	if diff := cmp.Diff([]string{"boss", "deputy", "worker"}, w.members("team")); diff != "" {
		w.t.Errorf("members (- want, + got):\n%s", diff)
	}
}

// TestManagerDeletedAndMadeAnew: nothing about those who refer to her changes; the chain and the group name her new
// account in the cycle that makes it (design D4, engine.R91).
func TestManagerDeletedAndMadeAnew(t *testing.T) {
	both(t, func(t *testing.T, cfg setup) {
		w := newWorld(t, cfg)
		w.crew()
		was := w.anchorOf(identity.User, "boss")
		w.source.Remove(identity.User, "boss")
		if rep := w.run(); rep.Counts.Deleted != 1 {
			t.Fatalf("counts %+v", rep.Counts)
		}
		w.steady()
		w.source.Put(user("boss"))
		want(t, w.run(), store.Counts{Created: 1, Updated: 2, Unchanged: unchanged(cfg, 2)})
		if w.anchorOf(identity.User, "boss") == was {
			t.Fatal("the account is the old one; the test proves nothing")
		}
		w.wantCrew()
		w.steady()
	})
}

// unchanged is how many objects a cycle counts as such: a feed does not deliver them.
func unchanged(cfg setup, n int64) int64 {
	if cfg.feed {
		return 0
	}
	return n
}

// TestReferenceThatWasDroppedMeanwhile: who is made anew is not referred to by those who chose another meanwhile.
func TestReferenceThatWasDroppedMeanwhile(t *testing.T) { // design D4
	both(t, func(t *testing.T, cfg setup) {
		for _, order := range []string{"before", "with", "after"} { // the deletion
			w := newWorld(t, cfg)
			w.crew()
			drop := func() { w.source.Put(user("deputy", "manager", "other"), group("team", "deputy", "worker")) }
			if order == "before" {
				drop()
				w.run()
			}
			w.source.Remove(identity.User, "boss")
			if order == "with" {
				drop()
			}
			w.run()
			if order == "after" {
				drop()
				w.run()
			}
			w.source.Put(user("boss"))
			want(t, w.run(), store.Counts{Created: 1, Unchanged: unchanged(cfg, 4)})
			if got := w.manager("deputy"); got != "other" {
				t.Errorf("%s: manager %v", order, got)
			}
			if diff := cmp.Diff([]string{"deputy", "worker"}, w.members("team")); diff != "" {
				t.Errorf("%s: members (- want, + got):\n%s", order, diff)
			}
			w.steady()
		}
	})
}

// TestReferencesToAnAccountThatWasReplaced: the account vanished in the application and the object was matched again
// (engine.R56); who refers to it follows in the next cycle.
func TestReferencesToAnAccountThatWasReplaced(t *testing.T) {
	both(t, func(t *testing.T, cfg setup) {
		cfg.noPredict = true
		settings := cfg.settings
		cfg.settings = func(s *job.Settings) { settings(s); s.OnMissingTarget = job.MissingRematch }
		w := newWorld(t, cfg)
		w.crew()
		w.target.Remove(identity.User, w.anchorOf(identity.User, "boss"))
		w.teamIs("deputy", "worker") // the application drops the members that are gone
		w.source.Put(user("boss", "title", "x"))
		w.run()
		w.run()
		w.wantCrew()
		w.steady()
	})
}

// TestReferencesToAnAccountThatWasMatchedAnew: a link was deleted by hand, because it led to the wrong account
// (engine.R168, R169).
func TestReferencesToAnAccountThatWasMatchedAnew(t *testing.T) {
	both(t, func(t *testing.T, cfg setup) {
		w := newWorld(t, cfg)
		w.crew()
		wrong := w.anchorOf(identity.User, "boss")
		w.paused(true)
		if _, err := w.engine().Unlink(t.Context(), w.subject(), "boss", "users", "by hand"); err != nil {
			t.Fatal(err)
		}
		w.paused(false)
		for _, o := range w.target.Objects(identity.User) {
			if o.Anchor == wrong {
				o.Attrs.Set("userName", "somebody@example.com")
				o.Attrs.Set("externalId", "")
				w.target.Put(o)
			}
		}
		w.target.Put(like("right", "boss"))
		w.source.Put(user("boss", "title", "x"))
		w.run()
		if got := w.anchorOf(identity.User, "boss"); got != "right" {
			t.Fatalf("account %s", got)
		}
		w.wantCrew()
		w.steady()
	})
}

// TestMembershipsAreAssertedAgainAfterAnEnable: the application dropped them while the account was disabled
// (engine.R88).
func TestMembershipsAreAssertedAgainAfterAnEnable(t *testing.T) {
	both(t, func(t *testing.T, cfg setup) {
		for _, c := range []struct {
			name    string
			off, on func(*world)
			members []string
		}{
			{"a block is lifted", func(w *world) { w.source.Put(disabled(user("worker", "manager", "deputy"))) },
				func(w *world) { w.source.Put(user("worker", "manager", "deputy")) }, []string{"boss", "deputy", "worker"}},
			{"and the group changed meanwhile", func(w *world) { w.source.Put(disabled(user("worker", "manager", "deputy"))) },
				func(w *world) {
					w.source.Put(user("worker", "manager", "deputy"), group("team", "boss", "deputy", "worker", "other"))
				}, []string{"boss", "deputy", "other", "worker"}},
			{"and the group has let him go", func(w *world) { w.source.Put(disabled(user("worker", "manager", "deputy"))) },
				func(w *world) {
					w.source.Put(user("worker", "manager", "deputy"), group("team", "boss", "deputy"))
				}, []string{"boss", "deputy"}},
		} {
			t.Run(c.name, func(t *testing.T) {
				w := newWorld(t, cfg)
				w.crew()
				c.off(w)
				if rep := w.run(); rep.Counts.Disabled != 1 {
					t.Fatalf("counts %+v", rep.Counts)
				}
				w.teamIs("boss", "deputy") // the application drops who is disabled
				w.steady()
				c.on(w)
				want(t, w.run(), store.Counts{Enabled: 1, Updated: 1, Unchanged: unchanged(cfg, 3)})
				if diff := cmp.Diff(c.members, w.members("team")); diff != "" {
					t.Errorf("members (- want, + got):\n%s", diff)
				}
				w.steady()
			})
		}
	})
}

// TestMembershipsWaitForAnEnableThatIsRefused: they are not sent with each attempt, but with the one that succeeds
// (engine.R88).
func TestMembershipsWaitForAnEnableThatIsRefused(t *testing.T) {
	w := newWorld(t, setup{noPredict: true, settings: func(s *job.Settings) { s.DeletionGuard.Floor = 50 }})
	w.crew()
	w.source.Put(disabled(user("worker", "manager", "deputy")))
	w.run()
	w.teamIs("boss", "deputy")
	w.source.Put(user("worker", "manager", "deputy"))
	anchor := w.anchorOf(identity.User, "worker")
	w.fail(func(c memory.Call) error {
		if c.Anchor == anchor {
			return &connector.Error{Kind: connector.KindInvalid, Code: "UnprocessableEntity", Detail: "refused by the test"}
		}
		return nil
	}, nil)
	w.run()
	if diff := cmp.Diff([]string{"boss", "deputy"}, w.members("team")); diff != "" {
		t.Errorf("members while the account is disabled (- want, + got):\n%s", diff)
	}
	w.fail(nil, nil)
	w.run()
	w.wantCrew()
	w.steady()
}

// TestMemberLeavesAndComesBack: of the group, of scope, and of the source (engine.R96, R101, design D4).
func TestMemberLeavesAndComesBack(t *testing.T) {
	for _, c := range []struct {
		name      string
		away      func(*world)
		back      func(*world)
		meanwhile []string // members
	}{
		{"of the group", func(w *world) { w.source.Put(group("team", "boss", "deputy")) },
			func(w *world) { w.source.Put(group("team", "boss", "deputy", "worker")) }, []string{"boss", "deputy"}},
		{"of the source", func(w *world) { w.source.Remove(identity.User, "worker") },
			func(w *world) { w.source.Put(user("worker", "manager", "deputy")) }, []string{"boss", "deputy"}},
		{"of the source and the group", func(w *world) {
			w.source.Remove(identity.User, "worker")
			w.source.Put(group("team", "boss", "deputy"))
		},
			func(w *world) {
				w.source.Put(user("worker", "manager", "deputy"), group("team", "boss", "deputy", "worker"))
			}, []string{"boss", "deputy"}},
		{"into the recycle bin", func(w *world) { w.source.Put(softDeleted(user("worker", "manager", "deputy"))) },
			func(w *world) { w.source.Put(user("worker", "manager", "deputy")) }, []string{"boss", "deputy", "worker"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, cfg setup) {
				w := newWorld(t, cfg)
				w.crew()
				c.away(w)
				w.run()
				if diff := cmp.Diff(c.meanwhile, w.members("team")); diff != "" {
					t.Errorf("meanwhile (- want, + got):\n%s", diff)
				}
				w.steady()
				c.back(w)
				w.run()
				w.wantCrew()
				w.steady()
			})
		})
	}
}

// TestLifeOfAGroup walks a group through its life (engine.R87, R92, R94, R101).
func TestLifeOfAGroup(t *testing.T) {
	named := func(g *identity.Object, name any) *identity.Object { g.Attrs.Set("name", name); return g }
	both(t, func(t *testing.T, cfg setup) {
		w := newWorld(t, cfg)
		w.source.Put(user("ann"), user("bob"), group("h", "ann", "bob"))
		w.run()
		for i, step := range []struct {
			group   *identity.Object // nil: gone
			counts  store.Counts
			name    any // of the group in the target, nil when it must not be there
			members []string
		}{
			{named(group("g", "ann"), nil), store.Counts{Skipped: 1}, nil, nil}, // R94: no joining value, neither group nor members
			{group("g"), store.Counts{Created: 1}, "Group g", nil},              // empty
			{group("g", "ann", "bob"), store.Counts{Updated: 1}, "Group g", []string{"ann", "bob"}},
			{named(group("g", "ann", "bob"), "Renamed"), store.Counts{Updated: 1}, "Renamed", []string{"ann", "bob"}},
			{named(group("g", "bob"), "Again"), store.Counts{Updated: 1}, "Again", []string{"bob"}}, // renamed and changed
			{named(group("g"), "Again"), store.Counts{Updated: 1}, "Again", nil},                    // emptied, and still there
			{named(group("g", "ann"), "Again"), store.Counts{Updated: 1}, "Again", []string{"ann"}},
			{nil, store.Counts{Deleted: 1}, nil, nil},
			{group("g", "ann"), store.Counts{Created: 1}, "Group g", []string{"ann"}}, // made anew
		} {
			if step.group == nil {
				w.source.Remove(identity.Group, "g")
			} else {
				w.source.Put(step.group)
			}
			step.counts.Unchanged = unchanged(cfg, 3)
			want(t, w.run(), step.counts)
			if diff := cmp.Diff(step.name, w.account(identity.Group, "g")["displayName"]); diff != "" {
				t.Errorf("step %d: name (- want, + got):\n%s", i, diff)
			}
			if diff := cmp.Diff(len(step.members), len(w.members("g"))); diff != "" {
				t.Errorf("step %d: members %v, want %v", i, w.members("g"), step.members)
			}
			w.steady()
		}
	})
}

// TestAManagerWhoHasBeenFollowedByAnother is not written again when their account is made anew, although the follower has
// none yet.
func TestAManagerWhoHasBeenFollowedByAnother(t *testing.T) { // design D4, I2
	feeds(t, func(t *testing.T, feed bool) {
		w := newWorld(t, setup{feed: feed, noPredict: true, loose: true, rules: filtered(inSales())})
		in := func(id string, pairs ...any) *identity.Object {
			return user(id, append([]any{"department", "Sales"}, pairs...)...)
		}
		w.source.Put(in("old"), in("ann", "manager", "old"), user("next", "department", "Ops"))
		w.run()
		w.source.Put(in("ann", "manager", "next"))
		w.run()
		w.source.Remove(identity.User, "old")
		w.run()
		w.source.Put(in("old"))
		w.run()
		if w.manager("ann") != nil {
			t.Errorf("manager %v", w.manager("ann"))
		}
		w.source.Put(in("next"))
		w.run()
		if w.manager("ann") != "next" {
			t.Errorf("manager %v", w.manager("ann"))
		}
		w.steady()
	})
}
