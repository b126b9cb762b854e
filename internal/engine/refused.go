package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// One bad value must not keep the rest from the target (I7): what the target refuses as a whole is sent in parts.

// refused tells whether the target has said no, for certain, to what was sent.
func refused(ctx context.Context, err error) bool {
	reaction := react(ctx, err)
	return err != nil && (reaction == failObject || reaction == taken) && !doubtful(err)
}

// disableOnly sends a disable without the other changes that go with it (engine.R79) when the target has refused the
// whole: a user name that is taken must not keep an account usable. Those other changes are sent when the account is
// enabled again. Any other refusal, and one of the disable itself, is passed on.
func (p *pen) disableOnly(ctx context.Context, refusal error) error {
	if p.it.Action != string(plan.Disable) || !refused(ctx, refusal) || p.res.written {
		return refusal
	}
	only := slices.DeleteFunc(slices.Clone(p.t.Changes), func(ch connector.Change) bool { return !p.r.disablesBy(ch.Attr) })
	if len(only) == 0 || len(only) == len(p.t.Changes) && len(p.t.Refs) == 0 {
		return refusal
	}
	p.t.Changes, p.t.Refs = only, nil
	p.cur = p.t.known()
	if err := p.sendChanges(ctx); err != nil {
		return err
	}
	code, reason := failureOf(refusal)
	p.out.status, p.out.code, p.out.reason = statusWarning, code, "the account is disabled; what else was to change was refused: "+reason
	return nil
}

// failedBefore tells whether the object has failed in an earlier cycle, too: a refusal that lasts is worth another call.
func (p *pen) failedBefore(ctx context.Context) bool {
	was, err := p.escrowOf(ctx, p.it.ObjectKey)
	return err == nil && was != nil
}

// disablesBy tells whether a target attribute shows IsSoftDeleted.
func (r *rule) disablesBy(attr string) bool {
	return slices.ContainsFunc(r.set.Mappings, func(m mapping.Mapping) bool { return m.Target == attr && m.NamesSoftDeleted })
}

// withoutReferences leaves out the references of an update that was refused: the account of a manager may have been
// deleted in the target by hand. It returns nil when there is nothing else in the update, or no reference.
func withoutReferences(changes []connector.Change) []connector.Change {
	rest := slices.DeleteFunc(slices.Clone(changes), func(ch connector.Change) bool {
		_, isRef := ch.New.(identity.Ref)
		return isRef && ch.Op == connector.Set
	})
	if len(rest) == len(changes) {
		return nil
	}
	return rest
}

// addMembers sends one batch of new members; when it is refused, its halves, so that a member whose account is gone
// fails alone. What was taken is remembered; the error is the last refusal.
func (p *pen) addMembers(ctx context.Context, attr string, part []store.Member) error {
	err := p.sendBatch(ctx, connector.Change{Attr: attr, Op: connector.Add, New: p.accounts(part)})
	switch {
	case err == nil:
		p.membersAre(part)
		for _, m := range part {
			p.resolved(store.Unresolved{Owner: m.Owner, Attr: m.Attr, Ref: m.Ref})
		}
		return nil
	case doubtful(err):
		p.doubtMembers(part)
		return err
	case len(part) == 1 || !refused(ctx, err):
		return err
	}
	half := len(part) / 2
	first := p.addMembers(ctx, attr, part[:half])
	if first != nil && !refused(ctx, first) {
		return first
	}
	second := p.addMembers(ctx, attr, part[half:])
	if second != nil && !refused(ctx, second) { // the target is down, say: that says more than a refusal
		return second
	}
	return errors.Join(first, second)
}
