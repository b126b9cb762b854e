package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// holdFor is how long a job stays with a process that does not renew its hold: two minutes after the end of a slice a
// job of a dead process can be taken over (design D13).
const holdFor = 2 * time.Minute

// cycle is one pass of a job as one process works on it. What must outlive the process is in row and in the store.
type cycle struct {
	*Engine
	subject Subject
	lease   *lease // nil in a plan
	opt     Options
	rules   []*rule
	caps    connector.Caps
	work    Scratch // the store, or the scratch store of a plan
	dry     bool    // plan only: nothing is written but the work list
	solo    *single // a run about single objects; nil in a cycle

	row       store.Cycle
	meterWas  connector.Count // reading of the meter when this process took the cycle up
	callsWas  store.Requests  // calls that earlier processes made for it
	resumed   bool            // an earlier process has begun to send
	announced *store.Position // creates up to here may have been sent by an earlier process; nil for none
	mark      *store.Position // the same, with what this process announced
	lost      sync.Map        // by store.ObjectKey: creates that this process has put back although they may have taken effect
	limit     int64           // of the deletion guard
	memLimit  int64           // of the membership guard
	managed   int64
	readings  map[string]plan.Reading // of each rule's full read, by rule
	members   plan.Reading            // of memberships, over all rules
	promises  promises                // values of accounts to be made; nil when not all of them are known
	waiting   bool                    // there are unresolved references
	reopened  []store.Unresolved      // of a plan: references that a cycle would store as unresolved
	undo      string                  // cycle whose writes this one takes back, "" for a cycle over the source
	again     []identity.Ref          // objects that get another account in place of one that is gone
	recon     *reconciliation         // nil when the target is not compared in this cycle
	warnings  []string
	asked     int64 // of the job when the cycle began
	failing   int64 // stored failures when it began, if the job was in quarantine
	lastTick  time.Time
}

// Run runs one cycle of a job to its end, slice by slice, or continues the one that was interrupted. The error is not
// nil only when the cycle could not be carried to an end that is recorded: the job is held by another process, the
// state cannot be written, or ctx was cancelled (the cycle then goes on with the next Run). Failures of the job itself
// are in the report.
func (e *Engine) Run(ctx context.Context, s Subject, opt Options) (RunReport, error) {
	j, err := e.hold(ctx, s.Job.ID)
	if err != nil {
		return RunReport{}, fmt.Errorf("job %s: take it for this run: %w", s.Job.Name, err)
	}
	s.Job = j
	defer func() { _ = e.Store.Release(context.WithoutCancel(ctx), j.ID, e.Holder) }()

	if err := mayRun(j); err != nil && (opt.Undo == "" || !errors.Is(err, ErrPaused)) { // an undo itself pauses the job
		return RunReport{}, err
	}
	c, err := e.begin(ctx, s, opt)
	if err != nil {
		return RunReport{}, err
	}
	c.lease = newLease(e, j)
	c.subject.Target = c.lease.guard(c.subject.Target)
	for {
		wait, done, err := c.slice(ctx)
		if err != nil {
			return RunReport{}, err
		}
		if done {
			return c.report(ctx)
		}
		if err := c.pause(ctx, wait); err != nil {
			return RunReport{}, err
		}
		if j, err = c.lease.take(ctx); err != nil {
			return RunReport{}, err
		}
		if err := mayRun(j); err != nil && (c.undo == "" || !errors.Is(err, ErrPaused)) { // a pause takes effect here, and the next start goes on from here (design D13)
			return RunReport{}, err
		}
	}
}

// hold takes the job for this process. A process that was killed could not give its job back; one that is known to have
// ended is not waited for.
func (e *Engine) hold(ctx context.Context, jobID string) (store.Job, error) {
	take := func() (store.Job, error) {
		return e.Store.Hold(ctx, jobID, e.Holder, e.Now(), e.Now().Add(e.Slice+holdFor))
	}
	j, err := take()
	if !errors.Is(err, store.ErrStale) || e.Ended == nil {
		return j, err
	}
	held, readErr := e.Store.Job(ctx, jobID)
	if readErr != nil {
		return j, errors.Join(err, readErr)
	}
	if held.Holder != "" && !e.Ended(held.Holder) {
		return j, err
	}
	if err := e.Store.Release(ctx, jobID, held.Holder); err != nil { // no error when somebody else was faster
		return j, err
	}
	return take()
}

