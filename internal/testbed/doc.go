// Package testbed hands servers to tests: a fresh PostgreSQL database, a SCIM 2.0 server that is not ours, and a strict
// OAuth 2 server and certificate authority, which need no installation.
//
// Tests only; nothing that ships imports it. The servers are installed and started by test/services.sh, which tells
// this package where they are:
//
//	ROLLCALL_TEST_POSTGRES    postgres:// URL of a server on which databases may be created
//	ROLLCALL_TEST_SCIMMY_DIR  folder of test/testbeds/scimmy after npm ci
//	ROLLCALL_TEST_REQUIRE     1: a server that is not configured fails the test instead of skipping it
//
// A test that needs a server calls [Postgres] or [Scimmy] first. Each call gives something of its own, so tests may run
// in parallel and need not tidy up. Emulated targets, which need no installation, are in internal/sandbox.
//
// Read require.go, then postgres.go and scimmy.go; oauth.go and tls.go stand alone.
package testbed
