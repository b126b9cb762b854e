package sandbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLitmosAPITeams(t *testing.T) {
	l := openLitmos(t, Config{})
	a := l.call(201, "POST", "/teams", `{"Id":"","Name":"Bob's R&D","Description":"Line 12"}`)
	id := a.body["Id"].(string)
	want := map[string]any{"Id": id, "Name": "Bob&#39;s R&amp;D", "Description": "Line 12", "TeamCodeForBulkImport": "T1", "ParentTeamId": ""}
	if diff := cmp.Diff(want, a.body); diff != "" {
		t.Errorf("new team (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, l.call(200, "GET", "/teams/"+id, "").body); diff != "" {
		t.Errorf("team (-want +got):\n%s", diff)
	}
	sub := l.call(201, "POST", "/teams/"+id+"/teams", `{"Name":"Sub"}`).body["Id"].(string)
	delete(want, "Description")
	list := []map[string]any{want, {"Id": sub, "Name": "Sub", "TeamCodeForBulkImport": "T2", "ParentTeamId": id}}
	if diff := cmp.Diff(list, l.list("/teams")); diff != "" {
		t.Errorf("teams (-want +got):\n%s", diff)
	}
	for path, names := range map[string][]string{
		"/teams?search=SU": {"Sub"}, "/teams?start=1": {"Sub"}, "/teams?limit=1": {"Bob&#39;s R&amp;D"}, "/teams?start=2": {},
		"/teams/" + id + "/teams": {"Sub"}, "/teams/" + sub + "/teams": {},
	} {
		if diff := cmp.Diff(names, l.column(path, "Name")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	if a := l.call(200, "PUT", "/teams/"+sub, `{"Id":"`+sub+`","Name":"Renamed"}`); a.raw != "" {
		t.Errorf("body %q", a.raw)
	}
	if got := l.call(200, "GET", "/teams/"+sub, "").body; got["Name"] != "Renamed" || got["ParentTeamId"] != id {
		t.Errorf("%v", got)
	}
	l.newTeam("Sub") // the old name is free
	l.call(200, "DELETE", "/teams/"+id, "")
	if got := l.call(200, "GET", "/teams/"+sub, "").body["ParentTeamId"]; got != "" {
		t.Errorf("the team above is gone, but ParentTeamId is %v", got)
	}
}

func TestLitmosAPIRefusesTeams(t *testing.T) {
	l := openLitmos(t, Config{})
	id, other := l.newTeam("Depot"), l.newTeam("Crew")
	for _, tt := range []struct {
		name   string
		status int
		detail string
		fields string
	}{
		{"a name that is taken, in another case", 409, "Team name already exists", `"Name":"DEPOT"`},
		{"no name", 400, "Name is required", `"Description":"x"`},
		{"an empty name", 400, "Name is required", `"Name":" "`},
		{"a name of 101 characters", 400, "Name is longer than 100", `"Name":"` + strings.Repeat("n", 101) + `"`},
		{"a description of 1001 characters", 400, "Description is longer than 1000", `"Name":"New","Description":"` + strings.Repeat("d", 1001) + `"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := l.on(t)
			l.refusal(tt.status, tt.detail, "POST", "/teams", "{"+tt.fields+"}")
			l.refusal(tt.status, tt.detail, "POST", "/teams/"+id+"/teams", "{"+tt.fields+"}")
			l.refusal(tt.status, tt.detail, "PUT", "/teams/"+other, `{"Id":"`+other+`",`+tt.fields+"}")
		})
	}
	l.refusal(404, "Id", "PUT", "/teams/"+other, `{"Id":"`+id+`","Name":"New"}`)
	for _, body := range []string{"", "[]", "<Team/>"} {
		l.refusal(400, "not a Team", "POST", "/teams", body)
	}
	for _, request := range []string{"GET /teams/x", "PUT /teams/x", "DELETE /teams/x", "GET /teams/x/teams", "POST /teams/x/teams",
		"GET /teams/x/users", "POST /teams/x/users", "DELETE /teams/x/users/y", "GET /teams/x/leaders", "PUT /teams/x/leaders/y",
		"DELETE /teams/x/leaders/y", "GET /teams/x/admins", "PUT /teams/x/admins/y", "DELETE /teams/x/admins/y"} {
		method, path, _ := strings.Cut(request, " ")
		l.refusal(404, "Team not found", method, path, "{}")
	}
	if diff := cmp.Diff([]string{"Depot", "Crew"}, l.column("/teams", "Name")); diff != "" {
		t.Errorf("after refusals (-want +got):\n%s", diff)
	}
}

// TestLitmosAPIMembers: rules T2 and T3.
func TestLitmosAPIMembers(t *testing.T) {
	l := openLitmos(t, Config{})
	team := l.newTeam("Depot")
	mira, sam, ada := l.person("mira", nil), l.person("sama", nil), l.person("adao", nil)
	members := "/teams/" + team + "/users"
	if a := l.call(201, "POST", members, `[{"Id":"`+mira+`","UserName":"ignored"},{"Id":"nobody"},{"Id":"`+sam+`"},{"Id":"`+mira+`"}]`); a.raw != "" {
		t.Errorf("body %q", a.raw)
	}
	l.join(team, mira, ada) // mira is there already
	if diff := cmp.Diff([]string{"mira", "sama", "adao"}, l.column(members, "UserName")); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if got := l.column(members+"?limit=1&start=1", "UserName"); !cmp.Equal(got, []string{"sama"}) {
		t.Errorf("page of members: %v", got)
	}
	if got := l.column(members+"?search=ada", "UserName"); !cmp.Equal(got, []string{"adao"}) {
		t.Errorf("search among members: %v", got)
	}
	l.call(200, "PUT", "/users/"+sam, litmosPerson(map[string]any{"Id": sam, "UserName": "sama", "Active": false}))
	if diff := cmp.Diff([]string{"mira", "adao"}, l.column(members, "UserName")); diff != "" {
		t.Errorf("who is inactive is not shown (-want +got):\n%s", diff)
	}
	if got := l.column("/users/"+sam+"/teams", "Id"); !cmp.Equal(got, []string{team}) {
		t.Errorf("who is inactive stays a member: %v", got)
	}
	l.call(200, "PUT", "/users/"+sam, litmosPerson(map[string]any{"Id": sam, "UserName": "sama"}))
	if got := len(l.list(members)); got != 3 {
		t.Errorf("%d members after enabling", got)
	}
	l.call(200, "PUT", "/teams/"+team+"/leaders/"+sam, "")
	l.call(200, "PUT", "/teams/"+team+"/admins/"+mira, "")
	l.call(200, "PUT", "/teams/"+team+"/admins/"+mira, "")
	person := func(id, name string) any { return map[string]any{"Id": id, "UserName": name} }
	want := map[string]any{"Id": team, "Name": "Depot", "Description": "", "TeamCodeForBulkImport": "T1", "ParentTeamId": "",
		"Members": []any{person(mira, "mira"), person(sam, "sama"), person(ada, "adao")}, "Leaders": []any{person(sam, "sama")},
		"Admins": []any{person(mira, "mira")}}
	state := l.must(200, "GET", "/_sandbox/state", "").body
	if diff := cmp.Diff([]any{want}, state["groups"]); diff != "" {
		t.Errorf("state of teams (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{map[string]any{"Id": team, "Name": "Depot"}}, state["users"].([]any)[0].(map[string]any)["Teams"]); diff != "" {
		t.Errorf("state of users (-want +got):\n%s", diff)
	}
	if got := l.column("/teams/"+team+"/leaders", "Id"); !cmp.Equal(got, []string{sam}) {
		t.Errorf("leaders %v", got)
	}
	if got := l.column("/teams/"+team+"/admins", "Id"); !cmp.Equal(got, []string{mira}) {
		t.Errorf("administrators %v", got)
	}
	l.call(200, "DELETE", "/teams/"+team+"/leaders/"+sam, "")
	l.call(200, "DELETE", "/teams/"+team+"/admins/"+mira, "")
	if got := len(l.list("/teams/"+team+"/leaders")) + len(l.list("/teams/"+team+"/admins")); got != 0 {
		t.Errorf("%d leaders and administrators left", got)
	}
	l.call(200, "DELETE", members+"/"+mira, "")
	l.call(200, "DELETE", "/users/"+ada, "")
	if got := l.column(members, "Id"); !cmp.Equal(got, []string{sam}) {
		t.Errorf("left are %v", got)
	}
	l.refusal(404, "not a member", "DELETE", members+"/"+mira, "")
	l.refusal(404, "User not found", "DELETE", members+"/nobody", "")
	for _, role := range []string{"leaders", "admins"} {
		for _, method := range []string{"PUT", "DELETE"} {
			l.refusal(404, "not a member", method, "/teams/"+team+"/"+role+"/"+mira, "")
			l.refusal(404, "User not found", method, "/teams/"+team+"/"+role+"/nobody", "")
		}
	}
	l.refusal(400, "list of Users", "POST", members, `{"Id":"x"}`)
	l.refusal(400, "list of Users", "POST", members, `null`)
}

func TestLitmosAPITeamsOfUser(t *testing.T) {
	l := openLitmos(t, Config{})
	mira := l.person("mira", nil)
	teams := "/users/" + mira + "/teams"
	var ids []string
	for i := range 26 {
		ids = append(ids, `{"Id":"`+l.newTeam(fmt.Sprint("Team ", i))+`"}`)
	}
	body := func(ids ...string) string { return "[" + strings.Join(ids, ",") + "]" }
	l.refusal(400, "26 teams", "POST", teams, body(ids...))
	l.refusal(404, "Team not found", "POST", teams, body(ids[0], `{"Id":"x"}`))
	l.refusal(409, "already", "POST", teams, body(ids[0], ids[0]))
	if got := l.list(teams); len(got) != 0 {
		t.Fatalf("a refused request added %v", got)
	}
	l.call(201, "POST", teams, body(ids[:25]...))
	l.refusal(409, "already", "POST", teams, body(ids[25], ids[3]))
	if got := len(l.list(teams)); got != 25 {
		t.Errorf("%d teams", got)
	}
	if a := l.call(200, "DELETE", teams, ""); a.raw != "" {
		t.Errorf("body %q", a.raw)
	}
	if got := l.list(teams); len(got) != 0 {
		t.Errorf("left in %v", got)
	}
	for _, method := range []string{"GET", "POST", "DELETE"} {
		l.refusal(404, "User not found", method, "/users/x/teams", "[]")
	}
}

// TestLitmosAPICustomFields: rules U11 and U12.
func TestLitmosAPICustomFields(t *testing.T) {
	l := openLitmos(t, Config{CustomFields: []string{"Department", "Cost centre:required"}})
	id := l.person("mira", nil)
	fields := "/users/" + id + "/usercustomfields"
	if got := l.call(200, "GET", fields, "").raw; got != `[{"Department":""},{"Cost centre":""}]` {
		t.Errorf("before: %s", got)
	}
	l.refusal(404, "value required", "POST", fields, `[{"Department":"Sales"}]`)
	l.refusal(404, "value required", "POST", fields, `[{"Cost centre":""}]`)
	l.refusal(404, "no custom field Shoe", "POST", fields, `[{"Cost centre":"1"},{"Shoe":"9"}]`)
	l.refusal(400, "", "POST", fields, `{"Department":"Sales"}`)
	l.refusal(404, "User not found", "POST", "/users/x/usercustomfields", `[]`)
	l.refusal(404, "User not found", "GET", "/users/x/usercustomfields", "")
	if a := l.call(200, "POST", fields, `[{"Cost centre":"4711"},{"Department":"R&D"}]`); a.raw != "" {
		t.Errorf("body %q", a.raw)
	}
	l.call(200, "POST", fields, `[]`)
	if got := l.call(200, "GET", fields, "").raw; got != `[{"Department":"R&amp;D"},{"Cost centre":"4711"}]` {
		t.Errorf("after: %s", got)
	}
	xml := litmos{l.with("Content-Type", "text/xml"), "source=x"}
	if got := xml.call(200, "GET", fields, "").raw; got !=
		`<UserCustomField><Parameter fieldname="Department">R&amp;D</Parameter><Parameter fieldname="Cost centre">4711</Parameter></UserCustomField>` {
		t.Errorf("XML: %s", got)
	}
	xml.call(200, "POST", fields, `<UserCustomField><Parameter fieldname="Department">Sales</Parameter></UserCustomField>`)
	xml.call(200, "POST", fields, `<ArrayOfparameter><parameter fieldname="Cost centre">4712</parameter></ArrayOfparameter>`)
	xml.call(400, "POST", fields, `<User><Parameter fieldname="Department">Sales</Parameter></User>`)
	xml.call(400, "POST", fields, `<UserCustomField><Department>Sales</Department></UserCustomField>`)
	want := map[string]any{"Department": "Sales", "Cost centre": "4712"}
	got := l.must(200, "GET", "/_sandbox/state", "").body["users"].([]any)[0].(map[string]any)["CustomFields"]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	none := openLitmos(t, Config{})
	if got := none.list("/users/" + none.person("mira", nil) + "/usercustomfields"); len(got) != 0 {
		t.Errorf("a site without advanced fields has %v", got)
	}
}

func TestNewRefusesOptionsOfOthers(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"scim", Config{CustomFields: []string{"A"}}, "litmos-api has"},
		{"litmos-scim", Config{JobRoles: []string{"A"}}, "litmos-api has"},
		{"litmos-api", Config{CustomFields: []string{"A", "A:required"}}, "a name of its own"},
		{"litmos-api", Config{CustomFields: []string{":required"}}, "a name of its own"},
	} {
		if _, err := New(tt.name, tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s with %+v: %v, want something about %q", tt.name, tt.cfg, err, tt.want)
		}
	}
}
