// Package job holds the definition of a provisioning job and its own checks: one source, one target, rules and
// settings. It reads no file (package appfile does) and runs nothing (package engine does).
//
// Read job.go for what a job is, settings.go for the defaults, validate.go and rule.go for what makes a job valid, and
// nearest.go for the "did you mean" of its hints.
package job
