package story

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// settled is a world after a good first load of the 290 people of 2012.
func settled(t *testing.T, s settings) (*world, *sandbox, company) {
	t.Helper()
	target := startSandbox(t, "scim", token)
	w := newWorld(t, token)
	c := companyOf(t, "2012-12-31")
	s.url, s.layout = target.url, everything
	w.write("app.yaml", appFile(s))
	w.write("people.csv", c.csv())
	w.run("app.yaml", exitFine)
	wantAccounts(t, target, c.accounts(everything, nil))
	return w, target, c
}

// TestTooFewPeopleTakeNothingAway gives files from which too many are missing to be believed: the cycle is held with
// exit code 5, nobody is disabled or deleted, and plan says so before (design D6, half rule and limit).
func TestTooFewPeopleTakeNothingAway(t *testing.T) {
	long(t)
	t.Parallel()
	const noGuard = "  deletionGuard: {enabled: false}"
	tests := []struct {
		name    string
		deletes bool
		more    string
		left    int // people in the file
		held    bool
	}{
		{"an empty file", false, "", 0, true},
		{"an empty file where leavers are deleted", true, "", 0, true},
		{"an empty file with the guard off", true, noGuard, 0, true},
		{"half of the people", false, "", 145, true},
		{"fewer than half of the people with the guard off", true, noGuard, 144, true},
		{"exactly half of the people with the guard off", true, noGuard, 145, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, target, c := settled(t, settings{deletes: tt.deletes, more: tt.more})
			before, seen := target.state(), len(target.exchanges())
			w.write("people.csv", c.first(tt.left).csv())
			if !tt.held {
				if rep := w.run("app.yaml", exitFine); rep.Counts.Deleted != 290-tt.left {
					t.Errorf("%d were deleted, want %d: %+v", rep.Counts.Deleted, 290-tt.left, rep.Counts)
				}
				return
			}
			rep := w.planned("app.yaml", target, exitHeld)
			want := counts{Imported: tt.left, InScope: tt.left, Staged: 290 - tt.left, Unchanged: tt.left}
			if rep.Counts != want {
				t.Errorf("counts (-want +got):\n%s", cmp.Diff(want, rep.Counts))
			}
			if rep.Cycle.State != "Succeeded" || rep.Quarantine == nil || rep.Quarantine.Reason != "TooManyDeletes" {
				t.Errorf("a held cycle is Succeeded in quarantine for TooManyDeletes, got %s, %+v", rep.Cycle.State, rep.Quarantine)
			}
			if made := writesIn(target.exchanges()[seen:]); made != nil {
				t.Errorf("written to the target: %v", made)
			}
			if diff := cmp.Diff(before, target.state()); diff != "" {
				t.Errorf("the target was changed (-before +after):\n%s", diff)
			}
			// The cause vanishes, and with it what was held.
			w.write("people.csv", c.csv())
			if rep := w.run("app.yaml", exitFine); rep.Requests.writes() != 0 || rep.Counts.Unchanged != 290 || rep.Quarantine != nil {
				t.Errorf("after the file was whole again: %+v %v %+v", rep.Counts, rep.Requests.ByMethod, rep.Quarantine)
			}
			if list := decode[[]held](t, w.rollcall("deletes", "list", "Company", "-o", "json")); len(list) != 0 {
				t.Errorf("%d operations are still held", len(list))
			}
		})
	}
}

