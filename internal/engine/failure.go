package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Error and skip codes of the engine itself (engine section 18); those of connectors are in package connector.
const (
	codeDuplicateTarget = "DuplicateTargetEntries"
	codeDuplicateSource = "DuplicateSourceEntries"
	codeImportSkipped   = "ImportSkipped"
	codeOutOfScope      = "EntrySynchronizationSkipped"
	codeRedundant       = "RedundantExport"
	codeManyValues      = "SchemaPropertyCanOnlyAcceptValue"
	codeUnresolved      = "UnableToResolveReferenceAttributeValue"
	codeNotEntitled     = "NotEffectivelyEntitled"
	codeNotUnique       = "notUnique" // every candidate of SelectUniqueValue is taken (expressions section 9)
)

// Reasons of a failure of the job (engine.R108).
const (
	quarantineConnection = health.ReasonConnection
	quarantineSource     = health.ReasonSource
)

// jobFailure ends a cycle: no object can be worked on.
type jobFailure struct {
	reason string // of the quarantine
	op     string
	err    error
}

func (f *jobFailure) Error() string { return fmt.Sprintf("%s: %v", f.op, f.err) }
func (f *jobFailure) Unwrap() error { return f.err }
func (f *jobFailure) code() string {
	if e := connector.AsError(f.err); e.Code != "" {
		return e.Code
	}
	return connector.CodeInternalError
}

// IsJobFailure tells whether an error is a failure of the job, its source or its target, and not of the engine.
func IsJobFailure(err error) bool {
	var f *jobFailure
	return errors.As(err, &f)
}

// reaction is what the engine does about an error of one object.
type reaction int

const (
	failObject reaction = iota // the object fails, the cycle goes on (engine.R102)
	failJob                    // the cycle ends
	putBack                    // nothing happened: the object waits and the slice ends
	lookAgain                  // it may have taken effect: ask the target
	gone                       // the account is not there any more
	taken                      // a unique value is taken
	stop                       // nothing was sent: the job is not this process's any more
)

// react is the one place that reacts to kinds of errors (style section 4).
func react(ctx context.Context, err error) reaction {
	if ctx.Err() != nil {
		return putBack
	}
	var lost *leaseError
	if errors.As(err, &lost) {
		return stop
	}
	e := connector.AsError(err)
	switch e.Kind {
	case connector.KindRateLimited:
		return putBack
	case connector.KindTemporary:
		if e.MaybeDone {
			return lookAgain
		}
		return failObject
	case connector.KindAuth, connector.KindIncompatible:
		return failJob
	case connector.KindNotFound:
		return gone
	case connector.KindConflict:
		return taken
	case connector.KindUnknown, connector.KindInvalid, connector.KindUnsupported:
		return failObject
	}
	return failObject
}

// streak watches failures that follow one another: many are a target that is down, not objects that are wrong. It may
// be used by several goroutines at once.
type streak struct{ n atomic.Int64 }

// end says that a call succeeded.
func (s *streak) end() { s.n.Store(0) }

// add says that a call failed, and returns a failure of the job when the target seems to be down.
func (s *streak) add(op string, err error) error {
	if code, _ := failureOf(err); transient(code) && s.n.Add(1) >= maxFailStreak {
		return targetDown(op, maxFailStreak, err.Error())
	}
	return nil
}

// targetDown is the failure of a job whose target does not answer any more.
func targetDown(op string, calls int, last string) *jobFailure {
	return &jobFailure{reason: quarantineConnection, op: op, err: &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeEndpointUnavailable,
		Detail: fmt.Sprintf("%d calls in a row failed, the last with: %s", calls, last), Hint: "the target seems to be down; the next run takes up what is left"}}
}

// doubtful tells whether a write that failed may have taken effect all the same.
func doubtful(err error) bool {
	var lost *leaseError
	if errors.As(err, &lost) {
		return false
	}
	e := connector.AsError(err)
	switch e.Kind {
	case connector.KindTemporary, connector.KindUnknown, connector.KindIncompatible: // an answer that nobody understands says nothing
		return !e.NotSent
	case connector.KindRateLimited, connector.KindAuth, connector.KindNotFound, connector.KindConflict, connector.KindInvalid, connector.KindUnsupported:
	}
	return e.MaybeDone && !e.NotSent
}

// failureOf gives the stable code and the words of an error of one object.
func failureOf(err error) (code, reason string) {
	var missing *plan.Missing
	switch {
	case errors.As(err, &missing):
		return connector.CodeMandatoryMissing, err.Error()
	case errors.Is(err, mapping.ErrManyValues):
		return codeManyValues, err.Error()
	case mapping.NotUnique(err):
		return codeNotUnique, err.Error()
	}
	var e *connector.Error
	if errors.As(err, &e) {
		return e.Code, e.Error()
	}
	return connector.CodeUnprocessable, err.Error()
}

// textMissing explains a failure with InvalidAnchor.
const textMissing = "the linked account no longer exists in the target; delete the link or set onMissingTarget: rematch"

// escrowAfter stores one more failure of an object; giveUp says that it is not tried again until it changes.
func escrowAfter(was *store.Escrow, key store.ObjectKey, t *task, code, reason string, now time.Time) (e store.Escrow, giveUp bool) {
	e = store.Escrow{ObjectKey: key, Name: t.Name, Hash: t.Hash, Code: code, Reason: reason, Attempts: 1,
		FirstFailed: now, LastFailed: now, Reference: code == codeUnresolved || t.onlyRefers()}
	if was != nil {
		e.FirstFailed, e.Attempts = was.FirstFailed, was.Attempts+1
	}
	e.NextAttempt, giveUp = health.Retry(e.FirstFailed, e.Attempts, transient(code), now)
	return e, giveUp
}

// onlyRefers tells whether nothing but references of an object was to be written, so that its failure is one of
// references (engine.R100).
func (t *task) onlyRefers() bool { return len(t.Refs) > 0 && len(t.Changes) == 0 }

func transient(code string) bool {
	switch code {
	case connector.CodeTooManyRequests, connector.CodeServerError, connector.CodeProtocol, connector.CodeTimeout,
		connector.CodeInternalError, connector.CodeEndpointUnavailable:
		return true
	}
	return false
}
