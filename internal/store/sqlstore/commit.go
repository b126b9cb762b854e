package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Commit applies the batch in one transaction (design section 4, D13).
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	if err := checkKeys(b); err != nil {
		return fmt.Errorf("write to job %s: %w", b.JobID, err)
	}
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		job, err := s.lock(s.db.Bare(ctx), tx, b.JobID, b.Epoch)
		if err != nil {
			return err
		}
		w := writer{ctx: ctx, db: s.db, tx: tx}
		if err := s.writeCycle(&w, job, b); err != nil {
			return err
		}
		writeState(&w, job, b)
		return w.err
	})
	if err != nil {
		return fmt.Errorf("write to job %s: %w", b.JobID, s.conflict(err))
	}
	return nil
}

// writer is one batch on its way into the database. After an error it does nothing more.
type writer struct {
	ctx context.Context
	db  *database.DB
	tx  *sql.Tx
	err error
}

// put writes rows in the order of their keys, which costs an SQLite file a fifth of any other order (design D15).
// fixed are the values before the braces of the statement. Rows with the same key take effect in the order given.
func put[T any, K comparable](w *writer, what string, b *database.Bulk, fixed any, rows []T, key func(*T) K, order func(a, b *T) int, args func([]any, *T) []any) {
	if w.err != nil || len(rows) == 0 {
		return
	}
	rows = ordered(rows, order)
	var before []any
	if fixed != nil {
		before = []any{fixed}
	}
	if _, err := database.ExecBulk(w.ctx, w.db, w.tx, b, database.Fixed{Before: before}, rows, key, args); err != nil {
		w.err = fmt.Errorf("%s: %w", what, err)
	}
}

// putEach runs a statement for keys that are in order. before are the values before its braces.
func putEach(w *writer, what string, b *database.Bulk, before []any, keys []string) {
	if w.err != nil {
		return
	}
	itself := func(k *string) string { return *k }
	if _, err := database.ExecBulk(w.ctx, w.db, w.tx, b, database.Fixed{Before: before}, keys, itself, database.Itself); err != nil {
		w.err = fmt.Errorf("%s: %w", what, err)
	}
}

// byRule delivers keys rule by rule, the anchors of each in order. For SQLite a list of anchors is half the work of a list
// of pairs.
func byRule(keys []store.ObjectKey) iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		keys = ordered(keys, compareKeys)
		for len(keys) > 0 {
			rule := keys[0].Rule
			var anchors []string
			for len(keys) > 0 && keys[0].Rule == rule {
				anchors = append(anchors, keys[0].Anchor)
				keys = keys[1:]
			}
			if !yield(rule, anchors) {
				return
			}
		}
	}
}

// ordered returns rows in order, leaving the caller's as they are; a nil order keeps them. It sorts places of rows, since
// rows are large, and comparing copies of them would put two on the heap each time.
func ordered[T any](rows []T, order func(a, b *T) int) []T {
	sorted := order == nil
	for i := 1; !sorted && i < len(rows) && order(&rows[i-1], &rows[i]) <= 0; i++ {
		sorted = i == len(rows)-1
	}
	if sorted || len(rows) < 2 {
		return rows
	}
	at := make([]int32, len(rows))
	for i := range at {
		at[i] = int32(i)
	}
	slices.SortStableFunc(at, func(a, b int32) int { return order(&rows[a], &rows[b]) })
	out := make([]T, len(rows))
	for i, place := range at {
		out[i] = rows[place]
	}
	return out
}

