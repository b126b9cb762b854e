package litmos

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

var update = flag.Bool("update", false, "rewrite the files in testdata/wire")

// full is a person as a recorded answer shows them, names and secrets replaced.
const full = `{"Id":"rnjx2WaQOEY1","UserName":"mira.okafor@example.net","FirstName":"Mira","LastName":"O&#39;Kafor","FullName":"Mira O&#39;Kafor",` +
	`"Email":"mira.okafor@example.net","AccessLevel":"Learner","DisableMessages":true,"Active":true,"Skype":"","PhoneWork":"","PhoneMobile":"",` +
	`"LastLogin":"2016-12-09T07:54:27Z","LoginKey":"` + secretURL + `","IsCustomUsername":false,"Password":"","SkipFirstLogin":false,"TimeZone":"UTC",` +
	`"SalesforceId":null,"OriginalId":5098001,"Street1":"","Street2":"","City":"","State":"","PostalCode":"","Country":"","CompanyName":"R&amp;D",` +
	`"JobTitle":"","CustomField1":"","CustomField2":"","CustomField3":"","Culture":"en-US","CustomField4":"","CustomField5":"","CustomField6":"",` +
	`"CustomField7":"","CustomField8":"","CustomField9":"","CustomField10":"","SalesforceContactId":"","SalesforceAccountId":"",` +
	`"CreatedDate":"2016-12-01T07:00:00Z","Points":12,"Brand":"","ManagerId":"0","ManagerName":"","EnableTextNotification":false,"Website":"",` +
	`"Twitter":"","ExpirationDate":"","JobRole":"","ExternalEmployeeId":"","ProfileType":"Internal","NewerThanThis":"stays"}`

// fullXML is the same in the other form, shortened to what the skeleton does not fill in by itself.
const fullXML = `<User xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><Id>rnjx2WaQOEY1</Id><UserName>mira.okafor@example.net</UserName>` +
	`<FirstName>Mira</FirstName><LastName>O'Kafor</LastName><FullName>Mira O'Kafor</FullName><Email>mira.okafor@example.net</Email>` +
	`<AccessLevel>Learner</AccessLevel><DisableMessages>true</DisableMessages><Active>true</Active><LoginKey>` + secretURL + `</LoginKey>` +
	`<IsCustomUsername>false</IsCustomUsername><SkipFirstLogin>false</SkipFirstLogin><TimeZone>UTC</TimeZone><SalesforceId i:nil="true"/>` +
	`<OriginalId>5098001</OriginalId><CompanyName>R&amp;D</CompanyName><Culture>en-US</Culture><ManagerId>0</ManagerId></User>`

