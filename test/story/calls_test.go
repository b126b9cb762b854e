package story

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// cycleCalls is what one cycle sent to its target, by what it was for.
type cycleCalls struct {
	counts   counts
	byMethod map[string]int
	purposes map[string]int
}

// The purposes of calls, in the order in which the page tells them.
const (
	forDescribe = "discovery call"
	forProbe    = "probe"
	forPage     = "page of accounts"
	forQuery    = "query"
	forRead     = "read"
	forCreate   = "create"
	forRest     = "rest of a create"
	forManager  = "manager"
	forUpdate   = "update"
	forDelete   = "delete"
	unexplained = "unexplained"
)

func purposes() []string {
	return []string{forDescribe, forProbe, forPage, forQuery, forCreate, forRest, forManager, forRead, forUpdate, forDelete}
}

// callsOf sorts the calls of the cycle that has just ended.
func (s story) callsOf(rep runReport, read func(resource) shown) cycleCalls {
	all := s.target.exchanges()
	calls := cycleCalls{counts: rep.Counts, byMethod: rep.Requests.ByMethod, purposes: map[string]int{}}
	made := map[string]bool{} // ids of accounts that this cycle has created
	known := idsBy(s.target.state(), func(u resource) shown {
		return shown{account: account{Number: nameIn(u)}, ID: read(u).ID}
	})
	for _, e := range all[len(all)-rep.Requests.Total:] {
		what := purpose(e, calls.purposes[forProbe] > 0)
		if what == forCreate {
			made[known[nameIn(e.Request)]] = true
		}
		if what == forUpdate && made[lastSegment(e.Path)] {
			if what = forRest; text(e.Request, enterprise, "manager") != "" {
				what = forManager
			}
		}
		calls.purposes[what]++
	}
	return calls
}

func nameIn(u resource) string {
	if name := text(u, "userName"); name != "" {
		return name
	}
	return text(u, "UserName")
}

