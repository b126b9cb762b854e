package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/store"
)

const selectSealed = `
SELECT v.key_id, v.value, v.updated FROM sealed_values v JOIN jobs j ON j.num = v.job WHERE j.id = $1 AND v.name = $2`

// Sealed returns a sealed secret.
func (s *Store) Sealed(ctx context.Context, jobID, name string) (store.Sealed, error) {
	v := store.Sealed{JobID: jobID, Name: name}
	var updated int64
	err := s.db.Read().QueryRowContext(ctx, selectSealed, jobID, name).Scan(&v.KeyID, &v.Value, &updated)
	if err != nil {
		return store.Sealed{}, fmt.Errorf("sealed secret %s of job %s: %w", name, jobID, notFound(err))
	}
	v.Updated = database.Time(updated)
	return v, nil
}

const keepSealed = `
INSERT INTO sealed_values (job, name, key_id, value, updated) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (job, name) DO UPDATE SET key_id = excluded.key_id, value = excluded.value, updated = excluded.updated`

// KeepSealed stores a sealed secret.
func (s *Store) KeepSealed(ctx context.Context, v store.Sealed) error {
	if !database.ValidKey(v.Name) {
		return fmt.Errorf("keep a sealed secret of job %s: %w", v.JobID, keyError("name", v.Name))
	}
	err := s.ofJob(ctx, v.JobID, func(ctx context.Context, tx *sql.Tx, num int64) error {
		_, err := tx.ExecContext(ctx, keepSealed, num, v.Name, v.KeyID, v.Value, database.Micros(v.Updated))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep sealed secret %s of job %s: %w", v.Name, v.JobID, err)
	}
	return nil
}

// SealedKeys returns the ids of the keys in use.
func (s *Store) SealedKeys(ctx context.Context) ([]string, error) {
	var ids []string
	err := database.Query(ctx, s.db.Read(), `SELECT DISTINCT key_id FROM sealed_values ORDER BY key_id`, nil, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("keys of sealed secrets: %w", err)
	}
	return ids, nil
}

// Of two holders who ask at once one finds the row changed, as with the hold of a job.
const holdSealed = `
INSERT INTO sealed_holds (job, name, holder, held_until) VALUES ($1, $2, $3, $5)
ON CONFLICT (job, name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
WHERE sealed_holds.holder = $3 OR sealed_holds.held_until <= $4`

// HoldSealed gives the right to change a secret to one holder at a time.
func (s *Store) HoldSealed(ctx context.Context, jobID, name, holder string, now, until time.Time) error {
	if !database.ValidKey(holder) || !database.ValidKey(name) {
		return fmt.Errorf("hold a sealed secret of job %s: %w", jobID, keyError("holder or name", holder+name))
	}
	err := s.ofJob(ctx, jobID, func(ctx context.Context, tx *sql.Tx, num int64) error {
		result, err := tx.ExecContext(ctx, holdSealed, num, name, holder, database.Micros(now), database.Micros(until))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err == nil && n == 0 {
			err = store.ErrStale
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("hold sealed secret %s of job %s: %w", name, jobID, err)
	}
	return nil
}

// ReleaseSealed gives the right back. One that is another's by now, or a job that is gone, is no error.
func (s *Store) ReleaseSealed(ctx context.Context, jobID, name, holder string) error {
	const text = `DELETE FROM sealed_holds WHERE job = (SELECT num FROM jobs WHERE id = $1) AND name = $2 AND holder = $3`
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(s.db.Bare(ctx), text, jobID, name, holder)
		return err
	})
	if err != nil {
		return fmt.Errorf("release sealed secret %s of job %s: %w", name, jobID, err)
	}
	return nil
}

// Credential returns since when a job's credential is the one it is.
func (s *Store) Credential(ctx context.Context, jobID string) (store.Credential, error) {
	const text = `SELECT c.fingerprint, c.since, c.warned FROM job_credentials c JOIN jobs j ON j.num = c.job WHERE j.id = $1`
	var c store.Credential
	var since int64
	if err := s.db.Read().QueryRowContext(ctx, text, jobID).Scan(&c.Fingerprint, &since, &c.Warned); err != nil {
		return store.Credential{}, fmt.Errorf("credential of job %s: %w", jobID, notFound(err))
	}
	c.Since = database.Time(since)
	return c, nil
}

const setCredential = `
INSERT INTO job_credentials (job, fingerprint, since, warned) VALUES ($1, $2, $3, $4)
ON CONFLICT (job) DO UPDATE SET fingerprint = excluded.fingerprint, since = excluded.since, warned = excluded.warned`

// SetCredential stores what is known of a job's credential.
func (s *Store) SetCredential(ctx context.Context, jobID string, c store.Credential) error {
	err := s.ofJob(ctx, jobID, func(ctx context.Context, tx *sql.Tx, num int64) error {
		_, err := tx.ExecContext(ctx, setCredential, num, c.Fingerprint, database.Micros(c.Since), c.Warned)
		return err
	})
	if err != nil {
		return fmt.Errorf("credential of job %s: %w", jobID, err)
	}
	return nil
}

// ofJob runs do in a transaction with the number of a job; store.ErrNotFound when the job is gone.
func (s *Store) ofJob(ctx context.Context, jobID string, do func(ctx context.Context, tx *sql.Tx, num int64) error) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		ctx := s.db.Bare(ctx)
		num, err := s.jobNum(ctx, tx, jobID)
		if err != nil {
			return err
		}
		return do(ctx, tx, num)
	})
}
