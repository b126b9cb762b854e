// Package replay sends the same requests to the sandbox "scim" and to a SCIM server that is not ours (scimmy, see
// test/testbeds/scimmy), by plain net/http, and compares the answers one by one. Our client and our sandbox share
// internal/scim, so they would agree on a misreading of the RFCs; this is where a misreading shows.
//
// Every difference stands in a table with an explanation by RFC 7643 or RFC 7644. A difference that is not in the table
// fails, and so does an entry of the table that has ceased to occur. docs/sandbox-vs-scimmy.md is made from the table.
//
// It is no test of scimmy, and none of what the sandbox does beyond SCIM. It has no code besides its tests.
//
// Read script_test.go (what a request is) and the script_ files, server_test.go (who is asked), facts_test.go (what of
// an answer is compared), compare_test.go (how), table_test.go and the differences_ files (the table), then replay_test.go
// and connector_test.go (which requests are sent).
package replay

//go:generate go test -run ^TestDocumentIsUpToDate$ -update .
