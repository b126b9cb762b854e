// Package mapping turns a source object into the values that its account should have. A rule's attribute mappings are
// compiled once per cycle and evaluated once per object; the result is data that package plan compares with what the
// account has. Nothing here knows a target or a store.
//
// Read attribute.go for one mapping as people write it, compile.go for the check, eval.go for the evaluation,
// unique.go for values that are chosen among candidates.
package mapping
