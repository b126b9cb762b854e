package engine_test

import (
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
	"github.com/rollcall-id/rollcall/internal/store"
)

// why explains somebody; offline without the source. Nothing may be written, and no call made.
func (w *world) why(key string, offline bool) []engine.Explanation {
	w.t.Helper()
	s := w.subject()
	if offline {
		s.Source = nil
	}
	before := w.everything()
	w.forgetCalls()
	list, err := w.engine().Explain(w.t.Context(), s, key, "")
	if err != nil {
		w.t.Fatalf("why %s: %v", key, err)
	}
	if diff := cmp.Diff(before, w.everything()); diff != "" {
		w.t.Errorf("the explanation changed the state (- before, + after):\n%s", diff)
	}
	if calls := w.calls(connector.OpProbe, connector.OpFind, connector.OpGet, connector.OpList, connector.OpCreate, connector.OpUpdate, connector.OpDelete); len(calls) > 0 {
		w.t.Errorf("the explanation asked the target:%s", show(calls))
	}
	return list
}

// TestWhy explains every way of having or not having an account from the state and the log alone.
func TestWhy(t *testing.T) {
	guarded := func(s *job.Settings) {
		s.DeletionGuard = job.Guard{Enabled: true, Percent: 0, Threshold: 500, Floor: 1}
	}
	inFilter := func(anchor string, more ...any) *identity.Object {
		return user(anchor, append([]any{"department", "Sales"}, more...)...)
	}
	refuse := func(c memory.Call) error {
		if c.Op == connector.OpCreate && c.Object.Text("userName") == "bad@example.com" {
			return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeInvalidDomain, Detail: "domain not allowed"}
		}
		return nil
	}
	for _, c := range []struct {
		name    string
		prepare func(*world)
		key     string
		state   string
		account bool
		want    []string // beginnings of the sentences
	}{
		{"created", func(w *world) { w.source.Put(inFilter("ann")); w.run() }, "ann", "active", true,
			[]string{"Name ann (ann) has the account "}},
		{"found by a joining value", func(w *world) {
			w.target.Put(like("7", "ann"))
			w.source.Put(inFilter("ann", "title", "x"))
			w.run()
		}, "ANN@example.com", "active", true, []string{"Name ann (ann) has the account 7 in app, found by userName ann@example.com on 2026-04-01 12:00 UTC."}},
		{"out of the filter", func(w *world) { w.source.Put(user("ann", "department", "Ops")); w.run() }, "ann", "unlinked", false,
			[]string{`Name ann (ann) has no account in app: out of scope: department is "Ops", not EQUALS Sales (as of 2026-04-01 12:00 UTC).`}},
		{"left the filter", func(w *world) {
			w.target.Put(like("7", "ann"))
			w.source.Put(inFilter("ann"))
			w.run()
			w.source.Put(user("ann", "department", "Ops"))
			w.run()
		}, "7", "released", true, []string{`Name ann (ann) is not managed in app any more: the account 7 was disabled on 2026-04-01 12:00 UTC: out of scope: department is "Ops", not EQUALS Sales.`}},
		{"disabled in the source", func(w *world) {
			w.source.Put(inFilter("ann"))
			w.run()
			w.source.Put(disabled(inFilter("ann")))
			w.run()
		}, "ann", "disabled", true, []string{"Name ann (ann) has the account "}},
		{"deleted", func(w *world) {
			w.target.Put(like("7", "ann"))
			w.source.Put(inFilter("ann"))
			w.run()
			w.source.Put(inFilter("bob"))
			w.source.Remove(identity.User, "ann")
			w.run()
		}, "7", "unknown", false, []string{"Name ann (ann) has no account in app any more: the account 7 was deleted on 2026-04-01 12:00 UTC: no longer in the source."}},
		{"failing", func(w *world) {
			w.fail(refuse, nil)
			w.source.Put(inFilter("bad"))
			w.run()
			w.later(time.Hour)
		}, "bad", "unlinked", false, []string{"Name bad (bad) has no account in app, because making one fails.",
			"It failed once, the last time on 2026-04-01 12:00 UTC, with InvalidDomain: domain not allowed.",
			"It is tried again on 2026-04-01 18:00 UTC, or by `rollcall run`, and at once when the person changes in the source."}},
		{"held", func(w *world) {
			w.target.Put(like("7", "ann"))
			w.source.Put(inFilter("ann"), inFilter("bob"), inFilter("cec"))
			w.run()
			w.source.Put(user("ann", "department", "Ops"), user("bob", "department", "Ops"))
			w.run()
		}, "ann", "active", true, []string{"Name ann (ann) has the account 7 in app",
			"The account would be disabled, and the deletion guard has held that since 2026-04-01 12:00 UTC. The cause: out of scope: department is \"Ops\"",
			"It is done once it is allowed: rollcall deletes allow ", "The job is in quarantine since "}},
		{"a manager without an account", func(w *world) { w.source.Put(inFilter("ann", "manager", "boss")); w.run() }, "ann", "active", true,
			[]string{"Name ann (ann) has the account ", "manager is not complete: user boss has no account yet"}},
		{"a deleted link", func(w *world) {
			w.target.Put(like("7", "ann"))
			w.source.Put(inFilter("ann"))
			w.run()
			w.paused(true)
			if _, err := w.engine().Unlink(w.t.Context(), w.subject(), "ann", "", "admin"); err != nil {
				w.t.Fatal(err)
			}
		}, "ann", "unlinked", false, []string{"Name ann (ann) is not linked to an account in app: on 2026-04-01 12:00 UTC the link to the account was deleted by hand; the account was not touched (account 7).",
			"The job is paused, so nothing changes until it is started."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, setup{rules: filtered(inSales()), settings: guarded, noPredict: true})
			c.prepare(w)
			list := w.why(c.key, true)
			if len(list) != 1 {
				t.Fatalf("%d explanations", len(list))
			}
			x := list[0]
			if x.State != c.state || x.HasAccount != c.account || x.Incomplete {
				t.Errorf("state %s, account %v, incomplete %v", x.State, x.HasAccount, x.Incomplete)
			}
			if diff := cmp.Diff([]string{"state", "log"}, x.Basis); diff != "" {
				t.Errorf("basis (- want, + got):\n%s", diff)
			}
			if len(x.Answer) != len(c.want) {
				t.Fatalf("answer %q, want %d sentences", x.Answer, len(c.want))
			}
			for i, want := range c.want {
				if !strings.HasPrefix(x.Answer[i], want) {
					t.Errorf("sentence %d: %q, want %q", i, x.Answer[i], want)
				}
			}
			if len(x.Scope) == 0 && c.name != "deleted" {
				t.Error("no conditions of the scope")
			}
			if len(x.Records) == 0 {
				t.Error("no records of the log")
			}
		})
	}
}

