package sandbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func slackPerson(userName, more string) string {
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + userName + `",` + more + `"emails":[{"value":"` +
		userName + `@example.net","type":"work","primary":true}]}`
}

// slackRefused does a request that has to be refused in Slack's form: the code for a text, the status a number.
func (c *client) slackRefused(status int, code, method, path, body string) {
	c.t.Helper()
	a := c.must(status, method, path, body)
	want := map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": float64(status), "detail": code}
	if code == "" {
		want["detail"] = a.body["detail"]
	}
	if diff := cmp.Diff(want, a.body); diff != "" {
		c.t.Errorf("%s %s %s (-want +got):\n%s", method, path, body, diff)
	}
}

func TestSlackChangesNames(t *testing.T) {
	c := quirky(t, "slack")
	for i, tt := range []struct{ sent, kept string }{
		{"mira.okafor", "mira.okafor"}, {"Mira-Okafor_2", "mira-okafor_2"}, {"mira o'kafor", "mira_o_kafor"}, {"Märta", "m_rta"},
		{"ada.lovelace@example.net", "ada.lovelace"}, {"abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstu"},
	} {
		a := c.must(201, "POST", "/Users", strings.Replace(slackPerson(tt.sent, ""), `[{"value":"`+tt.sent, fmt.Sprint(`[{"value":"m`, i), 1))
		if a.body["userName"] != tt.kept || a.body["displayName"] != tt.kept {
			t.Errorf("%s became %v, shown as %v", tt.sent, a.body["userName"], a.body["displayName"])
		}
		if want := fmt.Sprintf("U%07d", i+1); a.body["id"] != want {
			t.Errorf("id %v, want %s", a.body["id"], want)
		}
	}
	if got := c.named(filtered("/Users", `userName eq "abcdefghijklmnopqrstuvwxyz"`)); len(got) != 0 {
		t.Errorf("found by the name that was sent: %v", got)
	}
	c.slackRefused(409, "username_taken", "POST", "/Users", slackPerson("abcdefghijklmnopqrstuVWX", ""))
	c.must(200, "PATCH", "/Users/U0000001", patchBody(`[{"op":"replace","path":"userName","value":"MIRA@example.net"}]`))
	if got := c.must(200, "GET", "/Users/U0000001", "").body["userName"]; got != "mira" {
		t.Errorf("after PATCH %v", got)
	}
}

func TestSlackRefusesUsers(t *testing.T) {
	c := quirky(t, "slack")
	c.must(201, "POST", "/Users", slackPerson("sam", ""))
	mine := "/Users/" + c.must(201, "POST", "/Users", slackPerson("other", "")).body["id"].(string)
	for _, tt := range []struct {
		name   string
		status int
		code   string
		body   string
	}{
		{"no userName", 400, "missing_schema_element", `{"emails":[{"value":"x@example.net"}]}`},
		{"no e-mail", 400, "missing_schema_element", `{"userName":"new"}`},
		{"userName is taken", 409, "username_taken", strings.Replace(slackPerson("Sam", ""), `"Sam@`, `"new@`, 1)},
		{"a userName of nothing but a domain", 400, "username_not_allowed", slackPerson("@example", "")},
		{"e-mail is taken", 409, "email_taken", strings.Replace(slackPerson("new", ""), `"new@`, `"SAM@`, 1)},
		{"displayName of 81 characters", 400, "", slackPerson("new", `"displayName":"`+strings.Repeat("ä", 81)+`",`)},
		{"displayName with an @", 400, "", slackPerson("new", `"displayName":"a@b",`)},
		{"nickName of 22 characters", 400, "long_nickname", slackPerson("new", `"nickName":"`+strings.Repeat("n", 22)+`",`)},
		{"name with specials", 400, "invalid_name_specials", slackPerson("new", `"name":{"givenName":"M#ra"},`)},
		{"name that is too long", 400, "invalid_name_maxlength", slackPerson("new", `"name":{"familyName":"`+strings.Repeat("ä", 36)+`"},`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := c.on(t)
			c.slackRefused(tt.status, tt.code, "POST", "/Users", tt.body)
			c.slackRefused(tt.status, tt.code, "PUT", mine, tt.body)
		})
	}
	c.must(201, "POST", "/Users", slackPerson("new", `"displayName":"`+strings.Repeat("ä", 80)+`","nickName":"`+strings.Repeat("n", 21)+
		`","name":{"givenName":"Zoë-Mae","familyName":"O’Neil, Jr."},`))
	c.slackRefused(404, "no_such_user", "GET", "/Users/U9999999", "")
	c.slackRefused(404, "no_such_group", "GET", "/Groups/S9999999", "")
	c.with("Authorization", "").slackRefused(401, "invalid_authentication", "GET", "/Users", "")
	c.slackRefused(400, "", "GET", filtered("/Users", `externalId eq "x"`), "")
	c.slackRefused(400, "", "GET", filtered("/Groups", `id eq "x"`), "")
	if got := c.named(filtered("/Users", `emails[type eq "work"].value eq "sam@example.net"`)); !cmp.Equal(got, []string{"sam"}) {
		t.Errorf("by e-mail %v", got)
	}
	if a := c.must(200, "GET", "/ServiceProviderConfig", ""); !cmp.Equal(a.body["etag"], map[string]any{"supported": false}) {
		t.Errorf("etag %v", a.body["etag"])
	}
	open(t, "scim", Config{Rate: 1, Quirks: []string{"slack"}}).must(200, "GET", "/Users", "")
}

