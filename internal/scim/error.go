package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// ErrorType is the scimType of an error (RFC 7644 section 3.12, table 9).
type ErrorType string

// The error types of RFC 7644 section 3.12.
const (
	InvalidFilter ErrorType = "invalidFilter" // filter syntax, or a comparison the attribute does not allow
	TooMany       ErrorType = "tooMany"       // more results than the server is willing to give
	Uniqueness    ErrorType = "uniqueness"    // a value is taken; goes with status 409
	Mutability    ErrorType = "mutability"    // a read-only, immutable or required attribute would change
	InvalidSyntax ErrorType = "invalidSyntax" // the message does not have the form of its schema
	InvalidPath   ErrorType = "invalidPath"   // a PATCH path is malformed or names no attribute
	NoTarget      ErrorType = "noTarget"      // a PATCH path yields nothing to work on
	InvalidValue  ErrorType = "invalidValue"  // a value is missing or has the wrong type
	InvalidVers   ErrorType = "invalidVers"   // the protocol version is not supported
	Sensitive     ErrorType = "sensitive"     // the request carries personal data in its URI
)

// Error is a SCIM error message. Its JSON form is that of RFC 7644 section 3.12.
type Error struct {
	Status   int       // HTTP status code
	ScimType ErrorType // empty where the RFC gives none
	Detail   string    // for people; never holds a credential
}

// NewError makes an Error with a formatted detail.
func NewError(status int, scimType ErrorType, format string, args ...any) *Error {
	return &Error{Status: status, ScimType: scimType, Detail: fmt.Sprintf(format, args...)}
}

func badRequest(t ErrorType, format string, args ...any) *Error {
	return NewError(http.StatusBadRequest, t, format, args...)
}

// Error gives status, scimType and detail in one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "scim %d", e.Status)
	if e.ScimType != "" {
		b.WriteString(" " + string(e.ScimType))
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	return b.String()
}

type errorMessage struct {
	Schemas  []string        `json:"schemas"`
	Status   json.RawMessage `json:"status"`
	ScimType ErrorType       `json:"scimType,omitempty"`
	Detail   string          `json:"detail,omitempty"`
}

// MarshalJSON writes the error message; the status is a string, as the RFC has it.
func (e *Error) MarshalJSON() ([]byte, error) {
	status := json.RawMessage(`"` + strconv.Itoa(e.Status) + `"`)
	return json.Marshal(errorMessage{[]string{ErrorURN}, status, e.ScimType, e.Detail})
}

// UnmarshalJSON reads an error message. Servers send the status as string or number; an unreadable one is left
// at zero, for the HTTP status counts.
func (e *Error) UnmarshalJSON(data []byte) error {
	var m errorMessage
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("read SCIM error message: %w", err)
	}
	status, _ := strconv.Atoi(strings.Trim(string(m.Status), `"`))
	*e = Error{Status: status, ScimType: m.ScimType, Detail: m.Detail}
	return nil
}

// asError returns the *Error within err; this package makes no other errors for paths and filters.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return badRequest(InvalidValue, "%v", err)
}
