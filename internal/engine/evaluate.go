package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/match"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/scope"
	"github.com/rollcall-id/rollcall/internal/store"
)

// evaluation is everything the evaluation of one object stands on. It is pure: no clock but the one of expressions, no
// network, no database.
type evaluation struct {
	rule *rule
	set  job.Settings
	ctx  mapping.Context

	object *identity.Object // nil when the source no longer has it
	anchor string
	hash   hash
	known  store.Object  // what the state knows of it; zero when it is new
	last   *plan.Current // what was exported last, nil when not linked; what was sent, when it is in doubt
	doubt  bool          // a create may have taken effect
	found  *finding      // what a listing of the target shows of its account, nil for nothing
	name   string        // display name of the last export
}

// evaluate decides what an object's account should be, as far as this can be told without asking the target. The work
// item it returns is to be matched, settled or exported; nil means that there is nothing to do or to remember.
func (e *evaluation) evaluate() (*store.WorkItem, *task, bool, error) {
	if e.doubt {
		return e.doubted()
	}
	return e.decide()
}

func (e *evaluation) decide() (*store.WorkItem, *task, bool, error) {
	t := &task{Hash: e.hash, Prior: e.known.State, After: e.known.State, Name: e.name, Confirm: e.known.Confirmed}
	w := &store.WorkItem{ObjectKey: store.ObjectKey{Rule: e.rule.def.Name, Anchor: e.anchor}, Stage: store.ToExport, Target: e.known.Target}
	if e.object == nil {
		ok, err := e.left(w, t)
		return w, t, ok, err
	}
	managed := e.known.State == store.Active || e.known.State == store.Disabled
	over, err := e.passedOver(t)
	switch {
	case err != nil:
		e.fail(w, t, err)
		return w, t, managed, nil
	case over:
		e.skip(w, t, codeOutOfScope, t.Reason)
		return w, t, managed, nil
	}
	in, err := e.inScope(t)
	if err != nil {
		e.fail(w, t, err)
		return w, t, false, nil
	}
	t.Soft = !in || e.object.Disabled || e.object.SoftDeleted
	res, err := e.rule.set.Eval(e.object, t.Soft, false, e.ctx)
	t.Name = e.displayName(res.Values)
	untouched := e.known.State == store.Unlinked && t.Soft || e.known.State == store.Released && !in
	if err != nil && !untouched { // whose account nobody will write is out of scope, not wrong (engine.R27)
		e.fail(w, t, err)
		return w, t, in, nil
	}
	t.Values = res.Values
	t.Match = questions(e.rule.set, res.Values)
	if e.known.State == store.Unlinked || e.set.OnMissingTarget == job.MissingRematch {
		t.Choices = e.openChoices(res.Choices)
	}
	switch {
	case res.IgnoreObject:
		e.skip(w, t, codeOutOfScope, "the mapping says to ignore this object (IgnoreObjectFlow)")
		return w, t, in, nil
	case e.protected(t.Match):
		e.skip(w, t, codeOutOfScope, "protected: the job's setting `protected` names it, so it is never touched")
		return w, t, in, nil
	case len(t.Match) == 0 && e.known.State == store.Unlinked && in:
		e.skip(w, t, codeImportSkipped, "no value for any joining property ("+strings.Join(e.rule.joining(), ", ")+")")
		return w, t, in, nil
	}
	if e.known.State == store.Unlinked {
		e.unlinked(w, t, in)
		return w, t, in, nil
	}
	if e.found != nil && e.found.Gone && !e.known.Confirmed.IsZero() { // else a request of ours may have taken it, and refresh knows what to do
		e.setReason(t, in)
		e.lost(w, t, in)
		return w, t, in, nil
	}
	e.compareDrift(t, res.Values)
	e.linked(w, t, in, res.Values)
	t.dropOverwritten()
	return w, t, in, nil
}

