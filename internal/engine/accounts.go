package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/match"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Names under which the index keeps what this cycle has given away already, beside the target's own attributes.
const (
	promised = "#promised:" // + joining attribute: value → source anchor that an account with it will be created for
	claimed  = "#claimed"   // target anchor → source anchor that it was matched to
)

// findAccounts looks for the accounts of objects in scope that have no link (engine section 6), by the index or by one
// query each, whichever takes fewer calls (design D1).
func (c *cycle) findAccounts(ctx context.Context) (time.Duration, error) {
	if open, err := c.work.WorkAt(ctx, c.row.ID, []store.Stage{store.ToMatch}, nil, 1); err != nil {
		return 0, fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
	} else if len(open) == 0 { // the read has settled all with the index
		return 0, nil
	}
	for _, r := range c.rules {
		due, err := c.countToMatch(ctx, r)
		if err != nil {
			return 0, err
		}
		if due == 0 {
			continue
		}
		r.list.due = max(r.list.due, due)
		if wait, err := c.index(ctx, r); wait > 0 || err != nil {
			return wait, err
		}
		var after *store.Position
		for {
			items, err := c.work.WorkAt(ctx, c.row.ID, []store.Stage{store.ToMatch}, after, blockSize)
			if err != nil {
				return 0, fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
			}
			if len(items) == 0 {
				break
			}
			last := items[len(items)-1]
			after = &store.Position{Pass: last.Pass, Depth: last.Depth, Rule: last.Rule, Anchor: last.Anchor}
			items = slices.DeleteFunc(items, func(w store.WorkItem) bool { return w.Rule != r.def.Name })
			tasks := make([]*task, len(items))
			works := make([]*store.WorkItem, len(items))
			for i := range items {
				if tasks[i], err = decodeTask(items[i]); err != nil {
					return 0, err
				}
				works[i] = &items[i]
			}
			batch := &store.Batch{}
			wait, err := c.matchBlock(ctx, r, works, tasks, batch)
			if err != nil {
				return 0, err
			}
			if err := c.commit(ctx, batch); err != nil || wait > 0 {
				return wait, err
			}
		}
	}
	return 0, nil
}

func (c *cycle) countToMatch(ctx context.Context, r *rule) (int64, error) {
	counts, err := c.work.CountWork(ctx, c.row.ID)
	if err != nil {
		return 0, fmt.Errorf("cycle %s: count its work: %w", c.row.ID, err)
	}
	var n int64
	for _, k := range counts {
		if k.Rule == r.def.Name && k.Stage == store.ToMatch {
			n += k.N
		}
	}
	return n, nil
}

// listing is how far the accounts of a kind have been listed for one rule.
type listing struct {
	due      int64 // objects without a link that the cycle has come across
	started  bool
	cursor   string // of the next page
	pages    int64  // in all, as the first page told
	accounts int64  // on the pages read
	empty    bool   // the listing is complete, and there are none
	complete bool   // an account that is not in the index does not exist
	again    bool   // the listing began anew once, since the target had forgotten its cursor
}

// forgotten tells whether a target has forgotten the cursor of a listing, which then begins anew, once.
func forgotten(err error, cursor string, again bool) bool {
	return cursor != "" && !again && connector.KindOf(err) == connector.KindNotFound
}

