package engine

import (
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

const driftIgnore = job.DriftIgnore

// compareDrift looks what the listing of the target means for a linked object with these values: differences that are to
// be corrected count as what the account has, so that the ordinary comparison finds them; others are only told.
func (e *evaluation) compareDrift(t *task, values []mapping.Value) {
	if e.found == nil || len(e.found.Drift) == 0 || e.last == nil {
		return
	}
	found := e.last.Overlay(e.found.Drift)
	found.Read = true
	if e.known.Confirmed.IsZero() { // a write of ours may have changed it: nobody else has to have
		e.last, t.Open = found, true
		return
	}
	differs := map[string]bool{}
	for _, ch := range plan.Diff(e.rule.set, values, found) {
		differs[ch.Attr] = true
	}
	for _, v := range values {
		if m := &e.rule.set.Mappings[v.Index]; m.IsReference() && !v.Ignored && (len(v.Refs) > 0 || m.FlowNull) {
			differs[m.Target] = true
		}
	}
	var correct []connector.Change
	for _, ch := range e.found.Drift {
		switch {
		case !differs[ch.Attr]: // the source wants just this by now, or nothing any more
			correct, t.Newer = append(correct, ch), true
		case e.set.DriftOf(ch.Attr) == job.DriftCorrect && e.rule.def.Actions.Update:
			correct = append(correct, ch)
			t.Drift = append(t.Drift, drifted{Change: ch})
		default:
			t.Drift = append(t.Drift, drifted{Change: ch, Kept: true})
		}
	}
	e.last = e.last.Overlay(correct)
}

// lost decides about an object whose account is gone from the target (engine.R56).
func (e *evaluation) lost(w *store.WorkItem, t *task, in bool) {
	switch {
	case !in || t.Soft && e.set.OnMissingTarget == job.MissingRematch: // nobody can use an account that is not there
		t.Reason += "; the account is gone from the target already"
		w.Pass, w.Action = passRecord, string(plan.None)
		t.Lost, t.After = true, store.Unlinked
	case e.set.OnMissingTarget != job.MissingRematch:
		e.fail(w, t, &connector.Error{Kind: connector.KindNotFound, Code: connector.CodeInvalidAnchor, Detail: textMissing})
	case len(t.Match) == 0:
		e.skip(w, t, codeImportSkipped, "the linked account is gone from the target, and there is no value for any joining property ("+strings.Join(e.rule.joining(), ", ")+")")
		t.After = t.Prior
	default:
		t.Replaces = w.Target
		w.Target, t.Prior, t.Current = "", store.Unlinked, nil
		e.unlinked(w, t, in)
		t.Reason = "the linked account is gone from the target"
	}
}

// rememberFound keeps what was found in the target of an account that was to be corrected and was not: later cycles, which
// do not list the target, still see the difference.
func (p *pen) rememberFound() {
	if len(p.t.driftOf(false)) == 0 {
		return
	}
	p.res.batch.Project = append(p.res.batch.Project, store.Projection{ObjectKey: p.it.ObjectKey, Name: p.t.Name, Doc: encodeCurrent(p.t.known())})
}

// dropOverwritten leaves out differences that the object's own changes overwrite.
func (t *task) dropOverwritten() {
	t.Drift = slices.DeleteFunc(t.Drift, func(d drifted) bool {
		return d.Kept && slices.ContainsFunc(t.Changes, func(ch connector.Change) bool { return ch.Attr == d.Attr })
	})
}

// driftOf lists the attributes that were changed in the target: those that are kept so, or those that are corrected.
func (t *task) driftOf(kept bool) []drifted {
	var out []drifted
	for _, d := range t.Drift {
		if d.Kept == kept {
			out = append(out, d)
		}
	}
	return out
}

func attrNames(ds []drifted) string {
	names := make([]string, len(ds))
	for i, d := range ds {
		names[i] = d.Attr
	}
	return strings.Join(names, ", ")
}

// driftProperties shows what was changed in the target and is left so: old is the value that was written, new the one
// found.
func driftProperties(set *mapping.Set, ds []drifted) []plan.Property {
	changes := make([]connector.Change, len(ds))
	for i, d := range ds {
		changes[i] = d.Change
	}
	props := plan.Properties(set, changes)
	for i := range props {
		props[i].Old, props[i].New = props[i].New, props[i].Old
	}
	return props
}

// driftReason is the reason of a record about a change in the target that is left as it is.
func driftReason(ds []drifted) string { return "changed in the target: " + attrNames(ds) }

// driftWords says what was changed, for a step of a record.
func (t *task) driftWords() string {
	if t.Undo != nil {
		return "changed since that cycle, and left as it is: " + attrNames(t.Drift)
	}
	return driftReason(t.Drift)
}

// keptCode and keptReason are those of a record about an account of which something is left as it was found.
func (t *task) keptCode() string {
	if t.Undo != nil {
		return codeChangedSince
	}
	return codeDrift
}

func (t *task) keptReason() string {
	if t.Undo != nil {
		return "changed since that cycle, and left as it is: " + attrNames(t.driftOf(true))
	}
	return driftReason(t.driftOf(true))
}
