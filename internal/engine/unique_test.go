package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scope"
	"github.com/rollcall-id/rollcall/internal/store"
)

// uniqueNames is the rule of users joined by externalId, whose userName is chosen: the title, then the department, then
// both (expressions O-19).
const uniqueNames = `SelectUniqueValue([title], [department], Join("", [title], [department]))`

func chosen(r *job.Rule) {
	r.Attributes = []mapping.Attribute{
		{Target: "externalId", Expression: "[objectId]", Match: 1},
		{Target: "userName", Expression: uniqueNames, Apply: mapping.OnCreate},
		{Target: "displayName", Expression: "[name]"},
		{Target: "active", Expression: "Not([IsSoftDeleted])"},
	}
}

// named makes a person with candidates.
func named(anchor, first, second string) *identity.Object {
	return user(anchor, "title", first, "department", second)
}

// names are the userNames in the target by external id.
func (w *world) names() map[string]string {
	out := map[string]string{}
	for _, o := range w.target.Objects(identity.User) {
		out[o.Text("externalId")] = o.Text("userName")
	}
	return out
}

func wantNames(t *testing.T, w *world, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, w.names()); diff != "" {
		t.Errorf("userName by external id (- want, + got):\n%s", diff)
	}
}

func TestUniqueValues(t *testing.T) { // expressions O-19; run compares each cycle with a plan made before
	tests := []struct {
		name     string
		accounts []*identity.Object
		people   []*identity.Object
		want     map[string]string
		counts   store.Counts
		finds    int // by query; 0 when the accounts are listed
	}{
		{"the first candidate is taken when it is free", nil,
			[]*identity.Object{named("ann", "jo", "jo2")},
			map[string]string{"ann": "jo"}, store.Counts{Created: 1}, 2},
		{"two people of one name in one cycle get two values", nil,
			[]*identity.Object{named("ann", "jo", "jo2"), named("bob", "jo", "jo2")},
			map[string]string{"ann": "jo", "bob": "jo2"}, store.Counts{Created: 2}, 4},
		{"letter case does not tell values apart where the target ignores it", nil,
			[]*identity.Object{named("ann", "jo", "jo2"), named("bob", "JO", "jo2")},
			map[string]string{"ann": "jo", "bob": "jo2"}, store.Counts{Created: 2}, 5},
		{"a value that an account made by hand has is taken", []*identity.Object{existing("7", "JO", "externalId", "hand")},
			[]*identity.Object{named("ann", "jo", "jo2")},
			map[string]string{"ann": "jo2", "hand": "JO"}, store.Counts{Created: 1}, 3},
		{"an account that is matched keeps what it has", []*identity.Object{existing("7", "annie", "externalId", "ann", "displayName", "Name ann", "active", true)},
			[]*identity.Object{named("ann", "jo", "jo2")},
			map[string]string{"ann": "annie"}, store.Counts{Unchanged: 1}, 1},
		{"Null and empty candidates are passed over", nil,
			[]*identity.Object{named("ann", "", "jo2")},
			map[string]string{"ann": "jo2"}, store.Counts{Created: 1}, 2},
		{"who finds every candidate taken fails alone",
			[]*identity.Object{existing("7", "jo", "externalId", "h1"), existing("8", "jo2", "externalId", "h2"), existing("9", "jojo2", "externalId", "h3")},
			[]*identity.Object{named("ann", "jo", "jo2"), named("bob", "bo", "bo2")},
			map[string]string{"h1": "jo", "h2": "jo2", "h3": "jojo2", "bob": "bo"}, store.Counts{Created: 1, Failed: 1}, 6},
		{"a required attribute without any candidate is missing, engine.R62", nil,
			[]*identity.Object{named("ann", "", "")},
			map[string]string{}, store.Counts{Failed: 1}, 1},
	}
	for _, tt := range tests {
		for page, how := range map[int]string{1: "by query", 100: "by index"} {
			t.Run(tt.name+", "+how, func(t *testing.T) {
				caps := connector.Caps{PageSize: page}
				w := newWorld(t, setup{rules: usersOnly(chosen), caps: caps})
				w.target.Put(tt.accounts...)
				if page == 1 { // far more accounts than queries
					for i := range 20 {
						w.target.Put(existing(fmt.Sprint("s", i), fmt.Sprint("stranger", i), "externalId", fmt.Sprint("s", i)))
					}
					if _, err := w.db.UpdateJob(t.Context(), w.jobID, func(j *store.Job) error { j.LastTotal = map[string]int64{"User": 20}; return nil }); err != nil {
						t.Fatal(err)
					}
				}
				w.source.Put(tt.people...)
				rep := w.run()
				want(t, rep, tt.counts)
				got := w.names()
				for i := range 20 {
					delete(got, fmt.Sprint("s", i))
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("userName by external id (- want, + got):\n%s", diff)
				}
				finds, lists := len(w.calls(connector.OpFind)), len(w.calls(connector.OpList))
				if page == 1 && (finds != tt.finds || lists > 0) || page == 100 && len(tt.people) > 1 && (finds > 0 || lists != 1) {
					t.Errorf("%d queries and %d pages, want %d queries", finds, lists, tt.finds)
				}
				if tt.counts.Failed == 0 {
					w.steady()
				}
			})
		}
	}
}

