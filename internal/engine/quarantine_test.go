package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

// tight are thresholds that a test reaches with a handful of people: three failures and more than half, or more than
// six, or more than eight with references.
func tight(s *job.Settings) {
	s.Quarantine = job.QuarantineLimits{MinFailures: 3, Percent: 50, Failures: 6, Total: 8}
}

// refusing lets creates and updates of people with the title bad fail, and of members of groups if asked for.
func (w *world) refusing(members bool) {
	refused := &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable, Detail: "refused"}
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpCreate && c.Object.Text("title") == "bad" {
			return refused
		}
		for _, ch := range c.Change {
			if ch.Attr == "title" && ch.New == "bad" || members && ch.Attr == "members" {
				return refused
			}
		}
		return nil
	}, nil)
}

func (w *world) bad(from, to int) {
	for i := from; i < to; i++ {
		w.source.Put(user(num("p", i), "title", "bad"))
	}
}

func (w *world) good(from, to int) {
	for i := from; i < to; i++ {
		w.source.Put(user(num("p", i), "title", "good"))
	}
}

// due is when the next scheduled cycle of the job would start.
func (w *world) due() health.Due {
	w.t.Helper()
	j := w.job()
	last, err := w.db.CyclesOf(w.t.Context(), w.jobID, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	return engine.NextCycle(j, last, w.def.Settings.Interval, w.now())
}

func reason(rep engine.RunReport) string {
	if rep.Quarantine == nil {
		return ""
	}
	return rep.Quarantine.Reason
}

// running is a world with an application of so many people whose first cycle is over.
func running(t *testing.T, n int) *world {
	w := newWorld(t, setup{noPredict: true, settings: tight})
	w.good(0, n)
	w.run()
	w.later(40 * time.Minute)
	w.refusing(false)
	return w
}

func TestThresholds(t *testing.T) { // engine.R108, R110
	for _, c := range []struct {
		name      string
		bad, good int // people who change
		want      string
	}{
		{"two of two are too few", 2, 0, ""},
		{"three of six are not more than half", 3, 3, ""},
		{"three of five are", 3, 2, health.ReasonProportion},
		{"seven of twenty are more than six", 7, 13, health.ReasonBase},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := running(t, 20)
			w.bad(0, c.bad)
			for i := c.bad; i < c.bad+c.good; i++ {
				w.source.Put(user(num("p", i), "title", "other"))
			}
			rep := w.cycle(engine.Options{})
			want(t, rep, store.Counts{Updated: int64(c.good), Failed: int64(c.bad), Unchanged: int64(20 - c.bad - c.good)})
			if reason(rep) != c.want || rep.Cycle.State != store.EntryLevelErrors {
				t.Errorf("quarantine %q, state %s; want %q", reason(rep), rep.Cycle.State, c.want)
			}
		})
	}
}

func TestFailuresOfReferencesCountApart(t *testing.T) { // engine.R100, R108, R110
	w := running(t, 20)
	w.refusing(true)
	for _, g := range []string{"a", "b", "c", "d", "e", "f"} {
		w.source.Put(group(g))
	}
	w.run()
	for _, g := range []string{"a", "b", "c", "d", "e", "f"} {
		w.source.Put(group(g, num("p", 1), num("p", 2)))
	}
	rep := w.cycle(engine.Options{})
	want(t, rep, store.Counts{Failed: 6, Unchanged: 20})
	if reason(rep) != "" {
		t.Errorf("six failures of references quarantine: %s", reason(rep))
	}
	for _, e := range w.escrows() {
		if !e.Reference {
			t.Errorf("%s: not counted as a reference", e.Anchor)
		}
	}
	w.bad(0, 3)
	for i := 3; i < 20; i++ {
		w.source.Put(user(num("p", i), "title", "other"))
	}
	if rep = w.cycle(engine.Options{}); reason(rep) != health.ReasonTotal {
		t.Errorf("with three others they are nine: %q", reason(rep))
	}
}

