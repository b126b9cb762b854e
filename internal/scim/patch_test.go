package scim

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestApply(t *testing.T) {
	tests := []struct {
		name         string
		resource     string
		ops          string
		want         string    // empty: refused with lenientError
		lenientError ErrorType // empty: taken
		strictError  ErrorType // empty: same result when strict
	}{
		{name: "null unassigns with replace", resource: `{"userName":"a","title":"x"}`,
			ops: `[{"op":"replace","path":"title","value":null}]`, want: `{"userName":"a"}`},
		{name: "an empty list unassigns", resource: `{"userName":"a","emails":[{"value":"x"}]}`,
			ops: `[{"op":"replace","path":"emails","value":[]}]`, want: `{"userName":"a"}`},
		{name: "a value that is there is not added twice", resource: `{"emails":[{"value":"x","type":"work"}]}`,
			ops:  `[{"op":"add","path":"emails","value":[{"TYPE":"work","value":"x"}]}]`,
			want: `{"emails":[{"value":"x","type":"work"}]}`},
		{name: "a member is the same by its value", resource: `{"members":[{"value":"u1","display":"One"}]}`,
			ops:  `[{"op":"add","path":"members","value":[{"value":"u1"},{"value":"u2"},{"value":"u2"}]}]`,
			want: `{"members":[{"value":"u1","display":"One"},{"value":"u2"}]}`},
		{name: "add takes one value for a list", resource: `{}`,
			ops: `[{"op":"add","path":"members","value":{"value":"u1"}}]`, want: `{"members":[{"value":"u1"}]}`},
		{name: "a new primary value takes the mark from the others", resource: `{"emails":[{"value":"x","primary":true}]}`,
			ops:  `[{"op":"add","path":"emails","value":[{"value":"y","primary":true}]}]`,
			want: `{"emails":[{"value":"x","primary":false},{"value":"y","primary":true}]}`},
		{name: "primary set by path takes the mark from the others", resource: `{"emails":[{"value":"x","primary":true},{"value":"y"}]}`,
			ops:  `[{"op":"replace","path":"emails[value eq \"y\"].primary","value":true}]`,
			want: `{"emails":[{"value":"x","primary":false},{"value":"y","primary":true}]}`},
		{name: "of two primary values in a list the last keeps the mark (RFC 7643 2.4)", resource: `{}`,
			ops:         `[{"op":"replace","path":"emails","value":[{"value":"x","primary":true},{"value":"y","primary":true}]}]`,
			want:        `{"emails":[{"value":"x","primary":false},{"value":"y","primary":true}]}`,
			strictError: InvalidValue},
		{name: "primary set without a filter marks the last value (RFC 7643 2.4)", resource: `{"emails":[{"value":"x"},{"value":"y"}]}`,
			ops:         `[{"op":"replace","path":"emails.primary","value":true}]`,
			want:        `{"emails":[{"value":"x","primary":false},{"value":"y","primary":true}]}`,
			strictError: InvalidValue},
		{name: "a complex value is merged by replace", resource: `{"name":{"givenName":"A","familyName":"B"}}`,
			ops:  `[{"op":"replace","path":"name","value":{"familyname":"C"}}]`,
			want: `{"name":{"givenName":"A","familyName":"C"}}`},
		{name: "a sub-attribute makes its attribute", resource: `{}`,
			ops: `[{"op":"add","path":"name.givenName","value":"A"}]`, want: `{"name":{"givenName":"A"}}`},
		{name: "the last sub-attribute takes its attribute along", resource: `{"userName":"a","name":{"givenName":"A"}}`,
			ops: `[{"op":"remove","path":"name.givenName"}]`, want: `{"userName":"a"}`},
		{name: "the last attribute takes its extension along",
			resource: `{"userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"d"}}`,
			ops:      `[{"op":"remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"}]`,
			want:     `{"userName":"a"}`},
		{name: "a schema is the whole extension (P-01)",
			resource: `{"userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"d","costCenter":"1"}}`,
			ops:      `[{"op":"remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"}]`,
			want:     `{"userName":"a"}`},
		{name: "an extension in a value without path is merged",
			resource: `{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"d","costCenter":"1"}}`,
			ops:      `[{"op":"replace","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"e"}}}]`,
			want:     `{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"e","costCenter":"1"}}`},
		{name: "remove by filter and sub-attribute keeps the element", resource: `{"phoneNumbers":[{"type":"work","value":"1","display":"d"}]}`,
			ops:  `[{"op":"remove","path":"phoneNumbers[type eq \"work\"].display"}]`,
			want: `{"phoneNumbers":[{"type":"work","value":"1"}]}`},
		{name: "a sub-attribute without filter is set on every element", resource: `{"emails":[{"value":"x"},{"value":"y"}]}`,
			ops:  `[{"op":"replace","path":"emails.type","value":"home"}]`,
			want: `{"emails":[{"value":"x","type":"home"},{"value":"y","type":"home"}]}`},
		{name: "a manager is set as an object", resource: `{}`,
			ops:  `[{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":{"value":"7"}}]`,
			want: `{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7"}}}`},

		{name: "a manager is set as a bare text (scim.R35)", resource: `{}`,
			ops:         `[{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"7"}]`,
			want:        `{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7"}}}`,
			strictError: InvalidValue},
		{name: "a manager is set as a list without URN (scim.R35)", resource: `{}`,
			ops:         `[{"op":"Add","path":"manager","value":[{"$ref":"../Users/7","value":"7"}]}]`,
			want:        `{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7","$ref":"../Users/7"}}}`,
			strictError: InvalidPath},
		{name: "a text stands for a Boolean (P-05)", resource: `{"active":true}`,
			ops: `[{"op":"Replace","path":"active","value":"False"}]`, want: `{"active":false}`, strictError: InvalidValue},
		{name: "a text stands for a Boolean in a value without path (P-05)", resource: `{"active":true}`,
			ops: `[{"op":"replace","value":{"active":"false"}}]`, want: `{"active":false}`, strictError: InvalidValue},
		{name: "remove with a list removes those only (P-06)", resource: `{"members":[{"value":"a"},{"value":"b"}]}`,
			ops: `[{"op":"Remove","path":"members","value":[{"value":"a"}]}]`, want: `{"members":[{"value":"b"}]}`, strictError: InvalidSyntax},
		{name: "keys of a value are paths (scim.R32)", resource: `{"name":{"givenName":"A"}}`,
			ops: `[{"op":"replace","value":{"name.givenName":"B"}}]`, want: `{"name":{"givenName":"B"}}`, strictError: InvalidPath},
		{name: "add makes the element a filter asks for", resource: `{}`,
			ops:  `[{"op":"Add","path":"phoneNumbers[type eq \"fax\"].value","value":"5"}]`,
			want: `{"phoneNumbers":[{"type":"fax","value":"5"}]}`, strictError: NoTarget},
		{name: "removing what no element matches changes nothing", resource: `{"members":[{"value":"a"}]}`,
			ops: `[{"op":"remove","path":"members[value eq \"z\"]"}]`, want: `{"members":[{"value":"a"}]}`, strictError: NoTarget},
		{name: "an attribute no schema describes is kept", resource: `{}`,
			ops:  `[{"op":"add","path":"urn:example:Depot:2.0:User:badge","value":"B"}]`,
			want: `{"urn:example:Depot:2.0:User":{"badge":"B"}}`, strictError: InvalidPath},
		{name: "an extension no schema describes is kept", resource: `{}`,
			ops:  `[{"op":"add","value":{"urn:example:Depot:2.0:User":{"badge":"B"}}}]`,
			want: `{"urn:example:Depot:2.0:User":{"badge":"B"}}`, strictError: InvalidPath},
		{name: "a read-only attribute may repeat its value", resource: `{"id":"1","displayName":"a"}`,
			ops: `[{"op":"replace","value":{"id":"1","displayName":"b"}}]`, want: `{"id":"1","displayName":"b"}`, strictError: Mutability},

		{name: "replace of an element that is not there", resource: `{"emails":[{"type":"work"}]}`,
			ops: `[{"op":"replace","path":"emails[type eq \"home\"].value","value":"x"}]`, lenientError: NoTarget, strictError: NoTarget},
		{name: "the second operation fails and takes the first along", resource: `{"userName":"a"}`,
			ops:          `[{"op":"replace","path":"userName","value":"b"},{"op":"replace","path":"id","value":"x"}]`,
			lenientError: Mutability, strictError: Mutability},
		{name: "groups of a user are read-only", resource: `{}`,
			ops: `[{"op":"add","path":"groups","value":[{"value":"g"}]}]`, lenientError: Mutability, strictError: Mutability},
		{name: "a read-only sub-attribute", resource: `{"meta":{"created":"2026-01-01T00:00:00Z"}}`,
			ops: `[{"op":"remove","path":"meta.created"}]`, lenientError: Mutability, strictError: Mutability},
		{name: "the value of a member is immutable", resource: `{"members":[{"value":"a"}]}`,
			ops: `[{"op":"replace","path":"members[value eq \"a\"].value","value":"b"}]`, lenientError: Mutability, strictError: Mutability},
		{name: "a list for a single value", resource: `{}`,
			ops: `[{"op":"replace","path":"title","value":["a","b"]}]`, lenientError: InvalidValue, strictError: InvalidValue},
		{name: "a number for a text", resource: `{}`,
			ops: `[{"op":"replace","path":"title","value":5}]`, lenientError: InvalidValue, strictError: InvalidValue},
		{name: "a text for an address", resource: `{}`,
			ops: `[{"op":"add","path":"addresses","value":["Main Street"]}]`, lenientError: InvalidValue, strictError: InvalidValue},
		{name: "a text without path", resource: `{}`,
			ops: `[{"op":"add","value":"x"}]`, lenientError: InvalidSyntax, strictError: InvalidSyntax},
		{name: "a filter that compares badly", resource: `{"emails":[{"value":"x"}]}`,
			ops: `[{"op":"remove","path":"emails[primary gt true]"}]`, lenientError: InvalidPath, strictError: InvalidPath},
	}
	for _, tt := range tests {
		for _, strict := range []bool{false, true} {
			name, wantErr := tt.name, tt.lenientError
			def := builtin()
			if strict {
				name, wantErr, def = name+", strict", tt.strictError, def.AsStrict()
			}
			t.Run(name, func(t *testing.T) {
				resource := decode[map[string]any](t, []byte(tt.resource))
				got, err := Apply(resource, decode[[]Operation](t, []byte(tt.ops)), def)
				if diff := cmp.Diff(decode[map[string]any](t, []byte(tt.resource)), resource); diff != "" {
					t.Errorf("the argument changed:\n%s", diff)
				}
				if wantErr != "" {
					wantType(t, err, wantErr)
					if got != nil {
						t.Errorf("result %v beside an error", got)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(decode[map[string]any](t, []byte(tt.want)), got); diff != "" {
					t.Errorf("after (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestRequiredCannotBeRemoved covers RFC 7644 section 3.5.2.2.
func TestRequiredCannotBeRemoved(t *testing.T) {
	for _, ops := range []string{
		`[{"op":"remove","path":"userName"}]`,
		`[{"op":"replace","path":"userName","value":null}]`,
		`[{"op":"replace","value":{"userName":""}}]`,
	} {
		_, err := Apply(map[string]any{"userName": "a"}, decode[[]Operation](t, []byte(ops)), UserDefinition())
		wantType(t, err, Mutability)
	}
}

func TestParsePatchOpRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON":        `{`,
		"no schemas":     `{"Operations":[{"op":"remove","path":"title"}]}`,
		"no operations":  `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[]}`,
		"other schema":   `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"Operations":[{"op":"remove"}]}`,
		"list as a body": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParsePatchOp([]byte(body))
			wantType(t, err, InvalidSyntax)
		})
	}
}
