package story

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var updatePage = flag.Bool("update", false, "write anew what the tests make: docs/failures.md, and the exchanges of tested templates")

// mishap is one entry of docs/failures.md: what goes wrong, what Rollcall does, and a play of it that proves it.
type mishap struct {
	title   string
	happens string // what goes wrong
	does    string // what Rollcall does, and why
	play    func(*stage)
}

// stage is where one mishap is played: 300 people, a strict SCIM application, and a table of what the cycles did.
type stage struct {
	*world
	target *sandbox
	rows   []string
	timed  bool // the number of calls depends on the clock and is not told
	again  bool // accounts were deleted by hand, so some are rightly created twice
}

// staff is n people of one department, each the report of the first of their ten. Their numbers and names begin with prefix.
func staff(prefix string, n int) company {
	c := company{columns: []string{"employee_id", "given_name", "surname", "email", "phone", "job_title", "department", "manager_id", "status"}}
	for i := range n {
		number := fmt.Sprintf("%s%04d", prefix, i+1)
		p := person{"employee_id": number, "given_name": "Given" + number, "surname": "Surname" + number,
			"email": strings.ToLower(number) + "@example.com", "phone": fmt.Sprintf("555-%04d", i), "job_title": "Fitter",
			"department": "Assembly", "status": "active"}
		if i%10 > 0 {
			p["manager_id"] = fmt.Sprintf("%s%04d", prefix, i/10*10+1)
		}
		c.people = append(c.people, p)
	}
	return c
}

// people are the 300 of every mishap.
func people() company { return staff("A", 300) }

// job writes the app file, with the target's address or another one that leads there.
func (s *stage) job(url string, more ...string) {
	s.write("app.yaml", appFile(settings{url: url, deletes: true, layout: everything, timeout: "5s", more: strings.Join(more, "\n")}))
}

// source writes the HR file.
func (s *stage) source(c company) { s.write("people.csv", c.csv()) }

// cycle runs a cycle and puts a line of it on the page.
func (s *stage) cycle(what string, code int, flags ...string) runReport {
	s.t.Helper()
	rep := s.run("app.yaml", code, flags...)
	n := rep.Counts
	calls := fmt.Sprint(rep.Requests.Total)
	if s.timed && rep.Requests.writes() > 0 {
		calls = "–"
	}
	s.rows = append(s.rows, fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %d | %d | %s |", what, code, n.Created, n.Updated+n.Enabled,
		n.Disabled, n.Deleted, n.Staged, n.Unchanged, n.Failed, calls))
	return rep
}

// good is the good first cycle that many mishaps begin after.
func (s *stage) good() {
	s.t.Helper()
	s.source(people())
	s.cycle("first load", exitFine)
}

// quiet demands that one more cycle writes nothing, that the target holds the accounts of the company, and that nobody
// was ever created twice (I1, I4, I5).
func (s *stage) quiet(c company) {
	s.t.Helper()
	if rep := s.cycle("once more", exitFine); rep.Requests.writes() != 0 || rep.Counts.Unchanged != len(c.people) || rep.Quarantine != nil {
		s.t.Errorf("the cycle after is not quiet: %+v %v %+v", rep.Counts, rep.Requests.ByMethod, rep.Quarantine)
	}
	wantAccounts(s.t, s.target, c.accounts(everything, nil))
	if !s.again {
		wantCreatedOnce(s.t, s.target.exchanges())
	}
}

// unwritten demands that nothing was written to the target while something ran.
func (s *stage) unwritten(during func()) {
	s.t.Helper()
	before, seen := s.target.state(), len(s.target.exchanges())
	during()
	for _, w := range writesIn(s.target.exchanges()[seen:]) {
		if !strings.HasPrefix(w, http.MethodPost) { // creates may go on
			s.t.Errorf("written to the target: %s", w)
		}
	}
	now := ids(s.target.state())
	for number, id := range ids(before) {
		if now[number] != id {
			s.t.Errorf("the account of %s was touched", number)
		}
	}
}