// The statements of a batch. Where a row begins with the job or the cycle, its number is the first value of every row.
var (
	upsertWork = database.NewBulk(`
INSERT INTO cycle_work (cycle, rule, anchor, stage, pass, depth, parent, action, target, doc) VALUES {(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)}
ON CONFLICT (cycle, rule, anchor) DO UPDATE SET stage = excluded.stage, pass = excluded.pass, depth = excluded.depth,
	parent = excluded.parent, action = excluded.action, target = excluded.target, doc = excluded.doc`)

	deleteWork = database.NewBulk(`DELETE FROM cycle_work WHERE cycle = ? AND rule = ? AND anchor IN ({?})`)

	upsertIndex = database.NewBulk(`
INSERT INTO cycle_index (cycle, kind, attr, value, anchor, doc) VALUES {(?, ?, ?, ?, ?, ?)}
ON CONFLICT (cycle, kind, attr, value, anchor) DO UPDATE SET doc = excluded.doc`)

	upsertFound = database.NewBulk(`
INSERT INTO cycle_found (cycle, rule, anchor, doc) VALUES {(?, ?, ?, ?)}
ON CONFLICT (cycle, rule, anchor) DO UPDATE SET doc = excluded.doc`)

	upsertObjects = database.NewBulk(`
INSERT INTO job_objects (job, rule, anchor, hash_hi, hash_lo, state, target, confirmed) VALUES {(?, ?, ?, ?, ?, ?, ?, ?)}
ON CONFLICT (job, rule, anchor) DO UPDATE SET hash_hi = excluded.hash_hi, hash_lo = excluded.hash_lo,
	state = excluded.state, target = excluded.target, confirmed = excluded.confirmed`)

	touchObjects = database.NewBulk(`
WITH given (job, rule, anchor, hi, lo) AS (VALUES {(CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS BIGINT))})
UPDATE job_objects SET hash_hi = given.hi, hash_lo = given.lo
FROM given WHERE job_objects.job = given.job AND job_objects.rule = given.rule AND job_objects.anchor = given.anchor`)

	upsertProjections = database.NewBulk(`
INSERT INTO job_projections (job, rule, anchor, name, doc) VALUES {(?, ?, ?, ?, ?)}
ON CONFLICT (job, rule, anchor) DO UPDATE SET name = excluded.name, doc = excluded.doc`)

	upsertMembers = database.NewBulk(`
WITH given (ref, target) AS (VALUES {(CAST(? AS TEXT), CAST(? AS TEXT))})
INSERT INTO job_members (job, rule, anchor, attr, kind, ref, target)
SELECT CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), given.ref, given.target FROM given WHERE true
ON CONFLICT (job, rule, anchor, attr, kind, ref) DO UPDATE SET target = excluded.target`)

	deleteMembers = database.NewBulk(`
DELETE FROM job_members WHERE job = ? AND (rule, anchor, attr, kind, ref) IN (VALUES {(?, ?, ?, ?, ?)})`)

	insertUnresolved = database.NewBulk(`
INSERT INTO job_unresolved (job, rule, anchor, attr, kind, ref) VALUES {(?, ?, ?, ?, ?, ?)}
ON CONFLICT (job, kind, ref, rule, anchor, attr) DO NOTHING`)

	deleteUnresolved = database.NewBulk(`
DELETE FROM job_unresolved WHERE job = ? AND (rule, anchor, attr, kind, ref) IN (VALUES {(?, ?, ?, ?, ?)})`)

	upsertEscrows = database.NewBulk(`
INSERT INTO job_escrows (job, rule, anchor, name, hash_hi, hash_lo, code, reason, reference, attempts, first_failed, last_failed, next_attempt)
VALUES {(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)}
ON CONFLICT (job, rule, anchor) DO UPDATE SET name = excluded.name, hash_hi = excluded.hash_hi, hash_lo = excluded.hash_lo,
	code = excluded.code, reason = excluded.reason, reference = excluded.reference, attempts = excluded.attempts,
	first_failed = excluded.first_failed, last_failed = excluded.last_failed, next_attempt = excluded.next_attempt`)

	upsertStaged = database.NewBulk(`
INSERT INTO job_staged (job, rule, anchor, name, target, action, reason, staged_at, cycle_id, allowed, size)
VALUES {(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)}
ON CONFLICT (job, rule, anchor) DO UPDATE SET name = excluded.name, target = excluded.target, action = excluded.action,
	reason = excluded.reason, cycle_id = excluded.cycle_id, allowed = excluded.allowed, size = excluded.size`)

	insertLog = database.NewBulk(`
INSERT INTO provisioning_log (job, id, cycle_id, at, action, status, rule, source_id, source_name, name_fold, target_id, error_code, doc)
VALUES {(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)}`)

	deleteObjects      = deleteByKey("job_objects")
	deleteProjections  = deleteByKey("job_projections")
	deleteMembersOf    = deleteByKey("job_members")
	deleteUnresolvedOf = deleteByKey("job_unresolved")
	deleteEscrows      = deleteByKey("job_escrows")
	deleteStaged       = deleteByKey("job_staged")
)

