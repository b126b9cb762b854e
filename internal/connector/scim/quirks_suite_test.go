package scim

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/conntest"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sandbox"
	"github.com/rollcall-id/rollcall/internal/schema"
)

func leapsomeUses() []connector.Use {
	return []connector.Use{{Kind: identity.User, Joining: []string{"userName"}, Attributes: []schema.Attribute{
		{Name: "userName", Required: true, FoldCase: true}, {Name: "active", Type: schema.Boolean}, {Name: "displayName"}, {Name: "title"},
		{Name: "name.givenName"}, {Name: "name.familyName"}, {Name: workMail}, {Name: `emails[type eq "home"].value`},
		{Name: enterprise + "level"}, {Name: enterprise + "department"},
		{Name: enterprise + "manager", Type: schema.Reference, References: identity.User},
	}}, {Kind: identity.Group, Joining: []string{"displayName"}, Attributes: []schema.Attribute{
		{Name: "displayName", Required: true}, {Name: "externalId"}, {Name: "members", Type: schema.Reference, MultiValued: true},
	}}}
}

func TestClientIsATargetOverLeapsome(t *testing.T) {
	conntest.RunTarget(t, func(t *testing.T) conntest.Subject {
		base := startSandbox(t, "leapsome", sandbox.Config{Rate: sandbox.NoRate})
		meter := &connector.Meter{}
		s := subject(open(t, base, map[string]any{"dialect": "leapsome", "pageSize": 10, "memberBatch": 3}, meter, leapsomeUses()...), meter, base)
		s.FilterText, s.Other, s.NoDelete = false, enterprise+"level", true
		s.KeyValue = func(text string) string { return mailOf(text) }
		s.Required = func(int) identity.Attrs {
			return identity.Attrs{{Name: "active", Value: true}, {Name: "name.givenName", Value: "Mira"}, {Name: "name.familyName", Value: "Okafor"}}
		}
		return s
	})
}

// mailOf is an address made of any text.
func mailOf(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 'a' || r > 'z' {
			if 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
				b.WriteRune(r)
				continue
			}
			fmt.Fprintf(&b, "_%x_", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String() + "@example.net"
}

// TestClientIsATargetByPut: a server without PATCH gets whole resources (scim.R13).
func TestClientIsATargetByPut(t *testing.T) {
	for _, strict := range []bool{true, false} {
		t.Run(fmt.Sprint("strict server ", strict), func(t *testing.T) {
			conntest.RunTarget(t, func(t *testing.T) conntest.Subject {
				base := startBehind(t, sandbox.Config{Strict: strict}, func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.Method == http.MethodPatch {
							w.WriteHeader(http.StatusNotImplemented)
							return
						}
						next.ServeHTTP(w, r)
					})
				})
				meter := &connector.Meter{}
				return subject(open(t, base, map[string]any{"updateMethod": "put", "pageSize": 10}, meter), meter, base)
			})
		})
	}
}

func TestClientIsATargetThatOnlyDisables(t *testing.T) {
	conntest.RunTarget(t, func(t *testing.T) conntest.Subject {
		base := startBehind(t, sandbox.Config{}, deactivating)
		meter := &connector.Meter{}
		s := subject(open(t, base, map[string]any{"deleteMeansDisable": true, "pageSize": 10}, meter), meter, base)
		s.DeleteDisables = true
		return s
	})
}

