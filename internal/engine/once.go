package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/spool"
	"github.com/rollcall-id/rollcall/internal/store"
)

// MaxMembers is how many members of a group one on-demand run takes along (engine.R125).
const MaxMembers = 5

// OnceOptions say which object an on-demand run is about.
type OnceOptions struct {
	Key     string   // source anchor, joining value or e-mail address
	Rule    string   // the rule that it is about; "" for the only one that knows the key
	Members []string // keys of members that a group takes along, at most MaxMembers
	DryRun  bool     // everything but the writing: neither target nor state is changed
	By      string   // who asked, for the log; "" for the engine itself

	Wait time.Duration // how long a cycle that is under way is waited for; 0 means not at all
}

// single is what a run about single objects has beside a cycle. A nil *single is that of a cycle.
type single struct {
	by    string
	asked map[store.ObjectKey][]answer         // what the target has for the joining values, by object
	taken map[store.ObjectKey]bool             // objects taken out of a cycle that is not finished
	logs  []store.LogRecord                    // written by this run
	seen  map[store.ObjectKey]*identity.Object // what the source delivered
	left  map[store.ObjectKey]leaver           // objects that it does not have
	times map[store.ObjectKey][]time.Time      // when each of the five steps was done, by its number (engine.R127)
	began time.Time
}

// hits is how many accounts are asked for under one joining value: two are enough to know that it is disputed, but who
// looks at one person wants to see all of them (engine.R127).
func (s *single) hits() int {
	if s == nil {
		return 2
	}
	return 20
}

// note keeps what the target answered.
func (s *single) note(items []*store.WorkItem, answers [][]answer) {
	if s == nil {
		return
	}
	for i, w := range items {
		if answers[i] != nil {
			s.asked[w.ObjectKey] = answers[i]
		}
	}
}

// forgets tells whether a failure of an object leaves no trace: an on-demand run that failed makes no escrow
// (engine.R131), but for an object that a cycle would have worked on and now will not.
func (s *single) forgets(key store.ObjectKey) bool { return s != nil && !s.taken[key] }

// tells gives an outcome that a cycle would pass over in silence its place in the log: somebody asked for it.
func (s *single) tells(out *outcome) {
	if s == nil || out.status != "" {
		return
	}
	out.status, out.code = statusSkipped, codeRedundant
	if out.action == plan.StagedDelete {
		out.code = string(plan.StagedDelete)
	}
}

// initiator is who the log names beside Rollcall itself (engine.R145).
func (s *single) initiator() string {
	if s == nil {
		return ""
	}
	return s.by
}

// onceStore keeps the work list of an on-demand run in a scratch store and what lasts in the state, so that the run
// leaves no cycle behind that a later process could take up.
type onceStore struct {
	Scratch
	state  store.Writer // nil for a dry run
	single *single
}

// Commit writes what lasts first: a work list without state is harmless, and dropped.
func (o onceStore) Commit(ctx context.Context, b *store.Batch) error {
	if o.state != nil {
		lasting := *b
		lasting.Work, lasting.Done, lasting.Index, lasting.DropIndex, lasting.Cycle = nil, nil, nil, false, nil
		if err := o.state.Commit(ctx, &lasting); err != nil {
			return err
		}
		o.single.logs = append(o.single.logs, b.Log...)
	}
	return o.Scratch.Commit(ctx, &store.Batch{JobID: b.JobID, CycleID: b.CycleID, Epoch: b.Epoch, Work: b.Work, Done: b.Done,
		Index: b.Index, DropIndex: b.DropIndex, Cycle: b.Cycle})
}

