package directory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// CreateUser adds a person. userPrincipalName and displayName are required (KindInvalid, MandatoryFieldsMissing); a
// userPrincipalName that anybody has who is not purged, in whatever case, is ErrConflict, and the error names the
// holder. manager may be among attrs. accountEnabled is true unless attrs say otherwise.
func (d *Directory) CreateUser(ctx context.Context, attrs identity.Attrs) (Entry, error) {
	return d.one(ctx, func(t *Tx) (Entry, error) { return t.CreateUser(attrs) })
}

// CreateGroup adds a group; displayName is required and need not be unique. members may be among attrs.
func (d *Directory) CreateGroup(ctx context.Context, attrs identity.Attrs) (Entry, error) {
	return d.one(ctx, func(t *Tx) (Entry, error) { return t.CreateGroup(attrs) })
}

// UpdateUser gives a live user the values in attrs; a nil or empty value clears the attribute, others stay as they are.
// Values that are there already are no change and move nothing in the feed.
func (d *Directory) UpdateUser(ctx context.Context, id string, attrs identity.Attrs) (Entry, error) {
	return d.one(ctx, func(t *Tx) (Entry, error) { return t.UpdateUser(id, attrs) })
}

// UpdateGroup is UpdateUser for a group. members among attrs replaces all members.
func (d *Directory) UpdateGroup(ctx context.Context, id string, attrs identity.Attrs) (Entry, error) {
	return d.one(ctx, func(t *Tx) (Entry, error) { return t.UpdateGroup(id, attrs) })
}

// Change makes changes to a live user or group as a connector words them; all of them or none.
func (d *Directory) Change(ctx context.Context, kind identity.Kind, id string, changes []connector.Change) (Entry, error) {
	return d.one(ctx, func(t *Tx) (Entry, error) { return t.Change(kind, id, changes) })
}

func (d *Directory) one(ctx context.Context, f func(*Tx) (Entry, error)) (Entry, error) {
	var e Entry
	err := d.write(ctx, func(t *Tx) (err error) {
		e, err = f(t)
		return err
	})
	if err != nil {
		return Entry{}, err
	}
	return e, nil
}

// CreateUser is Directory.CreateUser.
func (t *Tx) CreateUser(attrs identity.Attrs) (Entry, error) { return t.Create(identity.User, attrs) }

// CreateGroup is Directory.CreateGroup.
func (t *Tx) CreateGroup(attrs identity.Attrs) (Entry, error) { return t.Create(identity.Group, attrs) }

// UpdateUser is Directory.UpdateUser.
func (t *Tx) UpdateUser(id string, attrs identity.Attrs) (Entry, error) {
	return t.Change(identity.User, id, settings(attrs))
}

// UpdateGroup is Directory.UpdateGroup.
func (t *Tx) UpdateGroup(id string, attrs identity.Attrs) (Entry, error) {
	return t.Change(identity.Group, id, settings(attrs))
}

func settings(attrs identity.Attrs) []connector.Change {
	out := make([]connector.Change, len(attrs))
	for i, a := range attrs {
		out[i] = connector.Change{Attr: a.Name, Op: connector.Set, New: a.Value}
	}
	return out
}

// Create adds an object of the kind; see Directory.CreateUser and Directory.CreateGroup.
func (t *Tx) Create(kind identity.Kind, attrs identity.Attrs) (e Entry, err error) {
	defer t.guard(t.wrote, &err)
	op := "create " + noun(kind)
	c, err := t.dir.catalogue(op, kind)
	if err != nil {
		return Entry{}, err
	}
	fresh := &object{row: row{seq: t.seq, created: t.now, changed: t.now, active: true}}
	if err := t.apply(c, op, fresh, settings(attrs)); err != nil {
		return Entry{}, err
	}
	if err := t.complete(c, op, fresh); err != nil {
		return Entry{}, err
	}
	if err := t.referents(op, fresh.manager, fresh.add); err != nil {
		return Entry{}, err
	}
	if fresh.id, err = t.dir.newID(); err != nil {
		return Entry{}, fmt.Errorf("%s: make an id: %w", op, err)
	}
	if err := t.insert(c, fresh); err != nil {
		return Entry{}, fmt.Errorf("%s: %w", op, err)
	}
	return fresh.entry(c, fresh.add)
}

