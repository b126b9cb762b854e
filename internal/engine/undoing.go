package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// undoing is one object whose account is to be set back.
type undoing struct {
	cycle *cycle
	rule  *rule
	w     *store.WorkItem
	t     *task
	u     *undone
	link  store.Object
	last  *plan.Current                 // what was written last, nil for nothing
	now   *plan.Current                 // the account, nil when it was not read
	gone  bool                          // the account does not exist any more
	err   error                         // it could not be read
	refs  map[identity.Ref]identity.Ref // source objects by account
}

// decide makes a work item of what is to be taken back: what was changed since, by a later cycle or by hand, stays.
func (d *undoing) decide(ctx context.Context) error {
	d.t.Prior, d.t.After, d.w.Target = d.link.State, d.link.State, d.link.Target
	d.t.Confirm = d.link.Confirmed
	switch {
	case d.err != nil:
		code, reason := failureOf(d.err)
		failTask(d.w, d.t, code, reason)
		return nil //nolint:nilerr // the failure is recorded with the object
	case d.u.Created && d.u.Deleted:
		d.leave("created and deleted by that cycle")
		return nil
	case d.u.Deleted:
		d.makeAnew()
		return nil
	case d.link.Target == "" || d.link.Target != d.u.Target:
		d.leave("the account that the cycle wrote to is not linked any more")
		return nil
	case d.gone:
		d.leave("the account does not exist any more")
		return nil
	case d.u.Created:
		return d.unmake(ctx)
	}
	return d.setBack(ctx)
}

// leave records that nothing is taken back, and why. The next cycle looks at the object again.
func (d *undoing) leave(reason string) {
	skipTask(d.w, d.t, codeChangedSince, reason)
}

// setBack writes back the values and memberships that the cycle replaced.
func (d *undoing) setBack(ctx context.Context) error {
	t := d.t
	t.Current = d.now
	var changes []connector.Change
	for _, v := range d.u.Attrs {
		m := mappingOf(d.rule, v.Attr)
		switch {
		case m == nil, shownRedacted(v.Old), shownRedacted(v.New): // not mapped any more, or the log does not say what it was
			d.keep(v, d.now.Value(v.Attr))
		case m.IsReference():
			d.setBackReference(v)
		default:
			if ch, ok := d.setBackValue(m, v); ok {
				changes = append(changes, ch)
			}
		}
	}
	if err := d.setBackMembers(ctx); err != nil {
		return err
	}
	t.Changes = changes
	if len(t.Changes) == 0 && len(t.Refs) == 0 {
		if kept := t.driftOf(true); len(kept) > 0 {
			names := attrNames(kept)
			t.Drift = nil
			d.leave("changed since that cycle: " + names)
			return nil
		}
		d.w.Stage, d.w.Pass, d.w.Action, t.Hash, t.Code = store.ToExport, passRecord, string(plan.None), d.link.Hash, codeRedundant
		return nil
	}
	d.w.Stage, d.w.Pass, d.w.Action = store.ToExport, d.rule.pass(passUpdate), string(plan.Modify)
	d.turn(changes)
	return nil
}

// turn makes an enable or a disable of a change that turns the account on or off.
func (d *undoing) turn(changes []connector.Change) {
	for _, ch := range changes {
		m := mappingOf(d.rule, ch.Attr)
		switch {
		case m == nil || !m.NamesSoftDeleted:
		case d.u.Action == string(plan.Disable) && d.link.State != store.Active:
			d.w.Action, d.t.After = string(plan.Enable), store.Active
		case d.link.State == store.Active && strings.EqualFold(mapping.Text(ch.New), "false") && strings.EqualFold(mapping.Text(ch.Old), "true"):
			d.w.Action, d.w.Pass, d.t.After, d.t.Soft = string(plan.Disable), d.rule.takeAway(), store.Disabled, true
		}
	}
}

// setBackValue is the change of one attribute, if it still has the value that the cycle gave it.
func (d *undoing) setBackValue(m *mapping.Mapping, v undoneValue) (connector.Change, bool) {
	now, before := d.now.Value(v.Attr), v.Old
	switch {
	case plan.Alike(m, now, before):
		return connector.Change{}, false
	case !plan.Alike(m, now, v.New):
		d.keep(v, now)
		return connector.Change{}, false
	case identity.Empty(before):
		return connector.Change{Attr: v.Attr, Op: connector.Clear, Old: now}, true
	}
	return connector.Change{Attr: v.Attr, Op: connector.Set, Old: now, New: before}, true
}