func TestAWarningComesLongBeforeQuarantine(t *testing.T) { // engine.R110: the thresholds of the reference service are far off
	w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil)})
	w.good(0, 5)
	w.bad(5, 14)
	w.refusing(false)
	if rep := w.run(); len(rep.Warnings) != 0 || rep.Quarantine != nil {
		t.Errorf("nine failures: warnings %q, quarantine %v", rep.Warnings, rep.Quarantine)
	}
	w.bad(14, 15)
	rep := w.run()
	if len(rep.Warnings) != 1 || !strings.Contains(rep.Warnings[0], "10 of 10 objects failed") || rep.Quarantine != nil {
		t.Errorf("ten failures: warnings %q, quarantine %v", rep.Warnings, rep.Quarantine)
	}
}

// TestAnInitialCycleIsNotQuarantinedByCounting: its failures are dropped and the job pauses, until somebody has cleaned
// up (engine.R16).
func TestAnInitialCycleIsNotQuarantinedByCounting(t *testing.T) {
	for _, feed := range []bool{false, true} {
		w := newWorld(t, setup{feed: feed, noPredict: true, rules: usersOnly(nil), settings: tight})
		w.good(0, 2)
		w.bad(2, 9)
		w.refusing(false)
		rep := w.run()
		want(t, rep, store.Counts{Created: 2, Failed: 7})
		j := w.job()
		if rep.Quarantine != nil || len(rep.Warnings) != 1 || !j.Pruned || !j.Paused || len(w.escrows()) != 0 {
			t.Errorf("quarantine %v, warnings %q, job %+v", rep.Quarantine, rep.Warnings, j)
		}
		if d := w.due(); d != (health.Due{Why: health.WhyPaused}) {
			t.Errorf("due %+v", d)
		}
		w.refused(engine.ErrPaused)
		w.fail(nil, nil) // mended
		w.start()
		rep = w.goOn()
		want(t, rep, store.Counts{Created: 7, Unchanged: 2})
		if j = w.job(); rep.Cycle.Type != store.Initial || j.Pruned || j.InitialDue {
			t.Errorf("afterwards: %+v, job %+v", rep.Cycle, j)
		}
		w.steady()
	}
}

// TestAFullReadOfAnOldMarkIsNoInitialCycle: so many failures put the job in quarantine, as in any cycle but an initial one
// (engine.R16, R19 and the table in section 3.3).
func TestAFullReadOfAnOldMarkIsNoInitialCycle(t *testing.T) {
	w := newWorld(t, setup{feed: true, noPredict: true, rules: usersOnly(nil), settings: tight})
	w.good(0, 2)
	w.run()
	w.source.Forget()
	w.bad(2, 9)
	w.refusing(false)
	rep := w.run()
	if j := w.job(); rep.Cycle.Type != store.Incremental || rep.Quarantine == nil || j.Pruned || j.Paused || len(w.escrows()) != 7 || j.InitialDue {
		t.Errorf("%s cycle, quarantine %v, job %+v", rep.Cycle.Type, rep.Quarantine, j)
	}
	w.fail(nil, nil)
	w.run()
	w.steady()
}