// index lists the target's accounts, page by page, as soon as that takes fewer calls than a query for each object that
// is due (design D1). A first page that shows that there are more pages than objects is kept: its hits save queries.
func (c *cycle) index(ctx context.Context, r *rule) (wait time.Duration, err error) {
	lister, ok := c.subject.Target.(connector.Lister)
	if !ok || !c.caps.List || r.list.complete || len(c.caps.Calls[connector.OpFind]) == 0 { // queries that cost no calls need no index
		return 0, nil
	}
	size := int64(c.caps.PageSize)
	pages := func(n int64) int64 { return max(1, (n+size-1)/size) }
	kind := string(r.def.To)
	due := r.list.due * r.queries()
	if !r.list.started && due <= pages(max(r.linked, c.subject.Job.LastTotal[kind])) {
		return 0, nil
	}
	for !r.list.started || due >= r.list.pages {
		page, err := lister.List(ctx, r.def.To, r.list.cursor)
		if forgotten(err, r.list.cursor, r.list.again) {
			r.list = listing{due: r.list.due, again: true}
			continue
		}
		if err != nil {
			return c.whileReading(ctx, "list the target's accounts", err)
		}
		batch := &store.Batch{}
		for _, o := range page.Objects {
			c.indexObject(batch, r, o)
		}
		if err := c.commit(ctx, batch); err != nil {
			return 0, err
		}
		if !r.list.started && page.Total >= 0 {
			if c.subject.Job.LastTotal == nil {
				c.subject.Job.LastTotal = map[string]int64{}
			}
			c.subject.Job.LastTotal[kind] = int64(page.Total)
			r.list.pages = pages(int64(page.Total))
		}
		r.list.started, r.list.cursor = true, page.Next
		r.list.accounts += int64(len(page.Objects))
		if page.Next == "" {
			r.list.complete, r.list.empty = true, r.list.accounts == 0
			return 0, nil
		}
	}
	return 0, nil
}

func (c *cycle) indexObject(batch *store.Batch, r *rule, o *identity.Object) {
	doc := encodeCurrent(asCurrent(o))
	for _, attr := range r.lookups() {
		v, _ := o.Get(attr)
		values, several := v.([]any)
		if !several {
			values = []any{v}
		}
		for _, v := range values {
			if text := mapping.Text(v); text != "" {
				batch.Index = append(batch.Index, store.IndexEntry{Kind: r.def.To, Attr: attr, Value: identity.Fold(text), Anchor: o.Anchor, Doc: doc})
			}
		}
	}
}

// asCurrent shows an account that was read as what it is believed to have.
func asCurrent(o *identity.Object) *plan.Current {
	cur := &plan.Current{Values: map[string]any{}, Refs: map[string]string{}, Read: true}
	for _, a := range o.Attrs {
		switch v := a.Value.(type) {
		case identity.Ref:
			cur.Refs[a.Name] = v.Anchor
		case nil:
		default:
			cur.Values[a.Name] = v
		}
	}
	return cur
}

// matchBlock decides about a block of objects without a link and puts what it decided into the batch.
func (c *cycle) matchBlock(ctx context.Context, r *rule, items []*store.WorkItem, tasks []*task, batch *store.Batch) (time.Duration, error) {
	if len(items) == 0 {
		return 0, nil
	}
	values := map[string][]string{} // folded joining values by attribute
	for _, t := range tasks {
		for _, q := range t.Match {
			values[q.Attr] = append(values[q.Attr], identity.Fold(q.Value))
			values[promised+q.Attr] = append(values[promised+q.Attr], r.fold(q.Attr, q.Value))
		}
		for _, choice := range t.Choices {
			m := &r.set.Mappings[choice.Index]
			for _, v := range choice.Values {
				values[m.Target] = append(values[m.Target], identity.Fold(mapping.Text(v)))
				values[promised+m.Target] = append(values[promised+m.Target], foldChosen(m, v))
			}
		}
	}
	found := map[string]map[string][]store.IndexEntry{}
	for attr, vs := range values {
		if strings.HasPrefix(attr, promised) {
			vs = c.promises.among(attr, vs)
		} else if r.list.empty {
			vs = nil
		}
		if len(vs) == 0 {
			continue
		}
		hits, err := c.work.Indexed(ctx, c.row.ID, r.def.To, attr, vs)
		if err != nil {
			return 0, fmt.Errorf("cycle %s: read the index of accounts: %w", c.row.ID, err)
		}
		found[attr] = hits
	}
	answers, wait, err := c.askAll(ctx, r, tasks, r.list.complete, found)
	if err != nil {
		return 0, err
	}
	c.solo.note(items, answers)
	given := map[string]string{} // promised and claimed within this block
	for i := range items {
		w, t := items[i], tasks[i]
		if answers[i] == nil && len(t.Match) > 0 {
			continue // not asked: the slice ended before, and it stays to be matched
		}
		if err := c.judge(ctx, r, w, t, r.list.complete, answers[i], found, given, batch); err != nil {
			return 0, err
		}
	}
	later, err := c.choose(ctx, r, items, tasks, found, given, batch)
	if err != nil {
		return 0, err
	}
	for i := range items {
		batch.Work = append(batch.Work, finishItem(items[i], tasks[i]))
	}
	c.promises.add(batch.Index)
	return max(wait, later), nil
}

