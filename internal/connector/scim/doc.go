// Package scim is the target connector for SCIM 2.0 servers (RFC 7643, RFC 7644). It speaks four dialects (design
// D16): rfc, which is the standard to the letter; the two of the reference service, entra2020 and legacy, which most
// servers in the field were built against; and leapsome, that of one application. Switches cover what other single
// targets want otherwise; docs/scim-dialects.md shows what each of them sends.
//
// It decides nothing about people: it turns objects into requests and answers into objects, and says what an answer
// means. Pacing and repeats are those of package httpx; attribute paths, filters and messages those of package
// internal/scim.
//
// Settings, credential and connection are those of package web.
//
// Read settings.go and config.go for what can be set, client.go for one exchange, target.go and list.go for the
// contracts, body.go, patch.go, roles.go, put.go and leapsome.go for what is written in each dialect, cost.go for how many
// calls that takes, read.go for what is read, limit.go for what a target makes of texts, classify.go and check.go for what
// an answer means, fallback.go and members.go for what is tried when a server refuses; discover.go for what a server says
// of itself, examine.go for what an administrator is told about it.
package scim

//go:generate go test -run ^TestDialectsPage$ -update .
