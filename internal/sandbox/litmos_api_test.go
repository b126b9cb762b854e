package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// litmos talks to the emulated interface of Litmos by plain net/http.
type litmos struct {
	*client
	query string // behind every path
}

func openLitmos(t testing.TB, cfg Config) litmos {
	if cfg.Rate == 0 {
		cfg.Rate = NoRate
	}
	c := open(t, "litmos-api", cfg)
	return litmos{c.with("Authorization", "").with("Apikey", c.token).with("Content-Type", "application/json"), "source=example&format=json"}
}

// asking gives a client with another query.
func (l litmos) asking(query string) litmos {
	l.query = query
	return l
}

// on gives a client whose failures are those of t.
func (l litmos) on(t testing.TB) litmos {
	c := *l.client
	c.t = t
	l.client = &c
	return l
}

func (l litmos) address(path string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	if l.query == "" {
		return path
	}
	return path + separator + l.query
}

func (l litmos) call(status int, method, path, body string) answer {
	l.t.Helper()
	return l.must(status, method, l.address(path), body)
}

// refusal is a request that must be refused with a text in the body.
func (l litmos) refusal(status int, detail, method, path, body string) {
	l.t.Helper()
	a := l.call(status, method, path, body)
	if got, _ := a.body["Detail"].(string); !strings.Contains(got, detail) {
		l.t.Errorf("%s %s %s: %q, want something about %q", method, path, body, a.raw, detail)
	}
}

// list gives an answer that is a list.
func (l litmos) list(path string) []map[string]any {
	l.t.Helper()
	var list []map[string]any
	raw := l.call(200, "GET", path, "").raw
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		l.t.Fatalf("GET %s is no list: %v: %s", path, err, raw)
	}
	return list
}

// column gives one field of every object of a list.
func (l litmos) column(path, field string) []string {
	l.t.Helper()
	values := []string{}
	for _, o := range l.list(path) {
		values = append(values, fmt.Sprint(o[field]))
	}
	return values
}

// litmosPerson is the body of a user with fields set, or left out when the value is nil.
func litmosPerson(set map[string]any) string {
	body := map[string]any{"Id": "", "UserName": "mira.okafor@example.net", "FirstName": "Mira", "LastName": "Okafor", "FullName": "",
		"Email": "mira.okafor@example.net", "AccessLevel": "Learner", "DisableMessages": true, "Active": true, "LoginKey": "",
		"IsCustomUsername": false, "Password": "", "SkipFirstLogin": true, "TimeZone": "UTC", "Culture": ""}
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

func (l litmos) person(userName string, set map[string]any) string {
	l.t.Helper()
	fields := map[string]any{"UserName": userName, "Email": ""}
	for k, v := range set {
		fields[k] = v
	}
	return l.call(201, "POST", "/users", litmosPerson(fields)).body["Id"].(string)
}

func (l litmos) newTeam(name string) string {
	l.t.Helper()
	return l.call(201, "POST", "/teams", `{"Id":"","Name":"`+name+`","Description":""}`).body["Id"].(string)
}

func (l litmos) join(team string, people ...string) {
	l.t.Helper()
	list := []map[string]string{}
	for _, id := range people {
		list = append(list, map[string]string{"Id": id})
	}
	body, _ := json.Marshal(list)
	l.call(201, "POST", "/teams/"+team+"/users", string(body))
}

// TestLitmosAPIWantsKeyAndSource: sections 1 A1 to A6 and 7 of the description of the interface.
func TestLitmosAPIWantsKeyAndSource(t *testing.T) {
	l := openLitmos(t, Config{})
	if l.server.BasePath() != "/v1.svc" {
		t.Fatalf("base path %s", l.server.BasePath())
	}
	l.call(200, "GET", "/users?limit=1", "")
	for _, tt := range []struct {
		name   string
		l      litmos
		status int
	}{
		{"no key", litmos{l.with("Apikey", ""), l.query}, 401},
		{"wrong key", litmos{l.with("Apikey", "other"), l.query}, 401},
		{"key in the query", litmos{l.with("Apikey", ""), l.query + "&apikey=" + l.token}, 401},
		{"key as bearer token", litmos{l.with("Apikey", "").with("Authorization", "Bearer "+l.token), l.query}, 401},
		{"wrong key and no source", litmos{l.with("Apikey", "other"), "format=json"}, 401},
		{"no source", l.asking("format=json"), 403},
		{"empty source", l.asking("source=&format=json"), 403},
		{"source of 51 characters", l.asking("format=json&source=" + strings.Repeat("s", 51)), 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := tt.l.on(t)
			l.call(tt.status, "GET", "/users", "")
			l.call(tt.status, "POST", "/users", litmosPerson(nil))
		})
	}
	l.asking("format=json&source="+strings.Repeat("s", 50)).call(200, "GET", "/users", "")
	if got := l.list("/users"); len(got) != 0 {
		t.Errorf("a refused request made %v", got)
	}
	l.refusal(404, "Endpoint", "GET", "/courses", "")
	l.refusal(404, "Endpoint", "GET", "/users/a/b/c", "")
	if a := l.call(405, "PATCH", "/users/x", "{}"); a.header.Get("Allow") != "GET, PUT, DELETE" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
	l.call(501, "POST", "/bulkimports", "[]")
	l.call(501, "GET", "/bulkimports/x/usererrors", "")
	l.call(501, "GET", "/users/paginated?format=xml", "")
	l.asking("source=%zz").call(400, "GET", "/users", "")
}

