// Package spool sorts the records of a full read by key without holding them in memory, so that they can be merged with
// the state of a job, which is scanned in the same order (design D15). It knows keys and bytes, nothing of objects, and
// keeps nothing beyond one comparison: its files are of no use to another process.
//
// Records are collected in memory up to a limit, sorted, and written to a file as a run; the runs are merged while they
// are read back. What fits in memory never touches the disk, and what arrives in order is one run that needs no sorting
// and no merging.
//
// Read spool.go, then run.go for the files.
package spool
