package sim

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sim/model"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

// story is one that everybody tells of a system like this: what happens, step by step, and what the target shows after
// each. After every step the model must be content as well.
type story struct {
	name  string
	start character
	steps []step
}

// step is what happens before a cycle, how that cycle fares, and who has a usable account after it.
type step struct {
	do     func(w *world)
	script script
	usable []string // keys of people
	held   bool     // something is held, so the target is not yet what the source asks for
	undo   bool     // the cycle takes the last one back: all accounts are as they were before that
	resume bool     // somebody starts the job before, which the undo has paused
}

// someone is a person of Sales, as they are in all stories.
func someone(key string, change ...func(o *identity.Object)) *identity.Object {
	o := &identity.Object{Kind: identity.User, Anchor: key, Assignment: &identity.Assignment{Assigned: true},
		Attrs: identity.Attrs{{Name: "login", Value: key + "@example.com"}, {Name: "name", Value: "Name " + key}, {Name: "department", Value: "Sales"}}}
	for _, f := range change {
		f(o)
	}
	return o
}

func with(name string, v any) func(o *identity.Object) {
	return func(o *identity.Object) { o.Attrs.Set(name, v) }
}

func teamOf(key string, members ...string) *identity.Object {
	o := &identity.Object{Kind: identity.Group, Anchor: key, Assignment: &identity.Assignment{Assigned: true}, Attrs: identity.Attrs{{Name: "name", Value: "Team " + key}}}
	var list []identity.Ref
	for _, m := range members {
		list = append(list, identity.Ref{Kind: identity.User, Anchor: m})
	}
	o.Attrs.Set("members", listOf(list))
	return o
}

func puts(objects ...*identity.Object) func(w *world) {
	return func(w *world) { w.source.Put(objects...) }
}

func leaves(keys ...string) func(w *world) {
	return func(w *world) {
		for _, k := range keys {
			w.source.Remove(identity.User, k)
		}
	}
}

// stories are those that everybody tells.
func stories() []story {
	usual := character{caps: connector.Caps{PageSize: 100, Concurrency: 1, ReferencesInCreate: true}, rules: model.Rules{Department: "Sales", DeletePeople: true, DeleteTeams: true,
		Guard: model.Guard{On: true, Threshold: 500, Percent: 20, Floor: 5}, MemberGuard: model.Guard{On: true, Threshold: 5000, Percent: 20, Floor: 50}}}
	boss := with("manager", identity.Ref{Kind: identity.User, Anchor: "a"})
	first := step{do: puts(someone("a"), someone("b", boss), someone("c", boss), teamOf("g", "a", "b")), usable: []string{"a", "b", "c"}}
	var many []*identity.Object
	var keys []string
	for _, k := range "abcdefghijkl" {
		many, keys = append(many, someone(string(k))), append(keys, string(k))
	}
	crowd := step{do: puts(many...), usable: keys}
	return []story{
		{"joiner", usual, []step{first, {do: puts(someone("d", boss), teamOf("g", "a", "b", "d")), usable: []string{"a", "b", "c", "d"}}}},
		{"mover", usual, []step{first, {do: puts(someone("b", boss, with("title", "Chief")), someone("c", with("manager", identity.Ref{Kind: identity.User, Anchor: "b"}))), usable: []string{"a", "b", "c"}}}},
		{"leaver", usual, []step{first, {do: leaves("c"), usable: []string{"a", "b"}}}},
		{"rehire", usual, []step{first, {do: leaves("a"), usable: []string{"b", "c"}}, {do: puts(someone("a")), usable: []string{"a", "b", "c"}}}},
		{"rename", usual, []step{first, {do: puts(someone("b", boss, with("login", "bea@example.com"), with("name", "Bea"))), usable: []string{"a", "b", "c"}}}},
		{"merge", usual, []step{first, {do: func(w *world) {
			leaves("c")(w)
			puts(someone("b", boss, with("login", "c@example.com")))(w)
		}, usable: []string{"a", "b"}}}},
		{"split", usual, []step{first, {do: puts(someone("b", boss, with("login", "b1@example.com")), someone("b2", boss, with("login", "b@example.com"))), usable: []string{"a", "b", "c"}, held: true},
			{usable: []string{"a", "b", "b2", "c"}}}}, // the name is free once the first has another
		{"source outage", usual, []step{first,
			{do: leaves("c"), script: script{source: sourceBroken}, usable: []string{"a", "b", "c"}, held: true},
			{script: script{source: sourceEmpty}, usable: []string{"a", "b", "c"}, held: true},
			{usable: []string{"a", "b"}}}},
		{"target outage", usual, []step{first,
			{do: puts(someone("d")), script: script{weather: weather{downFrom: 2}}, usable: []string{"a", "b", "c"}, held: true},
			{usable: []string{"a", "b", "c", "d"}}}},
		{"scope change", usual, []step{first,
			{do: puts(someone("c", boss, with("department", "Ops"))), usable: []string{"a", "b"}},
			{do: puts(someone("c", boss)), usable: []string{"a", "b", "c"}},
			{do: func(w *world) {
				r := w.rules
				r.Department = "Ops"
				if err := w.save(r); err != nil {
					w.wrong(err.Error())
				}
				w.source.Put(someone("a", with("department", "Ops")))
			}, usable: []string{"a"}}}},
		{"mass leave, held and released", usual, []step{crowd,
			{do: leaves("c", "d", "e", "f", "g", "h"), usable: keys, held: true},
			{usable: keys, held: true},
			{do: func(w *world) {
				if err := w.allow(); err != nil {
					w.wrong(err.Error())
				}
			}, usable: []string{"a", "b", "i", "j", "k", "l"}}}},
		{"undo", usual, []step{first,
			{do: func(w *world) { // a bad export: names and logins are mixed up, somebody is missing, somebody is new
				puts(someone("b", with("login", "c1@example.com"), with("name", "Name c"), with("title", "Chief")),
					someone("c", boss, func(o *identity.Object) { o.Disabled = true }), someone("x"), teamOf("g", "x", "c"))(w)
			}, usable: []string{"a", "b", "x"}, held: true},
			{undo: true, usable: []string{"a", "b", "c"}, held: true},
			{resume: true, do: func(w *world) { // the source is mended
				leaves("x")(w)
				puts(someone("b", boss), someone("c", boss), teamOf("g", "a", "b"))(w)
			}, usable: []string{"a", "b", "c"}}}},
	}
}

