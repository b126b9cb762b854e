package testbed

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	scimmyVariable = "ROLLCALL_TEST_SCIMMY_DIR"

	// serverTimeout bounds starting the server, one call of this package to it, and stopping it. An idle machine
	// needs 0.3 s for the slowest of these.
	serverTimeout = time.Minute
)

// ScimmyServer is a SCIM 2.0 server (RFC 7643, RFC 7644) of the npm packages scimmy and scimmy-routers. It has users
// with the enterprise extension and groups, keeps them in memory, and shares no code with Rollcall. Its README, in
// test/testbeds/scimmy, lists where it departs from the RFC.
//
// The methods fail the test when the server does not answer; call them from the test's own goroutine.
type ScimmyServer struct {
	BaseURL string // such as http://127.0.0.1:40123/scim/v2, without a slash at the end
	Token   string // bearer token that every request under BaseURL must carry

	t      testing.TB
	origin string // scheme, host and port
	client *http.Client

	mu      sync.Mutex
	lines   []logLine
	logErr  error         // why the log ended before the server did
	ended   bool          // no further line will come
	changed chan struct{} // closed, and replaced, at each change of the fields above
}

// ScimmyState is what the server stores. Resources are in the order in which they were created.
type ScimmyState struct {
	Users  []map[string]any `json:"users"`
	Groups []map[string]any `json:"groups"`
}

// Exchange is one request to the server and its answer.
type Exchange struct {
	Time    time.Time         `json:"ts"`       // when the answer was written
	Method  string            `json:"method"`   // such as PATCH
	Path    string            `json:"path"`     // with the base path, without the query
	Query   map[string]any    `json:"query"`    // decoded; a repeated key has a list
	Headers map[string]string `json:"headers"`  // of the request, names in lower case, the token blanked
	Status  int               `json:"status"`   // of the answer; means nothing when Aborted
	Aborted bool              `json:"aborted"`  // the client hung up before the answer was written
	Body    any               `json:"body"`     // of the request: decoded JSON, a string if it was not JSON, or nil
	Answer  any               `json:"response"` // the resource or message, decoded; nil if there was none
}

// logLine is one line of the server's log, decoded as far as is needed to order and to filter.
type logLine struct {
	Seq  int    `json:"seq"` // counts arrivals from 1, without a gap
	Path string `json:"path"`
	text []byte
}

// Scimmy starts a SCIM server of its own for the test, on a free loopback port, and waits until it answers. It is
// ended when the test ends. Without an installed server the test is skipped, or fails if ROLLCALL_TEST_REQUIRE is set.
//
// Each of env is NAME=value, one of the switches in the server's README, such as "REQUIRE_ENTERPRISE=1". A test of
// more than some 10,000 requests sets "LOG_BODIES=0", for the log is kept in memory.
func Scimmy(t testing.TB, env ...string) *ScimmyServer {
	t.Helper()
	dir := setting(t, scimmyVariable)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "scimmy")); err != nil {
		t.Fatalf("the SCIM server in %s is not installed; run test/services.sh start: %v", dir, err)
	}

	s := &ScimmyServer{
		Token:   rand.Text(),
		t:       t,
		client:  &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: serverTimeout},
		changed: make(chan struct{}),
	}
	// The server must outlive the test's context, which is cancelled before the cleanups of clients run.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "node", "server.js")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Env = append(cmd.Env, "HOST=127.0.0.1", "PORT=0", "TOKEN="+s.Token, "EXIT_WITH_STDIN=1")
	s.BaseURL = start(t, cmd, s)
	s.origin = strings.TrimSuffix(s.BaseURL, basePath(s.BaseURL))
	return s
}

// start starts the server, arranges for its end, and returns the base URL that it reports once it listens.
func start(t testing.TB, cmd *exec.Cmd, s *ScimmyServer) string {
	t.Helper()
	// Never written to: it ends with this process, however that ends, and the server then ends too.
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	stderr, err3 := cmd.StderrPipe()
	if err := errors.Join(err1, err2, err3, cmd.Start()); err != nil {
		t.Fatalf("start the SCIM server: %v", err)
	}

	var (
		readers  sync.WaitGroup
		messages strings.Builder
		ready    = make(chan string, 1)
	)
	readers.Go(func() { s.readLog(stdout) })
	readers.Go(func() {
		defer close(ready)
		readMessages(io.TeeReader(stderr, &messages), ready)
	})
	t.Cleanup(func() {
		// An error means that the process is gone already; then Wait tells how it ended.
		_ = cmd.Process.Signal(syscall.SIGTERM)
		overdue := time.AfterFunc(serverTimeout, func() { _ = cmd.Process.Kill() })
		defer overdue.Stop()
		readers.Wait()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the SCIM server ended with %v and these messages:\n%s", err, messages.String())
		}
		_ = stdin.Close()
	})

	select {
	case url, ok := <-ready:
		if !ok {
			t.Fatal("the SCIM server ended before it listened")
		}
		return url
	case <-time.After(serverTimeout):
		t.Fatalf("the SCIM server did not listen within %v", serverTimeout)
	}
	return ""
}

