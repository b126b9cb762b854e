package health

import "time"

// GiveUpAfter is how long after its first failure an object is retried, and how long a job stays in quarantine before it
// is disabled (engine.R12, R103, R113).
const GiveUpAfter = 28 * 24 * time.Hour

// PromptRetries is in how many of the next cycles a transient failure is tried again before it waits like any other
// (engine.R103).
const PromptRetries = 3

// Attempt returns the first point after now of the schedule that begins with a first failure: 6, 12 and 24 hours after
// it, then every 24 hours, up to 28 days (engine.R103, R111). After the last point it returns the zero time.
func Attempt(first, now time.Time) time.Time {
	for _, wait := range []time.Duration{6 * time.Hour, 12 * time.Hour} {
		if at := first.Add(wait); at.After(now) {
			return at
		}
	}
	for wait := 24 * time.Hour; wait <= GiveUpAfter; wait += 24 * time.Hour {
		if at := first.Add(wait); at.After(now) {
			return at
		}
	}
	return time.Time{}
}

// Retry says when an object that has just failed is tried again although nothing about it changed, and whether it is
// given up until it changes. attempts is how often it has failed by now, transient whether the fault may pass by itself.
func Retry(first time.Time, attempts int, transient bool, now time.Time) (next time.Time, giveUp bool) {
	if next = Attempt(first, now); next.IsZero() {
		return time.Time{}, true
	}
	if transient && attempts <= PromptRetries {
		next = now
	}
	return next, false
}
