package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newWhyCommand(c *cli) *cobra.Command {
	var app, rule string
	cmd := &cobra.Command{
		Use:   "why USER",
		Short: "Explain why somebody has, has not, or no longer has an account",
		Long: `Explain why a person or group has, has not, or no longer has an account, in every job or in one. USER is their key in the
source, the id of an account, the value of a joining attribute, or an e-mail address. The answer stands on what is
stored and on the provisioning log; where these do not say, the source is read, and the answer says so. Nothing is
written, and no target is asked.`,
		GroupID: groupJobs,
		Args:    arguments("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error { return s.why(cmd.Context(), c, args[0], app, rule) })
		},
	}
	cmd.Flags().StringVar(&app, "app", "", "only the job with this `NAME`")
	cmd.Flags().StringVar(&rule, "rule", "", "only the rule with this `NAME`")
	return cmd
}

func (s *state) why(ctx context.Context, c *cli, user, app, rule string) error {
	jobs, err := s.Store.Jobs(ctx)
	if err != nil {
		return err
	}
	if app != "" {
		j, err := s.job(ctx, app)
		if err != nil {
			return err
		}
		jobs = []store.Job{j}
	}
	if len(jobs) == 0 {
		return usagef("there are no jobs yet; `rollcall import FILE` makes one")
	}
	var list []engine.Explanation
	for _, j := range jobs {
		found, err := s.explain(ctx, c, j, user, rule)
		if err != nil {
			return err
		}
		list = append(list, found...)
	}
	known := slices.ContainsFunc(list, func(x engine.Explanation) bool { return x.Rule != "" })
	if c.json() {
		err = view.WhyJSON(c.Out, user, list)
	} else {
		err = view.Why(c.Out, list)
	}
	if err == nil && !known {
		return &exitError{code: exitUsage}
	}
	return err
}

// explain asks one job, and its source where the state does not know enough.
func (s *state) explain(ctx context.Context, c *cli, j store.Job, user, rule string) ([]engine.Explanation, error) {
	f, err := parseStored(j)
	if err != nil {
		return nil, err
	}
	e := s.engine(c, nil)
	list, err := e.Explain(ctx, describedBy(j, f), user, rule)
	if err != nil || !slices.ContainsFunc(list, func(x engine.Explanation) bool { return x.Incomplete }) {
		return list, err
	}
	sites := s.sites(c)
	sub, err := s.subject(ctx, c, j, f, sites)
	if err != nil {
		return nil, err
	}
	more := list
	if sub.Source != nil {
		more, err = e.Explain(ctx, sub, user, rule)
	} else {
		err = sub.Unready
	}
	if err != nil && ctx.Err() == nil { // the state's answer is better than none
		c.notef("note: the source of %s could not be read, so this is what is stored only: %v", j.Name, err)
		more, err = list, nil
	}
	return more, errors.Join(err, closeSubject(ctx, sub, sites))
}
