package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// standing is what is known of the account of an object that is referred to.
type standing struct {
	target  string // anchor of its account, "" when it has none
	managed bool   // the account is in scope; references are written to such accounts only (engine.R91)
	coming  bool   // an account will be created for it in this cycle
}

// standings finds out about the accounts of objects, from the state and from the work of this cycle.
func (c *cycle) standings(ctx context.Context, refs []identity.Ref) (map[identity.Ref]standing, error) {
	out := make(map[identity.Ref]standing, len(refs))
	for _, r := range c.rules {
		var anchors []string
		for _, ref := range refs {
			if ref.Kind == r.def.From {
				anchors = append(anchors, ref.Anchor)
			}
		}
		if len(anchors) == 0 {
			continue
		}
		slices.Sort(anchors)
		anchors = slices.Compact(anchors)
		known, err := c.Store.ObjectsByAnchor(ctx, c.subject.Job.ID, r.def.Name, anchors)
		if err != nil {
			return nil, fmt.Errorf("rule %s: read links: %w", r.def.Name, err)
		}
		for _, a := range anchors {
			if o, ok := known[a]; ok && o.Target != "" {
				out[identity.Ref{Kind: r.def.From, Anchor: a}] = standing{target: o.Target, managed: o.State != store.Released}
			}
		}
		items, err := c.work.WorkByAnchor(ctx, c.row.ID, r.def.Name, anchors)
		if err != nil {
			return nil, fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
		}
		for a, w := range items {
			ref := identity.Ref{Kind: r.def.From, Anchor: a}
			switch s := out[ref]; {
			case w.Action == string(plan.Create) && w.Pass < passTakeAway:
				s.target, s.coming, s.managed = "", true, true // an account that it still has a link to is gone
				out[ref] = s
			case w.Target != "" && w.Pass < passTakeAway:
				out[ref] = standing{target: w.Target, managed: true}
			case w.Action == string(plan.Delete):
				out[ref] = standing{target: w.Target}
			case w.Target != "" && (w.Action == string(plan.Disable) || w.Action == string(plan.None)):
				t, err := decodeTask(w)
				if err != nil {
					return nil, err
				}
				out[ref] = standing{target: w.Target, managed: t.After != store.Released}
			}
		}
	}
	return out, nil
}

// settleReferences compares the references of linked and matched objects with what was written (engine section 9).
func (c *cycle) settleReferences(ctx context.Context) error {
	byName := map[string]*rule{}
	for _, r := range c.rules {
		byName[r.def.Name] = r
	}
	c.waiting, c.reopened = false, nil
	for _, err := range c.Store.Unresolved(ctx, c.subject.Job.ID) {
		if err != nil {
			return fmt.Errorf("job %s: read unresolved references: %w", c.subject.Job.Name, err)
		}
		c.waiting = true
		break
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
		if i := slices.IndexFunc(items, func(w store.WorkItem) bool { return w.Rule != items[0].Rule }); i > 0 {
			items = items[:i] // groups are settled after all of their members, which may send memberships again
		}
		last := items[len(items)-1]
		after = &store.Position{Pass: last.Pass, Depth: last.Depth, Rule: last.Rule, Anchor: last.Anchor}
		if err := c.settleBlock(ctx, byName, items); err != nil {
			return err
		}
	}
}

func (c *cycle) settleBlock(ctx context.Context, rules map[string]*rule, items []store.WorkItem) error {
	tasks := make([]*task, len(items))
	var refs []identity.Ref
	for i, w := range items {
		t, err := decodeTask(w)
		if err != nil {
			return err
		}
		tasks[i] = t
		for _, v := range t.Values {
			refs = append(refs, v.Refs...)
		}
	}
	accounts, err := c.standings(ctx, refs)
	if err != nil {
		return err
	}
	for i := range items {
		if err := c.settle(ctx, rules[items[i].Rule], &items[i], tasks[i], accounts); err != nil {
			return err
		}
	}
	if err := c.refresh(ctx, rules, items, tasks); err != nil {
		return err
	}
	batch := &store.Batch{}
	if err := c.reassert(ctx, rules, items, batch); err != nil {
		return err
	}
	for i := range items {
		w, t := &items[i], tasks[i]
		if t.Current != nil && t.Current.Read && t.Matched == "" && w.Stage == store.ToSettle { // it was read just now
			if err := c.settle(ctx, rules[w.Rule], w, t, accounts); err != nil {
				return err
			}
		}
		w.Stage = store.ToExport
		if w.Action == string(plan.None) && len(t.Refs) > 0 {
			w.Action = string(plan.Modify)
			t.carry(rules[w.Rule], t.Values, t.known())
		}
		if w.Action == string(plan.None) {
			w.Pass, t.Code = passRecord, codeRedundant
		}
		batch.Work = append(batch.Work, finishItem(w, t))
	}
	return c.commit(ctx, batch)
}

