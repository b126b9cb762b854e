package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// outcome is how the export of one task ended, as the log tells it.
type outcome struct {
	action plan.Action
	status string // success, failure, skipped or warning
	code   string
	reason string
	target string
	props  []plan.Property
	began  time.Time
	steps  []step // of the export
}

// store remembers the account as it is now.
func (p *pen) store(state store.LinkState) {
	b := &p.res.batch
	o := store.Object{ObjectKey: p.it.ObjectKey, Hash: p.t.Hash, State: state, Target: p.it.Target, Confirmed: p.t.Confirm}
	if p.res.written || p.t.Matched != "" {
		o.Confirmed = p.Now()
	}
	if p.t.HoldRefs {
		o.Hash = hash{} // looked at again in every cycle while it is held
		b.Staged = append(b.Staged, store.Staged{ObjectKey: p.it.ObjectKey, Name: p.t.Name, Target: p.it.Target, Action: stagedMembers, Size: removed(p.t),
			Reason: p.t.Reason, StagedAt: p.Now(), CycleID: p.row.ID})
	} else {
		b.Unstage = append(b.Unstage, p.it.ObjectKey)
	}
	b.Objects = append(b.Objects, o)
	b.Project = append(b.Project, store.Projection{ObjectKey: p.it.ObjectKey, Name: p.t.Name, Doc: encodeCurrent(p.cur)})
	b.Unescrow = append(b.Unescrow, p.it.ObjectKey)
	b.Unresolved = append(b.Unresolved, p.t.Missing...)
	b.Resolved = append(b.Resolved, p.t.Stale...)
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
		b.Staged = append(b.Staged, store.Staged{ObjectKey: key, Name: p.t.Name, Target: p.it.Target, Action: stagedAction(p.t), Size: removed(p.t), Reason: p.t.Reason, StagedAt: p.Now(), CycleID: p.row.ID})
		p.hold()
		p.out.status, p.out.code = statusSkipped, string(plan.StagedDelete)
		p.res.staged = true
		if p.t.Repeat { // logged when it was held first
			p.out.status = ""
		}
		return
	case p.t.Lost:
		p.forget(ctx)
		p.lostAccount(p.it.Target)
		p.out.status, p.out.code = statusSkipped, codeRedundant
		return
	case p.t.Gone && p.t.After == store.Unlinked && (p.t.Code == "" || p.t.Orphan):
		p.forget(ctx)
		if p.out.status, p.out.code = "", p.t.Code; p.t.Code != "" {
			p.out.status = statusSkipped
		}
		p.res.silent = !p.t.Orphan || p.readings[p.it.Rule].Full // else a change feed delivered it, and nobody has counted it yet
		return
	}
	o := store.Object{ObjectKey: key, Hash: p.t.Hash, State: p.t.After, Target: p.it.Target, Confirmed: p.t.Confirm}
	if p.cur = p.t.known(); p.t.Matched != "" || p.cur.Read || p.t.Newer {
		o.Confirmed = p.Now()
		p.cur.Settle(p.r.set, p.t.Values)
		b.Project = append(b.Project, store.Projection{ObjectKey: key, Name: p.t.Name, Doc: encodeCurrent(p.cur)})
	}
	if p.t.Orphan { // with what the create carried
		p.forget(ctx)
	}
	b.Objects = append(b.Objects, o)
	b.Unescrow = append(b.Unescrow, key)
	b.Unresolved = append(b.Unresolved, p.t.Missing...)
	b.Resolved = append(b.Resolved, p.t.Stale...)
	if p.it.Action == string(plan.Other) && p.t.Prior != store.Unlinked { // left alone, so nothing of it is healed either
		waiting, err := p.waitsInVain(ctx)
		if err != nil {
			p.res.fatal = err
			return
		}
		b.Resolved = append(b.Resolved, waiting...)
	}
	p.out.status, p.out.code = statusSkipped, p.t.Code
	kept := p.t.driftOf(true)
	switch {
	case len(kept) > 0:
		p.out.status, p.out.code, p.out.reason = statusWarning, p.t.keptCode(), p.t.keptReason()
		p.out.props = driftProperties(p.r.set, kept)
	case p.t.Code == codeRedundant && len(p.t.Warn) > 0:
		p.out.status, p.out.code = statusWarning, codeUnresolved
	case p.t.Open && (p.t.Code == codeRedundant || p.it.Action == string(plan.None)): // nothing else may tell of that write (I6)
		p.out.code, p.out.reason = codeRedundant, "the account was read, since it was not known what became of the last request, and is as it should be"
	case p.t.Code == codeRedundant && p.t.Matched == "", p.it.Action == string(plan.None) && p.t.Matched == "":
		p.out.status = "" // unchanged objects leave no record (design D15)
	}
}

// hold keeps that an object is to be looked at again in every cycle while its operation is held. An account that was read
// for it is not read again in each of them.
func (p *pen) hold() {
	b := &p.res.batch
	if p.t.Current == nil || !p.t.Current.Read || p.t.Prior == store.Unlinked {
		b.Touched = append(b.Touched, store.Object{ObjectKey: p.it.ObjectKey})
		p.rememberFound()
		return
	}
	cur := p.t.known()
	cur.Settle(p.r.set, p.t.Values)
	b.Objects = append(b.Objects, store.Object{ObjectKey: p.it.ObjectKey, State: p.t.Prior, Target: p.it.Target, Confirmed: p.t.Confirm})
	b.Project = append(b.Project, store.Projection{ObjectKey: p.it.ObjectKey, Name: p.t.Name, Doc: encodeCurrent(cur)})
}

func stagedAction(t *task) string {
	if t.HoldRefs {
		return stagedMembers
	}
	if t.Gone && t.After == store.Unlinked || len(t.Changes) == 0 {
		return string(plan.Delete)
	}
	return string(plan.Disable)
}

