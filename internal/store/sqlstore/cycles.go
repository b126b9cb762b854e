package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/store"
)

const selectCycles = `
SELECT c.id, j.id, c.type, c.state, c.phase, c.version, c.began, c.ended, c.counts, c.requests, c.planned, c.done,
	c.watermark, c.held, c.error_code, c.error, c.checkpoint, c.plan
FROM cycles c JOIN jobs j ON j.num = c.job`

// Cycle returns one cycle; store.ErrNotFound.
func (s *Store) Cycle(ctx context.Context, id string) (store.Cycle, error) {
	c, err := scanCycle(s.db.Read().QueryRowContext(ctx, selectCycles+` WHERE c.id = $1`, id))
	if err != nil {
		return store.Cycle{}, fmt.Errorf("cycle %s: %w", id, err)
	}
	return c, nil
}

// CycleOfPlan returns the cycle that carries or has carried a saved plan out; store.ErrNotFound.
func (s *Store) CycleOfPlan(ctx context.Context, plan string) (store.Cycle, error) {
	if plan == "" { // the mark of cycles without one
		return store.Cycle{}, fmt.Errorf("cycle of a plan without an id: %w", store.ErrNotFound)
	}
	c, err := scanCycle(s.db.Read().QueryRowContext(ctx, selectCycles+` WHERE c.plan = $1 AND c.plan <> ''`, plan))
	if err != nil {
		return store.Cycle{}, fmt.Errorf("cycle of plan %s: %w", plan, err)
	}
	return c, nil
}

// CyclesOf returns the newest cycles of a job, newest first; a job that does not exist has none.
func (s *Store) CyclesOf(ctx context.Context, jobID string, limit int) ([]store.Cycle, error) {
	var cycles []store.Cycle
	err := database.Query(ctx, s.db.Read(), selectCycles+` WHERE j.id = $1 ORDER BY c.num DESC LIMIT $2`, []any{jobID, limit}, func(rows *sql.Rows) error {
		c, err := scanCycle(rows)
		cycles = append(cycles, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cycles of job %s: %w", jobID, err)
	}
	return cycles, nil
}

const upsertCycle = `
INSERT INTO cycles (id, job, type, state, phase, version, began, ended, counts, requests, planned, done, watermark, held,
	error_code, error, checkpoint, plan)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (id) DO UPDATE SET type = excluded.type, state = excluded.state, phase = excluded.phase,
	version = excluded.version, began = excluded.began, ended = excluded.ended, counts = excluded.counts,
	requests = excluded.requests, planned = excluded.planned, done = excluded.done, watermark = excluded.watermark,
	held = excluded.held, error_code = excluded.error_code, error = excluded.error, checkpoint = excluded.checkpoint,
	plan = excluded.plan
WHERE cycles.job = excluded.job
RETURNING num`

// putCycle inserts or replaces a cycle of the job with this number and returns the cycle's number.
func (s *Store) putCycle(ctx context.Context, tx *sql.Tx, job int64, c *store.Cycle) (num int64, err error) {
	if !database.ValidKey(c.ID) {
		return 0, keyError("cycle id", c.ID)
	}
	counts, err := document(&c.Counts)
	if err != nil {
		return 0, err
	}
	requests, err := document(&c.Requests)
	if err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, upsertCycle, c.ID, job, string(c.Type), string(c.State), string(c.Phase), c.Version,
		database.Micros(c.Began), database.Micros(c.Ended), counts, requests, c.Planned, c.Done, c.Watermark, c.Held,
		c.ErrorCode, database.Text(c.Error), database.Blob(c.Checkpoint), c.Plan).Scan(&num)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("cycle %s belongs to another job: %w", c.ID, store.ErrConflict)
	}
	return num, err
}

func scanCycle(row scanner) (store.Cycle, error) {
	var c store.Cycle
	var began, ended int64
	var counts, requests []byte
	err := row.Scan(&c.ID, &c.JobID, &c.Type, &c.State, &c.Phase, &c.Version, &began, &ended, &counts, &requests, &c.Planned,
		&c.Done, &c.Watermark, &c.Held, &c.ErrorCode, &c.Error, &c.Checkpoint, &c.Plan)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Cycle{}, store.ErrNotFound
	}
	if err != nil {
		return store.Cycle{}, err
	}
	n, err := fromDocument[store.Counts](counts)
	if err != nil {
		return store.Cycle{}, err
	}
	if n != nil {
		c.Counts = *n
	}
	r, err := fromDocument[store.Requests](requests)
	if err != nil {
		return store.Cycle{}, err
	}
	if r != nil {
		c.Requests = *r
	}
	c.Began, c.Ended = database.Time(began), database.Time(ended)
	return c, nil
}
