package story

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// crew is what happens to the members of one group of the directory that is assigned to an application.
type crew struct {
	t       *testing.T
	app     application
	deletes bool
	world   *world
	target  *sandbox
	company company
	members []string // user names
	cycles  int
}

// expected is the calls that each step needs, beside the probes of a cycle.
type expected struct {
	load       string // three people and their team
	added      string // one person more
	changed    string // another name and title for them
	removed    string // they leave the group
	back       string // and come back
	unassigned string // nobody is assigned any more
}

// TestAnAssignedGroupHasAccounts takes the directory's group Crew through its life as an assigned group, with each
// template as it is: who comes into it gets an account and can sign in, changes are there after one incremental cycle, and
// who goes out of it can sign in no more, disabled or deleted as the job says. The calls are those that are needed, and no
// more (design D1).
func TestAnAssignedGroupHasAccounts(t *testing.T) {
	t.Parallel()
	scim := expected{
		load:       "GET 2, POST 4",          // a page of accounts, a query for the team; the team has its members
		added:      "GET 1, POST 1, PATCH 1", // a query, the account, the membership
		changed:    "PATCH 1",
		removed:    "PATCH 2", // membership and account
		back:       "PATCH 2",
		unassigned: "PATCH 4, DELETE 1",
	}
	// Where people are deleted their membership goes first: whether a target drops members with their accounts is not known.
	deleting := scim
	deleting.removed, deleting.back, deleting.unassigned = "PATCH 1, DELETE 1", "GET 1, POST 1, PATCH 1", "DELETE 5"
	litmos := expected{
		load:       "GET 2, POST 5", // the members of the team follow in a call of their own
		added:      "GET 1, POST 2",
		changed:    "GET 1, PUT 1",
		removed:    "GET 1, PUT 1, DELETE 1",
		back:       "GET 1, POST 1, PUT 1",
		unassigned: "GET 4, PUT 4, DELETE 1",
	}
	deletingLitmos := litmos
	deletingLitmos.removed, deletingLitmos.back, deletingLitmos.unassigned = "DELETE 2", "GET 1, POST 2", "DELETE 5"
	tests := []struct {
		sandbox string
		deletes bool
		probes  int
		calls   expected
	}{
		{"scim", false, 2, scim},
		{"scim", true, 2, deleting},
		{"litmos-scim", false, 2, scim},
		{"litmos-scim", true, 2, deleting},
		{"litmos-api", false, 1, litmos},
		{"litmos-api", true, 1, deletingLitmos},
		{"leapsome", false, 2, expected{ // a create takes three calls; a team is not deleted but emptied
			load:       "GET 2, POST 4, PATCH 6",
			added:      "GET 1, POST 1, PATCH 3",
			changed:    "PATCH 1",
			removed:    "PATCH 2",
			back:       "PATCH 2",
			unassigned: "GET 1, PATCH 5",
		}},
		{"insite-lms", false, 1, expected{ // no teams
			load:       "GET 1, POST 3",
			added:      "GET 1, POST 1",
			changed:    "PATCH 1",
			removed:    "PATCH 1",
			back:       "PATCH 1",
			unassigned: "PATCH 4",
		}},
	}
	for _, tt := range tests {
		name := tt.sandbox + ", who leaves is disabled"
		if tt.deletes {
			name = tt.sandbox + ", who leaves is deleted"
		}
		t.Run(name, func(t *testing.T) {
			if tt.sandbox != "scim" {
				long(t)
			}
			t.Parallel()
			newCrew(t, tt.sandbox, tt.deletes).live(tt.calls, tt.probes)
		})
	}
}

func newCrew(t *testing.T, name string, deletes bool) *crew {
	t.Helper()
	i := slices.IndexFunc(applications, func(a application) bool { return a.sandbox == name })
	c := &crew{t: t, app: applications[i], deletes: deletes, company: staff("A", 12)}
	w, target, set := c.app.open(t)
	c.world, c.target = w, target.(*sandbox)
	actions, deprovision := "create, update", "disable"
	if deletes {
		actions, deprovision = "create, update, delete", "delete"
	}
	w.write("app.yaml", fmt.Sprintf(`name: App
template: %s
source: {connector: directory}
target:
  settings:
    url: %s
    auth: %s
    rate: %s
%s
settings: {deprovision: %s}
rules:
  - {name: users, actions: [%s]}
`, set.template, set.url, cmp.Or(set.auth, "{bearer: {env: TARGET_TOKEN}}"), cmp.Or(set.rate, "none"), set.target, deprovision, actions))
	w.write("hr.yaml", hrFile)
	return c
}

// hr brings the directory to what the company is.
func (c *crew) hr() {
	c.t.Helper()
	c.world.write("people.csv", c.company.csv())
	c.world.run("hr.yaml", exitFine)
}

