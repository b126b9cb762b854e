package engine_test

import (
	"context"
	"encoding/json"
	"errors"
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
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/scope"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
)

// once provisions one object on demand. A dry run made before must foretell it, and leave no trace.
func (w *world) once(opt engine.OnceOptions) engine.OnceReport {
	w.t.Helper()
	dry := opt
	dry.DryRun = true
	before := w.everything()
	w.forgetCalls()
	told, err := w.engine().Once(w.t.Context(), w.subject(), dry)
	if err != nil {
		w.t.Fatalf("dry run of %s: %v", opt.Key, err)
	}
	if diff := cmp.Diff(before, w.everything()); diff != "" {
		w.t.Errorf("the dry run changed the state (- before, + after):\n%s", diff)
	}
	if calls := w.writes(); len(calls) > 0 {
		w.t.Errorf("the dry run wrote:%s", show(calls))
	}
	if opt.DryRun {
		return told
	}
	rep, err := w.engine().Once(w.t.Context(), w.subject(), opt)
	if err != nil {
		w.t.Fatalf("on-demand run of %s: %v", opt.Key, err)
	}
	if rep.Result != "Failure" { // which a dry run cannot know
		short := func(r engine.OnceResult) string {
			return r.Rule + " " + r.SourceIdentity.ID + " " + r.Action + " " + r.Result + " " + r.Details.ErrorCode
		}
		if short(told.OnceResult) != short(rep.OnceResult) {
			w.t.Errorf("the dry run told %q, and the run %q", short(told.OnceResult), short(rep.OnceResult))
		}
	}
	return rep
}

// trace is what a dry run must leave as it is.
type trace struct {
	Objects map[store.ObjectKey]store.Object
	Escrows []store.Escrow
	Staged  []store.Staged
	Log     []store.LogRecord
	Job     store.Job
	Cycles  []store.Cycle
}

