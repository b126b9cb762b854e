package engine

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/packed"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// codeDrift is the code of a record about an account that was changed in the target and is left so.
const codeDrift = "Drift"

// reconciliation is how far a cycle has come with the listing of the target, and what it has found (design D3). It is
// part of the checkpoint.
type reconciliation struct {
	store.Reconciliation
	Kind   int               `json:"kind"`            // which of the kinds is being listed
	Cursor string            `json:"cursor"`          // of its next page
	Again  bool              `json:"again,omitempty"` // the listing began anew once, since the target had forgotten its cursor
	Listed int64             `json:"listed"`          // accounts of that kind so far
	Rules  map[string]*sight `json:"rules,omitempty"` // by rule
	Gone   []identity.Ref    `json:"gone,omitempty"`  // source objects that are matched again because their account is gone
}

// sight is what a listing shows of the linked accounts of one rule.
type sight struct {
	Found      int64            `json:"found"`
	Incomplete bool             `json:"incomplete,omitempty"` // who is not listed may be there all the same
	Shown      map[string]int64 `json:"shown,omitempty"`      // attributes of which a value was written and one is shown
	Hidden     map[string]int64 `json:"hidden,omitempty"`     // and none is shown
}

// finding is what a cycle knows of a linked account from the listing.
type finding struct {
	Drift []connector.Change // what would undo the differences
	Gone  bool               // it was not listed, and asked for it, the target did not have it
}

const versionFinding = 1

func (f *finding) code(c *packed.Coder) {
	c.Flags(&f.Gone)
	packed.List(c, &f.Drift, codeChange)
}

func (f *finding) encode() []byte { return packed.Pack(versionFinding, f.code) }

// drifted is one attribute of an account that was changed in the target.
type drifted struct {
	connector.Change      // what would undo the difference
	Kept             bool // it is left as it is
}

func codeDrifted(c *packed.Coder, d *drifted) {
	codeChange(c, &d.Change)
	c.Flags(&d.Kept)
}

// unseen is how many accounts must lack an attribute, while none shows it, for the target to be one that does not show it.
const unseen = 3

// reconcileDue tells whether a new cycle also compares the target's accounts with what was written to them.
func (c *cycle) reconcileDue() bool {
	if c.opt.Plan != nil { // it says
		return c.opt.Reconcile
	}
	every, from := c.subject.Def.Settings.Reconcile, c.subject.Job.ReconcileFrom
	return c.opt.Reconcile || every > 0 && !from.IsZero() && c.Now().Sub(from) >= every
}

// reconcile lists the accounts of the target and compares those that are linked with what was written to them last. It
// stands before the reading of the source, so that an object whose account was changed is evaluated like one that was
// changed in the source, and it fills the match index on the way. Linked accounts that are not listed are asked for one
// by one, because an account can slip from one page to the one before while pages are read.
func (c *cycle) reconcile(ctx context.Context, until time.Time) (time.Duration, error) {
	rc := c.recon
	lister, ok := c.subject.Target.(connector.Lister)
	if !ok || !c.caps.List {
		if c.opt.Reconcile {
			c.warn("the target cannot list its accounts, so they were not compared")
		}
		c.recon = nil
		return 0, c.checkpoint(ctx, store.PhaseRead)
	}
	if rc == nil || rc.At.IsZero() {
		if err := c.work.ClearWork(ctx, c.row.ID); err != nil {
			return 0, fmt.Errorf("cycle %s: clear its work: %w", c.row.ID, err)
		}
		rc = &reconciliation{Reconciliation: store.Reconciliation{At: c.Now(), CycleID: c.row.ID}, Rules: map[string]*sight{}}
		c.recon = rc
	}
	kinds := c.linkedKinds()
	for rc.Kind < len(kinds) {
		wait, err := c.listPage(ctx, lister, kinds[rc.Kind])
		if err != nil || wait > 0 {
			return wait, err
		}
		if !c.Now().Before(until) {
			return 0, nil
		}
	}
	for _, r := range c.rules {
		if slices.Contains(kinds, r.def.To) {
			r.list.started, r.list.complete = true, true
		}
	}
	c.warnHidden()
	return 0, c.checkpoint(ctx, store.PhaseRead)
}

