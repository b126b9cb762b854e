package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

// `rollcall versions`: the app files of a job as they were saved (engine section 20). `export` writes what is in force
// and completes it from the template; this is what was written, and when, and by whom.

func newVersionsCommand(c *cli) *cobra.Command {
	with := func(use, short, long string, args []string, do func(context.Context, *state, store.Job, []store.Version, []string) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Long: long, Args: arguments(args...), RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error {
				j, err := s.job(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				list, err := s.Store.Versions(cmd.Context(), j.ID)
				if err != nil {
					return err
				}
				return do(cmd.Context(), s, j, list, args[1:])
			})
		}}
	}
	list := with("list JOB", "List the saved versions of a job, the newest first", "", []string{"JOB"},
		func(_ context.Context, _ *state, j store.Job, list []store.Version, _ []string) error {
			return listVersions(c, j, list)
		})
	show := with("show JOB N", "Write the app file of a version as it was saved", "", []string{"JOB", "N"},
		func(_ context.Context, _ *state, j store.Job, list []store.Version, args []string) error {
			v, err := savedVersion(j, list, args[0])
			if err != nil {
				return err
			}
			if c.json() {
				return view.JSON(c.Out, struct {
					savedInfo
					YAML string `json:"yaml"`
				}{infoOf(j, list, v), string(v.File)})
			}
			_, err = c.Out.Write(v.File)
			return err
		})
	compare := with("diff JOB N [M]", "Show what changed from one version to another",
		"Show what changed from version N to version M; without M, from the version before N to N.", []string{"JOB", "N", "[M]"},
		func(_ context.Context, _ *state, j store.Job, list []store.Version, args []string) error {
			return diffVersions(c, j, list, args)
		})
	restore := with("restore JOB N", "Go back to a version of a job",
		`Go back to a version of a job: its app file is stored again, as a new version. As with any save, the next cycle is initial
if mappings, filters or scope become others. Nothing runs.`, []string{"JOB", "N"},
		func(ctx context.Context, s *state, j store.Job, list []store.Version, args []string) error {
			return s.restoreVersion(ctx, c, j, list, args[0])
		})
	return parent(&cobra.Command{Use: "versions", Short: "Show, compare and bring back what was saved of a job", GroupID: groupJobs}, list, show, compare, restore)
}

// savedInfo is a version without its file (`rollcall versions list -o json`).
type savedInfo struct {
	Number  int64     `json:"number"`
	At      time.Time `json:"at"`
	Author  string    `json:"author"`
	Note    string    `json:"note"`
	Current bool      `json:"current"`
	Initial bool      `json:"initial"` // mappings, filters or scope became others
}

func infoOf(j store.Job, list []store.Version, v store.Version) savedInfo {
	older := slices.IndexFunc(list, func(o store.Version) bool { return o.Number < v.Number })
	return savedInfo{Number: v.Number, At: v.At.UTC(), Author: v.Author, Note: v.Note, Current: v.Number == j.Saved,
		Initial: older < 0 || list[older].Mapped != v.Mapped}
}

func listVersions(c *cli, j store.Job, list []store.Version) error {
	infos := make([]savedInfo, len(list))
	for i, v := range list {
		infos[i] = infoOf(j, list, v)
	}
	if c.json() {
		return view.JSON(c.Out, infos)
	}
	t := view.NewTable(">VERSION", "SAVED", "BY", "HOW", "CHANGED")
	for i, v := range infos {
		changed := "other settings"
		switch {
		case i == len(infos)-1:
			changed = "new"
		case v.Initial:
			changed = "mappings, filters or scope"
		}
		if v.Current {
			changed += " (in force)"
		}
		t.Add(strconv.FormatInt(v.Number, 10), view.Time(v.At), v.Author, v.Note, changed)
	}
	return t.Write(c.Out)
}

// savedVersion finds a version by its number as it was typed.
func savedVersion(j store.Job, list []store.Version, text string) (store.Version, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		if i := slices.IndexFunc(list, func(v store.Version) bool { return v.Number == n }); i >= 0 {
			return list[i], nil
		}
	}
	return store.Version{}, usagef("%s has no version %q; `rollcall versions list %s` shows which there are", j.Name, text, view.QuoteArg(j.Name))
}

func diffVersions(c *cli, j store.Job, list []store.Version, args []string) error {
	to, err := savedVersion(j, list, args[len(args)-1])
	if err != nil {
		return err
	}
	var from store.Version
	if len(args) == 2 {
		if from, err = savedVersion(j, list, args[0]); err != nil {
			return err
		}
	} else if i := slices.IndexFunc(list, func(v store.Version) bool { return v.Number < to.Number }); i >= 0 {
		from = list[i]
	}
	name := func(v store.Version) string { return fmt.Sprintf("version %d", v.Number) }
	text := diff.Diff(name(from), from.File, name(to), to.File)
	if _, rest, ok := bytes.Cut(text, []byte("\n")); ok { // the first line is a command that nobody gave
		text = rest
	}
	switch {
	case c.json():
		return view.JSON(c.Out, struct {
			From int64  `json:"from"` // 0 before the first version
			To   int64  `json:"to"`
			Diff string `json:"diff"`
		}{from.Number, to.Number, string(text)})
	case len(text) == 0:
		c.notef("There is no difference.")
	}
	_, err = c.Out.Write(text)
	return err
}

func (s *state) restoreVersion(ctx context.Context, c *cli, j store.Job, list []store.Version, text string) error {
	v, err := savedVersion(j, list, text)
	if err != nil {
		return err
	}
	f, err := parseVersion(j, v)
	if err != nil {
		return err
	}
	return s.importFile(ctx, c, f, fmt.Sprintf("version %d", v.Number), fmt.Sprintf("restored from version %d", v.Number))
}

func parseVersion(j store.Job, v store.Version) (*appfile.File, error) {
	opts := appFileOptions()
	opts.File = fmt.Sprintf("%s, version %d", j.Name, v.Number)
	dir := v.FileDir
	if info, err := os.Stat(dir); err != nil || !info.IsDir() { // the folder was moved, with the app file in it
		dir = j.FileDir
	}
	f, err := appfile.Parse(v.File, dir, opts)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("version %d of %s cannot be used by this version of rollcall:\n%w", v.Number, j.Name, err)}
	}
	return f, nil
}

// subjectAt opens a job with the mappings, filters and scope of an earlier save, and the settings they had last
// (engine.R10).
func (s *state) subjectAt(ctx context.Context, c *cli, j store.Job, mapped int64, sites *httpx.Sites) (engine.Subject, error) {
	list, err := s.Store.Versions(ctx, j.ID)
	if err != nil {
		return engine.Subject{}, err
	}
	i := slices.IndexFunc(list, func(v store.Version) bool { return v.Mapped == mapped })
	if i < 0 {
		return engine.Subject{}, fmt.Errorf("job %s: no saved version has the mappings that the cycle began with", j.Name)
	}
	f, err := parseVersion(j, list[i])
	if err != nil {
		return engine.Subject{}, err
	}
	return s.subject(ctx, c, j, f, sites)
}
