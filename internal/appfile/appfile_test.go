package appfile

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scim"
	"github.com/rollcall-id/rollcall/internal/scope"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testOptions stands in for the table of cmd/rollcall: one connector of each shape.
func testOptions() Options {
	return Options{
		Template: gallery.Get,
		Connectors: map[string]ConnectorInfo{
			"directory": {Source: true, Target: true, Summary: "Rollcall's own directory."},
			"csv": {
				Source: true, Summary: "Files with one row for each person.",
				Settings: []connector.Setting{
					{Name: "path", Type: connector.Path, Help: "The file."},
					{Name: "key", Type: connector.Text, Help: "The column that never changes."},
					{Name: "delimiter", Type: connector.Choice, Values: []string{",", ";", "tab", "|"}, Default: ",", Help: "What separates the columns."},
					{Name: "references", Type: connector.Map, Help: "Columns that hold the key of another row."},
					{Name: "active", Type: connector.Map, Help: "Who is disabled.", Fields: []connector.Setting{
						{Name: "attribute", Type: connector.Text, Required: true, Help: "The column that says so."},
						{Name: "inactive", Type: connector.List, Help: "Its values for people who are disabled."},
					}},
					{Name: "files", Type: connector.List, Help: "Several files.", Fields: []connector.Setting{
						{Name: "objectType", Type: connector.Text, Help: "What the rows are."},
						{Name: "path", Type: connector.Path, Required: true, Help: "The file."},
					}},
				},
				Check: func(settings map[string]any) error {
					_, one := settings["path"]
					_, many := settings["files"]
					if one == many {
						return errors.Join(errors.New("give either path or files"))
					}
					return nil
				},
			},
			"scim": {
				Target: true, Summary: "Any SCIM 2.0 server.",
				Settings: []connector.Setting{
					{Name: "url", Type: connector.URL, Required: true, Help: "The address of the SCIM service."},
					{Name: "auth", Type: connector.Auth, Help: "The credential.", Fields: []connector.Setting{
						{Name: "bearer", Type: connector.Text, Secret: true, Help: "A token."},
						{Name: "basic", Type: connector.Map, Help: "User and password.", Fields: []connector.Setting{
							{Name: "username", Type: connector.Text, Required: true, Help: "username: the name to sign in with"},
							{Name: "password", Type: connector.Text, Required: true, Secret: true, Help: "password: {env: NAME}"},
						}},
						{Name: "header", Type: connector.Map, Help: "A key.", Fields: []connector.Setting{
							{Name: "name", Type: connector.Text, Required: true, Help: "name: the header, for instance apikey"},
							{Name: "value", Type: connector.Text, Required: true, Secret: true, Help: "value: {env: NAME}"},
						}},
						{Name: "oauth2", Type: connector.Map, Help: "A token of an OAuth 2 server.", Fields: []connector.Setting{
							{Name: "tokenURL", Type: connector.URL, Required: true, Help: "tokenURL: the address that issues tokens"},
							{Name: "clientSecret", Type: connector.Text, Secret: true, Help: "clientSecret: {env: NAME}"},
							{Name: "scopes", Type: connector.List, Help: "scopes: what to ask for"},
						}},
					}},
					{Name: "rate", Type: connector.Rate, Default: "none", Help: "The most calls the target takes."},
					{Name: "concurrency", Type: connector.Number, Default: "16", Help: "Calls under way at once."},
					{Name: "timeout", Type: connector.Duration, Default: "30s", Help: "How long an answer may take."},
					{Name: "dialect", Type: connector.Choice, Values: []string{"rfc", "entra2020", "legacy"}, Default: "rfc", Help: "How updates are written."},
					{Name: "memberBatch", Type: connector.Number, Default: "100", Help: "Members in one call."},
					{Name: "referencesInCreate", Type: connector.Flag, Default: "true", Help: "Send managers and members with the create."},
					{Name: "readBeforeWrite", Type: connector.Choice, Values: []string{"always", "never", "stale"}, Default: "stale", Help: "When an account is read first."},
					{Name: "site", Type: connector.Text, Help: "Who shares the allowance."},
					{Name: "throttle503", Type: connector.Flag, Default: "false", Help: "503 means too many calls."},
					{Name: "allowInsecure", Type: connector.Flag, Default: "false", Help: "Go without TLS."},
				},
				Attribute: func(_ map[string]any, name string) error { _, err := scim.ParsePath(name); return err },
			},
		},
	}
}

