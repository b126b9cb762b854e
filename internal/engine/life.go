package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Errors of a job that is stopped; test with errors.Is. What its cycle has done so far is recorded, and goes on when the
// job is started.
var (
	ErrPaused   = errors.New("the job is paused")
	ErrDisabled = errors.New("the job is disabled, because it was in quarantine for four weeks")
)

// textPruned explains why an initial cycle paused its job (engine.R16).
const textPruned = "so many objects failed in this initial cycle that their failures were dropped and the job was paused; mend what is behind them, then restart the job"

// afterCycle is kept beside what a restart resets when a cycle is to carry out allowed deletions before: they hang on
// the links that the reset forgets.
const afterCycle health.Reset = 1 << 16

// ofRows is what of a reset concerns rows of the store, which no cycle may be using.
const ofRows = health.ConnectorDataStore | health.Escrows | health.Watermark

// mayRun returns why a job may not run, nil when it may.
func mayRun(j store.Job) error {
	switch {
	case j.Disabled:
		return fmt.Errorf("job %s: %w", j.Name, ErrDisabled)
	case j.Paused:
		return fmt.Errorf("job %s: %w", j.Name, ErrPaused)
	}
	return nil
}

// Pause stops a job: no cycle begins, and one that is under way stops at the end of its slice (design D13). All state is
// kept.
func (e *Engine) Pause(ctx context.Context, jobID string) (store.Job, error) {
	return e.Store.UpdateJob(ctx, jobID, func(j *store.Job) error {
		j.Paused, j.Updated = true, e.Now()
		return nil
	})
}

// Start lets a job run that was paused or disabled; a cycle that was interrupted goes on. It lifts a quarantine until
// the job is judged again, and keeps everything else.
func (e *Engine) Start(ctx context.Context, jobID string) (store.Job, error) {
	return e.Store.UpdateJob(ctx, jobID, func(j *store.Job) error {
		e.start(j, health.QuarantineState)
		return nil
	})
}

// start lets a job run again and resets what concerns its row alone.
func (e *Engine) start(j *store.Job, what health.Reset) {
	now := e.Now()
	if q := j.Quarantine; what.Has(health.QuarantineState) {
		j.Quarantine = nil
	} else if q != nil && q.Reason != health.ReasonDeletes { // it is left, and tried at once
		kept := *q
		if kept.NextAttempt = now; j.Disabled {
			kept.SeriesBegan, kept.SeriesCount = now, 0
		}
		j.Quarantine = &kept
	}
	j.Paused, j.Disabled, j.Pruned, j.Updated = false, false, false, now
}

// Allow releases operations that the deletion guard holds: those with the keys given, all without keys. The next cycle,
// which is due at once, carries out those that still have a cause. It returns how many were not released before.
func (e *Engine) Allow(ctx context.Context, jobID string, keys []store.ObjectKey) (int64, error) {
	n, err := e.Store.AllowStaged(ctx, jobID, keys)
	if err != nil {
		return 0, err
	}
	_, err = e.Store.UpdateJob(ctx, jobID, func(j *store.Job) error { j.Woken = true; return nil })
	return n, err
}

// Restarted tells what a restart did.
type Restarted struct {
	Job     store.Job
	Allowed int64 // held operations that the next cycle carries out
	Later   bool  // what concerns links, failures and the watermark waits for the end of a cycle (engine.R21)
}

