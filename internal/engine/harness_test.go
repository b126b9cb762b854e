package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

// world is one job with a source and a target in memory, a store in a file, and a clock that the test sets.
type world struct {
	t       testing.TB
	cfg     setup
	source  *memory.System
	target  *memory.System
	db      *sqlstore.Store
	scratch *sqlstore.Store // of plans
	store   engine.Store    // db, or what a test has put around it
	meter   *connector.Meter
	def     job.Job
	jobID   string
	holder  string
	earlier map[int64]job.Job // the job as its versions were saved, for those that can still be opened
	other   connector.Source  // in place of source; nil for none

	mu     sync.Mutex
	time   time.Time
	before func(memory.Call) error // fault hooks of the target
	after  func(memory.Call) error
	done   []memory.Call // calls of the target that took effect
}

// setup says what is special about a world. The zero value is a source without a change feed, scope all, and a target
// that takes references in creates.
type setup struct {
	feed      bool // the source tells changes
	caps      connector.Caps
	drops     bool                // the target leaves references out of creates
	settings  func(*job.Settings) // changes the defaults
	rules     func([]job.Rule) []job.Rule
	target    func(schema.Schema) schema.Schema // changes the target's schema
	slice     time.Duration
	now       func() time.Time                                          // instead of the world's own clock
	wrap      func(connector.Target, *connector.Meter) connector.Target // around the target; nil for none
	noPredict bool                                                      // the test breaks the target or the source, so a plan cannot know
	loose     bool                                                      // objects that are gone count otherwise than usual

	db, scratch *sqlstore.Store // to share between many worlds; nil for stores of its own
}

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

func attr(name string, more ...func(*schema.Attribute)) schema.Attribute {
	a := schema.Attribute{Name: name}
	for _, f := range more {
		f(&a)
	}
	return a
}

func unique(a *schema.Attribute)   { a.Unique, a.Filterable, a.FoldCase = true, true, true }
func findable(a *schema.Attribute) { a.Filterable = true }
func required(a *schema.Attribute) { a.Required = true }
func boolean(a *schema.Attribute)  { a.Type = schema.Boolean }
func many(a *schema.Attribute)     { a.MultiValued = true }
func to(k identity.Kind) func(*schema.Attribute) {
	return func(a *schema.Attribute) { a.Type, a.References = schema.Reference, k }
}

func sourceSchema() schema.Schema {
	return schema.Schema{
		{Kind: identity.User, Attributes: []schema.Attribute{attr("login"), attr("name"), attr("title"), attr("department"), attr("mail"),
			attr("number"), attr("tags", many), attr("manager", to(identity.User))}},
		{Kind: identity.Group, Attributes: []schema.Attribute{attr("name"), attr("kind"), attr("members", to(identity.User), many)}},
	}
}

func targetSchema() schema.Schema {
	return schema.Schema{
		{Kind: identity.User, Attributes: []schema.Attribute{attr("userName", unique, required), attr("displayName", func(a *schema.Attribute) { a.FoldCase = true }),
			attr("title"), attr("department"), attr("mail", findable), attr("employeeNumber", findable), attr("externalId", findable),
			attr("active", boolean), attr("tags", many), attr("manager", to(identity.User))}},
		{Kind: identity.Group, Attributes: []schema.Attribute{attr("displayName", unique, required), attr("externalId", findable), attr("members", to(identity.User), many)}},
	}
}

// userRule and groupRule are the rules of a usual SCIM job.
func userRule() job.Rule {
	return job.Rule{Name: "users", From: identity.User, To: identity.User, Enabled: true, Actions: job.Actions{Create: true, Update: true, Delete: true},
		Attributes: []mapping.Attribute{
			{Target: "userName", Expression: "[login]", Match: 1},
			{Target: "displayName", Expression: "[name]"},
			{Target: "title", Expression: "[title]"},
			{Target: "externalId", Expression: "[objectId]"},
			{Target: "active", Expression: "Not([IsSoftDeleted])"},
			{Target: "manager", Reference: "[manager]"},
		}}
}

func groupRule() job.Rule {
	return job.Rule{Name: "groups", From: identity.Group, To: identity.Group, Enabled: true, Actions: job.Actions{Create: true, Update: true, Delete: true},
		Attributes: []mapping.Attribute{
			{Target: "displayName", Expression: "[name]", Match: 1},
			{Target: "externalId", Expression: "[objectId]"},
			{Target: "members", Reference: "[members]"},
		}}
}