// promises are hashes of the values that accounts to be made were promised, as far as the process that read the source
// has made them itself: a value that is not among them need not be looked up. Those of many objects are not remembered.
type promises map[uint64]struct{}

const mostPromises = 1 << 17

func (p promises) hash(attr, value string) uint64 {
	return xxh3.HashStringSeed(value, xxh3.HashString(attr))
}

func (p promises) add(entries []store.IndexEntry) {
	if p == nil {
		return
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Attr, promised) && len(p) < mostPromises {
			p[p.hash(e.Attr, e.Value)] = struct{}{}
		}
	}
}

// among returns those of the values that may have been promised.
func (p promises) among(attr string, values []string) []string {
	if p == nil || len(p) >= mostPromises {
		return values
	}
	return slices.DeleteFunc(values, func(v string) bool { _, ok := p[p.hash(attr, v)]; return !ok })
}

// answer is what the target has for one question.
type answer struct {
	question match.Question
	hits     []*identity.Object
	cur      *plan.Current // of the first hit
	err      error         // the target could not say, for this object alone (engine.R102)
}

// askAll asks the questions of a block of objects, several objects at once, each in the order of its priorities until
// one has a hit. What was asked in an earlier slice is not asked again. The answers of an object that could not be asked because the target wants a pause are nil.
func (c *cycle) askAll(ctx context.Context, r *rule, tasks []*task, complete bool, found map[string]map[string][]store.IndexEntry) ([][]answer, time.Duration, error) {
	answers := make([][]answer, len(tasks))
	waits := make([]time.Duration, len(tasks))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.caps.Concurrency)
	var down streak
	for i, t := range tasks {
		if complete && !t.Unmatched && !slices.ContainsFunc(t.Match, func(q match.Question) bool { return len(found[q.Attr][identity.Fold(q.Value)]) > 0 }) {
			answers[i] = make([]answer, len(t.Match)) // the index has nothing, and it tells all
			for k, q := range t.Match {
				answers[i][k].question = q
			}
			continue
		}
		g.Go(func() error {
			got := []answer{}
			if t.Unmatched {
				answers[i] = got
				return nil
			}
			for _, q := range t.Match {
				hits, cur, wait, err := c.ask(gctx, r, q, complete, found[q.Attr][identity.Fold(q.Value)])
				var e *connector.Error
				switch {
				case wait > 0, IsJobFailure(err), err != nil && !errors.As(err, &e):
					waits[i] = wait
					return err
				case err != nil:
					answers[i] = []answer{{question: q, err: err}}
					return down.add("look for accounts", err)
				}
				down.end()
				got = append(got, answer{question: q, hits: hits, cur: cur})
				if len(hits) > 0 && t.Earlier == 0 { // of an object in doubt, what it was called before is asked as well
					break
				}
			}
			answers[i] = got
			return nil
		})
	}
	err := g.Wait()
	return answers, slices.Max(waits), err
}

