package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/packed"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// codeChangedSince is the code of a record about something that an undo leaves because it was changed since.
const codeChangedSince = "ChangedSince"

// undone is what a cycle did to one account, put together from its log records, and what an undo takes back (design D5).
type undone struct {
	Cycle   string
	Action  string // of the last record
	Created bool
	Deleted bool
	Target  string // the account then
	Attrs   []undoneValue
	Members []undoneMember
}

// undoneValue is one attribute: as it was before the cycle, and as the cycle left it; nil is no value.
type undoneValue struct {
	Attr     string
	Old, New any
}

// undoneMember is one membership that the cycle added or took away.
type undoneMember struct {
	Attr   string
	Target string // anchor of the member's account
	Added  bool
}

func codeUndone(c *packed.Coder, u *undone) {
	c.Flags(&u.Created, &u.Deleted)
	c.Text(&u.Cycle)
	c.Text(&u.Action)
	c.Text(&u.Target)
	packed.List(c, &u.Attrs, func(c *packed.Coder, v *undoneValue) {
		c.Text(&v.Attr)
		c.Value(&v.Old)
		c.Value(&v.New)
	})
	packed.List(c, &u.Members, func(c *packed.Coder, m *undoneMember) {
		c.Text(&m.Attr)
		c.Text(&m.Target)
		c.Flags(&m.Added)
	})
}

// logged is what an undo reads of a log record.
type logged struct {
	Properties []struct {
		Name string `json:"displayName"`
		Old  value  `json:"oldValue"`
		New  value  `json:"newValue"`
	} `json:"modifiedProperties"`
}

// value is an attribute value in JSON; integers stay integers.
type value struct{ v any }

func (v *value) UnmarshalJSON(b []byte) (err error) {
	v.v, err = identity.ParseJSON(b)
	return err
}

// readUndone fills the work list with what a cycle did, one item for each object, from the provisioning log.
func (c *cycle) readUndone(ctx context.Context) error {
	if err := c.work.ClearWork(ctx, c.row.ID); err != nil {
		return fmt.Errorf("cycle %s: clear its work: %w", c.row.ID, err)
	}
	c.row.Counts = store.Counts{}
	q := store.LogQuery{JobID: c.subject.Job.ID, CycleID: c.undo, Ascending: true, Limit: 2 * blockSize}
	for {
		records, err := c.Store.Records(ctx, q)
		if err != nil {
			return fmt.Errorf("read the log of cycle %s: %w", c.undo, err)
		}
		for _, r := range c.rules {
			if err := c.gather(ctx, r, records); err != nil {
				return err
			}
		}
		if len(records) < q.Limit {
			break
		}
		q.After = records[len(records)-1].ID
	}
	return c.checkpoint(ctx, store.PhaseMatch)
}

// gather adds records to the work items of their objects.
func (c *cycle) gather(ctx context.Context, r *rule, records []store.LogRecord) error {
	var anchors []string
	for _, rec := range records {
		if rec.Rule == r.def.Name {
			anchors = append(anchors, rec.SourceID)
		}
	}
	slices.Sort(anchors)
	items, err := c.work.WorkByAnchor(ctx, c.row.ID, r.def.Name, slices.Compact(anchors))
	if err != nil {
		return fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
	}
	tasks := map[string]*task{}
	for a, w := range items {
		if tasks[a], err = decodeTask(w); err != nil {
			return err
		}
	}
	for _, rec := range records {
		if rec.Rule != r.def.Name || !slices.Contains([]string{"create", "update", "disable", "delete"}, rec.Action) {
			continue
		}
		var doc logged
		if err := json.Unmarshal(rec.Doc, &doc); err != nil {
			return fmt.Errorf("log record %s: %w", rec.ID, err)
		}
		if rec.Status != statusSuccess && rec.Status != statusWarning && len(doc.Properties) == 0 {
			continue // nothing was written
		}
		t := tasks[rec.SourceID]
		if t == nil {
			t = &task{Name: rec.SourceName, Undo: &undone{Cycle: c.undo}, Reason: "undoes cycle " + c.undo}
			tasks[rec.SourceID] = t
			c.row.Counts.Imported++
		}
		t.Undo.add(r, rec, doc)
	}
	batch := &store.Batch{}
	for anchor, t := range tasks {
		w := store.WorkItem{ObjectKey: store.ObjectKey{Rule: r.def.Name, Anchor: anchor}, Stage: store.ToSettle, Pass: r.pass(passUpdate), Target: t.Undo.Target}
		batch.Work = append(batch.Work, finishItem(&w, t))
	}
	if len(batch.Work) == 0 {
		return nil
	}
	return c.commit(ctx, batch)
}

