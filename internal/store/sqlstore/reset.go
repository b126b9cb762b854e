package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rollcall-id/rollcall/internal/health"
)

// Failures that are forgotten must not be tried again at the next opportunity, for which the empty hash of their objects
// would see: they get the hash of the object as it failed, which is what the engine gives those it has given up.
const (
	settleEscrows = `
UPDATE job_objects SET hash_hi = e.hash_hi, hash_lo = e.hash_lo FROM job_escrows e
WHERE job_objects.job = $1 AND e.job = $1 AND e.rule = job_objects.rule AND e.anchor = job_objects.anchor`
	forgetEscrows = `DELETE FROM job_escrows WHERE job = $1`
	forgetHashes  = `UPDATE job_objects SET hash_hi = 0, hash_lo = 0 WHERE job = $1 AND (hash_hi <> 0 OR hash_lo <> 0)`
)

// Reset forgets what a restart resets of the objects of a job (engine.R20).
func (s *Store) Reset(ctx context.Context, jobID string, epoch int64, what health.Reset) error {
	var err error
	if what.Has(health.Escrows) {
		_, err = s.resetStep(ctx, jobID, epoch, nil, settleEscrows, forgetEscrows)
	}
	if err == nil && what.Has(health.ConnectorDataStore) {
		// The links last: whoever repeats what was cut short finds the objects that are left.
		for _, text := range []string{dropStaged, dropUnresolved, dropMembers, dropDocs, dropObjects} {
			for n := int64(deleteRows); n == deleteRows && err == nil; {
				n, err = s.resetStep(ctx, jobID, epoch, []any{deleteRows}, text)
			}
		}
	}
	if err == nil && what.Has(health.Watermark) {
		_, err = s.resetStep(ctx, jobID, epoch, nil, forgetHashes)
	}
	if err != nil {
		return fmt.Errorf("reset %s of job %s: %w", what, jobID, err)
	}
	return nil
}

// resetStep runs statements in one transaction, while the job is at this epoch. Their values are the job's number and
// those given. It returns how many rows the last one changed.
func (s *Store) resetStep(ctx context.Context, jobID string, epoch int64, more []any, texts ...string) (n int64, err error) {
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		ctx := s.db.Bare(ctx)
		num, err := s.lock(ctx, tx, jobID, epoch)
		if err != nil {
			return err
		}
		for _, text := range texts {
			result, err := tx.ExecContext(ctx, text, append([]any{num}, more...)...)
			if err != nil {
				return err
			}
			if n, err = result.RowsAffected(); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}