// TestWire holds every call of the life of one user and one team against testdata/wire, in both forms, with the answers
// that were given.
func TestWire(t *testing.T) {
	ref := func(id string) identity.Ref { return identity.Ref{Kind: identity.User, Anchor: id} }
	member := func(op connector.Op, attr string, ids ...string) func(c *Client) error {
		return func(c *Client) error {
			list := make([]any, len(ids))
			for i, id := range ids {
				list[i] = ref(id)
			}
			_, err := c.Update(t.Context(), connector.Update{Kind: identity.Group, Anchor: "T-41_x", Changes: []connector.Change{{Attr: attr, Op: op, New: list}}})
			return err
		}
	}
	change := func(changes ...connector.Change) func(c *Client) error {
		return func(c *Client) error {
			_, err := c.Update(t.Context(), connector.Update{Kind: identity.User, Anchor: "rnjx2WaQOEY1", Changes: changes})
			return err
		}
	}
	const team = `{"Id":"T-41_x","Name":"Sales &amp; more","Description":"","TeamCodeForBulkImport":"T41","ParentTeamId":"T-1_a"}`
	const teamXML = `<Team><Id>T-41_x</Id><Name>Sales &amp; more</Name><Description></Description><TeamCodeForBulkImport>T41</TeamCodeForBulkImport><ParentTeamId>T-1_a</ParentTeamId></Team>`
	const custom, customXML = `[{"Cost centre":"4711"},{"Shoe size":""}]`, `<UserCustomField><Parameter fieldname="Cost centre">4711</Parameter><Parameter fieldname="Shoe size"></Parameter></UserCustomField>`
	user := &identity.Object{Kind: identity.User, Attrs: identity.Attrs{
		{Name: "UserName", Value: "mira.okafor@example.net"}, {Name: "FirstName", Value: "Mira"}, {Name: "LastName", Value: "O'Kafor"},
		{Name: "Email", Value: "mira.okafor@example.net"}, {Name: "Active", Value: true}, {Name: "AccessLevel", Value: "Learner"},
		{Name: "CompanyName", Value: "R&D"}, {Name: "ExternalEmployeeId", Value: "1007"},
		{Name: "ExpirationDate", Value: time.Date(2027, 1, 31, 23, 59, 0, 0, time.UTC)},
		{Name: "ManagerId", Value: ref("b0ssQOEY1")}, {Name: "custom.Cost centre", Value: "4711"}}}

	type both struct{ json, xml string }
	none, list := both{}, both{`[]`, `<Users/>`}
	steps := []struct {
		name    string
		replies []both
		run     func(c *Client) error
	}{
		{"probe", []both{list}, func(c *Client) error { _, err := c.Probe(t.Context()); return err }},
		{"list users, the first page and the empty one", []both{{`[` + full + `]`, `<Users>` + fullXML + `</Users>`}, list}, func(c *Client) error {
			page, err := c.List(t.Context(), identity.User, "")
			if err == nil {
				_, err = c.List(t.Context(), identity.User, page.Next)
			}
			return err
		}},
		{"find a user whose name would not survive in a path", []both{list}, func(c *Client) error {
			_, err := c.Find(t.Context(), identity.User, "UserName", "mira.okafor+1@example.net", 2)
			return err
		}},
		{"find a user by a plain name", []both{{
			strings.Replace(full, `"UserName":"mira.okafor@example.net"`, `"UserName":"Mira-Okafor"`, 1),
			strings.Replace(fullXML, `<UserName>mira.okafor@example.net<`, `<UserName>Mira-Okafor<`, 1)}, {custom, customXML}}, func(c *Client) error {
			_, err := c.Find(t.Context(), identity.User, "UserName", "mira-okafor", 2)
			return err
		}},
		{"create a user with manager and advanced custom field", []both{{full, fullXML}, none}, func(c *Client) error {
			_, err := c.Create(t.Context(), user)
			return err
		}},
		{"change a title, a flag and the user name", []both{{full, fullXML}, none}, change(
			connector.Change{Attr: "JobTitle", Op: connector.Set, New: "Smith"}, connector.Change{Attr: "DisableMessages", Op: connector.Set, Old: true, New: false},
			connector.Change{Attr: "UserName", Op: connector.Set, Old: "mira.okafor@example.net", New: "mokafor"})},
		{"change the manager and an advanced custom field", []both{{full, fullXML}, none, {custom, customXML}, none}, change(
			connector.Change{Attr: "ManagerId", Op: connector.Set, New: ref("b0ssQOEY1")}, connector.Change{Attr: "custom.Shoe size", Op: connector.Set, New: "41 & 1/2"})},
		{"clear a value and the manager", []both{{full, fullXML}, none}, change(
			connector.Change{Attr: "CompanyName", Op: connector.Clear, Old: "R&D"}, connector.Change{Attr: "ManagerId", Op: connector.Clear, Old: ref("b0ssQOEY1")})},
		{"disable, which takes out of all teams here", []both{{full, fullXML}, none, none}, change(connector.Change{Attr: "Active", Op: connector.Set, Old: true, New: false})},
		{"delete a user", []both{none}, func(c *Client) error { return c.Delete(t.Context(), identity.User, "rnjx2WaQOEY1") }},
		{"find a team", []both{{`[` + team + `]`, `<Teams>` + teamXML + `</Teams>`}, {team, teamXML}}, func(c *Client) error {
			_, err := c.Find(t.Context(), identity.Group, "Name", "Sales & more", 2)
			return err
		}},
		{"create a team", []both{{team, teamXML}}, func(c *Client) error {
			_, err := c.Create(t.Context(), &identity.Object{Kind: identity.Group, Attrs: identity.Attrs{{Name: "Name", Value: "Sales & more"}}})
			return err
		}},
		{"add members", []both{none}, member(connector.Add, "members", "rnjx2WaQOEY1", "b0ssQOEY1")},
		{"make a leader of a member", []both{none}, member(connector.Add, "leaders", "b0ssQOEY1")},
		{"take an administrator back", []both{none}, member(connector.Remove, "admins", "b0ssQOEY1")},
		{"remove members, one by one", []both{none, none}, member(connector.Remove, "members", "rnjx2WaQOEY1", "b0ssQOEY1")},
		{"rename a team", []both{{team, teamXML}, none}, func(c *Client) error {
			_, err := c.Update(t.Context(), connector.Update{Kind: identity.Group, Anchor: "T-41_x", Changes: []connector.Change{{Attr: "Name", Op: connector.Set, Old: "Sales & more", New: "Sales"}}})
			return err
		}},
		{"delete a team", []both{none}, func(c *Client) error { return c.Delete(t.Context(), identity.Group, "T-41_x") }},
	}
	uses := []connector.Use{userUse(schema.Attribute{Name: "custom.Cost centre"}, schema.Attribute{Name: "custom.Shoe size"}),
		groupUse(schema.Attribute{Name: "Description"}, schema.Attribute{Name: "leaders", Type: schema.Reference, MultiValued: true})}
	for _, format := range []string{"json", "xml"} {
		t.Run(format, func(t *testing.T) {
			var log strings.Builder
			for _, step := range steps {
				var replies []reply
				for _, r := range step.replies {
					body := r.json
					if format == "xml" {
						body = r.xml
					}
					replies = append(replies, reply{status: 200, body: body})
				}
				c, s, logged := scripted(t, map[string]any{"format": format, "removeFromTeamsOnDisable": true, "sendMessage": true, "pageSize": 1000}, uses, replies...)
				if err := step.run(c); err != nil {
					t.Errorf("%s: %v", step.name, err)
				}
				if len(s.calls) != len(replies) {
					t.Errorf("%s: %d calls, want %d", step.name, len(s.calls), len(replies))
				}
				for i, h := range s.headers {
					if h.Get("apikey") != key || strings.Contains(s.queries[i], key) {
						t.Errorf("%s: the key belongs into the header, and nowhere else", step.name)
					}
				}
				if strings.Contains(strings.Join(s.bodies, "")+logged.String(), "loginkey=") {
					t.Errorf("%s: the sign-in address was sent or logged", step.name)
				}
				log.WriteString("# " + step.name + "\n\n" + strings.ReplaceAll(s.log.String(), secretURL, "https://example.litmos.com/login.aspx?loginkey=SECRET"))
			}
			path := filepath.Join("testdata", "wire", format+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(log.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), log.String()); diff != "" {
				t.Errorf("%s (-recorded +sent):\n%s", path, diff)
			}
		})
	}
}
