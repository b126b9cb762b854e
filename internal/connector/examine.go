package connector

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Examiner is a source or a target that can say how well it does what a job needs of it (rollcall probe).
type Examiner interface {
	// Examine asks the system, by reading only, and says what works, what does not, and what that means for the job.
	// A system that refuses is a finding and no error.
	Examine(ctx context.Context) Examination
}

// Discoverer is a target that says itself what it can do and which attributes it has.
type Discoverer interface {
	// Discover reads what the target says of itself (scim.R45-R49). What it does not say, or not understandably, is a
	// notice. The error is that of a target that refuses to answer at all, and then nothing was found.
	Discover(ctx context.Context) (Discovery, error)
}

// Examination is what was found out about one system. It never holds a secret or a value of a person.
type Examination struct {
	Address    string       `json:"address,omitempty"`
	Credential string       `json:"credential,omitempty"` // which kind, never the credential itself
	Encryption *Encryption  `json:"encryption,omitempty"` // nil where nothing is encrypted, or no certificate was shown
	Findings   []Finding    `json:"findings"`
	Suggested  []Suggestion `json:"suggested"`
	Discovery  *Discovery   `json:"-"` // nil when the target was not asked, or refused
}

// Encryption is what is known of an encrypted connection.
type Encryption struct {
	Version string    `json:"version,omitempty"` // "TLS 1.3"; "" when none was agreed on
	Subject string    `json:"subject"`           // whom the server's certificate names
	Issuer  string    `json:"issuer"`            // who vouches for it
	Expires time.Time `json:"expires"`
}

// State says how something was found.
type State string

// The states of a Finding.
const (
	Works   State = "works"
	Limited State = "limited" // the job runs, and loses something by it
	Fails   State = "fails"   // the job cannot run so
	Unknown State = "unknown" // could not be told by reading
)

// Finding is one thing that was tried.
type Finding struct {
	Topic   string `json:"topic"`
	State   State  `json:"state"`
	Found   string `json:"found"`
	Meaning string `json:"meaning,omitempty"` // for the job
	Cure    string `json:"cure,omitempty"`    // what the administrator can do about it
}

// Failure is a finding made of an error: what was refused, and how to mend it.
func Failure(topic string, state State, err error) Finding {
	f := Finding{Topic: topic, State: state, Found: err.Error()}
	if e, ok := errors.AsType[*Error](err); ok {
		plain := *e
		plain.Hint = ""
		f.Found, f.Cure = plain.Error(), e.Hint
	}
	return f
}

// Suggestion is a setting of the connector that suits the system better than the one in force.
type Suggestion struct {
	Setting string `json:"setting"`
	Value   any    `json:"value"` // bool, int or string
	Why     string `json:"why"`
}

// Usable tells whether a job can run with the system as it was found.
func (e *Examination) Usable() bool {
	for _, f := range e.Findings {
		if f.State == Fails {
			return false
		}
	}
	return true
}

// Add notes a finding.
func (e *Examination) Add(f Finding) { e.Findings = append(e.Findings, f) }

// Suggest notes a setting, once.
func (e *Examination) Suggest(setting string, value any, why string) {
	for _, s := range e.Suggested {
		if s.Setting == setting {
			return
		}
	}
	e.Suggested = append(e.Suggested, Suggestion{Setting: setting, Value: value, Why: why})
}

// Discovery is what a target says of itself. It is kept with the job and only ever adds to what is known (scim.R46). A
// field that is nil or zero was not told.
type Discovery struct {
	At      time.Time `json:"at"`
	Address string    `json:"address"` // of the target, when it was asked

	Schema    schema.Schema            `json:"schema,omitempty"`    // attributes, named as mappings name them
	Schemas   []string                 `json:"schemas,omitempty"`   // URIs of all schemas it names
	Endpoints map[identity.Kind]string `json:"endpoints,omitempty"` // paths below the address, escaped

	Patch          *bool  `json:"patch,omitempty"`
	Filter         *bool  `json:"filter,omitempty"`
	Sort           *bool  `json:"sort,omitempty"`
	ETag           *bool  `json:"etag,omitempty"`
	ChangePassword *bool  `json:"changePassword,omitempty"`
	Bulk           *Bulk  `json:"bulk,omitempty"`   // nil also when it is not supported
	MaxResults     int    `json:"maxResults"`       // most objects in a page
	Paging         Paging `json:"paging,omitempty"` // RFC 9865

	Notices []string `json:"notices,omitempty"` // what could not be read, and what should be looked at
}

// Bulk are the bounds of a request that carries several operations (RFC 7644 section 3.7).
type Bulk struct {
	MaxOperations  int   `json:"maxOperations"`
	MaxPayloadSize int64 `json:"maxPayloadSize"` // bytes
}

// Paging is how a target can be listed.
type Paging struct {
	Cursor      bool `json:"cursor,omitempty"`
	Index       bool `json:"index,omitempty"`
	MaxPageSize int  `json:"maxPageSize,omitempty"` // with a cursor; 0 when it does not say
}

// No tells whether the target says that it cannot do something; one that says nothing may well.
func No(can *bool) bool { return can != nil && !*can }
