package engine_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

func (w *world) job() store.Job {
	w.t.Helper()
	j, err := w.db.Job(w.t.Context(), w.jobID)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

func (w *world) restart(what health.Reset) engine.Restarted {
	w.t.Helper()
	r, err := w.engine().Restart(w.t.Context(), w.jobID, what)
	if err != nil {
		w.t.Fatalf("restart %s: %v", what, err)
	}
	return r
}

func (w *world) start() {
	w.t.Helper()
	if _, err := w.engine().Start(w.t.Context(), w.jobID); err != nil {
		w.t.Fatal(err)
	}
}

// refused runs a cycle of a job that may not run.
func (w *world) refused(why error) {
	w.t.Helper()
	w.forgetCalls()
	if _, err := w.engine().Run(w.t.Context(), w.subject(), engine.Options{Manual: true}); !errors.Is(err, why) {
		w.t.Errorf("run: %v, want %v", err, why)
	}
	if calls := w.calls(connector.OpProbe, connector.OpFind, connector.OpList, connector.OpCreate); len(calls) > 0 {
		w.t.Errorf("a job that may not run called its target: %s", show(calls))
	}
}

// goOn runs a cycle of which something was done before.
func (w *world) goOn() engine.RunReport {
	w.t.Helper()
	rep, err := w.engine().Run(w.t.Context(), w.subject(), engine.Options{Manual: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return rep
}

// titles are those of all accounts, by the id of their source objects.
func (w *world) titles() map[string]any {
	out := map[string]any{}
	for _, o := range w.target.Objects(identity.User) {
		out[o.Text("externalId")], _ = o.Get("title")
	}
	return out
}

// during runs a cycle in which something happens before the n-th create.
func (w *world) during(n int, what func()) (engine.RunReport, error) {
	w.t.Helper()
	var mu sync.Mutex
	w.fail(func(c memory.Call) error {
		if c.Op != connector.OpCreate {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if n--; n == 0 {
			what()
		}
		return nil
	}, nil)
	rep, err := w.engine().Run(w.t.Context(), w.subject(), engine.Options{Manual: true})
	w.fail(nil, nil)
	return rep, err
}

// TestPause stops a cycle at the end of its slice, and start lets the very same go on (design D13, which replaces
// engine.R9).
func TestPause(t *testing.T) {
	w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil), caps: connector.Caps{Concurrency: 1}})
	for i := range 600 {
		w.source.Put(user(num("p", i)))
	}
	_, err := w.during(3, func() {
		if _, err := w.engine().Pause(t.Context(), w.jobID); err != nil {
			t.Error(err)
		}
		w.later(time.Minute) // the slice is over
	})
	if !errors.Is(err, engine.ErrPaused) {
		t.Fatalf("run: %v", err)
	}
	made := len(w.target.Objects(identity.User))
	if made < 3 || made >= 600 {
		t.Errorf("%d accounts when the pause took effect", made)
	}
	under, err := w.db.CyclesOf(t.Context(), w.jobID, 1)
	if err != nil || under[0].State != store.Running {
		t.Fatalf("cycle %+v, %v", under, err)
	}
	w.refused(engine.ErrPaused)
	w.later(72 * time.Hour)
	w.start()
	rep := w.goOn()
	want(t, rep, store.Counts{Created: 600})
	if rep.Cycle.ID != under[0].ID || rep.Cycle.Type != store.Initial {
		t.Errorf("another cycle was begun: %+v", rep.Cycle)
	}
	w.onceEach("after the pause")
	w.steady()
}

func TestAPausedJobKeepsItsState(t *testing.T) { // engine section 2
	w := newWorld(t, setup{feed: true, rules: usersOnly(nil)})
	w.source.Put(user("ann"), user("bob"))
	w.run()
	before, objects := w.job(), w.state()
	if _, err := w.engine().Pause(t.Context(), w.jobID); err != nil {
		t.Fatal(err)
	}
	w.source.Put(user("ann", "title", "x"))
	w.refused(engine.ErrPaused)
	w.start()
	after := w.job()
	after.Epoch = before.Epoch // it was asked for
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("job (- before, + after):\n%s", diff)
	}
	if diff := cmp.Diff(objects, w.state()); diff != "" {
		t.Errorf("objects (- before, + after):\n%s", diff)
	}
	want(t, w.run(), store.Counts{Updated: 1})
}

