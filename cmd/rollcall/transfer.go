package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

// `rollcall export` and `rollcall import`.

func newExportCommand(c *cli) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "export JOB",
		Short: "Write a stored job as a complete app file",
		Long: `Write a stored job as a complete app file: every setting and mapping stands in it, those of the template too. Secrets
are references as they were written, never values.`,
		GroupID: groupJobs,
		Args:    arguments("JOB"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error { return exportJob(cmd.Context(), c, s, args[0], file) })
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "`FILE` to write, which is replaced; standard output when left out")
	return cmd
}

func exportJob(ctx context.Context, c *cli, s *state, key, file string) error {
	j, err := s.job(ctx, key)
	if err != nil {
		return err
	}
	f, err := parseStored(j)
	if err != nil {
		return err
	}
	text, err := appfile.Export(f.Job, appFileOptions())
	if err != nil {
		return err
	}
	if file != "" {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return usagef("%v", err)
		}
	}
	switch {
	case c.json():
		return view.JSON(c.Out, struct {
			ID   string `json:"id"`
			Job  string `json:"job"`
			File string `json:"file"`
			YAML string `json:"yaml"`
		}{j.ID, j.Name, file, string(text)})
	case file != "":
		c.notef("Wrote %s.", file)
		return nil
	}
	_, err = c.Out.Write(text)
	return err
}

// parseStored reads the app file that a job was made of.
func parseStored(j store.Job) (*appfile.File, error) {
	opts := appFileOptions()
	opts.File = j.Name
	f, err := appfile.Parse(j.File, j.FileDir, opts)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("the stored app file of %s cannot be used by this version; apply a corrected one:\n%w", j.Name, err)}
	}
	return f.Informed(schemaOf(found(j))), nil
}

func newImportCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Store the job of an app file without running it",
		Long: `Store the job of an app file without running it: a new one, or the job of that name with the new file. Only a change of
mappings, filters or scope makes the next cycle initial; a file that means the same as before changes nothing.`,
		GroupID: groupJobs,
		Args:    arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := readAppFile(args[0])
			if err != nil {
				return err
			}
			return c.withState(cmd.Context(), func(s *state) error { return s.importFile(cmd.Context(), c, f, args[0], "imported") })
		},
	}
}

// importFile applies an app file and tells what that did. name is that of the file; note says what made the version.
func (s *state) importFile(ctx context.Context, c *cli, f *appfile.File, name, note string) error {
	a, err := s.apply(ctx, c, f, note)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return writeApplied(c, a)
}

// appliedDocument is what applying an app file did, for scripts.
type appliedDocument struct {
	ID         string `json:"id"`
	Job        string `json:"job"`
	Created    bool   `json:"created"`
	Changed    bool   `json:"changed"`
	InitialDue bool   `json:"initialDue"`
	Version    int64  `json:"version"`
}

// writeApplied tells what applying app files did: as JSON an object for one file, a list for several.
func writeApplied(c *cli, list ...applied) error {
	for _, a := range list {
		if text := a.silent(); text != "" {
			c.notef("%s", text)
		}
	}
	if c.json() {
		docs := make([]appliedDocument, len(list))
		for i, a := range list {
			docs[i] = appliedDocument{a.Job.ID, a.Job.Name, a.Created, a.Changed, a.Job.InitialDue, a.Job.Saved}
		}
		if len(docs) == 1 {
			return view.JSON(c.Out, docs[0])
		}
		return view.JSON(c.Out, docs)
	}
	for _, a := range list {
		text := "changed; the next cycle goes on as before"
		switch {
		case a.Created:
			text = "created; the first cycle is initial"
		case !a.Changed:
			text = "unchanged"
		case a.Initial:
			text = "changed; the next cycle is initial"
		}
		if _, err := fmt.Fprintf(c.Out, "%s (%s): %s\n", a.Job.Name, a.Job.ID, text); err != nil {
			return err
		}
	}
	return nil
}
