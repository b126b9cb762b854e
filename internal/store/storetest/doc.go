// Package storetest is the suite that every implementation of the roles of package store passes: each check is what the
// contract in store/roles.go promises, run against a store of its own. Tests only.
//
// Checks return errors, so that the suite itself is tested: a store with one fault each must fail the check that looks
// for it (faults_test.go).
//
// Read suite.go, then the file of a role.
package storetest
