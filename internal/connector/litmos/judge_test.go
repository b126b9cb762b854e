package litmos

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// secretURL is a sign-in address as a full answer has it.
const secretURL = "https://example.litmos.com/login.aspx?loginkey=2f6c0e52-1d11-4a6e-9c4e-8a53a54c0d55"

func create(c *Client, t *testing.T) error {
	_, err := c.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{
		{Name: "UserName", Value: "mira@example.net"}, {Name: "FirstName", Value: strings.Repeat("M", 60)}, {Name: "LastName", Value: "Okafor"},
		{Name: "ManagerId", Value: identity.Ref{Kind: identity.User, Anchor: "boss"}}}})
	return err
}

func disable(c *Client, t *testing.T) error {
	_, err := c.Update(t.Context(), connector.Update{Kind: identity.User, Anchor: "rnjx2WaQOEY1", Changes: []connector.Change{
		{Attr: "Active", Op: connector.Set, Old: true, New: false}, {Attr: "ManagerId", Op: connector.Set, New: identity.Ref{Kind: identity.User, Anchor: "boss"}}}})
	return err
}

func remove(c *Client, t *testing.T) error {
	return c.Delete(t.Context(), identity.User, "rnjx2WaQOEY1")
}

func probe(c *Client, t *testing.T) error { _, err := c.Probe(t.Context()); return err }

func find(c *Client, t *testing.T) error {
	_, err := c.Find(t.Context(), identity.User, "UserName", "mira.okafor@example.net", 2)
	return err
}

const there = `{"Id":"rnjx2WaQOEY1","UserName":"mira@example.net","Active":true}`

