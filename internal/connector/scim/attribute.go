package scim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// kind is one resource type as the job uses it.
type kind struct {
	name     identity.Kind
	endpoint string // /Users
	core     string // URN of the core schema
	attrs    []*attribute
	byName   map[string]*attribute
	joining  []*attribute
}

// attribute is one attribute that the job uses, with its path taken apart.
type attribute struct {
	name      string // as mappings write it
	path      scim.Path
	text      string // the path as requests write it
	def       schema.Attribute
	boolean   bool
	number    bool
	exact     bool // letter case counts
	reference bool
	members   bool // a reference with several values: written in batches, never read
	single    bool // the target takes one value where others take several
	place     place
}

func newKind(use connector.Use, cfg Config) (*kind, error) {
	k := &kind{name: use.Kind, endpoint: usualEndpoint(use.Kind), byName: map[string]*attribute{}}
	switch use.Kind {
	case identity.User:
		k.core = scim.UserURN
	case identity.Group:
		k.core = scim.GroupURN
	default:
		return nil, fmt.Errorf("object type %q: a SCIM target has User and Group", use.Kind)
	}
	for _, def := range use.Attributes {
		a, err := newAttribute(def, cfg)
		if err != nil {
			return nil, fmt.Errorf("attribute %s of %s: %w", def.Name, use.Kind, err)
		}
		k.attrs = append(k.attrs, a)
		k.byName[def.Name] = a
	}
	if err := k.check(cfg); err != nil {
		return nil, err
	}
	for _, name := range use.Joining {
		a, err := k.attribute(name, cfg)
		if err != nil {
			return nil, err
		}
		k.joining = append(k.joining, a)
	}
	if cfg.Dialect == Leapsome {
		if err := k.checkLeapsome(); err != nil {
			return nil, err
		}
	}
	if len(k.joining) == 0 {
		name := "userName" // scim.R9
		if use.Kind == identity.Group {
			name = "displayName"
		}
		a, err := k.attribute(name, cfg)
		if err != nil {
			return nil, err
		}
		k.joining = append(k.joining, a)
	}
	return k, nil
}

// check refuses mappings to a second element of an attribute where the target takes one (singleMultiValue).
func (k *kind) check(cfg Config) error {
	if !cfg.SingleMultiValue {
		return nil
	}
	first := map[string]*attribute{}
	for _, a := range k.attrs {
		whole := defined(scim.Path{Schema: a.path.Schema, Attribute: a.path.Attribute})
		if a.reference || whole == nil || !whole.MultiValued {
			continue
		}
		name := strings.ToLower(a.path.Attribute)
		if other := first[name]; other != nil && other.element() != a.element() {
			return fmt.Errorf("attributes %s and %s of %s: the target takes one element of %s (setting singleMultiValue): map one of the two", other.name, a.name, k.name, whole.Name)
		}
		first[name] = a
	}
	return nil
}

// usualEndpoint is where RFC 7644 section 3.2 has the resources of a kind.
func usualEndpoint(kind identity.Kind) string {
	if kind == identity.Group {
		return "/Groups"
	}
	return "/Users"
}

// attribute returns an attribute in use, or one made for a name that is not.
func (k *kind) attribute(name string, cfg Config) (*attribute, error) {
	if a := k.byName[name]; a != nil {
		return a, nil
	}
	a, err := newAttribute(schema.Attribute{Name: name}, cfg)
	if err != nil {
		return nil, fmt.Errorf("attribute %s of %s: %w", name, k.name, err)
	}
	return a, nil
}

func newAttribute(def schema.Attribute, cfg Config) (*attribute, error) {
	path, err := parsePath(def.Name, cfg)
	if err != nil {
		return nil, err
	}
	def.Limit = cfg.limit(def.Name)
	a := &attribute{name: def.Name, path: path, text: def.Name, def: def, reference: def.Type == schema.Reference}
	a.members = a.reference && def.MultiValued
	a.single = cfg.SingleMultiValue && !a.reference
	known := defined(path)
	a.boolean = def.Type == schema.Boolean || strings.EqualFold(def.Name, "active")
	a.number = def.Type == schema.Integer
	if known != nil {
		a.boolean = a.boolean || def.Type == schema.String && known.Type == scim.Boolean
		a.exact = known.CaseExact
	}
	if cfg.Dialect == RFC {
		a.path.Filter = typedFilter(path)
	}
	if (cfg.Dialect == RFC || cfg.ExtensionNesting == nestAfterUser) && cfg.ExtensionSeparator != separatorDot {
		a.text = a.path.String() // a dot before the sub-attribute, where the name may have a further colon
	}
	a.place = placeOf(a.path)
	return a, nil
}

