package story

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/gallery"
)

// wireDir is where the exchanges of tested templates are kept.
const wireDir = "../../internal/gallery/testdata/wire"

// TestTemplatesAgainstTheirSandboxes runs three people and one group through their whole life with every template that
// says that it was tested: from an HR file into the directory, and from there, assigned with an app role, by the
// template as it is into the sandbox that it names. Every exchange is compared with the one that is kept.
func TestTemplatesAgainstTheirSandboxes(t *testing.T) {
	all, err := gallery.List()
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, tmpl := range all {
		if !tmpl.Tested.Done() {
			continue
		}
		ran++
		t.Run(tmpl.ID, func(t *testing.T) {
			if tmpl.ID != "scim" {
				long(t)
			}
			t.Parallel()
			l := newLife(t, tmpl)
			l.live()
			l.compare(filepath.Join(wireDir, tmpl.ID+".txt"))
		})
	}
	if ran < 2 {
		t.Errorf("only %d templates say that they were tested", ran)
	}
}

// employee is a row of the HR file.
type employee struct {
	key, given, surname, user, mail, title, department, manager, status string
}

// life is one template's test.
type life struct {
	t        *testing.T
	template *gallery.Template
	can      struct{ groups, createGroups, deleteGroups bool }
	world    *world
	target   *sandbox

	people  []employee
	members []string
	record  strings.Builder
	seen    int               // exchanges of earlier steps
	names   map[string]string // of ids that differ from one run to the next
}

// lifeRole is the app role that everybody is assigned with. Where it is the id of something in the application, it has that
// form.
const lifeRole = "00e000000000001AAA"

func newLife(t *testing.T, tmpl *gallery.Template) *life {
	l := &life{t: t, template: tmpl, world: newWorld(t, token), names: map[string]string{},
		target:  startSandbox(t, tmpl.Tested.Sandbox, token, append(tmpl.Tested.Arguments()[1:], "--rate", "none")...),
		members: []string{"1002", "1003"},
		people: []employee{ // each reports to the one before, so that the order of creates is always the same
			{"1001", "Mira", "Novák", "mira.novak@example.com", "mira.novak@example.com", "Managing director", "Board", "", "active"},
			{"1002", "Sven", "Berg", "sven.berg@example.com", "sven.berg@example.com", "Head of sales", "Sales", "1001", "active"},
			{"1003", "Yuki", "Tanaka", "yuki.tanaka@example.com", "yuki.tanaka@example.com", "Account manager", "Sales", "1002", "active"},
		}}
	defaults, err := tmpl.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range defaults.Rules {
		if r.To == "Group" {
			l.can.groups = true
			l.can.createGroups, l.can.deleteGroups = slices.Contains(r.Actions, gallery.CanCreate), slices.Contains(r.Actions, gallery.CanDelete)
		}
	}
	fmt.Fprintf(&l.record, "Three people and one group over their whole life: what Rollcall with the template %s and\n"+
		"`rollcall sandbox %s` say to each other. Ids and times that differ from one run to the next are\nnumbered and left out. Made by:\n"+
		"go test ./test/story -run TestTemplatesAgainstTheirSandboxes -update\n", tmpl.ID, strings.Join(tmpl.Tested.Arguments(), " "))
	return l
}

const (
	lifeHR = `name: HR
source:
  connector: csv
  settings:
    files:
      - {objectType: User, path: people.csv, key: employee_id, references: {manager_id: User},
         active: {attribute: status, inactive: [leave]}}
      - {objectType: Group, path: groups.csv, key: group_id,
         members: {path: memberships.csv, group: group, member: person}}
target:
  connector: directory
rules:
  - name: people
    from: User
    to: User
    actions: [create, update, delete]
    attributes:
      - {target: employeeId, expression: "[employee_id]", match: 1}
      - {target: userPrincipalName, expression: "[user]"}
      - {target: accountEnabled, expression: "Not([IsSoftDeleted])"}
      - {target: displayName, expression: 'Join(" ", [given_name], [surname])'}
      - {target: givenName, expression: "[given_name]"}
      - {target: surname, expression: "[surname]"}
      - {target: mail, expression: "[mail]"}
      - {target: jobTitle, expression: "[job_title]"}
      - {target: department, expression: "[department]"}
      - {target: telephoneNumber, expression: '"+43 316 5550100"'}
      - {target: city, expression: '"Graz"'}
      - {target: country, expression: '"AT"'}
      - {target: preferredLanguage, expression: '"de-AT"'}
      - {target: manager, reference: "[manager_id]"}
  - name: groups
    from: Group
    to: Group
    actions: [create, update, delete]
    attributes:
      - {target: displayName, expression: "[name]", match: 1}
      - {target: members, reference: "[members]"}
`
	lifeGroups     = "group_id,name\nG1," + lifeGroup + "\n"
	stepUnassigned = "the group is no longer assigned"
	lifeJob        = "Application"
	lifeGroup      = "Field Staff" // a group that exists where groups cannot be made
)

