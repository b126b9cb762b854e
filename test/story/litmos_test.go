package story

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// litmosFile is a job from the directory to the sandbox of Litmos' own API, with the template as it is but for the rate.
func litmosFile(address string) string {
	return fmt.Sprintf(`name: Litmos
template: litmos-api
source: {connector: directory}
target:
  settings:
    url: %s
    source: Adventure Works
    rate: 60000/min
    auth: {header: {name: apikey, value: {env: TARGET_TOKEN}}}
settings: {scope: all}
`, address)
}

// TestSixFilesAgainstLitmosAPI plays the company through the directory into Litmos' own API: every account as it should
// be, every cycle with the calls that it was planned with, and of the sign-in addresses in the answers no trace.
func TestSixFilesAgainstLitmosAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, token)
	target := startSandbox(t, "litmos-api", token, "--rate", "none")
	w.write("hr.yaml", hrFile)
	w.write("app.yaml", litmosFile(target.url))
	// docs/targets/litmos-api.md tells the same table.
	calls := []map[string]int{
		{"GET": 2, "POST": 217}, {"GET": 4, "POST": 45, "PUT": 1}, {"GET": 13, "POST": 21, "PUT": 10}, {"GET": 3, "POST": 7}, {"GET": 1}, {"GET": 14, "POST": 2, "PUT": 11},
	}
	form := inLitmos(t)
	read := func(u resource) shown {
		a := form(u)
		a.Level = "" // the template's default
		return a
	}
	before := map[string]account{}
	for i, date := range dates {
		c := companyOf(t, date)
		w.write("people.csv", c.csv())
		w.run("hr.yaml", exitFine)
		rep := w.planned("app.yaml", target, exitFine)
		if diff := cmp.Diff(calls[i], rep.Requests.ByMethod); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", date, diff)
		}
		want := c.accounts(layout{displayName: true, title: true, phone: true, manager: true, mailOfAll: true}, before)
		got := accountsBy(t, target.state(), read)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: accounts (-want +got):\n%s", date, diff)
		}
		before = got
	}
	o := w.rollcall("run", "-f", "app.yaml", "--reconcile", "-o", "json")
	wantCode(t, o, exitFine)
	var rep struct {
		Requests requests
		Drift    struct{ Accounts, Unmanaged, Changed, Missing int }
	}
	if err := json.Unmarshal([]byte(o.Out), &rep); err != nil {
		t.Fatal(err)
	}
	if rep.Drift.Accounts != 292 || rep.Drift.Unmanaged+rep.Drift.Changed+rep.Drift.Missing != 0 || rep.Requests.writes() != 0 {
		t.Errorf("nobody has changed the target, and comparing it led to %+v", rep)
	}
	wantNoTrace(t, w, "loginkey", token)
}

// wantNoTrace demands that no file of the state holds one of the texts.
func wantNoTrace(t *testing.T, w *world, texts ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(filepath.Join(w.dir, "data"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, s := range texts {
			if bytes.Contains(bytes.ToLower(data), []byte(strings.ToLower(s))) {
				t.Errorf("%s holds %q", filepath.Base(path), s)
			}
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("%d files looked at: %v", files, err)
	}
}

// litmosCall makes a call to the sandbox past the program.
func litmosCall(t *testing.T, target *sandbox, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target.url+path+"?source=story&format=json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("apikey", token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %s", method, path, resp.Status, answer)
	}
}

const importFile = `name: From Litmos
source:
  connector: litmos
  settings:
    url: %s
    source: Adventure Works
    auth: {header: {name: apikey, value: {env: TARGET_TOKEN}}}
target: {connector: directory}
rules:
  - name: people
    from: User
    to: User
    actions: [create, update]
    attributes:
      - {target: userPrincipalName, expression: '[UserName]', match: 1}
      - {target: accountEnabled, expression: 'Not([IsSoftDeleted])'}
      - {target: displayName, expression: 'Join(" ", [FirstName], [LastName])'}
      - {target: jobTitle, expression: '[JobTitle]'}
      - {target: manager, reference: '[ManagerId]'}
  - name: teams
    from: Group
    to: Group
    actions: [create, update, delete]
    attributes:
      - {target: displayName, expression: '[Name]', match: 1}
      - {target: members, reference: '[members]'}
`

