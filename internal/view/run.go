package view

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/store"
)

// RunJSON writes the report of a cycle in the form of design 6.1 (`rollcall run -o json`).
func RunJSON(w io.Writer, r engine.RunReport) error {
	r.Cycle.Began, r.Cycle.Ended = utc(r.Cycle.Began), utc(r.Cycle.Ended)
	if r.Requests.ByMethod == nil {
		r.Requests.ByMethod = map[string]int64{}
	}
	return JSON(w, r)
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// Run writes the report of a cycle for people: what came of it in one sentence, the counts that are not zero, the calls,
// and what needs a person.
func Run(w io.Writer, r engine.RunReport) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s\n", oneLine(r.Job), outcome(r))
	if r.Error != "" {
		fmt.Fprintf(&b, "  %s\n", oneLine(r.Error))
	}
	b.WriteByte('\n')
	if err := counts(r.Counts).write(&b, "  "); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n%s to the target", Plural(r.Requests.Total, "call"))
	if by := methods(r.Requests.ByMethod); by != "" {
		fmt.Fprintf(&b, " (%s)", by)
	}
	if r.Requests.Throttled > 0 {
		fmt.Fprintf(&b, ", %s answered \"too many requests\"", Count(r.Requests.Throttled))
	}
	b.WriteString(".\n")
	if r.Drift != nil {
		fmt.Fprintf(&b, "%s\n", drift(*r.Drift))
	}
	if err := failures(&b, r); err != nil {
		return err
	}
	if len(r.Warnings) > 0 {
		b.WriteByte('\n')
		warnings(&b, r.Warnings)
	}
	if h := held(r); h != "" {
		fmt.Fprintf(&b, "\n%s\n", h)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func outcome(r engine.RunReport) string {
	took := ""
	if d := r.Cycle.Ended.Sub(r.Cycle.Began); !r.Cycle.Ended.IsZero() && d >= 0 {
		took = " in " + Duration(d)
	}
	kind := string(r.Cycle.Type) + " cycle"
	switch r.Cycle.State {
	case store.Succeeded:
		return kind + " finished" + took
	case store.EntryLevelErrors:
		return kind + " finished" + took + ", " + Plural(r.Counts.Failed, "object") + " failed"
	case store.Failed:
		return kind + " failed after " + strings.TrimPrefix(took, " in ")
	case store.Running:
	}
	return kind + " is running"
}

// counts lists what a cycle did. What was read is always shown, the rest where something happened.
func counts(c store.Counts) *Table {
	t := NewTable("", ">")
	for _, row := range []struct {
		name   string
		n      int64
		always bool
	}{
		{"read from the source", c.Imported, true},
		{"in scope", c.InScope, true},
		{"created", c.Created, false},
		{"updated", c.Updated, false},
		{"enabled", c.Enabled, false},
		{"disabled", c.Disabled, false},
		{"deleted", c.Deleted, false},
		{"held by the deletion guard", c.Staged, false},
		{"unchanged", c.Unchanged, true},
		{"skipped", c.Skipped, false},
		{"failed", c.Failed, false},
	} {
		if row.always || row.n != 0 {
			t.Add(row.name, Count(row.n))
		}
	}
	return t
}

// drift says what a comparison with the target found.
func drift(d store.Reconciliation) string {
	text := "Compared " + Plural(d.Accounts, "account") + " in the target: "
	if d.Changed == 0 && d.Missing == 0 {
		text += "all that are managed are as they were written"
	} else {
		text += Count(d.Changed) + " changed there"
		if d.Corrected > 0 {
			text += " (" + Count(d.Corrected) + " to be corrected)"
		}
		text += ", " + Count(d.Missing) + " missing"
	}
	if d.Unmanaged > 0 {
		text += "; " + Count(d.Unmanaged) + " without a link were left alone"
	}
	return text + "."
}

func failures(b *bytes.Buffer, r engine.RunReport) error {
	if len(r.Failures) == 0 {
		return nil
	}
	head := "Failed"
	if n := int64(len(r.Failures)); n < r.Counts.Failed {
		head = fmt.Sprintf("Failed (the first %d of %s)", n, Count(r.Counts.Failed))
	}
	fmt.Fprintf(b, "\n%s:\n", head)
	t := NewTable("", "", "", "")
	for _, f := range r.Failures {
		t.Add(f.Rule, named(f.Source.DisplayName, f.Source.ID), f.Code, f.Reason)
	}
	return t.write(b, "  ")
}

func warnings(b *bytes.Buffer, list []string) {
	b.WriteString("Warnings:\n")
	for _, text := range list {
		fmt.Fprintf(b, "  %s\n", oneLine(text))
	}
}

// held says what stands still until a person acts: deprovisioning, the job, or both.
func held(r engine.RunReport) string {
	var lines []string
	reason := r.Held
	if r.Quarantine != nil {
		if r.Quarantine.Reason == tooManyDeletes {
			reason = cmp.Or(reason, tooManyDeletes)
		} else {
			lines = append(lines, fmt.Sprintf("The job is in quarantine: %s.", oneLine(r.Quarantine.Reason)))
		}
	}
	if reason != "" {
		lines = append(lines, fmt.Sprintf("Deletes and disables are held: %s.", oneLine(heldReason(reason))))
	}
	if r.Counts.Staged > 0 {
		lines = append(lines, fmt.Sprintf("`rollcall deletes list %s` shows what is held, `rollcall deletes allow %[1]s` carries it out.", QuoteArg(r.Job)))
	}
	return strings.Join(lines, "\n")
}

const tooManyDeletes = "TooManyDeletes" // engine.R108

// QuoteArg writes text as one word of a shell command.
func QuoteArg(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.@/:", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
