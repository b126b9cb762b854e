package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/store"
)

// SetDepths gives every item of the pass its depth (design D1, managers first). Each item is a
// number here, its place in the order of rule and anchor, so that the tree takes 8 bytes of memory per item. What is computed depends on parents only, never on depths, so a call that was cut short can be repeated and
// gives the same.
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
	after := store.ObjectKey{}
	for {
		page, err := s.depthPage(ctx, cycle, pass, after)
		if err != nil {
			return nil, err
		}
		if next+len(page) > len(depths) {
			return nil, errWorkChanged
		}
		var wrong []depthRow
		for _, row := range page {
			if row.depth != int64(depths[next]) {
				row.depth = int64(depths[next])
				wrong = append(wrong, row)
			}
			if len(cuts) > 0 && int(cuts[0]) == next {
				cut = append(cut, row.key)
				cuts = cuts[1:]
			}
			next++
		}
		if len(wrong) > 0 {
			if err := s.writeDepths(ctx, cycle, wrong); err != nil {
				return nil, err
			}
		}
		if len(page) < pageRows {
			break
		}
		after = page[len(page)-1].key
	}
	if next != len(depths) {
		return nil, errWorkChanged
	}
	return cut, nil
}

var errWorkChanged = errors.New("the work list changed meanwhile; only one process may work on a cycle")

const countPass = `SELECT count(*) FROM cycle_work WHERE cycle = $1 AND pass = $2`

// Every item, and behind it all items whose parent it is. Items have no id here: they come in the order of their ids.
const selectParents = `
SELECT rule, anchor AS name, 0 AS is_child, 0 AS id FROM cycle_work WHERE cycle = $1 AND pass = $2
UNION ALL
SELECT rule, parent, 1, id
FROM (SELECT row_number() OVER (ORDER BY rule, anchor) - 1 AS id, rule, parent FROM cycle_work WHERE cycle = $1 AND pass = $2) AS item
WHERE parent <> ''
ORDER BY rule, name, is_child`

// parents returns for each item of the pass, in the order of rule and anchor, the number of its parent, or -1. Items
// and parents are put together here, because PostgreSQL, which knows nothing yet about a list just written, may choose
// to join them by comparing each with each.
func (s *Store) parents(ctx context.Context, cycle int64, pass int) ([]int32, error) {
	var n int
	if err := s.db.Read().QueryRowContext(ctx, countPass, cycle, pass).Scan(&n); err != nil {
		return nil, err
	}
	parents := slices.Repeat([]int32{-1}, n)
	var item store.ObjectKey // the last one that came
	at := -1                 // its number
	err := database.Query(ctx, s.db.Read(), selectParents, []any{cycle, pass}, func(rows *sql.Rows) error {
		var name store.ObjectKey
		var isChild, child int
		if err := rows.Scan(&name.Rule, &name.Anchor, &isChild, &child); err != nil {
			return err
		}
		switch {
		case isChild == 0:
			item = name
			at++
		case at >= n || child >= n:
			return errWorkChanged
		case name == item:
			parents[child] = int32(at)
		}
		return nil
	})
	return parents, err
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
	key   store.ObjectKey
	depth int64
}

const selectDepths = `
SELECT rule, anchor, depth FROM cycle_work
WHERE cycle = $1 AND pass = $2 AND (rule, anchor) > ($3, $4) ORDER BY rule, anchor LIMIT $5`

func (s *Store) depthPage(ctx context.Context, cycle int64, pass int, after store.ObjectKey) ([]depthRow, error) {
	var page []depthRow
	err := database.Query(ctx, s.db.Read(), selectDepths, []any{cycle, pass, after.Rule, after.Anchor, pageRows}, func(rows *sql.Rows) error {
		var r depthRow
		err := rows.Scan(&r.key.Rule, &r.key.Anchor, &r.depth)
		page = append(page, r)
		return err
	})
	return page, err
}

var updateDepths = database.NewBulk(`
WITH given (cycle, rule, anchor, depth) AS (VALUES {(CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS INTEGER))})
UPDATE cycle_work SET depth = given.depth
FROM given WHERE cycle_work.cycle = given.cycle AND cycle_work.rule = given.rule AND cycle_work.anchor = given.anchor`)

func (s *Store) writeDepths(ctx context.Context, cycle int64, rows []depthRow) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := database.ExecBulk(ctx, s.db, tx, updateDepths, database.Fixed{}, rows,
			func(r *depthRow) store.ObjectKey { return r.key },
			func(dst []any, r *depthRow) []any { return append(dst, cycle, r.key.Rule, r.key.Anchor, r.depth) })
		return err
	})
}
