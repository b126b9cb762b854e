package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/match"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// A create of which nobody knows whether it took effect leaves its object without a link, with the values that were
// sent as its projection and the time of it in Confirmed: it is in doubt. As long as somebody is to have an account, the
// search by joining values finds the one that was made. When they leave before that, or have other joining values by
// then, the account is looked for by the values that were sent; otherwise it would stay for ever, and usable.

// inDoubt tells whether an object without a link may have an account all the same.
func inDoubt(o store.Object) bool { return o.State == store.Unlinked && !o.Confirmed.IsZero() }

// doubted decides about an object in doubt. Who is to have no account is treated as if the link were known, once the
// account has been looked for.
func (e *evaluation) doubted() (*store.WorkItem, *task, bool, error) {
	sent := e.last
	known := e.known
	e.last = nil
	w, t, in, err := e.decide()
	if err != nil || t.Failed {
		return w, t, in, err
	}
	if w.Stage == store.ToMatch {
		for _, q := range e.sentAs(sent) {
			if !asked(t.Match, q, e.rule) {
				t.Match, t.Earlier = append(t.Match, q), t.Earlier+1
			}
		}
		t.Sent = sent
		return w, t, in, nil
	}
	e.last, e.known.State, e.known.Confirmed = sent, store.Active, time.Time{}
	taking, taken, _, err := e.decide()
	e.known = known
	if err != nil || !plan.Action(taking.Action).Deprovisions() {
		return w, t.certain(), in, nil //nolint:nilerr // nothing would be taken away, so nothing need be looked for
	}
	taking.Stage, taken.Orphan, taken.Sent, taken.Match = store.ToMatch, true, sent, e.sentAs(sent)
	taken.Prior, taken.Confirm = store.Unlinked, known.Confirmed
	return taking, taken, in, nil
}

// sentAs are the joining values that a create carried.
func (e *evaluation) sentAs(sent *plan.Current) []match.Question {
	var out []match.Question
	for _, attr := range e.rule.joining() {
		if text := mapping.Text(sent.Value(attr)); text != "" {
			out = append(out, match.Question{Attr: attr, Value: text})
		}
	}
	return out
}

func asked(list []match.Question, q match.Question, r *rule) bool {
	for _, other := range list {
		if other.Attr == q.Attr && r.fold(q.Attr, other.Value) == r.fold(q.Attr, q.Value) {
			return true
		}
	}
	return false
}

// certain says that a task leaves no doubt behind.
func (t *task) certain() *task {
	t.Orphan, t.Confirm = true, time.Time{}
	return t
}

// own are the questions about what the object is now; those after them are about what a create in doubt carried.
func (t *task) own() []match.Question { return t.Match[:len(t.Match)-t.Earlier] }

// made tells whether an account that was found by joining values is the one that a create in doubt has made: it shows at
// least half of the other values that were sent. Some may have been changed in the target by hand since; an account that
// somebody made by hand has fewer.
func (t *task) made(r *rule, found *plan.Current) bool {
	if t.Sent == nil || found == nil {
		return false
	}
	same, all := 0, 0
	for name, v := range t.Sent.Values {
		if _, flag := v.(bool); flag || slices.Contains(r.joining(), name) {
			continue
		}
		if all++; strings.EqualFold(mapping.Text(v), mapping.Text(found.Value(name))) {
			same++
		}
	}
	return 2*same >= all
}

// judgeOrphan decides about the account that somebody who is to have none may have been given by a create in doubt. If
// there is one, it is linked and taken away like any other, under the guard.
func (c *cycle) judgeOrphan(ctx context.Context, r *rule, w *store.WorkItem, t *task, answers []answer, given map[string]string, batch *store.Batch) error {
	for _, a := range answers {
		if a.err != nil {
			code, reason := failureOf(a.err)
			failTask(w, t, code, reason)
			return nil //nolint:nilerr // the object fails, and stays in doubt
		}
		owner, err := c.owner(ctx, r, a.hits, given)
		if err != nil {
			return err
		}
		if len(a.hits) != 1 || owner != "" && owner != w.Anchor || !t.made(r, a.cur) {
			continue
		}
		t.Prior, t.Matched, t.Orphan = store.Active, a.question.Attr+" "+a.question.Value, false
		t.Reason += "; its account was made by a request whose answer was lost"
		w.Target, w.Stage = a.hits[0].Anchor, store.ToExport
		given[claimed+w.Target] = w.Anchor
		batch.Index = append(batch.Index, store.IndexEntry{Kind: r.def.To, Attr: claimed, Value: w.Target, Anchor: w.Anchor})
		return nil
	}
	t.certain()
	w.Stage, w.Pass, t.Match, t.Changes, t.After = store.ToExport, passRecord, nil, nil, store.Unlinked
	if w.Action = string(plan.None); !t.Gone {
		w.Action, t.Code = string(plan.Other), codeOutOfScope
	}
	return nil
}