// begin takes up the cycle that an earlier process left, or starts a new one.
func (e *Engine) begin(ctx context.Context, s Subject, opt Options) (*cycle, error) {
	last, err := e.Store.CyclesOf(ctx, s.Job.ID, 1)
	if err != nil {
		return nil, fmt.Errorf("job %s: read its last cycle: %w", s.Job.Name, err)
	}
	if opt.Plan != nil {
		if err := e.mayApply(ctx, s.Job, opt.Plan, last); err != nil {
			return nil, err
		}
		opt = opt.Plan.options(opt)
	}
	if len(last) == 1 && last[0].State == store.Running && forPlan(last[0]) {
		if err := e.abandon(ctx, s, last[0], "interrupted before the saved plan was carried out"); err != nil {
			return nil, err
		}
		last = nil
	}
	if len(last) == 1 && last[0].State == store.Running {
		if opt.Undo != "" && last[0].Type != store.Undo {
			return nil, fmt.Errorf("job %s: its cycle %s was interrupted; `rollcall run` carries it to its end, then it can be undone", s.Job.Name, last[0].ID)
		}
		of, goOn, err := e.subjectOf(ctx, s, last[0], opt)
		if err != nil {
			return nil, err
		}
		if goOn {
			return e.takeUp(of, last[0], opt, of.Job.Version != s.Job.Version)
		}
		if err := e.abandon(ctx, s, last[0], "interrupted, and the job was changed or an initial cycle asked for before it could go on"); err != nil {
			return nil, err
		}
	}
	if s.Job, err = e.resetDue(ctx, s.Job); err != nil {
		return nil, err
	}
	if s.Job.Woken {
		if s.Job, err = e.Store.UpdateJob(ctx, s.Job.ID, func(j *store.Job) error { j.Woken = false; return nil }); err != nil {
			return nil, err
		}
	}
	c, err := e.newCycle(s, opt)
	if err != nil {
		return nil, err
	}
	c.row = store.Cycle{ID: e.NewID(), JobID: s.Job.ID, Type: store.Incremental, State: store.Running, Phase: store.PhaseRead,
		Version: s.Job.Version, Began: e.Now()}
	if s.Job.InitialDue || opt.Initial {
		c.row.Type = store.Initial
	}
	c.asked = s.Job.Asked
	if s.Job.Quarantine != nil {
		failed, err := e.Store.Escrows(ctx, s.Job.ID)
		if err != nil {
			return nil, fmt.Errorf("job %s: read stored failures: %w", s.Job.Name, err)
		}
		c.failing = stillTried(failed, c.row.Began)
	}
	switch {
	case opt.Undo != "":
		if err := c.beginUndo(ctx); err != nil {
			return nil, err
		}
	case c.reconcileDue():
		c.row.Phase = store.PhaseList
	}
	if err := c.remember(); err != nil {
		return nil, err
	}
	return c, c.commit(ctx, &store.Batch{Cycle: &c.row})
}

func (e *Engine) newCycle(s Subject, opt Options) (*cycle, error) {
	rules, err := compileRules(s)
	return &cycle{Engine: e, subject: s, opt: opt, rules: rules, work: e.Store, readings: map[string]plan.Reading{}, meterWas: s.counted()}, err
}

// takeUp goes on with a cycle that an earlier process left.
func (e *Engine) takeUp(s Subject, row store.Cycle, opt Options, outdated bool) (*cycle, error) {
	c, err := e.newCycle(s, opt)
	if err != nil {
		return nil, err
	}
	c.row, c.callsWas, c.resumed = row, row.Requests, row.Phase == store.PhaseExport
	if err := c.recall(); err != nil {
		return nil, err
	}
	if outdated {
		c.warn("the cycle had begun before mappings, filters or scope were saved last, so it went on as it began; the next one is initial and takes what was saved")
	}
	return c, nil
}

