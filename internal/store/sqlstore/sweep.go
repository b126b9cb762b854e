package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rollcall-id/rollcall/internal/database"
)

// deleteRows is how many rows one transaction deletes, so that nobody waits long for the writer.
const deleteRows = 5000

// Each removes up to $2 rows, or owners, of what belongs to $1.
const (
	dropLog     = `DELETE FROM provisioning_log WHERE seq IN (SELECT seq FROM provisioning_log WHERE job = $1 LIMIT $2)`
	dropObjects = `DELETE FROM job_objects WHERE job = $1 AND (rule, anchor) IN (SELECT rule, anchor FROM job_objects WHERE job = $1 LIMIT $2)`
	dropDocs    = `DELETE FROM job_projections WHERE job = $1 AND (rule, anchor) IN (SELECT rule, anchor FROM job_projections WHERE job = $1 LIMIT $2)`
	dropMembers = `
DELETE FROM job_members WHERE job = $1 AND (rule, anchor, attr, kind, ref) IN
	(SELECT rule, anchor, attr, kind, ref FROM job_members WHERE job = $1 LIMIT $2)`
	dropUnresolved = `
DELETE FROM job_unresolved WHERE job = $1 AND (kind, ref, rule, anchor, attr) IN
	(SELECT kind, ref, rule, anchor, attr FROM job_unresolved WHERE job = $1 LIMIT $2)`
	dropEscrows = `DELETE FROM job_escrows WHERE job = $1 AND (rule, anchor) IN (SELECT rule, anchor FROM job_escrows WHERE job = $1 LIMIT $2)`
	dropStaged  = `DELETE FROM job_staged WHERE job = $1 AND (rule, anchor) IN (SELECT rule, anchor FROM job_staged WHERE job = $1 LIMIT $2)`

	dropWork    = `DELETE FROM cycle_work WHERE cycle = $1 AND (rule, anchor) IN (SELECT rule, anchor FROM cycle_work WHERE cycle = $1 LIMIT $2)`
	dropSheaves = `DELETE FROM cycle_sheaves WHERE num IN (SELECT num FROM cycle_sheaves WHERE cycle = $1 LIMIT $2)`
	dropPlaces  = `DELETE FROM cycle_places WHERE num IN (SELECT num FROM cycle_places WHERE cycle = $1 LIMIT $2)`
	dropIndex   = `
DELETE FROM cycle_index WHERE cycle = $1 AND (kind, attr, value, anchor) IN
	(SELECT kind, attr, value, anchor FROM cycle_index WHERE cycle = $1 LIMIT $2)`
	dropFound = `DELETE FROM cycle_found WHERE cycle = $1 AND (rule, anchor) IN (SELECT rule, anchor FROM cycle_found WHERE cycle = $1 LIMIT $2)`
)

// sweep removes what deleted jobs left behind.
func (s *Store) sweep(ctx context.Context) error {
	jobs, err := s.numbers(ctx, `SELECT job FROM dropped_jobs ORDER BY job`)
	for _, job := range jobs {
		if err == nil {
			err = s.sweepJob(ctx, job)
		}
	}
	if err != nil {
		return fmt.Errorf("remove what deleted jobs left behind: %w", err)
	}
	return nil
}

func (s *Store) sweepJob(ctx context.Context, job int64) error {
	for _, text := range []string{dropLog, dropObjects, dropDocs, dropMembers, dropUnresolved, dropEscrows, dropStaged} {
		if _, err := s.deletePieces(ctx, text, job); err != nil {
			return err
		}
	}
	cycles, err := s.numbers(ctx, `SELECT num FROM cycles WHERE job = $1`, job)
	if err != nil {
		return err
	}
	for _, cycle := range cycles {
		if err := s.clearCycle(ctx, cycle); err != nil {
			return err
		}
	}
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(s.db.Bare(ctx), `DELETE FROM cycles WHERE job = $1`, job); err != nil {
			return err
		}
		_, err := tx.ExecContext(s.db.Bare(ctx), `DELETE FROM dropped_jobs WHERE job = $1`, job)
		return err
	})
}

// clearCycle removes the work list, the match index and the accounts found of the cycle with this number.
func (s *Store) clearCycle(ctx context.Context, cycle int64) error {
	s.sheaves.forget(cycle)
	for _, t := range []struct{ name, drop string }{
		{"cycle_work", dropWork}, {"cycle_sheaves", dropSheaves}, {"cycle_places", dropPlaces}, {"cycle_index", dropIndex}, {"cycle_found", dropFound},
	} {
		all, err := s.clearTable(ctx, t.name, cycle)
		if err == nil && !all {
			_, err = s.deletePieces(ctx, t.drop, cycle)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// clearTable empties a table that holds rows of this cycle only, which is what one finds where one job runs at a time.
// SQLite gives back its pages then, without looking at rows. It returns false when there are rows of other cycles.
func (s *Store) clearTable(ctx context.Context, table string, cycle int64) (all bool, err error) {
	if s.db.Postgres() { // which would lock out other cycles for the time that it takes to delete all rows
		return false, nil
	}
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		var others bool
		err := tx.QueryRowContext(s.db.Bare(ctx), `
SELECT EXISTS (SELECT 1 FROM `+table+` WHERE cycle < $1) OR EXISTS (SELECT 1 FROM `+table+` WHERE cycle > $1)`, cycle).Scan(&others)
		if all = err == nil && !others; all {
			_, err = tx.ExecContext(s.db.Bare(ctx), `DELETE FROM `+table)
		}
		return err
	})
	return all, err
}

// deletePieces repeats a statement, whose last placeholder is the number of rows to delete, until nothing is left.
func (s *Store) deletePieces(ctx context.Context, text string, args ...any) (total int64, err error) {
	args = append(args, deleteRows)
	for {
		var n int64
		err := s.db.Tx(ctx, func(tx *sql.Tx) error {
			result, err := tx.ExecContext(s.db.Bare(ctx), text, args...)
			if err == nil {
				n, err = result.RowsAffected()
			}
			return err
		})
		total += n
		if err != nil || n < deleteRows {
			return total, err
		}
	}
}

func (s *Store) numbers(ctx context.Context, text string, args ...any) ([]int64, error) {
	var numbers []int64
	err := database.Query(ctx, s.db.Read(), text, args, func(rows *sql.Rows) error {
		var n int64
		err := rows.Scan(&n)
		numbers = append(numbers, n)
		return err
	})
	return numbers, err
}
