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

const miraLeapsome = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"mira@example.net"}`

// openLeapsome gives clients of both endpoints of one Leapsome.
func openLeapsome(t testing.TB, cfg Config) (own, legacy *client) {
	t.Helper()
	if cfg.Rate == 0 {
		cfg.Rate = NoRate
	}
	own = open(t, "leapsome", cfg)
	old := *own
	old.base = own.origin + "/api/scim"
	return own, &old
}

// leapsomePerson makes a user with an externalId and gives its id.
func leapsomePerson(c *client, userName, externalID string) string {
	c.t.Helper()
	return c.must(201, "POST", "/Users", `{"userName":"`+userName+`","displayName":"`+strings.ToUpper(userName)+`","externalId":"`+externalID+`"}`).body["id"].(string)
}

var noMeta = cmpopts.IgnoreMapEntries(func(k string, _ any) bool { return k == "meta" || k == "schemas" })

func TestLeapsomeCreateTakesTheSmallerSet(t *testing.T) {
	own, legacy := openLeapsome(t, Config{})
	if own.server.BasePath() != "/scim/v1" {
		t.Fatalf("base path %s", own.server.BasePath())
	}
	a := own.must(201, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"mira@example.net","displayName":"Mira Okafor",
		"name":{"givenName":"Mira","familyName":"Okafor","formatted":"M. Okafor"},"photos":[{"value":"https://example.net/mira.png"}],"externalId":"100231",
		"active":false,"manager":"nobody","location":"Oslo","emails":[{"type":"home","value":"mira@home.example"}],"nickName":"Mi",
		"`+enterpriseURN+`":{"department":"Control room"}}`)
	want := map[string]any{"id": a.body["id"], "userName": "mira@example.net", "displayName": "Mira Okafor", "externalId": "100231",
		"name": map[string]any{"givenName": "Mira", "familyName": "Okafor"}, "title": "Colleague", "active": true,
		"photos": []any{map[string]any{"value": "https://example.net/mira.png"}},
		"emails": []any{map[string]any{"type": "work", "primary": true, "value": "mira@example.net"}}}
	if diff := cmp.Diff(want, a.body, noMeta); diff != "" {
		t.Errorf("new user (-want +got):\n%s", diff)
	}
	for _, id := range []string{a.body["id"].(string), "100231"} {
		for _, c := range []*client{own, legacy} {
			if diff := cmp.Diff(want, c.must(200, "GET", "/Users/"+id, "").body, noMeta); diff != "" {
				t.Errorf("GET %s%s (-want +got):\n%s", c.base, id, diff)
			}
		}
	}
}

