package appfile

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/scope"
)

// TestExportLoadsBack makes jobs of every shape an app file can have, writes them, and reads them back.
// TestExportLoadsBack: an export is a whole job, which another installation can take (engine.R157, R160).
func TestExportLoadsBack(t *testing.T) {
	opts := testOptions()
	rapid.Check(t, func(t *rapid.T) {
		want := anyJob(t, opts)
		data, err := Export(want, opts)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Parse(data, want.Dir, opts)
		if err != nil {
			t.Fatalf("%v\nin\n%s", err, data)
		}
		if diff := cmp.Diff(want, f.Job, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("job (-want +got):\n%s\nof\n%s", diff, data)
		}
		again, err := Export(f.Job, opts)
		if err != nil || string(again) != string(data) {
			t.Fatalf("a second export differs: %v\n%s\nfirst\n%s", err, again, data)
		}
	})
}

func anyJob(t *rapid.T, opts Options) job.Job {
	text := rapid.StringN(1, 20, -1).Filter(func(s string) bool { return strings.TrimSpace(s) != "" })
	j := job.Job{
		Name:   text.Draw(t, "name"),
		Dir:    "/etc/rollcall",
		Source: job.End{Connector: "directory", Settings: map[string]any{}},
		Target: job.End{Connector: "scim", Settings: map[string]any{"url": "https://example.com/scim"}},
		Tests:  rapid.SliceOfN(text, 0, 2).Draw(t, "tests"),
	}
	if rapid.Bool().Draw(t, "csv") {
		j.Source = job.End{Connector: "csv", Settings: map[string]any{
			"path": text.Draw(t, "path"), "key": text.Draw(t, "key"),
			"delimiter":  rapid.SampledFrom([]string{",", ";", "tab", "|"}).Draw(t, "delimiter"),
			"references": anyMap(rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "references")),
			"active":     map[string]any{"attribute": text.Draw(t, "attribute"), "inactive": anyList(rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "inactive"))},
		}}
	} else {
		j.Assignments = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) job.Assignment {
			a := job.Assignment{Role: rapid.String().Draw(t, "role")}
			if rapid.Bool().Draw(t, "group") {
				a.Group = text.Draw(t, "group name")
			} else {
				a.User = text.Draw(t, "user")
			}
			return a
		}), 0, 3).Draw(t, "assignments")
	}
	s := j.Target.Settings
	if rapid.Bool().Draw(t, "tuned") {
		s["auth"] = map[string]any{"basic": map[string]any{"username": text.Draw(t, "username"), "password": map[string]any{"file": text.Draw(t, "file")}}}
		s["rate"] = rapid.SampledFrom([]string{"none", "25/s", "100/min"}).Draw(t, "rate")
		s["concurrency"] = rapid.IntRange(0, 1000).Draw(t, "concurrency")
		s["timeout"] = rapid.SampledFrom([]string{"30s", "1m30s"}).Draw(t, "timeout")
		s["throttle503"] = rapid.Bool().Draw(t, "throttle503")
	}
	j.Settings = anySettings(t, text, j)
	j.Rules = []job.Rule{
		{
			Name: "users", From: "User", To: "User", Enabled: true, Actions: anyActions(t), Filter: anyFilter(t, text),
			Attributes: []mapping.Attribute{
				{Target: "userName", Expression: "[mail]", Match: rapid.IntRange(1, 3).Draw(t, "match")},
				{Target: "active", Expression: "Not([IsSoftDeleted])"},
				{Target: "name.givenName", Expression: anyExpression(t), Default: rapid.String().Draw(t, "default")},
				{Target: "name.familyName", Expression: "[sn]", Sensitive: rapid.Bool().Draw(t, "sensitive"),
					Apply:        rapid.SampledFrom([]mapping.Apply{"", mapping.OnCreate, mapping.ValueAddOnly, mapping.AttributeAddOnly}).Draw(t, "apply"),
					FlowBehavior: rapid.SampledFrom([]mapping.Behavior{"", mapping.FlowAlways}).Draw(t, "flowBehavior")},
				{Target: "title", Default: text.Draw(t, "constant")},
				{Target: "timezone", Expression: anyExpression(t), FlowNull: rapid.Bool().Draw(t, "flowNull")},
			},
		},
		{
			Name: "groups", From: identity.Kind(text.Draw(t, "kind")), To: "Group", Enabled: rapid.Bool().Draw(t, "enabled"), Actions: anyActions(t),
			Attributes: []mapping.Attribute{
				{Target: "displayName", Expression: "[displayName]", Match: 1},
				{Target: "members", Reference: "[members]"},
			},
		},
	}
	j.Template = rapid.SampledFrom([]string{"", "scim", "litmos-scim"}).Draw(t, "template")
	if j.Template == "" && rapid.Bool().Draw(t, "one rule") {
		j.Rules = j.Rules[:1]
	}
	if problems := job.Validate(j, nil, nil); j.Template == "" {
		for _, p := range problems {
			if p.Severity == job.Error {
				t.Fatalf("the generated job has a problem: %v", p)
			}
		}
	}
	return j
}

