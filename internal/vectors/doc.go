// Package vectors reads and runs test vectors: cases that say which value an expression has for given attributes, whether
// a scoping filter lets an object in, and what a SCIM path, filter or PATCH does. They are Rollcall's own conformance
// tests and, in the same form, an administrator's unit tests for mappings and filters (`rollcall test`, design 6.1).
//
// It is not for testing whole jobs: that is what `rollcall plan` is for.
//
// Read load.go for the form of a file, case.go for how a case is run, and expression.go, scoping.go, rule.go and scim.go for
// each kind of case; value.go compares and shows values.
package vectors
