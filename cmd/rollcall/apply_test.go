package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

const applyFile = `name: App
template: scim
source: {connector: directory}
target:
  settings:
    url: https://app.example.com/scim/v2
    auth: {bearer: {env: APP_TOKEN}}
assignments: [{user: mira@example.com, role: Learner}]
`

// testState opens an empty state with one user in the directory and writes an app file.
func testState(t *testing.T) (c *cli, s *state, file string) {
	t.Helper()
	var out, errs bytes.Buffer
	dir := t.TempDir()
	c = &cli{world: testWorld(&out, &errs), options: options{Data: filepath.Join(dir, "data"), Output: "table"}}
	s, err := c.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	_, err = s.Dir.CreateUser(t.Context(), identity.Attrs{{Name: "userPrincipalName", Value: "mira@example.com"}, {Name: "displayName", Value: "Mira"}})
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "app.yaml")
	if err := os.WriteFile(file, []byte(applyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	return c, s, file
}

func applyNow(t *testing.T, c *cli, s *state, file string) applied {
	t.Helper()
	f, err := c.loadAppFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.apply(t.Context(), c, f, "applied")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// summary is what a test of apply looks at.
type summary struct {
	Created, Changed, Initial, HasHash bool
	Version                            int64
	Versions, Roles, Assignments       int
}

func summarise(t *testing.T, s *state, a applied) summary {
	t.Helper()
	ctx := t.Context()
	versions, err := s.Store.Versions(ctx, a.Job.ID)
	if err != nil {
		t.Fatal(err)
	}
	roles, err := s.Dir.Roles(ctx, a.Job.ID)
	if err != nil {
		t.Fatal(err)
	}
	assignments, err := s.Dir.Assignments(ctx, a.Job.ID)
	if err != nil {
		t.Fatal(err)
	}
	return summary{a.Created, a.Changed, a.Initial, a.Job.FileHash != "", a.Job.Version, len(versions), len(roles), len(assignments)}
}

func TestApplyAgainRepairsWhatAnEndInBetweenLeftUndone(t *testing.T) {
	c, s, file := testState(t)
	ctx := t.Context()
	f, err := c.loadAppFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.createJob(ctx, c, f); err != nil { // and nothing else of apply
		t.Fatal(err)
	}
	a := applyNow(t, c, s, file)
	want := summary{Changed: true, Initial: true, HasHash: true, Version: 1, Versions: 1, Roles: 1, Assignments: 1}
	if diff := cmp.Diff(want, summarise(t, s, a)); diff != "" {
		t.Errorf("after the repair (-want +got):\n%s", diff)
	}
	a = applyNow(t, c, s, file)
	want.Changed, want.Initial = false, false
	if diff := cmp.Diff(want, summarise(t, s, a)); diff != "" {
		t.Errorf("applied once more (-want +got):\n%s", diff)
	}
}

func TestApplyKnowsWhatMakesTheNextCycleInitial(t *testing.T) { // design D14; engine.R8, R11, R158
	c, s, file := testState(t)
	first := applyNow(t, c, s, file)
	_, err := s.Store.UpdateJob(t.Context(), first.Job.ID, func(j *store.Job) error { j.InitialDue = false; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name, old, new string
		want           summary
	}{
		{"a comment is no change", "name: App", "# ours\nname: App", summary{HasHash: true, Version: 1, Versions: 1, Roles: 1, Assignments: 1}},
		{"another interval is a change, but not of what flows", "name: App", "settings: {interval: 30m}\nname: App",
			summary{Changed: true, HasHash: true, Version: 1, Versions: 2, Roles: 1, Assignments: 1}},
		{"fewer assignments are taken back", "assignments: [{user: mira@example.com, role: Learner}]", "assignments: []",
			summary{Changed: true, HasHash: true, Version: 1, Versions: 3, Roles: 1}},
		{"another scope makes the next cycle initial", "{interval: 30m}", "{interval: 30m, scope: all}",
			summary{Changed: true, Initial: true, HasHash: true, Version: 2, Versions: 4, Roles: 1}},
	} {
		t.Run(step.name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(strings.Replace(string(text), step.old, step.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			a := applyNow(t, c, s, file)
			if diff := cmp.Diff(step.want, summarise(t, s, a)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if a.Job.InitialDue != step.want.Initial {
				t.Errorf("initial due: %v, want %v", a.Job.InitialDue, step.want.Initial)
			}
		})
	}
}

func TestApplyFollowsAFileThatMoved(t *testing.T) {
	c, s, file := testState(t)
	applyNow(t, c, s, file)
	moved := filepath.Join(t.TempDir(), "app.yaml")
	if err := os.WriteFile(moved, []byte(applyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	a := applyNow(t, c, s, moved)
	if a.Changed || a.Job.FileDir != filepath.Dir(moved) {
		t.Errorf("changed %v, directory %s; want an unchanged job with relative paths from %s", a.Changed, a.Job.FileDir, filepath.Dir(moved))
	}
}

func TestJobsOfOneInstallationShareItInTheirIDs(t *testing.T) { // engine.R142
	c, s, file := testState(t)
	first := applyNow(t, c, s, file).Job.ID
	if err := os.WriteFile(file, []byte(strings.Replace(applyFile, "name: App", "name: Other", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	second := applyNow(t, c, s, file).Job.ID
	a, b := strings.Split(first, "."), strings.Split(second, ".")
	if len(a) != 3 || len(b) != 3 || a[0] != "scim" || a[1] != b[1] || a[2] == b[2] {
		t.Errorf("ids %s and %s, want template.installation.guid with the same installation", first, second)
	}
}
