package scim

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustPath(t testing.TB, text string) Path {
	t.Helper()
	p, err := ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSet(t *testing.T) {
	tests := []struct {
		name, path, resource string
		value                any
		want                 string
	}{
		{"fills an element that is there", `addresses[type eq "work"].locality`, `{"addresses":[{"type":"WORK","country":"DE"}]}`, "Berlin",
			`{"addresses":[{"type":"WORK","country":"DE","locality":"Berlin"}]}`},
		{"adds an element beside others (scim.R22)", `emails[type eq "work"].value`, `{"emails":[{"type":"home","value":"x"}]}`, "y",
			`{"emails":[{"type":"home","value":"x"},{"type":"work","value":"y"}]}`},
		{"makes an element of two conditions", `emails[type eq "work" and primary eq "true"].value`, `{}`, "y",
			`{"emails":[{"type":"work","primary":true,"value":"y"}]}`},
		{"merges an object into the element", `addresses[type eq "work"]`, `{}`, map[string]any{"country": "DE", "region": nil},
			`{"addresses":[{"type":"work","country":"DE"}]}`},
		{"puts a bare value under value", `roles[type eq "app"]`, `{}`, "Admin", `{"roles":[{"type":"app","value":"Admin"}]}`},
		{"wraps a manager (D1)", EnterpriseUserURN + ":manager", `{}`, "7",
			`{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7"}}}`},
		{"makes a list of one value", "emails", `{}`, "x", `{"emails":[{"value":"x"}]}`},
		{"fills the first element without filter", "emails.value", `{}`, "x", `{"emails":[{"value":"x"}]}`},
		{"takes a core URN for the resource itself", UserURN + ":title", `{}`, "T", `{"title":"T"}`},
		{"uses the defined spelling", "USERNAME", `{"userNAME":"old"}`, "a", `{"userName":"a"}`},
		{"leaves a value of the wrong type to the server", "title", `{}`, 5.0, `{"title":5}`},
		{"sets a whole extension", EnterpriseUserURN, `{}`, map[string]any{"department": "d"},
			`{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"d"}}`},
		{"ignores nil", "title", `{"title":"T"}`, nil, `{"title":"T"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := decode[map[string]any](t, []byte(tt.resource))
			if err := mustPath(t, tt.path).Set(got, tt.value); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decode[map[string]any](t, []byte(tt.want)), got); diff != "" {
				t.Errorf("after Set (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	for name, path := range map[string]string{
		"a filter with or":         `emails[type eq "work" or type eq "home"].value`,
		"a filter with co":         `emails[type co "work"].value`,
		"a filter with not":        `emails[not (type eq "work")].value`,
		"a filter that asks null":  `emails[type eq null].value`,
		"a schema and no object":   EnterpriseUserURN,
		"a filter that cannot be":  `emails[primary eq "maybe"].value`,
		"a filter within elements": `emails[type.x eq "a"].value`,
	} {
		t.Run(name, func(t *testing.T) {
			resource := map[string]any{}
			wantType(t, mustPath(t, path).Set(resource, "x"), InvalidPath)
			if len(resource) > 0 {
				t.Errorf("resource is %v after an error", resource)
			}
		})
	}
}

func TestBuildSpellsKnownSchemasAsDefined(t *testing.T) {
	got, err := Build(UserURN, []PathValue{
		{mustPath(t, "URN:ietf:params:scim:schemas:extension:ENTERPRISE:2.0:User:department"), "d"},
		{mustPath(t, EnterpriseUserURN+":division"), "e"},
		{mustPath(t, "title"), nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"schemas": []any{UserURN, EnterpriseUserURN},
		EnterpriseUserURN: map[string]any{"department": "d", "division": "e"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("built (-want +got):\n%s", diff)
	}
}

func ExampleEq() {
	path, err := ParsePath(`emails[type eq "work"].value`)
	fmt.Println(Eq(path, `o"neill@example.net`), err)
	// Output: emails[type eq "work"].value eq "o\"neill@example.net" <nil>
}

func ExampleApply() {
	user := map[string]any{"userName": "mira", "active": true}
	after, err := Apply(user, []Operation{{Op: "Replace", Path: "active", Value: "False"}}, UserDefinition())
	fmt.Println(after["active"], user["active"], err)
	// Output: false true <nil>
}
