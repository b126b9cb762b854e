package conntest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// memorySubject is a correct target: package memory.
func memorySubject(fold bool) (Subject, *memory.System) {
	users := schema.Object{Kind: identity.User, Attributes: []schema.Attribute{
		{Name: "userName", Required: true, Unique: true, Filterable: true, FoldCase: fold},
		{Name: "displayName", Filterable: true}, {Name: "title"},
		{Name: "active", Type: schema.Boolean},
		{Name: "manager", Type: schema.Reference, References: identity.User},
	}}
	groups := schema.Object{Kind: identity.Group, Attributes: []schema.Attribute{
		{Name: "displayName", Required: true, Unique: true, Filterable: true},
		{Name: "members", Type: schema.Reference, MultiValued: true, References: identity.User},
	}}
	meter := &connector.Meter{}
	system := memory.New(memory.Config{
		Schema: schema.Schema{users, groups},
		Uses: []connector.Use{
			{Kind: identity.User, Attributes: users.Attributes, Joining: []string{"userName"}},
			{Kind: identity.Group, Attributes: groups.Attributes, Joining: []string{"displayName"}},
		},
		Meter: meter,
		Caps:  connector.Caps{PageSize: 7, MemberBatch: 100, ReferencesInCreate: true},
	})
	return Subject{
		Target: system, Meter: meter, User: identity.User, Group: identity.Group,
		Key: "userName", FoldKey: fold, Text: "displayName", FilterText: true, Other: "title", Flag: "active", Manager: "manager",
		GroupKey: "displayName", Members: "members",
		MembersOf: func(_ context.Context, group string) ([]string, error) {
			for _, o := range system.Objects(identity.Group) {
				if o.Anchor == group {
					var out []string
					v, _ := o.Get("members")
					refs, _ := v.([]any)
					for _, r := range refs {
						out = append(out, r.(identity.Ref).Anchor)
					}
					return out, nil
				}
			}
			return nil, fmt.Errorf("there is no group %q", group)
		},
	}, system
}

func TestMemoryIsATarget(t *testing.T) {
	for _, fold := range []bool{true, false} {
		t.Run(fmt.Sprint("fold ", fold), func(t *testing.T) {
			RunTarget(t, func(*testing.T) Subject {
				s, _ := memorySubject(fold)
				return s
			})
		})
	}
}

func TestMemoryThatDropsReferencesIsATargetStill(t *testing.T) {
	RunTarget(t, func(*testing.T) Subject {
		s, _ := memorySubject(true)
		s.Target = double{Target: s.Target, create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
			c := *o
			c.Attrs = slices.DeleteFunc(slices.Clone(o.Attrs), func(a identity.Attr) bool { return a.Name == "manager" || a.Name == "members" })
			return tg.Create(ctx, &c)
		}}
		return s
	})
}

// double is a target with some of its methods replaced.
type double struct {
	connector.Target
	probe  func(context.Context, connector.Target) (connector.Caps, error)
	find   func(ctx context.Context, tg connector.Target, kind identity.Kind, attr, value string, limit int) ([]*identity.Object, error)
	get    func(ctx context.Context, tg connector.Target, kind identity.Kind, anchor string) (*identity.Object, error)
	create func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error)
	update func(ctx context.Context, tg connector.Target, u connector.Update) (*identity.Object, error)
	delete func(ctx context.Context, tg connector.Target, kind identity.Kind, anchor string) error
	list   func(ctx context.Context, l connector.Lister, kind identity.Kind, cursor string) (connector.Page, error)
}

func (d double) Probe(ctx context.Context) (connector.Caps, error) {
	if d.probe != nil {
		return d.probe(ctx, d.Target)
	}
	return d.Target.Probe(ctx)
}

func (d double) Find(ctx context.Context, kind identity.Kind, attr, value string, limit int) ([]*identity.Object, error) {
	if d.find != nil {
		return d.find(ctx, d.Target, kind, attr, value, limit)
	}
	return d.Target.Find(ctx, kind, attr, value, limit)
}

func (d double) Get(ctx context.Context, kind identity.Kind, anchor string) (*identity.Object, error) {
	if d.get != nil {
		return d.get(ctx, d.Target, kind, anchor)
	}
	return d.Target.Get(ctx, kind, anchor)
}

func (d double) Create(ctx context.Context, o *identity.Object) (*identity.Object, error) {
	if d.create != nil {
		return d.create(ctx, d.Target, o)
	}
	return d.Target.Create(ctx, o)
}

func (d double) Update(ctx context.Context, u connector.Update) (*identity.Object, error) {
	if d.update != nil {
		return d.update(ctx, d.Target, u)
	}
	return d.Target.Update(ctx, u)
}

