package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/spool"
	"github.com/rollcall-id/rollcall/internal/store"
)

// blockSize is how many changed objects are evaluated, and work items sent, between two looks at the store.
const blockSize = 256

// spoolMemory bounds what the sort of one source read holds in memory.
const spoolMemory = 24 << 20

// read fills the work list: every object that differs from what the state knows, is gone, or waits for a retry. It
// writes nothing but the work list, so an interrupted read simply starts again.
func (c *cycle) read(ctx context.Context) error {
	if c.undo != "" {
		return c.readUndone(ctx)
	}
	if c.recon == nil { // else that was done before the target was listed
		if err := c.work.ClearWork(ctx, c.row.ID); err != nil {
			return fmt.Errorf("cycle %s: clear its work: %w", c.row.ID, err)
		}
	}
	c.promises = promises{}
	c.row.Counts = store.Counts{}
	c.members.Delivered, c.members.Full = 0, true
	retry, err := c.due(ctx)
	if err != nil {
		return err
	}
	feed, changesOnly := c.subject.Source.(connector.Feed)
	if changesOnly {
		if c.row.Watermark, err = feed.Position(ctx); err != nil {
			return &jobFailure{reason: quarantineSource, op: "read the source's position", err: err}
		}
		changesOnly = c.row.Type == store.Incremental && c.subject.Job.Watermark != ""
	}
	for _, r := range c.rules {
		if changesOnly {
			if err = c.readChanges(ctx, r, feed, retry); err == nil {
				c.readings[r.def.Name], c.members.Full = plan.Reading{}, false
			}
			if connector.KindOf(err) == connector.KindNotFound { // the mark is too old: everything is read
				c.warn("the source cannot say what changed since the last cycle; everything was read")
				err = c.readAll(ctx, r, retry)
			}
		} else {
			err = c.readAll(ctx, r, retry)
		}
		if err != nil {
			return err
		}
	}
	return c.checkpoint(ctx, store.PhaseMatch)
}

// due returns which failed objects are tried again although nothing about them changed: all in a cycle that a person
// asked for (design D17) and in an initial one (engine section 3.3), else those whose time has come (engine.R103).
func (c *cycle) due(ctx context.Context) (map[store.ObjectKey]waiting, error) {
	list, err := c.Store.Escrows(ctx, c.subject.Job.ID)
	if err != nil {
		return nil, fmt.Errorf("job %s: read stored failures: %w", c.subject.Job.Name, err)
	}
	out := make(map[store.ObjectKey]waiting, len(list))
	for _, e := range list {
		out[e.ObjectKey] = waiting{due: c.opt.Manual || c.row.Type == store.Initial || !c.Now().Before(e.NextAttempt), hash: e.Hash}
	}
	return out, nil
}

// waiting is a stored failure as the read needs it.
type waiting struct {
	due  bool // it is time to try again
	hash hash // of the source object when it failed
}

