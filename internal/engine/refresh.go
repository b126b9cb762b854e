package engine

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// refresh reads accounts before they are updated, where the stored values cannot be relied on (design D1,
// readBeforeWrite), and decides again with what the target has. It is part of deciding and not of writing, so that a
// plan shows what a cycle will do.
func (c *cycle) refresh(ctx context.Context, rules map[string]*rule, items []store.WorkItem, tasks []*task) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.caps.Concurrency)
	var down streak
	for i := range items {
		w, t := &items[i], tasks[i]
		if !c.stale(w, t) {
			continue
		}
		g.Go(func() error {
			o, err := c.fetch(gctx, rules[w.Rule], w.Target)
			switch {
			case err == nil:
				down.end()
				got := asCurrent(o)
				got.Recall(rules[w.Rule].set, t.Current)
				t.Open = t.Confirm.IsZero()
				t.Current, t.Confirm, t.Refs = got, c.Now(), nil
				decideUpdate(rules[w.Rule], w, t, t.Values, got)
				return nil
			case connector.KindOf(err) == connector.KindNotFound && !t.Confirm.IsZero(): // the write will meet the same, and knows what to do
				return nil
			case connector.KindOf(err) == connector.KindNotFound: // there may be no write to meet it (engine.R56)
				again, err := c.rematches(gctx, w.ObjectKey, w.Target)
				if err != nil {
					return err
				}
				if t.Absent = again && len(t.Match) > 0 && !t.Soft; t.Absent {
					w.Action = string(plan.Modify)
				} else {
					failTask(w, t, connector.CodeInvalidAnchor, textMissing)
				}
				return nil
			case react(gctx, err) == failObject || react(gctx, err) == lookAgain:
				if jf := down.add("read accounts before updating them", err); jf != nil {
					return jf
				}
				code, reason := failureOf(err)
				failTask(w, t, code, reason)
				return nil
			case react(gctx, err) == stop:
				return err
			}
			return &jobFailure{reason: quarantineConnection, op: "read accounts before updating them", err: err}
		})
	}
	return g.Wait()
}

// stale tells whether an account must be read before it is updated.
func (c *cycle) stale(w *store.WorkItem, t *task) bool {
	touches := w.Action != string(plan.None) || slices.ContainsFunc(t.Refs, func(r refChange) bool { return !r.Multi })
	switch {
	case w.Stage != store.ToSettle || t.Matched != "":
		return false
	case t.Confirm.IsZero(): // what became of the last write is not known
		return true
	case c.solo != nil: // who asks about one person wants to know how their account is, not how it was
		return c.caps.ReadBeforeWrite != connector.ReadNever
	case !touches:
		return false
	}
	switch c.caps.ReadBeforeWrite {
	case connector.ReadAlways:
		return true
	case connector.ReadNever:
		return false
	case connector.ReadStale:
	}
	return len(c.caps.Calls[connector.OpGet]) > 0 && c.Now().Sub(c.confirmed(t)) > c.subject.Def.Settings.StaleAfter()
}

// confirmed is when the values of an account were confirmed last: by a write or a read of its own, or by the
// reconciliation, which compares all that are managed.
func (c *cycle) confirmed(t *task) time.Time {
	if all := c.confirmedAt(); t.Prior != store.Released && all.After(t.Confirm) {
		return all
	}
	return t.Confirm
}

// patiently repeats a read while the target asks for a pause.
func patiently[T any](ctx context.Context, read func() (T, error)) (T, error) {
	for {
		got, err := read()
		if err == nil || ctx.Err() != nil || react(ctx, err) != putBack {
			return got, err
		}
		t := time.NewTimer(max(connector.AsError(err).RetryAfter, time.Second))
		select {
		case <-ctx.Done():
			t.Stop()
			return got, ctx.Err()
		case <-t.C:
		}
	}
}