// TestStories tells each story over SQLite and over PostgreSQL.
func TestStories(t *testing.T) {
	for _, database := range []struct {
		name string
		open func(t *testing.T) *sqlstore.Store
	}{
		{"SQLite", func(t *testing.T) *sqlstore.Store { return openStore(t) }},
		{"PostgreSQL", openPostgres},
	} {
		t.Run(database.name, func(t *testing.T) {
			db := database.open(t)
			for i, s := range stories() {
				t.Run(s.name, func(t *testing.T) { s.tell(t, uint64(i+1), db) })
			}
		})
	}
}

func openPostgres(t *testing.T) *sqlstore.Store {
	t.Helper()
	return sqlstore.New(testbed.PostgresDatabase(t))
}

func (s story) tell(t *testing.T, seed uint64, db *sqlstore.Store) {
	w, err := newWorld(context.WithoutCancel(t.Context()), s.start, seed, db, newTally())
	if err != nil {
		t.Fatal(err)
	}
	var before map[model.Key]model.Account // the last cycle
	for i, st := range s.steps {
		if st.do != nil {
			st.do(w)
		}
		if st.resume {
			if _, err := engine.New(engine.Config{Store: db, Now: time.Now}).Start(w.ctx, w.jobID); err != nil {
				t.Fatal(err)
			}
		}
		st.script.manual, st.script.slice = true, 30*time.Second
		if w.model.Undo(st.undo); st.undo {
			st.script.undo = w.cycleID
		}
		was := w.accounts()
		if _, err := w.cycle(st.script); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, w.accounts(), cmp.AllowUnexported(model.Account{})); st.undo && diff != "" {
			w.wrong("accounts after the undo (- before the cycle, + now):\n" + diff)
		}
		before = was
		if got := w.usable(); !slices.Equal(got, st.usable) {
			w.wrong("usable accounts: " + join(got) + ", want " + join(st.usable))
		}
		if people, teams := w.truth(); !st.held {
			if _, err := w.cycle(st.script); err != nil { // references to accounts that were made anew, and that nothing else is written
				t.Fatal(err)
			}
			w.wrong(w.model.Expect(people, teams)...)
		}
		if w.failed() {
			t.Fatalf("step %d: %s\n%s", i+1, w.problem, join(w.history))
		}
	}
}

func join(list []string) string {
	text := ""
	for _, s := range list {
		text += " " + s + "\n"
	}
	return text
}

// usable are the people whose account could sign in.
func (w *world) usable() []string {
	var out []string
	for _, o := range w.target.Objects(identity.User) {
		if on, _ := o.Get("active"); on == any(true) {
			out = append(out, o.Text("externalId"))
		}
	}
	slices.Sort(out)
	return out
}

// cycle runs one process, without waiting for anything.
func (w *world) cycle(s script) (ended bool, err error) {
	w.model.Save(w.rules)
	_, err = w.process(s).run()
	if tellErr := w.tellAllowed(); tellErr != nil {
		return false, tellErr
	}
	return err == nil, w.unexpected(err)
}
