// Package directory is the connector to Rollcall's built-in directory, as a source with a change feed and as a target.
// It does not know package internal/directory: it declares what it needs of it (Reader, Writer), and cmd/rollcall hands
// that in.
//
// Attributes have the directory's own names (design 6.2). As a source it delivers soft-deleted objects marked as
// such, a user's manager and a group's members as identity.Ref, and with every object its assignment to the
// application of the job. As a target it makes no calls that count: operations go straight to the database.
//
// Read source.go, then target.go.
package directory
