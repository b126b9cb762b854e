package scim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

const (
	noTargetBody = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"noTarget","detail":"nothing matches"}`
	fax          = `phoneNumbers[type eq "fax"].value`
	faxDisplay   = `phoneNumbers[type eq "fax"].display`
	pager        = `phoneNumbers[type eq "pager"].value`
)

// ops are the operations of a PATCH body in a short form: op, path and value.
func ops(t *testing.T, body string) []string {
	t.Helper()
	var m struct {
		Operations []struct {
			Op, Path string
			Value    json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	var out []string
	for _, o := range m.Operations {
		out = append(out, strings.TrimSpace(o.Op+" "+o.Path+" "+string(o.Value)))
	}
	return out
}

func TestElementsThatDoNotExist(t *testing.T) {
	set := func(attr string, before, after any) connector.Change {
		return connector.Change{Attr: attr, Op: connector.Set, Old: before, New: after}
	}
	ok, refused := answer{status: 204}, answer{status: 400, body: noTargetBody}
	tests := []struct {
		name    string
		dialect string
		changes []connector.Change
		answers []answer
		calls   []string
		last    []string // operations of the last PATCH
		kind    connector.Kind
		fails   bool
	}{
		{
			name: "one value path is sent again as an element (section 5, Open)", dialect: "rfc",
			changes: []connector.Change{set("title", "a", "b"), set(fax, nil, "1")},
			answers: []answer{refused, ok}, calls: []string{"PATCH", "PATCH"},
			last: []string{`replace title "b"`, `add phoneNumbers [{"type":"fax","value":"1"}]`},
		},
		{
			name: "in legacy too", dialect: "legacy", changes: []connector.Change{set(fax, nil, "1")},
			answers: []answer{refused, ok}, calls: []string{"PATCH", "PATCH"},
			last: []string{`Add phoneNumbers [{"type":"fax","value":"1"}]`},
		},
		{
			name: "a value that is gone from the target is added anew", dialect: "rfc", changes: []connector.Change{set(fax, "0", "1")},
			answers: []answer{refused, ok}, calls: []string{"PATCH", "PATCH"},
			last: []string{`add phoneNumbers [{"type":"fax","value":"1"}]`},
		},
		{
			name: "among several the resource tells which element is missing", dialect: "rfc",
			changes: []connector.Change{set(fax, nil, "1"), set(pager, nil, "2"), set(faxDisplay, nil, "F"), set(`emails[type eq "work"].value`, "x", "y")},
			answers: []answer{refused, {status: 200, body: `{"id":"7","phoneNumbers":[{"type":"pager","display":"P"}],"emails":[{"type":"work","value":"x"}]}`}, ok},
			calls:   []string{"PATCH", "GET", "PATCH"},
			last:    []string{`add phoneNumbers [{"type":"fax","value":"1","display":"F"}]`, `add phoneNumbers[type eq "pager"].value "2"`, `replace emails[type eq "work"].value "y"`},
		},
		{
			name: "what is to be cleared and is not there is done", dialect: "rfc",
			changes: []connector.Change{{Attr: fax, Op: connector.Clear, Old: "1"}},
			answers: []answer{refused}, calls: []string{"PATCH"},
			last: []string{`remove phoneNumbers[type eq "fax"].value`},
		},
		{
			name: "what is to be cleared and is not there does not hold up the rest", dialect: "rfc",
			changes: []connector.Change{{Attr: fax, Op: connector.Clear, Old: "1"}, set("title", "a", "b")},
			answers: []answer{refused, {status: 200, body: `{"id":"7","title":"a"}`}, ok}, calls: []string{"PATCH", "GET", "PATCH"},
			last: []string{`replace title "b"`},
		},
		{
			name: "noTarget for no reason that is known stays an error", dialect: "rfc", changes: []connector.Change{set("title", "a", "b")},
			answers: []answer{refused}, calls: []string{"PATCH"}, last: []string{`replace title "b"`}, fails: true, kind: connector.KindInvalid,
		},
		{
			name: "a second refusal stays an error", dialect: "rfc", changes: []connector.Change{set(fax, nil, "1")},
			answers: []answer{refused, refused}, calls: []string{"PATCH", "PATCH"},
			last: []string{`add phoneNumbers [{"type":"fax","value":"1"}]`}, fails: true, kind: connector.KindInvalid,
		},
	}
	uses := []connector.Use{userUse(schema.Attribute{Name: fax}, schema.Attribute{Name: faxDisplay}, schema.Attribute{Name: pager})}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, s, _ := scripted(t, map[string]any{"dialect": tt.dialect}, uses, tt.answers...)
			_, err := c.Update(t.Context(), connector.Update{Kind: identity.User, Anchor: "7", Changes: tt.changes})
			if (err != nil) != tt.fails || tt.fails && connector.KindOf(err) != tt.kind {
				t.Errorf("error %v", err)
			}
			var methods []string
			for _, call := range s.calls {
				methods = append(methods, strings.Fields(call)[0])
			}
			if diff := cmp.Diff(tt.calls, methods); diff != "" {
				t.Error(diff)
			}
			got := ops(t, s.bodies[len(s.bodies)-1])
			for i := range got { // the order of keys in a value does not matter
				got[i] = strings.Replace(got[i], `{"display":"F","type":"fax","value":"1"}`, `{"type":"fax","value":"1","display":"F"}`, 1)
			}
			if diff := cmp.Diff(tt.last, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAServerThatWantsElementsIsRemembered(t *testing.T) {
	uses := []connector.Use{userUse(schema.Attribute{Name: pager}, schema.Attribute{Name: fax}, schema.Attribute{Name: faxDisplay})}
	c, s, _ := scripted(t, nil, uses, answer{status: 400, body: noTargetBody}, answer{status: 204})
	for _, changes := range [][]connector.Change{
		{{Attr: pager, Op: connector.Set, New: "1"}},
		{{Attr: pager, Op: connector.Set, New: "2"}},
		{{Attr: fax, Op: connector.Set, New: "3"}}, // its element may exist: faxDisplay is not among the changes
		{{Attr: fax, Op: connector.Set, New: "4"}, {Attr: faxDisplay, Op: connector.Set, New: "F"}},
	} {
		if _, err := c.Update(t.Context(), connector.Update{Kind: identity.User, Anchor: "7", Changes: changes}); err != nil {
			t.Fatal(err)
		}
	}
	var got [][]string
	for _, b := range s.bodies {
		got = append(got, ops(t, b))
	}
	want := [][]string{
		{`add ` + pager + ` "1"`},
		{`add phoneNumbers [{"type":"pager","value":"1"}]`},
		{`add phoneNumbers [{"type":"pager","value":"2"}]`},
		{`add ` + fax + ` "3"`},
		{`add phoneNumbers [{"display":"F","type":"fax","value":"4"}]`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnAddedElementIsNotSentTwice(t *testing.T) {
	uses := []connector.Use{userUse(schema.Attribute{Name: pager})}
	c, s, _ := scripted(t, nil, uses, answer{status: 400, body: noTargetBody}, answer{status: 502})
	_, err := c.Update(t.Context(), connector.Update{Kind: identity.User, Anchor: "7", Changes: []connector.Change{{Attr: pager, Op: connector.Set, New: "1"}}})
	if e := asError(t, err); e == nil || !e.MaybeDone || len(s.calls) != 2 {
		t.Errorf("%+v after %d calls, want one try that may have taken effect", e, len(s.calls))
	}
}

// pickyServer refuses members by rules of a test and keeps those it accepts.
func pickyServer(t *testing.T, settings map[string]any, accept func(ids []string) (status int)) (*Client, *script, map[string]bool) {
	t.Helper()
	c, s, _ := scripted(t, settings, nil)
	have := map[string]bool{}
	s.decide = func(body string) answer {
		var ids []string
		var m struct {
			Operations []struct {
				Op, Path string
				Value    json.RawMessage
			}
		}
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatal(err)
		}
		add := false
		for _, o := range m.Operations {
			add = strings.EqualFold(o.Op, "add")
			if _, rest, found := strings.Cut(o.Path, `[value eq "`); found {
				ids = append(ids, strings.TrimSuffix(rest, `"]`))
				continue
			}
			var list []struct{ Value string }
			if json.Unmarshal(o.Value, &list) == nil {
				for _, e := range list {
					ids = append(ids, e.Value)
				}
			}
		}
		status := accept(ids)
		if status == 204 {
			for _, id := range ids {
				have[id] = add
			}
		}
		a := answer{status: status}
		if status == 400 {
			a.body = `{"detail":"refused"}`
		}
		return a
	}
	return c, s, have
}

