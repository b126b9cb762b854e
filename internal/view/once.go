package view

import (
	"bytes"
	"fmt"
	"io"

	"github.com/rollcall-id/rollcall/internal/engine"
)

// OnceJSON writes the report of an on-demand run (`rollcall provision -o json`).
func OnceJSON(w io.Writer, r engine.OnceReport) error {
	if r.Requests.ByMethod == nil {
		r.Requests.ByMethod = map[string]int64{}
	}
	return JSON(w, r)
}

// Once writes the report of an on-demand run for people: the outcome in one line, then the steps of engine.R127.
func Once(w io.Writer, r engine.OnceReport) error {
	var b bytes.Buffer
	if err := once(&b, r.Job, r.DryRun, r.OnceResult); err != nil {
		return err
	}
	for _, m := range r.Members {
		b.WriteByte('\n')
		if err := once(&b, r.Job, r.DryRun, m); err != nil {
			return err
		}
	}
	fmt.Fprintf(&b, "\n%s to the target", Plural(r.Requests.Total, "call"))
	if by := methods(r.Requests.ByMethod); by != "" {
		fmt.Fprintf(&b, " (%s)", by)
	}
	b.WriteString(".\n")
	if r.DryRun {
		b.WriteString("This was a dry run: nothing was written.\n")
	}
	if r.Held != "" {
		fmt.Fprintf(&b, "Held: %s. `rollcall deletes list %s` shows what is held.\n", oneLine(heldReason(r.Held)), QuoteArg(r.Job))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// stepTitles name the steps as the reference service's console does (engine.R127).
var stepTitles = [...]string{1: "Test connection", 2: "Import", 3: "Determine scope", 4: "Match", 5: "Perform action"}

// onceOutcome is what happened in one word or two.
func onceOutcome(r engine.OnceResult, dry bool) string {
	done := map[string]string{"Create": "created", "Update": "updated", "Disable": "disabled", "Delete": "deleted"}[r.Action]
	switch {
	case r.Result == "Failure":
		return "failed"
	case r.Action == "StagedDelete":
		return "held"
	case done != "" && dry:
		return "would be " + done
	case done != "":
		return done
	case r.Result == "Warning", r.Details.ErrorCode == "RedundantExport":
		return "unchanged"
	}
	return "skipped"
}

func once(b *bytes.Buffer, job string, dry bool, r engine.OnceResult) error {
	fmt.Fprintf(b, "%s: %s %s", oneLine(job), named(r.ReportableIdentifier, r.SourceIdentity.ID), onceOutcome(r, dry))
	if r.TargetIdentity.ID != "" {
		fmt.Fprintf(b, ", account %s", oneLine(r.TargetIdentity.ID))
	}
	b.WriteByte('\n')
	for _, s := range r.Steps {
		title := ""
		if s.Number > 0 && s.Number < len(stepTitles) {
			title = stepTitles[s.Number]
		}
		if s.Type == "ReferenceResolution" {
			title = "References"
		}
		fmt.Fprintf(b, "\n%d  %s: %s\n", s.Number, title, oneLine(s.Description))
		if len(s.Lines) == 0 {
			continue
		}
		t := NewTable("", "")
		for _, l := range s.Lines {
			t.Add(l.Name, l.Value)
		}
		if err := t.write(b, "     "); err != nil {
			return err
		}
	}
	if r.Details.ErrorCode != "" {
		fmt.Fprintf(b, "\nResult: %s (%s)\n", r.Result, oneLine(r.Details.ErrorCode))
	} else {
		fmt.Fprintf(b, "\nResult: %s\n", r.Result)
	}
	return nil
}
