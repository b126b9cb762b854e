package view

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/plan"
)

// PlanJSON writes a plan in the form of design 6.1 (`rollcall plan -o json`). Empty lists are written as lists.
func PlanJSON(w io.Writer, r engine.Report) error {
	r.Changes = slices.Clone(r.Changes)
	if r.Changes == nil {
		r.Changes = []plan.Change{}
	}
	for i := range r.Changes {
		if r.Changes[i].Action == plan.Enable { // engine.R145 has no such action: it is an update there
			r.Changes[i].Action = plan.Modify
		}
		if r.Changes[i].Properties == nil {
			r.Changes[i].Properties = []plan.Property{}
		}
	}
	if r.Requests.ByMethod == nil {
		r.Requests.ByMethod = map[string]int64{}
	}
	return JSON(w, r)
}

// PlanOptions say how much of a plan is shown.
type PlanOptions struct {
	All bool // objects that need nothing, too; else they are only counted
}

// Plan writes a plan for people: each change with its reason and attributes, then the sum and what it costs.
func Plan(w io.Writer, r engine.Report, o PlanOptions) error {
	var b bytes.Buffer
	byAction := map[plan.Action]int64{}
	for _, c := range r.Changes {
		byAction[c.Action]++
		if c.Action == plan.None && !o.All {
			continue
		}
		change(&b, c)
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	if len(r.Warnings) > 0 {
		warnings(&b, r.Warnings)
		b.WriteByte('\n')
	}
	b.WriteString(sum(byAction, r))
	if r.Drift != nil {
		fmt.Fprintf(&b, "%s\n", drift(*r.Drift))
	}
	if r.Held != "" {
		fmt.Fprintf(&b, "Deletes and disables would be held: %s.\n", oneLine(heldReason(r.Held)))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// mark is the sign before a change: what is added, changed, taken away, held or left alone.
func mark(a plan.Action) string {
	switch a {
	case plan.Create:
		return "+"
	case plan.Modify, plan.Enable:
		return "~"
	case plan.Disable, plan.Delete:
		return "-"
	case plan.StagedDelete:
		return "!"
	case plan.None, plan.Other:
	}
	return " "
}

func change(b *bytes.Buffer, c plan.Change) {
	fmt.Fprintf(b, "%s %-12s  %s  %s", mark(c.Action), c.Action, oneLine(c.Rule), named(c.Source.DisplayName, c.Source.ID))
	if c.Target.ID != "" {
		fmt.Fprintf(b, " -> %s", oneLine(c.Target.ID))
	}
	b.WriteByte('\n')
	if c.Reason != "" {
		fmt.Fprintf(b, "      because: %s\n", oneLine(c.Reason))
	}
	for _, p := range c.Properties {
		if p.Old == nil {
			fmt.Fprintf(b, "      %s: %s\n", oneLine(p.Name), Value(p.New))
			continue
		}
		fmt.Fprintf(b, "      %s: %s -> %s\n", oneLine(p.Name), Value(p.Old), Value(p.New))
	}
}

func sum(by map[plan.Action]int64, r engine.Report) string {
	var parts []string
	for _, a := range []struct {
		action plan.Action
		text   string
	}{
		{plan.Create, "to create"}, {plan.Modify, "to update"}, {plan.Enable, "to enable"}, {plan.Disable, "to disable"},
		{plan.Delete, "to delete"}, {plan.StagedDelete, "held by the deletion guard"}, {plan.Other, "left alone"},
	} {
		if n := by[a.action]; n > 0 {
			parts = append(parts, Count(n)+" "+a.text)
		}
	}
	text := "Nothing to do"
	if len(parts) > 0 {
		text = "Plan: " + strings.Join(parts, ", ")
	}
	if r.Counts.Unchanged > 0 {
		text += ", " + Count(r.Counts.Unchanged) + " unchanged"
	}
	text += ".\n" + Plural(r.Requests.Total, "call") + " to the target"
	if m := methods(r.Requests.ByMethod); m != "" {
		text += " (" + m + ")"
	}
	if r.Requests.Minutes > 0 {
		text += ", about " + minutes(r.Requests.Minutes) + " at the target's rate"
	}
	return text + ".\n" + forecast(r.Requests)
}

// forecast says what else is known of the time that the calls take: who else calls the target, and what vendors' guides
// would have reckoned.
func forecast(e engine.Estimate) string {
	f := e.Forecast
	if f == nil || e.Total == 0 {
		return ""
	}
	text := ""
	switch shared := sharers(f.Others); {
	case shared != "":
		text = fmt.Sprintf("The rate of %s is shared with %s, which runs now: %s until all calls are made.\n", f.Rate, shared, atMost(f.Minutes))
	case f.Used > 0:
		count := "count"
		if f.Used == 1 {
			count = "counts"
		}
		text = fmt.Sprintf("Of the rate of %s, %s of the last minute %s already: %s from now.\n", f.Rate, Plural(int64(f.Used), "call"), count, atMost(f.Minutes))
	}
	if e.Guide > 0 && strings.HasSuffix(f.Rate, "/min") { // at a rate per second nobody reckons
		text += fmt.Sprintf("The usual rule of thumb, users + 2 × groups, would be %s for what is to be written.\n", Plural(e.Guide, "call"))
	}
	return text
}

// atMost writes a forecast in minutes.
func atMost(n float64) string {
	if n == 0 {
		return "less than a minute"
	}
	return "about " + minutes(n)
}

// heldReason puts the reasons of store.Cycle.Held into words (design D6).
func heldReason(code string) string {
	switch code {
	case tooManyDeletes:
		return "there are more of them than the deletion guard allows"
	case "SourceEmpty":
		return "the source returned nothing"
	case "SourceHalved":
		return "the source lists fewer than half of what is managed"
	case "SourceIncomplete":
		return "the source ended early"
	}
	return code
}