func (w *world) everything() trace {
	w.t.Helper()
	cycles, err := w.db.CyclesOf(w.t.Context(), w.jobID, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return trace{w.state(), w.escrows(), w.staged(), w.records(""), w.subject().Job, cycles}
}

func stepOf(t *testing.T, r engine.OnceResult, number int) engine.OnceStep {
	t.Helper()
	i := slices.IndexFunc(r.Steps, func(s engine.OnceStep) bool { return s.Number == number })
	if i < 0 {
		t.Fatalf("no step %d in %+v", number, r.Steps)
	}
	return r.Steps[i]
}

func expectOnce(t *testing.T, r engine.OnceResult, action, result, code string) {
	t.Helper()
	if got, want := r.Action+" "+r.Result+" "+r.Details.ErrorCode, action+" "+result+" "+code; got != want {
		t.Errorf("%s: %s, want %s (%s)", r.SourceIdentity.ID, got, want, r.Details.ErrorMessage)
	}
}

// TestOnDemandShowsTheSteps is the whole of engine.R127 and R129 for somebody new.
func TestOnDemandShowsTheSteps(t *testing.T) {
	w := newWorld(t, setup{rules: filtered(inSales())})
	w.source.Put(user("ann", "department", "Sales", "title", "Boss"), user("bob", "department", "Sales"))
	rep := w.once(engine.OnceOptions{Key: "ann", By: "helpdesk"})
	expectOnce(t, rep.OnceResult, "Create", "Success", "")
	var steps []string
	for _, s := range rep.Steps {
		steps = append(steps, s.Name+" "+s.Type+" "+s.Status)
		if s.Timestamp.IsZero() {
			t.Errorf("step %s has no time", s.Name)
		}
	}
	want := []string{"EntryImportAdd Import Success", "EntrySynchronizationScoping Scoping Success",
		"EntryImportObjectNotFound Matching Success", "EntryExportAdd Export Success"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("steps (- want, + got):\n%s", diff)
	}
	if got := stepOf(t, rep.OnceResult, 2).Details["title"]; got != "Boss" {
		t.Errorf("title as imported: %q", got)
	}
	scope := stepOf(t, rep.OnceResult, 3).Details
	wantScope := map[string]string{"Active in the source system": "True", "Scope sync all": "True", "Scoping filter evaluation passed": "True",
		"ScopeEvaluationResult": `{"Sales.department EQUALS 'Sales'":true}`}
	if diff := cmp.Diff(wantScope, scope); diff != "" {
		t.Errorf("scope (- want, + got):\n%s", diff)
	}
	if w.account(identity.User, "ann") == nil || w.account(identity.User, "bob") != nil || w.linkOf("ann") != store.Active {
		t.Error("ann alone should have an account, and a link")
	}
	recs := w.records("")
	if len(recs) != 1 {
		t.Fatalf("%d log records, want 1", len(recs))
	}
	var doc struct {
		ChangeID    string
		InitiatedBy struct{ DisplayName, InitiatorType string }
	}
	if err := json.Unmarshal(recs[0].Doc, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.InitiatedBy.DisplayName != "helpdesk" || doc.InitiatedBy.InitiatorType != "user" || doc.ChangeID != rep.ChangeID || recs[0].TargetID != rep.TargetIdentity.ID {
		t.Errorf("record %+v of %s does not belong to the run %s", doc, recs[0].TargetID, rep.ChangeID)
	}
	if cycles := w.everything().Cycles; len(cycles) != 0 {
		t.Errorf("the run left cycles behind: %+v", cycles)
	}
	cycle := w.run()
	if cycle.Counts.Created != 1 || cycle.Counts.Unchanged != 1 {
		t.Errorf("the next cycle: %+v", cycle.Counts)
	}
	w.steady()
}

// TestOnDemandKeys: a key is the source anchor, a joining value or an e-mail address (engine.R126).
func TestOnDemandKeys(t *testing.T) {
	for _, feed := range []bool{false, true} {
		w := newWorld(t, setup{feed: feed})
		w.source.Put(user("ann", "mail", "ann@mail.example"), user("bob", "mail", "shared@mail.example"), user("cec", "mail", "shared@mail.example"),
			user("dan", "login", "Ann@Mail.example.org"), group("g1"))
		for _, c := range []struct{ key, rule, want string }{
			{"ann", "", "ann"},
			{"ANN@example.com", "", "ann"}, // the target folds user names
			{"ann@MAIL.example", "", "ann"},
			{"ann@mail.example.org", "", "dan"},
			{"Group g1", "", "g1"},
			{"g1", "groups", "g1"},
		} {
			rep := w.once(engine.OnceOptions{Key: c.key, Rule: c.rule, DryRun: true})
			if rep.SourceIdentity.ID != c.want {
				t.Errorf("key %q: %q, want %q", c.key, rep.SourceIdentity.ID, c.want)
			}
		}
		for key, n := range map[string]int{"nobody": 0, "shared@mail.example": 2} {
			_, err := w.engine().Once(t.Context(), w.subject(), engine.OnceOptions{Key: key})
			var ke *engine.KeyError
			if !errors.As(err, &ke) || len(ke.Found) != n {
				t.Errorf("key %q: %v, want a key error with %d objects", key, err, n)
			}
		}
	}
}

// TestOnDemandTakesAccessAway: a user who is not assigned, out of the filter, or disabled in the source is disabled
// (engine.R130, R77), and who is not in the source is left to the next cycle.
func TestOnDemandTakesAccessAway(t *testing.T) {
	onlyAssigned := func(s *job.Settings) { s.Scope = job.ScopeAssigned }
	for _, c := range []struct {
		name   string
		change func(*world)
		action string
		result string
		code   string
		link   store.LinkState
		active bool
	}{
		{"unassigned", func(w *world) { w.source.Put(assigned(user("ann", "department", "Sales"), false)) }, "Disable", "Success", "", store.Released, false},
		{"out of the filter", func(w *world) { w.source.Put(assigned(user("ann", "department", "Ops"), true)) }, "Disable", "Success", "", store.Released, false},
		{"disabled in the source", func(w *world) { w.source.Put(disabled(assigned(user("ann", "department", "Sales"), true))) }, "Disable", "Success", "", store.Disabled, false},
		{"deleted softly", func(w *world) { w.source.Put(softDeleted(assigned(user("ann", "department", "Sales"), true))) }, "Other", "Skipped", "EntrySynchronizationSkipped", store.Active, true},
		{"gone", func(w *world) { w.source.Remove(identity.User, "ann") }, "Other", "Skipped", "EntrySynchronizationSkipped", store.Active, true},
		{"unchanged", func(*world) {}, "Other", "Skipped", "RedundantExport", store.Active, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{settings: onlyAssigned, rules: filtered(inSales())})
			w.source.Put(assigned(user("ann", "department", "Sales"), true), assigned(user("bob", "department", "Sales"), true))
			w.run()
			c.change(w)
			logged := len(w.records(""))
			rep := w.once(engine.OnceOptions{Key: "ann"})
			expectOnce(t, rep.OnceResult, c.action, c.result, c.code)
			if w.linkOf("ann") != c.link || w.active("ann") != c.active {
				t.Errorf("link %v, active %v; want %v, %v", w.linkOf("ann"), w.active("ann"), c.link, c.active)
			}
			if n := len(w.records("")) - logged; n != 1 {
				t.Errorf("%d log records, want 1 (engine.R129)", n)
			}
			if w.state()[store.ObjectKey{Rule: "users", Anchor: "bob"}].State != store.Active {
				t.Error("bob was touched")
			}
		})
	}
}

