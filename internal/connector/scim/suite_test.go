package scim

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/conntest"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sandbox"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

const (
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"
	token      = "t0p-s3cret"
)

// userUse and groupUse are what a job with the usual mappings uses.
func userUse(more ...schema.Attribute) connector.Use {
	return connector.Use{Kind: identity.User, Joining: []string{"userName"}, Attributes: append([]schema.Attribute{
		{Name: "userName", Required: true, Unique: true, FoldCase: true},
		{Name: "active", Type: schema.Boolean},
		{Name: "displayName"}, {Name: "title"},
		{Name: "name.givenName"}, {Name: "name.familyName"},
		{Name: `emails[type eq "work"].value`},
		{Name: `phoneNumbers[type eq "mobile"].value`},
		{Name: `addresses[type eq "work"].locality`}, {Name: `addresses[type eq "work"].country`},
		{Name: enterprise + "employeeNumber"}, {Name: enterprise + "department"},
		{Name: enterprise + "manager", Type: schema.Reference, References: identity.User},
	}, more...)}
}

func groupUse() connector.Use {
	return connector.Use{Kind: identity.Group, Joining: []string{"displayName"}, Attributes: []schema.Attribute{
		{Name: "displayName", Required: true, Unique: true}, {Name: "externalId"},
		{Name: "members", Type: schema.Reference, MultiValued: true, References: identity.User},
	}}
}

// open makes a client with settings as an app file has them.
func open(t testing.TB, base string, settings map[string]any, meter *connector.Meter, uses ...connector.Use) *Client {
	t.Helper()
	t.Setenv("SCIM_TEST_TOKEN", token)
	all := map[string]any{"url": base, "auth": map[string]any{"bearer": map[string]any{"env": "SCIM_TEST_TOKEN"}}}
	for k, v := range settings {
		all[k] = v
	}
	cfg, err := Decode(all)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Policy = httpx.Policy{Waits: []time.Duration{0, 0, 0}}
	if len(uses) == 0 {
		uses = []connector.Use{userUse(), groupUse()}
	}
	c, err := New(cfg, connector.Env{Meter: meter, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Uses: uses}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// startSandbox starts an emulated target and returns its base address.
func startSandbox(t testing.TB, name string, cfg sandbox.Config) string {
	t.Helper()
	cfg.Token = token
	box, err := sandbox.New(name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box.Handler())
	t.Cleanup(server.Close)
	return server.URL + box.BasePath()
}

// subject is a SCIM server as the suite sees it.
func subject(c *Client, meter *connector.Meter, base string) conntest.Subject {
	return conntest.Subject{
		Target: c, Meter: meter, User: identity.User, Group: identity.Group,
		Key: "userName", FoldKey: true, Text: "displayName", FilterText: true, Other: "title", Flag: "active",
		Manager: enterprise + "manager", GroupKey: "displayName", Members: "members",
		MembersOf: func(ctx context.Context, group string) ([]string, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/Groups/"+url.PathEscape(group), nil)
			if err != nil {
				return nil, err
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return nil, err
			}
			defer func() { _ = resp.Body.Close() }()
			var g struct {
				Members []struct{ Value string }
			}
			if err := json.NewDecoder(resp.Body).Decode(&g); err != nil {
				return nil, fmt.Errorf("status %d: %w", resp.StatusCode, err)
			}
			var out []string
			for _, m := range g.Members {
				out = append(out, m.Value)
			}
			return out, nil
		},
	}
}

func TestClientIsATarget(t *testing.T) {
	for _, tt := range []struct {
		dialect Dialect
		strict  bool
	}{{RFC, true}, {RFC, false}, {Entra2020, false}, {Legacy, false}} {
		t.Run(fmt.Sprintf("%s, strict server %v", tt.dialect, tt.strict), func(t *testing.T) {
			conntest.RunTarget(t, func(t *testing.T) conntest.Subject {
				base := startSandbox(t, "scim", sandbox.Config{Strict: tt.strict})
				meter := &connector.Meter{}
				return subject(open(t, base, map[string]any{"dialect": string(tt.dialect), "pageSize": 10}, meter), meter, base)
			})
		})
	}
}

func TestClientIsATargetOverLitmos(t *testing.T) {
	conntest.RunTarget(t, func(t *testing.T) conntest.Subject {
		base := startSandbox(t, "litmos-scim", sandbox.Config{Rate: sandbox.NoRate})
		meter := &connector.Meter{}
		uses := []connector.Use{{Kind: identity.User, Joining: []string{"userName"}, Attributes: []schema.Attribute{
			{Name: "userName", Required: true}, {Name: "active", Type: schema.Boolean}, {Name: "title"},
			{Name: "name.givenName", Required: true}, {Name: "name.familyName", Required: true},
			{Name: `emails[type eq "work"].value`}, {Name: `addresses[type eq "work"].locality`},
			{Name: enterprise + "manager", Type: schema.Reference, References: identity.User},
			{Name: "urn:ietf:params:scim:schemas:extension:Litmos:2.0:User:CustomField:CustomField1"},
		}}, {Kind: identity.Group, Joining: []string{"displayName"}, Attributes: []schema.Attribute{
			{Name: "displayName", Required: true}, {Name: "members", Type: schema.Reference, MultiValued: true},
		}}}
		s := subject(open(t, base, map[string]any{"dialect": "legacy", "throttle503": true, "pageSize": 10}, meter, uses...), meter, base)
		s.Text, s.FilterText, s.Other = "title", false, "urn:ietf:params:scim:schemas:extension:Litmos:2.0:User:CustomField:CustomField1"
		s.Required = func(i int) identity.Attrs {
			return identity.Attrs{{Name: "active", Value: true}, {Name: "name.givenName", Value: "Mira"}, {Name: "name.familyName", Value: fmt.Sprint("Okafor ", i)}}
		}
		return s
	})
}

func TestClientIsATargetOverScimmy(t *testing.T) {
	server := testbed.Scimmy(t)
	conntest.RunTarget(t, func(t *testing.T) conntest.Subject {
		server.Reset()
		meter := &connector.Meter{}
		settings := map[string]any{"pageSize": 10, "auth": map[string]any{"bearer": map[string]any{"env": "SCIM_TEST_SCIMMY"}}}
		t.Setenv("SCIM_TEST_SCIMMY", server.Token)
		s := subject(open(t, server.BaseURL, settings, meter), meter, server.BaseURL)
		// The library does not read the JSON escapes of RFC 7644 section 3.4.2.2 in filters; it refuses them or finds
		// nothing, and never another person.
		s.Unfilterable = map[string]string{}
		for _, text := range []string{`O"Neil`, `back\slash`, `back\"both`, `x" or userName pr or userName eq "`, "tab\tinside", "line\nbreak"} {
			s.Unfilterable[text] = "escapes in filters are not read"
		}
		s.MembersOf = func(_ context.Context, group string) ([]string, error) {
			var out []string
			for _, g := range server.State().Groups {
				if g["id"] != group {
					continue
				}
				members, _ := g["members"].([]any)
				for _, m := range members {
					out = append(out, m.(map[string]any)["value"].(string))
				}
			}
			return out, nil
		}
		return s
	})
}