// settle compares the references of one object.
func (c *cycle) settle(ctx context.Context, r *rule, w *store.WorkItem, t *task, accounts map[identity.Ref]standing) error {
	if !r.def.Actions.Update || t.Soft && t.Prior != store.Active {
		return nil
	}
	before, err := c.unresolvedOf(ctx, w.ObjectKey)
	if err != nil {
		return err
	}
	cur := t.known()
	t.Missing, t.Warn, t.Refs, t.Stale = nil, nil, nil, nil
	for _, v := range t.Values {
		m := &r.set.Mappings[v.Index]
		if !m.IsReference() || v.Ignored || m.Apply == mapping.OnCreate && t.Prior != store.Unlinked {
			continue
		}
		ch := refChange{Attr: m.Target, Multi: m.Def.MultiValued}
		if ch.Multi {
			if err := c.compareMembers(ctx, r, w, t, v.Refs, before, accounts, &ch); err != nil {
				return err
			}
		} else {
			compareOne(w, t, m, v.Refs, cur.Refs[m.Target], accounts, &ch)
		}
		if ch.restrict(m.Apply, cur.Refs[m.Target] != ""); !ch.empty() {
			t.Refs = append(t.Refs, ch)
		}
	}
	for _, u := range before {
		old, note := strings.CutPrefix(u.Attr, was)
		if note && cur.Read && old == w.Target || !note && !wants(r, t, u) { // an account that was just read is not lost
			t.Stale = append(t.Stale, u)
		}
	}
	return nil
}

// restrict takes from the change of a reference what the flow type of its mapping does not allow (engine.R59). has tells
// whether the account has the reference, if it is one with a single value.
func (r *refChange) restrict(apply mapping.Apply, has bool) {
	if apply.KeepsValues() {
		r.Clear, r.Remove = false, nil
	}
	if apply == mapping.AttributeAddOnly {
		r.Clear, r.Remove = false, nil
		if has {
			r.Set = nil
		}
	}
}

// wants tells whether the source still has a reference that waits for its referent.
func wants(r *rule, t *task, u store.Unresolved) bool {
	return slices.ContainsFunc(t.Values, func(v mapping.Value) bool {
		return r.set.Mappings[v.Index].Target == u.Attr && !v.Ignored && slices.Contains(v.Refs, u.Ref)
	})
}

// compareOne compares a reference with one value, a manager.
func compareOne(w *store.WorkItem, t *task, m *mapping.Mapping, want []identity.Ref, have string, accounts map[identity.Ref]standing, ch *refChange) {
	if len(want) == 0 {
		ch.Clear = m.FlowNull && have != "" // engine.R101
		return
	}
	ref := want[0]
	switch s := accounts[ref]; {
	case s.target != "" && s.target == have:
	case s.coming, s.target != "" && s.managed:
		ch.Set = &ref
	default:
		t.unresolved(w.ObjectKey, m.Target, ref)
	}
}

