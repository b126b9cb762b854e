package story

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/testbed"
)

// club is people, groups and who is in which: what three csv files say.
type club struct {
	people  []string            // user names
	groups  map[string]string   // names by key
	members map[string][]string // of groups by key, as user names
}

// newClub makes people and groups and shares memberships out among them, in an order of its own.
func newClub(people, groups, memberships int) club {
	c := club{groups: map[string]string{}, members: map[string][]string{}}
	for i := range people {
		c.people = append(c.people, fmt.Sprintf("p%02d@example.com", i))
	}
	for i := range groups {
		c.groups[fmt.Sprintf("G%d", i)] = fmt.Sprintf("Group %d", i)
	}
	random := rand.New(rand.NewPCG(7, 0))
	for n := range memberships {
		g := fmt.Sprintf("G%d", n%groups)
		for {
			p := c.people[random.IntN(people)]
			if !slices.Contains(c.members[g], p) {
				c.members[g] = append(c.members[g], p)
				break
			}
		}
	}
	return c
}

// write writes the files of the club.
func (c club) write(w *world) {
	w.t.Helper()
	var people, groups, members strings.Builder
	people.WriteString("login,name\n")
	for _, p := range c.people {
		fmt.Fprintf(&people, "%s,Person %s\n", p, p)
	}
	groups.WriteString("key,name\n")
	members.WriteString("member,group\n")
	for _, g := range keysOf(c.groups) {
		fmt.Fprintf(&groups, "%s,%s\n", g, c.groups[g])
		for _, p := range c.members[g] {
			fmt.Fprintf(&members, "%s,%s\n", p, g)
		}
	}
	w.write("people.csv", people.String())
	w.write("groups.csv", groups.String())
	w.write("members.csv", members.String())
}

// want is the groups that a target must have, with the names of their members in order.
func (c club) want() map[string][]string {
	out := map[string][]string{}
	for key, name := range c.groups {
		out[name] = slices.Sorted(slices.Values(c.members[key]))
		if out[name] == nil {
			out[name] = []string{}
		}
	}
	return out
}

// groupsIn reads the groups that a target holds.
func groupsIn(t *testing.T, h holdings) map[string][]string {
	t.Helper()
	names := map[string]string{}
	for _, u := range h.Users {
		names[text(u, "id")] = text(u, "userName")
	}
	out := map[string][]string{}
	for _, g := range h.Groups {
		name := text(g, "displayName")
		if _, twice := out[name]; twice {
			t.Errorf("there are two groups %q", name)
		}
		out[name] = []string{}
		list, _ := g["members"].([]any)
		for _, m := range list {
			id := text(m, "value")
			if names[id] == "" {
				t.Errorf("group %q has a member %q who does not exist", name, id)
			}
			out[name] = append(out[name], names[id])
		}
		slices.Sort(out[name])
	}
	return out
}

// wantGroups demands that a target holds exactly the club's people and groups.
func wantGroups(t *testing.T, target system, c club) {
	t.Helper()
	h := target.state()
	if diff := cmp.Diff(c.want(), groupsIn(t, h)); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	var got []string
	for _, u := range h.Users {
		got = append(got, text(u, "userName"))
	}
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(slices.Values(c.people)), got); diff != "" {
		t.Errorf("people (-want +got):\n%s", diff)
	}
}

// clubFile is the app file for the club's three files.
func clubFile(url string, batch int) string {
	return fmt.Sprintf(`name: Club
template: scim
source:
  connector: csv
  settings:
    files:
      - {objectType: User, path: people.csv, key: login}
      - {objectType: Group, path: groups.csv, key: key, members: {path: members.csv, group: group, member: member}}
target:
  settings:
    url: %s
    auth: {bearer: {env: TARGET_TOKEN}}
    rate: none
    memberBatch: %d
rules:
  - name: users
    attributes:
      - {target: userName, expression: '[login]', match: 1}
      - {target: active, expression: 'Not([IsSoftDeleted])'}
      - {target: displayName, expression: '[name]'}
  - name: groups
    attributes:
      - {target: displayName, expression: '[name]', match: 1}
      - {target: externalId, expression: '[objectId]'}
      - {target: members, reference: '[members]'}
`, url, batch)
}

