package health_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/health"
)

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

func hours(h float64) time.Time { return noon.Add(time.Duration(h * float64(time.Hour))) }

func TestRetries(t *testing.T) { // engine.R103
	const day = 24
	for _, c := range []struct {
		name      string
		passed    float64 // hours since the first failure
		attempts  int
		transient bool
		next      float64
		giveUp    bool
	}{
		{"a first failure waits six hours", 0, 1, false, 6, false},
		{"just before the sixth hour it is the sixth hour", 5.99, 2, false, 6, false},
		{"after the sixth hour it is the twelfth", 6, 2, false, 12, false},
		{"after the twelfth hour it is a day", 12, 3, false, day, false},
		{"after a day it is the next one", day, 4, false, 2 * day, false},
		{"a late attempt does not shift the next one", day + 11, 4, false, 2 * day, false},
		{"the last one is after 28 days", 27 * day, 20, false, 28 * day, false},
		{"after 28 days it is given up", 28 * day, 30, false, 0, true},
		{"long after, too", 400 * day, 1, true, 0, true},
		{"what may pass by itself is tried in the very next cycle", 0, 1, true, 0, false},
		{"for the third time too", 1, 3, true, 1, false},
		{"then it waits like any other", 1, 4, true, 6, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			next, giveUp := health.Retry(noon, c.attempts, c.transient, hours(c.passed))
			if c.giveUp {
				if !giveUp || !next.IsZero() {
					t.Errorf("next %s, given up %v", next, giveUp)
				}
				return
			}
			if giveUp || !next.Equal(hours(c.next)) {
				t.Errorf("next %s, given up %v; want %s", next, giveUp, hours(c.next))
			}
		})
	}
}

var limits = health.Limits{MinFailures: 5000, Percent: 40, Failures: 40000, Total: 60000}

func TestThresholds(t *testing.T) { // engine.R110; the first five are its examples
	for _, c := range []struct {
		name   string
		counts health.Counts
		want   string
	}{
		{"4,000 failures never do", health.Counts{Failures: 4000}, ""},
		{"45,000 failures do", health.Counts{Failures: 45000}, health.ReasonBase},
		{"30,000 of 35,000 do", health.Counts{Failures: 30000, Exported: 5000}, health.ReasonProportion},
		{"20,000 of 120,000 do not", health.Counts{Failures: 20000, Exported: 100000}, ""},
		{"40,000 with 21,000 references do", health.Counts{Failures: 40000, References: 21000}, health.ReasonTotal},
		{"4,999 failures never do, whatever their share", health.Counts{Failures: 4999, References: 90000}, ""},
		{"5,000 of 12,500 are 40 percent, which is not more", health.Counts{Failures: 5000, Exported: 7500}, ""},
		{"5,001 of 12,501 are more", health.Counts{Failures: 5001, Exported: 7500}, health.ReasonProportion},
		{"40,000 are not more than 40,000", health.Counts{Failures: 40000, Exported: 100000}, ""},
		{"40,001 are", health.Counts{Failures: 40001, Exported: 1000000}, health.ReasonBase},
		{"60,000 in all are not more than 60,000 (R100)", health.Counts{Failures: 40000, References: 20000, Exported: 100000}, ""},
		{"60,001 in all are (R100)", health.Counts{Failures: 40000, References: 20001, Exported: 100000}, health.ReasonTotal},
		{"references have no share of their own (R100)", health.Counts{Failures: 5000, References: 40000, Exported: 100000}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, words := limits.Reached(c.counts)
			if got != c.want || (words == "") != (got == "") {
				t.Errorf("reached %q (%q), want %q", got, words, c.want)
			}
		})
	}
}

