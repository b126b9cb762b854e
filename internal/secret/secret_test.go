package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const hidden = "t0p-s3cret-value"

func TestAValueNeverShowsItself(t *testing.T) {
	v := New(hidden)
	type holder struct {
		Token Value
		Ptr   *Value
		inner Value
	}
	h := holder{Token: v, Ptr: &v, inner: v}
	jsonText, err := json.Marshal(map[string]any{"a": v, "b": &v, "c": []Value{v}})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("opened", "token", v, "holder", h)
	slog.New(slog.NewTextHandler(&log, nil)).Info("opened", "token", v, "holder", h)
	shown := []string{
		fmt.Sprint(v), fmt.Sprintf("%s|%v|%+v|%#v|%q|%x|%d|%10s", v, v, v, v, v, v, v, v),
		fmt.Sprintf("%v|%+v|%#v", h, h, h), fmt.Sprint(&v), fmt.Errorf("token %v", v).Error(), string(jsonText), log.String(),
	}
	for _, text := range shown {
		if strings.Contains(text, hidden) || strings.Contains(text, fmt.Sprintf("%x", hidden)) {
			t.Errorf("the secret shows in %q", text)
		}
	}
	if !strings.Contains(string(jsonText), Mask) || fmt.Sprint(v) != Mask {
		t.Errorf("a secret that is there shows as %s, got %s and %s", Mask, jsonText, fmt.Sprint(v))
	}
	if got := v.Reveal(); got != hidden {
		t.Errorf("Reveal = %q", got)
	}
	a, sameA, b := New("a"), New("a"), New("b")
	if a.Fingerprint() == b.Fingerprint() || a.Fingerprint() != sameA.Fingerprint() {
		t.Error("fingerprints must tell secrets apart and stay the same for one secret")
	}
	if strings.Contains(v.Fingerprint(), hidden) {
		t.Error("the fingerprint tells the secret")
	}
	if !(Value{}).IsZero() || v.IsZero() || (Value{}).String() != "" {
		t.Error("only the zero value is no secret")
	}
}

func TestParseRef(t *testing.T) {
	tests := []struct {
		name string
		in   any
		want Ref
		err  string
	}{
		{"an environment variable", map[string]any{"env": "TOKEN"}, Ref{Env: "TOKEN"}, ""},
		{"a file", map[string]any{"file": "token.txt"}, Ref{File: "token.txt"}, ""},
		{"a literal secret tells how to write a reference", "t0p", Ref{}, "write {env: NAME} or {file: PATH}"},
		{"both at once", map[string]any{"env": "A", "file": "b"}, Ref{}, "either"},
		{"neither", map[string]any{}, Ref{}, "either"},
		{"another key", map[string]any{"vault": "x"}, Ref{}, `"vault" is neither`},
		{"a number for a name", map[string]any{"env": 7}, Ref{}, "must be a text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseRef(tt.in)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one with %q", err, tt.err)
				}
				if strings.Contains(err.Error(), "t0p") {
					t.Fatalf("the error shows the literal secret: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("good", "abc def \r\n\n", 0o640)
	write("open", "abc\n", 0o644)
	write("empty", "\n", 0o600)
	write("long", strings.Repeat("x", maxSecret+1), 0o600)
	t.Setenv("SECRET_TEST_GOOD", "from env\n")
	t.Setenv("SECRET_TEST_EMPTY", "")

	tests := []struct {
		name    string
		ref     Ref
		want    string
		warning string
		err     string
	}{
		{"line ends at the end of a file are no part of it", Ref{File: "good"}, "abc def ", "", ""},
		{"an absolute path does not start from the directory", Ref{File: filepath.Join(dir, "good")}, "abc def ", "", ""},
		{"a file that everybody can read is a warning", Ref{File: "open"}, "abc", "chmod o-r", ""},
		{"an environment variable is taken as it is", Ref{Env: "SECRET_TEST_GOOD"}, "from env\n", "", ""},
		{"a missing variable is named", Ref{Env: "SECRET_TEST_ABSENT"}, "", "", "SECRET_TEST_ABSENT is not set"},
		{"an empty variable is named", Ref{Env: "SECRET_TEST_EMPTY"}, "", "", "SECRET_TEST_EMPTY is empty"},
		{"a missing file is named with its whole path", Ref{File: "absent"}, "", "", filepath.Join(dir, "absent") + " does not exist"},
		{"an empty file is refused", Ref{File: "empty"}, "", "", "is empty"},
		{"a directory is refused", Ref{File: "."}, "", "", "is a directory"},
		{"a file that is too long is refused", Ref{File: "long"}, "", "", "is longer than"},
		{"a reference to nothing is refused", Ref{}, "", "", "either"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, warning, err := tt.ref.Resolve(dir)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if v.Reveal() != tt.want {
				t.Errorf("secret %q, want %q", v.Reveal(), tt.want)
			}
			if (warning == "") != (tt.warning == "") || !strings.Contains(warning, tt.warning) {
				t.Errorf("warning %q, want one with %q", warning, tt.warning)
			}
		})
	}
}