// interruptedByASave is an initial cycle of five people that was interrupted, after which another mapping was saved.
func interruptedByASave(t *testing.T) (w *world, began string) {
	w = newWorld(t, setup{noPredict: true, rules: usersOnly(nil), caps: connector.Caps{Concurrency: 1}})
	for i := range 5 {
		w.source.Put(user(num("p", i), "title", "Clerk", "department", "Sales"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpCreate && c.Object.Text("externalId") == num("p", 2) {
			cancel()
		}
		return nil
	}, nil)
	if _, err := w.engine().Run(ctx, w.subject(), engine.Options{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.fail(nil, nil)
	cycles, err := w.db.CyclesOf(t.Context(), w.jobID, 1)
	if err != nil || len(w.titles()) == 5 {
		t.Fatalf("not interrupted: %v, %v", w.titles(), err)
	}
	w.earlier = map[int64]job.Job{1: w.def}
	w.def.Rules = []job.Rule{userRule()}
	w.def.Rules[0].Attributes[2].Expression = "[department]"
	w.save()
	return w, cycles[0].ID
}

func all(n int, title string) map[string]any {
	out := map[string]any{}
	for i := range n {
		out[num("p", i)] = title
	}
	return out
}

func TestAnInterruptedCycleEndsWithTheSchemaItBeganWith(t *testing.T) { // engine.R10
	w, began := interruptedByASave(t)
	rep := w.goOn()
	want(t, rep, store.Counts{Created: 5})
	if rep.Cycle.ID != began || len(rep.Warnings) != 1 {
		t.Errorf("cycle %+v, warnings %q", rep.Cycle, rep.Warnings)
	}
	if diff := cmp.Diff(all(5, "Clerk"), w.titles()); diff != "" {
		t.Errorf("titles (- want, + got):\n%s", diff)
	}
	w.onceEach("interrupted and saved")
	rep = w.cycle(engine.Options{})
	want(t, rep, store.Counts{Updated: 5})
	if rep.Cycle.Type != store.Initial || len(rep.Warnings) != 0 {
		t.Errorf("the cycle after it: %+v, warnings %q", rep.Cycle, rep.Warnings)
	}
	if diff := cmp.Diff(all(5, "Sales"), w.titles()); diff != "" {
		t.Errorf("titles (- want, + got):\n%s", diff)
	}
	w.steady()
}

func TestAnInterruptedCycleEndsWhenItsSchemaIsGone(t *testing.T) { // engine.R10
	for _, c := range []struct {
		name string
		opt  engine.Options
	}{
		{"the version cannot be opened any more", engine.Options{}},
		{"a person asks for an initial cycle in its place", engine.Options{Manual: true, Initial: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, began := interruptedByASave(t)
			if !c.opt.Initial {
				w.earlier = nil
			}
			rep := w.cycle(c.opt)
			if rep.Cycle.ID == began || rep.Cycle.Type != store.Initial || rep.Counts.Failed != 0 {
				t.Errorf("cycle %+v, %+v", rep.Cycle, rep.Counts)
			}
			if diff := cmp.Diff(all(5, "Sales"), w.titles()); diff != "" {
				t.Errorf("titles (- want, + got):\n%s", diff)
			}
			old, err := w.db.Cycle(t.Context(), began)
			if err != nil || old.State != store.Failed || old.Error == "" {
				t.Errorf("the interrupted cycle: %+v, %v", old, err)
			}
			w.steady()
		})
	}
}

func TestASaveLiftsQuarantineAndRetriesEverything(t *testing.T) { // engine section 3.3, R115
	w := newWorld(t, setup{feed: true, noPredict: true, rules: usersOnly(nil)})
	w.source.Put(user("ann"), user("bob"))
	refuse := func(c memory.Call) error {
		if c.Op == connector.OpCreate && c.Object.Text("externalId") == "bob" {
			return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable}
		}
		return nil
	}
	w.fail(refuse, nil)
	want(t, w.run(), store.Counts{Created: 1, Failed: 1})
	w.fail(nil, nil)
	w.save()
	rep := w.cycle(engine.Options{}) // a scheduled one, hours before the next attempt
	want(t, rep, store.Counts{Created: 1, Unchanged: 1})
	if rep.Cycle.Type != store.Initial || len(w.escrows()) != 0 {
		t.Errorf("cycle %s, failures %+v", rep.Cycle.Type, w.escrows())
	}
}

// settled is a world with two people who have accounts, one whose create was refused, one whose deletion is held, and a
// job in quarantine because of it.
func settled(t *testing.T, feed bool) *world {
	w := newWorld(t, setup{feed: feed, noPredict: true, rules: usersOnly(nil), settings: percent(20, 500, 0)})
	w.source.Put(user("ann"), user("bob"), user("leaver"))
	w.run()
	w.later(time.Hour)
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpCreate && c.Object.Text("externalId") == "bad" {
			return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable}
		}
		return nil
	}, nil)
	w.source.Put(user("bad"))
	w.source.Remove(identity.User, "leaver")
	rep := w.run()
	if rep.Counts.Failed != 1 || rep.Counts.Staged != 1 || rep.Quarantine == nil {
		t.Fatalf("counts %+v, quarantine %v", rep.Counts, rep.Quarantine)
	}
	w.later(time.Hour)
	return w
}