// unlinked decides about an object without an account.
func (e *evaluation) unlinked(w *store.WorkItem, t *task, in bool) {
	switch {
	case !in:
		e.skip(w, t, codeOutOfScope, t.Reason)
	case t.Soft: // engine.R78
		e.skip(w, t, codeOutOfScope, "not active in the source, and has no account yet")
	default:
		w.Stage, w.Pass = store.ToMatch, e.rule.pass(passCreate)
		t.After = store.Active
		t.Reason = "in scope, and has no account yet"
		for _, v := range t.Values {
			if len(v.Refs) > 0 && !e.rule.set.Mappings[v.Index].Def.MultiValued && v.Refs[0].Kind == e.rule.def.From {
				w.Parent = v.Refs[0].Anchor
				break
			}
		}
	}
}

// linked decides about an object with an account.
func (e *evaluation) linked(w *store.WorkItem, t *task, in bool, values []mapping.Value) {
	if !in {
		if e.known.State == store.Released { // engine.R84: no longer managed
			e.skip(w, t, codeOutOfScope, t.Reason)
			return
		}
		if e.set.SkipOutOfScopeDeletions && !e.object.Disabled && !e.object.SoftDeleted { // engine.R81: not for a block
			t.After = store.Released
			e.skip(w, t, codeOutOfScope, t.Reason+"; left alone because skipOutOfScopeDeletions is set")
			return
		}
		e.deprovision(w, t, values, store.Released)
		return
	}
	e.setReason(t, in)
	if t.Soft {
		if e.known.State == store.Active {
			e.deprovision(w, t, values, store.Disabled)
			return
		}
		t.After = store.Disabled
	} else {
		t.After = store.Active
	}
	e.update(w, t, values)
}

// setReason says why a linked object in scope is looked at; for one out of scope that is said already.
func (e *evaluation) setReason(t *task, in bool) {
	mended := t.driftOf(false)
	switch {
	case !in:
	case t.Soft && e.object.SoftDeleted:
		t.Reason = "deleted in the source, may still be restored there"
	case t.Soft:
		t.Reason = "disabled in the source"
	case len(mended) > 0 && e.known.Hash == e.hash:
		t.Reason = driftReason(mended)
	default:
		t.Reason = "changed in the source"
	}
}

// update compares values; references are compared later, when every account of this cycle is known.
func (e *evaluation) update(w *store.WorkItem, t *task, values []mapping.Value) {
	t.Current = e.last
	if !e.rule.def.Actions.Update { // engine.R76
		t.After = e.known.State
		e.skip(w, t, codeOutOfScope, "the rule does not allow updates")
		return
	}
	w.Action, w.Pass = string(plan.Modify), e.rule.pass(passUpdate)
	decideUpdate(e.rule, w, t, values, e.last)
	w.Stage = store.ToSettle
}

// decideUpdate fills in the changes of an account and the action that they amount to. An update that turns the
// attribute on which IsSoftDeleted shows is a disable or an enable (engine.R79, R83).
func decideUpdate(r *rule, w *store.WorkItem, t *task, values []mapping.Value, cur *plan.Current) {
	changes := plan.Diff(r.set, values, cur)
	t.Changes = changes
	action := plan.Modify
	for _, ch := range changes {
		for i := range r.set.Mappings {
			if m := &r.set.Mappings[i]; m.Target == ch.Attr && m.NamesSoftDeleted && turns(ch, t) {
				action = plan.Enable
				if t.Soft {
					action = plan.Disable
				}
			}
		}
	}
	if len(changes) == 0 {
		action = plan.None
	}
	w.Action = string(action)
	t.carry(r, values, cur)
}

// carry adds to a task that writes attributes anyway the values that always flow (engine.R60).
func (t *task) carry(r *rule, values []mapping.Value, cur *plan.Current) {
	single := func(ch refChange) bool { return !ch.Multi }
	if len(t.Changes) > 0 || slices.ContainsFunc(t.Refs, single) {
		t.Changes = append(t.Changes, plan.Carry(r.set, values, cur, t.Changes)...)
	}
}

// turns tells whether the change of an attribute that shows IsSoftDeleted turns an account off or on. It does not when
// the account stays as it is and the attribute has just another value: a title, say, whose expression asks for
// IsSoftDeleted too.
func turns(ch connector.Change, t *task) bool {
	is := func(v any, text string) bool { return strings.EqualFold(mapping.Text(v), text) }
	if t.Soft {
		return t.Prior == store.Active || is(ch.Old, "true") && is(ch.New, "false")
	}
	return t.Prior == store.Disabled || t.Prior == store.Released || is(ch.Old, "false") && is(ch.New, "true")
}

