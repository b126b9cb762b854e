package view

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/store"
)

// Status is where a job stands (`rollcall status`). Codes and states are those of engine sections 2 and 15.
type Status struct {
	Job         JobName           `json:"job"`
	Code        string            `json:"code"` // NotRun, Active, Paused or Quarantine
	InitialDue  bool              `json:"initialDue"`
	Quarantine  *store.Quarantine `json:"quarantine"`
	Running     *RunningCycle     `json:"running"`     // nil when no cycle is under way
	LastCycle   *FinishedCycle    `json:"lastCycle"`   // nil before the first has ended
	SteadyFirst *time.Time        `json:"steadyFirst"` // when nothing was left to do for the first time (engine.R137)
	SteadyLast  *time.Time        `json:"steadyLast"`
	Objects     []RuleObjects     `json:"objects"`
	Failed      int64             `json:"failed"` // objects that wait for a retry
	Staged      int64             `json:"staged"` // operations the guard holds
	NextRun     *time.Time        `json:"nextRun"`
}

// JobName names a job.
type JobName struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Template string `json:"template"`
}

// RunningCycle is a cycle under way.
type RunningCycle struct {
	ID      string          `json:"id"`
	Type    store.CycleType `json:"type"`
	Phase   store.Phase     `json:"phase"`
	Began   time.Time       `json:"began"`
	Planned int64           `json:"planned"`
	Done    int64           `json:"done"`
}

// FinishedCycle is a cycle that has ended.
type FinishedCycle struct {
	ID       string           `json:"id"`
	Type     store.CycleType  `json:"type"`
	State    store.CycleState `json:"state"`
	Began    time.Time        `json:"began"`
	Ended    time.Time        `json:"ended"`
	Counts   store.Counts     `json:"counts"`
	Requests store.Requests   `json:"requests"`
	Error    string           `json:"error,omitempty"`
}

// RuleObjects counts the objects of one rule by the state of their link.
type RuleObjects struct {
	Rule     string `json:"rule"`
	Active   int64  `json:"active"`   // linked, the account is enabled
	Disabled int64  `json:"disabled"` // linked, disabled because the source object is
	Released int64  `json:"released"` // disabled because it left the scope or the source
	Unlinked int64  `json:"unlinked"` // seen, without an account
}