// TestRestart: each value resets what it says, and nothing else (engine.R20).
func TestRestart(t *testing.T) {
	type effect struct {
		linked, failures int
		held, allowed    int
		quarantine       bool
		initial          bool         // the next cycle
		watermark        bool         // is kept
		tried            bool         // the one that failed, in the next scheduled cycle
		counts           store.Counts // of that cycle
	}
	keep := effect{linked: 3, failures: 1, held: 1, quarantine: true, watermark: true, counts: store.Counts{Staged: 1}}
	for _, c := range []struct {
		what health.Reset
		want func(*effect)
	}{
		{0, func(*effect) {}}, // None
		{health.QuarantineState, func(e *effect) { e.quarantine = false }},
		{health.Escrows, func(e *effect) { e.failures = 0 }},
		{health.Watermark, func(e *effect) {
			e.initial, e.watermark, e.tried = true, false, true
			e.counts = store.Counts{Staged: 1, Unchanged: 2, Failed: 1}
		}},
		{health.ForceDeletes, func(e *effect) { e.allowed = 1; e.counts = store.Counts{Deleted: 1} }},
		{health.DefaultReset, func(e *effect) {
			e.quarantine, e.failures, e.initial, e.watermark, e.tried = false, 0, true, false, true
			e.counts = store.Counts{Staged: 1, Unchanged: 2, Failed: 1}
		}},
		{health.ConnectorDataStore, func(e *effect) {
			e.linked, e.held, e.initial, e.watermark, e.tried = 0, 0, true, false, true
			e.counts = store.Counts{Unchanged: 2, Failed: 1}
		}},
		{health.Full, func(e *effect) {
			e.linked, e.failures, e.held, e.quarantine, e.initial, e.watermark, e.tried = 0, 0, 0, false, true, false, true
			e.counts = store.Counts{Unchanged: 2, Failed: 1}
		}},
		{health.ForceDeletes | health.DefaultReset, func(e *effect) {
			e.allowed, e.quarantine, e.failures, e.initial, e.watermark, e.tried = 1, false, 0, true, false, true
			e.counts = store.Counts{Deleted: 1, Unchanged: 2, Failed: 1}
		}},
	} {
		t.Run(c.what.String(), func(t *testing.T) {
			w := settled(t, true)
			if _, err := w.engine().Pause(t.Context(), w.jobID); err != nil {
				t.Fatal(err)
			}
			expect := keep
			c.want(&expect)
			r := w.restart(c.what)
			j := w.job()
			got := effect{failures: len(w.escrows()), held: len(w.staged()), quarantine: j.Quarantine != nil, initial: j.InitialDue, watermark: j.Watermark != ""}
			for _, o := range w.state() {
				if o.Target != "" {
					got.linked++
				}
			}
			for _, s := range w.staged() {
				if s.Allowed {
					got.allowed++
				}
			}
			if j.Paused || r.Later || j.ResetDue != 0 || r.Allowed != int64(expect.allowed) {
				t.Errorf("job %+v, restart %+v", j, r)
			}
			rep := w.cycle(engine.Options{})
			got.counts = rep.Counts
			got.counts.Imported, got.counts.InScope = 0, 0
			got.tried = w.codeOf(rep, "bad") == "create failure UnprocessableEntity"
			if diff := cmp.Diff(expect, got, cmp.AllowUnexported(effect{})); diff != "" {
				t.Errorf("(- want, + got):\n%s", diff)
			}
			if initial := rep.Cycle.Type == store.Initial; initial != expect.initial {
				t.Errorf("the next cycle is %s", rep.Cycle.Type)
			}
			if again := w.cycle(engine.Options{}); again.Cycle.Type != store.Incremental {
				t.Errorf("the one after it is %s", again.Cycle.Type)
			}
			if n := len(w.target.Objects(identity.User)); n != 3-int(expect.counts.Deleted) {
				t.Errorf("%d accounts", n)
			}
		})
	}
}

