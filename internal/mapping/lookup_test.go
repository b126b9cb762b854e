package mapping

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
)

// expr O-02
func TestLookup(t *testing.T) {
	o := &identity.Object{Attrs: identity.Attrs{
		{Name: "name", Value: map[string]any{"givenName": "Zoë"}},
		{Name: "a.b", Value: "dotted"},
		{Name: "manager", Value: map[string]any{"displayName": "Ada"}},
		{Name: "boss", Value: "E1"},
		{Name: "urn:example:1.0:User:JobCode", Value: "flat"},
		{Name: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", Value: map[string]any{"department": "Sales", "costCenter": "7"}},
		{Name: "emails", Value: []any{
			map[string]any{"type": "work", "value": "w@example.com"}, map[string]any{"type": "home", "value": "h@example.com"},
		}},
	}}
	for _, tc := range []struct {
		name, attribute string
		want            any // nil: not found
	}{
		{"a sub-attribute", "name.givenName", "Zoë"},
		{"without regard to case", "NAME.givenname", "Zoë"},
		{"the whole name comes first", "a.b", "dotted"},
		{"an element by a filter", `emails[type eq "home"].value`, "h@example.com"},
		{"several values", "emails.value", []any{"w@example.com", "h@example.com"}},
		{"an extension", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "Sales"},
		{"an attribute under a URN of its own", "urn:example:1.0:User:JobCode", "flat"},
		{"an attribute of an extension that the object carries itself", "manager.displayName", "Ada"},
		{"a reference is not followed", "boss.displayName", nil},
		{"a name that is no path", "no such thing.", nil},
		{"no attribute of that name", "nobody", nil},
		{"an extension that is not there", "urn:example:2.0:User:badge", nil},
		{"no element fits", `emails[type eq "other"].value`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, get := range []func(string) (any, bool){
				func(name string) (any, bool) { return Lookup(o.Attr, name) },
				View(o).Attr,
			} {
				got, ok := get(tc.attribute)
				if diff := cmp.Diff(tc.want, got); diff != "" || ok != (tc.want != nil) {
					t.Errorf("found %v (-want +got):\n%s", ok, diff)
				}
			}
		})
	}
}
