// Package story tests Rollcall as an administrator meets it: the built program is run as processes of its own, against
// emulated and real targets, and what it says and leaves behind is compared with what the source files say.
//
// It is no place for the details of one package, which has tests of its own; a test belongs here when it needs the
// whole program: several cycles in a row, a killed process, a broken file, a target that misbehaves. It has no code
// besides its tests.
//
// Read program_test.go (how the program is run), world_test.go (one test's folder, app files and target) and
// company_test.go (what the files say of people), then any of the tests; story_test.go is the longest tale.
package story
