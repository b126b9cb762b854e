// Package engine runs provisioning cycles: it reads the source, compares with what is known, decides, and writes to the
// target, in slices that a crash, a pause or a full rate window can end at any moment without anything being lost or
// done twice.
//
// Read in this order:
//
//	cycle.go       the cycle from top to bottom
//	reconcile.go   the target's accounts against what was written to them (design D3), drift.go what follows
//	read.go        the source against the state, merged in the order of anchors (design D15)
//	evaluate.go    one object: scope, mapping, what follows for its account
//	accounts.go    matching: the index of accounts, filter queries, what the answers mean
//	unique.go      values chosen among candidates: SelectUniqueValue
//	refresh.go     accounts read before they are updated, where the settings ask for it
//	doubt.go       creates of which nobody knows whether they took effect
//	references.go  managers and members: compared, ordered, healed (design D1, D4)
//	renewed.go     references to accounts that were made anew, memberships of accounts that are enabled (engine.R88)
//	guard.go       what is held back (design D6)
//	lease.go       the right to work on the job, asked for before each call
//	export.go      the work list, sent by many workers in a set order, committed in groups
//	claims.go      whose the accounts of a slice are, before the state shows it
//	write.go       one object, written; write_references.go its manager or members
//	refused.go     what was refused as a whole, sent in parts
//	outcome.go     what is remembered of it afterwards
//	life.go        what the end of a cycle means for its job; pause, start, restart
//
// undo.go puts a work list together from the log of another cycle, undoing.go decides what of it is taken back (design D5).
//
// plan.go runs the same code up to the export and tells what would be sent; saved.go holds a cycle to a plan that was
// saved. once.go runs it for single objects that a person asks for; find.go finds out whom they mean, once_report.go tells what became of them, once_steps.go each step.
//
// task.go holds what is remembered of an object between these steps, record.go makes log records, failure.go is the one
// place that reacts to errors. The engine sees connectors and the store through interfaces only.
package engine
