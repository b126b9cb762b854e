package storetest

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-id/rollcall/internal/store"
)

// Store is all roles together.
type Store interface {
	store.Jobs
	store.VersionWriter
	store.Holds
	store.Cycles
	store.Writer
	store.Objects
	store.Links
	store.Projections
	store.Held
	store.Resets
	store.Work
	store.Log
	store.Windows
	store.Sites
	store.Secrets
	store.Credentials
}

// Check is one promise of the contract; Run is given an empty store.
type Check struct {
	Name string
	Run  func(ctx context.Context, s Store) error
}

// Checks returns the whole suite.
func Checks() []Check {
	var all []Check
	for _, part := range [][]Check{jobChecks(), holdChecks(), commitChecks(), objectChecks(), referenceChecks(), heldChecks(), resetChecks(), workChecks(), depthChecks(), logChecks(), windowChecks(), secretChecks()} {
		all = append(all, part...)
	}
	return all
}

// Run runs the suite; open returns an empty store, which it closes when the test ends.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Run(t.Context(), open(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// instant is the time at which the checks take place; they use no clock.
func instant() time.Time { return time.Date(2026, 3, 1, 8, 30, 0, 123456000, time.UTC) }

const (
	jobID   = "scim.contoso.6f1d2a52-6c53-4c0e-9f6f-0a6f8f3d9d11"
	cycleID = "0b6f0d5e-3f0b-4ad0-8b59-27a2f2a6c9a1"
	users   = "users"
)

// anchors are keys that a careless store confuses, in byte order: they differ in case or normal form only, sort
// otherwise in the order of a language, or mean something to SQL, LIKE, or the drivers.
func anchors() []string {
	return []string{
		" leading blank", "$1", "%", "'; DROP TABLE jobs; --", "10", "9", "?", "A\"quoted\"", "Alice", "B", "Zoe", "_", "a", "alice", "a\u0308rger",
		"b\\backslash", "new\nline", "zoe", "{?}", "\u00c4rger", "\u00e4rger", "\u65e5\u672c", "\U0001F600",
	}
}

// withJob stores a job at epoch 1 with a running cycle.
func withJob(ctx context.Context, s Store) error {
	if err := s.CreateJob(ctx, store.Job{ID: jobID, Name: "SAP Litmos", Epoch: 1, Created: instant()}); err != nil {
		return err
	}
	b := batch()
	b.Cycle = &store.Cycle{ID: cycleID, JobID: jobID, Type: store.Initial, State: store.Running, Phase: store.PhaseRead, Began: instant()}
	return s.Commit(ctx, b)
}

func batch() *store.Batch { return &store.Batch{JobID: jobID, CycleID: cycleID, Epoch: 1} }

func key(anchor string) store.ObjectKey { return store.ObjectKey{Rule: users, Anchor: anchor} }

func allStages() []store.Stage {
	return []store.Stage{store.ToMatch, store.ToSettle, store.ToExport}
}

func hash(n byte) [16]byte {
	return [16]byte{n, 0xff, 2, 3, 4, 5, 6, 7, 0x80, 9, 10, 11, 12, 13, 14, n}
}

// same compares what a method returned with what it promised; nil and empty are the same.
func same[T any](what string, got, want T) error {
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("%s differs (- want, + got):\n%s", what, diff)
	}
	return nil
}

// collect reads a sequence to its end.
func collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for v, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

// wrongError says that a method gave another error than it promises, or none.
func wrongError(what string, got, want error) error {
	text := "none"
	if got != nil {
		text = got.Error()
	}
	return fmt.Errorf("%s: the error is %q, want %q", what, text, want.Error())
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
