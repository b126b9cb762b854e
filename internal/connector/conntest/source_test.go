package conntest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/conntest"
	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

func person(anchor, name, title string) *identity.Object {
	o := &identity.Object{Kind: identity.User, Anchor: anchor, Attrs: identity.Attrs{{Name: "name", Value: name}}}
	if title != "" {
		o.Attrs = append(o.Attrs, identity.Attr{Name: "title", Value: title})
	}
	return o
}

// goodCase is a source in memory that keeps the contract.
func goodCase() conntest.SourceCase {
	system := memory.New(memory.Config{Schema: schema.Schema{{Kind: identity.User, Attributes: []schema.Attribute{{Name: "name"}, {Name: "title"}}}}})
	want := []*identity.Object{person("1", "Ada", "Countess"), person("2", "Grace", ""), person("3", "Zoë 🚀 \"quoted\"", "Dr., PhD")}
	system.Put(want...)
	return conntest.SourceCase{
		Source: system, Kind: identity.User, Attrs: []string{"name", "title"}, Want: want,
		Change: func(context.Context) (*identity.Object, error) {
			o := person("2", "Grace", "Admiral")
			system.Put(o)
			return o, nil
		},
		Remove: func(context.Context) (string, error) {
			system.Remove(identity.User, "3")
			return "3", nil
		},
	}
}

func TestMemoryKeepsTheContractOfSources(t *testing.T) {
	conntest.RunSource(t, func(*testing.T) conntest.SourceCase { return goodCase() })
}

// source is what a double is made of.
type source interface {
	connector.Source
	connector.Feed
	connector.Lookup
}

// double is a source with one fault: nil functions keep the contract.
type double struct {
	source
	schema   func(schema.Schema) schema.Schema
	req      func(connector.ReadRequest) connector.ReadRequest // what the double understands instead
	ctx      func(context.Context) context.Context
	read     func(iter.Seq2[connector.Item, error]) iter.Seq2[connector.Item, error] // of Read
	changes  func(iter.Seq2[connector.Item, error]) iter.Seq2[connector.Item, error]
	lookup   func(iter.Seq2[connector.Item, error]) iter.Seq2[connector.Item, error]
	position func(string) string
	since    func(string) string
}

func (d *double) request(req connector.ReadRequest) connector.ReadRequest {
	if d.req != nil {
		return d.req(req)
	}
	return req
}

func (d *double) context(ctx context.Context) context.Context {
	if d.ctx != nil {
		return d.ctx(ctx)
	}
	return ctx
}

type items = iter.Seq2[connector.Item, error]

func through(f func(items) items, s items) items {
	if f == nil {
		return s
	}
	return f(s)
}

func (d *double) Schema(ctx context.Context) (schema.Schema, error) {
	s, err := d.source.Schema(ctx)
	if d.schema != nil {
		s = d.schema(slices.Clone(s))
	}
	return s, err
}

func (d *double) Read(ctx context.Context, req connector.ReadRequest) items {
	return through(d.read, d.source.Read(d.context(ctx), d.request(req)))
}

func (d *double) Position(ctx context.Context) (string, error) {
	p, err := d.source.Position(ctx)
	if d.position != nil {
		p = d.position(p)
	}
	return p, err
}

func (d *double) Changes(ctx context.Context, req connector.ReadRequest, since string) items {
	if d.since != nil {
		since = d.since(since)
	}
	return through(d.changes, d.source.Changes(d.context(ctx), d.request(req), since))
}

func (d *double) Lookup(ctx context.Context, req connector.ReadRequest, anchors []string) items {
	return through(d.lookup, d.source.Lookup(d.context(ctx), d.request(req), anchors))
}

// edit changes items on their way; nil drops one.
func edit(f func(connector.Item) []connector.Item) func(items) items {
	return func(s items) items {
		return func(yield func(connector.Item, error) bool) {
			for item, err := range s {
				if err != nil {
					yield(item, err)
					return
				}
				for _, i := range f(item) {
					if !yield(i, nil) {
						return
					}
				}
			}
		}
	}
}

func drop(anchor string) func(items) items {
	return edit(func(i connector.Item) []connector.Item {
		if i.Object.Anchor == anchor {
			return nil
		}
		return []connector.Item{i}
	})
}

func twice(i connector.Item) []connector.Item { return []connector.Item{i, i} }

// known keeps of a request what exists.
func known(req connector.ReadRequest) connector.ReadRequest {
	req.Attrs = slices.DeleteFunc(slices.Clone(req.Attrs), func(a string) bool { return a != "name" && a != "title" })
	return req
}

// deaf goes on calling a consumer that has stopped.
func deaf(s items) items {
	return func(yield func(connector.Item, error) bool) {
		s(func(i connector.Item, err error) bool {
			yield(i, err)
			return true
		})
	}
}

