package story

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestATargetThatIsNoneIsNamedAndNothingIsLost points a job that has run well at servers that are no SCIM servers: the
// cycle ends with exit code 4, in time, with words that tell how to mend it; and the next cycle against the real target
// does all that was left (design sections 4 and 7, I5).
func TestATargetThatIsNoneIsNamedAndNothingIsLost(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	// The probe is not repeated, so what is wrong is said within the time-out, and what the program and a busy machine need.
	const longest = timeout + 8*time.Second
	tests := []struct {
		name   string
		answer http.HandlerFunc
		words  []string
	}{
		{"answers with a web page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprint(w, "<!doctype html><title>Sign in</title>") // a client that hung up has no claim to it
		}, []string{"web page", "setting url"}},
		{"wants another credential", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
			[]string{"credential", "auth"}},
		{"closes the connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			[]string{"closed", "log"}},
		{"does not answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			[]string{"in time", "timeout"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := startSandbox(t, "scim", token)
			w := newWorld(t, token)
			s := settings{url: target.url, deletes: true, layout: everything, timeout: timeout.String()}
			w.write("app.yaml", appFile(s))
			w.write("people.csv", companyOf(t, "2008-12-31").csv())
			w.run("app.yaml", exitFine)

			stranger := httptest.NewServer(tt.answer)
			t.Cleanup(stranger.Close)
			wrong := s
			wrong.url = stranger.URL + "/scim/v2"
			next := companyOf(t, "2009-12-31")
			w.write("app.yaml", appFile(wrong))
			w.write("people.csv", next.csv())
			o := w.rollcall("run", "-f", "app.yaml", "-o", "json")
			wantCode(t, o, exitJob)
			rep := decode[runReport](t, o)
			if rep.Cycle.State != "Failed" || rep.Quarantine == nil || rep.Quarantine.Reason == "TooManyDeletes" {
				t.Errorf("state %s, quarantine %+v", rep.Cycle.State, rep.Quarantine)
			}
			for _, word := range tt.words {
				if !strings.Contains(o.Err, word) {
					t.Errorf("the message does not say %q\n%s", word, o.Err)
				}
			}
			if strings.Contains(o.Err+o.Out, token) {
				t.Errorf("the message has the credential in it (I10)\n%v", o)
			}
			if o.Took > longest {
				t.Errorf("it took %v to say so, with a time-out of %v", o.Took, timeout)
			}

			w.write("app.yaml", appFile(s))
			rep = w.run("app.yaml", exitFine)
			if want := (counts{Imported: 262, InScope: 262, Created: 45, Updated: 1, Unchanged: 216}); rep.Counts != want {
				t.Errorf("counts of the repair (-want +got):\n%s", cmp.Diff(want, rep.Counts))
			}
			if rep.Quarantine != nil {
				t.Errorf("still in quarantine: %+v", rep.Quarantine)
			}
			wantAccounts(t, target, next.accounts(everything, nil))
			wantCreatedOnce(t, target.exchanges())
		})
	}
}

// TestFaultsInMidLoad makes single requests of a first load go wrong: nobody gets two accounts, the counts are right,
// and the exit code is 0 where the cycle could mend it by itself, else 3 until the next run (design D1, D2, I1, I7).
func TestFaultsInMidLoad(t *testing.T) {
	long(t)
	t.Parallel()
	tests := []struct {
		name      string
		fault     map[string]any
		failed    int // people who fail in the first cycle
		throttled bool
	}{
		{"the answer to a create is lost", map[string]any{"method": "POST", "path": "/Users", "nth": 100, "dropReply": true}, 0, false},
		{"the answers to many creates are lost", map[string]any{"method": "POST", "path": "/Users", "nth": 50, "times": 10, "dropReply": true}, 0, false},
		{"a create is refused with 400", map[string]any{"method": "POST", "path": "/Users", "nth": 50, "status": 400}, 1, false},
		{"a create is refused with 429", map[string]any{"method": "POST", "path": "/Users", "nth": 50, "status": 429, "retryAfter": 1}, 0, true},
		{"several creates are refused with 429", map[string]any{"method": "POST", "path": "/Users", "nth": 50, "times": 20, "status": 429, "retryAfter": 1}, 0, true},
		{"a create is answered with 503 and a time to wait", map[string]any{"method": "POST", "path": "/Users", "nth": 50, "status": 503, "retryAfter": 1}, 0, true},
		{"a create is answered with 503", map[string]any{"method": "POST", "path": "/Users", "nth": 50, "status": 503}, 0, false},
		{"the list of accounts is answered with 503", map[string]any{"method": "GET", "path": "/Users", "nth": 2, "status": 503}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := startSandbox(t, "scim", token)
			w := newWorld(t, token)
			c := companyOf(t, "2012-12-31")
			w.write("app.yaml", appFile(settings{url: target.url, deletes: true, layout: everything}))
			w.write("people.csv", c.csv())
			target.fault(tt.fault)
			code := exitFine
			if tt.failed > 0 {
				code = exitObjects
			}
			rep := w.run("app.yaml", code)
			if want := (counts{Imported: 290, InScope: 290, Created: 290 - tt.failed, Failed: tt.failed}); rep.Counts != want {
				t.Errorf("counts (-want +got):\n%s", cmp.Diff(want, rep.Counts))
			}
			if (rep.Requests.Throttled > 0) != tt.throttled {
				t.Errorf("the report counts %d refusals for the rate", rep.Requests.Throttled)
			}
			list := target.exchanges()
			made := map[string]int{}
			struck := false
			for _, e := range list {
				made[e.Method]++
				struck = struck || e.Status >= 400 || tt.fault["dropReply"] != nil
			}
			if !struck {
				t.Error("no request went wrong, so this proves nothing")
			}
			if diff := cmp.Diff(made, rep.Requests.ByMethod); diff != "" {
				t.Errorf("the report counts other calls than the target got, repeats included (-target +report):\n%s", diff)
			}
			if tt.failed > 0 {
				wantHealed(t, w, target, c)
			}
			wantCreatedOnce(t, target.exchanges())
			wantAccounts(t, target, c.accounts(everything, nil))
			if again := w.run("app.yaml", exitFine); again.Requests.writes() != 0 || again.Counts.Unchanged != 290 {
				t.Errorf("the cycle after is not quiet: %+v %v", again.Counts, again.Requests.ByMethod)
			}
		})
	}
}

// wantHealed runs the cycle after one in which a single create was refused: the person is created, and those who report
// to them get their manager (design D4).
func wantHealed(t *testing.T, w *world, target *sandbox, c company) {
	t.Helper()
	list := target.exchanges()
	i := slices.IndexFunc(list, func(e exchange) bool { return e.Method == http.MethodPost && e.Status == http.StatusBadRequest })
	if i < 0 {
		t.Fatal("the target refused nothing")
	}
	number := text(list[i].Request, enterprise, "employeeNumber")
	reports := 0
	for _, p := range c.people {
		if p["manager_id"] == number {
			reports++
		}
	}
	rep := w.planned("app.yaml", target, exitFine)
	if want := (counts{Imported: 290, InScope: 290, Created: 1, Updated: reports, Unchanged: 289 - reports}); rep.Counts != want {
		t.Errorf("counts after %s was refused, whom %d report to (-want +got):\n%s", number, reports, cmp.Diff(want, rep.Counts))
	}
}