func TestForgottenFailuresWaitForAChange(t *testing.T) { // engine.R20 Escrows
	for _, feed := range []bool{false, true} {
		w := settled(t, feed)
		w.restart(health.Escrows)
		w.later(48 * time.Hour)
		rep := w.cycle(engine.Options{})
		if got := w.codeOf(rep, "bad"); got != "no record" || rep.Counts.Failed != 0 {
			t.Errorf("feed %v: it was tried again: %s, %+v", feed, got, rep.Counts)
		}
		w.source.Put(user("bad", "title", "x"))
		if rep = w.cycle(engine.Options{}); rep.Counts.Failed != 1 {
			t.Errorf("feed %v: a change does not make it be tried again: %+v", feed, rep.Counts)
		}
	}
}

func TestHeldDeletionsGoBeforeTheirLinksDo(t *testing.T) { // engine.R20, R23: ForceDeletes with ConnectorDataStore
	w := settled(t, false)
	w.fail(nil, nil)
	r := w.restart(health.Full | health.ForceDeletes)
	if !r.Later || r.Allowed != 1 || len(w.state()) == 0 {
		t.Errorf("restart %+v", r)
	}
	rep := w.run()
	if rep.Counts.Deleted != 1 || w.account(identity.User, "leaver") != nil {
		t.Errorf("counts %+v", rep.Counts)
	}
	rep = w.run()
	if rep.Cycle.Type != store.Initial || rep.Counts.Unchanged != 3 || w.job().ResetDue != 0 || w.job().InitialDue {
		t.Errorf("afterwards: %+v, %+v, job %+v", rep.Cycle, rep.Counts, w.job())
	}
	w.steady()
}

// TestARestartDoesNotDisturbACycle: neither one under way in another process, nor one that was interrupted
// (engine.R21).
func TestARestartDoesNotDisturbACycle(t *testing.T) {
	for _, crash := range []bool{false, true} {
		w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil), caps: connector.Caps{Concurrency: 1}})
		w.source.Put(user("ann"), user("bob"), user("cec"))
		var r engine.Restarted
		rep, err := w.during(2, func() {
			if !crash {
				r = w.restartAs("another", health.Full)
			}
		})
		if crash {
			w = newWorld(t, setup{noPredict: true, rules: usersOnly(nil)})
			w.source.Put(user("ann"), user("bob"), user("cec"))
			if w.killedOnly(6) {
				t.Fatal("it did not die")
			}
			r = w.restart(health.Full)
			rep, err = w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true})
		}
		if err != nil {
			t.Fatal(err)
		}
		want(t, rep, store.Counts{Created: 3})
		if !r.Later || rep.Cycle.State != store.Succeeded {
			t.Errorf("restart %+v, cycle %+v", r, rep.Cycle)
		}
		if j := w.job(); !j.InitialDue || j.ResetDue == 0 || j.Watermark != "" {
			t.Errorf("the restart was lost: %+v", j)
		}
		rep = w.run()
		want(t, rep, store.Counts{Unchanged: 3})
		if rep.Cycle.Type != store.Initial || w.job().ResetDue != 0 || len(w.writes()) != 0 {
			t.Errorf("the cycle after it: %+v, job %+v", rep.Cycle, w.job())
		}
		if rep = w.run(); rep.Cycle.Type != store.Incremental {
			t.Errorf("the one after that: %s", rep.Cycle.Type)
		}
	}
}