// add takes one more record of the object.
func (u *undone) add(r *rule, rec store.LogRecord, doc logged) {
	u.Action, u.Created, u.Deleted = rec.Action, u.Created || rec.Action == "create", u.Deleted || rec.Action == "delete"
	if rec.TargetID != "" {
		u.Target = rec.TargetID
	}
	for _, p := range doc.Properties {
		if m := mappingOf(r, p.Name); m != nil && m.IsReference() && m.Def.MultiValued {
			u.addMembers(p.Name, anchorsOf(p.Old.v), false)
			u.addMembers(p.Name, anchorsOf(p.New.v), true)
			continue
		}
		if i := slices.IndexFunc(u.Attrs, func(v undoneValue) bool { return v.Attr == p.Name }); i >= 0 {
			u.Attrs[i].New = p.New.v
			continue
		}
		u.Attrs = append(u.Attrs, undoneValue{Attr: p.Name, Old: p.Old.v, New: p.New.v})
	}
}

func (u *undone) addMembers(attr string, targets []string, added bool) {
	for _, target := range targets {
		i := slices.IndexFunc(u.Members, func(m undoneMember) bool { return m.Attr == attr && m.Target == target })
		switch {
		case i < 0:
			u.Members = append(u.Members, undoneMember{Attr: attr, Target: target, Added: added})
		case u.Members[i].Added != added: // taken away and added again, or the other way round
			u.Members = slices.Delete(u.Members, i, i+1)
		}
	}
}

// anchorsOf are the anchors in a property of a log record: one, or a list.
func anchorsOf(v any) []string {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []string
	for _, e := range list {
		if text := mapping.Text(e); text != "" {
			out = append(out, text)
		}
	}
	return out
}

func mappingOf(r *rule, attr string) *mapping.Mapping {
	i := slices.IndexFunc(r.set.Mappings, func(m mapping.Mapping) bool { return m.Target == attr })
	if i < 0 {
		return nil
	}
	return &r.set.Mappings[i]
}

// settleUndone decides what is taken back. Every account is read first, so that what somebody has changed since stays.
func (c *cycle) settleUndone(ctx context.Context) error {
	back, err := c.deletedAccounts(ctx)
	if err != nil {
		return err
	}
	byName := map[string]*rule{}
	for _, r := range c.rules {
		byName[r.def.Name] = r
	}
	var after *store.Position
	for {
		items, err := c.work.WorkAt(ctx, c.row.ID, []store.Stage{store.ToSettle}, after, blockSize)
		if err != nil {
			return fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
		}
		if len(items) == 0 {
			return nil
		}
		last := items[len(items)-1]
		after = &store.Position{Pass: last.Pass, Depth: last.Depth, Rule: last.Rule, Anchor: last.Anchor}
		batch := &store.Batch{}
		for _, r := range c.rules {
			if err := c.settleUndoneOf(ctx, r, items, back, batch); err != nil {
				return err
			}
		}
		waiting, err := c.dropped(ctx, byName, batch.Work)
		if err != nil {
			return err
		}
		batch.Unresolved = waiting
		if err := c.commit(ctx, batch); err != nil {
			return err
		}
		for chunk := range slices.Chunk(waiting, blockSize) { // engine.R88; no other references that wait are an undo's business
			if err := c.healChunk(ctx, chunk); err != nil {
				return err
			}
		}
	}
}