func TestNoFreeCandidateIsTriedAgain(t *testing.T) { // expressions section 9, notUnique; section 7
	w := newWorld(t, setup{rules: usersOnly(chosen)})
	w.target.Put(existing("7", "jo", "externalId", "hand"), existing("8", "jo2", "externalId", "hand2"), existing("9", "jojo2", "externalId", "hand3"))
	w.source.Put(named("ann", "jo", "jo2"))
	rep := w.run()
	want(t, rep, store.Counts{Failed: 1})
	if got := w.codeOf(rep, "ann"); got != "other failure notUnique" {
		t.Errorf("record: %s", got)
	}
	es := w.escrows()
	if len(es) != 1 || !strings.Contains(es[0].Reason, "userName") || !strings.Contains(es[0].Reason, "every one of the 3 candidates is taken") {
		t.Errorf("stored failures: %+v", es)
	}
	w.target.Remove(identity.User, "8")
	want(t, w.run(), store.Counts{Created: 1})
	if got := w.names()["ann"]; got != "jo2" {
		t.Errorf("ann is %q", got)
	}
	w.steady()
}

func TestChosenValuesAreKept(t *testing.T) { // SelectUniqueValue applies on create only
	w := newWorld(t, setup{rules: usersOnly(chosen)})
	w.source.Put(named("ann", "jo", "jo2"), named("bob", "jo", "jo2"))
	w.run()
	wantNames(t, w, map[string]string{"ann": "jo", "bob": "jo2"})
	w.steady()

	// What the value was made of changes, and the first candidate becomes free: nothing is asked or written.
	w.target.Remove(identity.User, w.anchorOf(identity.User, "ann"))
	w.source.Remove(identity.User, "ann")
	w.run()
	w.source.Put(named("bob", "other", "jo"))
	rep := w.run()
	want(t, rep, store.Counts{Unchanged: 1})
	if rep.Requests.Total != 1 {
		t.Errorf("%d calls %v, want the probe alone", rep.Requests.Total, rep.Requests.ByMethod)
	}
	if got := w.cycleInitial(); len(got) > 0 {
		t.Errorf("an initial cycle wrote: %s", show(got))
	}
	wantNames(t, w, map[string]string{"bob": "jo2"})

	// Who leaves and comes back has the same account and the same value.
	w.source.Put(disabled(named("bob", "other", "jo")))
	w.run()
	w.source.Put(named("bob", "other", "jo"))
	want(t, w.run(), store.Counts{Enabled: 1})
	wantNames(t, w, map[string]string{"bob": "jo2"})
}

func TestSeveralAttributesAreChosen(t *testing.T) {
	w := newWorld(t, setup{rules: usersOnly(func(r *job.Rule) {
		chosen(r)
		r.Attributes = append(r.Attributes, mapping.Attribute{Target: "mail", Expression: `SelectUniqueValue(Join("", [title], "@x"), Join("", [department], "@x"))`, Apply: mapping.OnCreate})
	})})
	w.target.Put(existing("7", "other", "externalId", "hand", "mail", "jo@x"))
	w.source.Put(named("ann", "jo", "jo2"), named("bob", "jo", "jo2"))
	rep := w.run()
	want(t, rep, store.Counts{Created: 1, Failed: 1})
	if got := w.account(identity.User, "ann"); got["userName"] != "jo" || got["mail"] != "jo2@x" {
		t.Errorf("ann: %v", got)
	}
	if got := w.codeOf(rep, "bob"); got != "other failure notUnique" {
		t.Errorf("record of bob: %s", got)
	}
}

