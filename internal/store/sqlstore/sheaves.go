package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/packed"
	"github.com/rollcall-id/rollcall/internal/store"
)

// A sheaf is up to 64 items of a work list in one row (decision 0011). A cycle that reads a whole source lists its work
// in the order of rule and anchor, and such a list is bound into sheaves: a row of its own for each item, with an entry in the index of the
// export order, written when it is found, moved when its depth is known and removed when it is done, was a sixth of the
// work of a first load.
//
// What never changes of an item is in its sheaf: parent, target, document. Where it stands in the export order is in the
// places of the sheaf: one for each stage, pass, depth and action that its items have, with a bit for each item that is
// there. To finish an item is to clear its bit. An item that is written again loses its bit too and becomes a row of
// cycle_work, so an item is in one place at a time.
const (
	sheafItems = 64 // one bit each of a BIGINT
	leastSheaf = 8  // fewer items are rows
)

// sheaf is the head of a sheaf: its items without their documents.
type sheaf struct {
	num         int64
	rule        string
	first, last string
	items       []sheafItem
}

type sheafItem struct{ anchor, parent, target string }

// place is where items of a sheaf stand in the export order.
type place struct {
	num    int64
	stage  store.Stage
	pass   int
	depth  int
	rule   string
	last   string
	action string
	sheaf  int64
	items  uint64 // bit i is item i
}

func (p *place) at() store.Position {
	return store.Position{Pass: p.pass, Depth: p.depth, Rule: p.rule, Anchor: p.last}
}

const versionHead = 1

func codeHead(c *packed.Coder, items *[]sheafItem) {
	packed.List(c, items, func(c *packed.Coder, i *sheafItem) {
		c.Text(&i.anchor)
		c.Text(&i.parent)
		c.Text(&i.target)
	})
}

// isAppended tells whether items of one rule, which are in the order of their anchors, are enough for a sheaf and all come
// after what the cycle has of the rule.
func (s *Store) isAppended(w *writer, cycle int64, items []store.WorkItem) bool {
	const text = `
SELECT EXISTS (SELECT 1 FROM cycle_work WHERE cycle = $1 AND rule = $2 AND anchor >= $3)
	OR EXISTS (SELECT 1 FROM cycle_sheaves WHERE cycle = $1 AND rule = $2 AND last >= $3)`
	if len(items) < leastSheaf {
		return false
	}
	for i := range items[1:] {
		if items[i].Anchor == items[i+1].Anchor {
			return false
		}
	}
	var later bool
	if err := w.tx.QueryRowContext(w.db.Bare(w.ctx), text, cycle, items[0].Rule, items[0].Anchor).Scan(&later); err != nil {
		w.err = fmt.Errorf("work: %w", err)
	}
	return !later
}

// bind writes items of one rule, which are in the order of their anchors and new to the cycle, as sheaves.
func bind(w *writer, cycle int64, items []store.WorkItem) {
	for part := range slices.Chunk(items, sheafItems) {
		if w.err != nil {
			return
		}
		if err := bindOne(w, cycle, part); err != nil {
			w.err = fmt.Errorf("work: %w", err)
		}
	}
}

func bindOne(w *writer, cycle int64, items []store.WorkItem) error {
	heads := make([]sheafItem, len(items))
	size := 0
	for i := range items {
		heads[i] = sheafItem{items[i].Anchor, items[i].Parent, items[i].Target}
		size += len(items[i].Doc) + binary.MaxVarintLen32
	}
	docs := make([]byte, 0, size)
	for i := range items {
		docs = append(binary.AppendUvarint(docs, uint64(len(items[i].Doc))), items[i].Doc...)
	}
	rule, last := items[0].Rule, items[len(items)-1].Anchor
	var num int64
	err := w.tx.QueryRowContext(w.db.Bare(w.ctx), `INSERT INTO cycle_sheaves (cycle, rule, first, last, head, docs) VALUES ($1, $2, $3, $4, $5, $6) RETURNING num`,
		cycle, rule, items[0].Anchor, last, packed.Pack(versionHead, func(c *packed.Coder) { codeHead(c, &heads) }), docs).Scan(&num)
	if err != nil {
		return err
	}
	var places []place
	for i := range items {
		it := &items[i]
		places = placed(places, place{stage: it.Stage, pass: it.Pass, depth: it.Depth, rule: rule, last: last, action: it.Action, sheaf: num}, i)
	}
	return putPlaces(w, cycle, places)
}