func TestOnDemandShowsWhyNot(t *testing.T) { // engine.R37
	w := newWorld(t, setup{rules: filtered(inSales())})
	w.source.Put(user("ann", "department", "Ops"))
	rep := w.once(engine.OnceOptions{Key: "ann"})
	expectOnce(t, rep.OnceResult, "Other", "Skipped", "EntrySynchronizationSkipped")
	s := stepOf(t, rep.OnceResult, 3)
	if want := `out of scope: department is "Ops", not EQUALS Sales`; s.Description != want || s.Status != "Skipped" {
		t.Errorf("scope step: %s %q, want %q", s.Status, s.Description, want)
	}
	if want := (engine.OnceLine{Name: "Sales department EQUALS Sales", Value: `False, the value is "Ops"`}); !slices.Contains(s.Lines, want) {
		t.Errorf("lines %v lack %v", s.Lines, want)
	}
	if calls := w.calls(connector.OpFind); len(calls) > 0 {
		t.Errorf("the target was asked about somebody out of scope (decision 0004): %s", show(calls))
	}
}

// TestOnDemandMatching: each joining property in turn, duplicates all listed (engine.R51, R127), and no escrow when it
// fails (engine.R131).
func TestOnDemandMatching(t *testing.T) {
	rules := func(rules []job.Rule) []job.Rule {
		a := rules[1].Attributes
		a[0].Match = 2
		rules[1].Attributes = append(a, mapping.Attribute{Target: "mail", Expression: "[mail]", Match: 1})
		return rules
	}
	w := newWorld(t, setup{rules: rules})
	w.source.Put(user("ann", "mail", "new@example.com"), user("bob", "mail", "twice@example.com"))
	put := func(anchor, login, mail string) {
		w.target.Put(&identity.Object{Kind: identity.User, Anchor: anchor, Attrs: identity.Attrs{{Name: "userName", Value: login}, {Name: "mail", Value: mail}}})
	}
	put("t1", "ann@example.com", "old@example.com")
	for _, a := range []string{"t2", "t3", "t4"} {
		put(a, a, "twice@example.com")
	}
	rep := w.once(engine.OnceOptions{Key: "ann"})
	expectOnce(t, rep.OnceResult, "Update", "Success", "")
	var match []string
	for _, s := range rep.Steps {
		if s.Number == 4 {
			match = append(match, s.Description)
		}
	}
	if diff := cmp.Diff([]string{`no account has mail "new@example.com"`, `found the account t1 by userName "ann@example.com"`}, match); diff != "" {
		t.Errorf("matching (- want, + got):\n%s", diff)
	}
	rep = w.once(engine.OnceOptions{Key: "bob"})
	expectOnce(t, rep.OnceResult, "Other", "Failure", "DuplicateTargetEntries")
	s := stepOf(t, rep.OnceResult, 4)
	if s.Description != `3 accounts have mail "twice@example.com"` || s.Details["TargetAnchor1"] != "t2" || s.Details["TargetAnchor3"] != "t4" {
		t.Errorf("step %+v", s)
	}
	if len(w.escrows()) != 0 {
		t.Errorf("a failed run left an escrow: %v", w.escrows())
	}
	if _, known := w.state()[store.ObjectKey{Rule: "users", Anchor: "bob"}]; known {
		t.Error("a failed run left an object in the state")
	}
}

