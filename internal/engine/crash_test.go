package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
)

var errKilled = errors.New("killed by the test")

// dying is a store that writes nothing any more after some writes, as if its process had been killed there.
type dying struct {
	*sqlstore.Store
	left atomic.Int64
}

func (d *dying) dead() error {
	if d.left.Add(-1) < 0 {
		return errKilled
	}
	return nil
}

func (d *dying) Commit(ctx context.Context, b *store.Batch) error {
	if err := d.dead(); err != nil {
		return err
	}
	return d.Store.Commit(ctx, b)
}

func (d *dying) UpdateJob(ctx context.Context, id string, change func(*store.Job) error) (store.Job, error) {
	if err := d.dead(); err != nil {
		return store.Job{}, err
	}
	return d.Store.UpdateJob(ctx, id, change)
}

func (d *dying) ClearWork(ctx context.Context, cycle string) error {
	if err := d.dead(); err != nil {
		return err
	}
	return d.Store.ClearWork(ctx, cycle)
}

func (d *dying) Reset(ctx context.Context, job string, epoch int64, what health.Reset) error {
	if err := d.dead(); err != nil {
		return err
	}
	return d.Store.Reset(ctx, job, epoch, what)
}

func (d *dying) SetDepths(ctx context.Context, cycle string, pass int) ([]store.ObjectKey, error) {
	if err := d.dead(); err != nil {
		return nil, err
	}
	return d.Store.SetDepths(ctx, cycle, pass)
}

func (d *dying) Release(ctx context.Context, job, holder string) error {
	if err := d.dead(); err != nil {
		return err
	}
	return d.Store.Release(ctx, job, holder)
}

// killed runs a cycle that dies after n writes to the store, and then another process that takes over. It tells whether
// the first one came to its end alive.
func (w *world) killed(n int) (rep engine.RunReport, alive bool) {
	w.t.Helper()
	d := &dying{Store: w.db}
	d.left.Store(int64(n))
	w.store = d
	rep, err := w.engine().Run(w.t.Context(), w.subject(), engine.Options{Manual: true})
	alive = d.left.Load() >= 0
	if !alive && err != nil && !errors.Is(err, errKilled) {
		w.t.Fatalf("after %d writes: %v", n, err)
	}
	if err == nil { // dead or not, the cycle was over
		w.store = w.db
		w.later(time.Hour)
		return rep, alive
	}
	w.store, w.holder = w.db, fmt.Sprint("after ", n)
	w.later(5 * time.Minute) // the dead process keeps the job no longer
	if rep, err = w.engine().Run(w.t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
		w.t.Fatalf("after %d writes and a restart: %v", n, err)
	}
	return rep, alive
}

// onceEach checks that no source object was given an account twice.
func (w *world) onceEach(what string) {
	w.t.Helper()
	made := map[string]int{}
	for _, c := range w.calls(connector.OpCreate) {
		if made[c.Object.Text("externalId")]++; made[c.Object.Text("externalId")] > 1 {
			w.t.Errorf("%s: %s was created twice (I1)", what, c.Object.Text("externalId"))
		}
	}
}

// small is a load with a chart, a ring in it, and groups.
func small(w *world) {
	w.source.Put(user("boss"), user("ann", "manager", "boss"), user("bob", "manager", "ann"), user("r1", "manager", "r2"), user("r2", "manager", "r1"),
		user("lost", "manager", "nobody"), group("g", "ann", "bob", "r1", "r2"), group("h", "boss", "nobody"))
}

// edit changes everything a little: an update, a disable, a delete, a newcomer, members.
func edit(w *world) {
	w.source.Put(user("ann", "manager", "new", "title", "x"), user("new"), disabled(user("r1", "manager", "r2")), group("g", "ann", "new", "lost"))
	w.source.Remove(identity.User, "bob")
}

func picture(w *world) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, k := range []identity.Kind{identity.User, identity.Group} {
		for _, o := range w.target.Objects(k) {
			id := string(k) + " " + o.Text("externalId")
			if _, ok := out[id]; ok {
				w.t.Errorf("two accounts of %s (I1)", id)
			}
			out[id] = w.account(k, o.Text("externalId"))
		}
	}
	return out
}