// Once provisions one object on demand (engine section 13): it is read from the source, scoped, matched and written by
// the code of a cycle, and each step is told. A real run takes the job as a cycle does and needs nothing of it to be
// stopped; a dry run only looks. The error is a *KeyError when the key does not name one object, store.ErrStale when a
// cycle is under way elsewhere. Failures of the job and of the object are in the report.
func (e *Engine) Once(ctx context.Context, s Subject, opt OnceOptions) (rep OnceReport, err error) {
	if len(opt.Members) > MaxMembers {
		return OnceReport{}, fmt.Errorf("%d members: at most %d can be provisioned with a group at a time", len(opt.Members), MaxMembers)
	}
	if !opt.DryRun {
		j, err := e.holdWithin(ctx, s.Job.ID, opt.Wait)
		if err != nil {
			return OnceReport{}, fmt.Errorf("job %s: take it for this run: %w", s.Job.Name, err)
		}
		s.Job = j
		defer func() { _ = e.Store.Release(context.WithoutCancel(ctx), j.ID, e.Holder) }()
	}
	scratch, discard, err := e.Scratch(ctx, s.Job)
	if err != nil {
		return OnceReport{}, fmt.Errorf("open a scratch store for the run: %w", err)
	}
	defer func() { err = errors.Join(err, discard()) }()
	alone := &single{by: opt.By, asked: map[store.ObjectKey][]answer{}, taken: map[store.ObjectKey]bool{},
		seen: map[store.ObjectKey]*identity.Object{}, left: map[store.ObjectKey]leaver{}, times: map[store.ObjectKey][]time.Time{}, began: e.Now()}
	work := onceStore{Scratch: scratch, single: alone}
	if !opt.DryRun {
		work.state = e.Store
	}
	c := &cycle{Engine: e, subject: s, opt: Options{Manual: true}, work: work, dry: opt.DryRun, solo: alone,
		readings: map[string]plan.Reading{}, meterWas: s.counted()}
	if c.rules, err = compileRules(s); err != nil {
		return OnceReport{}, err
	}
	c.row = store.Cycle{ID: e.NewID(), JobID: s.Job.ID, Type: store.Incremental, State: store.Running, Phase: store.PhaseRead, Version: s.Job.Version, Began: e.Now()}
	if err := c.commit(ctx, &store.Batch{Cycle: &c.row}); err != nil {
		return OnceReport{}, err
	}
	return c.once(ctx, opt)
}

// holdWithin takes the job, and asks again for some time while another process has it.
func (e *Engine) holdWithin(ctx context.Context, jobID string, wait time.Duration) (store.Job, error) {
	until := e.Now().Add(wait)
	for {
		j, err := e.hold(ctx, jobID)
		left := until.Sub(e.Now())
		if !errors.Is(err, store.ErrStale) || left <= 0 {
			return j, err
		}
		t := time.NewTimer(min(left, 500*time.Millisecond))
		select {
		case <-ctx.Done():
			t.Stop()
			return j, ctx.Err()
		case <-t.C:
		}
	}
}

// once is the run from its first step to its last.
func (c *cycle) once(ctx context.Context, opt OnceOptions) (OnceReport, error) {
	rep := OnceReport{Job: c.subject.Job.Name, DryRun: opt.DryRun}
	failed := func(err error) (OnceReport, error) {
		var jf *jobFailure
		if !errors.As(err, &jf) || ctx.Err() != nil {
			return OnceReport{}, err
		}
		c.blame(&rep, jf)
		return rep, nil
	}
	if c.subject.Source == nil {
		return failed(&jobFailure{reason: quarantineConnection, op: "open the job", err: c.subject.Unready})
	}
	subject, members, err := c.name(ctx, opt)
	if err != nil {
		return failed(err)
	}
	rep.OnceResult = c.unfinished(subject)
	if c.subject.Unready != nil {
		return failed(&jobFailure{reason: quarantineConnection, op: "open the job", err: c.subject.Unready})
	}
	if err := c.insist(ctx, c.connect); err != nil { // engine.R24
		return failed(err)
	}
	for _, f := range append(slices.Clone(members), subject) {
		if err := c.takeUp(ctx, f, members); err != nil {
			return failed(err)
		}
	}
	if err := c.decideOnce(ctx, subject, members); err != nil {
		return failed(err)
	}
	told, err := c.describe(ctx)
	if err != nil {
		return OnceReport{}, err
	}
	// What was decided is read before the export moves it on.
	subjects := append([]Found{subject}, members...)
	decided, err := c.decided(ctx, subjects, told)
	if err != nil {
		return OnceReport{}, err
	}
	var broken *jobFailure
	if !opt.DryRun {
		if err := c.takeOut(ctx, subjects); err != nil {
			return OnceReport{}, err
		}
		if err := c.exportAll(ctx); err != nil && !errors.As(err, &broken) {
			return OnceReport{}, err
		}
	}
	results := make([]OnceResult, len(decided))
	for i, d := range decided {
		if results[i], err = c.result(ctx, d, broken); err != nil {
			return OnceReport{}, err
		}
	}
	rep.OnceResult, rep.Members, rep.Held = results[0], results[1:], c.row.Held
	rep.Requests, rep.Warnings = c.current().Requests, c.warnings
	if broken != nil {
		rep.Error = broken.Error()
	}
	return rep, nil
}

