package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ReadKeyFile reads the keys of a file. The second result warns of a file that everybody can read. A file that does not
// exist is fs.ErrNotExist.
func ReadKeyFile(path string) (Keys, string, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return Keys{}, "", fmt.Errorf("key file %s: %w", path, fs.ErrNotExist)
	}
	text, warning, err := readFile(path, "")
	if err != nil {
		return Keys{}, "", err
	}
	k, err := ParseKeys(text)
	if err != nil {
		return Keys{}, "", fmt.Errorf("key file %s: %w", path, err)
	}
	return k, warning, nil
}

// MakeKeyFile writes a new key into a file that its owner alone can read, and returns it. When another process has made
// the file in the meantime, its key is the one.
func MakeKeyFile(path string) (k Keys, err error) {
	text, err := NewKey()
	if err != nil {
		return Keys{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Keys{}, fmt.Errorf("make key file: %w", err)
	}
	// Whole or not at all: it is written beside, and then given its name, which fails if there is one of that name.
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*") // with mode 0600
	if err != nil {
		return Keys{}, fmt.Errorf("make key file: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	_, err = tmp.WriteString(text.Reveal() + "\n")
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return Keys{}, fmt.Errorf("make key file %s: %w", path, err)
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return Keys{}, fmt.Errorf("make key file %s: %w", path, err)
	}
	k, _, err = ReadKeyFile(path)
	return k, err
}
