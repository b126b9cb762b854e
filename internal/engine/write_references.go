package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// sentRef is a reference that a create request carried.
type sentRef struct {
	store.Member
	multi bool
}

// change is the reference as a change of its own.
func (s sentRef) change() refChange {
	if s.multi {
		return refChange{Attr: s.Attr, Multi: true, Add: []identity.Ref{s.Ref}}
	}
	return refChange{Attr: s.Attr, Set: &s.Ref}
}

// referencesFor puts into a create request the references whose accounts are known, and returns those with what has to
// follow as an update.
func (p *pen) referencesFor(ctx context.Context, obj *identity.Object) (sent []sentRef, later []refChange, err error) {
	inCreate := p.referencesInCreate()
	for _, v := range p.t.Values {
		m := &p.r.set.Mappings[v.Index]
		if !m.IsReference() || v.Ignored || len(v.Refs) == 0 {
			continue
		}
		ch := refChange{Attr: m.Target, Multi: m.Def.MultiValued}
		var now []any
		for _, ref := range v.Refs {
			if ch.Multi && ref.Kind == p.r.def.From { // engine.R99
				continue
			}
			target, wait := p.resolve(p.it, ref)
			switch {
			case ctx.Err() != nil:
				return nil, nil, ctx.Err()
			case target == "" && !wait:
				p.t.unresolved(p.it.ObjectKey, m.Target, ref)
			case target != "" && inCreate && p.createTakes(ch.Multi, len(now)):
				now = append(now, identity.Ref{Kind: p.kindOf(ref), Anchor: target})
				sent = append(sent, sentRef{store.Member{Owner: p.it.ObjectKey, Attr: m.Target, Ref: ref, Target: target}, ch.Multi})
			case ch.Multi:
				ch.Add = append(ch.Add, ref)
			default:
				ch.Set = &ref
			}
			if !ch.Multi {
				break
			}
		}
		switch {
		case len(now) > 0 && ch.Multi:
			obj.Attrs.Set(m.Target, now)
		case len(now) > 0:
			obj.Attrs.Set(m.Target, now[0])
		}
		if !ch.empty() {
			later = append(later, ch)
		}
	}
	return sent, later, nil
}

// kindOf is the target's kind for a source reference.
func (p *pen) kindOf(ref identity.Ref) identity.Kind {
	for _, r := range p.cycle.rules {
		if r.def.From == ref.Kind {
			return r.def.To
		}
	}
	return ref.Kind
}

// kept looks which references of a create the target's answer shows. Those that it dropped are sent as an update, and
// no further create of this job carries any (design D1).
func (p *pen) kept(got *identity.Object, sent []sentRef) []refChange {
	if len(sent) == 0 {
		return nil
	}
	var later []refChange
	var members []store.Member
	shown := shownIn(got)
	p.out.props = slices.Grow(p.out.props, len(sent))
	for _, s := range sent {
		if shown[attrRef{s.Attr, s.Target}] {
			if s.multi {
				members = append(members, s.Member)
				p.resolved(store.Unresolved{Owner: s.Owner, Attr: s.Attr, Ref: s.Ref})
			} else {
				p.cur.Refs[s.Attr] = s.Target
			}
			p.out.props = append(p.out.props, plan.Property{Name: s.Attr, New: s.Target})
			continue
		}
		p.dropReferences()
		i := slices.IndexFunc(later, func(ch refChange) bool { return ch.Attr == s.Attr })
		if i < 0 {
			later = append(later, refChange{Attr: s.Attr, Multi: s.multi})
			i = len(later) - 1
		}
		if s.multi {
			later[i].Add = append(later[i].Add, s.Ref)
		} else {
			later[i].Set = &s.Ref
		}
	}
	p.membersAre(members)
	return later
}

// join adds reference changes to others, those of one attribute together.
func join(to, from []refChange) []refChange {
	for _, ch := range from {
		if i := slices.IndexFunc(to, func(o refChange) bool { return o.Attr == ch.Attr }); i >= 0 {
			to[i].Add = append(to[i].Add, ch.Add...)
			continue
		}
		to = append(to, ch)
	}
	return to
}

