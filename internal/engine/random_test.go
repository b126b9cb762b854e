package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
)

// drawn is a test whose failures rapid makes smaller.
type drawn struct {
	*testing.T
	r *rapid.T
}

func (d drawn) Helper()                   {}
func (d drawn) Error(a ...any)            { d.r.Error(a...) }
func (d drawn) Errorf(f string, a ...any) { d.r.Errorf(f, a...) }
func (d drawn) Fatal(a ...any)            { d.r.Fatal(a...) }
func (d drawn) Fatalf(f string, a ...any) { d.r.Fatalf(f, a...) }
func (d drawn) Log(a ...any)              { d.r.Log(a...) }
func (d drawn) Logf(f string, a ...any)   { d.r.Logf(f, a...) }

const (
	drawnUsers  = 9
	drawnGroups = 3
)

func pick(r *rapid.T, what string, n int) int { return rapid.IntRange(0, n-1).Draw(r, what) }

// edit changes the source at random, the way a directory lets itself be changed: who is removed is no longer anybody's
// manager or member.
func randomEdit(w *world, r *rapid.T) {
	switch what := pick(r, "edit", 10); what {
	case 0, 1, 2, 3, 4:
		i := pick(r, "user", drawnUsers)
		u := user(num("u", i))
		if pick(r, "renamed", 5) == 0 {
			u.Attrs.Set("login", fmt.Sprintf("new%d@example.com", i))
		}
		if t := pick(r, "title", 4); t > 0 {
			u.Attrs.Set("title", strconv.Itoa(t))
		}
		if m := pick(r, "manager", 2*drawnUsers); m < drawnUsers && w.has(identity.User, num("u", m)) {
			u.Attrs.Set("manager", identity.Ref{Kind: identity.User, Anchor: num("u", m)})
		}
		u.Attrs.Set("department", []string{"Sales", "Sales", "Sales", "Ops"}[pick(r, "department", 4)])
		switch pick(r, "state", 8) {
		case 0:
			u.Disabled = true
		case 1:
			u.SoftDeleted = true
		}
		w.source.Put(u)
	case 5, 6, 7:
		g := group(num("g", pick(r, "group", drawnGroups)))
		var members []any
		for i := range drawnUsers {
			if pick(r, "member", 2) == 0 && w.has(identity.User, num("u", i)) {
				members = append(members, identity.Ref{Kind: identity.User, Anchor: num("u", i)})
			}
		}
		if members != nil {
			g.Attrs.Set("members", members)
		}
		w.source.Put(g)
	case 8:
		anchor := num("u", pick(r, "removed user", drawnUsers))
		w.source.Remove(identity.User, anchor)
		ref := identity.Ref{Kind: identity.User, Anchor: anchor}
		for _, k := range []identity.Kind{identity.User, identity.Group} {
			for _, o := range w.source.Objects(k) {
				if m, _ := o.Get("manager"); m == ref {
					o.Attrs.Set("manager", nil)
					w.source.Put(o)
				}
				if m, _ := o.Get("members"); m != nil && slices.Contains(m.([]any), any(ref)) {
					left := slices.DeleteFunc(m.([]any), func(e any) bool { return e == ref })
					o.Attrs.Set("members", identity.Normal(left))
					w.source.Put(o)
				}
			}
		}
	case 9:
		w.source.Remove(identity.Group, num("g", pick(r, "removed group", drawnGroups)))
	}
}

func (w *world) has(kind identity.Kind, anchor string) bool {
	return slices.ContainsFunc(w.source.Objects(kind), func(o *identity.Object) bool { return o.Anchor == anchor })
}

// converged compares the target with what the source asks for (I5).
func (w *world) converged() {
	w.t.Helper()
	usable := map[string]bool{} // in scope and active
	for _, u := range w.source.Objects(identity.User) {
		usable[u.Anchor] = u.Text("department") == "Sales" && !u.Disabled && !u.SoftDeleted
	}
	for _, o := range w.target.Objects(identity.User) {
		id := o.Text("externalId")
		if active, _ := o.Get("active"); !usable[id] && active == any(true) {
			w.t.Errorf("%s is not in scope, or not active, and its account can be used", id)
		}
	}
	for _, u := range w.source.Objects(identity.User) {
		if !usable[u.Anchor] {
			continue
		}
		a := w.account(identity.User, u.Anchor)
		if !w.active(u.Anchor) || a["userName"] != u.Text("login") {
			w.t.Errorf("account of %s: %v", u.Anchor, a)
			continue
		}
		if t := u.Text("title"); t != "" && a["title"] != t {
			w.t.Errorf("title of %s: %v, want %s", u.Anchor, a["title"], t)
		}
		if m := u.Text("manager"); usable[m] && a["manager"] != m {
			w.t.Errorf("manager of %s: %v, want %s", u.Anchor, a["manager"], m)
		}
	}
	for _, g := range w.source.Objects(identity.Group) {
		a := w.account(identity.Group, g.Anchor)
		if a == nil {
			w.t.Errorf("group %s has no account", g.Anchor)
			continue
		}
		wanted := map[string]bool{}
		v, _ := g.Get("members")
		list, _ := v.([]any)
		for _, e := range list {
			wanted[e.(identity.Ref).Anchor] = true
		}
		have := w.members(g.Anchor)
		for id := range wanted {
			if usable[id] && !slices.Contains(have, id) {
				w.t.Errorf("%s is missing from group %s: %v", id, g.Anchor, have)
			}
		}
		for _, id := range have {
			if !wanted[id] {
				w.t.Errorf("%s is in group %s and should not be", id, g.Anchor)
			}
		}
	}
	if have, want := len(w.target.Objects(identity.Group)), len(w.source.Objects(identity.Group)); have != want {
		w.t.Errorf("%d groups in the target, %d in the source", have, want)
	}
}

