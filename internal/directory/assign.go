package directory

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// Role is an app role that assignments of an application may grant (Graph: appRole).
type Role struct {
	identity.Role
	Description string
	Enabled     bool // a role that is not enabled cannot be newly assigned
}

// Assignment assigns a user or a group to an application (Graph: appRoleAssignment).
type Assignment struct {
	ID        string // GUID
	App       string
	Principal identity.Ref
	Role      string // id of the app role, "" for default access (engine.R35)
	Created   time.Time
}

// SetRoles makes roles the app roles of an application. A role that is no longer among them goes, and with it the
// assignments that grant it.
func (d *Directory) SetRoles(ctx context.Context, app string, roles []Role) error {
	return d.write(ctx, func(t *Tx) error { return t.SetRoles(app, roles) })
}

// Roles returns the app roles of an application by value and id.
func (d *Directory) Roles(ctx context.Context, app string) ([]Role, error) {
	out, err := readRoles(ctx, d.db.Read(), app)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	return out, nil
}

func readRoles(ctx context.Context, q querier, app string) (out []Role, err error) {
	rows, err := q.QueryContext(ctx, `SELECT id, value, display_name, description, enabled FROM dir_role WHERE app = $1 ORDER BY value, id`, app)
	if err != nil {
		return nil, fmt.Errorf("read app roles of %s: %w", app, err)
	}
	defer rows.Close()
	for rows.Next() {
		var r Role
		var enabled int
		if err := rows.Scan(&r.ID, &r.Value, &r.DisplayName, &r.Description, &enabled); err != nil {
			return nil, fmt.Errorf("read app roles of %s: %w", app, err)
		}
		r.Enabled = enabled == 1
		out = append(out, r)
	}
	return out, rows.Err()
}

