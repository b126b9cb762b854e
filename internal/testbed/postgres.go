package testbed

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	// The driver "pgx" of database/sql.
	_ "github.com/jackc/pgx/v5/stdlib"
)

const (
	postgresVariable = "ROLLCALL_TEST_POSTGRES"

	// adminTimeout bounds creating or dropping one database, which takes some 50 ms on an idle machine.
	adminTimeout = time.Minute
)

// Postgres creates an empty database on the server that ROLLCALL_TEST_POSTGRES names, and returns its postgres:// URL.
// The database is dropped when the test ends, whoever is still connected to it. Without a server the test is skipped,
// or fails if ROLLCALL_TEST_REQUIRE is set.
func Postgres(t testing.TB) string {
	t.Helper()
	server, err := url.Parse(setting(t, postgresVariable))
	if err != nil || (server.Scheme != "postgres" && server.Scheme != "postgresql") {
		// The value is not shown: it may hold a password.
		t.Fatalf("%s must be a URL like postgres://user@host:port/database", postgresVariable)
	}

	name := "rollcall_" + strings.ToLower(rand.Text())
	// Of template0, since a connection to template1, anyone's, would make it unusable as a template.
	if err := administer(t, server, fmt.Sprintf("CREATE DATABASE %s TEMPLATE template0", name)); err != nil {
		t.Fatalf("create a database on the server of %s: %v", postgresVariable, err)
	}
	t.Cleanup(func() {
		if err := administer(t, server, fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)); err != nil {
			t.Errorf("drop database %s: %v", name, err)
		}
	})

	database := *server
	database.Path = "/" + name
	return database.String()
}

// administer runs one statement on the server, on a connection of its own.
func administer(t testing.TB, server *url.URL, statement string) (err error) {
	// In a cleanup the test's context is already cancelled.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), adminTimeout)
	defer cancel()
	db, err := sql.Open("pgx", server.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, statement)
	return err
}
