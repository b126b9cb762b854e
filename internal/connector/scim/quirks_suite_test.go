package scim

import (
	"fmt"
	"io"
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
