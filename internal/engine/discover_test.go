package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
)

func (w *world) discover(rule string) engine.Discovery {
	w.t.Helper()
	before := w.everything()
	w.forgetCalls()
	d, err := w.engine().Discover(w.t.Context(), w.subject(), rule)
	if err != nil {
		w.t.Fatal(err)
	}
	if calls := w.writes(); len(calls) > 0 {
		w.t.Errorf("discovery wrote:%s", show(calls))
	}
	if diff := cmp.Diff(before, w.everything()); diff != "" {
		w.t.Errorf("discovery changed the state (- before, + after):\n%s", diff)
	}
	return d
}

func sorted(d engine.Discovery) (accounts, people map[string]string) {
	accounts, people = map[string]string{}, map[string]string{}
	for _, a := range d.Accounts {
		accounts[a.ID] = string(a.Category)
		if a.Source != nil {
			accounts[a.ID] += " " + a.Source.ID
		}
		if a.Linked {
			accounts[a.ID] += " linked"
		}
	}
	for _, p := range d.People {
		people[p.Source.ID] = p.Outcome
		for _, id := range p.Accounts {
			people[p.Source.ID] += " " + id
		}
	}
	return accounts, people
}

// TestDiscoverySortsAccountsAndPeople before a job goes live: engine.R161, R165.
func TestDiscoverySortsAccountsAndPeople(t *testing.T) {
	rules := func(rules []job.Rule) []job.Rule {
		rules = filtered(inSales())(rules)
		byNumberThenMail(&rules[1])
		return rules
	}
	w := newWorld(t, setup{rules: rules, caps: connector.Caps{PageSize: 2}})
	sales := func(anchor string, more ...any) *identity.Object {
		return user(anchor, append([]any{"department", "Sales"}, more...)...)
	}
	w.target.Put(existing("1", "local"), existing("2", "a", "employeeNumber", "2"), existing("3", "b", "mail", "bob@x"), existing("4", "c", "employeeNumber", "4"),
		existing("5", "d", "mail", "twice@x"), existing("6", "e", "mail", "twice@x"), existing("7", "f", "employeeNumber", "7"), existing("8", "g", "employeeNumber", "8"))
	w.source.Put(
		sales("ann", "number", "2"),
		sales("bob", "number", "none", "mail", "bob@x"),        // by the second priority
		user("ops", "department", "Ops", "number", "4"),        // out of scope
		sales("two", "mail", "twice@x"),                        // several accounts
		sales("t1", "number", "7"), sales("t2", "number", "7"), // several people for one account
		disabled(sales("leave", "number", "8")),
		sales("new", "number", "99"),
		sales("none"))
	d := w.discover("")
	accounts, people := sorted(d)
	wantAccounts := map[string]string{"1": "local", "2": "assigned ann", "3": "assigned bob", "4": "unassigned ops", "5": "assigned two", "6": "assigned two",
		"7": "assigned t1", "8": "unassigned leave"}
	if diff := cmp.Diff(wantAccounts, accounts); diff != "" {
		t.Errorf("accounts (- want, + got):\n%s", diff)
	}
	wantPeople := map[string]string{"ann": "match 2", "bob": "match 3", "two": "ambiguous 5 6", "t1": "match 7", "t2": "ambiguous 7", "leave": "skip", "new": "create", "none": "skip"}
	if diff := cmp.Diff(wantPeople, people); diff != "" {
		t.Errorf("people (- want, + got):\n%s", diff)
	}
	if diff := cmp.Diff(map[engine.Category]int{"local": 1, "unassigned": 2, "assigned": 5}, d.Counts); diff != "" {
		t.Errorf("counts (- want, + got):\n%s", diff)
	}
	if got := d.Accounts[1].Attributes["employeeNumber"]; got != "2" {
		t.Errorf("attributes %v", d.Accounts[1].Attributes)
	}
	if reason := d.Accounts[3].Reason; reason != `out of scope: department is "Ops", not EQUALS Sales` {
		t.Errorf("reason %q", reason)
	}
	// The report is what a first cycle then does.
	rep := w.run()
	if c := rep.Counts; c.Created != 1 || c.Failed != 2 {
		t.Errorf("counts of the first cycle: %+v", c)
	}
	accounts, people = sorted(w.discover("users"))
	if accounts["2"] != "assigned ann linked" || people["ann"] != "linked 2" || accounts["1"] != "local" || people["t2"] != "ambiguous 7" {
		t.Errorf("after the first cycle: %v, %v", accounts, people)
	}
}

// TestDiscoveryAsksWhetherCaseCounts: of a target that does not say so, the target itself is asked.
func TestDiscoveryAsksWhetherCaseCounts(t *testing.T) {
	w := newWorld(t, setup{rules: func(rules []job.Rule) []job.Rule { byNumberThenMail(&rules[1]); return rules }})
	w.target.Put(existing("1", "a", "mail", "Ann@X"), existing("2", "b", "mail", "bob@x"))
	w.source.Put(user("ann", "mail", "ann@x"), user("bob", "mail", "bob@x"))
	_, people := sorted(w.discover(""))
	if diff := cmp.Diff(map[string]string{"ann": "create", "bob": "match 2"}, people); diff != "" {
		t.Errorf("people (- want, + got):\n%s", diff)
	}
	if n := len(w.calls(connector.OpFind)); n != 1 {
		t.Errorf("%d queries, want 1", n)
	}
}

func TestDiscoveryNeedsAList(t *testing.T) { // engine.R162
	w := newWorld(t, setup{})
	s := w.subject()
	s.Target = struct{ connector.Target }{w.target}
	if _, err := w.engine().Discover(t.Context(), s, ""); !engine.IsJobFailure(err) {
		t.Errorf("error %v, want one that says that the target cannot list", err)
	}
}
