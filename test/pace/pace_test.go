package pace

import (
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/sandbox"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

const (
	people        = 1000
	teams         = 20
	membersOfEach = 150
	batch         = 100 // members in one call

	leastUsed = 0.98 // of the allowance, while there is work (P7)
	mostTime  = 1.05 // times what the calls take at the rate
)

// TestAThousandPeopleAtAHundredCallsAMinute loads 1,000 people with managers, 20 teams and 3,000 memberships by the
// templates as they are into a site that takes 100 calls in any 60 seconds: no call is refused, nearly all of the
// allowance is used, and no call is made that need not be (design D1, D2, P7).
func TestAThousandPeopleAtAHundredCallsAMinute(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many seconds: left out by -short")
	}
	t.Setenv("PACE_TOKEN", token)
	for _, tt := range []struct {
		template string
		sandbox  func(*site) *sandbox.Server
		needed   int // calls
	}{
		// Two probes, a page of accounts and a page of teams; a team is created with its first hundred members.
		{"litmos-scim", func(s *site) *sandbox.Server { return s.scim }, 2 + 2 + people + teams + teams*((membersOfEach-1)/batch)},
		// One probe, a page of accounts and a page of teams; a team is created empty.
		{"litmos-api", func(s *site) *sandbox.Server { return s.api }, 1 + 2 + people + teams + teams*((membersOfEach-1)/batch+1)},
	} {
		t.Run(tt.template, func(t *testing.T) {
			db := testbed.ScratchDatabase(t)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, db)
				w.employ(people, teams, membersOfEach)
				began := time.Now()
				rep, err := w.process().run(tt.template)
				if err != nil {
					t.Fatal(err)
				}
				if want := (store.Counts{Imported: people + teams, InScope: people + teams, Created: people + teams}); rep.Counts != want {
					t.Errorf("counts (-want +got):\n%s", cmp.Diff(want, rep.Counts))
				}
				users, groups, members := held(t, tt.sandbox(w.site))
				if users != people || groups != teams || members != teams*membersOfEach {
					t.Errorf("the site holds %d people, %d teams and %d memberships", users, groups, members)
				}
				w.site.wantAllowanceUsed(t, tt.needed, time.Since(began))
			})
		})
	}
}

// wantAllowanceUsed demands that no call was refused or superfluous, and no time lost.
func (s *site) wantAllowanceUsed(t *testing.T, needed int, took time.Duration) {
	t.Helper()
	calls, _, share := s.used()
	t.Logf("%d calls, %d needed, in %v: %.1f %% of the allowance", calls, needed, took.Round(time.Second), 100*share)
	if s.refused > 0 || s.most() > perMinute {
		t.Errorf("%d calls were refused, and %d came within a minute", s.refused, s.most())
	}
	if calls > needed {
		t.Errorf("%d calls were made, %d are needed", calls, needed)
	}
	if share < leastUsed {
		t.Errorf("%.1f %% of the allowance were used, want %.0f %%", 100*share, 100*leastUsed)
	}
	if most := time.Duration(mostTime * float64(needed) / perMinute * float64(time.Minute)); took > most {
		t.Errorf("the load took %v, want %v at most", took, most)
	}
}

// TestTwoJobsOfOneSiteShareItsAllowance loads 300 people over both interfaces of a site at the same time, with another
// credential each, from one process and from two: together they make no more than 100 calls a minute, and use them up
// (design D2, setting site).
func TestTwoJobsOfOneSiteShareItsAllowance(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many seconds: left out by -short")
	}
	t.Setenv("PACE_TOKEN", token)
	const people = 300
	for _, tt := range []struct {
		name string
		runs func(*world) [2]process
	}{
		{"in one process", func(w *world) [2]process { p := w.process(); return [2]process{p, p} }},
		{"in two processes", func(w *world) [2]process { return [2]process{w.process(), w.process()} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := testbed.ScratchDatabase(t)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, db)
				w.employ(people, 0, 0)
				runs := tt.runs(w)
				began := time.Now()
				var both sync.WaitGroup
				for i, template := range []string{"litmos-api", "litmos-scim"} {
					both.Go(func() {
						rep, err := runs[i].run(template)
						if err != nil || rep.Counts.Created != people || rep.Counts.Failed != 0 || rep.Requests.Throttled != 0 {
							t.Errorf("%s: %+v %+v %v", template, rep.Counts, rep.Requests, err)
						}
					})
				}
				both.Wait()
				w.site.wantAllowanceUsed(t, 2*people+1+1+2+1, time.Since(began))
			})
		})
	}
}

// holdings is what an interface holds.
type holdings struct {
	Users  []map[string]any `json:"users"`
	Groups []map[string]any `json:"groups"`
}

func decode(t *testing.T, text []byte) (h holdings) {
	t.Helper()
	if err := json.Unmarshal(text, &h); err != nil {
		t.Fatal(err)
	}
	return h
}
