package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

const (
	commitItems    = 1024                   // results in one transaction, at most
	commitEvery    = 250 * time.Millisecond // and how long a result may wait for one
	rememberRecent = 20000                  // accounts made lately that later items may refer to before the store shows them
	maxFailStreak  = 24                     // transient failures in a row after which the target counts as down
)

// exporter sends the work list of one slice. The dispatcher (run) reads items in order and hands them to the workers;
// each worker writes one object; the committer stores results in groups. Creates are announced in the store before
// they are sent, by the place that the sending has come to, so that after a crash the target is asked about them first.
type exporter struct {
	*cycle
	rules map[string]*rule

	jobs    chan *item
	results chan *result
	marks   chan mark

	mu      sync.Mutex
	recent  map[store.ObjectKey]*making
	order   []store.ObjectKey        // of recent, oldest first
	enables map[identity.Ref]*making // of accounts that are enabled in this slice
	turns   int64                    // items handed out
	claims  claims

	streak  atomic.Int64 // transient failures in a row
	dropped atomic.Bool  // the target has dropped references of a create, so that no further one carries any
	stopMu  sync.Mutex
	stop    bool // no further items are handed out
	wait    time.Duration
	failed  error

	waiting bool // there were unresolved references when the slice began, so that resolving one must be recorded
	kept    bool // the job has failures or held operations, so that what succeeds may have to be taken off them

	escrows map[store.ObjectKey]store.Escrow // read when the first object fails

	choosing sync.Mutex // held while an object chooses values anew (SelectUniqueValue)
}

// item is a work item on its way.
type item struct {
	store.WorkItem
	task    *task
	rule    *rule
	links   map[identity.Ref]standing // accounts of the objects it refers to, as far as the store knew them
	making  *making                   // of a create or enable
	makings map[identity.Ref]*making  // creates of objects it refers to
	turn    int64                     // order of handing out

	doubtful bool // a create that an earlier process announced and may have sent
}

// mark asks the committer to announce all creates up to a place in the export order, and tells when that is stored.
type mark struct {
	at   store.Position
	done chan error
}

// making is an account being made or enabled; done is closed when it is known what became of it.
type making struct {
	done   chan struct{}
	turn   int64  // of its item
	target string // "" when it failed
	again  bool   // it was put back and comes in a later slice
}

// result is what a worker made of an item.
type result struct {
	item    *item
	batch   store.Batch
	action  plan.Action // as counted
	staged  bool
	failed  bool
	brief   bool          // a transient failure
	again   bool          // put back: nothing was sent
	wait    time.Duration // before the next slice
	fatal   error         // ends the cycle
	silent  bool          // not counted
	written bool          // something was sent successfully
}

// export sends what is in the work list until the slice ends. It returns done when nothing is left.
func (c *cycle) export(ctx context.Context, until time.Time) (wait time.Duration, done bool, err error) {
	x := &exporter{cycle: c, rules: map[string]*rule{}, recent: map[store.ObjectKey]*making{}, enables: map[identity.Ref]*making{}}
	x.dropped.Store(c.subject.Job.NoReferences)
	for _, r := range c.rules {
		x.rules[r.def.Name] = r
	}
	for _, err := range c.Store.Unresolved(ctx, c.subject.Job.ID) {
		if err != nil {
			return 0, false, fmt.Errorf("job %s: read unresolved references: %w", c.subject.Job.Name, err)
		}
		x.waiting = true
		break
	}
	if x.kept, err = c.keepsAny(ctx); err != nil {
		return 0, false, err
	}
	for {
		n, err := x.sweep(ctx, until)
		switch {
		case err != nil:
			return 0, false, err
		case x.failed != nil:
			return 0, false, x.failed
		case ctx.Err() != nil:
			return 0, false, ctx.Err()
		case x.stopped():
			return x.wait, false, nil
		case n == 0:
			return 0, true, nil
		}
	}
}

// keepsAny tells whether the job has stored failures or held operations.
func (c *cycle) keepsAny(ctx context.Context) (bool, error) {
	failures, err := c.Store.Escrows(ctx, c.subject.Job.ID)
	if err != nil {
		return false, fmt.Errorf("job %s: read stored failures: %w", c.subject.Job.Name, err)
	}
	held, err := c.stagedBefore(ctx)
	return len(failures)+len(held) > 0, err
}

// sweep goes through the work list once. Items that a sweep adds, references that could not go into a create, are
// found by the next one at the latest.
func (x *exporter) sweep(ctx context.Context, until time.Time) (sent int, err error) {
	var workers, committer sync.WaitGroup
	x.jobs, x.results, x.marks = make(chan *item, x.caps.Concurrency), make(chan *result, commitItems), make(chan mark) // room, so that calls go on while results are stored
	for range x.caps.Concurrency {
		workers.Go(func() {
			for it := range x.jobs {
				r := x.write(ctx, it)
				x.heed(r) // before another call is made
				x.results <- r
			}
		})
	}
	var commitErr error
	committer.Go(func() { commitErr = x.collect(ctx) })
	sent, err = x.dispatch(ctx, until)
	close(x.jobs)
	workers.Wait()
	close(x.results)
	committer.Wait()
	return sent, errors.Join(err, commitErr)
}

