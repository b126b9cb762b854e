package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Rules of the specification that no other test is about.

func TestGroupsComeAfterUsersAndMembershipsLast(t *testing.T) { // engine.R14, R27
	w := newWorld(t, setup{caps: connector.Caps{Concurrency: 1}}) // references after the creates
	w.source.Put(user("ann"), user("bob"), group("g", "ann", "bob"))
	w.run()
	var order []string
	for _, c := range w.writes() {
		order = append(order, fmt.Sprint(c.Op, " ", c.Kind))
	}
	if diff := cmp.Diff([]string{"create User", "create User", "create Group", "update Group"}, order); diff != "" {
		t.Errorf("writes (- want, + got):\n%s", diff)
	}

	w = newWorld(t, inCreates(connector.Caps{Concurrency: 1}))
	w.source.Put(user("ann"), user("bob"), group("g", "ann", "bob"))
	w.run()
	w.source.Put(disabled(user("ann")), user("cec"), group("g", "bob", "cec"), group("h", "cec"))
	w.run()
	order = nil
	for _, c := range w.writes() {
		order = append(order, fmt.Sprint(c.Op, " ", c.Kind))
	}
	if last := order[len(order)-1]; last != "update User" { // what takes away comes last
		t.Errorf("writes %v: the disable is not the last", order)
	}
}

// TestWatermark: it is taken before the source is read and stored when the cycle has ended, so that nothing that changes
// meanwhile is missed, and a cycle that was broken off is done again (engine.R17, R19).
func TestWatermark(t *testing.T) {
	w := newWorld(t, setup{feed: true, noPredict: true, rules: usersOnly(nil)})
	mark := func() string {
		j, err := w.db.Job(t.Context(), w.jobID)
		if err != nil {
			t.Fatal(err)
		}
		return j.Watermark
	}
	w.source.Put(user("ann"), user("bob"))
	if mark() != "" {
		t.Errorf("watermark %q before the first cycle", mark())
	}
	edited := false
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpCreate && !edited { // after the read
			edited = true
			w.source.Put(user("cec"))
		}
		return nil
	}, nil)
	want(t, w.run(), store.Counts{Created: 2})
	first := mark()
	w.fail(nil, nil)
	want(t, w.run(), store.Counts{Created: 1})
	if mark() == first {
		t.Error("the watermark has not moved")
	}

	second := mark()
	w.source.Put(user("dan"))
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpProbe {
			return &connector.Error{Kind: connector.KindAuth, Code: connector.CodeUnauthorized, Status: 401}
		}
		return nil
	}, nil)
	if rep := w.run(); rep.Cycle.State != store.Failed {
		t.Fatalf("state %s", rep.Cycle.State)
	}
	if mark() != second {
		t.Error("a cycle that failed has moved the watermark")
	}
	w.fail(nil, nil)
	want(t, w.run(), store.Counts{Created: 1})
}

func TestAssigningAGroupDoesNotMakeIt(t *testing.T) { // engine.R31
	w := newWorld(t, setup{settings: func(s *job.Settings) { s.Scope = job.ScopeAssigned }, rules: func(rules []job.Rule) []job.Rule {
		rules[0].Enabled = false
		return rules
	}})
	w.source.Put(assigned(user("ann"), true), assigned(group("g", "ann"), true))
	want(t, w.run(), store.Counts{Created: 1})
	if n := len(w.target.Objects(identity.Group)); n != 0 {
		t.Errorf("%d groups", n)
	}
}

func TestMembersOfAGroupWithinAreNotMembers(t *testing.T) { // engine.R29, R34
	w := newWorld(t, setup{settings: func(s *job.Settings) { s.Scope = job.ScopeAssigned }})
	outer := group("outer")
	outer.Attrs.Set("members", []any{identity.Ref{Kind: identity.User, Anchor: "ann"}, identity.Ref{Kind: identity.Group, Anchor: "inner"}})
	w.source.Put(assigned(user("ann"), true), assigned(user("bob"), true), assigned(outer, true), assigned(group("inner", "bob"), false))
	w.run()
	if diff := cmp.Diff([]string{"ann"}, w.members("outer")); diff != "" {
		t.Error(diff)
	}
	if w.account(identity.Group, "inner") != nil {
		t.Error("a group that is not assigned has been made")
	}
}