// playClub loads the club, changes it and loads it again.
func playClub(t *testing.T, w *world, target system, url string, batch int) {
	const people, groups, memberships = 50, 5, 120
	c := newClub(people, groups, memberships)
	w.write("app.yaml", clubFile(url, batch))
	c.write(w)
	rep := w.planned("app.yaml", target, exitFine)
	if want := (counts{Imported: 55, InScope: 55, Created: 55}); rep.Counts != want {
		t.Errorf("counts of the first load (-want +got):\n%s", cmp.Diff(want, rep.Counts))
	}
	wantGroups(t, target, c)
	// P1: users and groups, two probes, a page of each kind, and the members of each group in batches; and the three calls of
	// the save, in which the target says what it can do.
	most, patches := people+groups+2+2+3, 0
	for _, list := range c.members {
		patches += (len(list)+batch-1)/batch - 1 // the first batch is in the create
	}
	if rep.Requests.Total > most+patches || rep.Requests.ByMethod["PATCH"] != patches {
		t.Errorf("%d calls %v, P1 allows %d with %d PATCH", rep.Requests.Total, rep.Requests.ByMethod, most+patches, patches)
	}
	for _, e := range target.exchanges() {
		if e.Method == http.MethodPost && strings.HasSuffix(e.Path, "/Groups") {
			if members, _ := e.Request["members"].([]any); len(members) != min(batch, memberships/groups) {
				t.Errorf("%s was created with %d members, want %d", text(e.Request, "displayName"), len(members), min(batch, memberships/groups))
			}
		}
	}
	if rep := w.planned("app.yaml", target, exitFine); rep.Requests.writes() != 0 || rep.Requests.Total > 2 || rep.Counts.Unchanged != 55 {
		t.Errorf("nothing changed: %+v %v (P2 allows 2 reads)", rep.Counts, rep.Requests.ByMethod)
	}

	// Of Group 1 three go and three others come, Group 2 gets a name, Group 3 goes, Group 9 comes with four members.
	next := club{people: c.people, groups: maps.Clone(c.groups), members: maps.Clone(c.members)}
	var others []string
	for _, p := range c.people {
		if !slices.Contains(c.members["G1"], p) {
			others = append(others, p)
		}
	}
	next.members["G1"] = append(slices.Clone(c.members["G1"][3:]), others[:3]...)
	next.groups["G2"] = "Second group"
	delete(next.groups, "G3")
	delete(next.members, "G3")
	next.groups["G9"], next.members["G9"] = "Group 9", c.people[:4]
	next.write(w)
	before := groupIDs(target.state())
	seen := len(target.exchanges())
	rep = w.planned("app.yaml", target, exitFine)
	if want := (counts{Imported: 55, InScope: 55, Created: 1, Updated: 2, Deleted: 1, Unchanged: 52}); rep.Counts != want {
		t.Errorf("counts of the changes (-want +got):\n%s", cmp.Diff(want, rep.Counts))
	}
	wantGroups(t, target, next)
	if after := groupIDs(target.state()); after["Second group"] != before["Group 2"] {
		t.Errorf("the renamed group was %s and is %s", before["Group 2"], after["Second group"])
	}
	want := []string{"DELETE", "PATCH", "PATCH", "PATCH", "POST"} // Group 1: removals and additions, each in one call
	var got []string
	for _, call := range writesIn(target.exchanges()[seen:]) {
		got = append(got, strings.Fields(call)[0])
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls of the changes (-want +got):\n%s", diff)
	}
	if rep := w.run("app.yaml", exitFine); rep.Requests.writes() != 0 || rep.Requests.Total > 2 {
		t.Errorf("nothing changed any more: %+v %v (P2 allows 2 reads)", rep.Counts, rep.Requests.ByMethod)
	}
}

func groupIDs(h holdings) map[string]string {
	out := map[string]string{}
	for _, g := range h.Groups {
		out[text(g, "displayName")] = text(g, "id")
	}
	return out
}

// TestGroupsGoOutWithTheirMembers loads 50 people, 5 groups and 120 memberships from three csv files: groups are created
// with their members, later changes go out as batches, a group that is gone is deleted, and calls stay within P1 and P2
// (design D1, section 7).
func TestGroupsGoOutWithTheirMembers(t *testing.T) {
	t.Parallel()
	for _, batch := range []int{100, 10} {
		t.Run(fmt.Sprintf("%d members in a call", batch), func(t *testing.T) {
			t.Parallel()
			target := startSandbox(t, "scim", token)
			playClub(t, newWorld(t, token), target, target.url, batch)
		})
	}
}

// TestGroupsAgainstAForeignServer is the same against a SCIM server that shares no code with us.
func TestGroupsAgainstAForeignServer(t *testing.T) {
	t.Parallel()
	server := testbed.Scimmy(t)
	playClub(t, newWorld(t, server.Token), foreign{server}, server.BaseURL, 10)
}
