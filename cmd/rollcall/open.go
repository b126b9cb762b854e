package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/database/postgres"
	"github.com/rollcall-id/rollcall/internal/database/sqlite"
	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
)

// stateFile is the name of the embedded database in the data directory.
const stateFile = "rollcall.db"

// state is everything that is kept, opened.
type state struct {
	db    *database.DB
	Store *sqlstore.Store
	Dir   *directory.Directory

	asked map[string]connector.Count // calls that asking the target of a job took, by its id, until a cycle counts them
}

// open opens the state and brings its schema up to date. The data directory is made when it does not exist.
func (c *cli) open(ctx context.Context) (*state, error) {
	db, err := c.openDatabase(ctx)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bring the database up to date: %w", err), db.Close())
	}
	return &state{db: db, Store: sqlstore.New(db), Dir: directory.New(db, directory.Config{Now: c.Now}),
		asked: map[string]connector.Count{}}, nil
}

// hasState tells whether there is a state to open, so that looking into it makes none.
func (c *cli) hasState() bool {
	if c.DB != "" {
		return true
	}
	_, err := os.Stat(filepath.Join(c.Data, stateFile))
	return err == nil
}

// look opens the state as it is, for reading alone: its schema may be that of another version.
func (c *cli) look(ctx context.Context) (*state, error) {
	db, err := c.openDatabase(ctx)
	if err != nil {
		return nil, err
	}
	return &state{db: db, Store: sqlstore.New(db)}, nil
}

func (c *cli) openDatabase(ctx context.Context) (*database.DB, error) {
	if c.DB != "" {
		if !strings.HasPrefix(c.DB, "postgres://") && !strings.HasPrefix(c.DB, "postgresql://") {
			return nil, usagef("--db: a PostgreSQL URL is wanted: postgres://user@host/database")
		}
		return postgres.Open(ctx, c.DB)
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, usagef("data directory: %v; choose another with --data or ROLLCALL_DATA", err)
	}
	return sqlite.Open(ctx, filepath.Join(c.Data, stateFile))
}

// Close closes the state.
func (s *state) Close() error { return s.db.Close() }

// withState runs f over the opened state and closes it.
func (c *cli) withState(ctx context.Context, f func(*state) error) (err error) {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(s)
}
