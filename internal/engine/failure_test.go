package engine_test

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

func temporary(op string) error {
	return &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeServerError, Op: op, Status: 500, Detail: "out of order"}
}

func (w *world) escrows() []store.Escrow {
	w.t.Helper()
	e, err := w.db.Escrows(w.t.Context(), w.jobID)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func TestOneObjectThatFailsDelaysOnlyItself(t *testing.T) { // engine.R102, I7
	for _, c := range []struct {
		name string
		op   connector.Operation
		err  error
		code string
	}{
		{"a refused create", connector.OpCreate, &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable}, connector.CodeUnprocessable},
		{"a create that meets an error of the server", connector.OpCreate, temporary("create"), connector.CodeServerError},
		{"a query that the target cannot answer", connector.OpFind, temporary("find"), connector.CodeServerError},
		{"a query that the target refuses", connector.OpFind, &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable}, connector.CodeUnprocessable},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{caps: connector.Caps{PageSize: 1}, rules: usersOnly(nil)})
			w.target.Put(existing("1", "x"), existing("2", "y"), existing("3", "z"), existing("4", "u"), existing("5", "v"))
			w.source.Put(user("ann"), user("bob"), user("cec"))
			w.fail(func(call memory.Call) error {
				if call.Op == c.op && (call.Value == "bob@example.com" || call.Object != nil && call.Object.Text("externalId") == "bob") {
					return c.err
				}
				return nil
			}, nil)
			rep := w.run()
			want(t, rep, store.Counts{Created: 2, Failed: 1})
			if rep.Cycle.State != store.EntryLevelErrors || rep.Quarantine != nil {
				t.Errorf("state %s, quarantine %v", rep.Cycle.State, rep.Quarantine)
			}
			if e := w.escrows(); len(e) != 1 || e[0].Anchor != "bob" || e[0].Code != c.code {
				t.Errorf("stored failures %+v", e)
			}
			w.fail(nil, nil)
			want(t, w.run(), store.Counts{Created: 1, Unchanged: 2})
			if len(w.escrows()) != 0 {
				t.Error("the failure is still stored")
			}
			w.steady()
		})
	}
}

// TestRetries: permanent failures are retried after 6, 12, 24 hours and then daily, transient ones in the next three
// cycles first, both at once when a person asks or when the object changed, and neither after 28 days (engine.R103, R104,
// R105, design D17).
func TestRetries(t *testing.T) {
	scheduled := engine.Options{}
	setUp := func(t *testing.T, feed bool, err error) (*world, *atomic.Int64) {
		w := newWorld(t, setup{feed: feed, rules: usersOnly(nil)})
		w.source.Put(user("ann"), user("bob"))
		var tries atomic.Int64
		w.fail(func(c memory.Call) error {
			if c.Op == connector.OpCreate && c.Object.Text("externalId") == "bob" {
				tries.Add(1)
				return err
			}
			return nil
		}, nil)
		want(t, w.cycle(scheduled), store.Counts{Created: 1, Failed: 1})
		return w, &tries
	}
	permanent := &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable, Detail: "refused"}
	for _, feed := range []bool{false, true} {
		t.Run("permanent", func(t *testing.T) {
			w, tries := setUp(t, feed, permanent)
			at := []time.Duration{6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 72 * time.Hour}
			var passed time.Duration
			for i, next := range at {
				w.later(next - passed - time.Minute)
				w.cycle(scheduled)
				if got := tries.Load(); got != int64(i)+1 {
					t.Errorf("a minute before %s: %d tries, want %d", next, got, i+1)
				}
				w.later(time.Minute)
				passed = next
				w.cycle(scheduled)
				if got := tries.Load(); got != int64(i)+2 {
					t.Errorf("after %s: %d tries, want %d", next, got, i+2)
				}
			}
			w.later(28 * 24 * time.Hour)
			w.cycle(scheduled)
			before := tries.Load()
			if len(w.escrows()) != 0 {
				t.Error("after 28 days the failure is still stored")
			}
			w.later(48 * time.Hour)
			w.cycle(scheduled)
			if tries.Load() != before {
				t.Error("after 28 days it was retried again")
			}
			w.fail(nil, nil)
			w.source.Put(user("bob", "title", "x"))
			w.cycle(scheduled)
			if w.account(identity.User, "bob") == nil {
				t.Error("a change of the object does not make it be tried again")
			}
		})
		t.Run("a person asks", func(t *testing.T) {
			w, tries := setUp(t, feed, permanent)
			w.run()
			if tries.Load() != 2 {
				t.Errorf("%d tries", tries.Load())
			}
		})
		t.Run("the object changed", func(t *testing.T) {
			w, tries := setUp(t, feed, permanent)
			w.source.Put(user("bob", "title", "x"))
			w.cycle(scheduled)
			if tries.Load() != 2 {
				t.Errorf("%d tries", tries.Load())
			}
		})
		t.Run("transient", func(t *testing.T) {
			w, tries := setUp(t, feed, temporary("create"))
			for range 6 {
				w.cycle(scheduled)
			}
			if tries.Load() != 4 {
				t.Errorf("%d tries, want the first and three more", tries.Load())
			}
			w.later(6 * time.Hour)
			w.cycle(scheduled)
			if tries.Load() != 5 {
				t.Errorf("%d tries after six hours", tries.Load())
			}
		})
	}
}