// linkedKinds are the kinds of account that a listing is about, in the order of the rules.
func (c *cycle) linkedKinds() []identity.Kind {
	var out []identity.Kind
	for _, r := range c.rules {
		if r.linked > 0 && !slices.Contains(out, r.def.To) {
			out = append(out, r.def.To)
		}
	}
	return out
}

// listPage reads one page of a kind. The last one also settles what became of accounts that no page had.
func (c *cycle) listPage(ctx context.Context, lister connector.Lister, kind identity.Kind) (time.Duration, error) {
	rc := c.recon
	page, err := lister.List(ctx, kind, rc.Cursor)
	if forgotten(err, rc.Cursor, rc.Again) {
		if err := c.work.ClearWork(ctx, c.row.ID); err != nil {
			return 0, fmt.Errorf("cycle %s: clear its work: %w", c.row.ID, err)
		}
		*rc = reconciliation{Reconciliation: store.Reconciliation{At: rc.At, CycleID: rc.CycleID}, Rules: map[string]*sight{}, Again: true}
		return 0, c.keepPlace(ctx)
	}
	if err != nil {
		return c.whileReading(ctx, "list the target's accounts", err)
	}
	batch := &store.Batch{}
	owned := make(map[string]bool, len(page.Objects))
	for _, r := range c.rules {
		if r.def.To != kind {
			continue
		}
		for _, o := range page.Objects {
			c.indexObject(batch, r, o)
		}
		c.sightOf(r).hide(page.Hidden)
		if err := c.compareAccounts(ctx, r, page.Objects, owned, batch); err != nil {
			return 0, err
		}
	}
	rc.Accounts += int64(len(page.Objects))
	rc.Unmanaged += int64(len(page.Objects) - len(owned))
	rc.Listed += int64(len(page.Objects))
	rc.Cursor = page.Next
	if err := c.commit(ctx, batch); err != nil {
		return 0, err
	}
	c.tick(rc.Listed, max(0, int64(page.Total)))
	if page.Next != "" {
		return 0, c.keepPlace(ctx)
	}
	for _, r := range c.rules {
		if r.def.To == kind && r.linked > 0 {
			if err := c.missing(ctx, r, int64(page.Total)); err != nil {
				return 0, err
			}
		}
	}
	rc.Kind, rc.Cursor, rc.Listed = rc.Kind+1, "", 0
	return 0, c.keepPlace(ctx)
}

// keepPlace stores how far the listing has come.
func (c *cycle) keepPlace(ctx context.Context) error {
	if err := c.remember(); err != nil {
		return err
	}
	return c.commit(ctx, &store.Batch{Cycle: c.current()})
}

// compareAccounts puts the linked accounts among those of a page into the batch, with what was changed in them. Accounts
// that are released are nobody's business any more (engine.R84). owned are those that any rule has a link to.
func (c *cycle) compareAccounts(ctx context.Context, r *rule, accounts []*identity.Object, owned map[string]bool, batch *store.Batch) error {
	targets := make([]string, len(accounts))
	for i, o := range accounts {
		targets[i] = o.Anchor
	}
	owners, err := c.Store.Owners(ctx, c.subject.Job.ID, r.def.Name, targets)
	if err != nil {
		return fmt.Errorf("rule %s: read who accounts belong to: %w", r.def.Name, err)
	}
	anchors := make([]string, 0, len(owners))
	for _, a := range owners {
		anchors = append(anchors, a)
	}
	links, err := c.Store.ObjectsByAnchor(ctx, c.subject.Job.ID, r.def.Name, anchors)
	if err != nil {
		return fmt.Errorf("rule %s: read links: %w", r.def.Name, err)
	}
	last, err := c.Store.Projections(ctx, c.subject.Job.ID, r.def.Name, anchors)
	if err != nil {
		return fmt.Errorf("rule %s: read last exported values: %w", r.def.Name, err)
	}
	for _, o := range accounts {
		anchor, ok := owners[o.Anchor]
		if !ok {
			continue
		}
		owned[o.Anchor] = true
		if state := links[anchor].State; state != store.Active && state != store.Disabled {
			continue
		}
		found, err := c.compareAccount(r, o, last[anchor])
		if err != nil {
			return err
		}
		found.Anchor = anchor
		batch.Found = append(batch.Found, found)
		c.sightOf(r).Found++
	}
	return nil
}

