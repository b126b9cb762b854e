package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
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
}

// write carries out one item.
func (x *exporter) write(ctx context.Context, it *item) *result {
	p := &pen{exporter: x, it: it, t: it.task, r: it.rule, res: &result{item: it, action: plan.Action(it.Action)},
		out: outcome{action: plan.Action(it.Action), status: statusSuccess, target: it.Target, began: x.Now(), reason: it.task.Reason}}
	if it.making != nil {
		defer close(it.making.done)
	}
	var err error
	switch {
	case x.stopped():
		p.res.again = true
		p.withdraw()
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
	if !p.res.again && p.res.fatal == nil {
		p.close()
	}
	return p.res
}

// create makes an account. An item that was announced before a crash may have its account already, so the target is
// asked first; so it is when the answer to the request is lost (scim.R63).
func (p *pen) create(ctx context.Context) error {
	if p.it.Stage == store.Sending {
		done, err := p.findMade(ctx)
		if done || err != nil {
			return err
		}
	}
	err := p.send(ctx)
	switch {
	case err == nil:
		return nil
	case react(ctx, err) == lookAgain:
		done, ferr := p.findMade(ctx)
		if done || ferr != nil {
			return ferr
		}
		return p.send(ctx)
	case react(ctx, err) == taken && p.t.Indexed: // the index missed it (design D1)
		done, ferr := p.findTaken(ctx)
		if done || ferr != nil {
			return ferr
		}
	}
	return err
}

// send sends the create request.
func (p *pen) send(ctx context.Context) error {
	attrs, err := plan.New(p.r.set, p.t.values())
	if err != nil {
		return err
	}
	obj := &identity.Object{Kind: p.r.def.To, Attrs: attrs}
	sent, later, err := p.referencesFor(ctx, obj)
	if err != nil {
		return err
	}
	got, err := p.subject.Target.Create(ctx, obj)
	if err != nil {
		return err
	}
	p.res.written = true
	p.it.Target, p.out.target = got.Anchor, got.Anchor
	p.cur = &plan.Current{Values: map[string]any{}, Refs: map[string]string{}}
	for _, a := range obj.Attrs {
		if _, isRef := a.Value.(identity.Ref); !isRef {
			if !slices.ContainsFunc(sent, func(s sentRef) bool { return s.Attr == a.Name }) {
				p.cur.Values[a.Name] = a.Value
				p.out.props = append(p.out.props, plan.Properties(p.r.set, []connector.Change{{Attr: a.Name, New: a.Value}})...)
			}
		}
	}
	later = join(later, p.kept(got, sent))
	p.compare(got, obj.Attrs)
	p.step("EntryExportAdd", fmt.Sprintf("created %s %q in %s", p.r.def.To, p.t.Name, p.subject.TargetName))
	p.store(store.Active)
	p.after(later)
	return nil
}

// sentRef is a reference that a create request carried.
type sentRef struct {
	store.Member
	multi bool
}

// referencesFor puts into a create request the references whose accounts are known, and returns those with what has to
// follow as an update.
func (p *pen) referencesFor(ctx context.Context, obj *identity.Object) (sent []sentRef, later []refChange, err error) {
	inCreate := p.referencesInCreate()
	for _, v := range p.t.values() {
		m := &p.r.set.Mappings[v.Index]
		if !m.IsReference() || v.Ignored || len(v.Refs) == 0 {
			continue
		}
		ch := refChange{Attr: m.Target, Multi: multiValued(m)}
		var now []any
		for _, ref := range v.Refs {
			if ch.Multi && ref.Kind == p.r.def.From { // engine.R99
				continue
			}
			target, wait := p.resolve(ctx, p.it, ref)
			switch {
			case ctx.Err() != nil:
				return nil, nil, ctx.Err()
			case target == "" && !wait:
				p.t.unresolved(p.it.ObjectKey, m.Target, ref)
			case target != "" && inCreate && (!ch.Multi || p.caps.MemberBatch == 0 || len(now) < p.caps.MemberBatch):
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
	var later []refChange
	for _, s := range sent {
		if shows(got, s.Attr, s.Target) {
			if s.multi {
				p.res.batch.Members = append(p.res.batch.Members, s.Member)
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

// shows tells whether an account, as the target answered it, has a reference.
func shows(o *identity.Object, attr, target string) bool {
	v, _ := o.Get(attr)
	switch v := v.(type) {
	case identity.Ref:
		return v.Anchor == target
	case []any:
		return slices.ContainsFunc(v, func(e any) bool {
			r, ok := e.(identity.Ref)
			return ok && r.Anchor == target
		})
	}
	return false
}

// referencesInCreate tells whether creates may still carry references.
func (p *pen) referencesInCreate() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.caps.ReferencesInCreate && !p.subject.Job.NoReferences
}

// dropReferences switches references in creates off for the rest of the job.
func (p *pen) dropReferences() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cycle.subject.Job.NoReferences = true
}

// after plans the references that a create could not carry as a second item of the same object.
func (p *pen) after(later []refChange) {
	if len(later) == 0 {
		return
	}
	t := &task{Name: p.t.Name, Hash: p.t.Hash, Prior: store.Active, After: store.Active, Current: packCurrent(p.cur), Confirm: p.Now(),
		Reason: "references that could not go into the create", Refs: later, Follow: true, Missing: p.t.Missing}
	w := store.WorkItem{ObjectKey: p.it.ObjectKey, Stage: store.ToExport, Pass: p.r.pass(passReferences), Action: string(plan.Modify), Target: p.it.Target}
	done, err := finishItem(&w, t)
	if err != nil {
		p.res.fatal = err
		return
	}
	p.res.batch.Work = append(p.res.batch.Work, *done)
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
	p.it.Target, p.out.target = hit.Anchor, hit.Anchor
	p.cur = asCurrent(hit)
	p.t.After = store.Active
	var later []refChange
	var single []refChange
	for _, v := range p.t.values() {
		m := &p.r.set.Mappings[v.Index]
		if !m.IsReference() || v.Ignored {
			continue
		}
		ch := refChange{Attr: m.Target, Multi: multiValued(m)}
		for _, ref := range v.Refs {
			target, wait := p.resolve(ctx, p.it, ref)
			switch {
			case target == "" && !wait:
				p.t.unresolved(p.it.ObjectKey, m.Target, ref)
			case ch.Multi && ref.Kind != p.r.def.From:
				ch.Add = append(ch.Add, ref)
			case ch.Multi:
			case p.cur.Refs[m.Target] != target:
				ch.Set = &ref
			}
			if !ch.Multi {
				break
			}
		}
		switch {
		case ch.empty():
		case ch.Multi:
			later = append(later, ch)
		default:
			single = append(single, ch)
		}
	}
	p.t.Changes = packChanges(plan.Diff(p.r.set, p.t.values(), p.cur))
	p.t.Refs = append(single, later...)
	if err := p.sendChanges(ctx); err != nil {
		return err
	}
	p.res.action, p.out.action = as, as
	if as == plan.Modify && len(p.t.Changes) == 0 && len(p.t.Refs) == 0 {
		p.res.action, p.out.action = plan.None, plan.None
	}
	p.store(store.Active)
	return nil
}

// update writes the changes of an existing account.
func (p *pen) update(ctx context.Context) error {
	p.cur = p.t.Current.unpack()
	if err := p.sendChanges(ctx); err != nil {
		if react(ctx, err) == gone && p.subject.Def.Settings.OnMissingTarget == "rematch" && len(p.t.Match) > 0 && !p.t.Soft {
			return p.rematch(ctx)
		}
		return err
	}
	p.store(p.t.After)
	return nil
}

// rematch drops the link to an account that is gone and looks for another one, or makes one (engine.R56).
func (p *pen) rematch(ctx context.Context) error {
	p.step("EntryImportObjectNotFound", "the linked account is gone from the target; matching again")
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
	return p.send(ctx)
}

// sendChanges sends attribute changes with single references in one call, then members in batches, removals first
// (scim.R42).
func (p *pen) sendChanges(ctx context.Context) error {
	changes := p.t.changes()
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
	if len(changes) > 0 {
		got, err := p.subject.Target.Update(ctx, connector.Update{Kind: p.r.def.To, Anchor: p.it.Target, Changes: changes})
		if err != nil {
			return err
		}
		p.res.written = true
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
	} else if p.cur != nil {
		p.cur.Read = false
	}
	for _, ch := range multi {
		if err := p.sendMembers(ctx, ch); err != nil {
			return err
		}
	}
	if p.res.written {
		p.step("EntryExportUpdate", fmt.Sprintf("updated %s %q in %s", p.r.def.To, p.t.Name, p.subject.TargetName))
	}
	return nil
}

// single resolves a reference with one value; one that still has no account is left to be healed.
func (p *pen) single(ctx context.Context, ch refChange) (connector.Change, bool) {
	target, _ := p.resolve(ctx, p.it, *ch.Set)
	if target == "" {
		p.t.unresolved(p.it.ObjectKey, ch.Attr, *ch.Set)
		return connector.Change{}, false
	}
	p.res.batch.Resolved = append(p.res.batch.Resolved, store.Unresolved{Owner: p.it.ObjectKey, Attr: ch.Attr, Ref: *ch.Set})
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
	size := p.caps.MemberBatch
	remove := ch.Remove
	if p.t.HoldRefs {
		remove = nil
	}
	if size <= 0 {
		size = max(len(remove), len(ch.Add), 1)
	}
	for part := range slices.Chunk(remove, size) {
		list := make([]any, len(part))
		for i, m := range part {
			list[i] = identity.Ref{Kind: p.kindOf(m.Ref), Anchor: m.Target}
		}
		if err := p.sendBatch(ctx, connector.Change{Attr: ch.Attr, Op: connector.Remove, New: list}); err != nil {
			return err
		}
		p.res.batch.Unmember = append(p.res.batch.Unmember, part...)
	}
	var add []store.Member
	for _, ref := range ch.Add {
		if target, _ := p.resolve(ctx, p.it, ref); target != "" {
			add = append(add, store.Member{Owner: p.it.ObjectKey, Attr: ch.Attr, Ref: ref, Target: target})
		} else {
			p.t.unresolved(p.it.ObjectKey, ch.Attr, ref)
		}
	}
	for part := range slices.Chunk(add, size) {
		list := make([]any, len(part))
		for i, m := range part {
			list[i] = identity.Ref{Kind: p.kindOf(m.Ref), Anchor: m.Target}
		}
		if err := p.sendBatch(ctx, connector.Change{Attr: ch.Attr, Op: connector.Add, New: list}); err != nil {
			return err
		}
		p.res.batch.Members = append(p.res.batch.Members, part...)
		for _, m := range part {
			p.res.batch.Resolved = append(p.res.batch.Resolved, store.Unresolved{Owner: m.Owner, Attr: m.Attr, Ref: m.Ref})
		}
	}
	return nil
}

func (p *pen) sendBatch(ctx context.Context, ch connector.Change) error {
	if _, err := p.subject.Target.Update(ctx, connector.Update{Kind: p.r.def.To, Anchor: p.it.Target, Changes: []connector.Change{ch}}); err != nil {
		return err
	}
	p.res.written = true
	p.out.props = append(p.out.props, plan.Properties(p.r.set, []connector.Change{ch})...)
	return nil
}

// delete removes an account.
func (p *pen) delete(ctx context.Context) error {
	if err := p.subject.Target.Delete(ctx, p.r.def.To, p.it.Target); err != nil {
		return err
	}
	p.res.written = true
	p.step("EntryExportDelete", fmt.Sprintf("deleted %s %q from %s", p.r.def.To, p.t.Name, p.subject.TargetName))
	b := &p.res.batch
	if p.t.Gone {
		b.Forget = append(b.Forget, p.it.ObjectKey)
		return nil
	}
	b.Forget = append(b.Forget, p.it.ObjectKey) // with projection and members; then it is known again, without an account
	b.Objects = append(b.Objects, store.Object{ObjectKey: p.it.ObjectKey, Hash: p.t.Hash, State: store.Unlinked})
	return nil
}

// store remembers the account as it is now.
func (p *pen) store(state store.LinkState) {
	b := &p.res.batch
	doc, err := encodeProjection(p.cur)
	if err != nil {
		p.res.fatal = fmt.Errorf("remember %s: %w", p.it.Anchor, err)
		return
	}
	o := store.Object{ObjectKey: p.it.ObjectKey, Hash: p.t.Hash, State: state, Target: p.it.Target, Confirmed: p.t.Confirm}
	if p.res.written || p.t.Matched != "" {
		o.Confirmed = p.Now()
	}
	if p.t.HoldRefs {
		o.Hash = hash{} // looked at again in every cycle while it is held
		b.Staged = append(b.Staged, store.Staged{ObjectKey: p.it.ObjectKey, Name: p.t.Name, Target: p.it.Target, Action: stagedMembers,
			Reason: p.t.Reason, StagedAt: p.Now(), CycleID: p.row.ID})
	} else {
		b.Unstage = append(b.Unstage, p.it.ObjectKey)
	}
	b.Objects = append(b.Objects, o)
	b.Project = append(b.Project, store.Projection{ObjectKey: p.it.ObjectKey, Name: p.t.Name, Doc: doc})
	b.Unescrow = append(b.Unescrow, p.it.ObjectKey)
	b.Unresolved = append(b.Unresolved, p.t.Missing...)
	if p.it.making != nil {
		p.it.making.target = p.it.Target
	}
}

// bookkeep stores what needs no call: skips, failures before any request, held operations, links without a change.
func (p *pen) bookkeep(ctx context.Context) {
	b := &p.res.batch
	key := p.it.ObjectKey
	switch {
	case p.t.Failed:
		p.fall(ctx, p.t.Code, p.t.Reason)
		return
	case p.it.Action == string(plan.StagedDelete):
		b.Staged = append(b.Staged, store.Staged{ObjectKey: key, Name: p.t.Name, Target: p.it.Target, Action: stagedAction(p.t), Reason: p.t.Reason, StagedAt: p.Now(), CycleID: p.row.ID})
		b.Touched = append(b.Touched, store.Object{ObjectKey: key}) // looked at again in every cycle while it is held
		p.out.status, p.out.code = statusSkipped, string(plan.StagedDelete)
		p.res.staged = true
		if p.t.Repeat { // logged when it was held first
			p.out.status = ""
		}
		return
	case p.t.Gone && p.t.After == store.Unlinked && p.t.Code == "":
		b.Forget = append(b.Forget, key)
		p.res.silent, p.out.status = true, ""
		return
	}
	o := store.Object{ObjectKey: key, Hash: p.t.Hash, State: p.t.After, Target: p.it.Target, Confirmed: p.t.Confirm}
	if p.t.Matched != "" {
		o.Confirmed = p.Now()
		p.cur = p.t.Current.unpack()
		p.cur.Read = false
		doc, err := encodeProjection(p.cur)
		if err != nil {
			p.res.fatal = fmt.Errorf("remember %s: %w", p.it.Anchor, err)
			return
		}
		b.Project = append(b.Project, store.Projection{ObjectKey: key, Name: p.t.Name, Doc: doc})
	}
	b.Objects = append(b.Objects, o)
	b.Unescrow = append(b.Unescrow, key)
	b.Unresolved = append(b.Unresolved, p.t.Missing...)
	p.out.status, p.out.code = statusSkipped, p.t.Code
	switch {
	case p.t.Code == codeRedundant && len(p.t.Warn) > 0:
		p.out.status, p.out.code = statusWarning, codeUnresolved
	case p.t.Code == codeRedundant && p.t.Matched == "", p.it.Action == string(plan.None) && p.t.Matched == "":
		p.out.status = "" // unchanged objects leave no record (design D15)
	}
}

func stagedAction(t *task) string {
	if t.Gone && t.After == store.Unlinked || len(t.Changes) == 0 {
		return string(plan.Delete)
	}
	return string(plan.Disable)
}

// withdraw takes back the announcement of a create that was not sent, or that the target refused to look at. One that
// an earlier process announced stays announced: that process may have sent it.
func (p *pen) withdraw() {
	if p.it.Action == string(plan.Create) && p.it.Stage != store.Sending {
		p.res.batch.Stages = append(p.res.batch.Stages, store.WorkStage{ObjectKey: p.it.ObjectKey, Stage: store.ToExport})
	}
}

// failed reacts to the error of a call.
func (p *pen) failed(ctx context.Context, err error) {
	switch react(ctx, err) {
	case putBack:
		p.res.again = true
		e := connector.AsError(err)
		p.res.wait = e.RetryAfter
		if ctx.Err() == nil && p.res.wait == 0 {
			p.res.wait = time.Second
		}
		if e.NotSent || e.Kind == connector.KindRateLimited {
			p.withdraw()
		}
		return
	case failJob:
		p.res.fatal = &jobFailure{reason: quarantineConnection, op: "write to the target", err: err}
		return
	case gone:
		p.fall(ctx, connector.CodeInvalidAnchor, "the linked account no longer exists in the target; delete the link or set onMissingTarget: rematch")
		return
	case lookAgain, taken, failObject:
	}
	code, reason := failureOf(err)
	p.fall(ctx, code, reason)
}

// fall records a failure. What was written before it stays known; the object is looked at again in a later cycle.
func (p *pen) fall(ctx context.Context, code, reason string) {
	b := &p.res.batch
	key := p.it.ObjectKey
	p.t.Code, p.t.Reason = code, reason
	p.res.failed, p.res.brief = true, transient(code)
	p.out.status, p.out.code, p.out.reason = statusFailure, code, reason
	was, err := p.escrowOf(ctx, key)
	if err != nil {
		p.res.fatal = err
		return
	}
	b.Escrows = append(b.Escrows, escrowAfter(was, key, p.t, code, reason, p.Now()))
	o := store.Object{ObjectKey: key, State: p.t.Prior, Target: p.it.Target, Confirmed: p.t.Confirm}
	if p.t.Prior == store.Unlinked {
		o.Target = ""
	}
	b.Objects = append(b.Objects, o)
	if p.res.written && p.cur != nil && o.Target != "" { // part of it was written
		if doc, err := encodeProjection(p.cur); err == nil {
			b.Project = append(b.Project, store.Projection{ObjectKey: key, Name: p.t.Name, Doc: doc})
		}
	}
	if p.t.Follow {
		p.res.silent = false
	}
}

// escrowOf returns the stored failure of an object, nil for none. They are read once, when the first object fails.
func (p *pen) escrowOf(ctx context.Context, key store.ObjectKey) (*store.Escrow, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.escrows == nil {
		list, err := p.Store.Escrows(context.WithoutCancel(ctx), p.subject.Job.ID)
		if err != nil {
			return nil, fmt.Errorf("job %s: read stored failures: %w", p.subject.Job.Name, err)
		}
		p.escrows = make(map[store.ObjectKey]store.Escrow, len(list))
		for _, e := range list {
			p.escrows[e.ObjectKey] = e
		}
	}
	if e, ok := p.escrows[key]; ok {
		return &e, nil
	}
	return nil, nil
}

// compare looks whether the target's answer shows what was sent; what it shows differently is a remark in the log,
// because it will look like a change of the target later (scim.R28).
func (p *pen) compare(got *identity.Object, sent identity.Attrs) {
	for _, a := range sent {
		v, ok := got.Get(a.Name)
		if _, isRef := a.Value.(identity.Ref); isRef || !ok {
			continue
		}
		if _, isList := a.Value.([]any); isList {
			continue
		}
		if !identity.Equal(v, a.Value, false) && mapping.Text(v) != mapping.Text(a.Value) {
			p.out.steps = append(p.out.steps, step{Name: "EntryExportUpdate", Type: "export", Status: statusWarning,
				Description: "the target stored another value than was sent for " + a.Name, Details: map[string]string{"Attribute": a.Name}})
		}
	}
}

func (p *pen) step(name, text string) {
	kind := "export"
	if name == "EntryImport" || name == "EntryImportObjectNotFound" {
		kind = "matching"
	}
	p.out.steps = append(p.out.steps, step{Name: name, Type: kind, Status: statusSuccess, Description: text,
		Details: map[string]string{"TargetAnchor": p.it.Target}})
}

// close ends the item: its stage and its log record.
func (p *pen) close() {
	b := &p.res.batch
	if len(b.Work) == 0 { // else the item lives on with what has to follow
		b.Stages = append(b.Stages, store.WorkStage{ObjectKey: p.it.ObjectKey, Stage: store.Finished, Target: p.it.Target})
	}
	p.res.silent = p.res.silent || p.t.Follow && !p.res.failed
	if p.out.status == "" {
		return
	}
	if p.out.status == statusSuccess && len(p.t.Warn) > 0 {
		p.out.status, p.out.code, p.out.reason = statusWarning, codeUnresolved, p.t.Warn[0]
	}
	rec, err := p.record(p.r, p.it.WorkItem, p.t, p.out)
	if err != nil {
		p.res.fatal = err
		return
	}
	b.Log = append(b.Log, rec)
}
