package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/match"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// openChoice is a mapping with SelectUniqueValue in a work item: its candidates, and what the object fails with when
// all of them are taken (expressions O-19). It is kept after a value was chosen, for a target that refuses that value.
type openChoice struct {
	Index        int // of the mapping
	Values       []any
	Code, Reason string
}

// openChoices are the choices of an object that gets an account. Of one that had an account, which is gone from the
// target, the value that it had comes first: it keeps what it has.
func (e *evaluation) openChoices(in []mapping.Choice) []openChoice {
	out := make([]openChoice, 0, len(in))
	for _, c := range in {
		o := openChoice{Index: c.Index}
		o.Code, o.Reason = failureOf(c.Err)
		if had := e.last.Value(e.rule.set.Mappings[c.Index].Target); !identity.Empty(had) {
			o.Values = append(o.Values, had)
		}
		o.Values = append(o.Values, c.Values...)
		out = append(out, o)
	}
	return out
}

// foldChosen brings a candidate to the form under which two of them are the same. Where it is not known that letter
// case counts in the target, it does not, as in directories (expressions O-19).
func foldChosen(m *mapping.Mapping, v any) string {
	if m.Def.Known && !m.Def.FoldCase {
		return mapping.Text(v)
	}
	return identity.Fold(mapping.Text(v))
}

// promise says that an account with a chosen value is going to be made for a source object.
func (r *rule) promise(index int, v any, anchor string) store.IndexEntry {
	m := &r.set.Mappings[index]
	return store.IndexEntry{Kind: r.def.To, Attr: promised + m.Target, Value: foldChosen(m, v), Anchor: anchor}
}

// lookups are the attributes by which accounts are looked for: the joining ones, and those whose values are chosen.
func (r *rule) lookups() []string {
	out := r.joining()
	for _, m := range r.set.Unique() {
		out = append(out, m.Target)
	}
	return out
}

// queries is how many queries an object that gets an account takes at least, if accounts are not listed.
func (r *rule) queries() int64 { return 1 + int64(len(r.set.Unique())) }

// chooser settles the choices of a block of objects that get an account: the first candidate of each that no account
// of the target has and that no other object of this cycle was promised. It asks for many objects at once, and for no
// value twice.
type chooser struct {
	*cycle
	rule  *rule
	found map[string]map[string][]store.IndexEntry // of the index, by attribute and folded value
	given map[string]string                        // promised and claimed within this block
	known map[match.Question]holder
}

// holder is who has a value in the target.
type holder struct {
	taken bool
	owner string // source object whose account has it, if it is one of ours
	err   error  // the target could not say (engine.R102)
}

// pick is one object on its way through its choices.
type pick struct {
	w      *store.WorkItem
	t      *task
	next   int // candidate of the choice that is open
	values []any
	done   bool
}

// choose settles the objects of a block. Those that could not be settled because the target wants a pause are left for
// the next slice.
func (c *cycle) choose(ctx context.Context, r *rule, works []*store.WorkItem, tasks []*task,
	found map[string]map[string][]store.IndexEntry, given map[string]string, batch *store.Batch) (time.Duration, error) {
	ch := &chooser{cycle: c, rule: r, found: found, given: given, known: map[match.Question]holder{}}
	var picks []*pick
	for i, w := range works {
		if w.Action == string(plan.Create) && len(tasks[i].Choices) > 0 {
			picks = append(picks, &pick{w: w, t: tasks[i]})
		}
	}
	for {
		var open []match.Question
		for _, p := range picks {
			if q, ok := ch.advance(p, batch); ok && !slices.Contains(open, q) {
				open = append(open, q)
			}
		}
		if len(open) == 0 {
			return 0, nil
		}
		wait, err := ch.ask(ctx, open)
		if err != nil {
			return 0, err
		}
		if wait > 0 {
			for _, p := range picks {
				if _, more := ch.advance(p, batch); more {
					p.putBack()
				}
			}
			return wait, nil
		}
	}
}