func TestLeapsomePatchTakesAPartOfAResource(t *testing.T) {
	own, legacy := openLeapsome(t, Config{})
	sam, mira := leapsomePerson(own, "sam@example.net", "E1"), leapsomePerson(own, "mira@example.net", "E2")
	for i, manager := range []string{sam, "SAM@example.net", "E1"} {
		field := `"manager":"` + manager + `"`
		if i > 0 {
			field = `"` + enterpriseURN + `":{` + field + `}`
		}
		a := own.must(200, "PATCH", "/Users/"+mira, `{"userName":"mira@example.net",`+field+`}`)
		want := map[string]any{"manager": map[string]any{"managerId": sam, "displayName": "SAM@EXAMPLE.NET"}}
		if diff := cmp.Diff(want, a.body[enterpriseURN]); diff != "" {
			t.Errorf("manager %s in the extension (-want +got):\n%s", manager, diff)
		}
		if diff := cmp.Diff(map[string]any{"value": sam}, a.body["manager"]); diff != "" {
			t.Errorf("manager %s (-want +got):\n%s", manager, diff)
		}
	}
	a := own.must(200, "PATCH", "/Users/E2", `{"username":"m.okafor@example.net","active":false,"title":"Dispatcher","location":"Oslo",
		"emails":[{"type":"work","value":"other@example.net"}],
		"`+enterpriseURN+`":{"department":"Control room","startDate":"2024-02-01","gender":"diverse","5ecba01f0000000000000001":"red","shoe":"9",
		"additionalManagers":["E1","mira@example.net"]}}`)
	extension := map[string]any{"manager": map[string]any{"managerId": sam, "displayName": "SAM@EXAMPLE.NET"}, "department": "Control room",
		"startDate": "2024-02-01", "gender": "diverse", "5ecba01f0000000000000001": "red", "location": "Oslo",
		"additionalManagers": []any{map[string]any{"managerId": sam, "displayName": "SAM@EXAMPLE.NET"},
			map[string]any{"managerId": mira, "displayName": "MIRA@EXAMPLE.NET"}}}
	want := map[string]any{"id": mira, "userName": "m.okafor@example.net", "displayName": "MIRA@EXAMPLE.NET", "externalId": "E2", "active": false,
		"title": "Dispatcher", "manager": map[string]any{"value": sam}, enterpriseURN: extension,
		"emails": []any{map[string]any{"type": "work", "primary": true, "value": "m.okafor@example.net"}}}
	if diff := cmp.Diff(want, a.body, noMeta); diff != "" {
		t.Errorf("after PATCH (-want +got):\n%s", diff)
	}
	own.must(403, "GET", "/_sandbox/signin?userName=m.okafor@example.net", "")
	// What is null or empty goes; the other endpoint shows managers as RFC 7643 section 4.3 has them.
	own.must(200, "PATCH", "/Users/"+mira, `{"userName":"m.okafor@example.net","active":true,"manager":null,"`+enterpriseURN+`":{"department":"","location":null}}`)
	got := legacy.must(200, "GET", "/Users/"+mira, "").body[enterpriseURN]
	if diff := cmp.Diff(map[string]any{"startDate": "2024-02-01", "gender": "diverse", "5ecba01f0000000000000001": "red",
		"additionalManagers": []any{map[string]any{"value": sam}, map[string]any{"value": mira}}}, got); diff != "" {
		t.Errorf("by the other endpoint (-want +got):\n%s", diff)
	}
	own.must(200, "GET", "/_sandbox/signin?userName=m.okafor@example.net", "")
	a = own.must(200, "PUT", "/Users/"+mira, `{"userName":"mira@example.net","externalId":"E2"}`)
	want = map[string]any{"id": mira, "userName": "mira@example.net", "externalId": "E2", "active": true, "title": "Colleague",
		"emails": []any{map[string]any{"type": "work", "primary": true, "value": "mira@example.net"}}}
	if diff := cmp.Diff(want, a.body, noMeta); diff != "" {
		t.Errorf("PUT replaces everything (-want +got):\n%s", diff)
	}
}

