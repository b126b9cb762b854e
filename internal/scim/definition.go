package scim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// DataType is the type of an attribute (RFC 7643 section 2.3).
type DataType string

// The data types of RFC 7643 section 2.3.
const (
	String    DataType = "string"
	Boolean   DataType = "boolean"
	Decimal   DataType = "decimal"
	Integer   DataType = "integer"
	DateTime  DataType = "dateTime"
	Binary    DataType = "binary"
	Reference DataType = "reference"
	Complex   DataType = "complex"
)

// Values of Attribute.Mutability, Returned and Uniqueness (RFC 7643 section 7).
const (
	ReadOnly  = "readOnly"
	ReadWrite = "readWrite"
	Immutable = "immutable"
	WriteOnly = "writeOnly"

	ReturnedAlways  = "always"
	ReturnedNever   = "never"
	ReturnedDefault = "default"
	ReturnedRequest = "request"

	UniqueNone   = "none"
	UniqueServer = "server"
	UniqueGlobal = "global"
)

// Attribute defines an attribute or sub-attribute (RFC 7643 section 7). Empty texts mean the defaults of the RFC:
// string, readWrite, default, none.
type Attribute struct {
	Name            string      `json:"name"`
	Type            DataType    `json:"type"`
	MultiValued     bool        `json:"multiValued"`
	Description     string      `json:"description,omitempty"`
	Required        bool        `json:"required"`
	CaseExact       bool        `json:"caseExact"`
	CanonicalValues []string    `json:"canonicalValues,omitempty"`
	Mutability      string      `json:"mutability"`
	Returned        string      `json:"returned"`
	Uniqueness      string      `json:"uniqueness"`
	ReferenceTypes  []string    `json:"referenceTypes,omitempty"`
	SubAttributes   []Attribute `json:"subAttributes,omitempty"`
}

