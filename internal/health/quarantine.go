package health

import (
	"fmt"
	"time"
)

// Quarantine is why a job is unhealthy (engine.R114).
type Quarantine struct {
	Reason       string    `json:"reason"` // engine.R108
	Code         string    `json:"code,omitempty"`
	Message      string    `json:"message,omitempty"`
	SeriesBegan  time.Time `json:"seriesBegan"`  // when it was first imposed
	CurrentBegan time.Time `json:"currentBegan"` // when it was last imposed or left as it was
	SeriesCount  int       `json:"seriesCount"`  // how often it was judged again and left
	NextAttempt  time.Time `json:"nextAttempt"`  // of a scheduled cycle; zero where cycles run at their usual interval, or never
}

// The reasons of a quarantine (engine.R108).
const (
	ReasonConnection = "EncounteredQuarantineException"
	ReasonBase       = "EncounteredBaseEscrowThreshold"
	ReasonProportion = "EncounteredEscrowProportionThreshold"
	ReasonTotal      = "EncounteredTotalEscrowThreshold"
	ReasonDeletes    = "TooManyDeletes"
	ReasonSource     = "IngestionInterrupted"
)

// Limits are the thresholds of failures that put a job in quarantine (engine.R110).
type Limits struct {
	MinFailures int // fewer never do, whatever their share
	Percent     int // of the events; more do, from MinFailures on
	Failures    int // more do, whatever their share; failures of references do not count
	Total       int // the same, with failures of references
}

// Counts is what the thresholds are held against (engine.R110).
type Counts struct {
	Failures   int64 // outstanding failures that are not about references
	References int64 // outstanding failures of references (engine.R100)
	Exported   int64 // objects that the cycle wrote successfully
}

// Reached returns the reason for which the counts put a job in quarantine, "" for none, with words for it.
func (l Limits) Reached(c Counts) (reason, words string) {
	total := c.Failures + c.References
	events := c.Failures + c.Exported
	switch {
	case c.Failures < int64(l.MinFailures):
		return "", ""
	case c.Failures > int64(l.Failures):
		return ReasonBase, fmt.Sprintf("%d objects failed, more than %d", c.Failures, l.Failures)
	case total > int64(l.Total):
		return ReasonTotal, fmt.Sprintf("%d objects and references failed, more than %d", total, l.Total)
	case 100*c.Failures > int64(l.Percent)*events:
		return ReasonProportion, fmt.Sprintf("%d of %d objects failed, more than %d %%", c.Failures, events, l.Percent)
	}
	return "", ""
}

// When a cycle is remarked upon long before its failures put the job in quarantine (engine.R110 Open).
const (
	warnFrom    = 10
	warnPercent = 40
)

// Warning returns a remark on a cycle in which many objects failed, "" when there were few: a job that is small never
// reaches the thresholds of quarantine.
func Warning(failed, exported int64) string {
	if failed < warnFrom || 100*failed <= warnPercent*(failed+exported) {
		return ""
	}
	return fmt.Sprintf("%d of %d objects failed, more than %d %%; look for one cause behind them", failed, failed+exported, warnPercent)
}

// Failure is why a cycle could not be carried to its end.
type Failure struct{ Reason, Code, Message string }

// Ending is how a cycle ended.
type Ending struct {
	Initial   bool
	Failure   *Failure // nil when the cycle was carried to its end
	Held      string   // what the deletion guard holds, in words; "" for nothing
	Counts    Counts
	Recovered bool // an object that had failed in an earlier cycle has succeeded (engine.R112)
}

// Verdict is what follows from a cycle for its job.
type Verdict struct {
	Quarantine *Quarantine // nil for a healthy job
	Disable    bool        // it has been in quarantine for four weeks (engine.R12, R113)
	Prune      bool        // forget the failures and pause the job: too many of them in an initial cycle (engine.R16)
}

// Judge says what the end of a cycle means for a job that was in this quarantine, nil for none.
//
//   - A cycle that could not be carried to its end puts the job in quarantine at once (engine.R109).
//   - Too many failures do so at the end of an incremental cycle (engine.R110); an initial one prunes them instead
//     (engine.R16). A failed object that has succeeded since lifts it, until it is judged again (engine.R112).
//   - What the deletion guard holds is a quarantine of its own: all else goes on at the usual interval, so it neither
//     waits longer and longer nor disables the job, and no success of another object lifts it (design D6).
func Judge(was *Quarantine, e Ending, l Limits, now time.Time) Verdict {
	if e.Failure != nil {
		return imposed(impose(was, e.Failure.Reason, e.Failure.Code, e.Failure.Message, now), now)
	}
	var held *Quarantine
	if e.Held != "" {
		held = impose(was, ReasonDeletes, "", e.Held, now)
	}
	reason, words := l.Reached(e.Counts)
	switch {
	case reason == "":
		return Verdict{Quarantine: held}
	case e.Initial:
		return Verdict{Quarantine: held, Prune: true}
	case was.backsOff() && e.Recovered:
		return Verdict{Quarantine: held}
	}
	return imposed(impose(was, reason, "", words, now), now)
}

func imposed(q *Quarantine, now time.Time) Verdict {
	return Verdict{Quarantine: q, Disable: now.Sub(q.SeriesBegan) >= GiveUpAfter}
}

// backsOff tells whether scheduled cycles become rarer in this quarantine; it may be nil.
func (q *Quarantine) backsOff() bool { return q != nil && q.Reason != ReasonDeletes }

// impose begins a series of quarantines or continues one (engine.R114). What the guard holds and what is broken are two
// series: weeks of held deletions say nothing about how long a target has been down.
func impose(was *Quarantine, reason, code, message string, now time.Time) *Quarantine {
	q := &Quarantine{Reason: reason, Code: code, Message: message, SeriesBegan: now, CurrentBegan: now}
	if was != nil && was.backsOff() == q.backsOff() {
		q.SeriesBegan, q.SeriesCount = was.SeriesBegan, was.SeriesCount+1
	}
	if q.backsOff() {
		q.NextAttempt = Attempt(q.SeriesBegan, now)
	}
	return q
}