func anyMap(in map[string]string) map[string]any {
	out := make(map[string]any, len(in))
	for k, v := range in {
		out[k] = v
	}
	return out
}

func anyList(in []string) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}

func anyActions(t *rapid.T) job.Actions {
	return job.Actions{
		Create: rapid.Bool().Draw(t, "create"), Update: rapid.Bool().Draw(t, "update"), Delete: rapid.Bool().Draw(t, "delete"),
	}
}

// anyExpression is an expression with any text in it, over several lines at times.
func anyExpression(t *rapid.T) string {
	constant := strings.NewReplacer(`\`, "", `"`, "").Replace(rapid.String().Draw(t, "text in an expression"))
	return `Join("` + constant + `",` + rapid.SampledFrom([]string{" ", "\n  ", "\n\n", ""}).Draw(t, "blank") + `[a], [b])`
}

func anyFilter(t *rapid.T, text *rapid.Generator[string]) scope.Filter {
	group := rapid.Custom(func(t *rapid.T) scope.Group {
		return scope.Group{
			Name: rapid.String().Draw(t, "group"),
			Clauses: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) scope.Clause {
				c := scope.Clause{Attribute: text.Draw(t, "attribute")}
				if rapid.Bool().Draw(t, "unary") {
					c.Operator = "IS NOT NULL"
				} else {
					c.Operator = rapid.SampledFrom([]string{"EQUALS", "&", "!&", "NOT EQUALS"}).Draw(t, "operator")
					c.Values = rapid.SliceOfN(text, 1, 3).Draw(t, "values")
				}
				return c
			}), 1, 3).Draw(t, "clauses"),
		}
	})
	groups := func(label string) []scope.Group {
		if list := rapid.SliceOfN(group, 0, 2).Draw(t, label); len(list) > 0 {
			return list
		}
		return nil
	}
	return scope.Filter{
		Groups: groups("groups"), InputFilterGroups: groups("input groups"), CategoryFilterGroups: groups("category groups"),
	}
}

func anySettings(t *rapid.T, text *rapid.Generator[string], j job.Job) job.Settings {
	guard := func(def job.Guard) job.Guard {
		g := job.Guard{
			Enabled:   rapid.Bool().Draw(t, "guard"),
			Threshold: rapid.IntRange(0, 10_000).Draw(t, "threshold"),
			Percent:   rapid.IntRange(0, 100).Draw(t, "percent"),
			Floor:     rapid.IntRange(0, 100).Draw(t, "floor"),
		}
		if g == (job.Guard{}) {
			return def // which the zero value means
		}
		return g
	}
	s := job.Settings{
		Interval:        time.Duration(rapid.Int64Range(int64(job.MinInterval), int64(job.MaxInterval)).Draw(t, "interval")),
		Reconcile:       time.Duration(rapid.Int64Range(0, 90*24).Draw(t, "reconcile")) * time.Hour,
		Trigger:         job.TriggerInterval,
		Drift:           rapid.SampledFrom([]string{job.DriftReport, job.DriftCorrect, job.DriftIgnore}).Draw(t, "drift"),
		OnMissingTarget: rapid.SampledFrom([]string{job.MissingError, job.MissingRematch}).Draw(t, "onMissingTarget"),
		DeletionGuard:   guard(job.DefaultDeletionGuard),
		MembershipGuard: guard(job.DefaultMembershipGuard),
		Quarantine: job.QuarantineLimits{
			MinFailures: rapid.IntRange(1, 100).Draw(t, "minFailures"),
			Percent:     rapid.IntRange(0, 100).Draw(t, "share"),
			Failures:    rapid.IntRange(100, 1000).Draw(t, "failures"),
			Total:       rapid.IntRange(1000, 5000).Draw(t, "total"),
		},
		SkipOutOfScopeDeletions: rapid.Bool().Draw(t, "skip"),
		DeleteAfterOutOfScope:   rapid.Bool().Draw(t, "delete after"),
		Deprovision:             rapid.SampledFrom([]string{job.DeprovisionDisable, job.DeprovisionDelete}).Draw(t, "deprovision"),
		RegexMatch:              rapid.SampledFrom([]string{job.RegexWhole, job.RegexAnywhere}).Draw(t, "regexMatch"),
		ExcludeDefaultAccess:    rapid.Bool().Draw(t, "exclude"),
		Protected:               rapid.SliceOfN(text, 0, 2).Draw(t, "protected"),
		DefaultDomain:           rapid.String().Draw(t, "domain"),
	}
	if s.Reconcile == 0 {
		s.Reconcile = job.Never
	}
	if len(j.Rules) > 0 && len(j.Rules[0].Attributes) > 0 && rapid.Bool().Draw(t, "drift of an attribute") {
		s.DriftAttributes = map[string]string{j.Rules[0].Attributes[0].Target: job.DriftCorrect}
	}
	if len(s.Protected) == 0 {
		s.Protected = nil
	}
	if rapid.Bool().Draw(t, "notify") {
		s.Notify = []string{"it@example.com"}
	}
	if rapid.Bool().Draw(t, "all") {
		s.Scope = job.ScopeAll
	}
	return s.WithDefaults(j.Source, j.Target)
}

