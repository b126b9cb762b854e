package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

// `rollcall pause`, `rollcall start` and `rollcall restart`.

func newPauseCommand(c *cli) *cobra.Command {
	return lifeCommand(c, "paused", (*engine.Engine).Pause, &cobra.Command{
		Use:   "pause JOB",
		Short: "Stop a job; a cycle under way stops at its next checkpoint",
		Long: `Stop a job. No cycle begins any more, and one that is under way stops at the end of its slice, within about half a
minute. All state is kept; ` + "`rollcall start`" + ` goes on from there.`,
	})
}

func newStartCommand(c *cli) *cobra.Command {
	return lifeCommand(c, "started", (*engine.Engine).Start, &cobra.Command{
		Use:   "start JOB",
		Short: "Let a job run that was paused, disabled or in quarantine",
		Long: `Let a job run again that was paused, or disabled after four weeks of quarantine. A cycle that was interrupted goes on
where it stopped. A quarantine is lifted until the next cycle judges the job again. Nothing else is reset; that is what
` + "`rollcall restart`" + ` does.`,
	})
}

// lifeCommand completes a command that does one thing to one job and then says what was done.
func lifeCommand(c *cli, done string, do func(*engine.Engine, context.Context, string) (store.Job, error), cmd *cobra.Command) *cobra.Command {
	cmd.GroupID, cmd.Args = groupJobs, arguments("JOB")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.withState(cmd.Context(), func(s *state) error {
			j, err := s.job(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if j, err = do(s.engine(c, nil), cmd.Context(), j.ID); err != nil {
				return err
			}
			return s.told(cmd.Context(), c, j, done)
		})
	}
	return cmd
}

func newRestartCommand(c *cli) *cobra.Command {
	var words string
	var yes bool
	cmd := &cobra.Command{
		Use:   "restart JOB",
		Short: "Start a job and reset parts of its state",
		Long: `Start a job and reset parts of its state. Without --scope: QuarantineState,Watermark,Escrows.

  QuarantineState     lifts the quarantine, until the next cycle judges the job again
  Watermark           makes the next cycle initial: everybody is evaluated
  Escrows             forgets stored failures; their objects are tried again when they change or everybody is evaluated
  ConnectorDataStore  forgets all links; everybody is matched anew
  ForceDeletes        carries out, with the next cycle, what the deletion guard holds now
  Full                all of them but ForceDeletes
  None                only starts the job

A cycle that is under way, or was interrupted, goes on to its end first. Forgetting the links (ConnectorDataStore, Full)
forgets, too, whose accounts are still to be disabled or deleted: those are listed, and the command goes on only when
somebody says so, at the terminal or with --yes.`,
		GroupID: groupJobs,
		Args:    arguments("JOB"),
		RunE: func(cmd *cobra.Command, args []string) error {
			what, err := health.ParseReset(words)
			if err != nil {
				return usagef("--scope: %v", err)
			}
			return c.withState(cmd.Context(), func(s *state) error { return s.restart(cmd.Context(), c, args[0], what, yes) })
		},
	}
	cmd.Flags().StringVar(&words, "scope", "", "what to reset: a `LIST` of the words above, with commas between them")
	cmd.Flags().BoolVar(&yes, "yes", false, "forget links without asking")
	return cmd
}

func (s *state) restart(ctx context.Context, c *cli, name string, what health.Reset, yes bool) error {
	j, err := s.job(ctx, name)
	if err != nil {
		return err
	}
	if what.Has(health.ConnectorDataStore) && !yes {
		if ok, err := s.mayForgetLinks(ctx, c, j, what); err != nil || !ok {
			return err
		}
	}
	r, err := s.engine(c, nil).Restart(ctx, j.ID, what)
	if err != nil {
		return err
	}
	var more []string
	if r.Job.InitialDue {
		more = append(more, "the next cycle is initial")
	}
	if r.Allowed > 0 {
		more = append(more, view.Plural(r.Allowed, "held operation")+" will be carried out by it if the cause is still there")
		if !r.Job.InitialDue {
			more[len(more)-1] = view.Plural(r.Allowed, "held operation") + " will be carried out by the next cycle if the cause is still there"
		}
	}
	if r.Later {
		more = append(more, "a cycle goes on to its end before the rest is reset")
	}
	return s.told(ctx, c, r.Job, "restarted ("+strings.ReplaceAll(what.String(), ",", ", ")+")", more...)
}