func deleteByKey(table string) *database.Bulk {
	return database.NewBulk(`DELETE FROM ` + table + ` WHERE job = ? AND (rule, anchor) IN (VALUES {(?, ?)})`)
}

// writeCycle writes the cycle with its work list and match index.
func (s *Store) writeCycle(w *writer, job int64, b *store.Batch) (err error) {
	ctx := s.db.Bare(w.ctx)
	if b.Cycle != nil {
		if _, err := s.putCycle(ctx, w.tx, job, b.Cycle); err != nil {
			return err
		}
	}
	if len(b.Work)+len(b.Done)+len(b.Index)+len(b.Found) == 0 && !b.DropIndex {
		return nil
	}
	var cycle int64
	if err := w.tx.QueryRowContext(ctx, `SELECT num FROM cycles WHERE id = $1 AND job = $2`, b.CycleID, job).Scan(&cycle); err != nil {
		return fmt.Errorf("cycle %s: %w: it must be stored before or with its work", b.CycleID, notFound(err))
	}
	s.putWork(w, cycle, b)
	for rule, anchors := range byRule(b.Done) {
		if rest := s.takeOut(w, cycle, rule, anchors); len(rest) > 0 {
			putEach(w, "finished work", deleteWork, []any{cycle, rule}, rest)
		}
	}
	if b.DropIndex && w.err == nil {
		if _, err := w.tx.ExecContext(ctx, `DELETE FROM cycle_index WHERE cycle = $1`, cycle); err != nil {
			return fmt.Errorf("match index: %w", err)
		}
	}
	type indexKey struct{ kind, attr, value, anchor string }
	put(w, "match index", upsertIndex, nil, b.Index,
		func(e *store.IndexEntry) indexKey {
			return indexKey{string(e.Kind), e.Attr, indexValue(e.Value), e.Anchor}
		},
		func(x, y *store.IndexEntry) int {
			return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Attr, y.Attr), cmp.Compare(x.Value, y.Value), cmp.Compare(x.Anchor, y.Anchor))
		},
		func(dst []any, e *store.IndexEntry) []any {
			return append(dst, cycle, string(e.Kind), e.Attr, indexValue(e.Value), e.Anchor, database.Blob(e.Doc))
		})
	put(w, "accounts found", upsertFound, nil, b.Found,
		func(f *store.Found) store.ObjectKey { return f.ObjectKey },
		func(x, y *store.Found) int { return compareKeys(&x.ObjectKey, &y.ObjectKey) },
		func(dst []any, f *store.Found) []any {
			return append(dst, cycle, f.Rule, f.Anchor, database.Blob(f.Doc))
		})
	return w.err
}

