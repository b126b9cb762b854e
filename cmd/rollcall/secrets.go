package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/secret"
	"github.com/rollcall-id/rollcall/internal/store/vault"
)

const (
	// keyVariable is the environment variable with the keys that stored secrets are sealed with.
	keyVariable = "ROLLCALL_KEY"

	// keyFile is the name of the file in the data directory that holds them otherwise.
	keyFile = "rollcall.key"
)

// vault keeps the secrets of jobs sealed.
func (s *state) vault(c *cli) *vault.Vault {
	return vault.New(vault.Config{Store: s.Store, Keys: keyring{c}, Now: c.Now, Holder: fmt.Sprintf("%s/%d/%s", machine(), os.Getpid(), uuid.NewString())})
}

// keyring finds the keys that stored secrets are sealed with: in the environment, else in the data directory.
type keyring struct{ c *cli }

// Keys implements vault.Keys.
func (k keyring) Keys() (secret.Keys, error) {
	if text := k.c.Getenv(keyVariable); text != "" {
		keys, err := secret.ParseKeys(secret.New(text))
		if err != nil {
			return secret.Keys{}, usagef("%s: %w", keyVariable, err)
		}
		return keys, nil
	}
	keys, warning, err := secret.ReadKeyFile(k.path())
	if warning != "" {
		k.c.notef("warning: %s", warning)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return secret.Keys{}, nil
	}
	return keys, err
}

// Make implements vault.Keys.
func (k keyring) Make() (secret.Keys, error) {
	keys, err := secret.MakeKeyFile(k.path())
	if err == nil {
		k.c.notef("note: made the key %s, with which secrets in the database are sealed; keep a copy of it apart from copies of the database", k.path())
	}
	return keys, err
}

// Place implements vault.Keys.
func (k keyring) Place() string { return keyVariable + " or " + k.path() }

func (k keyring) path() string { return filepath.Join(k.c.Data, keyFile) }
