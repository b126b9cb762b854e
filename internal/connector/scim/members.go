package scim

import (
	"context"
	"fmt"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// givenUpAfter is how many single members a server refuses one by one, without accepting any, before the rest is not
// tried: it then refuses members as such, and each further try would cost a call.
const givenUpAfter = 5

func isMemberChange(ch connector.Change) bool {
	return ch.Op == connector.Add || ch.Op == connector.Remove
}

func countMembers(u connector.Update) int {
	n := 0
	for _, ch := range u.Changes {
		if isMemberChange(ch) {
			n += len(list(ch.New))
		}
	}
	return n
}

// split repeats a refused update with fewer members in each request, halving down to single ones (scim.R41). What else
// the update changes goes first, in a request of its own. When members remain refused, the others are written all the
// same and the error names those that are not.
func (c *Client) split(ctx context.Context, k *kind, u connector.Update, refused *connector.Error) (*identity.Object, error) {
	var members, others []connector.Change
	for _, ch := range u.Changes {
		if isMemberChange(ch) {
			members = append(members, ch)
		} else {
			others = append(others, ch)
		}
	}
	if len(others) == 0 && countMembers(u) == 1 {
		return nil, refused
	}
	var answer *identity.Object
	if len(others) > 0 {
		var err error
		if answer, err = c.update(ctx, k, connector.Update{Kind: u.Kind, Anchor: u.Anchor, Changes: others}); err != nil {
			return nil, err
		}
	}
	h := halving{last: refused, write: func(ctx context.Context, ch connector.Change, refs []any) *refusal {
		ch.New = refs
		ops, err := c.operations(k, connector.Update{Kind: u.Kind, Anchor: u.Anchor, Changes: []connector.Change{ch}})
		if err != nil {
			return &refusal{err: invalid("PATCH "+k.itemPath(u.Anchor), err)}
		}
		_, failed := c.patch(ctx, k, u.Anchor, ops)
		return failed
	}}
	for _, ch := range members {
		refs := list(ch.New)
		if len(others) == 0 && len(members) == 1 {
			// The whole was refused a moment ago.
			if err := h.halves(ctx, ch, refs); err != nil {
				return nil, err
			}
			continue
		}
		if err := h.send(ctx, ch, refs); err != nil {
			return nil, err
		}
	}
	return answer, h.result()
}

// halving is the state of one split.
type halving struct {
	write    func(ctx context.Context, ch connector.Change, refs []any) *refusal // sends a change with these members
	accepted int
	refused  []string // anchors
	untried  int
	last     *connector.Error
}

func (h *halving) halves(ctx context.Context, ch connector.Change, refs []any) error {
	if len(refs) == 1 {
		h.refused = append(h.refused, anchorOf(refs[0]))
		return nil
	}
	mid := len(refs) / 2
	if err := h.send(ctx, ch, refs[:mid]); err != nil {
		return err
	}
	return h.send(ctx, ch, refs[mid:])
}

// send writes some of the members. The error is one that fewer members cannot cure.
func (h *halving) send(ctx context.Context, ch connector.Change, refs []any) error {
	if h.accepted == 0 && len(h.refused) >= givenUpAfter {
		h.untried += len(refs)
		return nil
	}
	failed := h.write(ctx, ch, refs)
	switch {
	case failed == nil, failed.noTarget && ch.Op == connector.Remove && len(refs) == 1: // gone already
		h.accepted += len(refs)
		return nil
	case !failed.tooMuch:
		return failed.err
	}
	h.last = failed.err
	return h.halves(ctx, ch, refs)
}

// result is nil when all members were written in the end.
func (h *halving) result() error {
	if len(h.refused) == 0 && h.untried == 0 {
		return nil
	}
	e := *h.last
	const most = 20
	names := h.refused
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	e.Detail = fmt.Sprintf("%d of %d members were written; refused: %s%s: %s",
		h.accepted, h.accepted+len(h.refused)+h.untried, strings.Join(names, ", "), more, h.last.Detail)
	if h.untried > 0 {
		e.Detail += fmt.Sprintf("; %d were not tried, since none was accepted", h.untried)
	}
	return &e
}

// emptyGroup takes all members from a group that cannot be deleted (noGroupDelete).
func (c *Client) emptyGroup(ctx context.Context, k *kind, anchor string) error {
	err := c.takeAll(ctx, k, anchor)
	if err != nil && connector.KindOf(err) == connector.KindNotFound { // gone already (scim.R21)
		return nil
	}
	if err != nil {
		return err
	}
	c.log.WarnContext(ctx, "the target cannot delete groups: the group was emptied and stays there", "group", anchor)
	return nil
}

// takeAll takes all members from a group.
func (c *Client) takeAll(ctx context.Context, k *kind, anchor string) error {
	switch {
	case c.cfg.Dialect == Leapsome:
		known, err := c.lookUp(ctx, k, anchor, []string{k.mustHave()})
		if err != nil {
			return err
		}
		none := connector.Change{Attr: "members", Op: connector.Set, New: []any{}}
		return c.writeMembers(ctx, k, anchor, none, []field{{k.mustHave(), known[k.mustHave()]}})
	case c.puts(k):
		_, err := c.put(ctx, k, connector.Update{Kind: k.name, Anchor: anchor, Changes: []connector.Change{{Attr: "members", Op: connector.Clear}}})
		return err
	}
	_, failed := c.patch(ctx, k, anchor, []operation{{Operation: scim.Operation{Op: c.spell(scim.OpRemove), Path: "members"}}})
	if failed == nil || failed.noTarget { // it has none
		return nil
	}
	return failed.err
}
