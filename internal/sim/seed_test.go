package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sim/model"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
)

// settleWithin is how many cycles may pass between the last fault and the target that the source asks for (I5): one ends
// what was interrupted, one finds what is to be held, one carries it out when it has been released, one heals references
// to accounts that were made anew, and one more takes a name that the one before has freed.
const settleWithin = 5

// live runs one seed. It returns the world, in which problem tells what was wrong.
func live(ctx context.Context, c character, seed uint64, cycles int, db *sqlstore.Store, t *tally) (*world, error) {
	w, err := newWorld(ctx, c, seed, db, t)
	if err != nil {
		return nil, err
	}
	w.note("seed %d: %+v", seed, c)
	for range c.people {
		w.join()
	}
	for range c.teams {
		w.found()
	}
	for n := range cycles {
		if err := w.turn(n); err != nil {
			return w, err
		}
		if (n%8 == 7 || n == cycles-1) && !w.failed() {
			if err := w.quiet(); err != nil {
				return w, err
			}
		}
		if w.failed() {
			break
		}
	}
	return w, db.DeleteJob(context.WithoutCancel(ctx), w.jobID)
}

// turn is what happens between two cycles, and the next cycle with all its processes.
func (w *world) turn(n int) error {
	if n > 0 {
		w.edit(pick(w.edits, 0, 1, 2, 3, 5, 9))
		if err := w.bigEvents(); err != nil {
			return err
		}
	}
	w.mu.Lock()
	w.cycles++
	s := fate(w.faults, w.character)
	w.mu.Unlock()
	if s.initial {
		w.tally.hit(initialForced)
	}
	return w.carry(s)
}

// bigEvents are what happens now and then only.
func (w *world) bigEvents() error {
	switch k := w.edits.IntN(100); {
	case k < 4:
		w.tally.hit("mass leave")
		for range len(w.source.Objects(identity.User)) * pick(w.edits, 1, 2, 3) / 4 {
			w.leave()
		}
	case k < 7:
		for range len(w.former) / 2 {
			w.rehire()
		}
	case k < 11:
		w.tally.hit(jobSaved)
		if err := w.save(w.otherRules()); err != nil {
			return err
		}
	case k < 25:
		return w.allow()
	}
	return nil
}

// otherRules changes the mapping, the filter or the scope.
func (w *world) otherRules() model.Rules {
	r := w.rules
	switch w.edits.IntN(4) {
	case 0:
		r.TitleIsWorkplace = !r.TitleIsWorkplace
	case 1:
		r.Assigned = !r.Assigned
	default:
		r.Department = pick(w.edits, "", "Sales", "Ops")
	}
	return r
}

// allow releases all that is held.
func (w *world) allow() error {
	n, err := w.store.AllowStaged(w.ctx, w.jobID, nil)
	if err != nil {
		return err
	}
	if n > 0 {
		w.tally.hit(allowed)
		w.note("%d held operations are released", n)
	}
	return w.tellAllowed()
}

