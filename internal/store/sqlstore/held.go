package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Escrows returns the failures of a job by rule and anchor.
func (s *Store) Escrows(ctx context.Context, jobID string) ([]store.Escrow, error) {
	const text = `
SELECT rule, anchor, name, hash_hi, hash_lo, code, reason, reference, attempts, first_failed, last_failed, next_attempt
FROM job_escrows WHERE job = (SELECT num FROM jobs WHERE id = $1) ORDER BY rule, anchor`
	var escrows []store.Escrow
	err := database.Query(ctx, s.db.Read(), text, []any{jobID}, func(rows *sql.Rows) error {
		var e store.Escrow
		var hi, lo, reference, first, last, next int64
		err := rows.Scan(&e.Rule, &e.Anchor, &e.Name, &hi, &lo, &e.Code, &e.Reason, &reference, &e.Attempts, &first, &last, &next)
		e.Hash, e.Reference = whole(hi, lo), reference != 0
		e.FirstFailed, e.LastFailed, e.NextAttempt = database.Time(first), database.Time(last), database.Time(next)
		escrows = append(escrows, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("escrows of job %s: %w", jobID, err)
	}
	return escrows, nil
}

// Staged returns the held operations of a job by rule and anchor.
func (s *Store) Staged(ctx context.Context, jobID string) ([]store.Staged, error) {
	const text = `
SELECT rule, anchor, name, target, action, reason, staged_at, cycle_id, allowed, size
FROM job_staged WHERE job = (SELECT num FROM jobs WHERE id = $1) ORDER BY rule, anchor`
	var staged []store.Staged
	err := database.Query(ctx, s.db.Read(), text, []any{jobID}, func(rows *sql.Rows) error {
		var o store.Staged
		var at, allowed int64
		err := rows.Scan(&o.Rule, &o.Anchor, &o.Name, &o.Target, &o.Action, &o.Reason, &at, &o.CycleID, &allowed, &o.Size)
		o.StagedAt, o.Allowed = database.Time(at), allowed != 0
		staged = append(staged, o)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("held operations of job %s: %w", jobID, err)
	}
	return staged, nil
}

var allowStaged = database.NewBulk(`
UPDATE job_staged SET allowed = 1 WHERE job = ? AND allowed = 0 AND (rule, anchor) IN (VALUES {(?, ?)})`)

// AllowStaged releases held operations: those with the keys given, all without keys. It returns how many were not
// released before.
func (s *Store) AllowStaged(ctx context.Context, jobID string, keys []store.ObjectKey) (n int64, err error) {
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		num, err := s.jobNum(s.db.Bare(ctx), tx, jobID)
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			n, err = database.ExecBulk(ctx, s.db, tx, allowStaged, database.Fixed{Before: []any{num}}, keys, sameKey, objectKeyArgs)
			return err
		}
		result, err := tx.ExecContext(s.db.Bare(ctx), `UPDATE job_staged SET allowed = 1 WHERE job = $1 AND allowed = 0`, num)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("allow held operations of job %s: %w", jobID, err)
	}
	return n, nil
}
