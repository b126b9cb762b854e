package directory

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// AddMembers makes users and groups members of a group; those who are members already stay so. A member that is not a
// live object of the directory is ErrInvalid, and nobody is added.
func (d *Directory) AddMembers(ctx context.Context, group string, members ...identity.Ref) error {
	return d.write(ctx, func(t *Tx) error { return t.AddMembers(group, members...) })
}

// RemoveMembers takes members out of a group; those who are none are passed over.
func (d *Directory) RemoveMembers(ctx context.Context, group string, members ...identity.Ref) error {
	return d.write(ctx, func(t *Tx) error { return t.RemoveMembers(group, members...) })
}

// SetManager gives a user a manager, by ids; manager "" takes the manager away.
func (d *Directory) SetManager(ctx context.Context, user, manager string) error {
	return d.write(ctx, func(t *Tx) error { return t.SetManager(user, manager) })
}

// AddMembers is Directory.AddMembers.
func (t *Tx) AddMembers(group string, members ...identity.Ref) error {
	return t.changeGroup(group, connector.Add, members)
}

// RemoveMembers is Directory.RemoveMembers.
func (t *Tx) RemoveMembers(group string, members ...identity.Ref) error {
	return t.changeGroup(group, connector.Remove, members)
}

// SetManager is Directory.SetManager.
func (t *Tx) SetManager(user, manager string) error {
	change := connector.Change{Attr: Manager, Op: connector.Clear}
	if manager != "" {
		change = connector.Change{Attr: Manager, Op: connector.Set, New: identity.Ref{Kind: identity.User, Anchor: manager}}
	}
	_, err := t.Change(identity.User, user, []connector.Change{change})
	return err
}

func (t *Tx) changeGroup(group string, op connector.Op, members []identity.Ref) error {
	list := make([]any, len(members))
	for i, m := range members {
		list[i] = m
	}
	_, err := t.Change(identity.Group, group, []connector.Change{{Attr: Members, Op: op, New: list}})
	return err
}

// changeMembers carries out what an update says of members, and tells whether there was anything to do.
func (t *Tx) changeMembers(o *object) (moved bool, err error) {
	if !o.all && len(o.add) == 0 && len(o.remove) == 0 {
		return false, nil
	}
	remove := o.remove
	if o.all {
		now, err := t.texts(`SELECT member_id FROM dir_member WHERE group_id = $1`, o.id)
		if err != nil {
			return false, err
		}
		stay := make(map[string]bool, len(o.add))
		for _, m := range o.add {
			stay[m.Anchor] = true
		}
		remove = slices.DeleteFunc(now, func(id string) bool { return stay[id] })
	}
	added, err := t.newMembers(o.id, o.add)
	if err != nil {
		return false, err
	}
	var removed []identity.Ref
	err = chunks(remove, 2, func(in string, args []any) error {
		gone, err := t.refs(`SELECT member_kind, member_id FROM dir_member WHERE group_id = $1 AND member_id IN `+in, append([]any{o.id}, args...)...)
		if err != nil || len(gone) == 0 {
			return err
		}
		removed = append(removed, gone...)
		_, err = t.exec(`DELETE FROM dir_member WHERE group_id = $1 AND member_id IN `+in, append([]any{o.id}, args...)...)
		return err
	})
	if err != nil {
		return false, err
	}
	if len(added) == 0 && len(removed) == 0 {
		return false, nil
	}
	if err := t.addMembers(o.id, added); err != nil {
		return false, err
	}
	if err := t.moveGroups(o.id); err != nil {
		return false, err
	}
	// Those who came or went have another entitlement if the group is assigned anywhere.
	assigned, err := t.assigned(o.id)
	if err != nil || !assigned {
		return true, err
	}
	var users []string
	for _, m := range slices.Concat(added, removed) {
		if m.Kind == identity.User {
			users = append(users, m.Anchor)
		}
	}
	return true, t.move(identity.User, users...)
}

// newMembers returns those of members who are not in the group yet, each once.
func (t *Tx) newMembers(group string, members []identity.Ref) ([]identity.Ref, error) {
	there := make(map[string]bool, len(members))
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.Anchor
	}
	err := chunks(ids, 2, func(in string, args []any) error {
		have, err := t.texts(`SELECT member_id FROM dir_member WHERE group_id = $1 AND member_id IN `+in, append([]any{group}, args...)...)
		for _, id := range have {
			there[id] = true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []identity.Ref
	for _, m := range members {
		if !there[m.Anchor] {
			there[m.Anchor] = true
			out = append(out, m)
		}
	}
	return out, nil
}

// addMembers writes memberships that do not exist yet.
func (t *Tx) addMembers(group string, members []identity.Ref) error {
	for part := range slices.Chunk(members, chunk) {
		args := make([]any, 0, 4*len(part))
		for _, m := range part {
			args = append(args, group, m.Anchor, m.Kind, 0)
		}
		q := `INSERT INTO dir_member (group_id, member_id, member_kind, hidden) VALUES ` + rowsOf(len(part), 4) + ` ON CONFLICT DO NOTHING`
		if _, err := t.exec(q, args...); err != nil {
			return err
		}
	}
	return nil
}

// refs returns the two columns of a query, kind and id.
func (t *Tx) refs(query string, args ...any) (out []identity.Ref, err error) {
	return refs(t.ctx, t.tx, query, args...)
}

func refs(ctx context.Context, q querier, query string, args ...any) (out []identity.Ref, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r identity.Ref
		if err := rows.Scan(&r.Kind, &r.Anchor); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// Members returns the live members of a group by kind and id; ErrNotFound when there is no such group.
func (d *Directory) Members(ctx context.Context, group string) ([]identity.Ref, error) {
	if _, err := d.byID(ctx, d.groups, group); err != nil {
		return nil, err
	}
	const q = `SELECT member_kind, member_id FROM dir_member WHERE group_id = $1 AND hidden = 0 ORDER BY member_kind, member_id`
	out, err := refs(ctx, d.db.Read(), q, group)
	if err != nil {
		return nil, fmt.Errorf("directory: read members of group %s: %w", group, err)
	}
	return out, nil
}

// GroupsOf returns the ids of the live groups that an object is a direct member of, in order.
func (d *Directory) GroupsOf(ctx context.Context, member string) ([]string, error) {
	const q = `SELECT m.group_id FROM dir_member m JOIN dir_object g ON g.kind = $2 AND g.id = m.group_id AND g.deleted = 0
		WHERE m.member_id = $1 ORDER BY m.group_id`
	out, err := texts(ctx, d.db.Read(), q, member, identity.Group)
	if err != nil {
		return nil, fmt.Errorf("directory: read groups of %s: %w", member, err)
	}
	return out, nil
}
