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
	wrong := depthChanges{rows: map[int32][]store.ObjectKey{}}
	for row, err := range s.pass(ctx, cycle, pass) {
		if err != nil {
			return nil, err
		}
		if next == len(depths) {
			return nil, errWorkChanged
		}
		if wrong.full(row) {
			if err := s.writeDepths(ctx, cycle, pass, &wrong); err != nil {
				return nil, err
			}
		}
		wrong.add(row, depths[next])
		if len(cuts) > 0 && int(cuts[0]) == next {
			cut = append(cut, row.key)
			cuts = cuts[1:]
		}
		next++
	}
	if next != len(depths) {
		return nil, errWorkChanged
	}
	return cut, s.writeDepths(ctx, cycle, pass, &wrong)
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
	for row, err := range s.pass(ctx, cycle, pass) {
		if err != nil {
			return nil, err
		}
		items = append(items, item{hashOfItem(row.key.Rule, row.key.Anchor), int32(len(items))})
		parent := uint64(0)
		if row.parent != "" {
			parent, some = hashOfItem(row.key.Rule, row.parent), true
		}
		wanted = append(wanted, parent)
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

// depthRow is an item of the pass.
type depthRow struct {
	key    store.ObjectKey
	parent string
	depth  int64

	place place // of one in a sheaf, with its bit; otherwise zero
	item  int   // its number in the sheaf
}

// pass delivers the items of a pass in the order of rule and anchor: rows and items of sheaves, merged.
func (s *Store) pass(ctx context.Context, cycle int64, pass int) iter.Seq2[depthRow, error] {
	return func(yield func(depthRow, error) bool) {
		next, stop := iter.Pull2(s.passRows(ctx, cycle, pass))
		defer stop()
		row, err, more := next()
		for bound, berr := range s.passSheaves(ctx, cycle, pass) {
			for more && err == nil && berr == nil && compareKeys(&row.key, &bound.key) < 0 {
				if !yield(row, nil) {
					return
				}
				row, err, more = next()
			}
			if err = cmp.Or(err, berr); err != nil {
				yield(depthRow{}, err)
				return
			}
			if !yield(bound, nil) {
				return
			}
		}
		for ; more; row, err, more = next() {
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

const selectDepths = `
SELECT rule, anchor, parent, depth FROM cycle_work
WHERE cycle = $1 AND pass = $2 AND (rule, anchor) > ($3, $4) ORDER BY rule, anchor LIMIT $5`

// passRows delivers the items of a pass that are rows, in the order of rule and anchor.
func (s *Store) passRows(ctx context.Context, cycle int64, pass int) iter.Seq2[depthRow, error] {
	return pages(func(last *depthRow, page []depthRow) ([]depthRow, error) {
		var after store.ObjectKey
		if last != nil {
			after = last.key
		}
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
		return page, err
	})
}

const selectHeads = `
SELECT num, rule, first, last, head FROM cycle_sheaves
WHERE cycle = $1 AND (rule, last) > ($2, $3) ORDER BY rule, last LIMIT $4`

// passSheaves delivers the items of a pass that are in sheaves, in the order of rule and anchor.
func (s *Store) passSheaves(ctx context.Context, cycle int64, pass int) iter.Seq2[depthRow, error] {
	return func(yield func(depthRow, error) bool) {
		var rule, last string
		for {
			const page = 128
			heads := make([]*sheaf, 0, page)
			nums := make([]int64, 0, page)
			err := database.Query(ctx, s.db.Read(), selectHeads, []any{cycle, rule, last, page}, func(rows *sql.Rows) error {
				h, err := scanHead(rows)
				if err == nil {
					heads, nums = append(heads, h), append(nums, h.num)
				}
				return err
			})
			if err == nil && len(heads) == 0 {
				return
			}
			var places []place
			if err == nil {
				places, err = s.placesOf(ctx, s.db.Read(), nums)
			}
			if err != nil {
				yield(depthRow{}, err)
				return
			}
			for _, h := range heads {
				if !h.pass(places, pass, yield) {
					return
				}
			}
			rule, last = heads[len(heads)-1].rule, heads[len(heads)-1].last
		}
	}
}

// pass delivers the items of a sheaf that are in a pass.
func (h *sheaf) pass(places []place, pass int, yield func(depthRow, error) bool) bool {
	var own []place
	for _, p := range places {
		if p.sheaf == h.num && p.pass == pass && p.items != 0 {
			own = append(own, p)
		}
	}
	for i, it := range h.items {
		for _, p := range own {
			if p.items&(1<<i) != 0 && !yield(depthRow{key: store.ObjectKey{Rule: h.rule, Anchor: it.anchor}, parent: it.parent, depth: int64(p.depth), place: p, item: i}, nil) {
				return false
			}
		}
	}
	return true
}

// depthChanges are depths that are to be written.
type depthChanges struct {
	rows  map[int32][]store.ObjectKey // by the depth that they should have
	n     int
	bound []place // of sheaves of which an item has another depth: all places of the pass
	sheaf int64   // under way
	own   []place // of it
	moved bool    // one of its items has another depth
}

func (d *depthChanges) add(row depthRow, depth int32) {
	if row.place.sheaf == 0 {
		if row.depth != int64(depth) {
			d.rows[depth] = append(d.rows[depth], row.key)
			d.n++
		}
		return
	}
	d.next(row.place.sheaf)
	at := row.place
	at.num, at.items, at.depth = 0, 0, int(depth)
	d.own = placed(d.own, at, row.item)
	d.moved = d.moved || row.depth != int64(depth)
}

// next goes on to another sheaf; 0 is none.
func (d *depthChanges) next(sheaf int64) {
	if d.sheaf == sheaf {
		return
	}
	if d.moved {
		d.bound = append(d.bound, d.own...)
	}
	d.sheaf, d.own, d.moved = sheaf, nil, false
}

// full tells whether it is time to write, before the next item is added; never in the middle of a sheaf.
func (d *depthChanges) full(next depthRow) bool {
	return d.n+len(d.bound) >= pageRows && (d.sheaf == 0 || d.sheaf != next.place.sheaf)
}

var (
	updateDepths = database.NewBulk(`UPDATE cycle_work SET depth = ? WHERE cycle = ? AND rule = ? AND anchor IN ({?})`)
	deletePlaces = database.NewBulk(`DELETE FROM cycle_places WHERE pass = ? AND sheaf IN ({?})`)
)

// writeDepths writes what has changed, and forgets it.
func (s *Store) writeDepths(ctx context.Context, cycle int64, pass int, d *depthChanges) error {
	d.next(0)
	if len(d.rows)+len(d.bound) == 0 {
		return nil
	}
	var sheaves []int64
	for _, p := range d.bound {
		sheaves = append(sheaves, p.sheaf)
	}
	slices.Sort(sheaves)
	sheaves = slices.Compact(sheaves)
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		w := writer{ctx: ctx, db: s.db, tx: tx}
		for depth, keys := range d.rows {
			for rule, anchors := range byRule(keys) {
				putEach(&w, "depths", updateDepths, []any{int64(depth), cycle, rule}, anchors)
			}
		}
		if w.err != nil || len(sheaves) == 0 {
			return w.err
		}
		itself := func(n *int64) int64 { return *n }
		if _, err := database.ExecBulk(ctx, s.db, tx, deletePlaces, database.Fixed{Before: []any{int64(pass)}}, sheaves, itself, database.Itself); err != nil {
			return err
		}
		return putPlaces(&w, cycle, d.bound)
	})
	*d = depthChanges{rows: map[int32][]store.ObjectKey{}}
	return err
}
