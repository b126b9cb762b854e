package mapping

import (
	"strings"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// Lookup finds what an expression or filter means by the name of an attribute (expressions O-02): the attribute that get
// finds by the whole name, else the values that the name leads to as a SCIM path into the object, such as
// emails[type eq "work"].value. A reference is never followed: manager.displayName has a value only if the object's own
// manager carries it.
func Lookup(get func(name string) (any, bool), name string) (any, bool) {
	if v, ok := get(name); ok {
		return v, true
	}
	if !strings.ContainsAny(name, ".[:") {
		return nil, false
	}
	path, err := scim.ParsePath(name)
	if err != nil || path.SubAttribute == "" && path.Filter == nil && path.Schema == "" {
		return nil, false
	}
	// Of the object only what the path can lead through.
	part := map[string]any{}
	for _, key := range []string{path.Schema, path.Attribute, scim.EnterpriseUserURN} {
		if v, ok := get(key); ok && key != "" {
			part[key] = v
		}
	}
	if len(part) == 0 {
		return nil, false
	}
	found := path.Values(part)
	if len(found) == 0 && path.Schema == "" { // an attribute of an extension, which stands in the object itself
		path.Schema = scim.UserURN
		found = path.Values(part)
	}
	switch len(found) {
	case 0:
		return nil, false
	case 1:
		return found[0], true
	default:
		return found, true
	}
}