// tellAllowed tells the model which operations are released.
func (w *world) tellAllowed() error {
	staged, err := w.store.Staged(w.ctx, w.jobID)
	if err != nil {
		return err
	}
	var keys []model.Key
	for _, s := range staged {
		if s.Allowed {
			keys = append(keys, keyOf(s.ObjectKey))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.model.Allow(keys)
	if len(staged) > 0 {
		w.tally.hit(held)
	}
	return nil
}

// carry runs a cycle through one process, and through others that take it over when that comes to an early end.
func (w *world) carry(s script) error {
	for attempt := 0; ; attempt++ {
		ended, err := w.attempt(s)
		if err != nil || ended || w.failed() {
			return err
		}
		if attempt == 3 {
			return nil // the next turn takes it up
		}
		w.mu.Lock()
		s = fate(w.faults, w.character)
		impatient, busy, changed := flip(w.faults, 25), flip(w.faults, 30), flip(w.faults, 10)
		w.mu.Unlock()
		if attempt == 2 {
			s = script{slice: s.slice, manual: s.manual}
		}
		if !impatient {
			time.Sleep(5 * time.Minute)
		}
		if busy {
			w.edit(1 + w.edits.IntN(3))
		}
		if changed {
			w.tally.hit(jobSavedUnder)
			if err := w.save(w.otherRules()); err != nil {
				return err
			}
		}
	}
}

// attempt runs one process. It tells whether the cycle came to an end. An error is one of the simulator.
func (w *world) attempt(s script) (ended bool, err error) {
	w.model.Save(w.rules)
	p := w.process(s)
	type outcome struct {
		rep engine.RunReport
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		rep, err := p.run()
		done <- outcome{rep, err}
	}()
	var o outcome
	select {
	case o = <-done:
	case <-p.asleep:
		time.Sleep(5 * time.Minute) // its hold has run out
		if ended, err = w.overtake(); err != nil {
			return false, err
		}
		o = <-done
		w.tally.hit(processLate)
		if err := w.tellAllowed(); err != nil {
			return false, err
		}
		return ended, w.unexpected(o.err)
	}
	if err := w.tellAllowed(); err != nil {
		return false, err
	}
	w.mended = o.rep.Drift != nil && o.rep.Drift.Changed+o.rep.Drift.Missing > 0
	switch {
	case o.err == nil:
		time.Sleep(w.patience())
		return true, nil
	case errors.Is(o.err, store.ErrStale) && p.calls == 0:
		w.tally.hit(processImpatient)
		time.Sleep(5 * time.Minute)
	}
	return false, w.unexpected(o.err)
}

// overtake runs another process while the first is suspended.
func (w *world) overtake() (ended bool, err error) {
	w.mu.Lock()
	s := script{slice: 30 * time.Second, manual: flip(w.faults, 50), weather: pick(w.faults, weather{}, weather{before: 10, after: 10})}
	w.mu.Unlock()
	_, err = w.process(s).run()
	return err == nil, w.unexpected(err)
}

// patience is the time until the next cycle.
func (w *world) patience() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return pick(w.faults, time.Minute, 40*time.Minute, 40*time.Minute, 7*time.Hour, 30*time.Hour)
}

// unexpected passes on an error of a process that nothing has brought about.
func (w *world) unexpected(err error) error {
	switch {
	case err == nil, errors.Is(err, errDied), errors.Is(err, errDisk), errors.Is(err, context.Canceled), errors.Is(err, store.ErrStale):
		return nil
	}
	w.wrong("a process ended with: " + err.Error())
	return nil
}

// quiet runs cycles without faults until the target is what the source asks for, and one more, which must not write.
func (w *world) quiet() error {
	w.note("no more faults")
	time.Sleep(5 * time.Minute)
	calm := script{slice: 30 * time.Second, manual: true}
	var left []string
	for range settleWithin {
		if ended, err := w.attempt(calm); err != nil || !ended || w.failed() {
			return errors.Join(err, w.notEnded(ended))
		}
		if err := w.allow(); err != nil {
			return err
		}
		people, teams := w.truth()
		if left = w.model.Expect(people, teams); len(left) == 0 {
			break
		}
	}
	if len(left) > 0 {
		w.wrong(left...)
		return nil
	}
	// What was held and has been released is carried out yet.
	if ended, err := w.attempt(calm); err != nil || !ended || w.failed() {
		return errors.Join(err, w.notEnded(ended))
	}
	if err := w.steady(calm); err != nil || w.failed() {
		return err
	}
	people, teams := w.truth()
	w.wrong(w.model.Expect(people, teams)...)
	for _, k := range slices.SortedFunc(maps.Keys(w.record.open), func(a, b model.Key) int { return strings.Compare(a.String(), b.String()) }) {
		w.wrong(fmt.Sprintf("I6: %s was written to in cycle %s, and no record tells", k, w.record.open[k]))
	}
	if diff := cmp.Diff(w.model.Accounts(), w.accounts(), cmp.AllowUnexported(model.Account{})); diff != "" {
		w.wrong("the model's accounts are not those of the target (- model, + target):\n" + diff)
	}
	return nil
}

// steady runs a cycle, which must not write. Only when it was the one in which the target is compared, and that shows
// what was changed there by hand before, may it mend that, and the next one what follows from it.
func (w *world) steady(calm script) error {
	for range settleWithin {
		before := w.writes
		if ended, err := w.attempt(calm); err != nil || !ended || w.failed() {
			return errors.Join(err, w.notEnded(ended))
		}
		n := w.writes - before
		switch {
		case n == 0:
			return nil
		case !w.mended:
			w.wrong(fmt.Sprintf("I4: nothing has changed, and the cycle wrote %d times", n))
			return nil
		}
		if ended, err := w.attempt(calm); err != nil || !ended || w.failed() {
			return errors.Join(err, w.notEnded(ended))
		}
	}
	w.wrong("I4: every comparison of the target has something to mend")
	return nil
}

func (w *world) notEnded(ended bool) error {
	if !ended && !w.failed() {
		w.wrong("I5: a cycle without faults did not come to its end")
	}
	return nil
}

// accounts is the target as it is.
func (w *world) accounts() map[model.Key]model.Account {
	out := map[model.Key]model.Account{}
	for _, kind := range []identity.Kind{identity.User, identity.Group} {
		for _, o := range w.target.Objects(kind) {
			made := &model.Write{Set: map[string]string{}}
			for _, a := range o.Attrs {
				put(made, a.Name, "set", a.Value)
			}
			k := model.Key{Kind: kindOf(kind), Name: o.Anchor}
			out[k] = model.Account{ID: o.Anchor, Kind: k.Kind, Attrs: made.Set, Members: slices.Sorted(slices.Values(made.Add))}
		}
	}
	return out
}
