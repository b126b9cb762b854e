package sandbox

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// whole is a user with something of everything.
const whole = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
	"id":"mine","externalId":"E-1","userName":"mira@example.net","active":true,"password":"pa55",
	"name":{"givenName":"Mira","familyName":"Okafor"},"title":"Tram <driver>",
	"emails":[{"type":"work","value":"mira@example.net","primary":true},{"type":"home","value":"m@home.example"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Line 12","manager":{"value":"7702fe"}},
	"meta":{"resourceType":"User"}}`

func TestUserLife(t *testing.T) {
	for _, strict := range []bool{false, true} {
		c := open(t, "scim", Config{Strict: strict})
		created := c.must(201, "POST", "/Users", whole)
		id, _ := created.body["id"].(string)
		if id == "" || id == "mine" {
			t.Fatalf("id is %q; the server gives it", id)
		}
		location := c.base + "/Users/" + id
		if got := created.header.Get("Location"); got != location {
			t.Errorf("Location %q, want %q", got, location)
		}
		want := map[string]any{
			"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User", enterpriseURN}, "id": id, "externalId": "E-1",
			"userName": "mira@example.net", "active": true, "name": map[string]any{"givenName": "Mira", "familyName": "Okafor"},
			"title": "Tram <driver>",
			"emails": []any{map[string]any{"type": "work", "value": "mira@example.net", "primary": true},
				map[string]any{"type": "home", "value": "m@home.example"}},
			enterpriseURN: map[string]any{"department": "Line 12", "manager": map[string]any{"value": "7702fe"}},
			"meta":        map[string]any{"resourceType": "User", "location": location, "version": `W/"1"`},
		}
		ignoreTimes := cmpopts.IgnoreMapEntries(func(k string, _ any) bool { return k == "created" || k == "lastModified" })
		if diff := cmp.Diff(want, created.body, ignoreTimes); diff != "" {
			t.Errorf("created (-want +got):\n%s", diff)
		}
		read := c.must(200, "GET", "/Users/"+id, "")
		if diff := cmp.Diff(created.body, read.body); diff != "" {
			t.Errorf("read after create (-created +read):\n%s", diff)
		}
		patched := c.must(200, "PATCH", "/Users/"+id, patchBody(`[{"op":"Replace","path":"title","value":"Dispatcher"},
			{"op":"remove","path":"`+enterpriseURN+`:department"},{"op":"remove","path":"`+enterpriseURN+`:manager"}]`))
		want["title"], want["schemas"] = "Dispatcher", []any{"urn:ietf:params:scim:schemas:core:2.0:User"}
		want["meta"].(map[string]any)["version"] = `W/"2"`
		delete(want, enterpriseURN)
		if diff := cmp.Diff(want, patched.body, ignoreTimes); diff != "" {
			t.Errorf("patched (-want +got):\n%s", diff)
		}
		put := c.must(200, "PUT", "/Users/"+id, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"MIRA@example.net"}`)
		if put.body["title"] != nil || put.body["userName"] != "MIRA@example.net" {
			t.Errorf("PUT leaves %v", put.body)
		}
		c.must(204, "DELETE", "/Users/"+id, "")
		for _, method := range []string{"GET", "DELETE"} {
			c.refused(404, "", method, "/Users/"+id, "")
		}
		c.refused(404, "", "PATCH", "/Users/"+id, patchBody(`[{"op":"remove","path":"title"}]`))
		c.must(201, "POST", "/Users", whole)
	}
}