// putWork inserts or replaces items of the work list, those that come after all others of their rule as sheaves.
func (s *Store) putWork(w *writer, cycle int64, b *store.Batch) {
	items := ordered(b.Work, func(x, y *store.WorkItem) int { return compareKeys(&x.ObjectKey, &y.ObjectKey) })
	codes := stageCodes()
	for len(items) > 0 && w.err == nil {
		n := slices.IndexFunc(items, func(i store.WorkItem) bool { return i.Rule != items[0].Rule })
		if n < 0 {
			n = len(items)
		}
		ofRule := items[:n]
		items = items[n:]
		if len(b.Done) == 0 && s.isAppended(w, cycle, ofRule) {
			bind(w, cycle, ofRule)
			continue
		}
		anchors := make([]string, len(ofRule))
		for i := range ofRule {
			anchors[i] = ofRule[i].Anchor
		}
		s.takeOut(w, cycle, ofRule[0].Rule, anchors)
		put(w, "work", upsertWork, nil, ofRule, func(i *store.WorkItem) store.ObjectKey { return i.ObjectKey }, nil, func(dst []any, i *store.WorkItem) []any {
			return append(dst, cycle, i.Rule, i.Anchor, codes[i.Stage], int64(i.Pass), int64(i.Depth), i.Parent, i.Action, i.Target, database.Blob(i.Doc))
		})
	}
}

// writeState writes what outlives the cycle.
func writeState(w *writer, job int64, b *store.Batch) {
	for _, statement := range []*database.Bulk{deleteObjects, deleteProjections, deleteMembersOf, deleteUnresolvedOf, deleteEscrows, deleteStaged} {
		put(w, "forgotten objects", statement, job, b.Forget, sameKey, compareKeys, objectKeyArgs)
	}
	put(w, "objects", upsertObjects, nil, b.Objects, objectKey, byObjectKey, func(dst []any, o *store.Object) []any {
		hi, lo := halves(o.Hash)
		return append(dst, job, o.Rule, o.Anchor, hi, lo, int64(o.State), o.Target, database.Micros(o.Confirmed))
	})
	put(w, "hashes of objects", touchObjects, nil, b.Touched, objectKey, byObjectKey, func(dst []any, o *store.Object) []any {
		hi, lo := halves(o.Hash)
		return append(dst, job, o.Rule, o.Anchor, hi, lo)
	})
	put(w, "projections", upsertProjections, nil, b.Project,
		func(p *store.Projection) store.ObjectKey { return p.ObjectKey },
		func(x, y *store.Projection) int { return compareKeys(&x.ObjectKey, &y.ObjectKey) },
		func(dst []any, p *store.Projection) []any {
			return append(dst, job, p.Rule, p.Anchor, database.Text(p.Name), database.Blob(p.Doc))
		})

	member := func(m *store.Member) store.Unresolved {
		return store.Unresolved{Owner: m.Owner, Attr: m.Attr, Ref: m.Ref}
	}
	byMember := func(x, y *store.Member) int {
		return cmp.Or(compareKeys(&x.Owner, &y.Owner), cmp.Compare(x.Attr, y.Attr), cmp.Compare(x.Ref.Kind, y.Ref.Kind), cmp.Compare(x.Ref.Anchor, y.Ref.Anchor))
	}
	putMembers(w, job, ordered(b.Members, byMember))
	put(w, "members", deleteMembers, job, b.Unmember, member, byMember, func(dst []any, m *store.Member) []any {
		return append(dst, m.Owner.Rule, m.Owner.Anchor, m.Attr, string(m.Ref.Kind), m.Ref.Anchor)
	})

	reference := func(u *store.Unresolved) store.Unresolved { return *u }
	byReferent := func(x, y *store.Unresolved) int {
		return cmp.Or(cmp.Compare(x.Ref.Kind, y.Ref.Kind), cmp.Compare(x.Ref.Anchor, y.Ref.Anchor), compareKeys(&x.Owner, &y.Owner), cmp.Compare(x.Attr, y.Attr))
	}
	put(w, "unresolved references", insertUnresolved, nil, b.Unresolved, reference, byReferent, func(dst []any, u *store.Unresolved) []any {
		return append(dst, job, u.Owner.Rule, u.Owner.Anchor, u.Attr, string(u.Ref.Kind), u.Ref.Anchor)
	})
	put(w, "unresolved references", deleteUnresolved, job, b.Resolved, reference, byReferent, func(dst []any, u *store.Unresolved) []any {
		return append(dst, u.Owner.Rule, u.Owner.Anchor, u.Attr, string(u.Ref.Kind), u.Ref.Anchor)
	})

	put(w, "escrows", upsertEscrows, nil, b.Escrows,
		func(e *store.Escrow) store.ObjectKey { return e.ObjectKey },
		func(x, y *store.Escrow) int { return compareKeys(&x.ObjectKey, &y.ObjectKey) },
		func(dst []any, e *store.Escrow) []any {
			hi, lo := halves(e.Hash)
			return append(dst, job, e.Rule, e.Anchor, database.Text(e.Name), hi, lo, e.Code, database.Text(e.Reason), database.Flag(e.Reference),
				int64(e.Attempts), database.Micros(e.FirstFailed), database.Micros(e.LastFailed), database.Micros(e.NextAttempt))
		})
	put(w, "escrows", deleteEscrows, job, b.Unescrow, sameKey, compareKeys, objectKeyArgs)
	put(w, "held operations", upsertStaged, nil, b.Staged,
		func(o *store.Staged) store.ObjectKey { return o.ObjectKey },
		func(x, y *store.Staged) int { return compareKeys(&x.ObjectKey, &y.ObjectKey) },
		func(dst []any, o *store.Staged) []any {
			return append(dst, job, o.Rule, o.Anchor, database.Text(o.Name), o.Target, o.Action, database.Text(o.Reason),
				database.Micros(o.StagedAt), o.CycleID, database.Flag(o.Allowed), o.Size)
		})
	put(w, "held operations", deleteStaged, job, b.Unstage, sameKey, compareKeys, objectKeyArgs)
	put(w, "log", insertLog, nil, b.Log, func(r *store.LogRecord) string { return r.ID }, nil, func(dst []any, r *store.LogRecord) []any {
		name := database.Text(r.SourceName)
		return append(dst, job, r.ID, r.CycleID, database.Micros(r.At), r.Action, r.Status, r.Rule, database.Text(r.SourceID), name,
			identity.Fold(name), database.Text(r.TargetID), r.ErrorCode, database.Blob(r.Doc))
	})
}