// judge decides what follows from the answers about one object.
func (c *cycle) judge(ctx context.Context, r *rule, w *store.WorkItem, t *task, complete bool, answers []answer,
	found map[string]map[string][]store.IndexEntry, given map[string]string, batch *store.Batch) error {
	if t.Orphan {
		return c.judgeOrphan(ctx, r, w, t, answers, given, batch)
	}
	answers, err := c.madeFirst(ctx, r, w, t, answers, given)
	if err != nil {
		return err
	}
	for i, a := range answers {
		if a.err != nil {
			code, reason := failureOf(a.err)
			failTask(w, t, code, reason)
			return nil //nolint:nilerr // the failure is recorded with the object, and the cycle goes on (engine.R102)
		}
		owner, err := c.owner(ctx, r, a.hits, given)
		if err != nil {
			return err
		}
		if i >= len(t.own()) && !t.made(r, w.Anchor, a.cur) {
			continue
		}
		out, ok := match.Judge(a.question, a.hits, w.Anchor, func(string) string { return owner })
		if !ok {
			continue
		}
		switch out.Situation {
		case match.Matched:
			t.Matched = a.question.Attr + " " + a.question.Value
			w.Target = out.Account.Anchor
			c.adopt(r, w, t, a.cur)
			given[claimed+w.Target] = w.Anchor
			batch.Index = append(batch.Index, store.IndexEntry{Kind: r.def.To, Attr: claimed, Value: w.Target, Anchor: w.Anchor})
		case match.Disputed:
			failTask(w, t, codeDuplicateTarget, out.Words())
		case match.Taken:
			failTask(w, t, codeDuplicateSource, out.Words())
		case match.Unmatched:
		}
		return nil
	}
	t.Indexed = complete
	c.unmatched(r, w, t, found, given, batch)
	return nil
}

// unmatched plans the creation of an account, unless another object of this cycle was promised one with the same
// joining value (engine.R52).
func (c *cycle) unmatched(r *rule, w *store.WorkItem, t *task, found map[string]map[string][]store.IndexEntry, given map[string]string, batch *store.Batch) {
	t.Match, t.Earlier, t.Sent = t.own(), 0, nil
	for _, q := range t.Match {
		v := r.fold(q.Attr, q.Value)
		other := given[promised+q.Attr+"\x00"+v]
		if hits := found[promised+q.Attr][v]; other == "" && len(hits) > 0 {
			other = hits[0].Anchor
		}
		if other != "" && other != w.Anchor {
			failTask(w, t, codeDuplicateSource, fmt.Sprintf("source object %q has the same %s %q; correct one of them", other, q.Attr, q.Value))
			return
		}
	}
	if !r.def.Actions.Create { // engine.R76
		skipTask(w, t, codeOutOfScope, "no account matches, and the rule does not allow creates")
		return
	}
	if len(t.Choices) == 0 { // else it is looked at once the values are chosen
		if _, err := plan.New(r.set, t.Values); err != nil { // engine.R62: fails before any request
			code, reason := failureOf(err)
			failTask(w, t, code, reason)
			return
		}
	}
	for _, q := range t.Match {
		v := r.fold(q.Attr, q.Value)
		given[promised+q.Attr+"\x00"+v] = w.Anchor
		batch.Index = append(batch.Index, store.IndexEntry{Kind: r.def.To, Attr: promised + q.Attr, Value: v, Anchor: w.Anchor})
	}
	w.Action, w.Stage, w.Pass = string(plan.Create), store.ToExport, r.pass(passCreate)
}

// adopt links an account that exists already and plans what it lacks.
func (c *cycle) adopt(r *rule, w *store.WorkItem, t *task, cur *plan.Current) {
	t.Match, t.Earlier, t.Sent = t.own(), 0, nil
	t.Current = cur
	t.After = store.Active
	t.Reason = "matched by " + t.Matched
	w.Pass, w.Parent = r.pass(passUpdate), ""
	w.Stage = store.ToSettle
	if !r.def.Actions.Update {
		w.Action = string(plan.None)
		return
	}
	decideUpdate(r, w, t, t.Values, cur)
}