// readAll reads every object of a rule and merges it with the state in the order of anchors (design D15): an object
// that did not change costs one comparison of hashes.
func (c *cycle) readAll(ctx context.Context, r *rule, retry map[store.ObjectKey]waiting) (err error) {
	s := spool.New(c.TempDir, spoolMemory)
	defer func() { err = errors.Join(err, s.Close()) }()
	reading := plan.Reading{Full: true, Managed: r.managed}
	if err := c.fill(ctx, r, s, &reading); err != nil {
		return err
	}
	c.readings[r.def.Name] = reading
	next, stop := iter.Pull2(c.Store.Seen(ctx, c.subject.Job.ID, r.def.Name))
	defer stop()
	known, err, more := next()
	found := c.sightings(ctx, r)
	defer found.stop()
	blk := &block{cycle: c, rule: r, findings: map[string]*finding{}}
	defer func() { err = cmp.Or(err, blk.written()) }()
	var last spool.Record // key and line only
	begun := false
	var duplicates []string
	for rec, rerr := range s.Sorted() {
		if rerr != nil {
			return fmt.Errorf("rule %s: sort what was read: %w", r.def.Name, rerr)
		}
		if begun && rec.Key == last.Key {
			if len(duplicates) < 10 {
				duplicates = append(duplicates, fmt.Sprintf("%q (lines %d and %d)", rec.Key, last.Line, rec.Line))
			}
			continue
		}
		begun, last.Key, last.Line = true, rec.Key, rec.Line
		c.row.Counts.Imported++
		for more && err == nil && known.Anchor < rec.Key {
			if err := blk.gone(ctx, known); err != nil {
				return err
			}
			known, err, more = next()
		}
		if err != nil {
			return fmt.Errorf("rule %s: read known objects: %w", r.def.Name, err)
		}
		was, isNew := store.Object{ObjectKey: store.ObjectKey{Rule: r.def.Name, Anchor: rec.Key}}, true
		if more && known.Anchor == rec.Key {
			was, isNew = known, false
			if _, blk.findings[rec.Key], err = found.of(rec.Key); err != nil {
				return err
			}
			known, err, more = next()
		}
		if err := blk.seen(ctx, was, isNew, rec.Payload, retry); err != nil {
			return err
		}
	}
	if duplicates != nil {
		return &jobFailure{reason: quarantineSource, op: "read the source", err: &connector.Error{Kind: connector.KindInvalid, Code: codeDuplicateSource,
			Detail: "the key occurs more than once: " + strings.Join(duplicates, ", "), Hint: "each key must stand for one object; correct the source, nothing was written"}}
	}
	for ; more && err == nil; known, err, more = next() {
		if err := blk.gone(ctx, known); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("rule %s: read known objects: %w", r.def.Name, err)
	}
	return blk.flush(ctx)
}

// maxAnchor is the longest anchor that the state can keep, in bytes.
const maxAnchor = 1000

// checked refuses an object whose anchor the state cannot keep, so that it does not stop the others (I7).
func checked(item connector.Item) connector.Item {
	if item.Object == nil || item.Object.Anchor == "" {
		return item
	}
	a := item.Object.Anchor
	if len(a) <= maxAnchor && utf8.ValidString(a) && !strings.Contains(a, "\x00") {
		return item
	}
	return connector.Item{Line: item.Line, Err: fmt.Errorf("the key %.40q cannot be kept: it must be valid UTF-8 without NUL and at most %d bytes long", a, maxAnchor)}
}

// unreadable marks a payload in the spool that is no object but the reason why there is none.
const unreadable = 0xff

// fill reads the source into the spool.
func (c *cycle) fill(ctx context.Context, r *rule, s *spool.Spool, reading *plan.Reading) error {
	var buf []byte
	members := make([]bool, len(r.used)) // of each attribute: it holds members
	for i, name := range r.used {
		members[i] = r.refersWith(name)
	}
	for item, err := range c.subject.Source.Read(ctx, connector.ReadRequest{Kind: r.def.From, Attrs: r.used}) {
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &jobFailure{reason: quarantineSource, op: "read the source", err: err}
		}
		item = checked(item)
		switch {
		case item.Err != nil && (item.Object == nil || item.Object.Anchor == ""):
			reading.Incomplete = true // this row could be anybody, so nobody is taken for a leaver
			c.row.Counts.Failed++
			c.warn("line %d of the source could not be read: %v", item.Line, item.Err)
			continue
		case item.Err != nil:
			buf = append(append(buf[:0], unreadable), item.Err.Error()...)
			err = s.Add(item.Object.Anchor, buf, item.Line)
		default:
			for i, name := range r.used {
				if members[i] {
					v, _ := item.Object.Get(name)
					c.members.Delivered += int64(count(v))
				}
			}
			buf = item.Object.Append(buf[:0], r.used)
			err = s.Add(item.Object.Anchor, buf, item.Line)
		}
		if err != nil {
			return fmt.Errorf("rule %s: keep what was read: %w", r.def.Name, err)
		}
		reading.Delivered++
		if reading.Delivered%1024 == 0 {
			if err := c.keep(ctx); err != nil {
				return err
			}
			c.tick(reading.Delivered, 0)
		}
	}
	return ctx.Err()
}

// keep makes sure, in the middle of a long read, that the job is still this process's.
func (c *cycle) keep(ctx context.Context) error {
	if c.lease == nil { // a plan holds nothing
		return nil
	}
	return c.lease.keep(ctx)
}

