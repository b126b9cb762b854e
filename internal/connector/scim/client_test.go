package scim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// asError is what a test compares of an error: everything but its cause.
func asError(t *testing.T, err error) *connector.Error {
	t.Helper()
	if err == nil {
		return nil
	}
	var e *connector.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is not a *connector.Error: %v", err, err)
	}
	c := *e
	c.Err = nil
	return &c
}

const conflictBody = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness","detail":"userName is taken"}`

// TestWhatAnswersMean is the table at the end of engine section 18 (scim.R6, R55, R58, R59, R60).
func TestWhatAnswersMean(t *testing.T) {
	ctx := t.Context()
	create := func(c *Client) error {
		_, err := c.Create(ctx, &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "userName", Value: "a"}}})
		return err
	}
	get := func(c *Client) error { _, err := c.Get(ctx, identity.User, "7"); return err }
	find := func(c *Client) error { _, err := c.Find(ctx, identity.User, "userName", "a", 2); return err }
	probe := func(c *Client) error { _, err := c.Probe(ctx); return err }
	patch := change(t, identity.User, "7", connector.Change{Attr: "title", Op: connector.Set, New: "x"})
	remove := func(c *Client) error { return c.Delete(ctx, identity.User, "7") }
	const K = connector.KindInvalid
	type E = connector.Error
	scimError := func(scimType, detail string) string {
		return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"scimType":%q,"detail":%q}`, scimType, detail)
	}
	html := http.Header{"Content-Type": {"text/html"}}
	query := "GET /Users?filter=userName"
	tests := []struct {
		name string
		run  func(*Client) error
		ans  answer
		hint string // must stand in the hint
		want E
	}{
		{"400", create, answer{status: 400, body: scimError("invalidValue", "title is too long")}, "", E{Kind: K, Op: "POST /Users", Code: connector.CodeUnprocessable, Status: 400, Detail: "title is too long"}},
		{"400 uniqueness", patch, answer{status: 400, body: scimError("uniqueness", "taken")}, "", E{Kind: connector.KindConflict, Op: "PATCH /Users/7", Code: connector.CodeConflict, Status: 400, Detail: "taken"}},
		{"400 for a missing attribute", create, answer{status: 400, body: scimError("invalidValue", "name.familyName is required")}, "", E{Kind: K, Op: "POST /Users", Code: connector.CodeMissingValues, Status: 400, Detail: "name.familyName is required"}},
		{"400 to a query is the value's fault when the probe was answered", find, answer{status: 400, body: scimError("invalidFilter", "no")}, "match on another attribute", E{Kind: K, Op: query, Code: connector.CodeUnprocessable, Status: 400, Detail: "no"}},
		{"400 to the probe", probe, answer{status: 400, body: scimError("invalidFilter", "no")}, "match on another attribute", E{Kind: connector.KindIncompatible, Op: query, Code: connector.CodeProbeUnexpected, Status: 400, Detail: "no"}},
		{"401", get, answer{status: 401}, "expired or been revoked", E{Kind: connector.KindAuth, Op: "GET /Users/7", Code: connector.CodeUnauthorized, Status: 401, Detail: "Unauthorized"}},
		{"403 on one object", patch, answer{status: 403}, "give it the right", E{Kind: K, Op: "PATCH /Users/7", Code: connector.CodeInsufficientRights, Status: 403, Detail: "Forbidden"}},
		{"403 to the probe", probe, answer{status: 403}, "give it the right", E{Kind: connector.KindAuth, Op: query, Code: connector.CodeInsufficientRights, Status: 403, Detail: "Forbidden"}},
		{"404 on an object", get, answer{status: 404, body: scimError("", "no such user")}, "", E{Kind: connector.KindNotFound, Op: "GET /Users/7", Code: connector.CodeInvalidAnchor, Status: 404, Detail: "no such user"}},
		{"404 on a query", find, answer{status: 404}, "check the setting url", E{Kind: connector.KindIncompatible, Op: query, Code: connector.CodeServiceIncompatible, Status: 404, Detail: "Not Found"}},
		{"404 to the probe", probe, answer{status: 404, body: "<html>not here</html>", header: html}, "check the setting url", E{Kind: connector.KindIncompatible, Op: query, Code: connector.CodeServiceIncompatible, Status: 404, Detail: "Not Found"}},
		{"405", patch, answer{status: 405}, "", E{Kind: connector.KindUnsupported, Op: "PATCH /Users/7", Code: connector.CodeMethodNotAllowed, Status: 405, Detail: "Method Not Allowed"}},
		{"409", create, answer{status: 409, body: conflictBody}, "", E{Kind: connector.KindConflict, Op: "POST /Users", Code: connector.CodeConflict, Status: 409, Detail: "userName is taken"}},
		{"413", patch, answer{status: 413}, "", E{Kind: K, Op: "PATCH /Users/7", Code: connector.CodeUnprocessable, Status: 413, Detail: "Request Entity Too Large"}},
		{"415", patch, answer{status: 415}, "set contentType", E{Kind: connector.KindUnsupported, Op: "PATCH /Users/7", Code: connector.CodeUnprocessable, Status: 415, Detail: "Unsupported Media Type"}},
		{"422", patch, answer{status: 422, body: "bad  \n value"}, "", E{Kind: K, Op: "PATCH /Users/7", Code: connector.CodeUnprocessable, Status: 422, Detail: "bad value"}},
		{"429", get, answer{status: 429, header: http.Header{"Retry-After": {"60"}}}, "lower the setting rate", E{Kind: connector.KindRateLimited, Op: "GET /Users/7", Code: connector.CodeTooManyRequests, Status: 429, Detail: "Too Many Requests", RetryAfter: time.Minute}},
		{"500 on a read", get, answer{status: 500, body: `{"message":"boom"}`}, "", E{Kind: connector.KindTemporary, Op: "GET /Users/7", Code: connector.CodeServerError, Status: 500, Detail: "boom"}},
		{"500 on a create leaves open what happened (scim.R63)", create, answer{status: 500}, "", E{Kind: connector.KindTemporary, Op: "POST /Users", Code: connector.CodeServerError, Status: 500, Detail: "Internal Server Error", MaybeDone: true}},
		{"501", remove, answer{status: 501}, "", E{Kind: connector.KindUnsupported, Op: "DELETE /Users/7", Code: connector.CodeNotImplemented, Status: 501, Detail: "Not Implemented"}},
		{"503", get, answer{status: 503}, "try again later", E{Kind: connector.KindTemporary, Op: "GET /Users/7", Code: connector.CodeServerError, Status: 503, Detail: "Service Unavailable"}},
		{"504", get, answer{status: 504}, "", E{Kind: connector.KindTemporary, Op: "GET /Users/7", Code: connector.CodeTimeout, Status: 504, Detail: "Gateway Timeout"}},
		{"a web page with 200", get, answer{status: 200, body: "<!DOCTYPE html>", header: html}, "web page, not SCIM", E{Kind: connector.KindIncompatible, Op: "GET /Users/7", Code: connector.CodeServiceIncompatible, Status: 200, Detail: "OK"}},
		{"something else than a ListResponse", find, answer{status: 200, body: `{"users":[]}`}, "RFC 7644", E{Kind: connector.KindIncompatible, Op: query, Code: connector.CodeServiceIncompatible, Status: 200, Detail: "OK"}},
		{"a redirect to a sign-in page", probe, answer{status: 302, header: http.Header{"Location": {"https://login.example.net/?next=geheim"}}}, "redirects to https://login.example.net/,", E{Kind: connector.KindIncompatible, Op: query, Code: connector.CodeServiceIncompatible, Status: 302, Detail: "Found"}},
		{"another object than asked for", get, answer{status: 200, body: `{"id":"8"}`}, "", E{Kind: connector.KindIncompatible, Op: "GET /Users/7", Code: connector.CodeServiceIncompatible, Status: 200, Detail: `asked for "7", the target answered with "8"`}},
		{"a found object without id (scim.R53)", find, answer{status: 200, body: `{"Resources":[{"userName":"a"}]}`}, "", E{Kind: connector.KindIncompatible, Op: query, Code: connector.CodeServiceIncompatible, Status: 200, Detail: "a resource in the answer has no id"}},
		{"a filter that was ignored (scim.R52)", find, answer{status: 200, body: `{"Resources":[{"id":"1","userName":"a"},{"id":"2","userName":"b"}]}`}, "match on another attribute", E{Kind: connector.KindIncompatible, Op: query, Code: connector.CodeServiceIncompatible, Status: 200, Detail: "the answer has an object whose userName is not what was asked for"}},
		{"a probe that finds somebody", probe, answer{status: 200, body: `{"Resources":[{"id":"1","userName":"a"}]}`}, "does not filter on userName", E{Kind: connector.KindIncompatible, Op: query, Code: connector.CodeServiceIncompatible, Status: 200, Detail: "a query for a random userName found 1 objects"}},
		{"a server that repeats the credential", get, answer{status: 400, body: scimError("", "token Bearer "+token+" ("+token+") is odd")}, "", E{Kind: K, Op: "GET /Users/7", Code: connector.CodeUnprocessable, Status: 400, Detail: "token ••• (•••) is odd"}},
		{"a connection that breaks on a create (scim.R63)", create, answer{err: errors.New("broken")}, "", E{Kind: connector.KindTemporary, Op: "POST /Users", Code: connector.CodeProtocol, MaybeDone: true}},
		{"a connection that breaks on a read", get, answer{err: errors.New("broken")}, "", E{Kind: connector.KindTemporary, Op: "GET /Users/7", Code: connector.CodeProtocol}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _, _ := scripted(t, nil, nil, tt.ans)
			err := tt.run(c)
			got := asError(t, err)
			if got == nil {
				t.Fatal("no error")
			}
			got.RetryAfter = got.RetryAfter.Round(time.Second)
			if !strings.Contains(got.Hint, tt.hint) || tt.hint == "" && got.Hint != "" {
				t.Errorf("hint %q, want one with %q", got.Hint, tt.hint)
			}
			if diff := cmp.Diff(&tt.want, got, cmpopts.IgnoreFields(connector.Error{}, "Hint")); diff != "" {
				t.Error(diff)
			}
			for _, secret := range []string{token, "geheim"} {
				if text := fmt.Sprintf("%v %+v %#v", err, err, got); strings.Contains(text, secret) {
					t.Errorf("the error shows a secret: %s", text)
				}
			}
		})
	}
}

// TestHintsForTargetsThatCannotBeReached: a certificate that nobody vouches for is one of them (scim.R74).
func TestHintsForTargetsThatCannotBeReached(t *testing.T) {
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	untrusted.StartTLS()
	defer untrusted.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	for _, tt := range []struct{ name, url, code, hint string }{
		{"nothing listens", closed.URL, connector.CodeProtocol, "nothing listens at 127.0.0.1"},
		{"a private certificate", untrusted.URL, connector.CodeProtocol, "set caFile"},
		{"an unknown host", "https://scim.invalid/v2", connector.CodeProtocol, "scim.invalid is not known"},
		{"no answer", slow.URL, connector.CodeTimeout, "raise the setting timeout (now 20ms)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("SCIM_TEST_TOKEN", token)
			cfg, err := Decode(map[string]any{"url": tt.url, "auth": map[string]any{"bearer": map[string]any{"env": "SCIM_TEST_TOKEN"}}})
			if err != nil {
				t.Fatal(err)
			}
			cfg.Policy = httpx.Policy{Waits: []time.Duration{}}
			if tt.name == "no answer" {
				cfg.Timeout = 20 * time.Millisecond
			}
			c, err := New(cfg, connector.Env{Uses: []connector.Use{userUse()}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Probe(t.Context())
			e := asError(t, err)
			if e == nil || e.Kind != connector.KindTemporary || e.Code != tt.code || !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("%+v, want code %s and a hint with %q", e, tt.code, tt.hint)
			}
			if strings.Contains(fmt.Sprintf("%v%+v%#v", err, err, e), token) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

func TestACallWithoutAllowanceIsNotSent(t *testing.T) {
	c, s, meter := scripted(t, map[string]any{"rate": "2/min"}, nil, answer{status: 200, body: noneFound})
	for range 2 {
		if _, err := c.Find(t.Context(), identity.User, "userName", "a", 2); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.Create(t.Context(), &identity.Object{Kind: identity.User})
	e := asError(t, err)
	if e.RetryAfter <= 55*time.Second || e.RetryAfter > time.Minute {
		t.Errorf("RetryAfter %s, want about a minute", e.RetryAfter)
	}
	want := &connector.Error{Kind: connector.KindRateLimited, Op: "POST /Users", Code: connector.CodeTooManyRequests, NotSent: true, RetryAfter: e.RetryAfter}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
	if len(s.calls) != 2 || meter.Read().Total() != 2 {
		t.Errorf("%d calls and %d counted, want 2", len(s.calls), meter.Read().Total())
	}
}

func TestACancelledCallSaysSo(t *testing.T) {
	c, s, _ := scripted(t, nil, nil, answer{status: 200, body: noneFound})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Find(ctx, identity.User, "userName", "a", 1)
	if !errors.Is(err, context.Canceled) || connector.KindOf(err) != connector.KindTemporary || len(s.calls) != 0 {
		t.Errorf("%v after %d calls", err, len(s.calls))
	}
}

func TestMeterCountsEveryAttempt(t *testing.T) {
	c, _, meter := scripted(t, map[string]any{"throttle503": true}, nil,
		answer{status: 500}, answer{status: 503, header: http.Header{"Retry-After": {"0"}}}, answer{status: 200, body: noneFound})
	if _, err := c.Find(t.Context(), identity.User, "userName", "a", 1); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(connector.Count{ByMethod: map[string]int64{"GET": 3}, Throttled: 1}, meter.Read()); diff != "" {
		t.Error(diff)
	}
}

func TestCreateFindsTheID(t *testing.T) {
	location := func(text string) http.Header { return http.Header{"Location": {text}} }
	match := `{"Resources":[{"id":"7","userName":"MIRA"}]}`
	tests := []struct {
		name    string
		answers []answer
		want    string
		calls   int
		kind    connector.Kind
	}{
		{"in the answer", []answer{{status: 201, body: `{"ID":"7"}`}}, "7", 1, 0},
		{"as a number", []answer{{status: 201, body: `{"id":7}`}}, "7", 1, 0},
		{"with 200 instead of 201", []answer{{status: 200, body: `{"id":"7"}`}}, "7", 1, 0},
		{"in Location (scim.R18)", []answer{{status: 201, header: location("https://lms.example.net/scim/v2/Users/7%2F8")}}, "7/8", 1, 0},
		{"by the joining attribute (scim.R18)", []answer{{status: 201, body: "{}"}, {status: 200, body: match}}, "7", 2, 0},
		{"by the joining attribute when Location is of something else", []answer{{status: 201, header: location("/scim/v2/Users")}, {status: 200, body: match}}, "7", 2, 0},
		{"nowhere (scim.R18)", []answer{{status: 201}, {status: 200, body: noneFound}}, "", 2, connector.KindIncompatible},
		{"not, because the query fails", []answer{{status: 201}, {status: 401}}, "", 2, connector.KindAuth},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, s, _ := scripted(t, nil, nil, tt.answers...)
			made, err := c.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "userName", Value: "mira"}}})
			if len(s.calls) != tt.calls {
				t.Errorf("calls %q, want %d", s.calls, tt.calls)
			}
			if tt.want == "" {
				if e := asError(t, err); e == nil || e.Kind != tt.kind || !e.MaybeDone {
					t.Errorf("error %+v, want kind %v, and that the account may exist", e, tt.kind)
				}
				return
			}
			if err != nil || made.Anchor != tt.want {
				t.Errorf("anchor %v, %v; want %q", made, err, tt.want)
			}
		})
	}
}

func TestCreateShowsWhichReferencesWereKept(t *testing.T) {
	obj := &identity.Object{Kind: identity.Group, Attrs: identity.Attrs{{Name: "displayName", Value: "Crew"}, {Name: "members", Value: []any{identity.Ref{Kind: identity.User, Anchor: "1"}}}}}
	for body, want := range map[string]any{
		`{"id":"g","members":[{"value":"1","type":"User"}]}`: []any{identity.Ref{Kind: identity.User, Anchor: "1"}},
		`{"id":"g","displayName":"Crew"}`:                    nil,
		`{"id":"g","members":[]}`:                            nil,
	} {
		c, _, _ := scripted(t, nil, nil, answer{status: 201, body: body})
		made, err := c.Create(t.Context(), obj)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := made.Get("members")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
}

// TestAWebPageIsNoSuccess: a sign-in page answered with 200 must not pass for a disable or a delete that was made.
func TestAWebPageIsNoSuccess(t *testing.T) {
	for name, call := range map[string]func(*Client) error{
		"delete": func(c *Client) error { return c.Delete(t.Context(), identity.User, "7") },
		"disable": func(c *Client) error {
			_, err := c.Update(t.Context(), connector.Update{Kind: identity.User, Anchor: "7", Changes: []connector.Change{{Attr: "active", Op: connector.Set, Old: true, New: false}}})
			return err
		},
	} {
		c, _, _ := scripted(t, nil, nil, answer{status: 200, body: "<!doctype html><title>Sign in</title>"})
		if err := call(c); connector.KindOf(err) != connector.KindIncompatible {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReading: ids, names in any case, and active as a text (scim.R53, R57).
func TestReading(t *testing.T) {
	body := `{"schemas":[],"ID":"7","username":"mira","Active":"True","name":{"GivenName":"Mira","familyName":null},"title":"",
		"emails":[{"type":"home","value":"h@example.net"},{"type":"WORK","value":"w@example.net"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:user":{"employeeNumber":40217,"manager":{"value":"7702fe","$ref":"../Users/7702fe"}},
		"level":7,"ratio":0.5,"tags":["a","b"],"groups":[{"value":"g1"}]}`
	c, _, _ := scripted(t, nil, []connector.Use{userUse(schema.Attribute{Name: "level", Type: schema.Integer}, schema.Attribute{Name: "ratio"},
		schema.Attribute{Name: "tags", MultiValued: true}, schema.Attribute{Name: "nothing"})}, answer{status: 200, body: body})
	got, err := c.Get(t.Context(), identity.User, "7")
	if err != nil {
		t.Fatal(err)
	}
	want := &identity.Object{Kind: identity.User, Anchor: "7", Attrs: identity.Attrs{
		{Name: "userName", Value: "mira"}, {Name: "active", Value: true}, {Name: "title", Value: ""}, {Name: "name.givenName", Value: "Mira"},
		{Name: `emails[type eq "work"].value`, Value: "w@example.net"},
		{Name: enterprise + "employeeNumber", Value: int64(40217)},
		{Name: enterprise + "manager", Value: identity.Ref{Kind: identity.User, Anchor: "7702fe"}},
		{Name: "level", Value: int64(7)}, {Name: "ratio", Value: 0.5}, {Name: "tags", Value: []any{"a", "b"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, body := range []string{
		`{"id":"7","` + enterprise[:len(enterprise)-1] + `":{"manager":"7702fe"}}`,                                                 // a bare text (scim.R35)
		`{"id":"7","title":"a","title":"b` + "\xff" + `","` + enterprise[:len(enterprise)-1] + `":{"manager":{"value":"7702fe"}}}`, // slips that hide nothing
	} {
		c, _, _ := scripted(t, nil, nil, answer{status: 200, body: body})
		got, err := c.Get(t.Context(), identity.User, "7")
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := got.Get(enterprise + "manager"); v != (identity.Ref{Kind: identity.User, Anchor: "7702fe"}) {
			t.Errorf("%s: manager %v", body, v)
		}
	}
}

func TestFindChecksAndLimits(t *testing.T) {
	list := func(resources string) answer { return answer{status: 200, body: `{"Resources":[` + resources + `]}`} }
	tests := []struct {
		name     string
		settings map[string]any
		attr     string
		value    string
		ans      answer
		limit    int
		want     []string
	}{
		{"case does not count for userName", nil, "userName", "mira", list(`{"id":"1","userName":"MIRA"}`), 2, []string{"1"}},
		{"case counts for externalId: another's is no match", nil, "externalId", "ab", list(`{"id":"1","externalId":"AB"},{"id":"2","externalId":"ab"}`), 2, []string{"2"}},
		{"the limit cuts", nil, "displayName", "x", list(`{"id":"1","displayName":"x"},{"id":"2","displayName":"X"},{"id":"3","displayName":"x"}`), 2, []string{"1", "2"}},
		{"one of several elements matches", nil, "emails.value", "b", list(`{"id":"1","emails":[{"value":"a"},{"value":"B"}]}`), 2, []string{"1"}},
		{"404 where the server answers so (scim.R54)", map[string]any{"emptyQuery404": true}, "userName", "x", answer{status: 404}, 2, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _, _ := scripted(t, tt.settings, nil, tt.ans)
			found, err := c.Find(t.Context(), identity.User, tt.attr, tt.value, tt.limit)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, o := range found {
				got = append(got, o.Anchor)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestListing: pages by index and by cursor (scim.R50, R51).
func TestListing(t *testing.T) {
	page := func(total int, ids ...string) answer {
		var rs []string
		for _, id := range ids {
			rs = append(rs, `{"id":"`+id+`"}`)
		}
		t := ""
		if total >= 0 {
			t = fmt.Sprintf(`"totalResults":%d,`, total)
		}
		return answer{status: 200, body: `{` + t + `"Resources":[` + strings.Join(rs, ",") + `]}`}
	}
	cursor := func(next string, ids ...string) answer {
		a := page(-1, ids...)
		a.body = strings.Replace(a.body, "{", `{"nextCursor":"`+next+`",`, 1)
		return a
	}
	tests := []struct {
		name    string
		answers []answer
		want    []string
		calls   []string
		kind    connector.Kind
	}{
		{"smaller pages than asked for are fine (scim.R51)", []answer{page(3, "a", "b"), page(3, "c")}, []string{"a", "b", "c"}, []string{"startIndex=1", "startIndex=3"}, 0},
		{"without a total it ends with an empty page", []answer{page(-1, "a"), page(-1, "b"), page(-1)}, []string{"a", "b"}, []string{"startIndex=1", "startIndex=2", "startIndex=3"}, 0},
		{"a total that is only the page's is not believed", []answer{page(0, "a"), page(0)}, []string{"a"}, []string{"startIndex=1", "startIndex=2"}, 0},
		{"an empty target", []answer{page(0)}, nil, []string{"startIndex=1"}, 0},
		{"a server that ignores startIndex (scim.R51)", []answer{page(9, "a", "b"), page(9, "a", "b")}, []string{"a", "b"}, []string{"startIndex=1", "startIndex=3"}, connector.KindIncompatible},
		{"cursors where they are announced (RFC 9865)", []answer{cursor("x&y=", "a"), cursor("", "b")}, []string{"a", "b"}, []string{"startIndex=1", "cursor=x%26y%3D"}, 0},
		{"an object without id", []answer{{status: 200, body: `{"totalResults":1,"Resources":[{}]}`}}, nil, []string{"startIndex=1"}, connector.KindIncompatible},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, s, _ := scripted(t, map[string]any{"pageSize": 2}, nil, tt.answers...)
			var got []string
			at := ""
			var err error
			for range 10 {
				var p connector.Page
				if p, err = c.List(t.Context(), identity.User, at); err != nil {
					break
				}
				for _, o := range p.Objects {
					got = append(got, o.Anchor)
				}
				if at = p.Next; at == "" {
					break
				}
			}
			if (err != nil) != (tt.kind != 0) || connector.KindOf(err) != tt.kind {
				t.Errorf("error %v, want kind %v", err, tt.kind)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if len(s.calls) != len(tt.calls) {
				t.Fatalf("calls %q, want %q", s.calls, tt.calls)
			}
			for i, want := range tt.calls {
				if !strings.Contains(s.calls[i], want) {
					t.Errorf("call %q, want %q in it", s.calls[i], want)
				}
			}
		})
	}
	c, _, _ := scripted(t, nil, nil, answer{status: 500})
	for _, cursor := range []string{"x", "i0:a", "i-1:a", "c:a", "i5", "nonsense:1"} {
		if _, err := c.List(t.Context(), identity.User, cursor); connector.KindOf(err) != connector.KindInvalid {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

func TestWhatCannotBeWrittenIsRefusedBeforeACall(t *testing.T) {
	c, s, _ := scripted(t, nil, []connector.Use{userUse(schema.Attribute{Name: "level", Type: schema.Integer})}, answer{status: 500})
	tests := map[string]func() error{
		"a text for a Boolean": func() error {
			_, err := c.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "active", Value: "perhaps"}}})
			return err
		},
		"a text for a number": func() error {
			return change(t, identity.User, "7", connector.Change{Attr: "level", Op: connector.Set, New: "high"})(c)
		},
		"a kind that no rule writes": func() error { _, err := c.Get(t.Context(), identity.Group, "7"); return err },
		"an id that leads elsewhere": func() error { return c.Delete(t.Context(), identity.User, "..") },
		"no id": func() error {
			return change(t, identity.User, "", connector.Change{Attr: "title", Op: connector.Set, New: "x"})(c)
		},
		"a path that is none": func() error { _, err := c.Find(t.Context(), identity.User, "emails[", "x", 1); return err },
		"a filter of which no element can be made": func() error {
			_, err := c.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: `emails[type ne "work"].value`, Value: "x"}}})
			return err
		},
		"setting nothing": func() error {
			return change(t, identity.User, "7", connector.Change{Attr: "title", Op: connector.Set})(c)
		},
	}
	for name, run := range tests {
		e := asError(t, run())
		if e == nil || e.Kind != connector.KindInvalid || !e.NotSent {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if len(s.calls) != 0 {
		t.Errorf("calls were made: %q", s.calls)
	}
	if o, err := c.Update(t.Context(), connector.Update{Kind: identity.User, Anchor: "7"}); o != nil || err != nil || len(s.calls) != 0 {
		t.Errorf("an update without changes: %v, %v, calls %q", o, err, s.calls)
	}
}