// deletedAccounts are the source objects of the accounts that the cycle deleted, by what is left of them: log records
// name members and managers by their accounts, and of these the state knows no more.
func (c *cycle) deletedAccounts(ctx context.Context) (map[identity.Ref]identity.Ref, error) {
	out := map[identity.Ref]identity.Ref{}
	q := store.LogQuery{JobID: c.subject.Job.ID, CycleID: c.undo, Action: "delete", Ascending: true, Limit: 2 * blockSize}
	for {
		records, err := c.Store.Records(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("read the log of cycle %s: %w", c.undo, err)
		}
		for _, rec := range records {
			for _, r := range c.rules {
				if r.def.Name == rec.Rule && rec.TargetID != "" {
					out[identity.Ref{Kind: r.def.To, Anchor: rec.TargetID}] = identity.Ref{Kind: r.def.From, Anchor: rec.SourceID}
				}
			}
		}
		if len(records) < q.Limit {
			return out, nil
		}
		q.After = records[len(records)-1].ID
	}
}

func (c *cycle) settleUndoneOf(ctx context.Context, r *rule, items []store.WorkItem, back map[identity.Ref]identity.Ref, batch *store.Batch) error {
	var mine []*undoing
	var anchors []string
	for _, w := range items {
		if w.Rule != r.def.Name {
			continue
		}
		t, err := decodeTask(w)
		if err != nil {
			return err
		}
		mine = append(mine, &undoing{cycle: c, rule: r, w: &w, t: t, u: t.Undo})
		anchors = append(anchors, w.Anchor)
	}
	if len(mine) == 0 {
		return nil
	}
	links, err := c.Store.ObjectsByAnchor(ctx, c.subject.Job.ID, r.def.Name, anchors)
	if err != nil {
		return fmt.Errorf("rule %s: read links: %w", r.def.Name, err)
	}
	last, err := c.Store.Projections(ctx, c.subject.Job.ID, r.def.Name, anchors)
	if err != nil {
		return fmt.Errorf("rule %s: read last exported values: %w", r.def.Name, err)
	}
	for _, d := range mine {
		d.link = links[d.w.Anchor]
		if p := last[d.w.Anchor]; len(p.Doc) > 0 {
			if d.last, err = decodeProjection(p); err != nil {
				return err
			}
		}
	}
	if err := c.readAccounts(ctx, r, mine); err != nil {
		return err
	}
	refs, err := c.sourcesOf(ctx, mine, back)
	if err != nil {
		return err
	}
	for _, d := range mine {
		d.refs = refs
		if err := d.decide(ctx); err != nil {
			return err
		}
		batch.Work = append(batch.Work, finishItem(d.w, d.t))
	}
	return nil
}

// sourcesOf finds the source objects of the accounts that undone references name.
func (c *cycle) sourcesOf(ctx context.Context, mine []*undoing, back map[identity.Ref]identity.Ref) (map[identity.Ref]identity.Ref, error) {
	targets := map[identity.Kind][]string{}
	for _, d := range mine {
		for _, m := range d.u.Members {
			kind := d.rule.refersTo(m.Attr)
			targets[kind] = append(targets[kind], m.Target)
		}
		for _, v := range d.u.Attrs {
			if m := mappingOf(d.rule, v.Attr); m != nil && m.IsReference() {
				kind := d.rule.refersTo(v.Attr)
				targets[kind] = append(targets[kind], anchorsOf(v.Old)...)
			}
		}
	}
	out := map[identity.Ref]identity.Ref{}
	for kind, anchors := range targets {
		slices.Sort(anchors)
		anchors = slices.Compact(anchors)
		for _, a := range anchors {
			if ref, ok := back[identity.Ref{Kind: kind, Anchor: a}]; ok {
				out[identity.Ref{Kind: kind, Anchor: a}] = ref
			}
		}
		for _, r := range c.rules {
			if r.def.To != kind {
				continue
			}
			owners, err := c.Store.Owners(ctx, c.subject.Job.ID, r.def.Name, anchors)
			if err != nil {
				return nil, fmt.Errorf("rule %s: read who accounts belong to: %w", r.def.Name, err)
			}
			for target, anchor := range owners {
				out[identity.Ref{Kind: kind, Anchor: target}] = identity.Ref{Kind: r.def.From, Anchor: anchor}
			}
		}
	}
	return out, nil
}

