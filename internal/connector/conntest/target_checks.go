package conntest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// Targets are the checks of a target.
func Targets() []Check {
	return []Check{
		{"probe succeeds and announces page size and calls", checkProbe},
		{"find returns nothing for a value that nobody has", checkFindNone},
		{"find returns the one object with a value, nasty ones too", checkFindOne},
		{"find returns objects that share a value, up to the limit", checkFindTwo},
		{"find keeps the target's case rule", checkFindCase},
		{"create stores what it was given, nasty values too", checkCreate},
		{"create with a taken key is a conflict and leaves nothing", checkConflict},
		{"update sets what it names and nothing else", checkSet},
		{"update clears a value", checkClear},
		{"update keeps Booleans Boolean", checkFlag},
		{"a gone object is not found by get and update, and deleted without an error", checkGone},
		{"a reference is written with create, changed and cleared", checkManager},
		{"members are added and removed in batches", checkMembers},
		{"members are never read", checkMembersNotRead},
		{"list delivers every object once, over all pages", checkList},
		{"operations make the calls that probe announces", checkCalls},
		{"goroutines do not disturb one another", checkConcurrency},
		{"a cancelled context ends a call without effect", checkCancelled},
	}
}

func checkProbe(ctx context.Context, s Subject) error {
	caps, err := s.Target.Probe(ctx)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	_, lists := s.Target.(connector.Lister)
	switch {
	case caps.List && !lists:
		return errors.New("listing is announced, but the target is no Lister")
	case caps.List && caps.PageSize <= 0:
		return fmt.Errorf("listing is announced with pages of %d objects", caps.PageSize)
	case caps.MemberBatch < 0 || caps.PerMinute < 0 || caps.Concurrency < 0:
		return fmt.Errorf("negative capabilities: %+v", caps)
	}
	if caps.Calls == nil {
		return nil
	}
	for _, op := range []connector.Operation{connector.OpProbe, connector.OpFind, connector.OpGet, connector.OpCreate, connector.OpUpdate, connector.OpDelete} {
		if len(caps.Calls[op]) == 0 {
			return fmt.Errorf("no calls are announced for %s", op)
		}
	}
	return nil
}

func checkFindNone(ctx context.Context, s Subject) error {
	if _, err := s.users(ctx, 2); err != nil {
		return err
	}
	found, err := s.Target.Find(ctx, s.User, s.Key, s.key("nobody"), 2)
	if err != nil {
		return fmt.Errorf("find: %w", err)
	}
	if len(found) != 0 {
		return fmt.Errorf("found %d objects, want none", len(found))
	}
	return nil
}

// checkFindOne: values with quotes, letters of other languages and so on find their object (engine.R54).
func checkFindOne(ctx context.Context, s Subject) error {
	anchors := map[string]string{}
	for i, text := range nasty {
		if s.Unfilterable[text] != "" {
			continue
		}
		key := s.key(text)
		made, err := s.create(ctx, s.user(i, key))
		if err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		anchors[key] = made.Anchor
	}
	var errs []error
	for key, anchor := range anchors {
		found, err := s.Target.Find(ctx, s.User, s.Key, key, 2)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("find %q: %w", key, err))
		case len(found) != 1 || found[0].Anchor != anchor || found[0].Kind != s.User:
			errs = append(errs, fmt.Errorf("find %q returned %d objects, want the one that was created", key, len(found)))
		default:
			errs = append(errs, wantValue(found[0], s.Key, key))
		}
	}
	return errors.Join(errs...)
}

