package scim

import (
	"net/http"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

var _ connector.Tariff = (*Client)(nil)

// Batch implements connector.Tariff.
func (c *Client) Batch(identity.Kind, string, connector.Op) int { return c.cfg.MemberBatch }

// Cost implements connector.Tariff. It takes for granted that an update says what is known of the account
// (connector.Update.Known). Where the target is asked about references first (referenceCheck), it is the most that an
// update makes: none that is set already is written.
func (c *Client) Cost(op connector.Operation, kind identity.Kind, changes []connector.Change) []string {
	k := c.kinds[kind]
	switch {
	case k == nil:
	case op == connector.OpCreate:
		return c.costOfCreate(k, changes)
	case op == connector.OpUpdate:
		return c.costOfUpdate(k, changes)
	case op == connector.OpDelete:
		return c.costOfDelete(k)
	}
	return c.calls()[op]
}

func (c *Client) costOfCreate(k *kind, changes []connector.Change) []string {
	calls := []string{http.MethodPost}
	if c.cfg.Dialect != Leapsome {
		return calls
	}
	attrs := make(identity.Attrs, len(changes))
	for i, ch := range changes {
		attrs[i] = identity.Attr{Name: ch.Attr, Value: ch.New}
	}
	if _, later, err := c.portions(k, attrs); err == nil && len(later) > 0 {
		calls = append(calls, http.MethodPatch)
	}
	return calls
}

func (c *Client) costOfUpdate(k *kind, changes []connector.Change) []string {
	var calls []string
	if c.cfg.ReferenceCheck == checkQuery {
		for _, ch := range changes {
			if a, err := k.attribute(ch.Attr, c.cfg); err == nil && asksFor(a, ch) {
				for range list(ch.New) {
					calls = append(calls, http.MethodGet)
				}
			}
		}
	}
	switch {
	case c.cfg.Dialect == Leapsome:
		return c.costOfPartial(k, changes)
	case c.puts(k):
		return append(calls, http.MethodGet, http.MethodPut)
	}
	return append(calls, http.MethodPatch)
}

// costOfPartial is the cost of an update in the dialect leapsome.
func (c *Client) costOfPartial(k *kind, changes []connector.Change) []string {
	if len(c.keptChanges(k, changes)) == 0 {
		return nil
	}
	calls := []string{http.MethodPatch}
	for _, ch := range changes {
		if a, err := k.attribute(ch.Attr, c.cfg); err == nil && a.members {
			for n := len(list(ch.New)); n > c.cfg.MemberBatch; n -= c.cfg.MemberBatch {
				calls = append(calls, http.MethodPatch)
			}
		}
	}
	return calls
}

func (c *Client) costOfDelete(k *kind) []string {
	switch {
	case k.name != identity.Group || !c.cfg.NoGroupDelete:
		return []string{http.MethodDelete}
	case c.cfg.Dialect == Leapsome:
		return []string{http.MethodGet, http.MethodPatch}
	case c.puts(k):
		return []string{http.MethodGet, http.MethodPut}
	}
	return []string{http.MethodPatch}
}
