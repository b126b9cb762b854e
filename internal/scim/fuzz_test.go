package scim

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustBeError(t *testing.T, err error, types ...ErrorType) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Status != 400 {
		t.Fatalf("error %v is no *Error with status 400", err)
	}
	for _, want := range types {
		if e.ScimType == want {
			return
		}
	}
	t.Fatalf("error type %q, want one of %q", e.ScimType, types)
}

// FuzzPath: a path is refused with InvalidPath, or prints to a text that reads as the same path.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"userName", "name.familyName", `emails[type eq "work"].value`, EnterpriseUserURN + ":manager.displayName",
		litmosURN + ":CustomField:CustomField1", EnterpriseUserURN, `a[not (b eq 1) or c pr]`, ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		p, err := ParsePath(in, litmosURN)
		if err != nil {
			mustBeError(t, err, InvalidPath)
			return
		}
		again, err := ParsePath(p.String(), litmosURN)
		if err != nil || !cmp.Equal(p, again) {
			t.Fatalf("%q prints as %q, which reads as %+v, %v", in, p, again, err)
		}
		resource := map[string]any{}
		if err := p.Set(resource, "x"); err != nil {
			mustBeError(t, err, InvalidPath)
			return
		}
		if got := p.Values(resource); p.Attribute != "" && p.Filter == nil && len(got) != 1 {
			t.Fatalf("%q: set %v, found %v", in, resource, got)
		}
		checkNothingEmpty(t, resource)
		once := Clone(resource)
		if err := p.Set(resource, "x"); err != nil || p.Filter == nil && !cmp.Equal(once, any(resource)) {
			t.Fatalf("%q: set twice gives %v after %v, error %v", in, resource, once, err)
		}
	})
}

// FuzzFilter: a filter is refused with InvalidFilter, or prints to a text that reads as the same tree and matches
// the same resources. A filter and its negation are never both true, the resource never changes, and where a strict
// definition takes a filter, it decides as the other one does.
func FuzzFilter(f *testing.F) {
	const resource = `{"userName":"bjensen","active":true,"title":"x","emails":[{"type":"work","value":"b@example.com","primary":true},"odd",null],
		"meta":{"lastModified":"2011-05-13T04:42:34Z"},"n":3.0}`
	for _, s := range []string{`userName eq "bjensen"`, `title pr and userType eq "Employee"`, `not (a eq 1.5e2 or b[c eq true])`,
		`emails[type eq "work" and value co "@example.com"].value ne "x"`, `meta.lastModified ge "2011-05-13T04:42:34Z"`, `active gt true`,
		`emails[not (primary eq true)] or userName sw "B"`, `urn:ietf:params:scim:schemas:core:2.0:User:userName ew "n"`, `title eq null`} {
		f.Add(s, resource)
		f.Add(s, `{"title":"","userType":["Employee"],"a":1e400,"b":[[]],"active":"False"}`)
	}
	f.Fuzz(func(t *testing.T, in, resourceJSON string) {
		filter, err := ParseFilter(in)
		if err != nil {
			mustBeError(t, err, InvalidFilter)
			return
		}
		again, err := ParseFilter(filter.String())
		if err != nil || !cmp.Equal(filter, again) {
			t.Fatalf("%q prints as %q, which reads as %v, %v", in, filter, again, err)
		}
		var resource map[string]any
		if json.Unmarshal([]byte(resourceJSON), &resource) != nil || resource == nil {
			return
		}
		before := Clone(resource)
		got, err := filter.Match(resource, nil)
		if err != nil {
			mustBeError(t, err, InvalidFilter)
		}
		if same, err2 := again.Match(resource, nil); same != got || (err == nil) != (err2 == nil) {
			t.Fatalf("%q: %v, %v, then %v, %v", in, got, err, same, err2)
		}
		if err == nil {
			if negated, _ := (&Not{filter}).Match(resource, nil); negated == got {
				t.Fatalf("%q and its negation are both %v", in, got)
			}
		}
		switch strictly, strictErr := filter.Match(resource, builtin().AsStrict()); {
		case strictErr != nil:
			mustBeError(t, strictErr, InvalidFilter)
		case err != nil || strictly != got:
			t.Fatalf("%q: strict %v, otherwise %v, %v", in, strictly, got, err)
		}
		if diff := cmp.Diff(before, any(resource)); diff != "" {
			t.Fatalf("%q changed the resource:\n%s", in, diff)
		}
	})
}