// TestOnDemandReadsTheAccountFirst: a person who asks gets the account as it is, and what was changed by hand put right.
func TestOnDemandReadsTheAccountFirst(t *testing.T) {
	w := newWorld(t, setup{})
	w.source.Put(user("ann", "title", "Boss"))
	w.run()
	o := w.target.Objects(identity.User)[0]
	o.Attrs.Set("title", "changed by hand")
	w.target.Put(o)
	rep := w.once(engine.OnceOptions{Key: "ann"})
	expectOnce(t, rep.OnceResult, "Update", "Success", "")
	want := []engine.OnceProperty{{DisplayName: "title", OldValue: "changed by hand", NewValue: "Boss"}}
	if diff := cmp.Diff(want, rep.ModifiedProperties); diff != "" {
		t.Errorf("properties (- want, + got):\n%s", diff)
	}
	w.steady()
}

// TestOnDemandGroups: a group takes along the chosen members and no others (engine.R125), and the next cycle the rest.
func TestOnDemandGroups(t *testing.T) {
	for _, feed := range []bool{false, true} {
		w := newWorld(t, setup{feed: feed})
		w.source.Put(user("ann"), user("bob"), user("cec"), group("g", "ann", "bob", "cec"))
		rep := w.once(engine.OnceOptions{Key: "g"})
		expectOnce(t, rep.OnceResult, "Create", "Success", "")
		if m := w.account(identity.Group, "g")["members"]; m != nil {
			t.Errorf("members %v without any chosen", m)
		}
		rep = w.once(engine.OnceOptions{Key: "g", Members: []string{"bob", "ann@example.com"}})
		expectOnce(t, rep.OnceResult, "Update", "Success", "")
		if len(rep.Members) != 2 || rep.Members[0].Action != "Create" || rep.Members[1].SourceIdentity.ID != "ann" {
			t.Errorf("members of the report: %+v", rep.Members)
		}
		if diff := cmp.Diff([]string{"ann", "bob"}, w.account(identity.Group, "g")["members"]); diff != "" {
			t.Errorf("members (- want, + got):\n%s", diff)
		}
		w.source.Put(group("g", "cec"))
		w.once(engine.OnceOptions{Key: "g", Members: []string{"bob"}}) // is not a member any more
		if diff := cmp.Diff([]string{"ann"}, w.account(identity.Group, "g")["members"]); diff != "" {
			t.Errorf("members after bob left (- want, + got):\n%s", diff)
		}
		w.run()
		if diff := cmp.Diff([]string{"cec"}, w.account(identity.Group, "g")["members"]); diff != "" {
			t.Errorf("members after a cycle (- want, + got):\n%s", diff)
		}
		w.steady()
	}
}

func TestOnDemandRefusesMoreThanFiveMembers(t *testing.T) { // engine.R125
	w := newWorld(t, setup{})
	w.source.Put(group("g", "ann"), user("ann"))
	if _, err := w.engine().Once(t.Context(), w.subject(), engine.OnceOptions{Key: "g", Members: slices.Repeat([]string{"ann"}, 6)}); err == nil {
		t.Error("six members were taken along")
	}
	var ke *engine.KeyError
	if _, err := w.engine().Once(t.Context(), w.subject(), engine.OnceOptions{Key: "ann", Members: []string{"ann"}}); !errors.As(err, &ke) {
		t.Errorf("a user with members: %v", err)
	}
}

