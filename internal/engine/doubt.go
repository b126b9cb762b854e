package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/match"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// A create of which nobody knows whether it took effect leaves its object without a link, with the values that were
// sent as its projection and the time of it in Confirmed: it is in doubt. As long as somebody is to have an account, the
// search by joining values finds the one that was made. When they leave before that, or have other joining values by
// then, the account is looked for by the values that were sent; otherwise it would stay for ever, and usable. The same
// holds for an account that was matched, and of which nobody knows whether it took what was sent to it.

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

// made tells whether an account that was found by joining values is the one that a request in doubt has made or changed.
// Somebody may have made one by hand meanwhile, for the same person or another one, and that must never be taken away, so
// there has to be evidence (I2). If a value that was sent is the object's own key, which nobody but us writes, it decides
// alone. Otherwise the account has to show at least two of the values that were sent, half of them or more, and other ones
// in place of none.
func (t *task) made(r *rule, anchor string, found *plan.Current) bool {
	if t.Sent == nil || found == nil {
		return false
	}
	same, others, all := 0, 0, 0
	for name, v := range t.Sent.Values {
		if _, flag := v.(bool); flag || slices.Contains(r.joining(), name) {
			continue
		}
		sent, shown := mapping.Text(v), mapping.Text(found.Value(name))
		switch {
		case sent == anchor:
			return shown == anchor
		case strings.EqualFold(sent, shown):
			same++
		case shown != "":
			others++
		}
		all++
	}
	return others == 0 && same >= 2 && 2*same >= all
}

// madeFirst leaves, of the answers about an object in doubt, the account that a request of ours has made or changed, if
// there is one: somebody else's may have its joining value by now, and the object would have two (I1).
func (c *cycle) madeFirst(ctx context.Context, r *rule, w *store.WorkItem, t *task, answers []answer, given map[string]string) ([]answer, error) {
	for _, a := range answers[min(len(t.own()), len(answers)):] {
		if a.err != nil || len(a.hits) != 1 || !t.made(r, w.Anchor, a.cur) {
			continue
		}
		owner, err := c.owner(ctx, r, a.hits, given)
		if err != nil {
			return nil, err
		}
		if owner == "" || owner == w.Anchor {
			return []answer{a}, nil
		}
	}
	return answers, nil
}

