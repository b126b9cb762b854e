// Package repo holds tests of the repository itself: that the linter's configuration holds the import rule, that every
// package is listed where newcomers and the linter look for it, and that test/services.sh starts and stops servers as
// it says. It has no code of its own.
package repo
