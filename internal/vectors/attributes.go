package vectors

import (
	"maps"
	"slices"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/scim"
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

// Attr finds an attribute as expressions O-02 says: by its exact name, by a unique match without regard to case, or
// else by reading the name as a SCIM path into the attributes.
func (a *Attributes) Attr(name string) (any, bool) {
	o := identity.Object{}
	for n, v := range a.values {
		o.Attrs = append(o.Attrs, identity.Attr{Name: n, Value: v})
	}
	if v, ok := o.Attr(name); ok {
		return v, true
	}
	path, err := scim.ParsePath(name)
	if err != nil || path.SubAttribute == "" && path.Filter == nil && path.Schema == "" {
		return nil, false
	}
	switch found := path.Values(a.values); len(found) {
	case 0:
		return nil, false
	case 1:
		return found[0], true
	default:
		return found, true
	}
}
