package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

func workChecks() []Check {
	return []Check{
		{"work comes in export order, in pages, of the stages asked for", workPages},
		{"an item changes until it is finished, and is gone then", workDone},
		{"a long list that was written in order stays the same list, whatever happens to its items", workHistory},
		{"cleared work is gone with its index, and no other cycle's", workClear},
		{"the index keeps several accounts per value, any value, until it is dropped (D1)", matchIndex},
	}
}

// workBatch is a work list of two passes, two depths and two rules, in export order.
func workBatch() *store.Batch {
	b := batch()
	for pass := range 2 {
		for depth := range 2 {
			for _, rule := range []string{"groups", users} {
				for i, a := range anchors() {
					b.Work = append(b.Work, store.WorkItem{
						ObjectKey: store.ObjectKey{Rule: rule, Anchor: fmt.Sprint(pass, depth, a)},
						Stage:     allStages()[i%len(allStages())], Pass: pass, Depth: depth, Action: "create", Doc: []byte(a),
					})
				}
			}
		}
	}
	return b
}

func workPages(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	b := workBatch()
	want := slices.Clone(b.Work)
	slices.Reverse(b.Work)
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	for _, stages := range [][]store.Stage{
		{store.ToMatch}, {store.ToSettle, store.ToExport}, {store.ToExport, store.ToMatch},
		allStages(),
	} {
		wanted := without(want, func(i store.WorkItem) bool { return !slices.Contains(stages, i.Stage) })
		var got []store.WorkItem
		var at *store.Position
		for {
			page, err := s.WorkAt(ctx, cycleID, stages, at, 7)
			if err != nil {
				return err
			}
			if len(page) > 7 {
				return fmt.Errorf("a page of 7 has %d items", len(page))
			}
			got = append(got, page...)
			if len(page) < 7 {
				break
			}
			last := page[len(page)-1]
			at = &store.Position{Pass: last.Pass, Depth: last.Depth, Rule: last.Rule, Anchor: last.Anchor}
		}
		if err := same(fmt.Sprint("work in stages ", stages), got, wanted); err != nil {
			return err
		}
	}
	counts, err := s.CountWork(ctx, cycleID)
	var n int64
	for _, c := range counts {
		n += c.N
	}
	if err := first(err, same("items counted", n, int64(len(want))), same("sorts of items", len(counts), 2*2*len(allStages()))); err != nil {
		return err
	}
	none, err := s.WorkAt(ctx, "no such cycle", []store.Stage{store.ToMatch}, nil, 7)
	return first(err, same("work of an unknown cycle", none, nil))
}

func workDone(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	item := store.WorkItem{ObjectKey: key("a"), Pass: 1, Depth: 2, Parent: "b", Action: "create", Doc: []byte("doc")}
	other := store.WorkItem{ObjectKey: key("A"), Action: "update"}
	b := batch()
	b.Work = []store.WorkItem{item, other}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	again := item
	again.Stage, again.Pass, again.Parent, again.Action, again.Target, again.Doc = store.ToExport, 3, "", "update", "t'1", nil
	for _, step := range []struct {
		give store.Batch
		want map[string]store.WorkItem
	}{
		{store.Batch{}, map[string]store.WorkItem{"a": item, "A": other}},
		{store.Batch{Work: []store.WorkItem{again}}, map[string]store.WorkItem{"a": again, "A": other}},
		{store.Batch{Done: []store.ObjectKey{key("unknown"), {Rule: "groups", Anchor: "a"}}}, map[string]store.WorkItem{"a": again, "A": other}},
		{store.Batch{Done: []store.ObjectKey{key("a")}}, map[string]store.WorkItem{"A": other}},
		{store.Batch{Work: []store.WorkItem{item}, Done: []store.ObjectKey{key("A")}}, map[string]store.WorkItem{"a": item}},
	} {
		b := step.give
		b.JobID, b.CycleID, b.Epoch = jobID, cycleID, 1
		if err := s.Commit(ctx, &b); err != nil {
			return err
		}
		got, err := s.WorkByAnchor(ctx, cycleID, users, []string{"a", "A", "unknown"})
		if err := first(err, same("work", got, step.want)); err != nil {
			return err
		}
	}
	return nil
}

