package connector

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says how the engine reacts to an error. There is one switch over kinds, in package engine.
type Kind int

// The kinds.
const (
	KindUnknown      Kind = iota // not classified: retried, and counted towards quarantine
	KindTemporary                // the same call may work later
	KindRateLimited              // not before RetryAfter
	KindAuth                     // credentials refused: the cycle stops
	KindNotFound                 // the object is gone
	KindConflict                 // a unique value is taken (engine.R89)
	KindInvalid                  // the system refused the values, or the input is wrong
	KindUnsupported              // the system cannot do this
	KindIncompatible             // the answer does not follow the protocol: the cycle stops (engine.R109)
)

// String names the kind for logs.
func (k Kind) String() string {
	names := [...]string{"unknown", "temporary", "rate limited", "auth", "not found", "conflict", "invalid", "unsupported", "incompatible"}
	if k < 0 || int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Error is the only error type that connectors return. It never holds a secret.
type Error struct {
	Kind       Kind
	Op         string        // what was being done, for instance "POST /Users"
	Code       string        // stable code of engine section 18
	Status     int           // HTTP or LDAP status, 0 if none
	Detail     string        // what the system said, for the log's reason
	RetryAfter time.Duration // how long to wait before any call to the same site; 0 if unknown
	NotSent    bool          // the call was never sent, so nothing can have happened (a rate window was full)
	MaybeDone  bool          // the call was sent and its answer lost: it may have taken effect (scim.R63)
	Hint       string        // how to mend it, for the administrator
	Err        error         // cause, may be nil
}

// Error tells what was done and what came of it.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		b.WriteString(": ")
	}
	switch {
	case e.Detail != "":
		b.WriteString(e.Detail)
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	default:
		b.WriteString(e.Kind.String())
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d)", e.Status)
	}
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf finds the kind of an error through any wrapping; KindUnknown when there is no *Error in it.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindUnknown
}

// AsError returns the *Error within err, or a new one of KindUnknown around it.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: KindUnknown, Code: CodeInternalError, Err: err}
}

// Error codes (engine section 18) that connectors and engine share.
const (
	CodeConflict            = "EntryConflict"
	CodeTooManyRequests     = "TooManyRequests"
	CodeServerError         = "InternalServerError"
	CodeProtocol            = "WebExceptionProtocolError"
	CodeTimeout             = "Timeout"
	CodeInternalError       = "InternalError"
	CodeUnauthorized        = "Unauthorized"
	CodeInsufficientRights  = "InsufficientRights"
	CodeMethodNotAllowed    = "MethodNotAllowed"
	CodeUnprocessable       = "UnprocessableEntity"
	CodeNotImplemented      = "NotImplemented"
	CodeInvalidAnchor       = "InvalidAnchor"
	CodeMandatoryMissing    = "MandatoryFieldsMissing"
	CodeMissingValues       = "MissingValues"
	CodeInvalidDomain       = "InvalidDomain"
	CodeLicenseLimit        = "LicenseLimitExceeded"
	CodeServiceIncompatible = "SystemForCrossDomainIdentityManagementServiceIncompatible"
	CodeProbeUnexpected     = "SystemForCrossDomainIdentityManagementCredentialValidationUnavailable"
	CodeBadResponse         = "SystemForCrossDomainIdentityManagementBadResponse"
	CodeEndpointUnavailable = "EndpointUnavailable"
	CodeInvalidUPN          = "AzureActiveDirectoryInvalidUserPrincipalName"
)