// TestProblems compares the problems of each file with the .txt beside it, and checks that no secret is in them.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := Load(file, testOptions())
			var problems Problems
			if !errors.As(err, &problems) || len(problems.Errors()) == 0 {
				t.Fatalf("error %v, want Problems", err)
			}
			got := strings.ReplaceAll(problems.Error(), "testdata/problems/", "") + "\n"
			for _, secret := range []string{"s3cr3t", "hunter2"} {
				if strings.Contains(got, secret) {
					t.Errorf("a secret is in the problems:\n%s", got)
				}
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEightMistakesGiveEightMessages(t *testing.T) {
	_, err := Load("testdata/problems/eight.yaml", testOptions())
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 8 {
		t.Fatalf("problems:\n%v\nwant eight", err)
	}
	for _, p := range problems {
		if p.Line < 2 || p.Column < 2 || p.Hint == "" || p.Severity != Error {
			t.Errorf("%+v: want an error with its place and a hint", p)
		}
	}
}

func TestEveryKeyOfTheDesign(t *testing.T) {
	f, err := Load("testdata/design.yaml", testOptions())
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	settings := job.Defaults()
	settings.Scope, settings.Trigger = job.ScopeAssigned, job.TriggerChange
	settings.MembershipGuard.Threshold = 100
	settings.Quarantine.MinFailures = 50
	settings.ExcludeDefaultAccess, settings.OnMissingTarget = true, job.MissingRematch
	settings.DeleteAfterOutOfScope, settings.RegexMatch = true, job.RegexAnywhere
	settings.Protected, settings.Notify = []string{"breakglass@example.com"}, []string{"it@example.com"}
	settings.DefaultDomain = "example.com"
	all := job.Actions{Create: true, Update: true, Delete: true}
	want := job.Job{
		Name: "SAP Litmos", Template: "litmos-scim", Dir: dir,
		Source: job.End{Connector: "directory", Settings: map[string]any{}},
		Target: job.End{Connector: "scim", Settings: map[string]any{
			"url": "https://api.litmos.com/v2/SCIM", "auth": map[string]any{"bearer": map[string]any{"env": "LITMOS_TOKEN"}},
			"rate": "100/min", "concurrency": 16, "timeout": "30s", "dialect": "legacy", "memberBatch": 100,
			"referencesInCreate": true, "readBeforeWrite": "stale",
			"site": "host", "throttle503": true, // of the template
		}},
		Settings:    settings,
		Assignments: []job.Assignment{{Group: "Sales", Role: "Learner"}, {User: "mira@example.com"}},
		Tests:       []string{"mappings_test.json"},
		Rules: []job.Rule{
			{
				Name: "users", From: "User", To: "User", Enabled: true, Actions: all,
				Filter: scope.Filter{Groups: []scope.Group{
					{Clauses: []scope.Clause{
						{Attribute: "department", Operator: "EQUALS", Values: []string{"Sales"}},
						{Attribute: "accountEnabled", Operator: "IS TRUE"},
					}},
					{Name: "Branch offices", Clauses: []scope.Clause{{Attribute: "city", Operator: "EQUALS", Values: []string{"Graz", "Linz"}}}},
				}},
				Attributes: []mapping.Attribute{
					{Target: "userName", Expression: "[userPrincipalName]", Match: 1},
					{Target: "active", Expression: "Not([IsSoftDeleted])"},
					{Target: "name.givenName", Expression: "[givenName]", Apply: mapping.AttributeAddOnly, Sensitive: true},
					{Target: "name.familyName", Expression: "[surname]", FlowBehavior: mapping.FlowAlways},
					{Target: `emails[type eq "work"].value`, Expression: "[mail]"},
					{Target: "title", Expression: "[jobTitle]", Default: "Employee", Apply: mapping.OnCreate},
					{Target: "preferredLanguage", Expression: "[preferredLanguage]", FlowNull: true},
					{Target: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", Reference: "[manager]"},
				},
			},
			{
				Name: "groups", From: "Group", To: "Group", Enabled: true, Actions: all, Nested: job.NestedFlatten,
				Attributes: []mapping.Attribute{
					{Target: "displayName", Expression: "[displayName]", Match: 1},
					{Target: "members", Reference: "[members]"},
				},
			},
		},
	}
	if diff := cmp.Diff(want, f.Job); diff != "" {
		t.Errorf("job (-want +got):\n%s", diff)
	}
	if len(f.Warnings) > 0 {
		t.Errorf("warnings: %v", f.Warnings)
	}
	litmos, err := gallery.Get("litmos-scim")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(litmos.Schema(), f.TargetSchema); diff != "" || f.Template != litmos {
		t.Errorf("template %v, target schema (-want +got):\n%s", f.Template, diff)
	}
}

func TestUnreadableFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), testOptions())
	var problems Problems
	if !errors.Is(err, os.ErrNotExist) || errors.As(err, &problems) {
		t.Errorf("error %v, want one that is os.ErrNotExist", err)
	}
}

func TestSchemasOfConnectors(t *testing.T) {
	opts := testOptions()
	source := schema.Schema{{Kind: "Worker", Attributes: []schema.Attribute{{Name: "mail"}}}}
	csv := opts.Connectors["csv"]
	csv.Schema = func(settings map[string]any) schema.Schema {
		if settings["path"] != "people.csv" {
			t.Errorf("settings %v", settings)
		}
		return source
	}
	opts.Connectors["csv"] = csv
	const text = `
name: A
source: {connector: csv, settings: {path: people.csv}}
target: {connector: directory}
rules:
  - name: people
    from: Worker
    to: User
    attributes:
      - {target: userPrincipalName, expression: "[mail]", match: 1}
      - {target: accountEnabled, expression: "Not([IsSoftDeleted])"}
      - {target: jobTitle, expression: "[job]"}
`
	_, err := Parse([]byte(text), "", opts)
	want := "12:40: error: the source has no attribute job; there are IsSoftDeleted, accountEnabled, appRoleAssignments, mail, objectId"
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
	f, err := Parse([]byte(strings.Replace(text, "[job]", "[mail]", 1)), "", opts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(source, f.SourceSchema); diff != "" {
		t.Errorf("source schema (-want +got):\n%s", diff)
	}
}