// TestWhyReadsTheSourceWhereTheStateIsNotEnough, and says that it did.
func TestWhyReadsTheSourceWhereTheStateIsNotEnough(t *testing.T) {
	w := newWorld(t, setup{rules: filtered(inSales())})
	w.source.Put(user("ann", "department", "Ops", "mail", "ann@mail.example"))
	w.run()
	if _, err := w.db.Prune(t.Context(), w.now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	x := w.why("ann", true)[0]
	if !x.Incomplete || !strings.Contains(x.Answer[0], "the source could, and was not read") {
		t.Errorf("without the source: %+v", x)
	}
	for _, key := range []string{"ann", "ann@mail.example"} {
		x = w.why(key, false)[0]
		if x.Incomplete || !slices.Contains(x.Basis, engine.BasisSource) || !strings.Contains(x.Answer[0], `out of scope: department is "Ops", not EQUALS Sales`) {
			t.Errorf("with the source, by %s: %+v", key, x)
		}
		if want := (engine.ScopeLine{Name: "Sales department EQUALS Sales", Value: `False, the value is "Ops"`}); !slices.Contains(x.Scope, want) {
			t.Errorf("scope %v lacks %v", x.Scope, want)
		}
	}
	x = w.why("nobody", true)[0]
	if x.State != "unknown" || !x.Incomplete {
		t.Errorf("nobody, without the source: %+v", x)
	}
	x = w.why("nobody", false)[0]
	if x.State != "unknown" || x.Incomplete || len(x.Answer) != 2 || x.Rule != "" {
		t.Errorf("nobody: %+v", x)
	}
	w.source.Put(user("new", "department", "Sales"))
	x = w.why("new@example.com", false)[0]
	if !strings.Contains(x.Answer[0], `in scope; the next cycle looks for an account with userName "new@example.com"`) {
		t.Errorf("a newcomer: %+v", x)
	}
}

// TestWhyExplainsEveryoneWhomAKeyNames: two people with one e-mail address are two answers.
func TestWhyExplainsEveryoneWhomAKeyNames(t *testing.T) {
	w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule {
		rules[1].Attributes = append(rules[1].Attributes, mapping.Attribute{Target: "mail", Expression: "[mail]"})
		return rules
	}})
	w.source.Put(user("ann", "mail", "shared@x.example"), user("bob", "mail", "shared@x.example"))
	w.run()
	list := w.why("shared@x.example", true)
	if len(list) != 2 || list[0].Source.ID != "ann" || list[1].Source.ID != "bob" {
		t.Errorf("explanations %+v", list)
	}
	if list[0].State != "active" || w.linkOf("ann") != store.Active {
		t.Errorf("state %s", list[0].State)
	}
}