func TestPromisesHoldAcrossBlocksOfWork(t *testing.T) { // design D13: a cycle decides in blocks
	w := newWorld(t, setup{rules: usersOnly(func(r *job.Rule) {
		chosen(r)
		r.Attributes[1].Expression = `SelectUniqueValue("same", [title])`
	}), caps: connector.Caps{Concurrency: 4, PageSize: 1000}})
	const people = 600
	for i := range people {
		w.source.Put(named(num("p", i), num("n", i), ""))
	}
	want(t, w.run(), store.Counts{Created: people})
	names := w.names()
	if names["p0000"] != "same" || names["p0599"] != "n0599" {
		t.Errorf("p0000 is %q, p0599 is %q", names["p0000"], names["p0599"])
	}
	w.steady()
}

// TestUniqueValuesKilledAtEveryWrite kills the process at every write of its state: who was promised a value gets it,
// and nobody gets an account twice (design D13).
func TestUniqueValuesKilledAtEveryWrite(t *testing.T) {
	cfg := setup{rules: usersOnly(chosen), noPredict: true, caps: connector.Caps{Concurrency: 2, PageSize: 2}}
	fill := func(w *world) {
		w.target.Put(existing("7", "jo", "externalId", "hand"))
		w.source.Put(named("ann", "jo", "jo2"), named("bob", "jo", "jo2"), named("cec", "ce", "ce2"), named("dan", "ce", "ce2"))
	}
	calm := newWorld(t, cfg)
	fill(calm)
	calm.run()
	final := calm.names()
	if diff := cmp.Diff(map[string]string{"hand": "jo", "ann": "jo2", "bob": "jojo2", "cec": "ce", "dan": "ce2"}, final); diff != "" {
		t.Fatalf("undisturbed (- want, + got):\n%s", diff)
	}
	for n, alive := 0, false; !alive; n++ {
		w := newWorld(t, cfg)
		fill(w)
		_, alive = w.killed(n)
		if diff := cmp.Diff(final, w.names()); diff != "" {
			t.Fatalf("killed after %d writes (- want, + got):\n%s", n, diff)
		}
		w.onceEach(fmt.Sprintf("killed after %d writes", n))
		w.steady()
	}
}

// TestUniqueValuesWithinASmallAllowance: a target that lets few calls through a minute is asked each question once; what
// was learnt before a pause is not lost in it (design D2, D13).
func TestUniqueValuesWithinASmallAllowance(t *testing.T) {
	db, scratch := openStore(t), openStore(t) // outside of the bubble
	synctest.Test(t, func(t *testing.T) {
		const people, perMinute = 20, 7
		w := newWorld(t, setup{db: db, scratch: scratch, now: time.Now, rules: usersOnly(chosen), noPredict: true, caps: connector.Caps{Concurrency: 3, PageSize: 1}})
		for i := range 3 * people { // more than there are questions, so that the accounts are not listed
			w.target.Put(existing(fmt.Sprint("s", i), fmt.Sprint("stranger", i), "externalId", fmt.Sprint("s", i)))
		}
		if _, err := w.db.UpdateJob(t.Context(), w.jobID, func(j *store.Job) error { j.LastTotal = map[string]int64{"User": 3 * people}; return nil }); err != nil {
			t.Fatal(err)
		}
		for i := range people {
			w.source.Put(named(num("p", i), fmt.Sprint("stranger", i), num("n", i)))
		}
		var mu sync.Mutex
		var window []time.Time
		w.fail(func(c memory.Call) error {
			mu.Lock()
			defer mu.Unlock()
			window = slices.DeleteFunc(window, func(at time.Time) bool { return time.Since(at) >= time.Minute })
			if c.Op == connector.OpFind && len(window) >= perMinute {
				return &connector.Error{Kind: connector.KindRateLimited, NotSent: true, RetryAfter: time.Minute - time.Since(window[0])}
			}
			window = append(window, time.Now())
			return nil
		}, nil)
		want(t, w.run(), store.Counts{Created: people})
		names := w.names()
		for i := range people {
			if got := names[num("p", i)]; got != num("n", i) {
				t.Errorf("%s is %q", num("p", i), got)
			}
		}
		if n := len(w.calls(connector.OpFind)); n != 3*people {
			t.Errorf("%d queries, want one for the joining value and two candidates each: %d", n, 3*people)
		}
	})
}

