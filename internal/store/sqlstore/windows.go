package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-id/rollcall/internal/database"
)

// Reserve grants up to n calls to a site (design D2). A call stands in the window from the moment it is granted until
// the window's length after its answer, or, when no answer is ever reported, after window plus grace; so whatever
// instants between the two the target counted, no window holds more than limit. Grace must be longer than a call can
// take. The times of all processes on the database must agree to within what the target tolerates.
func (s *Store) Reserve(
	ctx context.Context, site string, n, limit int, window, grace time.Duration, now time.Time,
) (granted int, ticket int64, wait time.Duration, err error) {
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		granted, ticket, wait, err = s.reserve(s.db.Bare(ctx), tx, site, n, limit, window, grace, now.UnixMicro())
		return err
	})
	if err != nil {
		return 0, 0, 0, fmt.Errorf("reserve calls to %s: %w", site, err)
	}
	return granted, ticket, wait, nil
}

// Taking a ticket locks the site.
const takeTicket = `
INSERT INTO rate_sites (site, tickets) VALUES ($1, 1)
ON CONFLICT (site) DO UPDATE SET tickets = rate_sites.tickets + 1 RETURNING tickets`

// used is the calls that stand in the window, and the earliest time at which one leaves it: an answered one at its
// time, one without an answer not before its answer could still come.
const used = `
SELECT CAST(coalesce(sum(n), 0) AS BIGINT),
	coalesce(min(CASE WHEN answered = 1 OR leaves < $2 + length THEN leaves ELSE $2 + length END), 0)
FROM rate_calls WHERE site = $1`

const insertCalls = `INSERT INTO rate_calls (site, leaves, ticket, answered, n, length) VALUES ($1, $2, $3, $4, $5, $6)`

func (s *Store) reserve(
	ctx context.Context, tx *sql.Tx, site string, n, limit int, window, grace time.Duration, now int64,
) (granted int, ticket int64, wait time.Duration, err error) {
	if err := tx.QueryRowContext(ctx, takeTicket, site).Scan(&ticket); err != nil {
		return 0, 0, 0, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM rate_calls WHERE site = $1 AND leaves <= $2`, site, now); err != nil {
		return 0, 0, 0, err
	}
	var standing, leaves int64
	if err := tx.QueryRowContext(ctx, used, site, now).Scan(&standing, &leaves); err != nil {
		return 0, 0, 0, err
	}
	granted = min(n, max(0, limit-int(min(standing, int64(limit)))))
	if granted <= 0 {
		wait = window // nothing stands in the window and still nothing may be granted: a limit of 0
		if standing > 0 {
			wait = time.Duration(leaves-now) * time.Microsecond
		}
		return 0, 0, wait, nil
	}
	_, err = tx.ExecContext(ctx, insertCalls, site, now+(window+grace).Microseconds(), ticket, 0, granted, window.Microseconds())
	return granted, ticket, 0, err
}

var insertAnswered = database.NewBulk(`
INSERT INTO rate_calls (site, leaves, ticket, answered, n, length) VALUES {(?, ?, ?, 1, 1, ?)}
ON CONFLICT (site, leaves, ticket, answered) DO UPDATE SET n = rate_calls.n + 1`)

// Settle says when the answers of calls of a ticket came and how many of its calls are not needed; it may be called
// several times for a ticket. A ticket whose calls have left the window already is no error.
func (s *Store) Settle(ctx context.Context, site string, ticket int64, answered []time.Time, unused int) error {
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		bare := s.db.Bare(ctx)
		if _, err := tx.ExecContext(bare, `UPDATE rate_sites SET tickets = tickets WHERE site = $1`, site); err != nil {
			return err // locks the site
		}
		var leaves, open, length int64
		err := tx.QueryRowContext(bare, `DELETE FROM rate_calls WHERE site = $1 AND ticket = $2 AND answered = 0 RETURNING leaves, n, length`,
			site, ticket).Scan(&leaves, &open, &length)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		rest := open - int64(len(answered)) - int64(unused)
		if rest < 0 || unused < 0 {
			return fmt.Errorf("ticket %d has %d calls without an answer, but %d answers and %d unused calls are reported", ticket, open, len(answered), unused)
		}
		if rest > 0 {
			if _, err := tx.ExecContext(bare, insertCalls, site, leaves, ticket, 0, rest, length); err != nil {
				return err
			}
		}
		answered = slices.SortedFunc(slices.Values(answered), time.Time.Compare)
		_, err = database.ExecBulk(ctx, s.db, tx, insertAnswered, database.Fixed{}, answered,
			func(t *time.Time) int64 { return t.UnixMicro() },
			func(dst []any, t *time.Time) []any { return append(dst, site, t.UnixMicro()+length, ticket, length) })
		return err
	})
	if err != nil {
		return fmt.Errorf("settle calls to %s: %w", site, err)
	}
	return nil
}

// Standing returns how many calls stand in the window of a site (design D2).
func (s *Store) Standing(ctx context.Context, site string, now time.Time) (int, error) {
	const text = `SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM rate_calls WHERE site = $1 AND leaves > $2`
	var n int
	if err := s.db.Read().QueryRowContext(ctx, text, site, now.UnixMicro()).Scan(&n); err != nil {
		return 0, fmt.Errorf("calls to %s: %w", site, err)
	}
	return n, nil
}
