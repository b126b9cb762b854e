package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

func commitChecks() []Check {
	return []Check{
		{"everything in a batch comes back as it was written, whatever the key", commitRoundTrip},
		{"a batch with one impossible row leaves nothing, and fails alike on all databases (I7)", commitAllOrNothing},
		{"forgetting an object takes everything that hangs on it, and nothing else", commitForget},
		{"rows written again replace the old ones", commitReplaces},
		{"of two rows with one key in a batch the later one counts", commitTwice},
		{"a batch of thousands of rows arrives whole", commitMany},
		{"a cycle comes back as it was written, the newest first", cycles},
		{"a saved plan has one cycle at most (D5)", cyclesOfPlans},
	}
}

// state is all that a job and a cycle hold, as the reading methods deliver it.
type state struct {
	Objects     map[string]store.Object
	Owners      map[string]string
	Tallies     []store.Tally
	Projections map[string]store.Projection
	Members     []store.Member
	MemberCount int64
	Unresolved  []store.Unresolved
	Escrows     []store.Escrow
	Staged      []store.Staged
	Work        []store.WorkItem
	Counts      []store.WorkCount
	Index       map[string][]store.IndexEntry
	Found       []store.Found
	Log         []store.LogRecord
}

const mail, members = "mail", "members"

// dump reads everything that everything() writes, by its keys.
func dump(ctx context.Context, s Store, job, cycle string) (state, error) {
	var d state
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	var err error
	objects, err := collect(s.Objects(ctx, job, users))
	keep(err)
	d.Objects, err = s.ObjectsByAnchor(ctx, job, users, anchors())
	keep(err)
	if len(objects) != len(d.Objects) {
		keep(fmt.Errorf("a scan delivers %d objects, a look-up %d", len(objects), len(d.Objects)))
	}
	var targets []string
	for _, a := range anchors() {
		targets = append(targets, "target of "+a)
	}
	d.Owners, err = s.Owners(ctx, job, users, targets)
	keep(err)
	d.Tallies, err = s.Tallies(ctx, job)
	keep(err)
	d.Projections, err = s.Projections(ctx, job, users, anchors())
	keep(err)
	for _, a := range anchors() {
		m, err := s.Members(ctx, job, key(a), members)
		keep(err)
		d.Members = append(d.Members, m...)
	}
	d.MemberCount, err = s.CountMembers(ctx, job)
	keep(err)
	d.Unresolved, err = collect(s.Unresolved(ctx, job))
	keep(err)
	d.Escrows, err = s.Escrows(ctx, job)
	keep(err)
	d.Staged, err = s.Staged(ctx, job)
	keep(err)
	d.Work, err = s.WorkAt(ctx, cycle, allStages(), nil, 1000)
	keep(err)
	d.Counts, err = s.CountWork(ctx, cycle)
	keep(err)
	d.Index, err = s.Indexed(ctx, cycle, identity.User, mail, anchors())
	keep(err)
	d.Found, err = collect(s.Found(ctx, cycle, users))
	keep(err)
	d.Log, err = s.Records(ctx, store.LogQuery{JobID: job, Ascending: true})
	keep(err)
	return d, errors.Join(errs...)
}

// everything is a batch with one row of every sort for each of the anchors, and a value in every field.
func everything() *store.Batch {
	b := batch()
	at := instant()
	b.Cycle = &store.Cycle{ID: cycleID, JobID: jobID, Type: store.Initial, State: store.Running, Phase: store.PhaseExport, Began: at}
	for i, a := range anchors() {
		n := byte(i + 1)
		later := at.Add(time.Duration(i) * time.Second)
		name, doc := "Name of "+a, []byte(`{"x":`+fmt.Sprint(i)+"}\xff")
		ref := identity.Ref{Kind: identity.User, Anchor: a}
		b.Work = append(b.Work, store.WorkItem{ObjectKey: key(a), Stage: allStages()[i%len(allStages())], Pass: i % 2, Depth: i % 3, Parent: a, Action: "create", Target: "target of " + a, Doc: doc})
		b.Objects = append(b.Objects, store.Object{ObjectKey: key(a), Hash: hash(n), State: store.LinkState(i % 4), Target: "target of " + a, Confirmed: later})
		b.Project = append(b.Project, store.Projection{ObjectKey: key(a), Name: name, Doc: doc})
		b.Members = append(b.Members, store.Member{Owner: key(a), Attr: members, Ref: ref, Target: "target of " + a})
		b.Unresolved = append(b.Unresolved, store.Unresolved{Owner: key(a), Attr: "manager", Ref: ref})
		b.Escrows = append(b.Escrows, store.Escrow{ObjectKey: key(a), Name: name, Hash: hash(n), Code: "EntryConflict", Reason: "r" + a, Reference: i%2 == 0, Attempts: i, FirstFailed: at, LastFailed: later, NextAttempt: later.Add(6 * time.Hour)})
		b.Staged = append(b.Staged, store.Staged{ObjectKey: key(a), Name: name, Target: "target of " + a, Action: "delete", Reason: "out of scope: " + a, StagedAt: later, CycleID: cycleID, Size: int64(i), Allowed: i%2 == 1})
		b.Index = append(b.Index, store.IndexEntry{Kind: identity.User, Attr: mail, Value: a, Anchor: "target of " + a, Doc: doc})
		b.Found = append(b.Found, store.Found{ObjectKey: key(a), Doc: doc})
		b.Log = append(b.Log, store.LogRecord{ID: fmt.Sprintf("record-%02d", i), JobID: jobID, CycleID: cycleID, At: later, Action: "create", Status: "success", Rule: users, SourceID: a, SourceName: name, TargetID: "target of " + a, ErrorCode: "none", Doc: doc})
	}
	return b
}