// SetRoles is Directory.SetRoles.
func (t *Tx) SetRoles(app string, roles []Role) (err error) {
	defer t.guard(t.wrote, &err)
	op := "set app roles of " + app
	seen := map[string]bool{}
	for _, r := range roles {
		if r.ID == "" || seen[r.ID] {
			return invalid(op, connector.CodeUnprocessable, "every app role needs an id of its own", "")
		}
		seen[r.ID] = true
	}
	old, err := readRoles(t.ctx, t.tx, app)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	for _, was := range old {
		i := slices.IndexFunc(roles, func(r Role) bool { return r.ID == was.ID })
		if i >= 0 && roles[i].Role == was.Role {
			continue // whoever has it sees no difference
		}
		holders, err := t.refs(`SELECT principal_kind, principal FROM dir_assignment WHERE app = $1 AND role = $2`, app, was.ID)
		if err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		for _, p := range holders {
			if err := t.movePrincipal(p); err != nil {
				return fmt.Errorf("%s: %w", op, err)
			}
		}
		if i < 0 {
			if _, err := t.exec(`DELETE FROM dir_assignment WHERE app = $1 AND role = $2`, app, was.ID); err != nil {
				return fmt.Errorf("%s: %w", op, err)
			}
		}
	}
	if _, err := t.exec(`DELETE FROM dir_role WHERE app = $1`, app); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	for _, r := range roles {
		const q = `INSERT INTO dir_role (app, id, value, display_name, description, enabled) VALUES ($1, $2, $3, $4, $5, $6)`
		if _, err := t.exec(q, app, r.ID, r.Value, r.DisplayName, r.Description, database.Flag(r.Enabled)); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	return nil
}

// Assign assigns a live user or group to an application. role is the id, the value or the display name of one of its
// app roles, "" for default access. An assignment that exists already is returned as it is, and created is false.
func (d *Directory) Assign(ctx context.Context, app string, principal identity.Ref, role string) (a Assignment, created bool, err error) {
	err = d.write(ctx, func(t *Tx) (err error) {
		a, created, err = t.Assign(app, principal, role)
		return err
	})
	return a, created, err
}

// Assign is Directory.Assign.
func (t *Tx) Assign(app string, principal identity.Ref, role string) (a Assignment, created bool, err error) {
	defer t.guard(t.wrote, &err)
	op := "assign " + noun(principal.Kind) + " " + principal.Anchor
	c, err := t.dir.catalogue(op, principal.Kind)
	if err != nil {
		return Assignment{}, false, err
	}
	if role, err = t.roleID(op, app, role); err != nil {
		return Assignment{}, false, err
	}
	who, err := t.load(c, op, principal.Anchor)
	if err != nil {
		return Assignment{}, false, err
	}
	if who.deleted != 0 {
		return Assignment{}, false, notFound(op, principal.Kind, principal.Anchor)
	}
	a = Assignment{App: app, Principal: principal, Role: role}
	var at int64
	found, err := t.row([]any{&a.ID, &at}, `SELECT id, created FROM dir_assignment WHERE app = $1 AND principal = $2 AND role = $3`,
		app, principal.Anchor, role)
	if err != nil {
		return Assignment{}, false, fmt.Errorf("%s: %w", op, err)
	}
	if found {
		a.Created = database.Time(at)
		return a, false, nil
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return Assignment{}, false, fmt.Errorf("%s: make an id: %w", op, err)
	}
	a.ID, a.Created = id.String(), database.Time(t.now)
	const q = `INSERT INTO dir_assignment (id, app, principal_kind, principal, role, created) VALUES ($1, $2, $3, $4, $5, $6)`
	if _, err := t.exec(q, a.ID, app, principal.Kind, principal.Anchor, role, t.now); err != nil {
		return Assignment{}, false, fmt.Errorf("%s: %w", op, err)
	}
	if err := t.movePrincipal(principal); err != nil {
		return Assignment{}, false, fmt.Errorf("%s: %w", op, err)
	}
	return a, true, nil
}

// roleID finds the app role that is meant.
func (t *Tx) roleID(op, app, role string) (string, error) {
	if role == "" || role == uuid.Nil.String() {
		return "", nil // Graph writes default access as the GUID of zeros
	}
	roles, err := readRoles(t.ctx, t.tx, app)
	if err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	for _, field := range []func(Role) string{
		func(r Role) string { return r.ID },
		func(r Role) string { return r.Value },
		func(r Role) string { return r.DisplayName },
	} {
		for _, r := range roles {
			if field(r) != role {
				continue
			}
			if !r.Enabled {
				return "", invalid(op, connector.CodeUnprocessable, fmt.Sprintf("the app role %q is not enabled", role), "enable it, or assign another")
			}
			return r.ID, nil
		}
	}
	return "", invalid(op, connector.CodeUnprocessable, fmt.Sprintf("the application has no app role %q", role),
		"define the role first, or assign without a role")
}

// Unassign removes an assignment by its id; ErrNotFound when there is none.
func (d *Directory) Unassign(ctx context.Context, id string) error {
	return d.write(ctx, func(t *Tx) error { return t.Unassign(id) })
}

// Unassign is Directory.Unassign.
func (t *Tx) Unassign(id string) (err error) {
	defer t.guard(t.wrote, &err)
	op := "unassign " + id
	var p identity.Ref
	found, err := t.row([]any{&p.Kind, &p.Anchor}, `SELECT principal_kind, principal FROM dir_assignment WHERE id = $1`, id)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if !found {
		return &connector.Error{Kind: connector.KindNotFound, Op: op, Code: connector.CodeInvalidAnchor, Err: ErrNotFound,
			Detail: fmt.Sprintf("the directory has no assignment %q", id)}
	}
	if _, err := t.exec(`DELETE FROM dir_assignment WHERE id = $1`, id); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := t.movePrincipal(p); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// DropApp removes all assignments and app roles of an application, for when it is deleted.
func (d *Directory) DropApp(ctx context.Context, app string) error {
	return d.write(ctx, func(t *Tx) error {
		for _, q := range []string{`DELETE FROM dir_assignment WHERE app = $1`, `DELETE FROM dir_role WHERE app = $1`} {
			if _, err := t.exec(q, app); err != nil {
				return fmt.Errorf("drop assignments of %s: %w", app, err)
			}
		}
		return nil
	})
}

// Assignments returns the assignments of an application in the order in which they were made.
func (d *Directory) Assignments(ctx context.Context, app string) ([]Assignment, error) {
	return d.assignments(ctx, `app = $1`, app)
}

// AssignmentsOf returns the direct assignments of a user or a group, of all applications.
func (d *Directory) AssignmentsOf(ctx context.Context, principal string) ([]Assignment, error) {
	return d.assignments(ctx, `principal = $1`, principal)
}

func (d *Directory) assignments(ctx context.Context, where, arg string) (out []Assignment, err error) {
	rows, err := d.db.Read().QueryContext(ctx,
		`SELECT id, app, principal_kind, principal, role, created FROM dir_assignment WHERE `+where+` ORDER BY created, id`, arg)
	if err != nil {
		return nil, fmt.Errorf("directory: read assignments: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var a Assignment
		var at int64
		if err := rows.Scan(&a.ID, &a.App, &a.Principal.Kind, &a.Principal.Anchor, &a.Role, &at); err != nil {
			return nil, fmt.Errorf("directory: read assignments: %w", err)
		}
		a.Created = database.Time(at)
		out = append(out, a)
	}
	return out, rows.Err()
}

// Entitlement says whether an object is assigned to an application, and with which roles: a group directly, a user
// directly or as a direct member of an assigned group that is live and security-enabled (engine.R29, R30). An object
// that is not there is not assigned.
func (d *Directory) Entitlement(ctx context.Context, app string, who identity.Ref) (identity.Assignment, error) {
	all, err := d.Entitlements(ctx, app, who.Kind, []string{who.Anchor})
	return all[who.Anchor], err
}

// Entitlements is Entitlement for many objects of a kind, by id. Every id has an entry.
func (d *Directory) Entitlements(ctx context.Context, app string, kind identity.Kind, ids []string) (map[string]identity.Assignment, error) {
	e, err := d.entitler(ctx, app, kind)
	if err != nil {
		return nil, err
	}
	out := make(map[string]identity.Assignment, len(ids))
	for part := range slices.Chunk(ids, chunk) {
		found, err := e.of(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, id := range part {
			if a := found[id]; a != nil {
				out[id] = *a
			} else {
				out[id] = identity.Assignment{}
			}
		}
	}
	return out, nil
}

// entitler answers who is entitled to one application, with its roles read once.
type entitler struct {
	db    *sql.DB
	app   string
	kind  identity.Kind
	roles map[string]identity.Role
	any   bool // anybody is assigned at all
}

func (d *Directory) entitler(ctx context.Context, app string, kind identity.Kind) (*entitler, error) {
	e := &entitler{db: d.db.Read(), app: app, kind: kind, roles: map[string]identity.Role{}}
	roles, err := readRoles(ctx, e.db, app)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	for _, r := range roles {
		e.roles[r.ID] = r.Role
	}
	some, err := texts(ctx, e.db, `SELECT id FROM dir_assignment WHERE app = $1 LIMIT 1`, app)
	if err != nil {
		return nil, fmt.Errorf("directory: read assignments: %w", err)
	}
	e.any = len(some) > 0
	return e, nil
}

const (
	directly = `SELECT principal, role FROM dir_assignment WHERE app = $1 AND principal_kind = $2 AND principal `
	// CROSS JOIN keeps SQLite from choosing another order: few groups are assigned, so a range of members is read
	// group by group, while single members are asked for their groups.
	rangeInGroups = `SELECT m.member_id, a.role FROM dir_assignment a
		CROSS JOIN dir_object g CROSS JOIN dir_member m
		WHERE a.app = $1 AND a.principal_kind = 'Group' AND g.kind = 'Group' AND g.id = a.principal AND g.active = 1 AND g.deleted = 0
		AND m.group_id = a.principal AND m.member_id BETWEEN $2 AND $3`
	singleInGroups = `SELECT m.member_id, a.role FROM dir_member m
		CROSS JOIN dir_assignment a CROSS JOIN dir_object g
		WHERE a.app = $1 AND a.principal_kind = 'Group' AND a.principal = m.group_id
		AND g.kind = 'Group' AND g.id = m.group_id AND g.active = 1 AND g.deleted = 0 AND m.member_id IN `
)

// of returns the entitlements of some objects; those who have none are missing.
func (e *entitler) of(ctx context.Context, ids []string) (map[string]*identity.Assignment, error) {
	if !e.any || len(ids) == 0 {
		return nil, nil
	}
	f := found{roles: e.roles}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	err := f.read(ctx, e.db, directly+`IN `+placeholders(3, len(ids)), append([]any{e.app, e.kind}, args...)...)
	if err == nil && e.kind == identity.User {
		err = f.read(ctx, e.db, singleInGroups+placeholders(2, len(ids)), append([]any{e.app}, args...)...)
	}
	return f.sorted(), err
}

// between is of for all objects with ids from first to last.
func (e *entitler) between(ctx context.Context, first, last string) (map[string]*identity.Assignment, error) {
	if !e.any {
		return nil, nil
	}
	f := found{roles: e.roles}
	err := f.read(ctx, e.db, directly+`BETWEEN $3 AND $4`, e.app, e.kind, first, last)
	if err == nil && e.kind == identity.User {
		err = f.read(ctx, e.db, rangeInGroups, e.app, first, last)
	}
	return f.sorted(), err
}

// found collects entitlements by object.
type found struct {
	roles map[string]identity.Role
	by    map[string]*identity.Assignment
}

func (f *found) read(ctx context.Context, db *sql.DB, query string, args ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("directory: read entitlements: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, role string
		if err := rows.Scan(&id, &role); err != nil {
			return fmt.Errorf("directory: read entitlements: %w", err)
		}
		if f.by == nil {
			f.by = map[string]*identity.Assignment{}
		}
		a := f.by[id]
		if a == nil {
			a = &identity.Assignment{Assigned: true}
			f.by[id] = a
		}
		// Default access is no role of the application: being assigned is all it says.
		if r, ok := f.roles[role]; ok && !slices.Contains(a.Roles, r) {
			a.Roles = append(a.Roles, r)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("directory: read entitlements: %w", err)
	}
	return nil
}

// sorted returns what was found, with roles in an order that does not depend on the database.
func (f *found) sorted() map[string]*identity.Assignment {
	for _, a := range f.by {
		slices.SortFunc(a.Roles, func(x, y identity.Role) int {
			return cmp.Or(cmp.Compare(x.Value, y.Value), cmp.Compare(x.ID, y.ID))
		})
	}
	return f.by
}

// assigned tells whether an object is assigned to any application.
func (t *Tx) assigned(principal string) (bool, error) {
	var id string
	return t.row([]any{&id}, `SELECT id FROM dir_assignment WHERE principal = $1 LIMIT 1`, principal)
}

// movePrincipal moves on an assigned object, and with a group its direct user members.
func (t *Tx) movePrincipal(p identity.Ref) error {
	if err := t.move(p.Kind, p.Anchor); err != nil {
		return err
	}
	if p.Kind != identity.Group {
		return nil
	}
	return t.moveUsersOf(p.Anchor)
}

// moveEntitled moves on the direct user members of a group that has, had, or would have had assignments.
func (t *Tx) moveEntitled(group string) error {
	assigned, err := t.assigned(group)
	if err != nil || !assigned {
		return err
	}
	return t.moveUsersOf(group)
}

func (t *Tx) moveUsersOf(group string) error {
	_, err := t.exec(`UPDATE dir_object SET seq = $1 WHERE kind = 'User' AND id IN
		(SELECT member_id FROM dir_member WHERE group_id = $2 AND member_kind = 'User')`, t.seq, group)
	return err
}