// putBack leaves an object for the next slice, with what is known by now: no account matches it, and the candidates
// before the next one are taken.
func (p *pick) putBack() {
	p.w.Action, p.w.Stage, p.t.Unmatched = "", store.ToMatch, true
	open := &p.t.Choices[len(p.values)]
	open.Values = open.Values[p.next:]
	for i, v := range p.values {
		c := &p.t.Choices[i]
		c.Values = c.Values[slices.IndexFunc(c.Values, func(e any) bool { return identity.Equal(e, v, false) }):]
	}
}

// advance takes an object as far as what is known of its candidates goes, and returns the question that must be
// answered before it can go on.
func (ch *chooser) advance(p *pick, batch *store.Batch) (match.Question, bool) {
	for !p.done && len(p.values) < len(p.t.Choices) {
		choice := p.t.Choices[len(p.values)]
		m := &ch.rule.set.Mappings[choice.Index]
		if p.next == len(choice.Values) {
			failTask(p.w, p.t, choice.Code, choice.Reason)
			p.done = true
			break
		}
		v := choice.Values[p.next]
		if ch.promisedToAnother(m, v, p.w.Anchor) {
			p.next++
			continue
		}
		q := match.Question{Attr: m.Target, Value: mapping.Text(v)}
		h, asked := ch.known[q]
		switch {
		case !asked:
			return q, true
		case h.err != nil:
			code, reason := failureOf(h.err)
			failTask(p.w, p.t, code, fmt.Sprintf("which values of %s are taken could not be found out, which SelectUniqueValue needs: %s", m.Target, reason))
			p.done = true
		case h.taken && h.owner != p.w.Anchor:
			p.next++
		default:
			ch.given[promised+m.Target+"\x00"+foldChosen(m, v)] = p.w.Anchor
			p.values, p.next = append(p.values, v), 0
		}
	}
	if !p.done {
		ch.settle(p, batch)
	}
	return match.Question{}, false
}

// promisedToAnother tells whether an account with this value is going to be made for another object.
func (ch *chooser) promisedToAnother(m *mapping.Mapping, v any, anchor string) bool {
	text := foldChosen(m, v)
	if who := ch.given[promised+m.Target+"\x00"+text]; who != "" && who != anchor {
		return true
	}
	return slices.ContainsFunc(ch.found[promised+m.Target][text], func(e store.IndexEntry) bool { return e.Anchor != anchor })
}

// settle plans the account with the values that were chosen, and keeps the promise in the store, so that a process that
// takes the cycle over knows of it (design D13).
func (ch *chooser) settle(p *pick, batch *store.Batch) {
	p.done = true
	for i, v := range p.values {
		index := p.t.Choices[i].Index
		mapping.Settle(p.t.Values, index, v)
		batch.Index = append(batch.Index, ch.rule.promise(index, v, p.w.Anchor))
	}
	if _, err := plan.New(ch.rule.set, p.t.Values); err != nil { // engine.R62: fails before any request
		code, reason := failureOf(err)
		failTask(p.w, p.t, code, reason)
	}
}

