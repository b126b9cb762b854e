package sandbox

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func litmosUserBody(without string) string {
	body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"mira@example.net","active":true,"name":{"givenName":"Mira","familyName":"Okafor"}}`
	return strings.NewReplacer(without+",", "", ","+without, "").Replace(body)
}

func TestLitmosUser(t *testing.T) {
	c := open(t, "litmos-scim", Config{Rate: NoRate})
	if c.server.BasePath() != "/v2/SCIM" {
		t.Fatalf("base path %s", c.server.BasePath())
	}
	a := c.must(201, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"externalId":"E1","userName":"mira@example.net","active":"True","displayName":"Mira","nickName":"Mi","title":"Driver",
		"name":{"givenName":"Mira","familyName":"Okafor","formatted":"Mira Okafor"},"emails":[{"type":"work","value":"mira@example.net","primary":true}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"100231","department":"Line 12","costCenter":"7"},
		"urn:ietf:params:scim:schemas:extension:Litmos:2.0:User:CustomField":{"customfield1":"Depot North","CustomField11":"x"},
		"urn:example:Depot:2.0:User":{"badge":"B"},"meta":{"resourceType":"User"}}`)
	want := map[string]any{
		"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User", enterpriseURN, litmosFieldsURN}, "id": a.body["id"],
		"userName": "mira@example.net", "active": true, "title": "Driver", "name": map[string]any{"givenName": "Mira", "familyName": "Okafor"},
		"emails":        []any{map[string]any{"type": "work", "value": "mira@example.net", "primary": true}},
		enterpriseURN:   map[string]any{"employeeNumber": "100231"},
		litmosFieldsURN: map[string]any{"CustomField1": "Depot North"},
	}
	ignoreMeta := cmpopts.IgnoreMapEntries(func(k string, _ any) bool { return k == "meta" })
	if diff := cmp.Diff(want, a.body, ignoreMeta); diff != "" {
		t.Errorf("only documented attributes are kept (-want +got):\n%s", diff)
	}
	id := a.body["id"].(string)
	a = c.must(200, "PATCH", "/Users/"+id, patchBody(`[{"op":"Replace","path":"active","value":"False"},
		{"op":"Add","path":"`+litmosFieldsURN+`:CustomField10","value":"ten"},{"op":"Add","path":"externalId","value":"E2"},
		{"op":"Add","path":"`+enterpriseURN+`:manager","value":"`+id+`"}]`))
	want["active"] = false
	want[enterpriseURN].(map[string]any)["manager"] = map[string]any{"value": id}
	want[litmosFieldsURN].(map[string]any)["CustomField10"] = "ten"
	if diff := cmp.Diff(want, a.body, ignoreMeta); diff != "" {
		t.Errorf("after PATCH (-want +got):\n%s", diff)
	}
	schemas := c.must(200, "GET", "/Schemas/"+litmosFieldsURN, "").body["attributes"].([]any)
	if len(schemas) != 10 {
		t.Errorf("%d custom fields, want 10", len(schemas))
	}
}

