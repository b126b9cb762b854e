package story

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hrFile is the job that feeds the directory from people.csv.
const hrFile = `name: HR
source:
  connector: csv
  settings:
    path: people.csv
    key: employee_id
    references: {manager_id: User}
    active: {attribute: status, inactive: [terminated, leave]}
target: {connector: directory}
settings: {scope: all}
rules:
  - name: people
    from: User
    to: User
    actions: [create, update, delete]
    attributes:
      - {target: employeeId, expression: '[employee_id]', match: 1}
      - {target: userPrincipalName, expression: 'Coalesce([email], Join("@", ToLower(NormalizeDiacritics(StripSpaces(Join(".", [given_name], [surname])))), "adventure-works.com"))'}
      - {target: accountEnabled, expression: 'Not([IsSoftDeleted])'}
      - {target: displayName, expression: 'Join(" ", [given_name], [surname])'}
      - {target: givenName, expression: '[given_name]'}
      - {target: surname, expression: '[surname]'}
      - {target: jobTitle, expression: '[job_title]'}
      - {target: department, expression: '[department]'}
      - {target: mail, expression: '[email]'}
      - {target: telephoneNumber, expression: '[phone]'}
      - {target: manager, reference: '[manager_id]'}
`

// outboundFile is a job from the directory to a SCIM target with the rules of the gallery template as they are.
func outboundFile(name, url, scope string) string {
	return fmt.Sprintf(`name: %s
template: scim
source: {connector: directory}
target:
  settings:
    url: %s
    auth: {bearer: {env: TARGET_TOKEN}}
    rate: none
settings: {scope: %s}
`, name, url, scope)
}

// employed is a world whose directory has the 290 people of 2012.
func employed(t *testing.T) (*world, company) {
	t.Helper()
	w := newWorld(t, token)
	c := companyOf(t, "2012-12-31")
	w.write("people.csv", c.csv())
	w.write("hr.yaml", hrFile)
	rep := w.run("hr.yaml", exitFine)
	if want := (counts{Imported: 290, InScope: 290, Created: 290}); rep.Counts != want {
		t.Fatalf("counts of the first HR cycle (-want +got):\n%s", cmp.Diff(want, rep.Counts))
	}
	if rep.Requests.Total != 0 {
		t.Errorf("the directory is in this process, and %d calls were counted", rep.Requests.Total)
	}
	return w, c
}

// TestDirectoryInBetween sends the company through the directory: HR file to directory, directory to target. The second
// job's later cycles read only what has changed, and a leaver, who is in the recycle bin for 30 days, is disabled
// (design section 2, 6.2; engine.R77).
func TestDirectoryInBetween(t *testing.T) {
	t.Parallel()
	w, c := employed(t)
	target := startSandbox(t, "scim", token)
	w.write("app.yaml", outboundFile("App", target.url, "all"))

	rep := w.planned("app.yaml", target, exitFine)
	if want := (counts{Imported: 290, InScope: 290, Created: 290}); rep.Counts != want {
		t.Errorf("counts of the first load (-want +got):\n%s", cmp.Diff(want, rep.Counts))
	}
	if rep.Requests.Total > 300 {
		t.Errorf("%d calls %v, P1 allows 300", rep.Requests.Total, rep.Requests.ByMethod)
	}
	wantAccounts(t, target, c.accounts(everything, nil))
	rep = w.planned("app.yaml", target, exitFine)
	if rep.Cycle.Type != "incremental" || rep.Counts != (counts{}) || rep.Requests.writes() != 0 || rep.Requests.Total > 2 {
		t.Errorf("nothing changed: %s cycle, %+v, %v", rep.Cycle.Type, rep.Counts, rep.Requests.ByMethod)
	}

	// HR: 2 joiners, 3 movers, 1 rename, 2 marked as gone, 5 leavers.
	next := companyOf(t, "2014-01-31")
	w.write("people.csv", next.csv())
	rep = w.run("hr.yaml", exitFine)
	if want := scheduled[5]; rep.Counts != want {
		t.Errorf("counts of the second HR cycle (-want +got):\n%s", cmp.Diff(want, rep.Counts))
	}
	before := accountsIn(t, target.state())
	rep = w.planned("app.yaml", target, exitFine)
	want := counts{Imported: 13, InScope: 13, Created: 2, Updated: 4, Disabled: 7}
	if rep.Counts != want {
		t.Errorf("counts of the incremental cycle, which reads what changed and no more (-want +got):\n%s", cmp.Diff(want, rep.Counts))
	}
	wantAccounts(t, target, next.accounts(everything, before))

	// A leaver comes back within the 30 days: the same account is active again.
	id := ids(target.state())["AW0024"]
	wantCode(t, w.rollcall("users", "restore", before["AW0024"].UserName), exitFine)
	rep = w.planned("app.yaml", target, exitFine)
	if rep.Counts.Enabled != 1 || rep.Counts.Created != 0 {
		t.Errorf("after a restore: %+v", rep.Counts)
	}
	if now := ids(target.state())["AW0024"]; now != id || !accountsIn(t, target.state())["AW0024"].Active {
		t.Errorf("the restored person had the account %s and has %s, active: %v", id, now, accountsIn(t, target.state())["AW0024"].Active)
	}
	wantCreatedOnce(t, target.exchanges())
}