// name finds out which objects the keys name.
func (c *cycle) name(ctx context.Context, opt OnceOptions) (subject Found, members []Found, err error) {
	if opt.Rule != "" && !slices.ContainsFunc(c.rules, func(r *rule) bool { return r.def.Name == opt.Rule }) {
		return Found{}, nil, &KeyError{Key: opt.Key, Where: "the rule " + opt.Rule + ", which the job does not have or does not use,"}
	}
	found, err := c.findInSource(ctx, opt.Key, opt.Rule)
	if err == nil && len(found) == 0 { // not in the source any more, but known: the report says what will come of it
		found, err = c.findInState(ctx, opt.Key, opt.Rule)
	}
	if err == nil {
		subject, err = one(opt.Key, c.subject.SourceName, found)
	}
	if err != nil || len(opt.Members) == 0 {
		return subject, nil, err
	}
	if subject.Kind != identity.Group {
		return Found{}, nil, &KeyError{Key: opt.Key, Where: "members are for groups only; no group of " + c.subject.SourceName}
	}
	for _, key := range opt.Members {
		found, err := c.findInSource(ctx, key, "")
		if err != nil {
			return Found{}, nil, err
		}
		m, err := one(key, c.subject.SourceName, slices.DeleteFunc(found, func(f Found) bool { return f.Kind == identity.Group })) // engine.R130
		if err != nil {
			return Found{}, nil, err
		}
		if !slices.Contains(members, m) {
			members = append(members, m)
		}
	}
	return subject, members, nil
}

func (c *cycle) ruleNamed(name string) *rule {
	for _, r := range c.rules {
		if r.def.Name == name {
			return r
		}
	}
	return nil
}

// takeUp reads one object from the source and evaluates it: steps 2 and 3.
func (c *cycle) takeUp(ctx context.Context, f Found, members []Found) error {
	r := c.ruleNamed(f.Rule)
	key := store.ObjectKey{Rule: f.Rule, Anchor: f.Anchor}
	item, err := c.readOne(ctx, r, f.Anchor)
	if err != nil {
		return err
	}
	known, err := c.Store.ObjectsByAnchor(ctx, c.subject.Job.ID, f.Rule, []string{f.Anchor})
	if err != nil {
		return fmt.Errorf("rule %s: read known objects: %w", f.Rule, err)
	}
	last, err := c.Store.Projections(ctx, c.subject.Job.ID, f.Rule, []string{f.Anchor})
	if err != nil {
		return fmt.Errorf("rule %s: read last exported values: %w", f.Rule, err)
	}
	was := known[f.Anchor]
	was.ObjectKey = key
	c.stamp(key, 2)
	gone := item.Gone || item.Object == nil
	if !gone && item.Err == nil {
		c.solo.seen[key] = item.Object
	}
	if item.Err == nil && (gone || item.Object.SoftDeleted) {
		c.solo.left[key] = departed(was, last[f.Anchor], gone)
		return nil
	}
	var w *store.WorkItem
	var t *task
	if item.Err != nil {
		w, t = unread(was, last[f.Anchor], item.Err)
	} else {
		payload := item.Object.Append(nil, r.used)
		cand := candidate{known: was, payload: payload, hash: hash(spool.Hash(r.seed, payload))}
		if w, t, err = (&block{cycle: c, rule: r}).evaluate(cand, last); err != nil {
			return err
		}
		if f.Kind == identity.Group {
			if err := c.onlyChosen(ctx, r, w, t, members); err != nil {
				return err
			}
		}
	}
	c.stamp(key, 3)
	return c.commit(ctx, &store.Batch{Work: []store.WorkItem{finishItem(w, t)}})
}

// readOne reads one object with the attributes that its rule uses.
func (c *cycle) readOne(ctx context.Context, r *rule, anchor string) (connector.Item, error) {
	req := connector.ReadRequest{Kind: r.def.From, Attrs: r.used}
	items := c.subject.Source.Read(ctx, req)
	if lookup, ok := c.subject.Source.(connector.Lookup); ok {
		items = lookup.Lookup(ctx, req, []string{anchor})
	}
	got := connector.Item{Object: &identity.Object{Kind: r.def.From, Anchor: anchor}, Gone: true}
	for item, err := range items {
		if err != nil {
			return got, sourceFailure(ctx, err)
		}
		if item = checked(item); item.Object == nil || item.Object.Anchor != anchor {
			continue
		}
		if !got.Gone {
			return connector.Item{Object: got.Object, Err: &connector.Error{Kind: connector.KindInvalid, Code: codeDuplicateSource,
				Detail: fmt.Sprintf("the key %q occurs more than once in the source", anchor), Hint: "each key must stand for one object; correct the source"}}, nil
		}
		got = item
	}
	return got, nil
}

