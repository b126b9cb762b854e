package directory

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// User returns the user with this id, userPrincipalName or display name, in this order; names without regard to case.
// By id or userPrincipalName a soft-deleted user is found too. ErrNotFound when there is none, ErrAmbiguous when
// several live users have the display name.
func (d *Directory) User(ctx context.Context, key string) (Entry, error) {
	e, err := d.byID(ctx, d.users, key)
	if !isNotFound(err) {
		return e, err
	}
	upn, _ := d.users.definition(UserPrincipalName)
	hits, err := d.entries(ctx, d.users, `upn_key = $2`, 1, upn.key(key))
	if err != nil {
		return Entry{}, err
	}
	if len(hits) == 1 {
		return hits[0], nil
	}
	return d.byName(ctx, d.users, key)
}

// Group returns the group with this id or display name; by id a soft-deleted one too. Errors are as for User.
func (d *Directory) Group(ctx context.Context, key string) (Entry, error) {
	e, err := d.byID(ctx, d.groups, key)
	if !isNotFound(err) {
		return e, err
	}
	return d.byName(ctx, d.groups, key)
}

func (d *Directory) byID(ctx context.Context, c *catalogue, id string) (Entry, error) {
	hits, err := d.entries(ctx, c, `id = $2`, 1, id)
	if err != nil {
		return Entry{}, err
	}
	if len(hits) == 0 {
		return Entry{}, notFound("read "+noun(c.kind), c.kind, id)
	}
	return hits[0], nil
}

func (d *Directory) byName(ctx context.Context, c *catalogue, name string) (Entry, error) {
	op := "read " + noun(c.kind)
	def, _ := c.definition(DisplayName)
	hits, err := d.entries(ctx, c, `name_key = $2 AND deleted = 0`, 2, def.key(name))
	if err != nil {
		return Entry{}, err
	}
	switch len(hits) {
	case 0:
		return Entry{}, notFound(op, c.kind, name)
	case 1:
		return hits[0], nil
	}
	return Entry{}, &connector.Error{Kind: connector.KindInvalid, Op: op, Code: codeDuplicateTarget, Err: ErrAmbiguous,
		Detail: fmt.Sprintf("more than one %s is called %q", noun(c.kind), name), Hint: "use the id"}
}

// entries reads whole objects; where speaks of one more value, $2.
func (d *Directory) entries(ctx context.Context, c *catalogue, where string, limit int, value string) ([]Entry, error) {
	if !database.ValidText(value) {
		return nil, nil // nothing is kept under it, and PostgreSQL refuses the question
	}
	var out []Entry
	err := d.rows(ctx, func(r *row) error {
		e, err := r.entry(c)
		out = append(out, e)
		return err
	}, `SELECT `+rowColumns+` FROM dir_object WHERE kind = $1 AND `+where+` ORDER BY id LIMIT $3`, c.kind, value, limit)
	return out, err
}

// rows calls f for each row of a query for rowColumns. The row is good until f returns.
func (d *Directory) rows(ctx context.Context, f func(*row) error, query string, args ...any) error {
	rows, err := d.db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("directory: read: %w", err)
	}
	defer rows.Close()
	var r row
	dest := []any{&r.id, &r.seq, &r.active, &r.deleted, &r.created, &r.changed, &r.manager, &r.raw}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return fmt.Errorf("directory: read: %w", err)
		}
		r.doc = r.raw
		if err := f(&r); err != nil {
			return fmt.Errorf("directory: read: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("directory: read: %w", err)
	}
	return nil
}

// Query chooses objects for a list. Zero fields do not choose.
type Query struct {
	Search  string // contained in the display name or userPrincipalName, or equal to employeeId, mail or mailNickname; without regard to case
	Deleted bool   // soft-deleted objects instead of live ones
	After   string // Next of the page before
	Limit   int    // objects on a page; 0 means 100, at most 1000
}

// List is one page of a list.
type List struct {
	Entries []Entry
	Next    string // "" on the last page
}

// Users lists users by display name without regard to case, and by id where names are the same. ErrPosition when
// q.After did not come from a list.
func (d *Directory) Users(ctx context.Context, q Query) (List, error) { return d.list(ctx, d.users, q) }

// Groups lists groups as Users does users.
func (d *Directory) Groups(ctx context.Context, q Query) (List, error) {
	return d.list(ctx, d.groups, q)
}

func (d *Directory) list(ctx context.Context, c *catalogue, q Query) (List, error) {
	limit := min(max(q.Limit, 0), 1000)
	if limit == 0 {
		limit = 100
	}
	name, id, err := parseCursor(q.After)
	if err != nil {
		return List{}, err
	}
	where := `kind = $1 AND (name_key, id) > ($2, $3)`
	args := []any{c.kind, name, id, limit + 1}
	if q.Deleted {
		where += ` AND deleted > 0`
	} else {
		where += ` AND deleted = 0`
	}
	if q.Search != "" && !database.ValidText(q.Search) {
		return List{}, nil
	}
	if q.Search != "" {
		folded := identity.Fold(q.Search)
		where += ` AND (name_key LIKE $5 ESCAPE '\' OR upn_key LIKE $5 ESCAPE '\' OR id IN (SELECT id FROM dir_value
			WHERE kind = $1 AND (attr IN ('mail', 'mailNickname') AND value = $6 OR attr = 'employeeId' AND value = $7)))`
		args = append(args, "%"+likeEscape.Replace(folded)+"%", folded, q.Search)
	}
	var out List
	var last string
	err = d.rows(ctx, func(r *row) error {
		if len(out.Entries) == limit {
			out.Next = last
			return nil
		}
		e, err := r.entry(c)
		out.Entries = append(out.Entries, e)
		def, _ := c.definition(DisplayName)
		last = cursor(def.key(e.Text(DisplayName)), e.Anchor)
		return err
	}, `SELECT `+rowColumns+` FROM dir_object WHERE `+where+` ORDER BY name_key, id LIMIT $4`, args...)
	return out, err
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func cursor(name, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(name + "\x00" + id))
}

