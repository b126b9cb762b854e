package repo

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // asks the started server whether it answers
)

// services runs test/services.sh with process ids in a folder of the test's own.
type services struct {
	t   *testing.T
	dir string
}

func newServices(t *testing.T) services {
	t.Helper()
	// What starts servers is tested only where servers are asked for, so that `make unit` stays quick.
	if os.Getenv("ROLLCALL_TEST_POSTGRES") == "" {
		t.Skip(`ROLLCALL_TEST_POSTGRES is not set: run "make test"`)
	}
	s := services{t, t.TempDir()}
	t.Cleanup(func() { s.run("stop") })
	return s
}

// run returns what the script prints, its messages and its exit code.
func (s services) run(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	// The test's context is cancelled before the cleanup stops the servers.
	ctx := context.WithoutCancel(s.t.Context())
	cmd := exec.CommandContext(ctx, "bash", append([]string{filepath.Join(root, "test", "services.sh")}, args...)...)
	cmd.Env = append(os.Environ(), "ROLLCALL_TESTBEDS="+s.dir)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return out.String(), messages.String(), cmd.ProcessState.ExitCode()
}

// dsn returns the URL in the first line that start and env print.
func dsn(t *testing.T, exports string) string {
	t.Helper()
	m := regexp.MustCompile(`^export ROLLCALL_TEST_POSTGRES=(\S+)\n`).FindStringSubmatch(exports)
	if m == nil {
		t.Fatalf("no PostgreSQL in %q", exports)
	}
	// The shell's quoting of the question mark.
	return strings.ReplaceAll(m[1], `\`, "")
}

// answers says whether the PostgreSQL server answers.
func answers(t *testing.T, dsn string) bool {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	reached := db.PingContext(t.Context()) == nil
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	return reached
}

func TestServicesStartTwiceKeepsTheServerAndStopEndsIt(t *testing.T) {
	s := newServices(t)
	first, messages, code := s.run("start")
	if code != 0 {
		t.Fatalf("start: exit code %d\n%s", code, messages)
	}
	server := dsn(t, first)
	if !answers(t, server) {
		t.Error("after start the server does not answer")
	}
	if again, messages, code := s.run("start"); code != 0 || again != first {
		t.Errorf("a second start: exit code %d, printed %q, want %q\n%s", code, again, first, messages)
	}
	if env, messages, code := s.run("env"); code != 0 || env != first {
		t.Errorf("env: exit code %d, printed %q, want %q\n%s", code, env, first, messages)
	}

	if _, messages, code := s.run("stop"); code != 0 {
		t.Errorf("stop: exit code %d\n%s", code, messages)
	}
	if answers(t, server) {
		t.Error("after stop the server still answers")
	}
	if _, messages, code := s.run("env"); code == 0 || !strings.Contains(messages, "nothing runs") {
		t.Errorf("env after stop: exit code %d, want another than 0, and a message that nothing runs\n%s", code, messages)
	}
	if _, messages, code := s.run("stop"); code != 0 {
		t.Errorf("a second stop: exit code %d\n%s", code, messages)
	}
}

func TestServicesRunPassesTheExitCodeAndStops(t *testing.T) {
	s := newServices(t)
	out, messages, code := s.run("run", "bash", "-c", `echo "export ROLLCALL_TEST_POSTGRES=$ROLLCALL_TEST_POSTGRES"; exit 7`)
	if code != 7 {
		t.Errorf("exit code %d, want the command's, 7\n%s", code, messages)
	}
	server := dsn(t, out)
	if server == os.Getenv("ROLLCALL_TEST_POSTGRES") {
		t.Error("run has handed on the server of its environment instead of starting one")
	}
	if answers(t, server) {
		t.Error("after run the server still answers")
	}
}

func TestServicesStopEndsWhatAKilledRunLeft(t *testing.T) {
	s := newServices(t)
	// The command kills the script that runs it, which then cannot stop its server.
	out, _, _ := s.run("run", "bash", "-c", `echo "export ROLLCALL_TEST_POSTGRES=$ROLLCALL_TEST_POSTGRES"; kill -KILL $PPID`)
	server := dsn(t, out)
	if !answers(t, server) {
		t.Fatal("the server ended with the script: this test shows nothing")
	}
	if _, messages, code := s.run("stop"); code != 0 {
		t.Errorf("stop: exit code %d\n%s", code, messages)
	}
	if answers(t, server) {
		t.Error("after stop the server still answers")
	}
}

func TestServicesRefusesUnknownCommands(t *testing.T) {
	s := services{t, t.TempDir()}
	for _, args := range [][]string{nil, {"restart"}} {
		if out, messages, code := s.run(args...); code != 2 || out != "" || !strings.Contains(messages, "test/services.sh start") {
			t.Errorf("%q: exit code %d, want 2 and the usage as a message; printed %q and %q", args, code, out, messages)
		}
	}
	if _, messages, code := s.run("run"); code != 1 || !strings.Contains(messages, "which command?") {
		t.Errorf("run without a command: exit code %d, want 1 and a question\n%s", code, messages)
	}
}
