package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/spool"
	"github.com/rollcall-id/rollcall/internal/store"
)

// What an explanation stands on.
const (
	BasisState  = "state"  // what is stored of the object
	BasisLog    = "log"    // the provisioning log
	BasisSource = "source" // the source was read just now, and the object evaluated again
)

// Explanation tells why somebody has, has not, or no longer has an account by one job. The JSON form is stable.
type Explanation struct {
	Job        string        `json:"job"`
	JobID      string        `json:"jobId"`
	Rule       string        `json:"rule"`
	Type       identity.Kind `json:"type"`
	Source     plan.Identity `json:"source"`
	Target     plan.TargetID `json:"target"`
	HasAccount bool          `json:"hasAccount"`
	State      string        `json:"state"`  // active, disabled, released, unlinked; unknown when the job has nothing about them
	Answer     []string      `json:"answer"` // plain sentences, the first answers the question
	Basis      []string      `json:"basis"`

	Scope      []ScopeLine      `json:"scope"` // conditions of the last evaluation (engine.R37)
	Confirmed  time.Time        `json:"confirmed,omitzero"`
	Failure    *PendingFailure  `json:"failure"`
	Held       *PendingTakeaway `json:"held"`
	Unresolved []PendingRef     `json:"unresolved"`
	Records    []Happening      `json:"records"` // newest first

	Incomplete bool `json:"-"` // reading the source could tell more
}

// ScopeLine is one condition of the scope.
type ScopeLine struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// PendingFailure is a stored failure that is tried again (engine.R103).
type PendingFailure struct {
	Code        string    `json:"errorCode"`
	Reason      string    `json:"reason"`
	Attempts    int       `json:"attempts"`
	FirstFailed time.Time `json:"firstFailed"`
	LastFailed  time.Time `json:"lastFailed"`
	NextAttempt time.Time `json:"nextAttempt"` // by a scheduled cycle; one that a person starts tries at once (design D17)
}

// PendingTakeaway is a delete or disable that the deletion guard holds.
type PendingTakeaway struct {
	Key     string    `json:"key"` // as `rollcall deletes allow` takes it
	Action  string    `json:"action"`
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since"`
	Allowed bool      `json:"allowed"`
}

// PendingRef is a reference that waits until its referent has an account.
type PendingRef struct {
	Attribute string        `json:"attribute"`
	Type      identity.Kind `json:"type"`
	ID        string        `json:"id"`
}

