package view

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/rollcall-id/rollcall/internal/store"
)

// LogsJSON writes records of the provisioning log as one list, each in Graph's form (engine.R145).
func LogsJSON(w io.Writer, records []store.LogRecord) error {
	docs := make([]json.RawMessage, len(records))
	for i, r := range records {
		docs[i] = r.Doc
	}
	return JSON(w, docs)
}

// Logs writes records of the provisioning log as a table.
func Logs(w io.Writer, records []store.LogRecord) error {
	if len(records) == 0 {
		_, err := io.WriteString(w, "No records.\n")
		return err
	}
	t := NewTable("TIME", "ACTION", "STATUS", "RULE", "SOURCE", "TARGET", "REASON")
	for _, r := range records {
		t.Add(Time(r.At), r.Action, r.Status, r.Rule, named(r.SourceName, r.SourceID), r.TargetID, logReason(r))
	}
	return t.Write(w)
}

// LogsCSV writes records of the provisioning log as CSV (RFC 4180) with a head line: the main table of engine.R152.
// Values are written as they are; a spreadsheet that takes text beginning with "=" for a formula has to be told.
func LogsCSV(w io.Writer, records []store.LogRecord) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	rows := [][]string{{"id", "activityDateTime", "jobId", "cycleId", "provisioningAction", "status", "rule",
		"sourceIdentityId", "sourceIdentityDisplayName", "targetIdentityId", "errorCode", "reason"}}
	for _, r := range records {
		rows = append(rows, []string{r.ID, r.At.UTC().Format(time.RFC3339Nano), r.JobID, r.CycleID, r.Action, r.Status, r.Rule,
			r.SourceID, r.SourceName, r.TargetID, r.ErrorCode, Reason(r)})
	}
	if err := c.WriteAll(rows); err != nil {
		return fmt.Errorf("write log as CSV: %w", err)
	}
	return nil
}

// logReason is what a reader of the table wants to know: the error code with its reason, or why an object was skipped.
func logReason(r store.LogRecord) string {
	reason := Reason(r)
	switch {
	case r.ErrorCode == "":
		return reason
	case reason == "":
		return r.ErrorCode
	}
	return r.ErrorCode + ": " + reason
}

// Reason finds the reason of what a record tells in its document: that of the error if there is one, else of the last step that
// did not succeed (a skip or a warning). A document of another form has none.
func Reason(r store.LogRecord) string {
	var doc struct {
		Info struct {
			Error *struct {
				Reason string `json:"reason"`
			} `json:"errorInformation"`
		} `json:"provisioningStatusInfo"`
		Steps []struct {
			Status      string `json:"status"`
			Description string `json:"description"`
		} `json:"provisioningSteps"`
	}
	if json.Unmarshal(r.Doc, &doc) != nil {
		return ""
	}
	if doc.Info.Error != nil && doc.Info.Error.Reason != "" {
		return doc.Info.Error.Reason
	}
	for i := len(doc.Steps) - 1; i >= 0; i-- {
		if s := doc.Steps[i]; s.Status != "success" && s.Status != "" {
			return s.Description
		}
	}
	return ""
}
