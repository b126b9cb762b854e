package engine

import (
	"encoding/json"
	"fmt"
	"time"

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
type step struct {
	Name        string            `json:"name"`
	Type        string            `json:"provisioningStepType"`
	Status      string            `json:"status"`
	Description string            `json:"description"`
	Details     map[string]string `json:"details"`
}

type logIdentity struct {
	ID           string            `json:"id"`
	DisplayName  string            `json:"displayName"`
	IdentityType string            `json:"identityType,omitempty"`
	Details      map[string]string `json:"details,omitempty"`
}

type logInitiator struct {
	ID            string `json:"id"`
	DisplayName   string `json:"displayName"`
	InitiatorType string `json:"initiatorType"`
}

type logError struct {
	ErrorCode         string `json:"errorCode"`
	Reason            string `json:"reason"`
	AdditionalDetails string `json:"additionalDetails,omitempty"`
	ErrorCategory     string `json:"errorCategory"`
	RecommendedAction string `json:"recommendedAction,omitempty"`
}

type logStatus struct {
	Status           string    `json:"status"`
	ErrorInformation *logError `json:"errorInformation"`
}

type logProperty struct {
	DisplayName string `json:"displayName"`
	OldValue    any    `json:"oldValue"`
	NewValue    any    `json:"newValue"`
}

// logDocument is a provisioningObjectSummary of Microsoft Graph (engine.R145).
type logDocument struct {
	ID                     string        `json:"id"`
	ActivityDateTime       time.Time     `json:"activityDateTime"`
	JobID                  string        `json:"jobId"`
	CycleID                string        `json:"cycleId"`
	ChangeID               string        `json:"changeId"`
	ProvisioningAction     string        `json:"provisioningAction"`
	DurationInMilliseconds int64         `json:"durationInMilliseconds"`
	InitiatedBy            logInitiator  `json:"initiatedBy"`
	ServicePrincipal       logIdentity   `json:"servicePrincipal"`
	SourceSystem           logIdentity   `json:"sourceSystem"`
	TargetSystem           logIdentity   `json:"targetSystem"`
	SourceIdentity         logIdentity   `json:"sourceIdentity"`
	TargetIdentity         logIdentity   `json:"targetIdentity"`
	StatusInfo             logStatus     `json:"provisioningStatusInfo"`
	ModifiedProperties     []logProperty `json:"modifiedProperties"`
	Steps                  []step        `json:"provisioningSteps"`
}

// record makes the log record of one object of a cycle.
func (c *cycle) record(r *rule, w store.WorkItem, t *task, o outcome) (store.LogRecord, error) {
	now := c.Now()
	id := c.NewID()
	action := logAction(o.action)
	doc := logDocument{ID: id, ActivityDateTime: now.UTC(), JobID: c.subject.Job.ID, CycleID: c.row.ID, ChangeID: c.NewID(),
		ProvisioningAction: action,
		InitiatedBy:        logInitiator{DisplayName: "Rollcall", InitiatorType: "system"},
		ServicePrincipal:   logIdentity{ID: c.subject.Job.ID, DisplayName: c.subject.Job.Name},
		SourceSystem:       logIdentity{ID: c.subject.Def.Source.Connector, DisplayName: c.subject.SourceName},
		TargetSystem:       logIdentity{ID: c.subject.Def.Target.Connector, DisplayName: c.subject.TargetName},
		SourceIdentity:     logIdentity{ID: w.Anchor, DisplayName: t.Name, IdentityType: string(r.def.From)},
		TargetIdentity:     logIdentity{ID: o.target, DisplayName: t.Name, IdentityType: string(r.def.To)},
		StatusInfo:         logStatus{Status: o.status},
		ModifiedProperties: []logProperty{},
		Steps:              append(c.stepsBefore(r, w, t), o.steps...),
	}
	if !o.began.IsZero() {
		doc.DurationInMilliseconds = now.Sub(o.began).Milliseconds()
	}
	if o.status != statusSuccess {
		doc.StatusInfo.ErrorInformation = &logError{ErrorCode: o.code, Reason: o.reason, ErrorCategory: "nonServiceFailure"}
	}
	for _, p := range o.props {
		doc.ModifiedProperties = append(doc.ModifiedProperties, logProperty{DisplayName: p.Name, OldValue: p.Old, NewValue: p.New})
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return store.LogRecord{}, fmt.Errorf("log record of %s: %w", w.Anchor, err)
	}
	return store.LogRecord{ID: id, JobID: c.subject.Job.ID, CycleID: c.row.ID, At: now, Action: action, Status: o.status, Rule: w.Rule,
		SourceID: w.Anchor, SourceName: t.Name, TargetID: o.target, ErrorCode: o.code, Doc: b}, nil
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
		Description: fmt.Sprintf("%s %q was read from %s", r.def.From, w.Anchor, c.subject.SourceName),
		Details:     map[string]string{"SourceAnchor": w.Anchor, "ReportableIdentifier": t.Name}}
	switch {
	case t.Gone:
		imported.Name = "EntryImportDelete"
		imported.Description = fmt.Sprintf("%s %q is no longer in %s", r.def.From, w.Anchor, c.subject.SourceName)
	case t.Prior == store.Unlinked || c.row.Type == store.Initial:
		imported.Name = "EntryImportAdd"
	}
	steps := []step{imported}
	if len(t.Scope) > 0 {
		s := step{Name: "EntrySynchronizationScoping", Type: "scoping", Status: statusSuccess, Description: "evaluated assignment and scoping filters", Details: map[string]string{}}
		for _, d := range t.Scope {
			s.Details[d.Key] = d.Value
		}
		steps = append(steps, s)
	}
	switch {
	case t.Matched != "":
		steps = append(steps, step{Name: "EntryImport", Type: "matching", Status: statusSuccess,
			Description: "found an account by " + t.Matched, Details: map[string]string{"JoiningProperty": t.Matched, "TargetAnchor": w.Target}})
	case len(t.Match) > 0 && t.Prior == store.Unlinked && !t.Failed:
		details := map[string]string{}
		for _, q := range t.Match {
			details["JoiningProperty"] = q.Attr + " " + q.Value
		}
		steps = append(steps, step{Name: "EntryImportObjectNotFound", Type: "matching", Status: statusSuccess,
			Description: "no account in the target has the joining value", Details: details})
	}
	for _, text := range t.Warn {
		steps = append(steps, step{Name: "EntrySynchronizationUpdate", Type: "referenceResolution", Status: statusWarning,
			Description: text, Details: map[string]string{"ErrorCode": codeUnresolved}})
	}
	process := step{Name: "EntrySynchronizationUpdate", Type: "processing", Status: statusSuccess, Description: t.Reason, Details: map[string]string{}}
	switch plan.Action(w.Action) {
	case plan.Create:
		process.Name = "EntrySynchronizationAdd"
	case plan.Delete, plan.StagedDelete:
		process.Name = "EntrySynchronizationDelete"
	case plan.Other, plan.None:
		process.Name, process.Status = "EntrySynchronizationSkip", statusSkipped
		process.Details["SkipReason"] = t.Code
		if t.Failed {
			process.Name, process.Status = "EntrySynchronizationError", statusFailure
			process.Details = map[string]string{"ErrorCode": t.Code}
		}
	case plan.Modify, plan.Enable, plan.Disable:
	}
	return append(steps, process)
}