// TestKilledAtEveryWrite kills the process at every single write of its state; the next one must bring the same target
// about, with nothing done twice that may not be (design D13, section 4).
func TestKilledAtEveryWrite(t *testing.T) {
	for _, cfg := range []setup{
		{caps: connector.Caps{ReferencesInCreate: true, MemberBatch: 2, Concurrency: 3}},
		{caps: connector.Caps{Concurrency: 3}, feed: true},
		{caps: connector.Caps{Concurrency: 1, ReferencesInCreate: true}, drops: true},
	} {
		cfg.noPredict = true
		calm := newWorld(t, cfg)
		small(calm)
		loaded := calm.run()
		first := picture(calm)
		edit(calm)
		edited := calm.run()
		second := picture(calm)
		for n, done := 0, 0; done < 2; n++ {
			w := newWorld(t, cfg)
			small(w)
			rep, alive := w.killed(n)
			if done == 0 {
				if diff := cmp.Diff(first, picture(w)); diff != "" {
					t.Fatalf("%+v: load, killed after %d writes (- want, + got):\n%s", cfg.caps, n, diff)
				}
				if diff := cmp.Diff(loaded.Counts, rep.Counts); diff != "" {
					t.Errorf("%+v: load, killed after %d writes: counts (- want, + got):\n%s", cfg.caps, n, diff)
				}
				w.onceEach(fmt.Sprintf("load, killed after %d writes", n))
				w.steady()
			}
			if alive {
				done |= 1
			}
			w = newWorld(t, cfg)
			small(w)
			w.run()
			edit(w)
			w.forgetCalls()
			rep, alive = w.killed(n)
			if diff := cmp.Diff(second, picture(w)); diff != "" {
				t.Fatalf("%+v: change, killed after %d writes (- want, + got):\n%s", cfg.caps, n, diff)
			}
			if diff := cmp.Diff(edited.Counts, rep.Counts); diff != "" {
				t.Errorf("%+v: change, killed after %d writes: counts (- want, + got):\n%s", cfg.caps, n, diff)
			}
			w.onceEach(fmt.Sprintf("change, killed after %d writes", n))
			w.steady()
			if alive {
				done |= 2
			}
		}
	}
}

// TestCancelledAtEveryCall stops the cycle gracefully at every call to the target; the next run goes on.
func TestCancelledAtEveryCall(t *testing.T) {
	cfg := setup{noPredict: true, caps: connector.Caps{ReferencesInCreate: true, MemberBatch: 2, Concurrency: 2}}
	calm := newWorld(t, cfg)
	small(calm)
	whole := calm.run()
	final := picture(calm)
	for k := 1; ; k++ {
		w := newWorld(t, cfg)
		small(w)
		ctx, cancel := context.WithCancel(t.Context())
		var n atomic.Int64
		w.fail(func(memory.Call) error {
			if n.Add(1) == int64(k) {
				cancel()
			}
			return nil
		}, nil)
		_, err := w.engine().Run(ctx, w.subject(), engine.Options{Manual: true})
		cancel()
		w.fail(nil, nil)
		if err == nil {
			if k < 8 {
				t.Fatalf("only %d calls", k)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at call %d: %v", k, err)
		}
		rep, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(final, picture(w)); diff != "" {
			t.Fatalf("cancelled at call %d (- want, + got):\n%s", k, diff)
		}
		if diff := cmp.Diff(whole.Counts, rep.Counts); diff != "" {
			t.Errorf("cancelled at call %d: counts (- want, + got):\n%s", k, diff)
		}
		w.onceEach(fmt.Sprintf("cancelled at call %d", k))
		w.steady()
	}
}

// TestGuardSurvivesACrash: what is held back must not depend on a process that lives (design D6, D13).
func TestGuardSurvivesACrash(t *testing.T) {
	t.Run("half rule", func(t *testing.T) {
		for n := 0; ; n++ {
			w := newWorld(t, setup{noPredict: true})
			fill(w, 7)
			w.run()
			w.leave(0, 4, true)
			rep, alive := w.killed(n)
			if rep.Counts.Staged != 4 || rep.Counts.Deleted != 0 || rep.Held != "SourceHalved" || len(w.target.Objects(identity.User)) != 7 {
				t.Errorf("killed after %d writes: %+v, held %q", n, rep.Counts, rep.Held)
			}
			if alive {
				break
			}
		}
	})
	t.Run("limit", func(t *testing.T) {
		w := newWorld(t, setup{noPredict: true, rules: filtered(inSales()), settings: percent(50, 500, 5)})
		fill(w, 600) // more than one block is held
		w.run()
		w.leave(0, 310, false)
		for n := 0; ; n++ {
			rep, alive := w.killed(n)
			if rep.Counts.Staged != 310 || rep.Counts.Disabled != 0 || len(w.staged()) != 310 {
				t.Fatalf("killed after %d writes: %+v, %d staged", n, rep.Counts, len(w.staged()))
			}
			if alive {
				break
			}
		}
	})
}

func TestTwoProcesses(t *testing.T) { // I9
	w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil)})
	fill(w, 5)
	var second error
	w.fail(func(c memory.Call) error {
		if c.Op != connector.OpProbe || second != nil {
			return nil //nolint:nilerr // the call goes on; second is what the other process was told
		}
		w.holder = "second"
		_, second = w.engine().Run(t.Context(), w.subject(), engine.Options{})
		w.holder = "first"
		return nil
	}, nil)
	want(t, w.run(), store.Counts{Created: 5})
	if !errors.Is(second, store.ErrStale) {
		t.Errorf("second process: %v", second)
	}
}

