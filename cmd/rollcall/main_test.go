package main

import (
	"context"
	"flag"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the golden output in testdata/script, and docs/reference")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rollcall": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		w := process()
		w.Version = "0.0.0-test"
		if fixed := os.Getenv("TEST_NOW"); fixed != "" {
			now, err := time.Parse(time.RFC3339, fixed)
			if err != nil {
				panic(err)
			}
			w.Now = func() time.Time { return now }
		}
		os.Exit(run(ctx, w, os.Args[1:]))
	}})
}

// TestScript runs the command lines of testdata/script with the real command in a process of its own.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("TEST_NOW", "2026-03-01T08:00:00Z")
			e.Defer(func() { endLeftOver(t, e.WorkDir) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":    exitStatus,
			"replace": replaceInFile,
			"await":   await,
			"fetch":   fetch,
			"post":    post,
			"oauth":   oauthServer(t),
			"browse":  browse,
		},
	})
}

// endLeftOver ends what a script that failed half-way has left running; it notes process ids in files pid*.txt.
func endLeftOver(t *testing.T, dir string) {
	notes, err := filepath.Glob(filepath.Join(dir, "pid*.txt"))
	if err != nil {
		t.Error(err)
	}
	for _, note := range notes {
		text, err := os.ReadFile(note)
		if err != nil {
			t.Error(err)
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill() // most have ended themselves
			}
		}
	}
}

// exitStatus is `code N rollcall ARGS...`: it runs a command that has to end with this exit code.
func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command args...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		_, got, _ = strings.Cut(err.Error(), "exit status ")
		if got == "" {
			ts.Fatalf("%v", err)
		}
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// replaceInFile is `replace FILE PATTERN TEXT`, for what differs in every run.
func replaceInFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace file old new")
	}
	path := ts.MkAbs(args[0])
	data := ts.ReadFile(args[0])
	ts.Check(os.WriteFile(path, []byte(strings.ReplaceAll(data, args[1], args[2])), 0o666))
}

// await is `await FILE VARIABLE`: it waits until a file has a whole first line, and sets a variable to it.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await file variable")
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		if line, _, whole := strings.Cut(string(data), "\n"); err == nil && whole {
			ts.Setenv(args[1], line)
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("%s has no line after 20 s", args[0])
		}
	}
}

// fetch is `fetch STATUS URL [AUTHORIZATION]`: a GET that has to be answered with this status.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fetch status url [authorization]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, args[1], nil)
	ts.Check(err)
	if len(args) > 2 {
		req.Header.Set("Authorization", args[2])
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if got := resp.Status[:3]; got != args[0] {
		ts.Fatalf("GET %s: status %s, want %s", args[1], got, args[0])
	}
}

// post is `post URL AUTHORIZATION BODY`: a POST that has to be answered with 201.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: post url authorization body")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, args[0], strings.NewReader(args[2]))
	ts.Check(err)
	req.Header.Set("Authorization", args[1])
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if resp.StatusCode != http.StatusCreated {
		ts.Fatalf("POST %s: %s", args[0], resp.Status)
	}
}