// deprovision takes access away: a disable where the target can, else what the rule allows.
func (e *evaluation) deprovision(w *store.WorkItem, t *task, values []mapping.Value, after store.LinkState) {
	t.After, t.Current = after, e.last
	w.Pass = e.rule.takeAway()
	group := e.rule.def.From == identity.Group || e.rule.def.To == identity.Group
	if group || e.set.Deprovision == job.DeprovisionDelete { // engine.R87: groups have no disable; R82: nor have some targets
		if !e.rule.def.Actions.Delete {
			e.skip(w, t, codeOutOfScope, t.Reason+"; the rule does not allow deletes, so the "+strings.ToLower(string(e.rule.def.To))+" stays")
			return
		}
		t.After = store.Unlinked
		w.Action = string(plan.Delete)
		return
	}
	switch {
	case e.known.State == store.Disabled: // nothing is left to take away, the link is let go
		w.Action, w.Pass = string(plan.None), passRecord
		return
	case !e.rule.set.CanDisable(): // engine.R80
		e.skip(w, t, codeOutOfScope, t.Reason+"; no mapping names IsSoftDeleted, so nothing is sent")
		return
	case !e.rule.def.Actions.Update: // engine.R76
		t.After = e.known.State
		e.skip(w, t, codeOutOfScope, t.Reason+"; the rule does not allow updates, and a disable is one")
		return
	}
	decideUpdate(e.rule, w, t, values, e.last)
	if w.Action == string(plan.None) { // the account is disabled already
		w.Pass = passRecord
		return
	}
	w.Action = string(plan.Disable)
}

// left decides about a linked object that the source no longer has (design 6.2: a row gone from a complete file).
func (e *evaluation) left(w *store.WorkItem, t *task) (bool, error) {
	t.Gone, t.Soft, t.Hash = true, true, hash{}
	t.Reason = "no longer in the source"
	w.Pass = e.rule.takeAway()
	t.Current = e.last
	switch {
	case e.known.State == store.Unlinked:
		w.Pass, w.Action, t.After = passRecord, string(plan.None), store.Unlinked // forgotten
		return false, nil
	case e.known.State == store.Released && !(e.set.DeleteAfterOutOfScope && e.rule.def.Actions.Delete): // engine.R84: no longer managed, the link waits for a return
		return false, errNothing
	case e.protectedLast():
		e.skip(w, t, codeOutOfScope, "protected: the job's setting `protected` names it, so it is never touched")
		return false, nil
	case e.rule.def.Actions.Delete:
		t.After, w.Action = store.Unlinked, string(plan.Delete)
		return false, nil
	case e.known.State == store.Disabled: // disabled before it left: nothing more to take away
		return false, errNothing
	}
	res, err := e.rule.set.Eval(&identity.Object{Kind: e.rule.def.From, Anchor: e.anchor}, true, true, e.ctx)
	if err != nil {
		e.fail(w, t, err)
		return false, nil
	}
	t.Values = res.Values
	e.deprovision(w, t, res.Values, store.Released)
	return false, nil
}

// errNothing says that an object needs neither work nor record.
var errNothing = fmt.Errorf("nothing to do")

// passedOver tells whether the input filters leave the object out: it is neither provisioned nor deprovisioned (scoping
//
func (e *evaluation) passedOver(t *task) (bool, error) {
	read, err := e.rule.filter.Reads(mapping.View(e.object))
	if err != nil {
		return false, fmt.Errorf("input filter: %w", err)
	}
	if !read {
		t.Reason = "passed over: no input filter lets it in; what is there stays as it is"
	}
	return !read, nil
}

