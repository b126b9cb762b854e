package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rollcall-id/rollcall/internal/database"
)

const (
	connections = 16 // a process needs few: a cycle writes in batches
	idle        = 4
	lifetime    = time.Hour // after which a connection is replaced, so that a failover or a new address is noticed
)

// Open connects to the database of a postgres:// URL or a connection string of key=value pairs, which may leave
// settings to the usual PG… environment variables. The schema is left as it is: see database.DB.Migrate. Errors never
// show the password.
func Open(ctx context.Context, dsn string) (*database.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The error is not passed on: it quotes the address, in which a password cannot always be told from the rest.
		return nil, errors.New("the address of the PostgreSQL database cannot be read: write it like postgres://user:password@host:5432/rollcall?sslmode=require, with other characters than letters and digits in the password percent-encoded")
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(idle)
	db.SetConnMaxLifetime(lifetime)
	where := fmt.Sprintf("PostgreSQL database %s on %s:%d", config.Database, config.Host, config.Port)
	var encoding string
	if err := db.QueryRowContext(ctx, `SHOW server_encoding`).Scan(&encoding); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the %s: %w", where, err), db.Close())
	}
	if encoding != "UTF8" {
		return nil, errors.Join(fmt.Errorf("the %s has encoding %s: create it with ENCODING 'UTF8' TEMPLATE template0", where, encoding), db.Close())
	}
	driver := database.Driver{
		Postgres: true,
		Conflict: func(err error) bool { return is(err, "23505") },          // unique_violation
		Again:    func(err error) bool { return is(err, "40001", "40P01") }, // serialization_failure, deadlock_detected
	}
	return database.New(db, db, driver, nil), nil
}

func is(err error, codes ...string) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.Code == code {
			return true
		}
	}
	return false
}