// TestFailuresAreClassified is section 7 of the facts: what each refusal means, and what an administrator is told.
func TestFailuresAreClassified(t *testing.T) {
	ok := reply{status: 200, body: there}
	tests := []struct {
		name    string
		run     func(*Client, *testing.T) error
		replies []reply
		kind    connector.Kind
		code    string
		maybe   bool
		words   string // in the message
	}{
		{"401 on the probe is a wrong key or an API that is off", probe, []reply{{status: 401}}, connector.KindAuth, connector.CodeUnauthorized, false, "does not accept the key, or the API is not switched on"},
		{"403 on the probe is a key without rights or a missing source", probe, []reply{{status: 403, reason: "Forbidden"}}, connector.KindAuth, connector.CodeInsufficientRights, false, "knows the key, but its user may not do this, or the setting source"},
		{"404 on the probe is a wrong address", probe, []reply{{status: 404}}, connector.KindIncompatible, connector.CodeServiceIncompatible, false, "ends in /v1.svc"},
		{"a web page is a wrong address", probe, []reply{{status: 200, body: "<!DOCTYPE html><p>Sign in", header: http.Header{"Content-Type": {"text/html"}}}}, connector.KindIncompatible, connector.CodeServiceIncompatible, false, "not that of the site"},
		{"an object where a list should be is no Litmos", probe, []reply{{status: 200, body: `{"hello":"world"}`}}, connector.KindIncompatible, connector.CodeServiceIncompatible, false, "no list of Users"},
		{"403 anywhere ends the job", create, []reply{{status: 403}}, connector.KindAuth, connector.CodeInsufficientRights, false, "Account Owner"},
		{"a taken user name", create, []reply{{status: 409, body: `{"Detail":"UserName already exists"}`}}, connector.KindConflict, connector.CodeConflict, false, "UserName already exists"},
		{"a taken user name told by the reason phrase alone", create, []reply{{status: 409, reason: "UserName already exists"}}, connector.KindConflict, connector.CodeConflict, false, "UserName already exists"},
		{"a taken user name told in XML", create, []reply{{status: 409, body: `<Error><Detail>UserName already exists</Detail></Error>`}}, connector.KindConflict, connector.CodeConflict, false, "UserName already exists"},
		{"409 for a value that nobody has is no conflict", create, []reply{{status: 409, reason: "Culture invalid"}}, connector.KindInvalid, connector.CodeUnprocessable, false, "Culture invalid"},
		{"409 for a short name is no conflict, and a long value is named", create, []reply{{status: 409, body: `{"Detail":"UserName is too short"}`}}, connector.KindInvalid, connector.CodeUnprocessable, false, "FirstName has 60 characters, documented are at most 50"},
		{"400", create, []reply{{status: 400, reason: "PhoneMobile must have the form"}}, connector.KindInvalid, connector.CodeUnprocessable, false, "PhoneMobile"},
		{"400 for what is missing", create, []reply{{status: 400, body: `{"Detail":"LastName is required"}`}}, connector.KindInvalid, connector.CodeMissingValues, false, "LastName is required"},
		{"404 on a create is a manager who is gone", create, []reply{{status: 404}}, connector.KindInvalid, connector.CodeUnprocessable, false, "such as the manager"},
		{"404 on the read of an update is a gone account", disable, []reply{{status: 404}}, connector.KindNotFound, connector.CodeInvalidAnchor, false, ""},
		{"404 on the write of an update is the manager", disable, []reply{ok, {status: 404}}, connector.KindInvalid, connector.CodeUnprocessable, false, "manager's account is not in Litmos"},
		{"406 is a fault of ours", func(c *Client, t *testing.T) error { _, err := c.List(t.Context(), identity.User, ""); return err }, []reply{{status: 406}}, connector.KindIncompatible, connector.CodeServiceIncompatible, false, "a fault of ours"},
		{"503 is the rate (R2)", create, []reply{{status: 503}}, connector.KindRateLimited, connector.CodeTooManyRequests, false, "fewer calls"},
		{"429 is the rate too", find, []reply{{status: 429}}, connector.KindRateLimited, connector.CodeTooManyRequests, false, "fewer calls"},
		{"504 on a create leaves open whether it was made (R6)", create, []reply{{status: 504}}, connector.KindTemporary, connector.CodeTimeout, true, ""},
		{"500 on a create too", create, []reply{{status: 500}}, connector.KindTemporary, connector.CodeServerError, true, ""},
		{"a create without an answer too", create, []reply{{err: io.ErrUnexpectedEOF}}, connector.KindTemporary, connector.CodeProtocol, true, ""},
		{"a create whose answer nobody understands too", create, []reply{{status: 201, body: "thanks"}, {status: 200, body: "[]"}}, connector.KindIncompatible, connector.CodeServiceIncompatible, true, "did not tell its id"},
		{"an answer about somebody else is not believed", disable, []reply{{status: 200, body: `{"Id":"other"}`}}, connector.KindIncompatible, connector.CodeServiceIncompatible, false, "answered with"},
		{"an answer about somebody who has the id for a name is not the account", disable, []reply{{status: 200, body: `{"Id":"other","UserName":"rnjx2waqoey1"}`}}, connector.KindNotFound, connector.CodeInvalidAnchor, false, ""},
		{"403 on a delete of what is there", remove, []reply{{status: 403}, ok}, connector.KindAuth, connector.CodeInsufficientRights, false, "may not do this"},
		{"a web page on a delete is no success", remove, []reply{{status: 200, body: "<html>Sign in"}}, connector.KindIncompatible, connector.CodeServiceIncompatible, false, "web page"},
		{"neither key nor sign-in address is repeated", create, []reply{{status: 400, body: `{"Detail":"` + key + ` and ` + secretURL + ` and \"LoginKey\":\"` + secretURL + `\" are wrong"}`}}, connector.KindInvalid, connector.CodeUnprocessable, false, "are wrong"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _, logged := scripted(t, nil, nil, tt.replies...)
			err := tt.run(c, t)
			var e *connector.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v is no *connector.Error", err)
			}
			type judged struct {
				Kind  string
				Code  string
				Maybe bool
			}
			if diff := cmp.Diff(judged{tt.kind.String(), tt.code, tt.maybe}, judged{e.Kind.String(), e.Code, e.MaybeDone}); diff != "" {
				t.Errorf("-want +got of %v:\n%s", err, diff)
			}
			if !strings.Contains(err.Error(), tt.words) {
				t.Errorf("%q does not say %q", err, tt.words)
			}
			for _, hidden := range []string{key, "2f6c0e52"} {
				if strings.Contains(err.Error()+logged.String(), hidden) {
					t.Errorf("%q is told: %v\n%s", hidden, err, logged)
				}
			}
		})
	}
}

func TestWhatIsGoneIsDeleted(t *testing.T) {
	for name, replies := range map[string][]reply{
		"200": {{status: 200}}, "404": {{status: 404}},
		"403 for an id that a read does not find": {{status: 403}, {status: 404}},
	} {
		c, _, _ := scripted(t, nil, nil, replies...)
		if err := remove(c, t); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFiveRefusalsInARowAreAnOutage is R3: a 503 may be an outage, which no pause cures.
func TestFiveRefusalsInARowAreAnOutage(t *testing.T) {
	c, s, _ := scripted(t, nil, nil, reply{status: 503})
	var last *connector.Error
	for range 6 {
		if last = connector.AsError(find(c, t)); last.Kind != connector.KindRateLimited {
			break
		}
	}
	if last.Kind != connector.KindIncompatible || last.Code != connector.CodeEndpointUnavailable || len(s.calls) != 5 {
		t.Errorf("after %d calls: %v", len(s.calls), last)
	}

	c, s, _ = scripted(t, nil, nil, reply{status: 503}, reply{status: 503}, reply{status: 200, body: "[]"}, reply{status: 503}, reply{status: 503}, reply{status: 503}, reply{status: 200, body: "[]"})
	for range 7 {
		if err := find(c, t); err != nil && connector.KindOf(err) != connector.KindRateLimited {
			t.Fatalf("five refusals with a success among them, after %d calls: %v", len(s.calls), err)
		}
	}
}
