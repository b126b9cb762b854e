package view

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Status is where a job stands (`rollcall status`). Codes, states and names are those of engine sections 2 and 15.
type Status struct {
	Job        JobName  `json:"job"`
	Code       string   `json:"code"` // NotConfigured, NotRun, Active, Paused or Quarantine
	Schedule   Schedule `json:"schedule"`
	InitialDue bool     `json:"initialDue"`

	FailedRuns    int64             `json:"countSuccessiveCompleteFailures"`
	EscrowsPruned bool              `json:"escrowsPruned"`
	Quarantine    *QuarantineStatus `json:"quarantine"`

	Running           *RunningCycle  `json:"running"`       // nil when no cycle is under way
	Progress          []Progressed   `json:"progress"`      // of the cycle under way
	LastCycle         *FinishedCycle `json:"lastCycle"`     // nil before the first has ended
	LastExecution     *Execution     `json:"lastExecution"` // the same as the reference service tells it
	LastSuccess       *Execution     `json:"lastSuccessfulExecution"`
	LastSuccessExport *Execution     `json:"lastSuccessfulExecutionWithExports"`
	SteadyFirst       *time.Time     `json:"steadyStateFirstAchievedTime"` // when nothing was left to do for the first time
	SteadyLast        *time.Time     `json:"steadyStateLastAchievedTime"`

	Entries            []EntryCount          `json:"synchronizedEntryCountByType"`
	TroubleshootingURL *string               `json:"troubleshootingUrl"` // always null; the reference service has one
	Objects            []RuleObjects         `json:"objects"`
	Warning            string                `json:"warning,omitempty"` // about the last cycle (engine.R110)
	Failed             int64                 `json:"failed"`            // objects that wait for a retry
	Escrows            Escrows               `json:"escrows"`
	Staged             int64                 `json:"staged"`     // operations the guard holds
	Drift              *store.Reconciliation `json:"drift"`      // what the last comparison with the target found, nil before the first
	Credential         *Credential           `json:"credential"` // nil for a target without one
	Site               *Site                 `json:"site"`       // nil for a target without a rate
	NextRun            *time.Time            `json:"nextRun"`    // nil for never; a time that is past means at once
	NextRunWhy         health.Why            `json:"nextRunReason"`
	due                bool
}

// Schedule says whether and how often a job runs (engine section 2).
type Schedule struct {
	State    string `json:"state"`    // Active, Disabled or Paused
	Interval string `json:"interval"` // ISO 8601
}

// QuarantineStatus is why a job is in quarantine (engine.R114).
type QuarantineStatus struct {
	Reason       string     `json:"reason"`
	Error        ErrorInfo  `json:"error"`
	SeriesBegan  time.Time  `json:"seriesBegan"`
	CurrentBegan time.Time  `json:"currentBegan"`
	SeriesCount  int        `json:"seriesCount"`
	NextAttempt  *time.Time `json:"nextAttempt"` // nil where cycles run at their usual interval, or not at all
}

// ErrorInfo is an error as the reference service tells it.
type ErrorInfo struct {
	Code       string `json:"code"`
	Message    string `json:"message"`
	Actionable bool   `json:"tenantActionable"` // the administrator can mend it
}

// Progressed is how far the cycle under way has come.
type Progressed struct {
	Completed int64  `json:"completedUnits"`
	Total     int64  `json:"totalUnits"`
	Units     string `json:"units"`
}

// Execution is a cycle that has ended, as the reference service tells it (engine.R138).
type Execution struct {
	ID            string           `json:"activityIdentifier"`
	State         store.CycleState `json:"state"`
	Began         time.Time        `json:"timeBegan"`
	Ended         time.Time        `json:"timeEnded"`
	Error         *ErrorInfo       `json:"error"`
	Entitled      int64            `json:"countEntitled"`
	InScope       int64            `json:"countEntitledForProvisioning"`
	Escrowed      int64            `json:"countEscrowed"`
	EscrowedRaw   int64            `json:"countEscrowedRaw"`
	Exports       int64            `json:"countExports"`
	Exported      int64            `json:"countExported"`
	Imported      int64            `json:"countImported"`
	ImportedDelta int64            `json:"countImportedDeltas"`
	ImportedRefs  int64            `json:"countImportedReferenceDeltas"`
}

// EntryCount is the number of linked objects of a source type.
type EntryCount struct {
	Key   string `json:"key"`
	Value int64  `json:"value"`
}

