package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/store"
)

// The whole decision is one statement, so that of two holders who ask at once one finds the row changed.
const hold = `
UPDATE job_holds SET epoch = epoch + CASE WHEN holder = $2 THEN 0 ELSE 1 END, holder = $2, held_until = $4
WHERE job = $1 AND (holder = '' OR holder = $2 OR held_until <= $3)`

// Hold takes the job for holder (design D13).
func (s *Store) Hold(ctx context.Context, jobID, holder string, now, until time.Time) (store.Job, error) {
	if !database.ValidKey(holder) {
		return store.Job{}, fmt.Errorf("hold job %s: %w", jobID, keyError("holder", holder))
	}
	var held store.Job
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		ctx := s.db.Bare(ctx)
		num, err := s.jobNum(ctx, tx, jobID)
		if err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, hold, num, holder, database.Micros(now), database.Micros(until))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		held, err = scanJob(tx.QueryRowContext(ctx, selectJobs+` WHERE j.id = $1`, jobID))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%w: %s holds it until %s", store.ErrStale, held.Holder, held.HeldUntil.Format(time.RFC3339))
		}
		return nil
	})
	if err != nil {
		return store.Job{}, fmt.Errorf("hold job %s: %w", jobID, err)
	}
	return held, nil
}

// Release gives the job back if holder still holds it. A job that is gone, or another's, is no error.
func (s *Store) Release(ctx context.Context, jobID, holder string) error {
	const text = `UPDATE job_holds SET holder = '', held_until = 0 WHERE job = (SELECT num FROM jobs WHERE id = $1) AND holder = $2`
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(s.db.Bare(ctx), text, jobID, holder)
		return err
	})
	if err != nil {
		return fmt.Errorf("release job %s: %w", jobID, err)
	}
	return nil
}

// lock locks the hold of a job for the rest of the transaction and returns the job's number: store.ErrStale when the
// job is at another epoch, store.ErrNotFound when it is gone.
func (s *Store) lock(ctx context.Context, tx *sql.Tx, jobID string, epoch int64) (int64, error) {
	const text = `UPDATE job_holds SET epoch = epoch WHERE job = $1 AND epoch = $2 RETURNING job`
	num, err := s.jobNum(ctx, tx, jobID)
	if err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, text, num, epoch).Scan(&num)
	if errors.Is(err, sql.ErrNoRows) {
		var found int
		err = tx.QueryRowContext(ctx, `SELECT count(*) FROM job_holds WHERE job = $1`, num).Scan(&found)
		if err == nil && found == 0 {
			return 0, store.ErrNotFound
		}
		if err == nil {
			return 0, store.ErrStale
		}
	}
	return num, err
}
