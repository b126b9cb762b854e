package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newRunCommand(c *cli) *cobra.Command {
	var file string
	var initial, reconcile bool
	cmd := &cobra.Command{
		Use:   "run (-f FILE | JOB)",
		Short: "Run one cycle of a job now",
		Long: `Run one cycle of a job now, and tell what it did. With an app file the file is applied first; a file that has not
changed is no save. The first cycle of a job looks at everybody, later ones at what has changed. A cycle that was
interrupted goes on where it stopped, with the mappings it began with; with --initial it ends, unless it is an initial
one with the mappings in force. A job that is paused or disabled is not run.`,
		GroupID: groupJobs,
		Args:    arguments("[JOB]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withJob(cmd.Context(), "run", file, args, func(s *state, j store.Job, f *appfile.File) error {
				return s.run(cmd.Context(), c, j, f, engine.Options{Initial: initial, Reconcile: reconcile, Manual: true})
			})
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "app `FILE` to apply and run")
	cmd.Flags().BoolVar(&initial, "initial", false, "look at everybody, not only at what has changed")
	cmd.Flags().BoolVar(&reconcile, "reconcile", false, "compare the accounts in the target with what was written to them, too")
	return cmd
}

func newApplyCommand(c *cli) *cobra.Command {
	var files []string
	var saved string
	cmd := &cobra.Command{
		Use: "apply (-f FILE | --plan FILE)",

		Short: "Store the jobs that app files describe",
		Long: `Store the jobs that app files describe: new ones, or those of the same names with the new files. Nothing runs. A file
whose mappings, filters or scope changed makes the next cycle of its job an initial one.

With --plan a plan that ` + "`rollcall plan --out`" + ` saved is carried out: exactly what it shows, once. When the source, the
target, the state or the app file has changed so that a cycle would do anything else, nothing is written, and what differs is
listed. A plan of an app file that is not stored yet needs that file, too, with -f.`,
		GroupID: groupJobs,
		Args:    arguments("[FILE...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			files = append(files, args...)
			if saved != "" {
				return c.withState(cmd.Context(), func(s *state) error { return s.applyPlan(cmd.Context(), c, saved, files) })
			}
			if len(files) == 0 {
				return usagef("rollcall apply: FILE is missing")
			}
			return c.withState(cmd.Context(), func(s *state) error { return s.applyFiles(cmd.Context(), c, files) })
		},
	}
	cmd.Flags().StringArrayVarP(&files, "file", "f", nil, "app `FILE`; may be repeated")
	cmd.Flags().StringVar(&saved, "plan", "", "carry out the plan saved in this `FILE`")
	return cmd
}

// applyFiles applies files one by one, after all of them were found to be usable.
func (s *state) applyFiles(ctx context.Context, c *cli, names []string) error {
	loaded := make([]*appfile.File, len(names))
	var bad []error
	for i, name := range names {
		f, err := readAppFile(name)
		if err != nil {
			bad = append(bad, err)
		}
		loaded[i] = f
	}
	if len(bad) > 0 {
		return &exitError{exitUsage, errors.Join(bad...)}
	}
	done := make([]applied, len(loaded))
	for i, f := range loaded {
		a, err := s.apply(ctx, c, f, "applied")
		if err != nil {
			return fmt.Errorf("%s: %w", names[i], err)
		}
		done[i] = a
	}
	return writeApplied(c, done...)
}

// withJob opens the state and the job that a command names, by app file or by name. An app file is applied.
func (c *cli) withJob(ctx context.Context, command, file string, args []string, do func(*state, store.Job, *appfile.File) error) error {
	if (file == "") == (len(args) == 0) {
		return usagef("rollcall %s: name a job, or give its app file with -f", command)
	}
	var f *appfile.File
	var err error
	if file != "" {
		if f, err = readAppFile(file); err != nil {
			return err
		}
	}
	return c.withState(ctx, func(s *state) error {
		var j store.Job
		if f != nil {
			a, err := s.apply(ctx, c, f, "applied")
			if err != nil {
				return err
			}
			j, f = a.Job, a.File
		} else {
			if j, err = s.job(ctx, args[0]); err != nil {
				return err
			}
			if f, err = parseStored(j); err != nil {
				return err
			}
		}
		return do(s, j, f)
	})
}