func (d double) Delete(ctx context.Context, kind identity.Kind, anchor string) error {
	if d.delete != nil {
		return d.delete(ctx, d.Target, kind, anchor)
	}
	return d.Target.Delete(ctx, kind, anchor)
}

func (d double) List(ctx context.Context, kind identity.Kind, cursor string) (connector.Page, error) {
	l := d.Target.(connector.Lister)
	if d.list != nil {
		return d.list(ctx, l, kind, cursor)
	}
	return l.List(ctx, kind, cursor)
}

// on changes one Change of updates before they are made.
func on(attr string, f func(ch connector.Change) (connector.Change, bool)) func(context.Context, connector.Target, connector.Update) (*identity.Object, error) {
	return func(ctx context.Context, tg connector.Target, u connector.Update) (*identity.Object, error) {
		var kept []connector.Change
		for _, ch := range u.Changes {
			keep := true
			if ch.Attr == attr {
				ch, keep = f(ch)
			}
			if keep {
				kept = append(kept, ch)
			}
		}
		u.Changes = kept
		return tg.Update(ctx, u)
	}
}

// faults are the faulty doubles of each check.
func faults() map[string][]double {
	var slow sync.Mutex
	refs := func(v any) []any { return v.([]any) }
	return map[string][]double{
		"probe succeeds and announces page size and calls": {
			{probe: func(ctx context.Context, tg connector.Target) (connector.Caps, error) {
				c, err := tg.Probe(ctx)
				c.PageSize = 0
				return c, err
			}},
			{probe: func(ctx context.Context, tg connector.Target) (connector.Caps, error) {
				c, err := tg.Probe(ctx)
				delete(c.Calls, connector.OpUpdate)
				return c, err
			}},
		},
		"find returns nothing for a value that nobody has": {
			{find: func(_ context.Context, _ connector.Target, kind identity.Kind, attr, value string, _ int) ([]*identity.Object, error) {
				return []*identity.Object{{Kind: kind, Anchor: "1", Attrs: identity.Attrs{{Name: attr, Value: value}}}}, nil
			}},
			{find: func(context.Context, connector.Target, identity.Kind, string, string, int) ([]*identity.Object, error) {
				return nil, &connector.Error{Kind: connector.KindNotFound}
			}},
		},
		"find returns the one object with a value, nasty ones too": {
			{find: func(ctx context.Context, tg connector.Target, kind identity.Kind, attr, value string, limit int) ([]*identity.Object, error) {
				return tg.Find(ctx, kind, attr, strings.ReplaceAll(value, `\`, `\\`), limit) // escapes twice
			}},
			{create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
				c := *o
				c.Attrs = slices.Clone(o.Attrs)
				c.Attrs.Set("userName", cut(o.Text("userName"), 255))
				return tg.Create(ctx, &c)
			}},
		},
		"find returns objects that share a value, up to the limit": {
			{find: func(ctx context.Context, tg connector.Target, kind identity.Kind, attr, value string, _ int) ([]*identity.Object, error) {
				return tg.Find(ctx, kind, attr, value, 100)
			}},
			{find: func(ctx context.Context, tg connector.Target, kind identity.Kind, attr, value string, _ int) ([]*identity.Object, error) {
				return tg.Find(ctx, kind, attr, value, 1)
			}},
		},
		"find keeps the target's case rule": {
			{find: func(ctx context.Context, tg connector.Target, kind identity.Kind, attr, value string, limit int) ([]*identity.Object, error) {
				found, err := tg.Find(ctx, kind, attr, value, limit)
				return slices.DeleteFunc(found, func(o *identity.Object) bool { return o.Text(attr) != value }), err
			}},
		},
		"create stores what it was given, nasty values too": {
			{create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
				c := *o
				c.Attrs = slices.Clone(o.Attrs)
				c.Attrs.Set("displayName", strings.TrimSpace(strings.ReplaceAll(o.Text("displayName"), "\n", " ")))
				return tg.Create(ctx, &c)
			}},
			{create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
				c := *o
				c.Attrs = slices.Clone(o.Attrs)
				if v, ok := o.Get("active"); ok {
					c.Attrs.Set("active", fmt.Sprint(v))
				}
				return tg.Create(ctx, &c)
			}},
			{create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
				made, err := tg.Create(ctx, o)
				if made != nil {
					made.Anchor = ""
				}
				return made, err
			}},
		},
		"create with a taken key is a conflict and leaves nothing": {
			{create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
				found, err := tg.Find(ctx, o.Kind, "userName", o.Text("userName"), 1)
				if err == nil && len(found) == 1 { // adopts the account (scim.R61)
					return found[0], nil
				}
				return tg.Create(ctx, o)
			}},
			{create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
				made, err := tg.Create(ctx, o)
				if connector.KindOf(err) == connector.KindConflict {
					return nil, &connector.Error{Kind: connector.KindInvalid, Code: connector.CodeConflict, Err: err}
				}
				return made, err
			}},
			{create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
				made, err := tg.Create(ctx, o)
				if connector.KindOf(err) == connector.KindConflict { // overwrites the account before it refuses
					found, _ := tg.Find(ctx, o.Kind, "userName", o.Text("userName"), 1)
					_, _ = tg.Update(ctx, connector.Update{Kind: o.Kind, Anchor: found[0].Anchor, Changes: []connector.Change{{Attr: "displayName", Op: connector.Set, New: o.Text("displayName")}}})
				}
				return made, err
			}},
		},
		"update sets what it names and nothing else": {
			{update: func(ctx context.Context, tg connector.Target, u connector.Update) (*identity.Object, error) {
				u.Changes = u.Changes[:1]
				return tg.Update(ctx, u)
			}},
			{update: on("displayName", func(ch connector.Change) (connector.Change, bool) {
				ch.New = strings.ReplaceAll(ch.New.(string), `"`, `'`)
				return ch, true
			})},
			{update: func(ctx context.Context, tg connector.Target, u connector.Update) (*identity.Object, error) {
				o, err := tg.Update(ctx, u)
				if n, convErr := strconv.Atoi(u.Anchor); convErr == nil { // writes to the neighbour as well
					_, _ = tg.Update(ctx, connector.Update{Kind: u.Kind, Anchor: strconv.Itoa(n + 1), Changes: u.Changes})
				}
				return o, err
			}},
			{update: func(ctx context.Context, tg connector.Target, u connector.Update) (*identity.Object, error) {
				o, err := tg.Get(ctx, u.Kind, u.Anchor) // answers with what was before
				if err == nil {
					_, err = tg.Update(ctx, u)
				}
				return o, err
			}},
		},
		"update clears a value": {
			{update: on("title", func(ch connector.Change) (connector.Change, bool) { return ch, ch.Op != connector.Clear })},
			{update: on("title", func(ch connector.Change) (connector.Change, bool) {
				if ch.Op == connector.Clear {
					ch.Op, ch.New = connector.Set, ""
				}
				return ch, true
			})},
		},
		"update keeps Booleans Boolean": {
			{update: on("active", func(ch connector.Change) (connector.Change, bool) {
				ch.New = fmt.Sprint(ch.New)
				return ch, true
			})},
			{update: on("active", func(ch connector.Change) (connector.Change, bool) { return ch, identity.Equal(ch.New, true, false) })},
		},
		"a gone object is not found by get and update, and deleted without an error": {
			{delete: func(ctx context.Context, tg connector.Target, kind identity.Kind, anchor string) error {
				if _, err := tg.Get(ctx, kind, anchor); err != nil {
					return err
				}
				return tg.Delete(ctx, kind, anchor)
			}},
			{get: func(ctx context.Context, tg connector.Target, kind identity.Kind, anchor string) (*identity.Object, error) {
				o, err := tg.Get(ctx, kind, anchor)
				if err != nil {
					return nil, errors.New("something went wrong")
				}
				return o, nil
			}},
			{update: func(ctx context.Context, tg connector.Target, u connector.Update) (*identity.Object, error) {
				o, err := tg.Update(ctx, u)
				if connector.KindOf(err) == connector.KindNotFound {
					return nil, nil
				}
				return o, err
			}},
			{delete: func(ctx context.Context, tg connector.Target, kind identity.Kind, anchor string) error {
				_, _ = tg.Update(ctx, connector.Update{Kind: kind, Anchor: anchor, Changes: []connector.Change{{Attr: "active", Op: connector.Set, New: false}}})
				return nil // disables only
			}},
		},
		"a reference is written with create, changed and cleared": {
			{update: on("manager", func(ch connector.Change) (connector.Change, bool) { return ch, ch.Op != connector.Clear })},
			{update: on("manager", func(ch connector.Change) (connector.Change, bool) {
				return ch, ch.Old == nil || ch.Op == connector.Clear
			})},
			{create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
				c := *o // claims to have kept a reference that it dropped
				c.Attrs = slices.DeleteFunc(slices.Clone(o.Attrs), func(a identity.Attr) bool { return a.Name == "manager" })
				made, err := tg.Create(ctx, &c)
				if v, ok := o.Get("manager"); ok && err == nil {
					made.Attrs.Set("manager", v)
				}
				return made, err
			}},
		},
		"members are added and removed in batches": {
			{update: on("members", func(ch connector.Change) (connector.Change, bool) {
				if ch.Op == connector.Remove {
					ch.New = refs(ch.New)[:1]
				}
				return ch, true
			})},
			{update: on("members", func(ch connector.Change) (connector.Change, bool) {
				if ch.Op == connector.Add {
					ch.Op = connector.Set // replaces instead
				}
				return ch, true
			})},
			{update: on("members", func(ch connector.Change) (connector.Change, bool) {
				if ch.Op == connector.Remove {
					ch.Op = connector.Clear // empties instead
				}
				return ch, true
			})},
		},
		"members are never read": {
			{get: func(ctx context.Context, tg connector.Target, kind identity.Kind, anchor string) (*identity.Object, error) {
				o, err := tg.Get(ctx, kind, anchor)
				if kind == identity.Group && err == nil {
					o.Attrs.Set("members", []any{identity.Ref{Kind: identity.User, Anchor: "1"}})
				}
				return o, err
			}},
			{list: func(ctx context.Context, l connector.Lister, kind identity.Kind, cursor string) (connector.Page, error) {
				page, err := l.List(ctx, kind, cursor)
				if kind == identity.Group && err == nil {
					page.Objects[0].Attrs.Set("members", []any{identity.Ref{Kind: identity.User, Anchor: "1"}})
				}
				return page, err
			}},
		},
		"list delivers every object once, over all pages": {
			{list: func(ctx context.Context, l connector.Lister, kind identity.Kind, cursor string) (connector.Page, error) {
				page, err := l.List(ctx, kind, cursor)
				page.Next = "" // one page only
				return page, err
			}},
			{list: func(ctx context.Context, l connector.Lister, kind identity.Kind, cursor string) (connector.Page, error) {
				page, err := l.List(ctx, kind, cursor)
				if n, convErr := strconv.Atoi(page.Next); convErr == nil {
					page.Next = strconv.Itoa(n - 1) // the last object of a page again
				}
				return page, err
			}},
			{list: func(ctx context.Context, l connector.Lister, kind identity.Kind, cursor string) (connector.Page, error) {
				page, err := l.List(ctx, kind, cursor)
				page.Total = len(page.Objects)
				return page, err
			}},
		},
		"operations make the calls that probe announces": {
			{probe: func(ctx context.Context, tg connector.Target) (connector.Caps, error) {
				c, err := tg.Probe(ctx)
				c.Calls[connector.OpUpdate] = []string{"GET", "PATCH"}
				return c, err
			}},
			{update: func(ctx context.Context, tg connector.Target, u connector.Update) (*identity.Object, error) {
				for _, ch := range u.Changes { // one call for each attribute
					if _, err := tg.Update(ctx, connector.Update{Kind: u.Kind, Anchor: u.Anchor, Changes: []connector.Change{ch}}); err != nil {
						return nil, err
					}
				}
				return nil, nil
			}},
		},
		"goroutines do not disturb one another": {
			{create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
				// A field that all calls share: every second caller gets the anchor of the call before.
				slow.Lock()
				defer slow.Unlock()
				made, err := tg.Create(ctx, o)
				if err == nil {
					if n, convErr := strconv.Atoi(made.Anchor); convErr == nil && n%2 == 0 {
						made.Anchor = strconv.Itoa(n - 1)
					}
				}
				return made, err
			}},
		},
		"a cancelled context ends a call without effect": {
			{create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
				return tg.Create(context.WithoutCancel(ctx), o)
			}},
			{create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
				made, err := tg.Create(context.WithoutCancel(ctx), o)
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				return made, err
			}},
			{create: func(ctx context.Context, tg connector.Target, o *identity.Object) (*identity.Object, error) {
				if ctx.Err() != nil {
					return nil, &connector.Error{Kind: connector.KindTemporary, Detail: "time is over"}
				}
				return tg.Create(ctx, o)
			}},
		},
	}
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

func TestTargetSuiteCatchesFaults(t *testing.T) {
	doubles := faults()
	for _, c := range Targets() {
		if len(doubles[c.Name]) == 0 {
			t.Errorf("check %q is proved by no faulty double", c.Name)
		}
		for i, d := range doubles[c.Name] {
			s, _ := memorySubject(true)
			d.Target = s.Target
			s.Target = d
			err := c.Run(t.Context(), s)
			switch {
			case err == nil:
				t.Errorf("check %q does not see fault %d", c.Name, i+1)
			case errors.Is(err, ErrSkip):
				t.Errorf("check %q is skipped for fault %d", c.Name, i+1)
			default:
				t.Logf("%s: %v", c.Name, err)
			}
		}
		delete(doubles, c.Name)
	}
	for name := range doubles {
		t.Errorf("there is no check %q", name)
	}
}