// TestAssignmentsDecideWhoIsProvisioned assigns groups of the directory to an application: only their members get
// accounts, and those of a group that is unassigned are disabled (engine section 5, design 6.2).
func TestAssignmentsDecideWhoIsProvisioned(t *testing.T) {
	t.Parallel()
	w, c := employed(t)
	target := startSandbox(t, "scim", token)
	w.write("app.yaml", outboundFile("App", target.url, "assigned"))

	rep := w.run("app.yaml", exitFine)
	if rep.Counts.Created != 0 || rep.Counts.InScope != 0 || len(target.state().Users) != 0 {
		t.Errorf("nobody is assigned: %+v, %d accounts", rep.Counts, len(target.state().Users))
	}

	// Everybody of a department is a member of the group of its name.
	wanted := map[string]bool{}
	for department, size := range map[string]int{"Engineering": 6, "Sales": 4, "Finance": 10} {
		args := []string{"groups", "create", department}
		for _, p := range c.people {
			if p["department"] == department && size > 0 {
				size--
				args = append(args, "--member", p["email"])
				wanted[department+"/"+p["employee_id"]] = true
			}
		}
		wantCode(t, w.rollcall(args...), exitFine)
	}
	in := func(departments ...string) map[string]account {
		out := map[string]account{}
		for number, a := range c.accounts(everything, nil) {
			if slices.ContainsFunc(departments, func(d string) bool { return wanted[d+"/"+number] }) {
				out[number] = a
			}
		}
		for number, a := range out {
			if _, there := out[a.Manager]; !there { // references are written to accounts that there are (engine.R91)
				a.Manager = ""
				out[number] = a
			}
		}
		return out
	}
	wantCode(t, w.rollcall("assign", "App", "--group", "Engineering", "--group", "Sales"), exitFine)
	all := in("Engineering", "Sales")
	rep = w.planned("app.yaml", target, exitFine)
	if rep.Counts.Created != len(all)+2 || rep.Counts.Failed != 0 {
		t.Errorf("%d people and 2 groups are assigned: %+v", len(all), rep.Counts)
	}
	if rep.Cycle.Type != "incremental" || rep.Counts.Imported > 40 {
		t.Errorf("an assignment made the %s cycle read %d objects", rep.Cycle.Type, rep.Counts.Imported)
	}
	wantAccounts(t, target, all)
	if groups := groupsIn(t, target.state()); len(groups["Sales"]) != 4 || len(groups["Engineering"]) != len(in("Engineering")) || len(groups) != 2 {
		t.Errorf("groups: %v", groups)
	}

	wantCode(t, w.rollcall("assign", "App", "--group", "Sales", "--remove"), exitFine)
	rep = w.planned("app.yaml", target, exitFine)
	sales := in("Sales")
	if rep.Counts.Disabled != len(sales) || rep.Counts.Deleted != 1 || rep.Counts.Created != 0 || rep.Counts.Failed != 0 {
		t.Errorf("the group Sales and its %d members are unassigned: %+v", len(sales), rep.Counts)
	}
	for number := range sales {
		a := all[number]
		a.Active = false
		all[number] = a
	}
	wantAccounts(t, target, all)

	// Back again: the same accounts are enabled, none is created.
	wantCode(t, w.rollcall("assign", "App", "--group", "Sales"), exitFine)
	rep = w.planned("app.yaml", target, exitFine)
	if rep.Counts.Enabled != len(sales) || rep.Counts.Created != 1 {
		t.Errorf("the group Sales is assigned again: %+v", rep.Counts)
	}
	wantAccounts(t, target, in("Engineering", "Sales"))
	if rep := w.run("app.yaml", exitFine); rep.Requests.writes() != 0 {
		t.Errorf("nothing changed: %+v %v", rep.Counts, rep.Requests.ByMethod)
	}
}
