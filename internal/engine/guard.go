package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// stagedMembers is the action of a held removal of memberships.
const stagedMembers = "removeMembers"

// guard holds back what takes away more than it may (design D6): the half rule per rule, then the limit over all, then
// memberships with a limit of their own. Operations that an administrator has allowed by name are neither counted nor
// held.
func (c *cycle) guard(ctx context.Context, counts []store.WorkCount) error {
	known, err := c.stagedBefore(ctx)
	if err != nil {
		return err
	}
	passes := passesTaking(counts)
	wanted, err := c.heldElsewhere(ctx, known)
	if err != nil {
		return err
	}
	var removals int64
	if err := c.eachTaking(ctx, passes, func(w *store.WorkItem, t *task) bool {
		if allowed(known[w.ObjectKey], w, t) {
			return false
		}
		if plan.Action(w.Action).Deprovisions() || t.Held != "" { // held by a process that died while it held back
			wanted++
		}
		removals += removed(t)
		return false
	}); err != nil {
		return err
	}
	c.row.Held = ""
	hold := map[string]plan.Held{}
	for _, r := range c.rules {
		hold[r.def.Name] = plan.HalfRule(c.readings[r.def.Name])
		if g := c.subject.Def.Settings.DeletionGuard; hold[r.def.Name] == "" && g.Enabled && wanted > c.limit {
			hold[r.def.Name] = plan.HeldTooMany
		}
	}
	holdMembers := plan.HalfRuleMembers(c.members, removals)
	for _, r := range c.rules {
		if h := plan.HalfRule(c.readings[r.def.Name]); h != "" && holdMembers == "" {
			holdMembers = h
		}
	}
	if g := c.subject.Def.Settings.MembershipGuard; holdMembers == "" && g.Enabled && removals > c.memLimit {
		holdMembers = plan.HeldTooMany
	}
	err = c.eachTaking(ctx, passes, func(w *store.WorkItem, t *task) bool {
		switch {
		case t.Held != "":
			c.row.Held = t.Held
			return false
		case t.HoldRefs:
			c.row.Held = string(holdMembers)
			return false
		}
		if h := hold[w.Rule]; h != "" && plan.Action(w.Action).Deprovisions() && !allowed(known[w.ObjectKey], w, t) {
			t.Held = string(h)
			_, t.Repeat = known[w.ObjectKey]
			t.Reason += "; held: " + h.Words(wanted, c.limit)
			w.Action, w.Pass = string(plan.StagedDelete), passRecord
			c.row.Held = string(h)
			return true
		}
		if holdMembers != "" && removed(t) > 0 && !allowed(known[w.ObjectKey], w, t) {
			t.HoldRefs = true
			t.Reason += "; memberships are not taken away in this cycle: " + holdMembers.Words(removals, c.memLimit)
			c.row.Held = string(holdMembers)
			if !t.gives() { // nothing else is to be written
				_, t.Repeat = known[w.ObjectKey]
				w.Action, w.Pass = string(plan.StagedDelete), passRecord
			}
			return true
		}
		return false
	})
	if err != nil {
		return err
	}
	return nil
}

// stagedBefore returns the operations that the guard held in earlier cycles.
func (c *cycle) stagedBefore(ctx context.Context) (map[store.ObjectKey]store.Staged, error) {
	staged, err := c.Store.Staged(ctx, c.subject.Job.ID)
	if err != nil {
		return nil, fmt.Errorf("job %s: read held operations: %w", c.subject.Job.Name, err)
	}
	out := make(map[store.ObjectKey]store.Staged, len(staged))
	for _, s := range staged {
		out[s.ObjectKey] = s
	}
	return out, nil
}