// refersWith tells whether a reference with several values is taken from a source attribute: group members.
func (r *rule) refersWith(name string) bool {
	return slices.ContainsFunc(r.set.Mappings, func(m mapping.Mapping) bool {
		return m.IsReference() && m.Def.MultiValued && m.Uses(name)
	})
}

// count is the number of values of an attribute.
func count(v any) int {
	switch v := v.(type) {
	case nil:
		return 0
	case []any:
		return len(v)
	}
	return 1
}

// readChanges takes what a feed says has changed, and what waits for a retry or for the guard.
func (c *cycle) readChanges(ctx context.Context, r *rule, feed connector.Feed, retry map[store.ObjectKey]waiting) (err error) {
	req := connector.ReadRequest{Kind: r.def.From, Attrs: r.used}
	blk := &block{cycle: c, rule: r, findings: map[string]*finding{}}
	defer func() { err = cmp.Or(err, blk.written()) }()
	seen := map[string]bool{}
	if err := blk.readFindings(ctx, req, retry, seen); err != nil {
		return err
	}
	handled := maps.Clone(seen)
	var batch []connector.Item
	take := func(item connector.Item, err error) error {
		if err != nil {
			return err
		}
		if item = checked(item); item.Object == nil {
			return &connector.Error{Kind: connector.KindInvalid, Op: "read changes", Err: item.Err}
		}
		if handled[item.Object.Anchor] {
			return nil
		}
		batch = append(batch, item)
		seen[item.Object.Anchor] = true
		if len(batch) < blockSize {
			return nil
		}
		err = blk.compare(ctx, batch, retry)
		batch = batch[:0]
		return err
	}
	for item, err := range feed.Changes(ctx, req, c.subject.Job.Watermark) {
		if err := take(item, err); err != nil {
			return sourceFailure(ctx, err)
		}
	}
	again, err := c.pending(ctx, r, retry, seen)
	if err != nil {
		return err
	}
	if len(again) > 0 {
		lookup, ok := c.subject.Source.(connector.Lookup)
		if !ok {
			return fmt.Errorf("the source %q has a change feed but cannot look objects up, which retries need", c.subject.SourceName)
		}
		for item, err := range lookup.Lookup(ctx, req, again) {
			if err := take(item, err); err != nil {
				return sourceFailure(ctx, err)
			}
		}
	}
	if err := blk.compare(ctx, batch, retry); err != nil {
		return err
	}
	return blk.flush(ctx)
}

// sourceFailure makes a job failure of an error of the source; errors of the state stay what they are.
func sourceFailure(ctx context.Context, err error) error {
	var e *connector.Error
	if ctx.Err() != nil || !errors.As(err, &e) || e.Kind == connector.KindNotFound {
		return err
	}
	return &jobFailure{reason: quarantineSource, op: "read the source", err: err}
}

