// Package sandbox emulates the applications Rollcall provisions to, so that a job can be tried out, demonstrated
// and tested without an account anywhere. It serves `rollcall sandbox`, the demo, and tests.
//
// An emulation keeps to what is known of the real application: paths, credentials, required and filterable
// attributes, limits, error answers. It is no identity server: everything is in memory and gone at the end, and
// what the real application does beyond its provisioning interface is not there. The engine never imports it.
//
// Every server also answers below /_sandbox/ at the root of its host, to callers on the same machine only and
// without a credential: the requests it got, what it holds, who could sign in, faults to come, and a reset.
//
// Read sandbox.go (table of emulations), exchange.go (what happens to each request), admin.go (/_sandbox/), then
// scim.go and the other scim_ files, and, for an interface that is not SCIM, litmos_api.go with its files. A new
// emulation is one file with a function for the table. Where the documents of an application are silent the comment on
// the emulation says what it assumes.
package sandbox
