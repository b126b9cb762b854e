package view_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// elsewhere has an offset: every document is in UTC (design D9).
var elsewhere = time.FixedZone("", 2*3600)

func fineRun() engine.RunReport {
	return engine.RunReport{
		Job: "SAP Litmos",
		Cycle: engine.CycleInfo{ID: "5b0c1f0e-8d2a-4f0f-9d55-0a6c8b1d2e3f", Type: store.Initial, State: store.Succeeded,
			Began: at("2026-03-01T08:00:00Z").In(elsewhere), Ended: at("2026-03-01T08:03:20Z").In(elsewhere)},
		Counts:   store.Counts{Imported: 1290, InScope: 1000, Created: 950, Updated: 40, Unchanged: 10},
		Requests: store.Requests{Total: 1004, ByMethod: map[string]int64{"GET": 14, "POST": 950, "PATCH": 40}},
	}
}

func badRun() engine.RunReport {
	return engine.RunReport{
		Job: "Insite LMS, it's new",
		Cycle: engine.CycleInfo{ID: "c1", Type: store.Incremental, State: store.EntryLevelErrors,
			Began: at("2026-03-01T08:00:00Z"), Ended: at("2026-03-01T08:00:01.5Z")},
		Counts:     store.Counts{Imported: 300, InScope: 200, Enabled: 1, Disabled: 2, Deleted: 3, Staged: 60, Unchanged: 132, Skipped: 100, Failed: 2},
		Requests:   store.Requests{Total: 1, ByMethod: map[string]int64{"GET": 1, "PUT": 0}, Throttled: 3},
		Quarantine: &engine.QuarantineInfo{Reason: "TooManyDeletes"},
		Warnings:   []string{"mapping of title: [jobTitle] is never set"},
		Failures: []engine.Failure{{Rule: "users", Source: plan.Identity{ID: "AW0017", DisplayName: "Mira\nNovak"},
			Code: "EntryConflict", Reason: "userName is taken by 4711"}},
	}
}

func failedRun() engine.RunReport {
	return engine.RunReport{
		Job: "hr",
		Cycle: engine.CycleInfo{ID: "c2", Type: store.Initial, State: store.Failed,
			Began: at("2026-03-01T08:00:00Z"), Ended: at("2026-03-01T08:00:04Z")},
		Quarantine: &engine.QuarantineInfo{Reason: "EncounteredQuarantineException"},
		Error:      "GET /Users: the credential was refused (status 401); ask the vendor for a new token",
	}
}

func emptySourceRun() engine.RunReport {
	r := fineRun()
	r.Counts = store.Counts{Staged: 1, Unchanged: 3}
	r.Held = "SourceEmpty"
	return r
}

func TestRun(t *testing.T) {
	for name, r := range map[string]engine.RunReport{"run_held": emptySourceRun(), "run_fine": fineRun(), "run_bad": badRun(), "run_failed": failedRun()} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".txt", func(b *bytes.Buffer) error { return view.Run(b, r) })
			golden(t, name+".json", func(b *bytes.Buffer) error { return view.RunJSON(b, r) })
		})
	}
}

// keys lists the paths of all keys of a JSON document.
func keys(prefix string, v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			into[prefix+k] = true
			keys(prefix+k+".", e, into)
		}
	case []any:
		for _, e := range v {
			keys(prefix, e, into)
		}
	}
}

func documentKeys(t *testing.T, write func(*bytes.Buffer) error) map[string]bool {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	keys("", doc, got)
	return got
}

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

