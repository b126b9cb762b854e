// Package plan turns what should be and what is into a list of changes: it decides the action for one object, computes
// the difference of attributes, and holds the deletion guard and the half rule. It is pure: values in, values out, no
// clock, network or database, which is what makes a dry run truthful.
//
// Read decide.go for the action, diff.go for the attributes, guard.go for what is held back, change.go for the
// documents that people and scripts get to see (design 6.1).
package plan
