package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/term"
)

// Set by the build: -ldflags "-X main.version=… -X main.commit=… -X main.date=…".
var (
	version = "development"
	commit  string
	date    string
)

func main() {
	tuneMemory(os.LookupEnv)
	uuid.EnableRandPool() // a call to the system for sixteen ids, not for each
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, process(), os.Args[1:])
	stop()
	os.Exit(code)
}

// tuneMemory lets the garbage collector wait longer while there is little memory in use, and collect as usual when there
// is much: a cycle makes much garbage and keeps little. GOGC and GOMEMLIMIT still have the last word.
func tuneMemory(getenv func(string) (string, bool)) {
	_, percent := getenv("GOGC")
	_, limit := getenv("GOMEMLIMIT")
	if percent || limit {
		return
	}
	debug.SetGCPercent(200)
	debug.SetMemoryLimit(64 << 20) // soft: what SQLite holds is not counted
}

// process is the outside world of a real process.
func process() world {
	return world{
		In:      os.Stdin,
		Out:     os.Stdout,
		Err:     os.Stderr,
		Getenv:  os.Getenv,
		Now:     time.Now,
		Columns: func() int { return terminalColumns(os.Stderr) },
		Ask:     term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())),
		Version: version,
		Commit:  commit,
		Date:    date,
	}
}

// terminalColumns is the width of a terminal, 0 for anything else.
func terminalColumns(f *os.File) int {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) || os.Getenv("TERM") == "dumb" {
		return 0
	}
	columns, _, err := term.GetSize(fd)
	if err != nil || columns <= 0 {
		return 80
	}
	return columns
}

// world is what a command line runs in: everything a command reads, writes or asks beside the state.
type world struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	Now      func() time.Time
	Columns  func() int // of the terminal behind Err; 0 when it is none, and nothing is drawn then
	Ask      bool       // a person sits there and can answer
	Version  string
	Commit   string // "" when the build did not say
	Date     string
}

// run carries out one command line and returns the exit code. It is main without the process.
func run(ctx context.Context, w world, args []string) int {
	c := &cli{world: w}
	root := newRootCommand(c)
	root.SetArgs(args)
	root.SetIn(w.In)
	root.SetOut(w.Out)
	root.SetErr(w.Err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if !c.parsed && exitCode(err) == exitInternal { // cobra refused the command line before any command ran
		err = &exitError{exitUsage, err}
	}
	var e *exitError
	silent := errors.As(err, &e) && e.err == nil
	if !silent {
		c.notef("rollcall: %v", err)
	}
	if !c.parsed {
		c.notef("Run `%s --help` for how it is used.", cmd.CommandPath())
	}
	return exitCode(err)
}