func checkFindTwo(ctx context.Context, s Subject) error {
	if !s.FilterText {
		return ErrSkip
	}
	for i := range 3 {
		text := "same"
		if i == 2 {
			text = "other"
		}
		if _, err := s.create(ctx, s.user(i, s.plainKey(i), identity.Attr{Name: s.Text, Value: text})); err != nil {
			return err
		}
	}
	for limit, want := range map[int]int{1: 1, 2: 2, 10: 2} {
		found, err := s.Target.Find(ctx, s.User, s.Text, "same", limit)
		if err != nil {
			return fmt.Errorf("find: %w", err)
		}
		if len(found) != want {
			return fmt.Errorf("find with limit %d returned %d objects, want %d", limit, len(found), want)
		}
		if want == 2 && found[0].Anchor == found[1].Anchor {
			return errors.New("find returned one object twice")
		}
	}
	return nil
}

func checkFindCase(ctx context.Context, s Subject) error {
	if _, err := s.create(ctx, s.user(0, s.key("MiXeD"))); err != nil {
		return err
	}
	want := 0
	if s.FoldKey {
		want = 1
	}
	found, err := s.Target.Find(ctx, s.User, s.Key, s.key("mixed"), 2)
	if err != nil {
		return fmt.Errorf("find: %w", err)
	}
	if len(found) != want {
		return fmt.Errorf("a value that differs in case finds %d objects, want %d", len(found), want)
	}
	_, err = s.Target.Create(ctx, s.user(1, s.key("mixed")))
	if s.FoldKey {
		return wantKind("create of a key that differs in case", err, connector.KindConflict)
	}
	return err
}

func checkCreate(ctx context.Context, s Subject) error {
	for i, text := range nasty {
		made, err := s.create(ctx, s.user(i, s.plainKey(i), identity.Attr{Name: s.Text, Value: text}, identity.Attr{Name: s.Flag, Value: i%2 == 0}))
		if err != nil {
			return fmt.Errorf("%q: %w", text, err)
		}
		// What the answer does not show is absent; what it shows is as stored.
		for name, want := range map[string]any{s.Key: s.plainKey(i), s.Text: text, s.Flag: i%2 == 0} {
			if _, shown := made.Get(name); shown {
				if err := wantValue(made, name, want); err != nil {
					return fmt.Errorf("answer to create: %w", err)
				}
			}
		}
		o, err := s.get(ctx, s.User, made.Anchor)
		if err != nil {
			return err
		}
		if err := errors.Join(wantValue(o, s.Key, s.plainKey(i)), wantValue(o, s.Text, text), wantValue(o, s.Flag, i%2 == 0)); err != nil {
			return err
		}
	}
	return nil
}

func checkConflict(ctx context.Context, s Subject) error {
	first, err := s.create(ctx, s.user(0, s.plainKey(0), identity.Attr{Name: s.Text, Value: "first"}))
	if err != nil {
		return err
	}
	_, err = s.Target.Create(ctx, s.user(1, s.plainKey(0), identity.Attr{Name: s.Text, Value: "second"}))
	if err := wantKind("create with a taken key", err, connector.KindConflict); err != nil {
		return err
	}
	if e := connector.AsError(err); e.Code != connector.CodeConflict {
		return fmt.Errorf("the code is %q, want %q", e.Code, connector.CodeConflict)
	}
	found, err := s.Target.Find(ctx, s.User, s.Key, s.plainKey(0), 5)
	if err != nil {
		return fmt.Errorf("find: %w", err)
	}
	if len(found) != 1 || found[0].Anchor != first.Anchor {
		return fmt.Errorf("after the conflict %d objects have the key, want the first alone", len(found))
	}
	o, err := s.get(ctx, s.User, first.Anchor)
	if err != nil {
		return err
	}
	return wantValue(o, s.Text, "first")
}