// subjectOf returns what an interrupted cycle goes on with: the job as it is, or, when its mappings, filters or scope
// were saved since, as they were when the cycle began (engine.R10). One that cannot be had ends the cycle, and so does a
// person who asks for an initial cycle in its place; then goOn is false. Ending it loses nothing, since accounts that it
// created are found again by their joining property.
func (e *Engine) subjectOf(ctx context.Context, s Subject, row store.Cycle, opt Options) (of Subject, goOn bool, err error) {
	switch {
	case opt.Initial && (row.Type != store.Initial || row.Version != s.Job.Version):
		return s, false, nil
	case row.Version == s.Job.Version:
		return s, true, nil
	case s.Earlier == nil:
		return s, false, nil
	}
	of, err = s.Earlier(ctx, row.Version)
	if err != nil {
		if ctx.Err() != nil {
			return s, false, ctx.Err()
		}
		e.Logger.WarnContext(ctx, "interrupted cycle cannot go on as it began", "job_id", s.Job.ID, "cycle_id", row.ID, "error", err)
		return s, false, nil
	}
	of.Job = s.Job
	of.Job.Version = row.Version
	return of, true, nil
}

// recall reads the checkpoint that an earlier process left.
func (c *cycle) recall() error {
	if len(c.row.Checkpoint) == 0 {
		return nil
	}
	var m progressMark
	if err := json.Unmarshal(c.row.Checkpoint, &m); err != nil {
		return fmt.Errorf("cycle %s: read its checkpoint: %w", c.row.ID, err)
	}
	c.announced, c.mark = m.Announced, m.Announced
	c.readings, c.members, c.warnings, c.recon = m.Readings, m.Members, m.Warnings, m.Reconcile
	c.undo, c.asked, c.failing = m.Undo, m.Asked, m.Failing
	if c.recon != nil && c.row.Phase == store.PhaseRead { // reading begins anew, and what was found goes with the work list
		c.row.Phase, c.recon = store.PhaseList, nil
	}
	return nil
}

// remember puts into the cycle's row what a process that takes the cycle over has to know.
func (c *cycle) remember() error {
	doc, err := json.Marshal(progressMark{Announced: c.mark, Readings: c.readings, Members: c.members, Warnings: c.warnings,
		Asked: c.asked, Failing: c.failing, Reconcile: c.recon, Undo: c.undo, ForPlan: c.opt.Plan != nil, Destinations: c.destinations()})
	if err != nil {
		return fmt.Errorf("cycle %s: write its checkpoint: %w", c.row.ID, err)
	}
	c.row.Checkpoint = doc
	return nil
}

// abandon ends an interrupted cycle that does not go on.
func (e *Engine) abandon(ctx context.Context, s Subject, old store.Cycle, why string) error {
	var m progressMark
	if len(old.Checkpoint) > 0 {
		if err := json.Unmarshal(old.Checkpoint, &m); err != nil {
			return fmt.Errorf("cycle %s: read its checkpoint: %w", old.ID, err)
		}
	}
	if err := e.leaveDoubts(ctx, s, interrupted{old, m, true}); err != nil {
		return err
	}
	old.State, old.Phase, old.Ended = store.Failed, store.PhaseDone, e.Now()
	old.Error = why
	// The end comes first: a cycle that goes on without its work list would take everything for done.
	if err := e.Store.Commit(ctx, &store.Batch{JobID: old.JobID, CycleID: old.ID, Epoch: s.Job.Epoch, Cycle: &old}); err != nil {
		return fmt.Errorf("cycle %s: end it: %w", old.ID, err)
	}
	if err := e.Store.ClearWork(ctx, old.ID); err != nil {
		return fmt.Errorf("cycle %s: clear its work: %w", old.ID, err)
	}
	return nil
}

