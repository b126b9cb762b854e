package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// OnceReport is what an on-demand run tells (engine.R127, R129). The JSON form is stable; its parts have the names of
// Microsoft Graph's provisionOnDemand.
type OnceReport struct {
	Job    string `json:"job"`
	DryRun bool   `json:"dryRun"`
	OnceResult
	Members  []OnceResult   `json:"members,omitempty"` // of a group
	Requests store.Requests `json:"requests"`          // calls to the target

	Warnings []string `json:"-"`
	Error    string   `json:"-"` // failure of the job
	Held     string   `json:"-"` // why deprovisioning was held, "" for not at all
}

// OnceResult is what became of one object.
type OnceResult struct {
	Rule                 string         `json:"rule"`
	Result               string         `json:"result"` // Success, Failure, Skipped or Warning
	Details              OnceError      `json:"details"`
	Action               string         `json:"action"` // Create, Update, Delete, Disable, StagedDelete or Other
	ChangeID             string         `json:"changeId"`
	StartTime            time.Time      `json:"startTime"`
	EndTime              time.Time      `json:"endTime"`
	ReportableIdentifier string         `json:"reportableIdentifier"`
	Steps                []OnceStep     `json:"provisioningSteps"`
	ModifiedProperties   []OnceProperty `json:"modifiedProperties"` // written, or attempted when the result is Failure
	StatusInfo           OnceStatus     `json:"statusInfo"`
	SourceIdentity       OnceIdentity   `json:"sourceIdentity"`
	TargetIdentity       OnceIdentity   `json:"targetIdentity"`
	SourceSystem         OnceSystem     `json:"sourceSystem"`
	TargetSystem         OnceSystem     `json:"targetSystem"`
}

// OnceError says why a result is no Success.
type OnceError struct {
	ErrorCode    string `json:"errorCode,omitempty"`
	ErrorMessage string `json:"errorMessage,omitempty"`
}

// OnceStep is one of the five steps of engine.R127, or a part of one: with several joining properties each is a step.
type OnceStep struct {
	Number      int               `json:"step"` // 1 test connection, 2 import, 3 scope, 4 match, 5 action
	Name        string            `json:"name"` // engine.R147
	Type        string            `json:"type"`
	Status      string            `json:"status"`
	Description string            `json:"description"`
	Timestamp   time.Time         `json:"timestamp"`
	Details     map[string]string `json:"details"`
	Lines       []OnceLine        `json:"-"` // the details for people, in order
}

// OnceLine is one detail of a step.
type OnceLine struct{ Name, Value string }

// OnceProperty is one attribute that was written (engine.R145).
type OnceProperty struct {
	DisplayName string `json:"displayName"`
	OldValue    any    `json:"oldValue"`
	NewValue    any    `json:"newValue"`
}

// OnceStatus is the outcome as the log has it.
type OnceStatus struct {
	Status            string `json:"status"`
	ErrorCode         string `json:"errorCode,omitempty"`
	Reason            string `json:"reason,omitempty"`
	AdditionalDetails string `json:"additionalDetails,omitempty"`
	ErrorCategory     string `json:"errorCategory,omitempty"`
	RecommendedAction string `json:"recommendedAction,omitempty"`
}

// OnceIdentity is an object of the source or the target.
type OnceIdentity struct {
	ID          string            `json:"id"`
	Type        string            `json:"type"`
	DisplayName string            `json:"displayName"`
	Details     map[string]string `json:"details"`
}

// OnceSystem is the source or the target.
type OnceSystem struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Details map[string]string `json:"details"`
}

// decision is what was decided about one object, before anything was sent.
type decision struct {
	found  Found
	rule   *rule
	item   store.WorkItem
	task   *task
	change plan.Change
}

// decided reads the decisions about the objects of a run from its work list.
func (c *cycle) decided(ctx context.Context, subjects []Found, told Report) ([]decision, error) {
	out := make([]decision, len(subjects))
	for i, f := range subjects {
		d := decision{found: f, rule: c.ruleNamed(f.Rule)}
		key := store.ObjectKey{Rule: f.Rule, Anchor: f.Anchor}
		if l, ok := c.solo.left[key]; ok {
			d.item, d.task = *l.item, l.task
			out[i] = d
			continue
		}
		items, err := c.work.WorkByAnchor(ctx, c.row.ID, f.Rule, []string{f.Anchor})
		if err != nil {
			return nil, fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
		}
		d.item = items[f.Anchor]
		if d.task, err = decodeTask(d.item); err != nil {
			return nil, err
		}
		if err := c.foresee(ctx, &d); err != nil {
			return nil, err
		}
		for _, ch := range told.Changes {
			if ch.Rule == f.Rule && ch.Source.ID == f.Anchor {
				d.change = ch
			}
		}
		out[i] = d
	}
	return out, nil
}