// byHand calls the target as its own administrator would.
func (s *stage) byHand(method, path string, body any) resource {
	s.t.Helper()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.target.url+path, in)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %v\n%s", method, path, resp.Status, err, answer)
	}
	var out resource
	_ = json.Unmarshal(answer, &out) // a DELETE has no body
	return out
}

// handMade creates n accounts that no file knows, and returns their ids.
func (s *stage) handMade(n int) []string {
	s.t.Helper()
	var list []string
	for i := range n {
		u := s.byHand(http.MethodPost, "/Users", resource{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"},
			"userName": fmt.Sprintf("contractor%02d@example.com", i), "active": true})
		list = append(list, text(u, "id"))
	}
	return list
}

var mishaps = []mishap{
	{
		title:   "The source is empty after a good cycle",
		happens: "300 people have their accounts. The export of the HR system fails, and the next file has a heading and no rows.",
		does: "The half rule holds all 300 deletes, whatever the guard is set to: exit code 5, nothing is written. When the file is whole " +
			"again, what was held is dropped; nobody noticed.",
		play: func(s *stage) {
			s.good()
			s.source(company{columns: people().columns})
			s.unwritten(func() { s.cycle("empty file", exitHeld) })
			s.source(people())
			s.cycle("file whole again", exitFine)
			s.quiet(people())
		},
	},
	{
		title:   "Half of the source is missing",
		happens: "The file breaks off in the middle, after 150 of 300 people. One of them has a new title.",
		does: "150 deletes are more than the guard's limit of 60 (20 % of 300): they are held, the new title is written. When the rest of " +
			"the file is back, nothing is left to do.",
		play: func(s *stage) {
			s.good()
			half := people().first(150)
			half.people[149]["job_title"] = "Foreman"
			s.source(half)
			if rep := s.cycle("half a file", exitHeld); rep.Counts.Staged != 150 || rep.Counts.Updated != 1 {
				s.t.Errorf("held: %+v", rep.Counts)
			}
			whole := people()
			whole.people[149]["job_title"] = "Foreman"
			s.source(whole)
			s.cycle("file whole again", exitFine)
			s.quiet(whole)
		},
	},
	{
		title:   "The target has 50 accounts made by hand",
		happens: "The application was in use before: 50 accounts of contractors whom the HR file does not know. Later 20 of the 300 employees leave.",
		does: "Accounts that Rollcall neither created nor matched are not its own. They are not updated, not disabled and not deleted, in " +
			"no cycle; the leavers are.",
		play: func(s *stage) {
			foreign := s.handMade(50)
			s.good()
			left := people().without(20)
			s.source(left)
			s.cycle("20 people leave", exitFine)
			s.cycle("once more", exitFine)
			for _, id := range foreign {
				u := s.byHand(http.MethodGet, "/Users/"+id, nil)
				if active, _ := u["active"].(bool); !active || text(u, "meta", "created") != text(u, "meta", "lastModified") {
					s.t.Errorf("the account made by hand was touched: %v", u)
				}
				s.byHand(http.MethodDelete, "/Users/"+id, nil) // so that the rest can be compared
			}
			wantAccounts(s.t, s.target, left.accounts(everything, nil))
		},
	},
	{
		title:   "300 people are replaced by 300 others",
		happens: "Somebody exports the wrong company: a file of 300 people of whom none is known.",
		does: "The new people get accounts, since a create takes nothing from anybody; the 300 deletes are held by the guard. With the right " +
			"file back, the 300 accounts that should never have been are 300 deletes of their own, and held as well: it is for an administrator " +
			"to look at the list and allow it.",
		play: func(s *stage) {
			s.good()
			s.source(staff("B", 300))
			s.unwritten(func() { s.cycle("the wrong file", exitHeld) })
			s.source(people())
			s.unwritten(func() { s.cycle("the right file", exitHeld) })
			wantCode(s.t, s.rollcall("deletes", "allow", "Company"), exitFine)
			s.cycle("after `rollcall deletes allow`", exitFine)
			s.quiet(people())
		},
	},
	{
		title:   "The target is away for 8 seconds during the first load",
		happens: "From the 100th request on, every connection is closed without an answer, for 8 seconds.",
		does: "Calls are repeated with growing pauses. What is still open when the patience for a call is over is left to the next " +
			"cycle, which looks up those creates whose answer was lost before it sends anything again.",
		play: func(s *stage) {
			s.timed = true
			g := newGateway(s.t, s.target)
			g.outage(100, 8*time.Second)
			s.job(g.base(s.target))
			s.source(people())
			s.cycle("first load", exitFine)
			if g.seen.Load() < 350 {
				s.t.Errorf("%d requests came, so hardly any was repeated, and this proves nothing", g.seen.Load())
			}
			s.quiet(people())
		},
	},
	{
		title:   "The target refuses one write with 400",
		happens: "The 150th write of the first load is answered with 400 Bad Request, once.",
		does: "Only that person fails: exit code 3, an entry in the log that quotes the answer, and the failure is kept for the next cycle, " +
			"which creates the account. Nobody else waits for it.",
		play: func(s *stage) {
			s.target.fault(map[string]any{"method": "POST", "path": "/Users", "nth": 150, "status": 400})
			s.source(people())
			s.cycle("first load", exitObjects)
			rep := s.cycle("next cycle", exitFine)
			if rep.Counts.Created != 1 {
				s.t.Errorf("the one who failed: %+v", rep.Counts)
			}
			s.quiet(people())
		},
	},
	{
		title:   "The answer to a create is lost",
		happens: "The target creates an account, and the connection breaks before its answer arrives.",
		does:    "The account may or may not be there, so it is looked up by its joining value before anything is sent again: found, linked, no duplicate.",
		play: func(s *stage) {
			s.target.fault(map[string]any{"method": "POST", "path": "/Users", "nth": 100, "dropReply": true})
			s.source(people())
			s.cycle("first load", exitFine)
			s.quiet(people())
		},
	},
	{
		title:   "The target allows 20 calls a second and says Retry-After",
		happens: "Nobody told Rollcall of the limit. Calls beyond it are answered with 429 and `Retry-After: 1`.",
		does: "The whole site waits as long as it was told, then goes on more slowly. No call is lost, none counts as a failure; " +
			"the setting `rate: 20/s` avoids the refusals altogether.",
		play: func(s *stage) {
			s.timed = true
			g := newGateway(s.t, s.target)
			g.limit(20)
			s.job(g.base(s.target))
			s.source(people())
			rep := s.cycle("first load", exitFine)
			if g.refused.Load() == 0 || rep.Requests.Throttled != int(g.refused.Load()) {
				s.t.Errorf("the gateway refused %d calls, the report counts %d", g.refused.Load(), rep.Requests.Throttled)
			}
			s.t.Logf("%d calls, %d refused, %v", rep.Requests.Total, rep.Requests.Throttled, rep.Cycle.Ended.Sub(rep.Cycle.Began))
			s.quiet(people())
		},
	},
	{
		title:   "50 of 300 accounts were deleted by hand in the target",
		happens: "An administrator of the application has deleted 50 accounts of people who are still employed. Then everybody gets a new title.",
		does: "An account that has vanished is not made again without being asked: those 50 fail, exit code 3, code InvalidAnchor, and each " +
			"of them is named in the log, while the other 250 are updated. It is an administrator who decides: with the setting " +
			"`onMissingTarget: rematch` the accounts are looked for and created anew, and the next cycle writes the new accounts to those who refer to them.",
		play: func(s *stage) {
			s.again = true
			s.good()
			all := people()
			byNumber := ids(s.target.state())
			for _, p := range all.people[95:145] {
				s.byHand(http.MethodDelete, "/Users/"+byNumber[p["employee_id"]], nil)
			}
			for _, p := range all.people {
				p["job_title"] = "Engineer"
			}
			s.source(all)
			if rep := s.cycle("everybody has a new title", exitObjects); rep.Counts.Failed != 50 || rep.Counts.Updated != 250 {
				s.t.Errorf("those who are left and those who are not: %+v", rep.Counts)
			}
			s.job(s.target.url, "  onMissingTarget: rematch")
			if rep := s.cycle("with `onMissingTarget: rematch`", exitFine); rep.Counts.Created != 50 {
				s.t.Errorf("those who were deleted: %+v", rep.Counts)
			}
			s.cycle("next cycle: who refers to a new account", exitFine)
			s.quiet(all)
		},
	},
	{
		title:   "The target leaves out `meta`",
		happens: "RFC 7643 3.1 wants `meta` in every resource; this target sends none, neither in lists nor in answers to writes.",
		does:    "Nothing of it is needed: the same calls, the same result.",
		play: func(s *stage) {
			g := newGateway(s.t, s.target)
			g.rewrite = withoutMeta
			s.job(g.base(s.target))
			s.good()
			changed := people()
			changed.people[7]["job_title"] = "Foreman"
			s.source(changed.without(5))
			s.cycle("one changes, five leave", exitFine)
			if g.changed.Load() < 300 {
				s.t.Errorf("meta was taken out of %d answers only, so this proves nothing", g.changed.Load())
			}
			s.quiet(changed.without(5))
		},
	},
}

