package sim

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scope"
	"github.com/rollcall-id/rollcall/internal/sim/model"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
)

// character is what does not change in the life of a seed: what the two ends can do, and the settings of the job.
type character struct {
	feed   bool // the source tells changes; otherwise it is read whole, as a file is
	people int  // at the start
	teams  int
	caps   connector.Caps
	drops  bool // the target leaves references out of creates
	rules  model.Rules

	keepsVersions bool // a cycle that was interrupted before a save goes on with the job as it was
}

// draw makes the character of a seed.
func draw(r *rand.Rand, concurrency int) character {
	c := character{feed: flip(r, 50), people: 4 + r.IntN(28), teams: 1 + r.IntN(5), drops: flip(r, 10)}
	c.caps = connector.Caps{PageSize: pick(r, 3, 7, 100), MemberBatch: pick(r, 0, 2, 5), Concurrency: concurrency, ReferencesInCreate: flip(r, 60),
		ReadBeforeWrite: pick(r, connector.ReadStale, connector.ReadStale, connector.ReadNever, connector.ReadAlways)}
	c.rules = model.Rules{Assigned: flip(r, 30), DeletePeople: flip(r, 60), DeleteTeams: flip(r, 80), KeepLeavers: flip(r, 15), Rematch: flip(r, 60),
		Guard:       model.Guard{On: flip(r, 85), Threshold: pick(r, 500, 500, 7), Percent: pick(r, 20, 10, 50), Floor: pick(r, 5, 5, 2)},
		MemberGuard: model.Guard{On: flip(r, 85), Threshold: 5000, Percent: pick(r, 20, 50), Floor: pick(r, 50, 10)}}
	if flip(r, 60) {
		c.rules.Department = "Sales"
	}
	c.keepsVersions = flip(r, 50)
	return c
}

// flip is true in so many of a hundred cases.
func flip(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// world is one job with both ends, its store and the model that watches them.
type world struct {
	character
	ctx    context.Context //nolint:containedctx // of the test; processes have their own
	model  *model.Model
	source *memory.System
	target *memory.System
	store  *sqlstore.Store
	jobID  string
	def    job.Job
	saved  map[int64]job.Job // by version

	edits  *rand.Rand // what people do
	faults *rand.Rand // what goes wrong
	tally  *tally

	mu      sync.Mutex
	problem string // the first thing that was wrong
	step    int    // events so far
	history []string
	digest  uint64 // of all events, with their times
	ids     int
	cycles  int                // begun so far
	broken  map[model.Key]bool // the target refuses whatever is said about them
	next    map[string]int     // numbers given to people, groups and logins
	former  map[string]*identity.Object
	epoch   int64  // of who took the job last
	cycleID string // of the cycle at work
	writes  int    // that took effect
	mended  bool   // the last cycle has compared the target and found what was changed by hand
	record  ledger
}

// historyKept is how many events a failure shows.
const historyKept = 400

func newWorld(ctx context.Context, c character, seed uint64, db *sqlstore.Store, t *tally) (*world, error) {
	w := &world{character: c, ctx: ctx, model: model.New(c.rules), store: db, tally: t, broken: map[model.Key]bool{},
		edits: rand.New(rand.NewPCG(seed, 1)), faults: rand.New(rand.NewPCG(seed, 2)), next: map[string]int{}, former: map[string]*identity.Object{}, record: newLedger(),
		jobID: fmt.Sprintf("seed-%d", seed)}
	w.def = w.define()
	w.saved = map[int64]job.Job{1: w.def}
	w.source = memory.New(memory.Config{Schema: sourceSchema()})
	uses, err := engine.Uses(w.def, targetSchema())
	if err != nil {
		return nil, err
	}
	w.target = memory.New(memory.Config{Schema: targetSchema(), Uses: uses, Caps: c.caps, DropsReferences: c.drops})
	now := time.Now()
	return w, db.CreateJob(ctx, store.Job{ID: w.jobID, Name: w.jobID, Version: 1, InitialDue: true, Created: now, Updated: now})
}

func sourceSchema() schema.Schema {
	return schema.Schema{
		{Kind: identity.User, Attributes: []schema.Attribute{{Name: "login"}, {Name: "name"}, {Name: "title"}, {Name: "department"},
			{Name: "manager", Type: schema.Reference, References: identity.User}}},
		{Kind: identity.Group, Attributes: []schema.Attribute{{Name: "name"}, {Name: "members", Type: schema.Reference, References: identity.User, MultiValued: true}}},
	}
}

func targetSchema() schema.Schema {
	return schema.Schema{
		{Kind: identity.User, Attributes: []schema.Attribute{{Name: "userName", Required: true, Unique: true, Filterable: true, FoldCase: true}, {Name: "displayName"},
			{Name: "title"}, {Name: "externalId", Filterable: true}, {Name: "active", Type: schema.Boolean},
			{Name: "manager", Type: schema.Reference, References: identity.User}}},
		{Kind: identity.Group, Attributes: []schema.Attribute{{Name: "displayName", Required: true, Unique: true, Filterable: true, FoldCase: true},
			{Name: "externalId", Filterable: true}, {Name: "members", Type: schema.Reference, References: identity.User, MultiValued: true}}},
	}
}

// define writes the rules down as a job.
func (w *world) define() job.Job {
	r := w.rules
	title := "[title]"
	if r.TitleIsWorkplace {
		title = "[department]"
	}
	set := job.Defaults()
	if r.Assigned {
		set.Scope = job.ScopeAssigned
	}
	if r.Rematch {
		set.OnMissingTarget = job.MissingRematch
	}
	set.SkipOutOfScopeDeletions = r.KeepLeavers
	set.DeletionGuard = job.Guard{Enabled: r.Guard.On, Threshold: r.Guard.Threshold, Percent: r.Guard.Percent, Floor: r.Guard.Floor}
	set.MembershipGuard = job.Guard{Enabled: r.MemberGuard.On, Threshold: r.MemberGuard.Threshold, Percent: r.MemberGuard.Percent, Floor: r.MemberGuard.Floor}
	users := job.Rule{Name: "users", From: identity.User, To: identity.User, Enabled: true, Actions: job.Actions{Create: true, Update: true, Delete: r.DeletePeople},
		Attributes: []mapping.Attribute{
			{Target: "userName", Expression: "[login]", Match: 1},
			{Target: "displayName", Expression: "[name]"},
			{Target: "title", Expression: title},
			{Target: "externalId", Expression: "[objectId]"},
			{Target: "active", Expression: "Not([IsSoftDeleted])"},
			{Target: "manager", Reference: "[manager]", FlowNull: true},
		}}
	if r.Department != "" {
		users.Filter.Groups = []scope.Group{{Clauses: []scope.Clause{{Attribute: "department", Operator: "EQUALS", Values: []string{r.Department}}}}}
	}
	groups := job.Rule{Name: "groups", From: identity.Group, To: identity.Group, Enabled: true, Actions: job.Actions{Create: true, Update: true, Delete: r.DeleteTeams},
		Attributes: []mapping.Attribute{
			{Target: "displayName", Expression: "[name]", Match: 1},
			{Target: "externalId", Expression: "[objectId]"},
			{Target: "members", Reference: "[members]"},
		}}
	return job.Job{Name: "app", Settings: set, Rules: []job.Rule{groups, users}}
}

// save stores the job with other rules, as `rollcall apply` does: the next cycle is initial (design D14).
func (w *world) save(r model.Rules) error {
	w.rules = r
	w.def = w.define()
	j, err := w.store.UpdateJob(w.ctx, w.jobID, func(j *store.Job) error {
		j.Version++
		j.InitialDue = true
		return nil
	})
	w.saved[j.Version] = w.def
	w.note("the job is saved: %+v", r)
	return err
}

// earlier returns the job as it was saved before (engine.R10).
func (w *world) earlier(now engine.Subject) func(context.Context, int64) (engine.Subject, error) {
	return func(_ context.Context, version int64) (engine.Subject, error) {
		w.tally.hit(jobAsItWas)
		old := now
		old.Def = w.saved[version]
		return old, nil
	}
}

// note writes an event down.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked(format, args...)
}