// dispatch hands out items in export order. While one block is handed out, the next is read and announced.
func (x *exporter) dispatch(ctx context.Context, until time.Time) (int, error) {
	size := leastBlock
	next := x.fetch(ctx, nil, size)
	sent := 0
	for {
		blk := <-next
		began := x.Now()
		if blk.err != nil || len(blk.items) == 0 {
			return sent, blk.err
		}
		if sent > 0 && !x.Now().Before(until) {
			x.halt(0, nil)
		}
		if x.stopped() || ctx.Err() != nil {
			return sent, nil //nolint:nilerr // the caller asks ctx itself; what was handed out is finished first
		}
		next = x.fetch(ctx, &blk.last, size)
		for _, it := range blk.items {
			if x.stopped() || ctx.Err() != nil {
				<-next
				return sent, nil //nolint:nilerr // as above
			}
			x.jobs <- it // workers take items back unsent once the slice has been stopped
			sent++
		}
		size = nextBlock(size, x.Now().Sub(began))
	}
}

// A block of items is read, and the creates among them announced, while the one before is sent. Large blocks are less
// work; small ones leave less in doubt after a crash, where each create that was announced costs a query. So a block is
// what the target takes within some tenths of a second.
const (
	leastBlock = 64
	mostBlock  = 1024
	blockTime  = 200 * time.Millisecond
)

// nextBlock is how large the block after the next is to be, when one of some size was handed out in some time.
func nextBlock(size int, took time.Duration) int {
	switch {
	case took < blockTime/2:
		return min(size*2, mostBlock)
	case took > blockTime*2:
		return max(size/2, leastBlock)
	}
	return size
}

// exportItems is a block of items, ready to be handed out; an empty one is the end.
type exportItems struct {
	items []*item
	last  store.Position
	err   error
}

// fetch prepares the block of items after a position.
func (x *exporter) fetch(ctx context.Context, after *store.Position, size int) <-chan exportItems {
	out := make(chan exportItems, 1)
	go func() {
		works, err := x.work.WorkAt(ctx, x.row.ID, []store.Stage{store.ToExport}, after, size)
		switch {
		case err != nil && ctx.Err() != nil, err == nil && len(works) == 0:
			out <- exportItems{}
			return
		case err != nil:
			out <- exportItems{err: fmt.Errorf("cycle %s: read its work: %w", x.row.ID, err)}
			return
		}
		w := works[len(works)-1]
		items, err := x.prepare(ctx, works)
		if err != nil && ctx.Err() != nil {
			items, err = nil, nil
		}
		out <- exportItems{items: items, err: err, last: store.Position{Pass: w.Pass, Depth: w.Depth, Rule: w.Rule, Anchor: w.Anchor}}
	}()
	return out
}

// prepare decodes a block of items, looks up the accounts they refer to, and announces the creates among them.
func (x *exporter) prepare(ctx context.Context, works []store.WorkItem) ([]*item, error) {
	items := make([]*item, 0, len(works))
	var creates *store.Position // place of the last create
	for _, w := range works {
		t, err := decodeTask(w)
		if err != nil {
			return nil, err
		}
		it := &item{WorkItem: w, task: t, rule: x.rules[w.Rule]}
		if it.rule == nil {
			return nil, fmt.Errorf("cycle %s: work for rule %q, which the job does not have", x.row.ID, w.Rule)
		}
		items = append(items, it)
		x.register(it)
		if w.Action == string(plan.Create) {
			creates = &store.Position{Pass: w.Pass, Depth: w.Depth, Rule: w.Rule, Anchor: w.Anchor}
			it.doubtful = x.announced != nil && !after(*creates, *x.announced) || x.isLost(w.ObjectKey)
		}
	}
	if refs := x.unknown(items); len(refs) > 0 {
		links, err := x.standings(ctx, refs)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			it.links = links
		}
	}
	if creates != nil {
		m := mark{at: *creates, done: make(chan error, 1)}
		x.marks <- m
		if err := <-m.done; err != nil {
			return nil, err
		}
	}
	return items, nil
}

// unknown lists the objects that items refer to and that no create of late stands for, and keeps with each item the
// creates that do.
func (x *exporter) unknown(items []*item) []identity.Ref {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []identity.Ref
	for _, it := range items {
		for ref := range it.refers() {
			if m := x.makingOf(ref); m != nil {
				if it.makings == nil {
					it.makings = map[identity.Ref]*making{}
				}
				it.makings[ref] = m
				continue
			}
			out = append(out, ref)
		}
	}
	return out
}

