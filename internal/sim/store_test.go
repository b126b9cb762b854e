package sim

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sim/model"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
)

// state is the store as one process sees it. What is committed, it tells the model.
type state struct {
	*sqlstore.Store
	p *process
}

var _ engine.Store = (*state)(nil)

// write is one write to the state.
func (s *state) write(step string, do func() error) error {
	p, w := s.p, s.p.w
	w.mu.Lock()
	p.writes++
	nth := p.writes
	if !p.dead && p.script.sleepWrite == nth {
		p.sleep()
	}
	w.mu.Unlock()
	time.Sleep(time.Duration(1000+nth) * time.Nanosecond) // in which everybody else comes to rest
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case p.dead:
		return errDied
	case p.script.dieWrite == nth && !p.script.dieAfter:
		return p.die(death(step, false))
	case p.script.refuse == nth:
		w.tally.hit(storeRefuses)
		w.noteLocked("%s: %s: refused", p.name, step)
		return errDisk
	}
	w.mu.Unlock()
	err := do()
	w.mu.Lock()
	w.noteLocked("%s: %s: %v", p.name, step, err)
	if p.script.dieWrite == nth {
		return p.die(death(step, true))
	}
	return err
}

// Hold implements store.Holds.
func (s *state) Hold(ctx context.Context, jobID, holder string, now, until time.Time) (j store.Job, err error) {
	return j, s.write("hold", func() error {
		j, err = s.Store.Hold(ctx, jobID, holder, now, until)
		w := s.p.w
		w.mu.Lock()
		defer w.mu.Unlock()
		if err == nil && j.Epoch != w.epoch && w.epoch != 0 && s.p.epoch != 0 {
			w.noteLocked("%s has lost the job and holds it anew", s.p.name)
		}
		if err == nil {
			s.p.epoch, w.epoch = j.Epoch, j.Epoch
		}
		return err
	})
}

// Release implements store.Holds.
func (s *state) Release(ctx context.Context, jobID, holder string) error {
	return s.write("release", func() error { return s.Store.Release(ctx, jobID, holder) })
}

// UpdateJob implements store.Jobs.
func (s *state) UpdateJob(ctx context.Context, id string, change func(*store.Job) error) (j store.Job, err error) {
	return j, s.write("update job", func() error {
		j, err = s.Store.UpdateJob(ctx, id, change)
		return err
	})
}

// ClearWork implements store.Work.
func (s *state) ClearWork(ctx context.Context, cycle string) error {
	return s.write("clear work", func() error { return s.Store.ClearWork(ctx, cycle) })
}

// SetDepths implements store.Work.
func (s *state) SetDepths(ctx context.Context, cycle string, pass int) (cut []store.ObjectKey, err error) {
	return cut, s.write("set depths", func() error {
		cut, err = s.Store.SetDepths(ctx, cycle, pass)
		return err
	})
}

// Commit implements store.Writer.
func (s *state) Commit(ctx context.Context, b *store.Batch) error {
	w := s.p.w
	return s.write("commit", func() error {
		w.mu.Lock()
		if n := max(len(b.Objects), len(b.Work), len(b.Log)); n > mostInBatch {
			w.wrongLocked(fmt.Sprintf("I8: %d rows in one batch", n))
		}
		w.mu.Unlock()
		err := s.Store.Commit(ctx, b)
		w.mu.Lock()
		defer w.mu.Unlock()
		if err == nil && s.p.epoch != w.epoch {
			w.wrongLocked(fmt.Sprintf("I9: %s, of epoch %d, writes to the state, and the job is at epoch %d", s.p.name, s.p.epoch, w.epoch))
		}
		if err == nil {
			w.committed(b)
		}
		return err
	})
}

// mostInBatch is more than any batch ought to hold (I8).
const mostInBatch = 600