// attrRef is a reference to an account under an attribute.
type attrRef struct{ attr, target string }

// shownIn returns the references of an account, as the target answered it.
func shownIn(o *identity.Object) map[attrRef]bool {
	shown := map[attrRef]bool{}
	for _, a := range o.Attrs {
		list, ok := a.Value.([]any)
		if !ok {
			list = []any{a.Value}
		}
		for _, v := range list {
			if r, ok := v.(identity.Ref); ok {
				shown[attrRef{a.Name, r.Anchor}] = true
			}
		}
	}
	return shown
}

// referencesInCreate tells whether creates may still carry references.
func (p *pen) referencesInCreate() bool { return p.caps.ReferencesInCreate && !p.dropped.Load() }

// dropReferences switches references in creates off for the rest of the job.
func (p *pen) dropReferences() {
	p.dropped.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cycle.subject.Job.NoReferences = true
}

// after plans the references that a create could not carry as a second item of the same object.
func (p *pen) after(later []refChange) {
	if len(later) == 0 {
		return
	}
	t := &task{Name: p.t.Name, Hash: p.t.Hash, Prior: store.Active, After: store.Active, Current: p.cur, Confirm: p.Now(),
		Reason: "references that could not go into the create", Refs: later, Follow: true, Missing: p.t.Missing}
	w := store.WorkItem{ObjectKey: p.it.ObjectKey, Stage: store.ToExport, Pass: p.r.pass(passReferences), Action: string(plan.Modify), Target: p.it.Target}
	p.res.batch.Work = append(p.res.batch.Work, finishItem(&w, t))
	for i := range p.res.batch.Objects { // whole only when they are written: the work list is dropped when the job fails
		p.res.batch.Objects[i].Hash = hash{}
	}
}

// single resolves a reference with one value; one that still has no account is left to be healed.
func (p *pen) single(ctx context.Context, ch refChange) (connector.Change, bool) {
	target, _ := p.resolve(p.it, *ch.Set)
	if target == "" {
		p.t.unresolved(p.it.ObjectKey, ch.Attr, *ch.Set)
		return connector.Change{}, false
	}
	p.resolved(store.Unresolved{Owner: p.it.ObjectKey, Attr: ch.Attr, Ref: *ch.Set})
	c := connector.Change{Attr: ch.Attr, Op: connector.Set, New: identity.Ref{Kind: p.kindOf(*ch.Set), Anchor: target}}
	if old := p.cur.Refs[ch.Attr]; old != "" {
		if old == target {
			return connector.Change{}, false
		}
		c.Old = identity.Ref{Kind: p.kindOf(*ch.Set), Anchor: old}
	}
	return c, true
}

// sendMembers sends removals, then additions, in batches; each batch that succeeded is remembered even when a later
// one fails.
func (p *pen) sendMembers(ctx context.Context, ch refChange) error {
	remove := ch.Remove
	if p.t.HoldRefs {
		remove = nil
	}
	if p.caps.WholeMembers && len(remove) > 0 {
		return p.sendWhole(ctx, ch)
	}
	for part := range slices.Chunk(remove, p.batch(ch, connector.Remove, len(remove))) {
		if err := p.sendBatch(ctx, connector.Change{Attr: ch.Attr, Op: connector.Remove, New: p.accounts(part)}); err != nil {
			if doubtful(err) {
				p.doubtMembers(part)
			}
			return err
		}
		p.res.batch.Unmember = append(p.res.batch.Unmember, part...)
		p.settled(ch, part)
	}
	var refusal error // of single members
	add := p.addable(ch)
	for part := range slices.Chunk(add, p.batch(ch, connector.Add, len(add))) {
		if err := p.addMembers(ctx, ch.Attr, part); refused(ctx, err) {
			refusal = err
		} else if err != nil {
			return err
		}
	}
	return refusal
}