// TestOnDemandAndTheGuard: what the guard holds counts with what the run takes away, and stays held (design D6).
func TestOnDemandAndTheGuard(t *testing.T) {
	held := func(t *testing.T) *world {
		w := newWorld(t, setup{rules: filtered(inSales()), settings: percent(0, 500, 2)})
		fill(w, 10)
		w.run()
		w.leave(0, 3, false)
		if rep := w.run(); rep.Counts.Staged != 3 {
			t.Fatalf("counts %+v", rep.Counts)
		}
		return w
	}
	t.Run("one more is held", func(t *testing.T) {
		w := held(t)
		w.leave(3, 4, false)
		rep := w.once(engine.OnceOptions{Key: num("p", 3)})
		expectOnce(t, rep.OnceResult, "StagedDelete", "Skipped", "stagedDelete")
		if rep.Held != "TooManyDeletes" || len(w.staged()) != 4 || !w.active(num("p", 3)) {
			t.Errorf("held %q, %d staged", rep.Held, len(w.staged()))
		}
	})
	t.Run("a held one stays held", func(t *testing.T) {
		w := held(t)
		rep := w.once(engine.OnceOptions{Key: num("p", 0)})
		expectOnce(t, rep.OnceResult, "StagedDelete", "Skipped", "stagedDelete")
		if len(w.staged()) != 3 || !w.active(num("p", 0)) {
			t.Errorf("%d staged", len(w.staged()))
		}
	})
	t.Run("an allowed one is carried out, and the others stay", func(t *testing.T) {
		w := held(t)
		w.allow(num("p", 0))
		rep := w.once(engine.OnceOptions{Key: num("p", 0)})
		expectOnce(t, rep.OnceResult, "Disable", "Success", "")
		if len(w.staged()) != 2 || w.active(num("p", 0)) {
			t.Errorf("%d staged", len(w.staged()))
		}
	})
	t.Run("one who came back is let go of, and the others stay", func(t *testing.T) {
		w := held(t)
		w.source.Put(user(num("p", 0), "department", "Sales"))
		w.once(engine.OnceOptions{Key: num("p", 0)})
		if len(w.staged()) != 2 {
			t.Errorf("%d staged", len(w.staged()))
		}
	})
}

func TestOnDemandLeavesTheProtectedAlone(t *testing.T) {
	w := newWorld(t, setup{settings: func(s *job.Settings) { s.Protected = []string{"Ann@Example.com"} }})
	w.source.Put(user("ann"))
	rep := w.once(engine.OnceOptions{Key: "ann"})
	expectOnce(t, rep.OnceResult, "Other", "Skipped", "EntrySynchronizationSkipped")
	if !strings.HasPrefix(rep.Details.ErrorMessage, "protected") || len(w.target.Objects(identity.User)) != 0 {
		t.Errorf("message %q", rep.Details.ErrorMessage)
	}
}

// TestOnDemandFailures: the account is refused, or the target does not answer at all (engine.R24, R131).
func TestOnDemandFailures(t *testing.T) {
	w := newWorld(t, setup{})
	w.source.Put(user("ann", "title", "Boss"))
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpCreate {
			return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable, Detail: "no"}
		}
		return nil
	}, nil)
	rep := w.once(engine.OnceOptions{Key: "ann"})
	expectOnce(t, rep.OnceResult, "Create", "Failure", "UnprocessableEntity")
	if len(rep.ModifiedProperties) < 4 || rep.ModifiedProperties[2].NewValue != "Boss" {
		t.Errorf("attempted properties %v", rep.ModifiedProperties)
	}
	if len(w.escrows()) != 0 || len(w.state()) != 0 {
		t.Errorf("escrows %v, state %v", w.escrows(), w.state())
	}
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpProbe {
			return &connector.Error{Kind: connector.KindAuth, Code: connector.CodeUnauthorized, Detail: "who are you"}
		}
		return nil
	}, nil)
	rep = w.once(engine.OnceOptions{Key: "ann"})
	if s := stepOf(t, rep.OnceResult, 1); s.Name != "TestConnection" || s.Status != "Failure" || rep.Result != "Failure" || rep.Error == "" {
		t.Errorf("report %+v", rep)
	}
	if q := w.subject().Job.Quarantine; q != nil {
		t.Errorf("one person's run put the whole job into quarantine: %v", q)
	}
	w.fail(nil, func(c memory.Call) error {
		if c.Op == connector.OpCreate {
			return &connector.Error{Kind: connector.KindTemporary, MaybeDone: true, Detail: "lost"}
		}
		return nil
	})
	rep = w.once(engine.OnceOptions{Key: "ann"})
	expectOnce(t, rep.OnceResult, "Create", "Success", "") // found again (scim.R63)
	w.fail(nil, nil)
	w.onceEach("lost answer")
	w.steady()
}

