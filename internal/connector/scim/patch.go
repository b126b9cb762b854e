package scim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// operation is one operation of a PATCH with what it came from, so that it can be written otherwise when the server
// refuses it.
type operation struct {
	scim.Operation
	attr *attribute
	set  bool // writes one value; otherwise it removes it or changes members
}

// operations are the operations of an update (section 5, section 6, section 7).
func (c *Client) operations(k *kind, u connector.Update) ([]operation, error) {
	var first, merged, rest []operation
	var role roleText
	for _, ch := range u.Changes {
		a, err := k.attribute(ch.Attr, c.cfg)
		if err != nil {
			return nil, err
		}
		if c.cfg.RolesShape == shapeText && a.isRole() && ch.Op != connector.Clear {
			op, err := role.write(c, a, ch)
			if err != nil {
				return nil, err
			}
			rest = append(rest, op...)
			continue
		}
		switch ch.Op {
		case connector.Set:
			if identity.Empty(ch.New) {
				return nil, fmt.Errorf("attribute %s: a change to no value is a removal", a.name)
			}
			op, err := c.set(k, a, ch, u.Anchor)
			if err != nil {
				return nil, err
			}
			replaces := strings.EqualFold(op.Op, scim.OpReplace) && !a.reference
			switch {
			case c.cfg.Dialect == Entra2020 && replaces && a.path.Filter != nil:
				first = append(first, op)
			case c.cfg.Dialect == Entra2020 && replaces && !a.def.MultiValued:
				merged = append(merged, op)
			default:
				rest = append(rest, op)
			}
		case connector.Clear:
			rest = append(rest, operation{Operation: scim.Operation{Op: c.spell(scim.OpRemove), Path: c.clearPath(a)}, attr: a})
		case connector.Add:
			if !a.members { // values of another list, which the target merges into what it has
				op, err := c.set(k, a, connector.Change{Attr: ch.Attr, Op: ch.Op, New: ch.New}, u.Anchor)
				if err != nil {
					return nil, err
				}
				rest = append(rest, op)
				continue
			}
			rest = append(rest, operation{Operation: scim.Operation{Op: c.spell(scim.OpAdd), Path: a.text, Value: c.memberList(ch.New)}, attr: a})
		case connector.Remove:
			rest = append(rest, c.removals(a, ch.New)...)
		default:
			return nil, fmt.Errorf("attribute %s: there is no operation %q", a.name, ch.Op)
		}
	}
	if err := role.finish(rest); err != nil {
		return nil, err
	}
	if len(merged) > 1 {
		op, err := c.merge(merged)
		if err != nil {
			return nil, err
		}
		merged = []operation{op}
	}
	return append(append(first, merged...), rest...), nil
}

// set is the operation that writes one value: add where the target has none, replace where it has another (scim.R33).
func (c *Client) set(k *kind, a *attribute, ch connector.Change, anchor string) (operation, error) {
	op := scim.OpReplace
	if identity.Empty(ch.Old) {
		op = scim.OpAdd
	}
	v, err := a.wire(ch.New)
	if err != nil {
		return operation{}, err
	}
	o := operation{Operation: scim.Operation{Op: op, Path: a.text, Value: v}, attr: a, set: true}
	switch {
	case a.reference && !a.members:
		if err := c.writeReference(k, &o, ch.New); err != nil {
			return operation{}, err
		}
	case a.boolean && c.cfg.BooleanAsString:
		if b, ok := v.(bool); ok {
			o.Value = textOfBool(b)
		}
	}
	if op == scim.OpAdd && c.addsMail(k, a) {
		built := map[string]any{}
		if err := a.path.Set(built, o.Value); err != nil {
			return operation{}, fmt.Errorf("attribute %s: %w", a.name, err)
		}
		mails := &record{fields: []field{{"emails", tight(built["emails"])}}}
		primaryWorkMail(mails, true)
		o = operation{Operation: scim.Operation{Op: op, Path: "emails", Value: loose(mails.get("emails"))}, attr: a}
	}
	o.Op = c.spell(o.Op)
	return o, nil
}

// addsMail tells whether an address that an account does not have yet is added with the mark of the primary one
// (primaryEmailRequired). The dialect legacy marks it in a create alone (scim.R29).
func (c *Client) addsMail(k *kind, a *attribute) bool {
	if !c.cfg.PrimaryEmailRequired || c.cfg.Dialect == Legacy || a.path.Filter == nil || !a.core() ||
		!strings.EqualFold(a.path.Attribute, "emails") || !strings.EqualFold(a.path.SubAttribute, "value") {
		return false
	}
	return !slices.ContainsFunc(k.attrs, func(o *attribute) bool { // which a mapping gives
		return strings.EqualFold(o.path.Attribute, "emails") && strings.EqualFold(o.path.SubAttribute, "primary")
	})
}