func members(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = identity.Ref{Kind: identity.User, Anchor: fmt.Sprintf("u%03d", i)}
	}
	return out
}

func TestMembersThatAreRefused(t *testing.T) {
	rename := connector.Change{Attr: "displayName", Op: connector.Set, Old: "a", New: "b"}
	atMost := func(n int) func([]string) int {
		return func(ids []string) int {
			if len(ids) > n {
				return 413
			}
			return 204
		}
	}
	without := func(bad string) func([]string) int {
		return func(ids []string) int {
			for _, id := range ids {
				if id == bad {
					return 400
				}
			}
			return 204
		}
	}
	tests := []struct {
		name    string
		changes []connector.Change
		accept  func([]string) int
		calls   int
		written int
		kind    connector.Kind
		detail  string
	}{
		{"a server that takes ten at once gets halves (scim.R41)", []connector.Change{{Attr: "members", Op: connector.Add, New: members(35)}}, atMost(10), 7, 35, -1, ""},
		{"removals likewise", []connector.Change{{Attr: "members", Op: connector.Remove, New: members(20)}}, atMost(10), 3, 20, -1, ""},
		{"one bad member does not hold up the others", []connector.Change{{Attr: "members", Op: connector.Add, New: members(8)}}, without("u005"), 7, 7, connector.KindInvalid, "7 of 8 members were written; refused: u005: refused"},
		{"a single member is not tried again", []connector.Change{{Attr: "members", Op: connector.Add, New: members(1)}}, without("u000"), 1, 0, connector.KindInvalid, "refused"},
		{"when none is accepted the rest is not tried", []connector.Change{{Attr: "members", Op: connector.Add, New: members(100)}}, func([]string) int { return 400 }, 14, 0, connector.KindInvalid, "were not tried, since none was accepted"},
		{"other changes go first, alone", []connector.Change{rename, {Attr: "members", Op: connector.Add, New: members(4)}}, without("u003"), 7, 3, connector.KindInvalid, "3 of 4 members were written; refused: u003"},
		{"a group that is gone is not tried again", []connector.Change{{Attr: "members", Op: connector.Add, New: members(8)}}, func([]string) int { return 404 }, 1, 0, connector.KindNotFound, ""},
	}
	for _, dialect := range []string{"rfc", "legacy"} {
		for _, tt := range tests {
			t.Run(dialect+": "+tt.name, func(t *testing.T) {
				c, s, have := pickyServer(t, map[string]any{"dialect": dialect}, tt.accept)
				_, err := c.Update(t.Context(), connector.Update{Kind: identity.Group, Anchor: "g", Changes: tt.changes})
				if tt.kind < 0 && err != nil {
					t.Errorf("error %v", err)
				}
				if tt.kind >= 0 {
					e := asError(t, err)
					if e == nil || e.Kind != tt.kind || !strings.Contains(e.Detail, tt.detail) {
						t.Errorf("error %+v, want kind %v and %q", e, tt.kind, tt.detail)
					}
				}
				if len(s.calls) != tt.calls || len(have) != tt.written {
					t.Errorf("%d calls and %d members written, want %d and %d", len(s.calls), len(have), tt.calls, tt.written)
				}
			})
		}
	}
}

func TestAMemberThatIsGoneAlreadyIsRemoved(t *testing.T) {
	c, s, _ := scripted(t, nil, nil)
	s.decide = func(body string) answer {
		if strings.Contains(body, "u001") {
			return answer{status: 400, body: noTargetBody}
		}
		return answer{status: 204}
	}
	_, err := c.Update(t.Context(), connector.Update{Kind: identity.Group, Anchor: "g", Changes: []connector.Change{{Attr: "members", Op: connector.Remove, New: members(4)}}})
	if err != nil || len(s.calls) != 5 {
		t.Errorf("%v after %d calls, want success after 5", err, len(s.calls))
	}
}