func TestLitmosAPIUserForms(t *testing.T) {
	clock := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	l := openLitmos(t, Config{Now: clock.Now})
	manager := l.person("boss", nil)
	created := l.call(201, "POST", "/users?sendmessage=false&skipfirstlogin=true", litmosPerson(map[string]any{"FirstName": "Mi&ra", "LastName": "O'Kafor",
		"CompanyName": `A "B" <C>`, "ManagerId": manager, "Active": "true", "Unknown": "x", "JobTitle": "Dispatcher", "ExpirationDate": "2027-01-02",
		"Points": 9, "CustomField9": 4711000000, "PhoneMobile": "5554443333", "Password": "hidden"}))
	id := created.body["Id"].(string)
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{11}1$`).MatchString(id) {
		t.Errorf("id %q", id)
	}
	key, _ := created.body["LoginKey"].(string)
	if !regexp.MustCompile(`^https://.*loginkey=[0-9a-f-]{36}$`).MatchString(key) {
		t.Errorf("LoginKey %q", key)
	}
	text := func(names ...string) map[string]any {
		m := map[string]any{}
		for _, n := range names {
			m[n] = ""
		}
		return m
	}
	want := text("Skype", "PhoneWork", "LastLogin", "Password", "Street1", "Street2", "City", "State", "PostalCode", "Country", "CustomField1",
		"CustomField2", "CustomField3", "CustomField4", "CustomField5", "CustomField6", "CustomField7", "CustomField8",
		"CustomField10", "Brand", "Website", "Twitter", "JobRole", "ExternalEmployeeId", "ProfileType")
	for k, v := range map[string]any{"Id": id, "LoginKey": key, "UserName": "mira.okafor@example.net", "FirstName": "Mi&amp;ra",
		"LastName": "O&#39;Kafor", "FullName": "Mi&amp;ra O&#39;Kafor", "Email": "mira.okafor@example.net", "AccessLevel": "Learner",
		"DisableMessages": true, "Active": true, "PhoneMobile": "5554443333", "IsCustomUsername": false, "SkipFirstLogin": false,
		"TimeZone": "UTC", "SalesforceId": nil, "SalesforceContactId": nil, "SalesforceAccountId": nil, "OriginalId": 5098002.0,
		"CompanyName": "A &quot;B&quot; &lt;C&gt;", "JobTitle": "Dispatcher", "CustomField9": "4711000000", "Culture": "en-US", "CreatedDate": "2026-03-01T12:00:00Z",
		"Points": 0.0, "ManagerId": manager, "ManagerName": "boss", "EnableTextNotification": false, "ExpirationDate": "2027-01-02T00:00:00Z"} {
		want[k] = v
	}
	if diff := cmp.Diff(want, created.body); diff != "" {
		t.Errorf("full form (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/users/" + id, "/users/mira.okafor@example.net", "/users/MIRA.okafor%40example.net"} {
		if diff := cmp.Diff(want, l.call(200, "GET", path, "").body); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
	}
	short := map[string]any{"Id": id, "UserName": "mira.okafor@example.net", "FirstName": "Mi&amp;ra", "LastName": "O&#39;Kafor", "Active": true,
		"Email": "mira.okafor@example.net", "AccessLevel": "Learner", "Brand": ""}
	if diff := cmp.Diff([]map[string]any{short}, l.list("/users?search=Example.net")); diff != "" {
		t.Errorf("short form (-want +got):\n%s", diff)
	}
	// The order of fields is that of recorded answers.
	if order := regexp.MustCompile(`"CustomField3":"","Culture":"en-US","CustomField4":""`); !order.MatchString(created.raw) {
		t.Errorf("Culture does not stand behind CustomField3: %s", created.raw)
	}
	// Ids depend on nothing but the requests.
	if again := openLitmos(t, Config{}); again.person("boss", nil) != manager {
		t.Error("the same request to another sandbox gives another id")
	}
	state := l.must(200, "GET", "/_sandbox/state", "").body["users"].([]any)[1].(map[string]any)
	if state["LastName"] != "O'Kafor" || state["LoginKey"] != key {
		t.Errorf("the state has texts as they are: %v", state)
	}
}

