package appfile

import (
	"strings"
	"testing"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// TestInformed holds what a target says of itself to what it may do: add, and never make a file unusable (scim.R46).
func TestInformed(t *testing.T) {
	const text = `name: App
template: scim
source: {connector: directory}
target: {settings: {url: "https://app.example.com/scim", auth: {bearer: {env: T}}}}
rules:
  - name: users
    attributes:
      - {target: userName, expression: "[userPrincipalName]", match: 1}
      - {target: active, expression: "Not([IsSoftDeleted])"}
      - {target: badge, expression: "True"}
`
	f, err := Parse([]byte(text), "", testOptions())
	if err != nil {
		t.Fatal(err)
	}
	user := func(demands []string, attrs ...schema.Attribute) schema.Schema {
		return schema.Schema{{Kind: identity.User, Attributes: attrs, Demands: demands}}
	}
	tests := []struct {
		name  string
		found schema.Schema
		want  []string // in the warnings, each once; nothing else
		known bool     // the attribute badge is
	}{
		{"nothing was said", nil, []string{"badge is not in the catalogue"}, false},
		{"an attribute is known then", user(nil, schema.Attribute{Name: "badge"}), nil, true},
		{"the type of a known one stays", user(nil, schema.Attribute{Name: "badge"}, schema.Attribute{Name: "ACTIVE", Type: schema.Integer}), nil, true},
		{"a type that does not fit is a warning, and the file stays as it was", user(nil, schema.Attribute{Name: "badge", Type: schema.Reference}),
			[]string{"badge refers to another object"}, false},
		{"what it demands is a warning", user([]string{"emails", "userName"}, schema.Attribute{Name: "badge"}),
			[]string{"does not map emails, which the target says that it requires"}, true},
		{"a part of what it demands will do", user([]string{"name"}, schema.Attribute{Name: "badge"}), []string{"does not map name,"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := f.Informed(tt.found)
			if len(got.Warnings) != len(tt.want) {
				t.Errorf("warnings %v, want %q", got.Warnings, tt.want)
			}
			for i, w := range tt.want {
				if i < len(got.Warnings) && (!strings.Contains(got.Warnings[i].Message, w) || got.Warnings[i].Severity != Warning) {
					t.Errorf("%v, want a warning with %q", got.Warnings[i], w)
				}
			}
			o, _ := got.TargetSchema.Object(identity.User)
			if _, known := o.Attribute("badge"); known != tt.known {
				t.Errorf("badge is known: %v, want %v", known, tt.known)
			}
			if a, ok := o.Attribute("active"); !ok || a.Type != schema.Boolean {
				t.Errorf("active is %+v", a)
			}
			if got.Hash != f.Hash {
				t.Error("what a target says changes what the file means")
			}
		})
	}
}