// live goes through the steps. Each changes one thing, says who may sign in afterwards, and is played to its end.
func (l *life) live() {
	l.world.write("hr.yaml", lifeHR)
	l.world.write("groups.csv", lifeGroups)
	l.world.write("app.yaml", l.appFile())
	l.hr()
	wantCode(l.t, l.world.rollcall("apply", "app.yaml"), exitFine)
	l.assign("--user", l.people[0].user, "--user", l.people[1].user, "--user", l.people[2].user, "--new-role")
	if l.can.groups {
		l.assign("--group", lifeGroup)
	}
	mira, sven, yuki := &l.people[0], &l.people[1], &l.people[2]
	l.step("three people and a group come", func() {}, mira, sven, yuki)
	l.step("Yuki Tanaka is called Yuki Sato from now on, also in the user name", func() {
		yuki.surname, yuki.user = "Sato", "yuki.sato@example.com"
	}, mira, sven, yuki)
	l.step("Yuki Sato gets another mail address", func() { yuki.mail = "yuki.sato@example.com" }, mira, sven, yuki)
	l.step("Yuki Sato works for another department", func() { yuki.department = "Purchasing" }, mira, sven, yuki)
	l.step("Yuki Sato reports to Mira Novák", func() { yuki.manager = "1001" }, mira, sven, yuki)
	l.step("Sven Berg is taken out of the group", func() { l.members = []string{"1003"} }, mira, sven, yuki)
	l.step("Sven Berg is on leave: disabled", func() { sven.status = "leave" }, mira, yuki)
	l.step("Sven Berg comes back: enabled", func() { sven.status = "active" }, mira, sven, yuki)
	l.step("Sven Berg is no longer assigned", func() { l.assign("--user", sven.user, "--remove") }, mira, yuki)
	l.step("Yuki Sato leaves the company", func() { l.people = l.people[:2]; l.members = nil }, mira)
	if l.can.groups {
		l.step(stepUnassigned, func() { l.assign("--group", lifeGroup, "--remove") }, mira)
	}
	l.quiet()
}

// appFile is the template as it is, but for the order: one call at a time, and none of them waits.
func (l *life) appFile() string {
	more := ""
	if l.template.ID == "litmos-api" {
		more = "    source: Example Ltd\n"
	}
	return fmt.Sprintf("name: %s\ntemplate: %s\nsource:\n  connector: directory\ntarget:\n  settings:\n    url: %s\n    auth: %s\n    rate: none\n    concurrency: 1\n%s",
		lifeJob, l.template.ID, l.target.url, l.auth(), more)
}

func (l *life) auth() string {
	if l.template.Auth.Kinds[0] == gallery.Header {
		return "{header: {name: " + cmp.Or(l.template.Auth.Header, "apikey") + ", value: {env: TARGET_TOKEN}}}"
	}
	return "{bearer: {env: TARGET_TOKEN}}" // in place of OAuth too, which is no matter of the template
}

func (l *life) assign(args ...string) {
	l.t.Helper()
	wantCode(l.t, l.world.rollcall(append([]string{"assign", lifeJob, "--role", lifeRole}, args...)...), exitFine)
}

// hr brings the directory to what the people are now.
func (l *life) hr() {
	l.t.Helper()
	people := "employee_id,given_name,surname,user,mail,job_title,department,manager_id,status\n"
	for _, p := range l.people {
		people += strings.Join([]string{p.key, p.given, p.surname, p.user, p.mail, p.title, p.department, p.manager, p.status}, ",") + "\n"
	}
	members := "group,person\n"
	for _, m := range l.members {
		members += "G1," + m + "\n"
	}
	l.world.write("people.csv", people)
	l.world.write("memberships.csv", members)
	wantCode(l.t, l.world.rollcall("run", "-f", "hr.yaml"), exitFine)
}

// step makes a change, runs both jobs, records the exchanges, and looks who can sign in.
func (l *life) step(what string, change func(), in ...*employee) {
	l.t.Helper()
	everybody := slices.Clone(l.people)
	change()
	l.hr()
	rep := l.world.run("app.yaml", exitFine)
	if rep.Counts.Failed > 0 || rep.Quarantine != nil || rep.Cycle.State != "Succeeded" {
		l.t.Errorf("%s: %+v", what, rep)
	}
	fmt.Fprintf(&l.record, "\n== %s\n", what)
	l.recordNew()
	state := l.target.state()
	for _, p := range everybody {
		want := slices.ContainsFunc(in, func(q *employee) bool { return q.key == p.key })
		if got := l.canSignIn(state, p); got != want {
			l.t.Errorf("%s: %s %s can sign in: %v, want %v", what, p.given, p.surname, got, want)
		}
	}
	if l.can.groups {
		l.wantMembers(what, state)
	}
}

// quiet runs once more: nothing changed, so nothing is written (design section 7, I4).
func (l *life) quiet() {
	l.t.Helper()
	rep := l.world.run("app.yaml", exitFine)
	if n := rep.Requests.writes(); n > 0 {
		l.t.Errorf("nothing changed, and there were %d writes: %v", n, rep.Requests.ByMethod)
	}
}