func TestAMistakeInAMappingWaitsForItsTime(t *testing.T) { // engine.R103: no call is made, but the schedule is the same
	w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule {
		rules[1].Attributes[2].Expression = `FormatDateTime([title], "", "yyyy-MM-dd", "yyyy")`
		return rules
	}})
	w.source.Put(user("ann", "title", "no date"))
	w.cycle(engine.Options{})
	rep := w.cycle(engine.Options{})
	want(t, rep, store.Counts{Failed: 1})
	if n := len(w.records(rep.Cycle.ID)); n != 0 {
		t.Errorf("%d records: it was evaluated again before its time", n)
	}
}

func TestFailureOfWhatFollowsACreate(t *testing.T) { // each object counts once
	w := newWorld(t, setup{})
	w.source.Put(user("ann", "manager", "bob"), user("bob"))
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpUpdate {
			return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable}
		}
		return nil
	}, nil)
	want(t, w.run(), store.Counts{Created: 1, Failed: 1})
	w.fail(nil, nil)
	want(t, w.run(), store.Counts{Updated: 1, Unchanged: 1})
	if w.manager("ann") != "bob" {
		t.Errorf("manager %v", w.manager("ann"))
	}
	w.steady()
}

func TestTargetThatRefusesTheCredential(t *testing.T) { // engine.R24, R108, R109
	for _, op := range []connector.Operation{connector.OpProbe, connector.OpFind, connector.OpCreate} {
		w := newWorld(t, setup{rules: usersOnly(nil)})
		w.source.Put(user("ann"))
		w.fail(func(c memory.Call) error {
			if c.Op == op {
				return &connector.Error{Kind: connector.KindAuth, Code: connector.CodeUnauthorized, Status: 401}
			}
			return nil
		}, nil)
		rep := w.run()
		if rep.Cycle.State != store.Failed || rep.Quarantine == nil || rep.Quarantine.Reason != "EncounteredQuarantineException" || rep.Error == "" {
			t.Errorf("%s: state %s, quarantine %v, error %q", op, rep.Cycle.State, rep.Quarantine, rep.Error)
		}
		if n := len(w.target.Objects(identity.User)); n != 0 {
			t.Errorf("%s: %d accounts", op, n)
		}
		w.fail(nil, nil)
		rep = w.run()
		want(t, rep, store.Counts{Created: 1})
		if rep.Quarantine != nil || rep.Cycle.Type != store.Initial {
			t.Errorf("%s: afterwards quarantine %v, type %s", op, rep.Quarantine, rep.Cycle.Type)
		}
	}
}

// broken is a source whose reading of one kind ends with an error after some objects.
type broken struct {
	connector.Source
	kind identity.Kind
	good int
}

