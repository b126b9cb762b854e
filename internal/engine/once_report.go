package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
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

func (c *cycle) newStep(d decision, number int, name, kind, status, text string) OnceStep {
	at := c.Now()
	if times := c.solo.times[d.item.ObjectKey]; number < len(times) {
		at = times[number]
	}
	return OnceStep{Number: number, Name: name, Type: kind, Status: graphName(status), Description: text, Timestamp: at.UTC(), Details: map[string]string{}}
}

// add adds a detail under one name for programs and people.
func (s *OnceStep) add(name, value string) {
	s.Details[name] = value
	s.Lines = append(s.Lines, OnceLine{name, value})
}

// importStep shows what was read from the source. An attribute that goes into a value that the log may not show is not
// shown either (engine.R71).
func (c *cycle) importStep(d decision) OnceStep {
	kind := strings.ToLower(string(d.found.Kind))
	o := c.solo.seen[d.item.ObjectKey]
	switch {
	case o == nil && !d.task.Failed:
		s := c.newStep(d, 2, "EntryImportDelete", "Import", statusSkipped, fmt.Sprintf("%s %q is not in %s", kind, d.found.Anchor, c.subject.SourceName))
		s.Details["SourceAnchor"] = d.found.Anchor
		return s
	case o == nil:
		s := c.newStep(d, 2, "EntryImport", "Import", statusFailure, d.task.Reason)
		s.Details["SourceAnchor"], s.Details["ErrorCode"] = d.found.Anchor, d.task.Code
		return s
	}
	name := "EntryImportUpdate"
	if d.task.Prior == store.Unlinked {
		name = "EntryImportAdd"
	}
	s := c.newStep(d, 2, name, "Import", statusSuccess, fmt.Sprintf("%s %q was read from %s", kind, d.found.Anchor, c.subject.SourceName))
	s.Details["SourceAnchor"], s.Details["ReportableIdentifier"] = d.found.Anchor, d.task.Name
	for _, attr := range d.rule.used {
		v, ok := o.Get(attr)
		if !ok || v == nil {
			continue
		}
		text := shownSource(v)
		if slices.ContainsFunc(d.rule.set.Mappings, func(m mapping.Mapping) bool { return m.Redacted && m.Uses(attr) }) {
			text = "[Redact]"
		}
		s.add(attr, text)
	}
	return s
}

// shownSource writes a value of the source; long lists are cut, since a group may have very many members.
func shownSource(v any) string {
	const most = 20
	list, ok := v.([]any)
	if !ok {
		return plainText(v)
	}
	var parts []string
	for i, e := range list {
		if i == most {
			parts = append(parts, fmt.Sprintf("… (%d in all)", len(list)))
			break
		}
		parts = append(parts, plainText(e))
	}
	return strings.Join(parts, ", ")
}

func plainText(v any) string {
	if ref, ok := v.(identity.Ref); ok {
		return ref.Anchor
	}
	return mapping.Text(v)
}

// scopeNames gives the conditions of engine.R37 the names that Graph's provisionOnDemand has for them.
var scopeNames = map[string]string{"Active in source system": "Active in the source system", "Assigned to application": "Assigned to the application",
	"User has required role": "User has the required role", "Scope sync all": "Scope sync all"}

