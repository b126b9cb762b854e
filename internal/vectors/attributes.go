package vectors

import (
	"maps"
	"slices"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
)

// Attributes is a source object that is given by hand, for expressions and filters.
type Attributes struct {
	values map[string]any
}

// NewAttributes makes an object without attributes.
func NewAttributes() *Attributes { return &Attributes{values: map[string]any{}} }

// Set gives an attribute a value.
func (a *Attributes) Set(name string, value any) { a.values[name] = value }

// Names are the names of all attributes, sorted.
func (a *Attributes) Names() []string { return slices.Sorted(maps.Keys(a.values)) }

// Attr finds an attribute as a mapping does.
func (a *Attributes) Attr(name string) (any, bool) {
	o := identity.Object{}
	for n, v := range a.values {
		o.Attrs = append(o.Attrs, identity.Attr{Name: n, Value: v})
	}
	return mapping.Lookup(o.Attr, name)
}