func checkSet(ctx context.Context, s Subject) error {
	made, err := s.create(ctx, s.user(0, s.plainKey(0), identity.Attr{Name: s.Text, Value: "old"}))
	if err != nil {
		return err
	}
	bystander, err := s.create(ctx, s.user(1, s.plainKey(1), identity.Attr{Name: s.Text, Value: "bystander"}))
	if err != nil {
		return err
	}
	old := any("old")
	for _, text := range nasty {
		answer, err := s.Target.Update(ctx, connector.Update{Kind: s.User, Anchor: made.Anchor, Changes: []connector.Change{
			{Attr: s.Text, Op: connector.Set, Old: old, New: text},
		}})
		if err != nil {
			return fmt.Errorf("update to %q: %w", text, err)
		}
		if answer != nil {
			if answer.Anchor != made.Anchor {
				return fmt.Errorf("the answer to the update is %q, want %q", answer.Anchor, made.Anchor)
			}
			if _, shown := answer.Get(s.Text); shown {
				if err := wantValue(answer, s.Text, text); err != nil {
					return fmt.Errorf("answer to update: %w", err)
				}
			}
		}
		o, err := s.get(ctx, s.User, made.Anchor)
		if err != nil {
			return err
		}
		if err := errors.Join(wantValue(o, s.Text, text), wantValue(o, s.Key, s.plainKey(0))); err != nil {
			return err
		}
		old = text
	}
	// Several at once, one of them new.
	if err := s.update(ctx, s.User, made.Anchor,
		connector.Change{Attr: s.Text, Op: connector.Set, Old: old, New: "both"},
		connector.Change{Attr: s.Other, Op: connector.Set, New: "new"}); err != nil {
		return err
	}
	o, err := s.get(ctx, s.User, made.Anchor)
	if err != nil {
		return err
	}
	if err := errors.Join(wantValue(o, s.Text, "both"), wantValue(o, s.Other, "new")); err != nil {
		return err
	}
	o, err = s.get(ctx, s.User, bystander.Anchor)
	if err != nil {
		return err
	}
	return wantValue(o, s.Text, "bystander")
}

func checkClear(ctx context.Context, s Subject) error {
	made, err := s.create(ctx, s.user(0, s.plainKey(0), identity.Attr{Name: s.Text, Value: "stays"}, identity.Attr{Name: s.Other, Value: "goes"}))
	if err != nil {
		return err
	}
	if err := s.update(ctx, s.User, made.Anchor, connector.Change{Attr: s.Other, Op: connector.Clear, Old: "goes"}); err != nil {
		return err
	}
	o, err := s.get(ctx, s.User, made.Anchor)
	if err != nil {
		return err
	}
	return errors.Join(wantValue(o, s.Other, nil), wantValue(o, s.Text, "stays"))
}

func checkFlag(ctx context.Context, s Subject) error {
	made, err := s.create(ctx, s.user(0, s.plainKey(0), identity.Attr{Name: s.Flag, Value: true}))
	if err != nil {
		return err
	}
	for _, want := range []bool{false, true, false} {
		if err := s.update(ctx, s.User, made.Anchor, connector.Change{Attr: s.Flag, Op: connector.Set, Old: !want, New: want}); err != nil {
			return err
		}
		o, err := s.get(ctx, s.User, made.Anchor)
		if err != nil {
			return err
		}
		if err := wantValue(o, s.Flag, want); err != nil {
			return err
		}
	}
	return nil
}

func checkGone(ctx context.Context, s Subject) error {
	if s.NoDelete {
		return ErrSkip
	}
	anchors, err := s.users(ctx, 2)
	if err != nil {
		return err
	}
	for range 2 { // the second time it is gone already (scim.R21)
		if err := s.Target.Delete(ctx, s.User, anchors[0]); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
	}
	if s.DeleteDisables {
		o, err := s.get(ctx, s.User, anchors[0])
		if err != nil {
			return err
		}
		return wantValue(o, s.Flag, false)
	}
	_, err = s.Target.Get(ctx, s.User, anchors[0])
	if err := wantKind("get of a gone object", err, connector.KindNotFound); err != nil {
		return err
	}
	err = s.update(ctx, s.User, anchors[0], connector.Change{Attr: s.Text, Op: connector.Set, New: "x"})
	if err := wantKind("update of a gone object", err, connector.KindNotFound); err != nil {
		return err
	}
	found, err := s.Target.Find(ctx, s.User, s.Key, s.plainKey(0), 2)
	if err != nil || len(found) != 0 {
		return number("find of a gone object", len(found), err)
	}
	_, err = s.get(ctx, s.User, anchors[1])
	return err
}

