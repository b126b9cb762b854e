package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
)

// Current is what an account is believed to have: the values exported last, or those read from the target.
type Current struct {
	Values map[string]any    // by target attribute
	Refs   map[string]string // target anchors of single-valued references, by target attribute
	Read   bool              // read from the target, which may have changed the spelling of what was written
	Sent   []Repeat          // what the last update set
}

// Value returns an attribute's value, nil for none.
func (c *Current) Value(attr string) any {
	if c == nil {
		return nil
	}
	return c.Values[attr]
}

// Missing is the cause of engine.R62: required attributes without a value.
type Missing struct{ Attributes []string }

// Error names the attributes.
func (m *Missing) Error() string {
	return fmt.Sprintf("required in the target but without a value: %s; give the person a value in the source, or the mapping a default", strings.Join(m.Attributes, ", "))
}

// New returns the values of a create request: defaults in place of nulls (engine.R61), nothing for other nulls
// (engine.R63). The error is a *Missing when a required attribute would have no value.
func New(set *mapping.Set, values []mapping.Value) (identity.Attrs, error) {
	var out identity.Attrs
	have := make([]bool, len(set.Mappings))
	for _, v := range values {
		m := &set.Mappings[v.Index]
		if m.IsReference() || v.Ignored {
			continue
		}
		val := v.Value
		if val == nil && m.Default != "" {
			val = m.Typed(m.Default)
		}
		if identity.Empty(val) && m.Def.Required && m.Def.Default != "" {
			val = m.Typed(m.Def.Default)
		}
		if val == nil {
			continue
		}
		if out == nil {
			out = make(identity.Attrs, 0, len(values))
		}
		out = append(out, identity.Attr{Name: m.Target, Value: val})
		have[v.Index] = !identity.Empty(val)
	}
	var missing []string
	for i := range set.Mappings {
		if m := &set.Mappings[i]; m.Def.Required && !m.IsReference() && !have[i] {
			missing = append(missing, m.Target)
		}
	}
	if missing != nil {
		return nil, &Missing{Attributes: missing}
	}
	return out, nil
}

// Diff compares the values an account should have with those it has and returns the changes, in the order of the
// mappings. References are not among them (see Reference).
func Diff(set *mapping.Set, values []mapping.Value, cur *Current) []connector.Change {
	var out []connector.Change
	for _, v := range values {
		m := &set.Mappings[v.Index]
		if m.IsReference() || v.Ignored || m.Apply == mapping.OnCreate {
			continue
		}
		old, val := cur.Value(m.Target), v.Value
		if m.Expression == "" { // kind None: the default fills an empty attribute, another value is left alone
			if !identity.Empty(old) || m.Default == "" {
				continue
			}
			val = m.Typed(m.Default)
		}
		switch m.Apply { // engine.R59
		case mapping.AttributeAddOnly:
			if !identity.Empty(old) {
				continue
			}
		case mapping.ValueAddOnly, mapping.MultiValueAddOnly:
			if identity.Empty(val) {
				continue
			}
			if ch, several := added(m, old, val); several {
				if ch != nil {
					out = append(out, *ch)
				}
				continue
			}
		case "", mapping.Always, mapping.OnCreate: // the last is passed over above
		}
		if identity.Empty(val) {
			switch {
			case m.FlowNull && m.Apply != mapping.AttributeAddOnly && !identity.Empty(old):
				out = append(out, connector.Change{Attr: m.Target, Op: connector.Clear, Old: old})
				continue
			case val == nil: // R63: the old value stays
				continue
			case identity.Empty(old): // "" on an attribute without a value is no difference
				continue
			}
		}
		if same(old, val, m, cur != nil && cur.Read) {
			continue
		}
		out = append(out, connector.Change{Attr: m.Target, Op: connector.Set, Old: old, New: val})
	}
	return out
}

// added is the change that adds to an attribute with several values those of val that it does not have; nil for none.
// several is false for an attribute with one value.
func added(m *mapping.Mapping, old, val any) (ch *connector.Change, several bool) {
	list, several := val.([]any)
	if !several {
		return nil, false
	}
	there, _ := old.([]any)
	if _, one := old.([]any); !one && old != nil {
		there = []any{old}
	}
	var fresh []any
	for _, v := range list {
		has := func(o any) bool { return identity.Equal(o, v, m.Def.FoldCase) }
		if !slices.ContainsFunc(there, has) && !slices.ContainsFunc(fresh, has) {
			fresh = append(fresh, v)
		}
	}
	if fresh == nil {
		return nil, true
	}
	return &connector.Change{Attr: m.Target, Op: connector.Add, Old: old, New: fresh}, true
}

// Carry returns the values that go along with an update though they did not change (engine.R60 FlowAlways). They never
// cause one: call it for accounts that are written anyway.
func Carry(set *mapping.Set, values []mapping.Value, cur *Current, changes []connector.Change) []connector.Change {
	var out []connector.Change
	for _, v := range values {
		m := &set.Mappings[v.Index]
		if m.FlowBehavior != mapping.FlowAlways || m.IsReference() || v.Ignored || m.Apply == mapping.OnCreate || identity.Empty(v.Value) ||
			slices.ContainsFunc(changes, func(ch connector.Change) bool { return ch.Attr == m.Target }) {
			continue
		}
		old := cur.Value(m.Target)
		if m.Apply == mapping.AttributeAddOnly && !identity.Empty(old) || m.Apply.KeepsValues() && m.Def.MultiValued {
			continue // what it may write is written when it differs
		}
		out = append(out, connector.Change{Attr: m.Target, Op: connector.Set, Old: old, New: v.Value})
	}
	return out
}