// unstage drops held operations whose cause has vanished: the object was looked at and keeps its access.
func (c *cycle) unstage(ctx context.Context) error {
	staged, err := c.Store.Staged(ctx, c.subject.Job.ID)
	if err != nil {
		return fmt.Errorf("job %s: read held operations: %w", c.subject.Job.Name, err)
	}
	if c.dry || c.undo != "" || len(staged) == 0 { // an undo looks at none of them
		return nil
	}
	batch := &store.Batch{}
	for _, s := range staged { // of a rule that is switched off or gone nothing is taken away any more
		if c.solo == nil && !slices.ContainsFunc(c.rules, func(r *rule) bool { return r.def.Name == s.Rule }) {
			batch.Unstage = append(batch.Unstage, s.ObjectKey)
		}
	}
	for _, r := range c.rules {
		var anchors []string
		for _, s := range staged {
			if s.Rule == r.def.Name {
				anchors = append(anchors, s.Anchor)
			}
		}
		items, err := c.work.WorkByAnchor(ctx, c.row.ID, r.def.Name, anchors)
		if err != nil {
			return fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
		}
		for _, s := range staged {
			if s.Rule != r.def.Name {
				continue
			}
			still := false
			w, ok := items[s.Anchor]
			if !ok && c.solo != nil { // nobody has looked at it
				continue
			}
			if ok {
				t, err := decodeTask(w)
				if err != nil {
					return err
				}
				still = t.Held != "" || plan.Action(w.Action).Deprovisions() || t.HoldRefs || removed(t) > 0
			}
			if !still {
				batch.Unstage = append(batch.Unstage, s.ObjectKey)
			}
		}
	}
	return c.commit(ctx, batch)
}

// removed is how many memberships a task takes away.
func removed(t *task) int64 {
	var n int64
	for _, ch := range t.Refs {
		n += int64(len(ch.Remove))
	}
	return n
}

// allowed tells whether an administrator has let go of what an item takes away. Who allowed a disable has not allowed a
// delete, and who allowed some memberships to go has not allowed more of them (engine.R122, R124).
func allowed(s store.Staged, w *store.WorkItem, t *task) bool {
	takes := plan.Action(w.Action)
	switch {
	case !s.Allowed:
		return false
	case s.Action == stagedMembers:
		return !takes.Deprovisions() && removed(t) <= s.Size
	case s.Action == string(plan.Disable):
		return takes != plan.Delete
	}
	return true
}

// gives tells whether a task writes anything but removals of members.
func (t *task) gives() bool {
	return len(t.Changes) > 0 || slices.ContainsFunc(t.Refs, func(ch refChange) bool { return ch.Set != nil || ch.Clear || len(ch.Add) > 0 })
}

// passesTaking lists the passes that hold work which may take something away.
func passesTaking(counts []store.WorkCount) []int {
	var passes []int
	for _, n := range counts {
		if takes(n.Action) && !slices.Contains(passes, n.Pass) {
			passes = append(passes, n.Pass)
		}
	}
	slices.Sort(passes)
	return passes
}

// eachTaking visits the work items of these passes that may take something away, and stores those that visit changes.
func (c *cycle) eachTaking(ctx context.Context, passes []int, visit func(*store.WorkItem, *task) bool) error {
	for _, pass := range passes {
		if err := c.eachTakingIn(ctx, pass, visit); err != nil {
			return err
		}
	}
	return nil
}

// takes tells whether an item with this action may take access or memberships away.
func takes(action string) bool {
	a := plan.Action(action)
	return a == plan.Modify || a == plan.Enable || a == plan.StagedDelete || a.Deprovisions()
}

func (c *cycle) eachTakingIn(ctx context.Context, pass int, visit func(*store.WorkItem, *task) bool) error {
	after := &store.Position{Pass: pass, Depth: -1}
	for {
		items, err := c.work.WorkAt(ctx, c.row.ID, []store.Stage{store.ToExport}, after, blockSize)
		if err != nil {
			return fmt.Errorf("cycle %s: read its work: %w", c.row.ID, err)
		}
		batch := &store.Batch{}
		more := false
		var next store.Position // kept before visit, which moves held items to another pass
		for i := range items {
			w := &items[i]
			next = store.Position{Pass: w.Pass, Depth: w.Depth, Rule: w.Rule, Anchor: w.Anchor}
			if more = w.Pass == pass; !more {
				break
			}
			if !takes(w.Action) {
				continue
			}
			t, err := decodeTask(*w)
			if err != nil {
				return err
			}
			if !visit(w, t) {
				continue
			}
			batch.Work = append(batch.Work, finishItem(w, t))
		}
		if len(batch.Work) > 0 {
			if err := c.commit(ctx, batch); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		after = &next
	}
}
