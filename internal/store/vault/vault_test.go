package vault_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/database/sqlite"
	"github.com/rollcall-id/rollcall/internal/secret"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
	"github.com/rollcall-id/rollcall/internal/store/vault"
)

// ring is the keys of one installation: none until the first is made.
type ring struct {
	mu   sync.Mutex
	keys secret.Keys
	made int
}

func (r *ring) Keys() (secret.Keys, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys, nil
}

func (r *ring) Make() (secret.Keys, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, err := secret.NewKey()
	if err != nil {
		return secret.Keys{}, err
	}
	r.made++
	r.keys, err = secret.ParseKeys(text)
	return r.keys, err
}

func (*ring) Place() string { return "ROLLCALL_KEY" }

const job = "scim.contoso.1"

// open opens the same database as another process would.
func open(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return sqlstore.New(db)
}

func withJob(t *testing.T) (*sqlstore.Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rollcall.db")
	s := open(t, path)
	if err := s.CreateJob(t.Context(), store.Job{ID: job, Name: "Learning", Epoch: 1, Created: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return s, path
}

func TestWhatIsKeptIsReadAndCannotBeReadInTheDatabase(t *testing.T) {
	s, _ := withJob(t)
	keys := &ring{}
	v := vault.New(vault.Config{Store: s, Keys: keys, Holder: "a"})
	if _, err := v.Of(job).Read(t.Context(), "oauth2"); !errors.Is(err, connector.ErrNotSealed) {
		t.Fatalf("%v, want ErrNotSealed", err)
	}
	if err := v.Keep(t.Context(), job, "oauth2", secret.New("t0ken")); err != nil {
		t.Fatal(err)
	}
	got, err := v.Of(job).Read(t.Context(), "oauth2")
	if err != nil || got.Reveal() != "t0ken" || keys.made != 1 {
		t.Errorf("%q, %v, %d keys made", got.Reveal(), err, keys.made)
	}
	row, err := s.Sealed(t.Context(), job, "oauth2")
	if err != nil || strings.Contains(string(row.Value), "t0ken") {
		t.Errorf("%q, %v", row.Value, err)
	}
}

func TestALostKeyIsToldAndNotReplaced(t *testing.T) {
	s, _ := withJob(t)
	if err := vault.New(vault.Config{Store: s, Keys: &ring{}, Holder: "a"}).Keep(t.Context(), job, "oauth2", secret.New("t0ken")); err != nil {
		t.Fatal(err)
	}
	lost := &ring{}
	v := vault.New(vault.Config{Store: s, Keys: lost, Holder: "b"})
	_, err := v.Of(job).Read(t.Context(), "oauth2")
	if err == nil || !strings.Contains(err.Error(), "there is no key here") || !strings.Contains(err.Error(), "into ROLLCALL_KEY") {
		t.Errorf("%v", err)
	}
	if err := v.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "put that key there") || lost.made != 0 {
		t.Errorf("%v, %d keys made", err, lost.made)
	}
	other := &ring{}
	if _, err := other.Make(); err != nil {
		t.Fatal(err)
	}
	v = vault.New(vault.Config{Store: s, Keys: other, Holder: "b"})
	if _, err := v.Of(job).Read(t.Context(), "oauth2"); err == nil || !strings.Contains(err.Error(), "and the key here is ") {
		t.Errorf("%v", err)
	}
	// What somebody has just given replaces what cannot be opened.
	if err := v.Keep(t.Context(), job, "oauth2", secret.New("new")); err != nil {
		t.Error(err)
	}
	if got, err := v.Of(job).Read(t.Context(), "oauth2"); err != nil || got.Reveal() != "new" {
		t.Errorf("%q, %v", got.Reveal(), err)
	}
}

func TestProcessesChangeASecretOneAfterTheOther(t *testing.T) {
	s, path := withJob(t)
	keys := &ring{}
	if err := vault.New(vault.Config{Store: s, Keys: keys, Holder: "first"}).Keep(t.Context(), job, "oauth2", secret.New("")); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 5 {
		v := vault.New(vault.Config{Store: open(t, path), Keys: keys, Holder: fmt.Sprintf("process %d", i), Poll: time.Millisecond})
		wg.Go(func() {
			_, err := v.Of(job).Replace(t.Context(), "oauth2", func(_ context.Context, old secret.Value) (secret.Value, error) {
				return secret.New(old.Reveal() + "x"), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := vault.New(vault.Config{Store: s, Keys: keys, Holder: "first"}).Of(job).Read(t.Context(), "oauth2")
	if err != nil || got.Reveal() != "xxxxx" {
		t.Errorf("%q, %v; want what five changes make of it", got.Reveal(), err)
	}
}

func TestAChangeThatWasBegunIsStoredThoughItsCallerHasGone(t *testing.T) {
	s, _ := withJob(t)
	v := vault.New(vault.Config{Store: s, Keys: &ring{}, Holder: "a"})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := v.Of(job).Replace(ctx, "oauth2", func(ctx context.Context, old secret.Value) (secret.Value, error) {
		if !old.IsZero() {
			t.Errorf("there is %q", old.Reveal())
		}
		cancel() // the server has answered, and ended the old token
		return secret.New("rotated"), ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Of(job).Read(t.Context(), "oauth2"); err != nil || got.Reveal() != "rotated" {
		t.Errorf("%q, %v", got.Reveal(), err)
	}
}

func TestAFailedChangeLeavesTheSecretAndLetsOthers(t *testing.T) {
	s, _ := withJob(t)
	keys := &ring{}
	a := vault.New(vault.Config{Store: s, Keys: keys, Holder: "a"})
	if err := a.Keep(t.Context(), job, "oauth2", secret.New("old")); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if _, err := a.Of(job).Replace(t.Context(), "oauth2", func(context.Context, secret.Value) (secret.Value, error) { return secret.New("x"), refused }); !errors.Is(err, refused) {
		t.Fatalf("%v", err)
	}
	b := vault.New(vault.Config{Store: s, Keys: keys, Holder: "b"})
	if _, err := b.Of(job).Replace(t.Context(), "oauth2", func(_ context.Context, old secret.Value) (secret.Value, error) {
		if old.Reveal() != "old" {
			t.Errorf("%q", old.Reveal())
		}
		return secret.New("next"), nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestAProcessThatDiedHoldsASecretForAWhileOnly(t *testing.T) {
	s, _ := withJob(t)
	at := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	if err := s.HoldSealed(t.Context(), job, "oauth2", "dead", at, at.Add(90*time.Second)); err != nil {
		t.Fatal(err)
	}
	v := vault.New(vault.Config{Store: s, Keys: &ring{}, Holder: "b", Poll: time.Millisecond, Now: func() time.Time {
		at = at.Add(10 * time.Second) // each look at the clock
		return at
	}})
	if _, err := v.Of(job).Replace(t.Context(), "oauth2", func(context.Context, secret.Value) (secret.Value, error) { return secret.New("x"), nil }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.HoldSealed(t.Context(), job, "oauth2", "dead", at, at.Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Of(job).Replace(ctx, "oauth2", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that the wait ends with its caller", err)
	}
}