// workHistory writes long lists in the order of their anchors, as a full read does, and then changes, finishes, orders and
// clears items at random; after each step the store has what a map has.
func workHistory(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	list := map[store.ObjectKey]store.WorkItem{}
	rules := []string{"groups", users}
	next := map[string]int{} // number of the next anchor that is appended
	name := func(n int) string { return fmt.Sprintf("%05d", n) }
	newItem := func(rule string, n int) store.WorkItem {
		i := store.WorkItem{ObjectKey: store.ObjectKey{Rule: rule, Anchor: name(n)}, Stage: allStages()[random.IntN(len(allStages()))],
			Pass: random.IntN(2), Action: []string{"create", "update"}[random.IntN(2)], Target: fmt.Sprint("t", random.IntN(3))}
		if n > 0 && random.IntN(3) > 0 {
			i.Parent = name(random.IntN(n)) // before it, so that no one is their own superior
		}
		if random.IntN(4) > 0 {
			i.Doc = []byte(strings.Repeat("doc ", random.IntN(20)))
		}
		return i
	}
	some := func() []store.ObjectKey {
		keys := slices.SortedFunc(maps.Keys(list), compareKeys)
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		return keys[:random.IntN(len(keys)+1)]
	}
	for step := range 40 {
		b := batch()
		switch rule := rules[random.IntN(2)]; random.IntN(7) {
		case 0, 1, 2: // a further part of a read
			for range random.IntN(130) {
				next[rule] += 1 + random.IntN(3)
				b.Work = append(b.Work, newItem(rule, next[rule]))
			}
		case 3: // items are written again, and new ones between them
			for _, k := range some() {
				n, _ := strconv.Atoi(k.Anchor)
				b.Work = append(b.Work, newItem(k.Rule, n+random.IntN(2)))
			}
		case 4: // some are finished, some of them not there
			b.Done = append(some(), store.ObjectKey{Rule: rule, Anchor: name(random.IntN(next[rule] + 2))})
		case 5:
			if _, err := s.SetDepths(ctx, cycleID, 1); err != nil {
				return err
			}
			for k, i := range list {
				i.Depth = depthIn(list, i)
				list[k] = i
			}
		case 6:
			if random.IntN(3) == 0 {
				if err := s.ClearWork(ctx, cycleID); err != nil {
					return err
				}
				clear(list)
				clear(next)
			}
		}
		if err := s.Commit(ctx, b); err != nil {
			return err
		}
		for _, i := range b.Work {
			list[i.ObjectKey] = i
		}
		for _, k := range b.Done {
			delete(list, k)
		}
		if err := sameList(ctx, s, list, random); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
	}
	return nil
}

// depthIn is the depth that an item of pass 1 ought to have; one of another pass keeps its own.
func depthIn(list map[store.ObjectKey]store.WorkItem, i store.WorkItem) int {
	if i.Pass != 1 {
		return i.Depth
	}
	parent, ok := list[store.ObjectKey{Rule: i.Rule, Anchor: i.Parent}]
	if !ok || parent.Pass != 1 {
		return 0
	}
	return depthIn(list, parent) + 1
}

// sameList compares the work list with what it should be, in each way in which it can be read.
func sameList(ctx context.Context, s Store, want map[store.ObjectKey]store.WorkItem, random *rand.Rand) error {
	inOrder := slices.SortedFunc(maps.Values(want), func(a, b store.WorkItem) int {
		return cmp.Or(cmp.Compare(a.Pass, b.Pass), cmp.Compare(a.Depth, b.Depth), compareKeys(a.ObjectKey, b.ObjectKey))
	})
	var got []store.WorkItem
	var at *store.Position
	for {
		limit := 50 + random.IntN(400)
		page, err := s.WorkAt(ctx, cycleID, allStages(), at, limit)
		if err != nil {
			return err
		}
		got = append(got, page...)
		if len(page) < limit {
			break
		}
		last := page[len(page)-1]
		at = &store.Position{Pass: last.Pass, Depth: last.Depth, Rule: last.Rule, Anchor: last.Anchor}
	}
	counts := map[store.WorkCount]int64{}
	byRule := map[string]map[string]store.WorkItem{users: {}, "groups": {}}
	for _, i := range inOrder {
		counts[store.WorkCount{Rule: i.Rule, Pass: i.Pass, Action: i.Action, Stage: i.Stage}]++
		byRule[i.Rule][i.Anchor] = i
	}
	counted, err := s.CountWork(ctx, cycleID)
	if err := first(err, same("work in export order", got, inOrder), same("sorts of items", len(counted), len(counts))); err != nil {
		return err
	}
	for _, c := range counted {
		n := c.N
		c.N = 0
		if err := same(fmt.Sprintf("number of %+v", c), n, counts[c]); err != nil {
			return err
		}
	}
	for rule, items := range byRule {
		asked := append(slices.Collect(maps.Keys(items)), "unknown", "00000x")
		found, err := s.WorkByAnchor(ctx, cycleID, rule, asked)
		if err := first(err, same("work by anchor", found, items)); err != nil {
			return err
		}
	}
	return nil
}

