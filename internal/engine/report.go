package engine

import (
	"time"

	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Report is what `rollcall plan` shows: every change a cycle would make, why, and what it would cost. The JSON form is
// stable (design 6.1).
type Report struct {
	Changes  []plan.Change         `json:"changes"`
	Counts   store.Counts          `json:"counts"`
	Requests Estimate              `json:"requests"`
	Drift    *store.Reconciliation `json:"drift,omitempty"` // what a comparison with the target found, nil without one
	Warnings []string              `json:"-"`
	Held     string                `json:"-"` // why deprovisioning would be held, "" for not at all
}

// Estimate is the number of calls a cycle will make and how long they take at the target's rate.
type Estimate struct {
	Total    int64            `json:"total"`
	ByMethod map[string]int64 `json:"byMethod"`
	Minutes  float64          `json:"minutes"` // calls by rate; 0 where no rate is known

	// Guide is what a rule of thumb of vendors takes a first load for: one call for each user and two for each group that
	// is to be written. It is 0 where no rate is known.
	Guide int64 `json:"guide,omitempty"`

	// Forecast is filled in by who knows what else is sent to the target; nil where no rate is known.
	Forecast *Forecast `json:"forecast,omitempty"`
}

// Forecast is how long the calls of a cycle take from now on, given what else uses the target's allowance (design D2).
type Forecast struct {
	Minutes float64  `json:"minutes"` // until the last call is sent
	Rate    string   `json:"rate"`    // N/s or N/min
	Used    int      `json:"used"`    // calls that stood in the window before the plan was made
	Others  []Sharer `json:"others"`  // other jobs with a cycle under way on the same allowance
}

// Sharer is another job on the same allowance.
type Sharer struct {
	Job  string `json:"job"`
	Left int64  `json:"objectsToGo"`
}

// RunReport is what `rollcall run` prints. The JSON form is stable (design 6.1).
type RunReport struct {
	Job        string                `json:"job"`
	Cycle      CycleInfo             `json:"cycle"`
	Counts     store.Counts          `json:"counts"`
	Requests   store.Requests        `json:"requests"`
	Quarantine *QuarantineInfo       `json:"quarantine"`
	Drift      *store.Reconciliation `json:"drift,omitempty"` // what a comparison with the target found, nil without one

	Warnings []string  `json:"-"`
	Failures []Failure `json:"-"` // the first of them, for people
	Error    string    `json:"-"` // job-level failure
	Held     string    `json:"-"` // why deprovisioning was held, "" for not at all
}

// CycleInfo tells which cycle ran.
type CycleInfo struct {
	ID    string           `json:"id"`
	Type  store.CycleType  `json:"type"`
	State store.CycleState `json:"state"`
	Began time.Time        `json:"began"`
	Ended time.Time        `json:"ended"`
}

// QuarantineInfo tells why a job is held (engine.R108).
type QuarantineInfo struct {
	Reason string `json:"reason"`
}

// Failure is one object that failed.
type Failure struct {
	Rule   string
	Source plan.Identity
	Code   string
	Reason string
}