// MarshalJSON writes the attribute as /Schemas shows it, with the RFC's defaults filled in.
func (a Attribute) MarshalJSON() ([]byte, error) {
	type plain Attribute
	p := plain(a)
	p.Type = DataType(orDefault(string(p.Type), string(String)))
	p.Mutability = orDefault(p.Mutability, ReadWrite)
	p.Returned = orDefault(p.Returned, ReturnedDefault)
	p.Uniqueness = orDefault(p.Uniqueness, UniqueNone)
	return json.Marshal(p)
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Sub finds a sub-attribute by name, nil if there is none.
func (a *Attribute) Sub(name string) *Attribute {
	for i := range a.SubAttributes {
		if strings.EqualFold(a.SubAttributes[i].Name, name) {
			return &a.SubAttributes[i]
		}
	}
	return nil
}

// byValue reports whether elements of the attribute are the same when their "value" is: it names another
// resource and cannot be changed, as in members.
func (a *Attribute) byValue() bool {
	v := a.Sub("value")
	return a.MultiValued && v != nil && v.Mutability == Immutable
}

// Schema is a set of attributes under a URI (RFC 7643 section 7). It reads and writes the JSON of /Schemas.
type Schema struct {
	ID          string      `json:"id"`
	Name        string      `json:"name,omitempty"`
	Description string      `json:"description,omitempty"`
	Attributes  []Attribute `json:"attributes"`
	// Location is the address of the schema as its meta shows it (RFC 7643 section 3.1). Empty: an address relative to
	// the base URL. It is not read.
	Location string `json:"-"`
}

// MarshalJSON writes the schema as a resource of /Schemas.
func (s Schema) MarshalJSON() ([]byte, error) {
	type plain Schema
	return json.Marshal(struct {
		Schemas []string `json:"schemas"`
		plain
		Meta map[string]string `json:"meta"`
	}{[]string{SchemaURN}, plain(s), map[string]string{"resourceType": "Schema", "location": orDefault(s.Location, "Schemas/"+s.ID)}})
}

// Extension is a schema that extends a resource type (RFC 7643 section 6).
type Extension struct {
	Schema   Schema
	Required bool
}

// Definition describes a resource type: what its resources may hold. It is made by NewDefinition and is not
// changed afterwards, so it may be used from several goroutines.
type Definition struct {
	name        string
	endpoint    string
	description string
	core        Schema
	extensions  []Extension
	strict      bool
	anyCore     bool // every core URN addresses this definition; only in the built-in union
	index       map[string]map[string]*Attribute
}

// NewDefinition makes a resource type of a core schema and its extensions. The common attributes of RFC 7643
// section 3.1 (schemas, id, externalId, meta) are added where core does not define them itself. Endpoint is the
// path below the base URL, such as /Users. The definition is not strict.
func NewDefinition(name, endpoint string, core Schema, extensions ...Extension) *Definition {
	d := &Definition{name: name, endpoint: endpoint, description: core.Description, core: core, extensions: extensions}
	d.buildIndex()
	return d
}

func (d *Definition) buildIndex() {
	d.index = make(map[string]map[string]*Attribute, 1+len(d.extensions))
	coreIndex := map[string]*Attribute{}
	common := commonAttributes()
	addAttributes(coreIndex, common)
	addAttributes(coreIndex, d.core.Attributes)
	d.index[""] = coreIndex
	for i := range d.extensions {
		m := map[string]*Attribute{}
		addAttributes(m, d.extensions[i].Schema.Attributes)
		d.index[d.extensions[i].Schema.ID] = m
	}
}

// addAttributes enters each attribute as spelt and in lower case: the first saves folding the common spelling.
func addAttributes(m map[string]*Attribute, attributes []Attribute) {
	for i := range attributes {
		a := &attributes[i]
		m[a.Name] = a
		m[FoldKey(a.Name)] = a
	}
}

// AsStrict gives the same definition reading as the RFCs are written: attributes outside the schemas, texts for
// Booleans, keys that are paths, value lists in remove operations and extension attributes without their URN are
// refused.
func (d *Definition) AsStrict() *Definition {
	c := *d.orBuiltin()
	c.strict = true
	return &c
}

// With gives the definition with one more extension.
func (d *Definition) With(e Extension) *Definition {
	c := *d.orBuiltin()
	c.extensions = append(slices.Clone(c.extensions), e)
	c.buildIndex()
	return &c
}

// Name is the resource type, such as User.
func (d *Definition) Name() string { return d.name }

// Endpoint is the path below the base URL, such as /Users.
func (d *Definition) Endpoint() string { return d.endpoint }

// Strict reports whether only what the RFCs allow is taken.
func (d *Definition) Strict() bool { return d.strict }

// Core is the schema whose attributes stand in the resource itself. Callers do not change it.
func (d *Definition) Core() Schema { return d.core }

// Extensions lists the schemas that extend the core one. Callers do not change them.
func (d *Definition) Extensions() []Extension { return d.extensions }

// SchemaURIs lists the core schema and the extensions, for ParsePath.
func (d *Definition) SchemaURIs() []string {
	d = d.orBuiltin()
	uris := make([]string, 0, 1+len(d.extensions))
	uris = append(uris, d.core.ID)
	for _, e := range d.extensions {
		uris = append(uris, e.Schema.ID)
	}
	return uris
}

// Find gives the definition of what a path names: the sub-attribute if the path has one, else the attribute.
// Nil if the definition does not know it. An attribute without schema is looked for in the core schema, and,
// unless the definition is strict, in the extensions.
func (d *Definition) Find(p Path) *Attribute {
	t, err := d.orBuiltin().locate(p, InvalidPath)
	switch {
	case err != nil:
		return nil
	case p.SubAttribute != "":
		return t.subAttr
	}
	return t.attr
}

// ResourceType is an entry of /ResourceTypes (RFC 7643 section 6).
type ResourceType struct {
	Schemas          []string            `json:"schemas"`
	ID               string              `json:"id"`
	Name             string              `json:"name"`
	Endpoint         string              `json:"endpoint"`
	Description      string              `json:"description,omitempty"`
	Schema           string              `json:"schema"`
	SchemaExtensions []ResourceExtension `json:"schemaExtensions,omitempty"`
	Meta             map[string]string   `json:"meta,omitempty"`
}

// ResourceExtension names an extension of a resource type.
type ResourceExtension struct {
	Schema   string `json:"schema"`
	Required bool   `json:"required"`
}

// ResourceType gives the entry of /ResourceTypes.
func (d *Definition) ResourceType() ResourceType {
	rt := ResourceType{Schemas: []string{ResourceTypeURN}, ID: d.name, Name: d.name, Endpoint: d.endpoint,
		Description: d.description, Schema: d.core.ID,
		Meta: map[string]string{"resourceType": "ResourceType", "location": "ResourceTypes/" + d.name}}
	for _, e := range d.extensions {
		rt.SchemaExtensions = append(rt.SchemaExtensions, ResourceExtension{e.Schema.ID, e.Required})
	}
	return rt
}

// attribute finds an attribute below a container: "" for the resource itself, else a schema URI as defined.
func (d *Definition) attribute(container, name string) *Attribute {
	m := d.index[container]
	if a, ok := m[name]; ok {
		return a
	}
	return m[FoldKey(name)]
}

// extension finds an extension by its URI without regard to case and gives the URI as defined.
func (d *Definition) extension(uri string) (string, bool) {
	for i := range d.extensions {
		if strings.EqualFold(d.extensions[i].Schema.ID, uri) {
			return d.extensions[i].Schema.ID, true
		}
	}
	return "", false
}

// locate finds where a path leads, without its filter. What a definition that is not strict does not know is
// located all the same, with nil attributes.
func (d *Definition) locate(p Path, onError ErrorType) (target, error) {
	t := target{name: p.Attribute, sub: p.SubAttribute}
	switch ext, known := d.extension(p.Schema); {
	case known:
		t.urn = ext
		t.attr = d.attribute(ext, p.Attribute)
	case p.Schema == "" || strings.EqualFold(p.Schema, d.core.ID) || IsCoreURN(p.Schema) && d.anyCore:
		t.attr = d.attribute("", p.Attribute)
		for i := 0; p.Schema == "" && t.attr == nil && !d.strict && i < len(d.extensions); i++ {
			if t.attr = d.attribute(d.extensions[i].Schema.ID, p.Attribute); t.attr != nil {
				t.urn = d.extensions[i].Schema.ID
			}
		}
	case d.strict:
		return target{}, badRequest(onError, "%s: %s has no schema %s; known are %s", p, d.name, p.Schema,
			strings.Join(d.SchemaURIs(), ", "))
	case !IsCoreURN(p.Schema):
		t.urn = p.Schema
	}
	if t.attr == nil {
		if d.strict {
			return target{}, badRequest(onError, "%s: %s has no attribute %s", p, d.name, p.Attribute)
		}
		t.subAttr = usualSub(p.SubAttribute)
		return t, nil
	}
	t.name = t.attr.Name
	if p.SubAttribute == "" {
		return t, nil
	}
	if t.subAttr = t.attr.Sub(p.SubAttribute); t.subAttr != nil {
		t.sub = t.subAttr.Name
	} else if d.strict && !(t.attr.MultiValued && strings.EqualFold(p.SubAttribute, "value")) {
		return target{}, badRequest(onError, "%s: %s has no sub-attribute %s", p, t.attr.Name, p.SubAttribute)
	}
	return t, nil
}

// orBuiltin lets a nil definition mean the built-in ones.
func (d *Definition) orBuiltin() *Definition {
	if d == nil {
		return builtin()
	}
	return d
}

// builtin is the union of User, its enterprise extension and Group. Their attributes do not contradict each other.
var builtin = sync.OnceValue(func() *Definition {
	user, group := UserDefinition(), GroupDefinition()
	core := user.core
	core.Attributes = slices.Clone(core.Attributes)
	for _, a := range group.core.Attributes {
		if user.attribute("", a.Name) == nil {
			core.Attributes = append(core.Attributes, a)
		}
	}
	for i := range core.Attributes {
		core.Attributes[i].Required = false // a User has no members, a Group no userName
	}
	d := NewDefinition("User or Group", "", core, user.extensions...)
	d.anyCore = true
	return d
})

// String names the resource type, for messages.
func (d *Definition) String() string {
	return fmt.Sprintf("%s (%s)", d.name, d.core.ID)
}
