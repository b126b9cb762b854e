package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// savedVersion is the version of the form of saved plans that this program writes and reads.
const savedVersion = 1

// SavedPlan is a plan as a file keeps it, to be carried out exactly or not at all (design D5). It holds the values that
// the plan shows, and no secret: what a mapping redacts is not in it.
type SavedPlan struct {
	Version   int               `json:"version"`
	ID        string            `json:"id"`
	Job       string            `json:"job"`
	FileHash  string            `json:"fileHash"` // what the job's app file meant
	Schema    int64             `json:"schema"`   // version of the job's saved schema
	Made      time.Time         `json:"made"`     // also the clock of expressions when it is carried out
	Type      store.CycleType   `json:"type"`
	Initial   bool              `json:"initial"`   // it was asked for an initial cycle
	Reconcile bool              `json:"reconcile"` // the target's accounts are compared, too
	Held      string            `json:"held"`
	Counts    store.Counts      `json:"counts"`
	Requests  Estimate          `json:"requests"`
	Changes   []json.RawMessage `json:"changes"` // as in the report
	Hash      string            `json:"hash"`    // SHA-256, in hexadecimal, over all the rest
}

// PlanRefused says that a saved plan is not carried out, because what it stands on has changed. Nothing was written to
// the target.
type PlanRefused struct{ Differences []string }

// Error lists what differs.
func (e *PlanRefused) Error() string {
	return "the plan is not carried out, and nothing was written, because what it stands on has changed:\n  " + strings.Join(e.Differences, "\n  ")
}

// ErrPlanApplied is the cause when a saved plan was carried out before.
var ErrPlanApplied = errors.New("the plan was carried out already")

// ErrBadPlan is the cause when a file is no saved plan of this version, or was changed after it was written.
var ErrBadPlan = errors.New("not a saved plan as `rollcall plan --out` writes it")

// SavePlan plans a cycle and returns the plan in the form that is kept. fileHash stands for the app file that s was made
// of.
func (e *Engine) SavePlan(ctx context.Context, s Subject, opt Options, fileHash string) (*SavedPlan, Report, error) {
	opt.At = e.Now().UTC()
	p := &SavedPlan{Version: savedVersion, ID: e.NewID(), Job: s.Job.Name, FileHash: fileHash, Schema: s.Job.Version, Made: opt.At,
		Type: store.Incremental, Initial: opt.Initial, Reconcile: (&cycle{Engine: e, subject: s, opt: opt}).reconcileDue()}
	if s.Job.InitialDue || opt.Initial {
		p.Type = store.Initial
	}
	rep, err := e.Plan(ctx, s, opt)
	if err != nil {
		return nil, rep, err
	}
	p.Held, p.Counts, p.Requests = rep.Held, rep.Counts, rep.Requests
	p.Changes = make([]json.RawMessage, len(rep.Changes))
	for i, ch := range rep.Changes {
		if p.Changes[i], err = json.Marshal(ch); err != nil {
			return nil, rep, fmt.Errorf("save the plan: %s %s: %w", ch.Rule, ch.Source.ID, err)
		}
	}
	p.Hash, err = p.sum()
	return p, rep, err
}

// sum is the hash over everything but itself.
func (p *SavedPlan) sum() (string, error) {
	all := *p
	all.Hash = ""
	b, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("hash the plan: %w", err)
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:]), nil
}

// ReadPlan reads what a saved plan's file holds. The error is ErrBadPlan when it is anything else.
func ReadPlan(data []byte) (*SavedPlan, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadPlan, err)
	}
	if head.Version != savedVersion {
		return nil, fmt.Errorf("%w: its version is %d, this program reads %d; make the plan again", ErrBadPlan, head.Version, savedVersion)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	p := new(SavedPlan)
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadPlan, err)
	}
	sum, err := p.sum()
	if err != nil {
		return nil, err
	}
	if sum != p.Hash || p.ID == "" {
		return nil, fmt.Errorf("%w: it was changed after it was written, its hash does not fit; make the plan again", ErrBadPlan)
	}
	return p, nil
}