// writeReference writes a manager in the shape that is set (scim.R35).
func (c *Client) writeReference(k *kind, o *operation, v any) error {
	ref, ok := v.(identity.Ref)
	if !ok {
		text, isText := v.(string)
		if !isText {
			return fmt.Errorf("attribute %s takes a reference", o.attr.name)
		}
		ref = identity.Ref{Kind: k.name, Anchor: text}
	}
	switch {
	case o.attr.path.SubAttribute != "":
		o.Value = ref.Anchor
	case c.cfg.ManagerShape == shapeText:
		o.Value = ref.Anchor
	case c.cfg.ManagerShape == shapeList:
		o.Op, o.Path = scim.OpAdd, o.attr.path.Attribute
		o.Value = []any{map[string]any{"$ref": c.resourceURL(ref), "value": ref.Anchor}}
	default:
		if c.cfg.Dialect == Entra2020 {
			o.Op = scim.OpReplace
		}
		o.Value = map[string]any{"value": ref.Anchor}
	}
	return nil
}

// resourceURL is the address of the resource that a reference points to.
func (c *Client) resourceURL(ref identity.Ref) string {
	endpoint := "/Users"
	if ref.Kind == identity.Group {
		endpoint = "/Groups"
	}
	u := c.conn.Address((&kind{endpoint: endpoint}).itemPath(ref.Anchor), nil)
	u.RawQuery = ""
	return u.String()
}

func (c *Client) clearPath(a *attribute) string {
	if a.reference && !a.members && c.cfg.ManagerShape == shapeList {
		return a.path.Attribute
	}
	return a.text
}

// memberList is the value of an operation on members. The reference service writes $ref, and leaves it empty.
func (c *Client) memberList(v any) []any {
	refs := list(v)
	out := make([]any, len(refs))
	for i, e := range refs {
		m := &record{fields: append(make([]field, 0, 2), field{"value", anchorOf(e)})}
		if c.cfg.Dialect == Legacy {
			m.fields = []field{{"$ref", nil}, m.fields[0]}
		}
		out[i] = m
	}
	return out
}

// removals take members away: one operation with a list in the dialect legacy, one operation for each member in the
// others, which is what RFC 7644 section 3.5.2.2 has.
func (c *Client) removals(a *attribute, v any) []operation {
	if c.cfg.Dialect == Legacy {
		return []operation{{Operation: scim.Operation{Op: c.spell(scim.OpRemove), Path: a.text, Value: c.memberList(v)}, attr: a}}
	}
	refs := list(v)
	out := make([]operation, len(refs))
	for i, e := range refs {
		path := a.text + "[value eq " + scim.Quote(anchorOf(e)) + "]"
		out[i] = operation{Operation: scim.Operation{Op: c.spell(scim.OpRemove), Path: path}, attr: a}
	}
	return out
}

// merge makes one operation without path of several that replace single values (section 5, dialect entra2020).
func (c *Client) merge(ops []operation) (operation, error) {
	value := map[string]any{}
	for _, op := range ops {
		if c.cfg.MergedKeys == keysFlat {
			value[op.Path] = op.Value
			continue
		}
		if err := op.attr.path.Set(value, op.Value); err != nil {
			return operation{}, fmt.Errorf("attribute %s: %w", op.attr.name, err)
		}
	}
	return operation{Operation: scim.Operation{Op: c.spell(scim.OpReplace), Value: value}, set: true}, nil
}

// spell writes the name of an operation as the dialect does.
func (c *Client) spell(op string) string {
	if c.cfg.Dialect == Legacy {
		return strings.ToUpper(op[:1]) + op[1:]
	}
	return op
}

func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// anchorOf is the id that a member stands for.
func anchorOf(v any) string {
	switch v := v.(type) {
	case identity.Ref:
		return v.Anchor
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// message is the body of a PATCH (RFC 7644 section 3.5.2). A value that is nil is left out.
func message(ops []operation) *record {
	list := make([]any, len(ops))
	for i, op := range ops {
		o := &record{fields: append(make([]field, 0, 3), field{"op", op.Op})}
		if op.Path != "" {
			o.fields = append(o.fields, field{"path", op.Path})
		}
		if op.Value != nil {
			o.fields = append(o.fields, field{"value", op.Value})
		}
		list[i] = o
	}
	return &record{fields: []field{{"schemas", []any{scim.PatchOpURN}}, {"Operations", list}}}
}