// ask answers one question: by the index where it knows, else by a query.
func (c *cycle) ask(ctx context.Context, r *rule, q match.Question, complete bool, indexed []store.IndexEntry) ([]*identity.Object, *plan.Current, time.Duration, error) {
	var cur *plan.Current
	if (complete || len(indexed) > 0) && r.tells(q, indexed) {
		var hits []*identity.Object
		for _, e := range indexed {
			var err error
			if cur, err = decodeCurrent(e.Doc); err != nil {
				return nil, nil, 0, fmt.Errorf("index of accounts, %s: %w", e.Anchor, err)
			}
			hits = append(hits, &identity.Object{Kind: r.def.To, Anchor: e.Anchor})
		}
		return hits, cur, 0, nil
	}
	hits, err := c.subject.Target.Find(ctx, r.def.To, q.Attr, q.Value, c.solo.hits())
	if reaction := react(ctx, err); err != nil && ctx.Err() == nil && reaction != putBack && reaction != failJob && reaction != stop {
		return nil, nil, 0, err // of this object alone
	}
	if err != nil {
		wait, err := c.whileReading(ctx, fmt.Sprintf("look for an account by %s", q.Attr), err)
		return nil, nil, wait, err
	}
	if len(hits) > 0 {
		cur = asCurrent(hits[0])
	}
	return hits, cur, 0, nil
}

// tells tells whether the index answers a question. It is kept without regard to case; where an account has the value
// in other letters, and the target is not known to take them for the same, the target itself has to say.
func (r *rule) tells(q match.Question, indexed []store.IndexEntry) bool {
	if r.folds(q.Attr) {
		return true
	}
	return !slices.ContainsFunc(indexed, func(e store.IndexEntry) bool {
		cur, err := decodeCurrent(e.Doc)
		return err == nil && mapping.Text(cur.Values[q.Attr]) != q.Value
	})
}

// owner returns the source object that the only hit belongs to, in the state or in this cycle.
func (c *cycle) owner(ctx context.Context, r *rule, hits []*identity.Object, given map[string]string) (string, error) {
	if len(hits) != 1 {
		return "", nil
	}
	target := hits[0].Anchor
	if who := given[claimed+target]; who != "" {
		return who, nil
	}
	entries, err := c.work.Indexed(ctx, c.row.ID, r.def.To, claimed, []string{target})
	if err != nil {
		return "", fmt.Errorf("cycle %s: read the index of accounts: %w", c.row.ID, err)
	}
	if es := entries[target]; len(es) > 0 {
		return es[0].Anchor, nil
	}
	for _, other := range c.rules {
		if other.def.To != r.def.To {
			continue
		}
		owners, err := c.Store.Owners(ctx, c.subject.Job.ID, other.def.Name, []string{target})
		if err != nil {
			return "", fmt.Errorf("rule %s: read who an account belongs to: %w", other.def.Name, err)
		}
		if who := owners[target]; who != "" {
			return who, nil
		}
	}
	return "", nil
}

// whileReading turns an error of a read that the whole cycle stands on into a wait or a failure of the job.
func (c *cycle) whileReading(ctx context.Context, op string, err error) (time.Duration, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	switch react(ctx, err) {
	case putBack:
		return max(connector.AsError(err).RetryAfter, time.Second), nil
	case stop:
		return 0, err
	case failObject, failJob, lookAgain, gone, taken:
	}
	return 0, &jobFailure{reason: quarantineConnection, op: op, err: err}
}

func failTask(w *store.WorkItem, t *task, code, reason string) {
	w.Stage, w.Pass, w.Action = store.ToExport, passRecord, string(plan.Other)
	t.Failed, t.Code, t.Reason = true, code, reason
	t.After = t.Prior
}

func skipTask(w *store.WorkItem, t *task, code, reason string) {
	w.Stage, w.Pass, w.Action = store.ToExport, passRecord, string(plan.Other)
	t.Code, t.Reason, t.After = code, reason, t.Prior
}
