package directory

import (
	"context"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// The methods in this file are those of the directory in the words of connectors, which know objects and no entries.

// FindObjects is Find without what an Entry adds.
func (d *Directory) FindObjects(ctx context.Context, kind identity.Kind, attr, value string, limit int) ([]*identity.Object, error) {
	found, err := d.Find(ctx, kind, attr, value, limit)
	return objects(found), err
}

// ListObjects returns live objects of the kind with ids above after, at most limit, in the order of their ids.
func (d *Directory) ListObjects(ctx context.Context, kind identity.Kind, after string, limit int) ([]*identity.Object, error) {
	c, err := d.catalogue("list "+noun(kind)+"s", kind)
	if err != nil {
		return nil, err
	}
	found, err := d.entries(ctx, c, `id > $2 AND deleted = 0`, limit, after)
	return objects(found), err
}

// CreateObject adds an object of the kind and returns it with the members it was given.
func (d *Directory) CreateObject(ctx context.Context, kind identity.Kind, attrs identity.Attrs) (*identity.Object, error) {
	return d.object(ctx, func(t *Tx) (Entry, error) { return t.Create(kind, attrs) })
}

// ChangeObject makes changes to a live object, all or none, and returns it without members.
func (d *Directory) ChangeObject(ctx context.Context, kind identity.Kind, id string, changes []connector.Change) (*identity.Object, error) {
	return d.object(ctx, func(t *Tx) (Entry, error) { return t.Change(kind, id, changes) })
}

// DeleteObject puts a live object into the recycle bin.
func (d *Directory) DeleteObject(ctx context.Context, kind identity.Kind, id string) error {
	return d.write(ctx, func(t *Tx) error { return t.Delete(kind, id) })
}

func (d *Directory) object(ctx context.Context, f func(*Tx) (Entry, error)) (*identity.Object, error) {
	e, err := d.one(ctx, f)
	if err != nil {
		return nil, err
	}
	return &e.Object, nil
}

func objects(entries []Entry) []*identity.Object {
	out := make([]*identity.Object, len(entries))
	for i := range entries {
		out[i] = &entries[i].Object
	}
	return out
}