// judgeOrphan decides about the account that somebody who is to have none may have been given by a create in doubt. If
// there is one, it is linked and taken away like any other, under the guard.
func (c *cycle) judgeOrphan(ctx context.Context, r *rule, w *store.WorkItem, t *task, answers []answer, given map[string]string, batch *store.Batch) error {
	var another string // account that may be the one, and of which that is not certain
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
		if len(a.hits) != 1 || owner != "" && owner != w.Anchor {
			continue
		}
		if !t.made(r, w.Anchor, a.cur) {
			another = a.hits[0].Anchor
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
	if another != "" {
		t.Code = codeOutOfScope
		t.Reason += fmt.Sprintf("; account %s has the joining value of a request whose answer was lost, and does not show what else was sent, so it is taken for somebody's own and left alone: look at it", another)
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

// interrupted is a cycle that does not go on, as its checkpoint has it.
type interrupted struct {
	store.Cycle
	progressMark
	earlier bool // an earlier process has worked on it, so each item that is left may have been sent
}

// leaveDoubts remembers what a cycle that does not go on may have sent without its outcome being recorded: creates up to
// the place to which they were announced are in doubt, accounts that were to be changed are read before anything is
// decided about them again, and members that were to be added may be there.
func (e *Engine) leaveDoubts(ctx context.Context, s Subject, old interrupted) error {
	if old.Phase != store.PhaseExport {
		return nil
	}
	var at *store.Position
	for {
		works, err := e.Store.WorkAt(ctx, old.ID, []store.Stage{store.ToExport}, at, blockSize)
		if err != nil {
			return fmt.Errorf("cycle %s: read its work: %w", old.ID, err)
		}
		if len(works) == 0 || works[0].Pass >= passRecord {
			return nil
		}
		last := works[len(works)-1]
		at = &store.Position{Pass: last.Pass, Depth: last.Depth, Rule: last.Rule, Anchor: last.Anchor}
		batch := &store.Batch{JobID: old.JobID, CycleID: old.ID, Epoch: s.Job.Epoch}
		if err := e.doubtsOf(ctx, s, works, old, batch); err != nil {
			return err
		}
		if len(batch.Objects) > 0 {
			if err := e.Store.Commit(ctx, batch); err != nil {
				return fmt.Errorf("job %s: write state: %w", s.Job.Name, err)
			}
		}
	}
}

func (e *Engine) doubtsOf(ctx context.Context, s Subject, works []store.WorkItem, old interrupted, batch *store.Batch) error {
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
		if w.Pass >= passRecord {
			continue
		}
		t, err := decodeTask(w)
		if err != nil {
			return err
		}
		was, linked := known[w.Rule][w.Anchor]
		linked = linked && was.State != store.Unlinked
		to := old.Destinations[w.Rule]
		switch create := w.Action == string(plan.Create); {
		case create && (old.Announced == nil || after(store.Position{Pass: w.Pass, Depth: w.Depth, Rule: w.Rule, Anchor: w.Anchor}, *old.Announced)):
			continue
		case create && was.State == store.Unlinked:
			e.doubtOf(w, t, t.values(to), batch)
		case linked:
			was.Hash, was.Confirmed = hash{}, time.Time{}
			if old.earlier && t.After == store.Active && was.State != store.Active && t.Current != nil { // it may have been enabled, so it can be disabled again
				was.State = store.Active
				cur := t.known()
				cur.Doubt(t.Changes)
				cur.Read = false
				batch.Project = append(batch.Project, store.Projection{ObjectKey: w.ObjectKey, Name: t.Name, Doc: encodeCurrent(cur)})
			}
			batch.Objects = append(batch.Objects, was)
			i := slices.IndexFunc(s.Def.Rules, func(r job.Rule) bool { return r.Name == w.Rule })
			if w.Action == string(plan.Delete) && i >= 0 {
				batch.Unresolved = append(batch.Unresolved, lost(w.ObjectKey, s.Def.Rules[i].From, was.Target)) // perhaps
			}
		case !create && old.earlier && t.Matched != "":
			e.doubtOf(w, t, t.changed(), batch)
		default:
			continue
		}
		if old.earlier {
			if err := e.doubtMembersOf(ctx, s.Def.Rules, t.adds(w.ObjectKey, to), batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// doubtOf remembers that an object may have an account, and what was sent to it.
func (e *Engine) doubtOf(w store.WorkItem, t *task, values map[string]any, batch *store.Batch) {
	for _, q := range t.own() {
		values[q.Attr] = q.Value
	}
	batch.Objects = append(batch.Objects, store.Object{ObjectKey: w.ObjectKey, Confirmed: e.Now()})
	batch.Project = append(batch.Project, store.Projection{ObjectKey: w.ObjectKey, Name: t.Name, Doc: encodeCurrent(&plan.Current{Values: values})})
}

// destination is where a mapping writes to. The work list names mappings by their place in the rule, so the checkpoint
// tells what they were: the rule may have others by the time a cycle is given up.
type destination struct {
	Attr string `json:"attr"`
	Many bool   `json:"many,omitempty"` // members
}

// destinations are those of all mappings, by rule.
func (c *cycle) destinations() map[string][]destination {
	out := make(map[string][]destination, len(c.rules))
	for _, r := range c.rules {
		for i := range r.set.Mappings {
			m := &r.set.Mappings[i]
			out[r.def.Name] = append(out[r.def.Name], destination{m.Target, m.IsReference() && m.Def.MultiValued})
		}
	}
	return out
}

// values are those that a create sends.
func (t *task) values(to []destination) map[string]any {
	out := map[string]any{}
	for _, v := range t.Values {
		if v.Index < len(to) && len(v.Refs) == 0 && !v.Ignored && v.Value != nil {
			out[to[v.Index].Attr] = v.Value
		}
	}
	return out
}

// changed are the values that an update sends.
func (t *task) changed() map[string]any {
	out := map[string]any{}
	for _, ch := range t.Changes {
		if _, isRef := ch.New.(identity.Ref); ch.Op == connector.Set && !isRef {
			out[ch.Attr] = ch.New
		}
	}
	return out
}

// adds are the memberships that a task writes, without their accounts.
func (t *task) adds(owner store.ObjectKey, to []destination) []store.Member {
	var out []store.Member
	add := func(attr string, refs []identity.Ref) {
		for _, ref := range refs {
			out = append(out, store.Member{Owner: owner, Attr: attr, Ref: ref})
		}
	}
	for _, ch := range t.Refs {
		add(ch.Attr, ch.Add)
	}
	if t.Prior == store.Unlinked && t.Matched == "" { // a create
		for _, v := range t.Values {
			if v.Index < len(to) && to[v.Index].Many && !v.Ignored {
				add(to[v.Index].Attr, v.Refs)
			}
		}
	}
	return out
}

// doubtMembersOf remembers members that an earlier process may have added (pen.doubtMembers).
func (e *Engine) doubtMembersOf(ctx context.Context, rules []job.Rule, members []store.Member, batch *store.Batch) error {
	for _, r := range rules {
		var anchors []string
		for _, m := range members {
			if m.Ref.Kind == r.From {
				anchors = append(anchors, m.Ref.Anchor)
			}
		}
		if len(anchors) == 0 {
			continue
		}
		known, err := e.Store.ObjectsByAnchor(ctx, batch.JobID, r.Name, anchors)
		if err != nil {
			return fmt.Errorf("rule %s: read links: %w", r.Name, err)
		}
		for _, m := range members {
			if m.Target = known[m.Ref.Anchor].Target; m.Ref.Kind == r.From && m.Target != "" {
				batch.Members = append(batch.Members, m)
				batch.Unresolved = append(batch.Unresolved, store.Unresolved{Owner: m.Owner, Attr: m.Attr, Ref: m.Ref})
			}
		}
	}
	return nil
}

// repeated treats an item that failed as one that may have taken effect when an earlier process has worked on the cycle:
// it may have sent all of it before it died.
func (p *pen) repeated() {
	create := p.it.Action == string(plan.Create)
	if !p.resumed || p.it.Pass >= passRecord || create && !p.it.doubtful || p.it.Target == "" {
		return
	}
	if p.it.Action == string(plan.Delete) {
		p.perhapsLost(p.it.Target)
	}
	p.doubt = true
	if p.cur != nil && !p.res.written {
		p.cur.Doubt(p.t.Changes)
	}
	var open []store.Member
	for _, m := range p.t.adds(p.it.ObjectKey, nil) {
		if m.Target, _ = p.resolve(p.it, m.Ref); m.Target != "" && !slices.Contains(p.res.batch.Members, m) {
			open = append(open, m)
		}
	}
	p.doubtMembers(open)
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
