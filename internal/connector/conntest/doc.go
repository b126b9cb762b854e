// Package conntest holds the suites that every connector must pass: RunTarget for targets, RunSource for sources. The
// checks are functions that return an error, so that the suites themselves are tested: for each check there is a
// faulty double with exactly the fault that it looks for. Tests only; nothing that ships imports it.
//
// A connector's test opens a fresh and empty system for each check and says in a Subject which of its attributes play
// which part. Read target.go for what is asked, target_checks.go for the checks.
package conntest