// ask finds out who has values in the target: from the index where that knows, else by a query each.
func (ch *chooser) ask(ctx context.Context, questions []match.Question) (time.Duration, error) {
	r := ch.rule
	answers := make([]holder, len(questions))
	hits := make([][]*identity.Object, len(questions))
	waits := make([]time.Duration, len(questions))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(ch.caps.Concurrency)
	var down streak
	for i, q := range questions {
		g.Go(func() error {
			got, _, wait, err := ch.cycle.ask(gctx, r, q, r.list.complete, ch.found[q.Attr][identity.Fold(q.Value)])
			var e *connector.Error
			switch {
			case wait > 0, IsJobFailure(err), err != nil && !errors.As(err, &e):
				waits[i] = wait
				return err
			case err != nil:
				answers[i].err = err
				return down.add("look for taken values", err)
			}
			down.end()
			hits[i] = got
			if len(got) == 0 {
				answers[i].taken, answers[i].err = ch.reserved(gctx, r, q.Attr, q.Value)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	for i, q := range questions {
		if waits[i] > 0 {
			continue
		}
		var err error
		answers[i].taken = answers[i].taken || len(hits[i]) > 0
		if answers[i].owner, err = ch.owner(ctx, r, hits[i], ch.given); err != nil {
			return 0, err
		}
		ch.known[q] = answers[i]
	}
	return slices.Max(waits), nil
}

// reserved asks a target that keeps values of objects that it does not show.
func (c *cycle) reserved(ctx context.Context, r *rule, attr, value string) (bool, error) {
	keeper, ok := ability[connector.Reserver](c.subject.Target)
	if !ok {
		return false, nil
	}
	return keeper.Reserved(ctx, r.def.To, attr, value)
}

// chooseNow chooses for an account that turns out to be made only while exporting: its choices are open, from the
// candidates at the places given. Objects choose one after the other, and each promise is stored before it is used.
// The error is a *connector.Error when every candidate is taken.
func (p *pen) chooseNow(ctx context.Context, from []int) error {
	if len(p.t.Choices) == 0 {
		return nil
	}
	p.choosing.Lock()
	defer p.choosing.Unlock()
	batch := &store.Batch{}
	values := make([]any, len(p.t.Choices))
	for i, choice := range p.t.Choices {
		v, err := p.firstFree(ctx, choice, from[i])
		if err != nil {
			return err
		}
		values[i] = v
		batch.Index = append(batch.Index, p.r.promise(choice.Index, v, p.it.Anchor))
	}
	if err := p.commit(ctx, batch); err != nil {
		return err
	}
	for i, choice := range p.t.Choices {
		mapping.Settle(p.t.Values, choice.Index, values[i])
	}
	return nil
}

func (p *pen) firstFree(ctx context.Context, choice openChoice, from int) (any, error) {
	m := &p.r.set.Mappings[choice.Index]
	for _, v := range choice.Values[from:] {
		pr := p.r.promise(choice.Index, v, p.it.Anchor)
		others, err := p.work.Indexed(ctx, p.row.ID, pr.Kind, pr.Attr, []string{pr.Value})
		if err != nil {
			return nil, fmt.Errorf("cycle %s: read the index of accounts: %w", p.row.ID, err)
		}
		if slices.ContainsFunc(others[pr.Value], func(e store.IndexEntry) bool { return e.Anchor != p.it.Anchor }) {
			continue
		}
		taken, err := p.isTaken(ctx, m, v)
		if err != nil {
			return nil, err
		}
		if !taken {
			return v, nil
		}
	}
	return nil, &connector.Error{Kind: connector.KindConflict, Code: choice.Code, Detail: choice.Reason}
}

// isTaken asks the target whether an account other than the object's own has a value.
func (p *pen) isTaken(ctx context.Context, m *mapping.Mapping, v any) (bool, error) {
	hits, err := p.subject.Target.Find(ctx, p.r.def.To, m.Target, mapping.Text(v), 2)
	if err != nil {
		return false, err
	}
	if len(hits) == 0 {
		return p.reserved(ctx, p.r, m.Target, mapping.Text(v))
	}
	owner, err := p.owner(ctx, p.r, hits, nil)
	return owner != p.it.Anchor, err
}

// chooseAgain chooses other values for a create that the target refused because a value is taken: one that was free
// when the cycle asked, or one that the target does not show, such as that of an account in its recycle bin. Values
// that the target says are taken are given up; if it says so of none, all are. It returns false when there is nothing
// else to try.
func (p *pen) chooseAgain(ctx context.Context) (bool, error) {
	n := len(p.t.Choices)
	at, taken := make([]int, n), make([]bool, n)
	for i, choice := range p.t.Choices {
		var current any
		for _, v := range p.t.Values {
			if v.Index == choice.Index {
				current = v.Value
			}
		}
		at[i] = slices.IndexFunc(choice.Values, func(e any) bool { return identity.Equal(e, current, false) })
		if at[i] < 0 {
			return false, nil
		}
		var err error
		if taken[i], err = p.isTaken(ctx, &p.r.set.Mappings[choice.Index], current); err != nil {
			return false, err
		}
	}
	blamed := slices.Contains(taken, true)
	more := false
	for i, choice := range p.t.Choices {
		if taken[i] || !blamed && at[i]+1 < len(choice.Values) {
			at[i]++
			more = true
		}
	}
	if !more {
		return false, nil
	}
	return true, p.chooseNow(ctx, at)
}