func checkManager(ctx context.Context, s Subject) error {
	if s.Manager == "" {
		return ErrSkip
	}
	bosses, err := s.users(ctx, 2)
	if err != nil {
		return err
	}
	first, second := s.refs(bosses[0])[0], s.refs(bosses[1])[0]
	// A target that drops references in creates shows it by their absence; then they are sent afterwards (design D1).
	made, err := s.create(ctx, s.user(2, s.plainKey(2), identity.Attr{Name: s.Manager, Value: first}))
	if err != nil {
		return err
	}
	if _, kept := made.Get(s.Manager); !kept {
		if err := s.update(ctx, s.User, made.Anchor, connector.Change{Attr: s.Manager, Op: connector.Set, New: first}); err != nil {
			return err
		}
	}
	steps := []struct {
		change *connector.Change
		want   any
	}{
		{nil, first},
		{&connector.Change{Attr: s.Manager, Op: connector.Set, Old: first, New: second}, second},
		{&connector.Change{Attr: s.Manager, Op: connector.Clear, Old: second}, nil},
		{&connector.Change{Attr: s.Manager, Op: connector.Set, New: first}, first},
	}
	for _, step := range steps {
		if step.change != nil {
			if err := s.update(ctx, s.User, made.Anchor, *step.change); err != nil {
				return err
			}
		}
		o, err := s.get(ctx, s.User, made.Anchor)
		if err != nil {
			return err
		}
		if err := wantValue(o, s.Manager, step.want); err != nil {
			return err
		}
	}
	return nil
}

// group makes a group with members.
func (s Subject) group(ctx context.Context, name string, members ...string) (*identity.Object, error) {
	o := &identity.Object{Kind: s.Group, Attrs: identity.Attrs{{Name: s.GroupKey, Value: name}}}
	if len(members) > 0 {
		o.Attrs.Set(s.Members, s.refs(members...))
	}
	made, err := s.create(ctx, o)
	if err != nil {
		return nil, err
	}
	if _, kept := made.Get(s.Members); !kept && len(members) > 0 {
		err = s.update(ctx, s.Group, made.Anchor, connector.Change{Attr: s.Members, Op: connector.Add, New: s.refs(members...)})
	}
	return made, err
}

func checkMembers(ctx context.Context, s Subject) error {
	if s.Group == "" {
		return ErrSkip
	}
	caps, err := s.Target.Probe(ctx)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	u, err := s.users(ctx, 8)
	if err != nil {
		return err
	}
	g, err := s.group(ctx, `Crew "12"`, u[0], u[1])
	if err != nil {
		return err
	}
	if err := s.wantMembers(ctx, g.Anchor, u[:2]...); err != nil {
		return fmt.Errorf("after create: %w", err)
	}
	steps := []struct {
		op   connector.Op
		who  []string
		want []string
	}{
		{connector.Add, u[2:8], u},
		{connector.Add, u[1:3], u}, // members already
		{connector.Remove, u[0:4], u[4:]},
		{connector.Remove, u[4:5], u[5:]},
		{connector.Add, u[0:1], append([]string{u[0]}, u[5:]...)},
		{connector.Remove, append([]string{u[0]}, u[5:]...), nil},
	}
	for i, step := range steps {
		change := connector.Change{Attr: s.Members, Op: step.op, New: s.refs(step.who...)}
		if step.op == connector.Remove && caps.WholeMembers {
			change.Op, change.New = connector.Set, s.refs(step.want...)
		}
		if err := s.update(ctx, s.Group, g.Anchor, change); err != nil {
			return fmt.Errorf("step %d, %s %d members: %w", i+1, step.op, len(step.who), err)
		}
		if err := s.wantMembers(ctx, g.Anchor, step.want...); err != nil {
			return fmt.Errorf("step %d, %s %d members: %w", i+1, step.op, len(step.who), err)
		}
	}
	return nil
}