// FuzzPatch: operations are all done or refused with an *Error; the argument never changes, and shares nothing with the
// result. Read-only attributes stay. What was valid stays valid, and nothing null or empty is left. Operations done
// together are the same as done one after another, and a plain replace done twice is as if done once.
func FuzzPatch(f *testing.F) {
	for _, s := range []string{
		`[{"op":"add","path":"emails","value":[{"value":"x","primary":true}]}]`,
		`[{"op":"Replace","path":"active","value":"False"},{"op":"remove","path":"title"}]`,
		`[{"op":"replace","value":{"name.givenName":"A","urn:a:b":{"c":null}}}]`,
		`[{"op":"remove","path":"members[value eq \"a\"]"},{"op":"add","path":"phoneNumbers[type eq \"fax\"].value","value":1}]`,
		`[{"op":"remove","path":"members","value":[{"value":"a"},null,"b",[]]}]`,
		`[{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","value":{"manager":"x"}}]`,
		`[{"op":"replace","path":"emails.primary","value":true}]`,
		`[{"op":"replace","path":"emails","value":[{"value":"x","primary":true},{"value":"y","primary":true}]}]`,
		`[{"op":"add","path":"emails[value eq \"f\"].primary","value":true},{"op":"remove","path":"emails[primary eq true]"}]`,
		`[{"op":"replace","path":"odd.value","value":{"a":1}},{"op":"replace","path":"odd.a","value":2}]`,
		`[{"op":"remove","path":"name.givenName"},{"op":"remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"}]`,
		`[{"op":"add","path":"manager","value":[{"value":"m"}]},{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"z"}}]`,
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, in string, strict bool) {
		var ops []Operation
		if json.Unmarshal([]byte(in), &ops) == nil {
			checkPatch(t, ops, strict)
		}
	})
}

// FuzzPatchSequence is FuzzPatch with operations that are well formed: three numbers choose operation, path and value.
func FuzzPatchSequence(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 3, 2, 2, 5, 4}, false)
	f.Add([]byte{2, 9, 0, 0, 14, 1, 1, 21, 9}, true)
	const enterprise = EnterpriseUserURN + ":"
	kinds := []string{"add", "replace", "remove", "Add", "Replace", "Remove"}
	paths := []string{"", "userName", "active", "name", "name.givenName", "emails", "emails.primary", "emails.type", "emails[primary eq true]",
		`emails[value eq "f"].primary`, `emails[type eq "work"].value`, `emails[type pr or value eq "e"]`, `emails[not (type pr)].type`, "members",
		`members[value eq "a"]`, "members.value", "title", "id", "meta.version", "schemas", EnterpriseUserURN, enterprise + "department",
		enterprise + "manager", enterprise + "manager.value", "manager", "odd", "odd.y", `odd[y eq "z"]`, "odd.value", "urn:example:a:b", "urn:example:a:b:c",
		"urn:example:a:b:c.d", "addresses", `addresses[type eq "work"].country`, "roles", `roles[primary eq "True"].value`, "phoneNumbers.value", "groups"}
	values := []string{`null`, `"x"`, `""`, `true`, `false`, `"True"`, `1`, `1.5`, `[]`, `{}`, `["x"]`, `["x","x",null]`, `[{}]`, `[null]`,
		`{"value":"e"}`, `{"value":"e","primary":true}`, `[{"value":"g","primary":true},{"value":"h","primary":"True"}]`,
		`[{"value":"e","primary":true}]`, `{"givenName":null}`, `{"givenName":"A","familyName":""}`, `{"value":"x","type":"work","odd":[[]]}`,
		`{"title":"U","emails":[{"value":"k"}],"name.givenName":"B"}`, `{"urn:example:a:b":{"c":{"d":[null]}},"emails[type eq \"work\"].value":"w"}`,
		`{"department":"","manager":{"value":"m","displayName":"M"}}`, `[{"value":"a"},"b"]`, `[["x"]]`, `{"a":{"b":{}}}`}
	f.Fuzz(func(t *testing.T, choices []byte, strict bool) {
		var ops []Operation
		for ; len(choices) >= 3 && len(ops) < 8; choices = choices[3:] {
			op := Operation{Op: kinds[int(choices[0])%len(kinds)], Path: paths[int(choices[1])%len(paths)]}
			op.Value = decode[any](t, []byte(values[int(choices[2])%len(values)]))
			ops = append(ops, op)
		}
		checkPatch(t, ops, strict)
	})
}