// compareAccount compares one account with what was written to it last.
func (c *cycle) compareAccount(r *rule, o *identity.Object, p store.Projection) (store.Found, error) {
	found := store.Found{ObjectKey: store.ObjectKey{Rule: r.def.Name, Anchor: p.Anchor}}
	if len(p.Doc) == 0 {
		return found, nil
	}
	last, err := decodeProjection(p)
	if err != nil {
		return found, err
	}
	s, is := c.sightOf(r), asCurrent(o)
	for attr, v := range last.Values {
		if !identity.Empty(v) {
			s.see(attr, identity.Empty(is.Values[attr]))
		}
	}
	for attr := range last.Refs {
		s.see(attr, is.Refs[attr] == "")
	}
	drift := slices.DeleteFunc(plan.Drift(r.set, last, is), func(ch connector.Change) bool {
		return c.subject.Def.Settings.DriftOf(ch.Attr) == driftIgnore
	})
	if len(drift) == 0 {
		return found, nil
	}
	found.Doc = (&finding{Drift: drift}).encode()
	return found, nil
}

func (c *cycle) sightOf(r *rule) *sight {
	s := c.recon.Rules[r.def.Name]
	if s == nil {
		s = &sight{}
		if c.recon.Rules == nil { // an empty map does not come back from a checkpoint
			c.recon.Rules = map[string]*sight{}
		}
		c.recon.Rules[r.def.Name] = s
	}
	return s
}

func (s *sight) see(attr string, hidden bool) {
	seen := &s.Shown
	if hidden {
		seen = &s.Hidden
	}
	if *seen == nil {
		*seen = map[string]int64{}
	}
	(*seen)[attr]++
}

// hide notes attributes that the target says it never lists.
func (s *sight) hide(attrs []string) {
	for _, attr := range attrs {
		if s.Hidden == nil {
			s.Hidden = map[string]int64{}
		}
		s.Hidden[attr] = max(s.Hidden[attr], unseen)
	}
}

// hides tells whether the target seems not to show an attribute at all. That it has no value is then no difference.
func (s *sight) hides(attr string) bool { return s.Shown[attr] == 0 && s.Hidden[attr] >= unseen }

// warnHidden names the attributes that cannot be compared.
func (c *cycle) warnHidden() {
	for _, r := range c.rules {
		s := c.recon.Rules[r.def.Name]
		if s == nil {
			continue
		}
		var names []string
		for attr := range s.Hidden {
			if s.hides(attr) {
				names = append(names, attr)
			}
		}
		if slices.Sort(names); len(names) > 0 {
			c.warn("rule %s: the target's listing shows no value of %s in any account, so changes of it are not noticed", r.def.Name, strings.Join(names, ", "))
		}
	}
}

// missing asks for the linked accounts of a rule that no page had. A listing that shows fewer accounts than the target
// says it has, or fewer than half of those that are managed, is not believed (design D6).
func (c *cycle) missing(ctx context.Context, r *rule, total int64) error {
	s := c.sightOf(r)
	short := total >= 0 && c.recon.Listed < total
	if held := plan.HalfRule(plan.Reading{Full: true, Delivered: s.Found, Managed: r.managed}); short || held != "" {
		s.Incomplete = true
		c.warn("rule %s: the target listed %d accounts, %d of them linked, where %d are managed; nobody is taken for deleted there", r.def.Name, c.recon.Listed, s.Found, r.managed)
		return nil
	}
	var unlisted []store.Object
	ask := func() error {
		defer func() { unlisted = unlisted[:0] }()
		return c.askFor(ctx, r, unlisted)
	}
	listed := c.sightings(ctx, r)
	defer listed.stop()
	for o, err := range c.Store.Objects(ctx, c.subject.Job.ID, r.def.Name) {
		if err != nil {
			return fmt.Errorf("rule %s: read links: %w", r.def.Name, err)
		}
		if o.State != store.Active && o.State != store.Disabled {
			continue
		}
		there, _, err := listed.of(o.Anchor)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		if unlisted = append(unlisted, o); len(unlisted) >= blockSize {
			if err := ask(); err != nil {
				return err
			}
		}
	}
	return ask()
}