func checkMembersNotRead(ctx context.Context, s Subject) error {
	if s.Group == "" {
		return ErrSkip
	}
	u, err := s.users(ctx, 2)
	if err != nil {
		return err
	}
	g, err := s.group(ctx, "Crew", u...)
	if err != nil {
		return err
	}
	read := map[string]*identity.Object{}
	if read["get"], err = s.get(ctx, s.Group, g.Anchor); err != nil {
		return err
	}
	found, err := s.Target.Find(ctx, s.Group, s.GroupKey, "Crew", 2)
	if err != nil || len(found) != 1 {
		return number("find the group", len(found), err)
	}
	read["find"] = found[0]
	if l, ok := s.Target.(connector.Lister); ok {
		page, err := l.List(ctx, s.Group, "")
		if err != nil || len(page.Objects) != 1 {
			return number("list groups", len(page.Objects), err)
		}
		read["list"] = page.Objects[0]
	}
	for how, o := range read {
		if _, shown := o.Get(s.Members); shown {
			return fmt.Errorf("%s shows members (scim.R43)", how)
		}
		if err := wantValue(o, s.GroupKey, "Crew"); err != nil {
			return fmt.Errorf("%s: %w", how, err)
		}
	}
	return nil
}

func checkList(ctx context.Context, s Subject) error {
	caps, err := s.Target.Probe(ctx)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	l, ok := s.Target.(connector.Lister)
	if !ok || !caps.List {
		return ErrSkip
	}
	// Two full pages and a part of a third, so that ends that fall on a border of pages are met on the way.
	n := min(2*caps.PageSize+1, 250)
	if _, err := s.users(ctx, n); err != nil {
		return err
	}
	for _, drop := range []bool{false, true} {
		if drop && (s.NoDelete || s.DeleteDisables) {
			continue
		}
		if drop {
			found, err := s.Target.Find(ctx, s.User, s.Key, s.plainKey(0), 2)
			if err != nil || len(found) != 1 {
				return number("find", len(found), err)
			}
			if err := s.Target.Delete(ctx, s.User, found[0].Anchor); err != nil {
				return fmt.Errorf("delete: %w", err)
			}
			n--
		}
		seen := map[string]bool{}
		cursor := ""
		for {
			page, err := l.List(ctx, s.User, cursor)
			if err != nil {
				return fmt.Errorf("list at %q: %w", cursor, err)
			}
			if page.Total >= 0 && page.Total != n {
				return fmt.Errorf("the page says that there are %d objects, want %d", page.Total, n)
			}
			for _, o := range page.Objects {
				if seen[o.Anchor] {
					return fmt.Errorf("%q is listed twice", o.Anchor)
				}
				seen[o.Anchor] = true
				if o.Text(s.Key) == "" || o.Kind != s.User {
					return fmt.Errorf("a listed object has kind %q and no %s", o.Kind, s.Key)
				}
			}
			if page.Next == "" {
				break
			}
			if page.Next == cursor {
				return errors.New("the cursor does not move")
			}
			cursor = page.Next
		}
		if len(seen) != n {
			return fmt.Errorf("%d objects are listed, want %d", len(seen), n)
		}
	}
	return nil
}