// slice works for at most Config.Slice. It returns done at the end of the cycle, else how long to wait before the next
// slice. Failures of the job end the cycle and are recorded with it; an error means that this could not be done.
func (c *cycle) slice(ctx context.Context) (wait time.Duration, done bool, err error) {
	wait, err = c.advance(ctx, c.Now().Add(c.Slice))
	switch {
	case err == nil:
		return wait, c.row.Phase == store.PhaseDone, nil
	case ctx.Err() != nil:
		return 0, false, ctx.Err()
	case errors.Is(err, store.ErrStale):
		return 0, false, fmt.Errorf("job %s: another process has taken it over: %w", c.subject.Job.Name, err)
	}
	var refused *PlanRefused
	if errors.As(err, &refused) {
		return 0, false, c.refuse(ctx, refused)
	}
	var jf *jobFailure
	if !errors.As(err, &jf) {
		return 0, false, err
	}
	return 0, true, c.fail(ctx, jf)
}

// advance is the cycle. Each phase ends with a checkpoint; a phase that was interrupted is taken up where that is
// possible (export) and repeated from its start where nothing outside was changed (read, match).
func (c *cycle) advance(ctx context.Context, until time.Time) (time.Duration, error) {
	if c.subject.Unready != nil {
		return 0, &jobFailure{reason: quarantineConnection, op: "open the job", err: c.subject.Unready}
	}
	if c.caps.Calls == nil && c.caps.Concurrency == 0 {
		if wait, err := c.connect(ctx); wait > 0 || err != nil {
			return wait, err
		}
	}
	for ctx.Err() == nil {
		var wait time.Duration
		var err error
		switch c.row.Phase {
		case store.PhaseList:
			wait, err = c.reconcile(ctx, until)
		case store.PhaseRead:
			err = c.read(ctx)
		case store.PhaseMatch:
			if wait, err = c.decide(ctx); wait == 0 && err == nil {
				err = c.checkpoint(ctx, store.PhaseExport)
			}
		case store.PhaseExport:
			var done bool
			if wait, done, err = c.export(ctx, until); done && err == nil {
				err = c.finish(ctx)
			}
		case store.PhaseDone:
			return 0, nil
		}
		if err != nil || wait > 0 {
			return wait, err
		}
		if c.row.Phase != store.PhaseDone && !c.Now().Before(until) {
			return 0, nil
		}
	}
	return 0, ctx.Err()
}

// decide finds the accounts, settles references, holds back what the guard holds, and leaves a complete plan in the
// work list.
func (c *cycle) decide(ctx context.Context) (time.Duration, error) {
	if c.undo != "" {
		if err := c.settleUndone(ctx); err != nil {
			return 0, err
		}
	}
	wait, err := c.findAccounts(ctx)
	if wait > 0 || err != nil {
		return wait, err
	}
	if err := c.settleReferences(ctx); err != nil {
		return 0, err
	}
	if c.recon != nil {
		c.again = c.recon.Gone
	}
	if err := c.healAgain(ctx, c.again); err != nil {
		return 0, err
	}
	if c.undo == "" {
		if err := c.heal(ctx); err != nil {
			return 0, err
		}
	}
	for _, r := range c.rules {
		if err := c.orderCreates(ctx, r); err != nil {
			return 0, err
		}
	}
	counts, err := c.work.CountWork(ctx, c.row.ID)
	if err != nil {
		return 0, fmt.Errorf("cycle %s: count its work: %w", c.row.ID, err)
	}
	c.row.Planned = 0
	for _, n := range counts {
		c.row.Planned += n.N
	}
	if err := c.guard(ctx, counts); err != nil {
		return 0, err
	}
	if err := c.asPlanned(ctx); err != nil {
		return 0, err
	}
	return 0, c.unstage(ctx)
}

// connect proves that the target answers and learns what it can do (engine.R24). A target that is read only from
// memory of an earlier slice is not asked again.
func (c *cycle) connect(ctx context.Context) (wait time.Duration, err error) {
	caps, err := c.subject.Target.Probe(ctx)
	if err != nil {
		return c.whileReading(ctx, "test connection to the target", err)
	}
	if c.subject.Job.NoReferences {
		caps.ReferencesInCreate = false
	}
	if caps.Concurrency == 0 {
		caps.Concurrency = 16
	}
	if caps.PageSize == 0 {
		caps.PageSize = 100
	}
	c.caps = caps
	return 0, c.takeStock(ctx)
}

