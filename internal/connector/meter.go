package connector

import (
	"maps"
	"sync"
)

// Meter counts the calls that a target was sent, retries, probes and discovery included. Safe for concurrent use.
type Meter struct {
	mu        sync.Mutex
	byMethod  map[string]int64
	throttled int64
}

// Count is a reading of a Meter.
type Count struct {
	ByMethod  map[string]int64
	Throttled int64 // answers that said "too many requests"
}

// Add counts one call.
func (m *Meter) Add(method string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byMethod == nil {
		m.byMethod = map[string]int64{}
	}
	m.byMethod[method]++
}

// Throttle counts one answer that said "too many requests".
func (m *Meter) Throttle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.throttled++
}

// Read returns what was counted so far.
func (m *Meter) Read() Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Count{ByMethod: maps.Clone(m.byMethod), Throttled: m.throttled}
}

// Total is the number of calls of all methods.
func (c Count) Total() int64 {
	var n int64
	for _, k := range c.ByMethod {
		n += k
	}
	return n
}
