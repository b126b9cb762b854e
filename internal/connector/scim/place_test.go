package scim

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// paths have every shape that a mapping can have, ready ones and others.
var paths = []string{
	"userName", "USERNAME", "title", "nickname2", "name.givenName", "Name.FamilyName", "unknown.sub", "active", "emails", "emails.value", "ims",
	`emails[type eq "work"].value`, `emails[type eq "WORK"].display`, `emails[type eq "home"].value`, `emails[type eq "work" and primary eq true].value`,
	`emails[value eq "w@example.net"].type`, `roles[primary eq "True"].value`, `roles[primary eq "True"].type`, `addresses[type eq "work"]`,
	`addresses[type eq "work"].locality`, `unknown[type eq "x"].value`, enterprise + "department", enterprise + "manager", enterprise + "manager.value",
	"urn:ietf:params:scim:schemas:core:2.0:User:displayName", "urn:example:x:2.0:User:badge", "urn:example:x:2.0:User:box.size", `urn:example:x:2.0:User:lists[type eq "a"].value`,
}

func attributeOf(t *testing.T, name string) *attribute {
	t.Helper()
	a, err := newAttribute(schema.Attribute{Name: name}, Config{Dialect: RFC})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return a
}

func TestReadyPlacesReadWhatPathsRead(t *testing.T) {
	resources := []string{
		`{}`,
		`{"userName":"mira","Title":"Driver","nickname2":["a",null,"b"],"name":{"givenName":"Mira","FAMILYNAME":"O"},"unknown":{"sub":1},"active":true,
		  "emails":[{"type":"work","value":"w@example.net","display":"W","primary":true},{"type":"home","value":"h@example.net"},{"value":"x"},"bare"],
		  "roles":[{"primary":true,"value":"Admin","type":"t"},{"value":"Other"}],"addresses":[{"type":"WORK","locality":"Berlin"}],
		  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"7"}},"displayName":"M",
		  "URN:example:x:2.0:user":{"badge":"B","box":{"size":3},"lists":[{"type":"a","value":1}]}}`,
		`{"userName":null,"name":null,"emails":null,"roles":[],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":null}`,
		`{"emails":{"type":"work","value":"single"},"name":{},"addresses":[{"type":"home"}]}`,
	}
	found := 0
	for _, text := range resources {
		var resource map[string]any
		if err := json.Unmarshal([]byte(text), &resource); err != nil {
			t.Fatal(err)
		}
		for _, name := range paths {
			a := attributeOf(t, name)
			got, want := a.find(resource), a.path.Values(resource)
			found += len(got)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s in %s: %s", name, text, diff)
			}
		}
	}
	if found < 30 {
		t.Errorf("%d values found: the resources do not fit the paths", found)
	}
}

func TestReadyPlacesBuildWhatPathsBuild(t *testing.T) {
	c := &Client{cfg: Config{Dialect: RFC, ExtensionInSchemas: true}}
	check := func(names ...string) {
		t.Helper()
		k := &kind{name: identity.User, core: scim.UserURN, byName: map[string]*attribute{}}
		var attrs identity.Attrs
		var values []scim.PathValue
		for i, name := range names {
			a := attributeOf(t, name)
			k.byName[name] = a
			var v any = name + " value"
			if a.boolean {
				v = i%2 == 0
			}
			attrs = append(attrs, identity.Attr{Name: name, Value: v})
			values = append(values, scim.PathValue{Path: a.path, Value: v})
		}
		want, wantErr := scim.Build(scim.UserURN, values)
		body, err := c.createBody(k, attrs)
		if (err != nil) != (wantErr != nil) {
			t.Errorf("%q: error %v, want %v", names, err, wantErr)
		}
		if err != nil || wantErr != nil {
			return
		}
		text, err := encode(body)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		wantText, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		want = nil
		if err := json.Unmarshal(wantText, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", names, diff)
		}
	}
	for i, first := range paths {
		check(first)
		for j, second := range paths {
			if i != j && scim.FoldKey(first) != scim.FoldKey(second) {
				check(first, second)
			}
		}
	}
}

func TestBodiesAreValidJSONWhateverTheValues(t *testing.T) {
	c := &Client{cfg: Config{Dialect: Legacy}}
	k := &kind{name: identity.User, core: scim.UserURN, byName: map[string]*attribute{}}
	values := []any{"quote \" backslash \\ tab \t <>&", "\u2028 line separator", "no \xff UTF-8", int64(7), 0.5, []any{"a", int64(1)}, map[string]any{"b": "x", "a": nil}, "🦊"}
	for _, v := range values {
		body, err := c.createBody(k, identity.Attrs{{Name: "custom", Value: v}})
		if err != nil {
			t.Fatal(err)
		}
		text, err := encode(body)
		if err != nil {
			t.Fatal(err)
		}
		reference, err := json.Marshal(map[string]any{"custom": v, "schemas": []string{scim.UserURN, scim.EnterpriseUserURN}, "meta": map[string]any{"resourceType": "User"}})
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if err := json.Unmarshal(reference, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}
