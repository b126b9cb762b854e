//go:build race

package expr

// The race detector makes pools forget things at random, so that allocations cannot be counted.
const raceDetector = true