func TestExportOfTheDesignsExample(t *testing.T) {
	f, err := Load("testdata/design.yaml", testOptions())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Export(f.Job, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/design.export.yaml", got)
	back, err := Parse(got, f.Job.Dir, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.Job, back.Job); diff != "" || back.MappingHash != f.MappingHash {
		t.Errorf("job (-want +got):\n%s", diff)
	}
}

func TestExportTakesTheTemplatesValuesAway(t *testing.T) {
	const file = `
name: A
template: litmos-scim
source: {connector: directory}
target: {settings: {url: 'https://api.litmos.com/v2/SCIM', auth: {bearer: {env: T}}, throttle503: , rate: }}
`
	f, err := Parse([]byte(file), "", testOptions())
	if err != nil {
		t.Fatal(err)
	}
	data, err := Export(f.Job, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse(data, "", testOptions())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.Job, back.Job); diff != "" {
		t.Errorf("job (-want +got):\n%s\nof\n%s", diff, data)
	}
	if _, ok := back.Job.Target.Settings["throttle503"]; ok {
		t.Errorf("throttle503 is back in\n%s", data)
	}
}

func TestExportRefuses(t *testing.T) {
	tests := []struct {
		name string
		job  job.Job
		want string
	}{
		{"a template nobody knows", job.Job{Name: "A", Template: "nope"}, `export job A: template "nope": no such template`},
		{"a rule of the template that is not there", job.Job{Name: "A", Template: "scim", Rules: []job.Rule{{Name: "users"}}},
			"export job A: the rule groups of the template scim is missing; keep it with enabled: false"},
		{"a value that is no YAML", job.Job{Name: "A", Target: job.End{Settings: map[string]any{"files": []any{map[string]any{"size": 1.5}}}}},
			"export job A: target.settings: files: size: a value of type float64 has no place in an app file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := Export(tt.job, testOptions())
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error %v, want %q; data %q", err, tt.want, data)
			}
		})
	}
}

func TestReference(t *testing.T) {
	var out strings.Builder
	if err := Reference(&out, testOptions().Connectors); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/reference.md", []byte(out.String()))
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// FuzzParse holds Parse to its word: a file, or problems with places within the text.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/design.yaml", "testdata/problems/eight.yaml", "testdata/problems/forms.yaml", "testdata/problems/yaml.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	opts := testOptions()
	opts.Template = gallery.Get
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse([]byte(text), "/dir", opts)
		if err == nil {
			data, err := Export(file.Job, opts)
			if err != nil {
				t.Fatalf("export: %v", err)
			}
			back, err := Parse(data, "/dir", opts)
			if err != nil {
				t.Fatalf("%v\nin the export\n%s", err, data)
			}
			if diff := cmp.Diff(file.Job, back.Job, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("job (-want +got):\n%s\nof\n%s", diff, data)
			}
			return
		}
		var problems Problems
		if !errors.As(err, &problems) || file != nil || len(problems.Errors()) == 0 {
			t.Fatalf("error %#v with file %v; want problems with an error among them", err, file)
		}
		lines := strings.Count(text, "\n") + 1
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines+1 || p.Column < 1 || p.Message == "" {
				t.Fatalf("%+v is no place in a text of %d lines", p, lines)
			}
		}
	})
}