func lastSegment(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// purpose tells what a call about users is for. The first call about them in a cycle is the probe.
func purpose(e exchange, probed bool) string {
	path := strings.TrimSuffix(strings.ToLower(e.Path), "/details") // of Litmos' list with all attributes
	single := !strings.HasSuffix(path, "/users")
	switch {
	case e.Method == http.MethodGet && slices.Contains([]string{"schemas", "resourcetypes", "serviceproviderconfig"}, lastSegment(path)):
		return forDescribe
	case e.Method == http.MethodGet && !probed:
		return forProbe
	case e.Method == http.MethodGet && single:
		return forRead
	case e.Method == http.MethodGet && (e.Query.Has("filter") || e.Query.Has("search")):
		return forQuery
	case e.Method == http.MethodGet:
		return forPage
	case e.Method == http.MethodPost && !single:
		return forCreate
	case (e.Method == http.MethodPatch || e.Method == http.MethodPut) && single:
		return forUpdate
	case e.Method == http.MethodDelete && single:
		return forDelete
	}
	return unexplained
}

// wantNoMoreCalls demands the calls that the changes of a cycle need: a probe; pages or queries, whichever are fewer; and
// then for each person what the application takes for a create, an update or a delete (design D1).
func (s story) wantNoMoreCalls(t *testing.T, date string, made cycleCalls, rep runReport, before, after map[string]account) {
	t.Helper()
	n := rep.Counts
	changed := n.Updated + n.Enabled + n.Disabled
	want := map[string]int{forProbe: 1, forCreate: n.Created, forUpdate: changed, forDelete: n.Deleted}
	if asked := made.purposes[forDescribe]; date == dates[0] && asked <= 3 { // the file was saved (scim.R49)
		want[forDescribe] = asked
	}
	if slices.Contains(s.application.update, http.MethodGet) {
		want[forRead] = changed
	}
	if s.application.thin {
		want[forRest] = n.Created
		for number, a := range after {
			if _, there := before[number]; !there && a.Manager != "" {
				want[forManager]++
			}
		}
	}
	lookups := made.purposes[forPage] + made.purposes[forQuery]
	if lookups > n.Created || lookups > 0 && n.Created == 0 || made.purposes[forPage] > 0 && made.purposes[forQuery] > 0 {
		t.Errorf("%s: %d people were looked for with %d pages and %d queries", date, n.Created, made.purposes[forPage], made.purposes[forQuery])
	}
	got := map[string]int{}
	for what, n := range made.purposes {
		if what != forPage && what != forQuery {
			got[what] = n
		}
	}
	for what, n := range want {
		if n == 0 {
			delete(want, what)
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s: other calls than the changes need (-needed +made):\n%s", date, diff)
	}
}

// compareCalls compares docs/targets/calls.md with the calls that were made, or writes it.
func compareCalls(t *testing.T, played [][]cycleCalls) {
	t.Helper()
	if t.Failed() || slices.ContainsFunc(played, func(c []cycleCalls) bool { return c == nil }) { // failed, or not all of them ran
		if *updatePage {
			t.Error("docs/targets/calls.md was not written: it needs all applications, the server that is not ours too")
		}
		return
	}
	page := filepath.Join("..", "..", "docs", "targets", "calls.md")
	got := callsPage(played)
	if *updatePage {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(have), got); diff != "" {
		t.Errorf("docs/targets/calls.md tells of other calls than were made; look at it, then write it anew with\n"+
			"go test ./test/story -run TestSixFiles -update\n(-page +run):\n%s", diff)
	}
}

// callsPage writes docs/targets/calls.md.
func callsPage(played [][]cycleCalls) string {
	var b strings.Builder
	b.WriteString(`# How many calls each application takes

A company in six files of its HR system: 217 people at first, 290 in the end. ` + "`test/story/story_test.go`" + ` sends them from the csv
file to each application, looks that the accounts are right, and writes this page. ` + "`rollcall plan`" + ` says the same numbers before
each cycle.

When an app file is saved, a SCIM application is asked what it says of itself, in up to three calls. What every cycle takes:

- one probe, which proves address and credential;
- pages of accounts or one query for each new person, whichever are fewer, to find accounts that are there already;
- for each person what changes for them, and nothing for those who stay as they are.

`)
	for i, a := range applications {
		fmt.Fprintf(&b, "## %s\n\n%s See [%s](%s).\n\n", a.title, a.why, a.page, a.page)
		methods := []string{http.MethodGet, http.MethodPost}
		for _, more := range []string{http.MethodPatch, http.MethodPut, http.MethodDelete} {
			if slices.ContainsFunc(played[i], func(c cycleCalls) bool { return c.byMethod[more] > 0 }) {
				methods = append(methods, more)
			}
		}
		fmt.Fprintf(&b, "| File | Created | Updated | Disabled | Deleted | %s | Calls | What for |\n", strings.Join(methods, " | "))
		b.WriteString(strings.Repeat("|---", 7+len(methods)) + "|\n")
		for j, c := range played[i] {
			total, cells := 0, []string{dates[j], fmt.Sprint(c.counts.Created), fmt.Sprint(c.counts.Updated), fmt.Sprint(c.counts.Disabled), fmt.Sprint(c.counts.Deleted)}
			for _, m := range methods {
				total += c.byMethod[m]
				cells = append(cells, fmt.Sprint(c.byMethod[m]))
			}
			fmt.Fprintf(&b, "| %s | %d | %s |\n", strings.Join(cells, " | "), total, c.explained())
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// explained tells what calls were for: "1 probe, 2 pages of accounts, 45 creates".
func (c cycleCalls) explained() string {
	plural := map[string]string{forPage: "pages of accounts", forQuery: "queries", forRest: "rests of creates"}
	var parts []string
	for _, what := range purposes() {
		switch n := c.purposes[what]; {
		case n == 1:
			parts = append(parts, "1 "+what)
		case n > 1 && plural[what] != "":
			parts = append(parts, fmt.Sprintf("%d %s", n, plural[what]))
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, what))
		}
	}
	return strings.Join(parts, ", ")
}