// TestQuarantineOverFourWeeks follows a job whose target is gone: it is tried less and less, then disabled
// (engine.R12, R111, R113, R114), and the interval is back as soon as a cycle succeeds (R112).
func TestQuarantineOverFourWeeks(t *testing.T) {
	w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil)})
	w.source.Put(user("ann"))
	w.run()
	down := func(c memory.Call) error {
		if c.Op == connector.OpProbe {
			return &connector.Error{Kind: connector.KindAuth, Code: connector.CodeUnauthorized, Status: 401}
		}
		return nil
	}
	w.later(40 * time.Minute)
	if d := w.due(); !d.At.Equal(w.now()) || d.Why != health.WhyInterval {
		t.Errorf("healthy: %+v", d)
	}
	w.fail(down, nil)
	first := w.now()
	var attempts []time.Duration
	for !w.job().Disabled {
		rep := w.cycle(engine.Options{})
		q := w.job().Quarantine
		if reason(rep) != health.ReasonConnection || !q.SeriesBegan.Equal(first) || !q.CurrentBegan.Equal(w.now()) || q.SeriesCount != len(attempts) {
			t.Fatalf("attempt %d: %+v", len(attempts), q)
		}
		if j := w.job(); j.FailedRuns != int64(len(attempts))+1 {
			t.Errorf("%d failed runs in a row", j.FailedRuns)
		}
		attempts = append(attempts, w.now().Sub(first))
		if d := w.due(); !d.At.IsZero() {
			w.later(d.At.Sub(w.now()))
		}
	}
	wanted := []time.Duration{0, 6 * time.Hour, 12 * time.Hour}
	for day := 1; day <= 28; day++ {
		wanted = append(wanted, time.Duration(day)*24*time.Hour)
	}
	if diff := cmp.Diff(wanted, attempts); diff != "" {
		t.Errorf("attempts (- want, + got):\n%s", diff)
	}
	if d := w.due(); d != (health.Due{Why: health.WhyDisabled}) {
		t.Errorf("due %+v", d)
	}
	w.refused(engine.ErrDisabled)
	w.fail(nil, nil)
	w.start()
	if j := w.job(); j.Quarantine != nil || j.Disabled {
		t.Errorf("started: %+v", j)
	}
	want(t, w.run(), store.Counts{Unchanged: 1})
	if j := w.job(); j.FailedRuns != 0 {
		t.Errorf("%d failed runs in a row after a good one", j.FailedRuns)
	}
	w.later(time.Minute)
	if d := w.due(); d.At.Sub(w.now()) != 39*time.Minute {
		t.Errorf("due %+v", d)
	}
}

func TestADisabledJobThatIsRestartedGetsAnotherFourWeeks(t *testing.T) { // engine.R20 None, R113
	w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil)})
	w.source.Put(user("ann"))
	w.fail(func(memory.Call) error {
		return &connector.Error{Kind: connector.KindAuth, Code: connector.CodeUnauthorized}
	}, nil)
	w.run()
	w.later(29 * 24 * time.Hour)
	w.run()
	if !w.job().Disabled {
		t.Fatal("not disabled")
	}
	w.restart(0)
	if d := w.due(); d != (health.Due{At: w.now(), Why: health.WhyQuarantine}) {
		t.Errorf("due %+v", d)
	}
	w.run()
	if j := w.job(); j.Disabled || j.Quarantine == nil || !j.Quarantine.NextAttempt.Equal(w.now().Add(6*time.Hour)) {
		t.Errorf("job %+v", j)
	}
}

func TestASuccessfulRetryLiftsQuarantine(t *testing.T) { // engine.R112
	w := running(t, 20)
	w.bad(0, 8)
	rep := w.cycle(engine.Options{})
	if reason(rep) != health.ReasonBase {
		t.Fatalf("quarantine %q", reason(rep))
	}
	w.later(time.Hour)
	w.source.Put(user(num("p", 10), "title", "other")) // a success, but of nobody who had failed
	if rep = w.cycle(engine.Options{}); reason(rep) != health.ReasonBase || w.job().Quarantine.SeriesCount != 1 {
		t.Errorf("quarantine %+v", w.job().Quarantine)
	}
	w.later(time.Hour)
	w.good(0, 1)
	if rep = w.cycle(engine.Options{}); reason(rep) != "" || len(w.escrows()) != 7 {
		t.Errorf("quarantine %q with %d failures", reason(rep), len(w.escrows()))
	}
	w.later(time.Hour)
	if rep = w.cycle(engine.Options{}); reason(rep) != health.ReasonBase || w.job().Quarantine.SeriesCount != 0 {
		t.Errorf("judged again: %+v", w.job().Quarantine)
	}
	w.later(time.Hour)
	w.good(1, 8)
	if rep = w.cycle(engine.Options{}); reason(rep) != "" || len(w.escrows()) != 0 {
		t.Errorf("all mended: %q", reason(rep))
	}
}