// makingOf finds the create of an object among those of late; x.mu is held.
func (x *exporter) makingOf(ref identity.Ref) *making {
	for _, r := range x.cycle.rules {
		if r.def.From == ref.Kind {
			if m := x.recent[store.ObjectKey{Rule: r.def.Name, Anchor: ref.Anchor}]; m != nil {
				return m
			}
		}
	}
	return nil
}

// refers delivers the objects that an item refers to.
func (it *item) refers() iter.Seq[identity.Ref] {
	return func(yield func(identity.Ref) bool) {
		if it.Action == string(plan.Create) {
			for _, v := range it.task.Values {
				for _, ref := range v.Refs {
					if !yield(ref) {
						return
					}
				}
			}
		}
		for _, ch := range it.task.Refs {
			if ch.Set != nil && !yield(*ch.Set) {
				return
			}
			for _, ref := range ch.Add {
				if !yield(ref) {
					return
				}
			}
		}
	}
}

// progressMark is the checkpoint of a cycle.
type progressMark struct {
	Announced *store.Position         `json:"announced,omitempty"` // creates up to here may have been sent
	Readings  map[string]plan.Reading `json:"readings"`            // what the guard stands on
	Members   plan.Reading            `json:"members"`
	Warnings  []string                `json:"warnings,omitempty"`
	Asked     int64                   `json:"asked,omitempty"`   // of the job when the cycle began
	Failing   int64                   `json:"failing,omitempty"` // stored failures when the cycle of a job in quarantine began
	Reconcile *reconciliation         `json:"reconcile,omitempty"`
	Undo      string                  `json:"undo,omitempty"`
	ForPlan   bool                    `json:"forPlan,omitempty"` // the cycle was begun for a saved plan

	Destinations map[string][]destination `json:"destinations,omitempty"` // of the mappings, by rule
}

// after tells whether a comes after b in the export order.
func after(a, b store.Position) bool {
	return cmp.Or(cmp.Compare(a.Pass, b.Pass), cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Anchor, b.Anchor)) > 0
}

// register gives an item its turn, and makes a create known to items that refer to it and come after it.
func (x *exporter) register(it *item) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.turns++
	it.turn = x.turns
	if it.Action == string(plan.Enable) {
		it.making = &making{done: make(chan struct{}), turn: it.turn}
		x.enables[identity.Ref{Kind: it.rule.def.From, Anchor: it.Anchor}] = it.making
	}
	if it.Action != string(plan.Create) {
		return
	}
	it.making = &making{done: make(chan struct{}), turn: it.turn}
	x.recent[it.ObjectKey] = it.making
	x.order = append(x.order, it.ObjectKey)
	if len(x.order) > rememberRecent {
		delete(x.recent, x.order[0])
		x.order = x.order[1:]
	}
}

// resolve returns the account of an object that an item refers to. later is true when the account is still to be made,
// after the item's own turn.
func (x *exporter) resolve(it *item, ref identity.Ref) (target string, later bool) {
	m := it.makings[ref]
	if m == nil { // an item that turns to other objects than it was prepared for
		x.mu.Lock()
		m = x.makingOf(ref)
		x.mu.Unlock()
	}
	if m != nil {
		if m.turn >= it.turn { // itself, or one that comes later: two that wait for each other would wait for ever
			return "", true
		}
		<-m.done // handed out before this item, so it will be done, also when the cycle is told to stop
		return m.target, m.again
	}
	s := it.links[ref]
	if s.target != "" && (s.managed || s.coming) {
		return s.target, false
	}
	return "", s.coming
}

// putBack tells whether the create or enable of an object that an item refers to was handed out before the item and put back. The
// item then has to wait too, or the reference would be lost for this cycle.
func (x *exporter) putBack(it *item, ref identity.Ref) bool {
	for _, m := range []*making{it.makings[ref], x.enabling(ref)} {
		if m == nil || m.turn >= it.turn {
			continue
		}
		if <-m.done; m.again {
			return true
		}
	}
	return false
}

func (x *exporter) stopped() bool {
	x.stopMu.Lock()
	defer x.stopMu.Unlock()
	return x.stop
}

// halt stops the handing out of items.
func (x *exporter) halt(wait time.Duration, failed error) {
	x.stopMu.Lock()
	defer x.stopMu.Unlock()
	x.stop = true
	x.wait = max(x.wait, wait)
	if x.failed == nil {
		x.failed = failed
	}
}