// recordOf returns the only record of a source object in a cycle.
func (w *world) recordOf(rep engine.RunReport, anchor string) map[string]any {
	w.t.Helper()
	for _, r := range w.records(rep.Cycle.ID) {
		if r.SourceID != anchor {
			continue
		}
		var doc map[string]any
		if err := json.Unmarshal(r.Doc, &doc); err != nil {
			w.t.Fatal(err)
		}
		return doc
	}
	w.t.Fatalf("no record of %s", anchor)
	return nil
}

// stepsOf shows the steps of a record as "name type status" and the details of each.
func stepsOf(doc map[string]any) (names []string, details map[string]map[string]any) {
	details = map[string]map[string]any{}
	for _, s := range doc["provisioningSteps"].([]any) {
		step := s.(map[string]any)
		names = append(names, fmt.Sprint(step["name"], " ", step["provisioningStepType"], " ", step["status"]))
		details[step["name"].(string)], _ = step["details"].(map[string]any)
	}
	return names, details
}

func TestTheLogSaysWhichConditionsHeld(t *testing.T) { // engine.R37
	w := newWorld(t, setup{settings: func(s *job.Settings) { s.Scope = job.ScopeAssigned }, rules: filtered(inSales())})
	w.source.Put(assigned(disabled(user("ann", "department", "Ops")), true), assigned(user("bob", "department", "Sales"), true))
	rep := w.run()
	_, details := stepsOf(w.recordOf(rep, "ann"))
	want := map[string]any{"Active in source system": "False", "Assigned to application": "True", "Scope sync all": "False", "Sales department EQUALS Sales": "False"}
	if diff := cmp.Diff(want, details["EntrySynchronizationScoping"]); diff != "" {
		t.Errorf("conditions of ann (- want, + got):\n%s", diff)
	}
	_, details = stepsOf(w.recordOf(rep, "bob"))
	want = map[string]any{"Active in source system": "True", "Assigned to application": "True", "Scope sync all": "False", "Sales department EQUALS Sales": "True"}
	if diff := cmp.Diff(want, details["EntrySynchronizationScoping"]); diff != "" {
		t.Errorf("conditions of bob (- want, + got):\n%s", diff)
	}
}

func TestWithoutAFilterEverybodyPasses(t *testing.T) { // engine.R38, R40
	w := newWorld(t, setup{rules: usersOnly(nil)})
	w.source.Put(user("ann"), user("bob", "department", "Ops"))
	want(t, w.run(), store.Counts{Created: 2})
}

func TestASavedFilterDeprovisions(t *testing.T) { // engine.R41, R75
	w := newWorld(t, setup{feed: true, rules: usersOnly(nil), settings: func(s *job.Settings) { s.DeletionGuard.Floor = 50 }})
	w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Ops"), user("cec", "department", "Ops"))
	w.run()
	w.def.Rules = filtered(inSales())(w.def.Rules)
	w.save()
	rep := w.run()
	if rep.Cycle.Type != store.Initial || rep.Counts.Disabled != 2 || !w.active("ann") || w.active("bob") {
		t.Errorf("cycle %s, counts %+v", rep.Cycle.Type, rep.Counts)
	}
	w.def.Rules[0].Filter.Groups = nil
	w.save()
	if rep = w.run(); rep.Counts.Enabled != 2 {
		t.Errorf("the filter is gone again: %+v", rep.Counts)
	}
}

