package httpx

import (
	"context"
	"sync"
	"time"
)

// gate limits how many calls to a site are under way at once. It starts with what is set, is halved when calls fail or
// become much slower, and grows by one for each round of good calls (design D2).
type gate struct {
	mu      sync.Mutex
	most    int     // as set
	limit   float64 // now; between 1 and most
	inside  int
	waiting []chan struct{} // first come, first served; closed when a place was given
	cutAt   time.Time
	recent  float64 // seconds: moving average over some five calls
	usual   float64 // seconds: what good calls take; falls within some twenty calls, rises over some thousand
}

const (
	recentWeight = 0.2
	fallWeight   = 0.05
	riseWeight   = 0.001

	// slowFactor and slowFloor say when calls have become slower: four times the usual, and more than half a second,
	// below which no target is in trouble.
	slowFactor = 4
	slowFloor  = 0.5
)

func (g *gate) set(most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.most == most {
		return
	}
	g.most, g.limit = most, float64(most)
	g.wake()
}

// enter waits for a place.
func (g *gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	if len(g.waiting) == 0 && g.inside < int(g.limit) {
		g.inside++
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == turn {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return ctx.Err()
		}
	}
	g.inside-- // the place came at the same moment: pass it on
	g.wake()
	return ctx.Err()
}

// leave gives a place back that was not used for a call.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.wake()
}

// done gives a place back after a call and learns from it.
func (g *gate) done(began, ended time.Time, failed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	took := ended.Sub(began).Seconds()
	switch {
	case failed:
		g.cut(began, ended)
	default:
		if g.usual == 0 {
			g.recent, g.usual = took, took
		}
		g.recent += recentWeight * (took - g.recent)
		weight := fallWeight
		if took > g.usual {
			weight = riseWeight
		}
		g.usual += weight * (took - g.usual)
		if g.recent > slowFloor && g.recent > slowFactor*g.usual {
			g.cut(began, ended)
			g.recent = g.usual // measure anew before the next cut
		} else if g.recent <= slowFloor || g.recent <= slowFactor/2*g.usual {
			g.limit = min(float64(g.most), g.limit+1/g.limit)
		}
	}
	g.wake()
}

// cut halves the limit, once for all calls that were under way together.
func (g *gate) cut(began, now time.Time) {
	if began.Before(g.cutAt) {
		return
	}
	g.limit = max(1, g.limit/2)
	g.cutAt = now
}

func (g *gate) wake() {
	for len(g.waiting) > 0 && g.inside < int(g.limit) {
		g.inside++
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
	}
}