// run runs one cycle and reports it.
func (s *state) run(ctx context.Context, c *cli, j store.Job, f *appfile.File, opt engine.Options) error {
	rep, err := s.cycle(ctx, c, j, f, opt)
	if err != nil {
		return err
	}
	if c.json() {
		if err := view.RunJSON(c.Out, rep); err != nil {
			return err
		}
		if rep.Error != "" {
			c.notef("rollcall: %s", rep.Error)
		}
		for _, w := range rep.Warnings {
			c.notef("warning: %s", w)
		}
	} else if err := view.Run(c.Out, rep); err != nil {
		return err
	}
	return runExit(rep)
}

// cycle runs one cycle, with a progress bar on a terminal, and adds the first failures to the report.
func (s *state) cycle(ctx context.Context, c *cli, j store.Job, f *appfile.File, opt engine.Options) (rep engine.RunReport, err error) {
	sites := s.sites(c)
	sub, err := s.subject(ctx, c, j, f, sites)
	if err != nil {
		return engine.RunReport{}, err
	}
	defer func() { err = errors.Join(err, closeSubject(ctx, sub, sites)) }()
	var earlier engine.Subject
	sub.Earlier = func(ctx context.Context, version int64) (engine.Subject, error) {
		var err error
		earlier, err = s.subjectAt(ctx, c, j, version, sites)
		return earlier, err
	}
	defer func() { err = errors.Join(err, closeSubject(ctx, earlier, sites)) }()
	bar := c.progress()
	rep, err = s.engine(c, bar, s.announcer(ctx, c, j, f)).Run(ctx, sub, opt)
	bar.Clear()
	if stopped := stoppedError(j, err); stopped != nil {
		return rep, stopped
	}
	if errors.Is(err, context.Canceled) {
		return rep, &exitError{exitInternal, fmt.Errorf("interrupted; what was done is recorded, and the next run goes on from there")}
	}
	if errors.Is(err, store.ErrStale) {
		return rep, &exitError{exitJob, fmt.Errorf("%w; it is running already, or was a moment ago on a machine that cannot be asked", err)}
	}
	if err != nil {
		return rep, err
	}
	warning, err := s.noteCredential(ctx, c, j, f)
	if err != nil {
		return rep, err
	}
	if warning != "" {
		rep.Warnings = append(rep.Warnings, warning)
	}
	if rep.Cycle.State == store.Succeeded { // no object failed
		return rep, nil
	}
	const shown = 10
	recs, err := s.Store.Records(ctx, store.LogQuery{JobID: j.ID, CycleID: rep.Cycle.ID, Status: "failure", Ascending: true, Limit: shown})
	if err != nil {
		return rep, err
	}
	for _, r := range recs {
		rep.Failures = append(rep.Failures, engine.Failure{Rule: r.Rule, Source: plan.Identity{ID: r.SourceID, DisplayName: r.SourceName}, Code: r.ErrorCode, Reason: view.Reason(r)})
	}
	return rep, nil
}

// runExit is the exit code of a cycle (design 6.1): 4 beats 5 beats 3.
func runExit(rep engine.RunReport) error {
	switch {
	case rep.Cycle.State == store.Failed, rep.Quarantine != nil && rep.Quarantine.Reason != "TooManyDeletes":
		return &exitError{code: exitJob}
	case rep.Held != "":
		return &exitError{code: exitHeld}
	case rep.Counts.Failed > 0:
		return &exitError{code: exitObjects}
	}
	return nil
}