// TestProcessThatComesBackLate: a process that was taken for dead must not end, or clear, the cycle that another one
// has taken over (design D13).
func TestProcessThatComesBackLate(t *testing.T) {
	for _, op := range []connector.Operation{connector.OpProbe, connector.OpList, connector.OpCreate, connector.OpUpdate} {
		w := newWorld(t, setup{noPredict: true, caps: connector.Caps{Concurrency: 1}})
		small(w)
		var n atomic.Int64
		w.fail(func(c memory.Call) error {
			if c.Op != op || n.Add(1) != 1 {
				return nil
			}
			w.later(10 * time.Minute) // the first process sleeps long
			w.holder = "second"
			defer func() { w.holder = "first" }()
			rep, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true})
			if err != nil || rep.Cycle.State != store.Succeeded {
				t.Errorf("%s: second process: %v, %+v", op, err, rep)
			}
			return nil
		}, nil)
		_, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true})
		if !errors.Is(err, store.ErrStale) {
			t.Errorf("%s: first process: %v", op, err)
		}
		w.fail(nil, nil)
		w.steady()
		if w.manager("ann") != "boss" || len(w.members("g")) != 4 {
			t.Errorf("%s: manager %v, members %v", op, w.manager("ann"), w.members("g"))
		}
	}
}

func TestInitialCycleThatWasAskedForComesAfterAnInterruptedOne(t *testing.T) { // engine.R21
	w := newWorld(t, setup{noPredict: true, feed: true, rules: usersOnly(nil)})
	w.source.Put(user("ann"), user("bob"))
	w.run()
	w.source.Put(user("ann", "title", "x"))
	if w.killedOnly(4) {
		t.Fatal("it did not die")
	}
	if _, err := w.db.UpdateJob(t.Context(), w.jobID, func(j *store.Job) error { j.InitialDue = true; return nil }); err != nil {
		t.Fatal(err)
	}
	w.run()
	if rep := w.run(); rep.Cycle.Type != store.Initial {
		t.Errorf("the initial cycle that was asked for was lost: %s", rep.Cycle.Type)
	}
}

// killedOnly runs a cycle that dies after n writes.
func (w *world) killedOnly(n int) (alive bool) {
	d := &dying{Store: w.db}
	d.left.Store(int64(n))
	w.store = d
	_, err := w.engine().Run(w.t.Context(), w.subject(), engine.Options{Manual: true})
	w.store, w.holder = w.db, "after"
	w.later(5 * time.Minute)
	if alive = d.left.Load() >= 0; !alive && err == nil {
		w.t.Error("the cycle ended although the process died")
	}
	return alive
}
