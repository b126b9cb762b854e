package identity

import "strings"

// Kind is an object type under the name its connector gives it, for instance "User" or "Group".
type Kind string

// The kinds every SCIM target and the built-in directory know (RFC 7643 sections 4.1 and 4.2).
const (
	User  Kind = "User"
	Group Kind = "Group"
)

// Ref points from one object to another of the same system by kind and anchor (engine.R2, type Reference).
// In an expression it behaves as the text of its anchor.
type Ref struct {
	Kind   Kind
	Anchor string
}

// Attr is one attribute of an object under the name its system gives it.
type Attr struct {
	Name  string
	Value any // see package documentation of value.go; nil means absent
}

// Attrs is an ordered list of attributes. Objects have some twenty of them, which a scan finds faster than a map does.
type Attrs []Attr

// Get returns the value of the attribute with exactly this name, and whether it is there with a value that is not nil.
func (a Attrs) Get(name string) (any, bool) {
	for i := range a {
		if a[i].Name == name {
			return a[i].Value, a[i].Value != nil
		}
	}
	return nil, false
}

// Find returns the value of the attribute with this name, else of the only one whose name differs in letter case alone
// (expressions O-02), and whether there is one with a value that is not nil.
func (a Attrs) Find(name string) (any, bool) {
	if v, ok := a.Get(name); ok {
		return v, true
	}
	found := -1
	for i := range a {
		if strings.EqualFold(a[i].Name, name) {
			if found >= 0 {
				return nil, false
			}
			found = i
		}
	}
	if found < 0 {
		return nil, false
	}
	return a[found].Value, a[found].Value != nil
}

// Set replaces the value of an attribute, or adds the attribute at the end.
func (a *Attrs) Set(name string, value any) {
	for i := range *a {
		if (*a)[i].Name == name {
			(*a)[i].Value = value
			return
		}
	}
	*a = append(*a, Attr{Name: name, Value: value})
}

// Role is an application role that an assignment grants (Graph: appRole).
type Role struct {
	ID          string
	Value       string
	DisplayName string
}

// Assignment says whether an object is assigned to the application of the job, directly or as a direct member of an
// assigned group (engine.R29), and with which roles.
type Assignment struct {
	Assigned bool
	Roles    []Role
}

// Object is one record of a source or a target.
type Object struct {
	Kind   Kind
	Anchor string // immutable and unique within its kind (engine.R1); empty only before a target has created it
	Attrs  Attrs

	Disabled    bool        // present in the source but not active (engine.R77 d)
	SoftDeleted bool        // in the source's recycle bin (engine.R77 c)
	Assignment  *Assignment // nil where the source knows no assignments (engine.R33)
}

// Get is Attrs.Get.
func (o *Object) Get(name string) (any, bool) { return o.Attrs.Get(name) }

// Attr is Attrs.Find with references as text. It makes an Object usable where package expr or scope asks for attributes.
func (o *Object) Attr(name string) (any, bool) {
	v, ok := o.Attrs.Find(name)
	return Plain(v), ok
}

// Text returns an attribute as text, "" when it is absent or no text.
func (o *Object) Text(name string) string {
	v, _ := o.Attrs.Get(name)
	switch v := v.(type) {
	case string:
		return v
	case Ref:
		return v.Anchor
	}
	return ""
}