// TestLitmosIntoTheDirectory imports a site that was filled by hand: people matched or made, inactive people disabled,
// teams with their members, and later what changed, memberships that ended among it.
func TestLitmosIntoTheDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, token)
	target := startSandbox(t, "litmos-api", token, "--rate", "none")
	person := func(name, first, title, more string) string {
		return fmt.Sprintf(`{"Id":"","UserName":%q,"FirstName":%q,"LastName":"Okafor","Email":"","DisableMessages":true,"Active":true,"JobTitle":%q%s}`, name, first, title, more)
	}
	id := func(key, value string) string {
		t.Helper()
		h := target.state()
		for _, r := range append(h.Users, h.Groups...) {
			if text(r, key) == value {
				return text(r, "Id")
			}
		}
		t.Fatalf("there is no %s %s", key, value)
		return ""
	}
	litmosCall(t, target, "POST", "/users", person("mira@example.net", "Mira", "Head", ""))
	litmosCall(t, target, "POST", "/users", person("jo@example.net", "Jo", "R&D", fmt.Sprintf(`,"ManagerId":%q`, id("UserName", "mira@example.net"))))
	litmosCall(t, target, "POST", "/users", person("ada@example.net", "Ada", "Smith", ""))
	litmosCall(t, target, "POST", "/teams", `{"Id":"","Name":"Söhne & Co","Description":""}`)
	team := "/teams/" + url.PathEscape(id("Name", "Söhne & Co")) + "/users"
	jo := id("UserName", "jo@example.net")
	litmosCall(t, target, "POST", team, fmt.Sprintf(`[{"Id":%q},{"Id":%q}]`, jo, id("UserName", "ada@example.net")))

	w.write("import.yaml", fmt.Sprintf(importFile, target.url))
	rep := w.run("import.yaml", exitFine)
	if want := (counts{Imported: 4, InScope: 4, Created: 4}); rep.Counts != want {
		t.Errorf("the first import (-want +got):\n%s", cmp.Diff(want, rep.Counts))
	}
	members := func() []string {
		t.Helper()
		o := w.rollcall("groups", "show", "Söhne & Co", "-o", "json")
		wantCode(t, o, exitFine)
		var names []string
		for _, n := range []string{"mira", "jo", "ada"} {
			if strings.Contains(strings.ToLower(o.Out), n+" okafor") {
				names = append(names, n)
			}
		}
		return names
	}
	if diff := cmp.Diff([]string{"jo", "ada"}, members()); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	show := func(who string) string {
		t.Helper()
		o := w.rollcall("users", "show", who, "-o", "json")
		wantCode(t, o, exitFine)
		return o.Out
	}
	if got := show("jo@example.net"); !strings.Contains(got, `R&D`) || !strings.Contains(got, "manager") {
		t.Errorf("Jo, with an ampersand and a manager: %s", got)
	}

	// Jo moves and leaves the team, Ada is deactivated, a new team comes.
	litmosCall(t, target, "DELETE", team+"/"+url.PathEscape(jo), "")
	put := func(name, body string) {
		litmosCall(t, target, "PUT", "/users/"+url.PathEscape(id("UserName", name)), strings.Replace(body, `"Id":""`, fmt.Sprintf(`"Id":%q`, id("UserName", name)), 1))
	}
	put("jo@example.net", person("jo@example.net", "Jo", "Baker", ""))
	put("ada@example.net", strings.Replace(person("ada@example.net", "Ada", "Smith", ""), `"Active":true`, `"Active":false`, 1))
	litmosCall(t, target, "POST", "/teams", `{"Id":"","Name":"New","Description":""}`)
	rep = w.run("import.yaml", exitFine)
	if rep.Counts.Created != 1 || rep.Counts.Updated != 2 || rep.Counts.Disabled != 1 || rep.Counts.Failed != 0 {
		t.Errorf("the second import: %+v", rep.Counts)
	}
	if got := show("jo@example.net"); !strings.Contains(got, "Baker") {
		t.Errorf("Jo has another title: %s", got)
	}
	if got := show("ada@example.net"); !strings.Contains(got, `"accountEnabled": false`) {
		t.Errorf("Ada is deactivated: %s", got)
	}
	if got := members(); got != nil {
		t.Errorf("members that ended, or are hidden: %v", got)
	}
	wantNoTrace(t, w, "loginkey", token)
}