// TestLitmosAPIRefusesUsers: section 2.3, what is required, and section 7, what is answered.
func TestLitmosAPIRefusesUsers(t *testing.T) {
	l := openLitmos(t, Config{Domain: "example.net,example.com", JobRoles: []string{"Driver"}})
	l.call(201, "POST", "/users", litmosPerson(map[string]any{"JobRole": "driver"}))
	mine := l.person("other", nil)
	set := func(name string, v any) map[string]any {
		return map[string]any{"UserName": "new.name", "Email": "", name: v}
	}
	tests := []struct {
		name   string
		status int
		detail string
		set    map[string]any
	}{
		{"UserName is taken", 409, "UserName already exists", map[string]any{}},
		{"UserName is taken in another case", 409, "UserName already exists", set("UserName", "MIRA.Okafor@Example.net")},
		{"UserName of three characters", 409, "too short", set("UserName", "abc")},
		{"UserName with angle brackets", 409, "invalid characters", set("UserName", "new<name>")},
		{"UserName of 256 characters", 400, "UserName is longer than 255", set("UserName", strings.Repeat("n", 256))},
		{"UserName of spaces", 400, "UserName is required", set("UserName", "    ")},
		{"empty FirstName", 400, "FirstName is required", set("FirstName", "")},
		{"empty LastName", 400, "LastName is required", set("LastName", "")},
		{"FirstName of 51 characters", 400, "FirstName is longer than 50", set("FirstName", strings.Repeat("ä", 51))},
		{"Street1 of 101 characters", 400, "Street1 is longer than 100", set("Street1", strings.Repeat("s", 101))},
		{"PhoneWork of 51 characters", 400, "PhoneWork is longer than 50", set("PhoneWork", strings.Repeat("1", 51))},
		{"Email without an @", 409, "invalid email", set("Email", "mira")},
		{"Email of another domain", 409, "invalid email", set("Email", "mira@example.org")},
		{"UserName of another domain", 409, "invalid email", set("UserName", "mira@example.org")},
		{"Culture that is none", 409, "Culture invalid", set("Culture", "English (US)")},
		{"JobRole that the site does not have", 409, "Job Role invalid", set("JobRole", "Pilot")},
		{"Active that is no Boolean", 400, "Active must be true or false", set("Active", "yes")},
		{"ExpirationDate that is no date", 400, "ExpirationDate is not a date", set("ExpirationDate", "soon")},
		{"ManagerId of nobody", 404, "ManagerId", set("ManagerId", "nobody")},
		{"text messages without a mobile number", 400, "PhoneMobile", set("EnableTextNotification", true)},
		{"a value that is a list", 400, "single value", set("City", []string{"Oslo"})},
		{"UserName left out", 400, "UserName is required", set("UserName", nil)},
		{"FirstName left out", 400, "FirstName is required", set("FirstName", nil)},
		{"LastName left out", 400, "LastName is required", set("LastName", nil)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := l.on(t)
			l.refusal(tt.status, tt.detail, "POST", "/users", litmosPerson(tt.set))
			tt.set["Id"] = mine
			l.refusal(tt.status, tt.detail, "PUT", "/users/"+mine, litmosPerson(tt.set))
		})
	}
	for _, name := range []string{"Email", "DisableMessages"} {
		l.refusal(400, name+" is required", "POST", "/users", litmosPerson(set(name, nil)))
	}
	for _, body := range []string{"", "null", "[]", "{", "<User/>"} {
		l.refusal(400, "", "POST", "/users", body)
		l.refusal(400, "", "PUT", "/users/"+mine, body)
	}
	l.refusal(404, "Id", "PUT", "/users/"+mine, litmosPerson(set("Id", "")))
	l.refusal(404, "Id", "PUT", "/users/"+mine, litmosPerson(set("Id", "x")))
	l.refusal(404, "User not found", "PUT", "/users/x", litmosPerson(set("Id", "x")))
	l.refusal(404, "User not found", "PUT", "/users/other", litmosPerson(set("Id", mine)))
	l.refusal(404, "User not found", "GET", "/users/nobody", "")
	l.refusal(404, "User not found", "DELETE", "/users/other", "")
	if diff := cmp.Diff([]string{"mira.okafor@example.net", "other"}, l.column("/users", "UserName")); diff != "" {
		t.Errorf("after refusals (-want +got):\n%s", diff)
	}
	l.call(201, "POST", "/users", litmosPerson(map[string]any{"UserName": "text", "EnableTextNotification": true, "PhoneMobile": "+15554443333"}))
}

