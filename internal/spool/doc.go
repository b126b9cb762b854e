// Package spool sorts more records than memory holds: the full read of a source goes in as it comes, and comes out in
// the byte order of its keys, ready to be merged with the state (design D15). Records beyond the memory bound are
// written to temporary files, sorted run by run, and merged.
//
// It knows nothing of what a record means and keeps nothing after Close.
package spool
