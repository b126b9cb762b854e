package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

const selectWork = `
SELECT rule, anchor, stage, pass, depth, parent, action, target, doc FROM cycle_work
WHERE cycle = `

const workAt = selectWork + `$1 AND stage = $2 AND (pass, depth, rule, anchor) > ($3, $4, $5, $6)
ORDER BY pass, depth, rule, anchor LIMIT $7`

// stageCodes is the stored form of stages: numbers that stay when a stage is added between two others.
func stageCodes() [store.ToExport + 1]int64 {
	return [...]int64{store.ToMatch: 10, store.ToSettle: 20, store.ToExport: 30}
}

func stageOf(code int64) (store.Stage, error) {
	for stage, c := range stageCodes() {
		if c == code {
			return store.Stage(stage), nil
		}
	}
	return 0, fmt.Errorf("a stage of work is stored as %d, which this version of rollcall does not know", code)
}

// WorkAt returns up to limit items of a cycle in one of the stages, in export order, after a position.
func (s *Store) WorkAt(ctx context.Context, cycleID string, stages []store.Stage, after *store.Position, limit int) ([]store.WorkItem, error) {
	if after == nil {
		after = &store.Position{Pass: math.MinInt32}
	}
	cycle, err := s.cycleNum(ctx, s.db.Read(), cycleID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	items := make([]store.WorkItem, 0, limit)
	for _, stage := range stages { // the index in export order is one of each stage
		if items, err = s.appendWork(ctx, items, cycle, stage, after, limit); err != nil {
			return nil, fmt.Errorf("work of cycle %s: %w", cycleID, err)
		}
	}
	slices.SortStableFunc(items, compareWork)
	items = slices.CompactFunc(items, func(x, y store.WorkItem) bool { return x.ObjectKey == y.ObjectKey })
	return items[:min(limit, len(items))], nil
}

// appendWork appends the first items of a stage after a position: limit of them, or more. An item that becomes a row while
// this looks at both is found twice, first the row.
func (s *Store) appendWork(ctx context.Context, items []store.WorkItem, cycle int64, stage store.Stage, after *store.Position, limit int) ([]store.WorkItem, error) {
	bound, err := s.sheavesAt(ctx, cycle, stage, after, limit)
	if err != nil {
		return nil, err
	}
	codes := stageCodes()
	args := []any{cycle, codes[stage], int64(after.Pass), int64(after.Depth), after.Rule, after.Anchor, limit}
	err = database.Query(ctx, s.db.Read(), workAt, args, func(rows *sql.Rows) error {
		items = append(items, store.WorkItem{})
		return scanWork(rows, &items[len(items)-1])
	})
	return append(items, bound...), err
}

func scanWork(row scanner, i *store.WorkItem) error {
	var code int64
	err := row.Scan(&i.Rule, &i.Anchor, &code, &i.Pass, &i.Depth, &i.Parent, &i.Action, &i.Target, &i.Doc)
	if err == nil {
		i.Stage, err = stageOf(code)
	}
	return err
}

var workByAnchor = database.NewBulk(selectWork + `? AND rule = ? AND anchor IN ({?})`)

// WorkByAnchor returns those items of a rule that exist, by anchor.
func (s *Store) WorkByAnchor(ctx context.Context, cycleID, rule string, anchors []string) (map[string]store.WorkItem, error) {
	found := make(map[string]store.WorkItem, len(anchors))
	cycle, err := s.cycleNum(ctx, s.db.Read(), cycleID)
	if errors.Is(err, store.ErrNotFound) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	wrong := func(err error) (map[string]store.WorkItem, error) {
		return nil, fmt.Errorf("work of rule %s of cycle %s: %w", rule, cycleID, err)
	}
	sorted := slices.Clone(anchors)
	slices.Sort(sorted)
	bound, places, err := s.inSheaves(ctx, s.db.Read(), cycle, rule, sorted)
	if err != nil {
		return wrong(err)
	}
	if len(bound) > 0 {
		items, err := s.itemsAt(ctx, cycle, places, func(_ *place, anchor string) bool { _, ok := bound[anchor]; return ok })
		if err != nil {
			return wrong(err)
		}
		for _, i := range items {
			found[i.Anchor] = i
		}
	}
	err = s.byKeys(ctx, workByAnchor, []any{cycle, rule}, anchors, func(rows *sql.Rows) error {
		var i store.WorkItem
		err := scanWork(rows, &i)
		found[i.Anchor] = i
		return err
	})
	if err != nil {
		return wrong(err)
	}
	return found, nil
}

// CountWork counts the items of a cycle by pass, rule, action and stage, in that order.
func (s *Store) CountWork(ctx context.Context, cycleID string) ([]store.WorkCount, error) {
	const text = `
SELECT rule, pass, action, stage, count(*) FROM cycle_work WHERE cycle = $1 GROUP BY pass, rule, action, stage`
	cycle, err := s.cycleNum(ctx, s.db.Read(), cycleID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	sorts := map[store.WorkCount]int64{} // by what they have in common
	if err == nil {
		err = s.countSheaves(ctx, cycle, sorts)
	}
	if err == nil {
		err = database.Query(ctx, s.db.Read(), text, []any{cycle}, func(rows *sql.Rows) error {
			var c store.WorkCount
			var code, n int64
			err := rows.Scan(&c.Rule, &c.Pass, &c.Action, &code, &n)
			if err == nil {
				c.Stage, err = stageOf(code)
			}
			sorts[c] += n
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("count the work of cycle %s: %w", cycleID, err)
	}
	counts := make([]store.WorkCount, 0, len(sorts))
	for c, n := range sorts {
		c.N = n
		counts = append(counts, c)
	}
	slices.SortFunc(counts, func(x, y store.WorkCount) int {
		return cmp.Or(cmp.Compare(x.Pass, y.Pass), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Action, y.Action), cmp.Compare(x.Stage, y.Stage))
	})
	return counts, nil
}

const selectFound = `
SELECT anchor, doc FROM cycle_found
WHERE cycle = (SELECT num FROM cycles WHERE id = $1) AND rule = $2 AND anchor > $3 ORDER BY anchor LIMIT $4`

// Found delivers the accounts of a rule that the cycle has found, in the byte order of their source anchors.
func (s *Store) Found(ctx context.Context, cycleID, rule string) iter.Seq2[store.Found, error] {
	return pages(func(last *store.Found, page []store.Found) ([]store.Found, error) {
		after := ""
		if last != nil {
			after = last.Anchor
		}
		err := database.Query(ctx, s.db.Read(), selectFound, []any{cycleID, rule, after, pageRows}, func(rows *sql.Rows) error {
			f := store.Found{ObjectKey: store.ObjectKey{Rule: rule}}
			err := rows.Scan(&f.Anchor, &f.Doc)
			page = append(page, f)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("accounts of rule %s found by cycle %s: %w", rule, cycleID, err)
		}
		return page, nil
	})
}

// ClearWork removes all items, the index and the accounts found of a cycle, piece by piece; cut short, it can be repeated.
func (s *Store) ClearWork(ctx context.Context, cycleID string) error {
	var num int64
	err := s.db.Read().QueryRowContext(ctx, `SELECT num FROM cycles WHERE id = $1`, cycleID).Scan(&num)
	if err == nil {
		err = s.clearCycle(ctx, num)
	} else if errors.Is(err, sql.ErrNoRows) {
		return nil // nothing to clear
	}
	if err != nil {
		return fmt.Errorf("clear the work of cycle %s: %w", cycleID, err)
	}
	return nil
}

var indexed = database.NewBulk(`
SELECT value, anchor, doc FROM cycle_index
WHERE cycle = (SELECT num FROM cycles WHERE id = ?) AND kind = ? AND attr = ? AND value IN ({?})
ORDER BY value, anchor`)

// Indexed returns the entries of the cycle's match index with these folded values, by value; several entries of a value
// are in the order of their anchors (design D1).
func (s *Store) Indexed(ctx context.Context, cycleID string, kind identity.Kind, attr string, values []string) (map[string][]store.IndexEntry, error) {
	kept := make([]string, 0, len(values)) // as they are in the table, each once
	given := make(map[string]string, len(values))
	for _, v := range values {
		k := indexValue(v)
		if _, twice := given[k]; !twice {
			given[k] = v
			kept = append(kept, k)
		}
	}
	found := make(map[string][]store.IndexEntry, len(values))
	err := database.QueryBulk(ctx, s.db, s.db.Read(), indexed, database.Fixed{Before: []any{cycleID, string(kind), attr}}, kept, database.Itself,
		func(rows *sql.Rows) error {
			e := store.IndexEntry{Kind: kind, Attr: attr}
			err := rows.Scan(&e.Value, &e.Anchor, &e.Doc)
			e.Value = given[e.Value]
			found[e.Value] = append(found[e.Value], e)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("match index of cycle %s: %w", cycleID, err)
	}
	return found, nil
}