// scopeStep shows the conditions and every clause of the filter with the value seen.
func (c *cycle) scopeStep(d decision) OnceStep {
	o := c.solo.seen[d.item.ObjectKey]
	switch {
	case o == nil, o.SoftDeleted:
		return c.newStep(d, 3, "EntrySynchronizationScoping", "Scoping", statusSkipped, "scope was not evaluated")
	case len(d.task.Scope) == 0: // an input filter came first
		status := statusSkipped
		if d.task.Failed {
			status = statusFailure
		}
		return c.newStep(d, 3, "EntrySynchronizationScoping", "Scoping", status, d.task.Reason)
	}
	s := c.newStep(d, 3, "EntrySynchronizationScoping", "Scoping", statusSuccess, "in scope")
	in := true
	for _, line := range d.task.Scope {
		if name := scopeNames[line.Key]; name != "" {
			s.add(name, line.Value)
			in = in && (line.Value == "True" || line.Key == "Scope sync all" || line.Key == "Active in source system")
		}
	}
	if len(d.rule.def.Filter.Groups) > 0 && in {
		decision, err := d.rule.filter.Evaluate(mapping.View(o))
		if err != nil {
			s.Status, s.Description = graphName(statusFailure), err.Error()
			return s
		}
		in = decision.In
		s.add("Scoping filter evaluation passed", yesNo(decision.In))
		clauses := map[string]bool{}
		for _, g := range decision.Groups {
			for _, cl := range g.Clauses {
				clauses[fmt.Sprintf("%s.%s %s '%s'", g.Name, cl.Clause.Attribute, cl.Clause.Operator, strings.Join(cl.Clause.Values, "', '"))] = cl.Holds
				value := "no value"
				if cl.Value != nil {
					value = "the value is " + strconv.Quote(plainText(cl.Value))
				}
				s.Lines = append(s.Lines, OnceLine{strings.TrimSpace(g.Name + " " + cl.Clause.String()), yesNo(cl.Holds) + ", " + value})
			}
		}
		text, err := json.Marshal(clauses)
		if err == nil { // texts and booleans always can be written
			s.Details["ScopeEvaluationResult"] = string(text)
		}
		s.Description = decision.Reason()
	}
	if !in {
		s.Status = graphName(statusSkipped)
		if !strings.HasPrefix(s.Description, "out of scope") {
			s.Description = "out of scope: " + d.task.Reason
		}
	}
	return s
}

// matchSteps show how the account was found: by its link, or by each joining property in turn.
func (c *cycle) matchSteps(d decision) []OnceStep {
	t := d.task
	if asked := c.solo.asked[d.item.ObjectKey]; len(asked) > 0 {
		out := make([]OnceStep, len(asked))
		for i, a := range asked {
			out[i] = c.answerStep(d, a)
		}
		return out
	}
	if t.Prior == store.Unlinked {
		s := c.newStep(d, 4, "EntrySynchronizationSkip", "Matching", statusSkipped, "the target was not asked: only those in scope without an account are looked for")
		return []OnceStep{s}
	}
	s := c.newStep(d, 4, "EntryImport", "Matching", statusSuccess, fmt.Sprintf("linked to the account %s", d.item.Target))
	s.Details["TargetAnchor"] = d.item.Target
	if cur := t.Current; cur != nil {
		how := ", as it was written last"
		if cur.Read {
			how = ", as it is now"
		}
		s.Description += how
		c.addAccount(&s, d.rule, cur)
	}
	return []OnceStep{s}
}

// addAccount shows the mapped attributes of an account in the order of the mappings.
func (c *cycle) addAccount(s *OnceStep, r *rule, cur *plan.Current) {
	for _, m := range r.set.Mappings {
		if v := cur.Value(m.Target); v != nil {
			text := plainText(v)
			if m.Redacted {
				text = "[Redact]"
			}
			s.add(m.Target, text)
		}
		if ref := cur.Refs[m.Target]; ref != "" {
			s.add(m.Target, ref)
		}
	}
}