// live goes through the steps.
func (c *crew) live(calls expected, probes int) {
	c.hr()
	one := c.company.people[3]
	name := one["email"]
	for _, p := range c.company.people[:3] {
		c.members = append(c.members, p["email"])
	}
	c.do("groups", "create", "Crew", "--member", c.members[0], "--member", c.members[1], "--member", c.members[2])
	wantCode(c.t, c.world.rollcall("apply", "app.yaml"), exitFine)
	c.do("assign", "App", "--group", "Crew", "--role", "Learner", "--new-role")
	c.step("the group is assigned", probes, calls.load, c.members, "")

	all := append(slices.Clone(c.members), name)
	c.do("groups", "add", "Crew", name)
	c.step("one person more", probes, calls.added, all, "")
	id := c.account(name).ID

	one["surname"], one["job_title"] = "Okafor", "Foreman"
	c.hr()
	c.step("another name and title", probes, calls.changed, all, "")
	if a := c.account(name); a.FamilyName != "Okafor" || c.app.layout.title && a.Title != "Foreman" || a.ID != id {
		c.t.Errorf("the change is not reflected: %+v", a)
	}

	c.do("groups", "remove", "Crew", name)
	c.step("one leaves the group", probes, calls.removed, c.members, name)

	c.do("groups", "add", "Crew", name)
	c.step("and comes back", probes, calls.back, all, "")
	if a := c.account(name); (a.ID != id) != c.deletes {
		c.t.Errorf("the account was %s and is %s", id, a.ID)
	}

	c.do("assign", "App", "--group", "Crew", "--remove")
	c.step("nobody is assigned", probes, calls.unassigned, nil, strings.Join(all, " "))
	c.step("nothing happens", probes, "", nil, strings.Join(all, " "))
}

func (c *crew) do(args ...string) {
	c.t.Helper()
	wantCode(c.t, c.world.rollcall(args...), exitFine)
}

// step runs a cycle, which must make these calls beside the probes, and looks at who can sign in, who has an account, and
// who is in the team.
func (c *crew) step(what string, probes int, calls string, in []string, out string) {
	c.t.Helper()
	rep := c.world.planned("app.yaml", c.target, exitFine)
	if rep.Cycle.State != "Succeeded" || rep.Quarantine != nil || rep.Counts.Failed > 0 {
		c.t.Errorf("%s: %+v", what, rep)
	}
	if c.cycles++; c.cycles > 1 && rep.Cycle.Type != "incremental" {
		c.t.Errorf("%s: the cycle is %s", what, rep.Cycle.Type)
	}
	made := map[string]int{}
	for method, n := range rep.Requests.ByMethod {
		made[method] = n
	}
	made[http.MethodGet] -= probes
	if got := countsOf(made); got != calls {
		c.t.Errorf("%s: the calls are %q, needed are %q", what, got, calls)
	}
	for _, name := range in {
		if !c.signsIn(name) {
			c.t.Errorf("%s: %s cannot sign in", what, name)
		}
	}
	for name := range strings.FieldsSeq(out) {
		if c.signsIn(name) {
			c.t.Errorf("%s: %s can sign in", what, name)
		}
		if there := c.account(name).ID != ""; there == c.deletes {
			c.t.Errorf("%s: %s has an account: %v", what, name, there)
		}
	}
	if !c.app.noGroups {
		c.wantTeam(what, in)
	}
}

// countsOf writes numbers of calls as the table has them.
func countsOf(byMethod map[string]int) string {
	var parts []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete} {
		if byMethod[m] != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", m, byMethod[m]))
		}
	}
	return strings.Join(parts, ", ")
}

func (c *crew) signsIn(name string) bool {
	c.t.Helper()
	switch status := c.target.status("signin?userName=" + url.QueryEscape(name)); status {
	case http.StatusOK:
		return true
	case http.StatusForbidden:
	default:
		c.t.Fatalf("signin of %s is answered with %d", name, status)
	}
	return false
}

// account is the account of a user name, empty when there is none.
func (c *crew) account(name string) shown {
	c.t.Helper()
	read := c.app.read(c.t)
	for _, u := range c.target.state().Users {
		if a := read(u); strings.EqualFold(a.UserName, name) {
			return a
		}
	}
	return shown{}
}

// wantTeam demands that the group's team has these members. Where a team cannot be deleted it stays, empty.
func (c *crew) wantTeam(what string, members []string) {
	c.t.Helper()
	want := map[string][]string{"Crew": slices.Sorted(slices.Values(members))}
	if members == nil && c.app.sandbox != "leapsome" {
		delete(want, "Crew")
	}
	names := map[string]string{}
	read := c.app.read(c.t)
	h := c.target.state()
	for _, u := range h.Users {
		a := read(u)
		names[a.ID] = a.UserName
	}
	got := map[string][]string{}
	for _, g := range h.Groups {
		var in []string
		for _, key := range []string{"members", "Members"} {
			list, _ := g[key].([]any)
			for _, m := range list {
				in = append(in, names[cmp.Or(text(m, "value"), text(m, "Id"))])
			}
		}
		slices.Sort(in)
		got[cmp.Or(text(g, "displayName"), text(g, "Name"))] = in
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		c.t.Errorf("%s: teams (-want +got):\n%s", what, diff)
	}
}