// foresee notes the references of an account to be created that have no account to point to; of existing accounts the
// cycle has noted them.
func (c *cycle) foresee(ctx context.Context, d *decision) error {
	if d.item.Action != string(plan.Create) {
		return nil
	}
	for _, v := range d.task.Values {
		m := &d.rule.set.Mappings[v.Index]
		if !m.IsReference() || v.Ignored {
			continue
		}
		accounts, err := c.standings(ctx, v.Refs)
		if err != nil {
			return err
		}
		for _, ref := range v.Refs {
			if s := accounts[ref]; !s.coming && (s.target == "" || !s.managed) && !(m.Def.MultiValued && ref.Kind == d.rule.def.From) {
				d.task.unresolved(d.item.ObjectKey, m.Target, ref)
			}
			if !m.Def.MultiValued {
				break
			}
		}
	}
	return nil
}

// unfinished is the result of an object that the run did not come to.
func (c *cycle) unfinished(f Found) OnceResult {
	return OnceResult{Rule: f.Rule, Action: "Other", ReportableIdentifier: cmp.Or(f.DisplayName, f.Anchor), StartTime: c.solo.began.UTC(), EndTime: c.Now().UTC(),
		Steps: []OnceStep{}, ModifiedProperties: []OnceProperty{},
		SourceIdentity: OnceIdentity{ID: f.Anchor, Type: string(f.Kind), DisplayName: f.DisplayName, Details: map[string]string{}},
		TargetIdentity: OnceIdentity{Details: map[string]string{}},
		SourceSystem:   OnceSystem{ID: c.subject.Def.Source.Connector, Name: c.subject.SourceName, Details: map[string]string{}},
		TargetSystem:   OnceSystem{ID: c.subject.Def.Target.Connector, Name: c.subject.TargetName, Details: map[string]string{}}}
}

// blame completes a report with a failure of the job: the step that it happened in is the last one.
func (c *cycle) blame(rep *OnceReport, f *jobFailure) {
	if rep.Rule == "" {
		rep.OnceResult = c.unfinished(Found{})
	}
	st := OnceStep{Number: 1, Name: "TestConnection", Type: "Import", Description: f.Error()}
	if f.reason == quarantineSource {
		st.Number, st.Name = 2, "EntryImport"
	}
	st.Status, st.Timestamp, st.Details = graphName(statusFailure), c.Now().UTC(), map[string]string{"ErrorCode": f.code()}
	rep.Steps = append(rep.Steps, st)
	rep.fail(statusFailure, f.code(), f.Error())
	rep.Error, rep.Requests, rep.Warnings = f.Error(), c.current().Requests, c.warnings
}

// fail sets the outcome of a result; status is that of a log record.
func (r *OnceResult) fail(status, code, reason string) {
	r.Result = graphName(status)
	r.StatusInfo = OnceStatus{Status: graphName(status)}
	if status == statusSuccess {
		return
	}
	r.Details = OnceError{ErrorCode: code, ErrorMessage: reason}
	r.StatusInfo.ErrorCode, r.StatusInfo.Reason, r.StatusInfo.ErrorCategory = code, reason, "nonServiceFailure"
}