// TestLitmosAPIReasonPhrase: the text of an error stands in the reason phrase, for some clients only there.
func TestLitmosAPIReasonPhrase(t *testing.T) {
	l := openLitmos(t, Config{})
	l.call(201, "POST", "/users", litmosPerson(nil))
	reason := func(l litmos, method, path, body string) (string, string) {
		t.Helper()
		resp, err := http.DefaultClient.Do(l.request(method, l.address(path), body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var detail struct{ Detail string }
		_ = json.NewDecoder(resp.Body).Decode(&detail) // an empty body is no JSON
		return resp.Status, detail.Detail
	}
	status, detail := reason(l, "POST", "/users", litmosPerson(nil))
	if status != "409 UserName already exists" || detail != "UserName already exists" {
		t.Errorf("%q, %q", status, detail)
	}
	if status, _ := reason(l, "GET", "/users/nobody", ""); status != "404 Not Found" {
		t.Errorf("%q", status)
	}
	xml := litmos{l.with("Content-Type", "application/xml"), "source=example"}
	status, detail = reason(xml, "POST", "/teams", "<Team><Name></Name></Team>")
	if status != "400 Name is required" || detail != "" {
		t.Errorf("%q, %q", status, detail)
	}
	// What a client sends cannot end the status line.
	status, _ = reason(l, "POST", "/users/"+l.person("some", nil)+"/usercustomfields", `[{"a\r\nX-Header: ä":"1"}]`)
	if status != "404 the site has no custom field a??X-Header: ?" {
		t.Errorf("%q", status)
	}
}

// TestLitmosAPIPutReplacesEverything: rule U6.
func TestLitmosAPIPutReplacesEverything(t *testing.T) {
	l := openLitmos(t, Config{})
	id := l.call(201, "POST", "/users", litmosPerson(map[string]any{"City": "Oslo", "CustomField7": "seven", "AccessLevel": "Administrator",
		"Culture": "de-DE", "ManagerId": l.person("boss", nil), "IsCustomUsername": true})).body["Id"].(string)
	if a := l.call(200, "PUT", "/users/"+id, `{"Id":"`+id+`","UserName":"renamed","FirstName":"M","LastName":"O"}`); a.raw != "" {
		t.Errorf("body %q", a.raw)
	}
	got := l.call(200, "GET", "/users/renamed", "").body
	want := map[string]any{"Id": id, "UserName": "renamed", "FullName": "M O", "City": "", "CustomField7": "", "AccessLevel": "Learner",
		"Culture": "en-US", "ManagerId": "0", "ManagerName": "", "Active": false, "DisableMessages": false, "IsCustomUsername": false, "Email": "",
		"TimeZone": ""}
	for name := range got {
		if _, ok := want[name]; !ok {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is left out (-want +got):\n%s", diff)
	}
	l.call(404, "GET", "/users/mira.okafor@example.net", "")
	l.person("mira.okafor@example.net", nil) // the old name is free
	l.call(200, "PUT", "/users/"+id, litmosPerson(map[string]any{"Id": id, "UserName": "RENAMED"}))
}

func TestLitmosAPIDeleteAndSignIn(t *testing.T) {
	l := openLitmos(t, Config{})
	boss := l.person("boss", nil)
	id := l.person("mira", map[string]any{"ManagerId": boss})
	l.must(200, "GET", "/_sandbox/signin?userName=MIRA", "")
	l.call(200, "PUT", "/users/"+id, litmosPerson(map[string]any{"Id": id, "UserName": "mira", "Active": false, "ManagerId": boss}))
	l.must(403, "GET", "/_sandbox/signin?userName=mira", "")
	l.refusal(409, "already exists", "POST", "/users", litmosPerson(map[string]any{"UserName": "mira"})) // who is inactive keeps the name
	if a := l.call(200, "DELETE", "/users/"+boss, ""); a.raw != "" {
		t.Errorf("body %q", a.raw)
	}
	l.refusal(404, "User not found", "DELETE", "/users/"+boss, "")
	l.must(403, "GET", "/_sandbox/signin?userName=boss", "")
	if got := l.call(200, "GET", "/users/"+id, "").body; got["ManagerId"] != "0" || got["ManagerName"] != "" {
		t.Errorf("the manager is gone: %v %v", got["ManagerId"], got["ManagerName"])
	}
	if again := l.person("boss", nil); again == boss {
		t.Error("the id of a deleted user is used again")
	}
	l.must(204, "POST", "/_sandbox/reset", "")
	if got := l.list("/users"); len(got) != 0 {
		t.Errorf("after a reset: %v", got)
	}
}

// TestLitmosAPILists: rules U1 and U2.
func TestLitmosAPILists(t *testing.T) {
	l := openLitmos(t, Config{})
	for i := range 105 {
		l.person(fmt.Sprintf("user%03d", i), map[string]any{"Active": i%2 == 0, "CompanyName": "Depot " + fmt.Sprint(i%5)})
	}
	for path, want := range map[string]int{
		"/users": 100, "/users?start=100": 5, "/users?start=105": 0, "/users?start=1000": 0, "/users?limit=1000": 105, "/users?limit=5000": 105,
		"/users?limit=2": 2, "/users?limit=0": 0, "/users?search=USER00": 10, "/users?search=er10": 5, "/users?search=depot+3": 21, "/users?search=mira": 100,
		"/users?search=nobody": 0, "/users?showInactive=false": 53, "/users?showInactive=true&limit=200": 105, "/users?search=user00&showInactive=false": 5,
	} {
		if got := len(l.list(path)); got != want {
			t.Errorf("%s: %d people, want %d", path, got, want)
		}
	}
	if got := l.column("/users?start=2&limit=2", "UserName"); !cmp.Equal(got, []string{"user002", "user003"}) {
		t.Errorf("page %v", got)
	}
	if got := l.column("/users?sort=UserName&dir=DESC&limit=2", "UserName"); !cmp.Equal(got, []string{"user104", "user103"}) {
		t.Errorf("sorted %v", got)
	}
	page := l.call(200, "GET", "/users/paginated?start=103&limit=10&search=user1", "").body
	pagination := map[string]any{"BatchParam": "", "BatchSize": 10.0, "Start": 103.0, "TotalCount": 5.0}
	if diff := cmp.Diff(pagination, page["Pagination"]); diff != "" || len(page["Items"].([]any)) != 0 {
		t.Errorf("paginated (-want +got):\n%s%v", diff, page["Items"])
	}
	if items := l.call(200, "GET", "/users/paginated?limit=3", "").body["Items"].([]any); len(items) != 3 {
		t.Errorf("%d items", len(items))
	}
	for _, path := range []string{"/users?start=-1", "/users?limit=many", "/users?sort=Shoe", "/users?search=" + strings.Repeat("s", 51),
		"/teams?limit=x", "/teams?search=" + strings.Repeat("s", 51)} {
		l.refusal(400, "", "GET", path, "")
	}
	l.person("plus+name", nil)
	l.call(404, "GET", "/users/plus+name", "") // rule U2: a + does not survive
	l.call(404, "GET", "/users/plus%2Bname", "")
	if got := l.column("/users?search="+url.QueryEscape("plus+name"), "UserName"); !cmp.Equal(got, []string{"plus+name"}) {
		t.Errorf("search %v", got)
	}
}

// TestLitmosAPIWindows: rules U4 and U5, and 406 without a range.
func TestLitmosAPIWindows(t *testing.T) {
	clock := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	l := openLitmos(t, Config{Now: clock.Now})
	mira, team := l.person("mira", nil), l.newTeam("Depot")
	clock.now = clock.now.Add(24*time.Hour + 123*time.Millisecond)
	sam, crew := l.person("sama", nil), l.newTeam("Crew")
	l.join(crew, mira, sam)
	clock.now = clock.now.Add(24 * time.Hour)
	l.call(200, "PUT", "/users/"+mira, litmosPerson(map[string]any{"Id": mira, "UserName": "mira", "Active": false}))
	l.call(200, "PUT", "/teams/"+team, `{"Id":"`+team+`","Name":"Depot North"}`)
	l.call(200, "PUT", "/teams/"+crew+"/leaders/"+sam, "")
	for _, tt := range []struct {
		path, field string
		want        []string
	}{
		{"/users/details?since=2026-03-01", "UserName", []string{"mira", "sama"}},
		{"/users/details?since=2026-03-01 12:01", "UserName", []string{"sama"}},
		{"/users/details?since=2026-03-01&search=sam", "UserName", []string{"sama"}},
		{"/users/details?since=2026-03-04", "UserName", []string{}},
		{"/org/users/details?since=2000-01-01&to=2026-03-04", "UserName", []string{"mira", "sama"}},
		{"/org/users/details?since=2026-03-03 12:00:00&to=2026-03-03 12:00:01", "UserName", []string{"mira"}},
		{"/org/users/details?since=2026-03-03 12:00:00&to=2026-03-03 12:00:00", "UserName", []string{}},
		{"/org/users/details?since=2026-03-01&to=2026-03-02", "UserName", []string{}},
		{"/org/users/details?since=2000-01-01&to=2026-03-04&start=1&limit=1", "UserName", []string{"sama"}},
		{"/org/teams?since=2026-03-02&to=2026-03-03", "Name", []string{"Crew"}},
		{"/org/teams?since=2026-03-02&to=2026-03-05", "Name", []string{"Depot North", "Crew"}},
		{"/org/teams/users?since=2026-03-02&to=2026-03-03", "Id", []string{mira}},
		{"/org/teams/users?since=2026-03-03&to=2026-03-04", "Id", []string{sam}},
	} {
		if diff := cmp.Diff(tt.want, l.column(strings.ReplaceAll(tt.path, " ", "%20"), tt.field)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.path, diff)
		}
	}
	window := "since=2000-01-01&to=2027-01-01"
	user := l.list("/org/users/details?" + window)[0]
	for name, want := range map[string]any{"CreatedDate": "2026-03-01T12:00:00.000", "UpdatedDate": "2026-03-03T12:00:00.123", "Active": false} {
		if user[name] != want {
			t.Errorf("%s is %v, want %v", name, user[name], want)
		}
	}
	if user["LoginKey"] == "" || user["CreatedBy"] == nil || user["UpdatedBy"] == nil {
		t.Errorf("full form: %v", user)
	}
	membership := map[string]any{"TeamId": crew, "Id": mira, "OriginalTeamId": 4.0, "OriginalUserId": 5098001.0, "Active": false,
		"IsTeamLeader": false, "IsTeamAdmin": false, "CreatedDate": "2026-03-02T12:00:00.123", "UpdatedDate": "2026-03-02T12:00:00.123",
		"CreatedBy": "API", "UpdatedBy": "API"}
	if diff := cmp.Diff(membership, l.list("/org/teams/users?" + window)[0]); diff != "" {
		t.Errorf("membership of somebody inactive (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/users/details", "/users/details?since=yesterday", "/org/users/details", "/org/users/details?since=2026-01-01",
		"/org/users/details?to=2026-01-01", "/org/users/details?since=2026-01-01T00:00:00Z&to=2026-01-01", "/org/teams", "/org/teams?since=2026-01-01",
		"/org/teams/users", "/org/teams/users?to=2026-01-01"} {
		l.refusal(406, "is required", "GET", path, "")
	}
}

// TestLitmosAPIRate: 100 requests in any minute, then 503 without a word of when to come again.
func TestLitmosAPIRate(t *testing.T) {
	clock := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	c := open(t, "litmos-api", Config{Now: clock.Now})
	l := litmos{c.with("Authorization", "").with("Apikey", c.token), "source=x&format=json"}
	for range 100 {
		l.call(200, "GET", "/users", "")
	}
	a := l.call(503, "GET", "/users", "")
	if a.header.Get("Retry-After") != "" || a.body["Detail"] == "" {
		t.Errorf("%v %s", a.header, a.raw)
	}
	clock.now = clock.now.Add(time.Minute - 1)
	l.call(503, "POST", "/users", litmosPerson(nil))
	clock.now = clock.now.Add(1)
	l.call(200, "GET", "/users", "")
}
