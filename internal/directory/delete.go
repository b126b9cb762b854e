package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// Retention is how long a soft-deleted object can be restored (engine.R83).
const Retention = 30 * 24 * time.Hour

// tombstones is how long the feed remembers objects that are gone for good. A reader that comes back later reads
// everything, and finds them missing.
const tombstones = 90 * 24 * time.Hour

// DeleteUser puts a live user into the recycle bin: ErrNotFound when there is none. Memberships and assignments are
// kept but do not show; the userPrincipalName stays taken until the user is purged.
func (d *Directory) DeleteUser(ctx context.Context, id string) error {
	return d.write(ctx, func(t *Tx) error { return t.Delete(identity.User, id) })
}

// DeleteGroup puts a live group into the recycle bin. What it entitled its members to, they lose.
func (d *Directory) DeleteGroup(ctx context.Context, id string) error {
	return d.write(ctx, func(t *Tx) error { return t.Delete(identity.Group, id) })
}

// RestoreUser takes a user out of the recycle bin as it was; ErrNotFound when it is not there.
func (d *Directory) RestoreUser(ctx context.Context, id string) error {
	return d.write(ctx, func(t *Tx) error { return t.Restore(identity.User, id) })
}

// RestoreGroup takes a group out of the recycle bin.
func (d *Directory) RestoreGroup(ctx context.Context, id string) error {
	return d.write(ctx, func(t *Tx) error { return t.Restore(identity.Group, id) })
}

// PurgeUser removes a user for good, live or soft-deleted: with memberships, assignments, and as anybody's manager.
func (d *Directory) PurgeUser(ctx context.Context, id string) error {
	return d.write(ctx, func(t *Tx) error { return t.Purge(identity.User, id) })
}

// PurgeGroup removes a group for good.
func (d *Directory) PurgeGroup(ctx context.Context, id string) error {
	return d.write(ctx, func(t *Tx) error { return t.Purge(identity.Group, id) })
}

// Purge removes for good all that was soft-deleted at least [Retention] before now, and returns how many objects
// that were. It may be called again after an error.
func (d *Directory) Purge(ctx context.Context, now time.Time) (int, error) {
	if err := d.forget(ctx, now); err != nil {
		return 0, fmt.Errorf("directory: purge: %w", err)
	}
	purged := 0
	for {
		due, err := refs(ctx, d.db.Read(), `SELECT kind, id FROM dir_object WHERE deleted > 0 AND deleted <= $1 ORDER BY deleted, id LIMIT 500`,
			database.Micros(now.Add(-Retention)))
		if err != nil {
			return purged, fmt.Errorf("directory: purge: %w", err)
		}
		if len(due) == 0 {
			return purged, nil
		}
		err = d.Batch(ctx, func(t *Tx) error {
			for _, r := range due {
				if err := t.Purge(r.Kind, r.Anchor); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return purged, err
		}
		purged += len(due)
	}
}

// forget drops old tombstones and notes that positions before them are no longer good.
func (d *Directory) forget(ctx context.Context, now time.Time) error {
	const oldest = `SELECT seq FROM dir_tombstone WHERE at <= $1 ORDER BY seq DESC LIMIT 1`
	cut := database.Micros(now.Add(-tombstones))
	var last int64
	err := d.db.Read().QueryRowContext(ctx, oldest, cut).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // and no transaction, which would wake those who wait for the feed to move on
	}
	if err != nil {
		return err
	}
	return d.write(ctx, func(t *Tx) error {
		if _, err := t.exec(`DELETE FROM dir_tombstone WHERE seq <= $1`, last); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE dir_counter SET horizon = $1 WHERE id = 1 AND horizon < $1`, last)
		return err
	})
}

// Delete puts a live object into the recycle bin; see Directory.DeleteUser and Directory.DeleteGroup.
func (t *Tx) Delete(kind identity.Kind, id string) error {
	return t.hide("delete", kind, id, false)
}

// Restore takes an object out of the recycle bin; see Directory.RestoreUser.
func (t *Tx) Restore(kind identity.Kind, id string) error {
	return t.hide("restore", kind, id, true)
}

func (t *Tx) hide(verb string, kind identity.Kind, id string, hidden bool) (err error) {
	defer t.guard(t.wrote, &err)
	op := verb + " " + noun(kind) + " " + id
	c, err := t.dir.catalogue(op, kind)
	if err != nil {
		return err
	}
	o, err := t.load(c, op, id)
	if err != nil {
		return err
	}
	if hidden != (o.deleted != 0) {
		return notFound(op, kind, id)
	}
	var deleted int64
	if !hidden {
		deleted = t.now
	}
	steps := []struct {
		query string
		args  []any
	}{
		{`UPDATE dir_object SET seq = $1, deleted = $2 WHERE kind = $3 AND id = $4`, []any{t.seq, deleted, kind, id}},
		{`UPDATE dir_member SET hidden = $1 WHERE member_id = $2`, []any{database.Flag(!hidden), id}},
		{moveGroupsOf, []any{t.seq, id}},
	}
	for _, s := range steps {
		if _, err := t.exec(s.query, s.args...); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	switch {
	case kind == identity.Group:
		err = t.moveEntitled(id)
	case hidden: // back: rules may have changed meanwhile
		err = t.place(c, o)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// moveGroupsOf moves on the groups whose list of members shows somebody, or does so no longer, and the groups that those
// are in, whose members at any depth they are.
const moveGroupsOf = `UPDATE dir_object SET seq = $1 WHERE kind = 'Group' AND id IN (
	WITH RECURSIVE up (id) AS (
		SELECT group_id FROM dir_member WHERE member_id = $2
		UNION SELECT m.group_id FROM up JOIN dir_member m ON m.member_id = up.id)
	SELECT id FROM up)`

// dropManager takes a manager from all reports, the next reads them. The second condition says nothing new; the partial
// index is not used without it.
const (
	dropManager = `UPDATE dir_object SET seq = $2, manager = '' WHERE manager = $1 AND manager <> ''`
	reportsOf   = `SELECT id FROM dir_object WHERE manager = $1 AND manager <> '' AND deleted = 0 ORDER BY id`
)

// Purge removes an object for good; see Directory.PurgeUser. The feed delivers it as gone.
func (t *Tx) Purge(kind identity.Kind, id string) (err error) {
	defer t.guard(t.wrote, &err)
	op := "purge " + noun(kind) + " " + id
	c, err := t.dir.catalogue(op, kind)
	if err != nil {
		return err
	}
	o, err := t.load(c, op, id)
	if err != nil {
		return err
	}
	if kind == identity.Group {
		if err := t.moveEntitled(id); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	if err := t.index(c, id, c.values(o.attrs), nil); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	steps := []struct {
		query string
		args  []any
	}{
		{moveGroupsOf, []any{t.seq, id}},
		{`DELETE FROM dir_member WHERE member_id = $1`, []any{id}},
		{`DELETE FROM dir_member WHERE group_id = $1`, []any{id}},
		{`DELETE FROM dir_group_rule WHERE group_id = $1`, []any{id}},
		{dropManager, []any{id, t.seq}},
		{`DELETE FROM dir_assignment WHERE principal = $1`, []any{id}},
		{`DELETE FROM dir_object WHERE kind = $1 AND id = $2`, []any{kind, id}},
		{`INSERT INTO dir_tombstone (kind, seq, id, at) VALUES ($1, $2, $3, $4)`, []any{kind, t.seq, id, t.now}},
	}
	for _, s := range steps {
		if _, err := t.exec(s.query, s.args...); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	return nil
}