// NewStatus puts together what is kept of a job: its row, its cycles (newest first), the tally of its objects, and the
// numbers of failures and held operations. next is when its next cycle is due, zero when nothing will start one.
func NewStatus(j store.Job, cycles []store.Cycle, tallies []store.Tally, failed, staged int64, next time.Time) Status {
	s := Status{
		Job:         JobName{ID: j.ID, Name: j.Name, Template: j.Template},
		InitialDue:  j.InitialDue,
		Quarantine:  j.Quarantine,
		SteadyFirst: instant(j.SteadyFirst),
		SteadyLast:  instant(j.SteadyLast),
		Objects:     ruleObjects(tallies),
		Failed:      failed,
		Staged:      staged,
		NextRun:     instant(next),
	}
	for _, c := range cycles {
		switch {
		case c.State == store.Running && s.Running == nil:
			s.Running = &RunningCycle{ID: c.ID, Type: c.Type, Phase: c.Phase, Began: utc(c.Began), Planned: c.Planned, Done: c.Done}
		case c.State != store.Running && s.LastCycle == nil:
			if c.Requests.ByMethod == nil {
				c.Requests.ByMethod = map[string]int64{}
			}
			s.LastCycle = &FinishedCycle{ID: c.ID, Type: c.Type, State: c.State, Began: utc(c.Began), Ended: utc(c.Ended),
				Counts: c.Counts, Requests: c.Requests, Error: c.Error}
		}
	}
	switch {
	case j.Paused:
		s.Code = "Paused"
	case j.Quarantine != nil:
		s.Code = "Quarantine"
	case s.LastCycle == nil:
		s.Code = "NotRun"
	default:
		s.Code = "Active"
	}
	return s
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func ruleObjects(tallies []store.Tally) []RuleObjects {
	out := []RuleObjects{}
	for _, t := range tallies {
		i := slices.IndexFunc(out, func(r RuleObjects) bool { return r.Rule == t.Rule })
		if i < 0 {
			i = len(out)
			out = append(out, RuleObjects{Rule: t.Rule})
		}
		switch t.State {
		case store.Active:
			out[i].Active += t.N
		case store.Disabled:
			out[i].Disabled += t.N
		case store.Released:
			out[i].Released += t.N
		case store.Unlinked:
			out[i].Unlinked += t.N
		}
	}
	slices.SortFunc(out, func(a, b RuleObjects) int { return cmp.Compare(a.Rule, b.Rule) })
	return out
}

// StatusListJSON writes the states of several jobs as one list.
func StatusListJSON(w io.Writer, list []Status) error {
	if list == nil {
		list = []Status{}
	}
	return JSON(w, list)
}

// StatusList writes one line per job.
func StatusList(w io.Writer, list []Status) error {
	if len(list) == 0 {
		_, err := io.WriteString(w, "No jobs yet. `rollcall new TEMPLATE` writes an app file, `rollcall apply FILE` makes a job of it.\n")
		return err
	}
	t := NewTable("JOB", "STATE", "LAST CYCLE", "ENDED", ">ACCOUNTS", ">FAILED", ">HELD", "NEXT")
	for _, s := range list {
		last, ended := "-", "-"
		if c := s.LastCycle; c != nil {
			last, ended = string(c.Type)+" "+string(c.State), Time(c.Ended)
		}
		var accounts int64
		for _, o := range s.Objects {
			accounts += o.Active + o.Disabled
		}
		t.Add(s.Job.Name, stateText(s), last, ended, Count(accounts), Count(s.Failed), Count(s.Staged), next(s))
	}
	return t.Write(w)
}

func stateText(s Status) string {
	if s.Running != nil {
		return s.Code + ", running"
	}
	return s.Code
}

func next(s Status) string {
	if s.NextRun == nil {
		return "-"
	}
	return Time(*s.NextRun)
}

// StatusPage writes all that is known of one job. now is for the age of what it shows.
func StatusPage(w io.Writer, s Status, now time.Time) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s\n", oneLine(s.Job.Name), stateText(s))
	t := NewTable("", "")
	t.Add("id", s.Job.ID)
	if s.Job.Template != "" {
		t.Add("template", s.Job.Template)
	}
	if q := s.Quarantine; q != nil {
		t.Add("quarantine", strings.TrimSuffix(q.Reason+": "+q.Message, ": "))
		t.Add("", "since "+Time(q.SeriesBegan)+", next attempt "+orDash(Time(q.NextAttempt)))
	}
	if c := s.Running; c != nil {
		text := fmt.Sprintf("%s, %s since %s", c.Type, phaseText(c.Phase), Duration(now.Sub(c.Began)))
		if c.Planned > 0 {
			text += fmt.Sprintf(", %s of %s done", Count(c.Done), Count(c.Planned))
		}
		t.Add("running", text)
	}
	if c := s.LastCycle; c != nil {
		t.Add("last cycle", fmt.Sprintf("%s, %s, ended %s ago, took %s", c.Type, c.State, Duration(now.Sub(c.Ended)), Duration(c.Ended.Sub(c.Began))))
		if c.Error != "" {
			t.Add("", c.Error)
		}
	}
	t.Add("next cycle", nextText(s))
	if s.Failed > 0 {
		t.Add("failed", Plural(s.Failed, "object")+"; see `rollcall logs "+quoteArg(s.Job.Name)+" --status failure`")
	}
	if s.Staged > 0 {
		t.Add("held", Plural(s.Staged, "operation")+"; see `rollcall deletes list "+quoteArg(s.Job.Name)+"`")
	}
	if err := t.write(&b, "  "); err != nil {
		return err
	}
	if len(s.Objects) > 0 {
		b.WriteByte('\n')
		t := NewTable("RULE", ">ACTIVE", ">DISABLED", ">RELEASED", ">WITHOUT ACCOUNT")
		for _, o := range s.Objects {
			t.Add(o.Rule, Count(o.Active), Count(o.Disabled), Count(o.Released), Count(o.Unlinked))
		}
		if err := t.write(&b, "  "); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func nextText(s Status) string {
	kind := "incremental"
	if s.InitialDue {
		kind = "initial"
	}
	if s.NextRun == nil {
		return kind + ", not scheduled"
	}
	return kind + ", " + Time(*s.NextRun)
}

func phaseText(p store.Phase) string {
	switch p {
	case store.PhaseRead:
		return "reading the source"
	case store.PhaseMatch:
		return "matching"
	case store.PhaseExport:
		return "writing to the target"
	case store.PhaseDone:
		return "finishing"
	}
	return string(p)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
