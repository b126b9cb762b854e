package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/store"
)

func jobChecks() []Check {
	return []Check{
		{"a job comes back as it was stored", jobRoundTrip},
		{"a job is found by id before name, and by name without regard to case", jobByName},
		{"a job whose id or name exists is a conflict", jobConflict},
		{"an update keeps id, epoch and hold, and a failed one changes nothing", jobUpdate},
		{"updates at the same time all take effect", jobUpdatesRace},
		{"a deleted job takes all its state and log along, and no other's", jobDelete},
		{"versions come newest first, and a number is used once (engine.R160)", versions},
	}
}

// fullJob has a value in every field (engine.R137).
func fullJob() store.Job {
	at := instant()
	return store.Job{
		ID: jobID, Name: "Müller's \"Litmos\" 😀", Template: "litmos-scim",
		File: []byte("name: x\n\x00\xff"), FileDir: "/etc/rollcall", FileHash: "abc", Version: 7, Paused: true, InitialDue: true,
		Watermark: "w=1;'", Epoch: 3, Holder: "node-1", HeldUntil: at.Add(time.Minute), NoReferences: true,
		LastTotal: map[string]int64{"User": 1 << 40, "Group": 0}, ConfirmedAt: at.Add(1 * time.Microsecond),
		ReconcileFrom: at.Add(2 * time.Microsecond), Reconciled: &store.Reconciliation{At: at, CycleID: "c", Accounts: 1 << 40, Unmanaged: 1, Changed: 2, Corrected: 3, Missing: 4},
		Discovered: []byte(`{"patch":true}`),
		Quarantine: &store.Quarantine{Reason: "TooManyDeletes", Code: "c", Message: "m", SeriesBegan: at, CurrentBegan: at, SeriesCount: 2, NextAttempt: at.Add(time.Hour)},
		Saved:      9, Disabled: true, Asked: 11, ResetDue: health.Full, Pruned: true, Woken: true, FailedRuns: 3, LastClean: "c-1", LastExport: "c-2",
		SteadyFirst: at.Add(2 * time.Second), SteadyLast: at.Add(3 * time.Second), Created: at.Add(4 * time.Second), Updated: at.Add(5 * time.Second),
	}
}

func jobRoundTrip(ctx context.Context, s Store) error {
	full, bare := fullJob(), store.Job{ID: "scim.t.0", Name: "a bare one"}
	if err := first(s.CreateJob(ctx, full), s.CreateJob(ctx, bare)); err != nil {
		return err
	}
	one, err := s.Job(ctx, full.ID)
	if err != nil {
		return err
	}
	all, err := s.Jobs(ctx)
	if err != nil {
		return err
	}
	return first(same("job", one, full), same("jobs by name", all, []store.Job{bare, full}))
}

func jobByName(ctx context.Context, s Store) error {
	a, b := store.Job{ID: "id-a", Name: "ÄRGER & Söhne"}, store.Job{ID: "id-b", Name: "other"}
	if err := first(s.CreateJob(ctx, a), s.CreateJob(ctx, b)); err != nil {
		return err
	}
	for asked, want := range map[string]store.Job{"id-a": a, "ärger & söhne": a, "OTHER": b, "id-b": b} {
		got, err := s.Job(ctx, asked)
		if err := first(err, same("job asked for as "+asked, got, want)); err != nil {
			return err
		}
	}
	if _, err := s.Job(ctx, "ID-A"); !errors.Is(err, store.ErrNotFound) {
		return wrongError("an id in another case", err, store.ErrNotFound)
	}
	return nil
}

func jobConflict(ctx context.Context, s Store) error {
	if err := s.CreateJob(ctx, store.Job{ID: "id-a", Name: "Ärger"}); err != nil {
		return err
	}
	for _, j := range []store.Job{{ID: "id-a", Name: "new"}, {ID: "id-b", Name: "äRGER"}} {
		if err := s.CreateJob(ctx, j); !errors.Is(err, store.ErrConflict) {
			return wrongError(fmt.Sprintf("create %+v", j), err, store.ErrConflict)
		}
	}
	if err := s.CreateJob(ctx, store.Job{ID: "id-b", Name: "other"}); err != nil {
		return err
	}
	if _, err := s.UpdateJob(ctx, "id-b", func(j *store.Job) error { j.Name = "ÄRGER"; return nil }); !errors.Is(err, store.ErrConflict) {
		return wrongError("rename to a name that exists", err, store.ErrConflict)
	}
	all, err := s.Jobs(ctx)
	return first(err, same("jobs", all, []store.Job{{ID: "id-b", Name: "other"}, {ID: "id-a", Name: "Ärger"}}))
}