func (b broken) Read(ctx context.Context, req connector.ReadRequest) iter.Seq2[connector.Item, error] {
	if req.Kind != b.kind {
		return b.Source.Read(ctx, req)
	}
	return func(yield func(connector.Item, error) bool) {
		n := 0
		for item, err := range b.Source.Read(ctx, req) {
			if n++; n > b.good {
				yield(connector.Item{}, &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeEndpointUnavailable, Detail: "the line is cut"})
				return
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

func TestSourceThatBreaksOff(t *testing.T) { // engine.R108: nothing may be acted on
	for _, kind := range []identity.Kind{identity.User, identity.Group} {
		w := newWorld(t, setup{})
		w.source.Put(user("ann"), user("bob"), group("g"), group("h"))
		w.run()
		w.source.Put(user("new"), user("ann", "title", "x"))
		sub := w.subject()
		sub.Source = broken{Source: sub.Source, kind: kind, good: 1}
		w.forgetCalls()
		rep, err := w.engine().Run(t.Context(), sub, engine.Options{Manual: true})
		if err != nil {
			t.Fatal(err)
		}
		if rep.Cycle.State != store.Failed || rep.Quarantine == nil || rep.Quarantine.Reason != "IngestionInterrupted" {
			t.Errorf("%s: state %s, quarantine %v", kind, rep.Cycle.State, rep.Quarantine)
		}
		if len(w.writes()) != 0 {
			t.Errorf("%s: written: %s", kind, show(w.writes()))
		}
		want(t, w.run(), store.Counts{Created: 1, Updated: 1, Unchanged: 3})
	}
}

// keyless is a source with one row that has no key, and one that cannot be read.
type keyless struct{ connector.Source }

func (k keyless) Read(ctx context.Context, req connector.ReadRequest) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		for item, err := range k.Source.Read(ctx, req) {
			if item.Object != nil && item.Object.Anchor == "nokey" {
				item = connector.Item{Err: errors.New("no key"), Line: 7}
			}
			if item.Object != nil && item.Object.Anchor == "ragged" {
				item = connector.Item{Object: &identity.Object{Kind: req.Kind, Anchor: "ragged"}, Err: errors.New("ragged"), Line: 8}
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

func TestRowsThatCannotBeRead(t *testing.T) { // design 6.2, D6
	w := newWorld(t, setup{})
	w.source.Put(user("ann"), user("bob"), user("cec"), user("ragged"))
	w.run()
	w.source.Remove(identity.User, "ann")
	w.source.Put(user("nokey"), user("ragged", "title", "x"), user("bob", "title", "x"))
	sub := w.subject()
	sub.Source = keyless{sub.Source}
	rep, err := w.engine().Run(t.Context(), sub, engine.Options{Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	want(t, rep, store.Counts{Updated: 1, Unchanged: 1, Failed: 2, Staged: 1})
	if rep.Held != "SourceIncomplete" || !w.active("ann") || !w.active("ragged") {
		t.Errorf("held %q", rep.Held)
	}
}

// keylessFeed is such a source that tells changes.
type keylessFeed struct{ *memory.System }

func (k keylessFeed) Read(ctx context.Context, req connector.ReadRequest) iter.Seq2[connector.Item, error] {
	return keyless{k.System}.Read(ctx, req)
}

// TestARowWithoutAKeyIsReadAgain: a source that tells changes does not name it again, so everything is.
func TestARowWithoutAKeyIsReadAgain(t *testing.T) { // engine.R19, I7
	for _, old := range []bool{false, true} {
		w := newWorld(t, setup{feed: true, loose: true, rules: usersOnly(nil)})
		w.source.Put(user("ann"))
		if old { // in a cycle that has to read everything because the mark is too old
			w.run()
			w.source.Forget()
		}
		w.source.Put(user("nokey"))
		sub := w.subject()
		sub.Source = keylessFeed{w.source}
		for range 2 {
			rep, err := w.engine().Run(t.Context(), sub, engine.Options{Manual: true})
			if err != nil || rep.Counts.Failed != 1 || w.active("nokey") {
				t.Fatalf("mark too old %v: %+v, %v", old, rep.Counts, err)
			}
			sub.Job = w.job()
		}
		w.run() // it can be read now
		if !w.active("nokey") {
			t.Errorf("mark too old %v: nobody has looked at it again", old)
		}
		w.steady()
	}
}

func TestTargetThatGoesDown(t *testing.T) {
	for _, from := range []connector.Operation{connector.OpCreate, connector.OpFind, connector.OpGet} {
		t.Run(string(from), func(t *testing.T) {
			w := newWorld(t, setup{rules: usersOnly(nil), caps: connector.Caps{Concurrency: 2, PageSize: 1, ReadBeforeWrite: connector.ReadAlways}})
			for i := range 100 {
				w.source.Put(user(num("p", i)))
			}
			if from == connector.OpGet {
				w.run()
				for i := range 100 {
					w.source.Put(user(num("p", i), "title", "x"))
				}
			}
			if from == connector.OpFind {
				for i := range 200 {
					w.target.Put(existing(num("t", i), num("t", i)))
				}
			}
			var calls atomic.Int64
			w.fail(func(c memory.Call) error {
				if c.Op == from && calls.Add(1) > 30 {
					return temporary(string(from))
				}
				return nil
			}, nil)
			rep := w.run()
			if rep.Cycle.State != store.Failed || rep.Quarantine == nil {
				t.Errorf("state %s, quarantine %v", rep.Cycle.State, rep.Quarantine)
			}
			// 24 in a row are needed, and answers come in another order than calls go out: a late success starts a new row.
			if n := calls.Load(); n > 90 {
				t.Errorf("%d calls were sent to a target that is down", n-30)
			}
			w.fail(nil, nil)
			rep = w.run()
			if rep.Counts.Failed != 0 || rep.Quarantine != nil {
				t.Errorf("afterwards: %+v, quarantine %v", rep.Counts, rep.Quarantine)
			}
			for i := range 100 {
				if w.account(identity.User, num("p", i)) == nil {
					t.Fatalf("person %d has no account", i)
				}
			}
			w.steady()
		})
	}
}

// TestRateLimit: answers that want a pause end the slice, and nothing is lost (design D2, D13).
func TestRateLimit(t *testing.T) {
	for _, op := range []connector.Operation{connector.OpProbe, connector.OpList, connector.OpFind, connector.OpGet, connector.OpCreate, connector.OpUpdate} {
		t.Run(string(op), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{now: time.Now, noPredict: true, caps: connector.Caps{PageSize: 10, ReferencesInCreate: true, ReadBeforeWrite: connector.ReadAlways, MemberBatch: 2}})
				for i := range 30 {
					w.target.Put(existing(num("t", i), num("t", i)))
				}
				for i := range 12 {
					w.source.Put(user(num("p", i), "manager", num("p", i/2)))
				}
				w.source.Put(group("g", num("p", 1), num("p", 2), num("p", 3), num("p", 4), num("p", 5)))
				var n atomic.Int64
				limit := func(c memory.Call) error {
					if c.Op == op && n.Add(1)%3 == 1 {
						return &connector.Error{Kind: connector.KindRateLimited, Code: connector.CodeTooManyRequests, RetryAfter: 20 * time.Second, NotSent: true}
					}
					return nil
				}
				w.fail(limit, nil)
				began := time.Now()
				rep := w.run()
				want(t, rep, store.Counts{Created: 13})
				w.source.Put(user(num("p", 3), "manager", num("p", 5), "title", "x"), user("late"))
				want(t, w.run(), store.Counts{Created: 1, Updated: 1, Unchanged: 12})
				if n.Load() > 0 && time.Since(began) < 20*time.Second {
					t.Errorf("no pause was made for %d answers", n.Load())
				}
				for i := range 12 {
					m := num("p", i/2)
					if i == 3 {
						m = num("p", 5)
					}
					if got := w.manager(num("p", i)); got != m {
						t.Errorf("manager of %d: %v", i, got)
					}
				}
				if len(w.members("g")) != 5 {
					t.Errorf("members %v", w.members("g"))
				}
				w.fail(nil, nil)
				w.steady()
			})
		})
	}
}

// TestLostAnswers: a create whose answer is lost is looked for before it is sent again (scim.R63).
func TestLostAnswers(t *testing.T) {
	lost := &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeTimeout, Op: "create", MaybeDone: true, Detail: "no answer"}
	for _, done := range []bool{true, false} {
		w := newWorld(t, setup{caps: connector.Caps{ReferencesInCreate: true}})
		w.source.Put(user("ann"), user("bob", "manager", "ann"), group("g", "ann", "bob"))
		seen := map[string]bool{}
		once := func(c memory.Call) error {
			if c.Op != connector.OpCreate || seen[c.Object.Text("externalId")] {
				return nil
			}
			seen[c.Object.Text("externalId")] = true
			return lost
		}
		if done {
			w.fail(nil, once)
		} else {
			w.fail(once, nil)
		}
		want(t, w.run(), store.Counts{Created: 3})
		if w.manager("bob") != "ann" || len(w.members("g")) != 2 {
			t.Errorf("done %v: manager %v, members %v", done, w.manager("bob"), w.members("g"))
		}
		w.fail(nil, nil)
		w.steady()
	}
}

func TestLostAnswerOfAnUpdateIsRepeated(t *testing.T) {
	for _, done := range []bool{true, false} {
		w := newWorld(t, setup{})
		w.source.Put(user("ann"), user("bob"), group("g"))
		w.run()
		w.source.Put(user("ann", "title", "x"), group("g", "ann", "bob"))
		w.source.Remove(identity.User, "bob")
		f := func(c memory.Call) error {
			if c.Op == connector.OpUpdate || c.Op == connector.OpDelete {
				return &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeTimeout, MaybeDone: true}
			}
			return nil
		}
		if done {
			w.fail(nil, f)
		} else {
			w.fail(f, nil)
		}
		rep := w.run()
		if rep.Counts.Failed == 0 {
			t.Errorf("counts %+v", rep.Counts)
		}
		w.fail(nil, nil)
		w.run()
		if w.account(identity.User, "ann")["title"] != "x" || w.account(identity.User, "bob") != nil {
			t.Error("the change or the deletion was lost")
		}
		if diff := cmp.Diff([]string{"ann"}, w.members("g")); diff != "" {
			t.Error(diff)
		}
		w.steady()
	}
}