func TestAValueThatIsTakenBeforeTheCreate(t *testing.T) { // engine.R89: the next candidate is tried once
	// refuseFirst lets somebody else take values right before the first create of ann.
	run := func(t *testing.T, take ...string) (*world, engine.RunReport) {
		w := newWorld(t, setup{rules: usersOnly(chosen), noPredict: true})
		w.source.Put(named("ann", "jo", "jo2"), named("bob", "jo2", "b"))
		done := false
		w.fail(func(c memory.Call) error {
			if c.Op == connector.OpCreate && c.Object.Text("externalId") == "ann" && !done {
				done = true
				for i, name := range take {
					w.target.Put(existing(fmt.Sprint("9", i), name, "externalId", "thief "+name))
				}
			}
			return nil
		}, nil)
		return w, w.run()
	}
	t.Run("the next one that is free", func(t *testing.T) {
		w, rep := run(t, "jo")
		want(t, rep, store.Counts{Created: 2})
		wantNames(t, w, map[string]string{"thief jo": "jo", "ann": "jojo2", "bob": "jo2"}) // jo2 is promised to bob
		w.fail(nil, nil)
		w.steady()
	})
	t.Run("none is left", func(t *testing.T) {
		w, rep := run(t, "jo", "jojo2")
		want(t, rep, store.Counts{Created: 1, Failed: 1})
		if got := w.codeOf(rep, "ann"); got != "create failure notUnique" {
			t.Errorf("record: %s", got)
		}
	})
}

func TestARefusalThatNoValueExplains(t *testing.T) { // a target may keep values that it does not show, as in a recycle bin
	w := newWorld(t, setup{rules: usersOnly(chosen), noPredict: true})
	w.source.Put(named("ann", "jo", "jo2"))
	sent := 0
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpCreate {
			if sent++; c.Object.Text("userName") == "jo" {
				return &connector.Error{Kind: connector.KindConflict, Code: connector.CodeConflict}
			}
		}
		return nil
	}, nil)
	want(t, w.run(), store.Counts{Created: 1})
	wantNames(t, w, map[string]string{"ann": "jo2"})
	if sent != 2 {
		t.Errorf("%d creates were sent, want 2", sent)
	}

	w.source.Put(named("bob", "x", "y"))
	sent = 0
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpCreate {
			sent++
			return &connector.Error{Kind: connector.KindConflict, Code: connector.CodeConflict}
		}
		return nil
	}, nil)
	rep := w.run()
	if got := w.codeOf(rep, "bob"); got != "create failure EntryConflict" || sent != 2 {
		t.Errorf("record %s after %d creates, want a conflict after 2", got, sent)
	}
}

func TestARefusedCreateAfterALostAnswerIsNotMadeAnew(t *testing.T) { // I1: the account that has the value may be its own
	w := newWorld(t, setup{rules: usersOnly(chosen), noPredict: true})
	w.source.Put(named("ann", "jo", "jo2"))
	creates := 0
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpCreate {
			if creates++; creates == 2 { // the target shows the account of the first one late
				w.target.Put(existing("1", "jo", "externalId", "ann", "displayName", "Name ann", "active", true))
			}
		}
		return nil
	}, func(c memory.Call) error {
		if c.Op == connector.OpCreate {
			w.target.Remove(identity.User, c.Anchor)
			return &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeTimeout, MaybeDone: true}
		}
		return nil
	})
	if _, err := w.engine().Run(t.Context(), w.subject(), engine.Options{Manual: true}); err != nil {
		t.Fatal(err)
	}
	if creates != 2 {
		t.Errorf("%d creates, want 2", creates)
	}
	w.fail(nil, nil)
	want(t, w.run(), store.Counts{Unchanged: 1})
	wantNames(t, w, map[string]string{"ann": "jo"})
}

func TestAnAccountMadeAnewKeepsItsValue(t *testing.T) { // engine.R56 with rematch
	for _, thief := range []bool{false, true} {
		w := newWorld(t, setup{rules: usersOnly(chosen), noPredict: true, settings: func(s *job.Settings) { s.OnMissingTarget = job.MissingRematch }})
		w.target.Put(existing("7", "jo", "externalId", "hand"))
		w.source.Put(named("ann", "jo", "jo2"))
		w.run()
		wantNames(t, w, map[string]string{"hand": "jo", "ann": "jo2"})
		w.target.Remove(identity.User, w.anchorOf(identity.User, "ann"))
		w.target.Remove(identity.User, "7") // so that the first candidate would be free
		expect := map[string]string{"ann": "jo2"}
		if thief {
			w.target.Put(existing("8", "jo2", "externalId", "thief"))
			expect = map[string]string{"thief": "jo2", "ann": "jo"}
		}
		changed := named("ann", "jo", "jo2")
		changed.Attrs.Set("name", "Another")
		w.source.Put(changed)
		want(t, w.run(), store.Counts{Created: 1})
		wantNames(t, w, expect)
		w.steady()
	}
}

