package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/match"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// pen writes one object and gathers what is to be stored about it.
type pen struct {
	*exporter
	it  *item
	t   *task
	r   *rule
	res *result
	out outcome
	cur *plan.Current // the account as it is known after what was written so far

	doubt  bool // a write failed in a way that leaves open whether it took effect
	unmade bool // so did the create

	often string // says which values are sent again and again; "" for none
}

// write carries out one item.
func (x *exporter) write(ctx context.Context, it *item) *result {
	p := &pen{exporter: x, it: it, t: it.task, r: it.rule, res: &result{item: it, action: plan.Action(it.Action)},
		out: outcome{action: plan.Action(it.Action), status: statusSuccess, target: it.Target, began: x.Now(), reason: it.task.Reason}}
	if it.making != nil {
		defer func() {
			it.making.again = p.res.again || p.res.fatal != nil
			close(it.making.done)
		}()
	}
	if x.stopped() {
		p.res.again = true
		return p.res
	}
	err := p.replace(ctx)
	switch {
	case err != nil:
		p.res.fatal = err
		return p.res
	case it.Pass == passRecord:
		p.bookkeep(ctx)
	case it.Action == string(plan.Create):
		err = p.create(ctx)
	case it.Action == string(plan.Delete):
		err = p.delete(ctx)
	default:
		err = p.update(ctx)
	}
	if err != nil {
		p.failed(ctx, err)
	}
	if !p.res.again && (p.res.fatal == nil || p.res.failed) {
		p.close()
	}
	return p.res
}

// create makes an account. An item that was announced before a crash may have its account already, so the target is
// asked first; so it is when the answer to the request is lost (scim.R63).
func (p *pen) create(ctx context.Context) error {
	lost, refused := p.it.doubtful, false
	for tries := 2; tries > 0; tries-- {
		if lost {
			if done, err := p.findMade(ctx); done || err != nil {
				return p.unsure(ctx, err)
			}
		}
		err := p.send(ctx)
		switch reaction := react(ctx, err); {
		case err == nil:
			return nil
		case reaction == lookAgain:
			lost = true
			continue
		case reaction == taken:
			if p.t.Indexed { // the index missed it (design D1)
				if done, ferr := p.findTaken(ctx); done || ferr != nil {
					return ferr
				}
			}
			if lost || refused { // after a lost answer it may be this very account that has the value
				return err
			}
			again, cerr := p.chooseAgain(ctx)
			if cerr != nil {
				return cerr
			}
			if refused = again; again {
				tries++
				continue
			}
		case doubtful(err):
			return p.unsure(ctx, err)
		}
		return err
	}
	done, err := p.findMade(ctx)
	if !done && err == nil {
		err = &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeTimeout, Detail: "the answer to the create was lost twice, and no account was made"}
	}
	return p.unsure(ctx, err)
}

// unsure passes on the error of a create that may have taken effect. The members that it carried are remembered as ones
// that may be there, for the time when the account is found.
func (p *pen) unsure(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case react(ctx, err) == putBack:
		p.lose()
		return err
	}
	p.unmade = true
	for _, v := range p.t.Values {
		m := &p.r.set.Mappings[v.Index]
		if !m.IsReference() || !m.Def.MultiValued || v.Ignored {
			continue
		}
		var part []store.Member
		for _, ref := range v.Refs {
			if target, _ := p.resolve(p.it, ref); target != "" && ref.Kind != p.r.def.From {
				part = append(part, store.Member{Owner: p.it.ObjectKey, Attr: m.Target, Ref: ref, Target: target})
			}
		}
		p.doubtMembers(part)
	}
	return err
}