// account is the account of a person, by the given name, which nobody changes.
func (l *life) account(state holdings, p employee) resource {
	for _, u := range state.Users {
		text, err := json.Marshal(u)
		if err != nil {
			l.t.Fatal(err)
		}
		if bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(p.given)+".")) || bytes.Contains(text, []byte(`"`+p.given+`"`)) {
			return u
		}
	}
	return nil
}

func (l *life) canSignIn(state holdings, p employee) bool {
	l.t.Helper()
	name := textOf(l.account(state, p), "userName", "UserName")
	if name == "" {
		return false
	}
	status := l.target.status("signin?userName=" + url.QueryEscape(name))
	if status != http.StatusOK && status != http.StatusForbidden {
		l.t.Fatalf("signin of %s is answered with %d", name, status)
	}
	return status == http.StatusOK
}

// status is the status that a page of the sandbox's own answers with.
func (s *sandbox) status(page string) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.origin+"/_sandbox/"+page, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// wantMembers looks that the group has those members who are in it, as long as there is a group.
func (l *life) wantMembers(what string, state holdings) {
	l.t.Helper()
	i := slices.IndexFunc(state.Groups, func(g resource) bool { return textOf(g, "displayName", "Name") == lifeGroup })
	if i < 0 {
		if last := what == stepUnassigned; !last || !l.can.deleteGroups {
			l.t.Errorf("%s: there is no group %s: %v", what, lifeGroup, state.Groups)
		}
		return
	}
	members, err := json.Marshal([]any{state.Groups[i]["members"], state.Groups[i]["Members"]})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, p := range l.people {
		id := textOf(l.account(state, p), "id", "Id")
		in := id != "" && bytes.Contains(members, []byte(`"`+id+`"`))
		if want := slices.Contains(l.members, p.key); in != want {
			l.t.Errorf("%s: %s is a member: %v, want %v: %s", what, p.given, in, want, members)
		}
	}
}

// textOf is the first of these attributes that is a text.
func textOf(r resource, names ...string) string {
	for _, name := range names {
		if text, ok := r[name].(string); ok {
			return text
		}
	}
	return ""
}

// compare compares what was recorded with what is kept, or keeps it.
func (l *life) compare(file string) {
	l.t.Helper()
	if l.t.Failed() {
		return // what went wrong is no exchange to keep
	}
	got := l.record.String()
	if *updatePage {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			l.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		l.t.Fatal(err)
	}
	if diff := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		l.t.Errorf("%s is not what is said (-kept +said):\n%s", file, diff)
	}
}

// recordNew writes the exchanges since the last step.
func (l *life) recordNew() {
	l.t.Helper()
	d := json.NewDecoder(bytes.NewReader(l.target.call(http.MethodGet, "requests", nil)))
	for n := 0; ; n++ {
		var e struct {
			Method, Path, Query string
			Status              int
			Request, Response   json.RawMessage
		}
		if err := d.Decode(&e); err == io.EOF {
			return
		} else if err != nil {
			l.t.Fatal(err)
		}
		if n < l.seen {
			continue
		}
		l.seen = n + 1
		line := e.Method + " " + e.Path
		if e.Query != "" {
			query, err := url.PathUnescape(e.Query)
			if err != nil {
				l.t.Fatal(err)
			}
			line += "?" + volatileID.ReplaceAllStringFunc(query, func(id string) string {
				if l.names[id] == "" {
					return "<random>" // of a probe, which asks for nobody
				}
				return id
			})
		}
		response := l.body(e.Response)
		if purpose(exchange{Method: e.Method, Path: e.Path}, false) == forDescribe { // a thousand lines that are no part of a life
			response = "<what the application says of itself>\n"
		}
		fmt.Fprintf(&l.record, "\n%s\n%s%d\n%s", l.stable(line), l.body(e.Request), e.Status, response)
	}
}

// body is a JSON document on several lines, in the order in which it was sent, nothing for none.
func (l *life) body(text json.RawMessage) string {
	if len(text) == 0 || string(text) == "null" {
		return ""
	}
	var quoted string
	if json.Unmarshal(text, &quoted) == nil { // a body that is no JSON
		return l.stable(quoted) + "\n"
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		l.t.Fatalf("a body that is no JSON: %v\n%s", err, text)
	}
	return l.stable(b.String()) + "\n"
}

var (
	volatileID   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{24}\b`)
	volatileTime = regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d|\b)`)
)

// stable gives ids numbers in the order in which they are seen, and leaves times and the port out.
func (l *life) stable(text string) string {
	text = volatileID.ReplaceAllStringFunc(text, func(id string) string {
		if l.names[id] == "" {
			l.names[id] = fmt.Sprintf("<id %d>", len(l.names)+1)
		}
		return l.names[id]
	})
	text = volatileTime.ReplaceAllString(text, "<time>")
	return strings.ReplaceAll(text, l.target.origin, "http://sandbox")
}
