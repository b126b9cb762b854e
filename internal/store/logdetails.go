package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-id/rollcall/internal/packed"
)

// LogDetails are what a record of the provisioning log tells beside its columns (engine.R145). A first load writes one
// for every object, so they are kept in a byte form; Graph's form is made of them when the log is read (LogRecord.JSON).
type LogDetails struct {
	ChangeID       string
	JobName        string
	Source, Target LogEnd
	Took           time.Duration
	Reason         string // of any status but success
	Properties     []LogProperty
	Steps          []LogStep
	By             string // the person who asked for it; "" for a cycle
}

// LogEnd is one of the two systems of a record, and the type of the object there.
type LogEnd struct{ ID, Name, Type string }

// LogProperty is one value that was changed.
type LogProperty struct {
	DisplayName string `json:"displayName"`
	OldValue    any    `json:"oldValue"`
	NewValue    any    `json:"newValue"`
}

// LogStep is one provisioning step (engine.R146).
type LogStep struct {
	Name        string     `json:"name"`
	Type        string     `json:"provisioningStepType"`
	Status      string     `json:"status"`
	Description string     `json:"description"`
	Details     LogFigures `json:"details"`
}

// LogFigures are the details of a step; in JSON they are one object.
type LogFigures []LogFigure

// LogFigure is one detail of a step.
type LogFigure struct{ Key, Value string }

// MarshalJSON writes the object, its keys in order.
func (f LogFigures) MarshalJSON() ([]byte, error) {
	m := make(map[string]string, len(f))
	for _, d := range f {
		m[d.Key] = d.Value
	}
	return json.Marshal(m)
}

const versionLogDetails = 1

// Pack makes the document of a record.
func (d *LogDetails) Pack() []byte {
	return packed.Pack(versionLogDetails, d.code)
}

// logWords occur in nearly every record. Records stay for years: a word may be added at the end, and none may go.
var logWords = packed.NewWords(
	"success", "failure", "skipped", "warning",
	"import", "scoping", "matching", "processing", "referenceResolution", "export",
	"EntryImportAdd", "EntryImportUpdate", "EntryImportDelete", "EntryImport", "EntryImportObjectNotFound",
	"EntrySynchronizationScoping", "EntrySynchronizationAdd", "EntrySynchronizationUpdate", "EntrySynchronizationDelete",
	"EntrySynchronizationSkip", "EntrySynchronizationError",
	"EntryExportAdd", "EntryExportUpdate", "EntryExportDelete",
	"User", "Group", "csv", "directory", "scim",
	"SourceAnchor", "TargetAnchor", "ReportableIdentifier", "JoiningProperty", "SkipReason", "ErrorCode",
	"Active in source system", "Scope sync all", "True", "False",
	"evaluated assignment and scoping filters", "no account in the target has the joining value", "in scope, and has no account yet",
)

func (d *LogDetails) code(c *packed.Coder) {
	c.Text(&d.ChangeID)
	c.Text(&d.JobName)
	for _, end := range []*LogEnd{&d.Source, &d.Target} {
		c.Word(&end.ID, logWords)
		c.Text(&end.Name)
		c.Word(&end.Type, logWords)
	}
	took := uint64(d.Took.Milliseconds())
	c.Number(&took)
	d.Took = time.Duration(took) * time.Millisecond
	c.Text(&d.Reason)
	packed.List(c, &d.Properties, func(c *packed.Coder, p *LogProperty) {
		c.Text(&p.DisplayName)
		c.Value(&p.OldValue)
		c.Value(&p.NewValue)
	})
	packed.List(c, &d.Steps, func(c *packed.Coder, s *LogStep) {
		c.Word(&s.Name, logWords)
		c.Word(&s.Type, logWords)
		c.Word(&s.Status, logWords)
		c.Word(&s.Description, logWords)
		packed.List(c, (*[]LogFigure)(&s.Details), func(c *packed.Coder, f *LogFigure) {
			c.Word(&f.Key, logWords)
			c.Word(&f.Value, logWords)
		})
	})
	c.Text(&d.By)
}

// JSON is the whole record in Graph's form, a provisioningObjectSummary (engine.R145). A document that is JSON already
// is returned as it is.
func (r *LogRecord) JSON() ([]byte, error) {
	if len(r.Doc) == 0 || r.Doc[0] != versionLogDetails {
		return r.Doc, nil
	}
	var d LogDetails
	if err := packed.Unpack(versionLogDetails, r.Doc, d.code); err != nil {
		return nil, fmt.Errorf("log record %s: %w", r.ID, err)
	}
	type end struct {
		ID           string `json:"id"`
		DisplayName  string `json:"displayName"`
		IdentityType string `json:"identityType,omitempty"`
	}
	type initiator struct {
		ID            string `json:"id"`
		DisplayName   string `json:"displayName"`
		InitiatorType string `json:"initiatorType"`
	}
	type failure struct {
		ErrorCode     string `json:"errorCode"`
		Reason        string `json:"reason"`
		ErrorCategory string `json:"errorCategory"`
	}
	type status struct {
		Status           string   `json:"status"`
		ErrorInformation *failure `json:"errorInformation"`
	}
	by := initiator{DisplayName: "Rollcall", InitiatorType: "system"}
	if d.By != "" {
		by = initiator{ID: d.By, DisplayName: d.By, InitiatorType: "user"}
	}
	info := status{Status: r.Status}
	if r.Status != "success" {
		info.ErrorInformation = &failure{ErrorCode: r.ErrorCode, Reason: d.Reason, ErrorCategory: "nonServiceFailure"}
	}
	if d.Properties == nil {
		d.Properties = []LogProperty{}
	}
	if d.Steps == nil {
		d.Steps = []LogStep{}
	}
	return json.Marshal(struct {
		ID                     string        `json:"id"`
		ActivityDateTime       time.Time     `json:"activityDateTime"`
		JobID                  string        `json:"jobId"`
		CycleID                string        `json:"cycleId"`
		ChangeID               string        `json:"changeId"`
		ProvisioningAction     string        `json:"provisioningAction"`
		DurationInMilliseconds int64         `json:"durationInMilliseconds"`
		InitiatedBy            initiator     `json:"initiatedBy"`
		ServicePrincipal       end           `json:"servicePrincipal"`
		SourceSystem           end           `json:"sourceSystem"`
		TargetSystem           end           `json:"targetSystem"`
		SourceIdentity         end           `json:"sourceIdentity"`
		TargetIdentity         end           `json:"targetIdentity"`
		StatusInfo             status        `json:"provisioningStatusInfo"`
		ModifiedProperties     []LogProperty `json:"modifiedProperties"`
		Steps                  []LogStep     `json:"provisioningSteps"`
	}{
		ID: r.ID, ActivityDateTime: r.At.UTC(), JobID: r.JobID, CycleID: r.CycleID, ChangeID: d.ChangeID, ProvisioningAction: r.Action,
		DurationInMilliseconds: d.Took.Milliseconds(), InitiatedBy: by,
		ServicePrincipal: end{ID: r.JobID, DisplayName: d.JobName},
		SourceSystem:     end{ID: d.Source.ID, DisplayName: d.Source.Name}, TargetSystem: end{ID: d.Target.ID, DisplayName: d.Target.Name},
		SourceIdentity: end{ID: r.SourceID, DisplayName: r.SourceName, IdentityType: d.Source.Type},
		TargetIdentity: end{ID: r.TargetID, DisplayName: r.SourceName, IdentityType: d.Target.Type},
		StatusInfo:     info, ModifiedProperties: d.Properties, Steps: d.Steps,
	})
}
