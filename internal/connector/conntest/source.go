package conntest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// SourceCase is a source under test and what is known of it. The source holds all objects of Want and no others of
// their kind.
type SourceCase struct {
	Source connector.Source
	Kind   identity.Kind
	Attrs  []string           // attributes to ask for, two or more
	Want   []*identity.Object // what they are, three or more; an attribute without a value is left out or nil

	// Change changes one object within the source and returns it as it has to be delivered then; Remove removes one
	// for good and returns its anchor. Both are nil for a source that cannot tell what changed.
	Change func(context.Context) (*identity.Object, error)
	Remove func(context.Context) (string, error)

	// Outdate lets all marks become too old. It is set for a feed that cannot tell what was removed: nobody is missed all
	// the same when its marks do not last, since everything is read then. nil for a feed that tells it.
	Outdate func(context.Context) error
}

// SourceCheck is one part of the contract of connector.Source, Feed or Lookup. Run returns an error that says how the
// source breaks it; what it does not apply to it passes.
type SourceCheck struct {
	Name string
	Run  func(ctx context.Context, c SourceCase) error
}

// RunSource holds a source to all checks, with a fresh one for each.
func RunSource(t *testing.T, open func(t *testing.T) SourceCase) {
	t.Helper()
	for _, check := range Sources() {
		t.Run(check.Name, func(t *testing.T) {
			c := open(t)
			if len(c.Attrs) < 2 || len(c.Want) < 3 {
				t.Fatalf("the case has %d attributes and %d objects, which prove too little", len(c.Attrs), len(c.Want))
			}
			if _, feed := c.Source.(connector.Feed); feed && (c.Change == nil || c.Remove == nil) {
				t.Fatal("a source that is a Feed is tested with Change and Remove")
			}
			if err := check.Run(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
}

// Sources returns the checks of sources.
func Sources() []SourceCheck {
	return []SourceCheck{
		{"the schema has the kind with every attribute asked for", checkSourceSchema},
		{"reading delivers every object once", checkSourceReadAll},
		{"reading delivers the attributes asked for and no others", checkSourceReadSome},
		{"reading twice delivers the same", checkSourceReadTwice},
		{"two readings at once do not disturb each other", checkSourceReadBoth},
		{"attributes that do not exist are an error that names them all", checkSourceUnknownAttrs},
		{"a kind that does not exist is an error", checkSourceUnknownKind},
		{"nothing follows an error", checkSourceEndsWithError},
		{"reading stops when the consumer stops", checkSourceStops},
		{"a cancelled context ends the reading with an error", checkSourceCancel},
		{"nothing has changed since a position taken now", checkSourceQuiet},
		{"a change is delivered once, in its state now, and nothing else", checkSourceChange},
		{"what was removed is delivered as gone", checkSourceGone},
		{"a position that never was is not found", checkSourceForeignPosition},
		{"lookup delivers the objects asked for", checkSourceLookup},
		{"lookup of what is not there delivers it as gone", checkSourceLookupGone},
	}
}

func (c SourceCase) request() connector.ReadRequest {
	return connector.ReadRequest{Kind: c.Kind, Attrs: c.Attrs}
}

func checkSourceSchema(ctx context.Context, c SourceCase) error {
	s, err := c.Source.Schema(ctx)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	o, ok := s.Object(c.Kind)
	if !ok {
		return fmt.Errorf("the schema has no %s", c.Kind)
	}
	for _, name := range c.Attrs {
		if _, ok := o.Attribute(name); !ok && !o.Open {
			return fmt.Errorf("the schema of %s has no attribute %q, which can be read", c.Kind, name)
		}
	}
	return nil
}

func checkSourceReadAll(ctx context.Context, c SourceCase) error {
	got, err := collectItems(c.Source.Read(ctx, c.request()))
	if err != nil {
		return err
	}
	return differObjects(c.Want, got)
}

func checkSourceReadSome(ctx context.Context, c SourceCase) error {
	for _, attrs := range [][]string{nil, c.Attrs[:1], c.Attrs[1:2]} {
		got, err := collectItems(c.Source.Read(ctx, connector.ReadRequest{Kind: c.Kind, Attrs: attrs}))
		if err != nil {
			return fmt.Errorf("asked for %q: %w", attrs, err)
		}
		if err := differObjects(onlyAttrs(c.Want, attrs), got); err != nil {
			return fmt.Errorf("asked for %q: %w", attrs, err)
		}
	}
	return nil
}

func checkSourceReadTwice(ctx context.Context, c SourceCase) error {
	first, err := collectItems(c.Source.Read(ctx, c.request()))
	if err != nil {
		return err
	}
	second, err := collectItems(c.Source.Read(ctx, c.request()))
	if err != nil {
		return fmt.Errorf("the second time: %w", err)
	}
	return differObjects(first, second)
}

func checkSourceReadBoth(ctx context.Context, c SourceCase) error {
	next, stop := iter.Pull2(c.Source.Read(ctx, c.request()))
	defer stop()
	item, err, ok := next()
	if err != nil {
		return fmt.Errorf("the first object: %w", err)
	}
	if !ok {
		return errors.New("no first object")
	}
	outer := []*identity.Object{item.Object}
	inner, err := collectItems(c.Source.Read(ctx, c.request()))
	if err != nil {
		return fmt.Errorf("while another reading is under way: %w", err)
	}
	if err := differObjects(c.Want, inner); err != nil {
		return fmt.Errorf("while another reading is under way: %w", err)
	}
	for {
		item, err, ok := next()
		if err != nil {
			return fmt.Errorf("after another reading: %w", err)
		}
		if !ok {
			break
		}
		outer = append(outer, item.Object)
	}
	return differObjects(c.Want, outer)
}

func checkSourceUnknownAttrs(ctx context.Context, c SourceCase) error {
	req := c.request()
	req.Attrs = append([]string{"noSuchAttributeOne"}, append(slices.Clone(c.Attrs), "noSuchAttributeTwo")...)
	for what, read := range c.readings(ctx, req) {
		_, err := collectItems(read)
		if err == nil {
			return fmt.Errorf("%s: attributes that do not exist were accepted", what)
		}
		for _, name := range []string{"noSuchAttributeOne", "noSuchAttributeTwo"} {
			if !strings.Contains(err.Error(), name) {
				return fmt.Errorf("%s: the error does not name %s: %w", what, name, err)
			}
		}
	}
	return nil
}

// readings are the ways in which the source can be read.
func (c SourceCase) readings(ctx context.Context, req connector.ReadRequest) iter.Seq2[string, iter.Seq2[connector.Item, error]] {
	return func(yield func(string, iter.Seq2[connector.Item, error]) bool) {
		if !yield("Read", c.Source.Read(ctx, req)) {
			return
		}
		if f, ok := c.Source.(connector.Feed); ok {
			since, err := f.Position(context.WithoutCancel(ctx))
			if err == nil {
				_, err = c.Change(context.WithoutCancel(ctx)) // so that there is something to deliver
			}
			if err != nil {
				yield("Position and Change", failedReading(err))
				return
			}
			if !yield("Changes", f.Changes(ctx, req, since)) {
				return
			}
		}
		if l, ok := c.Source.(connector.Lookup); ok {
			yield("Lookup", l.Lookup(ctx, req, []string{c.Want[0].Anchor, c.Want[1].Anchor}))
		}
	}
}

func failedReading(err error) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) { yield(connector.Item{}, err) }
}

func checkSourceUnknownKind(ctx context.Context, c SourceCase) error {
	for what, read := range c.readings(ctx, connector.ReadRequest{Kind: "NoSuchKind"}) {
		if _, err := collectItems(read); err == nil {
			return fmt.Errorf("%s: a kind that does not exist was accepted", what)
		}
	}
	return nil
}

func checkSourceEndsWithError(ctx context.Context, c SourceCase) error {
	for what, read := range c.readings(ctx, connector.ReadRequest{Kind: c.Kind, Attrs: []string{"noSuchAttribute"}}) {
		calls, failedAt := 0, 0
		read(func(_ connector.Item, err error) bool {
			calls++
			if err != nil && failedAt == 0 {
				failedAt = calls
			}
			return true
		})
		if failedAt == 0 || calls > failedAt {
			return fmt.Errorf("%s: call %d of %d told the error; it has to be the last", what, failedAt, calls)
		}
	}
	return nil
}

func checkSourceStops(ctx context.Context, c SourceCase) error {
	for what, read := range c.readings(ctx, c.request()) {
		calls := 0
		read(func(connector.Item, error) bool {
			calls++
			return false
		})
		if calls != 1 {
			return fmt.Errorf("%s: called a consumer that wanted no more %d times", what, calls)
		}
	}
	return nil
}

func checkSourceCancel(ctx context.Context, c SourceCase) error {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	for what, read := range c.readings(ctx, c.request()) {
		if _, err := collectItems(read); err == nil {
			return fmt.Errorf("%s: ended without an error though the context was cancelled", what)
		}
	}
	return nil
}

func checkSourceQuiet(ctx context.Context, c SourceCase) error {
	f, ok := c.Source.(connector.Feed)
	if !ok {
		return nil
	}
	since, err := f.Position(ctx)
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	got, err := collectItems(f.Changes(ctx, c.request(), since))
	if err != nil {
		return err
	}
	if len(got) > 0 {
		return fmt.Errorf("%d changes since a position taken now, the first of %s", len(got), got[0].Anchor)
	}
	return nil
}

func checkSourceChange(ctx context.Context, c SourceCase) error {
	f, ok := c.Source.(connector.Feed)
	if !ok {
		return nil
	}
	before, err := f.Position(ctx)
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	want, err := c.Change(ctx)
	if err != nil {
		return err
	}
	got, err := collectItems(f.Changes(ctx, c.request(), before))
	if err != nil {
		return err
	}
	if err := differObjects([]*identity.Object{want}, got); err != nil {
		return err
	}
	after, err := f.Position(ctx)
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	if got, err = collectItems(f.Changes(ctx, c.request(), after)); err == nil && len(got) > 0 {
		err = fmt.Errorf("%d changes since a position taken after the change", len(got))
	}
	return err
}

func checkSourceGone(ctx context.Context, c SourceCase) error {
	f, ok := c.Source.(connector.Feed)
	if !ok {
		return nil
	}
	before, err := f.Position(ctx)
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	anchor, err := c.Remove(ctx)
	if err != nil {
		return err
	}
	if c.Outdate != nil {
		err = c.outdated(ctx, f, before)
	} else {
		err = c.toldGone(ctx, f, before, anchor)
	}
	if err != nil {
		return err
	}
	got, err := collectItems(c.Source.Read(ctx, c.request()))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(got, func(o *identity.Object) bool { return o.Anchor == anchor }) {
		return fmt.Errorf("%s, which was removed, can still be read", anchor)
	}
	return nil
}

// toldGone holds a feed to delivering what was removed as gone.
func (c SourceCase) toldGone(ctx context.Context, f connector.Feed, mark, anchor string) error {
	gone := 0
	for item, err := range f.Changes(ctx, c.request(), mark) {
		if err != nil {
			return fmt.Errorf("changes: %w", err)
		}
		if item.Object != nil && item.Object.Anchor == anchor {
			gone++
			if err := goneOnly(item, c.Kind, anchor); err != nil {
				return err
			}
		}
	}
	if gone != 1 {
		return fmt.Errorf("%s, which was removed, was delivered %d times", anchor, gone)
	}
	return nil
}

// outdated holds a feed that cannot tell removals to refusing marks from before one.
func (c SourceCase) outdated(ctx context.Context, f connector.Feed, mark string) error {
	if err := c.Outdate(ctx); err != nil {
		return err
	}
	_, err := collectItems(f.Changes(ctx, c.request(), mark))
	if connector.KindOf(err) != connector.KindNotFound {
		return fmt.Errorf("a mark from before a removal that the feed does not tell is still good after its time; want kind %q, got %w", connector.KindNotFound, orNone(err))
	}
	return nil
}

func orNone(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

func goneOnly(item connector.Item, kind identity.Kind, anchor string) error {
	want := connector.Item{Gone: true, Object: &identity.Object{Kind: kind, Anchor: anchor}}
	if diff := cmp.Diff(want, item); diff != "" {
		return fmt.Errorf("something that is gone has kind and anchor only (- want, + delivered):\n%s", diff)
	}
	return nil
}

func checkSourceForeignPosition(ctx context.Context, c SourceCase) error {
	f, ok := c.Source.(connector.Feed)
	if !ok {
		return nil
	}
	for _, since := range []string{"9223372036854775807", "no position of anything", "-1"} {
		_, err := collectItems(f.Changes(ctx, c.request(), since))
		if err == nil {
			return fmt.Errorf("position %q was accepted", since)
		}
		if connector.KindOf(err) != connector.KindNotFound {
			return fmt.Errorf("position %q: want kind %q: %w", since, connector.KindNotFound, err)
		}
	}
	return nil
}

func checkSourceLookup(ctx context.Context, c SourceCase) error {
	l, ok := c.Source.(connector.Lookup)
	if !ok {
		return nil
	}
	for _, want := range [][]*identity.Object{nil, c.Want[1:2], {c.Want[2], c.Want[0]}} {
		var anchors []string
		for _, o := range want {
			anchors = append(anchors, o.Anchor)
		}
		got, err := collectItems(l.Lookup(ctx, c.request(), anchors))
		if err != nil {
			return fmt.Errorf("lookup of %q: %w", anchors, err)
		}
		if err := differObjects(want, got); err != nil {
			return fmt.Errorf("lookup of %q: %w", anchors, err)
		}
	}
	return nil
}

func checkSourceLookupGone(ctx context.Context, c SourceCase) error {
	l, ok := c.Source.(connector.Lookup)
	if !ok {
		return nil
	}
	missing := []string{"ffffffff-ffff-4fff-bfff-ffffffffffff"}
	if c.Remove != nil {
		anchor, err := c.Remove(ctx)
		if err != nil {
			return err
		}
		missing = append(missing, anchor)
	}
	var there *identity.Object
	for _, o := range c.Want {
		if !slices.Contains(missing, o.Anchor) {
			there = o
		}
	}
	delivered := map[string]int{}
	for item, err := range l.Lookup(ctx, c.request(), append(slices.Clone(missing), there.Anchor)) {
		if err != nil {
			return fmt.Errorf("lookup: %w", err)
		}
		if item.Object == nil {
			return errors.New("lookup delivered an item without an object")
		}
		delivered[item.Object.Anchor]++
		if item.Object.Anchor == there.Anchor {
			if item.Gone {
				return fmt.Errorf("%s was delivered as gone", there.Anchor)
			}
			continue
		}
		if err := goneOnly(item, c.Kind, item.Object.Anchor); err != nil {
			return err
		}
	}
	want := map[string]int{there.Anchor: 1}
	for _, a := range missing {
		want[a] = 1
	}
	if diff := cmp.Diff(want, delivered); diff != "" {
		return fmt.Errorf("how often each was delivered (- want, + got):\n%s", diff)
	}
	return nil
}

// collectItems takes all objects of a reading; an item that is gone or has an error is one.
func collectItems(items iter.Seq2[connector.Item, error]) ([]*identity.Object, error) {
	var out []*identity.Object
	for item, err := range items {
		switch {
		case err != nil:
			return nil, err
		case item.Err != nil:
			return nil, fmt.Errorf("an object could not be read: %w", item.Err)
		case item.Gone:
			return nil, fmt.Errorf("%s was delivered as gone", item.Object.Anchor)
		case item.Object == nil:
			return nil, errors.New("an item has neither object nor error")
		}
		out = append(out, item.Object)
	}
	return out, nil
}

// differObjects compares objects whatever their order and that of their attributes.
func differObjects(want, got []*identity.Object) error {
	if diff := cmp.Diff(canonicalObjects(want), canonicalObjects(got)); diff != "" {
		return fmt.Errorf("objects (- want, + delivered):\n%s", diff)
	}
	return nil
}

// canonicalObjects puts objects into one order and leaves out what has no value.
func canonicalObjects(objects []*identity.Object) []identity.Object {
	out := make([]identity.Object, len(objects))
	for i, o := range objects {
		out[i] = *o
		out[i].Attrs = slices.DeleteFunc(slices.Clone(o.Attrs), func(a identity.Attr) bool { return a.Value == nil })
		slices.SortStableFunc(out[i].Attrs, func(a, b identity.Attr) int { return strings.Compare(a.Name, b.Name) })
		if len(out[i].Attrs) == 0 {
			out[i].Attrs = nil
		}
	}
	slices.SortStableFunc(out, func(a, b identity.Object) int { return strings.Compare(a.Anchor, b.Anchor) })
	return out
}

func onlyAttrs(objects []*identity.Object, attrs []string) []*identity.Object {
	out := make([]*identity.Object, len(objects))
	for i, o := range objects {
		part := *o
		part.Attrs = slices.DeleteFunc(slices.Clone(o.Attrs), func(a identity.Attr) bool { return !slices.Contains(attrs, a.Name) })
		out[i] = &part
	}
	return out
}