func TestJoiningValuesWithSpecialCharacters(t *testing.T) { // engine.R54
	nasty := []string{`o'neill@example.com`, `"quoted"@example.com`, `back\slash@example.com`, `percent%@example.com`, "größe@example.com", "日本@example.com", "a+b&c=d@example.com", "with blank@example.com"}
	for _, page := range []int{1, 100} { // by queries, and by the index
		w := newWorld(t, setup{caps: connector.Caps{PageSize: page}, rules: usersOnly(nil)})
		for i, login := range nasty {
			w.target.Put(existing(num("t", i), login))
			u := user(num("p", i))
			u.Attrs.Set("login", login)
			w.source.Put(u)
		}
		rep := w.run()
		if rep.Counts.Created != 0 || rep.Counts.Failed != 0 {
			t.Errorf("page %d: %+v", page, rep.Counts)
		}
		for i := range nasty {
			if got := w.anchorOf(identity.User, num("p", i)); got != num("t", i) {
				t.Errorf("page %d: %s is linked to %q", page, nasty[i], got)
			}
		}
	}
}

func TestALinkOutlivesEveryNameChange(t *testing.T) { // engine.R55
	w := newWorld(t, setup{rules: usersOnly(nil)})
	w.source.Put(user("ann"), user("bob"))
	w.run()
	was := w.anchorOf(identity.User, "ann")
	renamed := user("ann", "name", "New Name")
	renamed.Attrs.Set("login", "married@example.com")
	w.source.Put(renamed)
	want(t, w.run(), store.Counts{Updated: 1, Unchanged: 1})
	if w.anchorOf(identity.User, "ann") != was || w.account(identity.User, "ann")["userName"] != "married@example.com" {
		t.Errorf("account %v", w.account(identity.User, "ann"))
	}
	w.steady()
}

// TestEachCycleIsCountedByItself: a little every day never trips the guard, and disables count as deletes do
// (engine.R119, R121, R124).
func TestEachCycleIsCountedByItself(t *testing.T) {
	w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule { return filtered(inSales())([]job.Rule{userRule()}) },
		settings: func(s *job.Settings) {
			s.DeletionGuard = job.Guard{Enabled: true, Threshold: 3, Percent: 100, Floor: 0}
		}})
	for i := range 20 {
		w.source.Put(user(num("p", i), "department", "Sales"))
	}
	w.run()
	for day := range 3 {
		for i := range 3 {
			w.source.Put(user(num("p", 3*day+i), "department", "Ops"))
		}
		rep := w.run()
		if rep.Counts.Disabled != 3 || rep.Held != "" {
			t.Errorf("day %d: %+v, held %q", day, rep.Counts, rep.Held)
		}
	}
	for i := range 2 {
		w.source.Put(disabled(user(num("p", 10+i), "department", "Sales")))
	}
	w.source.Put(user(num("p", 12), "department", "Ops"))
	w.source.Remove(identity.User, num("p", 13))
	rep := w.run()
	if rep.Counts.Staged != 4 || rep.Held != "TooManyDeletes" || rep.Quarantine == nil || rep.Quarantine.Reason != "TooManyDeletes" {
		t.Errorf("four at once: %+v, held %q", rep.Counts, rep.Held)
	}
	for _, r := range w.records(rep.Cycle.ID) { // engine.R120
		if r.Action != "stageddelete" {
			t.Errorf("record %s %s", r.SourceID, r.Action)
		}
	}
}