// Change makes changes to a live object; see Directory.Change.
func (t *Tx) Change(kind identity.Kind, id string, changes []connector.Change) (e Entry, err error) {
	defer t.guard(t.wrote, &err)
	op := "update " + noun(kind) + " " + id
	c, err := t.dir.catalogue(op, kind)
	if err != nil {
		return Entry{}, err
	}
	old, err := t.load(c, op, id)
	if err != nil {
		return Entry{}, err
	}
	if old.deleted != 0 {
		return Entry{}, notFound(op, kind, id)
	}
	next := old.clone()
	if err := t.apply(c, op, next, changes); err != nil {
		return Entry{}, err
	}
	if err := t.computed(op, next); err != nil {
		return Entry{}, err
	}
	if err := t.complete(c, op, next); err != nil {
		return Entry{}, err
	}
	newManager := next.manager
	if newManager == old.manager {
		newManager = ""
	}
	if newManager == id {
		return Entry{}, invalid(op, codeUnresolved, "nobody can be their own manager", "")
	}
	if err := t.referents(op, newManager, next.add); err != nil {
		return Entry{}, err
	}
	if slices.ContainsFunc(next.add, func(r identity.Ref) bool { return r.Anchor == id }) {
		return Entry{}, invalid(op, codeUnresolved, "a group cannot be a member of itself", "")
	}
	if err := t.replace(c, old, next); err != nil {
		return Entry{}, fmt.Errorf("%s: %w", op, err)
	}
	return next.entry(c, nil)
}

// object is an object while it is being written.
type object struct {
	row
	attrs  identity.Attrs // without active, manager and members
	add    []identity.Ref // members to add
	remove []string       // ids of members to remove
	all    bool           // add is what the members are afterwards
}

func (o *object) clone() *object {
	next := *o
	next.attrs = slices.Clone(o.attrs)
	return &next
}

// entry is the object as callers see it, with the members given.
func (o *object) entry(c *catalogue, members []identity.Ref) (Entry, error) {
	e, err := o.row.entry(c)
	if err == nil && len(members) > 0 {
		list := make([]any, len(members))
		for i, m := range members {
			list[i] = m
		}
		e.Attrs.Set(Members, list)
	}
	return e, err
}

