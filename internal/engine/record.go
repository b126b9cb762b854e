package engine

import (
	"fmt"
	"strconv"

	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Statuses of a log record (engine.R145).
const (
	statusSuccess = "success"
	statusFailure = "failure"
	statusSkipped = "skipped"
	statusWarning = "warning"
)

// step is one provisioning step (engine.R146).
type step = store.LogStep

// record makes the log record of one object of a cycle.
func (c *cycle) record(r *rule, w store.WorkItem, t *task, o outcome) store.LogRecord {
	return c.recordSteps(r, w, t, o, append(c.stepsBefore(r, w, t), o.steps...))
}

// recordSteps makes a log record with the steps given.
func (c *cycle) recordSteps(r *rule, w store.WorkItem, t *task, o outcome, steps []step) store.LogRecord {
	rec := store.LogRecord{ID: c.NewID(), JobID: c.subject.Job.ID, CycleID: c.row.ID, At: c.Now(), Action: logAction(o.action), Status: o.status,
		Rule: w.Rule, SourceID: w.Anchor, SourceName: t.Name, TargetID: o.target, ErrorCode: o.code}
	d := store.LogDetails{ChangeID: c.NewID(), JobName: c.subject.Job.Name, By: c.solo.initiator(),
		Source: store.LogEnd{ID: c.subject.Def.Source.Connector, Name: c.subject.SourceName, Type: string(r.def.From)},
		Target: store.LogEnd{ID: c.subject.Def.Target.Connector, Name: c.subject.TargetName, Type: string(r.def.To)},
		Steps:  steps}
	if !o.began.IsZero() {
		d.Took = rec.At.Sub(o.began)
	}
	if o.status != statusSuccess {
		d.Reason = o.reason
	}
	d.Properties = make([]store.LogProperty, len(o.props))
	for i, p := range o.props {
		d.Properties[i] = store.LogProperty{DisplayName: p.Name, OldValue: p.Old, NewValue: p.New}
	}
	rec.Doc = d.Pack()
	return rec
}

// logAction gives the name of an action in the log (engine.R145): an enable is an update there.
func logAction(a plan.Action) string {
	switch a {
	case plan.Enable:
		return string(plan.Modify)
	case plan.StagedDelete:
		return "stageddelete"
	case plan.None:
		return string(plan.Other)
	case plan.Create, plan.Modify, plan.Disable, plan.Delete, plan.Other:
	}
	return string(a)
}

// stepsBefore are the steps up to the export, in the order of execution (engine.R147).
func (c *cycle) stepsBefore(r *rule, w store.WorkItem, t *task) []step {
	imported := step{Name: "EntryImportUpdate", Type: "import", Status: statusSuccess,
		Description: string(r.def.From) + " " + strconv.Quote(w.Anchor) + " was read from " + c.subject.SourceName,
		Details:     store.LogFigures{{Key: "SourceAnchor", Value: w.Anchor}, {Key: "ReportableIdentifier", Value: t.Name}}}
	switch {
	case t.Undo != nil:
		imported.Description = fmt.Sprintf("what cycle %s wrote to %s was read from the log", t.Undo.Cycle, c.subject.TargetName)
	case t.Gone:
		imported.Name = "EntryImportDelete"
		imported.Description = fmt.Sprintf("%s %q is no longer in %s", r.def.From, w.Anchor, c.subject.SourceName)
	case t.Prior == store.Unlinked || c.row.Type == store.Initial:
		imported.Name = "EntryImportAdd"
	}
	steps := append(make([]step, 0, 6), imported) // as many as a create has
	if len(t.Scope) > 0 {
		steps = append(steps, step{Name: "EntrySynchronizationScoping", Type: "scoping", Status: statusSuccess, Description: "evaluated assignment and scoping filters", Details: t.Scope})
	}
	switch {
	case t.Matched != "":
		steps = append(steps, step{Name: "EntryImport", Type: "matching", Status: statusSuccess,
			Description: "found an account by " + t.Matched, Details: store.LogFigures{{Key: "JoiningProperty", Value: t.Matched}, {Key: "TargetAnchor", Value: w.Target}}})
	case len(t.Match) > 0 && t.Prior == store.Unlinked && !t.Failed:
		last := t.Match[len(t.Match)-1]
		steps = append(steps, step{Name: "EntryImportObjectNotFound", Type: "matching", Status: statusSuccess,
			Description: "no account in the target has the joining value",
			Details:     store.LogFigures{{Key: "JoiningProperty", Value: last.Attr + " " + last.Value}}})
	}
	if len(t.Drift) > 0 {
		s := step{Name: "EntryImport", Type: "import", Status: statusWarning, Description: t.driftWords()}
		for _, p := range driftProperties(r.set, t.Drift) {
			s.Details = append(s.Details, store.LogFigure{Key: p.Name, Value: fmt.Sprintf("%v instead of %v", orNothing(p.New), orNothing(p.Old))})
		}
		steps = append(steps, s)
	}
	for _, text := range t.Warn {
		steps = append(steps, step{Name: "EntrySynchronizationUpdate", Type: "referenceResolution", Status: statusWarning,
			Description: text, Details: store.LogFigures{{Key: "ErrorCode", Value: codeUnresolved}}})
	}
	process := step{Name: "EntrySynchronizationUpdate", Type: "processing", Status: statusSuccess, Description: t.Reason}
	switch plan.Action(w.Action) {
	case plan.Create:
		process.Name = "EntrySynchronizationAdd"
	case plan.Delete, plan.StagedDelete:
		process.Name = "EntrySynchronizationDelete"
	case plan.Other, plan.None:
		process.Name, process.Status = "EntrySynchronizationSkip", statusSkipped
		process.Details = store.LogFigures{{Key: "SkipReason", Value: t.Code}}
		if t.Failed {
			process.Name, process.Status = "EntrySynchronizationError", statusFailure
			process.Details = store.LogFigures{{Key: "ErrorCode", Value: t.Code}}
		}
	case plan.Modify, plan.Enable, plan.Disable:
	}
	return append(steps, process)
}

// orNothing puts a word in place of a value that is not there.
func orNothing(v any) any {
	if v == nil {
		return "nothing"
	}
	return v
}