// TestRefusals has every refusal of RFC 7644 that holds for strict and lenient servers alike.
func TestRefusals(t *testing.T) {
	user := func(more string) string {
		return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]` + more + `}`
	}
	for _, strict := range []bool{false, true} {
		c := open(t, "scim", Config{Strict: strict, Domain: "example.net, example.org", MaxBody: 4096})
		mira := c.user("mira@example.net")
		c.user("ola")
		line := c.group("Line 12", mira)
		c.group("Depot")

		c.with("Authorization", "").refused(401, "", "GET", "/Users", "")
		c.with("Authorization", "Bearer wrong").refused(401, "", "GET", "/Users/"+mira, "")
		c.with("Authorization", "Basic "+testToken).refused(401, "", "POST", "/Users", user(`,"userName":"x"`))
		c.with("Authorization", "bearer "+testToken).must(200, "GET", "/Users", "")

		c.refused(404, "", "GET", "/Users/none", "")
		c.refused(404, "", "GET", "/Persons", "")
		c.refused(404, "", "GET", "", "")
		c.refused(501, "", "GET", "/Me", "")
		c.refused(501, "", "POST", "/Bulk", "{}")
		c.refused(405, "", "DELETE", "/Users", "")
		if got := c.refused(405, "", "POST", "/Users/"+mira, "{}").header.Get("Allow"); got != "GET, PUT, PATCH, DELETE" {
			t.Errorf("Allow %q", got)
		}
		c.refused(405, "", "POST", "/Schemas", "{}")
		for _, method := range []string{"POST /Users", "PUT /Users/" + mira, "PATCH /Users/" + mira} {
			verb, path, _ := strings.Cut(method, " ")
			c.with("Content-Type", "text/plain").refused(415, "", verb, path, user(`,"userName":"x"`))
			c.with("Content-Type", "x;;").refused(415, "", verb, path, user(`,"userName":"x"`))
			c.refused(400, "invalidSyntax", verb, path, `{"schemas":`)
			c.refused(400, "invalidSyntax", verb, path, `[]`)
			c.refused(400, "invalidSyntax", verb, path, `null`)
			c.refused(413, "", verb, path, user(`,"userName":"`+strings.Repeat("x", 5000)+`"`))
		}

		c.refused(400, "invalidValue", "POST", "/Users", user(``))
		c.refused(400, "invalidValue", "POST", "/Users", user(`,"userName":""`))
		c.refused(400, "invalidValue", "POST", "/Users", user(`,"userName":5`))
		c.refused(400, "invalidValue", "POST", "/Users", user(`,"userName":"x","active":"perhaps"`))
		c.refused(400, "invalidValue", "POST", "/Users", user(`,"userName":"x","name":"Mira"`))
		c.refused(400, "invalidValue", "POST", "/Users", user(`,"userName":"x@elsewhere.example"`))
		c.refused(400, "invalidValue", "POST", "/Users", user(`,"userName":"x","emails":[{"value":"x@elsewhere.example"}]`))
		c.must(201, "POST", "/Users", user(`,"userName":"y@EXAMPLE.org"`))
		c.refused(409, "uniqueness", "POST", "/Users", user(`,"userName":"MIRA@example.net"`))
		c.refused(409, "uniqueness", "PUT", "/Users/"+mira, user(`,"userName":"OLA"`))
		c.refused(409, "uniqueness", "PATCH", "/Users/"+mira, patchBody(`[{"op":"replace","path":"userName","value":"Ola"}]`))
		c.refused(400, "invalidValue", "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]}`)
		c.refused(409, "uniqueness", "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"LINE 12"}`)
		c.refused(409, "uniqueness", "PATCH", "/Groups/"+line, patchBody(`[{"op":"replace","path":"displayName","value":"depot"}]`))
		for _, value := range []string{`"none"`, `""`, `null`} {
			c.refused(400, "invalidValue", "POST", "/Groups",
				`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"New","members":[{"value":`+value+`,"display":"x"}]}`)
		}
		c.refused(400, "invalidValue", "PATCH", "/Groups/"+line, patchBody(`[{"op":"add","path":"members","value":[{"value":"none"}]}]`))
		c.refused(400, "invalidValue", "PATCH", "/Groups/"+line, patchBody(`[{"op":"add","path":"members","value":[{"value":"`+line+`"}]}]`))

		for _, tt := range []struct{ scimType, ops string }{
			{"invalidSyntax", `[]`},
			{"invalidSyntax", `[{"op":"move","path":"title"}]`},
			{"invalidPath", `[{"op":"replace","path":"emails[type eq","value":"x"}]`},
			{"invalidPath", `[{"op":"replace","path":"emails[primary gt true]","value":"x"}]`},
			{"noTarget", `[{"op":"remove"}]`},
			{"noTarget", `[{"op":"replace","path":"emails[type eq \"work\"].value","value":"x@example.net"}]`},
			{"mutability", `[{"op":"replace","path":"id","value":"x"}]`},
			{"mutability", `[{"op":"add","path":"groups","value":[{"value":"x"}]}]`},
			{"mutability", `[{"op":"remove","path":"meta"}]`},
			{"mutability", `[{"op":"remove","path":"userName"}]`},
			{"invalidValue", `[{"op":"replace","path":"userName","value":["a","b"]}]`},
			{"invalidValue", `[{"op":"replace","path":"userName","value":"mira@elsewhere.example"}]`},
		} {
			before := c.must(200, "GET", "/Users/"+mira, "").raw
			c.refused(400, tt.scimType, "PATCH", "/Users/"+mira, patchBody(tt.ops))
			if tt.ops != `[]` {
				after := `[{"op":"add","path":"title","value":"T"},` + strings.TrimPrefix(tt.ops, "[")
				c.refused(400, tt.scimType, "PATCH", "/Users/"+mira, patchBody(after))
			}
			if after := c.must(200, "GET", "/Users/"+mira, "").raw; after != before {
				t.Errorf("%s changed the user:\n%s\n%s", tt.ops, before, after)
			}
		}
		c.refused(400, "mutability", "PATCH", "/Groups/"+line, patchBody(`[{"op":"replace","path":"members[value eq \"`+mira+`\"].value","value":"x"}]`))
		c.refused(400, "invalidPath", "PATCH", "/Groups/"+line, patchBody(`[{"op":"remove","path":"members[value"}]`))
		c.refused(400, "invalidSyntax", "PATCH", "/Users/"+mira, `{"Operations":[{"op":"remove","path":"title"}]}`)

		for _, filter := range []string{`userName`, `userName eq mira`, `userName xx "a"`, `active gt true`, `name eq "x"`, ``} {
			c.refused(400, "invalidFilter", "GET", "/Users?filter="+url.QueryEscape(filter), "")
		}
		c.refused(400, "invalidValue", "GET", "/Users?startIndex=one", "")
		c.refused(400, "invalidValue", "GET", "/Users?count=1.5", "")
		c.refused(400, "invalidValue", "GET", "/Users?attributes=a%5B", "")
		c.refused(400, "invalidValue", "POST", "/Users?attributes=a..b", user(`,"userName":"never"`))
		c.refused(400, "invalidSyntax", "GET", "/Users?filter=%zz", "")
		c.refused(403, "", "GET", "/Schemas?filter=id%20pr", "")

		c.with("If-Match", `W/"99"`).refused(412, "", "PATCH", "/Users/"+mira, patchBody(`[{"op":"add","path":"title","value":"T"}]`))
		c.with("If-Match", `W/"99"`).refused(412, "", "PUT", "/Users/"+mira, user(`,"userName":"x"`))
		c.with("If-Match", `W/"99"`).refused(412, "", "DELETE", "/Users/"+mira, "")
		if got := c.must(200, "GET", "/Users?count=0", "").body["totalResults"]; got != 3.0 {
			t.Errorf("%v users after all refusals, want 3", got)
		}
	}
}