func (w *world) noteLocked(format string, args ...any) {
	line := time.Now().Format("01-02 15:04:05.000000000 ") + fmt.Sprintf(format, args...)
	h := fnv.New64a()
	_, _ = h.Write([]byte(strconv.FormatUint(w.digest, 16) + line))
	w.digest = h.Sum64()
	w.step++
	if w.history = append(w.history, line); len(w.history) > 2*historyKept && *seedFlag == 0 {
		w.history = slices.Delete(w.history, 0, historyKept)
	}
}

// wrong notes what is wrong; the first of all is what the seed fails with.
func (w *world) wrong(list ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range list {
		w.noteLocked("WRONG: %s", text)
		if w.problem == "" {
			w.problem = fmt.Sprintf("cycle %d, step %d: %s", w.cycles, w.step, text)
		}
	}
}

func (w *world) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.problem != ""
}

// newID gives cycles and records their numbers; a GUID would be another one in every replay.
func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("%s-%06d", strings.TrimPrefix(w.jobID, "seed-"), w.ids)
}

// kindOf is the model's name for a kind.
func kindOf(k identity.Kind) model.Kind { return model.Kind(k) }

// person shows an object of the source as the model knows people.
func person(o *identity.Object) *model.Person {
	return &model.Person{Login: o.Text("login"), Name: o.Text("name"), Title: o.Text("title"), Department: o.Text("department"), Manager: o.Text("manager"),
		Off: o.Disabled, Trashed: o.SoftDeleted, Assigned: o.Assignment != nil && o.Assignment.Assigned}
}

func team(o *identity.Object) *model.Team {
	t := &model.Team{Name: o.Text("name"), Assigned: o.Assignment != nil && o.Assignment.Assigned}
	v, _ := o.Get("members")
	for _, ref := range refs(v) {
		t.Members = append(t.Members, ref.Anchor)
	}
	return t
}

func refs(v any) []identity.Ref {
	var out []identity.Ref
	switch v := v.(type) {
	case identity.Ref:
		out = append(out, v)
	case []any:
		for _, e := range v {
			if r, ok := e.(identity.Ref); ok {
				out = append(out, r)
			}
		}
	}
	return out
}

// truth is the source as it is.
func (w *world) truth() (map[string]model.Person, map[string]model.Team) {
	people, teams := map[string]model.Person{}, map[string]model.Team{}
	for _, o := range w.source.Objects(identity.User) {
		people[o.Anchor] = *person(o)
	}
	for _, o := range w.source.Objects(identity.Group) {
		teams[o.Anchor] = *team(o)
	}
	return people, teams
}