// failed reacts to the error of a call.
func (p *pen) failed(ctx context.Context, err error) {
	switch react(ctx, err) {
	case putBack:
		p.res.again = true
		p.partly()
		e := connector.AsError(err)
		p.res.wait = e.RetryAfter
		if ctx.Err() == nil && p.res.wait == 0 {
			p.res.wait = time.Second
		}
		return
	case failJob:
		if doubtful(err) { // it may have taken effect, so it is told and remembered (I6)
			code, reason := failureOf(err)
			p.fall(ctx, code, reason)
		}
		p.res.fatal = errors.Join(&jobFailure{reason: quarantineConnection, op: "write to the target", err: err}, p.res.fatal)
		return
	case stop:
		p.res.fatal = err
		return
	case gone:
		p.fall(ctx, connector.CodeInvalidAnchor, textMissing)
		return
	case lookAgain, taken, failObject:
	}
	code, reason := failureOf(err)
	p.fall(ctx, code, reason)
}

// fall records a failure. What was written before it stays known; the object is looked at again in a later cycle.
func (p *pen) fall(ctx context.Context, code, reason string) {
	p.repeated()
	b := &p.res.batch
	key := p.it.ObjectKey
	p.t.Code, p.t.Reason = code, reason
	p.res.failed, p.res.brief = true, transient(code) && p.it.Pass != passRecord // which made no call
	p.out.status, p.out.code, p.out.reason = statusFailure, code, reason
	if p.solo.forgets(key) && !p.res.written && !p.doubt { // engine.R131: no escrow, the state stays what it was
		return
	}
	was, err := p.escrowOf(ctx, key)
	if err != nil {
		p.res.fatal = err
		return
	}
	o := store.Object{ObjectKey: key, State: p.t.Prior, Target: p.it.Target, Confirmed: p.t.Confirm}
	if e, giveUp := escrowAfter(was, key, p.t, code, reason, p.Now()); giveUp { // until the source object changes
		b.Unescrow = append(b.Unescrow, key)
		o.Hash = p.t.Hash
	} else {
		b.Escrows = append(b.Escrows, e)
	}
	if p.t.Prior == store.Unlinked && !(p.doubt && p.t.Matched != "") { // an account that was matched and may be changed is linked
		o.Target = ""
	}
	if p.doubt { // the account is read before anything is decided about it again
		o.Confirmed = time.Time{}
		if p.t.After == store.Active && o.Target != "" { // it may have been enabled, so it can be disabled again
			o.State = store.Active
		}
	}
	if p.unmade && o.State == store.Unlinked {
		if err := p.leaveDoubt(&o); err != nil {
			p.res.fatal = err
			return
		}
	}
	if p.it.making != nil && p.it.Action == string(plan.Create) { // found, though not brought to what it should be: others may refer to it
		p.it.making.target = o.Target
	}
	b.Objects = append(b.Objects, o)
	switch {
	case o.Target == "":
	case (p.res.written || p.doubt) && p.cur != nil: // part of it was written
		b.Project = append(b.Project, store.Projection{ObjectKey: key, Name: p.t.Name, Doc: encodeCurrent(p.cur)})
	default:
		p.rememberFound()
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
			if m := mappingOf(p.r, a.Name); m != nil && m.Def.Rewritten {
				continue
			}
			p.out.steps = append(p.out.steps, step{Name: "EntryExportUpdate", Type: "export", Status: statusWarning,
				Description: "the target stored another value than was sent for " + a.Name, Details: store.LogFigures{{Key: "Attribute", Value: a.Name}}})
		}
	}
}

// codeRepeated is the code of a record about an account that gets the same update again and again.
const codeRepeated = "RepeatedUpdate"

// tooOften warns of attributes to which the same value was sent again and again (scim.R28).
func (p *pen) tooOften(attrs []string) {
	if len(attrs) == 0 {
		return
	}
	p.often = "the last three updates sent the same " + strings.Join(attrs, ", ") + ": the target shows another value than it is sent, or somebody sets it back; " +
		"map the value in the form in which the target keeps it, or set compareWith: sent"
	p.Logger.Warn("the same update is sent again and again", "rule", p.it.Rule, "source_id", p.it.Anchor, "attributes", attrs)
}

func (p *pen) step(name, text string) {
	kind := "export"
	if name == "EntryImport" || name == "EntryImportObjectNotFound" {
		kind = "matching"
	}
	p.out.steps = append(p.out.steps, step{Name: name, Type: kind, Status: statusSuccess, Description: text,
		Details: store.LogFigures{{Key: "TargetAnchor", Value: p.it.Target}}})
}

// close ends the item: it leaves the work list, and a log record tells of it.
func (p *pen) close() {
	b := &p.res.batch
	if len(b.Work) == 0 { // else the item lives on with what has to follow
		b.Done = append(b.Done, p.it.ObjectKey)
	}
	p.res.silent = p.res.silent || p.t.Follow && !p.res.failed
	p.solo.tells(&p.out)
	if p.out.status == "" {
		return
	}
	if p.out.status == statusSuccess && len(p.t.Warn) > 0 {
		p.out.status, p.out.code, p.out.reason = statusWarning, codeUnresolved, p.t.Warn[0]
	}
	if p.out.status == statusSuccess && p.often != "" {
		p.out.status, p.out.code, p.out.reason = statusWarning, codeRepeated, p.often
	}
	if kept := p.t.driftOf(true); p.out.status == statusSuccess && len(kept) > 0 {
		p.out.status, p.out.code, p.out.reason = statusWarning, p.t.keptCode(), p.t.keptReason()
	}
	b.Log = append(b.Log, p.record(p.r, p.it.WorkItem, p.t, p.out))
}
