package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

const insertJob = `
INSERT INTO jobs (id, name, name_fold, template, file, file_dir, file_hash, version, paused, initial_due, watermark,
	no_references, last_total, confirmed_at, quarantine, steady_first, steady_last, created, updated,
	saved, disabled, escrows_pruned, failed_runs, last_clean, last_export, asked, reset_due, woken,
	reconcile_from, reconciled, discovered)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
	$20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31)
RETURNING num`

const insertHold = `INSERT INTO job_holds (job, epoch, holder, held_until) VALUES ($1, $2, $3, $4)`

// CreateJob stores a new job with the epoch and the hold it has.
func (s *Store) CreateJob(ctx context.Context, j store.Job) error {
	values, err := jobValues(&j)
	if err != nil {
		return fmt.Errorf("create job %q: %w", j.Name, err)
	}
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		ctx := s.db.Bare(ctx)
		// A name equal to another job's id would hide that job.
		var taken int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM jobs WHERE id = $1 OR name_fold = $2`, j.Name, identity.Fold(j.ID)).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return store.ErrConflict
		}
		var num int64
		if err := tx.QueryRowContext(ctx, insertJob, values...).Scan(&num); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, insertHold, num, j.Epoch, j.Holder, database.Micros(j.HeldUntil))
		return err
	})
	if err != nil {
		return fmt.Errorf("create job %q: %w", j.Name, s.conflict(err))
	}
	return nil
}

const selectJobs = `
SELECT j.id, j.name, j.template, j.file, j.file_dir, j.file_hash, j.version, j.paused, j.initial_due, j.watermark,
	j.no_references, j.last_total, j.confirmed_at, j.quarantine, j.steady_first, j.steady_last, j.created, j.updated,
	j.saved, j.disabled, j.escrows_pruned, j.failed_runs, j.last_clean, j.last_export, j.asked, j.reset_due, j.woken,
	j.reconcile_from, j.reconciled, j.discovered,
	h.epoch, h.holder, h.held_until
FROM jobs j JOIN job_holds h ON h.job = j.num`

// Job returns the job with this id or, failing that, this name without regard to case.
func (s *Store) Job(ctx context.Context, idOrName string) (store.Job, error) {
	const text = selectJobs + ` WHERE j.id = $1 OR j.name_fold = $2 ORDER BY CASE WHEN j.id = $1 THEN 0 ELSE 1 END LIMIT 1`
	j, err := scanJob(s.db.Read().QueryRowContext(ctx, text, idOrName, identity.Fold(idOrName)))
	if err != nil {
		return store.Job{}, fmt.Errorf("job %s: %w", idOrName, err)
	}
	return j, nil
}

// Jobs returns all jobs by name without regard to case.
func (s *Store) Jobs(ctx context.Context) ([]store.Job, error) {
	var jobs []store.Job
	err := database.Query(ctx, s.db.Read(), selectJobs+` ORDER BY j.name_fold`, nil, func(rows *sql.Rows) error {
		j, err := scanJob(rows)
		jobs = append(jobs, j)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return jobs, nil
}

const updateJob = `
UPDATE jobs SET name = $2, name_fold = $3, template = $4, file = $5, file_dir = $6, file_hash = $7, version = $8,
	paused = $9, initial_due = $10, watermark = $11, no_references = $12, last_total = $13, confirmed_at = $14,
	quarantine = $15, steady_first = $16, steady_last = $17, created = $18, updated = $19,
	saved = $20, disabled = $21, escrows_pruned = $22, failed_runs = $23, last_clean = $24, last_export = $25,
	asked = $26, reset_due = $27, woken = $28,
	reconcile_from = $29, reconciled = $30, discovered = $31
WHERE id = $1`

// UpdateJob changes a job in one transaction; its id, epoch and hold stay.
func (s *Store) UpdateJob(ctx context.Context, id string, change func(*store.Job) error) (store.Job, error) {
	var updated store.Job
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		ctx := s.db.Bare(ctx)
		// Writing first takes the lock on the row that SQLite has already and PostgreSQL gives no earlier.
		if _, err := tx.ExecContext(ctx, `UPDATE jobs SET updated = updated WHERE id = $1`, id); err != nil {
			return err
		}
		old, err := scanJob(tx.QueryRowContext(ctx, selectJobs+` WHERE j.id = $1`, id))
		if err != nil {
			return err
		}
		j := old
		if err := change(&j); err != nil {
			return err
		}
		j.ID, j.Epoch, j.Holder, j.HeldUntil = old.ID, old.Epoch, old.Holder, old.HeldUntil
		var taken int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM jobs WHERE id = $1 AND id <> $2`, j.Name, id).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return store.ErrConflict
		}
		values, err := jobValues(&j)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, updateJob, values...); err != nil {
			return err
		}
		updated, err = scanJob(tx.QueryRowContext(ctx, selectJobs+` WHERE j.id = $1`, id))
		return err
	})
	if err != nil {
		return store.Job{}, fmt.Errorf("update job %s: %w", id, s.conflict(err))
	}
	return updated, nil
}