// parsePath takes the name of an attribute apart as the settings have it (scim.R23).
func parsePath(name string, cfg Config) (scim.Path, error) {
	if urn, attr, ok := cutAtDot(name); ok && cfg.ExtensionSeparator == separatorDot {
		return scim.ParsePath(urn+":"+attr, urn)
	}
	return scim.ParsePath(name, knownSchema(name, cfg.ExtensionNesting)...)
}

// cutAtDot finds the end of a schema as SCIM 1.1 writes it, urn:…:1.0.department: what follows its last colon is a version.
func cutAtDot(name string) (urn, attr string, ok bool) {
	colon, dot := strings.LastIndexByte(name, ':'), strings.LastIndexByte(name, '.')
	if colon < 0 || dot < colon+2 || name[colon+1] < '0' || name[colon+1] > '9' {
		return "", "", false
	}
	return name[:dot], name[dot+1:], true
}

// CheckAttribute tells what is wrong with the name of an attribute in a mapping.
func (c Config) CheckAttribute(name string) error {
	_, err := parsePath(name, c)
	return err
}

// defined is what RFC 7643 says of an attribute, nil when it says nothing.
func defined(p scim.Path) *scim.Attribute {
	var rfc *scim.Definition // nil is how package scim names the definitions of the RFC
	return rfc.Find(p)
}

// knownSchema is where the schema ends in the name of an extension attribute that has further colons (scim.R23).
func knownSchema(name, nesting string) []string {
	const extension = "urn:ietf:params:scim:schemas:extension:"
	if nesting != nestAfterUser || len(name) < len(extension) || !strings.EqualFold(name[:len(extension)], extension) {
		return nil
	}
	for _, resource := range []string{":User:", ":Group:"} {
		if i := strings.Index(name[len(extension):], resource); i >= 0 {
			return []string{name[:len(extension)+i+len(resource)-1]}
		}
	}
	return nil
}

// typedFilter writes Boolean texts in a filter as Booleans: primary eq "True" is how the reference service spells
// what RFC 7644 section 3.4.2.2 spells primary eq true.
func typedFilter(p scim.Path) scim.Filter {
	switch f := p.Filter.(type) {
	case *scim.Compare:
		text, ok := f.Value.(string)
		sub := defined(scim.Path{Schema: p.Schema, Attribute: p.Attribute, SubAttribute: f.Path.Attribute})
		if b, err := strconv.ParseBool(strings.ToLower(text)); ok && err == nil && sub != nil && sub.Type == scim.Boolean {
			return &scim.Compare{Path: f.Path, Operator: f.Operator, Value: b}
		}
	case *scim.Logical:
		left, right := p, p
		left.Filter, right.Filter = f.Left, f.Right
		return &scim.Logical{Or: f.Or, Left: typedFilter(left), Right: typedFilter(right)}
	}
	return p.Filter
}

// element names the element that a value path leads to; attributes of one element share it.
func (a *attribute) element() string {
	p := a.path
	p.SubAttribute = ""
	return p.String()
}

// wire is a value as a POST carries it, and as an update of the dialects rfc and entra2020 does.
func (a *attribute) wire(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		if a.single && len(v) > 1 {
			return nil, fmt.Errorf("%s has %d values, and the target takes one (setting singleMultiValue)", a.name, len(v))
		}
		out := make([]any, 0, len(v))
		for _, e := range v {
			w, err := a.wire(e)
			if err != nil {
				return nil, err
			}
			out = append(out, w)
		}
		return out, nil
	case identity.Ref:
		if a.path.SubAttribute != "" {
			return v.Anchor, nil
		}
		return map[string]any{"value": v.Anchor}, nil
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
	case string:
		return a.typed(v)
	case bool:
		if !a.boolean && a.def.Type == schema.String && defined(a.path) != nil {
			return textOfBool(v), nil
		}
	}
	return v, nil
}

// typed turns a text into the type of the attribute (scim.R27).
func (a *attribute) typed(text string) (any, error) {
	text = a.def.Fit(text)
	trimmed := strings.TrimSpace(text)
	switch {
	case a.boolean:
		switch strings.ToLower(trimmed) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%s is true or false, and the mapping gave another text", a.name)
	case a.number:
		n, err := strconv.ParseInt(trimmed, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is a whole number, and the mapping gave another text", a.name)
		}
		return n, nil
	}
	return text, nil
}

func textOfBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}
