package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sim/model"
)

// process is one process that works on the job: an engine with a holder of its own. It is the target that the engine
// sees. What it knows is lost when it dies.
type process struct {
	w      *world
	name   string
	script script
	ctx    context.Context //nolint:containedctx // the life of the process
	cancel context.CancelFunc
	asleep chan struct{} // closed when the process is suspended

	epoch    int64
	dead     bool
	calls    int // begun so far
	underWay int
	writes   int
	reads    map[string]int
	damage   map[string]bool // objects of a feed that it can read, or not
}

var (
	_ connector.Target = (*process)(nil)
	_ connector.Lister = (*process)(nil)
)

// suspended is how long a process sleeps: longer than it holds the job.
const suspended = 12 * time.Minute

func (w *world) process(s script) *process {
	p := &process{w: w, name: "process " + w.newID(), script: s, asleep: make(chan struct{}), reads: map[string]int{}, damage: map[string]bool{}}
	p.ctx, p.cancel = context.WithCancel(w.ctx)
	return p
}

// run runs one cycle, or what is left of it.
func (p *process) run() (engine.RunReport, error) {
	w := p.w
	defer p.cancel()
	j, err := w.store.Job(w.ctx, w.jobID)
	if err != nil {
		return engine.RunReport{}, err
	}
	w.note("%s begins: %+v", p.name, p.script)
	e := engine.New(engine.Config{Store: &state{Store: w.store, p: p}, Now: time.Now, NewID: w.newID, Holder: p.name, Slice: p.script.slice})
	s := engine.Subject{Job: j, Def: w.def, Source: reader{p}, Target: p, TargetSchema: targetSchema(), Meter: &connector.Meter{}, SourceName: "people", TargetName: "app"}
	if w.feed {
		s.Source = feed{reader{p}}
	}
	if w.keepsVersions {
		s.Earlier = w.earlier(s)
	}
	rep, err := e.Run(p.ctx, s, engine.Options{Manual: p.script.manual, Initial: p.script.initial, Undo: p.script.undo})
	if p.dead && err == nil {
		err = errDied
	}
	w.note("%s ends: %s %+v held %q: %v", p.name, rep.Cycle.State, rep.Counts, rep.Held, err)
	return rep, err
}

// die ends the process here. w.mu is held.
func (p *process) die(step string) error {
	if !p.dead {
		p.dead = true
		p.w.tally.hit(step)
		p.w.noteLocked("%s dies: %s", p.name, step)
		p.cancel()
	}
	return errDied
}

// call is one call to the target. effect carries it out and says what it changed.
func (p *process) call(ctx context.Context, op connector.Operation, about string, write *model.Write, effect func() error) error {
	w := p.w
	if err := ctx.Err(); err != nil {
		return &connector.Error{Kind: connector.KindTemporary, Op: string(op), NotSent: true, Err: err}
	}
	w.mu.Lock()
	p.calls++
	nth := p.calls
	before, after := p.script.draw(w.faults, string(op), nth, write != nil)
	took := time.Duration(1+w.faults.IntN(40_000_000)) * time.Nanosecond
	switch before {
	case faultSlow:
		took += time.Duration(1+w.faults.IntN(20)) * time.Second
	case faultTimeout:
		took += 30 * time.Second
	}
	fault := errorOf(before, string(op), write != nil, w.faults)
	late := errorOf(after, string(op), write != nil, w.faults)
	if !p.dead {
		p.arrive(string(op), about, write)
	}
	p.underWay++
	w.mu.Unlock()
	time.Sleep(took)

	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { p.underWay-- }()
	switch {
	case p.dead:
		return errDied
	case p.script.dieCall == nth && !p.script.dieAfter:
		return p.die(death(string(op), false))
	}
	if before != faultNone {
		w.tally.hit(string(op) + ": " + before)
		w.noteLocked("%s: %s %s: %s", p.name, op, about, before)
	}
	err := fault
	if err == nil {
		err = p.refusal(write)
	}
	if err == nil {
		if err = effect(); err != nil {
			w.noteLocked("%s: %s %s: %v", p.name, op, about, err)
		}
		if err == nil && write != nil {
			p.effective(*write)
		}
		if err == nil && late != nil {
			w.tally.hit(string(op) + ": " + after)
			w.noteLocked("%s: %s %s: %s", p.name, op, about, after)
			err = late
		} else if err == nil && after != faultNone { // a fault that only a listing knows
			return errListing{after}
		}
	}
	return p.afterwards(string(op), nth, err)
}