// refersTo is the kind of account that a reference attribute names.
func (r *rule) refersTo(attr string) identity.Kind {
	if m := mappingOf(r, attr); m != nil && m.Def.References != "" {
		return m.Def.References
	}
	return identity.User
}

// readAccounts reads the accounts that something may be written back to.
func (c *cycle) readAccounts(ctx context.Context, r *rule, mine []*undoing) error {
	var links []*undoing
	for _, d := range mine {
		if d.link.Target != "" && d.link.Target == d.u.Target {
			links = append(links, d)
		}
	}
	return c.each(ctx, len(links), "read accounts before they are set back", func(ctx context.Context, i int) error {
		d := links[i]
		o, err := c.fetch(ctx, r, d.link.Target)
		switch {
		case err == nil:
			d.now = asCurrent(o)
			return nil
		case connector.KindOf(err) == connector.KindNotFound:
			d.gone = true
			return nil
		}
		d.err = err
		return err
	})
}

// pauseForUndo keeps later cycles from doing again what is undone: the job stands still until somebody starts it, and
// then looks at everybody.
func (c *cycle) pauseForUndo(ctx context.Context) error {
	_, err := c.Store.UpdateJob(ctx, c.subject.Job.ID, func(j *store.Job) error {
		j.Paused = true
		j.AskInitial()
		return nil
	})
	if err != nil {
		return fmt.Errorf("job %s: pause it: %w", c.subject.Job.Name, err)
	}
	return nil
}

// removed shows what an account had that is deleted, so that the deletion can be undone.
func (p *pen) removed(ctx context.Context) ([]plan.Property, error) {
	var changes []connector.Change
	cur := p.t.known()
	for i := range p.r.set.Mappings {
		m := &p.r.set.Mappings[i]
		switch {
		case m.IsReference() && m.Def.MultiValued:
			members, err := p.Store.Members(context.WithoutCancel(ctx), p.subject.Job.ID, p.it.ObjectKey, m.Target)
			if err != nil {
				return nil, fmt.Errorf("rule %s: read the members written for %q: %w", p.it.Rule, p.it.Anchor, err)
			}
			var list []any
			for _, member := range members {
				list = append(list, identity.Ref{Kind: p.kindOf(member.Ref), Anchor: member.Target})
			}
			if list != nil {
				changes = append(changes, connector.Change{Attr: m.Target, Op: connector.Remove, New: list})
			}
		case m.IsReference():
			if anchor := cur.Refs[m.Target]; anchor != "" {
				changes = append(changes, connector.Change{Attr: m.Target, Op: connector.Clear, Old: identity.Ref{Kind: m.Def.References, Anchor: anchor}})
			}
		default:
			if v := cur.Values[m.Target]; !identity.Empty(v) {
				changes = append(changes, connector.Change{Attr: m.Target, Op: connector.Clear, Old: v})
			}
		}
	}
	return plan.Properties(p.r.set, changes), nil
}

// beginUndo makes an undo of a new cycle. In a plan nothing is paused.
func (c *cycle) beginUndo(ctx context.Context) error {
	c.undo, c.row.Type, c.row.Phase = c.opt.Undo, store.Undo, store.PhaseRead
	if c.dry {
		return nil
	}
	return c.pauseForUndo(ctx)
}

// endUndo keeps with the job what an undo means for it: the source's position stays, and so does the health of its
// cycles, unless the target fails or something is held.
func (c *cycle) endUndo(j *store.Job, judged *store.Quarantine, failed bool) {
	j.Paused = true // somebody may have started it while the undo was interrupted
	if failed || c.row.Held != "" {
		j.Quarantine = judged
	}
}
