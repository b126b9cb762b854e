package sandbox

import (
	"sync"
	"time"
)

// limiter takes a number of requests in any rolling window of time, counted when they arrive. Refused requests do
// not count.
type limiter struct {
	window time.Duration

	mu    sync.Mutex
	taken []time.Time // ring of the last len(taken) requests taken; nil: no limit
	next  int         // place of the oldest
}

func newLimiter(requests int, window time.Duration) *limiter {
	l := &limiter{window: window}
	if requests > 0 {
		l.taken = make([]time.Time, requests)
	}
	return l
}

// take counts a request if the limit allows; if not, wait says how long until it will.
func (l *limiter) take(now time.Time) (wait time.Duration, ok bool) {
	if l.taken == nil {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := l.taken[l.next]
	if age := now.Sub(oldest); !oldest.IsZero() && age < l.window {
		return l.window - age, false
	}
	l.taken[l.next] = now
	l.next = (l.next + 1) % len(l.taken)
	return 0, true
}

func (l *limiter) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.taken)
	l.next = 0
}
