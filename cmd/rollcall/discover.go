package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newDiscoverCommand(c *cli) *cobra.Command {
	var file, rule, category string
	var people bool
	cmd := &cobra.Command{
		Use:   "discover (-f FILE | JOB)",
		Short: "Sort the accounts of a target by whom in the source they match",
		Long: `List the accounts of a target and sort them: assigned ones match somebody in scope, unassigned ones somebody who is not,
local ones nobody in the source. With --people, show instead for everybody in scope whether a first cycle would take an
account over (match), create one, or not be able to decide (ambiguous): the report to read before a job goes live.
The source and the target are read; nothing is written, not even the app file.`,
		GroupID:     groupJobs,
		Annotations: map[string]string{annotationCSV: "true"},
		Args:        arguments("[JOB]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (file == "") == (len(args) == 0) {
				return usagef("rollcall discover: name a job, or give its app file with -f")
			}
			switch engine.Category(category) {
			case "", engine.Local, engine.Unassigned, engine.Assigned:
			default:
				return usagef("--category %s: no such category; take local, unassigned or assigned", category)
			}
			return c.withState(cmd.Context(), func(s *state) error {
				j, f, err := s.wouldBe(cmd.Context(), c, file, args)
				if err != nil {
					return err
				}
				d, err := s.discover(cmd.Context(), c, j, f, rule)
				if err != nil {
					return err
				}
				return c.showDiscovery(d, engine.Category(category), people)
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "app `FILE` to look with; it is not stored")
	f.StringVar(&rule, "rule", "", "`NAME` of the rule whose accounts are listed; the one for users if it is not given")
	f.StringVar(&category, "category", "", "only accounts of this `CATEGORY`: local, unassigned or assigned")
	f.BoolVar(&people, "people", false, "show what a first cycle would do about everybody in scope")
	return cmd
}

func (s *state) discover(ctx context.Context, c *cli, j store.Job, f *appfile.File, rule string) (d engine.Discovery, err error) {
	sites := s.sites(c)
	sub, err := s.subject(ctx, c, j, f, sites)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, closeSubject(ctx, sub, sites)) }()
	bar := c.progress()
	d, err = s.engine(c, bar).Discover(ctx, sub, rule)
	bar.Clear()
	if err != nil {
		return d, onceError(err)
	}
	return d, nil
}

func (c *cli) showDiscovery(d engine.Discovery, only engine.Category, people bool) error {
	if only != "" { // the sums stay those of the whole target
		kept := []engine.Account{}
		for _, a := range d.Accounts {
			if a.Category == only {
				kept = append(kept, a)
			}
		}
		d.Accounts = kept
	}
	for _, w := range d.Warnings {
		c.notef("warning: %s", w)
	}
	switch c.Output {
	case "json":
		return view.DiscoveryJSON(c.Out, d)
	case "csv":
		return view.DiscoveryCSV(c.Out, d, people)
	}
	return view.Discovery(c.Out, d, people)
}
