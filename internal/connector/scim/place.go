package scim

import (
	"strings"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// place is an attribute path made ready for the shapes that nearly all mappings have, so that building and reading a
// resource does not take the path apart each time. Whatever has another shape goes through package internal/scim.
type place struct {
	plain   bool   // the rest holds; otherwise only the path does
	schema  string // key of the extension's object; "" for the resource itself
	name    string
	sub     string
	element []equality // what the filter in brackets asks of an element; nil without filter
}

// equality is one comparison with eq of a filter in brackets.
type equality struct {
	name  string
	value any // string or bool
}

// placeOf makes a path ready.
func placeOf(p scim.Path) place {
	if p.Attribute == "" {
		return place{}
	}
	pl := place{name: p.Attribute, sub: p.SubAttribute}
	if p.Schema != "" && !scim.IsCoreURN(p.Schema) {
		pl.schema = p.Schema
	}
	if strings.EqualFold(pl.schema, scim.EnterpriseUserURN) {
		pl.schema = scim.EnterpriseUserURN
	}
	// Names are written as RFC 7643 spells them, however the mapping does.
	whole := defined(scim.Path{Schema: p.Schema, Attribute: p.Attribute})
	if whole != nil {
		pl.name = whole.Name
		if sub := whole.Sub(p.SubAttribute); sub != nil {
			pl.sub = sub.Name
		}
	}
	switch {
	case p.Filter != nil:
		comparisons, ok := scim.Equalities(p.Filter)
		if !ok || p.SubAttribute == "" {
			return pl
		}
		for _, c := range comparisons {
			sub := defined(scim.Path{Schema: p.Schema, Attribute: p.Attribute, SubAttribute: c.Path.Attribute})
			text, isText := c.Value.(string)
			switch {
			case sub == nil || c.Path.SubAttribute != "" || c.Path.Schema != "":
				return pl.bare()
			case sub.Type == scim.Boolean:
				b, isBool := c.Value.(bool)
				if !isBool && !strings.EqualFold(text, "true") && !strings.EqualFold(text, "false") {
					return pl.bare()
				}
				pl.element = append(pl.element, equality{sub.Name, b || strings.EqualFold(text, "true")})
			case isText && sub.Type == scim.String && !sub.CaseExact:
				pl.element = append(pl.element, equality{sub.Name, text})
			default:
				return pl.bare()
			}
		}
		value := defined(p)
		pl.plain = value != nil && value.Type != scim.Complex && !value.MultiValued
	case p.SubAttribute != "":
		pl.plain = whole == nil || whole.Type == scim.Complex && !whole.MultiValued
	default:
		pl.plain = whole == nil || whole.Type != scim.Complex && !whole.MultiValued
	}
	return pl
}

// bare is the place without what could not be made ready.
func (pl place) bare() place {
	pl.element = nil
	return pl
}

// find returns the values of the attribute in a resource, a record or a map, the elements of lists one by one.
func (a *attribute) find(resource any) []any {
	pl := &a.place
	whole := a.reference && a.path.Filter == nil && a.path.SubAttribute == "" && pl.name != "" // a manager, members
	if !pl.plain && !whole {
		return a.path.Values(mapOf(resource))
	}
	in := resource
	if pl.schema != "" {
		in = valueOf(resource, pl.schema)
	}
	v := valueOf(in, pl.name)
	switch {
	case v == nil:
		return nil
	case pl.element != nil:
		elements, ok := v.([]any)
		if !ok {
			elements = []any{v}
		}
		var out []any
		for _, e := range elements {
			if !isObject(e) || !pl.matches(e) {
				continue
			}
			if v := valueOf(e, pl.sub); v != nil {
				out = append(out, v)
			}
		}
		return out
	case pl.sub != "":
		if !isObject(v) {
			return a.path.Values(mapOf(resource)) // several complex values, or a bare one: not what the RFC has here
		}
		if v = valueOf(v, pl.sub); v == nil {
			return nil
		}
	}
	if l, ok := v.([]any); ok {
		out := make([]any, 0, len(l))
		for _, e := range l {
			if e != nil {
				out = append(out, e)
			}
		}
		return out
	}
	return []any{v}
}

func (pl *place) matches(element any) bool {
	for _, eq := range pl.element {
		v := valueOf(element, eq.name)
		switch want := eq.value.(type) {
		case string:
			have, ok := v.(string)
			if !ok || !strings.EqualFold(have, want) {
				return false
			}
		case bool:
			have, ok := v.(bool)
			if text, isText := v.(string); isText { // scim.R57
				have, ok = strings.EqualFold(text, "true"), true
			}
			if !ok || have != want {
				return false
			}
		}
	}
	return true
}
