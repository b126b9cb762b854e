package connector

import (
	"context"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Target is a system that accounts are written to. All methods may be called from several goroutines at once.
// Each makes the calls that Caps.Calls announces for it, counts them on the Meter it was opened with, and returns
// an *Error when it does not succeed.
type Target interface {
	// Probe asks the target for an object that cannot exist (engine.R24, scim.R5), which proves that the address
	// answers, the credential is accepted and the joining attributes can be filtered on, and returns what is known of
	// the target. An error here is a failure of the whole job.
	Probe(ctx context.Context) (Caps, error)

	// Find returns at most limit objects of the kind whose attribute equals value under the target's own case rule.
	// No match is an empty slice, not an error. The target's answer is checked against the question: objects that do
	// not match are KindIncompatible (scim.R52).
	Find(ctx context.Context, kind identity.Kind, attr, value string, limit int) ([]*identity.Object, error)

	// Get returns the object with this anchor with the attributes in use, KindNotFound when it is gone.
	// Reference attributes with several values (members) are never read (scim.R43).
	Get(ctx context.Context, kind identity.Kind, anchor string) (*identity.Object, error)

	// Create makes the object and returns it as the target stored it, at least with its anchor. Attributes that the
	// target's answer did not show are absent from the result. Values of type identity.Ref are anchors of the target.
	Create(ctx context.Context, obj *identity.Object) (*identity.Object, error)

	// Update changes attributes of one object in as few calls as the target allows; all changes of one Update that
	// are not members fit in one call. It returns the object as the target answered it, or nil when the answer had none.
	Update(ctx context.Context, u Update) (*identity.Object, error)

	// Delete removes the object. An object that is gone already is success (scim.R21).
	Delete(ctx context.Context, kind identity.Kind, anchor string) error
}

// Lister is a Target that can list all accounts, page by page (scim.R50).
type Lister interface {
	// List returns one page. The first call has cursor "", each further call the Next of the page before. All pages make
	// up the whole, or one of them is an error. KindNotFound means that the target has forgotten the cursor: the listing
	// begins anew.
	List(ctx context.Context, kind identity.Kind, cursor string) (Page, error)
}

// Reserver is a Target that keeps values for objects that it does not show, such as deleted ones that can be restored.
type Reserver interface {
	// Reserved tells whether a create with this value would be refused although Find finds nothing. It makes no call.
	Reserved(ctx context.Context, kind identity.Kind, attr, value string) (bool, error)
}

// Page is one page of a listing.
type Page struct {
	Objects []*identity.Object
	Total   int      // what the target says it has in all; -1 when it does not say
	Next    string   // cursor of the next page, "" after the last
	Hidden  []string // attributes in use that a listing never shows: that an object lacks them says nothing
}

// Tariff is a Target whose operations do not all cost what Caps.Calls announces, or whose references with several values
// do not all come in batches of Caps.MemberBatch. Both methods make no call.
type Tariff interface {
	// Cost returns the HTTP methods of the calls that an operation makes. changes are those of an Update, and for a
	// Create the attributes that are set.
	Cost(op Operation, kind identity.Kind, changes []Change) []string

	// Batch returns how many references a Change of the attribute may carry at most, 0 for no limit.
	Batch(kind identity.Kind, attr string, op Op) int
}

// Op says what a Change does to an attribute.
type Op string

// The operations of a Change.
const (
	Set    Op = "set"    // New is the value afterwards
	Clear  Op = "clear"  // the attribute has no value afterwards
	Add    Op = "add"    // New, a list, is added to the values
	Remove Op = "remove" // New, a list, is taken from the values
)

// Change is the change of one attribute. Old is the value the target has as far as is known, nil for none: a SCIM
// target is sent "add" instead of "replace" then (scim.R33). Add and Remove are used for references with several
// values; a Change never carries more of them than Caps.MemberBatch, and Add and Remove of them never stand in one Update.
// Set of such references is used where Caps.WholeMembers is true alone, and then carries all of them.
// Add is used for other lists too, where values of others must stay (engine.R59).
type Change struct {
	Attr string
	Op   Op
	Old  any
	New  any
}

// Update is a set of changes to one object.
type Update struct {
	Kind    identity.Kind
	Anchor  string
	Changes []Change

	// Known are values that the account is believed to have before the changes, by attribute, for targets whose updates
	// must carry more than what changes. It may be nil, and is not changed.
	Known map[string]any
}

// Operation names a method of Target where its cost in calls is meant.
type Operation string

// The operations of a target.
const (
	OpProbe  Operation = "probe"
	OpList   Operation = "list"
	OpFind   Operation = "find"
	OpGet    Operation = "get"
	OpCreate Operation = "create"
	OpUpdate Operation = "update"
	OpDelete Operation = "delete"
)

// Caps is what is known of a target once Probe has answered. The engine plans with it.
type Caps struct {
	List               bool // the target is a Lister and listing is allowed
	PageSize           int  // objects in a page of List
	MemberBatch        int  // most members in one Change; 0 means no limit
	WholeMembers       bool // single members cannot be taken away: a removal is a Set of all that remain
	ReferencesInCreate bool // Create may carry references (design D1)
	MembersApart       bool // but none with several values: those are sent as an Update
	ReadBeforeWrite    ReadPolicy
	PerMinute          float64                // calls a minute that the target allows; 0 means no limit is known
	Concurrency        int                    // calls that may be under way at once; 0 means the engine's default
	Calls              map[Operation][]string // the HTTP methods of each operation; nil when operations are not calls
}

// ReadPolicy says when an account is read before it is updated (design D1, blind update).
type ReadPolicy string

// The policies. The zero value is ReadStale.
const (
	ReadStale  ReadPolicy = "stale"  // only when nothing confirmed the stored values within the reconciliation interval
	ReadAlways ReadPolicy = "always" // before every update
	ReadNever  ReadPolicy = "never"
)

// Use tells a target which attributes a job reads and writes on one kind, in the order of the mappings.
type Use struct {
	Kind       identity.Kind
	Attributes []schema.Attribute
	Joining    []string // names of the joining attributes, by priority
}
