package gallery

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

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
	Tested  Tested `yaml:"tested"`

	TenantURLs   []TenantURL  `yaml:"tenantUrl"` // addresses to choose from; none where each customer has their own
	URLHelp      string       `yaml:"urlHelp"`   // where the administrator finds the address; "" where TenantURLs says it all
	Auth         Auth         `yaml:"auth"`
	Capabilities Capabilities `yaml:"capabilities"`
	Objects      []Object     `yaml:"objects"` // the catalogue of attributes
	Limits       []Limit      `yaml:"limits"`
	Notes        []string     `yaml:"notes"`  // what an administrator should know
	Quirks       []Quirk      `yaml:"quirks"` // settings of the template that are there because the application deviates

	app  yaml.Node
	data []byte
}

// Tested says what the template was tried on: three people and one group through their whole life in a sandbox that
// refuses what the application is known to refuse, with every exchange kept in testdata/wire. The zero value is a
// template that was not tested. No template says that it was tried on the application itself.
type Tested struct {
	Sandbox string // name of the sandbox
	Quirks  string // of the sandbox; "" for none
}

// Done tells whether the template was tested.
func (t Tested) Done() bool { return t.Sandbox != "" }

// Arguments are what `rollcall sandbox` takes to start the sandbox that the template was tested with.
func (t Tested) Arguments() []string {
	if t.Quirks == "" {
		return []string{t.Sandbox}
	}
	return []string{t.Sandbox, "--quirks", t.Quirks}
}

// UnmarshalYAML reads `tested: false` or `tested: {sandbox: scim, quirks: aws}`.
func (t *Tested) UnmarshalYAML(n *yaml.Node) error {
	*t = Tested{}
	if n.Kind == yaml.ScalarNode && n.Value == "false" {
		return nil
	}
	wrong := func(n *yaml.Node) error {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: tested is false, or {sandbox: NAME} or {sandbox: NAME, quirks: NAME}", n.Line)}}
	}
	if n.Kind != yaml.MappingNode {
		return wrong(n)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case value.Kind != yaml.ScalarNode || value.Value == "":
			return wrong(value)
		case key.Value == "sandbox":
			t.Sandbox = value.Value
		case key.Value == "quirks":
			t.Quirks = value.Value
		default:
			return wrong(key)
		}
	}
	if t.Sandbox == "" {
		return wrong(n)
	}
	return nil
}

// TenantURL is one address at which the application can be reached, for instance that of a data centre. A part in
// braces has to be replaced by the administrator.
type TenantURL struct {
	Name string `yaml:"name"`
	URL  string `yaml:"url"`
}

// Sample is Fill for the address.
func (u TenantURL) Sample() (address string, parts []string) { return Fill(u.URL) }

var (
	placeholder = regexp.MustCompile(`\{[a-zA-Z]+\}`)
	innerWord   = regexp.MustCompile(`([a-z])([A-Z])`)
)

// Fill writes every part in braces of an address in capitals and without the braces, {tenantId} as TENANT-ID, so that it
// is an address that can be parsed and that nobody has. It returns these parts too.
func Fill(address string) (filled string, parts []string) {
	filled = placeholder.ReplaceAllStringFunc(address, func(part string) string {
		part = strings.ToUpper(innerWord.ReplaceAllString(part[1:len(part)-1], "$1-$2"))
		if !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
		return part
	})
	return filled, parts
}

// Auth says which credential the application wants.
type Auth struct {
	Kinds            []string `yaml:"kinds"`            // of bearer, basic, header, oauth2; the usual one first
	Label            string   `yaml:"label"`            // what the application calls the credential
	Help             string   `yaml:"help"`             // where to get it
	Header           string   `yaml:"header"`           // name of the header, where a kind is header and the name is fixed
	Grant            string   `yaml:"grant"`            // of oauth2: clientCredentials or authorizationCode
	TokenURL         string   `yaml:"tokenURL"`         // of oauth2: where tokens are issued; parts in braces as in TenantURL
	AuthorizationURL string   `yaml:"authorizationURL"` // of oauth2 with authorizationCode: where the administrator gives consent
	Scopes           []string `yaml:"scopes"`           // of oauth2
	LifetimeDays     int      `yaml:"lifetimeDays"`     // after which it has to be renewed by hand; 0 where none is known
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

// Attribute is one attribute in the catalogue, named as a mapping's target names it. Most fields are those of
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
	MaxLength   int           `yaml:"maxLength"` // in characters, where it is documented; 0 where it is not
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

// Parse reads one template file. Unknown keys are errors, and all of them are told at once.
func Parse(data []byte) (*Template, error) {
	t, problems := parse("", data)
	if len(problems) > 0 {
		return nil, problems
	}
	return t, nil
}

// parse reads a template as far as it can be read. file is its name in problems.
func parse(file string, data []byte) (*Template, Problems) {
	var doc struct {
		Template `yaml:",inline"`
		App      yaml.Node `yaml:"app"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	problems := yamlProblems(file, dec.Decode(&doc))
	if err := dec.Decode(new(yaml.Node)); len(problems) == 0 && !errors.Is(err, io.EOF) {
		problems = Problems{{File: file, Line: 1, Message: "a template is one YAML document, this file has more"}}
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
	return t, problems
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
