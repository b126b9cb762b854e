// Package memory is a system that lives in memory: a source, a feed of changes, a lookup and a target in one, which
// keeps the contracts of package connector to the letter. It stands in for a real system in tests of everything above
// connectors; hooks make its calls fail before or after they take effect. It is not a store: nothing outlives the
// process.
//
// Read system.go for the data and how tests fill it, source.go and target.go for the two contracts.
package memory
