package story

import (
	"testing"
)

// TestFirstLoadTakesOneCallForEachPerson holds P1 (design section 7): 290 people with their managers go into an empty
// target in at most 300 calls, and everybody who has a manager shows it.
func TestFirstLoadTakesOneCallForEachPerson(t *testing.T) {
	t.Parallel()
	target := startSandbox(t, "scim", token)
	w := newWorld(t, token)
	c := companyOf(t, "2012-12-31")
	w.write("app.yaml", appFile(settings{url: target.url, deletes: true, layout: everything}))
	w.write("people.csv", c.csv())
	rep := w.planned("app.yaml", target, exitFine)

	const pages, probes, discovery = 1, 2, 3 // discovery: the file is saved with this run
	if most := len(c.people) + pages + probes + discovery; rep.Requests.Total > most || rep.Requests.Total > 300 {
		t.Errorf("%d calls %v, P1 allows %d", rep.Requests.Total, rep.Requests.ByMethod, most)
	}
	if want := (counts{Imported: 290, InScope: 290, Created: 290}); rep.Counts != want {
		t.Errorf("counts %+v, want %+v", rep.Counts, want)
	}
	wantAccounts(t, target, c.accounts(everything, nil))
	managed := 0
	for _, a := range accountsIn(t, target.state()) {
		if a.Manager != "" {
			managed++
		}
	}
	if managed != 289 { // all but the chief
		t.Errorf("%d people have a manager, want 289", managed)
	}
}
