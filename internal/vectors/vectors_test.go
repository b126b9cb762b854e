package vectors_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/vectors"
)

var world = vectors.World{Now: func() time.Time { return time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC) }, Rand: rand.Reader}

func TestAllVectorsPass(t *testing.T) {
	for file, n := range map[string]int{"expressions.json": 283, "scoping.json": 57, "scim_paths.json": 79} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		cases, err := vectors.Load(file, data)
		if err != nil {
			t.Fatal(err)
		}
		if len(cases) != n {
			t.Fatalf("%s: %d cases, want %d", file, len(cases), n)
		}
		for _, c := range cases {
			t.Run(c.ID, func(t *testing.T) {
				if err := c.Run(world); err != nil {
					t.Errorf("%s:%d: %v", file, c.Line, err)
				}
			})
		}
	}
}

// Each case here is wrong in what it wants, so each has to fail: a runner that lets one pass cannot fail at all.
func TestWrongCasesFail(t *testing.T) {
	for _, c := range []struct{ name, text, expected, actual string }{
		{"another text", `{"id":"x","expression":"[a]","attributes":{"a":"b"},"want":"c"}`, `"c"`, `"b"`},
		{"text that differs in case", `{"id":"x","expression":"[a]","attributes":{"a":"b"},"want":"B"}`, `"B"`, `"b"`},
		{"a number for text", `{"id":"x","expression":"\"7\"","want":7}`, `7`, `"7"`},
		{"text for a number", `{"id":"x","expression":"DateDiff(\"d\", \"2026-01-01\", \"2026-01-08\")","want":"7"}`, `"7"`, `7`},
		{"null for empty text", `{"id":"x","expression":"\"\"","want":null}`, `null`, `""`},
		{"empty text for null", `{"id":"x","expression":"[a]","want":""}`, `""`, `null`},
		{"a shorter list", `{"id":"x","expression":"[a]","attributes":{"a":["b","c"]},"want":["b"]}`, `["b"]`, `["b","c"]`},
		{"a list in another order", `{"id":"x","expression":"[a]","attributes":{"a":["b","c"]},"want":["c","b"]}`, `["c","b"]`, `["b","c"]`},
		{"an error where there is a value", `{"id":"x","expression":"[a]","want":{"error":"type"}}`, `{"error":"type"}`, `null`},
		{"a value where there is an error", `{"id":"x","expression":"Nope()","want":"b"}`, `"b"`, "{\"error\": \"unknownFunction\"} *"},
		{"another error", `{"id":"x","expression":"Nope()","want":{"error":"type"}}`, `{"error":"type"}`, "{\"error\": \"unknownFunction\"} *"},
		{"a signal where there is none", `{"id":"x","expression":"[a]","want":{"flow":"ignore"}}`, `{"flow":"ignore"}`, `null`},
		{"no signal where there is one", `{"id":"x","expression":"IgnoreFlowIfNullOrEmpty([a])","want":null}`, `null`, `{"flow": "ignore"}`},
		{"a pattern that is not found", `{"id":"x","expression":"\"abc\"","want":{"matches":["b","^x"]}}`, `{"matches":["b","^x"]}`, `"abc"`},
		{"another 64-bit integer", `{"id":"x","expression":"[a]","attributes":{"a":9007199254740993},"want":{"int":"9007199254740992"}}`, `{"int":"9007199254740992"}`, `9007199254740993`},
		{"a log that shows a value", `{"id":"x","expression":"Redact([a])","attributes":{"a":"b"},"want":"b","log":"b"}`, "in the log: b", "[Redact]"},
		{"a log that hides a value", `{"id":"x","expression":"[a]","attributes":{"a":"b"},"want":"b","log":"[Redact]"}`, "in the log: [Redact]", "the value itself"},
		{"in scope", `{"id":"x","filter":{"groups":[{"clauses":[{"attribute":"a","operator":"EQUALS","values":["b"]}]}]},"attributes":{"a":"c"},"want":true}`, `true`, `false (out of scope: a is "c", not EQUALS b)`},
		{"a filter that is refused", `{"id":"x","filter":{"groups":[{"clauses":[]}]},"attributes":{},"want":true}`, `true`, "{\"error\": \"empty\"} *"},
		{"a filter that is not refused", `{"id":"x","filter":{"groups":[]},"attributes":{},"want":{"error":"empty"}}`, `{"error":"empty"}`, `true (in scope: there is no scoping filter)`},
		{"a SCIM filter", `{"id":"x","kind":"filter","input":"a eq 1","resource":{"a":1},"want":false}`, `false`, `true`},
		{"a SCIM filter that is refused", `{"id":"x","kind":"filter","input":"a eq","resource":{},"want":false}`, `false`, "{\"error\": \"invalidFilter\"} *"},
		{"a SCIM path", `{"id":"x","kind":"path","input":"a","resource":{"a":1},"want":{"parsed":{"schema":null,"attribute":"a","filter":null,"subAttribute":null},"values":[]}}`,
			`{"parsed":{"attribute":"a","filter":null,"schema":null,"subAttribute":null},"values":[]}`, `{"parsed":{"attribute":"a","filter":null,"schema":null,"subAttribute":null},"values":[1]}`},
		{"a PATCH", `{"id":"x","kind":"patch","input":{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"a"}]},"resource":{"title":"b"},"want":{"title":"b"}}`,
			`{"title":"b"}`, `{"title":"a"}`},
		{"a body", `{"id":"x","kind":"build","input":[["userName","a"]],"want":{"userName":"a"}}`,
			`{"userName":"a"}`, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cases, err := vectors.Load("x.json", []byte("["+c.text+"]"))
			if err != nil {
				t.Fatal(err)
			}
			err = cases[0].Run(world)
			var f *vectors.Failure
			if !errors.As(err, &f) {
				t.Fatalf("error %v, want a *Failure", err)
			}
			if n := len(c.actual) - 1; n >= 0 && c.actual[n] == '*' && len(f.Actual) > n {
				f.Actual = f.Actual[:n] + "*"
			}
			if diff := cmp.Diff(vectors.Failure{Expected: c.expected, Actual: c.actual}, *f); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadReportsEveryMistake(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no JSON", "[\n{\"id\":}\n]", "x.json:2: no JSON: invalid character '}' looking for beginning of value"},
		{"an early end", "[\n{\"id\":\"a\"", "x.json:2: the file ends early"},
		{"an empty file", "", "x.json:1: the file ends early"},
		{"no list", "{}", `x.json:1: a file of test vectors is a list of cases: [{"id": …}, …]`},
		{"something behind the list", "[]\n[]", "x.json:2: something follows the list of cases"},
		{"several mistakes, each with its line", `[
  7,
  {"want": 1},
  {"id": "a", "want": 1},
  {"id": "b", "expression": "[a]", "attribute": {}, "wanted": 1},
  {"id": "c", "expression": 7, "want": 1},
  {"id": "d", "expression": "[a]", "want": 1},
  {"id": "d", "expression": "[a]", "want": {"flow": "stop"}},
  {"id": "d", "expression": "[a]", "want": 1},
  {"id": "e", "kind": "url", "input": "a", "want": 1},
  {"id": "f", "kind": "path", "want": 1},
  {"id": "g", "kind": "build", "input": [["a"]], "want": 1},
  {"id": "h", "expression": "[a]", "want": {"matches": ["("]}},
  {"id": "i", "expression": "[a]", "want": {"int": 7}}
]`, `x.json:2: a case is an object: {"id": …, "want": …}
x.json:3: "id" is missing; every case has a text of its own by which it is named
x.json:4: a: what is tested is missing: "expression", "filter", "graph", "rule", or "kind" with "input"
x.json:5: b: unknown key "attribute"; a case with "expression" has id, want, expression, attributes, context, log
x.json:5: b: unknown key "wanted"; a case with "expression" has id, want, expression, attributes, context, log
x.json:5: b: "want" is missing: the result that is expected
x.json:6: c: "Expression" cannot be a number
x.json:8: d: "flow" is "ignore" or "ignoreObject"
x.json:9: d: the case in line 7 has the same id
x.json:10: e: kind "url": there are path, filter, patch and build
x.json:11: f: "input" is missing: what the path is
x.json:12: g: pair 1 of the input is not [path, value]
x.json:13: h: "(": error parsing regexp: missing closing ): ` + "`(`" + `
x.json:14: i: "int" is a 64-bit whole number in quotes`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := vectors.Load("x.json", []byte(c.text))
			var ps vectors.Problems
			if !errors.As(err, &ps) {
				t.Fatalf("error %v, want Problems", err)
			}
			if diff := cmp.Diff(c.want, ps.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAttributesResolveNamesAsO02Says(t *testing.T) {
	a := vectors.NewAttributes()
	a.Set("mail", "m")
	a.Set("Mail", "M")
	a.Set("department", "Sales")
	a.Set("a.b", "the whole name goes first")
	a.Set("a", map[string]any{"b": "path"})
	a.Set("name", map[string]any{"familyName": "Novak"})
	a.Set("emails", []any{map[string]any{"type": "work", "value": "w"}, map[string]any{"type": "home", "value": "h"}})
	type result struct {
		Value any
		OK    bool
	}
	got := map[string]result{}
	want := map[string]result{
		"mail": {"m", true}, "Mail": {"M", true}, "MAIL": {nil, false}, "DEPARTMENT": {"Sales", true},
		"a.b": {"the whole name goes first", true}, "name.familyName": {"Novak", true}, "name.givenName": {nil, false},
		`emails[type eq "work"].value`: {"w", true}, "emails.value": {[]any{"w", "h"}, true}, "nope": {nil, false}, "[": {nil, false},
	}
	for name := range want {
		v, ok := a.Attr(name)
		got[name] = result{v, ok}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