// send sends the create request.
func (p *pen) send(ctx context.Context) error {
	attrs, err := plan.New(p.r.set, p.t.Values)
	if err != nil {
		return err
	}
	obj := &identity.Object{Kind: p.r.def.To, Attrs: attrs}
	sent, later, err := p.referencesFor(ctx, obj)
	if err != nil {
		return err
	}
	got, err := p.subject.Target.Create(ctx, obj)
	if len(sent) > 0 && refused(ctx, err) && react(ctx, err) == failObject && p.failedBefore(ctx) { // it may be for one of them
		obj.Attrs = slices.DeleteFunc(obj.Attrs, func(a identity.Attr) bool {
			return slices.ContainsFunc(sent, func(s sentRef) bool { return s.Attr == a.Name })
		})
		for _, s := range sent {
			later = join(later, []refChange{s.change()})
		}
		sent = nil
		got, err = p.subject.Target.Create(ctx, obj)
	}
	if err != nil {
		return err
	}
	p.res.written = true
	if err := p.claims.claim(p.r.def.To, got.Anchor, p.it.ObjectKey); err != nil {
		return err
	}
	p.it.Target, p.out.target = got.Anchor, got.Anchor
	p.cur = &plan.Current{Values: make(map[string]any, len(obj.Attrs)), Refs: map[string]string{}}
	made := make([]connector.Change, 0, len(obj.Attrs))
	for _, a := range obj.Attrs {
		if _, isRef := a.Value.(identity.Ref); !isRef {
			if !slices.ContainsFunc(sent, func(s sentRef) bool { return s.Attr == a.Name }) {
				p.cur.Values[a.Name] = a.Value
				made = append(made, connector.Change{Attr: a.Name, New: a.Value})
			}
		}
	}
	p.out.props = append(p.out.props, plan.Properties(p.r.set, made)...)
	later = join(later, p.kept(got, sent))
	if err := p.forgetDoubts(ctx); err != nil {
		p.res.fatal = err
		return nil //nolint:nilerr // the account is made; what the state refused ends the cycle
	}
	p.compare(got, obj.Attrs)
	p.step("EntryExportAdd", "created "+string(p.r.def.To)+" "+strconv.Quote(p.t.Name)+" in "+p.subject.TargetName)
	p.store(store.Active)
	p.after(later)
	return nil
}

// findMade asks whether an account that was announced, or whose answer was lost, was made. One that was is brought to
// what it should be and counts as created.
func (p *pen) findMade(ctx context.Context) (bool, error) {
	hit, err := p.find(ctx)
	if hit == nil || err != nil {
		return false, err
	}
	p.step("EntryImport", "the account was made before an interruption and has been found again")
	return true, p.take(ctx, hit, plan.Create)
}

// findTaken asks for the account that holds the joining value of a create that was refused.
func (p *pen) findTaken(ctx context.Context) (bool, error) {
	hit, err := p.find(ctx)
	if hit == nil || err != nil {
		return false, err
	}
	p.t.Matched = p.t.Match[0].Attr + " " + p.t.Match[0].Value
	return true, p.take(ctx, hit, plan.Modify)
}

// find asks the questions of an object and returns the one account they lead to. An account that belongs to another
// source object, or several, are an error.
func (p *pen) find(ctx context.Context) (*identity.Object, error) {
	for _, q := range p.t.Match {
		hits, err := p.subject.Target.Find(ctx, p.r.def.To, q.Attr, q.Value, 2)
		if err != nil {
			return nil, err
		}
		owner, err := p.owner(ctx, p.r, hits, nil)
		if err != nil {
			return nil, err
		}
		if owner == "" && len(hits) == 1 {
			owner = p.claims.of(p.r.def.To, hits[0].Anchor).Anchor
		}
		out, ok := match.Judge(q, hits, p.it.Anchor, func(string) string { return owner })
		switch {
		case !ok:
			continue
		case out.Situation == match.Matched:
			return out.Account, nil
		case out.Situation == match.Disputed:
			return nil, &connector.Error{Kind: connector.KindConflict, Code: codeDuplicateTarget, Detail: out.Words()}
		default:
			return nil, &connector.Error{Kind: connector.KindConflict, Code: codeDuplicateSource, Detail: out.Words()}
		}
	}
	return nil, nil
}

