package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/secret"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newStatusCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "status [JOB]",
		Short:   "Show where jobs stand: last cycle, links, failures, what is held",
		GroupID: groupJobs,
		Args:    arguments("[JOB]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error { return s.status(cmd.Context(), c, args) })
		},
	}
}

// status shows one job in full, or all in a list.
func (s *state) status(ctx context.Context, c *cli, args []string) error {
	jobs, err := s.Store.Jobs(ctx)
	if err != nil {
		return err
	}
	if len(args) == 1 {
		j, err := s.job(ctx, args[0])
		if err != nil {
			return err
		}
		jobs = []store.Job{j}
	}
	list := make([]view.Status, len(jobs))
	for i, j := range jobs {
		if list[i], err = s.statusOf(ctx, c, j); err != nil {
			return err
		}
	}
	switch {
	case c.json() && len(args) == 1:
		return view.JSON(c.Out, list[0])
	case c.json():
		return view.StatusListJSON(c.Out, list)
	case len(args) == 1:
		return view.StatusPage(c.Out, list[0], c.Now())
	}
	return view.StatusList(c.Out, list)
}

// statusOf collects what is known of a job.
func (s *state) statusOf(ctx context.Context, c *cli, j store.Job) (view.Status, error) {
	in := view.StatusInput{Job: j, Now: c.Now(), Interval: job.Defaults().Interval}
	var err error
	if in.Cycles, err = s.Store.CyclesOf(ctx, j.ID, 10); err != nil {
		return view.Status{}, err
	}
	for id, to := range map[string]**store.Cycle{j.LastClean: &in.Clean, j.LastExport: &in.Exported} {
		if id == "" {
			continue
		}
		cycle, err := s.Store.Cycle(ctx, id)
		if err != nil {
			return view.Status{}, err
		}
		*to = &cycle
	}
	if in.Tallies, err = s.Store.Tallies(ctx, j.ID); err != nil {
		return view.Status{}, err
	}
	if in.Failed, err = s.Store.Escrows(ctx, j.ID); err != nil {
		return view.Status{}, err
	}
	if in.Staged, err = s.Store.Staged(ctx, j.ID); err != nil {
		return view.Status{}, err
	}
	if f, err := parseStored(j); err == nil { // else it is shown without
		in.Interval, in.Kinds = f.Job.Settings.Interval, map[string]string{}
		for _, r := range f.Job.Rules {
			in.Kinds[r.Name] = string(r.From)
		}
		in.Unconfigured = missingSecret(f.Job) != nil || s.missingConsent(ctx, j, f.Job)
		h, err := s.credential(ctx, c, j, f)
		if err != nil {
			return view.Status{}, err
		}
		if h != nil {
			in.Credential = &h.Credential
		}
		if in.Site, err = s.siteStatus(ctx, c, j, f, in.Cycles); err != nil {
			return view.Status{}, err
		}
	}
	in.Due = engine.NextCycle(j, in.Cycles, in.Interval, in.Now)
	return view.NewStatus(in), nil
}

