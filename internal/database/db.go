package database

import (
	"context"
	"database/sql"
	"errors"
)

// Driver is what the packages sqlite and postgres know of their driver.
type Driver struct {
	// Postgres tells PostgreSQL from SQLite.
	Postgres bool
	// Conflict tells whether an error is the violation of a unique or primary key.
	Conflict func(error) bool
	// Again tells whether a transaction failed only because of others running beside it, so that it can be repeated.
	Again func(error) bool
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	read, write *sql.DB
	driver      Driver
	after       func() error

	written, asked statements // of the pools write and read; SQLite only
}

// New wraps opened pools; read and write may be the same. after runs when both are closed and may be nil.
func New(read, write *sql.DB, driver Driver, after func() error) *DB {
	return &DB{read: read, write: write, driver: driver, after: after}
}

// Read returns the pool for queries outside a transaction. On SQLite its connections cannot write.
func (db *DB) Read() *sql.DB { return db.read }

// Postgres tells whether the database is PostgreSQL; otherwise it is SQLite.
func (db *DB) Postgres() bool { return db.driver.Postgres }

// Conflict tells whether err is the violation of a unique or primary key.
func (db *DB) Conflict(err error) bool { return err != nil && db.driver.Conflict(err) }

// attempts is how often Tx runs a transaction that the database gave up in favour of another.
const attempts = 5

// Tx runs f in a transaction and commits it if f returns nil. f may be called again when the database broke the
// transaction off in favour of another (a deadlock of PostgreSQL), so it must not change anything but the database.
// ctx is watched while waiting for the writer and before the commit.
func (db *DB) Tx(ctx context.Context, f func(*sql.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.once(ctx, f)
		if err == nil || attempt == attempts || ctx.Err() != nil || !db.driver.Again(err) {
			return err
		}
	}
}

func (db *DB) once(ctx context.Context, f func(*sql.Tx) error) (err error) {
	if err := db.written.prepare(ctx, db.write); err != nil {
		return err
	}
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	tx, err := conn.BeginTx(db.Bare(ctx), nil)
	if err != nil {
		return err
	}
	defer func() {
		// Also on a panic of f. After a commit, or a rollback by the driver, there is nothing left to roll back.
		if e := tx.Rollback(); e != nil && !errors.Is(e, sql.ErrTxDone) && err == nil {
			err = e
		}
	}()
	if err := f(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return tx.Commit()
}

// Bare returns the context for the statements inside Tx. On SQLite it is never done: watching a context costs a
// goroutine per statement, more than the statement, and Tx looks at ctx before the commit. On PostgreSQL, where a
// statement waits for the network, it is ctx.
func (db *DB) Bare(ctx context.Context) context.Context {
	if db.driver.Postgres {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// Close closes the database. Transactions under way end first.
func (db *DB) Close() error {
	errs := []error{db.write.Close()}
	if db.read != db.write {
		errs = append(errs, db.read.Close())
	}
	if db.after != nil {
		errs = append(errs, db.after())
	}
	return errors.Join(errs...)
}
