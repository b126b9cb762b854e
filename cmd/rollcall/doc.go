// Command rollcall keeps every application's list of users in step with the directory.
//
// It is the one place that names concrete connectors and databases. Read main.go for how a command line becomes a
// command, registry.go for the connectors there are, open.go for how the state is opened, exit.go for the exit codes,
// and then one file per command.
package main

//go:generate go test -run ^TestReferenceIsUpToDate$ -update .