// faulty is, for each check, sources with just the fault that it looks for.
func faulty() map[string][]*double {
	reads := 0
	open := 0
	return map[string][]*double{
		"the schema has the kind with every attribute asked for": {
			{schema: func(schema.Schema) schema.Schema { return nil }},
			{schema: func(s schema.Schema) schema.Schema {
				return schema.Schema{{Kind: s[0].Kind, Attributes: s[0].Attributes[:1]}}
			}},
		},
		"reading delivers every object once": {
			{read: drop("2")},
			{read: edit(twice)},
			{read: edit(func(i connector.Item) []connector.Item {
				o := *i.Object
				o.Disabled = true
				return []connector.Item{{Object: &o}}
			})},
		},
		"reading delivers the attributes asked for and no others": {
			{req: func(req connector.ReadRequest) connector.ReadRequest {
				if !slices.Contains(req.Attrs, "noSuchAttribute") {
					req.Attrs = []string{"name", "title"}
				}
				return req
			}},
		},
		"reading twice delivers the same": {
			{read: func(s items) items {
				if reads++; reads%2 == 0 {
					return drop("1")(s)
				}
				return s
			}},
		},
		"two readings at once do not disturb each other": {
			{read: func(s items) items {
				return func(yield func(connector.Item, error) bool) {
					open++
					defer func() { open-- }()
					if open > 1 {
						s = drop("1")(s)
					}
					s(yield)
				}
			}},
		},
		"attributes that do not exist are an error that names them all": {
			{req: known},
			{req: func(req connector.ReadRequest) connector.ReadRequest {
				req.Attrs = slices.DeleteFunc(slices.Clone(req.Attrs), func(a string) bool { return a == "noSuchAttributeTwo" })
				return req
			}},
		},
		"a kind that does not exist is an error": {
			{req: func(req connector.ReadRequest) connector.ReadRequest {
				req.Kind = identity.User
				return req
			}},
		},
		"nothing follows an error": {
			{read: func(s items) items {
				return func(yield func(connector.Item, error) bool) {
					s(func(i connector.Item, err error) bool {
						if !yield(i, err) {
							return false
						}
						return err == nil || yield(connector.Item{Object: person("9", "", "")}, nil)
					})
				}
			}},
		},
		"reading stops when the consumer stops": {
			{read: deaf}, {lookup: deaf},
			{changes: func(s items) items { return deaf(edit(twice)(s)) }},
		},
		"a cancelled context ends the reading with an error": {
			{ctx: context.WithoutCancel},
		},
		"nothing has changed since a position taken now": {
			{position: func(string) string { return "0" }},
		},
		"a change is delivered once, in its state now, and nothing else": {
			{changes: edit(func(connector.Item) []connector.Item { return nil })},
			{changes: edit(twice)},
			{changes: edit(func(i connector.Item) []connector.Item {
				return []connector.Item{{Object: person(i.Object.Anchor, "Grace", "")}}
			})},
			{since: func(string) string { return "0" }},
		},
		"what was removed is delivered as gone": {
			{changes: edit(func(i connector.Item) []connector.Item { return nil })},
			{changes: edit(twice)},
			{changes: edit(func(i connector.Item) []connector.Item {
				i.Gone = false
				return []connector.Item{i}
			})},
			{read: func(s items) items {
				return func(yield func(connector.Item, error) bool) {
					s(yield)
					yield(connector.Item{Object: person("3", "", "")}, nil)
				}
			}},
		},
		"a position that never was is not found": {
			{since: func(string) string { return "0" }},
			{changes: func(s items) items {
				return func(yield func(connector.Item, error) bool) {
					for i, err := range s {
						if err != nil {
							err = errors.New("no such position")
						}
						if !yield(i, err) {
							return
						}
					}
				}
			}},
		},
		"lookup delivers the objects asked for": {
			{lookup: drop("2")},
			{lookup: edit(twice)},
		},
		"lookup of what is not there delivers it as gone": {
			{lookup: drop("3")},
			{lookup: edit(func(i connector.Item) []connector.Item {
				i.Gone = false
				return []connector.Item{i}
			})},
			{lookup: edit(func(i connector.Item) []connector.Item {
				if i.Gone {
					i.Object = person(i.Object.Anchor, "Zoë", "")
				}
				return []connector.Item{i}
			})},
		},
	}
}

// forgetful is a source whose feed cannot tell removals, and refuses marks from before the time that past returns.
func forgetful(past func() bool) conntest.SourceCase {
	c := goodCase()
	c.Source = &double{source: c.Source.(source),
		changes: edit(func(i connector.Item) []connector.Item {
			if i.Gone {
				return nil
			}
			return []connector.Item{i}
		}),
		since: func(mark string) string {
			if past() {
				return "no mark"
			}
			return mark
		}}
	return c
}

func TestAFeedThatCannotTellRemovalsMustRefuseOldMarks(t *testing.T) {
	i := slices.IndexFunc(conntest.Sources(), func(c conntest.SourceCheck) bool { return c.Name == "what was removed is delivered as gone" })
	gone := conntest.Sources()[i]
	over := false
	c := forgetful(func() bool { return over })
	c.Outdate = func(context.Context) error {
		over = true
		return nil
	}
	if err := gone.Run(t.Context(), c); err != nil {
		t.Errorf("a source that refuses old marks: %v", err)
	}
	c = forgetful(func() bool { return false })
	c.Outdate = func(context.Context) error { return nil }
	if err := gone.Run(t.Context(), c); err == nil {
		t.Error("a source that neither tells removals nor refuses old marks is accepted")
	}
}

func TestEverySourceCheckFindsItsFault(t *testing.T) {
	for _, check := range conntest.Sources() {
		n := len(faulty()[check.Name])
		if n == 0 {
			t.Errorf("no faulty source proves the check %q", check.Name)
		}
		for i := range n {
			c := goodCase()
			if err := check.Run(t.Context(), c); err != nil {
				t.Errorf("%s: a source without a fault fails: %v", check.Name, err)
			}
			c = goodCase()
			d := faulty()[check.Name][i]
			d.source = c.Source.(source)
			c.Source = d
			if err := check.Run(t.Context(), c); err == nil {
				t.Errorf("%s: the fault of source %d is not found", check.Name, i)
			}
		}
	}
}
