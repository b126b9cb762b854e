package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"iter"
	"slices"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/store"
)

// pageRows is how many rows a sequence reads at a time: enough that the cost of a query does not count, few enough
// that a page of rows does not either (some 2 MB).
const pageRows = 8192

const (
	selectObjects = `
SELECT anchor, hash_hi, hash_lo, state, target, confirmed FROM job_objects
WHERE job = (SELECT num FROM jobs WHERE id = $1) AND rule = $2 AND anchor > $3 ORDER BY anchor LIMIT $4`

	selectSeen = `
SELECT anchor, hash_hi, hash_lo, state FROM job_objects
WHERE job = (SELECT num FROM jobs WHERE id = $1) AND rule = $2 AND anchor > $3 ORDER BY anchor LIMIT $4`
)

// Objects delivers all objects of a rule in the byte order of their anchors (design D15).
func (s *Store) Objects(ctx context.Context, jobID, rule string) iter.Seq2[store.Object, error] {
	return s.objects(ctx, selectObjects, jobID, rule, func(o *store.Object, v []driver.Value) bool {
		var confirmed int64
		var ok1, ok2 bool
		o.Target, ok1 = v[0].(string)
		confirmed, ok2 = v[1].(int64)
		o.Confirmed = database.Time(confirmed)
		return ok1 && ok2
	})
}

// Seen delivers the same objects with their keys, hashes and states only: reading two columns less takes a third off
// what an unchanged object costs.
func (s *Store) Seen(ctx context.Context, jobID, rule string) iter.Seq2[store.Object, error] {
	return s.objects(ctx, selectSeen, jobID, rule, func(*store.Object, []driver.Value) bool { return true })
}

// objects delivers objects; rest takes the columns after those of Seen, and tells whether they have the right types.
func (s *Store) objects(ctx context.Context, text, jobID, rule string, rest func(*store.Object, []driver.Value) bool) iter.Seq2[store.Object, error] {
	return pages(func(last *store.Object, page []store.Object) ([]store.Object, error) {
		after := ""
		if last != nil {
			after = last.Anchor
		}
		err := s.db.Scan(ctx, text, []any{jobID, rule, after, int64(pageRows)}, func(v []driver.Value) error {
			anchor, ok1 := v[0].(string)
			hi, ok2 := v[1].(int64)
			lo, ok3 := v[2].(int64)
			state, ok4 := v[3].(int64)
			o := store.Object{ObjectKey: store.ObjectKey{Rule: rule, Anchor: anchor}, Hash: whole(hi, lo), State: store.LinkState(state)}
			if !ok1 || !ok2 || !ok3 || !ok4 || !rest(&o, v[4:]) {
				return fmt.Errorf("unexpected types in %v", v)
			}
			page = append(page, o)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("objects of rule %s of job %s: %w", rule, jobID, err)
		}
		return page, nil
	})
}

const selectLinks = `
SELECT o.anchor, o.hash_hi, o.hash_lo, o.state, o.target, o.confirmed, p.name, p.doc FROM job_objects o
LEFT JOIN job_projections p ON p.job = o.job AND p.rule = o.rule AND p.anchor = o.anchor
WHERE o.job = (SELECT num FROM jobs WHERE id = $1) AND o.rule = $2 AND o.anchor > $3 AND o.target <> ''
ORDER BY o.anchor LIMIT $4`

// Links delivers the linked objects of a rule with their last exported values, in the byte order of their anchors.
func (s *Store) Links(ctx context.Context, jobID, rule string) iter.Seq2[store.Link, error] {
	return pages(func(last *store.Link, page []store.Link) ([]store.Link, error) {
		after := ""
		if last != nil {
			after = last.Anchor
		}
		err := database.Query(ctx, s.db.Read(), selectLinks, []any{jobID, rule, after, int64(pageRows)}, func(rows *sql.Rows) error {
			l := store.Link{Object: store.Object{ObjectKey: store.ObjectKey{Rule: rule}}}
			var hi, lo, state, confirmed int64
			var name sql.NullString
			err := rows.Scan(&l.Anchor, &hi, &lo, &state, &l.Target, &confirmed, &name, &l.Doc)
			l.Hash, l.State, l.Confirmed, l.Name = whole(hi, lo), store.LinkState(state), database.Time(confirmed), name.String
			page = append(page, l)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("links of rule %s of job %s: %w", rule, jobID, err)
		}
		return page, nil
	})
}

// pages makes a sequence of pages: read appends the rows after last, which is nil at first, to an empty page.
// A page that is not full is the last one.
func pages[T any](read func(last *T, page []T) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last *T
		var page []T
		for {
			var err error
			if page, err = read(last, page[:0]); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
			if len(page) < pageRows {
				return
			}
			copied := page[len(page)-1]
			last = &copied
		}
	}
}

func scanObject(row scanner, rule string, o *store.Object) error {
	var hi, lo, state, confirmed int64
	err := row.Scan(&o.Anchor, &hi, &lo, &state, &o.Target, &confirmed)
	o.Rule, o.Hash, o.State, o.Confirmed = rule, whole(hi, lo), store.LinkState(state), database.Time(confirmed)
	return err
}

var objectsByAnchor = database.NewBulk(`
SELECT anchor, hash_hi, hash_lo, state, target, confirmed FROM job_objects
WHERE job = (SELECT num FROM jobs WHERE id = ?) AND rule = ? AND anchor IN ({?})`)

// ObjectsByAnchor returns those of the objects that are known, by anchor.
func (s *Store) ObjectsByAnchor(ctx context.Context, jobID, rule string, anchors []string) (map[string]store.Object, error) {
	found := make(map[string]store.Object, len(anchors))
	err := s.byKeys(ctx, objectsByAnchor, []any{jobID, rule}, anchors, func(rows *sql.Rows) error {
		var o store.Object
		err := scanObject(rows, rule, &o)
		found[o.Anchor] = o
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("objects of rule %s of job %s: %w", rule, jobID, err)
	}
	return found, nil
}

// byKeys runs a query for keys. A key that cannot be stored is not there; PostgreSQL would refuse to look for it.
func (s *Store) byKeys(ctx context.Context, b *database.Bulk, before []any, keys []string, scan func(*sql.Rows) error) error {
	if i := slices.IndexFunc(keys, func(k string) bool { return !database.ValidKey(k) }); i >= 0 {
		keys = slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !database.ValidKey(k) })
	}
	return database.QueryBulk(ctx, s.db, s.db.Read(), b, database.Fixed{Before: before}, keys, database.Itself, scan)
}

