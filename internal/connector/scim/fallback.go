package scim

import (
	"context"
	"strings"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// A value path like phoneNumbers[type eq "fax"].value may lead to an element that does not exist. Some servers make
// the element, others answer 400 noTarget; those want the whole element added to phoneNumbers (section 5, Open).

// foresee writes additions of whole elements for a server that is known to want them. It does so only where all
// attributes of an element that the job uses are added at once: then the element cannot exist by our writing. Where
// it might, a second element of the same type would come of it, and the value path is tried first.
func (c *Client) foresee(k *kind, ops []operation) []operation {
	if !c.wantsElement.Load() {
		return ops
	}
	added := map[string]int{}
	for _, op := range ops {
		if op.addsByFilter() {
			added[op.attr.element()]++
		}
	}
	used := map[string]int{}
	for _, a := range k.attrs {
		if a.path.Filter != nil {
			used[a.element()]++
		}
	}
	return c.elements(ops, func(op operation) bool {
		return op.addsByFilter() && added[op.attr.element()] >= used[op.attr.element()]
	})
}

func (op operation) addsByFilter() bool {
	return op.set && op.attr != nil && op.attr.path.Filter != nil && strings.EqualFold(op.Op, scim.OpAdd)
}

// elements replaces the operations that are chosen by additions of whole elements, one for each attribute.
func (c *Client) elements(ops []operation, chosen func(operation) bool) []operation {
	var out []operation
	made := map[string]int{} // attribute → its place in out
	built := map[string]any{}
	for _, op := range ops {
		if op.attr == nil || !chosen(op) {
			out = append(out, op)
			continue
		}
		if err := op.attr.path.Set(built, op.Value); err != nil {
			out = append(out, op) // no element can be made of this filter
			continue
		}
		whole := scim.Path{Schema: op.attr.path.Schema, Attribute: op.attr.path.Attribute}
		at, ok := made[whole.String()]
		if !ok {
			at = len(out)
			made[whole.String()] = at
			out = append(out, operation{Operation: scim.Operation{Op: c.spell(scim.OpAdd), Path: whole.String()}, attr: op.attr})
		}
		out[at].Value = whole.Values(built)
	}
	return out
}

// retarget writes operations anew that a server refused with noTarget; ok is false when there is nothing to change.
// A single value path is known to be the culprit; among several, the resource tells which.
func (c *Client) retarget(ctx context.Context, k *kind, anchor string, ops []operation) (again []operation, ok bool, err error) {
	sets, removes := 0, 0
	for _, op := range ops {
		switch {
		case op.attr == nil || op.attr.members:
		case op.set && op.attr.path.Filter != nil:
			sets++
		case strings.EqualFold(op.Op, scim.OpRemove):
			removes++
		}
	}
	switch {
	case sets+removes == 0:
		return nil, false, nil
	case len(ops) == 1 && removes == 1:
		return nil, true, nil // what was to be removed is gone
	case sets == 1 && removes == 0:
		c.wantsElement.Store(true)
		return c.elements(ops, func(op operation) bool { return op.set && op.attr.path.Filter != nil }), true, nil
	}
	resource, err := c.get(ctx, k, anchor)
	if err != nil {
		return nil, false, err
	}
	missing := func(p scim.Path) bool { return len(p.Values(resource)) == 0 }
	var kept []operation
	dropped := 0
	for _, op := range ops {
		if op.attr != nil && !op.attr.members && strings.EqualFold(op.Op, scim.OpRemove) && missing(op.attr.path) {
			dropped++
			continue
		}
		kept = append(kept, op)
	}
	converted := 0
	again = c.elements(kept, func(op operation) bool {
		if !op.set || op.attr.path.Filter == nil {
			return false
		}
		element := op.attr.path
		element.SubAttribute = ""
		if !missing(element) {
			return false
		}
		converted++
		return true
	})
	if converted > 0 {
		c.wantsElement.Store(true)
	}
	return again, converted+dropped > 0, nil
}

// repeatable tells whether sending the operations twice does no more than sending them once: adding an element to a
// list is the one thing that does.
func repeatable(ops []operation) bool {
	for _, op := range ops {
		if _, isList := op.Value.([]any); isList && op.attr != nil && !op.attr.reference && strings.EqualFold(op.Op, scim.OpAdd) {
			return false
		}
	}
	return true
}