// takeStock counts what is managed when the cycle begins, which the guard's limits stand on (design D6).
func (c *cycle) takeStock(ctx context.Context) error {
	tallies, err := c.Store.Tallies(ctx, c.subject.Job.ID)
	if err != nil {
		return fmt.Errorf("job %s: count its links: %w", c.subject.Job.Name, err)
	}
	c.managed = 0
	for _, r := range c.rules {
		r.managed, r.linked = 0, 0
	}
	for _, t := range tallies {
		if t.State == store.Active {
			c.managed += t.N
		}
		for _, r := range c.rules {
			if r.def.Name != t.Rule {
				continue
			}
			if t.State == store.Active {
				r.managed += t.N
			}
			if t.State != store.Unlinked {
				r.linked += t.N
			}
		}
	}
	members, err := c.Store.CountMembers(ctx, c.subject.Job.ID)
	if err != nil {
		return fmt.Errorf("job %s: count its memberships: %w", c.subject.Job.Name, err)
	}
	c.members.Managed = members
	c.limit = c.subject.Def.Settings.DeletionGuard.Limit(c.managed)
	c.memLimit = c.subject.Def.Settings.MembershipGuard.Limit(members)
	return nil
}

// checkpoint records that a phase has ended.
func (c *cycle) checkpoint(ctx context.Context, next store.Phase) error {
	c.row.Phase = next
	if err := c.remember(); err != nil {
		return err
	}
	return c.commit(ctx, &store.Batch{Cycle: c.current()})
}

// current returns the cycle's row with the calls made so far.
func (c *cycle) current() *store.Cycle {
	now := c.subject.Meter.Read()
	req := store.Requests{ByMethod: maps.Clone(c.callsWas.ByMethod), Total: c.callsWas.Total, Throttled: c.callsWas.Throttled}
	if req.ByMethod == nil {
		req.ByMethod = map[string]int64{}
	}
	add := func(m string, n int64) {
		if n > 0 {
			req.ByMethod[m] += n
			req.Total += n
		}
	}
	for m, n := range now.ByMethod {
		add(m, n-c.meterWas.ByMethod[m])
	}
	for m, was := range c.meterWas.ByMethod {
		if _, known := now.ByMethod[m]; !known {
			add(m, -was)
		}
	}
	req.Throttled += now.Throttled - c.meterWas.Throttled
	c.row.Requests = req
	row := c.row
	return &row
}

// commit writes a batch of this cycle, to the store in a run and to the scratch store in a plan.
func (c *cycle) commit(ctx context.Context, b *store.Batch) error {
	b.JobID, b.CycleID, b.Epoch = c.subject.Job.ID, c.row.ID, c.subject.Job.Epoch
	if err := c.work.Commit(ctx, b); err != nil {
		return fmt.Errorf("job %s: write state: %w", c.subject.Job.Name, err)
	}
	return nil
}

// finish ends a cycle whose work is done: the watermark moves, and the job's health is judged.
func (c *cycle) finish(ctx context.Context) error {
	if err := c.commit(ctx, &store.Batch{Cycle: c.current()}); err != nil { // only who still holds the job may end its cycle
		return err
	}
	if err := c.Store.ClearWork(ctx, c.row.ID); err != nil {
		return fmt.Errorf("cycle %s: clear its work: %w", c.row.ID, err)
	}
	end, err := c.ending(ctx)
	if err != nil {
		return err
	}
	now := c.Now()
	j, err := c.Store.UpdateJob(ctx, c.subject.Job.ID, func(j *store.Job) error { c.ended(j, end, now); return nil })
	if err != nil {
		return fmt.Errorf("job %s: store the end of its cycle: %w", c.subject.Job.Name, err)
	}
	if j.Pruned {
		c.warn("%s", textPruned)
	}
	c.row.State, c.row.Phase, c.row.Ended = store.Succeeded, store.PhaseDone, now
	if c.row.Counts.Failed > 0 {
		c.row.State = store.EntryLevelErrors
	}
	if err := c.commit(ctx, &store.Batch{Cycle: c.current()}); err != nil || !j.Pruned {
		return err
	}
	_, err = c.resetDue(ctx, j)
	return err
}

