package directory

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// pageSize is how many objects are read at once. Groups with their members are read fewer at a time, since each may
// have many.
const (
	pageSize      = 1000
	groupPageSize = 50
)

// Scan delivers every object of a kind that is not purged, soft-deleted ones included, in the order of their ids, with
// the attributes asked for in the order asked for; an attribute without a value is there with nil. With an app, each
// object has its Assignment. It holds one page at a time and no transaction, so an object that changes meanwhile
// is delivered as it was or as it is; Changes from a position taken before then delivers it again.
func (d *Directory) Scan(ctx context.Context, req connector.ReadRequest, app string) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		p, err := d.projection(ctx, req, app)
		if err != nil {
			yield(connector.Item{}, err)
			return
		}
		const query = `SELECT ` + rowColumns + ` FROM dir_object WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3`
		after := ""
		for {
			page, err := p.page(ctx, query, req.Kind, after, p.size)
			if err == nil && len(page) > 0 {
				err = p.fill(ctx, page, true)
			}
			if err != nil {
				yield(connector.Item{}, err)
				return
			}
			for i := range page {
				if !yield(connector.Item{Object: page[i]}, nil) {
					return
				}
			}
			if len(page) < p.size {
				return
			}
			after = page[len(page)-1].Anchor
		}
	}
}

// Position returns the mark that Changes continues from: the number of the last transaction.
func (d *Directory) Position(ctx context.Context) (string, error) {
	last, _, err := d.span(ctx)
	return position(last), err
}

// span returns the number of the last transaction, and the lowest mark that is still good.
func (d *Directory) span(ctx context.Context) (last, horizon int64, err error) {
	err = d.db.Read().QueryRowContext(ctx, `SELECT last, horizon FROM dir_counter WHERE id = 1`).Scan(&last, &horizon)
	if err != nil {
		err = fmt.Errorf("directory: read the feed's position: %w", err)
	}
	return last, horizon, err
}

// Changes delivers each object of the kind that changed after the mark, once, in its state now, and those that were
// purged as Item.Gone. An object counts as changed when an attribute did, its manager, the members of the group, or
// the entitlement of the object to any application. What changes while it runs is left for the next call. A mark that
// is too old or not of this directory is ErrPosition, KindNotFound.
func (d *Directory) Changes(ctx context.Context, req connector.ReadRequest, app, since string) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		from, last, err := d.mark(ctx, since)
		if err != nil {
			yield(connector.Item{}, err)
			return
		}
		p, err := d.projection(ctx, req, app)
		if err != nil {
			yield(connector.Item{}, err)
			return
		}
		if d.changed(ctx, p, from, last, yield) {
			d.gone(ctx, req.Kind, from, last, yield)
		}
	}
}

func (d *Directory) mark(ctx context.Context, since string) (from, last int64, err error) {
	last, horizon, err := d.span(ctx)
	if err != nil {
		return 0, 0, err
	}
	from, err = strconv.ParseInt(since, 10, 64)
	if err != nil || from < horizon || from > last {
		return 0, 0, &connector.Error{Kind: connector.KindNotFound, Op: "read changes", Err: ErrPosition,
			Detail: fmt.Sprintf("the change feed has no position %q", since), Hint: "read everything"}
	}
	return from, last, nil
}

// changed delivers the objects with numbers above from up to last, and tells whether to go on. A change that comes
// meanwhile lifts an object above last; nothing moves down.
func (d *Directory) changed(ctx context.Context, p *projection, from, last int64, yield func(connector.Item, error) bool) bool {
	const query = `SELECT ` + rowColumns + ` FROM dir_object
		WHERE kind = $1 AND (seq, id) > ($2, $3) AND seq <= $4 ORDER BY seq, id LIMIT $5`
	after := "\U0010FFFF" // above every id, so that the transaction of the mark itself is left out
	for {
		page, err := p.page(ctx, query, p.kind, from, after, last, p.size)
		if err == nil {
			err = p.fill(ctx, page, false)
		}
		if err != nil {
			yield(connector.Item{}, err)
			return false
		}
		for i := range page {
			if !yield(connector.Item{Object: page[i]}, nil) {
				return false
			}
		}
		if len(page) < p.size {
			return true
		}
		from, after = p.lastSeq, page[len(page)-1].Anchor
	}
}