// DeleteJob removes a job at once, and then, piece by piece, all that belonged to it. When that is cut short, the rest
// goes with the next DeleteJob or Prune.
func (s *Store) DeleteJob(ctx context.Context, id string) error {
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		ctx := s.db.Bare(ctx)
		var num int64
		err := tx.QueryRowContext(ctx, `DELETE FROM jobs WHERE id = $1 RETURNING num`, id).Scan(&num)
		if errors.Is(err, sql.ErrNoRows) {
			return store.ErrNotFound
		}
		if err != nil {
			return err
		}
		// The hold last: whoever commits at this moment has its row locked and goes first.
		for _, text := range []string{`INSERT INTO dropped_jobs (job) VALUES ($1)`, `DELETE FROM sealed_values WHERE job = $1`, `DELETE FROM sealed_holds WHERE job = $1`,
			`DELETE FROM job_credentials WHERE job = $1`, `DELETE FROM job_versions WHERE job = $1`, `DELETE FROM job_holds WHERE job = $1`} {
			if _, err := tx.ExecContext(ctx, text, num); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete job %s: %w", id, err)
	}
	return s.sweep(ctx)
}

// AddVersion stores a saved version; store.ErrConflict when its number exists.
func (s *Store) AddVersion(ctx context.Context, v store.Version) error {
	const text = `INSERT INTO job_versions (job, number, at, author, file, note, mapped, file_dir) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		ctx := s.db.Bare(ctx)
		num, err := s.jobNum(ctx, tx, v.JobID)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, text, num, v.Number, database.Micros(v.At), database.Text(v.Author), database.Blob(v.File), database.Text(v.Note), v.Mapped, database.Text(v.FileDir))
		return err
	})
	if err != nil {
		return fmt.Errorf("save version %d of job %s: %w", v.Number, v.JobID, s.conflict(err))
	}
	return nil
}

// Versions returns the saved versions of a job, newest first.
func (s *Store) Versions(ctx context.Context, jobID string) ([]store.Version, error) {
	const text = `SELECT number, mapped, at, author, file, file_dir, note FROM job_versions WHERE job = (SELECT num FROM jobs WHERE id = $1) ORDER BY number DESC`
	var versions []store.Version
	err := database.Query(ctx, s.db.Read(), text, []any{jobID}, func(rows *sql.Rows) error {
		v := store.Version{JobID: jobID}
		var at int64
		err := rows.Scan(&v.Number, &v.Mapped, &at, &v.Author, &v.File, &v.FileDir, &v.Note)
		v.At = database.Time(at)
		versions = append(versions, v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("versions of job %s: %w", jobID, err)
	}
	return versions, nil
}

// jobValues is a job in the order of the columns of insertJob and updateJob.
func jobValues(j *store.Job) ([]any, error) {
	if !database.ValidKey(j.ID) {
		return nil, keyError("job id", j.ID)
	}
	if !database.ValidKey(j.Name) {
		return nil, keyError("job name", j.Name)
	}
	quarantine, err := document(j.Quarantine)
	if err != nil {
		return nil, err
	}
	reconciled, err := document(j.Reconciled)
	if err != nil {
		return nil, err
	}
	var totals any
	if j.LastTotal != nil {
		if totals, err = document(&j.LastTotal); err != nil {
			return nil, err
		}
	}
	return []any{j.ID, j.Name, identity.Fold(j.Name), j.Template, database.Blob(j.File), j.FileDir, j.FileHash, j.Version,
		database.Flag(j.Paused), database.Flag(j.InitialDue), j.Watermark, database.Flag(j.NoReferences), totals,
		database.Micros(j.ConfirmedAt), quarantine, database.Micros(j.SteadyFirst), database.Micros(j.SteadyLast),
		database.Micros(j.Created), database.Micros(j.Updated), j.Saved, database.Flag(j.Disabled), database.Flag(j.Pruned),
		j.FailedRuns, j.LastClean, j.LastExport, j.Asked, int64(j.ResetDue), database.Flag(j.Woken),
		database.Micros(j.ReconcileFrom), reconciled, database.Blob(j.Discovered)}, nil
}

type scanner interface{ Scan(dest ...any) error }

func scanJob(row scanner) (store.Job, error) {
	var j store.Job
	var paused, initial, noReferences, disabled, pruned, reset, woken int64
	var confirmed, first, last, created, updated, until int64
	var from int64
	var totals, quarantine, reconciled []byte
	err := row.Scan(&j.ID, &j.Name, &j.Template, &j.File, &j.FileDir, &j.FileHash, &j.Version, &paused, &initial, &j.Watermark,
		&noReferences, &totals, &confirmed, &quarantine, &first, &last, &created, &updated,
		&j.Saved, &disabled, &pruned, &j.FailedRuns, &j.LastClean, &j.LastExport, &j.Asked, &reset, &woken,
		&from, &reconciled, &j.Discovered,
		&j.Epoch, &j.Holder, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Job{}, store.ErrNotFound
	}
	if err != nil {
		return store.Job{}, err
	}
	t, err := fromDocument[map[string]int64](totals)
	if err != nil {
		return store.Job{}, err
	}
	if t != nil {
		j.LastTotal = *t
	}
	if j.Quarantine, err = fromDocument[store.Quarantine](quarantine); err != nil {
		return store.Job{}, err
	}
	if j.Reconciled, err = fromDocument[store.Reconciliation](reconciled); err != nil {
		return store.Job{}, err
	}
	j.ReconcileFrom = database.Time(from)
	j.Paused, j.InitialDue, j.NoReferences = paused != 0, initial != 0, noReferences != 0
	j.Disabled, j.Pruned, j.Woken, j.ResetDue = disabled != 0, pruned != 0, woken != 0, health.Reset(reset)
	j.ConfirmedAt, j.SteadyFirst, j.SteadyLast = database.Time(confirmed), database.Time(first), database.Time(last)
	j.Created, j.Updated, j.HeldUntil = database.Time(created), database.Time(updated), database.Time(until)
	return j, nil
}
