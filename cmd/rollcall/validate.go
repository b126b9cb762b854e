package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/vectors"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newValidateCommand(c *cli) *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use:   "validate -f FILE",
		Short: "Check app files, and report everything that is wrong with them",
		Long: `Check app files, and report everything that is wrong with them, each with file, line and column. Nothing is stored and
no system is asked; what the target of a stored job said of itself is known. The tests that an app file names are run. The exit code is 2 when a file cannot be used or a test fails;
warnings alone leave it at 0.`,
		GroupID: groupJobs,
		Args:    arguments("[FILE...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			files = append(files, args...)
			if len(files) == 0 {
				return usagef("rollcall validate: FILE is missing")
			}
			return validate(cmd.Context(), c, files)
		},
	}
	cmd.Flags().StringArrayVarP(&files, "file", "f", nil, "app `FILE`; may be repeated")
	return cmd
}

// validation is the document of `rollcall validate -o json`.
type validation struct {
	Valid    bool             `json:"valid"`
	Problems appfile.Problems `json:"problems"`
}

func validate(ctx context.Context, c *cli, files []string) error {
	result := validation{Valid: true, Problems: appfile.Problems{}}
	for _, name := range files {
		f, err := appfile.Load(name, appFileOptions())
		if err == nil {
			f = f.Informed(schemaOf(c.keptFor(ctx, f)))
			result.Problems = append(result.Problems, f.Warnings...)
			if err = result.runTests(c, name, f); err != nil {
				return err
			}
			continue
		}
		result.Valid = false
		problems, ok := errors.AsType[appfile.Problems](err)
		if !ok {
			problems = appfile.Problems{{File: name, Severity: appfile.Error, Message: err.Error()}}
		}
		result.Problems = append(result.Problems, problems...)
	}
	if err := writeProblems(c.Err, result.Problems); err != nil {
		return err
	}
	if c.json() {
		if err := view.JSON(c.Out, result); err != nil {
			return err
		}
	} else if result.Valid {
		if _, err := fmt.Fprintf(c.Out, "%s: valid%s\n", strings.Join(files, ", "), withWarnings(result.Problems)); err != nil {
			return err
		}
	}
	if !result.Valid {
		c.notef("%s%s", view.Plural(int64(len(result.Problems.Errors())), "error"), withWarnings(result.Problems))
		return &exitError{code: exitUsage}
	}
	return nil
}

// runTests runs the tests that an app file names. What is wrong with them, and every case that fails, is a problem.
func (v *validation) runTests(c *cli, name string, f *appfile.File) error {
	tests, err := appTests(name, f)
	for _, e := range leaves(err) {
		p := appfile.Problem{File: name, Severity: appfile.Error, Message: e.Error()}
		if at, ok := errors.AsType[*vectors.Problem](e); ok {
			p.File, p.Line, p.Column, p.Message = at.File, at.Line, 1, at.Message
		}
		v.Valid, v.Problems = false, append(v.Problems, p)
	}
	if err != nil {
		return nil //nolint:nilerr // it is among the problems
	}
	report := testReport{}
	for _, t := range tests {
		if err := t.run(c, &report); err != nil {
			return err
		}
	}
	for _, t := range report.Failures {
		v.Valid, v.Problems = false, append(v.Problems, appfile.Problem{File: t.File, Line: t.Line, Column: 1, Severity: appfile.Error,
			Message: fmt.Sprintf("the test %s fails: expected %s, actual %s", t.ID, t.Expected, t.Actual)})
	}
	return nil
}

// leaves takes joined errors apart, the mistakes of a file of test vectors among them.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	var out []error
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			out = append(out, leaves(e)...)
		}
		return out
	}
	if ps, ok := errors.AsType[vectors.Problems](err); ok {
		for _, p := range ps {
			out = append(out, p)
		}
		return out
	}
	return []error{err}
}

func withWarnings(ps appfile.Problems) string {
	if n := len(ps.Warnings()); n > 0 {
		return ", " + view.Plural(int64(n), "warning")
	}
	return ""
}

// writeProblems writes one line per problem, in the form that editors can jump to.
func writeProblems(w io.Writer, ps appfile.Problems) error {
	for _, p := range ps {
		if p.Line == 0 { // of the file as a whole; the message names it
			if _, err := fmt.Fprintf(w, "%s: %s\n", p.Severity, p.Message); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintln(w, p); err != nil {
			return err
		}
	}
	return nil
}

// readAppFile reads an app file for a command that goes on with it. A file that cannot be used is an error of the command
// line with all its problems.
func readAppFile(name string) (*appfile.File, error) {
	f, err := appfile.Load(name, appFileOptions())
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("the app file cannot be used:\n%w", err)}
	}
	return f, nil
}

// loadAppFile is readAppFile with the warnings on standard error, for a command that asks no system.
func (c *cli) loadAppFile(name string) (*appfile.File, error) {
	f, err := readAppFile(name)
	if err != nil {
		return nil, err
	}
	return f, writeProblems(c.Err, f.Warnings)
}