func checkPatch(t *testing.T, ops []Operation, strict bool) {
	t.Helper()
	const resource = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"id":"1","userName":"u","active":true,"title":"T","name":{"givenName":"G"},"emails":[{"value":"e","primary":true},{"value":"f"}],
		"members":[{"value":"a"},{"value":"b"}],"meta":{"version":"1"},
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"d"}}`
	argument := decode[map[string]any](t, []byte(resource))
	def := builtin()
	if strict {
		def = def.AsStrict()
	} else {
		argument["odd"] = []any{"x", "y", map[string]any{"y": "z"}}
	}
	if p := def.Validate(argument); len(p) > 0 {
		t.Fatalf("the resource is not valid to begin with: %v", p)
	}
	before := Clone(argument).(map[string]any)
	given := Clone(toAny(ops))
	got, err := Apply(argument, ops, def)
	if diff := cmp.Diff(before, argument); diff != "" {
		t.Fatalf("the argument changed:\n%s", diff)
	}
	if diff := cmp.Diff(given, toAny(ops)); diff != "" {
		t.Fatalf("the operations changed:\n%s", diff)
	}
	checkInSteps(t, before, ops, def, got, err)
	if err != nil {
		mustBeError(t, err, InvalidFilter, InvalidPath, InvalidSyntax, InvalidValue, NoTarget, Mutability)
		if got != nil {
			t.Fatalf("result %v beside an error", got)
		}
		return
	}
	if got["id"] != "1" || !cmp.Equal(got["meta"], before["meta"]) {
		t.Fatalf("read-only attributes became %v, %v", got["id"], got["meta"])
	}
	checkNothingEmpty(t, got)
	for _, p := range def.Validate(got) {
		if p.Path != "schemas" { // the list is for the server to write, from what the resource holds
			t.Fatalf("no longer valid: %+v in %v", p, got)
		}
	}
	if n := countPrimary(got["emails"]); n > 1 {
		t.Fatalf("%d primary values: %v", n, got["emails"])
	}
	if len(ops) == 1 && FoldKey(ops[0].Op) == OpReplace && ops[0].Path != "" {
		if p, _ := ParsePath(ops[0].Path, def.SchemaURIs()...); p.Filter != nil {
			return
		}
		twice, err := Apply(got, ops, def)
		if err != nil || !cmp.Equal(got, twice) {
			t.Fatalf("replace once gives %v, twice %v, %v", got, twice, err)
		}
	}
	scramble(got)
	if diff := cmp.Diff(before, argument); diff != "" {
		t.Fatalf("the argument changed with the result:\n%s", diff)
	}
	if diff := cmp.Diff(given, toAny(ops)); diff != "" {
		t.Fatalf("the operations changed with the result:\n%s", diff)
	}
}

// checkInSteps carries out the operations one at a time and wants the same outcome.
func checkInSteps(t *testing.T, resource map[string]any, ops []Operation, def *Definition, want map[string]any, wantErr error) {
	t.Helper()
	got := resource
	for i := range ops {
		var err error
		if got, err = Apply(got, ops[i:i+1], def); err != nil {
			if wantErr == nil || asError(wantErr).ScimType != asError(err).ScimType {
				t.Fatalf("alone, operation %d gives %v; together they give %v", i+1, err, wantErr)
			}
			return
		}
	}
	if wantErr != nil || !cmp.Equal(want, got) {
		t.Fatalf("one after another gives %v, together %v, %v", got, want, wantErr)
	}
}

// checkNothingEmpty finds null and empty values, which are no values in SCIM (RFC 7643 section 2.5).
func checkNothingEmpty(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		t.Fatal("a null is left")
	case map[string]any:
		if len(v) == 0 {
			t.Fatal("an empty object is left")
		}
		for _, e := range v {
			checkNothingEmpty(t, e)
		}
	case []any:
		if len(v) == 0 {
			t.Fatal("an empty list is left")
		}
		for _, e := range v {
			checkNothingEmpty(t, e)
		}
	}
}

// scramble changes everything in a value.
func scramble(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			scramble(e)
			v[k] = "scrambled"
		}
	case []any:
		for i, e := range v {
			scramble(e)
			v[i] = "scrambled"
		}
	}
}

func toAny(ops []Operation) any {
	l := make([]any, len(ops))
	for i, o := range ops {
		l[i] = map[string]any{"op": o.Op, "path": o.Path, "value": o.Value}
	}
	return l
}
