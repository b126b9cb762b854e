package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Plan works out what the next cycle of a job would do. It runs the very code of a cycle up to the export, over a
// scratch work list: the source and the target are read just as the cycle would read them, and nothing is written.
func (e *Engine) Plan(ctx context.Context, s Subject, opt Options) (Report, error) {
	scratch, discard, err := e.Scratch(ctx, s.Job)
	if err != nil {
		return Report{}, fmt.Errorf("open a scratch store for the plan: %w", err)
	}
	rep, err := e.plan(ctx, s, opt, scratch)
	return rep, errors.Join(err, discard())
}

func (e *Engine) plan(ctx context.Context, s Subject, opt Options, scratch Scratch) (Report, error) {
	c := &cycle{Engine: e, subject: s, opt: opt, work: scratch, dry: true, readings: map[string]plan.Reading{}, meterWas: s.counted()}
	var err error
	if c.rules, err = compileRules(s); err != nil {
		return Report{}, err
	}
	c.row = store.Cycle{ID: e.NewID(), JobID: s.Job.ID, Type: store.Incremental, State: store.Running, Phase: store.PhaseRead, Version: s.Job.Version, Began: e.Now()}
	if s.Job.InitialDue || opt.Initial {
		c.row.Type = store.Initial
	}
	switch {
	case opt.Undo != "":
		if err := c.beginUndo(ctx); err != nil {
			return Report{}, err
		}
	case c.reconcileDue():
		c.row.Phase = store.PhaseList
	}
	if err := c.commit(ctx, &store.Batch{Cycle: &c.row}); err != nil {
		return Report{}, err
	}
	if s.Unready != nil {
		return Report{}, &jobFailure{reason: quarantineConnection, op: "open the job", err: s.Unready}
	}
	if err := c.insist(ctx, c.connect); err != nil {
		return Report{}, err
	}
	for c.row.Phase == store.PhaseList {
		if err := c.insist(ctx, func(ctx context.Context) (time.Duration, error) { return c.reconcile(ctx, c.Now().Add(c.Slice)) }); err != nil {
			return Report{}, err
		}
	}
	if err := c.read(ctx); err != nil {
		return Report{}, err
	}
	if err := c.insist(ctx, c.decide); err != nil {
		return Report{}, err
	}
	return c.describe(ctx)
}

// insist repeats a step until the target does not want a pause any more.
func (c *cycle) insist(ctx context.Context, step func(context.Context) (time.Duration, error)) error {
	for {
		wait, err := step(ctx)
		if err != nil || wait == 0 {
			return err
		}
		if err := c.pause(ctx, wait); err != nil {
			return err
		}
	}
}

// describe turns the work list into the plan's document and predicts the calls that carrying it out would take.
func (c *cycle) describe(ctx context.Context) (Report, error) {
	rep := Report{Changes: []plan.Change{}, Counts: c.row.Counts, Warnings: c.warnings, Held: c.row.Held, Drift: c.drift()}
	row := c.current()
	rep.Requests = Estimate{Total: row.Requests.Total, ByMethod: row.Requests.ByMethod}
	calls := &toll{caps: c.caps, tariff: tariffOf(c.subject.Target), sum: &rep.Requests}
	byName := map[string]*rule{}
	for _, r := range c.rules {
		byName[r.def.Name] = r
	}
	var after *store.Position
	for {
		works, err := c.work.WorkAt(ctx, c.row.ID, []store.Stage{store.ToExport}, after, blockSize)
		if err != nil {
			return Report{}, fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
		}
		if len(works) == 0 {
			break
		}
		last := works[len(works)-1]
		after = &store.Position{Pass: last.Pass, Depth: last.Depth, Rule: last.Rule, Anchor: last.Anchor}
		if err := c.describeBlock(ctx, byName, works, &rep, calls); err != nil {
			return Report{}, err
		}
	}
	var guide int64
	for _, ch := range rep.Changes {
		guide += ruleOfThumb(ch.Action, byName[ch.Rule].def.To)
	}
	if c.caps.PerMinute > 0 {
		rep.Requests.Minutes, rep.Requests.Guide = float64(rep.Requests.Total)/c.caps.PerMinute, guide
	}
	return rep, nil
}

func (c *cycle) describeBlock(ctx context.Context, rules map[string]*rule, works []store.WorkItem, rep *Report, calls *toll) error {
	tasks := make([]*task, len(works))
	var refs []identity.Ref
	for i, w := range works {
		t, err := decodeTask(w)
		if err != nil {
			return err
		}
		tasks[i] = t
		if w.Action == string(plan.Create) {
			for _, v := range t.Values {
				refs = append(refs, v.Refs...)
			}
		}
	}
	accounts, err := c.standings(ctx, refs)
	if err != nil {
		return err
	}
	for i, w := range works {
		t, r := tasks[i], rules[w.Rule]
		if t.Gone && t.Prior == store.Unlinked { // forgotten without anything being done
			continue
		}
		ch := plan.Change{Action: plan.Action(w.Action), Rule: w.Rule, Source: plan.Identity{ID: w.Anchor, DisplayName: t.Name},
			Target: plan.TargetID{ID: w.Target}, Reason: t.Reason, Properties: []plan.Property{}}
		switch {
		case w.Action == string(plan.Create):
			attrs, err := plan.New(r.set, t.Values)
			if err != nil {
				return err
			}
			for _, a := range attrs {
				ch.Properties = append(ch.Properties, plan.Properties(r.set, []connector.Change{{Attr: a.Name, New: a.Value}})...)
			}
			more, err := c.describeCreate(ctx, r, w, t, attrs, accounts, calls)
			if err != nil {
				return err
			}
			ch.Properties = append(ch.Properties, more...)
		case w.Action == string(plan.Delete):
			calls.add(connector.OpDelete, r.def.To, nil)
		case w.Pass != passRecord:
			ch.Properties = plan.Properties(r.set, t.Changes)
			if err := c.describeUpdate(ctx, r, w, t, &ch, calls); err != nil {
				return err
			}
		}
		if t.Failed {
			rep.Counts.Failed++
		} else {
			tally(&rep.Counts, ch.Action)
		}
		rep.Changes = append(rep.Changes, ch)
	}
	return nil
}

