package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newUndoCommand(c *cli) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "undo CYCLE",
		Short: "Write back what a cycle replaced",
		Long: `Write back what a cycle replaced in the target, from the provisioning log, and pause the job, so that the next cycle
does not do it again. Values and memberships are set back; accounts that the cycle disabled are enabled; accounts that it
created are deleted, or disabled where the rule does not delete; accounts that it deleted are made anew, with another id. The
deletion guard holds what is too much. What was changed since, by a later cycle or by hand, is left and reported.

Ids of cycles are in the output of run and status with -o json, and in the log.`,
		GroupID: groupJobs,
		Args:    arguments("CYCLE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error { return s.undo(cmd.Context(), c, args[0], dry) })
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be written back, without doing it")
	return cmd
}

func (s *state) undo(ctx context.Context, c *cli, id string, dry bool) error {
	cycle, err := s.Store.Cycle(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return usagef("there is no cycle %s; `rollcall status JOB -o json` and the log name cycles", id)
	}
	if err != nil {
		return err
	}
	if cycle.State == store.Running {
		return usagef("cycle %s has not ended; `rollcall run` carries it to its end", id)
	}
	j, err := s.Store.Job(ctx, cycle.JobID)
	if err != nil {
		return err
	}
	f, err := parseStored(j)
	if err != nil {
		return err
	}
	opt := engine.Options{Undo: id, Manual: true}
	if dry {
		return s.plan(ctx, c, j, f, opt, view.PlanOptions{}, "")
	}
	err = s.run(ctx, c, j, f, opt)
	if exitCode(err) != exitInternal {
		c.notef("The job %s is paused; the next cycle looks at everybody again, and does what the source says then.", j.Name)
	}
	return err
}
