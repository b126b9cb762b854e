package sandbox

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const litmosXMLUser = `<User><Id></Id><UserName>mira@example.net</UserName><FirstName>M&amp;ra</FirstName><LastName>O'Kafor</LastName>` +
	`<Email>mira@example.net</Email><DisableMessages>True</DisableMessages><Active>true</Active><CustomField3>three</CustomField3></User>`

// TestLitmosAPIForms: rule A4, JSON when it is asked for in the query or in a header, XML otherwise.
func TestLitmosAPIForms(t *testing.T) {
	l := openLitmos(t, Config{})
	l.call(201, "POST", "/users", litmosPerson(nil))
	for _, tt := range []struct {
		name, query, accept, contentType string
		json                             bool
	}{
		{"nothing", "", "", "", false},
		{"format=json", "&format=json", "", "", true},
		{"format=xml against the header", "&format=xml", "application/json", "", false},
		{"Accept", "", "text/html, application/json;q=0.9", "", true},
		{"Accept XML against the type of the body", "", "application/xml", "application/json", false},
		{"anything is accepted", "", "*/*", "", false},
		{"type of the body", "", "", "application/json; charset=utf-8", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := *l.client
			c.t = t
			c.header = http.Header{"Apikey": {l.token}, "Authorization": {""}, "Accept": {tt.accept}, "Content-Type": {tt.contentType}}
			a := c.must(200, "GET", "/users?source=x"+tt.query, "")
			want, start := "application/xml; charset=utf-8", "<Users "
			if tt.json {
				want, start = "application/json; charset=utf-8", "["
			}
			if a.header.Get("Content-Type") != want || !strings.HasPrefix(a.raw, start) {
				t.Errorf("%s: %s", a.header.Get("Content-Type"), a.raw)
			}
		})
	}
	// The body is read as its own type says.
	mixed := litmos{l.with("Content-Type", "application/xml"), l.query}
	if got := mixed.call(201, "POST", "/users", litmosXMLUser).body["FirstName"]; got != "M&amp;ra" {
		t.Errorf("XML in, JSON out: %v", got)
	}
	untyped := litmos{l.with("Content-Type", ""), "source=x"}
	untyped.call(400, "POST", "/teams", `{"Name":"Depot"}`)
	untyped.call(201, "POST", "/teams", `<Team><Name>Depot</Name></Team>`)
}

// TestLitmosAPIXML: section 2.4, roots, nulls, and the order of elements.
func TestLitmosAPIXML(t *testing.T) {
	l := openLitmos(t, Config{})
	x := litmos{l.with("Content-Type", "application/xml"), "source=x"}
	made := x.call(201, "POST", "/users", litmosXMLUser).raw
	const open = `<User xmlns:i="http://www.w3.org/2001/XMLSchema-instance">`
	if !strings.HasPrefix(made, open+"<Id>") || !strings.HasSuffix(made, "<ProfileType></ProfileType></User>") {
		t.Errorf("root: %s", made)
	}
	for _, part := range []string{"<FirstName>M&amp;ra</FirstName><LastName>O&#39;Kafor</LastName><FullName>M&amp;ra O&#39;Kafor</FullName>",
		"<DisableMessages>true</DisableMessages><Active>true</Active>", `<SalesforceId i:nil="true"/><OriginalId>5098001</OriginalId>`,
		"<CustomField3>three</CustomField3><Culture>en-US</Culture><CustomField4></CustomField4>"} {
		if !strings.Contains(made, part) {
			t.Errorf("no %s in %s", part, made)
		}
	}
	// What was read can be sent back as it is.
	id := l.column("/users", "Id")[0]
	x.call(200, "PUT", "/users/"+id, made)
	if got := x.call(200, "GET", "/users/"+id, "").raw; got != made {
		t.Errorf("after a round trip (-want +got):\n%s", cmp.Diff(made, got))
	}
	got := x.call(200, "GET", "/users", "").raw
	want := `<Users xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><User><Id>` + id + `</Id><UserName>mira@example.net</UserName><FirstName>M&amp;ra</FirstName>` +
		`<LastName>O&#39;Kafor</LastName><Active>true</Active><Email>mira@example.net</Email><AccessLevel>Learner</AccessLevel><Brand></Brand></User></Users>`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	team := x.call(201, "POST", "/teams", `<Team><Id/><Name>Depot</Name><Description>North &amp; south</Description></Team>`).raw
	if !strings.HasPrefix(team, `<Team xmlns:i=`) || !strings.Contains(team, "<Description>North &amp; south</Description>") {
		t.Errorf("team %s", team)
	}
	depot := l.column("/teams", "Id")[0]
	x.call(201, "POST", "/teams/"+depot+"/users", `<Users><User><Id>`+id+`</Id></User></Users>`)
	if got := l.column("/teams/"+depot+"/users", "Id"); !cmp.Equal(got, []string{id}) {
		t.Errorf("members %v", got)
	}
	if got := x.call(200, "GET", "/users/"+id+"/teams", "").raw; !strings.Contains(got, "<Team><Id>"+depot+"</Id>") {
		t.Errorf("teams %s", got)
	}
	if got := x.call(404, "GET", "/users/nobody", "").raw; got != "" {
		t.Errorf("an error in XML has no body: %s", got)
	}
}

func TestLitmosAPIRefusesXML(t *testing.T) {
	l := openLitmos(t, Config{})
	x := litmos{l.with("Content-Type", "text/xml"), "source=x"}
	person := func(parts ...string) string {
		return "<User>" + strings.Join(parts, "") + "</User>"
	}
	const name, names, flags = "<UserName>mira</UserName>", "<FirstName>M</FirstName><LastName>O</LastName><Email/>", "<DisableMessages>true</DisableMessages>"
	for _, tt := range []struct {
		name, body string
		status     int
	}{
		{"UserName behind LastName", person(names, name, flags), 400},
		{"Active before DisableMessages", person(name, names, "<Active>true</Active>", flags), 400},
		{"an element twice, not in a row", person(name, names, name, flags), 400},
		{"another root", "<Person>" + name + names + flags + "</Person>", 400},
		{"a list", "<Users>" + person(name, names, flags) + "</Users>", 400},
		{"not closed", "<User>" + name, 400},
		{"JSON", litmosPerson(nil), 400},
		{"nothing", "", 400},
		{"an entity of its own", `<!DOCTYPE u [<!ENTITY e "x">]>` + person("<UserName>mira&e;</UserName>", names, flags), 400},
		{"elements that are not known are passed over", person("<Shoe>9</Shoe>", name, names, "<Shoe/>", flags), 201},
		{"Culture where the documents have it", person("<UserName>sama</UserName>", names, flags, "<CustomField4/><CustomField10/><Culture>de-DE</Culture>"), 201},
		{"Culture where answers have it", person("<UserName>adao</UserName>", names, flags, "<CustomField3/><Culture>de-DE</Culture><CustomField4/>"), 201},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x.on(t).call(tt.status, "POST", "/users", tt.body)
		})
	}
	if got := l.column("/users", "UserName"); !cmp.Equal(got, []string{"mira", "sama", "adao"}) {
		t.Errorf("people %v", got)
	}
	team := l.newTeam("Depot")
	for _, body := range []string{"<Teams><Team/></Teams>", "<Users><Team/></Users>", "<Users>", "[]"} {
		x.call(400, "POST", "/teams/"+team+"/users", body)
	}
}