func TestWarning(t *testing.T) { // engine.R110
	for _, c := range []struct {
		name             string
		failed, exported int64
		want             string
	}{
		{"nine of nine are few", 9, 0, ""},
		{"ten of 25 are 40 percent, which is not more", 10, 15, ""},
		{"ten of 24 are more", 10, 14, "10 of 24 objects failed, more than 40 %; look for one cause behind them"},
		{"nothing at all", 0, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := health.Warning(c.failed, c.exported); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	refused := &health.Failure{Reason: health.ReasonConnection, Code: "Unauthorized", Message: "refused"}
	broken := &health.Failure{Reason: health.ReasonSource, Message: "broke off"}
	bad := health.Counts{Failures: 45000}
	at := func(began, last float64, n int, reason string) *health.Quarantine {
		return &health.Quarantine{Reason: reason, SeriesBegan: hours(began), CurrentBegan: hours(last), SeriesCount: n, NextAttempt: hours(last + 1)}
	}
	tests := []struct {
		name string
		was  *health.Quarantine
		e    health.Ending
		now  float64
		want health.Verdict
	}{
		{"a cycle without failures leaves a job healthy", nil, health.Ending{}, 0, health.Verdict{}},
		{
			"a refused credential quarantines at once, with no failure at all (R108, R109)", nil, health.Ending{Failure: refused}, 0,
			health.Verdict{Quarantine: &health.Quarantine{Reason: health.ReasonConnection, Code: "Unauthorized", Message: "refused",
				SeriesBegan: noon, CurrentBegan: noon, NextAttempt: hours(6)}},
		},
		{
			"also in an initial cycle", nil, health.Ending{Initial: true, Failure: broken}, 0,
			health.Verdict{Quarantine: &health.Quarantine{Reason: health.ReasonSource, Message: "broke off", SeriesBegan: noon, CurrentBegan: noon, NextAttempt: hours(6)}},
		},
		{
			"a second failure continues the series, whatever its reason (R111, R114)", at(0, 0, 0, health.ReasonConnection), health.Ending{Failure: broken}, 6,
			health.Verdict{Quarantine: &health.Quarantine{Reason: health.ReasonSource, Message: "broke off", SeriesBegan: noon, CurrentBegan: hours(6), SeriesCount: 1, NextAttempt: hours(12)}},
		},
		{
			"after a day it is daily (R111)", at(0, 24, 3, health.ReasonSource), health.Ending{Failure: broken}, 49,
			health.Verdict{Quarantine: &health.Quarantine{Reason: health.ReasonSource, Message: "broke off", SeriesBegan: noon, CurrentBegan: hours(49), SeriesCount: 4, NextAttempt: hours(72)}},
		},
		{
			"after four weeks the job is disabled (R12, R113)", at(0, 27*24, 30, health.ReasonSource), health.Ending{Failure: broken}, 28 * 24,
			health.Verdict{Disable: true, Quarantine: &health.Quarantine{Reason: health.ReasonSource, Message: "broke off", SeriesBegan: noon, CurrentBegan: hours(28 * 24), SeriesCount: 31}},
		},
		{"a cycle that is carried to its end takes the job out (R112)", at(0, 24, 3, health.ReasonConnection), health.Ending{}, 48, health.Verdict{}},
		{
			"too many failures quarantine (R110)", nil, health.Ending{Counts: bad}, 0,
			health.Verdict{Quarantine: &health.Quarantine{Reason: health.ReasonBase, Message: "45000 objects failed, more than 40000", SeriesBegan: noon, CurrentBegan: noon, NextAttempt: hours(6)}},
		},
		{"in an initial cycle they are pruned instead (R16)", nil, health.Ending{Initial: true, Counts: bad}, 0, health.Verdict{Prune: true}},
		{
			"what is left of them continues the series", at(0, 0, 0, health.ReasonBase), health.Ending{Counts: bad}, 6,
			health.Verdict{Quarantine: &health.Quarantine{Reason: health.ReasonBase, Message: "45000 objects failed, more than 40000", SeriesBegan: noon, CurrentBegan: hours(6), SeriesCount: 1, NextAttempt: hours(12)}},
		},
		{"a retry that succeeded takes the job out, though many are left (R112)", at(0, 0, 0, health.ReasonBase), health.Ending{Counts: bad, Recovered: true}, 6, health.Verdict{}},
		{
			"a job that is not in quarantine is judged by what failed", nil, health.Ending{Counts: bad, Recovered: true}, 0,
			health.Verdict{Quarantine: &health.Quarantine{Reason: health.ReasonBase, Message: "45000 objects failed, more than 40000", SeriesBegan: noon, CurrentBegan: noon, NextAttempt: hours(6)}},
		},
		{
			"what the guard holds keeps the usual interval (D6)", nil, health.Ending{Held: "60 deletes"}, 0,
			health.Verdict{Quarantine: &health.Quarantine{Reason: health.ReasonDeletes, Message: "60 deletes", SeriesBegan: noon, CurrentBegan: noon}},
		},
		{
			"no success of another object lifts it, and weeks do not disable the job (D6)", at(0, 24, 9, health.ReasonDeletes), health.Ending{Held: "60 deletes", Recovered: true}, 40 * 24,
			health.Verdict{Quarantine: &health.Quarantine{Reason: health.ReasonDeletes, Message: "60 deletes", SeriesBegan: noon, CurrentBegan: hours(40 * 24), SeriesCount: 10}},
		},
		{
			"weeks of held deletes say nothing about how long a target has been down", at(0, 24, 9, health.ReasonDeletes), health.Ending{Failure: refused}, 40 * 24,
			health.Verdict{Quarantine: &health.Quarantine{Reason: health.ReasonConnection, Code: "Unauthorized", Message: "refused",
				SeriesBegan: hours(40 * 24), CurrentBegan: hours(40 * 24), NextAttempt: hours(40*24 + 6)}},
		},
		{
			"too many failures outrank held deletes (exit codes, design 6.1)", nil, health.Ending{Held: "60 deletes", Counts: bad}, 0,
			health.Verdict{Quarantine: &health.Quarantine{Reason: health.ReasonBase, Message: "45000 objects failed, more than 40000", SeriesBegan: noon, CurrentBegan: noon, NextAttempt: hours(6)}},
		},
		{
			"held deletes stay when failures are pruned", nil, health.Ending{Initial: true, Held: "60 deletes", Counts: bad}, 0,
			health.Verdict{Prune: true, Quarantine: &health.Quarantine{Reason: health.ReasonDeletes, Message: "60 deletes", SeriesBegan: noon, CurrentBegan: noon}},
		},
		{
			"held deletes stay when a retry lifts the rest", at(0, 0, 0, health.ReasonBase), health.Ending{Held: "60 deletes", Counts: bad, Recovered: true}, 6,
			health.Verdict{Quarantine: &health.Quarantine{Reason: health.ReasonDeletes, Message: "60 deletes", SeriesBegan: hours(6), CurrentBegan: hours(6)}},
		},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, health.Judge(c.was, c.e, limits, hours(c.now))); diff != "" {
				t.Errorf("(- want, + got):\n%s", diff)
			}
		})
	}
}

