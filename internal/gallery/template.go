package gallery

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Template is one application of the gallery. It is read-only; all who ask for it share it.
type Template struct {
	ID      string `yaml:"id"`      // as `template:` in an app file names it
	Title   string `yaml:"title"`   // the application's name
	Vendor  string `yaml:"vendor"`  // who makes it
	Summary string `yaml:"summary"` // one sentence: what an administrator gets
	Tested  bool   `yaml:"tested"`  // whether the template was tried against the real application

	TenantURLs   []TenantURL  `yaml:"tenantUrl"` // addresses to choose from; none where each customer has their own
	Auth         Auth         `yaml:"auth"`
	Capabilities Capabilities `yaml:"capabilities"`
	Objects      []Object     `yaml:"objects"` // the catalogue of attributes
	Limits       []Limit      `yaml:"limits"`
	Notes        []string     `yaml:"notes"`  // what an administrator should know
	Quirks       []Quirk      `yaml:"quirks"` // settings of the template that are there because the application deviates

	app  yaml.Node
	data []byte
}

// TenantURL is one address at which the application can be reached, for instance that of a data centre. A part in
// braces has to be replaced by the administrator.
type TenantURL struct {
	Name string `yaml:"name"`
	URL  string `yaml:"url"`
}

// Auth says which credential the application wants.
type Auth struct {
	Kinds        []string `yaml:"kinds"`        // of bearer, basic, header, oauth2; the usual one first
	Label        string   `yaml:"label"`        // what the application calls the credential
	Help         string   `yaml:"help"`         // where to get it
	LifetimeDays int      `yaml:"lifetimeDays"` // after which it has to be renewed; 0 where none is known
}

// Capabilities lists what the application's interface can do with each kind of object.
type Capabilities struct {
	Users  []Capability `yaml:"users"`
	Groups []Capability `yaml:"groups"`
}

// Capability is one thing an interface can do.
type Capability string

// The capabilities.
const (
	CanImport  Capability = "import" // accounts can be listed
	CanCreate  Capability = "create"
	CanRead    Capability = "read"
	CanUpdate  Capability = "update"
	CanDisable Capability = "disable"
	CanDelete  Capability = "delete"
	CanMembers Capability = "members" // memberships can be written; groups only
)

// Object is one object type of the application with its attributes.
type Object struct {
	Name       identity.Kind `yaml:"name"`
	Open       bool          `yaml:"open"`      // attributes beyond the list may exist
	OwnPrefix  string        `yaml:"ownPrefix"` // names that start so are those of an organisation's own attributes; "" for none
	Attributes []Attribute   `yaml:"attributes"`
}

// Attribute is one attribute in the catalogue, named as a mapping's target names it. The fields are those of
// schema.Attribute.
type Attribute struct {
	Name        string        `yaml:"name"`
	Type        schema.Type   `yaml:"type"`
	MultiValued bool          `yaml:"multiValued"`
	Required    bool          `yaml:"required"`
	ReadOnly    bool          `yaml:"readOnly"`
	Unique      bool          `yaml:"unique"`
	Filterable  bool          `yaml:"filterable"`
	FoldCase    bool          `yaml:"foldCase"`
	Default     string        `yaml:"default"`
	References  identity.Kind `yaml:"references"`
	Note        string        `yaml:"note"`
}

// Limit is a bound that the application sets.
type Limit struct {
	Topic string `yaml:"topic"`
	Text  string `yaml:"text"`
}

// Quirk explains a setting of the template's target.
type Quirk struct {
	Setting string `yaml:"setting"`
	Why     string `yaml:"why"`
}

// Parse reads one template file. Unknown keys are errors.
func Parse(data []byte) (*Template, error) {
	var doc struct {
		Template `yaml:",inline"`
		App      yaml.Node `yaml:"app"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("a template is one YAML document, this file has more")
	}
	t := &doc.Template
	for _, o := range t.Objects {
		for i := range o.Attributes {
			if o.Attributes[i].Type == "String" {
				o.Attributes[i].Type = schema.String // which is the zero value
			}
		}
	}
	t.app, t.data = doc.App, data
	return t, nil
}

// App returns the partial app file of the template: a mapping with the keys of design 6.2 that an administrator's app
// file is merged over. The caller must not change it.
func (t *Template) App() *yaml.Node { return &t.app }

// Data returns the bytes of the template file. Whoever keeps a digest of what a job means digests them too.
func (t *Template) Data() []byte { return slices.Clone(t.data) }

// Schema returns the catalogue as a schema, which jobs of this template are checked against and planned with.
func (t *Template) Schema() schema.Schema {
	out := make(schema.Schema, 0, len(t.Objects))
	for _, o := range t.Objects {
		object := schema.Object{Kind: o.Name, Open: o.Open, OwnPrefix: o.OwnPrefix, Attributes: make([]schema.Attribute, 0, len(o.Attributes))}
		for _, a := range o.Attributes {
			object.Attributes = append(object.Attributes, schema.Attribute{
				Name:        a.Name,
				Type:        a.Type,
				MultiValued: a.MultiValued,
				Required:    a.Required,
				ReadOnly:    a.ReadOnly,
				Unique:      a.Unique,
				Filterable:  a.Filterable,
				FoldCase:    a.FoldCase,
				Default:     a.Default,
				References:  a.References,
			})
		}
		out = append(out, object)
	}
	return out
}