// deactivating makes of the DELETE of a user a PATCH that turns active off, as some services do.
func deactivating(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodDelete || !strings.Contains(r.URL.Path, "/Users/") {
			next.ServeHTTP(w, r)
			return
		}
		body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}`
		off := r.Clone(r.Context())
		off.Method, off.ContentLength, off.Body = http.MethodPatch, int64(len(body)), io.NopCloser(strings.NewReader(body))
		off.Header.Set("Content-Type", "application/scim+json")
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, off)
		if answer.Code == http.StatusOK {
			answer.Code = http.StatusNoContent
		}
		w.WriteHeader(answer.Code)
	})
}

// startBehind starts the sandbox scim behind a handler that changes how it behaves.
func startBehind(t *testing.T, cfg sandbox.Config, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	cfg.Token = token
	box, err := sandbox.New("scim", cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(wrap(box.Handler()))
	t.Cleanup(server.Close)
	return server.URL + box.BasePath()
}

// TestCustomFieldsOfLitmosInBothNestings: how Litmos reads its custom fields is not documented (scim.R23), so both readings
// must come through create, update and read. The sandbox of Litmos knows the first one; a server that keeps what it is
// sent knows both.
func TestCustomFieldsOfLitmosInBothNestings(t *testing.T) {
	for _, tt := range []struct{ nesting, box string }{{"lastColon", "litmos-scim"}, {"lastColon", "scim"}, {"afterUser", "scim"}} {
		t.Run(tt.nesting+" over "+tt.box, func(t *testing.T) {
			base := startSandbox(t, tt.box, sandbox.Config{Rate: sandbox.NoRate})
			use := connector.Use{Kind: identity.User, Joining: []string{"userName"}, Attributes: []schema.Attribute{
				{Name: "userName"}, {Name: "active", Type: schema.Boolean}, {Name: "name.givenName"}, {Name: "name.familyName"}, {Name: litmosField}}}
			c := open(t, base, map[string]any{"dialect": "legacy", "extensionNesting": tt.nesting, "throttle503": true}, nil, use)
			made, err := c.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "userName", Value: "mira@example.net"},
				{Name: "active", Value: true}, {Name: "name.givenName", Value: "Mira"}, {Name: "name.familyName", Value: "Okafor"}, {Name: litmosField, Value: "Depot North"}}})
			if err != nil {
				t.Fatal(err)
			}
			want := "Depot North"
			for _, to := range []string{"Depot North", "Depot South", ""} {
				switch {
				case to == "":
					err = updating(t, identity.User, made.Anchor, nil, connector.Change{Attr: litmosField, Op: connector.Clear, Old: want})(c)
				case to != want:
					err = updating(t, identity.User, made.Anchor, nil, set(litmosField, want, to))(c)
				}
				if err != nil {
					t.Fatal(err)
				}
				want = to
				o, err := c.Get(t.Context(), identity.User, made.Anchor)
				if err != nil {
					t.Fatal(err)
				}
				if got := o.Text(litmosField); got != want {
					t.Errorf("the field is %q, want %q", got, want)
				}
			}
		})
	}
}

// TestTheIDIsNeverSent: it is the server's own, whatever a mapping says (scim.R30); the credential stands in its header
// (scim.R67).
func TestTheIDIsNeverSent(t *testing.T) {
	c, s, _ := scripted(t, nil, []connector.Use{userUse(schema.Attribute{Name: "id"})}, answer{status: 201, body: `{"id":"1"}`})
	if err := creating(t, identity.User, identity.Attr{Name: "id", Value: "42"}, identity.Attr{Name: "userName", Value: "mira"})(c); err != nil {
		t.Fatal(err)
	}
	if want := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"mira"}`; s.bodies[0] != want {
		t.Errorf("body %s, want %s", s.bodies[0], want)
	}
	if got := s.headers[0].Get("Authorization"); got != "Bearer "+token {
		t.Errorf("the header Authorization is %q", got)
	}
	if got := s.headers[0].Get("User-Agent"); got == "" {
		t.Error("there is no header User-Agent")
	}
}

// TestMembersThatAreShownAreIgnored with one warning, unless the server was not asked to leave them out (scim.R38).
func TestMembersThatAreShownAreIgnored(t *testing.T) {
	for _, tt := range []struct {
		settings map[string]any
		warnings int
	}{{nil, 1}, {map[string]any{"noAttributesParam": true}, 0}} {
		var log strings.Builder
		cfg, err := Decode(map[string]any{"url": "https://lms.example.net/scim", "noAttributesParam": tt.settings["noAttributesParam"]})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Transport = &script{answers: []answer{{status: 200, body: `{"id":"g","displayName":"Crew","members":[{"value":"1"}]}`}}}
		c, err := New(cfg, connector.Env{Uses: []connector.Use{groupUse()}, Logger: slog.New(slog.NewTextHandler(&log, nil))}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			o, err := c.Get(t.Context(), identity.Group, "g")
			if err != nil {
				t.Fatal(err)
			}
			if _, shown := o.Get("members"); shown {
				t.Error("the members are read")
			}
		}
		if got := strings.Count(log.String(), "shows members although they were excluded"); got != tt.warnings {
			t.Errorf("%v: %d warnings, want %d: %s", tt.settings, got, tt.warnings, log.String())
		}
	}
}
