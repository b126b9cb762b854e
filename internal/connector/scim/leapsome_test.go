package scim

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

var leapsome = map[string]any{"dialect": "leapsome", "memberBatch": 2}

// TestLeapsomeReadsWhatAnUpdateMustCarry: the user name and both parts of the name go with every update.
func TestLeapsomeReadsWhatAnUpdateMustCarry(t *testing.T) {
	known := answer{status: 200, body: `{"id":"1","userName":"mira@example.net","name":{"givenName":"Mira","familyName":"Okafor"}}`}
	tests := []struct {
		name   string
		known  map[string]any
		change connector.Change
		calls  []string
		body   string
	}{
		{"nothing is known of the account", nil, set("title", nil, "Dispatcher"), []string{"GET /scim/v2/Users/1", "PATCH /scim/v2/Users/1"},
			`{"userName":"mira@example.net","title":"Dispatcher"}`},
		{"the user name is known", map[string]any{"userName": "m@example.net"}, set("title", nil, "Dispatcher"), []string{"PATCH /scim/v2/Users/1"},
			`{"userName":"m@example.net","title":"Dispatcher"}`},
		{"the user name changes", nil, set("userName", "m@example.net", "mo@example.net"), []string{"PATCH /scim/v2/Users/1"}, `{"userName":"mo@example.net"}`},
		{"the other part of the name is not known", map[string]any{"userName": "m@example.net"}, set("name.familyName", "Okafor", "Lind"),
			[]string{"GET /scim/v2/Users/1", "PATCH /scim/v2/Users/1"}, `{"userName":"mira@example.net","name":{"givenName":"Mira","familyName":"Lind"}}`},
		{"a private address is not kept there", nil, set(`emails[type eq "home"].value`, nil, "mira@home.example"), nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answers := []answer{known, {status: 204}}
			if len(tt.calls) == 1 {
				answers = answers[1:]
			}
			c, s, _ := scripted(t, leapsome, leapsomeUses(), answers...)
			if err := updating(t, identity.User, "1", tt.known, tt.change)(c); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.calls, s.calls); diff != "" {
				t.Error(diff)
			}
			if tt.body != "" && s.bodies[len(s.bodies)-1] != tt.body {
				t.Errorf("body %s, want %s", s.bodies[len(s.bodies)-1], tt.body)
			}
			if tt.known != nil && len(tt.calls) == 1 {
				if diff := cmp.Diff(c.Cost(connector.OpUpdate, identity.User, []connector.Change{tt.change}), []string{"PATCH"}); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// TestLeapsomeCreateWhoseSecondCallFails: the account is there, so the engine has to look for it.
func TestLeapsomeCreateWhoseSecondCallFails(t *testing.T) {
	attrs := []identity.Attr{{Name: "userName", Value: "mira@example.net"}, {Name: "active", Value: true}}
	for _, tt := range []struct {
		name   string
		second answer
		want   connector.Error
	}{
		{"it is refused", answer{status: 400, body: `{"detail":"no"}`},
			connector.Error{Kind: connector.KindTemporary, Code: connector.CodeUnprocessable, Status: 400, MaybeDone: true}},
		{"the token has just become invalid", answer{status: 403},
			connector.Error{Kind: connector.KindAuth, Code: connector.CodeUnauthorized, Status: 403, MaybeDone: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, s, _ := scripted(t, leapsome, leapsomeUses(), answer{status: 201, body: `{"id":"1"}`}, tt.second)
			err := creating(t, identity.User, attrs...)(c)
			e := connector.AsError(err)
			if err == nil || !strings.HasPrefix(e.Detail, "the account was made, and the rest of its values not written: ") {
				t.Fatalf("error %v", err)
			}
			e.Detail, e.Op, e.Hint = "", "", ""
			if diff := cmp.Diff(tt.want, *e); diff != "" || len(s.calls) != 2 {
				t.Errorf("%d calls, %s", len(s.calls), diff)
			}
		})
	}
}

// TestLeapsomeSaysWhatItsRefusalsMean: 403 is an invalid token there, and 401 a group that does not exist.
func TestLeapsomeSaysWhatItsRefusalsMean(t *testing.T) {
	none := answer{status: 200, body: noneFound}
	get := func(kind identity.Kind) func(c *Client) error {
		return func(c *Client) error { _, err := c.Get(t.Context(), kind, "1"); return err }
	}
	for _, tt := range []struct {
		name    string
		run     func(c *Client) error
		answers []answer
		kind    connector.Kind
		hint    string
		calls   int
	}{
		{"an invalid token", get(identity.User), []answer{{status: 403}}, connector.KindAuth, "Leapsome answers 403 to a token that is not valid", 1},
		{"a group that does not exist", get(identity.Group), []answer{{status: 401}, none}, connector.KindNotFound, "", 2},
		{"a credential that is refused everywhere", get(identity.Group), []answer{{status: 401}, {status: 401}}, connector.KindAuth, "credential", 2},
		{"a user", get(identity.User), []answer{{status: 401}}, connector.KindAuth, "credential", 1},
		{"an id that is somebody else's externalId", get(identity.User), []answer{{status: 200, body: `{"id":"2","externalId":"1"}`}}, connector.KindNotFound, "", 1},
		{"a group that is gone is deleted", func(c *Client) error { return c.Delete(t.Context(), identity.Group, "1") }, []answer{{status: 401}, none}, connector.KindUnknown, "", 2},
		{"a user cannot be deleted", func(c *Client) error { return c.Delete(t.Context(), identity.User, "1") }, []answer{none}, connector.KindUnsupported, "take delete from the actions", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, s, _ := scripted(t, leapsome, leapsomeUses(), tt.answers...)
			err := tt.run(c)
			if connector.KindOf(err) != tt.kind || (err == nil) != (tt.kind == connector.KindUnknown) || len(s.calls) != tt.calls {
				t.Fatalf("%d calls, error of kind %v: %v", len(s.calls), connector.KindOf(err), err)
			}
			if err != nil && !strings.Contains(connector.AsError(err).Hint, tt.hint) {
				t.Errorf("hint %q, want %q in it", connector.AsError(err).Hint, tt.hint)
			}
		})
	}
}

// TestLeapsomeMembers: the first call of a list replaces, the others add (scim.R41).
func TestLeapsomeMembers(t *testing.T) {
	crew := map[string]any{"displayName": "Crew"}
	body := func(replace string, members ...string) string {
		for i, m := range members {
			members[i] = `{"value":"77000` + m + `"}`
		}
		return `{"displayName":"Crew","members":[` + strings.Join(members, ",") + `],"replaceMembers":` + replace + `}`
	}
	ok, bad, full := answer{status: 200, body: `{"id":"g"}`}, answer{status: 400, body: `{"detail":"no such member"}`}, answer{status: 429, header: http.Header{"Retry-After": {"60"}}}
	for _, tt := range []struct {
		name    string
		op      connector.Op
		n       int
		answers []answer
		bodies  []string
		kind    connector.Kind // of the error; KindUnknown for none
		maybe   bool
	}{
		{"all who remain, in three calls", connector.Set, 5, []answer{ok}, []string{body("true", "0", "1"), body("false", "2", "3"), body("false", "4")}, 0, false},
		{"nobody remains", connector.Set, 0, []answer{ok}, []string{body("true")}, 0, false},
		{"who is added, in two calls", connector.Add, 3, []answer{ok}, []string{body("false", "0", "1"), body("false", "2")}, 0, false},
		{"one is refused, and the others are written", connector.Set, 3, []answer{bad, bad, ok},
			[]string{body("true", "0", "1"), body("true", "0"), body("true", "1"), body("false", "2")}, connector.KindInvalid, true},
		{"the first call is refused: nothing has happened", connector.Set, 1, []answer{bad}, []string{body("true", "0")}, connector.KindInvalid, false},
		{"a pause in the middle leaves the list in part", connector.Set, 3, []answer{ok, full}, nil, connector.KindRateLimited, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, s, _ := scripted(t, leapsome, leapsomeUses(), tt.answers...)
			err := updating(t, identity.Group, "g", crew, connector.Change{Attr: "members", Op: tt.op, New: people(tt.n)})(c)
			if (err == nil) != (tt.kind == 0) || connector.KindOf(err) != tt.kind || err != nil && connector.AsError(err).MaybeDone != tt.maybe {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(tt.bodies, s.bodies); tt.bodies != nil && diff != "" {
				t.Error(diff)
			}
			if cost := c.Cost(connector.OpUpdate, identity.Group, []connector.Change{{Attr: "members", Op: tt.op, New: make([]any, tt.n)}}); err == nil && len(cost) != len(s.calls) {
				t.Errorf("%d calls are forecast, %d were made", len(cost), len(s.calls))
			}
		})
	}
}

func TestLeapsomeRefusesWhatItCannotKeep(t *testing.T) {
	for want, use := range map[string]connector.Use{
		"Leapsome finds objects by userName alone":    {Kind: identity.User, Joining: []string{"externalId"}},
		"Leapsome finds objects by displayName alone": {Kind: identity.Group, Joining: []string{"externalId"}},
		"a reference with several values": {Kind: identity.User, Attributes: []schema.Attribute{
			{Name: enterprise + "additionalManagers", Type: schema.Reference, MultiValued: true}}},
	} {
		cfg, err := Decode(map[string]any{"url": base, "dialect": "leapsome"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = New(cfg, connector.Env{Uses: []connector.Use{use}}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}