func parseCursor(s string) (name, id string, err error) {
	if s == "" {
		return "", "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	name, id, ok := strings.Cut(string(b), "\x00")
	if err != nil || !ok || !database.ValidText(name) || !database.ValidText(id) {
		return "", "", &connector.Error{Kind: connector.KindInvalid, Op: "list", Err: ErrPosition,
			Detail: "the page token is not one that a list gave", Hint: "list from the beginning"}
	}
	return name, id, nil
}

// Count returns how many live and soft-deleted objects of a kind there are.
func (d *Directory) Count(ctx context.Context, kind identity.Kind) (live, deleted int64, err error) {
	const q = `SELECT COUNT(*), COALESCE(SUM(CASE WHEN deleted > 0 THEN 1 ELSE 0 END), 0) FROM dir_object WHERE kind = $1`
	var all int64
	if err := d.db.Read().QueryRowContext(ctx, q, kind).Scan(&all, &deleted); err != nil {
		return 0, 0, fmt.Errorf("directory: count: %w", err)
	}
	return all - deleted, deleted, nil
}

// Find returns at most limit live objects of the kind whose attribute equals value under the attribute's case rule;
// in a list one equal value is enough. "objectId" is the id. An attribute that only describes people (a department, a
// city) has no index and is looked for in all of them.
func (d *Directory) Find(ctx context.Context, kind identity.Kind, attr, value string, limit int) ([]Entry, error) {
	op := "find " + noun(kind) + " by " + attr
	c, err := d.catalogue(op, kind)
	if err != nil {
		return nil, err
	}
	if limit <= 0 || value == "" {
		return nil, nil
	}
	if attr == ObjectID {
		return d.entries(ctx, c, `id = $2 AND deleted = 0`, 1, value)
	}
	if err := c.check(op, []string{attr}); err != nil {
		return nil, err
	}
	def, _ := c.definition(attr)
	switch {
	case attr == UserPrincipalName:
		return d.entries(ctx, c, `upn_key = $2 AND deleted = 0`, limit, def.key(value))
	case attr == DisplayName:
		return d.entries(ctx, c, `name_key = $2 AND deleted = 0`, limit, def.key(value))
	case attr == Manager:
		return d.entries(ctx, c, `manager = $2 AND manager <> '' AND deleted = 0`, limit, value)
	case attr == Members, attr == TransitiveMembers:
		return nil, invalid(op, codeUnknownAttr, "groups cannot be looked up by their members", "match on an attribute with a single value")
	case !def.described:
		return d.entries(ctx, c, `deleted = 0 AND id IN (SELECT id FROM dir_value WHERE kind = $1 AND attr = '`+attr+`' AND value = $2)`, limit, def.key(value))
	}
	return d.findByReading(ctx, c, def, value, limit)
}

// Reserved tells whether an object in the recycle bin has a value that no other may take: a userPrincipalName.
func (d *Directory) Reserved(ctx context.Context, kind identity.Kind, attr, value string) (bool, error) {
	c, err := d.catalogue("look into the recycle bin", kind)
	if err != nil || attr != UserPrincipalName || kind != identity.User {
		return false, err
	}
	def, _ := c.definition(attr)
	found, err := d.entries(ctx, c, `upn_key = $2 AND deleted <> 0`, 1, def.key(value))
	return len(found) > 0, err
}

// ObjectID is the name under which the id of an object can be looked up (engine: exists for every source).
const ObjectID = "objectId"

func (d *Directory) findByReading(ctx context.Context, c *catalogue, def definition, value string, limit int) ([]Entry, error) {
	var out []Entry
	after := ""
	for len(out) < limit {
		n := 0
		err := d.rows(ctx, func(r *row) error {
			n++
			after = r.id
			e, err := r.entry(c)
			if err != nil {
				return err
			}
			if v, ok := e.Get(def.Name); ok && len(out) < limit && def.matches(v, value) {
				out = append(out, e)
			}
			return nil
		}, `SELECT `+rowColumns+` FROM dir_object WHERE kind = $1 AND id > $2 AND deleted = 0 ORDER BY id LIMIT $3`, c.kind, after, pageSize)
		if err != nil || n < pageSize {
			return out, err
		}
	}
	return out, nil
}

// Reports returns the ids of the live users whose manager a user is.
func (d *Directory) Reports(ctx context.Context, manager string) ([]string, error) {
	out, err := texts(ctx, d.db.Read(), reportsOf, manager)
	if err != nil {
		return nil, fmt.Errorf("directory: read reports of %s: %w", manager, err)
	}
	return out, nil
}

func isNotFound(err error) bool { return connector.KindOf(err) == connector.KindNotFound }

func position(seq int64) string { return strconv.FormatInt(seq, 10) }
