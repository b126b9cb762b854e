package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
)

// errDied is what every call of a process returns from the moment of its death.
var errDied = errors.New("the process is dead")

// errDisk is a state that refuses to be written once.
var errDisk = errors.New("no space left on device")

// Faults of a call to the target. Those before it leave the target as it is; those after it have taken effect.
const (
	faultNone         = ""
	faultThrottled    = "429 with Retry-After"
	faultUnavailable  = "5xx before it took effect"
	faultTimeout      = "time-out before it took effect"
	faultUnreachable  = "connection refused"
	faultRefused      = "400 once"
	faultCredential   = "401"
	faultSlow         = "slow answer"
	faultLost         = "answer lost after it took effect"
	faultFailedAfter  = "5xx after it took effect"
	faultGarbledAfter = "answer not understood after it took effect"
	faultPageCut      = "page of a listing cut short"
	faultPageMissing  = "account missing from a listing"
)

// Faults of the source.
const (
	sourceBroken     = "source: read ends with an error"
	sourceShort      = "source: a few rows are missing"
	sourceHalved     = "source: less than half is delivered"
	sourceEmpty      = "source: nothing is delivered"
	sourceUnreadable = "source: a row cannot be read"
	sourceNameless   = "source: a row cannot be read, nor its key"
	sourceForgetful  = "source: the mark is too old"
)

// Faults of processes and of their state.
const (
	processStopped   = "process: told to stop"
	processLate      = "process: suspended, overtaken, and back"
	processImpatient = "process: started while another one holds the job"
	storeRefuses     = "state: refuses a write"
	jobSaved         = "job saved"
	jobSavedUnder    = "job saved under an interrupted cycle"
	jobAsItWas       = "job as it was before a save, for an interrupted cycle"
	held             = "guard: operations held"
	allowed          = "guard: operations released"
	initialForced    = "initial cycle asked for"
)

// Deaths are named by the step at which they come.
func death(step string, after bool) string {
	if after {
		return "death after: " + step
	}
	return "death before: " + step
}

// steps are where a process can die: every call of the target, every write to the state, and reading it.
func steps() (calls, writes []string) {
	return []string{"probe", "list", "find", "get", "create", "update", "delete"},
		[]string{"hold", "commit", "update job", "clear work", "set depths", "release"}
}

// expected are all faults and edits; one that never came about makes a run of many seeds fail.
func expected() []string {
	out := []string{sourceBroken, sourceShort, sourceHalved, sourceEmpty, sourceUnreadable, sourceNameless, sourceForgetful, processStopped, processLate, processImpatient,
		storeRefuses, jobSaved, jobSavedUnder, jobAsItWas, held, allowed, initialForced, "mass leave", "death: reading the state"}
	calls, writes := steps()
	for _, op := range calls {
		for _, f := range []string{faultThrottled, faultUnavailable, faultTimeout, faultUnreachable, faultSlow} {
			out = append(out, op+": "+f)
		}
		out = append(out, death(op, false), death(op, true))
	}
	for _, op := range []string{"create", "update", "delete"} {
		for _, f := range []string{faultRefused, faultCredential, faultLost, faultFailedAfter, faultGarbledAfter} {
			out = append(out, op+": "+f)
		}
	}
	out = append(out, "list: "+faultPageCut, "list: "+faultPageMissing)
	for _, op := range writes {
		out = append(out, death(op, false), death(op, true))
	}
	for _, e := range edits() {
		out = append(out, "edit: "+e.name)
	}
	return out
}

// tally counts what came about over all seeds.
type tally struct {
	mu    sync.Mutex
	count map[string]int
}

func newTally() *tally { return &tally{count: map[string]int{}} }

func (t *tally) hit(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count[what]++
}

// unproven are the expected faults and edits that never came about in a run of so many seeds and cycles; few seeds need
// not have them all. What came about and is not expected is missing in the list of those that must.
func (t *tally) unproven(seeds, cycles int) []string {
	if seeds < manySeeds || cycles < 30 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	all := expected()
	out := slices.DeleteFunc(slices.Clone(all), func(what string) bool { return t.count[what] > 0 })
	for what := range t.count {
		if !slices.Contains(all, what) {
			out = append(out, what+", and it did")
		}
	}
	slices.Sort(out)
	return out
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for what, n := range t.count {
		lines = append(lines, fmt.Sprintf("%8d  %s", n, what))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[10:], b[10:]) })
	return strings.Join(lines, "\n")
}