// errListing tells List which of its own faults was drawn.
type errListing struct{ fault string }

func (e errListing) Error() string { return e.fault }

// afterwards is what may happen to the process when the target has done what it was asked. w.mu is held.
func (p *process) afterwards(op string, nth int, err error) error {
	w := p.w
	switch nth {
	case p.script.dieCall:
		return p.die(death(op, true))
	case p.script.stopCall:
		w.tally.hit(processStopped)
		w.noteLocked("%s is told to stop", p.name)
		p.cancel()
	case p.script.sleepCall:
		p.sleep()
	}
	return err
}

// sleep suspends the process; w.mu is held, but not meanwhile.
func (p *process) sleep() {
	w := p.w
	w.noteLocked("%s is suspended", p.name)
	close(p.asleep)
	w.mu.Unlock()
	time.Sleep(suspended)
	w.mu.Lock()
	w.noteLocked("%s is back", p.name)
}

// arrive looks at a call that reaches the target, whatever becomes of it. w.mu is held.
func (p *process) arrive(op, about string, write *model.Write) {
	w := p.w
	w.noteLocked("%s: %s %s", p.name, op, about)
	if p.underWay >= w.caps.Concurrency {
		w.wrongLocked(fmt.Sprintf("I8: %d calls are under way at once, %d are allowed", p.underWay+1, w.caps.Concurrency))
	}
	if w.epoch != p.epoch {
		w.wrongLocked(fmt.Sprintf("I9: %s, of epoch %d, calls the target, and the job is at epoch %d", p.name, p.epoch, w.epoch))
	}
	if write == nil {
		return
	}
	if n := max(len(write.Add), len(write.Remove)); w.caps.MemberBatch > 0 && n > w.caps.MemberBatch {
		w.wrongLocked(fmt.Sprintf("I8: %d members in one call, %d are allowed", n, w.caps.MemberBatch))
	}
	w.wrongLocked(w.model.Judge(*write)...)
}

// refusal is the answer to a call about somebody whom the target refuses. w.mu is held.
func (p *process) refusal(write *model.Write) error {
	if write == nil || !p.w.broken[p.w.model.About(*write)] {
		return nil
	}
	return &connector.Error{Kind: connector.KindInvalid, Op: string(write.Op), Code: connector.CodeUnprocessable, Status: 400, Detail: "refused, as always"}
}

// effective notes a write that took effect. w.mu is held.
func (p *process) effective(write model.Write) {
	w := p.w
	w.writes++
	w.wrongLocked(w.model.Apply(write)...)
	w.record.wrote(w.cycleID, w.model.About(write), write.Op)
}

func (w *world) wrongLocked(list ...string) {
	w.mu.Unlock()
	w.wrong(list...)
	w.mu.Lock()
}

// Probe implements connector.Target.
func (p *process) Probe(ctx context.Context) (caps connector.Caps, err error) {
	err = p.call(ctx, connector.OpProbe, "", nil, func() (err error) {
		caps, err = p.w.target.Probe(p.w.ctx)
		return err
	})
	return caps, err
}

// Find implements connector.Target.
func (p *process) Find(ctx context.Context, kind identity.Kind, attr, value string, limit int) (hits []*identity.Object, err error) {
	err = p.call(ctx, connector.OpFind, fmt.Sprintf("%s by %s %q", kind, attr, value), nil, func() (err error) {
		hits, err = p.w.target.Find(p.w.ctx, kind, attr, value, limit)
		return err
	})
	return hits, err
}

