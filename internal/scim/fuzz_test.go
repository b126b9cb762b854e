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
	})
}

// FuzzFilter: a filter is refused with InvalidFilter, or prints to a text that reads as the same tree and matches
// the same resource.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{`userName eq "bjensen"`, `title pr and userType eq "Employee"`, `not (a eq 1.5e2 or b[c eq true])`,
		`emails[type eq "work" and value co "@example.com"].value ne "x"`, `meta.lastModified ge "2011-05-13T04:42:34Z"`, `active gt true`} {
		f.Add(s)
	}
	resource := map[string]any{"userName": "bjensen", "active": true, "title": "x",
		"emails": []any{map[string]any{"type": "work", "value": "b@example.com", "primary": true}, "odd", nil},
		"meta":   map[string]any{"lastModified": "2011-05-13T04:42:34Z"}, "n": 3.0}
	f.Fuzz(func(t *testing.T, in string) {
		filter, err := ParseFilter(in)
		if err != nil {
			mustBeError(t, err, InvalidFilter)
			return
		}
		again, err := ParseFilter(filter.String())
		if err != nil || !cmp.Equal(filter, again) {
			t.Fatalf("%q prints as %q, which reads as %v, %v", in, filter, again, err)
		}
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
	})
}

// FuzzPatch: operations are all done or refused with an *Error; the argument never changes, read-only attributes
// stay, and a plain replace done twice is as if done once.
func FuzzPatch(f *testing.F) {
	for _, s := range []string{
		`[{"op":"add","path":"emails","value":[{"value":"x","primary":true}]}]`,
		`[{"op":"Replace","path":"active","value":"False"},{"op":"remove","path":"title"}]`,
		`[{"op":"replace","value":{"name.givenName":"A","urn:a:b":{"c":null}}}]`,
		`[{"op":"remove","path":"members[value eq \"a\"]"},{"op":"add","path":"phoneNumbers[type eq \"fax\"].value","value":1}]`,
		`[{"op":"remove","path":"members","value":[{"value":"a"},null,"b",[]]}]`,
		`[{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","value":{"manager":"x"}}]`,
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	const resource = `{"id":"1","userName":"u","active":true,"title":"T","emails":[{"value":"e","primary":true},{"value":"f"}],
		"members":[{"value":"a"},{"value":"b"}],"meta":{"version":"1"},"odd":["x",null,{"y":[]}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"d"}}`
	f.Fuzz(func(t *testing.T, in string, strict bool) {
		var ops []Operation
		if json.Unmarshal([]byte(in), &ops) != nil {
			return
		}
		def := builtin()
		if strict {
			def = def.AsStrict()
		}
		before, argument := decode[map[string]any](t, []byte(resource)), decode[map[string]any](t, []byte(resource))
		given := Clone(toAny(ops))
		got, err := Apply(argument, ops, def)
		if diff := cmp.Diff(before, argument); diff != "" {
			t.Fatalf("the argument changed:\n%s", diff)
		}
		if diff := cmp.Diff(given, toAny(ops)); diff != "" {
			t.Fatalf("the operations changed:\n%s", diff)
		}
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
		if countPrimary(got["emails"]) > 1 && strict {
			t.Fatalf("two primary values: %v", got["emails"])
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
	})
}

func toAny(ops []Operation) any {
	l := make([]any, len(ops))
	for i, o := range ops {
		l[i] = map[string]any{"op": o.Op, "path": o.Path, "value": o.Value}
	}
	return l
}