// committed tells the model what the state says now. w.mu is held.
func (w *world) committed(b *store.Batch) {
	if b.Cycle != nil && b.Cycle.State == store.Running && w.cycleID != b.CycleID {
		w.cycleID = b.CycleID
		w.model.Cycle(b.CycleID)
	}
	for _, k := range b.Forget {
		w.noteLocked("state: %s is forgotten", k.Anchor)
		w.model.Forget(keyOf(k))
	}
	for _, o := range b.Objects {
		states := map[store.LinkState]model.State{store.Unlinked: model.Unlinked, store.Active: model.Active, store.Disabled: model.Disabled, store.Released: model.Released}
		w.noteLocked("state: %s is %s, account %q, hash %x", o.Anchor, states[o.State], o.Target, o.Hash[:4])
		w.wrongLocked(w.model.Remember(keyOf(o.ObjectKey), model.Record{State: states[o.State], Account: o.Target})...)
	}
	for _, r := range b.Log {
		w.noteLocked("log: %s %s %s %s %s", r.SourceID, r.TargetID, r.Action, r.Status, r.ErrorCode)
		w.wrongLocked(w.record.logged(b.CycleID, keyOf(store.ObjectKey{Rule: r.Rule, Anchor: r.SourceID}), r)...)
	}
	if c := b.Cycle; c != nil && (c.State == store.Succeeded || c.State == store.EntryLevelErrors) {
		w.wrongLocked(w.record.ended(c.ID)...)
	}
}

// keyOf is the model's name for an object.
func keyOf(k store.ObjectKey) model.Key {
	if k.Rule == "users" {
		return model.Key{Kind: model.User, Name: k.Anchor}
	}
	return model.Key{Kind: model.Group, Name: k.Anchor}
}

// readMethods are where a process can die while it reads the state.
func readMethods() []string {
	return []string{"cycles", "job", "objects", "links", "owners", "tallies", "projections", "members", "count members", "unresolved", "unresolved of",
		"escrows", "staged", "work", "work by anchor", "count work", "index"}
}

// read is one reading of the state.
func (s *state) read(method string) error {
	p, w := s.p, s.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	p.reads[method]++
	switch {
	case p.dead:
		return errDied
	case p.script.readMethod == method && p.script.dieRead == p.reads[method]:
		w.noteLocked("reading: %s", method)
		return p.die("death: reading the state")
	}
	return nil
}

// CyclesOf implements store.Cycles.
func (s *state) CyclesOf(ctx context.Context, jobID string, limit int) ([]store.Cycle, error) {
	if err := s.read("cycles"); err != nil {
		return nil, err
	}
	list, err := s.Store.CyclesOf(ctx, jobID, limit)
	if len(list) > 0 && list[0].State == store.Running {
		s.p.w.mu.Lock()
		s.p.w.model.Cycle(list[0].ID)
		s.p.w.mu.Unlock()
	}
	return list, err
}

// Job implements store.Jobs.
func (s *state) Job(ctx context.Context, idOrName string) (store.Job, error) {
	if err := s.read("job"); err != nil {
		return store.Job{}, err
	}
	return s.Store.Job(ctx, idOrName)
}

// Objects implements store.Objects.
func (s *state) Objects(ctx context.Context, jobID, rule string) iter.Seq2[store.Object, error] {
	return reading(s, "objects", s.Store.Objects(ctx, jobID, rule))
}

// reading is one reading of the state, row by row.
func reading[T any](s *state, method string, rows iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := s.read(method); err != nil {
			var none T
			yield(none, err)
			return
		}
		rows(yield)
	}
}

// ObjectsByAnchor implements store.Objects.
func (s *state) ObjectsByAnchor(ctx context.Context, jobID, rule string, anchors []string) (map[string]store.Object, error) {
	if err := s.read("links"); err != nil {
		return nil, err
	}
	return s.Store.ObjectsByAnchor(ctx, jobID, rule, anchors)
}

// Owners implements store.Objects.
func (s *state) Owners(ctx context.Context, jobID, rule string, targets []string) (map[string]string, error) {
	if err := s.read("owners"); err != nil {
		return nil, err
	}
	return s.Store.Owners(ctx, jobID, rule, targets)
}

// Tallies implements store.Objects.
func (s *state) Tallies(ctx context.Context, jobID string) ([]store.Tally, error) {
	if err := s.read("tallies"); err != nil {
		return nil, err
	}
	return s.Store.Tallies(ctx, jobID)
}

// Projections implements store.Projections.
func (s *state) Projections(ctx context.Context, jobID, rule string, anchors []string) (map[string]store.Projection, error) {
	if err := s.read("projections"); err != nil {
		return nil, err
	}
	return s.Store.Projections(ctx, jobID, rule, anchors)
}

// Members implements store.Projections.
func (s *state) Members(ctx context.Context, jobID string, owner store.ObjectKey, attr string) ([]store.Member, error) {
	if err := s.read("members"); err != nil {
		return nil, err
	}
	return s.Store.Members(ctx, jobID, owner, attr)
}