// restartAs restarts the job from another process.
func (w *world) restartAs(holder string, what health.Reset) engine.Restarted {
	mine := w.holder
	w.holder = holder
	e := w.engine()
	w.holder = mine
	r, err := e.Restart(context.WithoutCancel(w.t.Context()), w.jobID, what)
	if err != nil {
		w.t.Error(err)
	}
	return r
}

func TestARestartThatIsKilledIsCarriedThrough(t *testing.T) {
	for n := range 8 {
		w := settled(t, false)
		w.fail(nil, nil)
		d := &dying{Store: w.db}
		d.left.Store(int64(n))
		w.store = d
		_, err := w.engine().Restart(t.Context(), w.jobID, health.Full)
		w.store = w.db
		w.later(time.Hour)
		if err == nil {
			if n < 3 {
				t.Errorf("after %d writes it was over", n)
			}
			continue
		}
		if n == 0 { // nothing was asked for yet
			continue
		}
		w.source.Put(user("bad", "title", "x"))
		rep := w.goOn()
		if rep.Cycle.Type != store.Initial || rep.Counts.Created != 1 || rep.Counts.Unchanged != 2 || w.job().ResetDue != 0 {
			t.Errorf("killed after %d writes: %+v, %+v", n, rep.Cycle, rep.Counts)
		}
		if len(w.staged()) != 0 || w.account(identity.User, "leaver") == nil {
			t.Errorf("killed after %d writes: the account of somebody without a link was touched", n)
		}
	}
}

// TestRestartCures what the documents say that a restart cures (engine.R22).
func TestRestartCures(t *testing.T) {
	t.Run("links to accounts that are gone (InvalidAnchor)", func(t *testing.T) {
		w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil)})
		w.source.Put(user("ann"), user("bob"))
		w.run()
		w.target.Remove(identity.User, w.anchorOf(identity.User, "ann"))
		w.source.Put(user("ann", "title", "x"))
		want(t, w.run(), store.Counts{Failed: 1, Unchanged: 1})
		w.restart(health.Full)
		want(t, w.run(), store.Counts{Created: 1, Unchanged: 1})
		w.steady()
	})
	t.Run("references that are not known to have been written", func(t *testing.T) {
		w := newWorld(t, setup{noPredict: true})
		w.source.Put(user("ann"), user("bob", "manager", "ann"), group("g", "ann", "bob"))
		w.run()
		ann := w.anchorOf(identity.User, "ann")
		w.restart(health.Full)
		want(t, w.run(), store.Counts{Unchanged: 2, Updated: 1}) // members are not read, so they are added again
		if w.anchorOf(identity.User, "ann") != ann || w.manager("bob") != "ann" || len(w.members("g")) != 2 {
			t.Errorf("manager %v, members %v", w.manager("bob"), w.members("g"))
		}
		w.steady()
	})
	t.Run("everybody is evaluated, though nobody changed", func(t *testing.T) {
		w := newWorld(t, setup{rules: usersOnly(nil)})
		w.source.Put(user("ann"), user("bob"))
		w.run()
		before := slices.Collect(maps.Values(w.state()))
		w.restart(health.Watermark)
		for key, o := range w.state() {
			if o.Hash != (store.Object{}).Hash || o.Target == "" {
				t.Errorf("%v: %+v", key, o)
			}
		}
		if rep := w.run(); rep.Cycle.Type != store.Initial || len(before) != 2 {
			t.Errorf("cycle %+v", rep.Cycle)
		}
		w.steady()
	})
}