// addable are the members of a change that have an account to be added; the others wait.
func (p *pen) addable(ch refChange) []store.Member {
	var add []store.Member
	for _, ref := range ch.Add {
		if target, _ := p.resolve(p.it, ref); target != "" && !p.staysDisabled(p.it, ref) {
			add = append(add, store.Member{Owner: p.it.ObjectKey, Attr: ch.Attr, Ref: ref, Target: target})
		} else {
			p.t.unresolved(p.it.ObjectKey, ch.Attr, ref)
			if target != "" && p.resumed { // an earlier process may have seen it enabled, and sent it
				p.membersAre([]store.Member{{Owner: p.it.ObjectKey, Attr: ch.Attr, Ref: ref, Target: target}})
			}
		}
	}
	return add
}

// sendWhole writes all members that remain, for a target that takes none away singly (connector.Caps.WholeMembers). Who
// is a member beside those that were written by the job is not known, and goes. A list that was written in part leaves
// open who is a member: all of them are then written again.
func (p *pen) sendWhole(ctx context.Context, ch refChange) error {
	written, err := p.Store.Members(context.WithoutCancel(ctx), p.subject.Job.ID, p.it.ObjectKey, ch.Attr)
	if err != nil { // the cycle ends
		return &leaseError{fmt.Errorf("rule %s: read the members written for %q: %w", p.it.Rule, p.it.Anchor, err)}
	}
	stay, add := remaining(written, ch), p.addable(ch)
	all := connector.Change{Attr: ch.Attr, Op: connector.Set, New: p.accounts(slices.Concat(stay, add))}
	if _, err := p.subject.Target.Update(ctx, p.updateOf([]connector.Change{all})); err != nil {
		if doubtful(err) {
			p.doubtMembers(slices.Concat(stay, ch.Remove, add))
		}
		return err
	}
	p.res.written = true
	told := []connector.Change{{Attr: ch.Attr, Op: connector.Remove, New: p.accounts(ch.Remove)}}
	if len(add) > 0 {
		told = append(told, connector.Change{Attr: ch.Attr, Op: connector.Add, New: p.accounts(add)})
	}
	p.out.props = append(p.out.props, plan.Properties(p.r.set, told)...)
	p.res.batch.Unmember = append(p.res.batch.Unmember, ch.Remove...)
	p.membersAre(add)
	for _, m := range slices.Concat(stay, add) {
		p.resolved(store.Unresolved{Owner: m.Owner, Attr: m.Attr, Ref: m.Ref})
	}
	p.settled(ch, ch.Remove)
	return nil
}

// settled forgets what an earlier attempt left open of members that are removed now and that nobody wants.
func (p *pen) settled(ch refChange, removed []store.Member) {
	for _, m := range removed {
		u := store.Unresolved{Owner: m.Owner, Attr: m.Attr, Ref: m.Ref}
		if !slices.Contains(ch.Add, m.Ref) && !slices.Contains(p.t.Missing, u) {
			p.resolved(u)
		}
	}
}

// accounts are members as references in the target.
func (p *pen) accounts(members []store.Member) []any {
	list := make([]any, len(members))
	for i, m := range members {
		list[i] = identity.Ref{Kind: p.kindOf(m.Ref), Anchor: m.Target}
	}
	return list
}

// remaining are the members that were written and are neither to be removed nor to be added (again).
func remaining(written []store.Member, ch refChange) []store.Member {
	apart := make(map[identity.Ref]bool, len(ch.Remove)+len(ch.Add))
	for _, m := range ch.Remove {
		apart[m.Ref] = true
	}
	for _, ref := range ch.Add {
		apart[ref] = true
	}
	return slices.DeleteFunc(slices.Clone(written), func(m store.Member) bool { return apart[m.Ref] })
}

// batch is how many of n references one update adds or removes.
func (p *pen) batch(ch refChange, op connector.Op, n int) int {
	if size := batchOf(p.caps, tariffOf(p.subject.Target), p.r.def.To, ch.Attr, op); size > 0 {
		return size
	}
	return max(n, 1)
}

