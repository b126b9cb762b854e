package scim

import (
	"strings"
)

// Path is an attribute path (RFC 7644 sections 3.5.2 and 3.10), with names as written.
//
//	userName                         Attribute
//	name.familyName                  Attribute, SubAttribute
//	emails[type eq "work"].value     Attribute, Filter, SubAttribute
//	urn:…:2.0:User:department        Schema, Attribute
//	urn:…:2.0:User                   Schema alone: the whole extension (vectors P-01)
type Path struct {
	Schema       string // schema URI before the attribute; empty if none
	Attribute    string // empty only when the path is a schema URI
	Filter       Filter // what stands in brackets; nil if none
	SubAttribute string // empty if none
}

// ParsePath reads an attribute path. The schema URI ends at the last colon before the attribute, except that the
// longest prefix among knownSchemas and the built-in schemas wins (scim.R23, vectors P-02). With a known schema
// a further colon separates attribute and sub-attribute: given "…:Litmos:2.0:User" as known,
// "…:Litmos:2.0:User:CustomField:CustomField1" is the sub-attribute CustomField1 of CustomField.
// The error is an *Error of type InvalidPath.
func ParsePath(text string, knownSchemas ...string) (Path, error) {
	p := parser{text: text, schemas: knownSchemas, onError: InvalidPath}
	path, err := p.path(true)
	if err == nil && p.pos < len(p.text) {
		err = p.fail("nothing may follow the path")
	}
	if err != nil {
		return Path{}, err
	}
	return path, nil
}

// String gives the path in the form ParsePath reads.
func (p Path) String() string {
	var b strings.Builder
	b.WriteString(p.Schema)
	if p.Schema != "" && p.Attribute != "" {
		b.WriteByte(':')
	}
	b.WriteString(p.Attribute)
	if p.Filter != nil {
		b.WriteByte('[')
		b.WriteString(p.Filter.String())
		b.WriteByte(']')
	}
	if p.SubAttribute != "" {
		b.WriteByte('.')
		b.WriteString(p.SubAttribute)
	}
	return b.String()
}

// IsZero reports whether the path names nothing.
func (p Path) IsZero() bool {
	return p.Schema == "" && p.Attribute == ""
}

// Values returns all values the path finds in the resource: the elements of lists one by one, null never.
// Types are those of the built-in definitions; for other schemas compile with Definition.Values.
// A filter that cannot be evaluated finds nothing.
func (p Path) Values(resource map[string]any) []any {
	return builtin().Values(p, resource)
}

// Values is Path.Values with the attribute types of d.
func (d *Definition) Values(p Path, resource map[string]any) []any {
	values := []any{}
	if p.Attribute == "" {
		if _, v, ok := Lookup(resource, p.Schema); ok && v != nil {
			values = append(values, v)
		}
		return values
	}
	t, err := d.orBuiltin().target(p, InvalidPath)
	if err != nil {
		return values
	}
	t.visit(resource, func(v any) bool {
		values = append(values, v)
		return true
	})
	return values
}

// splitSchema cuts the part of a path before its filter into schema URI and names. bare is set when the text is a
// known schema URI.
func splitSchema(text string, known []string) (schema, rest string, knownSchema, bare bool) {
	best := -1
	consider := func(k string) {
		if len(k) <= best || len(text) < len(k) || !strings.EqualFold(text[:len(k)], k) {
			return
		}
		if len(text) == len(k) || text[len(k)] == ':' {
			best = len(k)
		}
	}
	for _, k := range known {
		consider(k)
	}
	consider(UserURN)
	consider(GroupURN)
	consider(EnterpriseUserURN)
	switch {
	case best > 0 && best == len(text):
		return text, "", true, true
	case best > 0:
		return text[:best], text[best+1:], true, false
	}
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		return text[:i], text[i+1:], false, false
	}
	return "", text, false, false
}

// validName checks an attribute name: a letter, then letters, digits, "-", "_" or "$" (RFC 7643 section 2.1).
// "$ref" starts otherwise and is used by the RFC itself.
func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case c == '$':
		case i > 0 && ('0' <= c && c <= '9' || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return name != ""
}

// validSchema checks a schema URI as far as a path needs it: something like scheme:rest, without characters that
// would end it elsewhere.
func validSchema(uri string) bool {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || scheme == "" || rest == "" {
		return false
	}
	for i := 0; i < len(uri); i++ {
		if c := uri[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"[]()<>{}\^|`+"`", c) >= 0 {
			return false
		}
	}
	return true
}
