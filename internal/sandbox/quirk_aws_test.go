package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// awsPerson is the body of a user of AWS with attributes set, or left out when the value is nil.
func awsPerson(set map[string]any) string {
	body := map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "mira", "displayName": "Mira Okafor",
		"name": map[string]any{"givenName": "Mira", "familyName": "Okafor"}}
	for name, v := range set {
		if body[name] = v; v == nil {
			delete(body, name)
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // the values of these tests can be written
	}
	return string(text)
}

func awsUser(c *client, name string) string {
	c.t.Helper()
	return c.must(201, "POST", "/Users", awsPerson(map[string]any{"userName": name})).body["id"].(string)
}

func list(values ...any) []any { return values }

func mail(value string, primary bool) map[string]any {
	return map[string]any{"value": value, "type": "work", "primary": primary}
}

func TestAWSRefusesUsers(t *testing.T) {
	c := quirky(t, "aws")
	c.must(201, "POST", "/Users", awsPerson(map[string]any{"userName": "sam", "externalId": "E1", "profileUrl": "https://example.net/sam",
		"emails": list(mail("sam@example.net", true)), "phoneNumbers": list(map[string]any{"value": "+47 1", "type": "work"}),
		"addresses": list(map[string]any{"type": "work", "country": "NO"}), "title": "Driver",
		enterpriseURN: map[string]any{"department": "Line 12", "manager": map[string]any{"value": "x"}}}))
	mine := "/Users/" + awsUser(c, "other")
	for _, tt := range []struct {
		name   string
		status int
		kind   string
		set    map[string]any
	}{
		{"no userName", 400, "invalidValue", map[string]any{"userName": nil}},
		{"no displayName", 400, "invalidValue", map[string]any{"displayName": nil}},
		{"no givenName", 400, "invalidValue", map[string]any{"name": map[string]any{"familyName": "O"}}},
		{"no familyName", 400, "invalidValue", map[string]any{"name": map[string]any{"givenName": "M"}}},
		{"a givenName of spaces", 400, "invalidValue", map[string]any{"name": map[string]any{"givenName": " ", "familyName": "O"}}},
		{"two e-mails", 400, "invalidValue", map[string]any{"emails": list(mail("a@example.net", true), mail("b@example.net", false))}},
		{"two telephone numbers", 400, "invalidValue", map[string]any{"phoneNumbers": list(map[string]any{"value": "1"}, map[string]any{"value": "2"})}},
		{"two addresses", 400, "invalidValue", map[string]any{"addresses": list(map[string]any{"country": "NO"}, map[string]any{"country": "SE"})}},
		{"two roles", 400, "invalidValue", map[string]any{"roles": list(map[string]any{"value": "a"}, map[string]any{"value": "b"})}},
		{"an e-mail that is not the primary one", 400, "invalidValue", map[string]any{"emails": list(mail("a@example.net", false))}},
		{"a primary e-mail that is taken", 409, "uniqueness", map[string]any{"emails": list(mail("SAM@example.net", true))}},
		{"a userName that is taken", 409, "uniqueness", map[string]any{"userName": "SAM"}},
		{"a tab", 400, "invalidValue", map[string]any{"title": "a\tb"}},
		{"a newline", 400, "invalidValue", map[string]any{"title": "a\nb"}},
		{"a carriage return", 400, "invalidValue", map[string]any{"title": "a\rb"}},
		{"a <", 400, "invalidValue", map[string]any{"displayName": "a<b"}},
		{"a >", 400, "invalidValue", map[string]any{"displayName": "a>b"}},
		{"a ;", 400, "invalidValue", map[string]any{"name": map[string]any{"givenName": "a;b", "familyName": "c"}}},
		{"a :", 400, "invalidValue", map[string]any{"externalId": "a:b"}},
		{"a %", 400, "invalidValue", map[string]any{enterpriseURN: map[string]any{"department": "100%"}}},
		{"password", 400, "invalidValue", map[string]any{"password": "x"}},
		{"ims", 400, "invalidValue", map[string]any{"ims": list(map[string]any{"value": "x"})}},
		{"photos", 400, "invalidValue", map[string]any{"photos": list(map[string]any{"value": "x"})}},
		{"x509Certificates", 400, "invalidValue", map[string]any{"x509Certificates": list(map[string]any{"value": "eA=="})}},
		{"entitlements", 400, "invalidValue", map[string]any{"entitlements": list(map[string]any{"value": "x"})}},
		{"groups", 400, "invalidValue", map[string]any{"groups": list(map[string]any{"value": "x"})}},
		{"a display sub-attribute", 400, "invalidValue", map[string]any{"emails": list(map[string]any{"value": "a@example.net", "primary": true, "display": "x"})}},
		{"manager.displayName", 400, "invalidValue", map[string]any{enterpriseURN: map[string]any{"manager": map[string]any{"value": "x", "displayName": "X"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := c.on(t)
			if _, sent := tt.set["userName"]; !sent {
				tt.set["userName"] = "new"
			}
			a := c.refused(tt.status, tt.kind, "POST", "/Users", awsPerson(tt.set))
			exception := map[int]string{400: "ValidationException: ", 409: "ConflictException: "}[tt.status]
			if !strings.HasPrefix(a.body["detail"].(string), exception) {
				t.Errorf("detail %q", a.body["detail"])
			}
			c.refused(tt.status, tt.kind, "PUT", mine, awsPerson(tt.set))
		})
	}
	for _, operation := range []string{
		`{"op":"add","path":"emails","value":[{"value":"a@example.net","primary":true,"type":"work"},{"value":"b@example.net","type":"home"}]}`,
		`{"op":"add","path":"photos","value":[{"value":"x"}]}`, `{"op":"replace","path":"password","value":"x"}`,
		`{"op":"add","value":{"ims":[{"value":"x"}]}}`, `{"op":"replace","path":"displayName","value":"a%b"}`,
		`{"op":"add","path":"phoneNumbers","value":[{"value":"1","display":"x"}]}`,
		`{"op":"add","path":"` + enterpriseURN + `:manager","value":{"value":"x","displayName":"X"}}`,
	} {
		c.refused(400, "invalidValue", "PATCH", mine, patchBody("["+operation+"]"))
	}
	c.refused(400, "mutability", "PATCH", mine, patchBody(`[{"op":"remove","path":"userName"}]`))
	c.refused(400, "invalidValue", "PATCH", mine, patchBody(`[{"op":"remove","path":"name.givenName"}]`))
	c.refused(400, "invalidPath", "PATCH", mine, patchBody(`[{"op":"add","path":"emails[type eq \"work\"].display","value":"x"}]`))
	c.must(200, "PATCH", mine, patchBody(`[{"op":"replace","path":"active","value":false}]`))
	c.must(204, "DELETE", mine, "")
}

func TestAWSListsAndFilters(t *testing.T) {
	c := quirky(t, "aws")
	mira, sam := awsUser(c, "mira"), awsUser(c, "sam")
	c.must(200, "PATCH", "/Users/"+sam, patchBody(`[{"op":"add","path":"`+enterpriseURN+`:manager","value":{"value":"`+mira+`"}}]`))
	team := c.group("Depot", mira)
	for filter, want := range map[string][]string{
		`userName eq "MIRA"`: {"mira"}, `externalId eq "E1"`: {}, `groups.value eq "` + team + `"`: {"mira"},
		`id eq "` + sam + `" and manager eq "` + mira + `"`: {"sam"}, `manager eq "` + mira + `" and id eq "` + mira + `"`: {},
	} {
		if got := c.named(filtered("/Users", filter)); !cmp.Equal(got, want) {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
	for filter, want := range map[string][]string{
		`displayName eq "Depot"`: {"Depot"}, `members.value eq "` + mira + `"`: {"Depot"}, `externalId eq "x"`: {},
		`id eq "` + team + `" and members eq "` + mira + `"`: {"Depot"}, `members eq "` + sam + `" and id eq "` + team + `"`: {},
	} {
		if got := c.named(filtered("/Groups", filter)); !cmp.Equal(got, want) {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
	for _, filter := range []string{`emails eq "x"`, `emails[type eq "work"].value eq "x"`, `userName sw "m"`, `userName eq "a" and externalId eq "b"`,
		`userName eq "a" or userName eq "b"`, `id eq "x"`, `not (userName eq "a")`, `displayName eq "x"`, `userName pr`, `manager eq "x"`} {
		c.refused(400, "invalidFilter", "GET", filtered("/Users", filter), "")
	}
	for _, filter := range []string{`id eq "x"`, `members eq "` + mira + `"`, `displayName co "D"`, `displayName eq "a" and externalId eq "b"`} {
		c.refused(400, "invalidFilter", "GET", filtered("/Groups", filter), "")
	}
	c.refused(404, "", "GET", filtered("/Groups", `id eq "`+team+`" and members eq "nobody"`), "")
	c.refused(404, "", "GET", filtered("/Groups", `members.value eq "nobody"`), "")
	for _, query := range []string{"startIndex=1", "attributes=id", "excludedAttributes=emails", "attributes="} {
		c.refused(400, "invalidValue", "GET", "/Users?"+query, "")
	}
	for _, path := range []string{"/Me", "/Bulk"} {
		c.refused(404, "", "GET", path, "")
	}
	for _, method := range []string{"GET", "PATCH"} {
		r := c.request(method, "/Users/"+mira, "")
		r.Header.Set("User-Agent", "") // none is sent
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s without User-Agent: %s", method, resp.Status)
		}
	}
	a := c.with("Authorization", "").refused(401, "", "GET", "/Users", "")
	if detail := a.body["detail"].(string); !strings.HasPrefix(detail, "UnauthorizedException") {
		t.Errorf("detail %s", detail)
	}
	a = c.must(200, "GET", "/Users/"+mira, "")
	if a.header.Get("ETag") != "" || a.body["meta"].(map[string]any)["version"] != nil {
		t.Errorf("there are no versions: %v %v", a.header, a.body["meta"])
	}
	c.with("If-Match", `W/"99"`).must(200, "PATCH", "/Users/"+mira, patchBody(`[{"op":"replace","path":"title","value":"x"}]`))
}

// TestAWSCursor: pages of at most 100, on with the cursor only.
func TestAWSCursor(t *testing.T) {
	c := quirky(t, "aws")
	for i := range 120 {
		awsUser(c, fmt.Sprintf("user%03d", i))
	}
	first := c.must(200, "GET", "/Users?cursor", "").body
	next, _ := first["nextCursor"].(string)
	if first["totalResults"] != nil || first["startIndex"] != nil || first["itemsPerPage"] != 100.0 || next == "" {
		t.Fatalf("first page: %v %v %v %q", first["totalResults"], first["startIndex"], first["itemsPerPage"], next)
	}
	if got := c.named("/Users?cursor=" + next); len(got) != 20 || got[0] != "user100" {
		t.Errorf("second page %v", got)
	}
	if got := c.must(200, "GET", "/Users?cursor="+next, "").body["nextCursor"]; got != nil {
		t.Errorf("the last page has the cursor %v", got)
	}
	if got := c.named("/Users?cursor=&count=500"); len(got) != 100 {
		t.Errorf("%d in a page of 500", len(got))
	}
	if got := c.named("/Users"); len(got) != 100 {
		t.Errorf("%d without a cursor", len(got))
	}
	if got := c.must(200, "GET", "/ServiceProviderConfig", "").body["pagination"]; got != nil {
		t.Errorf("cursors are not announced, but there is %v", got)
	}
	c.refused(400, "invalidCursor", "GET", "/Users?cursor=nonsense", "")
	c.refused(400, "invalidCount", "GET", "/Users?cursor=&count=0", "")
}

func TestAWSGroups(t *testing.T) {
	c := quirky(t, "aws")
	var people []string
	for i := range 101 {
		people = append(people, `{"value":"`+awsUser(c, fmt.Sprint("user", i))+`"}`)
	}
	hundred, all := strings.Join(people[:100], ","), strings.Join(people, ",")
	c.refused(400, "tooMany", "POST", "/Groups", `{"displayName":"Depot","members":[`+all+`]}`)
	id := c.must(201, "POST", "/Groups", `{"displayName":"Depot","members":[`+hundred+`]}`).body["id"].(string)
	group := "/Groups/" + id
	for path, body := range map[string]map[string]any{
		group: c.must(200, "GET", group, "").body, "list": c.must(200, "GET", "/Groups", "").body["Resources"].([]any)[0].(map[string]any),
	} {
		if diff := cmp.Diff([]any{}, body["members"]); diff != "" {
			t.Errorf("%s shows members (-want +got):\n%s", path, diff)
		}
	}
	held := func() int {
		t.Helper()
		groups := c.must(200, "GET", "/_sandbox/state", "").body["groups"].([]any)
		members, _ := groups[0].(map[string]any)["members"].([]any)
		return len(members)
	}
	if got := held(); got != 100 {
		t.Errorf("%d members", got)
	}
	for _, tt := range []struct{ kind, operations string }{
		{"tooMany", `[{"op":"add","path":"members","value":[` + all + `]}]`},
		{"tooMany", `[{"op":"remove","path":"members","value":[` + hundred + `]},{"op":"add","path":"members","value":[` + people[100] + `]}]`},
		{"invalidValue", `[{"op":"replace","path":"members","value":[` + people[0] + `]}]`},
		{"invalidValue", `[{"op":"Replace","value":{"members":[` + people[0] + `]}}]`},
		{"invalidValue", `[{"op":"remove","path":"members"}]`},
		{"invalidPath", `[{"op":"add","path":"description","value":"x"}]`},
		{"invalidPath", `[{"op":"add","value":{"description":"x"}}]`},
		{"invalidValue", `[{"op":"replace","path":"displayName","value":"a:b"}]`},
		{"invalidValue", `[{"op":"add","path":"members","value":[{"value":"` + id + `"}]}]`},
		{"invalidValue", `[{"op":"add","path":"members","value":[{"value":"nobody"}]}]`},
	} {
		c.refused(400, tt.kind, "PATCH", group, patchBody(tt.operations))
	}
	c.refused(405, "", "PUT", group, `{"displayName":"Depot"}`)
	c.must(204, "PATCH", group, patchBody(`[{"op":"remove","path":"members","value":[`+people[0]+`,`+people[1]+`]}]`))
	c.must(204, "PATCH", group, patchBody(`[{"op":"remove","path":"members[value eq \"`+people[2][10:46]+`\"]"},{"op":"replace","path":"displayName","value":"North"}]`))
	c.must(204, "PATCH", group, patchBody(`[{"op":"replace","value":{"displayName":"South"}}]`))
	c.must(204, "PATCH", group, patchBody(`[{"op":"replace","value":{"externalId":"E9"}}]`))
	if got := held(); got != 97 {
		t.Errorf("%d members, want 97", got)
	}
	c.must(204, http.MethodDelete, group, "")
}