// leaveDoubt remembers that a create may have taken effect, and what it carried.
func (p *pen) leaveDoubt(o *store.Object) error {
	attrs, err := plan.New(p.r.set, p.t.Values)
	if err != nil {
		return err
	}
	sent := &plan.Current{Values: map[string]any{}}
	for _, a := range attrs {
		sent.Values[a.Name] = a.Value
	}
	o.Confirmed = p.Now()
	p.res.batch.Project = append(p.res.batch.Project, store.Projection{ObjectKey: p.it.ObjectKey, Name: p.t.Name, Doc: encodeCurrent(sent)})
	return nil
}

// leaveDoubts remembers what a cycle that does not go on may have sent without its outcome being recorded: creates up to
// the place to which they were announced are in doubt, and accounts that were to be changed are read before anything is
// decided about them again.
func (e *Engine) leaveDoubts(ctx context.Context, s Subject, cycle store.Cycle, announced *store.Position) error {
	if cycle.Phase != store.PhaseExport {
		return nil
	}
	var at *store.Position
	for {
		works, err := e.Store.WorkAt(ctx, cycle.ID, []store.Stage{store.ToExport}, at, blockSize)
		if err != nil {
			return fmt.Errorf("cycle %s: read its work: %w", cycle.ID, err)
		}
		if len(works) == 0 || works[0].Pass >= passRecord {
			return nil
		}
		last := works[len(works)-1]
		at = &store.Position{Pass: last.Pass, Depth: last.Depth, Rule: last.Rule, Anchor: last.Anchor}
		batch := &store.Batch{JobID: cycle.JobID, CycleID: cycle.ID, Epoch: s.Job.Epoch}
		if err := e.doubtsOf(ctx, s, works, announced, batch); err != nil {
			return err
		}
		if len(batch.Objects) > 0 {
			if err := e.Store.Commit(ctx, batch); err != nil {
				return fmt.Errorf("job %s: write state: %w", s.Job.Name, err)
			}
		}
	}
}

func (e *Engine) doubtsOf(ctx context.Context, s Subject, works []store.WorkItem, announced *store.Position, batch *store.Batch) error {
	anchors := map[string][]string{}
	for _, w := range works {
		anchors[w.Rule] = append(anchors[w.Rule], w.Anchor)
	}
	known := map[string]map[string]store.Object{}
	for rule, list := range anchors {
		objects, err := e.Store.ObjectsByAnchor(ctx, batch.JobID, rule, list)
		if err != nil {
			return fmt.Errorf("rule %s: read links: %w", rule, err)
		}
		known[rule] = objects
	}
	for _, w := range works {
		was, linked := known[w.Rule][w.Anchor]
		create := w.Action == string(plan.Create)
		switch {
		case w.Pass >= passRecord:
		case create && (announced == nil || after(store.Position{Pass: w.Pass, Depth: w.Depth, Rule: w.Rule, Anchor: w.Anchor}, *announced)):
		case create && was.State == store.Unlinked:
			t, err := decodeTask(w)
			if err != nil {
				return err
			}
			sent := &plan.Current{Values: map[string]any{}}
			for _, q := range t.own() {
				sent.Values[q.Attr] = q.Value
			}
			batch.Objects = append(batch.Objects, store.Object{ObjectKey: w.ObjectKey, Confirmed: e.Now()})
			batch.Project = append(batch.Project, store.Projection{ObjectKey: w.ObjectKey, Name: t.Name, Doc: encodeCurrent(sent)})
		case linked && was.State != store.Unlinked:
			was.Hash, was.Confirmed = hash{}, time.Time{}
			batch.Objects = append(batch.Objects, was)
			i := slices.IndexFunc(s.Def.Rules, func(r job.Rule) bool { return r.Name == w.Rule })
			if w.Action == string(plan.Delete) && i >= 0 {
				batch.Unresolved = append(batch.Unresolved, lost(w.ObjectKey, s.Def.Rules[i].From, was.Target)) // perhaps
			}
		}
	}
	return nil
}

// partly remembers of an item that is put back what of it was written already; the rest comes in a later slice, or, if
// the job fails before, in a later cycle.
func (p *pen) partly() {
	if !p.res.written || p.cur == nil || p.it.Target == "" || p.t.Prior == store.Unlinked {
		return
	}
	b := &p.res.batch
	b.Objects = append(b.Objects, store.Object{ObjectKey: p.it.ObjectKey, State: p.t.Prior, Target: p.it.Target})
	b.Project = append(b.Project, store.Projection{ObjectKey: p.it.ObjectKey, Name: p.t.Name, Doc: encodeCurrent(p.cur)})
}

// lose notes that the create is put back after a request whose answer was lost.
func (p *pen) lose() { p.cycle.lost.Store(p.it.ObjectKey, true) }

func (c *cycle) isLost(key store.ObjectKey) bool {
	_, ok := c.lost.Load(key)
	return ok
}