func TestTheGuardIsAQuarantineOfItsOwn(t *testing.T) { // design D6, which outranks engine.R112
	w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil), settings: func(s *job.Settings) { tight(s); percent(20, 500, 0)(s) }})
	w.good(0, 10)
	w.run()
	w.later(time.Hour)
	for i := range 4 {
		w.source.Remove(identity.User, num("p", i))
	}
	w.source.Put(user(num("p", 4), "title", "bad"))
	w.refusing(false)
	rep := w.cycle(engine.Options{})
	if reason(rep) != health.ReasonDeletes || rep.Counts.Staged != 4 {
		t.Fatalf("quarantine %q, %+v", reason(rep), rep.Counts)
	}
	w.later(time.Minute)
	if d := w.due(); d.Why != health.WhyInterval || d.At.Sub(w.now()) != 39*time.Minute {
		t.Errorf("due %+v: all else goes on at the usual interval", d)
	}
	w.later(time.Hour)
	w.good(4, 5)
	if rep = w.cycle(engine.Options{}); reason(rep) != health.ReasonDeletes {
		t.Errorf("a successful retry lifted it: %q", reason(rep))
	}
	w.later(60 * 24 * time.Hour)
	if rep = w.cycle(engine.Options{}); reason(rep) != health.ReasonDeletes || w.job().Disabled {
		t.Errorf("after two months: %q, disabled %v", reason(rep), w.job().Disabled)
	}
	w.allow(num("p", 0))
	if d := w.due(); d.Why != health.WhyAsked {
		t.Errorf("allowed, and due %+v", d)
	}
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpDelete {
			return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable}
		}
		return nil
	}, nil)
	if rep = w.cycle(engine.Options{}); rep.Counts.Failed != 1 {
		t.Errorf("%+v", rep.Counts)
	}
	if d := w.due(); d.Why != health.WhyInterval { // or cycle would follow cycle without a pause
		t.Errorf("allowed, tried, and due %+v", d)
	}
	w.fail(nil, nil)
	w.allow(num("p", 1), num("p", 2), num("p", 3))
	if rep = w.run(); reason(rep) != "" || rep.Counts.Deleted != 4 {
		t.Errorf("released: %q, %+v", reason(rep), rep.Counts)
	}
}

func TestTooManyFailuresOutrankTheGuard(t *testing.T) { // exit codes: 4 beats 5
	w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil), settings: func(s *job.Settings) { tight(s); percent(20, 500, 0)(s) }})
	w.good(0, 20)
	w.run()
	w.later(time.Hour)
	for i := range 6 {
		w.source.Remove(identity.User, num("p", i))
	}
	w.bad(6, 14)
	w.refusing(false)
	rep := w.cycle(engine.Options{})
	if reason(rep) != health.ReasonBase || rep.Held != "TooManyDeletes" || rep.Counts.Staged != 6 || len(rep.Warnings) != 2 {
		t.Errorf("quarantine %q, held %q, %+v, warnings %q", reason(rep), rep.Held, rep.Counts, rep.Warnings)
	}
}

func TestARetryReadsTheObjectAgain(t *testing.T) { // engine.R104
	w := newWorld(t, setup{feed: true, noPredict: true, rules: usersOnly(nil)})
	w.source.Put(user("ann", "title", "bad"))
	w.refusing(false)
	w.run()
	w.later(6 * time.Hour)
	o := user("ann", "title", "good", "name", "Renamed")
	w.source.Put(o)
	want(t, w.cycle(engine.Options{}), store.Counts{Created: 1})
	if got := w.account(identity.User, "ann"); got["title"] != "good" || got["displayName"] != "Renamed" || len(w.escrows()) != 0 {
		t.Errorf("account %v, failures %+v", got, w.escrows())
	}
}

func TestWhatPassesByItselfIsRetriedInTheNextCycles(t *testing.T) { // engine.R105: with the default interval, after 40 minutes
	for _, code := range []string{connector.CodeTooManyRequests, connector.CodeServerError, connector.CodeProtocol, connector.CodeTimeout, connector.CodeInternalError} {
		w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil)})
		w.source.Put(user("ann"))
		w.fail(func(c memory.Call) error {
			if c.Op == connector.OpCreate {
				return &connector.Error{Kind: connector.KindTemporary, Code: code}
			}
			return nil
		}, nil)
		want(t, w.cycle(engine.Options{}), store.Counts{Failed: 1})
		if d := w.due(); d.At.Sub(w.now()) != 40*time.Minute {
			t.Errorf("%s: due %+v", code, d)
		}
		w.later(40 * time.Minute)
		w.fail(nil, nil)
		want(t, w.cycle(engine.Options{}), store.Counts{Created: 1})
	}
}