// compareMembers compares a reference with many values with what was written to the target.
func (c *cycle) compareMembers(ctx context.Context, r *rule, w *store.WorkItem, t *task, want []identity.Ref, before []store.Unresolved, accounts map[identity.Ref]standing, ch *refChange) error {
	written, err := c.Store.Members(ctx, c.subject.Job.ID, w.ObjectKey, ch.Attr)
	if err != nil {
		return fmt.Errorf("rule %s: read the members written for %q: %w", r.def.Name, w.Anchor, err)
	}
	if t.Replaces != "" { // they were written to the account that is gone
		written = nil
	}
	i := 0
	for _, ref := range want { // both in the order of kind and anchor
		for ; i < len(written) && mapping.CompareRefs(written[i].Ref, ref) < 0; i++ {
			ch.Remove = append(ch.Remove, written[i])
		}
		s := accounts[ref]
		if i < len(written) && written[i].Ref == ref {
			open := slices.Contains(before, store.Unresolved{Owner: w.ObjectKey, Attr: ch.Attr, Ref: ref})
			switch {
			case s.target == "" && !s.coming, s.target == written[i].Target && !open:
				i++
				continue
			case s.target != written[i].Target: // the member has another account now, or gets one
				ch.Remove = append(ch.Remove, written[i])
			}
			i++ // added, or added again when it is not known whether it was
		}
		switch {
		case ref.Kind == r.def.From: // engine.R99: a group within a group is not written
		case s.coming, s.target != "" && s.managed:
			ch.Add = append(ch.Add, ref)
		default: // engine.R96
			t.unresolved(w.ObjectKey, ch.Attr, ref)
		}
	}
	ch.Remove = append(ch.Remove, written[i:]...)
	return nil
}

// unresolved notes a reference to an object without an account: a warning, healed later (design D4).
func (t *task) unresolved(owner store.ObjectKey, attr string, ref identity.Ref) {
	t.Missing = append(t.Missing, store.Unresolved{Owner: owner, Attr: attr, Ref: ref})
	if len(t.Warn) < 5 {
		t.Warn = append(t.Warn, fmt.Sprintf("%s: %s %s has no account in the target yet", attr, strings.ToLower(string(ref.Kind)), ref.Anchor))
	}
}

// waitsInVain returns the references of an object that wait although it is left alone. Of one that is released, those
// that may have been written stay: they are compared when it comes back.
func (p *pen) waitsInVain(ctx context.Context) ([]store.Unresolved, error) {
	ctx = context.WithoutCancel(ctx)
	open, err := p.Store.UnresolvedOf(ctx, p.subject.Job.ID, p.it.ObjectKey)
	if err != nil {
		return nil, fmt.Errorf("rule %s: read unresolved references of %q: %w", p.it.Rule, p.it.Anchor, err)
	}
	doubted := map[store.Unresolved]bool{}
	for i := range p.r.set.Mappings {
		m := &p.r.set.Mappings[i]
		if len(open) == 0 || p.t.After != store.Released || !m.IsReference() || !m.Def.MultiValued {
			continue
		}
		written, err := p.Store.Members(ctx, p.subject.Job.ID, p.it.ObjectKey, m.Target)
		if err != nil {
			return nil, fmt.Errorf("rule %s: read the members written for %q: %w", p.it.Rule, p.it.Anchor, err)
		}
		for _, w := range written {
			doubted[store.Unresolved{Owner: w.Owner, Attr: w.Attr, Ref: w.Ref}] = true
		}
	}
	return slices.DeleteFunc(open, func(u store.Unresolved) bool { return doubted[u] || strings.HasPrefix(u.Attr, was) }), nil
}

// heal plans the writing of references whose referent has an account now, or gets one in this cycle (design D4).
func (c *cycle) heal(ctx context.Context) error {
	var chunk, notes []store.Unresolved
	for u, err := range c.Store.Unresolved(ctx, c.subject.Job.ID) {
		if err != nil {
			return fmt.Errorf("job %s: read unresolved references: %w", c.subject.Job.Name, err)
		}
		if strings.HasPrefix(u.Attr, was) {
			if notes = append(notes, u); len(notes) >= blockSize {
				if err := c.healRenewed(ctx, notes); err != nil {
					return err
				}
				notes = notes[:0]
			}
			continue
		}
		if chunk = append(chunk, u); len(chunk) >= blockSize {
			if err := c.healChunk(ctx, chunk); err != nil {
				return err
			}
			chunk = chunk[:0]
		}
	}
	if err := c.healChunk(ctx, append(chunk, c.reopened...)); err != nil {
		return err
	}
	return c.healRenewed(ctx, notes)
}