func TestRunDocumentHasExactlyTheKeysOfDesign61(t *testing.T) {
	want := set("job", "cycle", "cycle.id", "cycle.type", "cycle.state", "cycle.began", "cycle.ended",
		"counts", "counts.imported", "counts.inScope", "counts.created", "counts.updated", "counts.enabled", "counts.disabled",
		"counts.deleted", "counts.staged", "counts.unchanged", "counts.skipped", "counts.failed",
		"requests", "requests.total", "requests.byMethod", "requests.byMethod.GET", "requests.byMethod.POST", "requests.byMethod.PATCH",
		"requests.throttled", "quarantine")
	got := documentKeys(t, func(b *bytes.Buffer) error { return view.RunJSON(b, fineRun()) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func somePlan() engine.Report {
	return engine.Report{
		Changes: []plan.Change{
			{Action: plan.Create, Rule: "users", Source: plan.Identity{ID: "AW0017", DisplayName: "Mira Novak"},
				Reason: "in scope: department is Sales",
				Properties: []plan.Property{{Name: "userName", New: "mira@example.com"}, {Name: "active", New: true},
					{Name: "title", New: "<Head> of \"R&D\""}}},
			{Action: plan.Modify, Rule: "users", Source: plan.Identity{ID: "AW0018", DisplayName: "Jo"}, Target: plan.TargetID{ID: "77"},
				Properties: []plan.Property{{Name: "title", Old: "Clerk", New: nil}, {Name: "roles", Old: []any{"a"}, New: []any{"a", "b"}}}},
			{Action: plan.StagedDelete, Rule: "users", Source: plan.Identity{ID: "AW0019"}, Target: plan.TargetID{ID: "78"}, Reason: "gone from the source"},
			{Action: plan.None, Rule: "groups", Source: plan.Identity{ID: "g1", DisplayName: "Sales"}, Target: plan.TargetID{ID: "5"}},
		},
		Counts:   store.Counts{Imported: 4, InScope: 3, Created: 1, Updated: 1, Staged: 1, Unchanged: 1},
		Requests: engine.Estimate{Total: 130, ByMethod: map[string]int64{"GET": 1, "POST": 1, "PATCH": 128}, Minutes: 1.3},
		Warnings: []string{"manager of AW0017 has no account yet"},
		Held:     "TooManyDeletes",
	}
}

func TestPlan(t *testing.T) {
	golden(t, "plan.json", func(b *bytes.Buffer) error { return view.PlanJSON(b, somePlan()) })
	golden(t, "plan.txt", func(b *bytes.Buffer) error { return view.Plan(b, somePlan(), view.PlanOptions{}) })
	golden(t, "plan_all.txt", func(b *bytes.Buffer) error { return view.Plan(b, somePlan(), view.PlanOptions{All: true}) })
	golden(t, "plan_empty.json", func(b *bytes.Buffer) error { return view.PlanJSON(b, engine.Report{}) })
	golden(t, "plan_empty.txt", func(b *bytes.Buffer) error { return view.Plan(b, engine.Report{}, view.PlanOptions{}) })
}

func TestPlanDocumentHasExactlyTheKeysOfDesign61(t *testing.T) {
	want := set("changes", "changes.action", "changes.rule", "changes.source", "changes.source.id", "changes.source.displayName",
		"changes.target", "changes.target.id", "changes.reason", "changes.properties", "changes.properties.name",
		"changes.properties.old", "changes.properties.new",
		"counts", "counts.imported", "counts.inScope", "counts.created", "counts.updated", "counts.enabled", "counts.disabled",
		"counts.deleted", "counts.staged", "counts.unchanged", "counts.skipped", "counts.failed",
		"requests", "requests.total", "requests.byMethod", "requests.byMethod.GET", "requests.byMethod.POST", "requests.byMethod.PATCH",
		"requests.minutes")
	got := documentKeys(t, func(b *bytes.Buffer) error { return view.PlanJSON(b, somePlan()) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestPlanJSONLeavesTheReportAsItWas(t *testing.T) {
	r := somePlan()
	if err := view.PlanJSON(&bytes.Buffer{}, r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(somePlan(), r); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

func someStatus() view.Status {
	job := store.Job{ID: "litmos-scim.1.2", Name: "SAP Litmos", Template: "litmos-scim", SteadyFirst: at("2026-03-01T08:03:20Z"),
		Quarantine: &store.Quarantine{Reason: "TooManyDeletes", Message: "60 operations, 40 allowed", SeriesBegan: at("2026-03-01T08:03:20Z"),
			CurrentBegan: at("2026-03-01T08:43:20Z"), SeriesCount: 1}}
	last := store.Cycle{ID: "c2", Type: store.Initial, State: store.EntryLevelErrors, Began: at("2026-03-01T08:00:00Z"), Ended: at("2026-03-01T08:03:20Z"),
		Counts: store.Counts{Imported: 3, InScope: 2, Updated: 1, Failed: 2}, Planned: 3, Requests: store.Requests{Total: 1, ByMethod: map[string]int64{"GET": 1}}}
	return view.NewStatus(view.StatusInput{
		Job: job, Exported: &last, Interval: 40 * time.Minute, Kinds: map[string]string{"users": "User", "groups": "Group"},
		Cycles: []store.Cycle{
			{ID: "c3", Type: store.Incremental, State: store.Running, Phase: store.PhaseExport, Began: at("2026-03-01T09:00:00Z"), Planned: 1200, Done: 800},
			last,
			{ID: "c1", Type: store.Initial, State: store.Failed},
		},
		Tallies: []store.Tally{{Rule: "users", State: store.Active, N: 1000}, {Rule: "groups", State: store.Active, N: 12},
			{Rule: "users", State: store.Disabled, N: 3}, {Rule: "users", State: store.Released, N: 4}, {Rule: "users", State: store.Unlinked, N: 250}},
		Failed: []store.Escrow{{NextAttempt: at("2026-03-01T09:00:00Z")}, {NextAttempt: at("2026-03-01T14:03:20Z")}, {NextAttempt: at("2026-03-01T15:00:00Z")},
			{NextAttempt: at("2026-03-01T20:00:00Z"), Reference: true}, {NextAttempt: at("2026-03-02T08:00:00Z")}, {NextAttempt: at("2026-03-03T08:00:00Z")}},
		Staged: make([]store.Staged, 60),
		Due:    health.Due{At: at("2026-03-01T09:40:00Z"), Why: health.WhyInterval}, Now: at("2026-03-01T09:00:30Z"),
	})
}

func TestStatus(t *testing.T) {
	now := at("2026-03-01T09:00:30Z")
	fresh := view.NewStatus(view.StatusInput{Job: store.Job{ID: "x", Name: "new", InitialDue: true}, Interval: 90 * time.Minute,
		Due: health.Due{At: now, Why: health.WhyFirst}, Now: now})
	down := view.NewStatus(view.StatusInput{Job: store.Job{ID: "x", Name: "gone", Disabled: true, FailedRuns: 31,
		Quarantine: &store.Quarantine{Reason: "EncounteredQuarantineException", Code: "Unauthorized", Message: "the credential was refused", SeriesBegan: now, CurrentBegan: now, SeriesCount: 30}},
		Cycles:   []store.Cycle{{ID: "c1", Type: store.Initial, State: store.Failed, Began: now, Ended: now, ErrorCode: "Unauthorized", Error: "the credential was refused"}},
		Interval: time.Hour, Due: health.Due{Why: health.WhyDisabled}, Now: now})
	pruned := view.NewStatus(view.StatusInput{Job: store.Job{ID: "x", Name: "many failures", Paused: true, Pruned: true, InitialDue: true},
		Cycles: []store.Cycle{{ID: "c1", Type: store.Initial, State: store.EntryLevelErrors, Began: now, Ended: now, Counts: store.Counts{Created: 5, Failed: 12}}},
		Due:    health.Due{Why: health.WhyPaused}, Now: now})
	golden(t, "status.json", func(b *bytes.Buffer) error { return view.JSON(b, someStatus()) })
	golden(t, "status.txt", func(b *bytes.Buffer) error { return view.StatusPage(b, someStatus(), at("2026-03-01T09:00:30Z")) })
	golden(t, "status_new.json", func(b *bytes.Buffer) error { return view.JSON(b, fresh) })
	golden(t, "status_new.txt", func(b *bytes.Buffer) error { return view.StatusPage(b, fresh, at("2026-03-01T09:00:30Z")) })
	golden(t, "status_disabled.json", func(b *bytes.Buffer) error { return view.JSON(b, down) })
	golden(t, "status_disabled.txt", func(b *bytes.Buffer) error { return view.StatusPage(b, down, now) })
	golden(t, "status_pruned.txt", func(b *bytes.Buffer) error { return view.StatusPage(b, pruned, now) })
	golden(t, "status_list.txt", func(b *bytes.Buffer) error {
		return view.StatusList(b, []view.Status{someStatus(), fresh, down, pruned})
	})
	golden(t, "status_none.txt", func(b *bytes.Buffer) error { return view.StatusList(b, nil) })
	golden(t, "status_none.json", func(b *bytes.Buffer) error { return view.StatusListJSON(b, nil) })
}

func TestStatusCode(t *testing.T) { // engine section 2
	ended := []store.Cycle{{State: store.Succeeded}}
	for _, c := range []struct {
		name         string
		job          store.Job
		cycles       []store.Cycle
		unconfigured bool
		code, state  string
	}{
		{"a job that never ran is NotRun", store.Job{}, nil, false, "NotRun", "Active"},
		{"without its credential it is NotConfigured", store.Job{}, nil, true, "NotConfigured", "Active"},
		{"which one that has run is not", store.Job{}, ended, true, "Active", "Active"},
		{"its first cycle under way changes nothing", store.Job{}, []store.Cycle{{State: store.Running}}, false, "NotRun", "Active"},
		{"after a cycle it is Active", store.Job{}, ended, false, "Active", "Active"},
		{"quarantine shows", store.Job{Quarantine: &store.Quarantine{}}, ended, false, "Quarantine", "Active"},
		{"a pause by hand outranks quarantine", store.Job{Paused: true, Quarantine: &store.Quarantine{}}, ended, false, "Paused", "Paused"},
		{"after four weeks of quarantine it is disabled (engine.R12)", store.Job{Disabled: true, Quarantine: &store.Quarantine{}}, ended, false, "Quarantine", "Disabled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := view.NewStatus(view.StatusInput{Job: c.job, Cycles: c.cycles, Unconfigured: c.unconfigured})
			if got.Code != c.code || got.Schedule.State != c.state {
				t.Errorf("code %q, schedule %q; want %q, %q", got.Code, got.Schedule.State, c.code, c.state)
			}
		})
	}
}

func TestLogs(t *testing.T) {
	records := []store.LogRecord{
		{ID: "r1", JobID: "j", CycleID: "c", At: at("2026-03-01T08:00:00.25Z"), Action: "create", Status: "success", Rule: "users",
			SourceID: "AW0017", SourceName: "Mira Novak", TargetID: "77",
			Doc: []byte(`{"id":"r1","provisioningStatusInfo":{"status":"success"},"provisioningSteps":[{"status":"success","description":"made"}]}`)},
		{ID: "r2", JobID: "j", CycleID: "c", At: at("2026-03-01T08:00:01Z"), Action: "create", Status: "failure", Rule: "users",
			SourceID: "AW0018", SourceName: "Jo, \"the\" one", ErrorCode: "EntryConflict",
			Doc: []byte(`{"id":"r2","provisioningStatusInfo":{"status":"failure","errorInformation":{"errorCode":"EntryConflict","reason":"userName <jo> is taken"}}}`)},
		{ID: "r3", JobID: "j", CycleID: "c", At: at("2026-03-01T08:00:02Z"), Action: "other", Status: "skipped", Rule: "users", SourceID: "AW0019",
			Doc: []byte(`{"id":"r3","provisioningSteps":[{"status":"success","description":"read"},{"status":"skipped","description":"out of scope: department is Ops"}]}`)},
	}
	golden(t, "logs.json", func(b *bytes.Buffer) error { return view.LogsJSON(b, records) })
	golden(t, "logs.txt", func(b *bytes.Buffer) error { return view.Logs(b, records) })
	golden(t, "logs.csv", func(b *bytes.Buffer) error { return view.LogsCSV(b, records) })
	golden(t, "logs_none.txt", func(b *bytes.Buffer) error { return view.Logs(b, nil) })
	golden(t, "logs_none.json", func(b *bytes.Buffer) error { return view.LogsJSON(b, nil) })
}

func TestDeletes(t *testing.T) {
	list := []store.Staged{
		{ObjectKey: store.ObjectKey{Rule: "users", Anchor: "AW0017"}, Name: "Mira Novak", Target: "77", Action: "delete", Reason: "gone from the source",
			StagedAt: at("2026-03-01T08:00:00Z").In(elsewhere), CycleID: "c"},
		{ObjectKey: store.ObjectKey{Rule: "users", Anchor: "AW0018"}, Name: "Jo", Target: "78", Action: "disable", Reason: "out of scope",
			StagedAt: at("2026-03-01T08:00:00Z"), CycleID: "c", Allowed: true},
	}
	golden(t, "deletes.json", func(b *bytes.Buffer) error { return view.DeletesJSON(b, list) })
	golden(t, "deletes.txt", func(b *bytes.Buffer) error { return view.Deletes(b, "SAP Litmos", list) })
	golden(t, "deletes_none.json", func(b *bytes.Buffer) error { return view.DeletesJSON(b, nil) })
	golden(t, "deletes_none.txt", func(b *bytes.Buffer) error { return view.Deletes(b, "SAP Litmos", nil) })
}