// ruleOfThumb is what Estimate.Guide takes a change for.
func ruleOfThumb(a plan.Action, kind identity.Kind) int64 {
	switch a {
	case plan.Create, plan.Modify, plan.Enable, plan.Disable, plan.Delete:
		if kind == identity.Group {
			return 2
		}
		return 1
	case plan.StagedDelete, plan.None, plan.Other:
	}
	return 0
}

// describeCreate counts the calls of a create: the request itself, and updates for what cannot go into it.
func (c *cycle) describeCreate(ctx context.Context, r *rule, w store.WorkItem, t *task, attrs identity.Attrs, accounts map[identity.Ref]standing, calls *toll) ([]plan.Property, error) {
	made := make([]connector.Change, len(attrs))
	for i, a := range attrs {
		made[i] = connector.Change{Attr: a.Name, Op: connector.Set, New: a.Value}
	}
	calls.add(connector.OpCreate, r.def.To, made)
	var props []plan.Property
	var late []connector.Change
	for _, v := range t.Values {
		m := &r.set.Mappings[v.Index]
		if !m.IsReference() || v.Ignored {
			continue
		}
		multi := m.Def.MultiValued
		now, later := 0, 0
		for _, ref := range v.Refs {
			s := accounts[ref]
			if multi && ref.Kind == r.def.From || !s.coming && (s.target == "" || !s.managed) {
				continue
			}
			props = append(props, plan.Property{Name: m.Target, New: ref.Anchor})
			known, err := c.knownBefore(ctx, w, ref, s)
			if err != nil {
				return nil, err
			}
			if known && c.createTakes(multi, now) {
				now++
			} else {
				later++
			}
			if !multi {
				break
			}
		}
		switch {
		case later > 0 && multi:
			calls.references(r.def.To, m.Target, connector.Add, later)
		case later > 0:
			late = append(late, connector.Change{Attr: m.Target, Op: connector.Set, New: identity.Ref{}})
		}
	}
	if late != nil {
		calls.add(connector.OpUpdate, r.def.To, late)
	}
	return props, nil
}

// knownBefore tells whether the account of a reference exists when the item's own turn comes.
func (c *cycle) knownBefore(ctx context.Context, w store.WorkItem, ref identity.Ref, s standing) (bool, error) {
	if s.target != "" || w.Parent == ref.Anchor && w.Depth > 0 {
		return true, nil
	}
	for _, r := range c.rules {
		if r.def.From != ref.Kind {
			continue
		}
		items, err := c.work.WorkByAnchor(ctx, c.row.ID, r.def.Name, []string{ref.Anchor})
		if err != nil {
			return false, fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
		}
		if o, ok := items[ref.Anchor]; ok {
			return before(o, w), nil
		}
	}
	return false, nil
}

// before compares places in the export order.
func before(a, b store.WorkItem) bool {
	if a.Pass != b.Pass {
		return a.Pass < b.Pass
	}
	if a.Depth != b.Depth {
		return a.Depth < b.Depth
	}
	if a.Rule != b.Rule {
		return a.Rule < b.Rule
	}
	return a.Anchor < b.Anchor
}

// describeUpdate counts the calls of an update and shows its references.
func (c *cycle) describeUpdate(ctx context.Context, r *rule, w store.WorkItem, t *task, ch *plan.Change, calls *toll) error {
	one := slices.Clone(t.Changes)
	for _, rc := range t.Refs {
		if !rc.Multi {
			one = append(one, connector.Change{Attr: rc.Attr, Op: connector.Set, New: identity.Ref{}})
			p := plan.Property{Name: rc.Attr}
			if old := t.known().Refs[rc.Attr]; old != "" {
				p.Old = old
			}
			if rc.Set != nil {
				p.New = rc.Set.Anchor
			}
			ch.Properties = append(ch.Properties, p)
			continue
		}
		adds := len(rc.Add)
		switch {
		case t.HoldRefs:
		case c.caps.WholeMembers && len(rc.Remove) > 0:
			written, err := c.Store.Members(ctx, c.subject.Job.ID, w.ObjectKey, rc.Attr)
			if err != nil {
				return fmt.Errorf("rule %s: read the members written for %q: %w", w.Rule, w.Anchor, err)
			}
			calls.whole(r.def.To, rc.Attr, len(remaining(written, rc))+adds)
			adds = 0
		default:
			calls.references(r.def.To, rc.Attr, connector.Remove, len(rc.Remove))
		}
		if !t.HoldRefs {
			for _, m := range rc.Remove {
				ch.Properties = append(ch.Properties, plan.Property{Name: rc.Attr, Old: m.Ref.Anchor})
			}
		}
		calls.references(r.def.To, rc.Attr, connector.Add, adds)
		for _, ref := range slices.Clone(rc.Add) {
			ch.Properties = append(ch.Properties, plan.Property{Name: rc.Attr, New: ref.Anchor})
		}
	}
	if len(one) > 0 {
		calls.add(connector.OpUpdate, r.def.To, one)
	}
	return nil
}
