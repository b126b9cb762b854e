package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

const selectLog = `
SELECT l.id, j.id, l.cycle_id, l.at, l.action, l.status, l.rule, l.source_id, l.source_name, l.target_id, l.error_code, l.doc, l.seq
FROM provisioning_log l JOIN jobs j ON j.num = l.job`

// defaultRecords is how many records a query without a limit returns.
const defaultRecords = 1000

// Records returns records of the provisioning log (engine.R145) by time; those of the same instant in the order in
// which they were written. Since is the first instant that counts, Until the first that no longer does. store.ErrNotFound
// when the record to continue after is gone.
func (s *Store) Records(ctx context.Context, q store.LogQuery) ([]store.LogRecord, error) {
	var where []string
	var args []any
	// add appends a condition in which ? stands for the value.
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args))))
	}
	switch {
	case q.JobID == "":
	case q.CycleID == "":
		add(`l.job = (SELECT num FROM jobs WHERE id = ?)`, q.JobID)
	default:
		// The sign keeps SQLite, which takes one index for as good as the other, from going through all records of the
		// job instead of those of the cycle.
		add(`+l.job = (SELECT num FROM jobs WHERE id = ?)`, q.JobID)
	}
	if q.CycleID != "" {
		add(`l.cycle_id = ?`, q.CycleID)
	}
	if q.Status != "" {
		add(`l.status = ?`, q.Status)
	}
	if q.Action != "" {
		add(`l.action = ?`, q.Action)
	}
	if !q.Since.IsZero() {
		add(`l.at >= ?`, database.Micros(q.Since))
	}
	if !q.Until.IsZero() {
		add(`l.at < ?`, database.Micros(q.Until))
	}
	if q.Source != "" {
		add(`l.source_id = ?`, database.Text(q.Source))
	}
	if q.Identity != "" {
		identityText := database.Text(q.Identity)
		add(`(l.source_id = ? OR l.target_id = ?`, identityText)
		where[len(where)-1] += ` OR l.name_fold LIKE $` + strconv.Itoa(len(args)+1) + ` ESCAPE '!')`
		args = append(args, "%"+likeEscaper().Replace(identity.Fold(identityText))+"%")
	}
	order, beyond := `DESC`, `<`
	if q.Ascending {
		order, beyond = `ASC`, `>`
	}
	if q.After != "" {
		var at, seq int64
		if err := s.db.Read().QueryRowContext(ctx, `SELECT at, seq FROM provisioning_log WHERE id = $1`, q.After).Scan(&at, &seq); err != nil {
			return nil, fmt.Errorf("log record %s, to continue after: %w", q.After, notFound(err))
		}
		n := len(args)
		args = append(args, at, seq)
		where = append(where, fmt.Sprintf(`(l.at, l.seq) %s ($%d, $%d)`, beyond, n+1, n+2))
	}
	text := selectLog
	if len(where) > 0 {
		text += "\nWHERE " + strings.Join(where, " AND ")
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultRecords
	}
	args = append(args, limit)
	text += fmt.Sprintf("\nORDER BY l.at %s, l.seq %s LIMIT $%d", order, order, len(args))

	var records []store.LogRecord
	err := database.Query(ctx, s.db.Read(), text, args, func(rows *sql.Rows) error {
		var r store.LogRecord
		var at, seq int64
		err := rows.Scan(&r.ID, &r.JobID, &r.CycleID, &at, &r.Action, &r.Status, &r.Rule, &r.SourceID, &r.SourceName, &r.TargetID, &r.ErrorCode, &r.Doc, &seq)
		if err != nil {
			return err
		}
		r.At = database.Time(at)
		r.Doc, err = r.JSON()
		records = append(records, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the provisioning log: %w", err)
	}
	return records, nil
}

// likeEscaper makes a text stand for itself in LIKE … ESCAPE '!'.
func likeEscaper() *strings.Replacer {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")
}

// Prune removes records older than the time, and what deleted jobs left behind. It returns the number of records.
func (s *Store) Prune(ctx context.Context, before time.Time) (int64, error) {
	const text = `
DELETE FROM provisioning_log WHERE seq IN (SELECT seq FROM provisioning_log WHERE job = $1 AND at < $2 ORDER BY at, seq LIMIT $3)`
	var total int64
	jobs, err := s.numbers(ctx, `SELECT num FROM jobs ORDER BY num`)
	for _, job := range jobs {
		if err != nil {
			break
		}
		var n int64
		n, err = s.deletePieces(ctx, text, job, database.Micros(before))
		total += n
	}
	if err != nil {
		return total, fmt.Errorf("prune the provisioning log: %w", err)
	}
	return total, s.sweep(ctx)
}
