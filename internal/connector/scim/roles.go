package scim

import (
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// In updates of the dialect legacy, roles are added to the list of roles, each as a JSON text in the string "value"
// (scim section 15). Roles that replace all others are plain objects, as in a create.

// isRole tells whether an attribute is roles, or a part of one.
func (a *attribute) isRole() bool { return a.core() && strings.EqualFold(a.path.Attribute, "roles") }

// roleText gathers the parts of the one role that an update writes.
type roleText struct {
	parts *record
}

// write returns the operations of a change of roles. Parts of one role become one operation, which finish completes.
func (r *roleText) write(c *Client, a *attribute, ch connector.Change) ([]operation, error) {
	v, err := a.wire(ch.New)
	if err != nil {
		return nil, err
	}
	add := operation{Operation: scim.Operation{Op: c.spell(scim.OpAdd), Path: "roles"}, attr: a}
	switch {
	case a.path.SubAttribute != "":
		began := r.parts != nil
		if !began {
			r.parts = &record{}
		}
		r.parts.set(roleKey(a.path.SubAttribute), v)
		if began {
			return nil, nil
		}
		add.Value = r
		return []operation{add}, nil
	case ch.Op == connector.Set:
		return []operation{{Operation: scim.Operation{Op: c.spell(scim.OpReplace), Path: "roles", Value: v}, attr: a}}, nil
	}
	var out []any
	for _, e := range list(v) {
		text := e
		if m, ok := e.(map[string]any); ok {
			parts := &record{}
			for _, sub := range []string{"value", "display", "type"} {
				if _, v, ok := scim.Lookup(m, sub); ok {
					parts.set(roleKey(sub), v)
				}
			}
			if text, err = parts.text(); err != nil {
				return nil, err
			}
		}
		out = append(out, map[string]any{"value": text})
	}
	add.Value = out
	return []operation{add}, nil
}

// roleKey is what a sub-attribute of a role is called in the text.
func roleKey(sub string) string {
	if strings.EqualFold(sub, "display") {
		return "displayName"
	}
	return sub
}

// finish writes the text of the gathered role into its operation.
func (r *roleText) finish(ops []operation) error {
	if r.parts == nil {
		return nil
	}
	text, err := r.parts.text()
	if err != nil {
		return err
	}
	for i := range ops {
		if ops[i].Value == any(r) {
			ops[i].Value = []any{map[string]any{"value": text}}
		}
	}
	return nil
}

// text is a record as JSON.
func (r *record) text() (string, error) {
	b, err := encode(r)
	return string(b), err
}
