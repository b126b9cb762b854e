package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/rollcall-id/rollcall/internal/database"
)

// readers is the number of connections for queries. Few are needed: a query holds one only while it runs.
const readers = 4

// Open opens the database file, creating it for its owner only if there is none. The folder must exist. The schema is
// left as it is: see database.DB.Migrate.
func Open(ctx context.Context, path string) (*database.DB, error) {
	// SQLite gives its side files the mode of the database, which holds personal data.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db, err := open(ctx, path, "NORMAL", nil)
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", path, err)
	}
	return db, nil
}

// OpenTemp opens an empty database for scratch data in a file of its own, which Close removes.
func OpenTemp(ctx context.Context) (*database.DB, error) {
	dir, err := os.MkdirTemp("", "rollcall-")
	if err != nil {
		return nil, fmt.Errorf("open a scratch database: %w", err)
	}
	remove := func() error { return os.RemoveAll(dir) }
	db, err := open(ctx, filepath.Join(dir, "scratch.db"), "OFF", remove)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a scratch database: %w", err), remove())
	}
	return db, nil
}

func open(ctx context.Context, path, synchronous string, after func() error) (*database.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	write, err := pool(path, 1, []string{
		"journal_mode(WAL)",
		"synchronous(" + synchronous + ")",
		"foreign_keys(1)",
		"cache_size(-16384)",        // KiB
		"wal_autocheckpoint(12288)", // pages: a bulk write comes back to the same pages, which are then copied once
		"journal_size_limit(67108864)",
	}, url.Values{"_txlock": {"immediate"}})
	if err != nil {
		return nil, err
	}
	// The first connection sets the journal mode, before a reader can meet the file without it.
	if err := write.PingContext(ctx); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read, err := pool(path, readers, []string{"query_only(1)", "cache_size(-4096)"}, nil)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	driver := database.Driver{
		Conflict: func(err error) bool {
			return is(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
		},
		// The one writer begins with the lock, so that only another process that held it too long can be in the way;
		// the time SQLite waited for it is patience enough.
		Again: func(error) bool { return false },
	}
	return database.New(read, write, driver, after), nil
}

// pool opens connections to one file. All settings stand in the data source name: set by a statement they would reach
// one connection of the pool only.
func pool(path string, size int, pragmas []string, options url.Values) (*sql.DB, error) {
	query := url.Values{"_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	for name, values := range options {
		query[name] = values
	}
	path = filepath.ToSlash(path)
	if path[0] != '/' { // a Windows drive: file:///C:/...
		path = "/" + path
	}
	name := url.URL{Scheme: "file", Path: path, OmitHost: false, RawQuery: query.Encode()}
	connector, err := sqlite.NewConnector(name.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(keeping{connector})
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

func is(err error, codes ...int) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.Code() == code {
			return true
		}
	}
	return false
}