func compareKeys(a, b store.ObjectKey) int {
	return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Anchor, b.Anchor))
}

func workClear(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	kept := everything()
	kept.CycleID, kept.Cycle.ID, kept.Log = "another cycle", "another cycle", nil
	if err := first(s.Commit(ctx, everything()), s.Commit(ctx, kept)); err != nil {
		return err
	}
	before, err := dump(ctx, s, jobID, "another cycle")
	if err != nil {
		return err
	}
	if err := s.ClearWork(ctx, cycleID); err != nil {
		return err
	}
	want := stateOf(everything())
	want.Work, want.Counts, want.Index, want.Found = nil, nil, nil, nil
	got, err := dump(ctx, s, jobID, cycleID)
	if err := first(err, same("state of the cycle cleared", got, want)); err != nil {
		return err
	}
	after, err := dump(ctx, s, jobID, "another cycle")
	if err := first(err, same("state of the other cycle", after, before), s.ClearWork(ctx, "no such cycle")); err != nil {
		return err
	}
	// An item without a document must not find the one of its forerunner.
	b := batch()
	b.Work = []store.WorkItem{{ObjectKey: key("alice")}}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	found, err := s.WorkByAnchor(ctx, cycleID, users, []string{"alice"})
	return first(err, same("new item", found, map[string]store.WorkItem{"alice": b.Work[0]}))
}

func matchIndex(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	values := append(anchors(), "", "with\x00nul", "not\xffutf8", strings.Repeat("long", 3000), strings.Repeat("long", 3001))
	b := batch()
	want := map[string][]store.IndexEntry{}
	for _, v := range values {
		for _, anchor := range []string{"1", "2"} {
			e := store.IndexEntry{Kind: identity.User, Attr: mail, Value: v, Anchor: anchor, Doc: []byte("doc of " + anchor)}
			want[v] = append(want[v], e)
			b.Index = append(b.Index, e,
				store.IndexEntry{Kind: identity.User, Attr: "userName", Value: v, Anchor: "3"},
				store.IndexEntry{Kind: identity.Group, Attr: mail, Value: v, Anchor: "4"})
		}
	}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	got, err := s.Indexed(ctx, cycleID, identity.User, mail, append(values, "unknown"))
	if err := first(err, same("index entries", got, want)); err != nil {
		return err
	}
	b = batch()
	b.DropIndex = true
	b.Index = []store.IndexEntry{{Kind: identity.User, Attr: mail, Value: "b", Anchor: "9"}}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	got, err = s.Indexed(ctx, cycleID, identity.User, mail, append(values, "b"))
	return first(err, same("index entries after a drop", got, map[string][]store.IndexEntry{"b": b.Index}))
}

func depthChecks() []Check {
	return []Check{
		{"depths follow parents of the same pass and rule, and cycles are cut at the smallest anchor (D1)", depths},
		{"a long chain and a wide tree get their depths", depthsOfMany},
		{"depths of an unknown cycle are an error", depthsOfNothing},
	}
}