func TestSlackDeleteDeactivates(t *testing.T) {
	c := quirky(t, "slack")
	mira := c.must(201, "POST", "/Users", slackPerson("mira", "")).body["id"].(string)
	sam := c.must(201, "POST", "/Users", slackPerson("sam", "")).body["id"].(string)
	team := c.group("Depot", mira, sam)
	if team != "S0000001" {
		t.Errorf("id of a group %s", team)
	}
	c.must(204, "DELETE", "/Users/"+mira, "")
	c.must(403, "GET", "/_sandbox/signin?userName=mira", "")
	if got := c.must(200, "GET", "/Users/"+mira, "").body["active"]; !cmp.Equal(got, any(false)) {
		t.Errorf("active %v", got)
	}
	if got := c.members(team); !cmp.Equal(got, []string{sam}) {
		t.Errorf("who is deactivated leaves the groups: %v", got)
	}
	c.slackRefused(409, "email_taken", "POST", "/Users", strings.Replace(slackPerson("new", ""), `"new@`, `"mira@`, 1))
	for _, operation := range []string{`{"op":"add","path":"members","value":[{"value":"` + mira + `"}]}`, `{"op":"replace","path":"members","value":[{"value":"` + mira + `"}]}`} {
		c.slackRefused(400, "no_such_user", "PATCH", "/Groups/"+team, patchBody("["+operation+"]"))
	}
	c.slackRefused(400, "no_such_user", "POST", "/Groups", `{"displayName":"New","members":[{"value":"`+mira+`"}]}`)
	c.must(200, "PATCH", "/Users/"+mira, patchBody(`[{"op":"replace","path":"active","value":true}]`))
	c.must(204, "PATCH", "/Groups/"+team, patchBody(`[{"op":"add","path":"members","value":[{"value":"`+mira+`"}]}]`))
	c.must(204, "PATCH", "/Groups/"+team, patchBody(`[{"op":"remove","path":"members[value eq \"`+sam+`\"]"}]`))
	if got := c.members(team); !cmp.Equal(got, []string{mira}) {
		t.Errorf("members %v", got)
	}
	c.must(200, "PATCH", "/Users/"+mira, patchBody(`[{"op":"replace","path":"active","value":false}]`))
	if got := c.members(team); len(got) != 0 {
		t.Errorf("members %v", got)
	}
	c.must(204, "PATCH", "/Groups/"+team, patchBody(`[{"op":"remove","path":"members"}]`))
	c.must(204, "DELETE", "/Groups/"+team, "")
	c.must(404, "GET", "/Groups/"+team, "")
}

func TestSlackPages(t *testing.T) {
	c := quirky(t, "slack")
	for i := range 12 {
		c.must(201, "POST", "/Users", slackPerson(fmt.Sprint("user", i), ""))
	}
	for path, want := range map[string]int{"/Users": 10, "/Users?startIndex=11": 2, "/Users?count=12": 12, "/Users?count=5000": 12} {
		if got := len(c.named(path)); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	many := strings.TrimSuffix(strings.Repeat(`{"value":"U0000001"},`, 3), ",")
	c.must(201, "POST", "/Groups", `{"displayName":"Depot","members":[`+many+`]}`)
}
