// Command mutations breaks the safety code of the engine in one place after the other, in a copy of the tree, and shows
// that the fault simulator or a test notices each break. list.txt says what is broken, and who is to notice.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed list.txt
var list string

// mutation is one way to break the code.
type mutation struct {
	name, file string
	old, new   []string // lines, without leading blanks
	caught     string   // "sim", or a package and a test
}

func main() {
	seeds := flag.Int("seeds", 500, "within how many seeds the simulator must notice")
	only := flag.String("only", "", "only mutations whose name contains this")
	flag.Parse()
	if err := run(context.Background(), *seeds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "mutations:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, seeds int, only string) error {
	mutations, err := parse(list)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutations-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := copyTree(ctx, dir); err != nil {
		return err
	}
	var failures []error
	for _, m := range mutations {
		if !strings.Contains(m.name, only) {
			continue
		}
		began := time.Now()
		err := m.try(ctx, dir, seeds)
		verdict := "caught"
		if err != nil {
			verdict = "NOT CAUGHT: " + err.Error()
			failures = append(failures, fmt.Errorf("%s: %w", m.name, err))
		}
		fmt.Printf("%-75s %6s  %s\n", m.name, time.Since(began).Round(time.Second), verdict)
	}
	return errors.Join(failures...)
}

// parse reads the list.
func parse(text string) ([]mutation, error) {
	var out []mutation
	for n, line := range strings.Split(text, "\n") {
		key, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = strings.TrimSpace(rest)
		if key == "==" {
			out = append(out, mutation{name: rest})
			continue
		}
		if key == "" || strings.HasPrefix(key, "#") {
			continue
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("line %d stands before the first mutation", n+1)
		}
		m := &out[len(out)-1]
		switch key {
		case "file":
			m.file = rest
		case "-":
			m.old = append(m.old, rest)
		case "+":
			m.new = append(m.new, rest)
		case "caught":
			m.caught = rest
		default:
			return nil, fmt.Errorf("line %d: %q is none of ==, file, -, +, caught", n+1, key)
		}
	}
	for _, m := range out {
		if m.file == "" || len(m.old) == 0 || len(m.new) == 0 || m.caught == "" {
			return nil, fmt.Errorf("%s: file, -, + or caught is missing", m.name)
		}
	}
	return out, nil
}

// copyTree copies what git knows of the tree, as it is now.
func copyTree(ctx context.Context, to string) error {
	out, err := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("list the files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() { // deleted, but not yet committed
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(name)), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), data, info.Mode().Perm()); err != nil {
			return err
		}
	}
	return nil
}

// try breaks the copy, asks who is to notice, and mends it again.
func (m mutation) try(ctx context.Context, dir string, seeds int) (err error) {
	path := filepath.Join(dir, m.file)
	whole, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	broken, err := m.apply(string(whole))
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.WriteFile(path, whole, 0o600)) }()
	if out, err := command(ctx, dir, "go", "build", "./internal/..."); err != nil {
		return fmt.Errorf("the broken code does not compile:\n%s", out)
	}
	args := []string{"test", "-timeout", "60m", "-run", "TestSeeds", "./internal/sim", "-seeds", fmt.Sprint(seeds), "-first"}
	if pkg, test, ok := strings.Cut(m.caught, " "); ok {
		args = []string{"test", "-timeout", "60m", "-run", "^" + test + "$", pkg}
	}
	out, err := command(ctx, dir, "go", args...)
	switch {
	case err == nil:
		return fmt.Errorf("go %s passes", strings.Join(args, " "))
	case !bytes.Contains(out, []byte("--- FAIL")):
		return fmt.Errorf("go %s did not run:\n%s", strings.Join(args, " "), out)
	}
	return nil
}

func command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	return cmd.CombinedOutput()
}

// apply replaces the old lines, which must stand together in exactly one place.
func (m mutation) apply(text string) (string, error) {
	lines := strings.Split(text, "\n")
	at, n := -1, 0
	for i := range lines {
		if m.stands(lines[i:]) {
			at = i
			n++
		}
	}
	if n != 1 {
		return "", fmt.Errorf("%s has the text %d times; bring the mutation up to date with the code", m.file, n)
	}
	head := strings.TrimSuffix(strings.TrimSpace(lines[at]), strings.TrimSpace(m.old[0]))
	replaced := append([]string{}, m.new...)
	replaced[0] = head + replaced[0]
	return strings.Join(append(append(append([]string{}, lines[:at]...), replaced...), lines[at+len(m.old):]...), "\n"), nil
}

// stands tells whether the old lines stand here. The first may be the end of a line.
func (m mutation) stands(lines []string) bool {
	if len(lines) < len(m.old) {
		return false
	}
	for i, want := range m.old {
		line := strings.TrimSpace(lines[i])
		if line != want && !(i == 0 && strings.HasSuffix(line, want)) {
			return false
		}
	}
	return true
}
