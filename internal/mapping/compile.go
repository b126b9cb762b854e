package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Attributes that every source object has without its source delivering them (design 6.2).
const (
	IsSoftDeleted      = "IsSoftDeleted"      // true when the account should not be usable (engine.R77)
	ObjectID           = "objectId"           // the source anchor
	AccountEnabled     = "accountEnabled"     // false when the object is disabled in the source
	AppRoleAssignments = "appRoleAssignments" // roles granted by assignment (engine.R73)
)

// computed tells whether an attribute is made by this package when the source does not deliver it. Only
// accountEnabled may be delivered too.
func computed(name string) bool {
	for _, c := range []string{IsSoftDeleted, ObjectID, AccountEnabled, AppRoleAssignments} {
		if strings.EqualFold(c, name) {
			return true
		}
	}
	return false
}

// Mapping is one compiled attribute mapping.
type Mapping struct {
	Attribute
	Def  schema.Attribute // of the target attribute; only the name is set when the target's schema does not know it
	prog *expr.Program    // nil for kind None
	from string           // attribute of a direct reference mapping
	uses []string         // source attributes that it names

	NamesSoftDeleted bool // its value is where a disable shows (engine.R79)
	Redacted         bool // the log shows [Redact] (engine.R71)
	Unique           bool // its value is chosen by asking the target which are taken: SelectUniqueValue
}

// IsReference tells whether the mapping writes references.
func (m *Mapping) IsReference() bool { return m.Reference != "" }

// Uses tells whether the mapping names a source attribute.
func (m *Mapping) Uses(name string) bool {
	return slices.ContainsFunc(m.uses, func(n string) bool { return strings.EqualFold(n, name) })
}

// Set is the compiled attribute mappings of one rule, in the order of the rule.
type Set struct {
	Mappings []Mapping
	matching []int // indexes of joining mappings by priority
	sources  []string
}

// Compile compiles the mappings of a rule. The error joins what is wrong with each mapping.
func Compile(attrs []Attribute, target *schema.Object) (*Set, error) {
	s := &Set{Mappings: make([]Mapping, len(attrs))}
	var errs []error
	for i, a := range attrs {
		m := &s.Mappings[i]
		m.Attribute = a
		m.Redacted = a.Sensitive
		m.Def = schema.Attribute{Name: a.Target}
		if target != nil {
			m.Def = target.Bare(a.Target)
			if def, ok := target.Attribute(a.Target); ok {
				m.Def = def
			}
		}
		text := a.Expression
		if a.Reference != "" {
			text = a.Reference
			if m.Def.Untyped() { // the member list is the one reference of RFC 7643 with several values (section 4.2)
				m.Def.MultiValued = a.Target == "members"
			}
			m.Def.Type = schema.Reference
		}
		if text == "" {
			continue
		}
		prog, err := expr.Compile(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", a.Target, err))
			continue
		}
		m.prog, m.uses = prog, prog.Attributes()
		if m.Unique = prog.Calls(selectUnique); m.Unique && (a.Reference != "" || a.Match > 0 || a.Apply != OnCreate) {
			errs = append(errs, fmt.Errorf("%s: SelectUniqueValue is for a value that is written once, on create, and by which no account is looked for: set apply: create, without match", a.Target))
		}
		m.Redacted = m.Redacted || prog.Calls("Redact")
		if a.Apply == "" && prog.Calls("AppRoleAssignmentsComplex") && !prog.Calls("AssertiveAppRoleAssignmentsComplex") {
			m.Apply = MultiValueAddOnly // engine.R73: roles that were taken away stay in the target
		}
		for _, name := range prog.Attributes() {
			if strings.EqualFold(name, IsSoftDeleted) {
				m.NamesSoftDeleted = true
			}
			if (!computed(name) || strings.EqualFold(name, AccountEnabled)) && !slices.Contains(s.sources, name) {
				s.sources = append(s.sources, name)
			}
		}
		if names := prog.Attributes(); a.Reference != "" && len(names) == 1 && !computed(names[0]) && strings.TrimSpace(a.Reference) == "["+names[0]+"]" {
			m.from = names[0]
		}
	}
	for i := range s.Mappings {
		if s.Mappings[i].Match > 0 {
			s.matching = append(s.matching, i)
		}
	}
	slices.SortStableFunc(s.matching, func(a, b int) int { return s.Mappings[a].Match - s.Mappings[b].Match })
	return s, errors.Join(errs...)
}

// Sources returns the source attributes that the mappings use, in order of first use, without the computed ones.
// accountEnabled is among them when a mapping names it, since some sources deliver it.
func (s *Set) Sources() []string { return s.sources }

// Matching returns the joining mappings by priority.
func (s *Set) Matching() []*Mapping {
	out := make([]*Mapping, len(s.matching))
	for i, k := range s.matching {
		out[i] = &s.Mappings[k]
	}
	return out
}

// Unique returns the mappings whose values are chosen among candidates (SelectUniqueValue), in the order of the rule.
func (s *Set) Unique() []*Mapping {
	var out []*Mapping
	for i := range s.Mappings {
		if s.Mappings[i].Unique {
			out = append(out, &s.Mappings[i])
		}
	}
	return out
}

// CanDisable tells whether some mapping shows IsSoftDeleted; without one a disable changes nothing (engine.R80).
func (s *Set) CanDisable() bool {
	return slices.ContainsFunc(s.Mappings, func(m Mapping) bool { return m.NamesSoftDeleted })
}

// Uses returns the definitions of the target attributes, in order.
func (s *Set) Uses() []schema.Attribute {
	out := make([]schema.Attribute, 0, len(s.Mappings))
	for i := range s.Mappings {
		out = append(out, s.Mappings[i].Def)
	}
	return out
}

// direct reads the raw references of a direct reference mapping, else nil and false.
func (m *Mapping) direct(o *identity.Object) (any, bool) {
	if m.from == "" {
		return nil, false
	}
	v, _ := o.Attrs.Find(m.from)
	return v, true
}
