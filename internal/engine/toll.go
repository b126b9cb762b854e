package engine

import (
	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// toll adds up the calls that a plan would take.
type toll struct {
	caps   connector.Caps
	tariff connector.Tariff // nil for a target whose operations cost the same every time
	sum    *Estimate
}

// add counts one operation.
func (b *toll) add(op connector.Operation, kind identity.Kind, changes []connector.Change) {
	methods := b.caps.Calls[op]
	if b.tariff != nil {
		methods = b.tariff.Cost(op, kind, changes)
	}
	for _, m := range methods {
		b.sum.ByMethod[m]++
		b.sum.Total++
	}
}

// references counts the updates that add or remove n references with several values.
func (b *toll) references(kind identity.Kind, attr string, op connector.Op, n int) {
	size := batchOf(b.caps, b.tariff, kind, attr, op)
	if size <= 0 {
		size = n
	}
	for ; n > 0; n -= size {
		b.add(connector.OpUpdate, kind, []connector.Change{{Attr: attr, Op: op, New: make([]any, min(n, size))}})
	}
}

// whole counts the update that replaces all n references that remain (connector.Caps.WholeMembers).
func (b *toll) whole(kind identity.Kind, attr string, n int) {
	b.add(connector.OpUpdate, kind, []connector.Change{{Attr: attr, Op: connector.Set, New: make([]any, n)}})
}

// batchOf is how many references one change may carry, 0 for no limit.
func batchOf(caps connector.Caps, tariff connector.Tariff, kind identity.Kind, attr string, op connector.Op) int {
	if tariff != nil {
		return tariff.Batch(kind, attr, op)
	}
	return caps.MemberBatch
}

// createTakes tells whether a create takes one more reference to an account that is known. In are the references with
// several values that it has already.
func (c *cycle) createTakes(multi bool, in int) bool {
	switch {
	case !c.caps.ReferencesInCreate:
		return false
	case !multi:
		return true
	}
	return !c.caps.MembersApart && (c.caps.MemberBatch == 0 || in < c.caps.MemberBatch)
}

// tariffOf returns the tariff of a target, nil when it has none, looking behind the lease.
func tariffOf(t connector.Target) connector.Tariff {
	tariff, _ := ability[connector.Tariff](t)
	return tariff
}