func TestNextCycle(t *testing.T) { // engine.R12, R111, R132; design D7, D13
	down := &health.Quarantine{Reason: health.ReasonConnection, SeriesBegan: noon, NextAttempt: hours(6)}
	held := &health.Quarantine{Reason: health.ReasonDeletes, SeriesBegan: noon}
	tests := []struct {
		name string
		in   health.Standing
		want health.Due
	}{
		{"the interval counts from the beginning of the last cycle (R132)", health.Standing{Began: noon, Interval: 40 * time.Minute}, health.Due{At: noon.Add(40 * time.Minute), Why: health.WhyInterval}},
		{"a cycle that took longer is followed at once", health.Standing{Began: hours(-2), Interval: time.Hour}, health.Due{At: hours(-1), Why: health.WhyInterval}},
		{"a job that never ran is due", health.Standing{Interval: time.Hour}, health.Due{At: hours(1), Why: health.WhyFirst}},
		{"a cycle under way goes on", health.Standing{Running: true, Began: noon, Interval: time.Hour}, health.Due{At: hours(1), Why: health.WhyInterrupted}},
		{"what a save or a restart asks for is due", health.Standing{Asked: true, Began: noon, Interval: time.Hour}, health.Due{At: hours(1), Why: health.WhyAsked}},
		{"a paused job is never due, even with a cycle under way (D13)", health.Standing{Paused: true, Running: true, Asked: true}, health.Due{Why: health.WhyPaused}},
		{"a disabled job is never due (R12)", health.Standing{Disabled: true, Paused: true}, health.Due{Why: health.WhyDisabled}},
		{"in quarantine it is due at the next attempt (R111)", health.Standing{Began: noon, Interval: time.Minute, Asked: true, Quarantine: down}, health.Due{At: hours(6), Why: health.WhyQuarantine}},
		{"also when its first cycle failed", health.Standing{Interval: time.Minute, Quarantine: down}, health.Due{At: hours(6), Why: health.WhyQuarantine}},
		{
			"after four weeks without an attempt one more decides (R113)", health.Standing{Began: noon, Quarantine: &health.Quarantine{Reason: health.ReasonSource}},
			health.Due{At: hours(1), Why: health.WhyQuarantine},
		},
		{"held deletes leave the interval as it is (D6)", health.Standing{Began: noon, Interval: time.Hour, Quarantine: held}, health.Due{At: hours(1), Why: health.WhyInterval}},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, health.NextCycle(c.in, hours(1))); diff != "" {
				t.Errorf("(- want, + got):\n%s", diff)
			}
		})
	}
}

func TestParseReset(t *testing.T) { // engine.R20
	for _, c := range []struct {
		text string
		want health.Reset
		back string
	}{
		{"", health.QuarantineState | health.Watermark | health.Escrows, "QuarantineState,Watermark,Escrows"},
		{" ", health.DefaultReset, "QuarantineState,Watermark,Escrows"},
		{"None", 0, "None"},
		{"Full", health.ConnectorDataStore | health.Escrows | health.Watermark | health.QuarantineState, "Full"},
		{"full, ForceDeletes", health.Full | health.ForceDeletes, "Full,ForceDeletes"},
		{"watermark,ESCROWS", health.Watermark | health.Escrows, "Watermark,Escrows"},
		{"None,ConnectorDataStore", health.ConnectorDataStore, "ConnectorDataStore"},
	} {
		got, err := health.ParseReset(c.text)
		if err != nil || got != c.want || got.String() != c.back {
			t.Errorf("%q: %d %s %v; want %d %s", c.text, got, got, err, c.want, c.back)
		}
	}
	if health.Full.Has(health.ForceDeletes) {
		t.Error("Full releases held deletes, which must be asked for by name")
	}
	for _, text := range []string{"Everything", "Full;Escrows", "Watermark,"} {
		if got, err := health.ParseReset(text); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}
