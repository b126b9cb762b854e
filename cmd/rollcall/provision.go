package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newProvisionCommand(c *cli) *cobra.Command {
	var file string
	opt := engine.OnceOptions{By: c.author()}
	cmd := &cobra.Command{
		Use:   "provision (-f FILE | JOB) KEY",
		Short: "Provision one person or group now, and show each step",
		Long: `Provision one person or group now, without waiting for a cycle, and show what was read, why they are in scope or not,
which account was found, and what was written. KEY is their key in the source, the value of a joining attribute, or
their e-mail address. A group takes along the members that --members names, at most five; its other members wait for the
next cycle. With --dry-run everything is shown and nothing is written.`,
		GroupID: groupJobs,
		Args:    arguments("[JOB]", "[KEY]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			want := 2
			if file != "" {
				want = 1
			}
			if len(args) != want {
				return usagef("rollcall provision: name a job, or give its app file with -f, and then the key of one person or group")
			}
			if len(opt.Members) > engine.MaxMembers {
				return usagef("--members: %d are named, and at most %d go along with a group", len(opt.Members), engine.MaxMembers)
			}
			opt.Key = args[want-1]
			return c.provision(cmd.Context(), file, args[:want-1], opt)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "app `FILE` to apply first; a dry run does not store it")
	f.BoolVar(&opt.DryRun, "dry-run", false, "show everything, write nothing")
	f.StringVar(&opt.Rule, "rule", "", "`NAME` of the rule, where a key means something to several")
	f.DurationVar(&opt.Wait, "wait", 0, "wait so `LONG` for a cycle that is under way, for instance 2m")
	f.StringSliceVar(&opt.Members, "members", nil, "`KEYS` of members that a group takes along, with commas between them")
	return cmd
}

// provision opens the job that a command line names and provisions one object of it.
func (c *cli) provision(ctx context.Context, file string, args []string, opt engine.OnceOptions) error {
	do := func(s *state, j store.Job, f *appfile.File) error { return s.provision(ctx, c, j, f, opt) }
	if !opt.DryRun {
		return c.withJob(ctx, "provision", file, args, do)
	}
	return c.withState(ctx, func(s *state) error {
		j, f, err := s.wouldBe(ctx, c, file, args)
		if err != nil {
			return err
		}
		return do(s, j, f)
	})
}

func (s *state) provision(ctx context.Context, c *cli, j store.Job, f *appfile.File, opt engine.OnceOptions) (err error) {
	sites := s.sites(c)
	sub, err := s.subject(ctx, c, j, f, sites)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSubject(ctx, sub, sites)) }()
	bar := c.progress()
	rep, err := s.engine(c, bar).Once(ctx, sub, opt)
	bar.Clear()
	if err != nil {
		return onceError(err)
	}
	if c.json() {
		err = view.OnceJSON(c.Out, rep)
	} else {
		err = view.Once(c.Out, rep)
	}
	if err != nil {
		return err
	}
	for _, w := range rep.Warnings {
		c.notef("warning: %s", w)
	}
	return onceExit(rep)
}

// onceError gives errors of a run that did not come to a report their exit codes.
func onceError(err error) error {
	var key *engine.KeyError
	switch {
	case errors.As(err, &key):
		return &exitError{exitUsage, err}
	case errors.Is(err, context.Canceled):
		return &exitError{exitInternal, fmt.Errorf("interrupted; what was done is recorded, and the next cycle looks at the object again")}
	case errors.Is(err, store.ErrStale):
		return &exitError{exitJob, fmt.Errorf("%w; a cycle is running, so run this again when it has ended, with --wait, or now with --dry-run", err)}
	case engine.IsJobFailure(err):
		return &exitError{exitJob, err}
	}
	return err
}

// onceExit is the exit code of an on-demand run (design 6.1): 4 beats 5 beats 3.
func onceExit(rep engine.OnceReport) error {
	if rep.Error != "" {
		return &exitError{code: exitJob}
	}
	if rep.Held != "" {
		return &exitError{code: exitHeld}
	}
	for _, r := range append([]engine.OnceResult{rep.OnceResult}, rep.Members...) {
		if r.Result == "Failure" {
			return &exitError{code: exitObjects}
		}
	}
	return nil
}
