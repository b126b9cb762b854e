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
	Minutes  float64          `json:"minutes"` // 0 where no rate is known
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
