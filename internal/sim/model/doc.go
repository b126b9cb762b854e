// Package model says what a provisioning job ought to do, in the plainest terms that will serve: people, groups and
// accounts as text, no cycle, no database, no link. It imports no package of ours, so that a mistake of theirs cannot be
// a mistake here. The simulator tells it what the source delivered and what was sent to the target; it answers with what
// was wrong with that, in words.
//
// Read model.go for what it knows, permit.go for what may be sent (invariants I1 to I3), expect.go for what the target
// must show once nothing goes wrong any more (I5).
package model
