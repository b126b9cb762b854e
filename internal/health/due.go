package health

import "time"

// Why says why the next cycle of a job is due when it is, or why none is.
type Why string

// The reasons, those of never first.
const (
	WhyDisabled    Why = "disabled"    // stopped after four weeks of quarantine (engine.R12)
	WhyPaused      Why = "paused"      // stopped by an administrator, or after an initial cycle with too many failures
	WhyInterrupted Why = "interrupted" // a cycle is under way and goes on (design D13)
	WhyQuarantine  Why = "quarantine"  // cycles have become rarer (engine.R111)
	WhyFirst       Why = "first"       // it never ran
	WhyAsked       Why = "asked"       // a save, a restart or released deletions ask for a cycle at once
	WhyInterval    Why = "interval"    // as always (engine.R132, design D7)
)

// Standing is what decides when the next cycle of a job is due.
type Standing struct {
	Disabled   bool
	Paused     bool
	Running    bool          // a cycle is under way
	Began      time.Time     // of the last cycle; zero when there was none
	Interval   time.Duration // between the beginnings of cycles
	Asked      bool          // an initial cycle is due, or held deletions were allowed
	Quarantine *Quarantine   // nil for none
}

// Due is when the next cycle of a job starts. The zero time means never, else a time in the past means now.
type Due struct {
	At  time.Time
	Why Why
}

// NextCycle says when the next cycle of a job is due. A job that two cycles of which would be due at once has one.
func NextCycle(s Standing, now time.Time) Due {
	switch {
	case s.Disabled:
		return Due{Why: WhyDisabled}
	case s.Paused:
		return Due{Why: WhyPaused}
	case s.Running:
		return Due{now, WhyInterrupted}
	case s.Quarantine.backsOff():
		if s.Quarantine.NextAttempt.IsZero() { // the schedule is over: one more attempt decides
			return Due{now, WhyQuarantine}
		}
		return Due{s.Quarantine.NextAttempt, WhyQuarantine}
	case s.Began.IsZero():
		return Due{now, WhyFirst}
	case s.Asked:
		return Due{now, WhyAsked}
	}
	return Due{s.Began.Add(s.Interval), WhyInterval}
}