func depths(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	type row struct {
		rule, anchor, parent string
		pass, depth          int
	}
	rows := []row{
		{users, "boss", "", 1, 0},
		{users, "Boss", "boss", 1, 1}, // another one
		{users, "a1", "boss", 1, 1},
		{users, "a2", "a1", 1, 2},
		{users, "0 first in order", "a2", 1, 3},
		{users, "stranger's", "not in the list", 1, 0},
		{users, "self", "self", 1, 0},
		{users, "below self", "self", 1, 1},
		{users, "c3", "c1", 1, 1}, // c1 below c2 below c3 below c1, cut at c1
		{users, "c2", "c3", 1, 2},
		{users, "c1", "c2", 1, 0},
		{users, "below the cycle", "c2", 1, 3},
		{users, "d2", "d1", 1, 1}, // d1 and d2 below one another
		{users, "d1", "d2", 1, 0},
		{"groups", "a2", "boss", 1, 0},          // boss is of another rule
		{"groups", "inner", "a2", 1, 1},         //
		{users, "later", "boss", 2, 0},          // boss is of another pass
		{users, "later still", "later", 2, 100}, // the other pass is left as it is
	}
	b := batch()
	want := map[store.ObjectKey]int{}
	for i, r := range rows {
		depth := i % 3 // whatever was there before
		if r.pass == 2 {
			depth = r.depth
		}
		k := store.ObjectKey{Rule: r.rule, Anchor: r.anchor}
		b.Work = append(b.Work, store.WorkItem{ObjectKey: k, Pass: r.pass, Depth: depth, Parent: r.parent, Stage: allStages()[i%len(allStages())]})
		want[k] = r.depth
	}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	for _, time := range []string{"first", "second"} { // a repetition after a crash gives the same
		cut, err := s.SetDepths(ctx, cycleID, 1)
		if err := first(err, same(time+" cut items", cut, []store.ObjectKey{key("c1"), key("d1"), key("self")})); err != nil {
			return err
		}
		items, err := s.WorkAt(ctx, cycleID, allStages(), nil, 100)
		if err != nil {
			return err
		}
		got := map[store.ObjectKey]int{}
		for _, i := range items {
			got[i.ObjectKey] = i.Depth
		}
		if err := same(time+" depths", got, want); err != nil {
			return err
		}
	}
	return nil
}

func depthsOfMany(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	const n = 20_000
	b := batch()
	chain, tree := make([]int, n), make([]int, n)
	for i := range n {
		name := func(rule string, i int) string { return fmt.Sprintf("%s %06d", rule, i*7919%n) } // in no order
		inChain := store.WorkItem{ObjectKey: store.ObjectKey{Rule: "chain", Anchor: name("chain", i)}}
		inTree := store.WorkItem{ObjectKey: store.ObjectKey{Rule: "tree", Anchor: name("tree", i)}}
		if i > 0 {
			inChain.Parent, chain[i] = name("chain", i-1), i
			inTree.Parent, tree[i] = name("tree", i/10), tree[i/10]+1
		}
		b.Work = append(b.Work, inChain, inTree)
	}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	cut, err := s.SetDepths(ctx, cycleID, 0)
	if err := first(err, same("cut items", cut, nil)); err != nil {
		return err
	}
	items, err := s.WorkAt(ctx, cycleID, []store.Stage{store.ToMatch}, nil, 2*n)
	if err := first(err, same("number of items", len(items), 2*n)); err != nil {
		return err
	}
	got := make(map[store.ObjectKey]int, 2*n)
	for i, item := range items {
		got[item.ObjectKey] = item.Depth
		if i > 0 && items[i-1].Depth > item.Depth {
			return fmt.Errorf("item %d in export order has depth %d, the one before %d", i, item.Depth, items[i-1].Depth)
		}
	}
	for i := range n {
		if d := got[b.Work[2*i].ObjectKey]; d != chain[i] {
			return fmt.Errorf("item %d of the chain has depth %d", i, d)
		}
		if d := got[b.Work[2*i+1].ObjectKey]; d != tree[i] {
			return fmt.Errorf("item %d of the tree has depth %d, want %d", i, d, tree[i])
		}
	}
	return nil
}

func depthsOfNothing(ctx context.Context, s Store) error {
	if _, err := s.SetDepths(ctx, "no such cycle", 0); !errors.Is(err, store.ErrNotFound) {
		return wrongError("depths", err, store.ErrNotFound)
	}
	if err := withJob(ctx, s); err != nil {
		return err
	}
	cut, err := s.SetDepths(ctx, cycleID, 0)
	return first(err, same("cut items of an empty list", cut, nil))
}
