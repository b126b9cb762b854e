package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Config is what can be chosen about a directory. The zero value works.
type Config struct {
	Now   func() time.Time       // nil: the system's clock
	NewID func() (string, error) // makes the id of a new object, a GUID; nil: version 7, which grows with time
}

// Directory is the built-in directory. Its methods may be called from several goroutines at once, and by several
// processes on the same database.
type Directory struct {
	db     *database.DB
	now    func() time.Time
	newID  func() (string, error)
	users  *catalogue
	groups *catalogue
	writes committer

	programs programs // of groups by rule
}

// New returns the directory kept in db, which must have been migrated.
func New(db *database.DB, cfg Config) *Directory {
	d := &Directory{db: db, now: cfg.Now, newID: cfg.NewID,
		users:  newCatalogue(identity.User, AccountEnabled, userAttributes()),
		groups: newCatalogue(identity.Group, SecurityEnabled, groupAttributes())}
	if d.now == nil {
		d.now = time.Now
	}
	if d.newID == nil {
		// Ids that grow are appended to the end of the tables' trees, which is several times faster than random ones.
		d.newID = func() (string, error) {
			id, err := uuid.NewV7()
			return id.String(), err
		}
	}
	d.writes.run = d.group
	return d
}

// catalogue returns the attributes of a kind.
func (d *Directory) catalogue(op string, kind identity.Kind) (*catalogue, error) {
	switch kind {
	case identity.User:
		return d.users, nil
	case identity.Group:
		return d.groups, nil
	}
	return nil, invalid(op, codeUnknownAttr, fmt.Sprintf("the directory has no objects of type %q", kind), "it has User and Group")
}

// Schema describes users and groups, own extensions that have been written so far included.
func (d *Directory) Schema(ctx context.Context) (schema.Schema, error) {
	var out schema.Schema
	for _, c := range []*catalogue{d.users, d.groups} {
		names, err := texts(ctx, d.db.Read(), `SELECT name FROM dir_extension WHERE kind = $1 ORDER BY name`, c.kind)
		if err != nil {
			return nil, fmt.Errorf("directory: read own extensions: %w", err)
		}
		out = append(out, schemaOf(c, names))
	}
	return out, nil
}

// Batch runs f in one transaction: all it does takes effect, or nothing. A thousand creates in a batch cost a small
// part of what they cost one by one. f uses the Tx for all it does, from one goroutine; it may be called again when
// the database broke off a transaction (database.DB.Tx). It returns the errors of Tx's methods, but for those this
// package has names for (ErrNotFound and so on): a refused call has changed nothing, and f may go on.
func (d *Directory) Batch(ctx context.Context, f func(*Tx) error) error {
	err := d.db.Tx(ctx, func(tx *sql.Tx) error {
		t, err := d.begin(ctx, tx)
		if err != nil {
			return err
		}
		if err := f(t); err != nil {
			return err
		}
		if t.broken {
			return errPartial
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	return nil
}

// write runs one operation in a transaction that it may share with others.
func (d *Directory) write(ctx context.Context, f func(*Tx) error) error {
	if err := d.writes.do(ctx, f); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	return nil
}

// begin makes a Tx of a transaction and takes the next number of the sequence. The number's row stays locked until
// the transaction ends. Hence numbers become visible in their order, which the feed stands on, and what a Tx
// has read stays true until it writes, on PostgreSQL too.
func (d *Directory) begin(ctx context.Context, tx *sql.Tx) (*Tx, error) {
	t := &Tx{dir: d, ctx: d.db.Bare(ctx), tx: tx, prepared: map[string]*sql.Stmt{}, now: database.Micros(d.now())}
	const next = `UPDATE dir_counter SET last = last + 1 WHERE id = 1 RETURNING last`
	if err := tx.QueryRowContext(t.ctx, next).Scan(&t.seq); err != nil {
		return nil, fmt.Errorf("take a sequence number: %w", err)
	}
	return t, nil
}

// Tx is a transaction of the directory. It is used by one goroutine.
type Tx struct {
	dir      *Directory
	ctx      context.Context
	tx       *sql.Tx
	prepared map[string]*sql.Stmt
	seq      int64
	now      int64 // microseconds
	wrote    int   // statements that changed something
	broken   bool  // an operation gave up after it had written
	known    map[extension]bool
	rules    []groupRule // in force; nil until they are read
}

type extension struct {
	kind identity.Kind
	name string
}

// guard notes at the end of an operation whether it left the transaction as it should: done, or refused before
// anything was written. It is deferred with the count of writes at the beginning.
func (t *Tx) guard(before int, err *error) {
	if *err != nil && (t.wrote > before || !refused(*err)) {
		t.broken = true
	}
}

// stmt prepares a statement once for the transaction, with which it is closed.
func (t *Tx) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.prepared[query]; ok {
		return s, nil
	}
	s, err := t.tx.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, err
	}
	t.prepared[query] = s
	return s, nil
}

// exec runs a statement that writes and returns how many rows it changed.
func (t *Tx) exec(query string, args ...any) (int64, error) {
	t.wrote++
	s, err := t.stmt(query) //nolint:sqlclosecheck // closed with the transaction
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// row runs a query and scans its only row; found is false when there is none.
func (t *Tx) row(dest []any, query string, args ...any) (found bool, err error) {
	s, err := t.stmt(query) //nolint:sqlclosecheck // closed with the transaction
	if err != nil {
		return false, err
	}
	err = s.QueryRowContext(t.ctx, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// texts returns the only column of a query, a text.
func (t *Tx) texts(query string, args ...any) ([]string, error) {
	return texts(t.ctx, t.tx, query, args...)
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func texts(ctx context.Context, q querier, query string, args ...any) (out []string, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// chunk is how many values one statement lists. Statements of full chunks are all the same and so prepared once.
const chunk = 100

// chunks calls f with parts of list, each with a list of placeholders for it that starts at number first.
func chunks(list []string, first int, f func(placeholders string, args []any) error) error {
	for part := range slices.Chunk(list, chunk) {
		args := make([]any, len(part))
		for i, s := range part {
			args[i] = s
		}
		if err := f(placeholders(first, len(part)), args); err != nil {
			return err
		}
	}
	return nil
}

// placeholders writes n of them from number first on: ($3, $4, $5).
func placeholders(first, n int) string {
	b := make([]byte, 0, 2+5*n)
	b = append(b, '(')
	for i := range n {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(append(b, '$'), int64(first+i), 10)
	}
	return string(append(b, ')'))
}

// rowsOf writes n groups of placeholders, each of the given width: ($1, $2), ($3, $4).
func rowsOf(n, width int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(placeholders(1+i*width, width))
	}
	return b.String()
}