// pending lists the objects of a rule that must be looked at although the feed does not name them: failures whose time
// has come, operations that the guard holds, which count again in every cycle (design D6), and objects that were left
// unsettled, such as a group that was provisioned on demand with some of its members.
func (c *cycle) pending(ctx context.Context, r *rule, retry map[store.ObjectKey]waiting, seen map[string]bool) ([]string, error) {
	var out []string
	for key, w := range retry {
		if w.due && key.Rule == r.def.Name && !seen[key.Anchor] {
			out = append(out, key.Anchor)
		}
	}
	staged, err := c.Store.Staged(ctx, c.subject.Job.ID)
	if err != nil {
		return nil, fmt.Errorf("job %s: read held operations: %w", c.subject.Job.Name, err)
	}
	for _, s := range staged {
		if s.Rule == r.def.Name && !seen[s.Anchor] && !slices.Contains(out, s.Anchor) {
			out = append(out, s.Anchor)
		}
	}
	unsettled, err := c.Store.Unsettled(ctx, c.subject.Job.ID, r.def.Name)
	if err != nil {
		return nil, fmt.Errorf("rule %s: read unsettled objects: %w", r.def.Name, err)
	}
	for _, a := range unsettled {
		if _, fails := retry[store.ObjectKey{Rule: r.def.Name, Anchor: a}]; !fails && !seen[a] { // a failure has its time
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// block collects objects that need a closer look, so that what the state knows of them is read in one go.
type block struct {
	cycle *cycle
	rule  *rule
	items []candidate

	writing  chan error          // the commit of the block before, under way; nil for none
	findings map[string]*finding // of accounts that are not what they should be, by source anchor
}

type candidate struct {
	known   store.Object // without its account until the block is evaluated
	isNew   bool         // the state knows nothing of it
	hash    hash
	payload []byte // nil when the object is gone
	told    bool   // the source itself said that it is gone, so it counts as delivered
	problem string
	found   *finding // what the target's listing shows of its account, nil for nothing
}

// seen takes an object that the source delivered.
func (b *block) seen(ctx context.Context, known store.Object, isNew bool, payload []byte, retry map[store.ObjectKey]waiting) error {
	h := hash(spool.Hash(b.rule.seed, payload))
	counts := &b.cycle.row.Counts
	if payload[0] == unreadable {
		b.items = append(b.items, candidate{known: known, isNew: isNew, problem: string(payload[1:])})
		return b.full(ctx)
	}
	failed, isFailed := retry[known.ObjectKey]
	f := b.findings[known.Anchor]
	delete(b.findings, known.Anchor)
	if known.Hash == h && !b.cycle.opt.Initial && !failed.due && f == nil {
		counts.Unchanged++
		if known.State == store.Active || known.State == store.Disabled {
			counts.InScope++
		}
		return nil
	}
	if isFailed && !failed.due && failed.hash == h { // it waits for its time, unless it changes before
		counts.Failed++
		return nil
	}
	b.items = append(b.items, candidate{known: known, isNew: isNew, hash: h, payload: slices.Clone(payload), found: f})
	return b.full(ctx)
}

// gone takes an object that the state knows and a full read did not deliver.
func (b *block) gone(ctx context.Context, known store.Object) error {
	b.items = append(b.items, candidate{known: known})
	return b.full(ctx)
}

// compare takes objects that a feed delivered.
func (b *block) compare(ctx context.Context, items []connector.Item, retry map[store.ObjectKey]waiting) error {
	anchors := make([]string, len(items))
	for i, it := range items {
		anchors[i] = it.Object.Anchor
	}
	known, err := b.cycle.Store.ObjectsByAnchor(ctx, b.cycle.subject.Job.ID, b.rule.def.Name, anchors)
	if err != nil {
		return fmt.Errorf("rule %s: read known objects: %w", b.rule.def.Name, err)
	}
	for _, it := range items {
		was, ok := known[it.Object.Anchor]
		was.ObjectKey = store.ObjectKey{Rule: b.rule.def.Name, Anchor: it.Object.Anchor}
		b.cycle.row.Counts.Imported++
		switch {
		case it.Gone && !ok:
			b.cycle.row.Counts.Unchanged++
		case it.Gone:
			b.items = append(b.items, candidate{known: was, told: true})
			err = b.full(ctx)
		case it.Err != nil:
			b.items = append(b.items, candidate{known: was, problem: it.Err.Error()})
			err = b.full(ctx)
		default:
			err = b.seen(ctx, was, !ok, it.Object.Append(nil, b.rule.used), retry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *block) full(ctx context.Context) error {
	if len(b.items) < blockSize {
		return nil
	}
	return b.flush(ctx)
}

// flush evaluates the collected objects and writes their work items.
func (b *block) flush(ctx context.Context) error {
	if len(b.items) == 0 {
		return nil
	}
	c := b.cycle
	if err := c.keep(ctx); err != nil {
		return err
	}
	var linked []string
	for _, it := range b.items {
		if !it.isNew && (it.known.State != store.Unlinked || it.known.Hash == (hash{})) { // linked, or it may be in doubt
			linked = append(linked, it.known.Anchor)
		}
	}
	last, err := c.Store.Projections(ctx, c.subject.Job.ID, b.rule.def.Name, linked)
	if err != nil {
		return fmt.Errorf("rule %s: read last exported values: %w", b.rule.def.Name, err)
	}
	links, err := c.Store.ObjectsByAnchor(ctx, c.subject.Job.ID, b.rule.def.Name, linked)
	if err != nil {
		return fmt.Errorf("rule %s: read links: %w", b.rule.def.Name, err)
	}
	batch := &store.Batch{}
	var works []*store.WorkItem // without a link
	var tasks []*task
	for _, it := range b.items {
		if link, ok := links[it.known.Anchor]; ok {
			it.known = link
		}
		w, t, err := b.evaluate(it, last)
		switch {
		case err != nil:
			return err
		case w == nil:
		case w.Stage == store.ToMatch:
			works, tasks = append(works, w), append(tasks, t)
		default:
			batch.Work = append(batch.Work, finishItem(w, t))
		}
	}
	b.items = b.items[:0]
	if err := b.written(); err != nil { // what it gave away is not given away again
		return err
	}
	if err := b.match(ctx, works, tasks, batch); err != nil {
		return err
	}
	if len(batch.Work) == 0 {
		return ctx.Err()
	}
	c.tick(c.row.Counts.Imported, 0)
	b.writing = make(chan error, 1)
	go func(done chan<- error) { done <- c.commit(ctx, batch) }(b.writing) // while the next block is read and evaluated
	return nil
}

// written waits until the work items that were flushed last are stored.
func (b *block) written() error {
	if b.writing == nil {
		return nil
	}
	err := <-b.writing
	b.writing = nil
	return err
}

// match decides about objects without a link at once when the accounts are listed, or ought to be by now, and leaves
// them for later when it is still open whether queries take fewer calls.
func (b *block) match(ctx context.Context, works []*store.WorkItem, tasks []*task, batch *store.Batch) error {
	b.rule.list.due += int64(len(works))
	if _, err := b.cycle.index(ctx, b.rule); err != nil { // a pause that the target wants is taken when it is asked again
		return err
	}
	if b.rule.list.complete {
		_, err := b.cycle.matchBlock(ctx, b.rule, works, tasks, batch) // without calls, so nothing to wait for
		return err
	}
	for i, w := range works {
		batch.Work = append(batch.Work, finishItem(w, tasks[i]))
	}
	return nil
}

func (b *block) evaluate(it candidate, last map[string]store.Projection) (*store.WorkItem, *task, error) {
	c := b.cycle
	e := &evaluation{rule: b.rule, set: c.subject.Def.Settings, anchor: it.known.Anchor, hash: it.hash, known: it.known,
		ctx: mapping.Context{Now: c.clock, Rand: c.Rand, DefaultDomain: c.subject.Def.Settings.DefaultDomain}}
	if p, ok := last[it.known.Anchor]; ok {
		cur, err := decodeProjection(p)
		if err != nil {
			return nil, nil, err
		}
		e.last, e.name, e.doubt = cur, p.Name, inDoubt(it.known)
	}
	e.found = it.found
	if it.problem != "" {
		w := &store.WorkItem{ObjectKey: it.known.ObjectKey, Target: it.known.Target}
		t := &task{Prior: it.known.State, After: it.known.State, Name: e.name}
		e.fail(w, t, &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable, Detail: it.problem})
		return w, t, nil
	}
	if it.payload != nil {
		o, err := identity.Decode(b.rule.def.From, it.known.Anchor, b.rule.used, it.payload)
		if err != nil {
			return nil, nil, err
		}
		e.object = o
	}
	w, t, in, err := e.evaluate()
	if err == nil {
		c.reconciled(e, w, t)
	}
	if it.told && (errors.Is(err, errNothing) || it.known.State == store.Unlinked && !e.doubt) {
		c.row.Counts.Unchanged++ // there is nothing to take away
	}
	switch {
	case errors.Is(err, errNothing):
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	}
	if in && (it.known.State != store.Unlinked || !t.Soft) { // who is not active and has no account is nobody to provision
		c.row.Counts.InScope++
	}
	return w, t, nil
}

func finishItem(w *store.WorkItem, t *task) store.WorkItem {
	w.Doc = t.encode()
	return *w
}