func TestOnDemandRedacts(t *testing.T) { // engine.R71
	w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule {
		rules[1].Attributes[2].Expression = "Redact([title])"
		return rules
	}})
	w.source.Put(user("ann", "title", "hush"))
	rep := w.once(engine.OnceOptions{Key: "ann"})
	rep2 := w.once(engine.OnceOptions{Key: "ann"})
	for _, r := range []engine.OnceReport{rep, rep2} {
		doc, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range r.Steps {
			for _, l := range s.Lines {
				doc = append(doc, l.Value...)
			}
		}
		if strings.Contains(string(doc), "hush") || !strings.Contains(string(doc), "[Redact]") {
			t.Errorf("report %s", doc)
		}
	}
}

// TestOnDemandWaitsForNobody: a job that another process works on is not touched (I9); looking is allowed.
func TestOnDemandWaitsForNobody(t *testing.T) {
	w := newWorld(t, setup{})
	w.source.Put(user("ann"))
	if _, err := w.db.Hold(t.Context(), w.jobID, "another", w.now(), w.now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine().Once(t.Context(), w.subject(), engine.OnceOptions{Key: "ann"}); !errors.Is(err, store.ErrStale) {
		t.Errorf("error %v, want one that says that the job is held", err)
	}
	rep := w.once(engine.OnceOptions{Key: "ann", DryRun: true})
	expectOnce(t, rep.OnceResult, "Create", "Success", "")
	w.store = &released{Store: w.db, after: 2}
	rep, err := w.engine().Once(t.Context(), w.subject(), engine.OnceOptions{Key: "ann", Wait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	expectOnce(t, rep.OnceResult, "Create", "Success", "")
}

// released is a store whose job is given back by its other holder once it has been asked for some times.
type released struct {
	*sqlstore.Store
	after int
}

func (r *released) Hold(ctx context.Context, jobID, holder string, now, until time.Time) (store.Job, error) {
	if r.after--; r.after == 0 {
		if err := r.Release(ctx, jobID, "another"); err != nil {
			return store.Job{}, err
		}
	}
	return r.Store.Hold(ctx, jobID, holder, now, until)
}

// TestOnDemandWithinAnInterruptedCycle: the person whom a cycle had decided about and not yet written is provisioned
// once, wherever the cycle was interrupted (I1), and so are the others.
func TestOnDemandWithinAnInterruptedCycle(t *testing.T) {
	for i, feed := range []bool{false, true} {
		for n := 1 + i; ; n += 3 {
			w := newWorld(t, setup{feed: feed, noPredict: true})
			small(w)
			d := &dying{Store: w.db}
			d.left.Store(int64(n))
			w.store = d
			if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err == nil {
				break // it came to its end
			}
			w.store, w.holder = w.db, "after"
			w.later(5 * time.Minute)
			w.once(engine.OnceOptions{Key: "bob"})
			w.once(engine.OnceOptions{Key: "g", Members: []string{"ann"}})
			rep, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true})
			if err != nil {
				t.Fatalf("killed after %d writes: %v", n, err)
			}
			made := map[string]int{}
			for _, o := range w.target.Objects(identity.User) {
				made[o.Text("externalId")]++
			}
			for _, who := range []string{"boss", "ann", "bob", "r1", "r2", "lost"} {
				if made[who] != 1 {
					t.Errorf("killed after %d writes (feed %v): %s has %d accounts", n, feed, who, made[who])
				}
			}
			if rep.Cycle.State != store.Succeeded {
				t.Errorf("killed after %d writes: the cycle is %s", n, rep.Cycle.State)
			}
			w.run()
			if diff := cmp.Diff([]string{"ann", "bob", "r1", "r2"}, w.account(identity.Group, "g")["members"]); diff != "" {
				t.Errorf("killed after %d writes (feed %v): members (- want, + got):\n%s", n, feed, diff)
			}
			if len(w.escrows()) != 0 {
				t.Errorf("killed after %d writes: escrows %v", n, w.escrows())
			}
			w.steady()
			if t.Failed() {
				return
			}
		}
	}
}

// TestOnDemandCanBeInterrupted: cut off anywhere, nobody gets two accounts, and the next cycle mends the rest.
func TestOnDemandCanBeInterrupted(t *testing.T) {
	for n := range 8 {
		w := newWorld(t, setup{noPredict: true})
		w.source.Put(user("ann"))
		d := &dying{Store: w.db}
		d.left.Store(int64(n))
		w.store = d
		_, err := w.engine().Once(context.WithoutCancel(t.Context()), w.subject(), engine.OnceOptions{Key: "ann"})
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatalf("after %d writes: %v", n, err)
		}
		w.store, w.holder = w.db, "second"
		w.later(5 * time.Minute)
		w.run()
		w.onceEach("interrupted")
		if w.linkOf("ann") != store.Active {
			t.Errorf("after %d writes: link %v", n, w.linkOf("ann"))
		}
		w.steady()
	}
}

