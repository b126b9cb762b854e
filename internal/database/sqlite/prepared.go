package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// keeping is a driver whose connections keep the statements that they have run prepared. SQLite takes longer to prepare
// most of our statements than to run them, and the driver prepares a statement anew each time. There are as many as
// there are texts in the program, but for those of other sizes of a bulk, so the number is bounded.
type keeping struct{ driver.Connector }

// Connect implements driver.Connector.
func (k keeping) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	whole, ok := c.(connection)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver of SQLite has connections of the type %T, which lack a method", c), c.Close())
	}
	return &conn{connection: whole, kept: map[string]*statement{}}, nil
}

// connection is what the driver's connections can do.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

const (
	mostKept    = 256     // statements of one connection
	longestKept = 4 << 10 // bytes of a text; longer ones are bulks, which package database keeps by itself
)

// conn is a connection; it serves one goroutine at a time.
type conn struct {
	connection
	kept map[string]*statement
}

// statement is one that is kept; it is busy while its rows are read, and then a second query of the same text has to
// prepare another.
type statement struct {
	driver.StmtExecContext
	driver.StmtQueryContext
	busy bool
}

// statement returns the statement of a text that nobody uses at the moment, nil for none.
func (c *conn) statement(ctx context.Context, text string) (*statement, error) {
	if s := c.kept[text]; s != nil {
		if s.busy {
			return nil, nil
		}
		return s, nil
	}
	if len(text) > longestKept || len(c.kept) >= mostKept {
		return nil, nil
	}
	prepared, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	exec, ok1 := prepared.(driver.StmtExecContext)
	query, ok2 := prepared.(driver.StmtQueryContext)
	if !ok1 || !ok2 {
		return nil, errors.Join(fmt.Errorf("the driver of SQLite has statements of the type %T, which lack a method", prepared), prepared.Close())
	}
	s := &statement{StmtExecContext: exec, StmtQueryContext: query}
	c.kept[text] = s
	return s, nil
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return c.connection.ExecContext(ctx, text, args)
	}
	return s.ExecContext(ctx, args)
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return c.connection.QueryContext(ctx, text, args)
	}
	r, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &rows{Rows: r, of: s}, nil
}

// Close implements driver.Conn.
func (c *conn) Close() error {
	var errs []error
	for _, s := range c.kept {
		if stmt, ok := s.StmtExecContext.(driver.Stmt); ok {
			errs = append(errs, stmt.Close())
		}
	}
	clear(c.kept)
	return errors.Join(append(errs, c.connection.Close())...)
}

// rows give their statement back when they are closed.
type rows struct {
	driver.Rows
	of *statement
}

// Close implements driver.Rows.
func (r *rows) Close() error {
	r.of.busy = false
	return r.Rows.Close()
}