func TestLitmosRefusals(t *testing.T) {
	c := open(t, "litmos-scim", Config{Rate: NoRate})
	for _, missing := range []string{`"userName":"mira@example.net"`, `"active":true`, `"givenName":"Mira"`, `"familyName":"Okafor"`,
		`"name":{"givenName":"Mira","familyName":"Okafor"}`} {
		body := litmosUserBody(missing)
		if !strings.HasSuffix(body, "}") || len(body) >= len(litmosUserBody("nothing")) {
			t.Fatalf("body without %s: %s", missing, body)
		}
		c.refused(400, "invalidValue", "POST", "/Users", body)
	}
	mira := c.must(201, "POST", "/Users", litmosUserBody("nothing")).body["id"].(string)
	c.refused(409, "uniqueness", "POST", "/Users", strings.Replace(litmosUserBody("nothing"), "mira@", "MIRA@", 1))
	c.refused(400, "mutability", "PATCH", "/Users/"+mira, patchBody(`[{"op":"Remove","path":"name.givenName"}]`))
	team := c.group("Depot", mira)
	c.refused(409, "uniqueness", "POST", "/Groups", `{"displayName":"DEPOT"}`)
	c.refused(400, "invalidValue", "POST", "/Groups", `{"displayName":"Outer","members":[{"value":"`+team+`"}]}`)
	for path, filters := range map[string][]string{
		"/Users": {`externalId eq "1"`, `emails[type eq "work"].value eq "x"`, `emails.value eq "x"`, `id eq "` + mira + `"`, `active eq true`,
			`userName eq "x" and active eq true`, `not (title pr)`},
		"/Groups": {`id eq "` + team + `" and members eq "` + mira + `"`, `externalId eq "1"`, `members[value pr]`},
	} {
		for _, f := range filters {
			c.refused(400, "invalidFilter", "GET", path+"?filter="+url.QueryEscape(f), "")
		}
	}
	c.with("Authorization", "").refused(401, "", "GET", "/Users", "")
	for filter, want := range map[string]float64{`userName eq "Mira@example.net"`: 1, `userName eq "none"`: 0, `userName sw "m" or userName ew "x"`: 1} {
		if got := c.must(200, "GET", "/Users?filter="+url.QueryEscape(filter), "").body["totalResults"]; got != want {
			t.Errorf("%s: %v hits, want %v", filter, got, want)
		}
	}
	if got := c.must(200, "GET", "/Groups?excludedAttributes=members&filter="+url.QueryEscape(`displayName eq "depot"`), "").body["totalResults"]; got != 1.0 {
		t.Errorf("%v groups", got)
	}
}

func TestLitmosPathIsNotCaseSensitive(t *testing.T) {
	c := open(t, "litmos-scim", Config{Rate: NoRate})
	c.base = c.origin + "/V2/scim"
	id := c.user("mira")
	if got := c.must(200, "GET", "/users/"+id, "").body["userName"]; got != "mira" {
		t.Errorf("userName %v", got)
	}
	generic := open(t, "scim", Config{})
	generic.base = generic.origin + "/SCIM/v2"
	generic.must(404, "GET", "/Users", "")
	generic.base = generic.origin + "/scim/v2x"
	generic.must(404, "GET", "/Users", "")
}

// TestRates: requests beyond the limit are refused until a minute after those that were taken arrived.
func TestRates(t *testing.T) {
	for _, tt := range []struct {
		name       string
		rate       int
		limit      int // requests taken at once; more than 150: none refused
		status     int
		retryAfter string
	}{
		{"litmos-scim", 0, 100, 503, ""},
		{"litmos-scim", 7, 7, 503, ""},
		{"litmos-scim", NoRate, 1000, 0, ""},
		{"scim", 0, 1000, 0, ""},
		{"scim", 5, 5, 429, "50"},
	} {
		t.Run(fmt.Sprintf("%s, rate %d", tt.name, tt.rate), func(t *testing.T) {
			clock := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
			c := open(t, tt.name, Config{Rate: tt.rate, Now: clock.Now})
			for i := range min(tt.limit, 150) {
				if i == 1 {
					clock.now = clock.now.Add(10 * time.Second)
				}
				c.must(200, "GET", "/Users", "")
			}
			if tt.limit > 150 {
				return
			}
			a := c.refused(tt.status, "", "GET", "/Users", "")
			if got := a.header.Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("Retry-After %q, want %q", got, tt.retryAfter)
			}
			clock.now = clock.now.Add(50*time.Second - 1)
			c.must(tt.status, "GET", "/Users", "")
			clock.now = clock.now.Add(1)
			c.must(200, "GET", "/Users", "") // the first one is a minute old
			c.must(tt.status, "GET", "/Users", "")
			clock.now = clock.now.Add(10 * time.Second)
			for range tt.limit - 1 {
				c.must(200, "GET", "/Users", "")
			}
			c.must(tt.status, "GET", "/Users", "")
			c.must(204, "POST", "/_sandbox/reset", "")
			c.must(200, "GET", "/Users", "")
		})
	}
}
