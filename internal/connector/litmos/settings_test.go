package litmos

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

func TestDecodeSaysEverythingThatIsWrong(t *testing.T) {
	auth := map[string]any{"header": map[string]any{"name": "apikey", "value": map[string]any{"env": "K"}}}
	tests := []struct {
		name     string
		settings map[string]any
		want     []string // in the error; nil for none
	}{
		{"all there", map[string]any{"url": "https://api.litmos.com/v1.svc", "source": "Example", "auth": auth}, nil},
		{"nothing there", nil, []string{"setting url: is missing", "setting source: is missing"}},
		{"a long source", map[string]any{"url": "https://api.litmos.com/v1.svc", "source": strings.Repeat("é", 51)}, []string{"setting source: has more than 50 characters"}},
		{"a source of 50 characters", map[string]any{"url": "https://api.litmos.com/v1.svc", "source": strings.Repeat("é", 50)}, nil},
		{"numbers and choices out of range", map[string]any{"url": "https://api.litmos.com/v1.svc", "source": "x", "pageSize": 1001, "memberBatch": 0, "format": "csv", "fullRead": "1m", "overlap": "2h", "customFields": "yes"},
			[]string{"setting pageSize", "setting memberBatch", "setting format", "setting fullRead", "setting overlap", "setting customFields"}},
		{"an unknown setting", map[string]any{"url": "https://api.litmos.com/v1.svc", "source": "x", "sauce": "y"}, []string{"setting sauce: there is no such setting of the connector litmos"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode(tt.settings)
			if tt.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
		})
	}
}

// TestTheTableTellsTheDefaults: the reference document is made of the table.
func TestTheTableTellsTheDefaults(t *testing.T) {
	c, err := Decode(map[string]any{"url": "https://api.litmos.com/v1.svc", "source": "x"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{"format": c.Format, "entities": c.Entities, "pageSize": c.PageSize, "memberBatch": c.MemberBatch, "readBeforeWrite": string(c.ReadBeforeWrite),
		"sendMessage": c.SendMessage, "skipFirstLogin": c.SkipFirstLogin, "removeFromTeamsOnDisable": c.RemoveFromTeamsOnDisable, "customFields": c.CustomFields,
		"overlap": c.Overlap, "fullRead": c.FullRead, "readMembers": c.ReadMembers}
	for _, s := range Settings() {
		v, ours := got[s.Name]
		if !ours {
			continue
		}
		text := asText(v)
		if d, ok := v.(time.Duration); ok {
			text = strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
		}
		if text != s.Default {
			t.Errorf("%s is %q without a setting, the table says %q", s.Name, text, s.Default)
		}
		delete(got, s.Name)
	}
	if len(got) > 0 {
		t.Errorf("not in the table: %v", got)
	}
}

func TestAttributesThatDoNotExistAreRefused(t *testing.T) {
	cfg := settings(t, "https://api.litmos.com/v1.svc", nil)
	off := settings(t, "https://api.litmos.com/v1.svc", map[string]any{"customFields": "off"})
	for _, tt := range []struct {
		cfg  Config
		kind identity.Kind
		attr string
		ok   bool
	}{
		{cfg, identity.User, "UserName", true}, {cfg, identity.User, "custom.Cost centre", true}, {cfg, identity.Group, "admins", true},
		{cfg, identity.User, "username", false}, {cfg, identity.User, "Id", false}, {cfg, identity.User, "LoginKey", false}, {cfg, identity.User, "custom.", false},
		{cfg, identity.Group, "custom.x", false}, {cfg, identity.User, "members", false}, {cfg, "Device", "Name", false}, {off, identity.User, "custom.Badge", false},
	} {
		_, err := New(tt.cfg, connector.Env{Uses: []connector.Use{{Kind: tt.kind, Attributes: []schema.Attribute{{Name: tt.attr}}}}}, nil)
		if (err == nil) != tt.ok {
			t.Errorf("%s %s: %v", tt.kind, tt.attr, err)
		}
	}
}

// TestTheTemplateKnowsWhatTheConnectorKnows: the gallery's catalogue is the schema of the connector, with notes.
func TestTheTemplateKnowsWhatTheConnectorKnows(t *testing.T) {
	tmpl, err := gallery.Get("litmos-api")
	if err != nil {
		t.Fatal(err)
	}
	strip := func(s schema.Schema) schema.Schema {
		out := slices.Clone(s)
		for i := range out {
			out[i].Attributes = slices.Clone(out[i].Attributes)
			for k := range out[i].Attributes {
				out[i].Attributes[k].Default = ""
			}
		}
		return out
	}
	if diff := cmp.Diff(strip(Schema()), strip(tmpl.Schema())); diff != "" {
		t.Errorf("-connector +template:\n%s", diff)
	}
}
