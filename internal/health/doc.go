// Package health judges how a job is doing: when a failed object is tried again, when failures put the whole job in
// quarantine and what takes it out, what a restart resets, and when the next cycle is due (engine sections 2, 3, 10, 11
// and 14).
//
// It is arithmetic over values: it knows neither clock nor store. The engine asks it at the end of a cycle and keeps the
// answer; whoever starts cycles asks it when.
//
// Read retry.go for the schedule that objects and quarantined jobs share, quarantine.go for the verdict over a cycle,
// due.go for the next one, reset.go for restarts, credential.go for the end of a credential.
package health
