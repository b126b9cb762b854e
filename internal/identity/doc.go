// Package identity holds the record that every part of Rollcall passes on: an object of a source or a target with its
// anchor and its attributes. It knows how values compare and how a record is written to bytes; it does no I/O and knows
// no connector, no job and no store.
//
// Read object.go for the record, value.go for what a value may be, codec.go for the byte form that hashes and spool
// files stand on.
package identity