func newWorld(t testing.TB, cfg setup) *world {
	t.Helper()
	w := &world{t: t, cfg: cfg, meter: &connector.Meter{}, time: noon, holder: "first"}
	if cfg.caps.PageSize == 0 {
		cfg.caps.PageSize = 50
	}
	settings := job.Defaults()
	if cfg.settings != nil {
		cfg.settings(&settings)
	}
	rules := []job.Rule{groupRule(), userRule()} // users go first all the same
	if cfg.rules != nil {
		rules = cfg.rules(rules)
	}
	into := targetSchema()
	if cfg.target != nil {
		into = cfg.target(into)
	}
	w.def = job.Job{Name: "app", Settings: settings, Rules: rules}
	w.source = memory.New(memory.Config{Schema: sourceSchema()})
	uses, err := engine.Uses(w.def, into)
	if err != nil {
		t.Fatal(err)
	}
	w.target = memory.New(memory.Config{Schema: into, Uses: uses, Meter: w.meter, Caps: cfg.caps, DropsReferences: cfg.drops, Before: w.hookBefore, After: w.hookAfter})
	w.cfg.target = func(schema.Schema) schema.Schema { return into }

	if w.db, w.scratch = cfg.db, cfg.scratch; w.db == nil {
		w.db, w.scratch = openStore(t), openStore(t)
	}
	w.store = w.db
	w.jobID = uuid.NewString()
	if err := w.db.CreateJob(t.Context(), store.Job{ID: w.jobID, Name: "app " + w.jobID, Version: 1, InitialDue: true, Created: noon, Updated: noon}); err != nil {
		t.Fatal(err)
	}
	return w
}

// openStore opens a store like any other, but for the waiting for the disk.
func openStore(t testing.TB) *sqlstore.Store {
	t.Helper()
	return sqlstore.New(testbed.ScratchDatabase(t))
}

func (w *world) hookBefore(c memory.Call) error {
	w.mu.Lock()
	f := w.before
	w.mu.Unlock()
	if f != nil {
		return f(c)
	}
	return nil
}

func (w *world) hookAfter(c memory.Call) error {
	w.mu.Lock()
	w.done = append(w.done, c)
	f := w.after
	w.mu.Unlock()
	if f != nil {
		return f(c)
	}
	return nil
}

// fail sets the hooks that make calls of the target fail before or after they take effect; nil for none.
func (w *world) fail(before, after func(memory.Call) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, w.after = before, after
}

func (w *world) now() time.Time {
	if w.cfg.now != nil {
		return w.cfg.now()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(d)
}

// withoutFeed hides that the source knows what changed.
type withoutFeed struct{ connector.Source }

func (w *world) subject() engine.Subject {
	w.t.Helper()
	j, err := w.db.Job(context.WithoutCancel(w.t.Context()), w.jobID)
	if err != nil {
		w.t.Fatal(err)
	}
	s := engine.Subject{Job: j, Def: w.def, Source: withoutFeed{w.source}, Target: w.target, TargetSchema: w.cfg.target(nil), Meter: w.meter, SourceName: "people", TargetName: "app"}
	if w.cfg.wrap != nil {
		s.Target = w.cfg.wrap(s.Target, w.meter)
	}
	if w.cfg.feed {
		s.Source = w.source
	}
	if w.other != nil {
		s.Source = w.other
	}
	s.Earlier = func(_ context.Context, version int64) (engine.Subject, error) {
		def, ok := w.earlier[version]
		if !ok {
			return engine.Subject{}, errors.New("its template is gone")
		}
		old := s
		old.Def = def
		return old, nil
	}
	return s
}

func (w *world) engine() *engine.Engine {
	return engine.New(engine.Config{Store: w.store, Now: w.now, NewID: uuid.NewString, Holder: w.holder, Slice: w.cfg.slice, TempDir: w.t.TempDir(),
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
		Scratch: func(ctx context.Context, j store.Job) (engine.Scratch, func() error, error) {
			if err := w.scratch.DeleteJob(ctx, j.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, nil, err
			}
			return w.scratch, func() error { return nil }, w.scratch.CreateJob(ctx, j)
		}})
}

func (w *world) plan(opt engine.Options) engine.Report {
	w.t.Helper()
	rep, err := w.engine().Plan(w.t.Context(), w.subject(), opt)
	if err != nil {
		w.t.Fatalf("plan: %v", err)
	}
	return rep
}

// run runs a cycle that a person asked for, checks what must hold after every cycle, and returns the report. A plan
// made before must tell the same.
func (w *world) run() engine.RunReport { w.t.Helper(); return w.cycle(engine.Options{Manual: true}) }

func (w *world) cycle(opt engine.Options) engine.RunReport {
	w.t.Helper()
	var told engine.Report
	predict := !w.cfg.noPredict && !w.hooked()
	if predict {
		told = w.plan(opt)
	}
	was := w.state()
	w.forgetCalls()
	rep, err := w.engine().Run(w.t.Context(), w.subject(), opt)
	if err != nil {
		w.t.Fatalf("run: %v", err)
	}
	w.check(rep, was)
	if predict {
		w.compare(told, rep)
	}
	return rep
}

func (w *world) hooked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.before != nil || w.after != nil
}