func drawSetup(r *rapid.T, feed bool) setup {
	return setup{feed: feed, rules: filtered(inSales()),
		settings: func(s *job.Settings) { s.DeletionGuard.Enabled, s.MembershipGuard.Enabled = false, false },
		caps: connector.Caps{ReferencesInCreate: rapid.Bool().Draw(r, "references in create"), MemberBatch: rapid.IntRange(0, 3).Draw(r, "batch"),
			PageSize: rapid.SampledFrom([]int{2, 100}).Draw(r, "page"), Concurrency: rapid.SampledFrom([]int{1, 4}).Draw(r, "concurrency"),
			ReadBeforeWrite: rapid.SampledFrom([]connector.ReadPolicy{connector.ReadStale, connector.ReadNever, connector.ReadAlways}).Draw(r, "read")}}
}

// TestPlanTellsTheRun: over random sequences of edits every plan tells the changes, the counts and the calls of the cycle
// that follows it, and every cycle brings the target to what the source asks for (design sections 2, 7).
func TestPlanTellsTheRun(t *testing.T) {
	if testing.Short() {
		t.Skip("random histories take minutes under the race detector; `make test` runs them")
	}
	db, scratch := openStore(t), openStore(t)
	for _, feed := range []bool{false, true} {
		t.Run(fmt.Sprint("feed ", feed), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				cfg := drawSetup(r, feed)
				cfg.db, cfg.scratch = db, scratch
				w := newWorld(drawn{t, r}, cfg)
				for range 8 {
					for range rapid.IntRange(1, 8).Draw(r, "edits") {
						randomEdit(w, r)
					}
					if hours := pick(r, "pause", 3); hours > 0 {
						w.later(time.Duration(hours) * 20 * time.Hour)
					}
					rep := w.run()
					if rep.Counts.Failed > 0 {
						r.Fatalf("counts %+v", rep.Counts)
					}
					if rep.Held == "" && len(w.staged()) == 0 {
						w.converged()
					}
				}
			})
		})
	}
}

// TestConvergesAfterFaults: whatever goes wrong, refused calls, lost answers, killed processes, once it stops the target
// comes to what the source asks for, and nobody ever has two accounts (I1, I5).
func TestConvergesAfterFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("random histories take minutes under the race detector; `make test` runs them")
	}
	db, scratch := openStore(t), openStore(t)
	for _, feed := range []bool{false, true} {
		t.Run(fmt.Sprint("feed ", feed), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				cfg := drawSetup(r, feed)
				cfg.db, cfg.scratch, cfg.noPredict, cfg.caps.Concurrency = db, scratch, true, 1 // one by one, so that a failure can be repeated
				guards := cfg.settings
				cfg.settings = func(s *job.Settings) { guards(s); s.OnMissingTarget = job.MissingRematch }
				w := newWorld(drawn{t, r}, cfg)
				for i := range 5 {
					for range rapid.IntRange(1, 8).Draw(r, "edits") {
						randomEdit(w, r)
					}
					before := faults(rapid.SliceOfN(rapid.IntRange(0, 9), 1, 12).Draw(r, "faults before"))
					after := faults(rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 3, 4, 5, 6}), 1, 12).Draw(r, "faults after"))
					w.fail(before, after)
					d := &dying{Store: w.db}
					d.left.Store(int64(rapid.SampledFrom([]int{3, 5, 8, 12, 1000, 1000}).Draw(r, "writes to live")))
					w.store, w.holder = d, strconv.Itoa(i)
					if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil && !errors.Is(err, errKilled) {
						r.Fatalf("run: %v", err)
					}
					w.later(time.Hour)
				}
				w.fail(nil, nil)
				w.store, w.holder = w.db, "calm"
				rep, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}) // ends what was interrupted
				if err != nil {
					r.Fatalf("run: %v", err)
				}
				for range 3 {
					rep = w.run()
				}
				if rep.Counts.Failed > 0 {
					r.Errorf("objects still fail: %+v", rep.Counts)
				}
				if rep.Held == "" && len(w.staged()) == 0 {
					w.converged()
				}
				w.steady()
			})
		})
	}
}

// faults makes every call of a drawn list fail in one of several ways; most do not fail. Queries and the probe are
// answered, and a create that took effect and says that it failed says at least that it may have: the account of a
// person who is gone by the time it could be looked for is an orphan, which no client can know of.
func faults(list []int) func(memory.Call) error {
	var mu sync.Mutex
	n := 0
	return func(c memory.Call) error {
		if c.Op == connector.OpFind || c.Op == connector.OpProbe {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		n++
		switch list[n%len(list)] {
		case 0:
			return &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeServerError, MaybeDone: c.Op == connector.OpCreate && c.Anchor != ""}
		case 1:
			return &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeTimeout, MaybeDone: true}
		case 2:
			return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable}
		}
		return nil
	}
}