// CountMembers implements store.Projections.
func (s *state) CountMembers(ctx context.Context, jobID string) (int64, error) {
	if err := s.read("count members"); err != nil {
		return 0, err
	}
	return s.Store.CountMembers(ctx, jobID)
}

// Unresolved implements store.Projections.
func (s *state) Unresolved(ctx context.Context, jobID string) iter.Seq2[store.Unresolved, error] {
	return reading(s, "unresolved", s.Store.Unresolved(ctx, jobID))
}

// UnresolvedOf implements store.Projections.
func (s *state) UnresolvedOf(ctx context.Context, jobID string, owner store.ObjectKey) ([]store.Unresolved, error) {
	if err := s.read("unresolved of"); err != nil {
		return nil, err
	}
	return s.Store.UnresolvedOf(ctx, jobID, owner)
}

// Escrows implements store.Held.
func (s *state) Escrows(ctx context.Context, jobID string) ([]store.Escrow, error) {
	if err := s.read("escrows"); err != nil {
		return nil, err
	}
	return s.Store.Escrows(ctx, jobID)
}

// Staged implements store.Held.
func (s *state) Staged(ctx context.Context, jobID string) ([]store.Staged, error) {
	if err := s.read("staged"); err != nil {
		return nil, err
	}
	return s.Store.Staged(ctx, jobID)
}

// WorkAt implements store.Work.
func (s *state) WorkAt(ctx context.Context, cycleID string, stages []store.Stage, after *store.Position, limit int) ([]store.WorkItem, error) {
	if err := s.read("work"); err != nil {
		return nil, err
	}
	return s.Store.WorkAt(ctx, cycleID, stages, after, limit)
}

// WorkByAnchor implements store.Work.
func (s *state) WorkByAnchor(ctx context.Context, cycleID, rule string, anchors []string) (map[string]store.WorkItem, error) {
	if err := s.read("work by anchor"); err != nil {
		return nil, err
	}
	return s.Store.WorkByAnchor(ctx, cycleID, rule, anchors)
}

// CountWork implements store.Work.
func (s *state) CountWork(ctx context.Context, cycleID string) ([]store.WorkCount, error) {
	if err := s.read("count work"); err != nil {
		return nil, err
	}
	return s.Store.CountWork(ctx, cycleID)
}

// Indexed implements store.Work.
func (s *state) Indexed(ctx context.Context, cycleID string, kind identity.Kind, attr string, values []string) (map[string][]store.IndexEntry, error) {
	if err := s.read("index"); err != nil {
		return nil, err
	}
	return s.Store.Indexed(ctx, cycleID, kind, attr, values)
}

// ledger holds the log against the writes (I6).
type ledger struct {
	written map[string]map[model.Key]bool // by cycle: objects whose account was changed in it
	open    map[model.Key]string          // objects that were written to, and by which cycle, until the log tells
	made    map[model.Key]bool            // objects whose account was made, until the log tells of a success
}

func newLedger() ledger {
	return ledger{written: map[string]map[model.Key]bool{}, open: map[model.Key]string{}, made: map[model.Key]bool{}}
}

// wrote notes a write that took effect.
func (l *ledger) wrote(cycle string, k model.Key, op model.Op) {
	if op == model.Create {
		l.made[k] = true
	}
	if l.written[cycle] == nil {
		l.written[cycle] = map[model.Key]bool{}
	}
	l.written[cycle][k] = true
	l.open[k] = cycle
}

// logged takes a record. One that tells of success needs its write, in the same cycle. Only a create may be told later, in
// the cycle that has found the account: the record before it told of a failure, since nobody knew.
func (l *ledger) logged(cycle string, k model.Key, r store.LogRecord) []string {
	delete(l.open, k)
	wrote := r.Action == "create" || r.Action == "update" || r.Action == "disable" || r.Action == "delete"
	ok := r.Status == "success" || r.Status == "warning"
	made := r.Action == "create" && l.made[k]
	if ok && wrote {
		delete(l.made, k)
	}
	if ok && wrote && !made && !l.written[cycle][k] {
		return []string{fmt.Sprintf("I6: the log says that %s of %s succeeded, and nothing was written", r.Action, k)}
	}
	return nil
}

// ended looks whether a cycle that came to its end has told of all that it wrote.
func (l *ledger) ended(cycle string) []string {
	var out []string
	for _, k := range sortedKeys(l.written[cycle]) {
		if l.open[k] == cycle {
			out = append(out, fmt.Sprintf("I6: %s was written to, and the log does not tell", k))
		}
	}
	return out
}
