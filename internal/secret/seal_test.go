package secret

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func keys(t *testing.T, texts ...Value) Keys {
	t.Helper()
	var all []string
	for _, text := range texts {
		all = append(all, text.Reveal())
	}
	k, err := ParseKeys(New(strings.Join(all, ",")))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func aKey(t *testing.T) Value {
	t.Helper()
	text, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWhatIsSealedOpensForItsOwnerAndNameOnly(t *testing.T) {
	one, two := aKey(t), aKey(t)
	k := keys(t, one)
	id, sealed, err := k.Seal(New(hidden), "job", "oauth2")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte(hidden)) {
		t.Fatal("the secret stands in what is stored")
	}
	opened, err := k.Open(id, sealed, "job", "oauth2")
	if err != nil || opened.Reveal() != hidden {
		t.Fatalf("%v, %q", err, opened.Reveal())
	}
	if _, again, err := k.Seal(New(hidden), "job", "oauth2"); err != nil || bytes.Equal(again, sealed) {
		t.Errorf("the same secret is sealed to the same bytes, which tells that it is the same: %v", err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, open := range map[string]func() (Value, error){
		"another job":               func() (Value, error) { return k.Open(id, sealed, "job2", "oauth2") },
		"another name":              func() (Value, error) { return k.Open(id, sealed, "job", "other") },
		"owner and name moved over": func() (Value, error) { return k.Open(id, sealed, "jobo", "auth2") },
		"a bit changed":             func() (Value, error) { return k.Open(id, changed, "job", "oauth2") },
		"cut short":                 func() (Value, error) { return k.Open(id, sealed[:5], "job", "oauth2") },
		"nothing":                   func() (Value, error) { return k.Open(id, nil, "job", "oauth2") },
	} {
		if v, err := open(); err == nil {
			t.Errorf("%s: opened as %q", name, v.Reveal())
		}
	}
	var missing *KeyError
	if _, err := keys(t, two).Open(id, sealed, "job", "oauth2"); !errors.As(err, &missing) {
		t.Fatalf("%v, want a *KeyError", err)
	}
	if diff := cmp.Diff(KeyError{ID: id, Have: keys(t, two).IDs()}, *missing); diff != "" {
		t.Error(diff)
	}
	if _, err := (Keys{}).Open(id, sealed, "job", "oauth2"); err == nil || !strings.Contains(err.Error(), "there is no key here") {
		t.Errorf("%v", err)
	}
	if _, _, err := (Keys{}).Seal(New(hidden), "job", "oauth2"); err == nil {
		t.Error("sealed without a key")
	}
}

func TestAKeyIsReplacedStepByStep(t *testing.T) {
	old, next := aKey(t), aKey(t)
	id, sealed, err := keys(t, old).Seal(New(hidden), "job", "oauth2")
	if err != nil {
		t.Fatal(err)
	}
	both := keys(t, next, old)
	if v, err := both.Open(id, sealed, "job", "oauth2"); err != nil || v.Reveal() != hidden {
		t.Errorf("%v", err)
	}
	newID, _, err := both.Seal(New(hidden), "job", "oauth2")
	if err != nil || newID == id || newID != keys(t, next).IDs()[0] {
		t.Errorf("sealed with %s, %v; want the first key", newID, err)
	}
}

func TestParseKeysRefusesWhatIsNoKey(t *testing.T) {
	for name, text := range map[string]string{"nothing": " \n", "a password": "geheim", "too short": "AAAA", "a good and a bad one": aKey(t).Reveal() + ",geheim"} {
		if _, err := ParseKeys(New(text)); err == nil || strings.Contains(err.Error(), "geheim") || !strings.Contains(err.Error(), "openssl rand -base64 32") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAKeyFileIsMadeOnceAndForItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "rollcall.key")
	if _, _, err := ReadKeyFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%v, want that it does not exist", err)
	}
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			k, err := MakeKeyFile(path)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = k.IDs()[0]
		})
	}
	wg.Wait()
	k, warning, err := ReadKeyFile(path)
	if err != nil || warning != "" {
		t.Fatalf("%v, %q", err, warning)
	}
	for _, id := range ids {
		if id != k.IDs()[0] {
			t.Errorf("somebody has the key %s, the file has %s", id, k.IDs()[0])
		}
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left, %v", len(entries), err)
	}
}