// askFor reads accounts that were not listed, and stores what it finds.
func (c *cycle) askFor(ctx context.Context, r *rule, links []store.Object) error {
	if len(links) == 0 {
		return nil
	}
	anchors := make([]string, len(links))
	for i, o := range links {
		anchors[i] = o.Anchor
	}
	last, err := c.Store.Projections(ctx, c.subject.Job.ID, r.def.Name, anchors)
	if err != nil {
		return fmt.Errorf("rule %s: read last exported values: %w", r.def.Name, err)
	}
	accounts := make([]*identity.Object, len(links))
	gone := make([]bool, len(links))
	err = c.each(ctx, len(links), "ask for accounts that were not listed", func(ctx context.Context, i int) error {
		got, err := c.fetch(ctx, r, links[i].Target)
		if gone[i] = connector.KindOf(err) == connector.KindNotFound; gone[i] {
			return nil
		}
		accounts[i] = got // nil when nothing is known of it, and then nothing is done about it
		return err
	})
	if err != nil {
		return err
	}
	batch := &store.Batch{}
	for i, o := range links {
		found := store.Found{ObjectKey: o.ObjectKey}
		switch {
		case gone[i]:
			c.recon.Missing++
			found.Doc = (&finding{Gone: true}).encode()
		case accounts[i] != nil:
			if found, err = c.compareAccount(r, accounts[i], last[o.Anchor]); err != nil {
				return err
			}
			found.Anchor = o.Anchor
		}
		batch.Found = append(batch.Found, found)
	}
	return c.commit(ctx, batch)
}

// fetch reads one account, waiting where the target asks for a pause.
func (c *cycle) fetch(ctx context.Context, r *rule, target string) (*identity.Object, error) {
	return patiently(ctx, func() (*identity.Object, error) { return c.subject.Target.Get(ctx, r.def.To, target) })
}

// sightings walks through the accounts that a cycle has found, beside a walk through the objects of the rule.
type sightings struct {
	next func() (store.Found, error, bool)
	stop func()
	cur  store.Found
	err  error
	more bool
	hide func(attr string) bool
}

// sightings are empty in a cycle that does not reconcile.
func (c *cycle) sightings(ctx context.Context, r *rule) *sightings {
	s := &sightings{stop: func() {}}
	if c.recon == nil {
		return s
	}
	s.hide = c.sightOf(r).hides
	s.next, s.stop = iter.Pull2(c.work.Found(ctx, c.row.ID, r.def.Name))
	s.cur, s.err, s.more = s.next()
	return s
}

// of tells whether an account was found, and what is to be said of it; nil for nothing. Anchors are asked for in order.
func (s *sightings) of(anchor string) (there bool, f *finding, err error) {
	for s.more && s.err == nil && s.cur.Anchor < anchor {
		s.cur, s.err, s.more = s.next()
	}
	if s.err != nil {
		return false, nil, fmt.Errorf("read what was found in the target: %w", s.err)
	}
	if !s.more || s.cur.Anchor != anchor {
		return false, nil, nil
	}
	if len(s.cur.Doc) == 0 {
		return true, nil, nil
	}
	f = new(finding)
	if err := packed.Unpack(versionFinding, s.cur.Doc, f.code); err != nil {
		return false, nil, fmt.Errorf("account of %s/%s: %w", s.cur.Rule, s.cur.Anchor, err)
	}
	f.Drift = slices.DeleteFunc(f.Drift, func(ch connector.Change) bool { return ch.Old == nil && s.hide(ch.Attr) })
	if len(f.Drift) == 0 && !f.Gone {
		return true, nil, nil
	}
	return true, f, nil
}

