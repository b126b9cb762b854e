package httpx

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// DefaultConcurrency is how many calls to one site are under way at once when nothing else is set (design D2).
const DefaultConcurrency = 16

// longestStop is the longest pause that a target's Retry-After can cause (scim.R62).
const longestStop = 10 * time.Minute

// Sites holds the sites of a process. All clients of one site share its allowance, its pauses and its concurrency
// (design D2). Safe for concurrent use.
type Sites struct {
	windows Windows
	now     func() time.Time

	mu    sync.Mutex
	sites map[string]*Site
}

// NewSites makes a registry. windows keeps the calls of sites with a rate per minute; nil means in memory. now is the
// clock, nil means time.Now.
func NewSites(windows Windows, now func() time.Time) *Sites {
	if windows == nil {
		windows = NewMemoryWindows()
	}
	if now == nil {
		now = time.Now
	}
	return &Sites{windows: windows, now: now, sites: map[string]*Site{}}
}

// Limits are what is set for a site.
type Limits struct {
	Rate        Rate
	Concurrency int           // calls under way at once; 0 means DefaultConcurrency
	Timeout     time.Duration // how long one call may take; 0 means DefaultTimeout
}

// Join returns the site with this key, made on first use. The limits given last apply to all its clients, so that a
// changed setting takes effect without a restart.
func (s *Sites) Join(key string, limits Limits) *Site {
	s.mu.Lock()
	defer s.mu.Unlock()
	site := s.sites[key]
	if site == nil {
		site = &Site{now: s.now, window: newWindow(key, s.windows, s.now), factor: 1}
		s.sites[key] = site
	}
	site.set(limits)
	return site
}

// Flush gives back what is reserved and unused and writes down the answers that came, for all sites. It is called when
// a slice of work ends, so that the next process finds the window as it is.
func (s *Sites) Flush(ctx context.Context) error {
	s.mu.Lock()
	sites := make([]*Site, 0, len(s.sites))
	for _, site := range s.sites {
		sites = append(sites, site)
	}
	s.mu.Unlock()
	var errs []error
	for _, site := range sites {
		site.window.retire(ctx)
		errs = append(errs, site.window.trouble())
	}
	return errors.Join(errs...)
}

// Site is one target under one credential.
type Site struct {
	now    func() time.Time
	gate   gate
	window *window

	mu      sync.Mutex
	limits  Limits
	bucket  *rate.Limiter // for a rate per second
	factor  float64       // share of the rate that is used now; halved by each 429
	changed time.Time     // when factor was last changed or found unchanged for a minute
	cutAt   time.Time     // when factor was last halved
	stopped time.Time     // no call before
	refused int           // answers "too many requests" in a row
}

// refusals is how many answers "too many requests" there were in a row.
func (s *Site) refusals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

func (s *Site) set(limits Limits) {
	if limits.Concurrency <= 0 {
		limits.Concurrency = DefaultConcurrency
	}
	if limits.Timeout <= 0 {
		limits.Timeout = DefaultTimeout
	}
	s.gate.set(limits.Concurrency)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limits == limits {
		return
	}
	s.limits = limits
	s.bucket = nil
	if limits.Rate.Limited() && limits.Rate.Per == time.Second {
		// One call at a time and no burst: a bucket that was full would let twice the rate through in its first
		// second, and the target would answer 429 (design D2).
		s.bucket = rate.NewLimiter(rate.Limit(float64(limits.Rate.N)*s.factor), 1)
	}
}

// permit is the right to make one call.
type permit struct {
	site  *Site
	block *block // of the window, nil where there is none
}

