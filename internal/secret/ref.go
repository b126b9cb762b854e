package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// maxSecret is the longest secret that is read from a file, in bytes: a private key fits, a log file does not.
const maxSecret = 64 << 10

// Ref says where a secret is. Exactly one field is set.
type Ref struct {
	Env  string // name of an environment variable
	File string // path of a file; a relative one starts from the directory given to Resolve
}

// ParseRef reads a reference as an app file gives it: a map with the one key env or file.
func ParseRef(v any) (Ref, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return Ref{}, errors.New("a secret is not written here: write {env: NAME} or {file: PATH}, which says where it is")
	}
	var r Ref
	for key, value := range m {
		text, ok := value.(string)
		if !ok || text == "" {
			return Ref{}, fmt.Errorf("%s of a secret must be a text", key)
		}
		switch key {
		case "env":
			r.Env = text
		case "file":
			r.File = text
		default:
			return Ref{}, fmt.Errorf("a secret is {env: NAME} or {file: PATH}; %q is neither", key)
		}
	}
	return r, r.check()
}

func (r Ref) check() error {
	if (r.Env == "") == (r.File == "") {
		return errors.New("a secret is either {env: NAME} or {file: PATH}")
	}
	return nil
}

// String shows where the secret is, not what it is.
func (r Ref) String() string {
	if r.Env != "" {
		return "{env: " + r.Env + "}"
	}
	return "{file: " + r.File + "}"
}

// Resolve reads the secret. dir is where a relative path starts from. Line ends at the end of a file are not part of
// the secret. The second result warns of a file that everybody on this machine can read; it is "" otherwise.
func (r Ref) Resolve(dir string) (Value, string, error) {
	if err := r.check(); err != nil {
		return Value{}, "", err
	}
	if r.Env != "" {
		text, ok := os.LookupEnv(r.Env)
		switch {
		case !ok:
			return Value{}, "", fmt.Errorf("environment variable %s is not set: set it to the secret before starting rollcall", r.Env)
		case text == "":
			return Value{}, "", fmt.Errorf("environment variable %s is empty: set it to the secret before starting rollcall", r.Env)
		}
		return New(text), "", nil
	}
	return readFile(r.File, dir)
}

func readFile(name, dir string) (v Value, warning string, err error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Value{}, "", fmt.Errorf("secret file %s does not exist: write the secret into it, readable by rollcall's user only", path)
	case errors.Is(err, fs.ErrPermission):
		return Value{}, "", fmt.Errorf("secret file %s may not be read: give rollcall's user the right to read it", path)
	case err != nil:
		return Value{}, "", fmt.Errorf("open secret file: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close secret file %s: %w", path, cerr)
		}
	}()
	info, err := f.Stat()
	switch {
	case err != nil:
		return Value{}, "", fmt.Errorf("look at secret file %s: %w", path, err)
	case info.IsDir():
		return Value{}, "", fmt.Errorf("secret file %s is a directory", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return Value{}, "", fmt.Errorf("read secret file %s: %w", path, err)
	}
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case len(data) > maxSecret:
		return Value{}, "", fmt.Errorf("secret file %s is longer than %d bytes: it does not hold a secret", path, maxSecret)
	case text == "":
		return Value{}, "", fmt.Errorf("secret file %s is empty: write the secret into it", path)
	}
	// Windows keeps rights in lists that the mode bits say nothing about.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0 {
		warning = fmt.Sprintf("secret file %s can be read by everybody on this machine: run chmod o-r on it", path)
	}
	return New(text), warning, nil
}
