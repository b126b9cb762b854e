package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/store"
)

// What a target says of itself is asked for when a changed app file is saved, and by `rollcall probe`; it is kept with the
// job (scim.R45-R49).

// askFor bounds how long saving an app file waits for a target to say what it can do.
const askFor = 10 * time.Second

// found is what is kept of what a job's target said of itself, nil for nothing.
func found(j store.Job) *connector.Discovery {
	if len(j.Discovered) == 0 {
		return nil
	}
	d := &connector.Discovery{}
	if json.Unmarshal(j.Discovered, d) != nil { // of another version: the next save asks again
		return nil
	}
	return d
}

func schemaOf(d *connector.Discovery) schema.Schema {
	if d == nil {
		return nil
	}
	return d.Schema
}

// asked is what came of asking a target.
type asked struct {
	Found *connector.Discovery // nil when it says nothing of itself, or refused
	Notes []string             // for the administrator
	Why   error                // it did not answer, nil when it did
}

// ask asks the target of a job what it can do. That it does not answer is a note and no error: the file is saved all the
// same, and the cycle will tell.
func (s *state) ask(ctx context.Context, c *cli, j store.Job, f *appfile.File) (asked, error) {
	_, dst, err := endsOf(j, f)
	if err != nil || !dst.Describes {
		return asked{}, err
	}
	sites := s.sites(c)
	sub := describedBy(j, f)
	env := s.environment(c, j, f)
	env.Once, env.Found, env.Meter = true, nil, sub.Meter
	if env.Uses, err = engine.Uses(sub.Def, f.TargetSchema); err != nil {
		return asked{}, err
	}
	target, err := dst.Target(ctx, f.Job.Target.Settings, env, s.parts(c, sites))
	if err != nil {
		return asked{Why: err}, nil
	}
	sub.Target = target
	d, ok := target.(connector.Discoverer)
	if !ok {
		return asked{}, closeSubject(ctx, sub, sites)
	}
	short, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	answer, refused := d.Discover(short)
	s.asked[j.ID] = sub.Meter.Read()
	a := asked{}
	if err := closeSubject(ctx, sub, sites); err != nil {
		return a, err
	}
	if refused != nil {
		a.Why = refused
		return a, ctx.Err()
	}
	a.Found = &answer
	for _, n := range answer.Notices {
		a.Notes = append(a.Notes, fmt.Sprintf("note: the target of %s: %s", j.Name, n))
	}
	if connector.No(answer.Patch) && f.Job.Target.Settings["updateMethod"] != "put" {
		a.Notes = append(a.Notes, fmt.Sprintf("warning: the target of %s says that it does not support PATCH: set updateMethod: put", j.Name))
	}
	return a, nil
}

// silent says that a target was not asked, for a command that does not go on to call it.
func (a applied) silent() string {
	if a.Silent == nil {
		return ""
	}
	return fmt.Sprintf("note: the target of %s was not asked what it can do: %v", a.Job.Name, a.Silent)
}

// keep is what is stored of an answer: the answer itself, or, where there was none, the one before, as long as the target
// has the same address.
func (a asked) keep(before []byte, f *appfile.File) ([]byte, error) {
	if a.Found != nil {
		return json.Marshal(a.Found)
	}
	if d := found(store.Job{Discovered: before}); d != nil && strings.HasPrefix(fmt.Sprint(f.Job.Target.Settings["url"]), d.Address) {
		return before, nil
	}
	return nil, nil
}

// learn asks the target of a job and gives the job what is to be kept. The app file comes back as the answer has it; silent
// is why there was none.
func (s *state) learn(ctx context.Context, c *cli, j store.Job, f *appfile.File) (_ store.Job, _ *appfile.File, silent, err error) {
	a, err := s.ask(ctx, c, j, f)
	if err != nil {
		return j, f, nil, err
	}
	if j.Discovered, err = a.keep(j.Discovered, f); err != nil {
		return j, f, nil, fmt.Errorf("job %s: keep what its target said of itself: %w", j.Name, err)
	}
	for _, n := range a.Notes {
		c.notef("%s", n)
	}
	f, err = c.informed(f, found(j))
	return j, f, a.Why, err
}

// keepFound stores what the target of a job said of itself.
func (s *state) keepFound(ctx context.Context, j store.Job, a asked, f *appfile.File) error {
	doc, err := a.keep(j.Discovered, f)
	if err == nil {
		_, err = s.Store.UpdateJob(ctx, j.ID, func(j *store.Job) error { j.Discovered = doc; return nil })
	}
	if err != nil {
		return fmt.Errorf("job %s: keep what its target said of itself: %w", j.Name, err)
	}
	return nil
}

// informed is an app file checked against what the target of its job said of itself; its warnings go to standard error.
func (c *cli) informed(f *appfile.File, d *connector.Discovery) (*appfile.File, error) {
	f = f.Informed(schemaOf(d))
	return f, writeProblems(c.Err, f.Warnings)
}

// keptFor is what is kept for the job of an app file, for a command that does without the state otherwise; nil when there
// is no state, or none that can be read as it is.
func (c *cli) keptFor(ctx context.Context, f *appfile.File) (d *connector.Discovery) {
	if !c.hasState() {
		return nil
	}
	s, err := c.look(ctx)
	if err != nil {
		return nil
	}
	j, err := s.Store.Job(ctx, f.Job.Name)
	if err = errors.Join(err, s.Close()); err != nil {
		return nil
	}
	return found(j)
}
