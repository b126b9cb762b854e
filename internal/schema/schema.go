// Package schema describes what objects of a system look like: object types and their attributes, as
// engine.R1-R3 and RFC 7643 section 2.2 define them. It holds facts only; nothing here reads or writes a system.
package schema

import (
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/identity"
)

// Type is the type of an attribute's values (engine.R2).
type Type string

// Attribute types. The zero value is String.
const (
	String    Type = ""
	Integer   Type = "Integer"
	Boolean   Type = "Boolean"
	DateTime  Type = "DateTime"
	Reference Type = "Reference"
	Binary    Type = "Binary"
)

// Attribute describes one attribute of an object type.
type Attribute struct {
	Name        string
	Type        Type
	MultiValued bool
	Required    bool // a create without a value is refused (engine.R62)
	ReadOnly    bool
	Unique      bool
	Filterable  bool   // can be a joining property (engine.R53)
	FoldCase    bool   // the system treats values that differ only in case as the same (caseExact false, engine.R3)
	Default     string // written on create when a required attribute has no value (engine.R62)
	References  identity.Kind
	Limit            // of texts
	Known       bool // set by Object.Attribute: the schema has the attribute
}

// Limit is what a system makes of the texts of an attribute, or does not take. The zero value limits nothing.
type Limit struct {
	MaxLength int    // characters; a longer text is cut before it is written. 0 means no limit
	Strip     string // characters that are taken out before a text is written
	Rewritten bool   // the system may show another text than was written, so the two are not compared
}

// Fit brings a text to the form in which the system takes it. Doing it twice does no more than doing it once.
func (l Limit) Fit(text string) string {
	if l.Strip != "" && strings.ContainsAny(text, l.Strip) {
		text = strings.Map(func(r rune) rune {
			if strings.ContainsRune(l.Strip, r) {
				return -1
			}
			return r
		}, text)
	}
	if l.MaxLength == 0 || len(text) <= l.MaxLength {
		return text
	}
	n := 0
	for i := range text {
		if n == l.MaxLength {
			return strings.TrimRight(text[:i], " ") // many systems drop a blank at the end, and it would look like a change
		}
		n++
	}
	return text
}

// Untyped tells whether nothing is known of the attribute's type.
func (a Attribute) Untyped() bool { return a.Type == String && !a.Known }

// Object describes one object type of a system.
type Object struct {
	Kind       identity.Kind
	Attributes []Attribute
	Limits     map[string]Limit `json:",omitempty"` // of attributes, whether they are listed or not; "" is that of all others
	Demands    []string         `json:",omitempty"` // names, whole or as far as a dot or bracket, that the system itself says a create needs
	Open       bool             // attributes beyond the list may exist, so an unknown name is a warning and not an error
	OwnPrefix  string           // names that start so are those of an organisation's own attributes, which no list can have; "" for none
}

// Own tells whether a name is one of an organisation's own attributes.
func (o *Object) Own(name string) bool {
	return o.OwnPrefix != "" && len(name) > len(o.OwnPrefix) && strings.HasPrefix(name, o.OwnPrefix)
}

// Attribute returns the attribute with this name.
func (o *Object) Attribute(name string) (Attribute, bool) {
	for _, a := range o.Attributes {
		if a.Name == name {
			a.Known, a.Limit = true, o.limit(name)
			return a, true
		}
	}
	return Attribute{}, false
}

// limit is that of the attribute with this name.
func (o *Object) limit(name string) Limit {
	if l, ok := o.Limits[name]; ok {
		return l
	}
	return o.Limits[""]
}

// Bare is what can be said of an attribute that is not listed.
func (o *Object) Bare(name string) Attribute { return Attribute{Name: name, Limit: o.limit(name)} }

// Schema is the list of object types of one system.
type Schema []Object

// Object returns the object type with this name.
func (s Schema) Object(kind identity.Kind) (*Object, bool) {
	for i := range s {
		if s[i].Kind == kind {
			return &s[i], true
		}
	}
	return nil, false
}

// With returns the schema with the attributes and demands of another one added. What is known already stays as it is
// (scim.R46); object types that are not known are left out.
func (s Schema) With(found Schema) Schema {
	if len(found) == 0 {
		return s
	}
	out := slices.Clone(s)
	for i := range out {
		more, ok := found.Object(out[i].Kind)
		if !ok {
			continue
		}
		o := &out[i]
		known := make(map[string]bool, len(o.Attributes))
		for _, a := range o.Attributes {
			known[strings.ToLower(a.Name)] = true
		}
		o.Attributes = slices.Clone(o.Attributes)
		for _, a := range more.Attributes {
			if !known[strings.ToLower(a.Name)] {
				o.Attributes = append(o.Attributes, a)
			}
		}
		o.Demands = append(slices.Clone(o.Demands), more.Demands...)
	}
	return out
}

// Meets tells whether a mapped attribute gives what a demand names: the attribute itself, or a part of it.
func Meets(mapped, demand string) bool {
	if len(mapped) < len(demand) || !strings.EqualFold(mapped[:len(demand)], demand) {
		return false
	}
	rest := mapped[len(demand):]
	return rest == "" || rest[0] == '.' || rest[0] == '['
}
