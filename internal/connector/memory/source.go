package memory

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Schema implements connector.Source.
func (s *System) Schema(ctx context.Context) (schema.Schema, error) {
	return s.cfg.Schema, ctx.Err()
}

// Read implements connector.Source. Objects are delivered as they are when the reading begins.
func (s *System) Read(ctx context.Context, req connector.ReadRequest) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		t, err := s.request(req)
		if err != nil {
			yield(connector.Item{}, err)
			return
		}
		s.mu.Lock()
		objects := make([]*identity.Object, 0, len(t.rows))
		for _, anchor := range t.anchors() {
			objects = append(objects, only(t.rows[anchor].object, req.Attrs))
		}
		s.mu.Unlock()
		for _, o := range objects {
			if ctx.Err() != nil {
				yield(connector.Item{}, ctx.Err())
				return
			}
			if !yield(connector.Item{Object: o}, nil) {
				return
			}
		}
	}
}

// Position implements connector.Feed.
func (s *System) Position(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strconv.FormatInt(s.seq, 10), ctx.Err()
}

// Changes implements connector.Feed. Changes come in the order in which they were made.
func (s *System) Changes(ctx context.Context, req connector.ReadRequest, since string) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		t, err := s.request(req)
		if err != nil {
			yield(connector.Item{}, err)
			return
		}
		mark, err := strconv.ParseInt(since, 10, 64)
		s.mu.Lock()
		old := err != nil || mark < s.oldest || mark > s.seq
		type change struct {
			seq  int64
			item connector.Item
		}
		var changes []change
		for anchor, r := range t.rows {
			if r.seq > mark {
				changes = append(changes, change{r.seq, itemOf(req, anchor, r.object)})
			}
		}
		s.mu.Unlock()
		if old {
			yield(connector.Item{}, &connector.Error{Kind: connector.KindNotFound, Op: "read changes", Detail: "the mark " + strconv.Quote(since) + " is too old or unknown", Hint: "a full read is needed"})
			return
		}
		slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.seq, b.seq) })
		for _, c := range changes {
			if ctx.Err() != nil {
				yield(connector.Item{}, ctx.Err())
				return
			}
			if !yield(c.item, nil) {
				return
			}
		}
	}
}

// Lookup implements connector.Lookup.
func (s *System) Lookup(ctx context.Context, req connector.ReadRequest, anchors []string) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		t, err := s.request(req)
		if err != nil {
			yield(connector.Item{}, err)
			return
		}
		for _, anchor := range anchors {
			if ctx.Err() != nil {
				yield(connector.Item{}, ctx.Err())
				return
			}
			s.mu.Lock()
			item := itemOf(req, anchor, t.object(anchor))
			s.mu.Unlock()
			if !yield(item, nil) {
				return
			}
		}
	}
}

func itemOf(req connector.ReadRequest, anchor string, o *identity.Object) connector.Item {
	if o == nil {
		return connector.Item{Object: &identity.Object{Kind: req.Kind, Anchor: anchor}, Gone: true}
	}
	return connector.Item{Object: only(o, req.Attrs)}
}

// request checks what is asked for. The error names everything that the system does not have.
func (s *System) request(req connector.ReadRequest) (*table, error) {
	t := s.kinds[req.Kind]
	if t == nil {
		return nil, &connector.Error{Kind: connector.KindInvalid, Op: "read " + string(req.Kind), Detail: fmt.Sprintf("there is no object type %q", req.Kind)}
	}
	if t.def.Open {
		return t, nil
	}
	var unknown []string
	for _, name := range req.Attrs {
		if _, ok := t.def.Attribute(name); !ok {
			unknown = append(unknown, name)
		}
	}
	if unknown != nil {
		return nil, &connector.Error{Kind: connector.KindInvalid, Op: "read " + string(req.Kind), Detail: "there are no attributes " + strings.Join(unknown, ", ")}
	}
	return t, nil
}

// only returns a copy of o with the named attributes, in the order of the names.
func only(o *identity.Object, names []string) *identity.Object {
	c := clone(o)
	c.Attrs = make(identity.Attrs, 0, len(names))
	for _, name := range names {
		if v, ok := o.Get(name); ok {
			c.Attrs = append(c.Attrs, identity.Attr{Name: name, Value: cloneValue(v)})
		}
	}
	return c
}
