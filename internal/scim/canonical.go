package scim

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// Problem is one thing wrong with a resource.
type Problem struct {
	Path     string    // attribute it is about
	ScimType ErrorType // as an answer would name it
	Detail   string    // for people
}

// Err makes an error of the problem, with status 400.
func (p Problem) Err() *Error {
	return &Error{Status: http.StatusBadRequest, ScimType: p.ScimType, Detail: p.Detail}
}

// Validate reports all problems of a resource as a client sends it: required attributes that are missing, values
// of the wrong type, and in a strict definition two primary values and attributes and schemas it does not know. The
// list is sorted by path and empty when all is well.
func (d *Definition) Validate(resource map[string]any) []Problem {
	_, problems := d.Canonical(resource)
	return problems
}

// Canonical gives a copy of a resource as a client sends it in the definition's spelling: names as defined, texts
// for Booleans as Booleans, without null and empty values and without read-only attributes, which clients cannot
// set (RFC 7644 section 3.3). The schemas list is made anew: the core schema and the extensions that hold
// something. With problems (see Validate) the copy lacks the attributes concerned.
func (d *Definition) Canonical(resource map[string]any) (map[string]any, []Problem) {
	d = d.orBuiltin()
	c := canonicalizer{d: d, r: reader{strict: d.strict}, out: make(map[string]any, len(resource)+1)}
	for k, v := range resource {
		if urn, ok := d.extension(k); ok {
			c.extension(urn, v)
			continue
		}
		a := d.attribute("", k)
		switch {
		case a == nil && strings.EqualFold(k, d.core.ID):
			// Some clients put core attributes under their URN, too; the RFC has no such place.
			c.problem(k, InvalidSyntax, "attributes of "+d.core.ID+" stand in the resource itself, not under their URN")
		case a == nil && d.strict:
			c.problem(k, InvalidSyntax, d.name+" has no attribute "+k)
		case a == nil:
			if v = withoutNulls(v); v != nil {
				c.out[k] = v
			}
		case a.Name == "schemas" || a.Mutability == ReadOnly:
		default:
			c.value(c.out, a, "", v)
		}
	}
	c.schemas(resource)
	c.missing()
	slices.SortFunc(c.problems, func(a, b Problem) int { return cmp.Compare(a.Path, b.Path) })
	return c.out, c.problems
}

type canonicalizer struct {
	d        *Definition
	r        reader
	out      map[string]any
	problems []Problem
}

func (c *canonicalizer) problem(path string, t ErrorType, detail string) {
	c.problems = append(c.problems, Problem{Path: path, ScimType: t, Detail: detail})
}

func (c *canonicalizer) value(into map[string]any, a *Attribute, prefix string, v any) {
	v, err := c.r.value(a, v)
	switch {
	case err != nil:
		c.problem(prefix+a.Name, err.ScimType, prefix+a.Name+err.Detail)
	case v != nil:
		into[a.Name] = v
		if c.d.strict && countPrimary(v) > 1 {
			c.problem(prefix+a.Name, InvalidValue, prefix+a.Name+": only one value can be primary")
		}
	}
}

func (c *canonicalizer) extension(urn string, v any) {
	object, ok := v.(map[string]any)
	if !ok {
		if v != nil {
			c.problem(urn, InvalidSyntax, urn+" must be an object with the attributes of that schema")
		}
		return
	}
	out := make(map[string]any, len(object))
	for k, e := range object {
		a := c.d.attribute(urn, k)
		switch {
		case a == nil && c.d.strict:
			c.problem(urn+":"+k, InvalidSyntax, urn+" has no attribute "+k)
		case a == nil:
			if e = withoutNulls(e); e != nil {
				out[k] = e
			}
		case a.Mutability != ReadOnly:
			c.value(out, a, urn+":", e)
		}
	}
	if len(out) > 0 {
		c.out[urn] = out
	}
}

// schemas checks the list the client sent and writes the right one.
func (c *canonicalizer) schemas(resource map[string]any) {
	_, v, _ := Lookup(resource, "schemas")
	var sent []string
	list, ok := v.([]any)
	for _, e := range list {
		s, isText := e.(string)
		if !isText {
			ok = false
			break
		}
		sent = append(sent, s)
	}
	if c.d.strict {
		c.checkSchemas(sent, ok)
	}
	c.out["schemas"] = c.d.SchemasOf(c.out)
}

func (c *canonicalizer) checkSchemas(sent []string, ok bool) {
	if !ok || !containsFold(sent, c.d.core.ID) {
		c.problem("schemas", InvalidSyntax, "schemas must list "+c.d.core.ID)
		return
	}
	for _, s := range sent {
		if _, known := c.d.extension(s); !known && !strings.EqualFold(s, c.d.core.ID) {
			c.problem("schemas", InvalidValue, c.d.name+" does not know the schema "+s)
		}
	}
	for _, e := range c.d.extensions {
		if _, used := c.out[e.Schema.ID]; used && !containsFold(sent, e.Schema.ID) {
			c.problem("schemas", InvalidSyntax, "schemas must list "+e.Schema.ID+", since the resource has attributes of it")
		}
	}
}

// SchemasOf gives the schemas list of a resource: the core schema, then each extension that holds something, those
// of the definition first.
func (d *Definition) SchemasOf(resource map[string]any) []any {
	d = d.orBuiltin()
	schemas := []any{d.core.ID}
	for _, e := range d.extensions {
		if _, v, ok := Lookup(resource, e.Schema.ID); ok && v != nil {
			schemas = append(schemas, e.Schema.ID)
		}
	}
	var others []string
	for k, v := range resource {
		if _, isObject := v.(map[string]any); isObject && strings.Contains(k, ":") {
			if _, known := d.extension(k); !known {
				others = append(others, k)
			}
		}
	}
	slices.Sort(others)
	for _, o := range others {
		schemas = append(schemas, o)
	}
	return schemas
}

// missing reports required attributes without value. Those of an extension count when the extension is required
// or used.
func (c *canonicalizer) missing() {
	c.missingIn(c.d.core.Attributes, c.out, "")
	for _, e := range c.d.extensions {
		object, used := c.out[e.Schema.ID].(map[string]any)
		if used || e.Required {
			c.missingIn(e.Schema.Attributes, object, e.Schema.ID+":")
		}
	}
}

func (c *canonicalizer) missingIn(attributes []Attribute, object map[string]any, prefix string) {
	for i := range attributes {
		a := &attributes[i]
		v, ok := object[a.Name]
		if a.Required && (!ok || isEmpty(v)) && a.Mutability != ReadOnly {
			c.problem(prefix+a.Name, InvalidValue, prefix+a.Name+" is required")
			continue
		}
		if !ok {
			continue
		}
		for j := range a.SubAttributes {
			s := &a.SubAttributes[j]
			if !s.Required || s.Mutability == ReadOnly {
				continue
			}
			each(v, func(e any) bool {
				m, _ := e.(map[string]any)
				if isEmpty(m[s.Name]) {
					c.problem(prefix+a.Name+"."+s.Name, InvalidValue, prefix+a.Name+"."+s.Name+" is required")
				}
				return true
			})
		}
	}
}

// countPrimary counts the elements of a list that are marked primary.
func countPrimary(v any) int {
	n := 0
	if l, ok := v.([]any); ok {
		for _, e := range l {
			if isPrimary(e) {
				n++
			}
		}
	}
	return n
}

func isPrimary(element any) bool {
	m, ok := element.(map[string]any)
	if !ok {
		return false
	}
	_, p, _ := Lookup(m, "primary")
	yes, _ := p.(bool)
	return yes
}