// Happening is a record of the provisioning log in short.
type Happening struct {
	At     time.Time `json:"at"`
	Action string    `json:"action"`
	Status string    `json:"status"`
	Code   string    `json:"errorCode,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Target string    `json:"targetId,omitempty"`
	Cycle  string    `json:"cycleId"`

	doc logDocument
}

// maxRecords is how many records of the log an explanation looks at.
const maxRecords = 20

// Explain tells why the objects that a key names have, have not, or no longer have an account: from the state and the
// log and, where these are not enough and the subject has a source, by reading the source. The key is a source anchor, the
// id of an account, a joining value or an e-mail address; one that names several gives several explanations, and one that
// the job knows nothing of an explanation that says so. Nothing is written, and the target is not asked.
func (e *Engine) Explain(ctx context.Context, s Subject, key, only string) ([]Explanation, error) {
	c, err := e.reader(s)
	if err != nil {
		return nil, err
	}
	basis := BasisState
	found, err := c.findInState(ctx, key, only)
	if err == nil && len(found) == 0 {
		basis = BasisLog
		found, err = c.findInLog(ctx, key, only)
	}
	if err == nil && len(found) == 0 && s.Source != nil {
		basis = BasisSource
		found, err = c.findInSource(ctx, key, only)
	}
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		x := explaining{cycle: c, out: c.stranger(key)}
		err := x.sayJob(ctx)
		return []Explanation{x.out}, err
	}
	var out []Explanation
	for _, f := range found[:min(len(found), 10)] {
		x := explaining{cycle: c, rule: c.ruleNamed(f.Rule), found: f}
		if err := x.gather(ctx); err != nil {
			return nil, err
		}
		if basis == BasisSource {
			x.stands(BasisSource)
		}
		if err := x.answer(ctx); err != nil {
			return nil, err
		}
		out = append(out, x.out)
	}
	return out, nil
}

// stranger is the explanation of somebody whom the job has nothing about.
func (c *cycle) stranger(key string) Explanation {
	x := c.blank()
	x.State = "unknown"
	x.Source.ID = key
	x.Answer = []string{fmt.Sprintf("%s has nothing about %q: no account, no failure and no record in its log.", c.subject.Job.Name, key)}
	if c.subject.Source != nil {
		x.Basis = append(x.Basis, BasisSource)
		x.Answer = append(x.Answer, fmt.Sprintf("Nor has its source, %s, anybody with this key, joining value or e-mail address.", c.subject.SourceName))
	} else {
		x.Incomplete = true
	}
	return x
}

func (c *cycle) blank() Explanation {
	return Explanation{Job: c.subject.Job.Name, JobID: c.subject.Job.ID, Answer: []string{}, Basis: []string{BasisState, BasisLog},
		Scope: []ScopeLine{}, Unresolved: []PendingRef{}, Records: []Happening{}}
}

// findInLog finds objects that the state has forgotten, by source anchor or account.
func (c *cycle) findInLog(ctx context.Context, key, only string) ([]Found, error) {
	recs, err := c.Store.Records(ctx, store.LogQuery{JobID: c.subject.Job.ID, Identity: key, Limit: 100})
	if err != nil {
		return nil, fmt.Errorf("job %s: read its log: %w", c.subject.Job.Name, err)
	}
	var out []Found
	for _, rec := range recs {
		r := c.ruleNamed(rec.Rule)
		if r == nil || only != "" && only != rec.Rule || rec.SourceID != key && rec.TargetID != key {
			continue
		}
		f := Found{Rule: rec.Rule, Kind: r.def.From, Anchor: rec.SourceID, By: byAnchor}
		if rec.SourceID != key {
			f.By = byAccount
		}
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out, nil
}

// explaining is an explanation under way.
type explaining struct {
	*cycle
	rule   *rule
	found  Found
	object store.Object
	known  bool
	out    Explanation
}

// stands notes what the explanation stands on beside state and log.
func (x *explaining) stands(basis string) {
	if !slices.Contains(x.out.Basis, basis) {
		x.out.Basis = append(x.out.Basis, basis)
	}
}

// gather reads everything that is stored about the object.
func (x *explaining) gather(ctx context.Context) error {
	key := store.ObjectKey{Rule: x.found.Rule, Anchor: x.found.Anchor}
	job := x.subject.Job.ID
	x.out = x.blank()
	x.out.Rule, x.out.Type, x.out.Source = key.Rule, x.found.Kind, plan.Identity{ID: key.Anchor, DisplayName: x.found.DisplayName}
	objects, err := x.Store.ObjectsByAnchor(ctx, job, key.Rule, []string{key.Anchor})
	if err != nil {
		return fmt.Errorf("rule %s: read known objects: %w", key.Rule, err)
	}
	x.object, x.known = objects[key.Anchor]
	x.out.State, x.out.Target.ID, x.out.HasAccount, x.out.Confirmed = stateName(x.object.State), x.object.Target, x.object.Target != "", x.object.Confirmed
	if !x.known {
		x.out.State = "unknown"
	}
	last, err := x.Store.Projections(ctx, job, key.Rule, []string{key.Anchor})
	if err != nil {
		return fmt.Errorf("rule %s: read last exported values: %w", key.Rule, err)
	}
	if name := last[key.Anchor].Name; name != "" {
		x.out.Source.DisplayName = name
	}
	if err := x.gatherPending(ctx, key); err != nil {
		return err
	}
	return x.gatherLog(ctx, key)
}

// gatherPending reads what waits: failures, held operations, references.
func (x *explaining) gatherPending(ctx context.Context, key store.ObjectKey) error {
	escrows, err := x.Store.Escrows(ctx, x.subject.Job.ID)
	if err != nil {
		return fmt.Errorf("job %s: read stored failures: %w", x.subject.Job.Name, err)
	}
	for _, e := range escrows {
		if e.ObjectKey == key {
			x.out.Failure = &PendingFailure{Code: e.Code, Reason: e.Reason, Attempts: e.Attempts, FirstFailed: e.FirstFailed, LastFailed: e.LastFailed, NextAttempt: e.NextAttempt}
			x.name(e.Name)
		}
	}
	staged, err := x.Store.Staged(ctx, x.subject.Job.ID)
	if err != nil {
		return fmt.Errorf("job %s: read held operations: %w", x.subject.Job.Name, err)
	}
	for _, s := range staged {
		if s.ObjectKey == key {
			x.out.Held = &PendingTakeaway{Key: s.Rule + ":" + s.Anchor, Action: s.Action, Reason: s.Reason, Since: s.StagedAt, Allowed: s.Allowed}
			x.name(s.Name)
		}
	}
	waiting, err := x.Store.UnresolvedOf(ctx, x.subject.Job.ID, key)
	if err != nil {
		return fmt.Errorf("rule %s: read unresolved references of %q: %w", key.Rule, key.Anchor, err)
	}
	for _, u := range waiting {
		if strings.HasPrefix(u.Attr, was) { // nobody has to wait for it: the account that is lost is told by the log
			continue
		}
		x.out.Unresolved = append(x.out.Unresolved, PendingRef{Attribute: u.Attr, Type: u.Ref.Kind, ID: u.Ref.Anchor})
	}
	return nil
}

// gatherLog reads the last records, and the conditions of the scope from the newest that has them.
func (x *explaining) gatherLog(ctx context.Context, key store.ObjectKey) error {
	recs, err := x.Store.Records(ctx, store.LogQuery{JobID: x.subject.Job.ID, Source: key.Anchor, Limit: 2 * maxRecords})
	if err != nil {
		return fmt.Errorf("job %s: read its log: %w", x.subject.Job.Name, err)
	}
	for _, rec := range recs {
		if rec.Rule != key.Rule || len(x.out.Records) == maxRecords {
			continue
		}
		h := Happening{At: rec.At, Action: rec.Action, Status: rec.Status, Code: rec.ErrorCode, Target: rec.TargetID, Cycle: rec.CycleID}
		if h.doc, err = readRecord(rec); err != nil {
			return err
		}
		h.Reason = h.doc.because()
		x.name(rec.SourceName)
		x.out.Records = append(x.out.Records, h)
	}
	for _, h := range x.out.Records {
		for _, s := range h.doc.Steps {
			if s.Type == "scoping" && len(x.out.Scope) == 0 {
				x.out.Scope = scopeLines(s.Details)
			}
		}
	}
	return nil
}

// because is the reason that a record gives: of its error, else of its last step that says one.
func (doc *logDocument) because() string {
	if e := doc.StatusInfo.ErrorInformation; e != nil && e.Reason != "" {
		return e.Reason
	}
	for i := len(doc.Steps) - 1; i >= 0; i-- {
		if s := doc.Steps[i]; s.Type == "processing" {
			return s.Description
		}
	}
	return ""
}

// scopeLines puts the conditions of a log step into the order of engine.R37, the clauses of the filter last.
func scopeLines(details map[string]string) []ScopeLine {
	out := []ScopeLine{}
	first := []string{"Active in source system", "Assigned to application", "User has required role", "Scope sync all"}
	for _, name := range first {
		if v, ok := details[name]; ok {
			out = append(out, ScopeLine{name, v})
		}
	}
	var clauses []string
	for name := range details {
		if !slices.Contains(first, name) {
			clauses = append(clauses, name)
		}
	}
	slices.Sort(clauses)
	for _, name := range clauses {
		out = append(out, ScopeLine{name, details[name]})
	}
	return out
}

// name takes a display name when none is known yet.
func (x *explaining) name(n string) {
	if x.out.Source.DisplayName == "" {
		x.out.Source.DisplayName = n
	}
}

// evaluateNow reads the object from the source and evaluates it as a cycle would, up to the point where the target would
// be asked. It returns what would come of it in words.
func (x *explaining) evaluateNow(ctx context.Context) (string, error) {
	item, err := x.readOne(ctx, x.rule, x.found.Anchor)
	if err != nil {
		return "", err
	}
	x.stands(BasisSource)
	switch {
	case item.Err != nil:
		return "their record in the source cannot be read: " + connector.AsError(item.Err).Error(), nil //nolint:nilerr // it is the answer
	case item.Gone || item.Object == nil:
		return fmt.Sprintf("the source, %s, does not have them", x.subject.SourceName), nil
	}
	payload := item.Object.Append(nil, x.rule.used)
	was := store.Object{ObjectKey: store.ObjectKey{Rule: x.found.Rule, Anchor: x.found.Anchor}}
	_, t, err := (&block{cycle: x.cycle, rule: x.rule}).evaluate(candidate{known: was, payload: payload, hash: spool.Hash(x.rule.seed, payload)}, nil)
	if err != nil {
		return "", err
	}
	x.name(t.Name)
	x.out.Scope = x.out.Scope[:0]
	for _, d := range t.Scope {
		x.out.Scope = append(x.out.Scope, ScopeLine{d.Key, d.Value})
	}
	x.clauseValues(item.Object)
	if len(t.Match) > 0 {
		return fmt.Sprintf("in scope; the next cycle looks for an account with %s %q, and makes one if there is none", t.Match[0].Attr, t.Match[0].Value), nil
	}
	return t.Reason, nil
}

// clauseValues adds to the clauses of the filter the values that they were compared with.
func (x *explaining) clauseValues(o *identity.Object) {
	d, err := x.rule.filter.Evaluate(mapping.View(o))
	if err != nil { // evaluation has said so already
		return
	}
	for _, g := range d.Groups {
		for _, cl := range g.Clauses {
			name := strings.TrimSpace(g.Name + " " + clause(cl))
			for i := range x.out.Scope {
				if line := &x.out.Scope[i]; line.Name == name {
					line.Value = yesNo(cl.Holds) + ", no value"
					if cl.Value != nil {
						line.Value = fmt.Sprintf("%s, the value is %q", yesNo(cl.Holds), plainText(cl.Value))
					}
				}
			}
		}
	}
}
