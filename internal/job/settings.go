package job

import (
	"time"
)

// Directory is the connector name of Rollcall's own directory, the one source that knows who is assigned to an
// application (engine.R33) and the one whose changes can wake a job (design D7).
const Directory = "directory"

// When a job's cycles start (design D7).
const (
	TriggerChange   = "change"   // seconds after a change in the directory, and at the interval
	TriggerInterval = "interval" // at the interval only
)

// What a reconciliation does with a difference between an account and what was written to it (design D3).
const (
	DriftReport  = "report"
	DriftCorrect = "correct"
	DriftIgnore  = "ignore"
)

// What happens when a linked account is gone from the target (engine.R56).
const (
	MissingError   = "error"   // the object fails with InvalidAnchor
	MissingRematch = "rematch" // the link is dropped and the object matched again
)

// How access is taken away from who should have none but is not deleted in the source (engine.R77, R82).
const (
	DeprovisionDisable = "disable"
	DeprovisionDelete  = "delete" // for targets that cannot disable an account
)

// What a pattern in a scoping filter must match (scoping Q-03).
const (
	RegexWhole    = "whole"    // the whole value, as the reference service documents
	RegexAnywhere = "anywhere" // a part of it, for filters that were written with that in mind
)

// Never is the interval of a reconciliation that is switched off.
const Never = time.Duration(-1)

// The bounds of the interval (design D7) and of the reconciliation.
const (
	MinInterval  = time.Minute
	MaxInterval  = 24 * time.Hour
	MinReconcile = time.Minute
	MaxReconcile = 90 * 24 * time.Hour
)

// Defaults are the settings of a job that says nothing, for any source but the directory. WithDefaults knows the two
// that hang on the ends of the job.
func Defaults() Settings {
	return Settings{
		Scope:           ScopeAll,
		Interval:        40 * time.Minute,
		Trigger:         TriggerInterval,
		Reconcile:       24 * time.Hour,
		Drift:           DriftReport,
		DeletionGuard:   DefaultDeletionGuard,
		MembershipGuard: DefaultMembershipGuard,
		Quarantine:      DefaultQuarantine,
		OnMissingTarget: MissingError,
		Deprovision:     DeprovisionDisable,
		RegexMatch:      RegexWhole,
	}
}

// WithDefaults returns s with every field that has its zero value set to its default. Scope is assigned and the trigger
// is change when the directory feeds an application (design 6.2 and D7).
func (s Settings) WithDefaults(source, target End) Settings {
	d := Defaults()
	if source.Connector == Directory && target.Connector != Directory {
		d.Scope = ScopeAssigned
		d.Trigger = TriggerChange
	}
	fill(&s.Scope, d.Scope)
	fill(&s.Interval, d.Interval)
	fill(&s.Trigger, d.Trigger)
	fill(&s.Reconcile, d.Reconcile)
	fill(&s.Drift, d.Drift)
	fill(&s.DeletionGuard, d.DeletionGuard)
	fill(&s.MembershipGuard, d.MembershipGuard)
	fill(&s.Quarantine, d.Quarantine)
	fill(&s.OnMissingTarget, d.OnMissingTarget)
	fill(&s.Deprovision, d.Deprovision)
	fill(&s.RegexMatch, d.RegexMatch)
	return s
}

// DriftOf is what a reconciliation does with a difference in a target attribute.
func (s Settings) DriftOf(attr string) string {
	if d, ok := s.DriftAttributes[attr]; ok {
		return d
	}
	return s.Drift
}

// StaleAfter is how long values that an export or a reconciliation confirmed are relied on (design D1,
// readBeforeWrite: stale): the reconciliation interval, or its default where none takes place.
func (s Settings) StaleAfter() time.Duration {
	if s.Reconcile > 0 {
		return s.Reconcile
	}
	return Defaults().Reconcile
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
