package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/secret"
	"github.com/rollcall-id/rollcall/internal/store"
)

const (
	// holdFor is how long a process may take to change a secret before another may begin. It is longer than changeFor, so
	// that no change goes on when another begins.
	holdFor   = 90 * time.Second
	changeFor = 80 * time.Second

	// DefaultPoll is how long a process waits before it asks again whether a secret may be changed.
	DefaultPoll = 200 * time.Millisecond
)

// Keys are the keys of the process.
type Keys interface {
	// Keys returns the keys at hand, none when there are none yet.
	Keys() (secret.Keys, error)
	// Make makes the first key, if that is Rollcall's to do, and returns it.
	Make() (secret.Keys, error)
	// Place says where keys are looked for, for messages.
	Place() string
}

// Config is what a Vault works with.
type Config struct {
	Store  store.Secrets
	Keys   Keys
	Holder string // names this process among all on the database
	Now    func() time.Time
	Poll   time.Duration // 0 means DefaultPoll
}

// Vault keeps secrets. Safe for concurrent use.
type Vault struct{ cfg Config }

// New makes a vault.
func New(cfg Config) *Vault {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Poll <= 0 {
		cfg.Poll = DefaultPoll
	}
	return &Vault{cfg: cfg}
}

// Of returns the secrets of one job.
func (v *Vault) Of(jobID string) connector.Sealed { return ofJob{v, jobID} }

type ofJob struct {
	vault *Vault
	job   string
}

// Read implements connector.Sealed.
func (j ofJob) Read(ctx context.Context, name string) (secret.Value, error) {
	sealed, err := j.vault.cfg.Store.Sealed(ctx, j.job, name)
	if errors.Is(err, store.ErrNotFound) {
		return secret.Value{}, connector.ErrNotSealed
	}
	if err != nil {
		return secret.Value{}, err
	}
	keys, err := j.vault.cfg.Keys.Keys()
	if err != nil {
		return secret.Value{}, err
	}
	value, err := keys.Open(sealed.KeyID, sealed.Value, j.job, name)
	if err != nil {
		return secret.Value{}, j.vault.explained(err)
	}
	return value, nil
}

// explained adds what to do to an error about a key.
func (v *Vault) explained(err error) error {
	var key *secret.KeyError
	if errors.As(err, &key) {
		return fmt.Errorf("the stored secret cannot be opened: %w; put the key that was in use then into %s, or get the secret anew with `rollcall login`", err, v.cfg.Keys.Place())
	}
	return fmt.Errorf("the stored secret cannot be opened: %w; get it anew with `rollcall login`", err)
}

// Replace implements connector.Sealed. Once the secret is this process's to change, change is not cut short by the end of
// ctx: a server that was asked may have ended the old secret, and what it answers is all there is.
func (j ofJob) Replace(ctx context.Context, name string, change func(context.Context, secret.Value) (secret.Value, error)) (value secret.Value, err error) {
	holder := j.vault.cfg.Holder + "/" + uuid.NewString() // callers within the process wait for each other, too
	if err := j.hold(ctx, name, holder); err != nil {
		return secret.Value{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeFor)
	defer cancel()
	defer func() {
		err = errors.Join(err, j.vault.cfg.Store.ReleaseSealed(context.WithoutCancel(ctx), j.job, name, holder))
	}()
	old, err := j.Read(ctx, name)
	switch {
	case errors.Is(err, connector.ErrNotSealed):
		old = secret.Value{}
	case err != nil:
		return secret.Value{}, err
	}
	keys, err := j.vault.sealing(ctx)
	if err != nil {
		return secret.Value{}, err
	}
	value, err = change(ctx, old)
	if err != nil || value.Reveal() == old.Reveal() {
		return value, err
	}
	return value, j.keep(ctx, keys, name, value)
}

// Keep stores a secret of a job in place of whatever is there, readable or not. It is for a secret that somebody has just
// given.
func (v *Vault) Keep(ctx context.Context, jobID, name string, value secret.Value) error {
	keys, err := v.sealing(ctx)
	if err != nil {
		return err
	}
	return ofJob{v, jobID}.keep(context.WithoutCancel(ctx), keys, name, value)
}

// Ready tells whether a secret could be kept now. It makes the first key.
func (v *Vault) Ready(ctx context.Context) error {
	_, err := v.sealing(ctx)
	return err
}

func (j ofJob) keep(ctx context.Context, keys secret.Keys, name string, value secret.Value) error {
	id, sealed, err := keys.Seal(value, j.job, name)
	if err != nil {
		return err
	}
	return j.vault.cfg.Store.KeepSealed(ctx, store.Sealed{JobID: j.job, Name: name, KeyID: id, Value: sealed, Updated: j.vault.cfg.Now().UTC()})
}

// hold waits until holder may change a secret.
func (j ofJob) hold(ctx context.Context, name, holder string) error {
	for {
		now := j.vault.cfg.Now()
		err := j.vault.cfg.Store.HoldSealed(ctx, j.job, name, holder, now, now.Add(holdFor))
		if !errors.Is(err, store.ErrStale) {
			return err
		}
		timer := time.NewTimer(j.vault.cfg.Poll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// sealing returns the keys to seal with. The first key of an installation is made; where secrets are stored already that
// were sealed with another key, the key was lost, and a new one would hide that.
func (v *Vault) sealing(ctx context.Context) (secret.Keys, error) {
	keys, err := v.cfg.Keys.Keys()
	if err != nil || len(keys.IDs()) > 0 {
		return keys, err
	}
	used, err := v.cfg.Store.SealedKeys(ctx)
	if err != nil {
		return secret.Keys{}, err
	}
	if len(used) > 0 {
		return secret.Keys{}, fmt.Errorf("there is no key to seal with in %s, and stored secrets are sealed with %s: put that key there", v.cfg.Keys.Place(), slices.Sorted(slices.Values(used))[0])
	}
	return v.cfg.Keys.Make()
}