// fail ends a cycle that cannot go on. Work that was not done is dropped: the next cycle finds it again, because hashes
// are stored only for what was done.
func (c *cycle) fail(ctx context.Context, f *jobFailure) error {
	if err := c.commit(ctx, &store.Batch{Cycle: c.current()}); err != nil { // only who still holds the job may end its cycle
		return err
	}
	left := interrupted{c.row, progressMark{Announced: c.mark, Destinations: c.destinations()}, c.resumed}
	if err := c.leaveDoubts(ctx, c.subject, left); err != nil {
		return err
	}
	now := c.Now()
	end := health.Ending{Failure: &health.Failure{Reason: f.reason, Code: f.code(), Message: f.Error()}}
	if _, err := c.Store.UpdateJob(ctx, c.subject.Job.ID, func(j *store.Job) error { c.ended(j, end, now); return nil }); err != nil {
		return fmt.Errorf("job %s: store the failure of its cycle: %w", c.subject.Job.Name, err)
	}
	c.row.State, c.row.Phase, c.row.Ended = store.Failed, store.PhaseDone, now
	c.row.ErrorCode, c.row.Error = f.code(), f.Error()
	if err := c.commit(ctx, &store.Batch{Cycle: c.current()}); err != nil {
		return err
	}
	return c.Store.ClearWork(ctx, c.row.ID)
}

// pause waits between two slices, telling whoever watches how long.
func (c *cycle) pause(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return ctx.Err()
	}
	until := c.Now().Add(wait)
	for left := wait; left > 0; left = until.Sub(c.Now()) {
		c.Progress(Progress{Job: c.subject.Job.Name, Phase: c.row.Phase, Done: c.row.Done, Total: c.row.Planned, Waiting: left, Calls: c.current().Requests.Total})
		t := time.NewTimer(min(left, time.Second))
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
	return nil
}

// tick reports progress, at most ten times a second.
func (c *cycle) tick(done, total int64) {
	now := c.Now()
	if now.Sub(c.lastTick) < 100*time.Millisecond && done != total {
		return
	}
	c.lastTick = now
	c.Progress(Progress{Job: c.subject.Job.Name, Phase: c.row.Phase, Done: done, Total: total, Calls: c.current().Requests.Total})
}

// warn keeps a remark for the administrator, each once.
func (c *cycle) warn(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(c.warnings, text) {
		c.warnings = append(c.warnings, text)
	}
}

// report makes the document of a cycle that has ended.
func (c *cycle) report(ctx context.Context) (RunReport, error) {
	j, err := c.Store.Job(ctx, c.subject.Job.ID)
	if err != nil {
		return RunReport{}, fmt.Errorf("job %s: read it for the report: %w", c.subject.Job.Name, err)
	}
	row := c.current()
	r := RunReport{Job: j.Name, Cycle: CycleInfo{ID: row.ID, Type: row.Type, State: row.State, Began: row.Began, Ended: row.Ended},
		Counts: row.Counts, Requests: row.Requests, Warnings: c.warnings, Error: row.Error, Held: row.Held, Drift: c.drift()}
	if j.Quarantine != nil {
		r.Quarantine = &QuarantineInfo{Reason: j.Quarantine.Reason}
		if row.State != store.Failed && j.Quarantine.Reason != health.ReasonDeletes {
			r.Warnings = append(r.Warnings, j.Quarantine.Message)
		}
	}
	if row.Held != "" {
		r.Warnings = append(r.Warnings, plan.Held(row.Held).Words(row.Counts.Staged, c.limit))
	}
	return r, nil
}