// TestRecordOfACycle: the cycle keeps what it read, did and called, and when (engine.R106, R137, R138, R141).
func TestRecordOfACycle(t *testing.T) {
	w := newWorld(t, setup{rules: usersOnly(nil), noPredict: true})
	w.source.Put(user("ann"), user("bob"), user("cec"))
	w.fail(refuse("bob"), func(memory.Call) error { w.later(time.Second); return nil })
	rep := w.run()
	cycles, err := w.db.CyclesOf(t.Context(), w.jobID, 10)
	if err != nil || len(cycles) != 1 {
		t.Fatalf("%d cycles, %v", len(cycles), err)
	}
	c := cycles[0]
	if c.ID != rep.Cycle.ID || c.Type != store.Initial || c.State != store.EntryLevelErrors || !c.Ended.After(c.Began) || c.Planned != 3 || c.Done != 3 {
		t.Errorf("cycle %+v", c)
	}
	if diff := cmp.Diff(store.Counts{Imported: 3, InScope: 3, Created: 2, Failed: 1}, c.Counts); diff != "" {
		t.Errorf("counts (- want, + got):\n%s", diff)
	}
	if c.Requests.Total == 0 || c.Requests.ByMethod["POST"] != 3 {
		t.Errorf("requests %+v", c.Requests)
	}
	j, err := w.db.Job(t.Context(), w.jobID)
	if err != nil {
		t.Fatal(err)
	}
	if !j.SteadyFirst.IsZero() {
		t.Error("with a failure the job has not reached a steady state")
	}
	w.fail(nil, nil)
	w.run()
	if j, err = w.db.Job(t.Context(), w.jobID); err != nil || j.SteadyFirst.IsZero() || !j.SteadyLast.Equal(j.SteadyFirst) {
		t.Errorf("steady first %v, last %v (%v)", j.SteadyFirst, j.SteadyLast, err)
	}
}

func TestQuarantineKeepsItsSeries(t *testing.T) { // engine.R109, R114
	w := newWorld(t, setup{noPredict: true, rules: usersOnly(nil)})
	w.source.Put(user("ann"))
	w.fail(func(c memory.Call) error {
		return &connector.Error{Kind: connector.KindAuth, Code: connector.CodeUnauthorized, Status: 401, Detail: "refused by the test"}
	}, nil)
	read := func() *store.Quarantine {
		j, err := w.db.Job(t.Context(), w.jobID)
		if err != nil {
			t.Fatal(err)
		}
		return j.Quarantine
	}
	w.run()
	began := w.now()
	w.later(7 * time.Hour)
	w.run()
	q := read()
	if q == nil {
		t.Fatal("no quarantine")
	}
	want := store.Quarantine{Reason: "EncounteredQuarantineException", Code: connector.CodeUnauthorized, SeriesBegan: began, CurrentBegan: w.now(), NextAttempt: began.Add(12 * time.Hour)}
	got := *q
	got.Message, got.SeriesCount = "", 0 // how it is counted is a test of its own
	if diff := cmp.Diff(want, got); diff != "" || !strings.Contains(q.Message, "refused by the test") {
		t.Errorf("%s; quarantine (- want, + got):\n%s", q.Message, diff)
	}
	w.fail(nil, nil)
	w.run()
	if read() != nil {
		t.Error("a cycle that went well did not lift the quarantine")
	}
}