func TestLeapsomeRefusesUsers(t *testing.T) {
	own, legacy := openLeapsome(t, Config{Domain: "example.net"})
	leapsomePerson(own, "sam@example.net", "E1")
	mira := "/Users/" + leapsomePerson(own, "mira@example.net", "E2")
	for _, tt := range []struct {
		name   string
		status int
		kind   string
		fields string // of a POST and a PATCH
	}{
		{"no userName", 400, "invalidValue", `"displayName":"Mira"`},
		{"empty userName", 400, "invalidValue", `"userName":""`},
		{"userName that is no address", 400, "invalidValue", `"userName":"mira"`},
		{"userName in another domain", 400, "invalidValue", `"userName":"mira@example.org"`},
		{"userName that is taken, in another case", 409, "uniqueness", `"userName":"SAM@example.net"`},
		{"name without familyName", 400, "invalidValue", `"userName":"new@example.net","name":{"givenName":"Mira"}`},
		{"photo that is no URL", 400, "invalidValue", `"userName":"new@example.net","photos":[{"value":"mira.png"}]`},
		{"title that is no text", 400, "invalidValue", `"userName":"new@example.net","title":{"a":"b"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := *own
			c.t = t
			c.refused(tt.status, tt.kind, "POST", "/Users", "{"+tt.fields+"}")
			c.refused(tt.status, tt.kind, "PATCH", mira, "{"+tt.fields+"}")
			c.refused(tt.status, tt.kind, "PUT", mira, "{"+tt.fields+"}")
		})
	}
	for _, fields := range []string{`"manager":"nobody"`, `"manager":{"value":"nobody"}`, `"` + enterpriseURN + `":{"manager":"nobody@example.net"}`,
		`"` + enterpriseURN + `":{"additionalManagers":["nobody"]}`, `"` + enterpriseURN + `":{"startDate":"1 May"}`,
		`"` + enterpriseURN + `":{"birthday":"2024-02-30"}`, `"` + enterpriseURN + `":{"gender":"f"}`, `"active":"perhaps"`} {
		own.refused(400, "invalidValue", "PATCH", mira, `{"userName":"mira@example.net",`+fields+`}`)
	}
	own.refused(400, "invalidSyntax", "PATCH", mira, patchBody(`[{"op":"replace","path":"active","value":false}]`))
	own.refused(400, "invalidSyntax", "PATCH", mira, `{"userName":"mira@example.net","operations":[]}`)
	own.refused(400, "invalidSyntax", "PATCH", mira, `[]`)
	own.refused(404, "", "PATCH", "/Users/nobody", miraLeapsome)
	for _, c := range []*client{own, legacy} {
		c.refused(404, "", "GET", "/Users/nobody", "")
		c.refused(405, "", "DELETE", mira, "")
		c.with("Authorization", "Bearer wrong").refused(403, "", "GET", "/Users", "")
		c.with("Authorization", "").refused(403, "", "GET", "/Users", "")
		c.refused(409, "uniqueness", "POST", "/Users", miraLeapsome)
		c.refused(400, "invalidValue", "POST", "/Users", strings.Replace(miraLeapsome, "net", "org", 1))
		for _, filter := range []string{`userName sw "m"`, `emails eq "mira@example.net"`, `emails[type eq "work"].value eq "mira@example.net"`,
			`externalId eq "E1"`, `userName eq "a" and displayName eq "b"`, `userName eq "a" or userName eq "b"`, `not (userName eq "a")`, `id eq "x"`} {
			c.refused(400, "invalidFilter", "GET", "/Users?filter="+url.QueryEscape(filter), "")
		}
		if got := c.must(200, "GET", "/Users?filter="+url.QueryEscape(`userName eq "Mira@example.net"`), "").body["totalResults"]; got != 1.0 {
			t.Errorf("%v hits", got)
		}
	}
	own.base = own.origin
	own.must(404, "GET", "/scim/v2/Users", "")
}

// TestLeapsomeLegacyEndpoint: the older endpoint reads PATCH as the reference service writes it.
func TestLeapsomeLegacyEndpoint(t *testing.T) {
	own, legacy := openLeapsome(t, Config{})
	sam := leapsomePerson(own, "sam@example.net", "E1")
	a := legacy.must(201, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","`+enterpriseURN+`"],"userName":"mira@example.net","active":true,
		"title":"Dispatcher","emails":[{"type":"home","value":"mira@home.example"},{"type":"work","primary":true,"value":"mira.o@example.net"}],
		"`+enterpriseURN+`":{"department":"Control room","manager":{"value":"`+sam+`"},"employeeNumber":"7"}}`)
	id := a.body["id"].(string)
	a = legacy.must(200, "PATCH", "/Users/"+id, patchBody(`[{"op":"Replace","path":"active","value":"False"},
		{"op":"Replace","path":"emails[type eq \"work\"].value","value":"else@example.net"},
		{"op":"Add","path":"`+enterpriseURN+`:manager","value":"sam@example.net"},
		{"op":"Add","path":"`+enterpriseURN+`:aecba01f0000000000000001","value":"red"}]`))
	want := map[string]any{"id": id, "userName": "mira@example.net", "active": false, "title": "Dispatcher",
		"emails":      []any{map[string]any{"type": "work", "primary": true, "value": "mira@example.net"}},
		enterpriseURN: map[string]any{"department": "Control room", "manager": map[string]any{"value": sam}, "aecba01f0000000000000001": "red"}}
	if diff := cmp.Diff(want, a.body, noMeta); diff != "" {
		t.Errorf("only the work address is kept, and follows userName (-want +got):\n%s", diff)
	}
	legacy.refused(400, "invalidValue", "PATCH", "/Users/"+id, patchBody(`[{"op":"Add","path":"`+enterpriseURN+`:manager","value":"nobody"}]`))
	group := legacy.group("Depot", sam, id)
	legacy.must(204, "PATCH", "/Groups/"+group, patchBody(`[{"op":"Remove","path":"members[value eq \"`+id+`\"]"}]`))
	if got := own.members(group); !cmp.Equal(got, []string{sam}) {
		t.Errorf("members %v", got)
	}
	many := strings.TrimSuffix(strings.Repeat(`{"value":"`+sam+`"},`, 101), ",")
	legacy.refused(400, "tooMany", "PATCH", "/Groups/"+group, patchBody(`[{"op":"Add","path":"members","value":[`+many+`]}]`))
	legacy.refused(400, "tooMany", "PATCH", "/Groups/"+group, patchBody(`[{"op":"Add","value":{"members":[`+many+`]}}]`))
	people := []string{}
	for i := range 101 {
		people = append(people, `{"value":"`+leapsomePerson(own, fmt.Sprintf("p%d@example.net", i), "")+`"}`)
	}
	legacy.refused(400, "tooMany", "POST", "/Groups", `{"displayName":"Crew","members":[`+strings.Join(people, ",")+`]}`)
	for _, c := range []*client{own, legacy} {
		c.refused(405, "", "DELETE", "/Groups/"+group, "")
		c.refused(405, "", "PUT", "/Groups/"+group, `{"displayName":"Depot"}`)
		c.refused(401, "", "GET", "/Groups/nobody", "")
	}
}

func TestLeapsomeGroups(t *testing.T) {
	own, _ := openLeapsome(t, Config{})
	var people []string
	for i := range 150 {
		people = append(people, leapsomePerson(own, fmt.Sprintf("p%d@example.net", i), fmt.Sprint("E", i)))
	}
	members := func(ids ...string) string {
		list := []string{}
		for _, id := range ids {
			list = append(list, `{"value":"`+id+`"}`)
		}
		return `"members":[` + strings.Join(list, ",") + `]`
	}
	id := own.must(201, "POST", "/Groups", `{"displayName":"Depot","externalId":"T1",`+members(people[0])+`}`).body["id"].(string)
	if got := own.members(id); len(got) != 0 {
		t.Errorf("a create takes no members, but there are %v", got)
	}
	group := "/Groups/T1" // by externalId
	own.must(200, "PATCH", group, `{"displayName":"Depot",`+members(people[0], people[1])+`}`)
	own.must(200, "PATCH", group, `{"displayName":"Depot North","replaceMembers":false,`+members(people[1], people[2])+`}`)
	if got := own.members(id); !cmp.Equal(got, people[:3]) {
		t.Errorf("members are added: %v", got)
	}
	own.must(200, "PATCH", group, `{"displayName":"Depot North","replaceMembers":true,`+members(people[:100]...)+`}`)
	own.must(200, "PATCH", group, `{"displayName":"Depot North",`+members(people[100:]...)+`}`)
	if got := own.members(id); !cmp.Equal(got, people) {
		t.Errorf("%d members, want 150", len(got))
	}
	own.must(200, "PATCH", group, `{"displayName":"Depot North"}`)
	if got := own.members(id); len(got) != 150 {
		t.Errorf("a PATCH without members leaves %d", len(got))
	}
	own.must(200, "PATCH", group, `{"displayName":"Depot North","replaceMembers":true,"members":[]}`)
	if got := own.members(id); len(got) != 0 {
		t.Errorf("an empty list leaves %v", got)
	}
	other := own.must(201, "POST", "/Groups", `{"displayName":"Crew"}`).body["id"].(string)
	for _, tt := range []struct {
		name   string
		status int
		kind   string
		fields string
	}{
		{"no displayName", 400, "invalidValue", members(people[0])},
		{"a displayName of 129 characters", 400, "invalidValue", `"displayName":"` + strings.Repeat("ä", 129) + `"`},
		{"a displayName that is taken", 409, "uniqueness", `"displayName":"Crew"`},
		{"101 members", 400, "tooMany", `"displayName":"D",` + members(people[:101]...)},
		{"an unknown member", 400, "invalidValue", `"displayName":"D",` + members("nobody")},
		{"a group as a member", 400, "invalidValue", `"displayName":"D",` + members(other)},
		{"members that are no list", 400, "invalidValue", `"displayName":"D","members":"x"`},
		{"replaceMembers that is no Boolean", 400, "invalidValue", `"displayName":"D","replaceMembers":"yes"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := *own
			c.t = t
			c.refused(tt.status, tt.kind, "PATCH", group, "{"+tt.fields+"}")
			if !strings.Contains(tt.fields, "embers") {
				c.refused(tt.status, tt.kind, "POST", "/Groups", "{"+tt.fields+"}")
			}
		})
	}
	own.refused(400, "invalidSyntax", "PATCH", group, patchBody(`[{"op":"add","path":"members","value":[{"value":"x"}]}]`))
	own.refused(401, "", "PATCH", "/Groups/nobody", `{"displayName":"D"}`)
	own.refused(401, "", "GET", "/Groups/nobody", "")
	for _, filter := range []string{`displayName co "D"`, `externalId eq "T1"`, `members eq "x"`, `id eq "x"`} {
		own.refused(400, "invalidFilter", "GET", "/Groups?filter="+url.QueryEscape(filter), "")
	}
	own.must(201, "POST", "/Groups", `{"displayName":"`+strings.Repeat("ä", 128)+`"}`)
}

// TestLeapsomePages: users come 5000 at a time, groups all at once when no count is given and 1000 with one.
func TestLeapsomePages(t *testing.T) {
	own, _ := openLeapsome(t, Config{NoBodies: true})
	store := own.server.app.(*leapsome).own.store
	for _, kind := range []*scimKind{&store.users, &store.groups} {
		for i := range 5001 {
			rec := &record{kind: kind, id: fmt.Sprint(kind.path, i), name: fmt.Sprint(i), body: []byte(`{"id":"x"`)}
			if kind.path == groupsPath {
				rec.members = newMemberList()
			}
			kind.insert(rec)
		}
	}
	for path, want := range map[string]int{
		"/Users": 5000, "/Users?count=9000": 5000, "/Users?startIndex=5001&count=5000": 1, "/Users?count=2": 2,
		"/Groups": 5001, "/Groups?count=5001": 1000, "/Groups?count=1000&startIndex=5001": 1,
	} {
		a := own.must(200, "GET", path, "")
		if got := len(a.body["Resources"].([]any)); got != want || a.body["totalResults"] != 5001.0 {
			t.Errorf("%s: %d of %v, want %d of 5001", path, got, a.body["totalResults"], want)
		}
	}
}

func TestLeapsomeDiscoveryAndRate(t *testing.T) {
	clock := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	own := open(t, "leapsome", Config{Now: clock.Now})
	if got := own.must(200, "GET", "/ServiceProviderConfig", "").body["patch"]; !cmp.Equal(got, map[string]any{"supported": true}) {
		t.Errorf("patch %v", got)
	}
	schema := own.must(200, "GET", "/Schemas/"+enterpriseURN, "").raw
	if strings.Contains(schema, "mutability") || !strings.Contains(schema, `"readOnly":false`) {
		t.Errorf("schema %s", schema)
	}
	if got := own.must(200, "GET", "/Schemas", "").body["totalResults"]; got != 3.0 {
		t.Errorf("%v schemas", got)
	}
	own.refused(404, "", "GET", "/ResourceTypes", "")
	own.refused(404, "", "POST", "/Bulk", "{}")
	for range 25 {
		own.must(200, "GET", "/Users", "")
	}
	a := own.refused(429, "", "GET", "/Users", "")
	if got := a.header.Get("Retry-After"); got != "" {
		t.Errorf("Retry-After %q", got)
	}
	clock.now = clock.now.Add(time.Second - 1)
	own.must(429, "GET", "/Users", "")
	clock.now = clock.now.Add(1)
	own.must(200, "GET", "/Users", "")
}
