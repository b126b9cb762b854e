package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// was begins the attribute under which it is kept, among the references that wait, that an object has lost an account;
// the account's anchor follows. When the object gets another account, those who refer to it are looked for, although
// nothing about them changed in the source (design D4).
const was = "#was:"

// perhapsLost notes that an account may have been deleted by a request of ours whose answer was lost, so that its person
// gets another one if it is missing when they come back. That it is there after all drops the note (settle).
func (p *pen) perhapsLost(target string) {
	p.res.batch.Unresolved = append(p.res.batch.Unresolved, lost(p.it.ObjectKey, p.r.def.From, target))
}

// lostAccount notes that an object has no longer the account that it had, for those who refer to it.
func (p *pen) lostAccount(target string) {
	if target == "" || !slices.ContainsFunc(p.cycle.rules, (*rule).refers) {
		return
	}
	p.res.batch.Unresolved = append(p.res.batch.Unresolved, lost(p.it.ObjectKey, p.r.def.From, target))
}

// lost is the note that an object of a kind has no longer this account.
func lost(key store.ObjectKey, kind identity.Kind, target string) store.Unresolved {
	return store.Unresolved{Owner: key, Attr: was + target, Ref: identity.Ref{Kind: kind, Anchor: key.Anchor}}
}

// forget drops what is known of the object, but for the accounts that it has lost: who refers to one of them is still to
// get the next one.
func (p *pen) forget(ctx context.Context) {
	b := &p.res.batch
	b.Forget = append(b.Forget, p.it.ObjectKey)
	if !p.waiting {
		return
	}
	open, err := p.Store.UnresolvedOf(context.WithoutCancel(ctx), p.subject.Job.ID, p.it.ObjectKey)
	if err != nil {
		p.res.fatal = fmt.Errorf("rule %s: read unresolved references of %q: %w", p.it.Rule, p.it.Anchor, err)
		return
	}
	for _, u := range open {
		if strings.HasPrefix(u.Attr, was) {
			b.Unresolved = append(b.Unresolved, u)
		}
	}
}

// replace notes the loss of an account that a listing of the target lacked, before the object gets another one.
func (p *pen) replace(ctx context.Context) error {
	if p.t.Replaces == "" {
		return nil
	}
	p.lostAccount(p.t.Replaces)
	return p.forgetMembers(ctx)
}

// forgetMembers drops what was written to an account that is gone: another one has other members.
func (p *pen) forgetMembers(ctx context.Context) error {
	for i := range p.r.set.Mappings {
		m := &p.r.set.Mappings[i]
		if !m.IsReference() || !m.Def.MultiValued {
			continue
		}
		written, err := p.Store.Members(context.WithoutCancel(ctx), p.subject.Job.ID, p.it.ObjectKey, m.Target)
		if err != nil {
			return fmt.Errorf("rule %s: read the members written for %q: %w", p.it.Rule, p.it.Anchor, err)
		}
		p.res.batch.Unmember = append(p.res.batch.Unmember, written...)
	}
	return nil
}

// rematches tells whether an object whose account is missing is to be matched anew: because the job says so, or because
// the job itself may have deleted the account, by a request whose answer was lost.
func (c *cycle) rematches(ctx context.Context, key store.ObjectKey, target string) (bool, error) {
	if c.subject.Def.Settings.OnMissingTarget == job.MissingRematch {
		return true, nil
	}
	open, err := c.Store.UnresolvedOf(context.WithoutCancel(ctx), c.subject.Job.ID, key)
	if err != nil {
		return false, fmt.Errorf("rule %s: read unresolved references of %q: %w", key.Rule, key.Anchor, err)
	}
	return slices.ContainsFunc(open, func(u store.Unresolved) bool { return u.Attr == was+target }), nil
}

// refers tells whether a rule writes references.
func (r *rule) refers() bool {
	return slices.ContainsFunc(r.set.Mappings, func(m mapping.Mapping) bool { return m.IsReference() })
}

// healRenewed plans the writing of references to accounts that were made anew. It reads all that was exported, which is
// why it does so only in the cycles in which an object gets another account than it had, and in the one that follows.
func (c *cycle) healRenewed(ctx context.Context, notes []store.Unresolved) error {
	if len(notes) == 0 {
		return nil
	}
	refs := make([]identity.Ref, len(notes))
	for i, u := range notes {
		refs[i] = u.Ref
	}
	accounts, err := c.standings(ctx, refs)
	if err != nil {
		return err
	}
	back := map[string]identity.Ref{} // by the account that was lost
	var rows []store.Unresolved
	for _, u := range notes {
		old := strings.TrimPrefix(u.Attr, was)
		if s := accounts[u.Ref]; s.target != old && (s.target != "" || s.coming) {
			back[old] = u.Ref
			rows = append(rows, u)
		}
	}
	if len(back) == 0 {
		return nil
	}
	stale := map[identity.Ref]bool{}
	var chunk []store.Unresolved
	for _, r := range c.rules {
		if !r.refers() {
			continue
		}
		for u, err := range c.staleReferences(ctx, r, back) {
			if err != nil {
				return err
			}
			stale[u.Ref] = true
			if chunk = append(chunk, u); len(chunk) >= blockSize {
				if err := c.healChunk(ctx, chunk); err != nil {
					return err
				}
				chunk = chunk[:0]
			}
		}
	}
	if err := c.healChunk(ctx, chunk); err != nil || c.dry {
		return err
	}
	batch := &store.Batch{}
	for _, u := range rows {
		if s := accounts[u.Ref]; !stale[u.Ref] && s.target != "" {
			batch.Resolved = append(batch.Resolved, u)
		}
	}
	if len(batch.Resolved) == 0 {
		return nil
	}
	return c.commit(ctx, batch)
}