// script is what is going to happen to one process. Numbers count from 1; 0 is never.
type script struct {
	weather    weather
	dieCall    int // at this call to the target
	dieWrite   int // at this write to the state
	dieRead    int // at this reading of the state, of the method below
	readMethod string
	dieAfter   bool // once it has taken effect
	stopCall   int  // told to stop at this call
	sleepCall  int  // suspended in this call, once it has taken effect
	sleepWrite int  // suspended before this write to the state
	refuse     int  // this write to the state fails
	source     string
	slice      time.Duration
	manual     bool
	initial    bool
	undo       string // cycle that is taken back, "" for a cycle over the source
}

// weather is the chance of faults at the target, in percent of the calls.
type weather struct {
	before, after int
	downFrom      int // from this call on nothing answers; 0 for never
}

// fate draws a script.
func fate(r *rand.Rand, c character) script {
	s := script{slice: pick(r, 30*time.Second, 30*time.Second, 2*time.Second), manual: flip(r, 70), initial: flip(r, 4)}
	switch k := r.IntN(100); {
	case k < 35:
	case k < 70:
		s.weather = weather{before: 5, after: 5}
	case k < 90:
		s.weather = weather{before: 20, after: 20}
	case k < 95:
		s.weather = weather{before: 50, after: 40}
	default:
		s.weather = weather{downFrom: 1 + r.IntN(40)}
	}
	near := func() int { return 1 + r.IntN(pick(r, 4, 12, 60)) }
	s.dieAfter = flip(r, 50)
	switch k := r.IntN(100); {
	case k < 45:
	case k < 60:
		s.dieCall = near()
	case k < 78:
		s.dieWrite = near()
	case k < 82:
		s.dieRead, s.readMethod = 1+r.IntN(4), pick(r, readMethods()...)
	case k < 87:
		s.stopCall = near()
	case k < 91:
		s.sleepCall = near()
	case k < 95:
		s.sleepWrite = near()
	default:
		s.refuse = near()
	}
	if flip(r, 22) {
		s.source = pick(r, sourceBroken, sourceShort, sourceHalved, sourceEmpty, sourceUnreadable, sourceNameless, sourceForgetful)
	}
	return s
}

// draw chooses the fault of one call.
func (s *script) draw(r *rand.Rand, op string, nth int, write bool) (before, after string) {
	w := s.weather
	if w.downFrom > 0 && nth >= w.downFrom {
		return pick(r, faultUnreachable, faultUnavailable, faultTimeout), faultNone
	}
	if op == "probe" || op == "list" { // they are asked once in a cycle, which ends when they fail
		w.before /= 3
	}
	if flip(r, w.before) {
		before = pick(r, faultThrottled, faultUnavailable, faultTimeout, faultUnreachable, faultSlow)
		if write && flip(r, 15) {
			before = pick(r, faultRefused, faultRefused, faultRefused, faultCredential)
		}
	}
	if flip(r, w.after) {
		switch {
		case write && flip(r, 90):
			after = pick(r, faultLost, faultLost, faultFailedAfter)
		case write:
			after = faultGarbledAfter
		case op == "list":
			after = pick(r, faultPageCut, faultPageMissing)
		}
	}
	return before, after
}

// errorOf is the error that the SCIM connector would make of a fault.
func errorOf(fault, op string, write bool, r *rand.Rand) error {
	e := &connector.Error{Op: op, Kind: connector.KindTemporary, Detail: fault, MaybeDone: write}
	switch fault {
	case faultThrottled:
		e.Kind, e.Code, e.Status, e.MaybeDone = connector.KindRateLimited, connector.CodeTooManyRequests, http.StatusTooManyRequests, false
		e.RetryAfter = time.Duration(r.IntN(90)) * time.Second
	case faultUnavailable, faultFailedAfter:
		e.Code, e.Status = connector.CodeServerError, http.StatusServiceUnavailable
	case faultTimeout, faultLost:
		e.Code = connector.CodeTimeout
	case faultUnreachable:
		e.Code, e.MaybeDone = connector.CodeProtocol, false
	case faultRefused:
		e.Kind, e.Code, e.Status, e.MaybeDone = connector.KindInvalid, connector.CodeUnprocessable, http.StatusBadRequest, false
	case faultCredential:
		e.Kind, e.Code, e.Status, e.MaybeDone = connector.KindAuth, connector.CodeUnauthorized, http.StatusUnauthorized, false
	case faultGarbledAfter:
		e.Kind, e.Code, e.Status, e.MaybeDone = connector.KindIncompatible, connector.CodeServiceIncompatible, http.StatusOK, false
	default:
		return nil
	}
	return e
}
