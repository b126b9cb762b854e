package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/vectors"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newTestCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "test FILE...",
		Short: "Run test vectors: unit tests for mappings and filters",
		Long: `Run test vectors: JSON files with a list of cases, each of which says what an expression, a scoping filter, or a SCIM
path, filter or PATCH has to give.

  [{"id": "mail", "expression": "ToLower([mail])", "attributes": {"mail": "Mira@Example.com"}, "want": "mira@example.com"},
   {"id": "sales", "filter": {"groups": [{"clauses": [{"attribute": "department", "operator": "EQUALS", "values": ["Sales"]}]}]},
    "attributes": {"department": "Ops"}, "want": false}]

Each failure is printed with the expected and the actual value, and last "N passed, N failed". The exit code is 3 when a
case fails, 2 when a file cannot be read. A FILE of - is standard input.`,
		GroupID: groupTry,
		Args:    arguments("FILE..."),
		RunE: func(_ *cobra.Command, args []string) error {
			return runTests(c, args)
		},
	}
}

// testReport is the document of `rollcall test -o json`.
type testReport struct {
	Passed   int           `json:"passed"`
	Failed   int           `json:"failed"`
	Failures []testFailure `json:"failures"`
}

type testFailure struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	ID       string `json:"id"`
	Expected string `json:"expected"`
	Actual   string `json:"actual"`
}

func runTests(c *cli, files []string) error {
	type loaded struct {
		name  string
		cases []vectors.Case
	}
	var all []loaded
	var problems []error
	for _, name := range files {
		data, err := readFile(c.In, name)
		if err == nil {
			var cases []vectors.Case
			if cases, err = vectors.Load(name, data); err == nil && len(cases) == 0 {
				err = fmt.Errorf("%s: no case in it", name)
			}
			all = append(all, loaded{name, cases})
		}
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return &exitError{exitUsage, err}
	}
	report := testReport{Failures: []testFailure{}}
	world := vectors.World{Now: c.Now, Rand: rand.Reader}
	for _, l := range all {
		for _, k := range l.cases {
			err := k.Run(world)
			if err == nil {
				report.Passed++
				continue
			}
			report.Failed++
			f := testFailure{File: l.name, Line: k.Line, ID: k.ID}
			var e *vectors.Failure
			if !errors.As(err, &e) {
				return fmt.Errorf("%s:%d: %s: %w", l.name, k.Line, k.ID, err)
			}
			f.Expected, f.Actual = e.Expected, e.Actual
			report.Failures = append(report.Failures, f)
		}
	}
	if err := writeTests(c, report); err != nil {
		return err
	}
	if report.Failed > 0 {
		return &exitError{code: exitObjects}
	}
	return nil
}

func writeTests(c *cli, r testReport) error {
	if c.json() {
		return view.JSON(c.Out, r)
	}
	var b bytes.Buffer
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "%s:%d: %s\n  expected: %s\n  actual:   %s\n", f.File, f.Line, f.ID, f.Expected, f.Actual)
	}
	fmt.Fprintf(&b, "%d passed, %d failed\n", r.Passed, r.Failed)
	_, err := c.Out.Write(b.Bytes())
	return err
}

// readFile reads a file that the command line names; "-" is standard input.
func readFile(stdin io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name)
}