// setBackReference does the same for a manager.
func (d *undoing) setBackReference(v undoneValue) {
	now, before, after := d.now.Refs[v.Attr], mapping.Text(v.Old), mapping.Text(v.New)
	ref, known := d.refs[identity.Ref{Kind: d.rule.refersTo(v.Attr), Anchor: before}]
	switch {
	case now == before:
	case now != after, before != "" && !known:
		d.keep(v, now)
	case before == "":
		d.t.Refs = append(d.t.Refs, refChange{Attr: v.Attr, Clear: true})
	default:
		d.t.Refs = append(d.t.Refs, refChange{Attr: v.Attr, Set: &ref})
	}
}

// setBackMembers takes away members that the cycle added and adds those that it took away. Members cannot be read, so
// what the job has written last stands for what is there.
func (d *undoing) setBackMembers(ctx context.Context) error {
	for i := range d.rule.set.Mappings {
		m := &d.rule.set.Mappings[i]
		if !m.IsReference() || !m.Def.MultiValued {
			continue
		}
		written, err := d.cycle.Store.Members(ctx, d.cycle.subject.Job.ID, d.w.ObjectKey, m.Target)
		if err != nil {
			return fmt.Errorf("rule %s: read the members written for %q: %w", d.w.Rule, d.w.Anchor, err)
		}
		ch := refChange{Attr: m.Target, Multi: true}
		for _, u := range d.u.Members {
			if u.Attr != m.Target {
				continue
			}
			ref, known := d.refs[identity.Ref{Kind: d.rule.refersTo(u.Attr), Anchor: u.Target}]
			at := slices.IndexFunc(written, func(o store.Member) bool { return o.Target == u.Target })
			switch {
			case u.Added && at >= 0:
				ch.Remove = append(ch.Remove, written[at])
			case u.Added: // gone already
			case !known:
				d.keep(undoneValue{Attr: u.Attr, Old: u.Target}, nil)
			case !slices.ContainsFunc(written, func(o store.Member) bool { return o.Ref == ref }):
				ch.Add = append(ch.Add, ref)
			}
		}
		if !ch.empty() {
			d.t.Refs = append(d.t.Refs, ch)
		}
	}
	return nil
}

// keep notes an attribute that is left as it is, with what the cycle wrote and what is there.
func (d *undoing) keep(v undoneValue, now any) {
	d.t.Drift = append(d.t.Drift, drifted{Change: connector.Change{Attr: v.Attr, Op: connector.Set, Old: now, New: v.New}, Kept: true})
}

// unmake takes away an account that the cycle created, if nobody has touched it since.
func (d *undoing) unmake(ctx context.Context) error {
	changed, err := d.touched(ctx)
	if err != nil {
		return err
	}
	d.t.Current = d.now
	d.w.Stage, d.w.Pass = store.ToExport, d.rule.takeAway()
	switch {
	case changed != "":
		d.leave("created by that cycle and changed since: " + changed)
	case d.rule.def.Actions.Delete:
		d.w.Action, d.t.After = string(plan.Delete), store.Unlinked
		d.t.Reason += ", which created the account"
	case d.link.State != store.Active:
		d.leave("created by that cycle, and disabled already; the rule does not allow deletes")
	case !d.rule.set.CanDisable() || !d.rule.def.Actions.Update:
		d.leave("created by that cycle; the rule allows neither a delete nor a disable")
	default:
		res, err := d.rule.set.Eval(&identity.Object{Kind: d.rule.def.From, Anchor: d.w.Anchor}, true, true, mapping.Context{Now: d.cycle.Now})
		if err != nil {
			code, reason := failureOf(err)
			failTask(d.w, d.t, code, reason)
			return nil
		}
		d.t.Soft, d.t.After = true, store.Released
		d.t.Reason += ", which created the account; the rule does not allow deletes, so it is disabled"
		decideUpdate(d.rule, d.w, d.t, res.Values, d.now)
		d.w.Action = string(plan.Disable)
	}
	return nil
}

