package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
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

// Reasons of a quarantine (engine.R108).
const (
	quarantineConnection     = "EncounteredQuarantineException"
	quarantineTooManyDeletes = "TooManyDeletes"
	quarantineSource         = "IngestionInterrupted"
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
)

// react is the one place that reacts to kinds of errors (style section 4).
func react(ctx context.Context, err error) reaction {
	if ctx.Err() != nil {
		return putBack
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
	e := connector.AsError(err)
	return !e.NotSent && (e.MaybeDone || e.Kind == connector.KindTemporary || e.Kind == connector.KindUnknown)
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

// quarantined continues a series of quarantines or begins one (engine.R114).
func quarantined(was *store.Quarantine, reason, code, message string, now time.Time) *store.Quarantine {
	q := &store.Quarantine{Reason: reason, Code: code, Message: message, SeriesBegan: now, CurrentBegan: now, SeriesCount: 1}
	if was != nil {
		q.SeriesBegan, q.SeriesCount = was.SeriesBegan, was.SeriesCount+1
	}
	q.NextAttempt = now.Add(retryAfter(q.SeriesBegan, now))
	return q
}

// retryAfter is the schedule of engine.R103 and R111: 6, 12 and 24 hours after the first failure, then daily.
func retryAfter(first, now time.Time) time.Duration {
	for _, h := range []time.Duration{6 * time.Hour, 12 * time.Hour, 24 * time.Hour} {
		if d := first.Add(h).Sub(now); d > 0 {
			return d
		}
	}
	return 24 * time.Hour
}

// attempts of transient failures that are retried in the very next cycles (engine.R103 Open).
const promptRetries = 3

// textMissing explains a failure with InvalidAnchor.
const textMissing = "the linked account no longer exists in the target; delete the link or set onMissingTarget: rematch"

// giveUpAfter is how long after its first failure an object is retried without having changed (engine.R103).
const giveUpAfter = 28 * 24 * time.Hour

// escrowAfter stores one more failure of an object.
func escrowAfter(was *store.Escrow, key store.ObjectKey, t *task, code, reason string, now time.Time) store.Escrow {
	e := store.Escrow{ObjectKey: key, Name: t.Name, Hash: t.Hash, Code: code, Reason: reason, Attempts: 1,
		FirstFailed: now, LastFailed: now, Reference: code == codeUnresolved}
	if was != nil {
		e.FirstFailed, e.Attempts = was.FirstFailed, was.Attempts+1
	}
	e.NextAttempt = now.Add(retryAfter(e.FirstFailed, now))
	if e.Attempts <= promptRetries && transient(code) {
		e.NextAttempt = now
	}
	return e
}

func transient(code string) bool {
	switch code {
	case connector.CodeTooManyRequests, connector.CodeServerError, connector.CodeProtocol, connector.CodeTimeout,
		connector.CodeInternalError, connector.CodeEndpointUnavailable:
		return true
	}
	return false
}