// Get implements connector.Target.
func (p *process) Get(ctx context.Context, kind identity.Kind, anchor string) (o *identity.Object, err error) {
	err = p.call(ctx, connector.OpGet, fmt.Sprintf("%s %s", kind, anchor), nil, func() (err error) {
		o, err = p.w.target.Get(p.w.ctx, kind, anchor)
		return err
	})
	return o, err
}

// List implements connector.Lister.
func (p *process) List(ctx context.Context, kind identity.Kind, cursor string) (page connector.Page, err error) {
	err = p.call(ctx, connector.OpList, fmt.Sprintf("%s from %q", kind, cursor), nil, func() (err error) {
		page, err = p.w.target.List(p.w.ctx, kind, cursor)
		return err
	})
	own, ok := err.(errListing) //nolint:errorlint // it comes straight from call
	if !ok {
		return page, err
	}
	if n := len(page.Objects); n > 1 {
		p.w.tally.hit("list: " + own.fault)
		switch own.fault {
		case faultPageCut:
			var from int
			_, _ = fmt.Sscan(cursor, &from)
			page.Objects, page.Next = page.Objects[:n/2], fmt.Sprint(from+n/2)
		case faultPageMissing:
			page.Objects = page.Objects[:n-1]
		}
	}
	return page, nil
}

// Create implements connector.Target.
func (p *process) Create(ctx context.Context, obj *identity.Object) (made *identity.Object, err error) {
	w := &model.Write{Op: model.Create, Kind: kindOf(obj.Kind), Set: map[string]string{}}
	for _, a := range obj.Attrs {
		put(w, a.Name, connector.Set, a.Value)
	}
	err = p.call(ctx, connector.OpCreate, show(*w), w, func() (err error) {
		if made, err = p.w.target.Create(p.w.ctx, obj); err == nil {
			w.ID = made.Anchor
			if p.w.drops {
				delete(w.Set, "manager")
				w.Add = nil
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// Update implements connector.Target.
func (p *process) Update(ctx context.Context, u connector.Update) (o *identity.Object, err error) {
	w := &model.Write{Op: model.Update, Kind: kindOf(u.Kind), ID: u.Anchor, Set: map[string]string{}}
	for _, ch := range u.Changes {
		put(w, ch.Attr, ch.Op, ch.New)
	}
	err = p.call(ctx, connector.OpUpdate, show(*w), w, func() (err error) {
		o, err = p.w.target.Update(p.w.ctx, u)
		return err
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Delete implements connector.Target.
func (p *process) Delete(ctx context.Context, kind identity.Kind, anchor string) error {
	w := &model.Write{Op: model.Delete, Kind: kindOf(kind), ID: anchor}
	return p.call(ctx, connector.OpDelete, show(*w), w, func() error { return p.w.target.Delete(p.w.ctx, kind, anchor) })
}

// put adds one attribute to what the model sees of a call.
func put(w *model.Write, attr string, op connector.Op, v any) {
	var ids []string
	for _, r := range refs(v) {
		ids = append(ids, r.Anchor)
	}
	switch {
	case op == connector.Clear:
		w.Clear = append(w.Clear, attr)
	case op == connector.Remove:
		w.Remove = append(w.Remove, ids...)
	case attr == "members":
		w.Add = append(w.Add, ids...)
	case len(ids) > 0:
		w.Set[attr] = ids[0]
	default:
		w.Set[attr] = fmt.Sprint(v)
	}
}

// show is a write in the history.
func show(w model.Write) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", w.Kind, w.ID)
	for _, name := range slices.Sorted(maps.Keys(w.Set)) {
		fmt.Fprintf(&b, " %s=%q", name, w.Set[name])
	}
	for _, name := range w.Clear {
		fmt.Fprintf(&b, " %s=", name)
	}
	for _, id := range w.Add {
		b.WriteString(" +" + id)
	}
	for _, id := range w.Remove {
		b.WriteString(" -" + id)
	}
	return b.String()
}