// Restart starts a job and resets what the set says (engine.R20):
//
//   - ConnectorDataStore forgets all links and what is known of every object; the next cycle is initial and matches
//     everybody anew.
//   - Escrows forgets stored failures; they are not tried again until their object changes or everybody is evaluated.
//   - Watermark makes the next cycle initial, in which everybody is evaluated.
//   - QuarantineState lifts the quarantine until the job is judged again.
//   - ForceDeletes allows what the deletion guard holds at this moment.
//
// A cycle that is under way, or was interrupted, is not disturbed (engine.R21): it goes on to its end, and the next one
// begins with the reset.
func (e *Engine) Restart(ctx context.Context, jobID string, what health.Reset) (Restarted, error) {
	var r Restarted
	var err error
	var waiting []store.Staged
	if what.Has(health.ForceDeletes) {
		if r.Allowed, err = e.Allow(ctx, jobID, nil); err != nil {
			return r, err
		}
		if waiting, err = e.Store.Staged(ctx, jobID); err != nil {
			return r, err
		}
	}
	r.Job, err = e.Store.UpdateJob(ctx, jobID, func(j *store.Job) error {
		e.start(j, what)
		j.ResetDue |= what & ofRows
		if what.Has(health.ConnectorDataStore) && len(waiting) > 0 {
			j.ResetDue |= afterCycle
		}
		if what.Has(health.ConnectorDataStore | health.Watermark) {
			j.AskInitial()
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	return e.resetNow(ctx, r)
}

// resetNow resets rows at once, unless a cycle uses them or ought to do so before.
func (e *Engine) resetNow(ctx context.Context, r Restarted) (Restarted, error) {
	if !r.Job.ResetDue.Has(ofRows) {
		return r, nil
	}
	r.Later = true
	held, err := e.hold(ctx, r.Job.ID)
	if errors.Is(err, store.ErrStale) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("job %s: take it for the restart: %w", r.Job.Name, err)
	}
	defer func() { _ = e.Store.Release(context.WithoutCancel(ctx), held.ID, e.Holder) }()
	last, err := e.Store.CyclesOf(ctx, held.ID, 1)
	if err != nil {
		return r, fmt.Errorf("job %s: read its last cycle: %w", held.Name, err)
	}
	if len(last) == 1 && last[0].State == store.Running {
		return r, nil
	}
	r.Job, err = e.resetDue(ctx, held)
	r.Later = r.Job.ResetDue.Has(ofRows)
	return r, err
}

// resetDue resets what is due of a job that this process holds and that no cycle works on. A process that dies over it
// leaves it due.
func (e *Engine) resetDue(ctx context.Context, j store.Job) (store.Job, error) {
	what := j.ResetDue & ofRows
	if what == 0 || j.ResetDue.Has(afterCycle) {
		return j, nil
	}
	if err := e.Store.Reset(ctx, j.ID, j.Epoch, what); err != nil {
		return j, fmt.Errorf("job %s: %w", j.Name, err)
	}
	return e.Store.UpdateJob(ctx, j.ID, func(j *store.Job) error {
		j.ResetDue &^= what
		if what.Has(health.ConnectorDataStore|health.Watermark) && !j.InitialDue {
			j.AskInitial()
		}
		return nil
	})
}

// ending is how the cycle ended, as its job's health is judged by it.
func (c *cycle) ending(ctx context.Context) (health.Ending, error) {
	failed, err := c.Store.Escrows(ctx, c.subject.Job.ID)
	if err != nil {
		return health.Ending{}, fmt.Errorf("job %s: read stored failures: %w", c.subject.Job.Name, err)
	}
	end := health.Ending{Initial: c.row.Type == store.Initial, Counts: health.Counts{Exported: exported(c.row.Counts)},
		Recovered: stillTried(failed, c.row.Began) < c.failing}
	for _, e := range failed {
		if e.Reference {
			end.Counts.References++
		} else {
			end.Counts.Failures++
		}
	}
	if c.row.Held != "" {
		end.Held = plan.Held(c.row.Held).Words(c.row.Counts.Staged, c.limit)
	}
	if w := health.Warning(c.row.Counts.Failed, end.Counts.Exported); w != "" {
		c.warn("%s", w)
	}
	return end, nil
}

// stillTried counts the failures that were stored when a cycle began, but for those that are given up for their age. One
// of them that is missing at its end has succeeded.
func stillTried(failed []store.Escrow, began time.Time) (n int64) {
	for _, e := range failed {
		if !e.FirstFailed.After(began) && began.Sub(e.FirstFailed) < health.GiveUpAfter {
			n++
		}
	}
	return n
}

// exported is the number of objects that a cycle wrote.
func exported(n store.Counts) int64 {
	return n.Created + n.Updated + n.Enabled + n.Disabled + n.Deleted
}

// ended brings a job up to date with the end of a cycle.
func (c *cycle) ended(j *store.Job, end health.Ending, now time.Time) {
	v := health.Judge(j.Quarantine, end, health.Limits(c.subject.Def.Settings.Quarantine), now)
	j.NoReferences = j.NoReferences || c.subject.Job.NoReferences
	if c.undo != "" {
		c.endUndo(j, v.Quarantine, end.Failure != nil)
		return
	}
	j.Quarantine, j.Disabled = v.Quarantine, j.Disabled || v.Disable
	if end.Failure != nil {
		j.FailedRuns++
		return
	}
	j.FailedRuns = 0
	j.LastTotal = c.subject.Job.LastTotal
	c.endReconciliation(j, now)
	if end.Counts.Exported > 0 {
		j.LastExport = c.row.ID
	}
	if c.row.Counts.Failed == 0 {
		j.LastClean = c.row.ID
	}
	if c.row.Counts.Failed == 0 && c.row.Held == "" {
		if j.SteadyFirst.IsZero() {
			j.SteadyFirst = now
		}
		j.SteadyLast = now
	}
	if j.Version != c.row.Version || j.Asked != c.asked {
		return // a save or a restart under this cycle has asked for an initial one, which is another (engine.R10, R21)
	}
	if !c.somebodyUnread() {
		j.Watermark = c.row.Watermark
		j.InitialDue = j.InitialDue && c.row.Type != store.Initial
	}
	switch {
	case v.Prune:
		j.Paused, j.Pruned = true, true
		j.ResetDue |= health.Escrows | health.Watermark
		j.AskInitial()
	case j.ResetDue.Has(afterCycle):
		j.ResetDue &^= afterCycle
		j.AskInitial()
	}
}

// somebodyUnread tells whether a full read had a row without a key in it. A source that only tells changes will not name
// whom it was about again, so everything is read once more.
func (c *cycle) somebodyUnread() bool {
	if _, feed := c.subject.Source.(connector.Feed); !feed {
		return false
	}
	for _, r := range c.readings {
		if r.Incomplete {
			return true
		}
	}
	return false
}

// NextCycle says when the next cycle of a job is due (engine section 14), given its newest cycles, newest first, and its
// interval.
func NextCycle(j store.Job, newest []store.Cycle, interval time.Duration, now time.Time) health.Due {
	s := health.Standing{Disabled: j.Disabled, Paused: j.Paused, Interval: interval, Quarantine: j.Quarantine,
		Asked: j.Woken || j.InitialDue || j.ResetDue.Has(ofRows)}
	if len(newest) > 0 {
		s.Began, s.Running = newest[0].Began, newest[0].State == store.Running
	}
	return health.NextCycle(s, now)
}