// graphName gives a status or an action of the log as Graph's provisionOnDemand writes it.
func graphName(s string) string {
	switch s {
	case "", "other":
		return "Other"
	case "stageddelete":
		return "StagedDelete"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// result tells what became of one object. broken is the failure of the job that ended the run, nil for none.
func (c *cycle) result(ctx context.Context, d decision, broken *jobFailure) (OnceResult, error) {
	res := c.unfinished(d.found)
	res.ReportableIdentifier = d.task.Name
	res.SourceIdentity.DisplayName = d.task.Name
	res.TargetIdentity = OnceIdentity{ID: d.item.Target, Type: string(d.rule.def.To), DisplayName: d.task.Name, Details: map[string]string{}}
	docs, err := c.documents(ctx, d)
	if err != nil {
		return res, err
	}
	for _, p := range d.change.Properties { // as decided; what was really written takes their place
		res.ModifiedProperties = append(res.ModifiedProperties, OnceProperty{DisplayName: p.Name, OldValue: p.Old, NewValue: p.New})
	}
	status, code, reason := outlook(d.task, d.change.Action)
	action := logAction(d.change.Action)
	switch {
	case len(docs) > 0:
		status, code, reason = docs[0].outcome()
		action, res.ChangeID = docs[0].ProvisioningAction, docs[0].ChangeID
		res.TargetIdentity.ID = cmp.Or(docs[0].TargetIdentity.ID, res.TargetIdentity.ID)
		var props []OnceProperty
		for _, doc := range docs {
			props = append(props, doc.ModifiedProperties...)
			if s, cd, rs := doc.outcome(); s == statusFailure || s == statusWarning && status == statusSuccess {
				status, code, reason = s, cd, rs
			}
		}
		if status != statusFailure {
			res.ModifiedProperties = append([]OnceProperty{}, props...)
		}
	case broken != nil:
		status, code, reason = statusFailure, broken.code(), broken.Error()
	}
	res.Action = graphName(action)
	res.fail(status, code, reason)
	res.Steps = append(res.Steps, c.importStep(d), c.scopeStep(d))
	res.Steps = append(res.Steps, c.matchSteps(d)...)
	res.Steps = append(res.Steps, c.actionSteps(d, &res, docs)...)
	res.EndTime = c.Now().UTC()
	return res, nil
}

// outlook is the outcome that a decision will have if nothing goes wrong.
func outlook(t *task, a plan.Action) (status, code, reason string) {
	switch {
	case t.Failed:
		return statusFailure, t.Code, t.Reason
	case a == plan.StagedDelete:
		return statusSkipped, string(plan.StagedDelete), t.Reason
	case len(t.Warn) > 0:
		return statusWarning, codeUnresolved, t.Warn[0]
	case a == plan.None:
		return statusSkipped, codeRedundant, textRedundant
	case a == plan.Other, a == "":
		return statusSkipped, t.Code, t.Reason
	}
	return statusSuccess, "", ""
}

// logDocument is what is read of a log record.
type logDocument struct {
	ChangeID           string `json:"changeId"`
	ProvisioningAction string `json:"provisioningAction"`
	TargetIdentity     struct {
		ID string `json:"id"`
	} `json:"targetIdentity"`
	StatusInfo struct {
		Status           string `json:"status"`
		ErrorInformation *struct {
			ErrorCode string `json:"errorCode"`
			Reason    string `json:"reason"`
		} `json:"errorInformation"`
	} `json:"provisioningStatusInfo"`
	ModifiedProperties []OnceProperty `json:"modifiedProperties"`
	Steps              []struct {
		Name        string            `json:"name"`
		Type        string            `json:"provisioningStepType"`
		Status      string            `json:"status"`
		Description string            `json:"description"`
		Details     map[string]string `json:"details"`
	} `json:"provisioningSteps"`
}

// readRecord reads a record, be it from the store or just made.
func readRecord(rec store.LogRecord) (doc logDocument, err error) {
	text, err := rec.JSON()
	if err == nil {
		err = json.Unmarshal(text, &doc)
	}
	if err != nil {
		return doc, fmt.Errorf("log record %s: %w", rec.ID, err)
	}
	return doc, nil
}

// textRedundant explains RedundantExport (engine.R26).
const textRedundant = "nothing to write: the account is as it should be"

func (doc *logDocument) outcome() (status, code, reason string) {
	if e := doc.StatusInfo.ErrorInformation; e != nil {
		code, reason = e.ErrorCode, e.Reason
	}
	if code == codeRedundant {
		reason = textRedundant
	}
	return doc.StatusInfo.Status, code, reason
}

// documents returns the log records that the run wrote about an object. Who is not in the source has been left alone,
// which leaves a record of its own.
func (c *cycle) documents(ctx context.Context, d decision) ([]logDocument, error) {
	key := store.ObjectKey{Rule: d.found.Rule, Anchor: d.found.Anchor}
	if _, ok := c.solo.left[key]; ok && !c.dry {
		rec := c.record(d.rule, d.item, d.task, outcome{action: plan.Other, status: statusSkipped, code: d.task.Code, reason: d.task.Reason, target: d.item.Target})
		if err := c.commit(ctx, &store.Batch{Log: []store.LogRecord{rec}}); err != nil {
			return nil, err
		}
	}
	var docs []logDocument
	for _, rec := range c.solo.logs {
		if rec.Rule != key.Rule || rec.SourceID != key.Anchor {
			continue
		}
		doc, err := readRecord(rec)
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}