func checkCalls(ctx context.Context, s Subject) error {
	caps, err := s.Target.Probe(ctx)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if s.Meter == nil || caps.Calls == nil {
		return ErrSkip
	}
	type step struct {
		op      connector.Operation
		changes []connector.Change // of a create or an update
		run     func() error
	}
	var anchor string
	plain := s.user(0, s.plainKey(0))
	made := make([]connector.Change, len(plain.Attrs))
	for i, a := range plain.Attrs {
		made[i] = connector.Change{Attr: a.Name, Op: connector.Set, New: a.Value}
	}
	changes := []connector.Change{{Attr: s.Text, Op: connector.Set, New: "x"}, {Attr: s.Other, Op: connector.Set, New: "y"}}
	known := map[string]any{}
	for _, a := range plain.Attrs {
		known[a.Name] = a.Value
	}
	steps := []step{
		{connector.OpProbe, nil, func() error { _, err := s.Target.Probe(ctx); return err }},
		{connector.OpFind, nil, func() error { _, err := s.Target.Find(ctx, s.User, s.Key, s.plainKey(0), 2); return err }},
		{connector.OpCreate, made, func() error {
			made, err := s.create(ctx, plain)
			if err == nil {
				anchor = made.Anchor
			}
			return err
		}},
		{connector.OpGet, nil, func() error { _, err := s.get(ctx, s.User, anchor); return err }},
		{connector.OpUpdate, changes, func() error {
			_, err := s.Target.Update(ctx, connector.Update{Kind: s.User, Anchor: anchor, Changes: changes, Known: known})
			return err
		}},
	}
	if !s.NoDelete {
		steps = append(steps, step{connector.OpDelete, nil, func() error { return s.Target.Delete(ctx, s.User, anchor) }})
	}
	if l, ok := s.Target.(connector.Lister); ok && caps.List {
		steps = append(steps, step{connector.OpList, nil, func() error { _, err := l.List(ctx, s.User, ""); return err }})
	}
	tariff, _ := s.Target.(connector.Tariff)
	for _, step := range steps {
		before := s.Meter.Read().ByMethod
		if err := step.run(); err != nil {
			return fmt.Errorf("%s: %w", step.op, err)
		}
		got := s.Meter.Read().ByMethod
		maps.DeleteFunc(got, func(m string, n int64) bool { return n == before[m] })
		for m := range got {
			got[m] -= before[m]
		}
		want := map[string]int64{}
		methods := caps.Calls[step.op]
		if tariff != nil && (step.changes != nil || step.op == connector.OpDelete) {
			methods = tariff.Cost(step.op, s.User, step.changes)
		}
		for _, m := range methods {
			want[m]++
		}
		if !maps.Equal(got, want) {
			return fmt.Errorf("%s made the calls %v, announced are %v", step.op, got, want)
		}
	}
	return nil
}

func checkConcurrency(ctx context.Context, s Subject) error {
	const workers, each = 8, 5
	errs := make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			errs[w] = func() error {
				for i := range each {
					n := w*each + i
					made, err := s.create(ctx, s.user(n, s.plainKey(n), identity.Attr{Name: s.Text, Value: "before"}))
					if err != nil {
						return err
					}
					if err := s.update(ctx, s.User, made.Anchor, connector.Change{Attr: s.Text, Op: connector.Set, Old: "before", New: fmt.Sprint("after ", n)}); err != nil {
						return err
					}
				}
				return nil
			}()
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for n := range workers * each {
		found, err := s.Target.Find(ctx, s.User, s.Key, s.plainKey(n), 2)
		if err != nil || len(found) != 1 {
			return number(fmt.Sprint("find user ", n), len(found), err)
		}
		if err := wantValue(found[0], s.Text, fmt.Sprint("after ", n)); err != nil {
			return err
		}
	}
	return nil
}

func checkCancelled(ctx context.Context, s Subject) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err := s.Target.Create(ended, s.user(0, s.plainKey(0)))
	switch {
	case err == nil:
		return errors.New("create with a cancelled context succeeded")
	case !errors.Is(err, context.Canceled):
		return fmt.Errorf("create with a cancelled context: %w, which does not say so", err)
	}
	found, err := s.Target.Find(ctx, s.User, s.Key, s.plainKey(0), 2)
	if err != nil || len(found) != 0 {
		return number("find after a cancelled create", len(found), err)
	}
	return nil
}
