package plan

import (
	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
)

// Drift compares an account as it was found in the target with what was written to it last, and returns what would undo
// the differences, in the order of the mappings: Old is the value found, New the one written (design D3). Attributes that
// are written on create only, that no expression fills, or that were never given a value belong to the application, and
// memberships are never read (scim.R43): they do not drift.
func Drift(set *mapping.Set, last, found *Current) []connector.Change {
	var out []connector.Change
	for i := range set.Mappings {
		m := &set.Mappings[i]
		switch {
		case m.Apply == mapping.OnCreate, m.Expression == "" && !m.IsReference(), m.IsReference() && m.Def.MultiValued:
			continue
		case m.IsReference():
			was, is := last.Refs[m.Target], found.Refs[m.Target]
			if was == is || was == "" && !m.FlowNull {
				continue
			}
			out = append(out, undoing(m.Target, reference(m, is), reference(m, was)))
			continue
		}
		was, is := last.Value(m.Target), found.Value(m.Target)
		switch {
		case identity.Empty(was) && (identity.Empty(is) || !m.FlowNull), same(is, was, m, true), rewritten(m, is, was):
		default:
			out = append(out, undoing(m.Target, is, was))
		}
	}
	return out
}

// undoing is the change from a value found to the one written; nil stands for none.
func undoing(attr string, found, written any) connector.Change {
	if identity.Empty(written) {
		return connector.Change{Attr: attr, Op: connector.Clear, Old: found}
	}
	return connector.Change{Attr: attr, Op: connector.Set, Old: found, New: written}
}

func reference(m *mapping.Mapping, anchor string) any {
	if anchor == "" {
		return nil
	}
	return identity.Ref{Kind: m.Def.References, Anchor: anchor}
}

// Overlay puts the values that were found in the target over what was written last, for the attributes named.
func (c *Current) Overlay(drift []connector.Change) *Current {
	out := &Current{Values: make(map[string]any, len(c.Values)), Refs: make(map[string]string, len(c.Refs)), Read: c.Read, Sent: c.Sent}
	for k, v := range c.Values {
		out.Values[k] = v
	}
	for k, v := range c.Refs {
		out.Refs[k] = v
	}
	for _, ch := range drift {
		ref, isRef := ch.Old.(identity.Ref)
		_, wasRef := ch.New.(identity.Ref)
		switch {
		case isRef:
			out.Refs[ch.Attr] = ref.Anchor
		case wasRef:
			delete(out.Refs, ch.Attr)
		case ch.Old == nil:
			delete(out.Values, ch.Attr)
		default:
			out.Values[ch.Attr] = ch.Old
		}
	}
	return out
}

// Alike tells whether an account's value is one that was written, in the target's own spelling or not.
func Alike(m *mapping.Mapping, found, written any) bool {
	return identity.Empty(found) && identity.Empty(written) || same(found, written, m, true) || rewritten(m, found, written)
}

// rewritten tells whether a text that was found may be what the target made of the one that was written (scim.R28).
func rewritten(m *mapping.Mapping, found, written any) bool {
	_, isText := written.(string)
	return m.Def.Rewritten && isText && !identity.Empty(found) && !identity.Empty(written)
}

// Recall puts into an account that was read from the target what only its writer knows: what the last update set, and
// texts that the target may have rewritten, so that only a text that it lost counts as a difference (scim.R28).
func (c *Current) Recall(set *mapping.Set, last *Current) {
	if last == nil {
		return
	}
	c.Sent = last.Sent
	for i := range set.Mappings {
		m := &set.Mappings[i]
		if was := last.Value(m.Target); rewritten(m, c.Values[m.Target], was) {
			c.Values[m.Target] = was
		}
	}
}