// missingSecret returns why a credential of a job cannot be read, nil when all can (engine section 2 NotConfigured).
func missingSecret(j job.Job) error {
	var look func(v any) error
	look = func(v any) error {
		switch v := v.(type) {
		case map[string]any:
			if ref, err := secret.ParseRef(v); err == nil {
				_, _, err := ref.Resolve(j.Dir)
				return err
			}
			for _, e := range v {
				if err := look(e); err != nil {
					return err
				}
			}
		case []any:
			for _, e := range v {
				if err := look(e); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return errors.Join(look(j.Source.Settings), look(j.Target.Settings))
}

func newLogsCommand(c *cli) *cobra.Command {
	var file, status, action, identity, cycle, since string
	var limit int
	cmd := &cobra.Command{
		Use:   "logs (JOB | -f FILE)",
		Short: "Show the provisioning log",
		Long: `Show the provisioning log of a job, newest records first: one record for each object and cycle in which something
happened to it, or was skipped, or failed. JSON records have the form of Microsoft Graph's provisioningObjectSummary.`,
		GroupID:     groupJobs,
		Annotations: map[string]string{annotationCSV: "true"},
		Args:        arguments("[JOB]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := store.LogQuery{Status: status, Action: strings.ToLower(action), Identity: identity, CycleID: cycle, Limit: limit}
			if statuses := []string{"success", "failure", "skipped", "warning"}; status != "" && !slices.Contains(statuses, status) {
				return usagef("--status %s: no such status; take one of %s", status, strings.Join(statuses, ", "))
			}
			if limit < 1 {
				return usagef("--limit %d: a number from 1 up is wanted", limit)
			}
			var err error
			if q.Since, err = parseSince(since, c.Now()); err != nil {
				return err
			}
			if (file == "") == (len(args) == 0) {
				return usagef("rollcall logs: name a job, or give its app file with -f")
			}
			key := ""
			if file != "" {
				f, err := c.loadAppFile(file)
				if err != nil {
					return err
				}
				key = f.Job.Name
			} else {
				key = args[0]
			}
			return c.withState(cmd.Context(), func(s *state) error { return s.logs(cmd.Context(), c, key, q) })
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "app `FILE` of the job")
	f.StringVar(&status, "status", "", "only records with this `STATUS`: success, failure, skipped or warning")
	f.StringVar(&action, "action", "", "only records of this `ACTION`: create, update, disable, delete, stagedDelete or other")
	f.StringVar(&identity, "identity", "", "only records of this person or group: `WHO` is an id, or part of a name")
	f.StringVar(&cycle, "cycle", "", "only records of the cycle with this `ID`")
	f.StringVar(&since, "since", "", "only records since `WHEN`: a duration such as 24h, or a date such as 2006-01-02")
	f.IntVar(&limit, "limit", 1000, "show at most `N` records")
	return cmd
}

func (s *state) logs(ctx context.Context, c *cli, key string, q store.LogQuery) error {
	j, err := s.job(ctx, key)
	if err != nil {
		return err
	}
	q.JobID = j.ID
	records, err := s.Store.Records(ctx, q)
	if err != nil {
		return err
	}
	switch c.Output {
	case "json":
		return view.LogsJSON(c.Out, records)
	case "csv":
		return view.LogsCSV(c.Out, records)
	}
	return view.Logs(c.Out, records)
}

// parseSince reads a point in time: so long ago, or a date with or without a time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usagef("--since %s: a duration such as 90m or 24h is wanted, or a date such as 2006-01-02 or 2006-01-02T15:04:05Z", text)
}

func newDeletesCommand(c *cli) *cobra.Command {
	list := &cobra.Command{
		Use:   "list JOB",
		Short: "List the deletes and disables that the deletion guard holds",
		Args:  arguments("JOB"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error {
				j, err := s.job(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				staged, err := s.Store.Staged(cmd.Context(), j.ID)
				if err != nil {
					return err
				}
				if c.json() {
					return view.DeletesJSON(c.Out, staged)
				}
				return view.Deletes(c.Out, j.Name, staged)
			})
		},
	}
	allow := &cobra.Command{
		Use:   "allow JOB [KEY...]",
		Short: "Let go of held deletes and disables; the next cycle carries them out",
		Long: `Let go of deletes and disables that the deletion guard holds: those with the keys or names given, as
` + "`rollcall deletes list`" + ` shows them, or all that are held now. The next cycle carries them out if their cause is still there.`,
		Args: arguments("JOB", "[KEY...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error { return s.allow(cmd.Context(), c, args[0], args[1:]) })
		},
	}
	return parent(&cobra.Command{Use: "deletes", Short: "Look after what the deletion guard holds", GroupID: groupJobs}, list, allow)
}

// confirm asks the person at the terminal; anything but yes is no.
func (c *cli) confirm(question string) (bool, error) {
	if _, err := io.WriteString(c.Err, question); err != nil {
		return false, err
	}
	line, err := bufio.NewReader(c.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

// soleName tells whether a held operation is the only one about somebody of this name.
func soleName(staged []store.Staged, st store.Staged, name string) bool {
	same := func(o store.Staged) bool { return strings.EqualFold(o.Name, name) }
	i := slices.IndexFunc(staged, same)
	return same(st) && staged[i].ObjectKey == st.ObjectKey && !slices.ContainsFunc(staged[i+1:], same)
}

// allow releases held operations. All keys must name one, or nothing is released.
func (s *state) allow(ctx context.Context, c *cli, name string, keys []string) error {
	j, err := s.job(ctx, name)
	if err != nil {
		return err
	}
	staged, err := s.Store.Staged(ctx, j.ID)
	if err != nil {
		return err
	}
	chosen := make([]store.ObjectKey, 0, len(keys))
	var unknown []string
	known := make([]string, len(staged))
	for i, st := range staged {
		known[i] = view.StagedKey(st.ObjectKey)
	}
	for _, key := range keys {
		if i := slices.IndexFunc(staged, func(st store.Staged) bool {
			return view.StagedKey(st.ObjectKey) == key || st.Anchor == key || soleName(staged, st, key)
		}); i >= 0 {
			chosen = append(chosen, staged[i].ObjectKey)
			continue
		}
		if near := job.Nearest(key, known); near != "" {
			key += " (did you mean " + near + "?)"
		}
		unknown = append(unknown, key)
	}
	if len(unknown) > 0 {
		return usagef("nothing is held under %s; `rollcall deletes list` shows what is", strings.Join(unknown, ", "))
	}
	if len(keys) == 0 {
		for _, st := range staged {
			chosen = append(chosen, st.ObjectKey)
		}
	}
	if len(chosen) == 0 {
		c.notef("Nothing is held.")
		return view.Allowed(c.Out, c.json(), 0)
	}
	if c.Ask {
		ok, err := c.confirm(view.Plural(int64(len(chosen)), "account") + " will be disabled or deleted by the next cycle. Go on? [y/N] ")
		if err != nil || !ok {
			return err
		}
	}
	n, err := s.engine(c, nil).Allow(ctx, j.ID, chosen)
	if err != nil {
		return err
	}
	return view.Allowed(c.Out, c.json(), n)
}
