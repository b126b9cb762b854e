package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// bulkRows is the number of rows in one statement. More gain nothing on SQLite and little on PostgreSQL; 64 rows of 20
// values stay far below the number of parameters that either allows.
const bulkRows = 64

// Bulk is a statement over many rows, run in pieces of at most 64 rows. Its text has one part in braces, which is
// repeated per row with commas between, and one ? per value in the order of the values; there are no other
// placeholders:
//
//	INSERT INTO links (anchor, target) VALUES {(?, ?)}
//	DELETE FROM links WHERE anchor IN ({?})
//
// Values that are the same for all rows stand before or after the braces and are given once per statement.
type Bulk struct {
	text          string
	before, after int         // values outside the braces
	row           int         // values per row
	texts         [2][]string // by dialect (0 SQLite, 1 PostgreSQL), then 1, 2, 4, ... bulkRows rows
}

// NewBulk prepares a statement for use. It panics when text has not exactly one part in braces, or the part no values.
func NewBulk(text string) *Bulk {
	head, rest, ok1 := strings.Cut(text, "{")
	group, tail, ok2 := strings.Cut(rest, "}")
	b := &Bulk{text: text, before: strings.Count(head, "?"), row: strings.Count(group, "?"), after: strings.Count(tail, "?")}
	if !ok1 || !ok2 || b.row == 0 || strings.ContainsAny(tail, "{}") {
		panic(fmt.Sprintf("database: bulk statement needs one part in braces with values: %s", text))
	}
	for n := 1; n <= bulkRows; n *= 2 {
		s := head + strings.Repeat(group+", ", n-1) + group + tail
		b.texts[0] = append(b.texts[0], s) // positional: SQLite looks named parameters up one after the other
		b.texts[1] = append(b.texts[1], number(s))
	}
	return b
}

// number replaces each ? by $1, $2, ...
func number(s string) string {
	var out strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(s, "?")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		out.WriteByte('$')
		out.WriteString(strconv.Itoa(n))
		s = after
	}
}

// Fixed is the values of a bulk statement outside its braces.
type Fixed struct{ Before, After []any }

// ExecBulk runs b for rows inside a transaction. args appends the values of one row. Rows of one piece take effect
// together, pieces in order. Rows whose keys are equal must stand next to each other, which any order by their keys sees
// to; they never share a piece, so that the later one wins (PostgreSQL refuses to upsert a row twice in one statement). It
// returns how many rows were affected.
func ExecBulk[T any, K comparable](
	ctx context.Context, db *DB, tx *sql.Tx, b *Bulk, fixed Fixed, rows []T, key func(*T) K, args func([]any, *T) []any,
) (affected int64, err error) {
	ctx = db.Bare(ctx)
	p := pieces[T]{db: db, b: b, fixed: fixed, args: args}
	full := len(b.texts[0]) - 1 // the size of a full piece
	kept := func(size int) *sql.Stmt {
		if db.driver.Postgres {
			return nil
		}
		return db.written.get(p.text(size))
	}
	var prepared *sql.Stmt // for full pieces, when there are several and none is kept
	if len(rows) >= 2*bulkRows && kept(full) == nil {
		if prepared, err = tx.PrepareContext(ctx, p.text(full)); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, prepared.Close()) }()
	}
	for part := range distinct(rows, key) {
		for size, values := range p.of(part) {
			var result sql.Result
			if size == full && prepared != nil {
				result, err = prepared.ExecContext(ctx, values...)
			} else if stmt := kept(size); stmt != nil {
				result, err = tx.StmtContext(ctx, stmt).ExecContext(ctx, values...) //nolint:sqlclosecheck // the transaction closes it
			} else {
				result, err = tx.ExecContext(ctx, p.text(size), values...)
			}
			if err != nil {
				return affected, err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return affected, err
			}
			affected += n
		}
	}
	return affected, nil
}

// Querier is a pool, connection or transaction to read from.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// QueryBulk runs b as a query for rows, piece by piece, and calls scan for every row it delivers.
func QueryBulk[T any](
	ctx context.Context, db *DB, q Querier, b *Bulk, fixed Fixed, rows []T, args func([]any, *T) []any, scan func(*sql.Rows) error,
) error {
	p := pieces[T]{db: db, b: b, fixed: fixed, args: args}
	for size, values := range p.of(rows) {
		by, err := db.querier(ctx, q, p.text(size))
		if err != nil {
			return err
		}
		if err := Query(ctx, by, p.text(size), values, scan); err != nil {
			return err
		}
	}
	return nil
}

// querier returns what a bulk query is to be run by: a prepared statement for the pool of readers, else q itself.
func (db *DB) querier(ctx context.Context, q Querier, text string) (Querier, error) {
	if db.driver.Postgres || q != Querier(db.read) {
		return q, nil
	}
	stmt := db.asked.get(text)
	if stmt == nil {
		if err := db.asked.prepare(ctx, db.read); err != nil {
			return nil, err
		}
		if stmt = db.asked.get(text); stmt == nil { // running it will say why
			return q, nil
		}
	}
	return query{stmt}, nil
}

// Query runs a query and calls scan for every row it delivers. It returns the first error, of scan, too.
func Query(ctx context.Context, q Querier, text string, args []any, scan func(*sql.Rows) error) (err error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Itself appends a value as it is: the args of a bulk statement over single values.
func Itself[T any](dst []any, v *T) []any { return append(dst, *v) }

// distinct cuts rows into parts in which no two that stand next to each other have equal keys.
func distinct[T any, K comparable](rows []T, key func(*T) K) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		from := 0
		var last K
		for i := range rows {
			k := key(&rows[i])
			if i > from && k == last {
				if !yield(rows[from:i]) {
					return
				}
				from = i
			}
			last = k
		}
		yield(rows[from:])
	}
}

type pieces[T any] struct {
	db    *DB
	b     *Bulk
	fixed Fixed
	args  func([]any, *T) []any
}

func (p *pieces[T]) text(size int) string {
	if p.db.driver.Postgres {
		return p.b.texts[1][size]
	}
	return p.b.texts[0][size]
}

// of delivers pieces of rows as the exponent of their size and their values: full ones, then halves of halves.
// The values are valid until the next piece.
func (p *pieces[T]) of(rows []T) iter.Seq2[int, []any] {
	if len(p.fixed.Before) != p.b.before || len(p.fixed.After) != p.b.after {
		panic(fmt.Sprintf("database: %d and %d values outside the braces of: %s", len(p.fixed.Before), len(p.fixed.After), p.b.text))
	}
	return func(yield func(int, []any) bool) {
		var values []any
		for size := len(p.b.texts[0]) - 1; size >= 0; size-- {
			n := 1 << size
			for len(rows) >= n {
				values = append(slices.Grow(values[:0], p.b.before+n*p.b.row+p.b.after), p.fixed.Before...)
				for i := range n {
					values = p.args(values, &rows[i])
				}
				if len(values) != p.b.before+n*p.b.row {
					panic(fmt.Sprintf("database: want %d values per row of: %s", p.b.row, p.b.text))
				}
				values = append(values, p.fixed.After...)
				if !yield(size, values) {
					return
				}
				rows = rows[n:]
			}
		}
	}
}
