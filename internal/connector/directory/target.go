package directory

import (
	"context"
	"errors"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Writer is what the target needs of the directory. Objects come back whole, members only where that is said. Refusals
// are *connector.Error.
type Writer interface {
	Schema(ctx context.Context) (schema.Schema, error)
	FindObjects(ctx context.Context, kind identity.Kind, attr, value string, limit int) ([]*identity.Object, error)
	// ListObjects returns live objects with ids above after, at most limit, by id.
	ListObjects(ctx context.Context, kind identity.Kind, after string, limit int) ([]*identity.Object, error)
	// CreateObject returns the object with the members it was created with.
	CreateObject(ctx context.Context, kind identity.Kind, attrs identity.Attrs) (*identity.Object, error)
	ChangeObject(ctx context.Context, kind identity.Kind, id string, changes []connector.Change) (*identity.Object, error)
	// DeleteObject puts a live object into the recycle bin; KindNotFound when there is none.
	DeleteObject(ctx context.Context, kind identity.Kind, id string) error
}

const (
	pageSize    = 1000
	memberBatch = 1000 // members in one transaction, which others wait for
	concurrency = 16   // writers whose operations are put into common transactions
	objectID    = "objectId"
)

// Target writes to the directory for one job.
type Target struct {
	dir  Writer
	uses []connector.Use
}

var (
	_ connector.Target   = (*Target)(nil)
	_ connector.Lister   = (*Target)(nil)
	_ connector.Reserver = (*Target)(nil)
)

// Bin is what the target needs of the directory's recycle bin. A Writer without one reserves nothing.
type Bin interface {
	// Reserved tells whether an object in the recycle bin has a value that no other may take.
	Reserved(ctx context.Context, kind identity.Kind, attr, value string) (bool, error)
}

// NewTarget returns the directory as a target. It returns objects with the attributes of env.Uses, or with all where
// env.Uses does not name the kind.
func NewTarget(dir Writer, env connector.Env) *Target { return &Target{dir: dir, uses: env.Uses} }

// Schema describes users and groups, with the own attributes that the job uses.
func (t *Target) Schema(ctx context.Context) (schema.Schema, error) {
	return describe(ctx, t.dir, t.uses)
}

// Probe looks for an object that cannot exist, by each joining attribute.
func (t *Target) Probe(ctx context.Context) (connector.Caps, error) {
	for _, use := range t.uses {
		for _, attr := range use.Joining {
			if _, err := t.Find(ctx, use.Kind, attr, "00000000-0000-0000-0000-000000000000", 1); err != nil {
				return connector.Caps{}, err
			}
		}
	}
	return connector.Caps{List: true, PageSize: pageSize, MemberBatch: memberBatch, ReferencesInCreate: true,
		ReadBeforeWrite: connector.ReadStale, Concurrency: concurrency}, nil
}

// Find returns live objects: one in the recycle bin is no match, and a create that collides with it is refused with
// the advice to restore it.
func (t *Target) Find(ctx context.Context, kind identity.Kind, attr, value string, limit int) ([]*identity.Object, error) {
	found, err := t.dir.FindObjects(ctx, kind, attr, value, limit)
	if err != nil {
		return nil, fault("find "+string(kind), err)
	}
	for i, o := range found {
		found[i] = t.used(o)
	}
	return found, nil
}

// Reserved tells whether the value belongs to somebody in the recycle bin, who may be restored.
func (t *Target) Reserved(ctx context.Context, kind identity.Kind, attr, value string) (bool, error) {
	bin, ok := t.dir.(Bin)
	if !ok {
		return false, nil
	}
	yes, err := bin.Reserved(ctx, kind, attr, value)
	if err != nil {
		return false, fault("look into the recycle bin for "+attr, err)
	}
	return yes, nil
}

// Get returns a live object without members.
func (t *Target) Get(ctx context.Context, kind identity.Kind, anchor string) (*identity.Object, error) {
	op := "read " + string(kind) + " " + anchor
	found, err := t.dir.FindObjects(ctx, kind, objectID, anchor, 1)
	if err != nil {
		return nil, fault(op, err)
	}
	if len(found) == 0 {
		return nil, &connector.Error{Kind: connector.KindNotFound, Op: op, Code: connector.CodeInvalidAnchor, Detail: "the directory has no such object"}
	}
	return t.used(found[0]), nil
}

// Create adds an object. A userPrincipalName that is taken is KindConflict, a missing userPrincipalName or displayName
// KindInvalid with MandatoryFieldsMissing.
func (t *Target) Create(ctx context.Context, obj *identity.Object) (*identity.Object, error) {
	made, err := t.dir.CreateObject(ctx, obj.Kind, obj.Attrs)
	if err != nil {
		return nil, fault("create "+string(obj.Kind), err)
	}
	return t.used(made), nil
}

// Update makes all changes, or none. It returns the object without members.
func (t *Target) Update(ctx context.Context, u connector.Update) (*identity.Object, error) {
	changed, err := t.dir.ChangeObject(ctx, u.Kind, u.Anchor, u.Changes)
	if err != nil {
		return nil, fault("update "+string(u.Kind)+" "+u.Anchor, err)
	}
	return t.used(changed), nil
}

// Delete puts the object into the recycle bin, from which it can be restored for 30 days.
func (t *Target) Delete(ctx context.Context, kind identity.Kind, anchor string) error {
	err := t.dir.DeleteObject(ctx, kind, anchor)
	if err == nil || connector.KindOf(err) == connector.KindNotFound {
		return nil
	}
	return fault("delete "+string(kind)+" "+anchor, err)
}

// List returns live objects by id; the cursor is the last id of the page before.
func (t *Target) List(ctx context.Context, kind identity.Kind, cursor string) (connector.Page, error) {
	objects, err := t.dir.ListObjects(ctx, kind, cursor, pageSize)
	if err != nil {
		return connector.Page{}, fault("list "+string(kind), err)
	}
	page := connector.Page{Objects: objects, Total: -1}
	if len(objects) == pageSize {
		page.Next = objects[pageSize-1].Anchor
	}
	for i, o := range objects {
		objects[i] = t.used(o)
	}
	return page, nil
}

// used keeps of an object the attributes that the job uses.
func (t *Target) used(o *identity.Object) *identity.Object {
	for _, use := range t.uses {
		if use.Kind != o.Kind {
			continue
		}
		attrs := make(identity.Attrs, 0, len(use.Attributes))
		for _, a := range use.Attributes {
			if v, ok := o.Get(a.Name); ok {
				attrs = append(attrs, identity.Attr{Name: a.Name, Value: v})
			}
		}
		o.Attrs = attrs
		break
	}
	return o
}

// fault makes an error that connectors return: the directory's own refusals as they are, anything else is a fault of
// the database, which the same call may survive later.
func fault(op string, err error) error {
	var e *connector.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &connector.Error{Kind: connector.KindTemporary, Op: op, Code: connector.CodeTimeout, Err: err}
	}
	return &connector.Error{Kind: connector.KindTemporary, Op: op, Code: connector.CodeEndpointUnavailable, Err: err,
		Hint: "see the detail; the database did not answer as it should"}
}