// TestStepsOfARecord: what happened to an object is told step by step, under the names of the reference service
// (engine.R145-R148).
func TestStepsOfARecord(t *testing.T) {
	w := newWorld(t, setup{rules: func([]job.Rule) []job.Rule { return filtered(inSales())([]job.Rule{userRule()}) }})
	check := func(what string, rep engine.RunReport, anchor, action, status string, steps []string, has map[string]map[string]any) {
		t.Helper()
		doc := w.recordOf(rep, anchor)
		if doc["provisioningAction"] != action || doc["provisioningStatusInfo"].(map[string]any)["status"] != status {
			t.Errorf("%s: action %v, status %v", what, doc["provisioningAction"], doc["provisioningStatusInfo"])
		}
		names, details := stepsOf(doc)
		if diff := cmp.Diff(steps, names); diff != "" {
			t.Errorf("%s: steps (- want, + got):\n%s", what, diff)
		}
		for name, wanted := range has {
			for key, value := range wanted {
				if details[name][key] != value {
					t.Errorf("%s: %s %s is %v, want %v", what, name, key, details[name][key], value)
				}
			}
		}
		for _, field := range []string{"id", "activityDateTime", "jobId", "cycleId", "changeId", "initiatedBy", "servicePrincipal", "sourceSystem", "targetSystem", "sourceIdentity", "targetIdentity", "modifiedProperties"} {
			if _, ok := doc[field]; !ok {
				t.Errorf("%s: the record has no %s", what, field)
			}
		}
	}
	ann := func(more ...any) *identity.Object {
		return user("ann", append([]any{"department", "Sales"}, more...)...)
	}
	others := []*identity.Object{user("x", "department", "Sales"), user("y", "department", "Sales")}
	w.source.Put(append(others, ann(), user("out", "department", "Ops"))...)
	rep := w.run()
	check("create", rep, "ann", "create", "success",
		[]string{"EntryImportAdd import success", "EntrySynchronizationScoping scoping success", "EntryImportObjectNotFound matching success", "EntrySynchronizationAdd processing success", "EntryExportAdd export success"},
		map[string]map[string]any{"EntryImportAdd": {"SourceAnchor": "ann", "ReportableIdentifier": "Name ann"}, "EntryImportObjectNotFound": {"JoiningProperty": "userName ann@example.com"},
			"EntryExportAdd": {"TargetAnchor": w.anchorOf(identity.User, "ann")}})
	check("skip", rep, "out", "other", "skipped",
		[]string{"EntryImportAdd import success", "EntrySynchronizationScoping scoping success", "EntrySynchronizationSkip processing skipped"},
		map[string]map[string]any{"EntrySynchronizationSkip": {"SkipReason": "EntrySynchronizationSkipped"}})
	w.source.Put(ann("title", "x"))
	check("update", w.run(), "ann", "update", "success",
		[]string{"EntryImportUpdate import success", "EntrySynchronizationScoping scoping success", "EntrySynchronizationUpdate processing success", "EntryExportUpdate export success"}, nil)
	w.source.Put(user("ann", "department", "Ops", "title", "x"))
	check("disable", w.run(), "ann", "disable", "success",
		[]string{"EntryImportUpdate import success", "EntrySynchronizationScoping scoping success", "EntrySynchronizationUpdate processing success", "EntryExportUpdate export success"}, nil)
	w.source.Remove(identity.User, "y")
	check("delete", w.run(), "y", "delete", "success",
		[]string{"EntryImportDelete import success", "EntrySynchronizationDelete processing success", "EntryExportDelete export success"}, nil)
	w.source.Put(user("two", "department", "Sales", "manager", "nobody"))
	check("warning", w.run(), "two", "create", "warning",
		[]string{"EntryImportAdd import success", "EntrySynchronizationScoping scoping success", "EntryImportObjectNotFound matching success",
			"EntrySynchronizationUpdate referenceResolution warning", "EntrySynchronizationAdd processing success", "EntryExportAdd export success"}, nil)
	bad := user("bad", "department", "Sales")
	bad.Attrs.Set("login", []any{"a", "b"})
	w.source.Put(bad)
	check("failure", w.run(), "bad", "other", "failure",
		[]string{"EntryImportAdd import success", "EntrySynchronizationScoping scoping success", "EntrySynchronizationError processing failure"},
		map[string]map[string]any{"EntrySynchronizationError": {"ErrorCode": "SchemaPropertyCanOnlyAcceptValue"}})
}

// TestCountsOfLinks: what is counted are links, enabled and disabled (engine.R140).
func TestCountsOfLinks(t *testing.T) {
	w := newWorld(t, setup{rules: func([]job.Rule) []job.Rule { return filtered(inSales())([]job.Rule{userRule()}) }})
	w.source.Put(user("ann", "department", "Sales"), user("bob", "department", "Sales"), user("cec", "department", "Sales"), user("dan"))
	w.run()
	w.source.Put(disabled(user("ann", "department", "Sales")), user("bob", "department", "Ops"))
	w.run()
	tallies, err := w.db.Tallies(t.Context(), w.jobID)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(tallies, func(a, b store.Tally) int { return int(a.State) - int(b.State) })
	wanted := []store.Tally{{Rule: "users", State: store.Unlinked, N: 1}, {Rule: "users", State: store.Active, N: 1}, {Rule: "users", State: store.Disabled, N: 1}, {Rule: "users", State: store.Released, N: 1}}
	if diff := cmp.Diff(wanted, tallies); diff != "" {
		t.Errorf("links (- want, + got):\n%s", diff)
	}
}
