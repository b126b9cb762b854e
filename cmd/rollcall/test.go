package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/scope"
	"github.com/rollcall-id/rollcall/internal/vectors"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newTestCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "test FILE...",
		Short: "Run test vectors: unit tests for mappings and filters",
		Long: `Run test vectors: JSON files with a list of cases, each of which says what an expression, a scoping filter, a whole rule,
or a SCIM path, filter or PATCH has to give.

  [{"id": "mail", "expression": "ToLower([mail])", "attributes": {"mail": "Mira@Example.com"}, "want": "mira@example.com"},
   {"id": "sales", "filter": {"groups": [{"clauses": [{"attribute": "department", "operator": "EQUALS", "values": ["Sales"]}]}]},
    "attributes": {"department": "Ops"}, "want": false}]

A FILE ending in .yaml or .yml is an app file: the files that it names under tests are run, and their cases may name one of
its rules.

  [{"id": "title", "rule": "users", "attributes": {"jobTitle": "Boss"}, "want": {"title": "Boss", "active": true}}]

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
	var all []testFile
	var problems []error
	for _, name := range files {
		switch filepath.Ext(name) {
		case ".yaml", ".yml":
			f, err := c.loadAppFile(name)
			if err == nil && len(f.Job.Tests) == 0 {
				err = fmt.Errorf("%s names no tests; tests: [mappings_test.json]", name)
			}
			if err != nil {
				problems = append(problems, err)
				continue
			}
			tests, err := appTests(name, f)
			all, problems = append(all, tests...), append(problems, err)
		default:
			t, err := loadTests(c.In, name, name, nil)
			all, problems = append(all, t), append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return &exitError{exitUsage, err}
	}
	report := testReport{Failures: []testFailure{}}
	for _, t := range all {
		if err := t.run(c, &report); err != nil {
			return err
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

// testFile is a file of test vectors that was read.
type testFile struct {
	name  string // as messages give it
	cases []vectors.Case
	rules map[string]vectors.Rule
}

// appTests reads the test vectors that an app file names. Messages name them beside the app file.
func appTests(app string, f *appfile.File) ([]testFile, error) {
	rules, err := testRules(f)
	if err != nil {
		return nil, err
	}
	var out []testFile
	var problems []error
	for _, name := range f.Job.Tests {
		shown := name
		if !filepath.IsAbs(name) {
			shown = filepath.Join(filepath.Dir(app), name)
		}
		t, err := loadTests(nil, f.Job.TestFile(name), shown, rules)
		out, problems = append(out, t), append(problems, err)
	}
	return out, errors.Join(problems...)
}

// loadTests reads one file of test vectors. rules is nil for a file that no app file names.
func loadTests(stdin io.Reader, path, name string, rules map[string]vectors.Rule) (testFile, error) {
	data, err := readFile(stdin, path)
	if err != nil {
		return testFile{}, err
	}
	cases, err := vectors.Load(name, data)
	if err != nil {
		return testFile{}, err
	}
	if len(cases) == 0 {
		return testFile{}, fmt.Errorf("%s: no case in it", name)
	}
	var problems vectors.Problems
	for _, k := range cases {
		if k.Rule == "" {
			continue
		}
		if _, ok := rules[k.Rule]; ok {
			continue
		}
		message := fmt.Sprintf("%s: a case with \"rule\" needs an app file that names this file under tests; run `rollcall test` with the app file", k.ID)
		if rules != nil {
			names := slices.Sorted(maps.Keys(rules))
			message = fmt.Sprintf("%s: the app file has no rule %q; there are %s", k.ID, k.Rule, strings.Join(names, ", "))
			if near := job.Nearest(k.Rule, names); near != "" {
				message = fmt.Sprintf("%s: the app file has no rule %q; did you mean %s?", k.ID, k.Rule, near)
			}
		}
		problems = append(problems, &vectors.Problem{File: name, Line: k.Line, Message: message})
	}
	if len(problems) > 0 {
		return testFile{}, problems
	}
	return testFile{name: name, cases: cases, rules: rules}, nil
}

// testRules compiles the rules of an app file for its tests.
func testRules(f *appfile.File) (map[string]vectors.Rule, error) {
	out := make(map[string]vectors.Rule, len(f.Job.Rules))
	for _, r := range f.Job.Rules {
		target, _ := f.TargetSchema.Object(r.To)
		set, err := mapping.Compile(r.Mappings(), target)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.Name, err)
		}
		filter, err := scope.Compile(r.Filter)
		if err != nil {
			return nil, fmt.Errorf("rule %s: filter: %w", r.Name, err)
		}
		out[r.Name] = vectors.Rule{From: r.From, Filter: filter, Mappings: set, DefaultDomain: f.Job.Settings.DefaultDomain,
			Account: func(vs []mapping.Value) (identity.Attrs, error) { return plan.New(set, vs) }}
	}
	return out, nil
}

// run runs the cases and adds what came of them to the report.
func (t testFile) run(c *cli, report *testReport) error {
	world := vectors.World{Now: c.Now, Rand: rand.Reader, Rules: t.rules}
	for _, k := range t.cases {
		err := k.Run(world)
		if err == nil {
			report.Passed++
			continue
		}
		report.Failed++
		e, ok := errors.AsType[*vectors.Failure](err)
		if !ok {
			return fmt.Errorf("%s:%d: %s: %w", t.name, k.Line, k.ID, err)
		}
		report.Failures = append(report.Failures, testFailure{File: t.name, Line: k.Line, ID: k.ID, Expected: e.Expected, Actual: e.Actual})
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
