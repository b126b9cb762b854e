package scim

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCanonical(t *testing.T) {
	in := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"USERNAME":"mira","id":"mine","active":"True",
		"title":null,"emails":{"VALUE":"m@example.net","$ref":null},"groups":[{"value":"g"}],"meta":{"resourceType":"User"},
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"Department":"Line 12","manager":"7","costCenter":null},
		"urn:example:Depot:2.0:User":{"badge":"B","none":null}}`
	want := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","urn:example:Depot:2.0:User"],
		"userName":"mira","active":true,"emails":[{"value":"m@example.net"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Line 12","manager":{"value":"7"}},
		"urn:example:Depot:2.0:User":{"badge":"B"}}`
	got, problems := UserDefinition().Canonical(decode[map[string]any](t, []byte(in)))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(decode[map[string]any](t, []byte(want)), got); diff != "" {
		t.Errorf("canonical form (-want +got):\n%s", diff)
	}
}

func TestValidate(t *testing.T) {
	core := `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`
	type finding struct {
		Path string
		Type ErrorType
	}
	tests := []struct {
		name, in        string
		lenient, strict []finding
	}{
		{"a complete user", `{` + core + `,"userName":"a","name":{"givenName":"A"}}`, nil, nil},
		{"userName is missing", `{` + core + `}`, []finding{{"userName", InvalidValue}}, []finding{{"userName", InvalidValue}}},
		{"userName is empty", `{` + core + `,"userName":""}`, []finding{{"userName", InvalidValue}}, []finding{{"userName", InvalidValue}}},
		{"several problems at once", `{` + core + `,"title":1,"name":"A","active":"maybe"}`,
			[]finding{{"active", InvalidValue}, {"name", InvalidValue}, {"title", InvalidValue}, {"userName", InvalidValue}},
			[]finding{{"active", InvalidValue}, {"name", InvalidValue}, {"title", InvalidValue}, {"userName", InvalidValue}}},
		{"no schemas", `{"userName":"a"}`, nil, []finding{{"schemas", InvalidSyntax}}},
		{"an unknown schema", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:x:y"],"userName":"a"}`, nil,
			[]finding{{"schemas", InvalidValue}}},
		{"an extension that schemas does not list", `{` + core + `,"userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"d"}}`,
			nil, []finding{{"schemas", InvalidSyntax}}},
		{"an unknown attribute", `{` + core + `,"userName":"a","shoeSize":"42"}`, nil, []finding{{"shoeSize", InvalidSyntax}}},
		{"an unknown sub-attribute", `{` + core + `,"userName":"a","name":{"nick":"x"}}`, nil, []finding{{"name", InvalidSyntax}}},
		{"a text for a Boolean", `{` + core + `,"userName":"a","active":"True"}`, nil, []finding{{"active", InvalidValue}}},
		{"two primary values", `{` + core + `,"userName":"a","emails":[{"value":"x","primary":true},{"value":"y","primary":true}]}`, nil,
			[]finding{{"emails", InvalidValue}}},
		{"an object for a list", `{` + core + `,"userName":"a","emails":{"value":"x"}}`, nil, []finding{{"emails", InvalidValue}}},
		{"bad base64", `{` + core + `,"userName":"a","x509Certificates":[{"value":"!"}]}`,
			[]finding{{"x509Certificates", InvalidValue}}, []finding{{"x509Certificates", InvalidValue}}},
		{"an extension that is no object", `{` + core + `,"userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":"x"}`,
			[]finding{{EnterpriseUserURN, InvalidSyntax}}, []finding{{EnterpriseUserURN, InvalidSyntax}}},
	}
	for _, tt := range tests {
		for name, def := range map[string]*Definition{"lenient": UserDefinition(), "strict": UserDefinition().AsStrict()} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				var got []finding
				for _, p := range def.Validate(decode[map[string]any](t, []byte(tt.in))) {
					if p.Detail == "" || p.Err().Status != 400 {
						t.Errorf("problem %+v says too little", p)
					}
					got = append(got, finding{p.Path, p.ScimType})
				}
				want := tt.lenient
				if def.Strict() {
					want = tt.strict
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("problems (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestRequiredExtensionsAndSubAttributes(t *testing.T) {
	def := GroupDefinition().With(Extension{Required: true, Schema: Schema{ID: "urn:example:2.0:Team", Attributes: []Attribute{
		{Name: "site", Required: true},
		{Name: "leads", Type: Complex, MultiValued: true, SubAttributes: []Attribute{{Name: "value", Required: true}, {Name: "rank"}}},
	}}})
	tests := []struct {
		name, in string
		want     []string
	}{
		{"a required extension is missing", `{"displayName":"G"}`, []string{"urn:example:2.0:Team:site"}},
		{"a required sub-attribute is missing", `{"displayName":"G","urn:example:2.0:Team":{"site":"B","leads":[{"value":"u"},{"rank":"1"}]}}`,
			[]string{"urn:example:2.0:Team:leads.value"}},
		{"all there", `{"displayName":"G","urn:example:2.0:Team":{"site":"B","leads":[{"value":"u"}]}}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range def.Validate(decode[map[string]any](t, []byte(tt.in))) {
				got = append(got, p.Path)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSchemaJSON covers scim.R45: camel-case values, no nulls, and reading back what was written.
func TestSchemaJSON(t *testing.T) {
	for _, s := range []Schema{UserSchema(), EnterpriseUserSchema(), GroupSchema()} {
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "null") || !strings.Contains(string(data), `"mutability":"readWrite"`) {
			t.Errorf("%s: %s", s.ID, data)
		}
		if diff := cmp.Diff(s, decode[Schema](t, data)); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
	}
	data, err := json.Marshal(Attribute{Name: "x"})
	want := `{"name":"x","type":"string","multiValued":false,"required":false,"caseExact":false,"mutability":"readWrite","returned":"default","uniqueness":"none"}`
	if err != nil || string(data) != want {
		t.Errorf("attribute with defaults: %s, %v", data, err)
	}
}

func TestFind(t *testing.T) {
	def := UserDefinition()
	for path, want := range map[string]string{
		"USERNAME": "userName", "emails.PRIMARY": "primary", UserURN + ":title": "title",
		EnterpriseUserURN + ":manager.value": "value", "department": "department", "id": "id", "nothing": "", "name.nothing": "",
	} {
		p, err := ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if a := def.Find(p); a != nil {
			got = a.Name
		}
		if got != want {
			t.Errorf("Find(%s) = %q, want %q", path, got, want)
		}
	}
}

func TestErrorJSON(t *testing.T) {
	e := NewError(409, Uniqueness, "userName %s is taken", "mira")
	data, err := json.Marshal(e)
	want := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness","detail":"userName mira is taken"}`
	if err != nil || string(data) != want {
		t.Errorf("written %s, %v", data, err)
	}
	for _, in := range []string{want, `{"status":409,"scimType":"uniqueness","detail":"userName mira is taken"}`} {
		got := decode[Error](t, []byte(in))
		if diff := cmp.Diff(*e, got); diff != "" {
			t.Errorf("read %s (-want +got):\n%s", in, diff)
		}
	}
	if got := decode[Error](t, []byte(`{"status":"teapot"}`)); got.Status != 0 {
		t.Errorf("unreadable status gives %d", got.Status)
	}
}

func TestOperationJSON(t *testing.T) {
	data, err := json.Marshal(NewPatchOp(
		Operation{Op: OpReplace, Path: "active", Value: false},
		Operation{Op: OpRemove, Path: "title"},
		Operation{Op: OpAdd, Value: map[string]any{"title": ""}}))
	want := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false},{"op":"remove","path":"title"},{"op":"add","value":{"title":""}}]}`
	if err != nil || string(data) != want {
		t.Errorf("written %s, %v", data, err)
	}
}

func TestCaseExactOfUserAttributes(t *testing.T) {
	// RFC 7643 section 8.7.1, but for references, which section 2.3.7 makes case exact.
	want := map[string]bool{"userName": false, "password": false, "id": true, "externalId": true, "profileUrl": true, "groups.$ref": true, "emails.value": false}
	got := map[string]bool{}
	for name := range want {
		path, err := ParsePath(name)
		if err != nil {
			t.Fatal(err)
		}
		got[name] = UserDefinition().Find(path).CaseExact
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("caseExact (-want +got):\n%s", diff)
	}
}