// The condition is that of the index job_objects_unsettled, which holds just these objects. The sign keeps SQLite, which
// knows nothing of its size, from going through all objects of the rule instead.
const selectUnsettled = `
SELECT anchor FROM job_objects WHERE +job = (SELECT num FROM jobs WHERE id = $1) AND rule = $2
	AND hash_hi = 0 AND hash_lo = 0 AND state <> 3 ORDER BY anchor`

// Unsettled returns the anchors of the objects without a hash, in byte order.
func (s *Store) Unsettled(ctx context.Context, jobID, rule string) ([]string, error) {
	var anchors []string
	err := database.Query(ctx, s.db.Read(), selectUnsettled, []any{jobID, rule}, func(rows *sql.Rows) error {
		var a string
		err := rows.Scan(&a)
		anchors = append(anchors, a)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("unsettled objects of rule %s of job %s: %w", rule, jobID, err)
	}
	return anchors, nil
}

var ownersOf = database.NewBulk(`
SELECT target, anchor FROM job_objects
WHERE job = (SELECT num FROM jobs WHERE id = ?) AND rule = ? AND target <> '' AND target IN ({?})`)

// Owners returns which source object each of the target anchors is linked to, by target anchor. Were there several, it
// is the one with the smallest anchor.
func (s *Store) Owners(ctx context.Context, jobID, rule string, targets []string) (map[string]string, error) {
	owners := make(map[string]string, len(targets))
	err := s.byKeys(ctx, ownersOf, []any{jobID, rule}, targets, func(rows *sql.Rows) error {
		var target, anchor string
		err := rows.Scan(&target, &anchor)
		if other, ok := owners[target]; !ok || anchor < other {
			owners[target] = anchor
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("owners of accounts of rule %s of job %s: %w", rule, jobID, err)
	}
	return owners, nil
}

// Tallies counts objects by rule and state, in that order.
func (s *Store) Tallies(ctx context.Context, jobID string) ([]store.Tally, error) {
	// Grouped by the rule alone, rows come in the order of the key and nothing is sorted.
	const text = `
SELECT rule, count(CASE WHEN state = 0 THEN 1 END), count(CASE WHEN state = 1 THEN 1 END), count(CASE WHEN state = 2 THEN 1 END),
	count(CASE WHEN state = 3 THEN 1 END)
FROM job_objects WHERE job = (SELECT num FROM jobs WHERE id = $1) GROUP BY rule ORDER BY rule`
	var tallies []store.Tally
	err := database.Query(ctx, s.db.Read(), text, []any{jobID}, func(rows *sql.Rows) error {
		var rule string
		var n [store.Released + 1]int64
		err := rows.Scan(&rule, &n[0], &n[1], &n[2], &n[3])
		for state, n := range n {
			if n > 0 {
				tallies = append(tallies, store.Tally{Rule: rule, State: store.LinkState(state), N: n})
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count the objects of job %s: %w", jobID, err)
	}
	return tallies, nil
}