// unread is the work for an object that could not be read: none but a record of that.
func unread(was store.Object, last store.Projection, err error) (*store.WorkItem, *task) {
	w, t := standstill(was, last)
	code, reason := failureOf(err)
	failTask(w, t, cmp.Or(code, connector.CodeUnprocessable), reason)
	return w, t
}

// departed is what is said of an object that the source does not have any more, or has thrown away. Taking its account
// away is left to a cycle, which has read the whole source and counts what it takes (engine.R130).
func departed(was store.Object, last store.Projection, gone bool) leaver {
	w, t := standstill(was, last)
	t.Gone = gone
	reason := "no longer in the source"
	if !gone {
		reason = "deleted in the source, may still be restored there"
	}
	switch was.State {
	case store.Unlinked:
		reason += "; it has no account"
	case store.Released:
		reason += "; its account is not managed any more"
	case store.Active, store.Disabled:
		reason += "; what becomes of its account is decided by the next cycle"
	}
	skipTask(w, t, codeOutOfScope, reason)
	return leaver{w, t}
}

// leaver is an object that a run on demand leaves as it is, because it is not in the source.
type leaver struct {
	item *store.WorkItem
	task *task
}

func standstill(was store.Object, last store.Projection) (*store.WorkItem, *task) {
	t := &task{Prior: was.State, After: was.State, Hash: was.Hash, Name: cmp.Or(last.Name, was.Anchor), Confirm: was.Confirmed}
	return &store.WorkItem{ObjectKey: was.ObjectKey, Target: was.Target}, t
}

// onlyChosen keeps an on-demand run of a group to the members that were chosen (engine.R125): of the others, those that
// were written stay and no further ones are added. Such a group is looked at again by the next cycle.
func (c *cycle) onlyChosen(ctx context.Context, r *rule, w *store.WorkItem, t *task, members []Found) error {
	chosen := func(ref identity.Ref) bool {
		return slices.ContainsFunc(members, func(f Found) bool { return f.Kind == ref.Kind && f.Anchor == ref.Anchor })
	}
	for i := range t.Values {
		v := &t.Values[i]
		m := &r.set.Mappings[v.Index]
		if !m.IsReference() || !m.Def.MultiValued || v.Ignored {
			continue
		}
		written, err := c.Store.Members(ctx, c.subject.Job.ID, w.ObjectKey, m.Target)
		if err != nil {
			return fmt.Errorf("rule %s: read the members written for %q: %w", r.def.Name, w.Anchor, err)
		}
		refs := slices.DeleteFunc(slices.Clone(v.Refs), func(ref identity.Ref) bool { return !chosen(ref) })
		for _, was := range written {
			if !chosen(was.Ref) {
				refs = append(refs, was.Ref)
			}
		}
		slices.SortFunc(refs, mapping.CompareRefs)
		if !slices.Equal(refs, v.Refs) {
			v.Refs, t.Hash = refs, hash{}
		}
	}
	return nil
}

// decideOnce is decide without what concerns other objects than those asked for: nothing else is healed, and no
// reference that waits is given up.
func (c *cycle) decideOnce(ctx context.Context, subject Found, members []Found) error {
	if err := c.insist(ctx, c.findAccounts); err != nil {
		return err
	}
	if err := c.settleReferences(ctx); err != nil {
		return err
	}
	if err := c.keepWaiting(ctx, subject); err != nil {
		return err
	}
	for _, r := range c.rules {
		if err := c.orderCreates(ctx, r); err != nil {
			return err
		}
	}
	counts, err := c.work.CountWork(ctx, c.row.ID)
	if err != nil {
		return fmt.Errorf("cycle %s: count its work: %w", c.row.ID, err)
	}
	if err := c.guard(ctx, counts); err != nil {
		return err
	}
	if err := c.unstage(ctx); err != nil {
		return err
	}
	for _, f := range append(slices.Clone(members), subject) {
		c.stamp(store.ObjectKey{Rule: f.Rule, Anchor: f.Anchor}, 4)
	}
	return nil
}

