package connector

import (
	"context"
	"iter"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Source is a system that people and groups are read from.
type Source interface {
	// Schema describes the kinds and attributes of the source.
	Schema(ctx context.Context) (schema.Schema, error)

	// Read delivers every object of a kind that exists now. No order is promised. An error ends the reading: nothing
	// follows it, and nothing that was read may be acted on. It stops when the consumer stops.
	Read(ctx context.Context, req ReadRequest) iter.Seq2[Item, error]
}

// ReadRequest says what to read.
type ReadRequest struct {
	Kind  identity.Kind
	Attrs []string // attributes wanted; a name the source does not have is an error that names them all
}

// Item is one object as a source delivers it, or what can be said of one that could not be read.
type Item struct {
	Object *identity.Object // nil together with Err when not even the anchor could be read
	Err    error            // this object alone could not be read: it keeps its earlier state
	Gone   bool             // only in Feed: the object was removed for good; Object has kind and anchor only
	Line   int              // line in a file, 0 where there is none
}

// Feed is a Source that can tell what changed.
type Feed interface {
	// Position returns the mark from which a later call of Changes continues. It is taken before the first page is
	// read (engine.R19).
	Position(ctx context.Context) (string, error)

	// Changes delivers each object of the kind that changed after the mark once, in its state now. KindNotFound
	// means that the mark is too old or unknown: a full read is needed.
	Changes(ctx context.Context, req ReadRequest, since string) iter.Seq2[Item, error]
}

// Lookup is a Source that can read objects by anchor, for retries and single objects.
type Lookup interface {
	// Lookup delivers the objects with these anchors; those that are gone are delivered as Item.Gone.
	Lookup(ctx context.Context, req ReadRequest, anchors []string) iter.Seq2[Item, error]
}
