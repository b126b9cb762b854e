package vectors_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scope"
	"github.com/rollcall-id/rollcall/internal/vectors"
)

// people is a rule as an app file may have it.
func people(t *testing.T) map[string]vectors.Rule {
	t.Helper()
	clause := func(attr, operator, value string) []scope.Group {
		return []scope.Group{{Clauses: []scope.Clause{{Attribute: attr, Operator: operator, Values: []string{value}}}}}
	}
	filter, err := scope.Compile(scope.Filter{Groups: clause("department", "NOT EQUALS", "Board"), InputFilterGroups: append(clause("id", "NOT EQUALS", "test"), scope.Group{Clauses: []scope.Clause{{Attribute: "id", Operator: "IS NULL"}}})})
	if err != nil {
		t.Fatal(err)
	}
	set, err := mapping.Compile([]mapping.Attribute{
		{Target: "userName", Expression: "SelectUniqueValue([nick], Append([nick], \"2\"))", Apply: mapping.OnCreate},
		{Target: "active", Expression: "Not([IsSoftDeleted])"},
		{Target: "title", Expression: "[title]", Default: "Employee"},
		{Target: "level", Expression: "[level]"},
		{Target: "locale", Expression: "IgnoreFlowIfNullOrEmpty([locale])"},
		{Target: "note", Expression: "IIF([nick]=\"skip\", IgnoreObjectFlow, DefaultDomain())"},
		{Target: "role", Expression: "SingleAppRoleAssignment([appRoleAssignments])"},
		{Target: "boss", Reference: "[boss]"},
		{Target: "members", Reference: "[team]"},
		{Target: "since", Expression: `FormatDateTime(Now(), , "yyyy", "yyyy-MM-dd")`},
	}, &schema.Object{Kind: identity.User, Attributes: []schema.Attribute{{Name: "userName", Required: true},
		{Name: "active", Type: schema.Boolean}, {Name: "level", Type: schema.Integer}}})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]vectors.Rule{"people": {From: identity.User, Filter: filter, Mappings: set, DefaultDomain: "example.com",
		Account: func(vs []mapping.Value) (identity.Attrs, error) { return plan.New(set, vs) }}}
}

