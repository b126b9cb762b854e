package litmos

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sandbox"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// TestExamine: what `rollcall probe` says of a site (U11).
func TestExamine(t *testing.T) {
	mapping := func(custom ...string) []connector.Use {
		var more []schema.Attribute
		for _, name := range custom {
			more = append(more, schema.Attribute{Name: name})
		}
		return []connector.Use{userUse(more...), groupUse()}
	}
	connected := connector.Finding{Topic: "connection", State: connector.Works, Found: "the key is accepted"}
	users := func(n string) connector.Finding {
		return connector.Finding{Topic: "list users", State: connector.Works, Found: n + " in the first page of 10"}
	}
	teams := connector.Finding{Topic: "list teams", State: connector.Works, Found: "0 in the first page of 10"}
	badge := connector.Finding{Topic: "custom fields", State: connector.Works, Found: "custom.Badge, custom.Depot"}
	found := schema.Schema{{Kind: identity.User, Attributes: []schema.Attribute{{Name: "custom.Badge"}, {Name: "custom.Depot"}}}}
	tests := []struct {
		name     string
		settings map[string]any
		uses     []connector.Use
		empty    bool
		fields   []string
		want     []connector.Finding
		schema   schema.Schema
		usable   bool
	}{
		{"a site without a user tells no custom fields", nil, mapping(), true, []string{"Badge"}, []connector.Finding{connected, users("0"), teams,
			{Topic: "custom fields", State: connector.Unknown, Found: "the site has no user yet, from whom they could be read"}}, nil, true},
		{"custom fields are those of any user", nil, mapping("custom.Badge"), false, []string{"Badge", "Depot"}, []connector.Finding{connected, users("1"), teams, badge}, found, true},
		{"a field that a rule maps and the site lacks", nil, mapping("custom.Bagde"), false, []string{"Badge", "Depot"}, []connector.Finding{connected, users("1"), teams,
			{Topic: "custom fields", State: connector.Fails, Found: "custom.Badge, custom.Depot", Meaning: "the site has no custom.Bagde, which the rules map",
				Cure: "correct the name in the mapping, or make the field in Litmos"}}, found, false},
		{"a site without any", nil, mapping(), false, nil, []connector.Finding{connected, users("1"), teams, {Topic: "custom fields", State: connector.Works, Found: "the site has none"}}, nil, true},
		{"they are not asked for when they are switched off", map[string]any{"customFields": "off"}, mapping(), false, []string{"Badge"}, []connector.Finding{connected, users("1"), teams,
			{Topic: "custom fields", State: connector.Works, Found: "switched off by customFields"}}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := startSite(t, sandbox.Config{CustomFields: tt.fields})
			if !tt.empty {
				c := open(t, site, nil, &connector.Meter{})
				if _, err := c.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "UserName", Value: "mira@example.net"},
					{Name: "FirstName", Value: "Mira"}, {Name: "LastName", Value: "Okafor"}}}); err != nil {
					t.Fatal(err)
				}
			}
			got := open(t, site, tt.settings, &connector.Meter{}, tt.uses...).Examine(t.Context())
			if diff := cmp.Diff(tt.want, got.Findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			var known schema.Schema
			if got.Discovery != nil {
				known = got.Discovery.Schema
			}
			if diff := cmp.Diff(tt.schema, known); diff != "" {
				t.Errorf("attributes found (-want +got):\n%s", diff)
			}
			if got.Usable() != tt.usable || got.Credential != "header" || got.Address == "" {
				t.Errorf("usable %v, credential %q, address %q", got.Usable(), got.Credential, got.Address)
			}
		})
	}
}
