package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/store"
)

// SetDepths gives every item of the pass its depth (design D1, managers first). Each item is a number here, its place
// in the order of rule and anchor, so that the tree takes some 30 bytes of memory per item. What is computed depends on
// parents only, never on depths, so a call that was cut short can be repeated and gives the same.
func (s *Store) SetDepths(ctx context.Context, cycleID string, pass int) ([]store.ObjectKey, error) {
	num, err := s.cycleNum(ctx, s.db.Read(), cycleID)
	if err != nil {
		return nil, err
	}
	cut, err := s.setDepths(ctx, num, pass)
	if err != nil {
		return nil, fmt.Errorf("order the work of pass %d of cycle %s: %w", pass, cycleID, err)
	}
	return cut, nil
}

func (s *Store) setDepths(ctx context.Context, cycle int64, pass int) ([]store.ObjectKey, error) {
	parents, err := s.parents(ctx, cycle, pass)
	if err != nil {
		return nil, err
	}
	depths, cuts := depthsOf(parents)

	var cut []store.ObjectKey
	next := 0
	for page, err := range s.pass(ctx, cycle, pass) {
		if err != nil {
			return nil, err
		}
		if next+len(page) > len(depths) {
			return nil, errWorkChanged
		}
		wrong := map[int32][]store.ObjectKey{} // by the depth they should have
		for _, row := range page {
			if depth := depths[next]; row.depth != int64(depth) {
				wrong[depth] = append(wrong[depth], row.key)
			}
			if len(cuts) > 0 && int(cuts[0]) == next {
				cut = append(cut, row.key)
				cuts = cuts[1:]
			}
			next++
		}
		if err := s.writeDepths(ctx, cycle, wrong); err != nil {
			return nil, err
		}
	}
	if next != len(depths) {
		return nil, errWorkChanged
	}
	return cut, nil
}

var errWorkChanged = errors.New("the work list changed meanwhile; only one process may work on a cycle")

// parents returns for each item of the pass, in the order of rule and anchor, the number of its parent, or -1. Items are
// told apart by 64-bit hashes: that two of a million have the same is as likely as one in ten million, and would only
// put one of them in a place where its manager has no account yet, which is healed.
func (s *Store) parents(ctx context.Context, cycle int64, pass int) ([]int32, error) {
	type item struct {
		hash uint64
		at   int32
	}
	var items []item
	var wanted []uint64 // hashes of the parents, 0 for none
	some := false
	for page, err := range s.pass(ctx, cycle, pass) {
		if err != nil {
			return nil, err
		}
		for _, row := range page {
			items = append(items, item{hashOfItem(row.key.Rule, row.key.Anchor), int32(len(items))})
			parent := uint64(0)
			if row.parent != "" {
				parent, some = hashOfItem(row.key.Rule, row.parent), true
			}
			wanted = append(wanted, parent)
		}
	}
	parents := slices.Repeat([]int32{-1}, len(items))
	if !some {
		return parents, nil
	}
	byHash := func(a, b item) int { return cmp.Compare(a.hash, b.hash) }
	slices.SortFunc(items, byHash)
	for i, hash := range wanted {
		if at, found := slices.BinarySearchFunc(items, item{hash: hash}, byHash); found && hash != 0 {
			parents[i] = items[at].at
		}
	}
	return parents, nil
}

func hashOfItem(rule, anchor string) uint64 {
	return xxh3.HashStringSeed(anchor, xxh3.HashString(rule)) | 1 // never 0
}

// depthsOf returns the depth of every item of a forest given by parents (-1 for none), and the items at which cycles
// were cut, the smallest of each, in ascending order. It changes parents: an item that was cut has none.
func depthsOf(parents []int32) (depths, cuts []int32) {
	const unknown, onPath = -1, -2
	depths = make([]int32, len(parents))
	for i := range depths {
		depths[i] = unknown
	}
	var path []int32
	for i := range parents {
		at := int32(i)
		for at >= 0 && depths[at] < 0 {
			if depths[at] == onPath { // the path has come round: cut, and go on as if the cut item had no parent
				smallest := at
				for j := parents[at]; j != at; j = parents[j] {
					smallest = min(smallest, j)
				}
				cuts = append(cuts, smallest)
				parents[smallest] = -1
				for _, j := range path {
					depths[j] = unknown
				}
				path, at = path[:0], int32(i)
				continue
			}
			depths[at] = onPath
			path = append(path, at)
			at = parents[at]
		}
		depth := int32(0)
		if at >= 0 {
			depth = depths[at] + 1
		}
		for _, j := range slices.Backward(path) {
			depths[j] = depth
			depth++
		}
		path = path[:0]
	}
	slices.Sort(cuts)
	return depths, cuts
}

type depthRow struct {
	key    store.ObjectKey
	parent string
	depth  int64
}

const selectDepths = `
SELECT rule, anchor, parent, depth FROM cycle_work
WHERE cycle = $1 AND pass = $2 AND (rule, anchor) > ($3, $4) ORDER BY rule, anchor LIMIT $5`

// pass delivers the items of a pass in the order of rule and anchor, page by page.
func (s *Store) pass(ctx context.Context, cycle int64, pass int) iter.Seq2[[]depthRow, error] {
	return func(yield func([]depthRow, error) bool) {
		var after store.ObjectKey
		for {
			var page []depthRow
			err := s.db.Scan(ctx, selectDepths, []any{cycle, int64(pass), after.Rule, after.Anchor, int64(pageRows)}, func(v []driver.Value) error {
				var r depthRow
				var ok [4]bool
				r.key.Rule, ok[0] = v[0].(string)
				r.key.Anchor, ok[1] = v[1].(string)
				r.parent, ok[2] = v[2].(string)
				r.depth, ok[3] = v[3].(int64)
				if ok != [4]bool{true, true, true, true} {
					return fmt.Errorf("unexpected types of columns: %T, %T, %T, %T", v[0], v[1], v[2], v[3])
				}
				page = append(page, r)
				return nil
			})
			if err != nil || len(page) == 0 {
				if err != nil {
					yield(nil, err)
				}
				return
			}
			if !yield(page, nil) || len(page) < pageRows {
				return
			}
			after = page[len(page)-1].key
		}
	}
}

var updateDepths = database.NewBulk(`UPDATE cycle_work SET depth = ? WHERE cycle = ? AND rule = ? AND anchor IN ({?})`)

// writeDepths gives items the depth under which they stand.
func (s *Store) writeDepths(ctx context.Context, cycle int64, items map[int32][]store.ObjectKey) error {
	if len(items) == 0 {
		return nil
	}
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		w := writer{ctx: ctx, db: s.db, tx: tx}
		for depth, keys := range items {
			for rule, anchors := range byRule(keys) {
				putEach(&w, "depths", updateDepths, []any{int64(depth), cycle, rule}, anchors)
			}
		}
		return w.err
	})
}