// options are those of the cycle that carries the plan out.
func (p *SavedPlan) options(opt Options) Options {
	opt.Initial, opt.Reconcile, opt.At = p.Initial, p.Reconcile, p.Made
	return opt
}

// mayApply checks before anything is read whether a saved plan can be carried out; nil also when the plan's own cycle was
// interrupted while it wrote and goes on. last is the job's newest cycle.
func (e *Engine) mayApply(ctx context.Context, j store.Job, p *SavedPlan, last []store.Cycle) error {
	done, err := e.Store.CycleOfPlan(ctx, p.ID)
	switch {
	case err == nil && done.State == store.Running && len(last) == 1 && last[0].ID == done.ID:
		return nil
	case err == nil:
		return fmt.Errorf("job %s: %w, by cycle %s at %s; make another plan", j.Name, ErrPlanApplied, done.ID, done.Began.Format(time.RFC3339))
	case !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("job %s: look for a cycle of the plan: %w", j.Name, err)
	}
	var differ []string
	if !strings.EqualFold(j.Name, p.Job) {
		differ = append(differ, fmt.Sprintf("the job: the plan is for %s, not for %s", p.Job, j.Name))
	}
	if j.FileHash != p.FileHash || j.Version != p.Schema {
		differ = append(differ, "the app file: the job's mappings or settings are not those of the plan")
	}
	if len(last) == 1 && last[0].State == store.Running && !forPlan(last[0]) {
		differ = append(differ, fmt.Sprintf("the state: cycle %s was interrupted and has not ended; `rollcall run` carries it to its end", last[0].ID))
	}
	want := store.Incremental
	if j.InitialDue || p.Initial {
		want = store.Initial
	}
	if want != p.Type {
		differ = append(differ, fmt.Sprintf("the state: the next cycle is %s, and the plan is for an %s one", want, p.Type))
	}
	if differ != nil {
		return &PlanRefused{Differences: differ}
	}
	return nil
}

// forPlan tells whether a cycle was begun for a saved plan and has not come as far as to carry it out.
func forPlan(row store.Cycle) bool {
	var m progressMark
	return row.Plan == "" && len(row.Checkpoint) > 0 && json.Unmarshal(row.Checkpoint, &m) == nil && m.ForPlan
}

// asPlanned holds the work list against the saved plan, before the first of it is carried out.
func (c *cycle) asPlanned(ctx context.Context) error {
	p := c.opt.Plan
	if p == nil {
		return nil
	}
	rep, err := c.describe(ctx)
	if err != nil {
		return err
	}
	differ, err := differences(p, rep)
	if err != nil {
		return err
	}
	if c.row.Type != p.Type {
		differ = append([]string{fmt.Sprintf("the source: the cycle became %s, and the plan is for an %s one", c.row.Type, p.Type)}, differ...)
	}
	if len(differ) > 0 {
		return &PlanRefused{Differences: differ}
	}
	c.row.Plan = p.ID // stored with the checkpoint that lets the export begin
	return nil
}

// plannedChange is a change as two plans are compared.
type plannedChange struct {
	Action     plan.Action   `json:"action"`
	Rule       string        `json:"rule"`
	Source     plan.Identity `json:"source"`
	Target     plan.TargetID `json:"target"`
	Reason     string        `json:"reason"`
	Properties []struct {
		Name string          `json:"name"`
		Old  json.RawMessage `json:"old"`
		New  json.RawMessage `json:"new"`
	} `json:"properties"`
}

func (c plannedChange) key() store.ObjectKey {
	return store.ObjectKey{Rule: c.Rule, Anchor: c.Source.ID}
}

