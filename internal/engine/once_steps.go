package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// newStep begins a step with the time at which the run came to it.
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