// placed adds an item to the places of its sheaf.
func placed(places []place, at place, item int) []place {
	i := slices.IndexFunc(places, func(p place) bool {
		return p.sheaf == at.sheaf && p.stage == at.stage && p.pass == at.pass && p.depth == at.depth && p.action == at.action
	})
	if i < 0 {
		places = append(places, at)
		i = len(places) - 1
	}
	places[i].items |= 1 << item
	return places
}

var insertPlaces = database.NewBulk(`
INSERT INTO cycle_places (cycle, stage, pass, depth, rule, last, action, sheaf, items) VALUES {(?, ?, ?, ?, ?, ?, ?, ?, ?)}`)

func putPlaces(w *writer, cycle int64, places []place) error {
	codes := stageCodes()
	_, err := database.ExecBulk(w.ctx, w.db, w.tx, insertPlaces, database.Fixed{}, places, func(p *place) place { return *p },
		func(dst []any, p *place) []any {
			return append(dst, cycle, codes[p.stage], int64(p.pass), int64(p.depth), p.rule, p.last, p.action, p.sheaf, int64(p.items))
		})
	return err
}

// sheafSet remembers heads of sheaves that were read. They never change, and the number of a sheaf is never used again, so
// all that can go wrong is that a sheaf is gone: it has no places then.
type sheafSet struct {
	mu    sync.Mutex
	rules map[ruleOfCycle][]*sheaf // by last
	n     int
}

type ruleOfCycle struct {
	cycle int64
	rule  string
}

const mostHeads = 2048 // remembered; some 10 MB

func (s *sheafSet) add(cycle int64, h *sheaf) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rules == nil || s.n >= mostHeads {
		s.rules, s.n = map[ruleOfCycle][]*sheaf{}, 0
	}
	key := ruleOfCycle{cycle, h.rule}
	list := s.rules[key]
	i, found := slices.BinarySearchFunc(list, h.last, (*sheaf).compareLast)
	if found {
		list[i] = h
		return
	}
	s.rules[key] = slices.Insert(list, i, h)
	s.n++
}

// covering returns the head of the sheaf whose range an anchor is in, nil when none is remembered.
func (s *sheafSet) covering(cycle int64, rule, anchor string) *sheaf {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.rules[ruleOfCycle{cycle, rule}]
	i, _ := slices.BinarySearchFunc(list, anchor, (*sheaf).compareLast)
	if i < len(list) && list[i].first <= anchor {
		return list[i]
	}
	return nil
}

// forget drops all heads of a cycle.
func (s *sheafSet) forget(cycle int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, list := range s.rules {
		if key.cycle == cycle {
			s.n -= len(list)
			delete(s.rules, key)
		}
	}
}

func (h *sheaf) compareLast(anchor string) int { return cmp.Compare(h.last, anchor) }

// item returns the number of the item of an anchor, -1 for none.
func (h *sheaf) item(anchor string) int {
	i, found := slices.BinarySearchFunc(h.items, anchor, func(i sheafItem, a string) int { return cmp.Compare(i.anchor, a) })
	if !found {
		return -1
	}
	return i
}

const nextSheaf = `
SELECT num, rule, first, last, head FROM cycle_sheaves WHERE cycle = $1 AND rule = $2 AND last >= $3 ORDER BY last LIMIT 1`

func scanHead(row scanner) (*sheaf, error) {
	h := &sheaf{}
	var head []byte
	if err := row.Scan(&h.num, &h.rule, &h.first, &h.last, &head); err != nil {
		return nil, err
	}
	return h, packed.Unpack(versionHead, head, func(c *packed.Coder) { codeHead(c, &h.items) })
}

// member is an item of a sheaf.
type member struct {
	sheaf *sheaf
	item  int
}

// locate finds the sheaves that anchors, which are in order, were bound into. Whether they are still there is told by the
// places.
func (s *Store) locate(ctx context.Context, q rowQuerier, cycle int64, rule string, anchors []string) (map[string]member, error) {
	found := map[string]member{}
	gap := "" // no sheaf has anchors from the one before up to here
	for _, anchor := range anchors {
		if anchor < gap {
			continue
		}
		h := s.sheaves.covering(cycle, rule, anchor)
		if h == nil {
			var err error
			h, err = scanHead(q.QueryRowContext(ctx, nextSheaf, cycle, rule, anchor))
			if errors.Is(err, sql.ErrNoRows) {
				return found, nil
			}
			if err != nil {
				return nil, fmt.Errorf("sheaves of rule %s: %w", rule, err)
			}
			s.sheaves.add(cycle, h)
			if gap = h.first; anchor < gap {
				continue
			}
		}
		if i := h.item(anchor); i >= 0 {
			found[anchor] = member{h, i}
		}
	}
	return found, nil
}

