package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/sandbox"
	"github.com/rollcall-id/rollcall/internal/store"
)

// TestAnInterruptedCycleFindsItsVersion: a cycle that was interrupted is given the mappings it began with, and the
// settings that were saved last before the mappings were (engine.R10).
func TestAnInterruptedCycleFindsItsVersion(t *testing.T) {
	t.Setenv("APP_TOKEN", "secret")
	c, s, file := testState(t)
	write := func(text string) applied {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return applyNow(t, c, s, file)
	}
	began := write(applyFile).Job.Version
	write(applyFile + "settings: {interval: 2h}\n")
	last := write(applyFile + "settings: {interval: 3h, scope: all}\n").Job
	if last.Version == began || last.Saved != 3 {
		t.Fatalf("job %+v", last)
	}
	sites := s.sites(c)
	sub, err := s.subjectAt(t.Context(), c, last, began, sites)
	if err != nil {
		t.Fatal(err)
	}
	if got := sub.Def.Settings; got.Scope != job.ScopeAssigned || got.Interval != 2*time.Hour || sub.Unready != nil {
		t.Errorf("settings %+v, %v", got, sub.Unready)
	}
	if err := closeSubject(t.Context(), sub, sites); err != nil {
		t.Error(err)
	}
	if _, err := s.subjectAt(t.Context(), c, last, 99, sites); err == nil || !strings.Contains(err.Error(), "no saved version") {
		t.Errorf("a version that was never saved: %v", err)
	}
}

// TestASaveDoesNotChangeACycleThatWasInterrupted runs the real connectors against a sandbox, is interrupted in the first
// creates, and saves another mapping before it goes on (engine.R10).
func TestASaveDoesNotChangeACycleThatWasInterrupted(t *testing.T) {
	t.Setenv("APP_TOKEN", "secret")
	c, s, file := testState(t)
	box, err := sandbox.New("scim", sandbox.Config{Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	app := box.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			cancel()
		}
		app.ServeHTTP(w, r)
	}))
	defer server.Close()
	people := "id,mail,first,last\n1,ann@example.com,Ann,Novak\n2,bob@example.com,Bob,Okafor\n3,cec@example.com,Cec,Tanaka\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "people.csv"), []byte(people), 0o600); err != nil {
		t.Fatal(err)
	}
	save := func(given string) store.Job {
		t.Helper()
		text := `name: App
template: scim
source: {connector: csv, settings: {path: people.csv, key: id}}
target: {settings: {url: ` + server.URL + `/scim/v2, concurrency: 1, auth: {bearer: {env: APP_TOKEN}}}}
rules:
  - name: users
    attributes:
      - {target: userName, expression: "[mail]", match: 1}
      - {target: active, expression: "Not([IsSoftDeleted])"}
      - {target: name.givenName, expression: "` + given + `"}
      - {target: name.familyName, expression: "[last]"}
  - {name: groups, enabled: false}
`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return applyNow(t, c, s, file).Job
	}
	cycle := func(ctx context.Context, j store.Job) (engine.RunReport, error) {
		f, err := parseStored(j)
		if err != nil {
			t.Fatal(err)
		}
		return s.cycle(ctx, c, j, f, engine.Options{Manual: true})
	}
	if rep, err := cycle(ctx, save("[first]")); err == nil {
		t.Fatalf("it was not interrupted: %+v", rep)
	}
	changed := save("[last]")
	rep, err := cycle(t.Context(), changed)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Counts.Created != 3 || rep.Cycle.State != store.Succeeded || len(rep.Warnings) != 1 {
		t.Errorf("%+v, %+v, warnings %q", rep.Cycle, rep.Counts, rep.Warnings)
	}
	if rep, err = cycle(t.Context(), changed); err != nil || rep.Cycle.Type != store.Initial || rep.Counts.Updated != 3 || len(rep.Warnings) != 0 {
		t.Errorf("the cycle after it: %+v, %+v, warnings %q, %v", rep.Cycle, rep.Counts, rep.Warnings, err)
	}
}
