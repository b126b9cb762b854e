package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/demo"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/sandbox"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

// demoRate is what the demo's sandbox takes in a minute; the real SAP Litmos takes 100.
const demoRate = 6000

// demoFolder is where `demo --keep` leaves its files.
const demoFolder = "rollcall-demo"

func newDemoCommand(c *cli) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: a company from its HR files into SAP Litmos, on this machine",
		Long: `Load a sample company from an HR file into the built-in directory, provision it to a sandbox that behaves like
SAP Litmos, then take the next HR file and carry over only what changed. Nothing leaves this machine and nothing has to
be installed. With --keep the files stay in ` + demoFolder + ` and the sandbox runs on until Ctrl-C.`,
		GroupID: groupTry,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), c, keep)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the sandbox running and the files in place, for playing on")
	return cmd
}

// demoStep is one cycle of the demo with what it was for.
type demoStep struct {
	Date   string           `json:"date"`
	Report engine.RunReport `json:"run"`
}

// demoReport is the document of `rollcall demo -o json`.
type demoReport struct {
	Sandbox  string     `json:"sandbox"`
	Steps    []demoStep `json:"steps"`
	Accounts int        `json:"accounts"` // in the sandbox at the end
	Managers int        `json:"managers"` // of them linked to their manager
}

func runDemo(ctx context.Context, c *cli, keep bool) (err error) {
	dir, remove, err := demoDir(keep)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	token := uuid.NewString()
	tokenFile := filepath.Join(dir, "litmos-token")
	if err := os.WriteFile(tokenFile, []byte(token+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the sandbox's token: %w", err)
	}
	box, err := sandbox.New("litmos-scim", sandbox.Config{Token: token, Rate: demoRate, Now: time.Now, Logger: c.logger()})
	if err != nil {
		return err
	}
	url, stop, err := box.Start(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer stop()
	if err := demo.Write(dir, url, filepath.Base(tokenFile)); err != nil {
		return err
	}
	inner := *c
	inner.Data, inner.DB = filepath.Join(dir, "rollcall-data"), ""
	rep := demoReport{Sandbox: url}
	say := c.demoPrinter()
	say("A company's HR files keep SAP Litmos in step. The sandbox listens at %s and takes %d calls a minute.\n\n", url, demoRate)
	err = inner.withState(ctx, func(s *state) error {
		for i, date := range demo.Dates()[:2] {
			if err := demo.SetDate(dir, date); err != nil {
				return err
			}
			if i == 0 {
				say("The HR file of %s: everybody is new.\n", date)
			} else {
				say("The HR file of %s: only what changed is carried over.\n", date)
			}
			for _, name := range []string{demo.DirectoryFile, demo.LitmosFile} {
				run, err := s.demoCycle(ctx, &inner, filepath.Join(dir, name))
				if err != nil {
					return err
				}
				rep.Steps = append(rep.Steps, demoStep{Date: date, Report: run})
				say("  %-16s %s in %s, %s\n", run.Job, demoCounts(run.Counts), view.Duration(run.Cycle.Ended.Sub(run.Cycle.Began)), view.Plural(run.Requests.Total, "call"))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if rep.Accounts, rep.Managers, err = demoAccounts(ctx, url); err != nil {
		return err
	}
	if c.json() {
		err = view.JSON(c.Out, rep)
	} else {
		err = writeDemo(c.Out, rep, dir, keep)
	}
	if err != nil || !keep {
		return err
	}
	<-ctx.Done()
	return nil
}

// demoDir makes the directory of a demo. What is not kept is removed at the end.
func demoDir(keep bool) (dir string, remove func() error, err error) {
	if !keep {
		dir, err = os.MkdirTemp("", "rollcall-demo-")
		if err != nil {
			return "", nil, fmt.Errorf("make a directory for the demo: %w", err)
		}
		return dir, func() error { return os.RemoveAll(dir) }, nil
	}
	if err := os.Mkdir(demoFolder, 0o700); err != nil {
		if errors.Is(err, os.ErrExist) {
			return "", nil, usagef("there is a directory %s already; remove it first, or run the demo elsewhere", demoFolder)
		}
		return "", nil, fmt.Errorf("make a directory for the demo: %w", err)
	}
	dir, err = filepath.Abs(demoFolder)
	return dir, func() error { return nil }, err
}

// demoPrinter tells what happens while it happens; nothing of it when one JSON document is wanted.
func (c *cli) demoPrinter() func(format string, args ...any) {
	if c.json() {
		return func(string, ...any) {}
	}
	return func(format string, args ...any) {
		_, _ = fmt.Fprintf(c.Out, format, args...) // the report at the end says it again
	}
}

// demoCycle applies an app file and runs one cycle of it. A demo in which an object fails has failed.
func (s *state) demoCycle(ctx context.Context, c *cli, name string) (engine.RunReport, error) {
	f, err := readAppFile(name)
	if err != nil {
		return engine.RunReport{}, err
	}
	a, err := s.apply(ctx, c, f, "demo")
	if err != nil {
		return engine.RunReport{}, err
	}
	quiet := *c
	quiet.Err = io.Discard
	rep, err := s.cycle(ctx, &quiet, a.Job, f, engine.Options{Manual: true})
	if err == nil && (rep.Cycle.State != store.Succeeded || rep.Held != "") {
		err = fmt.Errorf("job %s: the cycle ended as %s: %s", rep.Job, rep.Cycle.State, rep.Error)
	}
	return rep, err
}

// demoCounts says in a few words what a cycle did.
func demoCounts(n store.Counts) string {
	var parts []string
	for _, p := range []struct {
		n    int64
		word string
	}{{n.Created, "created"}, {n.Updated, "updated"}, {n.Enabled, "enabled"}, {n.Disabled, "disabled"}, {n.Deleted, "deleted"}, {n.Unchanged, "unchanged"}, {n.Failed, "failed"}} {
		if p.n > 0 {
			parts = append(parts, view.Count(p.n)+" "+p.word)
		}
	}
	if parts == nil {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}
