package sandbox

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const zscalerPerson = `{"userName":"mira@example.net","externalId":"E1","active":true,"displayName":"Mira","` + enterpriseURN + `":{"department":"Line 12"}}`

func TestZscalerRefusals(t *testing.T) {
	c := open(t, "scim", Config{Rate: NoRate, Quirks: []string{"zscaler"}, Domain: "example.net"})
	mira := c.must(201, "POST", "/Users", zscalerPerson).body["id"].(string)
	for _, part := range []string{`"userName":"mira@example.net",`, `"externalId":"E1",`, `"active":true,`, `"displayName":"Mira",`, `"department":"Line 12"`} {
		body := strings.Replace(zscalerPerson, part, "", 1)
		c.refused(400, "invalidValue", "PUT", "/Users/"+mira, body)
		c.refused(400, "invalidValue", "POST", "/Users", strings.Replace(body, "mira@", "sam@", 1))
	}
	c.refused(400, "invalidValue", "POST", "/Users", strings.Replace(zscalerPerson, "mira@example.net", "mira@example.org", 1))
	c.refused(400, "invalidValue", "PATCH", "/Users/"+mira, patchBody(`[{"op":"Remove","path":"`+enterpriseURN+`:department"}]`))
	c.refused(400, "invalidValue", "POST", "/Groups", `{"displayName":"Depot"}`)
	for filter, want := range map[string]int{`userName eq "mira@example.net"`: 1, `externalId eq "E1"`: 1, `id eq "` + mira + `"`: 1,
		`meta.lastModified gt "2020-01-01T00:00:00Z"`: 1, `meta.lastModified gt "2090-01-01T00:00:00Z"`: 0} {
		if got := c.named(filtered("/Users", filter)); len(got) != want {
			t.Errorf("%s: %v", filter, got)
		}
	}
	for _, filter := range []string{`displayName eq "Mira"`, `userName sw "m"`, `userName eq "a" and active eq true`, `emails.value eq "x"`,
		`meta.lastModified lt "2020-01-01T00:00:00Z"`, `emails[type eq "work"].value eq "x"`} {
		c.refused(400, "invalidFilter", "GET", filtered("/Users", filter), "")
	}
	c.refused(400, "invalidFilter", "GET", filtered("/Groups", `externalId eq "x"`), "")
	anybody := c.with("Authorization", "")
	for _, path := range []string{"/Schemas", "/ServiceProviderConfig", "/ResourceTypes"} {
		anybody.must(200, "GET", path, "")
	}
	anybody.refused(401, "", "GET", "/Users", "")
}

// TestZscalerGroupsOfAUser: at most 128.
func TestZscalerGroupsOfAUser(t *testing.T) {
	c := quirky(t, "zscaler")
	mira := c.must(201, "POST", "/Users", zscalerPerson).body["id"].(string)
	body := func(i int, members string) string {
		return fmt.Sprintf(`{"displayName":"Group %d","externalId":"G%d","members":[%s]}`, i, i, members)
	}
	member := `{"value":"` + mira + `"}`
	var last string
	for i := range 128 {
		last = c.must(201, "POST", "/Groups", body(i, member)).body["id"].(string)
	}
	c.refused(400, "tooMany", "POST", "/Groups", body(128, member))
	other := c.must(201, "POST", "/Groups", body(128, "")).body["id"].(string)
	add := patchBody(`[{"op":"Add","path":"members","value":[` + member + `]}]`)
	c.refused(400, "tooMany", "PATCH", "/Groups/"+other, add)
	c.must(200, "PUT", "/Groups/"+last, body(127, member)) // a member already
	c.must(204, "DELETE", "/Groups/"+last, "")
	c.must(204, "PATCH", "/Groups/"+other, add)
	if got := c.members(other); !cmp.Equal(got, []string{mira}) {
		t.Errorf("members %v", got)
	}
}

func TestZscalerRate(t *testing.T) {
	clock := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	c := open(t, "scim", Config{Quirks: []string{"zscaler"}, Now: clock.Now})
	for range 5 {
		c.must(200, "GET", "/Users", "")
	}
	if a := c.refused(429, "", "GET", "/Users", ""); a.header.Get("Retry-After") != "" {
		t.Errorf("Retry-After %s", a.header.Get("Retry-After"))
	}
	clock.now = clock.now.Add(time.Second)
	c.must(200, "GET", "/Users", "")
}