// TestTheGuardLetsTheLimitPassAndHoldsOneMore takes people out of the file up to the limit of 290 managed people,
// min(500, max(5, 20 %)) = 58, and one beyond (design D6). What is held stays held, counts again in every cycle, and is
// carried out once an administrator has allowed it.
func TestTheGuardLetsTheLimitPassAndHoldsOneMore(t *testing.T) {
	long(t)
	t.Parallel()
	for _, gone := range []int{50, 58} {
		t.Run(map[int]string{50: "50 pass", 58: "58 pass"}[gone], func(t *testing.T) {
			t.Parallel()
			w, target, c := settled(t, settings{deletes: true})
			left := c.without(gone)
			w.write("people.csv", left.csv())
			rep := w.planned("app.yaml", target, exitFine)
			want := counts{Imported: 290 - gone, InScope: 290 - gone, Deleted: gone, Unchanged: 290 - gone}
			if rep.Counts != want {
				t.Errorf("counts (-want +got):\n%s", cmp.Diff(want, rep.Counts))
			}
			wantAccounts(t, target, left.accounts(everything, nil))
		})
	}
	for _, deletes := range []bool{true, false} {
		t.Run(map[bool]string{true: "59 deletes are held until they are allowed", false: "59 disables are held until they are allowed"}[deletes], func(t *testing.T) {
			t.Parallel()
			w, target, c := settled(t, settings{deletes: deletes})
			before := accountsIn(t, target.state())
			const gone = 59
			left := c.without(gone)
			left.people[0]["job_title"] = "Chief of Everything" // goes on all the same
			w.write("people.csv", left.csv())
			for cycle := range 3 {
				rep := w.planned("app.yaml", target, exitHeld)
				want := counts{Imported: 231, InScope: 231, Updated: 1, Staged: gone, Unchanged: 230}
				if cycle > 0 {
					want.Updated, want.Unchanged = 0, 231
				}
				if rep.Counts != want {
					t.Errorf("cycle %d: counts (-want +got):\n%s", cycle+1, cmp.Diff(want, rep.Counts))
				}
			}
			if n := len(accountsIn(t, target.state())); n != 290 {
				t.Errorf("%d accounts are left while the operations are held", n)
			}

			list := decode[[]held](t, w.rollcall("deletes", "list", "Company", "-o", "json"))
			action := map[bool]string{true: "delete", false: "disable"}[deletes]
			for _, h := range list {
				if h.Action != action || h.Reason == "" || h.DisplayName == "" || h.Target == "" || h.Allowed {
					t.Errorf("held: %+v", h)
				}
			}
			if len(list) != gone {
				t.Fatalf("%d operations are held, want %d", len(list), gone)
			}

			// One by its key, then all.
			one := list[0].Key
			wantCode(t, w.rollcall("deletes", "allow", "Company", one), exitFine)
			rep := w.run("app.yaml", exitFine) // 58 of 290 remain to be judged: within the limit
			if rep.Counts.Deleted+rep.Counts.Disabled == 0 {
				t.Errorf("nothing was carried out after %s was allowed: %+v", one, rep.Counts)
			}
			if o := w.rollcall("deletes", "allow", "Company", "-o", "json"); o.Code != exitFine || !strings.Contains(o.Out, "allowed") {
				t.Errorf("allow with nothing held\n%v", o)
			}
			w.run("app.yaml", exitFine)
			want := left.accounts(everything, nil)
			if !deletes {
				want = left.accounts(everything, before)
			}
			wantAccounts(t, target, want)
			if list := decode[[]held](t, w.rollcall("deletes", "list", "Company", "-o", "json")); len(list) != 0 {
				t.Errorf("%d operations are still held after they were carried out", len(list))
			}
		})
	}
}

// TestAllowedDeletesAreCarriedOut allows at once all that is held, more than any limit.
func TestAllowedDeletesAreCarriedOut(t *testing.T) {
	t.Parallel()
	w, target, c := settled(t, settings{deletes: true})
	left := c.without(100)
	w.write("people.csv", left.csv())
	w.run("app.yaml", exitHeld)
	unknown := w.rollcall("deletes", "allow", "Company", "users:AW9999")
	wantCode(t, unknown, exitUsage)
	if !strings.Contains(unknown.Err, "AW9999") {
		t.Errorf("the message does not name the key\n%v", unknown)
	}
	w.run("app.yaml", exitHeld)
	doc := decode[map[string]int](t, w.rollcall("deletes", "allow", "Company", "-o", "json"))
	if doc["allowed"] != 100 {
		t.Errorf("allowed: %v, want 100", doc)
	}
	if list := decode[[]held](t, w.rollcall("deletes", "list", "Company", "-o", "json")); !slices.ContainsFunc(list, func(h held) bool { return h.Allowed }) {
		t.Errorf("none of %d held operations shows that it is allowed", len(list))
	}
	rep := w.planned("app.yaml", target, exitFine)
	if want := (counts{Imported: 190, InScope: 190, Deleted: 100, Unchanged: 190}); rep.Counts != want {
		t.Errorf("counts (-want +got):\n%s", cmp.Diff(want, rep.Counts))
	}
	if rep.Quarantine != nil {
		t.Errorf("still in quarantine: %+v", rep.Quarantine)
	}
	wantAccounts(t, target, left.accounts(everything, nil))
}