func newPlanCommand(c *cli) *cobra.Command {
	var file string
	var out string
	var initial, reconcile, all bool
	cmd := &cobra.Command{
		Use:   "plan (-f FILE | JOB)",
		Short: "Show what the next cycle would do, without doing it",
		Long: `Show what the next cycle of a job would do and why, how many calls it would take, and how long they take at the target's
rate. The source and the target are read just as the cycle would read them; nothing is written, not even the app file.

With --out the plan is saved, for ` + "`rollcall apply --plan`" + ` to carry it out exactly. The file has the values that the plan shows.`,
		GroupID: groupJobs,
		Args:    arguments("[JOB]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (file == "") == (len(args) == 0) {
				return usagef("rollcall plan: name a job, or give its app file with -f")
			}
			return c.withState(cmd.Context(), func(s *state) error {
				j, f, err := s.wouldBe(cmd.Context(), c, file, args)
				if err != nil {
					return err
				}
				return s.plan(cmd.Context(), c, j, f, engine.Options{Initial: initial, Reconcile: reconcile, Manual: true}, view.PlanOptions{All: all}, out)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show objects that need nothing, too")
	cmd.Flags().StringVar(&out, "out", "", "save the plan to this `FILE`")
	cmd.Flags().StringVarP(&file, "file", "f", "", "app `FILE` to plan with; it is not stored")
	cmd.Flags().BoolVar(&initial, "initial", false, "plan an initial cycle")
	cmd.Flags().BoolVar(&reconcile, "reconcile", false, "plan a cycle that compares the accounts in the target, too")
	return cmd
}

// wouldBe returns a job as it would be if the app file were applied now. The target of a file that is not stored so is asked
// what it can do, as saving it would.
func (s *state) wouldBe(ctx context.Context, c *cli, file string, args []string) (store.Job, *appfile.File, error) {
	j, f, err := s.named(ctx, c, file, args)
	if err != nil || file == "" {
		return j, f, err
	}
	if j.FileHash != f.Hash {
		j, f, _, err = s.learn(ctx, c, j, f) // that it does not answer is told by what comes next
		return j, f, err
	}
	f, err = c.informed(f, found(j))
	return j, f, err
}

// named returns the job that a command names, by app file or by name; with a file as it would be if that were applied now.
func (s *state) named(ctx context.Context, c *cli, file string, args []string) (store.Job, *appfile.File, error) {
	if file == "" {
		j, err := s.job(ctx, args[0])
		if err != nil {
			return store.Job{}, nil, err
		}
		f, err := parseStored(j)
		return j, f, err
	}
	f, err := readAppFile(file)
	if err != nil {
		return store.Job{}, nil, err
	}
	j, err := s.Store.Job(ctx, f.Job.Name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		j = store.Job{ID: "plan", Name: f.Job.Name, Template: f.Job.Template, Version: 1, InitialDue: true}
	case err != nil:
		return store.Job{}, nil, err
	case j.FileHash != f.Hash:
		if before, perr := appfile.Parse(j.File, j.FileDir, appFileOptions()); perr != nil || before.MappingHash != f.MappingHash {
			j.Version++
			j.InitialDue = true
		}
	}
	if j.FileHash != f.Hash && len(f.Job.Assignments) > 0 {
		c.notef("note: the assignments in %s are not stored yet, so people whom they would add are shown as out of scope; `rollcall apply -f %[1]s` stores them", file)
	}
	return j, f, nil
}

func (s *state) plan(ctx context.Context, c *cli, j store.Job, f *appfile.File, opt engine.Options, show view.PlanOptions, out string) (err error) {
	sites := s.sites(c)
	sub, err := s.subject(ctx, c, j, f, sites)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSubject(ctx, sub, sites)) }()
	used, err := s.standing(ctx, c, j, f)
	if err != nil {
		return err
	}
	bar := c.progress()
	saved, rep, err := s.engine(c, bar).SavePlan(ctx, sub, opt, f.Hash)
	bar.Clear()
	if err != nil {
		if engine.IsJobFailure(err) {
			return &exitError{exitJob, err}
		}
		return err
	}
	if out != "" {
		if err := writePlan(out, saved); err != nil {
			return err
		}
	}
	if rep.Requests.Forecast, err = s.forecast(ctx, c, j, f, rep.Requests.Total, used); err != nil {
		return err
	}
	if c.json() {
		err = view.PlanJSON(c.Out, rep)
	} else {
		err = view.Plan(c.Out, rep, show)
	}
	if err == nil && rep.Held != "" {
		return &exitError{code: exitHeld}
	}
	return err
}

// sites makes the registry of rate limits, whose windows all processes on one database share.
func (s *state) sites(c *cli) *httpx.Sites {
	return httpx.NewSites(s.Store, c.Now)
}
