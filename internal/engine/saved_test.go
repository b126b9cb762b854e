package engine_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

// savePlan plans a cycle and brings the plan through the form of its file.
func (w *world) savePlan(opt engine.Options) *engine.SavedPlan {
	w.t.Helper()
	opt.Manual = true
	p, _, err := w.engine().SavePlan(w.t.Context(), w.subject(), opt, "")
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		w.t.Fatal(err)
	}
	p, err = engine.ReadPlan(data)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) applyPlan(p *engine.SavedPlan) (engine.RunReport, error) {
	w.t.Helper()
	w.forgetCalls()
	return w.engine().Run(w.t.Context(), w.subject(), engine.Options{Plan: p, Manual: true})
}

// refusedPlan wants a plan to be refused without a write, and returns what differs.
func (w *world) refusedPlan(p *engine.SavedPlan) []string {
	w.t.Helper()
	was := w.subject().Job
	_, err := w.applyPlan(p)
	refused, ok := errors.AsType[*engine.PlanRefused](err)
	if !ok {
		w.t.Fatalf("not refused: %v", err)
	}
	if calls := w.writes(); len(calls) > 0 {
		w.t.Errorf("writes of a refused plan: %s", show(calls))
	}
	if diff := cmp.Diff(was.Quarantine, w.subject().Job.Quarantine); diff != "" {
		w.t.Errorf("the job's health has changed:\n%s", diff)
	}
	return refused.Differences
}

func TestASavedPlanIsCarriedOutOnce(t *testing.T) { // design D5
	feeds(t, func(t *testing.T, feed bool) {
		w := newWorld(t, setup{feed: feed, rules: func(rules []job.Rule) []job.Rule {
			rules[1].Attributes[2].Expression = `IIF([title]="now", FormatDateTime(Now(), , "o", "yyyy-MM-dd HH:mm:ss"), [title])`
			return rules
		}})
		w.source.Put(user("ann", "title", "Clerk"), user("bob", "manager", "ann"), user("cid"), group("g", "ann", "bob"))
		first := w.savePlan(engine.Options{})
		w.later(10 * time.Minute)
		rep, err := w.applyPlan(first)
		if err != nil {
			t.Fatal(err)
		}
		if rep.Counts.Created != 4 || rep.Cycle.Type != store.Initial {
			t.Errorf("counts %+v", rep.Counts)
		}
		w.source.Put(user("ann", "title", "now"), disabled(user("cid")), group("g", "ann"), user("new", "title", "1"))
		p := w.savePlan(engine.Options{})
		w.later(time.Hour)
		rep, err = w.applyPlan(p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p.Counts, rep.Counts); diff != "" {
			t.Errorf("counts (- plan, + run):\n%s", diff)
		}
		if diff := cmp.Diff(p.Requests.ByMethod, rep.Requests.ByMethod); diff != "" {
			t.Errorf("calls (- plan, + run):\n%s", diff)
		}
		if got := w.account(identity.User, "ann")["title"]; got != "2026-04-01 12:10:00" { // when the plan was made
			t.Errorf("title %v", got)
		}
		for _, done := range []*engine.SavedPlan{first, p} {
			w.forgetCalls()
			if _, err := w.applyPlan(done); !errors.Is(err, engine.ErrPlanApplied) || len(w.calls(connector.OpProbe)) > 0 {
				t.Errorf("carried out twice: %v", err)
			}
		}
		w.steady()
	})
}

func TestASavedPlanIsRefusedWhenSomethingHasChanged(t *testing.T) { // design D5
	for _, c := range []struct {
		name   string
		change func(w *world)
		want   []string // beginnings
	}{
		{"a value in the source", func(w *world) { w.source.Put(user("ann", "title", "Chief")) }, []string{
			`users ann (Name ann): planned title: "Clerk" -> "Boss", not any more`, `users ann (Name ann): not planned: title: "Clerk" -> "Chief"`}},
		{"somebody new in the source", func(w *world) { w.source.Put(user("dan")) }, []string{
			"users dan (Name dan): not in the plan, now create: in scope"}},
		{"somebody gone from the source", func(w *world) { w.source.Remove(identity.User, "cid") }, []string{
			"users cid (Name cid): not in the plan, now delete: no longer in the source"}},
		{"what was planned is done in the source", func(w *world) { w.source.Put(user("ann", "title", "Clerk")) }, []string{
			"users ann (Name ann): planned update, now nothing"}},
		{"an account in the target", func(w *world) { w.target.Put(like("900", "new")) }, []string{
			"users new (Name new): planned create, now "}},
		{"the state: a cycle has done some of it", func(w *world) { w.run() }, []string{
			"users ann (Name ann): planned update, now nothing", "users new (Name new): planned create, now nothing"}},
		{"the schema", func(w *world) { w.def.Rules[0].Attributes[0].Expression = `Join("", [name], "!")`; w.save() }, []string{
			"the app file: ", "the state: the next cycle is initial"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{noPredict: true})
			w.source.Put(user("ann", "title", "Clerk"), user("bob"), user("cid"))
			w.run()
			w.source.Put(user("ann", "title", "Boss"), user("new"))
			p := w.savePlan(engine.Options{})
			c.change(w)
			got := w.refusedPlan(p)
			if len(got) != len(c.want) {
				t.Fatalf("differences %q", got)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("difference %q, want %q", got[i], c.want[i])
				}
			}
			w.run() // the job goes on as ever
			w.steady()
		})
	}
}