// staleReferences delivers the references of a rule's objects that were written with an account that is lost.
func (c *cycle) staleReferences(ctx context.Context, r *rule, replaced map[string]identity.Ref) func(yield func(store.Unresolved, error) bool) {
	return func(yield func(store.Unresolved, error) bool) {
		var anchors []string
		flush := func() bool {
			found, err := c.referring(ctx, r, anchors, replaced)
			if err != nil {
				yield(store.Unresolved{}, err)
				return false
			}
			anchors = anchors[:0]
			for _, u := range found {
				if !yield(u, nil) {
					return false
				}
			}
			return true
		}
		for o, err := range c.Store.Objects(ctx, c.subject.Job.ID, r.def.Name) {
			if err != nil {
				yield(store.Unresolved{}, fmt.Errorf("rule %s: read known objects: %w", r.def.Name, err))
				return
			}
			if o.State != store.Active {
				continue
			}
			if anchors = append(anchors, o.Anchor); len(anchors) >= blockSize && !flush() {
				return
			}
		}
		flush()
	}
}

// referring finds the references to lost accounts among the objects with these anchors.
func (c *cycle) referring(ctx context.Context, r *rule, anchors []string, replaced map[string]identity.Ref) ([]store.Unresolved, error) {
	last, err := c.Store.Projections(ctx, c.subject.Job.ID, r.def.Name, anchors)
	if err != nil {
		return nil, fmt.Errorf("rule %s: read last exported values: %w", r.def.Name, err)
	}
	var out []store.Unresolved
	for _, anchor := range anchors {
		owner := store.ObjectKey{Rule: r.def.Name, Anchor: anchor}
		cur, err := decodeProjection(last[anchor])
		if _, known := last[anchor]; known && err != nil {
			return nil, err
		}
		for i := range r.set.Mappings {
			m := &r.set.Mappings[i]
			switch {
			case !m.IsReference():
			case m.Def.MultiValued:
				members, err := c.Store.Members(ctx, c.subject.Job.ID, owner, m.Target)
				if err != nil {
					return nil, fmt.Errorf("rule %s: read the members written for %q: %w", r.def.Name, anchor, err)
				}
				for _, member := range members {
					if ref, ok := replaced[member.Target]; ok && ref == member.Ref {
						out = append(out, store.Unresolved{Owner: owner, Attr: m.Target, Ref: ref})
					}
				}
			case cur != nil:
				ref, ok := replaced[cur.Refs[m.Target]]
				if !ok {
					continue
				}
				open, err := c.Store.UnresolvedOf(ctx, c.subject.Job.ID, owner)
				if err != nil {
					return nil, fmt.Errorf("rule %s: read unresolved references of %q: %w", r.def.Name, anchor, err)
				}
				if !slices.ContainsFunc(open, func(u store.Unresolved) bool { return u.Attr == m.Target && u.Ref != ref }) { // else it is somebody else's by now
					out = append(out, store.Unresolved{Owner: owner, Attr: m.Target, Ref: ref})
				}
			}
		}
	}
	return out, nil
}

// reassert lets the memberships of those wait whose account is enabled: the target may have dropped them while it was
// disabled (engine.R88). They heal like any that were never written, in this cycle or, if it fails, in the next.
func (c *cycle) reassert(ctx context.Context, rules map[string]*rule, items []store.WorkItem, batch *store.Batch) error {
	rows, err := c.dropped(ctx, rules, items)
	if err != nil || len(rows) == 0 {
		return err
	}
	batch.Unresolved = append(batch.Unresolved, rows...)
	c.waiting = true
	if c.dry { // nobody reads what a plan writes
		c.reopened = append(c.reopened, rows...)
	}
	return nil
}

// dropped are the memberships, as references that wait, of those among the items whose account is enabled.
func (c *cycle) dropped(ctx context.Context, rules map[string]*rule, items []store.WorkItem) ([]store.Unresolved, error) {
	var enabled []identity.Ref
	for _, w := range items {
		if w.Action == string(plan.Enable) {
			enabled = append(enabled, identity.Ref{Kind: rules[w.Rule].def.From, Anchor: w.Anchor})
		}
	}
	if len(enabled) == 0 {
		return nil, nil
	}
	members, err := c.Store.Memberships(ctx, c.subject.Job.ID, enabled)
	if err != nil {
		return nil, fmt.Errorf("job %s: read memberships of accounts that are enabled: %w", c.subject.Job.Name, err)
	}
	rows := make([]store.Unresolved, len(members))
	for i, m := range members {
		rows[i] = store.Unresolved{Owner: m.Owner, Attr: m.Attr, Ref: m.Ref}
	}
	return rows, nil
}

// unresolvedOf returns the references of an object that wait for their referent.
func (c *cycle) unresolvedOf(ctx context.Context, owner store.ObjectKey) ([]store.Unresolved, error) {
	if !c.waiting {
		return nil, nil
	}
	out, err := c.Store.UnresolvedOf(ctx, c.subject.Job.ID, owner)
	if err != nil {
		return nil, fmt.Errorf("rule %s: read unresolved references of %q: %w", owner.Rule, owner.Anchor, err)
	}
	for _, u := range c.reopened {
		if u.Owner == owner && !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out, nil
}

// enabling finds the work of late that enables the account of an object, nil for none.
func (x *exporter) enabling(ref identity.Ref) *making {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.enables[ref]
}

// staysDisabled tells whether the account of a member was to be enabled before this item and was not. Its membership
// waits: sent now, it would be sent again with each attempt to enable the account, and once more when one succeeds.
func (x *exporter) staysDisabled(it *item, ref identity.Ref) bool {
	m := x.enabling(ref)
	if m == nil || m.turn >= it.turn {
		return false
	}
	<-m.done
	return m.target == ""
}
