package story

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds everything that is waited for: one run of the program, the start of a sandbox, its end.
const patience = 2 * time.Minute

// program is the path of the program under test, built once by TestMain.
var program string

func TestMain(m *testing.M) {
	os.Exit(build(m))
}

// build builds the program as it is shipped, without cgo, and runs the tests.
func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rollcall-story-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left lies in the temporary folder
	program = filepath.Join(dir, "rollcall")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/rollcall-id/rollcall/cmd/rollcall")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// The exit codes of design 6.1.
const (
	exitFine    = 0
	exitUsage   = 2
	exitObjects = 3
	exitJob     = 4
	exitHeld    = 5
)

// outcome is what one run of the program came to.
type outcome struct {
	Line string // the command line, for messages
	Code int    // exit code, -1 when a signal ended it
	Out  string // standard output
	Err  string // standard error
	Took time.Duration
}

// String shows a run in messages of tests.
func (o outcome) String() string {
	return fmt.Sprintf("%s\nexit code %d after %v\n--- standard output\n%s--- standard error\n%s", o.Line, o.Code, o.Took.Round(time.Millisecond), o.Out, o.Err)
}

// process is a run of the program that has been started.
type process struct {
	cmd      *exec.Cmd
	began    time.Time
	out, err bytes.Buffer
	ended    chan struct{} // closed when the process has ended and outcome may be read
	outcome  outcome
}

// start starts the program. It is ended with the test at the latest.
func start(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	p := &process{cmd: exec.CommandContext(ctx, program, args...), began: time.Now(), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.SysProcAttr = dir, environment(env), endWithParent()
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if err := p.cmd.Start(); err != nil {
		cancel()
		t.Fatalf("start rollcall %s: %v", strings.Join(args, " "), err)
	}
	go func() {
		defer close(p.ended)
		err := p.cmd.Wait()
		p.outcome = outcome{Line: "rollcall " + strings.Join(args, " "), Code: p.cmd.ProcessState.ExitCode(),
			Out: p.out.String(), Err: p.err.String(), Took: time.Since(p.began)}
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			p.outcome.Err += err.Error()
		}
	}()
	t.Cleanup(func() {
		cancel() // kills it by its id if it still runs
		<-p.ended
	})
	return p
}

// wait waits for the end of the process.
func (p *process) wait() outcome {
	<-p.ended
	return p.outcome
}

// kill ends the process as a power cut would, unless it has ended.
func (p *process) kill() {
	// An error means that the process is gone already.
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
}

// environment is the test's environment without what would change the program's behaviour, and with extra.
func environment(extra []string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "ROLLCALL_") {
			env = append(env, e)
		}
	}
	return append(env, extra...)
}

// startServer starts the program as a server and returns the first line that it prints. It is ended by SIGTERM when the
// test ends, and must then end well.
func startServer(t *testing.T, dir string, args ...string) string {
	t.Helper()
	// The server outlives the test's context, which is cancelled before the cleanups of clients run.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, environment(nil), endWithParent()
	var messages bytes.Buffer
	cmd.Stderr = &messages
	stdout, err := cmd.StdoutPipe()
	if err = errors.Join(err, cmd.Start()); err != nil {
		t.Fatalf("start rollcall %s: %v", strings.Join(args, " "), err)
	}
	first, rest := make(chan string, 1), make(chan string, 1)
	var reader sync.WaitGroup
	reader.Go(func() {
		in := bufio.NewReader(stdout)
		line, _ := in.ReadString('\n') // at the end of the output the line is empty, which is looked at below
		first <- line
		more, _ := io.ReadAll(in)
		rest <- string(more)
	})
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // an error means that it is gone; Wait tells how it ended
		overdue := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer overdue.Stop()
		reader.Wait()
		if err := cmd.Wait(); err != nil {
			t.Errorf("rollcall %s ended with %v and these messages:\n%s", strings.Join(args, " "), err, messages.String())
		}
		if more := <-rest; more != "" {
			t.Errorf("rollcall %s printed more than its address: %q", strings.Join(args, " "), more)
		}
	})
	select {
	case line := <-first:
		if line == "" {
			t.Fatalf("rollcall %s ended before it said where it listens", strings.Join(args, " "))
		}
		return strings.TrimSpace(line)
	case <-time.After(patience):
		t.Fatalf("rollcall %s did not say within %v where it listens", strings.Join(args, " "), patience)
	}
	return ""
}

// decode reads the one JSON document that a command printed with -o json. A key that the type does not have, or
// anything behind the document, fails the test: the documents of design 6.1 are contracts.
func decode[T any](t *testing.T, o outcome) T {
	t.Helper()
	var doc T
	d := json.NewDecoder(strings.NewReader(o.Out))
	d.DisallowUnknownFields()
	err := d.Decode(&doc)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the document")
		}
	}
	if err != nil {
		t.Fatalf("the output is not the document that is promised: %v\n%v", err, o)
	}
	return doc
}

// wantCode fails the test when a run ended with another exit code.
func wantCode(t *testing.T, o outcome, code int) {
	t.Helper()
	if o.Code != code {
		t.Fatalf("exit code %d, want %d (design 6.1)\n%v", o.Code, code, o)
	}
}
