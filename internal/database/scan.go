package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// Scan runs a query on the readers and calls row for every row it delivers, with the values as the driver gives them:
// int64, string, []byte or nil. It is for queries over a million rows, where finding out how to store each value in a
// variable, as database/sql does, takes half of the time. Arguments are int64 or string. The values, but not what they
// point to, are valid until row returns; row must not use the database.
func (db *DB) Scan(ctx context.Context, text string, args []any, row func(values []driver.Value) error) error {
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		switch a.(type) {
		case int64, string:
		default:
			return fmt.Errorf("database: %T as an argument of Scan", a)
		}
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	const tries = 3 // of connections that turn out to be dead, as database/sql does it
	for try := 1; ; try++ {
		delivered, err := db.scan(ctx, text, named, row)
		if delivered || try == tries || !errors.Is(err, driver.ErrBadConn) {
			return err
		}
	}
}

func (db *DB) scan(ctx context.Context, text string, args []driver.NamedValue, row func([]driver.Value) error) (delivered bool, err error) {
	conn, err := db.read.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	err = conn.Raw(func(raw any) (err error) {
		queryer, ok := raw.(driver.QueryerContext)
		if !ok {
			return fmt.Errorf("database: a connection %T cannot run queries", raw)
		}
		rows, err := queryer.QueryContext(ctx, text, args)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		values := make([]driver.Value, len(rows.Columns()))
		for {
			if err := rows.Next(values); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			delivered = true
			if err := row(values); err != nil {
				return err
			}
		}
	})
	return delivered, err
}