// TestOnDemandShowsThatAnInputFilterPassesSomebodyOver (scoping Q-11), and discovery and why say the same.
func TestOnDemandShowsThatAnInputFilterPassesSomebodyOver(t *testing.T) {
	w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule {
		rules[1].Filter.InputFilterGroups = []scope.Group{inSales()}
		return rules
	}})
	w.source.Put(user("ann", "department", "Ops"))
	w.target.Put(like("7", "ann"))
	rep := w.once(engine.OnceOptions{Key: "ann"})
	expectOnce(t, rep.OnceResult, "Other", "Skipped", "EntrySynchronizationSkipped")
	if s := stepOf(t, rep.OnceResult, 2); s.Status != "Success" || s.Details["department"] != "Ops" {
		t.Errorf("import %+v", s)
	}
	if s := stepOf(t, rep.OnceResult, 3); s.Status != "Skipped" || !strings.HasPrefix(s.Description, "passed over") {
		t.Errorf("scope %+v", s)
	}
	accounts, people := sorted(w.discover(""))
	if accounts["7"] != "unassigned ann" || len(people) != 0 {
		t.Errorf("discovery: %v, %v", accounts, people)
	}
	if x := w.why("ann", true)[0]; !strings.Contains(x.Answer[0], "passed over") {
		t.Errorf("why: %q", x.Answer)
	}
}

// TestOnDemandChoosesAValueThatNobodyHas (expressions O-19).
func TestOnDemandChoosesAValueThatNobodyHas(t *testing.T) {
	w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule {
		rules[1].Attributes = append(rules[1].Attributes, mapping.Attribute{Target: "employeeNumber", Expression: `SelectUniqueValue("1", "2")`, Apply: mapping.OnCreate})
		return rules
	}})
	w.target.Put(existing("7", "somebody", "employeeNumber", "1"))
	w.source.Put(user("ann"))
	rep := w.once(engine.OnceOptions{Key: "ann"})
	expectOnce(t, rep.OnceResult, "Create", "Success", "")
	if got := w.account(identity.User, "ann")["employeeNumber"]; got != "2" {
		t.Errorf("employeeNumber %v, want 2", got)
	}
	w.steady()
}