// TestDeviations has what the reference service sends though the RFC has it otherwise: taken, or refused if
// strict.
func TestDeviations(t *testing.T) {
	core := `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`
	tests := []struct {
		name, method, path, body string
		status                   int // when taken
		scimType                 string
		check                    func(answer) bool
	}{
		{"a text for a Boolean in POST", "POST", "/Users", `{` + core + `,"userName":"x","active":"False"}`, 201, "invalidValue",
			func(a answer) bool { active, ok := a.body["active"].(bool); return ok && !active }},
		{"an extension that schemas does not list (scim.R24)", "POST", "/Users",
			`{` + core + `,"userName":"x","` + enterpriseURN + `":{"department":"d"}}`, 201, "invalidSyntax",
			func(a answer) bool { return len(a.body["schemas"].([]any)) == 2 && a.body[enterpriseURN] != nil }},
		{"an extension no schema describes", "POST", "/Users", `{` + core + `,"userName":"x","urn:example:Depot:2.0:User":{"badge":"B"}}`,
			201, "invalidSyntax", func(a answer) bool { return a.body["urn:example:Depot:2.0:User"] != nil }},
		{"no schemas", "POST", "/Users", `{"userName":"x"}`, 201, "invalidSyntax",
			func(a answer) bool { return len(a.body["schemas"].([]any)) == 1 }},
		{"the additional group schema (scim.R37)", "POST", "/Groups",
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"displayName":"x"}`,
			201, "invalidValue", func(a answer) bool { return len(a.body["schemas"].([]any)) == 1 }},
		{"a text for a Boolean in PATCH (P-05)", "PATCH", "/Users/{user}", patchBody(`[{"op":"Replace","path":"active","value":"False"}]`), 200,
			"invalidValue", func(a answer) bool { active, ok := a.body["active"].(bool); return ok && !active }},
		{"dotted keys (scim.R32)", "PATCH", "/Users/{user}", patchBody(`[{"op":"replace","value":{"name.givenName":"New"}}]`), 200,
			"invalidPath", func(a answer) bool { return a.body["name"].(map[string]any)["givenName"] == "New" }},
		{"a bare manager (scim.R35)", "PATCH", "/Users/{user}", patchBody(`[{"op":"Add","path":"` + enterpriseURN + `:manager","value":"7"}]`), 200,
			"invalidValue", func(a answer) bool {
				return cmp.Equal(a.body[enterpriseURN], any(map[string]any{"manager": map[string]any{"value": "7"}}))
			}},
		{"removing members by a list (P-06)", "PATCH", "/Groups/{group}", patchBody(`[{"op":"Remove","path":"members","value":[{"$ref":null,"value":"{user}"}]}]`), 204,
			"invalidSyntax", func(a answer) bool { return len(a.body["members"].([]any)) == 1 }},
		{"removing a member that is not there", "PATCH", "/Groups/{group}", patchBody(`[{"op":"remove","path":"members[value eq \"none\"]"}]`), 204,
			"noTarget", func(a answer) bool { return len(a.body["members"].([]any)) == 2 }},
		{"adding to an element that is not there", "PATCH", "/Users/{user}", patchBody(`[{"op":"Add","path":"phoneNumbers[type eq \"fax\"].value","value":"5"}]`), 200,
			"noTarget", func(a answer) bool { return a.body["phoneNumbers"] != nil }},
		{"an unknown attribute", "PATCH", "/Users/{user}", patchBody(`[{"op":"add","path":"shoeSize","value":"42"}]`), 200,
			"invalidPath", func(a answer) bool { return a.body["shoeSize"] == "42" }},
		{"an empty path", "PATCH", "/Users/{user}", patchBody(`[{"op":"replace","path":"","value":{"title":"T"}}]`), 200,
			"invalidPath", func(a answer) bool { return a.body["title"] == "T" }},
		{"both projections at once", "GET", "/Users/{user}?attributes=userName&excludedAttributes=name", "", 200,
			"invalidValue", func(a answer) bool { return a.body["name"] == nil && a.body["userName"] != nil }},
		{"a filter on an unknown attribute", "GET", "/Users?filter=shoeSize%20pr", "", 200,
			"invalidFilter", func(a answer) bool { return a.body["totalResults"] == 0.0 }},
	}
	for _, strict := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(map[bool]string{false: "lenient: ", true: "strict: "}[strict]+tt.name, func(t *testing.T) {
				c := open(t, "scim", Config{Strict: strict})
				user := c.user("mira")
				group := c.group("Line 12", user, c.user("ola"))
				fill := strings.NewReplacer("{user}", user, "{group}", group).Replace
				if strict {
					c.refused(400, tt.scimType, tt.method, fill(tt.path), fill(tt.body))
					return
				}
				a := c.must(tt.status, tt.method, fill(tt.path), fill(tt.body))
				if tt.status == 204 {
					a = c.must(200, "GET", fill(tt.path), "")
				}
				if !tt.check(a) {
					t.Errorf("taken, but the answer is %s", a.raw)
				}
			})
		}
		c := open(t, "scim", Config{Strict: strict})
		r := c.with("Content-Type", "").do("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"x"}`)
		if want := map[bool]int{false: 201, true: 415}[strict]; r.status != want {
			t.Errorf("strict %v, no content type: %d, want %d", strict, r.status, want)
		}
	}
}