// TestASavedPlanThatHoldsIsCarriedOutThoughItWasRefusedBefore: a refusal leaves nothing behind.
func TestASavedPlanThatHoldsIsCarriedOutThoughItWasRefusedBefore(t *testing.T) { // design D5
	w := newWorld(t, setup{settings: percent(20, 500, 5)})
	fill(w, 20)
	w.run()
	w.leave(0, 6, true)
	w.run()
	p := w.savePlan(engine.Options{})
	if p.Held != "TooManyDeletes" {
		t.Errorf("held %q", p.Held)
	}
	w.source.Put(user(num("p", 0))) // the cause of one of them vanishes, and with it that of the holding
	if got := w.refusedPlan(p); len(got) != 6 {
		t.Errorf("differences %q", got)
	}
	if len(w.staged()) != 6 {
		t.Errorf("%d staged after a refusal", len(w.staged()))
	}
	w.source.Remove(identity.User, num("p", 0))
	rep, err := w.applyPlan(p)
	if err != nil || rep.Counts.Staged != 6 {
		t.Errorf("%v: %+v", err, rep.Counts)
	}
}

func TestASavedPlanWithAReconciliation(t *testing.T) { // design D3, D5
	w := newWorld(t, setup{settings: drifting(job.DriftCorrect)})
	w.source.Put(user("ann", "title", "Clerk"), user("bob"))
	w.run()
	w.edit(identity.User, "ann", "title", "Boss")
	p := w.savePlan(engine.Options{Reconcile: true})
	w.edit(identity.User, "ann", "title", "Chief")
	if got := w.refusedPlan(p); len(got) != 2 {
		t.Errorf("differences %q", got)
	}
	w.edit(identity.User, "ann", "title", "Boss")
	w.later(48 * time.Hour)
	rep, err := w.applyPlan(p)
	if err != nil || rep.Counts.Updated != 1 || rep.Drift == nil || w.account(identity.User, "ann")["title"] != "Clerk" {
		t.Errorf("%v: %+v", err, rep)
	}
	// One that is due by now is not part of a plan that had none.
	w.source.Put(user("ann", "title", "Clerk", "name", "Anna"))
	p = w.savePlan(engine.Options{})
	w.later(48 * time.Hour)
	if rep, err := w.applyPlan(p); err != nil || rep.Drift != nil || rep.Counts.Updated != 1 {
		t.Errorf("%v: %+v", err, rep)
	}
}

func TestASavedPlanAndInterruptions(t *testing.T) { // design D5, D13
	w := newWorld(t, setup{noPredict: true})
	w.source.Put(user("ann"), user("bob"))
	p := w.savePlan(engine.Options{})
	w.interrupt(engine.Options{Plan: p})        // before anything was written
	if rep, err := w.applyPlan(p); err != nil { // from the start
		t.Fatalf("%v: %+v", err, rep)
	}
	w.source.Put(user("cid"), user("dan"))
	p = w.savePlan(engine.Options{})
	w.interrupt(engine.Options{Plan: p})
	w.source.Put(user("eve")) // a cycle of another kind goes by what is so now
	rep := w.run()
	if rep.Counts.Created != 3 {
		t.Errorf("counts %+v", rep.Counts)
	}
	w.refusedPlan(p)

	w.source.Put(user("fay"), user("gus"))
	p = w.savePlan(engine.Options{})
	w.source.Remove(identity.User, "ann")
	w.interrupt(engine.Options{})
	if got := w.refusedPlan(p); len(got) != 1 || !strings.Contains(got[0], "rollcall run") {
		t.Errorf("differences %q", got)
	}
}

func TestReadPlanRefusesWhatIsNoPlan(t *testing.T) { // design D5
	w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule {
		rules[1].Attributes[2].Expression = "Redact([title])"
		return rules
	}})
	w.source.Put(user("ann", "title", "hunter2"))
	p := w.savePlan(engine.Options{})
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if strings.Contains(text, "hunter2") {
		t.Errorf("the plan shows what is redacted: %s", text)
	}
	if _, err := engine.ReadPlan(data); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"no JSON":           "plan",
		"another version":   strings.Replace(text, `"version":1`, `"version":2`, 1),
		"another value":     strings.Replace(text, "Name ann", "Name Ann", 1),
		"another hash":      strings.Replace(text, `"hash":"`, `"hash":"0`, 1),
		"one key more":      strings.Replace(text, `"version":1`, `"version":1,"x":1`, 1),
		"no changes at all": `{"version":1}`,
	} {
		if bad == text {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := engine.ReadPlan([]byte(bad)); !errors.Is(err, engine.ErrBadPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