// withoutMeta takes meta out of a resource or of all resources of a list.
func withoutMeta(r *http.Response) (bool, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false, err
	}
	var doc map[string]any
	changed := false
	if json.Unmarshal(body, &doc) == nil {
		all := []any{doc}
		if list, ok := doc["Resources"].([]any); ok {
			all = list
		}
		for _, e := range all {
			if m, ok := e.(map[string]any); ok && m["meta"] != nil {
				delete(m, "meta")
				changed = true
			}
		}
		if body, err = json.Marshal(doc); err != nil {
			return false, err
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return changed, nil
}

// TestFailures plays every entry of docs/failures.md over real HTTP and compares the page with what happened: nothing is
// lost, nothing is deleted wrongly, nobody is created twice.
func TestFailures(t *testing.T) {
	long(t)
	t.Parallel()
	var mu sync.Mutex
	tables := make([][]string, len(mishaps))
	t.Run("play", func(t *testing.T) {
		for i, m := range mishaps {
			t.Run(m.title, func(t *testing.T) {
				t.Parallel()
				s := &stage{world: newWorld(t, token), target: startSandbox(t, "scim", token)}
				s.job(s.target.url)
				m.play(s)
				mu.Lock()
				defer mu.Unlock()
				tables[i] = s.rows
			})
		}
	})
	if t.Failed() || slices.ContainsFunc(tables, func(rows []string) bool { return rows == nil }) { // failed, or -run chose some
		return
	}
	page := filepath.Join("..", "..", "docs", "failures.md")
	text := failurePage(tables)
	if *updatePage {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), text); diff != "" {
		t.Errorf("docs/failures.md tells something else than what happened; look at it, then write it anew with\n"+
			"go test ./test/story -run TestFailures -update\n(-page +run):\n%s", diff)
	}
}

// failurePage writes docs/failures.md.
func failurePage(tables [][]string) string {
	var b strings.Builder
	b.WriteString(`# What Rollcall does when things go wrong

Ten mishaps, played over real HTTP by ` + "`test/story/failures_test.go`" + `, which writes this page: 300 people from a csv file, a strict
SCIM application. The columns count people: an administrator sees the same numbers in the run's report. After the last
cycle of each, the accounts in the application are exactly those that the file asks for, nobody has two, and one more cycle
writes nothing.

`)
	for i, m := range mishaps {
		fmt.Fprintf(&b, "## %d. %s\n\n%s\n\n%s\n\n", i+1, m.title, m.happens, m.does)
		b.WriteString("| Cycle | Exit code | Created | Updated | Disabled | Deleted | Held | Unchanged | Failed | Calls |\n|---|---|---|---|---|---|---|---|---|---|\n")
		b.WriteString(strings.Join(tables[i], "\n") + "\n\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
