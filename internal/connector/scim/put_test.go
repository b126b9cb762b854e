package scim

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sandbox"
)

// TestAPutOverwritesTheVersionThatWasRead: what somebody else has written between reading and writing is not lost
// (RFC 7644 section 3.14).
func TestAPutOverwritesTheVersionThatWasRead(t *testing.T) {
	user := func(version string) answer {
		return answer{status: 200, body: `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"7710ab","userName":"mira@example.net","title":"Clerk","meta":` + version + `}`}
	}
	first, second := user(`{"version":"W/\"1\""}`), user(`{"version":"W/\"2\""}`)
	outdated := answer{status: 412, body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"412","detail":"version W/\"1\" is not current"}`}
	tests := []struct {
		name     string
		settings map[string]any
		answers  []answer
		calls    []string // method and If-Match
		kind     connector.Kind
	}{
		{"the version is sent back", nil, []answer{first, first}, []string{"GET ", `PUT W/"1"`}, connector.KindUnknown},
		{"when somebody was faster the resource is read once more", nil, []answer{first, outdated, second, second}, []string{"GET ", `PUT W/"1"`, "GET ", `PUT W/"2"`}, connector.KindUnknown},
		{"and no more than once in one update", nil, []answer{first, outdated, second, outdated}, []string{"GET ", `PUT W/"1"`, "GET ", `PUT W/"2"`}, connector.KindTemporary},
		{"a server without versions is sent none", nil, []answer{user(`{}`), user(`{}`)}, []string{"GET ", "PUT "}, connector.KindUnknown},
		{"what is no entity tag is not sent back", nil, []answer{user(`{"version":"3"}`), first}, []string{"GET ", "PUT "}, connector.KindUnknown},
		{"nor is one that would end the header", nil, []answer{user(`{"version":"\"1\"\r\nX: y"}`), first}, []string{"GET ", "PUT "}, connector.KindUnknown},
		{"never", map[string]any{"etag": "never"}, []answer{first, first}, []string{"GET ", "PUT "}, connector.KindUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			settings := map[string]any{"updateMethod": "put"}
			for name, v := range tt.settings {
				settings[name] = v
			}
			c, s, _ := scripted(t, settings, nil, tt.answers...)
			_, err := c.Update(t.Context(), connector.Update{Kind: identity.User, Anchor: "7710ab", Changes: []connector.Change{{Attr: "title", Op: connector.Set, Old: "Clerk", New: "Dispatcher"}}})
			if (err != nil) != (tt.kind != connector.KindUnknown) || connector.KindOf(err) != tt.kind {
				t.Errorf("%v, want the kind %v", err, tt.kind)
			}
			var got []string
			for i, h := range s.headers {
				method, _, _ := strings.Cut(s.calls[i], " ")
				got = append(got, method+" "+h.Get("If-Match"))
			}
			if diff := cmp.Diff(tt.calls, got); diff != "" {
				t.Errorf("calls with their If-Match (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPutOverAServerThatInsistsOnVersions: the sandbox refuses every PUT that does not say which version it is for.
func TestPutOverAServerThatInsistsOnVersions(t *testing.T) {
	base := startSandbox(t, "scim", sandbox.Config{Quirks: []string{"etag"}})
	meter := &connector.Meter{}
	c := open(t, base, map[string]any{"updateMethod": "put"}, meter)
	made, err := c.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "userName", Value: "mira@example.net"}}})
	if err != nil {
		t.Fatal(err)
	}
	change := connector.Update{Kind: identity.User, Anchor: made.Anchor, Changes: []connector.Change{{Attr: "title", Op: connector.Set, New: "Dispatcher"}}}
	if _, err := c.Update(t.Context(), change); err != nil {
		t.Errorf("with its version: %v", err)
	}
	never := open(t, base, map[string]any{"updateMethod": "put", "etag": "never"}, meter)
	if _, err := never.Update(t.Context(), change); connector.AsError(err).Status != http.StatusPreconditionRequired {
		t.Errorf("without one: %v, want 428", err)
	}
}
