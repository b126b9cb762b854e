package sim

import (
	"context"
	"errors"
	"iter"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/sim/model"
)

// reader is the source of a process when it is read whole. What it delivers, it tells the model.
type reader struct{ p *process }

// feed is a source that tells changes.
type feed struct{ reader }

var (
	_ connector.Source = reader{}
	_ connector.Feed   = feed{}
	_ connector.Lookup = feed{}
)

// Schema implements connector.Source.
func (r reader) Schema(ctx context.Context) (schema.Schema, error) { return r.p.w.source.Schema(ctx) }

// Read implements connector.Source.
func (r reader) Read(ctx context.Context, req connector.ReadRequest) iter.Seq2[connector.Item, error] {
	w := r.p.w
	return func(yield func(connector.Item, error) bool) {
		w.mu.Lock()
		w.model.Read(kindOf(req.Kind), true)
		w.noteLocked("source: all of %s is read", req.Kind)
		fault := r.p.script.source
		if w.feed && (fault == sourceShort || fault == sourceHalved || fault == sourceEmpty) {
			fault = "" // what a full read does not deliver, a source that only tells changes afterwards never will
		}
		n := len(w.source.Objects(req.Kind))
		at := 0
		if n > 0 {
			at = w.faults.IntN(n)
		}
		w.mu.Unlock()
		i := -1
		for item, err := range w.source.Read(ctx, req) {
			if err != nil {
				yield(item, err)
				return
			}
			i++
			w.mu.Lock()
			hit := true
			switch {
			case fault == sourceBroken && i == at:
				err = &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeEndpointUnavailable, Op: "read", Detail: "the source broke off"}
			case fault == sourceShort && i >= at && i < at+2, fault == sourceHalved && 5*i > 2*n, fault == sourceEmpty:
				w.noteLocked("source: %s is not delivered", item.Object.Anchor)
				w.tally.hit(fault)
				w.mu.Unlock()
				continue
			case fault == sourceUnreadable && i == at:
				w.model.Unreadable(model.Key{Kind: kindOf(req.Kind), Name: item.Object.Anchor})
				item = connector.Item{Object: &identity.Object{Kind: req.Kind, Anchor: item.Object.Anchor}, Err: errors.New("a damaged row"), Line: i}
			case fault == sourceNameless && i == at:
				w.model.Unreadable(model.Key{Kind: kindOf(req.Kind)})
				item = connector.Item{Err: errors.New("a damaged row"), Line: i}
			default:
				hit = false
				w.told(item)
			}
			if hit {
				w.tally.hit(fault)
				w.noteLocked("%s, at %d of %d", fault, at, n)
			}
			w.mu.Unlock()
			if !yield(item, err) || err != nil {
				return
			}
		}
		w.mu.Lock()
		w.model.ReadAll(kindOf(req.Kind))
		w.mu.Unlock()
	}
}

// told tells the model what was delivered; w.mu is held. The model gets the whole object, however few attributes were
// asked for: those that were not are the ones that decide nothing.
func (w *world) told(item connector.Item) {
	var whole *identity.Object
	for _, o := range w.source.Objects(item.Object.Kind) {
		if o.Anchor == item.Object.Anchor {
			whole = o
		}
	}
	if item.Gone {
		whole = nil
	}
	switch {
	case item.Object.Kind == identity.User && whole == nil:
		w.model.TellPerson(item.Object.Anchor, nil)
	case item.Object.Kind == identity.User:
		w.model.TellPerson(item.Object.Anchor, person(whole))
	case whole == nil:
		w.model.TellTeam(item.Object.Anchor, nil)
	default:
		w.model.TellTeam(item.Object.Anchor, team(whole))
	}
}

// Position implements connector.Feed.
func (f feed) Position(ctx context.Context) (string, error) {
	w := f.p.w
	if f.p.script.source == sourceForgetful {
		w.mu.Lock()
		w.tally.hit(sourceForgetful)
		w.mu.Unlock()
		w.source.Forget()
	}
	return w.source.Position(ctx)
}

// Changes implements connector.Feed.
func (f feed) Changes(ctx context.Context, req connector.ReadRequest, since string) iter.Seq2[connector.Item, error] {
	return f.tell(req, f.p.w.source.Changes(ctx, req, since), true)
}

// Lookup implements connector.Lookup.
func (f feed) Lookup(ctx context.Context, req connector.ReadRequest, anchors []string) iter.Seq2[connector.Item, error] {
	return f.tell(req, f.p.w.source.Lookup(ctx, req, anchors), false)
}

// damaged draws whether an object cannot be read. It is the same however often this process asks for it: what it has read
// once it may go by, whatever it reads later. w.mu is held.
func (p *process) damaged(anchor string) bool {
	yes, drawn := p.damage[anchor]
	if !drawn {
		yes = p.w.faults.IntN(3) == 0
		p.damage[anchor] = yes
	}
	return yes
}

// tell passes items on and tells the model of them.
func (f feed) tell(req connector.ReadRequest, items iter.Seq2[connector.Item, error], first bool) iter.Seq2[connector.Item, error] {
	w := f.p.w
	return func(yield func(connector.Item, error) bool) {
		if first {
			w.mu.Lock()
			w.model.Read(kindOf(req.Kind), false)
			w.noteLocked("source: changes of %s are read", req.Kind)
			w.mu.Unlock()
		}
		for item, err := range items {
			w.mu.Lock()
			switch fault := f.p.script.source; {
			case err != nil:
			case fault == sourceBroken:
				w.tally.hit(fault)
				w.noteLocked("%s", fault)
				err = &connector.Error{Kind: connector.KindTemporary, Code: connector.CodeEndpointUnavailable, Op: "read changes", Detail: "the source broke off"}
			case fault == sourceUnreadable && !item.Gone && f.p.damaged(item.Object.Anchor):
				w.tally.hit(fault)
				w.noteLocked("%s: %s", fault, item.Object.Anchor)
				w.model.Unreadable(model.Key{Kind: kindOf(req.Kind), Name: item.Object.Anchor})
				item = connector.Item{Object: &identity.Object{Kind: req.Kind, Anchor: item.Object.Anchor}, Err: errors.New("damaged")}
			default:
				w.told(item)
			}
			w.mu.Unlock()
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}
