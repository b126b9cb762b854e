package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCommandsInDocuments runs the blocks that are marked for it, document by document, with the real command.
func TestCommandsInDocuments(t *testing.T) {
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("the documents use %s; install it", program)
		}
	}
	ran := 0
	for name, text := range documents(t) {
		blocks, err := fences(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.ContainsFunc(blocks, func(f fence) bool { return f.has("test") }) {
			continue
		}
		ran++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runDocument(t, blocks)
		})
	}
	if ran == 0 {
		t.Error("no document has a block to run")
	}
}

// session is a document that is being run.
type session struct {
	dir   string
	addrs map[string]string // of the document → where its service listens
}

// localAddr is an address in a document that stands for one with a free port.
var localAddr = regexp.MustCompile(`127\.0\.0\.1:84\d\d\b`)

// runDocument starts the services of a document, then runs its blocks in their order.
func runDocument(t *testing.T, blocks []fence) {
	s := &session{dir: t.TempDir(), addrs: map[string]string{}}
	for _, f := range blocks {
		if f.has("service") {
			s.serve(t, f)
		}
	}
	for _, f := range blocks {
		text := localAddr.ReplaceAllStringFunc(f.Text, func(addr string) string {
			if s.addrs[addr] == "" && (f.has("test") || f.file() != "") {
				t.Fatalf("line %d: no service of the document listens on %s", f.Line, addr)
			}
			return s.addrs[addr]
		})
		switch {
		case f.has("test") && f.Lang == "sh":
			if out, err := s.command(t, text); err != nil {
				t.Fatalf("line %d: %v\n%s", f.Line, err, out)
			}
		case f.has("test") && f.Lang == "console":
			s.console(t, f, text)
		case f.has("test"):
			t.Fatalf("line %d: a block in %s cannot be run", f.Line, f.Lang)
		}
		if name := f.file(); name != "" {
			if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// bash prepares a script in the session's directory and environment. What it exports is there for the next one.
func (s *session) bash(ctx context.Context, script string) *exec.Cmd {
	state := filepath.Join(s.dir, ".environment")
	cmd := exec.CommandContext(ctx, "bash", "-c", fmt.Sprintf("set -eu\nif [ -f %[1]s ]; then . %[1]s; fi\ntrap 'export -p >%[1]s' EXIT\n%s", state, script))
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TMPDIR=" + s.dir, "LC_ALL=C.UTF-8", "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// command runs a script to its end and returns what it printed.
func (s *session) command(t *testing.T, script string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := s.bash(ctx, script).CombinedOutput()
	return string(out), err
}

// console runs the commands of a block and compares what they print.
func (s *session) console(t *testing.T, f fence, text string) {
	t.Helper()
	steps := consoleSteps(text)
	if len(steps) == 0 {
		t.Fatalf("line %d: the block has no line that begins with \"$ \"", f.Line)
	}
	for _, step := range steps {
		out, err := s.command(t, step.command)
		if err != nil {
			t.Fatalf("line %d: %s: %v\n%s", f.Line+step.line, step.command, err, out)
		}
		if !sameOutput(step.output, out) {
			t.Errorf("line %d: %s\n--- the document says\n%s--- it prints\n%s", f.Line+step.line, step.command, step.output, out)
		}
	}
}

// step is a command of a console block with what it prints.
type step struct {
	line    int // within the block, from 0
	command string
	output  string
}

func consoleSteps(text string) (out []step) {
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			out = append(out, step{line: i, command: command})
		} else if len(out) > 0 {
			out[len(out)-1].output += line + "\n"
		}
	}
	return out
}

// sameOutput compares what a document says with what was printed. "…" stands for any text within a line, a line that is
// "…" for any lines; blanks at the end of lines do not count, nor do lines without text at the beginning and the end.
func sameOutput(document, printed string) bool {
	var pattern strings.Builder
	pattern.WriteString(`^`)
	for _, line := range outputLines(document) {
		if strings.TrimSpace(line) == "…" {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		for i, part := range strings.Split(line, "…") {
			if i > 0 {
				pattern.WriteString(`.*`)
			}
			pattern.WriteString(regexp.QuoteMeta(part))
		}
		pattern.WriteString("\n")
	}
	pattern.WriteString(`$`)
	text := strings.Join(outputLines(printed), "\n")
	if text != "" {
		text += "\n"
	}
	return regexp.MustCompile(pattern.String()).MatchString(text)
}

func outputLines(text string) []string {
	text = strings.Trim(text, "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// serve starts a command that goes on until the document ends. Its first line tells where it listens: a free port in
// place of the one in the document.
func (s *session) serve(t *testing.T, f fence) {
	t.Helper()
	script := strings.TrimSpace(f.Text)
	addr := localAddr.FindString(script)
	if addr == "" || s.addrs[addr] != "" {
		t.Fatalf("line %d: a service listens on an address of its own, 127.0.0.1:84NN", f.Line)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := s.bash(ctx, "exec "+strings.ReplaceAll(script, addr, "127.0.0.1:0"))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make(chan string, 1)
	go func() {
		defer close(first)
		if lines := bufio.NewScanner(out); lines.Scan() {
			first <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		cancel()
		for range first { // until the reader has ended
		}
		_ = cmd.Wait() // it was interrupted
	})
	select {
	case line := <-first:
		s.addrs[addr] = listening.FindString(line)
		if s.addrs[addr] == "" {
			t.Fatalf("line %d: %s says %q, and not where it listens", f.Line, script, line)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("line %d: %s says nothing for 30 s", f.Line, script)
	}
}

// listening is the address in the first line of a service.
var listening = regexp.MustCompile(`127\.0\.0\.1:\d+`)

func TestSameOutput(t *testing.T) {
	for _, c := range []struct {
		name, document, printed string
		want                    bool
	}{
		{"the same text", "a\nb\n", "a\nb\n", true},
		{"nothing and nothing", "", "", true},
		{"blanks at the end of lines do not count", "a\n\nb\n", "\na  \n\nb\n\n", true},
		{"another text", "a\n", "b\n", false},
		{"nothing where there is something", "", "a\n", false},
		{"something where there is nothing", "a\n", "", false},
		{"a line too many", "a\n", "a\nb\n", false},
		{"a line too few", "a\nb\n", "a\n", false},
		{"any text within a line", "took … ms.\n", "took 12 ms.\n", true},
		{"any text stays within its line", "a…b\n", "a\nb\n", false},
		{"any lines", "a\n…\nd\n", "a\nb\nc\nd\n", true},
		{"any lines may be none", "a\n…\nd\n", "a\nd\n", true},
		{"after any lines comes what is said", "a\n…\nd\n", "a\nb\n", false},
		{"signs of patterns are themselves", "a.c\n", "abc\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := sameOutput(c.document, c.printed); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestDocumentsThatLieAreFound runs documents that say what is not so.
func TestDocumentsThatLieAreFound(t *testing.T) {
	s := &session{dir: t.TempDir(), addrs: map[string]string{}}
	if out, err := s.command(t, "rollcall version >version.txt\nexport WORD=kept\n"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := s.command(t, "grep 0.0.0-test version.txt; echo $WORD")
	if err != nil || !strings.HasSuffix(out, "kept\n") {
		t.Errorf("files and environment are not there for the next block: %v\n%s", err, out)
	}
	if out, err := s.command(t, "rollcall frobnicate"); err == nil {
		t.Errorf("a command that fails was taken for good:\n%s", out)
	}
	if out, err := s.command(t, "rollcall frobnicate\necho on"); err == nil {
		t.Errorf("a command that fails before another was taken for good:\n%s", out)
	}
	steps := consoleSteps("$ echo a\na\n$ echo b\nc\n")
	if len(steps) != 2 || steps[1].line != 2 || steps[1].output != "c\n" {
		t.Fatalf("got %+v", steps)
	}
	if out, err := s.command(t, steps[1].command); err != nil || sameOutput(steps[1].output, out) {
		t.Errorf("output that is another was taken for good: %v\n%s", err, out)
	}
}