// stateOf is what dump must read after everything was committed.
func stateOf(b *store.Batch) state {
	d := state{
		Objects: map[string]store.Object{}, Owners: map[string]string{}, Projections: map[string]store.Projection{}, Index: map[string][]store.IndexEntry{},
		Members: b.Members, MemberCount: int64(len(b.Members)), Unresolved: b.Unresolved, Escrows: b.Escrows, Staged: b.Staged, Found: b.Found, Log: b.Log,
	}
	tallies := map[store.LinkState]int64{}
	for _, o := range b.Objects {
		d.Objects[o.Anchor] = o
		d.Owners[o.Target] = o.Anchor
		tallies[o.State]++
	}
	for state := store.Unlinked; state <= store.Released; state++ {
		if n := tallies[state]; n > 0 {
			d.Tallies = append(d.Tallies, store.Tally{Rule: users, State: state, N: n})
		}
	}
	for _, p := range b.Project {
		d.Projections[p.Anchor] = p
	}
	for _, e := range b.Index {
		d.Index[e.Value] = append(d.Index[e.Value], e)
	}
	for pass := range 2 {
		for depth := range 3 {
			for _, i := range b.Work {
				if i.Pass == pass && i.Depth == depth {
					d.Work = append(d.Work, i)
				}
			}
		}
	}
	for pass := range 2 {
		for stage := store.ToMatch; stage <= store.ToExport; stage++ {
			c := store.WorkCount{Rule: users, Pass: pass, Action: "create", Stage: stage}
			for _, i := range b.Work {
				if i.Pass == pass && i.Stage == stage {
					c.N++
				}
			}
			if c.N > 0 {
				d.Counts = append(d.Counts, c)
			}
		}
	}
	return d
}

func commitRoundTrip(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	b := everything()
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	got, err := dump(ctx, s, jobID, cycleID)
	return first(err, same("state", got, stateOf(everything())), same("the batch itself", b, everything()))
}