// take links an account that was found while exporting and writes what it lacks.
func (p *pen) take(ctx context.Context, hit *identity.Object, as plan.Action) error {
	if err := p.claims.claim(p.r.def.To, hit.Anchor, p.it.ObjectKey); err != nil {
		return err
	}
	p.it.Target, p.out.target = hit.Anchor, hit.Anchor
	p.cur = asCurrent(hit)
	p.t.After = store.Active
	doubts, err := p.unwantedDoubts(ctx)
	if err != nil {
		p.res.fatal = err
		return nil //nolint:nilerr // what the state refused ends the cycle
	}
	var single, multi, later []refChange // later: what still waits for accounts that come after this one
	for _, v := range p.t.Values {
		m := &p.r.set.Mappings[v.Index]
		if !m.IsReference() || v.Ignored {
			continue
		}
		ch := refChange{Attr: m.Target, Multi: m.Def.MultiValued}
		wait := ch
		ch.Remove = doubts[m.Target]
		for _, ref := range v.Refs {
			if ch.Multi && ref.Kind == p.r.def.From { // engine.R99
				continue
			}
			to := &ch
			target, comes := p.resolve(p.it, ref)
			if target == "" && comes {
				to = &wait
			}
			switch {
			case target == "" && !comes:
				p.t.unresolved(p.it.ObjectKey, m.Target, ref)
			case ch.Multi:
				to.Add = append(to.Add, ref)
			case target == "" || p.cur.Refs[m.Target] != target:
				to.Set = &ref
			}
			if !ch.Multi {
				break
			}
		}
		switch {
		case ch.empty():
		case ch.Multi:
			multi = append(multi, ch)
		default:
			single = append(single, ch)
		}
		if !wait.empty() {
			later = append(later, wait)
		}
	}
	p.t.Changes = plan.Diff(p.r.set, p.t.Values, p.cur)
	p.t.Refs = append(single, multi...)
	p.t.carry(p.r, p.t.Values, p.cur)
	if as == plan.Create { // it is ours already, whatever becomes of the changes
		p.t.Prior = store.Active
	}
	if err := p.sendChanges(ctx); err != nil {
		return err
	}
	p.res.action, p.out.action = as, as
	if as == plan.Modify && !p.res.written {
		p.res.action, p.out.action = plan.None, plan.None
	}
	p.store(store.Active)
	p.after(later)
	return nil
}

// update writes the changes of an existing account.
func (p *pen) update(ctx context.Context) error {
	p.cur = p.t.known()
	if p.t.Absent {
		return p.rematch(ctx)
	}
	if err := p.sendChanges(ctx); err != nil {
		missing := react(ctx, err) == gone
		if missing {
			var rerr error
			if missing, rerr = p.rematches(ctx, p.it.ObjectKey, p.it.Target); rerr != nil {
				p.res.fatal = rerr
				return nil //nolint:nilerr // what the state refused ends the cycle
			}
		}
		switch {
		case missing && p.t.Soft: // nobody can use an account that is not there
			p.out.action, p.out.status, p.out.code, p.out.reason = plan.None, statusSkipped, codeRedundant, "the account is gone from the target already"
			p.res.action = plan.None
			p.forget(ctx)
			p.lostAccount(p.it.Target)
			return nil
		case missing && len(p.t.Match) > 0:
			return p.rematch(ctx)
		}
		if err = p.disableOnly(ctx, err); err != nil {
			return err
		}
	}
	if !p.res.written { // what it refers to still has no account
		p.res.action, p.out.action = plan.None, plan.None
		p.out.status = ""
		if len(p.t.Warn) > 0 {
			p.out.status, p.out.code, p.out.reason = statusWarning, codeUnresolved, p.t.Warn[0]
		}
	}
	p.store(p.t.After)
	return nil
}

// rematch drops the link to an account that is gone and looks for another one, or makes one (engine.R56).
func (p *pen) rematch(ctx context.Context) error {
	p.step("EntryImportObjectNotFound", "the linked account is gone from the target; matching again")
	p.lostAccount(p.it.Target)
	if err := p.forgetMembers(ctx); err != nil {
		p.res.fatal = err
		return nil //nolint:nilerr // what the state refused ends the cycle
	}
	p.it.Target, p.t.Refs, p.t.Changes, p.t.Prior = "", nil, nil, store.Unlinked
	hit, err := p.find(ctx)
	if err != nil {
		return err
	}
	if hit != nil {
		return p.take(ctx, hit, plan.Modify)
	}
	if !p.r.def.Actions.Create {
		return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeInvalidAnchor, Detail: "the account is gone from the target, and the rule does not allow creates"}
	}
	p.res.action, p.out.action = plan.Create, plan.Create
	if err := p.chooseNow(ctx, make([]int, len(p.t.Choices))); err != nil {
		return err
	}
	return p.create(ctx)
}

