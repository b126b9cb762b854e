package sandbox

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const salesforcePerson = `{"userName":"mira@example.net","name":{"givenName":"Mira","familyName":"Okafor"},"emails":[{"value":"mira@example.net"}],
	"entitlements":[{"value":"00e000000000001AAA"},{"value":"0PS000000000001AAA"}]}`

func TestSalesforceUsersAreNeverDeleted(t *testing.T) {
	c := quirky(t, "salesforce")
	mira := c.must(201, "POST", "/Users", salesforcePerson).body["id"].(string)
	groups := c.must(200, "GET", "/Groups", "").body["Resources"].([]any)
	if got := c.named("/Groups"); !cmp.Equal(got, []string{"All Employees", "Field Staff"}) {
		t.Fatalf("public groups %v", got)
	}
	group := "/Groups/" + groups[1].(map[string]any)["id"].(string)
	c.must(204, "PATCH", group, patchBody(`[{"op":"add","path":"members","value":[{"value":"`+mira+`"}]},{"op":"replace","path":"displayName","value":"Field"}]`))
	c.must(204, "DELETE", "/Users/"+mira, "")
	c.must(403, "GET", "/_sandbox/signin?userName=mira@example.net", "")
	if got := c.must(200, "GET", "/Users/"+mira, "").body["active"]; !cmp.Equal(got, any(false)) {
		t.Errorf("active %v", got)
	}
	if got := c.members(strings.TrimPrefix(group, "/Groups/")); !cmp.Equal(got, []string{mira}) {
		t.Errorf("who is deactivated keeps the groups: %v", got)
	}
	c.must(204, "POST", "/_sandbox/reset", "")
	if got := c.named("/Groups"); !cmp.Equal(got, []string{"All Employees", "Field Staff"}) {
		t.Errorf("public groups after a reset %v", got)
	}
}

func TestSalesforceRefusals(t *testing.T) {
	c := quirky(t, "salesforce")
	mira := "/Users/" + c.must(201, "POST", "/Users", salesforcePerson).body["id"].(string)
	c.refused(409, "uniqueness", "POST", "/Users", salesforcePerson)
	for name, change := range map[string][2]string{
		"a userName that is no address": {`"userName":"mira@example.net"`, `"userName":"mira"`},
		"no familyName":                 {`,"familyName":"Okafor"`, ``},
		"no e-mail":                     {`[{"value":"mira@example.net"}]`, `[]`},
		"no profile":                    {`{"value":"00e000000000001AAA"},`, ``},
		"two profiles":                  {`0PS000000000001AAA`, `00e000000000002AAA`},
		"an unknown permission set":     {`0PS000000000001AAA`, `0PS000000000009AAA`},
	} {
		t.Run(name, func(t *testing.T) {
			c := c.on(t)
			body := strings.Replace(salesforcePerson, change[0], change[1], 1)
			if body == salesforcePerson {
				t.Fatal("nothing is changed")
			}
			c.refused(400, "invalidValue", "PUT", mira, body)
			c.refused(400, "invalidValue", "POST", "/Users", strings.Replace(body, `"userName":"mira@`, `"userName":"sam@`, 1))
		})
	}
	group := "/Groups/" + c.must(200, "GET", "/Groups", "").body["Resources"].([]any)[0].(map[string]any)["id"].(string)
	c.refused(405, "", "POST", "/Groups", `{"displayName":"Depot"}`)
	c.refused(405, "", "DELETE", group, "")
	c.refused(404, "", "GET", "/ServiceProviderConfig", "")
	c.refused(404, "", "POST", "/Bulk", "{}")
	c.refused(405, "", "POST", "/Entitlements", "{}")
	c.with("Authorization", "").refused(401, "", "GET", "/Entitlements", "")
	config := c.must(200, "GET", "/ServiceProviderConfigs", "").body
	for name, want := range map[string]bool{"patch": true, "changePassword": true, "etag": false, "sort": false} {
		if got := config[name].(map[string]any)["supported"]; got != want {
			t.Errorf("%s supported %v", name, got)
		}
	}
	if got := c.must(200, "GET", "/Entitlements", "").body["totalResults"]; got != 3.0 {
		t.Errorf("%v entitlements", got)
	}
	if a := c.must(200, "GET", mira, ""); a.header.Get("ETag") != "" {
		t.Errorf("ETag %s", a.header.Get("ETag"))
	}
}