func (t *Tx) load(c *catalogue, op, id string) (*object, error) {
	if !database.ValidText(id) {
		return nil, notFound(op, c.kind, id)
	}
	o := &object{}
	found, err := t.row([]any{&o.id, &o.seq, &o.active, &o.deleted, &o.created, &o.changed, &o.manager, &o.doc},
		`SELECT `+rowColumns+` FROM dir_object WHERE kind = $1 AND id = $2`, c.kind, id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if !found {
		return nil, notFound(op, c.kind, id)
	}
	if o.attrs, err = c.decode(o.doc); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return o, nil
}

// apply works changes into o, in memory only.
func (t *Tx) apply(c *catalogue, op string, o *object, changes []connector.Change) error {
	names := make([]string, len(changes))
	for i, ch := range changes {
		names[i] = ch.Attr
	}
	if err := c.check(op, names); err != nil {
		return err
	}
	for _, ch := range changes {
		d, _ := c.definition(ch.Attr)
		if d.ReadOnly {
			return invalid(op, codeInvalidSyntax, d.Name+" can only be read", "change "+Members+", or the groups within")
		}
		value := ch.New
		if ch.Op == connector.Clear {
			value = nil
		}
		v, err := c.accept(op, d, value)
		if err != nil {
			return err
		}
		switch {
		case d.Name == Members:
			o.applyMembers(ch.Op, v)
		case ch.Op == connector.Add || ch.Op == connector.Remove:
			if !d.MultiValued {
				return invalid(op, codeSingleValue, d.Name+" takes one value: it is set, not added to", "")
			}
			o.applyList(d, ch.Op, v)
		case d.Name == c.active:
			o.active = v == nil || v.(bool)
		case d.Name == Manager:
			o.manager = ""
			if v != nil {
				o.manager = v.(identity.Ref).Anchor
			}
		default:
			o.attrs.Set(d.Name, v)
		}
	}
	o.doc = c.encode(o.attrs)
	return nil
}

func (o *object) applyMembers(op connector.Op, v any) {
	var refs []identity.Ref
	list, _ := v.([]any)
	for _, e := range list {
		refs = append(refs, e.(identity.Ref))
	}
	switch op {
	case connector.Add:
		o.add = append(o.add, refs...)
	case connector.Remove:
		for _, r := range refs {
			o.remove = append(o.remove, r.Anchor)
		}
	default:
		o.add, o.remove, o.all = refs, nil, true
	}
}

func (o *object) applyList(d definition, op connector.Op, v any) {
	stored, _ := o.attrs.Get(d.Name)
	old, _ := stored.([]any)
	change, _ := v.([]any)
	next := slices.DeleteFunc(slices.Clone(old), func(e any) bool {
		return op == connector.Remove && slices.ContainsFunc(change, func(r any) bool { return identity.Equal(e, r, d.FoldCase) })
	})
	if op == connector.Add {
		for _, e := range change {
			if !slices.ContainsFunc(next, func(n any) bool { return identity.Equal(n, e, d.FoldCase) }) {
				next = append(next, e)
			}
		}
	}
	if len(next) == 0 {
		o.attrs.Set(d.Name, nil)
		return
	}
	o.attrs.Set(d.Name, next)
}

// complete refuses an object that lacks what its kind needs, or claims what another has.
func (t *Tx) complete(c *catalogue, op string, o *object) error {
	var missing []string
	for _, d := range c.order {
		if v, _ := o.attrs.Get(d.Name); d.Required && (v == nil || strings.TrimSpace(v.(string)) == "") {
			missing = append(missing, d.Name)
		}
	}
	if missing != nil {
		return invalid(op, connector.CodeMandatoryMissing, fmt.Sprintf("a %s needs %s", noun(c.kind), strings.Join(missing, " and ")),
			"map a value to it, or give the mapping a default")
	}
	if c.kind != identity.User {
		return nil
	}
	var holder string
	var deleted int64
	found, err := t.row([]any{&holder, &deleted}, `SELECT id, deleted FROM dir_object WHERE upn_key = $1`, c.upnKey(o))
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if !found || holder == o.id {
		return nil
	}
	upn, _ := o.attrs.Get(UserPrincipalName)
	e := &connector.Error{Kind: connector.KindConflict, Op: op, Code: connector.CodeConflict, Err: ErrConflict,
		Detail: fmt.Sprintf("userPrincipalName %q belongs to user %s", upn, holder),
		Hint:   "choose another name, or match on an attribute that finds that user"}
	if deleted != 0 {
		e.Detail += fmt.Sprintf(", deleted on %s", database.Time(deleted).Format(time.DateOnly))
		e.Hint = "restore that user, or delete it for good"
	}
	return e
}

func (c *catalogue) upnKey(o *object) any {
	if c.kind != identity.User {
		return nil
	}
	return c.columnKey(o, UserPrincipalName)
}

func (c *catalogue) columnKey(o *object, attr string) string {
	d, _ := c.definition(attr)
	v, _ := o.attrs.Get(attr)
	s, _ := v.(string)
	return d.key(s)
}

// referents refuses a manager or members that are not live objects of the directory, naming the first few.
func (t *Tx) referents(op, manager string, members []identity.Ref) error {
	wanted := map[identity.Kind][]string{}
	if manager != "" {
		wanted[identity.User] = append(wanted[identity.User], manager)
	}
	for _, m := range members {
		wanted[m.Kind] = append(wanted[m.Kind], m.Anchor)
	}
	var missing []string
	for _, kind := range []identity.Kind{identity.User, identity.Group} {
		live := map[string]bool{}
		err := chunks(wanted[kind], 2, func(in string, args []any) error {
			ids, err := t.texts(`SELECT id FROM dir_object WHERE kind = $1 AND deleted = 0 AND id IN `+in, append([]any{kind}, args...)...)
			for _, id := range ids {
				live[id] = true
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		for _, id := range wanted[kind] {
			if !live[id] && len(missing) < 5 {
				missing = append(missing, noun(kind)+" "+strconv.Quote(id))
			}
		}
	}
	if missing != nil {
		return invalid(op, codeUnresolved, "the directory has no "+strings.Join(missing, ", "), "")
	}
	return nil
}

func (t *Tx) insert(c *catalogue, o *object) error {
	const q = `INSERT INTO dir_object (kind, id, seq, active, deleted, created, changed, upn_key, name_key, manager, doc)
		VALUES ($1, $2, $3, $4, 0, $5, $5, $6, $7, $8, $9)`
	_, err := t.exec(q, c.kind, o.id, t.seq, database.Flag(o.active), t.now, c.upnKey(o), c.columnKey(o, DisplayName), o.manager, o.doc)
	if err != nil {
		return err
	}
	if err := t.index(c, o.id, nil, c.values(o.attrs)); err != nil {
		return err
	}
	if err := t.learn(c, o.attrs); err != nil {
		return err
	}
	if err := t.place(c, o); err != nil {
		return err
	}
	if len(o.add) == 0 {
		return nil
	}
	return t.addMembers(o.id, o.add)
}

// replace writes what differs between old and next, and moves on in the feed whoever it concerns.
func (t *Tx) replace(c *catalogue, old, next *object) error {
	same := string(old.doc) == string(next.doc) && old.active == next.active && old.manager == next.manager
	if !same {
		next.seq, next.changed = t.seq, t.now
		const q = `UPDATE dir_object SET seq = $3, active = $4, changed = $5, upn_key = $6, name_key = $7, manager = $8, doc = $9
			WHERE kind = $1 AND id = $2`
		_, err := t.exec(q, c.kind, next.id, t.seq, database.Flag(next.active), t.now, c.upnKey(next), c.columnKey(next, DisplayName), next.manager, next.doc)
		if err != nil {
			return err
		}
		if err := t.index(c, next.id, c.values(old.attrs), c.values(next.attrs)); err != nil {
			return err
		}
		if err := t.learn(c, next.attrs); err != nil {
			return err
		}
		if err := t.place(c, next); err != nil {
			return err
		}
	}
	if old.active != next.active && c.kind == identity.Group {
		if err := t.moveEntitled(next.id); err != nil {
			return err
		}
	}
	moved, err := t.changeMembers(next)
	if moved {
		next.seq = t.seq
	}
	return err
}

// indexed is one value by which an object is found.
type indexed struct{ attr, key string }

// values returns what the index of values holds of an object.
func (c *catalogue) values(attrs identity.Attrs) []indexed {
	var out []indexed
	add := func(d definition, v any) {
		if s, ok := v.(string); ok {
			if x := (indexed{d.Name, d.key(s)}); !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
	}
	for _, a := range attrs {
		d, ok := c.definition(a.Name)
		if !ok || d.described || d.Name == UserPrincipalName || d.Name == DisplayName { // the last two have columns
			continue
		}
		if l, ok := a.Value.([]any); ok {
			for _, e := range l {
				add(d, e)
			}
			continue
		}
		add(d, a.Value)
	}
	return out
}

// index brings the index of values from what it holds of an object to what it shall hold.
func (t *Tx) index(c *catalogue, id string, old, next []indexed) error {
	for _, x := range old {
		if slices.Contains(next, x) {
			continue
		}
		if _, err := t.exec(`DELETE FROM dir_value WHERE kind = $1 AND attr = $2 AND value = $3 AND id = $4`, c.kind, x.attr, x.key, id); err != nil {
			return err
		}
	}
	fresh := slices.DeleteFunc(slices.Clone(next), func(x indexed) bool { return slices.Contains(old, x) })
	for part := range slices.Chunk(fresh, chunk) {
		args := make([]any, 0, 4*len(part))
		for _, x := range part {
			args = append(args, c.kind, x.attr, x.key, id)
		}
		if _, err := t.exec(`INSERT INTO dir_value (kind, attr, value, id) VALUES `+rowsOf(len(part), 4), args...); err != nil {
			return err
		}
	}
	return nil
}

// learn notes own extensions that have a value for the first time.
func (t *Tx) learn(c *catalogue, attrs identity.Attrs) error {
	for _, a := range attrs {
		x := extension{c.kind, a.Name}
		if a.Value == nil || !isExtension(a.Name) || t.known[x] {
			continue
		}
		if _, err := t.exec(`INSERT INTO dir_extension (kind, name) VALUES ($1, $2) ON CONFLICT DO NOTHING`, c.kind, a.Name); err != nil {
			return err
		}
		if t.known == nil {
			t.known = map[extension]bool{}
		}
		t.known[x] = true
	}
	return nil
}

// move gives objects the transaction's number, so that the feed delivers them.
func (t *Tx) move(kind identity.Kind, ids ...string) error {
	return chunks(ids, 3, func(in string, args []any) error {
		_, err := t.exec(`UPDATE dir_object SET seq = $1 WHERE kind = $2 AND id IN `+in, append([]any{t.seq, kind}, args...)...)
		return err
	})
}
