package storetest

import (
	"context"
	"errors"

	"github.com/rollcall-id/rollcall/internal/store"
)

func heldChecks() []Check {
	return []Check{
		{"held operations are allowed by key or all together, and counted once (engine.R120)", allowStaged},
		{"escrows and held operations go when they are taken back", unheld},
	}
}

func stagedBatch() *store.Batch {
	b := batch()
	for _, a := range anchors() {
		b.Staged = append(b.Staged, store.Staged{ObjectKey: key(a), Action: "disable", StagedAt: instant()})
		b.Escrows = append(b.Escrows, store.Escrow{ObjectKey: key(a), Code: "c", FirstFailed: instant()})
	}
	return b
}

func allowStaged(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	if err := s.Commit(ctx, stagedBatch()); err != nil {
		return err
	}
	want := stagedBatch().Staged
	for i := range want {
		want[i].Allowed = want[i].Anchor == "alice" || want[i].Anchor == "zoe"
	}
	n, err := s.AllowStaged(ctx, jobID, []store.ObjectKey{key("alice"), key("zoe"), key("unknown"), {Rule: "groups", Anchor: "Zoe"}})
	if err := first(err, same("operations allowed", n, 2)); err != nil {
		return err
	}
	got, err := s.Staged(ctx, jobID)
	if err := first(err, same("held operations", got, want)); err != nil {
		return err
	}
	n, err = s.AllowStaged(ctx, jobID, nil)
	if err := first(err, same("operations allowed", n, int64(len(want)-2))); err != nil {
		return err
	}
	for i := range want {
		want[i].Allowed = true
	}
	got, err = s.Staged(ctx, jobID)
	if err := first(err, same("held operations", got, want)); err != nil {
		return err
	}
	if _, err := s.AllowStaged(ctx, "no such job", nil); !errors.Is(err, store.ErrNotFound) {
		return wrongError("allow for an unknown job", err, store.ErrNotFound)
	}
	return nil
}

func unheld(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	if err := s.Commit(ctx, stagedBatch()); err != nil {
		return err
	}
	b := batch()
	b.Unescrow = []store.ObjectKey{key("alice"), {Rule: "groups", Anchor: "zoe"}}
	b.Unstage = []store.ObjectKey{key("zoe"), key("unknown")}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	want := stagedBatch()
	staged, err := s.Staged(ctx, jobID)
	if err != nil {
		return err
	}
	escrows, err := s.Escrows(ctx, jobID)
	return first(err,
		same("held operations", staged, without(want.Staged, func(o store.Staged) bool { return o.Anchor == "zoe" })),
		same("escrows", escrows, without(want.Escrows, func(e store.Escrow) bool { return e.Anchor == "alice" })))
}