// mayForgetLinks finds out whose accounts are still to be disabled or deleted, which nobody would know of any more
// without the links (engine.R23), and asks whether to go on.
func (s *state) mayForgetLinks(ctx context.Context, c *cli, j store.Job, what health.Reset) (bool, error) {
	const anyway = "say --yes to forget the links all the same"
	if what.Has(health.ForceDeletes) {
		if held, err := s.Store.Staged(ctx, j.ID); err != nil || len(held) > 0 { // then a cycle comes before the links go
			return err == nil, err
		}
	}
	pending, err := s.pendingLeavers(ctx, c, j)
	if err != nil {
		return false, &exitError{exitCode(err), fmt.Errorf("whose accounts are still to be disabled or deleted cannot be told: %w; %s", err, anyway)}
	}
	if len(pending) == 0 {
		return true, nil
	}
	const shown = 20
	for i, ch := range pending {
		if i == shown {
			c.notef("  and %d more", len(pending)-shown)
			break
		}
		c.notef("  %s:%s %s: %s", ch.Rule, ch.Source.ID, ch.Source.DisplayName, ch.Reason)
	}
	text := fmt.Sprintf("%s would stay as now, because nobody would know any more that the person has left", view.Plural(int64(len(pending)), "account"))
	if c.Ask {
		return c.confirm(text + ". `rollcall run`, and `rollcall deletes allow` where the guard holds, would take care of them before. Go on all the same? [y/N] ")
	}
	return false, usagef("%s; run a cycle before, with `rollcall deletes allow` where the guard holds, or %s", text, anyway)
}

// pendingLeavers are the disables and deletes that a cycle would carry out or hold now.
func (s *state) pendingLeavers(ctx context.Context, c *cli, j store.Job) (pending []plan.Change, err error) {
	f, err := parseStored(j)
	if err != nil {
		return nil, err
	}
	sites := s.sites(c)
	sub, err := s.subject(ctx, c, j, f, sites)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeSubject(ctx, sub, sites)) }()
	rep, err := s.engine(c, nil).Plan(ctx, sub, engine.Options{Manual: true})
	if err != nil {
		if engine.IsJobFailure(err) {
			err = &exitError{exitJob, err}
		}
		return nil, err
	}
	for _, ch := range rep.Changes {
		if ch.Action.Deprovisions() || ch.Action == plan.StagedDelete {
			pending = append(pending, ch)
		}
	}
	return pending, nil
}

// told prints what was done to a job, or its state as JSON.
func (s *state) told(ctx context.Context, c *cli, j store.Job, what string, more ...string) error {
	if c.json() {
		st, err := s.statusOf(ctx, c, j)
		if err != nil {
			return err
		}
		return view.JSON(c.Out, st)
	}
	text := j.Name + ": " + what
	if len(more) > 0 {
		text += "; " + strings.Join(more, "; ")
	}
	_, err := fmt.Fprintln(c.Out, text)
	return err
}

// stoppedError explains that a job may not run; nil when that is not what err says.
func stoppedError(j store.Job, err error) error {
	name := view.QuoteArg(j.Name)
	switch {
	case errors.Is(err, engine.ErrPaused):
		return &exitError{exitJob, fmt.Errorf("%w; `rollcall start %s` lets it run and go on where it stopped", err, name)}
	case errors.Is(err, engine.ErrDisabled):
		return &exitError{exitJob, fmt.Errorf("%w; mend what `rollcall status %s` tells, then `rollcall start %[2]s`", err, name)}
	}
	return nil
}