var listening = regexp.MustCompile(`(?m)^scimmy testbed on (http://\S+)$`)

// readMessages reads to the end of r and sends the URL in the line that says that the server listens.
func readMessages(r io.Reader, ready chan<- string) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			ready <- m[1]
		}
	}
	// After a line too long for the scanner: what is not read would block the server.
	_, _ = io.Copy(io.Discard, r)
}

// basePath returns the path of a URL, with its first slash.
func basePath(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return ""
}

// readLog collects the lines that the server writes, until it ends.
func (s *ScimmyServer) readLog(r io.Reader) {
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadBytes('\n')
		var line logLine
		if err == nil {
			err = json.Unmarshal(text, &line)
			line.text = text
		}
		s.mu.Lock()
		if err == nil {
			s.lines = append(s.lines, line)
		} else {
			s.ended = true
			if !errors.Is(err, io.EOF) {
				s.logErr = err
			}
		}
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			// What is not read would block the server.
			_, _ = io.Copy(io.Discard, in)
			return
		}
	}
}

// State returns what the server stores.
func (s *ScimmyServer) State() ScimmyState {
	s.t.Helper()
	var state ScimmyState
	s.call(http.MethodGet, "/__state", &state)
	return state
}

// Reset deletes all users and groups. The log of requests stays.
func (s *ScimmyServer) Reset() {
	s.t.Helper()
	s.call(http.MethodPost, "/__reset", nil)
}

// Requests returns every exchange so far, in the order of arrival, those of this type's own methods left out. It waits
// for requests that the server is still working on.
func (s *ScimmyServer) Requests() []Exchange {
	s.t.Helper()
	// Lines are written when an exchange ends, so the log may lag behind what a client has seen. The mark arrives
	// after all that is asked for; the log is complete when it has the mark and every arrival before it.
	s.mu.Lock()
	before := len(s.lines)
	s.mu.Unlock()
	s.call(http.MethodGet, "/__mark", nil)

	deadline := time.After(serverTimeout)
	for {
		s.mu.Lock()
		lines, ended, logErr, changed := s.lines, s.ended, s.logErr, s.changed
		s.mu.Unlock()
		if last := lastMark(lines[before:]); last > 0 && arrivedUpTo(lines, last) {
			return s.decode(lines, last)
		}
		if ended {
			s.t.Fatalf("the SCIM server's log ended at line %d: %v", len(lines), logErr)
		}
		select {
		case <-changed:
		case <-deadline:
			s.t.Fatalf("after %v the SCIM server is still working on a request, or its log lacks a line", serverTimeout)
		}
	}
}

// lastMark returns the highest sequence number of a mark among lines, or 0.
func lastMark(lines []logLine) int {
	last := 0
	for _, line := range lines {
		if line.Path == "/__mark" {
			last = max(last, line.Seq)
		}
	}
	return last
}

// arrivedUpTo says whether lines hold every sequence number from 1 to last.
func arrivedUpTo(lines []logLine, last int) bool {
	n := 0
	for _, line := range lines {
		if line.Seq <= last {
			n++
		}
	}
	return n == last
}

// decode returns the exchanges up to the sequence number last, in the order of arrival.
func (s *ScimmyServer) decode(lines []logLine, last int) []Exchange {
	s.t.Helper()
	lines = slices.SortedFunc(slices.Values(lines), func(a, b logLine) int { return cmp.Compare(a.Seq, b.Seq) })
	var exchanges []Exchange
	for _, line := range lines[:last] {
		if strings.HasPrefix(line.Path, "/__") {
			continue
		}
		var e Exchange
		if err := json.Unmarshal(line.text, &e); err != nil {
			s.t.Fatalf("line %d of the SCIM server's log: %v", line.Seq, err)
		}
		exchanges = append(exchanges, e)
	}
	return exchanges
}

// call does one of the server's calls outside of SCIM and decodes its JSON answer into answer, unless that is nil.
func (s *ScimmyServer) call(method, path string, answer any) {
	s.t.Helper()
	if err := s.tryCall(method, path, answer); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (s *ScimmyServer) tryCall(method, path string, answer any) error {
	req, err := http.NewRequestWithContext(context.WithoutCancel(s.t.Context()), method, s.origin+path, nil)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the SCIM server answered %s", resp.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