func (c plannedChange) who() string {
	if c.Source.DisplayName == "" || c.Source.DisplayName == c.Source.ID {
		return c.Rule + " " + c.Source.ID
	}
	return c.Rule + " " + c.Source.ID + " (" + c.Source.DisplayName + ")"
}

// differences compares a saved plan with what a cycle would do now, and says in words what is not the same.
func differences(p *SavedPlan, now Report) ([]string, error) {
	was := map[store.ObjectKey]plannedChange{}
	for _, raw := range p.Changes {
		ch, err := decodeChange(raw)
		if err != nil {
			return nil, err
		}
		if ch.Action != plan.None {
			was[ch.key()] = ch
		}
	}
	var out []string
	for _, change := range now.Changes {
		raw, err := json.Marshal(change)
		if err != nil {
			return nil, fmt.Errorf("compare with the plan: %w", err)
		}
		is, err := decodeChange(raw)
		if err != nil {
			return nil, err
		}
		if is.Action == plan.None {
			continue
		}
		before, planned := was[is.key()]
		delete(was, is.key())
		switch {
		case !planned:
			out = append(out, fmt.Sprintf("%s: not in the plan, now %s: %s", is.who(), is.Action, is.Reason))
		case before.Action != is.Action:
			out = append(out, fmt.Sprintf("%s: planned %s, now %s: %s", is.who(), before.Action, is.Action, is.Reason))
		case before.Target != is.Target:
			out = append(out, fmt.Sprintf("%s: planned for account %q, now %q", is.who(), before.Target.ID, is.Target.ID))
		default:
			out = append(out, before.compare(is)...)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(was), func(a, b store.ObjectKey) int {
		return strings.Compare(a.Rule+"\x00"+a.Anchor, b.Rule+"\x00"+b.Anchor)
	}) {
		out = append(out, fmt.Sprintf("%s: planned %s, now nothing", was[key].who(), was[key].Action))
	}
	return out, nil
}

func decodeChange(raw []byte) (plannedChange, error) {
	var ch plannedChange
	if err := json.Unmarshal(raw, &ch); err != nil {
		return ch, fmt.Errorf("%w: a change: %w", ErrBadPlan, err)
	}
	return ch, nil
}

// compare says which properties of a change are other ones now.
func (c plannedChange) compare(is plannedChange) []string {
	text := func(ch plannedChange) []string {
		var out []string
		for _, p := range ch.Properties {
			out = append(out, fmt.Sprintf("%s: %s -> %s", p.Name, compact(p.Old), compact(p.New)))
		}
		slices.Sort(out)
		return out
	}
	was, now := text(c), text(is)
	var out []string
	for _, p := range was {
		if !slices.Contains(now, p) {
			out = append(out, fmt.Sprintf("%s: planned %s, not any more", is.who(), p))
		}
	}
	for _, p := range now {
		if !slices.Contains(was, p) {
			out = append(out, fmt.Sprintf("%s: not planned: %s", is.who(), p))
		}
	}
	return out
}

// compact is JSON without the blanks that a file has for people.
func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// refuse ends a cycle whose plan does not hold any more. The job's health is not touched.
func (c *cycle) refuse(ctx context.Context, refused *PlanRefused) error {
	c.row.State, c.row.Phase, c.row.Ended = store.Failed, store.PhaseDone, c.Now()
	c.row.ErrorCode, c.row.Error = "PlanRefused", fmt.Sprintf("the saved plan was not carried out: %d differences", len(refused.Differences))
	if err := c.commit(ctx, &store.Batch{Cycle: c.current()}); err != nil {
		return err
	}
	if err := c.Store.ClearWork(ctx, c.row.ID); err != nil {
		return fmt.Errorf("cycle %s: clear its work: %w", c.row.ID, err)
	}
	return refused
}

// clock is that of expressions: the time at which a saved plan was made, so that it comes to the same values.
func (c *cycle) clock() time.Time {
	if c.opt.At.IsZero() {
		return c.Now()
	}
	return c.opt.At
}
