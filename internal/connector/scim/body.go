package scim

import (
	"fmt"
	"strings"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// groupURN2006 is what the reference service adds to the schemas of a group (scim.R37).
const groupURN2006 = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"

// createBody is the body of a POST (sections 3, 4 and 7). No empty lists, no nulls, never an id (scim.R16, R30).
// Attributes stand in the order of the mappings.
func (c *Client) createBody(k *kind, attrs identity.Attrs) (*record, error) {
	body := &record{}
	schemas := []any{k.core}
	if c.cfg.Dialect == Legacy {
		switch k.name {
		case identity.User:
			schemas = append(schemas, scim.EnterpriseUserURN)
		case identity.Group:
			schemas = append(schemas, groupURN2006)
		}
	}
	body.fields = make([]field, 1, len(attrs)+2)
	for _, attr := range attrs {
		if identity.Empty(attr.Value) {
			continue
		}
		a, err := k.attribute(attr.Name, c.cfg)
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(a.path.Attribute, "id") && a.path.Schema == "" {
			continue
		}
		v, err := a.wire(attr.Value)
		if err != nil {
			return nil, err
		}
		if err := a.put(body, v); err != nil {
			return nil, fmt.Errorf("attribute %s: %w", a.name, err)
		}
		if urn := a.path.Schema; urn != "" && !scim.IsCoreURN(urn) && c.cfg.ExtensionInSchemas && !listed(schemas, urn) {
			schemas = append(schemas, urn) // scim.R24
		}
	}
	body.fields[0] = field{"schemas", schemas}
	if c.cfg.PrimaryEmailRequired {
		primaryWorkMail(body, c.cfg.Dialect != Legacy)
	}
	if c.cfg.Dialect == Legacy {
		body.set("meta", map[string]any{"resourceType": string(k.name)})
	}
	return body, nil
}

// put writes a value to where its attribute has its place in a body.
func (a *attribute) put(body *record, v any) error {
	pl := &a.place
	if !pl.plain && a.path.Filter == nil && a.path.SubAttribute == "" && a.path.Attribute != "" {
		if known := defined(a.path); a.members || a.reference && known != nil && !known.MultiValued {
			body.inside(pl.schema).set(pl.name, v) // in its shape already
			return nil
		}
	}
	if !pl.plain {
		return a.putByPath(body, v)
	}
	in := body.inside(pl.schema)
	switch {
	case pl.element != nil:
		elements, ok := in.get(pl.name).([]any)
		if !ok && in.get(pl.name) != nil {
			return a.putByPath(body, v)
		}
		for _, e := range elements {
			if r, ok := e.(*record); ok && r.has(pl.element) {
				r.set(pl.sub, v)
				return nil
			}
		}
		r := &record{fields: make([]field, 0, len(pl.element)+3)}
		for _, eq := range pl.element {
			r.set(eq.name, eq.value)
		}
		r.set(pl.sub, v)
		in.set(pl.name, append(elements, r))
	case pl.sub != "":
		have := in.get(pl.name)
		r, ok := have.(*record)
		if !ok {
			if have != nil {
				return a.putByPath(body, v)
			}
			r = &record{}
			in.set(pl.name, r)
		}
		r.set(pl.sub, v)
	default:
		in.set(pl.name, v)
	}
	return nil
}

// putByPath lets package internal/scim find the place. What stands under the same key of the body already is handed
// over and taken back.
func (a *attribute) putByPath(body *record, v any) error {
	key := a.place.schema
	switch {
	case a.path.Attribute == "": // a whole extension
		key = a.path.Schema
	case key == "":
		key = a.place.name
	}
	resource := map[string]any{}
	if have := body.get(key); have != nil {
		resource[key] = loose(have)
	}
	if err := a.path.Set(resource, v); err != nil {
		return err
	}
	if _, made, ok := scim.Lookup(resource, key); ok {
		body.set(key, tight(made))
	}
	return nil
}

func listed(schemas []any, urn string) bool {
	for _, s := range schemas {
		if text, ok := s.(string); ok && strings.EqualFold(text, urn) {
			return true
		}
	}
	return false
}

// primaryWorkMail marks the work address, or any that is the only one, as the primary one when none is (scim.R29).
func primaryWorkMail(body *record, only bool) {
	list, _ := body.get("emails").([]any)
	var work *record
	for _, e := range list {
		m, ok := e.(*record)
		if !ok {
			return
		}
		if m.get("primary") != nil {
			return
		}
		if m.get("type") == "work" || only && len(list) == 1 {
			work = m
		}
	}
	if work != nil {
		work.set("primary", true)
	}
}