// putMembers writes members that are in order. Those of one owner share all but two values, which are given once for many
// rows: a group has many members, and each value of a row costs as much as finding its place.
func putMembers(w *writer, job int64, members []store.Member) {
	for len(members) > 0 && w.err == nil {
		m := members[0]
		n := slices.IndexFunc(members, func(o store.Member) bool {
			return o.Owner != m.Owner || o.Attr != m.Attr || o.Ref.Kind != m.Ref.Kind
		})
		if n < 0 {
			n = len(members)
		}
		fixed := database.Fixed{After: []any{job, m.Owner.Rule, m.Owner.Anchor, m.Attr, string(m.Ref.Kind)}}
		_, err := database.ExecBulk(w.ctx, w.db, w.tx, upsertMembers, fixed, members[:n], func(m *store.Member) string { return m.Ref.Anchor },
			func(dst []any, m *store.Member) []any { return append(dst, m.Ref.Anchor, m.Target) })
		if err != nil {
			w.err = fmt.Errorf("members: %w", err)
		}
		members = members[n:]
	}
}

func sameKey(k *store.ObjectKey) store.ObjectKey { return *k }

func objectKeyArgs(dst []any, k *store.ObjectKey) []any { return append(dst, k.Rule, k.Anchor) }

func objectKey(o *store.Object) store.ObjectKey { return o.ObjectKey }

func byObjectKey(x, y *store.Object) int { return compareKeys(&x.ObjectKey, &y.ObjectKey) }

func compareKeys(x, y *store.ObjectKey) int {
	return cmp.Or(cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Anchor, y.Anchor))
}