func (w *world) forgetCalls() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = nil
}

// calls returns the calls that took effect since the last cycle began.
func (w *world) calls(ops ...connector.Operation) []memory.Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []memory.Call
	for _, c := range w.done {
		if slices.Contains(ops, c.Op) {
			out = append(out, c)
		}
	}
	return out
}

func (w *world) writes() []memory.Call {
	return w.calls(connector.OpCreate, connector.OpUpdate, connector.OpDelete)
}

// state returns what the store knows of source objects.
func (w *world) state() map[store.ObjectKey]store.Object {
	w.t.Helper()
	out := map[store.ObjectKey]store.Object{}
	for _, r := range w.def.Rules {
		for o, err := range w.db.Objects(w.t.Context(), w.jobID, r.Name) {
			if err != nil {
				w.t.Fatal(err)
			}
			out[o.ObjectKey] = o
		}
	}
	return out
}

func (w *world) records(cycle string) []store.LogRecord {
	w.t.Helper()
	recs, err := w.db.Records(w.t.Context(), store.LogQuery{JobID: w.jobID, CycleID: cycle, Ascending: true, Limit: 100000})
	if err != nil {
		w.t.Fatal(err)
	}
	return recs
}

// check holds a cycle to the invariants of design section 7.
func (w *world) check(rep engine.RunReport, was map[store.ObjectKey]store.Object) {
	w.t.Helper()
	owners := map[string]store.ObjectKey{}
	for key, o := range w.state() {
		if o.Target == "" {
			continue
		}
		if other, ok := owners[key.Rule+"/"+o.Target]; ok {
			w.t.Errorf("account %s is linked to both %v and %v (engine.R52)", o.Target, other, key)
		}
		owners[key.Rule+"/"+o.Target] = key
	}
	for _, kind := range []identity.Kind{identity.User, identity.Group} {
		accounts := map[string]string{}
		for _, o := range w.target.Objects(kind) {
			id := o.Text("externalId")
			if other, ok := accounts[id]; ok && id != "" {
				w.t.Errorf("source object %s has two accounts, %s and %s (I1)", id, other, o.Anchor)
			}
			accounts[id] = o.Anchor
		}
	}
	w.checkLog(rep)
	if rep.Cycle.State != store.Failed {
		w.checkCounts(rep, was)
	}
}

// checkLog holds the log against the writes of the cycle (I6).
func (w *world) checkLog(rep engine.RunReport) {
	w.t.Helper()
	written := map[string]bool{}
	for _, c := range w.writes() {
		kind, anchor := c.Kind, c.Anchor
		written[string(kind)+" "+anchor] = true
	}
	logged, succeeded := map[string]bool{}, map[string]bool{}
	for _, r := range w.records(rep.Cycle.ID) {
		kind := identity.User
		if r.Rule == "groups" {
			kind = identity.Group
		}
		key := string(kind) + " " + r.TargetID
		logged[key] = true
		if wrote := r.Status == "success" || r.Status == "warning"; wrote && r.Action != "other" && r.Action != "stageddelete" {
			succeeded[key] = true
		}
	}
	for key := range written {
		if !logged[key] {
			w.t.Errorf("%s was written without a log record (I6)", key)
		}
	}
	for key := range succeeded {
		if !written[key] {
			w.t.Errorf("the log says that %s was written, and it was not (I6)", key)
		}
	}
}