// touched names what was changed in an account since the cycle created it.
func (d *undoing) touched(ctx context.Context) (string, error) {
	var names []string
	if d.last == nil {
		return "nothing is known of what was written", nil
	}
	for _, ch := range plan.Drift(d.rule.set, d.last, d.now) { // by hand
		names = append(names, ch.Attr)
	}
	made := map[string]undoneValue{}
	for _, v := range d.u.Attrs {
		made[v.Attr] = v
	}
	for i := range d.rule.set.Mappings { // by a later cycle
		m := &d.rule.set.Mappings[i]
		v := made[m.Target]
		switch {
		case m.IsReference() && m.Def.MultiValued:
			same, err := d.sameMembers(ctx, m.Target)
			if err != nil {
				return "", err
			}
			if !same {
				names = append(names, m.Target)
			}
		case m.IsReference():
			if d.last.Refs[m.Target] != mapping.Text(v.New) {
				names = append(names, m.Target)
			}
		case !shownRedacted(v.New) && !plan.Alike(m, d.last.Value(m.Target), v.New):
			names = append(names, m.Target)
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", "), nil
}

// sameMembers tells whether the members written are those that the cycle gave the account.
func (d *undoing) sameMembers(ctx context.Context, attr string) (bool, error) {
	written, err := d.cycle.Store.Members(ctx, d.cycle.subject.Job.ID, d.w.ObjectKey, attr)
	if err != nil {
		return false, fmt.Errorf("rule %s: read the members written for %q: %w", d.w.Rule, d.w.Anchor, err)
	}
	n := 0
	for _, m := range d.u.Members {
		if m.Attr != attr || !m.Added {
			continue
		}
		n++
		if !slices.ContainsFunc(written, func(o store.Member) bool { return o.Target == m.Target }) {
			return false, nil
		}
	}
	return n == len(written), nil
}

// makeAnew plans another account in place of one that the cycle deleted. It is looked for first, like any other.
func (d *undoing) makeAnew() {
	if d.link.Target != "" {
		d.leave("deleted by that cycle, and has another account by now")
		return
	}
	var values []mapping.Value
	for i := range d.rule.set.Mappings {
		m := &d.rule.set.Mappings[i]
		v := mapping.Value{Index: i}
		for _, had := range d.u.Attrs {
			ref, known := d.refs[identity.Ref{Kind: d.rule.refersTo(m.Target), Anchor: mapping.Text(had.Old)}]
			switch {
			case had.Attr != m.Target || shownRedacted(had.Old):
			case !m.IsReference():
				v.Value = had.Old
			case known:
				v.Refs = append(v.Refs, ref)
			}
		}
		for _, had := range d.u.Members {
			if ref, known := d.refs[identity.Ref{Kind: d.rule.refersTo(m.Target), Anchor: had.Target}]; had.Attr == m.Target && !had.Added && known {
				v.Refs = append(v.Refs, ref)
			}
		}
		slices.SortFunc(v.Refs, mapping.CompareRefs)
		values = append(values, v)
	}
	t := d.t
	t.Values, t.Match = values, questions(d.rule.set, values)
	if len(t.Match) == 0 {
		d.leave("deleted by that cycle, whose log does not say what the account had")
		return
	}
	t.Prior, t.After = store.Unlinked, store.Active
	t.Reason += ", which deleted the account: another one is made, with another id and nothing that the application kept with the old one"
	d.w.Stage, d.w.Pass, d.w.Target = store.ToMatch, d.rule.pass(passCreate), ""
	d.cycle.again = append(d.cycle.again, identity.Ref{Kind: d.rule.def.From, Anchor: d.w.Anchor})
}

func shownRedacted(v any) bool { return v == plan.RedactedText }

// each does something for each of n objects, as many at once as the target bears. What fails for one object alone is left
// to do.
func (c *cycle) each(ctx context.Context, n int, op string, do func(ctx context.Context, i int) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.caps.Concurrency)
	var down streak
	for i := range n {
		g.Go(func() error {
			err := do(gctx, i)
			switch {
			case err == nil:
				down.end()
				return nil
			case react(gctx, err) == failObject || react(gctx, err) == lookAgain:
				return down.add(op, err)
			}
			return &jobFailure{reason: quarantineConnection, op: op, err: err}
		})
	}
	return g.Wait()
}