func TestRuleCases(t *testing.T) {
	tests := []struct {
		name, attributes, context, want string
		failure                         string // expected and actual, "" for a case that passes
	}{
		{"values, defaults and computed attributes (engine.R61, R77)", `{"department": "Sales", "nick": "ada"}`, `{}`,
			`{"userName": "ada", "active": true, "title": "Employee", "note": "example.com", "level": null, "locale": {"flow": "ignore"}}`, ""},
		{"who is disabled", `{"department": "Sales", "nick": "ada", "accountEnabled": false}`, `{}`, `{"active": false}`, ""},
		{"who is to be disabled", `{"department": "Sales", "nick": "ada", "IsSoftDeleted": true}`, `{}`, `{"active": false}`, ""},
		{"what the context gives", `{"department": "Sales", "nick": "ada"}`,
			`{"defaultDomain": "x.org", "now": "2026-03-01T08:00:00Z", "existing": ["ADA"], "appRoleAssignments": [{"id": "1", "value": "learner", "displayName": "Learner"}]}`,
			`{"userName": "ada2", "note": "x.org", "since": "2026-03-01", "role": "Learner"}`, ""},
		{"references are the keys of source objects (engine.R90)", `{"department": "Sales", "nick": "ada", "boss": "7", "team": ["9", "8"]}`, `{}`,
			`{"boss": "7", "members": ["8", "9"]}`, ""},
		{"patterns", `{"department": "Sales", "nick": "ada"}`, `{}`, `{"since": {"matches": ["^[0-9-]{10}$"]}}`, ""},
		{"in scope", `{"department": "Sales"}`, `{}`, `true`, ""},
		{"out of scope", `{"department": "Board"}`, `{}`, `false`, ""},
		{"passed over (scoping Q-11)", `{"department": "Sales", "id": "test"}`, `{}`, `false`, ""},
		{"the whole object may be ignored", `{"department": "Sales", "nick": "skip"}`, `{}`, `{"flow": "ignoreObject"}`, ""},
		{"an error of a mapping", `{"department": "Sales", "nick": "ada", "title": ["a", "b"]}`, `{}`, `{"error": "type"}`, ""},
		{"every candidate taken", `{"department": "Sales", "nick": "ada"}`, `{"existing": ["ada", "ada2"]}`, `{"error": "notUnique"}`, ""},
		{"a required value missing (engine.R62)", `{"department": "Sales"}`, `{}`, `{"error": "required"}`, ""},

		{"another value", `{"department": "Sales", "nick": "ada", "level": 3}`, `{}`, `{"level": 4, "userName": "ada", "title": "Boss"}`,
			`expected {"level": 4, "title": "Boss"}, actual {"level": 3, "title": "Employee"}`},
		{"an attribute that the rule does not map", `{"department": "Sales", "nick": "ada"}`, `{}`, `{"username": "ada"}`,
			`expected "username": "ada", actual the rule maps no attribute username`},
		{"out of scope against its wish", `{"department": "Board", "nick": "ada"}`, `{}`, `{"userName": "ada"}`,
			`expected {"userName":"ada"}, actual false (out of scope: department is "Board", but must be NOT EQUALS Board)`},
		{"in scope against its wish", `{"department": "Sales"}`, `{}`, `false`, `expected false, actual true (in scope: department NOT EQUALS Board)`},
		{"passed over against its wish", `{"department": "Sales", "id": "test"}`, `{}`, `true`, `expected true, actual false (passed over by an input filter)`},
		{"an error in place of values", `{"department": "Sales", "nick": "ada", "level": "x"}`, `{}`, `{"userName": "ada"}`,
			`expected {"userName": "ada"}, actual {"error": "?"} (level: "x" is no integer)`},
		{"values in place of an error", `{"department": "Sales", "nick": "ada"}`, `{}`, `{"error": "date"}`,
			`expected {"error":"date"}, actual {"active": true, "boss": null, "locale": {"flow": "ignore"}, "members": null, "note": "example.com", "since": "2026-03-01", "title": "Employee", "userName": "ada"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cases, err := vectors.Load("x.json", []byte(`[{"id": "a", "rule": "people", "attributes": `+tt.attributes+`, "context": `+tt.context+`, "want": `+tt.want+`}]`))
			if err != nil {
				t.Fatal(err)
			}
			if cases[0].Rule != "people" {
				t.Errorf("the case is for the rule %q", cases[0].Rule)
			}
			w := world
			w.Rules = people(t)
			got := ""
			if err := cases[0].Run(w); err != nil {
				if _, ok := errors.AsType[*vectors.Failure](err); !ok {
					t.Fatal(err)
				}
				got = err.Error()
			}
			if diff := cmp.Diff(tt.failure, got); diff != "" {
				t.Errorf("failure (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRuleCasesNeedTheirRule(t *testing.T) {
	cases, err := vectors.Load("x.json", []byte(`[{"id": "a", "rule": "people", "want": {"userName": "ada"}}]`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `expected {"userName":"ada"}, actual there is no rule people to run`
	if err := cases[0].Run(world); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestRuleCasesThatCannotBeRead(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"no name", `"rule": "", "want": true`, `x.json:1: a: "rule" is empty; it is the name of a rule of the app file`},
		{"no values", `"rule": "people", "want": {}`, `x.json:1: a: "want" of a rule is true or false (in scope or not), or an object of target attributes with their values`},
		{"a value of the wrong form", `"rule": "people", "want": {"title": {"flow": "stop"}}`, `x.json:1: a: title: "flow" is "ignore" or "ignoreObject"`},
		{"a signal that no object has", `"rule": "people", "want": {"flow": "ignore"}`, `x.json:1: a: the whole of a rule gives "flow": "ignoreObject", or values`},
		{"a key of another kind", `"rule": "people", "log": "x", "want": true`, `x.json:1: a: unknown key "log"; a case with "rule" has id, want, rule, attributes, context`},
		{"roles that are none", `"rule": "people", "context": {"appRoleAssignments": ["x"]}, "want": true`, `x.json:1: a: "appRoleAssignments" is a list of objects with "id", "value" and "displayName"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := vectors.Load("x.json", []byte(`[{"id": "a", `+tt.in+`}]`))
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}
