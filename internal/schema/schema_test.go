package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
)

var system = Schema{
	{Kind: identity.User, Attributes: []Attribute{{Name: "userName", Required: true}, {Name: "active", Type: Boolean}}},
	{Kind: identity.Group, Open: true},
}

func TestSchemaKnowsItsObjectTypes(t *testing.T) {
	got, ok := system.Object(identity.Group)
	if !ok || got != &system[1] {
		t.Errorf("Object(Group) = %v, %t", got, ok)
	}
	for _, kind := range []identity.Kind{"Device", "user", ""} { // names of object types are exact
		if got, ok := system.Object(kind); ok || got != nil {
			t.Errorf("Object(%q) = %v, %t", kind, got, ok)
		}
	}
}

func TestAttributesAreFoundByTheirExactName(t *testing.T) {
	users := &system[0]
	tests := []struct {
		name, ask string
		want      Attribute
		ok        bool
	}{
		{"an attribute is known when the schema has it", "userName", Attribute{Name: "userName", Required: true, Known: true}, true},
		{"with its type, engine.R2", "active", Attribute{Name: "active", Type: Boolean, Known: true}, true},
		{"another case is another attribute, engine.R69", "username", Attribute{}, false},
		{"an unknown name", "title", Attribute{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := users.Attribute(tt.ask)
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
				t.Errorf("Attribute(%q): ok %t (-want +got):\n%s", tt.ask, ok, diff)
			}
		})
	}
	if users.Attributes[0].Known {
		t.Error("asking changed the schema")
	}
}

func TestOwnAttributesAreKnownByTheirPrefix(t *testing.T) {
	o := Object{Kind: identity.User, OwnPrefix: "extension_"}
	for name, want := range map[string]bool{"extension_badge": true, "extension_": false, "badge": false, "Extension_badge": false} {
		if got := o.Own(name); got != want {
			t.Errorf("Own(%q) = %t, want %t", name, got, want)
		}
	}
	if (&Object{}).Own("x") {
		t.Error("an attribute is taken for an own one where there are none")
	}
}

func TestUntyped(t *testing.T) {
	tests := []struct {
		name string
		in   Attribute
		want bool
	}{
		{"of a name alone nothing is known", Attribute{Name: "x"}, true},
		{"text that the schema has is text", Attribute{Name: "x", Known: true}, false},
		{"a type is a type, known or not", Attribute{Name: "x", Type: Reference}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.Untyped(); got != tt.want {
				t.Errorf("Untyped() = %t, want %t", got, tt.want)
			}
		})
	}
}