func jobUpdate(ctx context.Context, s Store) error {
	if err := s.CreateJob(ctx, store.Job{ID: jobID, Name: "old", Epoch: 5, Holder: "me", HeldUntil: instant(), Quarantine: &store.Quarantine{Reason: "x"}}); err != nil {
		return err
	}
	want := fullJob()
	want.Epoch, want.Holder, want.HeldUntil = 5, "me", instant()
	got, err := s.UpdateJob(ctx, jobID, func(j *store.Job) error {
		*j = fullJob()
		j.ID = "another"
		return nil
	})
	if err := first(err, same("updated job", got, want)); err != nil {
		return err
	}
	refusal := errors.New("refused")
	if _, err := s.UpdateJob(ctx, jobID, func(j *store.Job) error { j.Watermark = "lost"; return refusal }); !errors.Is(err, refusal) {
		return wrongError("a change that fails", err, refusal)
	}
	if _, err := s.UpdateJob(ctx, "no such job", func(*store.Job) error { return nil }); !errors.Is(err, store.ErrNotFound) {
		return wrongError("update of a job that does not exist", err, store.ErrNotFound)
	}
	got, err = s.Job(ctx, jobID)
	return first(err, same("job after a refused change", got, want))
}

func jobUpdatesRace(ctx context.Context, s Store) error {
	if err := s.CreateJob(ctx, store.Job{ID: jobID, Name: "counted"}); err != nil {
		return err
	}
	const writers, times = 4, 10
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range times {
				if _, err := s.UpdateJob(ctx, jobID, func(j *store.Job) error { j.Version++; return nil }); err != nil {
					errs[w] = err
				}
			}
		})
	}
	wg.Wait()
	j, err := s.Job(ctx, jobID)
	return first(errors.Join(errs...), err, same("number of updates", j.Version, writers*times))
}

func jobDelete(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	full := everything()
	if err := first(s.AddVersion(ctx, store.Version{JobID: jobID, Number: 1}), s.Commit(ctx, full)); err != nil {
		return err
	}
	// The same again under another job, which must stay.
	const other, otherCycle = "other-job", "other-cycle"
	kept := everything()
	kept.JobID, kept.CycleID = other, otherCycle
	kept.Cycle.ID, kept.Cycle.JobID = otherCycle, other
	for i := range kept.Log {
		kept.Log[i].ID += "-other"
		kept.Log[i].JobID, kept.Log[i].CycleID = other, otherCycle
	}
	if err := first(s.CreateJob(ctx, store.Job{ID: other, Name: other, Epoch: 1}), s.Commit(ctx, kept)); err != nil {
		return err
	}
	before, err := dump(ctx, s, other, otherCycle)
	if err != nil {
		return err
	}
	if err := s.DeleteJob(ctx, jobID); err != nil {
		return err
	}
	if _, err := s.Job(ctx, jobID); !errors.Is(err, store.ErrNotFound) {
		return wrongError("the deleted job", err, store.ErrNotFound)
	}
	if err := s.DeleteJob(ctx, jobID); !errors.Is(err, store.ErrNotFound) {
		return wrongError("delete it again", err, store.ErrNotFound)
	}
	if err := s.Commit(ctx, batch()); !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrStale) {
		return wrongError("write to a deleted job", err, store.ErrNotFound)
	}
	// A job that takes its place starts with nothing.
	if err := withJob(ctx, s); err != nil {
		return err
	}
	got, err := dump(ctx, s, jobID, cycleID)
	if err := first(err, same("state of a job with a used id", got, state{})); err != nil {
		return err
	}
	v, err := s.Versions(ctx, jobID)
	if err := first(err, same("versions of a job with a used id", v, nil)); err != nil {
		return err
	}
	after, err := dump(ctx, s, other, otherCycle)
	return first(err, same("state of the other job", after, before))
}