// readFindings looks at the objects whose accounts are not what they should be, although a change feed does not name
// them. done gets their anchors.
func (b *block) readFindings(ctx context.Context, req connector.ReadRequest, retry map[store.ObjectKey]waiting, done map[string]bool) error {
	c := b.cycle
	if c.recon == nil {
		return nil
	}
	lookup, ok := c.subject.Source.(connector.Lookup)
	if !ok {
		return fmt.Errorf("the source %q has a change feed but cannot look objects up, which a reconciliation needs", c.subject.SourceName)
	}
	var anchors []string
	look := func() error {
		defer func() { anchors = anchors[:0] }()
		if len(anchors) == 0 {
			return nil
		}
		var items []connector.Item
		for item, err := range lookup.Lookup(ctx, req, anchors) {
			if err != nil {
				return sourceFailure(ctx, err)
			}
			if item = checked(item); item.Object == nil {
				return sourceFailure(ctx, &connector.Error{Kind: connector.KindInvalid, Op: "look objects up", Err: item.Err})
			}
			items = append(items, item)
		}
		if err := b.compare(ctx, items, retry); err != nil {
			return err
		}
		return b.flush(ctx)
	}
	found := c.sightings(ctx, b.rule)
	defer found.stop()
	for o, err := range c.Store.Objects(ctx, c.subject.Job.ID, b.rule.def.Name) {
		if err != nil {
			return fmt.Errorf("rule %s: read known objects: %w", b.rule.def.Name, err)
		}
		_, f, err := found.of(o.Anchor)
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		b.findings[o.Anchor], done[o.Anchor] = f, true
		if anchors = append(anchors, o.Anchor); len(anchors) >= blockSize {
			if err := look(); err != nil {
				return err
			}
		}
	}
	return look()
}

// reconciled counts what came of a finding.
func (c *cycle) reconciled(e *evaluation, w *store.WorkItem, t *task) {
	if e.found == nil || c.recon == nil {
		return
	}
	if len(t.Drift) > 0 {
		c.recon.Changed++
	}
	if slices.ContainsFunc(t.Drift, func(d drifted) bool { return !d.Kept }) {
		c.recon.Corrected++
	}
	if e.found.Gone && w.Stage == store.ToMatch {
		c.recon.Gone = append(c.recon.Gone, identity.Ref{Kind: e.rule.def.From, Anchor: e.anchor})
	}
}

// healAgain plans the memberships of accounts that are made or matched again, which the target lost with the old ones.
func (c *cycle) healAgain(ctx context.Context, gone []identity.Ref) error {
	for part := range slices.Chunk(gone, blockSize) {
		members, err := c.Store.Memberships(ctx, c.subject.Job.ID, part)
		if err != nil {
			return fmt.Errorf("job %s: read memberships of accounts that are gone: %w", c.subject.Job.Name, err)
		}
		for some := range slices.Chunk(members, blockSize) {
			chunk := make([]store.Unresolved, len(some))
			for i, m := range some {
				chunk[i] = store.Unresolved{Owner: m.Owner, Attr: m.Attr, Ref: m.Ref}
			}
			if err := c.healChunk(ctx, chunk); err != nil {
				return err
			}
		}
	}
	return nil
}

// confirmedAt is when the values written to all managed accounts were compared with the target last.
func (c *cycle) confirmedAt() time.Time {
	if c.recon != nil {
		return c.recon.At
	}
	return c.subject.Job.ConfirmedAt
}

// endReconciliation keeps with the job what a cycle that has ended found, and from when the next one is counted.
func (c *cycle) endReconciliation(j *store.Job, now time.Time) {
	if c.recon != nil {
		found := c.recon.Reconciliation
		j.Reconciled, j.ConfirmedAt, j.ReconcileFrom = &found, found.At, now
	}
	if j.ReconcileFrom.IsZero() && c.row.Type == store.Initial {
		j.ReconcileFrom = now
	}
}

// drift is the report's part about the reconciliation, nil in a cycle without one.
func (c *cycle) drift() *store.Reconciliation {
	if c.recon == nil {
		return nil
	}
	found := c.recon.Reconciliation
	return &found
}