// Escrows tells when failed objects are tried again by scheduled cycles (engine.R103).
type Escrows struct {
	References int64     `json:"references"` // of them failures of managers and members (engine.R100)
	DueNow     int64     `json:"dueNow"`
	Next       []Attempt `json:"nextAttempts"` // the others, by the hour
}

// Attempt is when so many failed objects are tried again: within the hour that ends then.
type Attempt struct {
	At    time.Time `json:"at"`
	Count int64     `json:"count"`
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

// Credential is how long the credential of a job's target holds.
type Credential struct {
	State    health.CredentialState `json:"state"`    // unknown, valid, expiring or expired
	Expires  *time.Time             `json:"expires"`  // nil for unknown
	DaysLeft *int                   `json:"daysLeft"` // begun days; nil for unknown, 0 when it has expired
	From     string                 `json:"from"`     // who says so: setting, token, certificate or template; "" for nobody
	Since    *time.Time             `json:"since"`    // when it was first used
	Text     string                 `json:"message,omitempty"`
}

// NewCredential puts together what is known of a credential.
func NewCredential(c health.Credential, expires time.Time, from string, since time.Time) Credential {
	out := Credential{State: c.State, From: from, Since: instant(since)}
	if !expires.IsZero() {
		days := c.DaysLeft
		out.Expires, out.DaysLeft = instant(expires), &days
	}
	return out
}

// Site is the allowance of calls that a job's target gives, and who shares it (design D2).
type Site struct {
	Name   string          `json:"name"`
	Rate   string          `json:"rate"`        // N/s or N/min
	Used   int             `json:"used"`        // calls of the last minute that stand in the window; 0 for a rate per second
	Shared []engine.Sharer `json:"sharedWith"`  // other jobs
	Left   float64         `json:"minutesToGo"` // of the cycle under way, at this rate; 0 for none
}

// StatusInput is what a status is put together from.
type StatusInput struct {
	Job             store.Job
	Cycles          []store.Cycle // the newest, newest first
	Clean, Exported *store.Cycle  // the last one without failures, and the last one that wrote something; nil for none
	Tallies         []store.Tally
	Kinds           map[string]string // type of the source's objects, by rule
	Failed          []store.Escrow
	Staged          []store.Staged
	Interval        time.Duration
	Unconfigured    bool // a credential is missing
	Due             health.Due
	Credential      *Credential
	Site            *Site
	Now             time.Time
}

// NewStatus puts together what is known of a job.
func NewStatus(in StatusInput) Status {
	j := in.Job
	s := Status{
		Job:           JobName{ID: j.ID, Name: j.Name, Template: j.Template},
		Schedule:      Schedule{State: "Active", Interval: isoDuration(in.Interval)},
		InitialDue:    j.InitialDue,
		FailedRuns:    j.FailedRuns,
		EscrowsPruned: j.Pruned,
		Quarantine:    quarantineStatus(j.Quarantine),
		Progress:      []Progressed{},
		LastSuccess:   execution(in.Clean), LastSuccessExport: execution(in.Exported),
		SteadyFirst: instant(j.SteadyFirst),
		SteadyLast:  instant(j.SteadyLast),
		Entries:     entryCounts(in.Tallies, in.Kinds),
		Objects:     ruleObjects(in.Tallies),
		Failed:      int64(len(in.Failed)),
		Escrows:     escrows(in.Failed, in.Now),
		Staged:      int64(len(in.Staged)),
		NextRun:     instant(in.Due.At),
		NextRunWhy:  in.Due.Why,
		due:         !in.Due.At.IsZero() && !in.Due.At.After(in.Now),
		Drift:       j.Reconciled,
		Credential:  in.Credential,
		Site:        in.Site,
	}
	for _, c := range in.Cycles {
		switch {
		case c.State == store.Running && s.Running == nil:
			s.Running = &RunningCycle{ID: c.ID, Type: c.Type, Phase: c.Phase, Began: utc(c.Began), Planned: c.Planned, Done: c.Done}
			s.Progress = append(s.Progress, Progressed{Completed: c.Done, Total: c.Planned, Units: "objects"})
		case c.State != store.Running && s.LastCycle == nil:
			if c.Requests.ByMethod == nil {
				c.Requests.ByMethod = map[string]int64{}
			}
			s.LastCycle = &FinishedCycle{ID: c.ID, Type: c.Type, State: c.State, Began: utc(c.Began), Ended: utc(c.Ended),
				Counts: c.Counts, Requests: c.Requests, Error: c.Error}
			s.LastExecution = execution(&c)
			s.Warning = health.Warning(s.LastExecution.Escrowed, s.LastExecution.Exported)
		}
	}
	switch {
	case j.Disabled:
		s.Schedule.State = "Disabled"
	case j.Paused:
		s.Schedule.State = "Paused"
	}
	switch {
	case j.Paused:
		s.Code = "Paused"
	case j.Quarantine != nil:
		s.Code = "Quarantine"
	case s.LastCycle == nil && s.Running == nil && in.Unconfigured:
		s.Code = "NotConfigured"
	case s.LastCycle == nil:
		s.Code = "NotRun"
	default:
		s.Code = "Active"
	}
	return s
}

func quarantineStatus(q *store.Quarantine) *QuarantineStatus {
	if q == nil {
		return nil
	}
	return &QuarantineStatus{Reason: q.Reason, Error: ErrorInfo{Code: cmp.Or(q.Code, q.Reason), Message: q.Message, Actionable: true},
		SeriesBegan: utc(q.SeriesBegan), CurrentBegan: utc(q.CurrentBegan), SeriesCount: q.SeriesCount, NextAttempt: instant(q.NextAttempt)}
}

func execution(c *store.Cycle) *Execution {
	if c == nil {
		return nil
	}
	n := c.Counts
	e := &Execution{ID: c.ID, State: c.State, Began: utc(c.Began), Ended: utc(c.Ended), Entitled: n.InScope, InScope: n.InScope,
		Escrowed: n.Failed, EscrowedRaw: n.Failed, Exports: c.Planned, Exported: n.Created + n.Updated + n.Enabled + n.Disabled + n.Deleted,
		Imported: n.Imported}
	if c.Type == store.Incremental {
		e.ImportedDelta = n.Imported
	}
	if c.Error != "" {
		e.Error = &ErrorInfo{Code: c.ErrorCode, Message: c.Error, Actionable: true}
	}
	return e
}

func entryCounts(tallies []store.Tally, kinds map[string]string) []EntryCount {
	out := []EntryCount{}
	for _, t := range tallies {
		if t.State == store.Unlinked {
			continue
		}
		key := cmp.Or(kinds[t.Rule], t.Rule)
		i := slices.IndexFunc(out, func(e EntryCount) bool { return e.Key == key })
		if i < 0 {
			i = len(out)
			out = append(out, EntryCount{Key: key})
		}
		out[i].Value += t.N
	}
	slices.SortFunc(out, func(a, b EntryCount) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

func escrows(failed []store.Escrow, now time.Time) Escrows {
	out := Escrows{Next: []Attempt{}}
	byHour := map[time.Time]int64{}
	for _, e := range failed {
		if e.Reference {
			out.References++
		}
		if !e.NextAttempt.After(now) {
			out.DueNow++
			continue
		}
		hour := utc(e.NextAttempt).Truncate(time.Hour)
		if hour.Before(e.NextAttempt) {
			hour = hour.Add(time.Hour)
		}
		byHour[hour]++
	}
	for at, n := range byHour {
		out.Next = append(out.Next, Attempt{At: at, Count: n})
	}
	slices.SortFunc(out.Next, func(a, b Attempt) int { return a.At.Compare(b.At) })
	return out
}

// isoDuration writes a duration as ISO 8601 does: PT40M.
func isoDuration(d time.Duration) string {
	text := ""
	if h := d / time.Hour; h > 0 {
		text += fmt.Sprintf("%dH", h)
	}
	if m := d % time.Hour / time.Minute; m > 0 {
		text += fmt.Sprintf("%dM", m)
	}
	if sec := d % time.Minute; sec > 0 || text == "" {
		text += strconv.FormatFloat(sec.Seconds(), 'f', -1, 64) + "S"
	}
	return "PT" + text
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
	text := s.Code
	if s.Schedule.State == "Disabled" {
		text += ", disabled"
	}
	if s.Running != nil && s.Schedule.State == "Active" {
		text += ", running"
	}
	if cr := s.Credential; cr != nil && (cr.State == health.CredentialExpired || cr.State == health.CredentialExpiring) {
		text += ", credential " + string(cr.State)
	}
	return text
}

func next(s Status) string {
	switch {
	case s.NextRun == nil:
		return "-"
	case s.due:
		return "due"
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
		t.Add("quarantine", strings.TrimSuffix(q.Reason+": "+q.Error.Message, ": "))
		text := "since " + Time(q.SeriesBegan)
		if q.NextAttempt != nil {
			text += ", next attempt " + Time(*q.NextAttempt)
		}
		t.Add("", text)
	}
	if s.EscrowsPruned {
		t.Add("pruned", "too many objects failed in the initial cycle: their failures were dropped; mend the cause, then `rollcall restart "+QuoteArg(s.Job.Name)+"`")
	}
	if c := s.Running; c != nil {
		text := fmt.Sprintf("%s, %s since %s", c.Type, phaseText(c.Phase), Duration(now.Sub(c.Began)))
		if c.Planned > 0 {
			text += fmt.Sprintf(", %s of %s done", Count(c.Done), Count(c.Planned))
		}
		if s.Site != nil && s.Site.Left > 0 {
			text += ", about " + minutes(s.Site.Left) + " to go at the target's rate"
		}
		t.Add("running", text)
	}
	if c := s.LastCycle; c != nil {
		t.Add("last cycle", fmt.Sprintf("%s, %s, ended %s ago, took %s", c.Type, c.State, Duration(now.Sub(c.Ended)), Duration(c.Ended.Sub(c.Began))))
		if c.Error != "" {
			t.Add("", c.Error)
		}
	}
	if s.Warning != "" {
		t.Add("warning", s.Warning)
	}
	t.Add("next cycle", nextText(s))
	if cr := s.Credential; cr != nil && cr.State != health.CredentialUnknown {
		text := cr.Text
		if text == "" {
			text = "holds until " + cr.Expires.Format(time.DateOnly)
		}
		t.Add("credential", text)
	}
	if s.Site != nil && (strings.HasSuffix(s.Site.Rate, "/min") || len(s.Site.Shared) > 0) {
		t.Add("rate", siteText(*s.Site))
	}
	if d := s.Drift; d != nil {
		t.Add("target", strings.TrimSuffix(drift(*d), ".")+", "+Duration(now.Sub(d.At))+" ago")
	}
	if s.Failed > 0 {
		t.Add("failed", Plural(s.Failed, "object")+"; see `rollcall logs "+QuoteArg(s.Job.Name)+" --status failure`")
		t.Add("", "tried again: "+attempts(s.Escrows))
	}
	if s.Staged > 0 {
		t.Add("held", Plural(s.Staged, "operation")+"; see `rollcall deletes list "+QuoteArg(s.Job.Name)+"`")
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

// siteText says how much of an allowance is used, and by whom.
func siteText(s Site) string {
	text := s.Rate + " at " + s.Name
	if s.Used > 0 {
		text += ", " + Plural(int64(s.Used), "call") + " of the last minute counted"
	}
	if shared := sharers(s.Shared); shared != "" {
		text += "; shared with " + shared
	}
	return text
}

// sharers names jobs, with what they have to go.
func sharers(list []engine.Sharer) string {
	parts := make([]string, len(list))
	for i, o := range list {
		parts[i] = o.Job
		if o.Left > 0 {
			parts[i] += " (" + Plural(o.Left, "object") + " to go)"
		}
	}
	return strings.Join(parts, ", ")
}

// minutes writes a number of minutes as a time span.
func minutes(n float64) string {
	return Duration(wholeSeconds(time.Duration(n * float64(time.Minute))))
}

// attempts tells when failed objects are tried again, the next few times of it.
func attempts(e Escrows) string {
	const shown = 3
	var parts []string
	if e.DueNow > 0 {
		parts = append(parts, Count(e.DueNow)+" in the next cycle")
	}
	var later int64
	for i, a := range e.Next {
		if i < shown {
			parts = append(parts, Count(a.Count)+" by "+Time(a.At))
		} else {
			later += a.Count
		}
	}
	if later > 0 {
		parts = append(parts, Count(later)+" later")
	}
	return strings.Join(parts, ", ") + "; a run by hand tries all of them"
}

func nextText(s Status) string {
	kind := "incremental"
	if s.InitialDue {
		kind = "initial"
	}
	switch name := QuoteArg(s.Job.Name); s.NextRunWhy {
	case health.WhyDisabled:
		return kind + ", not before `rollcall start " + name + "`: four weeks of quarantine have disabled the job"
	case health.WhyPaused:
		return kind + ", not before `rollcall start " + name + "`"
	case health.WhyInterrupted, health.WhyQuarantine, health.WhyFirst, health.WhyAsked, health.WhyInterval:
	}
	switch {
	case s.NextRun == nil:
		return kind + ", not scheduled"
	case s.due:
		return kind + ", due"
	}
	return kind + ", due " + Time(*s.NextRun)
}

func phaseText(p store.Phase) string {
	switch p {
	case store.PhaseList:
		return "comparing the target"
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