// Settle replaces, in an account that was read from the target, the target's spelling of a value by the value that it
// should have where the two are the same. What is compared with it later is compared exactly.
func (c *Current) Settle(set *mapping.Set, values []mapping.Value) {
	if !c.Read {
		return
	}
	for _, v := range values {
		m := &set.Mappings[v.Index]
		if old := c.Values[m.Target]; !m.IsReference() && !v.Ignored && old != nil && v.Value != nil && same(old, v.Value, m, true) {
			c.Values[m.Target] = v.Value
		}
	}
	c.Read = false
}

// same compares exactly with what was written last; with what was read from the target it allows for the target's own
// spelling: letter case where the target ignores it, and the order of several values.
func same(old, val any, m *mapping.Mapping, read bool) bool {
	if identity.Equal(old, val, read && m.Def.FoldCase) {
		return true
	}
	if !read {
		return false
	}
	a, several := old.([]any)
	if b, ok := val.([]any); ok && several {
		text := func(v any) string {
			if m.Def.FoldCase {
				return identity.Fold(mapping.Text(v))
			}
			return mapping.Text(v)
		}
		byText := func(x, y any) int { return cmp.Compare(text(x), text(y)) }
		a, b = slices.Clone(a), slices.Clone(b)
		slices.SortFunc(a, byText)
		slices.SortFunc(b, byText)
		return identity.Equal(a, b, m.Def.FoldCase)
	}
	before, after := mapping.Text(old), mapping.Text(val) // a number or Boolean that the target keeps as text
	if _, ok := val.(bool); ok || m.Def.FoldCase {
		return strings.EqualFold(before, after)
	}
	return before == after
}

// Merge applies changes to what an account is believed to have, after a successful write.
func (c *Current) Merge(changes []connector.Change) {
	if c.Values == nil {
		c.Values = map[string]any{}
	}
	if c.Refs == nil {
		c.Refs = map[string]string{}
	}
	for _, ch := range changes {
		ref, isRef := ch.New.(identity.Ref)
		oldRef := false
		if _, ok := ch.Old.(identity.Ref); ok {
			oldRef = true
		}
		switch {
		case ch.Op == connector.Clear && oldRef:
			delete(c.Refs, ch.Attr)
		case ch.Op == connector.Clear:
			delete(c.Values, ch.Attr)
		case ch.Op == connector.Set && isRef:
			c.Refs[ch.Attr] = ref.Anchor
		case ch.Op == connector.Set:
			c.Values[ch.Attr] = ch.New
		case ch.Op == connector.Add && !isReferences(ch.New): // members are not kept here
			c.Values[ch.Attr] = union(ch.Old, ch.New)
		}
	}
	c.Read = false
}

func isReferences(v any) bool {
	list, _ := v.([]any)
	return slices.ContainsFunc(list, func(e any) bool { _, ok := e.(identity.Ref); return ok })
}

// union is a list with the values of both, those of the first before.
func union(a, b any) any {
	var out []any
	for _, v := range []any{a, b} {
		switch v := v.(type) {
		case nil:
		case []any:
			out = append(out, v...)
		default:
			out = append(out, v)
		}
	}
	return out
}

// Doubt forgets the values that changes wanted to set, after a write of which nobody knows whether it took effect: they
// are sent again whatever they are then. What was to be cleared stays, so that it is cleared again.
func (c *Current) Doubt(changes []connector.Change) {
	for _, ch := range changes {
		switch ch.Op {
		case connector.Set:
			delete(c.Values, ch.Attr)
			delete(c.Refs, ch.Attr)
		case connector.Clear, connector.Add, connector.Remove: // done again, which does no harm
		}
	}
}

// Properties shows changes as a log or a plan does; redacted attributes are shown as "[Redact]" (engine.R71).
func Properties(set *mapping.Set, changes []connector.Change) []Property {
	out := make([]Property, 0, len(changes))
	for _, ch := range changes {
		p := Property{Name: ch.Attr, Old: show(ch.Old), New: show(ch.New)}
		if ch.Op == connector.Remove {
			p.Old, p.New = p.New, nil
		}
		if Redacted(set, ch.Attr) {
			if p.Old != nil {
				p.Old = RedactedText
			}
			if p.New != nil {
				p.New = RedactedText
			}
		}
		out = append(out, p)
	}
	return out
}

// RedactedText stands in logs for a value that a mapping redacts.
const RedactedText = "[Redact]"

// Redacted tells whether an attribute's values must not be shown.
func Redacted(set *mapping.Set, attr string) bool {
	return slices.ContainsFunc(set.Mappings, func(m mapping.Mapping) bool { return m.Redacted && m.Target == attr })
}

func show(v any) any {
	switch v := v.(type) {
	case identity.Ref:
		return v.Anchor
	case []any:
		return identity.Plain(v)
	}
	return v
}