func (d *Directory) gone(ctx context.Context, kind identity.Kind, from, last int64, yield func(connector.Item, error) bool) {
	const query = `SELECT id FROM dir_tombstone WHERE kind = $1 AND seq > $2 AND seq <= $3 AND id > $4 ORDER BY id LIMIT $5`
	after := ""
	for {
		ids, err := texts(ctx, d.db.Read(), query, kind, from, last, after, pageSize)
		if err != nil {
			yield(connector.Item{}, fmt.Errorf("directory: read removed objects: %w", err))
			return
		}
		for _, id := range ids {
			if !yield(connector.Item{Object: &identity.Object{Kind: kind, Anchor: id}, Gone: true}, nil) {
				return
			}
		}
		if len(ids) < pageSize {
			return
		}
		after = ids[len(ids)-1]
	}
}

// Lookup delivers the objects with these ids as Scan does; those that are not there are delivered as Item.Gone.
func (d *Directory) Lookup(ctx context.Context, req connector.ReadRequest, app string, ids []string) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		p, err := d.projection(ctx, req, app)
		if err != nil {
			yield(connector.Item{}, err)
			return
		}
		for part := range slices.Chunk(ids, min(chunk, p.size)) {
			args := []any{req.Kind}
			for _, id := range part {
				args = append(args, database.Text(id))
			}
			query := `SELECT ` + rowColumns + ` FROM dir_object WHERE kind = $1 AND id IN ` + placeholders(2, len(part))
			page, err := p.page(ctx, query, args...)
			if err == nil {
				err = p.fill(ctx, page, false)
			}
			if err != nil {
				yield(connector.Item{}, err)
				return
			}
			there := make(map[string]*identity.Object, len(page))
			for _, o := range page {
				there[o.Anchor] = o
			}
			for _, id := range part {
				item := connector.Item{Object: there[id]}
				if item.Object == nil {
					item = connector.Item{Object: &identity.Object{Kind: req.Kind, Anchor: id}, Gone: true}
				}
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// projection reads rows into objects that have just the attributes asked for.
type projection struct {
	dir      *Directory
	c        *catalogue
	kind     identity.Kind
	names    []string
	slots    map[string]int // position of an attribute of the document
	active   int            // positions of what is not in the document, -1 when not wanted
	manager  int
	members  int
	within   int // of TransitiveMembers
	size     int
	entitler *entitler // nil when no application is asked for
	dec      *decoder
	lastSeq  int64 // of the last row of the last page
}

func (d *Directory) projection(ctx context.Context, req connector.ReadRequest, app string) (*projection, error) {
	op := "read " + noun(req.Kind) + "s"
	c, err := d.catalogue(op, req.Kind)
	if err != nil {
		return nil, err
	}
	if err := c.check(op, req.Attrs); err != nil {
		return nil, err
	}
	p := &projection{dir: d, c: c, kind: req.Kind, names: req.Attrs, slots: make(map[string]int, len(req.Attrs)),
		active: -1, manager: -1, members: -1, within: -1, size: pageSize, dec: newDecoder()}
	for i, name := range req.Attrs {
		switch name {
		case c.active:
			p.active = i
		case Manager:
			p.manager = i
		case Members:
			p.members, p.size = i, groupPageSize
		case TransitiveMembers:
			p.within, p.size = i, groupPageSize
		default:
			p.slots[name] = i
		}
	}
	if app != "" {
		if p.entitler, err = d.entitler(ctx, app, req.Kind); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// page reads the rows of a query.
func (p *projection) page(ctx context.Context, query string, args ...any) ([]*identity.Object, error) {
	var out []*identity.Object
	var attrs identity.Attrs
	slot := func(name []byte) int {
		if i, ok := p.slots[string(name)]; ok {
			return i
		}
		return -1
	}
	set := func(i int, v any) { attrs[i].Value = v }
	err := p.dir.rows(ctx, func(r *row) error {
		attrs = make(identity.Attrs, len(p.names))
		for i, name := range p.names {
			attrs[i].Name = name
		}
		if err := p.dec.each(r.doc, slot, set); err != nil {
			return fmt.Errorf("%s %s: %w", noun(p.kind), r.id, err)
		}
		if p.active >= 0 {
			attrs[p.active].Value = r.active
		}
		if p.manager >= 0 && r.manager != "" {
			attrs[p.manager].Value = identity.Ref{Kind: identity.User, Anchor: r.manager}
		}
		o := &identity.Object{Kind: p.kind, Anchor: r.id, Attrs: attrs}
		r.flags(p.c, o)
		p.lastSeq = r.seq
		out = append(out, o)
		return nil
	}, query, args...)
	return out, err
}

// fill adds to a page what is in other tables. ordered says that it holds all objects between its first and its last.
func (p *projection) fill(ctx context.Context, page []*identity.Object, ordered bool) error {
	if len(page) == 0 {
		return nil
	}
	if p.members >= 0 {
		if err := p.fillMembers(ctx, page, ordered); err != nil {
			return err
		}
	}
	if p.within >= 0 {
		if err := p.fillWithin(ctx, page); err != nil {
			return err
		}
	}
	if p.entitler == nil {
		return nil
	}
	if ordered {
		by, err := p.entitler.between(ctx, page[0].Anchor, page[len(page)-1].Anchor)
		entitle(page, by)
		return err
	}
	for part := range slices.Chunk(page, chunk) {
		ids := make([]string, len(part))
		for i, o := range part {
			ids[i] = o.Anchor
		}
		by, err := p.entitler.of(ctx, ids)
		if err != nil {
			return err
		}
		entitle(part, by)
	}
	return nil
}

func entitle(page []*identity.Object, by map[string]*identity.Assignment) {
	for _, o := range page {
		if o.Assignment = by[o.Anchor]; o.Assignment == nil {
			o.Assignment = &identity.Assignment{}
		}
	}
}

func (p *projection) fillMembers(ctx context.Context, page []*identity.Object, ordered bool) error {
	lists := make(map[string][]any, len(page))
	read := func(where string, args ...any) error {
		rows, err := p.dir.db.Read().QueryContext(ctx,
			`SELECT group_id, member_kind, member_id FROM dir_member WHERE hidden = 0 AND group_id `+where+` ORDER BY group_id, member_id`, args...)
		if err != nil {
			return fmt.Errorf("directory: read members: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var group string
			var m identity.Ref
			if err := rows.Scan(&group, &m.Kind, &m.Anchor); err != nil {
				return fmt.Errorf("directory: read members: %w", err)
			}
			lists[group] = append(lists[group], m)
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("directory: read members: %w", err)
		}
		return nil
	}
	var err error
	if ordered {
		err = read(`BETWEEN $1 AND $2`, page[0].Anchor, page[len(page)-1].Anchor)
	} else {
		args := make([]any, len(page))
		for i, o := range page {
			args[i] = o.Anchor
		}
		err = read(`IN `+placeholders(1, len(page)), args...)
	}
	for _, o := range page {
		if l := lists[o.Anchor]; l != nil {
			o.Attrs[p.members].Value = l
		}
	}
	return err
}

// fillWithin gives groups the users in them and in the groups within them, each once. Groups that contain each other
// have the same users.
func (p *projection) fillWithin(ctx context.Context, page []*identity.Object) error {
	query := `WITH RECURSIVE tree (root, id) AS (
			SELECT id, id FROM dir_object WHERE kind = 'Group' AND id IN ` + placeholders(1, len(page)) + `
			UNION SELECT tree.root, m.member_id FROM tree JOIN dir_member m ON m.group_id = tree.id
			WHERE m.member_kind = 'Group' AND m.hidden = 0)
		SELECT DISTINCT tree.root, m.member_id FROM tree JOIN dir_member m ON m.group_id = tree.id
		WHERE m.member_kind = 'User' AND m.hidden = 0 ORDER BY tree.root, m.member_id`
	args := make([]any, len(page))
	for i, o := range page {
		args[i] = o.Anchor
	}
	rows, err := p.dir.db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("directory: read members of groups within groups: %w", err)
	}
	defer rows.Close()
	lists := make(map[string][]any, len(page))
	for rows.Next() {
		var root, user string
		if err := rows.Scan(&root, &user); err != nil {
			return fmt.Errorf("directory: read members of groups within groups: %w", err)
		}
		lists[root] = append(lists[root], identity.Ref{Kind: identity.User, Anchor: user})
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("directory: read members of groups within groups: %w", err)
	}
	for _, o := range page {
		if l := lists[o.Anchor]; l != nil {
			o.Attrs[p.within].Value = l
		}
	}
	return nil
}
