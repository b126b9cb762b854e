package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"iter"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

var projectionsByAnchor = database.NewBulk(`
SELECT anchor, name, doc FROM job_projections
WHERE job = (SELECT num FROM jobs WHERE id = ?) AND rule = ? AND anchor IN ({?})`)

// Projections returns those that are known, by anchor.
func (s *Store) Projections(ctx context.Context, jobID, rule string, anchors []string) (map[string]store.Projection, error) {
	found := make(map[string]store.Projection, len(anchors))
	err := s.byKeys(ctx, projectionsByAnchor, []any{jobID, rule}, anchors, func(rows *sql.Rows) error {
		p := store.Projection{ObjectKey: store.ObjectKey{Rule: rule}}
		err := rows.Scan(&p.Anchor, &p.Name, &p.Doc)
		found[p.Anchor] = p
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("projections of rule %s of job %s: %w", rule, jobID, err)
	}
	return found, nil
}

// Members returns the members written for an owner, in the order of kind and anchor.
func (s *Store) Members(ctx context.Context, jobID string, owner store.ObjectKey, attr string) ([]store.Member, error) {
	const text = `
SELECT kind, ref, target FROM job_members
WHERE job = (SELECT num FROM jobs WHERE id = $1) AND rule = $2 AND anchor = $3 AND attr = $4 ORDER BY kind, ref`
	var members []store.Member
	err := database.Query(ctx, s.db.Read(), text, []any{jobID, owner.Rule, owner.Anchor, attr}, func(rows *sql.Rows) error {
		m := store.Member{Owner: owner, Attr: attr}
		err := rows.Scan(&m.Ref.Kind, &m.Ref.Anchor, &m.Target)
		members = append(members, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("members of %s of job %s: %w", owner.Anchor, jobID, err)
	}
	return members, nil
}

// MembersOf returns the owners that an object was written to as a member. It goes through all members of the job, which
// only happens when a person asks.
func (s *Store) MembersOf(ctx context.Context, jobID string, ref identity.Ref) ([]store.ObjectKey, error) {
	const text = `
SELECT DISTINCT rule, anchor FROM job_members
WHERE job = (SELECT num FROM jobs WHERE id = $1) AND kind = $2 AND ref = $3 ORDER BY rule, anchor`
	var owners []store.ObjectKey
	err := database.Query(ctx, s.db.Read(), text, []any{jobID, string(ref.Kind), ref.Anchor}, func(rows *sql.Rows) error {
		var k store.ObjectKey
		err := rows.Scan(&k.Rule, &k.Anchor)
		owners = append(owners, k)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("owners of the member %s of job %s: %w", ref.Anchor, jobID, err)
	}
	return owners, nil
}

var memberships = database.NewBulk(`
SELECT rule, anchor, attr, kind, ref, target FROM job_members
WHERE job = (SELECT num FROM jobs WHERE id = ?) AND (kind, ref) IN (VALUES {(?, ?)}) ORDER BY rule, anchor, attr, kind, ref`)

// Memberships returns the members written that stand for one of the referents, by owner.
func (s *Store) Memberships(ctx context.Context, jobID string, refs []identity.Ref) ([]store.Member, error) {
	var members []store.Member
	args := func(dst []any, r *identity.Ref) []any { return append(dst, string(r.Kind), r.Anchor) }
	err := database.QueryBulk(ctx, s.db, s.db.Read(), memberships, database.Fixed{Before: []any{jobID}}, refs, args, func(rows *sql.Rows) error {
		var m store.Member
		err := rows.Scan(&m.Owner.Rule, &m.Owner.Anchor, &m.Attr, &m.Ref.Kind, &m.Ref.Anchor, &m.Target)
		members = append(members, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("memberships of job %s: %w", jobID, err)
	}
	return members, nil
}

// CountMembers counts the members written by the whole job.
func (s *Store) CountMembers(ctx context.Context, jobID string) (n int64, err error) {
	const text = `SELECT count(*) FROM job_members WHERE job = (SELECT num FROM jobs WHERE id = $1)`
	if err := s.db.Read().QueryRowContext(ctx, text, jobID).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the members of job %s: %w", jobID, err)
	}
	return n, nil
}

const selectUnresolved = `
SELECT kind, ref, rule, anchor, attr FROM job_unresolved
WHERE job = (SELECT num FROM jobs WHERE id = $1) AND (kind, ref, rule, anchor, attr) > ($2, $3, $4, $5, $6)
ORDER BY kind, ref, rule, anchor, attr LIMIT $7`

// Unresolved delivers the references of a job that wait for their referent, in the order of the referents (design D4).
func (s *Store) Unresolved(ctx context.Context, jobID string) iter.Seq2[store.Unresolved, error] {
	return pages(func(last *store.Unresolved, page []store.Unresolved) ([]store.Unresolved, error) {
		if last == nil {
			last = new(store.Unresolved) // less than any, since no part of a stored one is empty
		}
		err := database.Query(ctx, s.db.Read(), selectUnresolved, []any{jobID, string(last.Ref.Kind), last.Ref.Anchor,
			last.Owner.Rule, last.Owner.Anchor, last.Attr, pageRows}, func(rows *sql.Rows) error {
			var u store.Unresolved
			err := rows.Scan(&u.Ref.Kind, &u.Ref.Anchor, &u.Owner.Rule, &u.Owner.Anchor, &u.Attr)
			page = append(page, u)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("unresolved references of job %s: %w", jobID, err)
		}
		return page, nil
	})
}

// UnresolvedOf returns those of one owner, in the order of attribute, kind and anchor.
func (s *Store) UnresolvedOf(ctx context.Context, jobID string, owner store.ObjectKey) ([]store.Unresolved, error) {
	const text = `
SELECT attr, kind, ref FROM job_unresolved
WHERE job = (SELECT num FROM jobs WHERE id = $1) AND rule = $2 AND anchor = $3 ORDER BY attr, kind, ref`
	var waiting []store.Unresolved
	err := database.Query(ctx, s.db.Read(), text, []any{jobID, owner.Rule, owner.Anchor}, func(rows *sql.Rows) error {
		u := store.Unresolved{Owner: owner, Ref: identity.Ref{}}
		err := rows.Scan(&u.Attr, &u.Ref.Kind, &u.Ref.Anchor)
		waiting = append(waiting, u)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("unresolved references of %s of job %s: %w", owner.Anchor, jobID, err)
	}
	return waiting, nil
}