// keepWaiting keeps the references of a group that wait for their referents: the run has looked at the chosen members
// only.
func (c *cycle) keepWaiting(ctx context.Context, subject Found) error {
	if subject.Kind != identity.Group {
		return nil
	}
	items, err := c.work.WorkByAnchor(ctx, c.row.ID, subject.Rule, []string{subject.Anchor})
	if err != nil {
		return fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
	}
	w, ok := items[subject.Anchor]
	if !ok {
		return nil
	}
	t, err := decodeTask(w)
	if err != nil || len(t.Stale) == 0 {
		return err
	}
	t.Stale = nil
	return c.commit(ctx, &store.Batch{Work: []store.WorkItem{finishItem(&w, t)}})
}

// heldElsewhere counts the operations that the guard holds and that an on-demand run has not looked at: they count with
// what the run takes away, as they would in a cycle (design D6). In a cycle all of them are in the work list.
func (c *cycle) heldElsewhere(ctx context.Context, known map[store.ObjectKey]store.Staged) (n int64, err error) {
	if c.solo == nil {
		return 0, nil
	}
	for _, r := range c.rules {
		var anchors []string
		for key, s := range known {
			if key.Rule == r.def.Name && !s.Allowed && s.Action != stagedMembers {
				anchors = append(anchors, key.Anchor)
			}
		}
		items, err := c.work.WorkByAnchor(ctx, c.row.ID, r.def.Name, anchors)
		if err != nil {
			return 0, fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
		}
		n += int64(len(anchors) - len(items))
	}
	return n, nil
}

// takeOut takes the objects out of a cycle that was paused or interrupted, which would else decide about them by what
// it knew before. Until this run is through, a stored failure sees to it that a later cycle looks at them all the same.
func (c *cycle) takeOut(ctx context.Context, subjects []Found) error {
	last, err := c.Store.CyclesOf(ctx, c.subject.Job.ID, 1)
	if err != nil {
		return fmt.Errorf("job %s: read its last cycle: %w", c.subject.Job.Name, err)
	}
	if len(last) == 0 || last[0].State != store.Running || last[0].Phase == store.PhaseRead { // a read starts again from nothing
		return nil
	}
	b := &store.Batch{JobID: c.subject.Job.ID, CycleID: last[0].ID, Epoch: c.subject.Job.Epoch}
	waiting, err := c.due(ctx)
	if err != nil {
		return err
	}
	for _, f := range subjects {
		items, err := c.Store.WorkByAnchor(ctx, last[0].ID, f.Rule, []string{f.Anchor})
		if err != nil {
			return fmt.Errorf("cycle %s: read its work: %w", last[0].ID, err)
		}
		w, ok := items[f.Anchor]
		if !ok {
			continue
		}
		t, err := decodeTask(w)
		if err != nil {
			return err
		}
		c.solo.taken[w.ObjectKey] = true
		b.Done = append(b.Done, w.ObjectKey)
		if _, has := waiting[w.ObjectKey]; !has {
			first, _ := escrowAfter(nil, w.ObjectKey, t, connector.CodeInternalError, "a run about this object alone was interrupted", c.Now()) // a first failure is never given up
			b.Escrows = append(b.Escrows, first)
		}
	}
	if len(b.Done) == 0 {
		return nil
	}
	if err := c.Store.Commit(ctx, b); err != nil {
		return fmt.Errorf("job %s: write state: %w", c.subject.Job.Name, err)
	}
	return nil
}

// exportAll sends what was decided, however long the target makes it wait.
func (c *cycle) exportAll(ctx context.Context) error {
	for {
		wait, done, err := c.export(ctx, c.Now().Add(c.Slice))
		if err != nil || done {
			return errors.Join(err, c.remarks(ctx))
		}
		if err := c.pause(ctx, wait); err != nil {
			return err
		}
		if _, err := c.Store.Hold(ctx, c.subject.Job.ID, c.Holder, c.Now(), c.Now().Add(c.Slice+holdFor)); err != nil {
			return fmt.Errorf("job %s: keep it: %w", c.subject.Job.Name, err)
		}
	}
}

// remarks stores with the job what was learnt about its target.
func (c *cycle) remarks(ctx context.Context) error {
	if !c.subject.Job.NoReferences {
		return nil
	}
	_, err := c.Store.UpdateJob(ctx, c.subject.Job.ID, func(j *store.Job) error {
		j.NoReferences = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("job %s: store that creates carry no references: %w", c.subject.Job.Name, err)
	}
	return nil
}

// stamp notes when one of the five steps was done.
func (c *cycle) stamp(key store.ObjectKey, number int) {
	for len(c.solo.times[key]) <= number {
		c.solo.times[key] = append(c.solo.times[key], c.Now())
	}
}