// checkCounts: each object counts once (design 6.1). Objects that a full read did not deliver count only when something
// is done or held about them.
func (w *world) checkCounts(rep engine.RunReport, was map[store.ObjectKey]store.Object) {
	w.t.Helper()
	c := rep.Counts
	sum := c.Created + c.Updated + c.Enabled + c.Disabled + c.Deleted + c.Staged + c.Unchanged + c.Skipped + c.Failed
	if w.cfg.feed {
		if sum < c.Imported {
			w.t.Errorf("counts %+v: the source delivered more than was dealt with", c)
		}
		return
	}
	there := map[store.ObjectKey]bool{}
	for _, r := range w.def.Rules {
		if !r.Enabled {
			continue
		}
		for _, o := range w.source.Objects(r.From) {
			there[store.ObjectKey{Rule: r.Name, Anchor: o.Anchor}] = true
		}
	}
	var left int64
	for key, o := range was {
		if there[key] {
			continue
		}
		rule := w.def.Rules[slices.IndexFunc(w.def.Rules, func(r job.Rule) bool { return r.Name == key.Rule })]
		if rule.Enabled && (o.State == store.Active || o.State == store.Disabled && rule.Actions.Delete) {
			left++
		}
	}
	if w.cfg.loose {
		return
	}
	if c.Imported != int64(len(there)) || sum != c.Imported+left {
		w.t.Errorf("counts %+v add up to %d; the source has %d objects, and %d were there before", c, sum, len(there), left)
	}
}

// compare holds a plan against the cycle that followed it (design section 2: a dry run is truthful).
func (w *world) compare(told engine.Report, rep engine.RunReport) {
	w.t.Helper()
	if diff := cmp.Diff(told.Counts, rep.Counts); diff != "" {
		w.t.Errorf("counts differ (- plan, + run):\n%s", diff)
	}
	if diff := cmp.Diff(told.Requests.ByMethod, rep.Requests.ByMethod, cmpopts.EquateEmpty()); diff != "" {
		w.t.Errorf("calls differ (- plan, + run):\n%s", diff)
	}
	if told.Held != rep.Held {
		w.t.Errorf("held: plan %q, run %q", told.Held, rep.Held)
	}
	planned, ran := map[string]bool{}, map[string]bool{}
	for _, ch := range told.Changes {
		action := string(ch.Action)
		switch action {
		case "none", "stagedDelete":
			continue
		case "enable":
			action = "update"
		}
		planned[ch.Rule+" "+ch.Source.ID+" "+action] = true
	}
	for _, r := range w.records(rep.Cycle.ID) {
		key := r.Rule + " " + r.SourceID + " " + r.Action
		created := planned[r.Rule+" "+r.SourceID+" create"] && r.Action == "update" // what could not go into the create
		if r.Action != "stageddelete" && !created && !(r.Action == "other" && r.ErrorCode == "RedundantExport") && !(r.Action == "other" && r.Status == "warning") {
			ran[key] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(planned)), slices.Sorted(maps.Keys(ran)), cmpopts.EquateEmpty()); diff != "" {
		w.t.Errorf("changes differ (- plan, + run):\n%s", diff)
	}
}

// steady runs one more cycle, which must not write anything (I4), and no more than look whether the target is there (P2).
func (w *world) steady() {
	w.t.Helper()
	rep := w.run()
	if calls := w.writes(); len(calls) > 0 {
		w.t.Errorf("the next cycle wrote although nothing had changed (I4): %s", show(calls))
	}
	if rep.Requests.Total > 2 {
		w.t.Errorf("a cycle without a change took %d calls: %v (P2)", rep.Requests.Total, rep.Requests.ByMethod)
	}
}

func show(calls []memory.Call) string {
	var b strings.Builder
	for _, c := range calls {
		fmt.Fprintf(&b, "\n  %s %s %s", c.Op, c.Kind, c.Anchor)
		if c.Object != nil {
			fmt.Fprintf(&b, " %v", c.Object.Attrs)
		}
		for _, ch := range c.Change {
			fmt.Fprintf(&b, " [%s %s %v -> %v]", ch.Op, ch.Attr, ch.Old, ch.New)
		}
	}
	return b.String()
}
