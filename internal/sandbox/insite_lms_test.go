package sandbox

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const insitePerson = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"mira@example.net","active":true,
	"emails":[{"type":"work","primary":true,"value":"mira@example.net"}],"name":{"givenName":"Mira","familyName":"Okafor"},
	"phoneNumbers":[{"type":"work","value":"+1 555 0100"}]}`

func TestInsiteKeepsDocumentedAttributesOnly(t *testing.T) {
	c := open(t, "insite-lms", Config{})
	if c.server.BasePath() != "/scim" {
		t.Fatalf("base path %s", c.server.BasePath())
	}
	a := c.must(201, "POST", "/Users", strings.Replace(insitePerson, `"active":true,`, `"active":"True","externalId":"E1","title":"Driver","displayName":"Mira",
		"`+enterpriseURN+`":{"department":"Line 12"},"addresses":[{"type":"work","country":"NO"}],`, 1))
	want := map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, "id": a.body["id"], "userName": "mira@example.net", "active": true,
		"name":         map[string]any{"givenName": "Mira", "familyName": "Okafor"},
		"emails":       []any{map[string]any{"type": "work", "primary": true, "value": "mira@example.net"}},
		"phoneNumbers": []any{map[string]any{"type": "work", "value": "+1 555 0100"}}}
	got := a.body
	delete(got, "meta")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("new user (-want +got):\n%s", diff)
	}
	user := "/Users/" + a.body["id"].(string)
	got = c.must(200, "PATCH", user, patchBody(`[{"op":"Replace","path":"active","value":"False"},{"op":"Add","path":"title","value":"Pilot"},
		{"op":"Add","path":"emails[type eq \"home\"].value","value":"mira@home.example"},
		{"op":"Replace","path":"emails[type eq \"work\"].value","value":"m@example.net"},{"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}]`)).body
	delete(got, "meta")
	want["active"] = false
	want["emails"].([]any)[0].(map[string]any)["value"] = "m@example.net"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after PATCH (-want +got):\n%s", diff)
	}
	c.must(403, "GET", "/_sandbox/signin?userName=mira@example.net", "")
	for filter, want := range map[string]float64{`userName eq "MIRA@example.net"`: 1, `emails[type eq "work"].value eq "m@example.net"`: 1,
		`EMAILS[TYPE eq "work"].VALUE eq "mira@example.net"`: 0} {
		if got := c.must(200, "GET", "/Users?filter="+url.QueryEscape(filter), "").body["totalResults"]; got != want {
			t.Errorf("%s: %v hits, want %v", filter, got, want)
		}
	}
	if got := c.must(200, "GET", "/ResourceTypes", "").body["totalResults"]; got != 1.0 {
		t.Errorf("%v resource types", got)
	}
}

func TestInsiteRefusals(t *testing.T) {
	c := open(t, "insite-lms", Config{})
	user := "/Users/" + c.must(201, "POST", "/Users", insitePerson).body["id"].(string)
	c.refused(409, "uniqueness", "POST", "/Users", strings.Replace(insitePerson, `"userName":"mira`, `"userName":"MIRA`, 1))
	for _, part := range []string{`"userName":"mira@example.net",`, `"type":"work","primary":true,`, `,"value":"mira@example.net"`} {
		body := strings.Replace(insitePerson, part, "", 1)
		c.refused(400, "invalidValue", "POST", "/Users", body)
		c.refused(400, "invalidValue", "PUT", user, body)
	}
	c.refused(400, "invalidValue", "POST", "/Users", strings.Replace(insitePerson, `"type":"work","primary"`, `"type":"home","primary"`, 1))
	c.refused(400, "mutability", "PATCH", user, patchBody(`[{"op":"Remove","path":"emails"}]`))
	c.refused(400, "invalidValue", "PATCH", user, patchBody(`[{"op":"Replace","path":"emails[type eq \"work\"].type","value":"home"}]`))
	c.refused(405, "", "DELETE", user, "")
	for _, filter := range []string{`externalId eq "1"`, `emails eq "x"`, `emails.value eq "x"`, `emails[type eq "home"].value eq "x"`, `active eq true`,
		`userName eq "x" and active eq true`, `emails[type eq "work"] and name.givenName pr`, `id eq "x"`} {
		c.refused(400, "invalidFilter", "GET", "/Users?filter="+url.QueryEscape(filter), "")
	}
	for _, path := range []string{"/Groups", "/Groups/x", "/Bulk", "/Me"} {
		c.refused(404, "", "GET", path, "")
	}
	c.refused(404, "", "POST", "/Groups", `{"displayName":"Depot"}`)
	c.with("Authorization", "").refused(401, "", "GET", "/Users", "")
	strict := open(t, "insite-lms", Config{Strict: true})
	strict.must(201, "POST", "/Users", insitePerson)
	body := strings.ReplaceAll(insitePerson, "mira@", "sam@")
	for _, more := range []string{`"externalId":"E1"`, `"title":"Driver"`, `"x":{}`, `"active":"True"`} {
		strict.must(400, "POST", "/Users", strings.Replace(body, `"active":true`, more, 1))
	}
	strict.refused(400, "invalidValue", "POST", "/Users", strings.Replace(body, `"phoneNumbers":[`, `"phoneNumbers":[{"type":"home","value":"1"},`, 1))
	strict.must(201, "POST", "/Users", body)
}