// heed stops the handing out of items when a result says that no further call ought to be made.
func (x *exporter) heed(r *result) {
	switch {
	case r.fatal != nil:
		x.halt(0, r.fatal)
	case r.again:
		x.halt(r.wait, nil)
	case r.brief:
		if n := x.streak.Add(1); n >= maxFailStreak {
			x.halt(0, targetDown("write to the target", int(n), r.item.task.Reason))
		}
	case r.written:
		x.streak.Store(0)
	}
}

// collect stores results in groups, by count and by time (design section 4).
func (x *exporter) collect(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx) // what was done must be recorded even when the cycle is told to stop
	timer := time.NewTicker(commitEvery)
	defer timer.Stop()
	batch, n := &store.Batch{}, 0
	var firstErr error
	flush := func(force bool) {
		if n == 0 && !force || firstErr != nil {
			return
		}
		batch.Cycle = x.current()
		if x.kept = x.kept || len(batch.Escrows)+len(batch.Staged) > 0; !x.kept {
			batch.Unescrow, batch.Unstage = nil, nil
		}
		if err := x.commit(ctx, batch); err != nil {
			firstErr = err
			x.halt(0, nil)
		}
		empty(batch)
		n = 0
		x.tick(x.row.Done, x.row.Planned)
	}
	for {
		select {
		case r, open := <-x.results:
			if !open {
				flush(false)
				return firstErr
			}
			x.count(r)
			merge(batch, &r.batch)
			n++
			if n >= commitItems {
				flush(false)
			}
		case m := <-x.marks:
			m.done <- x.announce(m.at, func() error { flush(true); return firstErr })
		case <-timer.C:
			flush(false)
		}
	}
}

// announce stores that creates up to a place may have been sent from now on. The mark never goes back: what an earlier
// process announced stays in doubt until it is done.
func (x *exporter) announce(at store.Position, flush func() error) error {
	if x.mark != nil && !after(at, *x.mark) {
		return nil
	}
	x.mark = &at
	if err := x.remember(); err != nil {
		return err
	}
	return flush()
}

// count adds a result to the cycle's counts, each object once (design 6.1).
func (x *exporter) count(r *result) {
	if r.again || r.fatal != nil {
		return
	}
	x.row.Done++
	if r.silent {
		return
	}
	n := &x.row.Counts
	switch {
	case r.failed && r.item.task.Follow: // it was counted when its first part was done
		n.Created--
		n.Failed++
		return
	case r.failed:
		n.Failed++
		return
	case r.staged:
		n.Staged++
		return
	}
	tally(n, r.action)
}

// tally counts one object by what happened to it.
func tally(n *store.Counts, a plan.Action) {
	switch a {
	case plan.Create:
		n.Created++
	case plan.Modify:
		n.Updated++
	case plan.Enable:
		n.Enabled++
	case plan.Disable:
		n.Disabled++
	case plan.Delete:
		n.Deleted++
	case plan.StagedDelete:
		n.Staged++
	case plan.None:
		n.Unchanged++
	case plan.Other:
		n.Skipped++
	}
}

func merge(to, from *store.Batch) {
	to.Work = append(to.Work, from.Work...)
	to.Done = append(to.Done, from.Done...)
	to.Objects = append(to.Objects, from.Objects...)
	to.Touched = append(to.Touched, from.Touched...)
	to.Forget = append(to.Forget, from.Forget...)
	to.Project = append(to.Project, from.Project...)
	to.Members = append(to.Members, from.Members...)
	to.Unmember = append(to.Unmember, from.Unmember...)
	to.Unresolved = append(to.Unresolved, from.Unresolved...)
	to.Resolved = append(to.Resolved, from.Resolved...)
	to.Escrows = append(to.Escrows, from.Escrows...)
	to.Unescrow = append(to.Unescrow, from.Unescrow...)
	to.Staged = append(to.Staged, from.Staged...)
	to.Unstage = append(to.Unstage, from.Unstage...)
	to.Log = append(to.Log, from.Log...)
	to.Index = append(to.Index, from.Index...)
}

// empty makes a batch that was committed ready for the next results, in the room that it has.
func empty(b *store.Batch) {
	*b = store.Batch{
		Work:       clearAll(b.Work),
		Done:       clearAll(b.Done),
		Objects:    clearAll(b.Objects),
		Touched:    clearAll(b.Touched),
		Forget:     clearAll(b.Forget),
		Project:    clearAll(b.Project),
		Members:    clearAll(b.Members),
		Unmember:   clearAll(b.Unmember),
		Unresolved: clearAll(b.Unresolved),
		Resolved:   clearAll(b.Resolved),
		Escrows:    clearAll(b.Escrows),
		Unescrow:   clearAll(b.Unescrow),
		Staged:     clearAll(b.Staged),
		Unstage:    clearAll(b.Unstage),
		Log:        clearAll(b.Log),
		Index:      clearAll(b.Index),
	}
}

func clearAll[T any](list []T) []T {
	clear(list) // so that what was in it is not kept alive
	return list[:0]
}