// answerStep shows what the target has for one joining property. Several accounts are all shown (engine.R127).
func (c *cycle) answerStep(d decision, a answer) OnceStep {
	q := fmt.Sprintf("%s %q", a.question.Attr, a.question.Value)
	var s OnceStep
	switch {
	case a.err != nil:
		code, reason := failureOf(a.err)
		s = c.newStep(d, 4, "EntryImport", "Matching", statusFailure, "the target could not be asked for "+q+": "+reason)
		s.Details["ErrorCode"] = code
	case len(a.hits) == 0:
		s = c.newStep(d, 4, "EntryImportObjectNotFound", "Matching", statusSuccess, "no account has "+q)
	case len(a.hits) > 1:
		s = c.newStep(d, 4, "EntryImport", "Matching", statusFailure, fmt.Sprintf("%d accounts have %s", len(a.hits), q))
		s.Details["ErrorCode"] = codeDuplicateTarget
		for i, h := range a.hits {
			s.add("TargetAnchor"+strconv.Itoa(i+1), strings.TrimSpace(h.Anchor+" "+h.Text("displayName")))
		}
	default:
		s = c.newStep(d, 4, "EntryImport", "Matching", statusSuccess, "found the account "+a.hits[0].Anchor+" by "+q)
		s.Details["TargetAnchor"] = a.hits[0].Anchor
		if d.task.Failed {
			s.Status, s.Description = graphName(statusFailure), d.task.Reason
			s.Details["ErrorCode"] = d.task.Code
		}
		c.addAccount(&s, d.rule, a.cur)
	}
	s.Details["JoiningProperty"] = a.question.Attr
	s.Details["JoiningValue"] = a.question.Value
	return s
}

// actionSteps show what was done, or would be, and references that have to wait.
func (c *cycle) actionSteps(d decision, res *OnceResult, docs []logDocument) []OnceStep {
	var out []OnceStep
	warned := map[string]bool{}
	for _, text := range d.task.Warn {
		warned[text] = true
		s := c.newStep(d, 5, "EntrySynchronizationUpdate", "ReferenceResolution", statusWarning, text)
		s.Details["ErrorCode"] = codeUnresolved
		out = append(out, s)
	}
	for _, doc := range docs {
		for _, st := range doc.Steps {
			if st.Status == statusWarning && !warned[st.Description] {
				warned[st.Description] = true
				s := c.newStep(d, 5, st.Name, graphName(st.Type), statusWarning, st.Description)
				out = append(out, s)
			}
		}
	}
	status := strings.ToLower(res.Result)
	if status == statusWarning && res.Action != "Other" {
		status = statusSuccess
	}
	name, kind := "EntryExportUpdate", "Export"
	switch res.Action {
	case "Create":
		name = "EntryExportAdd"
	case "Delete":
		name = "EntryExportDelete"
	case "StagedDelete":
		name, kind = "EntrySynchronizationDelete", "Processing"
	case "Other":
		name, kind = "EntrySynchronizationSkip", "Processing"
		if status == statusFailure {
			name = "EntrySynchronizationError"
		}
	}
	s := c.newStep(d, 5, name, kind, status, c.sentence(d, res))
	s.Details["EventName"] = name
	if res.TargetIdentity.ID != "" {
		s.Details["TargetAnchor"] = res.TargetIdentity.ID
	}
	switch status {
	case statusFailure:
		s.Details["ErrorCode"] = res.Details.ErrorCode
	case statusSkipped:
		s.Details["SkipReason"] = res.Details.ErrorCode
	}
	for _, p := range res.ModifiedProperties {
		value := shownSource(p.NewValue)
		if p.OldValue != nil {
			value = shownSource(p.OldValue) + " -> " + value
		}
		s.Lines = append(s.Lines, OnceLine{p.DisplayName, value})
	}
	return append(out, s)
}

// sentence says in one sentence what was done.
func (c *cycle) sentence(d decision, res *OnceResult) string {
	done := map[string]string{"Create": "created", "Update": "updated", "Disable": "disabled", "Delete": "deleted"}[res.Action]
	why := d.task.Reason
	if why != "" {
		why = ": " + why
	}
	switch {
	case res.Result == graphName(statusFailure):
		return res.Details.ErrorMessage
	case done == "" && d.change.Action == plan.None:
		return textRedundant
	case done == "":
		return cmp.Or(res.Details.ErrorMessage, d.task.Reason)
	case c.dry:
		return "the account would be " + done + why
	}
	return "the account was " + done + why
}
