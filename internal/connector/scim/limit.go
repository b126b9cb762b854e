package scim

import (
	"slices"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// limit is what the target makes of the texts of an attribute, as the settings say (stripChars, maxLength, compareWith).
func (c Config) limit(name string) schema.Limit {
	return schema.Limit{MaxLength: c.MaxLength[name], Strip: c.StripChars, Rewritten: c.CompareWith == compareSent}
}

// Limited is what is known of the target with what the settings say of its texts. Mappings then give texts in the form in
// which they are sent, so that accounts are looked for and compared in that form, too.
func (c Config) Limited(s schema.Schema) schema.Schema {
	out := slices.Clone(s)
	for i := range out {
		o := &out[i]
		o.Limits = map[string]schema.Limit{"": c.limit("")}
		for name := range c.MaxLength {
			o.Limits[name] = c.limit(name)
		}
		o.Attributes = slices.Clone(o.Attributes)
		for k := range o.Attributes {
			a := &o.Attributes[k]
			if c.SingleMultiValue && a.Type != schema.Reference {
				a.MultiValued = false
			}
			if c.DisableByDelete && a.Name == "active" {
				a.Required = false
			}
		}
	}
	return out
}

// Lacks is what the target cannot do to users.
func (c Config) Lacks() connector.Lacks {
	var l connector.Lacks
	if c.DisableByDelete {
		l.Disable = "setting disableByDelete"
	}
	if c.DeleteMeansDisable {
		l.Delete = "setting deleteMeansDisable"
		if c.Dialect == Leapsome {
			l.Delete = "dialect leapsome"
		}
	}
	return l
}
