package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rollcall-id/rollcall/internal/store"
)

func secretChecks() []Check {
	return []Check{
		{"a sealed secret comes back byte for byte, the one kept last, of its job and name only (D10)", secretKept},
		{"of several who want to change a secret at once one may", secretHeld},
		{"since when a credential is in use comes back, and goes with its job", credentialKept},
	}
}

func secretKept(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	const otherID = "scim.contoso.other"
	if err := s.CreateJob(ctx, store.Job{ID: otherID, Name: "Other", Epoch: 1, Created: instant()}); err != nil {
		return err
	}
	sealed := func(job, name, key string, value ...byte) store.Sealed {
		return store.Sealed{JobID: job, Name: name, KeyID: key, Value: value, Updated: instant()}
	}
	all := []store.Sealed{
		sealed(jobID, "oauth2", "b", 1), sealed(jobID, "oauth2", "a", 0, 0xff, 0, 0xfe), sealed(jobID, "Oauth2", "a", 2), sealed(otherID, "oauth2", "c", 3),
	}
	for _, v := range all {
		if err := s.KeepSealed(ctx, v); err != nil {
			return err
		}
	}
	for _, want := range all[1:] {
		got, err := s.Sealed(ctx, want.JobID, want.Name)
		if err := first(err, same("sealed secret "+want.Name, got, want)); err != nil {
			return err
		}
	}
	keys, err := s.SealedKeys(ctx)
	if err := first(err, same("keys in use", keys, []string{"a", "c"})); err != nil {
		return err
	}
	if _, err := s.Sealed(ctx, otherID, "Oauth2"); !errors.Is(err, store.ErrNotFound) {
		return wrongError("a secret that nobody kept", err, store.ErrNotFound)
	}
	if err := s.KeepSealed(ctx, sealed("no such job", "oauth2", "a", 1)); !errors.Is(err, store.ErrNotFound) {
		return wrongError("a secret of a job that is not there", err, store.ErrNotFound)
	}
	if err := s.DeleteJob(ctx, jobID); err != nil {
		return err
	}
	keys, err = s.SealedKeys(ctx)
	return first(err, same("keys in use after the job was deleted", keys, []string{"c"}))
}

func secretHeld(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	now := instant()
	until := now.Add(time.Minute)
	var mu sync.Mutex
	var winners []string
	var wg sync.WaitGroup
	var failed error
	for i := range 8 {
		wg.Go(func() {
			holder := fmt.Sprintf("process %d", i)
			err := s.HoldSealed(ctx, jobID, "oauth2", holder, now, until)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				winners = append(winners, holder)
			case !errors.Is(err, store.ErrStale):
				failed = err
			}
		})
	}
	wg.Wait()
	if err := first(failed, same("number of holders", len(winners), 1)); err != nil {
		return err
	}
	hold := func(name, holder string, at time.Time) error {
		return s.HoldSealed(ctx, jobID, name, holder, at, at.Add(time.Minute))
	}
	if err := first(hold("oauth2", winners[0], now), hold("another", "x", now)); err != nil {
		return err
	}
	if err := s.ReleaseSealed(ctx, jobID, "oauth2", "x"); err != nil {
		return err
	}
	if err := hold("oauth2", "x", until.Add(-time.Microsecond)); !errors.Is(err, store.ErrStale) {
		return wrongError("hold of another before its end", err, store.ErrStale)
	}
	if err := s.ReleaseSealed(ctx, jobID, "oauth2", winners[0]); err != nil {
		return err
	}
	return first(hold("oauth2", "x", now), hold("oauth2", "y", now.Add(time.Minute)))
}

func credentialKept(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	if _, err := s.Credential(ctx, jobID); !errors.Is(err, store.ErrNotFound) {
		return wrongError("a credential that nobody has set", err, store.ErrNotFound)
	}
	for _, want := range []store.Credential{{Fingerprint: "f1", Since: instant()}, {Fingerprint: "f2", Since: instant().Add(time.Hour), Warned: 30}} {
		if err := s.SetCredential(ctx, jobID, want); err != nil {
			return err
		}
		got, err := s.Credential(ctx, jobID)
		if err := first(err, same("credential", got, want)); err != nil {
			return err
		}
	}
	if err := s.DeleteJob(ctx, jobID); err != nil {
		return err
	}
	if err := s.SetCredential(ctx, jobID, store.Credential{}); !errors.Is(err, store.ErrNotFound) {
		return wrongError("a credential of a job that is not there", err, store.ErrNotFound)
	}
	return nil
}
