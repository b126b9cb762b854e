package storetest

import (
	"context"
	"errors"

	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/store"
)

func resetChecks() []Check {
	return []Check{
		{"a reset forgets what it says, of one job only, and may be repeated (engine.R20)", resetForgets},
		{"a reset at an old epoch is stale and forgets nothing (D13)", staleReset},
	}
}

func resetForgets(ctx context.Context, s Store) error {
	const other = "other-job"
	if err := first(withJob(ctx, s), s.CreateJob(ctx, store.Job{ID: other, Name: other, Epoch: 1})); err != nil {
		return err
	}
	kept := &store.Batch{JobID: other, Epoch: 1, Objects: everything().Objects, Escrows: everything().Escrows}
	if err := s.Commit(ctx, kept); err != nil {
		return err
	}
	for _, c := range []struct {
		what   health.Reset
		change func(*store.Batch) // what is left of everything
	}{
		{0, func(*store.Batch) {}},
		{health.QuarantineState | health.ForceDeletes, func(*store.Batch) {}},
		{health.Watermark, func(b *store.Batch) { withHashes(b, func(int) [16]byte { return [16]byte{} }) }},
		{health.Escrows, func(b *store.Batch) {
			b.Escrows = nil
			withHashes(b, failedHash)
		}},
		{health.ConnectorDataStore, func(b *store.Batch) {
			b.Objects, b.Project, b.Members, b.Unresolved, b.Staged = nil, nil, nil, nil, nil
		}},
		{health.Full, func(b *store.Batch) {
			b.Objects, b.Project, b.Members, b.Unresolved, b.Staged, b.Escrows = nil, nil, nil, nil, nil, nil
		}},
	} {
		full, want := everything(), everything()
		full.Log, want.Log = nil, nil // records are written once
		for i := range full.Escrows {
			full.Escrows[i].Hash, want.Escrows[i].Hash = failedHash(i), failedHash(i)
		}
		c.change(want)
		if err := s.Commit(ctx, full); err != nil {
			return err
		}
		for range 2 {
			if err := s.Reset(ctx, jobID, 1, c.what); err != nil {
				return err
			}
			got, err := dump(ctx, s, jobID, cycleID)
			if err := first(err, same("state after a reset of "+c.what.String(), got, stateOf(want))); err != nil {
				return err
			}
		}
	}
	objects, err := s.ObjectsByAnchor(ctx, other, users, anchors())
	if err != nil {
		return err
	}
	escrows, err := s.Escrows(ctx, other)
	return first(err, same("objects of the other job", objects, stateOf(kept).Objects), same("escrows of the other job", escrows, kept.Escrows))
}

func withHashes(b *store.Batch, of func(int) [16]byte) {
	for i := range b.Objects {
		b.Objects[i].Hash = of(i)
	}
}

// failedHash is that of an object as it was when it failed.
func failedHash(i int) [16]byte { return hash(byte(100 + i)) }

func staleReset(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	if err := s.Commit(ctx, everything()); err != nil {
		return err
	}
	if _, err := s.Hold(ctx, jobID, "other", instant(), instant()); err != nil {
		return err
	}
	if err := s.Reset(ctx, jobID, 1, health.Full); !errors.Is(err, store.ErrStale) {
		return wrongError("a reset at the epoch before", err, store.ErrStale)
	}
	got, err := dump(ctx, s, jobID, cycleID)
	return first(err, same("state after a stale reset", got, stateOf(everything())))
}