// sendChanges sends attribute changes with single references in one call, then members in batches, removals first
// (scim.R42).
func (p *pen) sendChanges(ctx context.Context) error {
	for ref := range p.it.refers() {
		if p.it.Action != string(plan.Create) && p.putBack(p.it, ref) {
			return &connector.Error{Kind: connector.KindRateLimited, NotSent: true, Detail: "waits for " + ref.Anchor}
		}
	}
	changes := slices.Clone(p.t.Changes)
	var multi []refChange
	for _, ch := range p.t.Refs {
		switch {
		case ch.Multi:
			multi = append(multi, ch)
		case ch.Clear:
			changes = append(changes, connector.Change{Attr: ch.Attr, Op: connector.Clear, Old: identity.Ref{Anchor: p.cur.Refs[ch.Attr]}})
		default:
			c, ok := p.single(ctx, ch)
			if ok {
				changes = append(changes, c)
			}
		}
	}
	p.cur.Settle(p.r.set, p.t.Values)
	var refusal error // of references, in an update that was taken without them
	if len(changes) > 0 {
		got, err := p.subject.Target.Update(ctx, p.updateOf(changes))
		if rest := withoutReferences(changes); len(rest) > 0 && refused(ctx, err) && react(ctx, err) == failObject {
			refusal, changes = err, rest
			if got, err = p.subject.Target.Update(ctx, p.updateOf(changes)); err == nil {
				p.t.Prior = p.t.After // whatever becomes of the references
			}
		}
		if err != nil {
			if p.doubt = doubtful(err); p.doubt {
				p.cur.Doubt(changes)
			}
			return err
		}
		p.res.written = true
		p.tooOften(p.cur.Repeated(changes))
		p.cur.Merge(changes)
		p.out.props = append(p.out.props, plan.Properties(p.r.set, changes)...)
		if got != nil {
			var set identity.Attrs
			for _, ch := range changes {
				if ch.Op == connector.Set {
					set = append(set, identity.Attr{Name: ch.Attr, Value: ch.New})
				}
			}
			p.compare(got, set)
		}
	}
	for _, ch := range multi {
		if err := p.sendMembers(ctx, ch); err != nil {
			return err
		}
	}
	if refusal != nil {
		return refusal
	}
	if p.res.written {
		p.step("EntryExportUpdate", fmt.Sprintf("updated %s %q in %s", p.r.def.To, p.t.Name, p.subject.TargetName))
	}
	return nil
}

// updateOf is an update of the item's account.
func (p *pen) updateOf(changes []connector.Change) connector.Update {
	u := connector.Update{Kind: p.r.def.To, Anchor: p.it.Target, Changes: changes}
	if p.cur != nil {
		u.Known = p.cur.Values
	}
	return u
}

// delete removes an account.
func (p *pen) delete(ctx context.Context) error {
	had, err := p.removed(ctx)
	if err != nil {
		p.res.fatal = err
		return nil //nolint:nilerr // nothing was sent; what the state refused ends the cycle
	}
	if err := p.subject.Target.Delete(ctx, p.r.def.To, p.it.Target); err != nil {
		if p.doubt = doubtful(err); p.doubt {
			p.perhapsLost(p.it.Target)
		}
		return err
	}
	p.res.written = true
	p.out.props = had
	p.step("EntryExportDelete", fmt.Sprintf("deleted %s %q from %s", p.r.def.To, p.t.Name, p.subject.TargetName))
	p.lostAccount(p.it.Target)
	if p.forget(ctx); !p.t.Gone { // with projection and members; then it is known again, without an account
		p.res.batch.Objects = append(p.res.batch.Objects, store.Object{ObjectKey: p.it.ObjectKey, Hash: p.t.Hash, State: store.Unlinked})
	}
	return nil
}