func TestATargetThatCannotLookUpTheAttribute(t *testing.T) { // engine.R102: whoever needs no value is not held up
	w := newWorld(t, setup{rules: usersOnly(chosen), noPredict: true})
	w.source.Put(named("ann", "jo", "jo2"))
	w.target.Put(existing("7", "bo", "externalId", "bob"))
	w.source.Put(named("bob", "jo", "jo2"))
	w.fail(func(c memory.Call) error {
		if c.Op == connector.OpFind && c.Attr == "userName" {
			return &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeUnprocessable, Detail: "userName cannot be filtered on"}
		}
		return nil
	}, nil)
	if _, err := w.db.UpdateJob(t.Context(), w.jobID, func(j *store.Job) error { j.LastTotal = map[string]int64{"User": 1000}; return nil }); err != nil {
		t.Fatal(err)
	}
	rep := w.run()
	want(t, rep, store.Counts{Updated: 1, Failed: 1})
	es := w.escrows()
	if len(es) != 1 || es[0].Code != connector.CodeUnprocessable ||
		es[0].Reason != "which values of userName are taken could not be found out, which SelectUniqueValue needs: userName cannot be filtered on" {
		t.Errorf("stored failures: %+v", es)
	}
}

func TestRandomCandidates(t *testing.T) { // the hint of notUnique: a candidate that is random
	w := newWorld(t, setup{rules: usersOnly(func(r *job.Rule) {
		chosen(r)
		r.Attributes[1].Expression = `SelectUniqueValue([title], Join("", [title], RandomString(6, 6, 0, 0, 0, "")))`
	})})
	w.source.Put(named("ann", "jo", ""), named("bob", "jo", ""))
	want(t, w.run(), store.Counts{Created: 2})
	names := w.names()
	if names["ann"] != "jo" || len(names["bob"]) != len("jo")+6 || !strings.HasPrefix(names["bob"], "jo") {
		t.Errorf("names: %v", names)
	}
	w.steady()
}

func TestValuesOfOtherTypesAreChosen(t *testing.T) {
	w := newWorld(t, setup{rules: usersOnly(func(r *job.Rule) {
		chosen(r)
		r.Attributes[1] = mapping.Attribute{Target: "userName", Expression: "[login]"}
		r.Attributes = append(r.Attributes, mapping.Attribute{Target: "badge", Expression: `SelectUniqueValue("7", "8", "x")`, Apply: mapping.OnCreate})
	}), target: func(s schema.Schema) schema.Schema {
		s[0].Attributes = append(s[0].Attributes, attr("badge", findable, func(a *schema.Attribute) { a.Type = schema.Integer }))
		return s
	}})
	w.source.Put(user("ann"), user("bob"), user("cec"))
	rep := w.run()
	want(t, rep, store.Counts{Created: 2, Failed: 1})
	if a, b := w.account(identity.User, "ann")["badge"], w.account(identity.User, "bob")["badge"]; a != int64(7) || b != int64(8) {
		t.Errorf("badges %v and %v", a, b)
	}
	if got := w.codeOf(rep, "cec"); got != "other failure UnprocessableEntity" { // its candidate is no integer
		t.Errorf("record of cec: %s", got)
	}
}

func TestDiscoveryForetellsWhoseValuesAreChosen(t *testing.T) { // engine.R161
	w := newWorld(t, setup{rules: usersOnly(func(r *job.Rule) {
		chosen(r)
		r.Filter.InputFilterGroups = []scope.Group{{Clauses: []scope.Clause{{Attribute: "login", Operator: "NOT EQUALS", Values: []string{"cec@example.com"}}}}}
	})})
	w.target.Put(existing("7", "annie", "externalId", "ann"))
	w.source.Put(named("ann", "jo", "jo2"), named("bob", "jo", "jo2"), named("cec", "jo", "jo2"), named("dan", "", ""))
	accounts, people := sorted(w.discover("users"))
	if diff := cmp.Diff(map[string]string{"7": "assigned ann"}, accounts); diff != "" {
		t.Errorf("accounts (- want, + got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"ann": "match 7", "bob": "create", "dan": "fail"}, people); diff != "" { // cec is passed over
		t.Errorf("people (- want, + got):\n%s", diff)
	}
}
