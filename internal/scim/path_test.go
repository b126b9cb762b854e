package scim

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const litmosURN = "urn:ietf:params:scim:schemas:extension:Litmos:2.0:User"

func TestParsePath(t *testing.T) {
	tests := []struct {
		name  string
		in    string
		known []string
		want  Path
	}{
		{"the last colon ends an unknown schema (scim.R23)", litmosURN + ":CustomField:CustomField1", nil,
			Path{Schema: litmosURN + ":CustomField", Attribute: "CustomField1"}},
		{"a known schema wins over the last colon (P-02)", litmosURN + ":CustomField:CustomField1", []string{litmosURN},
			Path{Schema: litmosURN, Attribute: "CustomField", SubAttribute: "CustomField1"}},
		{"the longest known schema wins (P-02)", litmosURN + ":CustomField:CustomField1",
			[]string{litmosURN, litmosURN + ":CustomField"},
			Path{Schema: litmosURN + ":CustomField", Attribute: "CustomField1"}},
		{"a known schema is found without regard to case", "URN:IETF:params:scim:schemas:extension:enterprise:2.0:USER:department", nil,
			Path{Schema: "URN:IETF:params:scim:schemas:extension:enterprise:2.0:USER", Attribute: "department"}},
		{"a built-in schema alone is the whole extension (P-01)", EnterpriseUserURN, nil, Path{Schema: EnterpriseUserURN}},
		{"a given schema alone is the whole extension (P-01)", litmosURN, []string{litmosURN}, Path{Schema: litmosURN}},
		{"$ref is a sub-attribute", "members.$ref", nil, Path{Attribute: "members", SubAttribute: "$ref"}},
		{"digits, hyphen and underscore are part of names", "x5-09_b", nil, Path{Attribute: "x5-09_b"}},
		{"schemas that are addresses are taken", "http://example.com/schemas/User:badge", nil,
			Path{Schema: "http://example.com/schemas/User", Attribute: "badge"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParsePath(tt.in, tt.known...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("path (-want +got):\n%s", diff)
			}
			again, err := ParsePath(got.String(), tt.known...)
			if err != nil || !cmp.Equal(got, again) {
				t.Errorf("%s reads as %+v, %v", got, again, err)
			}
		})
	}
}

func TestParsePathRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"a blank":                            "user Name",
		"a trailing blank":                   "userName ",
		"a digit in front":                   "1st",
		"two sub-attributes":                 "a.b.c",
		"a filter after a sub-attribute":     `name.x[a eq "b"]`,
		"brackets in brackets":               `a[b[c eq "d"]]`,
		"text after the brackets":            `emails[type eq "work"]value`,
		"an empty sub-attribute":             `emails[type eq "work"].`,
		"a colon at the end":                 EnterpriseUserURN + ":",
		"a colon in front":                   ":userName",
		"an operator":                        "userName pr",
		"a schema with a quotation mark":     `urn:"x":a`,
		"three names after a known schema":   EnterpriseUserURN + ":a:b:c",
		"a comparison with an unquoted text": "emails[type eq work]",
	} {
		t.Run(name, func(t *testing.T) {
			path, err := ParsePath(in)
			wantType(t, err, InvalidPath)
			if !path.IsZero() {
				t.Errorf("path %v beside an error", path)
			}
		})
	}
}

func TestValuesOfPath(t *testing.T) {
	resource := decode[map[string]any](t, []byte(`{
		"USERNAME":"mira","nickName":null,"tags":["a",null,"b"],
		"emails":[{"type":"work","value":"m@example.net","primary":true},{"type":"home"}],
		"urn:example:Depot:2.0:User":{"badge":"B-118"},
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7"}}}`))
	tests := []struct {
		name, path string
		want       []any
	}{
		{"names of the resource may be in any case", "userName", []any{"mira"}},
		{"null is no value", "nickName", []any{}},
		{"null in a list is no value", "tags", []any{"a", "b"}},
		{"an element without the sub-attribute gives nothing", "emails.value", []any{"m@example.net"}},
		{"an extension no schema describes", "urn:example:Depot:2.0:User:badge", []any{"B-118"}},
		{"an extension attribute is found without its URN", "manager.value", []any{"7"}},
		{"the whole extension", EnterpriseUserURN, []any{map[string]any{"manager": map[string]any{"value": "7"}}}},
		{"an extension that is not there", "urn:example:Other:User:badge", []any{}},
		{"simple values are their own value", "tags.value", []any{"a", "b"}},
		{"simple values are selected by value", `tags[value eq "b"]`, []any{"b"}},
		{"a Boolean is selected by its text (P-03)", `emails[primary eq "TRUE"].type`, []any{"work"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path, err := ParsePath(tt.path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, path.Values(resource)); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFoldKeyAgreesWithEqualFold(t *testing.T) {
	for _, pair := range [][2]string{{"Mira", "mIRA"}, {"ÄRGER", "ärger"}, {"\u212Aelvin", "kelvin"}, {"ΣΑΣ", "σας"}, {"", ""}} {
		if FoldKey(pair[0]) != FoldKey(pair[1]) {
			t.Errorf("%q and %q have keys %q and %q", pair[0], pair[1], FoldKey(pair[0]), FoldKey(pair[1]))
		}
	}
	if FoldKey("a") == FoldKey("b") || FoldKey("ss") == FoldKey("ß") {
		t.Error("different texts have one key")
	}
}