func versions(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	var want []store.Version
	for n := range 3 {
		v := store.Version{JobID: jobID, Number: int64(n + 1), At: instant().Add(time.Duration(n)), Author: "ü", File: []byte{byte(n), 0xff}, Note: "applied",
			Mapped: int64(n), FileDir: "/etc/rollcall"}
		v.At = v.At.Truncate(time.Microsecond)
		if err := s.AddVersion(ctx, v); err != nil {
			return err
		}
		want = append([]store.Version{v}, want...)
	}
	if err := s.AddVersion(ctx, want[1]); !errors.Is(err, store.ErrConflict) {
		return wrongError("a number again", err, store.ErrConflict)
	}
	got, err := s.Versions(ctx, jobID)
	return first(err, same("versions", got, want))
}

func holdChecks() []Check {
	return []Check{
		{"a hold gives a new epoch, and the same holder keeps it (I9)", holdEpochs},
		{"of several holders who ask at once one gets the job (I9)", holdRace},
		{"a batch of an old epoch is stale and writes nothing (D13)", staleCommit},
	}
}

func holdEpochs(ctx context.Context, s Store) error {
	if err := s.CreateJob(ctx, store.Job{ID: jobID, Name: "x", Epoch: 4}); err != nil {
		return err
	}
	now := instant()
	steps := []struct {
		name      string
		holder    string
		now       time.Time
		wantEpoch int64 // 0: ErrStale
		release   string
	}{
		{name: "free", holder: "a", now: now, wantEpoch: 5},
		{name: "the same holder again", holder: "a", now: now.Add(30 * time.Second), wantEpoch: 5},
		{name: "another before the end", holder: "b", now: now.Add(89 * time.Second), release: "b"},
		{name: "another's release changes nothing", holder: "b", now: now.Add(89 * time.Second)},
		{name: "another at the end", holder: "b", now: now.Add(90 * time.Second), wantEpoch: 6},
		{name: "the first one, late", holder: "a", now: now.Add(91 * time.Second), release: "b"},
		{name: "released", holder: "a", now: now.Add(92 * time.Second), wantEpoch: 7, release: "a"},
		{name: "the same holder after a release", holder: "a", now: now.Add(93 * time.Second), wantEpoch: 8},
	}
	for _, step := range steps {
		until := step.now.Add(time.Minute)
		j, err := s.Hold(ctx, jobID, step.holder, step.now, until)
		switch {
		case step.wantEpoch == 0:
			if !errors.Is(err, store.ErrStale) {
				return wrongError(step.name, err, store.ErrStale)
			}
		case err != nil:
			return fmt.Errorf("%s: %w", step.name, err)
		default:
			want := store.Job{ID: jobID, Name: "x", Epoch: step.wantEpoch, Holder: step.holder, HeldUntil: until}
			if err := same(step.name, j, want); err != nil {
				return err
			}
		}
		if step.release != "" {
			if err := s.Release(ctx, jobID, step.release); err != nil {
				return err
			}
		}
	}
	if _, err := s.Hold(ctx, "no such job", "a", now, now); !errors.Is(err, store.ErrNotFound) {
		return wrongError("hold of a job that does not exist", err, store.ErrNotFound)
	}
	return nil
}

func holdRace(ctx context.Context, s Store) error {
	if err := s.CreateJob(ctx, store.Job{ID: jobID, Name: "x"}); err != nil {
		return err
	}
	const holders = 8
	errs := make([]error, holders)
	var wg sync.WaitGroup
	for h := range holders {
		wg.Go(func() { _, errs[h] = s.Hold(ctx, jobID, fmt.Sprint(h), instant(), instant().Add(time.Minute)) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, store.ErrStale) {
			return fmt.Errorf("a loser: got %w, want ErrStale", err)
		}
	}
	j, err := s.Job(ctx, jobID)
	return first(err, same("winners", won, 1), same("epoch", j.Epoch, 1))
}

func staleCommit(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	if _, err := s.Hold(ctx, jobID, "other", instant(), instant().Add(time.Minute)); err != nil {
		return err
	}
	if err := s.Commit(ctx, everything()); !errors.Is(err, store.ErrStale) {
		return wrongError("a batch of the epoch before", err, store.ErrStale)
	}
	got, err := dump(ctx, s, jobID, cycleID)
	if err := first(err, same("state after a stale batch", got, state{})); err != nil {
		return err
	}
	b := everything()
	b.Epoch = 2
	if err := s.Commit(ctx, b); err != nil {
		return fmt.Errorf("a batch of the new epoch: %w", err)
	}
	return nil
}