var selectPlaces = database.NewBulk(`
SELECT num, stage, pass, depth, rule, last, action, sheaf, items FROM cycle_places WHERE sheaf IN ({?})`)

// placesOf returns the places of sheaves.
func (s *Store) placesOf(ctx context.Context, q database.Querier, sheaves []int64) ([]place, error) {
	var places []place
	err := database.QueryBulk(ctx, s.db, q, selectPlaces, database.Fixed{}, sheaves, database.Itself, func(rows *sql.Rows) error {
		p, err := scanPlace(rows)
		places = append(places, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("places of sheaves: %w", err)
	}
	return places, nil
}

func scanPlace(rows scanner) (place, error) {
	var p place
	var stage, items int64
	err := rows.Scan(&p.num, &stage, &p.pass, &p.depth, &p.rule, &p.last, &p.action, &p.sheaf, &items)
	if err == nil {
		p.items = uint64(items)
		p.stage, err = stageOf(stage)
	}
	return p, err
}

// inSheaves finds those of the anchors, which are in order, that are in a sheaf now, with the places of their sheaves.
func (s *Store) inSheaves(ctx context.Context, q interface {
	rowQuerier
	database.Querier
}, cycle int64, rule string, anchors []string) (found map[string]member, places []place, err error) {
	for again := false; ; again = true {
		found, err = s.locate(ctx, q, cycle, rule, anchors)
		if err != nil || len(found) == 0 {
			return nil, nil, err
		}
		var nums []int64
		for _, m := range found {
			nums = append(nums, m.sheaf.num)
		}
		slices.Sort(nums)
		nums = slices.Compact(nums)
		if places, err = s.placesOf(ctx, q, nums); err != nil {
			return nil, nil, err
		}
		left := map[int64]uint64{} // items of each sheaf that are there
		for i := range places {
			left[places[i].sheaf] |= places[i].items
		}
		if len(left) < len(nums) && !again { // sheaves that another process has cleared
			s.sheaves.forget(cycle)
			continue
		}
		for anchor, m := range found {
			if left[m.sheaf.num]&(1<<m.item) == 0 {
				delete(found, anchor)
			}
		}
		return found, places, nil
	}
}

var updatePlaces = database.NewBulk(`
WITH given (num, items) AS (VALUES {(CAST(? AS BIGINT), CAST(? AS BIGINT))})
UPDATE cycle_places SET items = given.items FROM given WHERE cycle_places.num = given.num`)

// takeOut takes items out of their sheaves, and returns the anchors, which are in order, of those that were in none.
func (s *Store) takeOut(w *writer, cycle int64, rule string, anchors []string) (rest []string) {
	if w.err != nil {
		return nil
	}
	ctx := w.db.Bare(w.ctx)
	found, places, err := s.inSheaves(ctx, w.tx, cycle, rule, anchors)
	if err != nil || len(found) == 0 {
		w.err = err
		return anchors
	}
	taken := map[int64]uint64{}
	for _, anchor := range anchors {
		if m, ok := found[anchor]; ok {
			taken[m.sheaf.num] |= 1 << m.item
		} else {
			rest = append(rest, anchor)
		}
	}
	var changed []place
	for _, p := range places {
		if left := p.items &^ taken[p.sheaf]; left != p.items {
			p.items = left
			changed = append(changed, p)
		}
	}
	_, err = database.ExecBulk(w.ctx, w.db, w.tx, updatePlaces, database.Fixed{}, changed, func(p *place) int64 { return p.num },
		func(dst []any, p *place) []any { return append(dst, p.num, int64(p.items)) })
	if err != nil {
		w.err = fmt.Errorf("work: %w", err)
	}
	return rest
}

// mostActions is more than the number of actions that items at one place of the export order can have.
const mostActions = 16

const selectOrder = `
SELECT num, stage, pass, depth, rule, last, action, sheaf, items FROM cycle_places
WHERE cycle = $1 AND stage = $2 AND items <> 0 AND (pass, depth, rule, last) >= ($3, $4, $5, $6)
ORDER BY pass, depth, rule, last LIMIT $7`

// errEnough ends a query whose further rows are not needed.
var errEnough = errors.New("enough")

// sheavesAt returns the first items in sheaves of a stage after a position, in export order: limit of them, or somewhat
// more, or all that there are.
func (s *Store) sheavesAt(ctx context.Context, cycle int64, stage store.Stage, after *store.Position, limit int) ([]store.WorkItem, error) {
	var places []place
	n := 0 // items at the places
	codes := stageCodes()
	most := limit + 2*mostActions
	args := []any{cycle, codes[stage], int64(after.Pass), int64(after.Depth), after.Rule, after.Anchor, most}
	err := database.Query(ctx, s.db.Read(), selectOrder, args, func(rows *sql.Rows) error {
		p, err := scanPlace(rows)
		switch {
		case err != nil:
			return err
		case n >= limit+sheafItems && p.at() != places[len(places)-1].at(): // 64 of them may come before after
			return errEnough
		}
		places = append(places, p)
		n += bits.OnesCount64(p.items)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if len(places) == most { // others at the place of the last may be missing
		last := places[most-1].at()
		places = slices.DeleteFunc(places, func(p place) bool { return p.at() == last })
	}
	return s.itemsAt(ctx, cycle, places, func(p *place, anchor string) bool {
		return p.pass != after.Pass || p.depth != after.Depth || p.rule != after.Rule || anchor > after.Anchor
	})
}

var selectSheaves = database.NewBulk(`SELECT num, rule, first, last, head, docs FROM cycle_sheaves WHERE num IN ({?})`)

// itemsAt reads the items at places, in export order, as far as they are wanted.
func (s *Store) itemsAt(ctx context.Context, cycle int64, places []place, wanted func(*place, string) bool) ([]store.WorkItem, error) {
	at := map[int64][]*place{}
	var nums []int64
	for i := range places {
		p := &places[i]
		if at[p.sheaf] == nil {
			nums = append(nums, p.sheaf)
		}
		at[p.sheaf] = append(at[p.sheaf], p)
	}
	var items []store.WorkItem
	err := database.QueryBulk(ctx, s.db, s.db.Read(), selectSheaves, database.Fixed{}, nums, database.Itself, func(rows *sql.Rows) error {
		h := &sheaf{}
		var head, docs sql.RawBytes
		if err := rows.Scan(&h.num, &h.rule, &h.first, &h.last, &head, &docs); err != nil {
			return err
		}
		if err := packed.Unpack(versionHead, head, func(c *packed.Coder) { codeHead(c, &h.items) }); err != nil {
			return fmt.Errorf("sheaf %d: %w", h.num, err)
		}
		s.sheaves.add(cycle, h)
		for i, it := range h.items {
			size, n := binary.Uvarint(docs)
			if n <= 0 || uint64(len(docs)-n) < size {
				return fmt.Errorf("sheaf %d: %w", h.num, packed.ErrDamaged)
			}
			doc := docs[n : n+int(size)]
			docs = docs[n+int(size):]
			for _, p := range at[h.num] {
				if p.items&(1<<i) != 0 && wanted(p, it.anchor) {
					items = append(items, store.WorkItem{ObjectKey: store.ObjectKey{Rule: h.rule, Anchor: it.anchor}, Stage: p.stage, Pass: p.pass,
						Depth: p.depth, Parent: it.parent, Action: p.action, Target: it.target, Doc: slices.Clone([]byte(doc))})
				}
			}
		}
		return nil
	})
	slices.SortFunc(items, compareWork)
	return items, err
}

// compareWork is the export order.
func compareWork(x, y store.WorkItem) int {
	return cmp.Or(cmp.Compare(x.Pass, y.Pass), cmp.Compare(x.Depth, y.Depth), compareKeys(&x.ObjectKey, &y.ObjectKey))
}

// countSheaves counts the items in sheaves.
func (s *Store) countSheaves(ctx context.Context, cycle int64, counts map[store.WorkCount]int64) error {
	const text = `SELECT num, stage, pass, depth, rule, last, action, sheaf, items FROM cycle_places WHERE cycle = $1 AND items <> 0`
	return database.Query(ctx, s.db.Read(), text, []any{cycle}, func(rows *sql.Rows) error {
		p, err := scanPlace(rows)
		counts[store.WorkCount{Rule: p.rule, Pass: p.pass, Action: p.action, Stage: p.stage}] += int64(bits.OnesCount64(p.items))
		return err
	})
}