// inScope evaluates assignment and filter (engine.R28-R39) and notes for the log what decided.
func (e *evaluation) inScope(t *task) (bool, error) {
	active := !e.object.Disabled && !e.object.SoftDeleted
	t.scoped("Active in source system", yesNo(active))
	if e.set.Scope == job.ScopeAssigned {
		a := e.object.Assignment
		assigned := a != nil && a.Assigned
		t.scoped("Assigned to application", yesNo(assigned))
		t.scoped("Scope sync all", "False")
		if !assigned {
			t.Reason = "not assigned to the application"
			return false, nil
		}
		if e.set.ExcludeDefaultAccess && len(a.Roles) == 0 { // engine.R35
			t.scoped("User has required role", "False")
			t.Reason = "not effectively entitled: assigned with default access only"
			t.Code = codeNotEntitled
			return false, nil
		}
	} else {
		t.scoped("Scope sync all", "True")
	}
	if len(e.rule.def.Filter.Groups) == 0 {
		return true, nil
	}
	d, err := e.rule.filter.Evaluate(mapping.View(e.object))
	if err != nil {
		return false, fmt.Errorf("scoping filter: %w", err)
	}
	for _, g := range d.Groups {
		for _, c := range g.Clauses {
			t.scoped(strings.TrimSpace(g.Name+" "+clause(c)), yesNo(c.Holds))
		}
	}
	if !d.In {
		t.Reason = d.Reason()
	}
	return d.In, nil
}

func clause(c scope.ClauseResult) string {
	return strings.TrimSpace(c.Clause.Attribute + " " + c.Clause.Operator + " " + strings.Join(c.Clause.Values, ", "))
}

func yesNo(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// questions are the joining properties that have a value, by priority (engine.R47, R50).
func questions(set *mapping.Set, values []mapping.Value) []match.Question {
	var out []match.Question
	for _, m := range set.Matching() {
		for _, v := range values {
			if &set.Mappings[v.Index] == m {
				if text := mapping.Text(v.Value); text != "" {
					out = append(out, match.Question{Attr: m.Target, Value: text})
				}
			}
		}
	}
	return out
}

// displayName is how people know the object: the account's display name where one is mapped, else names, else the
// joining value, else the anchor.
func (e *evaluation) displayName(values []mapping.Value) string {
	byTarget := func(name string) string {
		for _, v := range values {
			if e.rule.set.Mappings[v.Index].Target == name && !e.rule.set.Mappings[v.Index].Redacted {
				return mapping.Text(v.Value)
			}
		}
		return ""
	}
	if n := byTarget("displayName"); n != "" {
		return n
	}
	for _, pair := range [][2]string{{"name.givenName", "name.familyName"}, {"givenName", "surname"}, {"givenName", "sn"}, {"FirstName", "LastName"}} {
		if n := strings.TrimSpace(byTarget(pair[0]) + " " + byTarget(pair[1])); n != "" {
			return n
		}
	}
	for _, q := range questions(e.rule.set, values) {
		return q.Value
	}
	return e.anchor
}

// protected tells whether a joining value is on the list of accounts that are never touched.
func (e *evaluation) protected(qs []match.Question) bool {
	return slices.ContainsFunc(qs, func(q match.Question) bool {
		return slices.ContainsFunc(e.set.Protected, func(p string) bool { return strings.EqualFold(p, q.Value) })
	})
}

// protectedLast is protected for an object that is gone: by the joining values that were exported last.
func (e *evaluation) protectedLast() bool {
	var qs []match.Question
	for _, attr := range e.rule.joining() {
		qs = append(qs, match.Question{Attr: attr, Value: mapping.Text(e.last.Value(attr))})
	}
	return e.protected(qs)
}

func (e *evaluation) skip(w *store.WorkItem, t *task, code, reason string) {
	w.Stage, w.Pass, w.Action = store.ToExport, passRecord, string(plan.Other)
	if t.Code == "" {
		t.Code = code
	}
	t.Reason = reason
	t.Values, t.Match, t.Choices, t.Changes = nil, nil, nil, nil
}

func (e *evaluation) fail(w *store.WorkItem, t *task, err error) {
	w.Stage, w.Pass, w.Action = store.ToExport, passRecord, string(plan.Other)
	t.Failed, t.After, t.Values, t.Match, t.Choices, t.Changes = true, t.Prior, nil, nil, nil, nil
	t.Code, t.Reason = failureOf(err)
}