// acquire waits until a call may be made. A wait of more than longest is not waited but returned as *WaitError.
func (s *Site) acquire(ctx context.Context, longest time.Duration) (permit, error) {
	if err := s.gate.enter(ctx); err != nil {
		return permit{}, err
	}
	for {
		if wait := s.pause(); wait > 0 {
			if wait > longest {
				s.gate.leave()
				return permit{}, &WaitError{For: wait, Told: true}
			}
			if err := sleep(ctx, wait); err != nil {
				s.gate.leave()
				return permit{}, err
			}
			continue
		}
		b, wait, err := s.token(ctx, longest)
		if err == nil && wait > longest {
			err = &WaitError{For: wait}
		}
		if err != nil {
			s.gate.leave()
			return permit{}, err
		}
		if wait > 0 {
			if err := sleep(ctx, wait); err != nil {
				s.gate.leave()
				return permit{}, err
			}
			continue
		}
		if s.pause() > 0 { // the target asked for a pause while this caller waited for its turn
			if b != nil {
				s.window.unsent(ctx, b)
			}
			continue
		}
		return permit{site: s, block: b}, nil
	}
}

// pause is how long the site is stopped.
func (s *Site) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped.IsZero() {
		return 0
	}
	return s.stopped.Sub(s.now())
}

// token takes one call of the rate, waiting for it where a bucket says when it comes.
func (s *Site) token(ctx context.Context, longest time.Duration) (*block, time.Duration, error) {
	s.mu.Lock()
	now := s.now()
	s.recover(now)
	limits, factor, bucket := s.limits, s.factor, s.bucket
	s.mu.Unlock()
	switch {
	case !limits.Rate.Limited():
		return nil, 0, nil
	case bucket == nil:
		return s.window.take(ctx, limits.Rate.scaled(factor), limits.Rate.Per, limits.Timeout)
	}
	r := bucket.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > longest {
		r.CancelAt(now)
		return nil, wait, nil
	}
	if err := sleep(ctx, wait); err != nil {
		r.CancelAt(s.now())
		return nil, 0, err
	}
	return nil, 0, nil
}

// recover raises the rate by a tenth for each minute without a 429, up to what is set (scim.R62).
func (s *Site) recover(now time.Time) {
	if s.factor >= 1 {
		return
	}
	for s.factor < 1 && now.Sub(s.changed) >= time.Minute {
		s.changed = s.changed.Add(time.Minute)
		s.factor = min(1, s.factor*1.1)
	}
	s.applyFactor()
}

func (s *Site) applyFactor() {
	if s.bucket != nil {
		s.bucket.SetLimit(rate.Limit(float64(s.limits.Rate.N) * s.factor))
	}
}

// outcome is what is known of a call when it has ended.
type outcome struct {
	began, ended time.Time
	failed       bool          // no answer, or one of the 5xx that speak of overload
	refused      bool          // "too many requests"
	retryAfter   time.Duration // as the answer said; 0 if it did not
	jitter       float64       // factor on a pause that the answer did not set
}

// done ends a call. It returns how long the site is stopped now.
func (p permit) done(ctx context.Context, o outcome) time.Duration {
	s := p.site
	s.gate.done(o.began, o.ended, o.failed || o.refused)
	if p.block != nil {
		s.window.done(ctx, p.block, o.ended)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !o.refused {
		if !o.failed {
			s.refused = 0
		}
		return max(0, s.stopped.Sub(o.ended))
	}
	// Calls that were under way together are refused together: they count as one.
	if !o.began.Before(s.cutAt) {
		s.refused++
		s.factor = max(s.factor/2, 1.0/64)
		s.cutAt, s.changed = o.ended, o.ended
		s.applyFactor()
	}
	pause := min(o.retryAfter, longestStop)
	if pause <= 0 {
		// 1 s, 2 s, 4 s, … up to 60 s (scim.R62).
		pause = min(time.Second<<min(max(s.refused, 1)-1, 6), time.Minute)
		pause = time.Duration(float64(pause) * o.jitter)
	}
	if until := o.ended.Add(pause); until.After(s.stopped) {
		s.stopped = until
	}
	return s.stopped.Sub(o.ended)
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
