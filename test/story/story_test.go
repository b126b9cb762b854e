package story

import (
	"cmp"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/testbed"
)

// token is the credential that the targets of this package's tests ask for.
const token = "a-token-for-tests"

// story is the company's six files, run one after the other.
type story struct {
	settings
	application application
	world       *world
	target      system
}

// scheduled is the counts of each file's cycle where leavers are deleted.
var scheduled = []counts{
	{Imported: 217, InScope: 217, Created: 217},
	{Imported: 262, InScope: 262, Created: 45, Updated: 1, Unchanged: 216},  // one manager has come: healed (design D4)
	{Imported: 283, InScope: 283, Created: 21, Updated: 10, Unchanged: 252}, // the ten others
	{Imported: 290, InScope: 290, Created: 7, Unchanged: 283},
	{Imported: 290, InScope: 290, Unchanged: 290},
	{Imported: 287, InScope: 287, Created: 2, Updated: 4, Disabled: 2, Deleted: 5, Unchanged: 279},
}

// play runs the six files and returns what calls each took. After each the target must hold what the file says, and plan
// and report must agree with what the target saw.
func (s story) play(t *testing.T) []cycleCalls {
	s.world.write("app.yaml", appFile(s.settings))
	read := s.application.read(t)
	var before map[string]account
	var idsBefore map[string]string
	var calls []cycleCalls
	for i, date := range dates {
		c := companyOf(t, date)
		s.world.write("people.csv", c.csv())
		rep := s.world.planned("app.yaml", s.target, exitFine)
		want := s.scheduled(i)
		left := before
		if s.deletes {
			left = nil
		}
		wantAccountsBy(t, s.target, read, c.accounts(s.layout, left))
		if diff := gocmp.Diff(want, rep.Counts); diff != "" {
			t.Errorf("%s: counts (-want +got):\n%s", date, diff)
		}
		if left := 5; i == 5 && rep.Counts.Imported != rep.Counts.outcomes()-left || i < 5 && rep.Counts.Imported != rep.Counts.outcomes() {
			t.Errorf("%s: %d were imported, and the counts tell of %d: %+v", date, rep.Counts.Imported, rep.Counts.outcomes(), rep.Counts)
		}
		if rep.Cycle.State != "Succeeded" || rep.Quarantine != nil {
			t.Errorf("%s: state %s, quarantine %+v", date, rep.Cycle.State, rep.Quarantine)
		}
		if wantType := map[bool]string{true: "initial", false: "incremental"}[i == 0]; rep.Cycle.Type != wantType {
			t.Errorf("%s: the cycle is %s, want %s", date, rep.Cycle.Type, wantType)
		}
		if date == "2013-12-31" && (rep.Requests.writes() != 0 || rep.Requests.Total > 2) {
			t.Errorf("nothing changed, and the cycle made these calls: %v (P2 allows 2 reads)", rep.Requests.ByMethod)
		}
		after, idsAfter := accountsBy(t, s.target.state(), read), idsBy(s.target.state(), read)
		made := s.callsOf(rep, read)
		s.wantNoMoreCalls(t, date, made, rep, before, after)
		calls = append(calls, made)
		for number, id := range idsBefore {
			if now, there := idsAfter[number]; there && now != id {
				t.Errorf("%s: the account of %s was %s and is %s now: it was made anew", date, number, id, now)
			}
		}
		before, idsBefore = after, idsAfter
		if t.Failed() {
			t.Fatalf("%s: what comes next would only follow from this", date)
		}
	}
	s.wantChangesOf2014(t, before)
	wantCreatedOnce(t, s.target.exchanges())
	if s.application.never != "" {
		wantNeverSent(t, s.target.exchanges(), s.application.never)
	}
	return calls
}

// scheduled is what the cycle of the i-th file must count.
func (s story) scheduled(i int) counts {
	if s.application.counts != nil {
		return s.application.counts[i]
	}
	want := scheduled[i]
	if !s.deletes {
		want.Disabled, want.Deleted = want.Disabled+want.Deleted, 0
	}
	return want
}

// wantChangesOf2014 looks at the people whom the last file is about, so that the comparison with the file is not the
// only witness.
func (s story) wantChangesOf2014(t *testing.T, got map[string]account) {
	t.Helper()
	for _, mover := range []string{"AW0034", "AW0035", "AW0072"} {
		if a := got[mover]; s.layout.title && a.Title != "Buyer" || s.layout.manager && a.Manager != "AW0274" || s.layout.department && a.Department != "Purchasing" {
			t.Errorf("the mover %s is %+v", mover, a)
		}
	}
	if a := got["AW0272"]; a.FamilyName != "Núñez-Brandt" || a.UserName != "mary.nunez-brandt@adventure-works.com" || a.Email != a.UserName {
		t.Errorf("the renamed AW0272 is %+v", a)
	}
	for _, off := range []string{"AW0212", "AW0216"} {
		if got[off].Active {
			t.Errorf("%s is on leave or terminated, and active", off)
		}
	}
	for _, leaver := range []string{"AW0024", "AW0026", "AW0027", "AW0029", "AW0031"} {
		if a, there := got[leaver]; there == s.deletes || a.Active {
			t.Errorf("the leaver %s: account there: %v, active: %v", leaver, there, a.Active)
		}
	}
}

// TestSixFiles plays the story against every application that administrators asked for, the first of them as most people
// first meet it: csv file, scim sandbox, embedded database. Calls are counted and explained in docs/targets/calls.md.
func TestSixFiles(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	played := make([][]cycleCalls, len(applications))
	t.Run("play", func(t *testing.T) {
		for i, a := range applications {
			t.Run(cmp.Or(a.sandbox, "scimmy"), func(t *testing.T) {
				if i > 0 {
					long(t)
				}
				t.Parallel()
				w, target, set := a.open(t)
				calls := story{set, a, w, target}.play(t)
				mu.Lock()
				defer mu.Unlock()
				played[i] = calls
			})
		}
	})
	compareCalls(t, played)
}

// TestLeaversAreDisabledWhereDeletesAreNotAllowed plays the story with `delete` taken out of the rule's actions: the
// five leavers are disabled with the two who are marked (design 6.2, csv source).
func TestLeaversAreDisabledWhereDeletesAreNotAllowed(t *testing.T) {
	long(t)
	t.Parallel()
	target := startSandbox(t, "scim", token, "--strict")
	story{settings{url: target.url, layout: everything}, applications[0], newWorld(t, token), target}.play(t)
}

// TestSixFilesWithPostgresState plays the story with the state in PostgreSQL (design section 4).
func TestSixFilesWithPostgresState(t *testing.T) {
	long(t)
	t.Parallel()
	w := newWorld(t, token)
	w.db = testbed.Postgres(t)
	target := startSandbox(t, "scim", token)
	story{settings{url: target.url, deletes: true, layout: everything}, applications[0], w, target}.play(t)
}