func (c *cycle) healChunk(ctx context.Context, chunk []store.Unresolved) error {
	refs := make([]identity.Ref, len(chunk))
	for i, u := range chunk {
		refs[i] = u.Ref
	}
	accounts, err := c.standings(ctx, refs)
	if err != nil {
		return err
	}
	for _, r := range c.rules {
		owners := map[string][]store.Unresolved{}
		var anchors []string
		for _, u := range chunk {
			if s := accounts[u.Ref]; u.Owner.Rule != r.def.Name || !s.coming && (s.target == "" || !s.managed) {
				continue
			}
			if owners[u.Owner.Anchor] == nil {
				anchors = append(anchors, u.Owner.Anchor)
			}
			owners[u.Owner.Anchor] = append(owners[u.Owner.Anchor], u)
		}
		if len(anchors) == 0 || !r.def.Actions.Update {
			continue
		}
		if err := c.healOwners(ctx, r, anchors, owners); err != nil {
			return err
		}
	}
	return nil
}

// healOwners adds the references to the work of their owners. An owner that the cycle works on anyway compares its
// references itself, so only those without work, or with a healing that an earlier chunk began, are looked at.
func (c *cycle) healOwners(ctx context.Context, r *rule, anchors []string, owners map[string][]store.Unresolved) error {
	items, err := c.work.WorkByAnchor(ctx, c.row.ID, r.def.Name, anchors)
	if err != nil {
		return fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
	}
	links, err := c.Store.ObjectsByAnchor(ctx, c.subject.Job.ID, r.def.Name, anchors)
	if err != nil {
		return fmt.Errorf("rule %s: read links: %w", r.def.Name, err)
	}
	last, err := c.Store.Projections(ctx, c.subject.Job.ID, r.def.Name, anchors)
	if err != nil {
		return fmt.Errorf("rule %s: read last exported values: %w", r.def.Name, err)
	}
	batch := &store.Batch{}
	for _, a := range anchors {
		w, busy := items[a]
		var t *task
		link := links[a]
		switch {
		case busy:
			if t, err = decodeTask(w); err != nil {
				return err
			}
			if !t.Heal {
				continue
			}
		case link.State != store.Active, link.Hash == hash{}: // to be looked at whole: when it is enabled, or tried again
			continue
		default:
			p := last[a]
			cur, err := decodeProjection(p)
			if err != nil {
				return err
			}
			if c.readings[r.def.Name].Full { // the read has counted it as unchanged
				c.row.Counts.Unchanged--
			}
			t = &task{Name: p.Name, Hash: link.Hash, Prior: link.State, After: link.State, Confirm: link.Confirmed, Heal: true, Current: cur}
			w = store.WorkItem{ObjectKey: link.ObjectKey, Stage: store.ToExport, Pass: r.pass(passUpdate), Action: string(plan.Modify), Target: link.Target}
		}
		t.heal(r, owners[a])
		batch.Work = append(batch.Work, finishItem(&w, t))
	}
	if len(batch.Work) == 0 {
		return nil
	}
	return c.commit(ctx, batch)
}

func (t *task) heal(r *rule, refs []store.Unresolved) {
	for _, u := range refs {
		i := slices.IndexFunc(t.Refs, func(ch refChange) bool { return ch.Attr == u.Attr })
		if i < 0 {
			k := slices.IndexFunc(r.set.Mappings, func(m mapping.Mapping) bool { return m.Target == u.Attr })
			if k < 0 { // the mapping is gone
				continue
			}
			t.Refs = append(t.Refs, refChange{Attr: u.Attr, Multi: r.set.Mappings[k].Def.MultiValued})
			i = len(t.Refs) - 1
		}
		if t.Refs[i].Multi {
			if !slices.Contains(t.Refs[i].Add, u.Ref) { // it may wait for more than one reason
				t.Refs[i].Add = append(t.Refs[i].Add, u.Ref)
			}
		} else {
			ref := u.Ref
			t.Refs[i].Set = &ref
		}
		if len(t.Refs) == 1 && len(t.Refs[0].Add) <= 1 {
			t.Reason = fmt.Sprintf("%s %s has an account now, or can use it again", u.Attr, u.Ref.Anchor)
		} else {
			t.Reason = "objects that it refers to have accounts now, or can use them again"
		}
	}
}

// orderCreates puts creates into management order, so that a manager's account exists before that of who reports to
// them and goes into the create request (design D1).
func (c *cycle) orderCreates(ctx context.Context, r *rule) error {
	if !c.caps.ReferencesInCreate {
		return nil
	}
	if _, err := c.work.SetDepths(ctx, c.row.ID, r.pass(passCreate)); err != nil {
		return fmt.Errorf("cycle %s: order its creates: %w", c.row.ID, err)
	}
	return nil
}