// membersAre remembers members that were added. One that was removed before under another account is a member all the
// same: in a batch, removals are applied last.
func (p *pen) membersAre(part []store.Member) {
	b := &p.res.batch
	b.Members = append(b.Members, part...)
	if len(b.Unmember) == 0 {
		return
	}
	b.Unmember = slices.DeleteFunc(b.Unmember, func(u store.Member) bool {
		return slices.ContainsFunc(part, func(m store.Member) bool { return m.Owner == u.Owner && m.Attr == u.Attr && m.Ref == u.Ref })
	})
}

// doubtMembers remembers members of which it is open whether they were added or removed. They are kept as written, so
// that they are removed when they ought not to be there, and as unresolved, so that they are added when they ought.
func (p *pen) doubtMembers(part []store.Member) {
	p.doubt = true
	p.membersAre(part)
	for _, m := range part {
		p.res.batch.Unresolved = append(p.res.batch.Unresolved, store.Unresolved{Owner: m.Owner, Attr: m.Attr, Ref: m.Ref})
	}
}

// forgetDoubts drops what an earlier attempt to create the account left open: this account is new and has only what it
// was given.
func (p *pen) forgetDoubts(ctx context.Context) error {
	if !p.waiting {
		return nil
	}
	open, err := p.Store.UnresolvedOf(context.WithoutCancel(ctx), p.subject.Job.ID, p.it.ObjectKey)
	if err != nil {
		return fmt.Errorf("rule %s: read unresolved references of %q: %w", p.it.Rule, p.it.Anchor, err)
	}
	b := &p.res.batch
	for _, u := range open {
		if slices.Contains(p.t.Missing, u) || strings.HasPrefix(u.Attr, was) {
			continue
		}
		p.resolved(u)
		m := store.Member{Owner: u.Owner, Attr: u.Attr, Ref: u.Ref}
		if !slices.ContainsFunc(b.Members, func(o store.Member) bool { return o.Attr == m.Attr && o.Ref == m.Ref }) {
			b.Unmember = append(b.Unmember, m)
		}
	}
	return nil
}

// unwantedDoubts returns, by attribute, the members that an earlier attempt to create the account may have given it and
// that the source no longer asks for. They do not wait for anybody any more.
func (p *pen) unwantedDoubts(ctx context.Context) (map[string][]store.Member, error) {
	if !p.waiting {
		return nil, nil
	}
	open, err := p.Store.UnresolvedOf(context.WithoutCancel(ctx), p.subject.Job.ID, p.it.ObjectKey)
	if err != nil {
		return nil, fmt.Errorf("rule %s: read unresolved references of %q: %w", p.it.Rule, p.it.Anchor, err)
	}
	out := map[string][]store.Member{}
	for _, u := range open {
		if wants(p.r, p.t, u) || strings.HasPrefix(u.Attr, was) {
			continue
		}
		if !slices.Contains(p.t.Stale, u) {
			p.t.Stale = append(p.t.Stale, u)
		}
		written, err := p.Store.Members(context.WithoutCancel(ctx), p.subject.Job.ID, u.Owner, u.Attr)
		if err != nil {
			return nil, fmt.Errorf("rule %s: read the members written for %q: %w", p.it.Rule, p.it.Anchor, err)
		}
		if i := slices.IndexFunc(written, func(m store.Member) bool { return m.Ref == u.Ref }); i >= 0 {
			out[u.Attr] = append(out[u.Attr], written[i])
		}
	}
	return out, nil
}

func (p *pen) sendBatch(ctx context.Context, ch connector.Change) error {
	if _, err := p.subject.Target.Update(ctx, p.updateOf([]connector.Change{ch})); err != nil {
		return err
	}
	p.res.written = true
	p.out.props = append(p.out.props, plan.Properties(p.r.set, []connector.Change{ch})...)
	return nil
}

// resolved forgets that a reference waited for its referent. In a job where none waits there is nothing to forget.
func (p *pen) resolved(u store.Unresolved) {
	if p.waiting {
		p.res.batch.Resolved = append(p.res.batch.Resolved, u)
	}
}