func commitAllOrNothing(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	impossible := map[string]func(*store.Batch){
		"two log records with one id":  func(b *store.Batch) { b.Log[len(b.Log)-1].ID = b.Log[0].ID },
		"an object without an anchor":  func(b *store.Batch) { b.Objects[3].Anchor = "" },
		"an anchor with a NUL":         func(b *store.Batch) { b.Work[3].Anchor = "a\x00b" },
		"an anchor that is no UTF-8":   func(b *store.Batch) { b.Members[3].Ref.Anchor = "a\xff" },
		"an anchor longer than a page": func(b *store.Batch) { b.Escrows[3].Anchor = strings.Repeat("x", 5000) },
		"a cycle that does not exist":  func(b *store.Batch) { b.Cycle, b.CycleID = nil, "no such cycle" },
		"another job's log record":     func(b *store.Batch) { b.Log[0].JobID = "another job" },
	}
	for name, spoil := range impossible {
		b := everything()
		spoil(b)
		if err := s.Commit(ctx, b); err == nil {
			return fmt.Errorf("%s: no error", name)
		}
		got, err := dump(ctx, s, jobID, cycleID)
		if err := first(err, same("state after a batch with "+name, got, state{})); err != nil {
			return err
		}
		c, err := s.Cycle(ctx, cycleID)
		if err := first(err, same("phase after a batch with "+name, c.Phase, store.PhaseRead)); err != nil {
			return err
		}
	}
	// A record that was written once is a conflict later.
	if err := s.Commit(ctx, everything()); err != nil {
		return err
	}
	again := batch()
	again.Log = everything().Log[:1]
	if err := s.Commit(ctx, again); !errors.Is(err, store.ErrConflict) {
		return wrongError("a log record again", err, store.ErrConflict)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	b := batch()
	b.Forget = []store.ObjectKey{key("a")}
	if err := s.Commit(cancelled, b); !errors.Is(err, context.Canceled) {
		return wrongError("with a cancelled context", err, context.Canceled)
	}
	got, err := dump(ctx, s, jobID, cycleID)
	return first(err, same("state after refused batches", got, stateOf(everything())))
}

func commitForget(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	if err := s.Commit(ctx, everything()); err != nil {
		return err
	}
	b := batch()
	b.Forget = []store.ObjectKey{key("alice"), {Rule: "groups", Anchor: "zoe"}, key("unknown"), key("alice")}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	want := everything()
	gone := func(k store.ObjectKey) bool { return k == key("alice") }
	want.Objects = without(want.Objects, func(o store.Object) bool { return gone(o.ObjectKey) })
	want.Project = without(want.Project, func(p store.Projection) bool { return gone(p.ObjectKey) })
	want.Members = without(want.Members, func(m store.Member) bool { return gone(m.Owner) })
	want.Unresolved = without(want.Unresolved, func(u store.Unresolved) bool { return gone(u.Owner) })
	want.Escrows = without(want.Escrows, func(e store.Escrow) bool { return gone(e.ObjectKey) })
	want.Staged = without(want.Staged, func(o store.Staged) bool { return gone(o.ObjectKey) })
	got, err := dump(ctx, s, jobID, cycleID)
	return first(err, same("state", got, stateOf(want)))
}

func without[T any](rows []T, gone func(T) bool) []T {
	var kept []T
	for _, r := range rows {
		if !gone(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

func commitReplaces(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	if err := s.Commit(ctx, everything()); err != nil {
		return err
	}
	// Everything again with other values, and other log records.
	b := everything()
	b.Cycle.Phase = store.PhaseDone
	for i := range b.Work {
		b.Work[i] = store.WorkItem{ObjectKey: b.Work[i].ObjectKey, Action: "update", Pass: i % 2}
		b.Objects[i] = store.Object{ObjectKey: b.Objects[i].ObjectKey}
		b.Project[i] = store.Projection{ObjectKey: b.Project[i].ObjectKey}
		b.Members[i].Target = "moved to " + b.Members[i].Owner.Anchor
		b.Escrows[i] = store.Escrow{ObjectKey: b.Escrows[i].ObjectKey}
		b.Staged[i].StagedAt = instant().Add(-time.Hour) // kept as it was first
		b.Staged[i].Reason, b.Staged[i].Allowed = "another", !b.Staged[i].Allowed
		b.Index[i].Doc = nil
		b.Log[i].ID += " again"
		b.Log[i].At = b.Log[i].At.Add(time.Hour)
	}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	want := stateOf(b)
	want.Owners = nil
	for i := range want.Staged {
		want.Staged[i].StagedAt = everything().Staged[i].StagedAt
	}
	for i := range want.Counts {
		want.Counts[i].Action = "update"
	}
	want.Log = append(everything().Log, b.Log...)
	got, err := dump(ctx, s, jobID, cycleID)
	return first(err, same("state", got, want))
}

func commitTwice(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	b, wanted := everything(), everything()
	spoilt := everything()
	for i := range spoilt.Objects {
		spoilt.Objects[i].State, spoilt.Objects[i].Target = store.Unlinked, ""
		spoilt.Work[i].Target = "wrong"
		spoilt.Project[i].Name = "wrong"
		spoilt.Members[i].Target = "wrong"
		spoilt.Escrows[i].Code = "wrong"
		spoilt.Staged[i].Reason = "wrong"
		spoilt.Index[i].Doc = nil
	}
	b.Objects, b.Work, b.Project = append(spoilt.Objects, b.Objects...), append(spoilt.Work, b.Work...), append(spoilt.Project, b.Project...)
	b.Members, b.Escrows, b.Index = append(spoilt.Members, b.Members...), append(spoilt.Escrows, b.Escrows...), append(spoilt.Index, b.Index...)
	b.Staged, b.Unresolved = append(spoilt.Staged, b.Staged...), append(spoilt.Unresolved, b.Unresolved...)
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	got, err := dump(ctx, s, jobID, cycleID)
	return first(err, same("state", got, stateOf(wanted)))
}

func commitMany(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	// Above and below the sizes in which an implementation might cut a batch.
	total := 0
	for _, n := range []int{1, 63, 64, 65, 1000, 2049} {
		b := batch()
		var touched []store.Object
		for i := range n {
			o := store.Object{ObjectKey: store.ObjectKey{Rule: fmt.Sprint("rule ", n), Anchor: fmt.Sprintf("%05d", i)}, Hash: hash(1), State: store.Active, Target: fmt.Sprint(i)}
			b.Objects = append(b.Objects, o)
			o.Hash = hash(byte(i))
			touched = append(touched, store.Object{ObjectKey: o.ObjectKey, Hash: o.Hash, State: store.Released, Target: "ignored"})
		}
		want := append([]store.Object(nil), b.Objects...)
		for i := range want {
			want[i].Hash = touched[i].Hash
		}
		b.Touched = append(touched, store.Object{ObjectKey: store.ObjectKey{Rule: b.Objects[0].Rule, Anchor: "unknown"}})
		if err := s.Commit(ctx, b); err != nil {
			return err
		}
		got, err := collect(s.Objects(ctx, jobID, b.Objects[0].Rule))
		if err := first(err, same(fmt.Sprint(n, " objects"), got, want)); err != nil {
			return err
		}
		total += n
	}
	tallies, err := s.Tallies(ctx, jobID)
	sum := 0
	for _, t := range tallies {
		sum += int(t.N)
	}
	return first(err, same("objects counted", sum, total))
}

func cycles(ctx context.Context, s Store) error {
	if err := s.CreateJob(ctx, store.Job{ID: jobID, Name: "x"}); err != nil {
		return err
	}
	var want []store.Cycle
	for n := range 4 {
		c := store.Cycle{
			ID: fmt.Sprintf("cycle-%d", 9-n), JobID: jobID, Type: store.Incremental, State: store.EntryLevelErrors, Phase: store.PhaseDone, Version: int64(n),
			Began: instant().Add(time.Duration(n) * time.Hour), Ended: instant().Add(time.Duration(n)*time.Hour + time.Minute),
			Counts:   store.Counts{Imported: 1, InScope: 2, Created: 3, Updated: 4, Enabled: 5, Disabled: 6, Deleted: 7, Staged: 8, Unchanged: 9, Skipped: 10, Failed: 1 << 40},
			Requests: store.Requests{Total: 12, ByMethod: map[string]int64{"GET": 2, "POST": 10}, Throttled: 1},
			Planned:  100, Done: 99, Watermark: "w\n", Held: "TooManyDeletes", ErrorCode: "code", Error: "Fehlermeldung: ü", Checkpoint: []byte{0, 1, 0xff}, Plan: fmt.Sprintf("plan-%d", n),
		}
		running := c
		running.State, running.Ended, running.Checkpoint, running.Requests = store.Running, time.Time{}, []byte("x"), store.Requests{}
		for _, version := range []store.Cycle{running, c} {
			if err := s.Commit(ctx, &store.Batch{JobID: jobID, CycleID: c.ID, Cycle: &version}); err != nil {
				return err
			}
			got, err := s.Cycle(ctx, c.ID)
			if err := first(err, same("cycle", got, version)); err != nil {
				return err
			}
		}
		want = append([]store.Cycle{c}, want...)
	}
	got, err := s.CyclesOf(ctx, jobID, 3)
	if err := first(err, same("newest cycles", got, want[:3])); err != nil {
		return err
	}
	if _, err := s.Cycle(ctx, "no such cycle"); !errors.Is(err, store.ErrNotFound) {
		return wrongError("unknown cycle", err, store.ErrNotFound)
	}
	none, err := s.CyclesOf(ctx, "no such job", 3)
	return first(err, same("cycles of an unknown job", none, nil))
}

func cyclesOfPlans(ctx context.Context, s Store) error {
	if err := s.CreateJob(ctx, store.Job{ID: jobID, Name: "x"}); err != nil {
		return err
	}
	commit := func(id, plan string) error {
		return s.Commit(ctx, &store.Batch{JobID: jobID, CycleID: id, Cycle: &store.Cycle{ID: id, JobID: jobID, Plan: plan, Began: instant()}})
	}
	if err := first(commit("a", ""), commit("b", ""), commit("c", "p"), commit("c", "p")); err != nil {
		return err
	}
	if err := commit("d", "p"); !errors.Is(err, store.ErrConflict) {
		return wrongError("a second cycle of a plan", err, store.ErrConflict)
	}
	got, err := s.CycleOfPlan(ctx, "p")
	if err := first(err, same("cycle of the plan", got.ID, "c")); err != nil {
		return err
	}
	for _, plan := range []string{"", "q"} {
		if _, err := s.CycleOfPlan(ctx, plan); !errors.Is(err, store.ErrNotFound) {
			return wrongError("cycle of the plan "+plan, err, store.ErrNotFound)
		}
	}
	return nil
}
