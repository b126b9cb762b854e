package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeTarget answers without a network, so that time can be the bubble's.
type fakeTarget struct {
	mu       sync.Mutex
	latency  time.Duration
	answer   func(n int, r *http.Request) (status int, header http.Header, err error) // n counts from 1
	arrivals []time.Time
	inside   int
	most     int
}

func (f *fakeTarget) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.arrivals = append(f.arrivals, time.Now())
	n := len(f.arrivals)
	f.inside++
	f.most = max(f.most, f.inside)
	latency := f.latency
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.inside--; f.mu.Unlock() }()
	if err := sleep(r.Context(), latency); err != nil {
		return nil, err
	}
	status, header := 200, http.Header{}
	if f.answer != nil {
		s, h, err := f.answer(n, r)
		if err != nil {
			return nil, err
		}
		if status = s; h != nil {
			header = h
		}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// offsets are the arrivals since a time.
func (f *fakeTarget) offsets(since time.Time) []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []time.Duration
	for _, at := range f.arrivals {
		out = append(out, at.Sub(since))
	}
	return out
}

// densest is the largest number of arrivals in any span that includes its first moment and not its last.
func densest(arrivals []time.Time, span time.Duration) int {
	slices.SortFunc(arrivals, time.Time.Compare)
	most, first := 0, 0
	for i, at := range arrivals {
		for at.Sub(arrivals[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func get(t *testing.T) Request {
	u, err := url.Parse("https://scim.example.com/Users")
	if err != nil {
		t.Fatal(err)
	}
	return Request{Method: "GET", URL: u, Safe: true}
}

func middle() float64 { return 0.5 } // no spread

// work keeps a number of workers calling until a time, as the engine does: a long wait is waited outside.
func work(t *testing.T, c *Client, workers int, until time.Time) {
	t.Helper()
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for time.Now().Before(until) {
				_, err := c.Do(t.Context(), get(t))
				var wait *WaitError
				switch {
				case errors.As(err, &wait):
					if wait.For <= 5*time.Second {
						t.Errorf("a wait of %s is not waited", wait.For)
					}
					if err := sleep(t.Context(), wait.For); err != nil {
						t.Error(err)
						return
					}
				case err != nil:
					t.Errorf("call: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestRatePerMinuteIsNeverExceededAndWhollyUsed(t *testing.T) {
	for _, latency := range []time.Duration{time.Millisecond, 200 * time.Millisecond, 3 * time.Second} {
		t.Run(latency.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target := &fakeTarget{latency: latency}
				sites := NewSites(nil, nil)
				site := sites.Join("a", Limits{Rate: Rate{100, time.Minute}})
				c := client(t, Config{Transport: target, Site: site})
				const minutes = 10
				work(t, c, 16, time.Now().Add(minutes*time.Minute))
				if most := densest(target.arrivals, time.Minute); most > 100 {
					t.Errorf("%d arrivals in 60 s, allowed are 100", most)
				}
				// Calls stand in the window until their answer came: the latency is the price of never exceeding it.
				least := int(0.98 * 100 * minutes * float64(time.Minute) / float64(time.Minute+latency))
				if n := len(target.arrivals); n < least {
					t.Errorf("%d calls in %d minutes, want at least %d", n, minutes, least)
				}
			})
		})
	}
}

func TestTwoProcessesShareOneWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &fakeTarget{latency: 20 * time.Millisecond}
		windows := NewMemoryWindows()
		var clients []*Client
		for range 2 {
			site := NewSites(windows, nil).Join("a", Limits{Rate: Rate{50, time.Minute}, Concurrency: 8})
			clients = append(clients, client(t, Config{Transport: target, Site: site}))
		}
		until := time.Now().Add(10 * time.Minute)
		var both sync.WaitGroup
		for _, c := range clients {
			both.Go(func() { work(t, c, 8, until) })
		}
		both.Wait()
		if most := densest(target.arrivals, time.Minute); most > 50 {
			t.Errorf("%d arrivals in 60 s, allowed are 50", most)
		}
		if n := len(target.arrivals); n < 490 {
			t.Errorf("%d calls in 10 minutes, want 490", n)
		}
	})
}

func TestASecondRunFindsTheWindowOfTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		windows := NewMemoryWindows()
		target := &fakeTarget{}
		run := func(calls int) error {
			sites := NewSites(windows, nil)
			c := client(t, Config{Transport: target, Site: sites.Join("a", Limits{Rate: Rate{20, time.Minute}})})
			for range calls {
				if _, err := c.Do(t.Context(), get(t)); err != nil {
					return err
				}
			}
			return sites.Flush(t.Context())
		}
		// 3 calls of a block of 16; what is unused is given back, so the second run has 17.
		if err := run(3); err != nil {
			t.Fatal(err)
		}
		if err := run(17); err != nil {
			t.Fatal(err)
		}
		err := run(1)
		var wait *WaitError
		if !errors.As(err, &wait) || wait.For != time.Minute || wait.Told {
			t.Fatalf("error %v, want a wait of one minute", err)
		}
		if err := sleep(t.Context(), wait.For); err != nil {
			t.Fatal(err)
		}
		if err := run(20); err != nil {
			t.Fatal(err)
		}
	})
}

// countingWindows counts writes, and fails when told to.
type countingWindows struct {
	Windows
	mu       sync.Mutex
	reserves int
	settles  int
	fail     error
}

func (w *countingWindows) Reserve(ctx context.Context, site string, n, limit int, span, grace time.Duration, now time.Time) (int, int64, time.Duration, error) {
	w.mu.Lock()
	w.reserves++
	w.mu.Unlock()
	return w.Windows.Reserve(ctx, site, n, limit, span, grace, now)
}

func (w *countingWindows) Settle(ctx context.Context, site string, ticket int64, answered []time.Time, unused int) error {
	w.mu.Lock()
	w.settles++
	fail := w.fail
	w.mu.Unlock()
	if fail != nil {
		return fail
	}
	return w.Windows.Settle(ctx, site, ticket, answered, unused)
}

func TestTheStoreIsWrittenOncePerBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &countingWindows{Windows: NewMemoryWindows()}
		sites := NewSites(w, nil)
		c := client(t, Config{Transport: &fakeTarget{}, Site: sites.Join("a", Limits{Rate: Rate{96, time.Minute}})})
		for range 96 {
			if _, err := c.Do(t.Context(), get(t)); err != nil {
				t.Fatal(err)
			}
		}
		for range 50 { // a full window is asked for once, not by every caller
			if _, err := c.Do(t.Context(), get(t)); err == nil {
				t.Fatal("a call went out through a full window")
			}
		}
		if w.reserves != 7 || w.settles != 6 {
			t.Errorf("%d reservations and %d settlements for 96 calls in blocks of 16, want 7 and 6", w.reserves, w.settles)
		}
	})
}

func TestCallsThatCannotBeSettledAreToldByFlushAndBreakNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &countingWindows{Windows: NewMemoryWindows(), fail: errors.New("disk full")}
		sites := NewSites(w, nil)
		target := &fakeTarget{}
		c := client(t, Config{Transport: target, Site: sites.Join("a", Limits{Rate: Rate{10, time.Minute}, Timeout: 30 * time.Second})})
		for range 10 {
			if _, err := c.Do(t.Context(), get(t)); err != nil {
				t.Fatal(err)
			}
		}
		if err := sites.Flush(t.Context()); !errors.Is(err, w.fail) {
			t.Errorf("Flush = %v, want the store's error", err)
		}
		if err := sites.Flush(t.Context()); err != nil {
			t.Errorf("the second Flush = %v", err)
		}
		work(t, c, 2, time.Now().Add(4*time.Minute))
		if most := densest(target.arrivals, time.Minute); most > 10 {
			t.Errorf("%d arrivals in 60 s, allowed are 10", most)
		}
		if len(target.arrivals) < 20 {
			t.Errorf("%d calls: calls that were never settled do not leave the window", len(target.arrivals))
		}
	})
}

func TestRatePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &fakeTarget{latency: 100 * time.Millisecond}
		site := NewSites(nil, nil).Join("a", Limits{Rate: Rate{25, time.Second}})
		work(t, client(t, Config{Transport: target, Site: site}), 16, time.Now().Add(time.Minute))
		if most := densest(target.arrivals, time.Second); most > 25 {
			t.Errorf("%d arrivals in a second, allowed are 25", most)
		}
		if n := len(target.arrivals); n < 1470 {
			t.Errorf("%d calls in a minute, want at least 1470", n)
		}
	})
}

func TestRepeats(t *testing.T) {
	after := func(seconds string) http.Header { return http.Header{"Retry-After": {seconds}} }
	type result struct {
		Status     int
		RetryAfter time.Duration
		Fault      Fault
		Wait       time.Duration
	}
	fails := errors.New("connection reset")
	s := time.Second
	tests := []struct {
		name   string
		safe   bool
		policy Policy
		answer func(n int, r *http.Request) (int, http.Header, error)
		calls  []time.Duration // when they arrive
		want   result
	}{
		{
			name: "a read that is lost is repeated after 1, 4 and 16 s (scim.R63)", safe: true,
			answer: func(int, *http.Request) (int, http.Header, error) { return 0, nil, fails },
			calls:  []time.Duration{0, s, 5 * s, 21 * s},
			want:   result{Fault: FaultOther},
		},
		{
			name: "a read that meets a 500 is repeated until it succeeds", safe: true,
			answer: func(n int, _ *http.Request) (int, http.Header, error) {
				if n < 3 {
					return 500, nil, nil
				}
				return 200, nil, nil
			},
			calls: []time.Duration{0, s, 5 * s},
			want:  result{Status: 200},
		},
		{
			name:   "a create that is lost is not repeated (scim.R63)",
			answer: func(int, *http.Request) (int, http.Header, error) { return 0, nil, fails },
			calls:  []time.Duration{0},
			want:   result{Fault: FaultOther},
		},
		{
			name:   "a create that meets a 503 without Retry-After is not repeated",
			answer: func(int, *http.Request) (int, http.Header, error) { return 503, nil, nil },
			calls:  []time.Duration{0},
			want:   result{Status: 503},
		},
		{
			name: "501 is not repeated", safe: true,
			answer: func(int, *http.Request) (int, http.Header, error) { return 501, nil, nil },
			calls:  []time.Duration{0},
			want:   result{Status: 501},
		},
		{
			name: "a create that is refused with 429 is sent again when Retry-After is over (scim.R62)",
			answer: func(n int, _ *http.Request) (int, http.Header, error) {
				if n == 1 {
					return 429, after("3"), nil
				}
				return 201, nil, nil
			},
			calls: []time.Duration{0, 3 * s},
			want:  result{Status: 201},
		},
		{
			name: "503 with Retry-After is a 429",
			answer: func(n int, _ *http.Request) (int, http.Header, error) {
				if n == 1 {
					return 503, after("2"), nil
				}
				return 201, nil, nil
			},
			calls: []time.Duration{0, 2 * s},
			want:  result{Status: 201},
		},
		{
			name:   "a Retry-After of more than 5 s is not waited (design D13)",
			answer: func(int, *http.Request) (int, http.Header, error) { return 429, after("60"), nil },
			calls:  []time.Duration{0},
			want:   result{Status: 429, RetryAfter: time.Minute},
		},
		{
			name: "a Retry-After may be a date",
			answer: func(int, *http.Request) (int, http.Header, error) {
				return 429, after(time.Now().Add(42 * s).UTC().Format(http.TimeFormat)), nil
			},
			calls: []time.Duration{0},
			want:  result{Status: 429, RetryAfter: 42 * s},
		},
		{
			name:   "a Retry-After of a day stops for ten minutes (scim.R62)",
			answer: func(int, *http.Request) (int, http.Header, error) { return 429, after("86400"), nil },
			calls:  []time.Duration{0},
			want:   result{Status: 429, RetryAfter: 10 * time.Minute},
		},
		{
			name:   "429 without Retry-After is tried again after 1, 2 and 4 s; 8 s are not waited",
			answer: func(int, *http.Request) (int, http.Header, error) { return 429, nil, nil },
			calls:  []time.Duration{0, s, 3 * s, 7 * s},
			want:   result{Status: 429, RetryAfter: 8 * s},
		},
		{
			name: "429 is tried five times where longer waits are allowed (scim.R62)", policy: Policy{LongestWait: time.Minute},
			answer: func(int, *http.Request) (int, http.Header, error) { return 429, nil, nil },
			calls:  []time.Duration{0, s, 3 * s, 7 * s, 15 * s},
			want:   result{Status: 429, RetryAfter: 16 * s},
		},
		{
			name: "every 503 is a 429 for a target that uses it so", policy: Policy{Throttle503: true},
			answer: func(n int, _ *http.Request) (int, http.Header, error) {
				if n == 1 {
					return 503, nil, nil
				}
				return 201, nil, nil
			},
			calls: []time.Duration{0, s},
			want:  result{Status: 201},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target := &fakeTarget{answer: tt.answer}
				tt.policy.Random = middle
				calls, throttled, refused := 0, 0, 0
				target.answer = func(n int, r *http.Request) (int, http.Header, error) {
					status, h, err := tt.answer(n, r)
					if tt.policy.Throttled(status, h) {
						refused++
					}
					return status, h, err
				}
				c := client(t, Config{Transport: target, Policy: tt.policy, OnCall: func(string) { calls++ }, OnThrottle: func() { throttled++ }})
				began := time.Now()
				req := get(t)
				req.Safe = tt.safe
				resp, err := c.Do(t.Context(), req)
				var got result
				var call *CallError
				var wait *WaitError
				switch {
				case errors.As(err, &call):
					got.Fault = call.Fault
				case errors.As(err, &wait):
					got.Wait = wait.For
				default:
					got = result{Status: resp.Status, RetryAfter: resp.RetryAfter}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(tt.calls, target.offsets(began)); diff != "" {
					t.Error(diff)
				}
				if calls != len(tt.calls) || throttled != refused {
					t.Errorf("%d calls and %d refusals counted, want %d and %d", calls, throttled, len(tt.calls), refused)
				}
			})
		})
	}
}

func TestWaitsAreSpreadByAFifth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			random float64
			want   time.Duration
		}{{0, 800 * time.Millisecond}, {0.5, time.Second}, {1, 1200 * time.Millisecond}} {
			target := &fakeTarget{answer: func(int, *http.Request) (int, http.Header, error) { return 500, nil, nil }}
			c := client(t, Config{Transport: target, Policy: Policy{Waits: []time.Duration{time.Second}, Random: func() float64 { return tt.random }}})
			began := time.Now()
			if _, err := c.Do(t.Context(), get(t)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]time.Duration{0, tt.want}, target.offsets(began)); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestAWaitThatTheDeadlineCannotOutlastIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &fakeTarget{answer: func(int, *http.Request) (int, http.Header, error) { return 500, nil, nil }}
		c := client(t, Config{Transport: target, Policy: Policy{Random: middle}})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		resp, err := c.Do(ctx, get(t))
		if err != nil || resp.Status != 500 || time.Since(began) != time.Second {
			t.Errorf("%v, %v after %s; want the second 500 after 1 s", resp, err, time.Since(began))
		}
	})
}

func TestRetryAfterStopsTheWholeSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &fakeTarget{answer: func(n int, _ *http.Request) (int, http.Header, error) {
			if n == 1 {
				return 429, http.Header{"Retry-After": {"30"}}, nil
			}
			return 200, nil, nil
		}}
		sites := NewSites(nil, nil)
		one := client(t, Config{Transport: target, Site: sites.Join("a", Limits{})})
		two := client(t, Config{Transport: target, Site: sites.Join("a", Limits{})})
		other := client(t, Config{Transport: target, Site: sites.Join("b", Limits{})})
		if resp, err := one.Do(t.Context(), get(t)); err != nil || !resp.Throttled {
			t.Fatalf("%v, %v", resp, err)
		}
		_, err := two.Do(t.Context(), get(t))
		var wait *WaitError
		if !errors.As(err, &wait) || !wait.Told || wait.For != 30*time.Second {
			t.Errorf("another client of the site: %v, want a wait of 30 s", err)
		}
		if resp, err := other.Do(t.Context(), get(t)); err != nil || resp.Status != 200 {
			t.Errorf("another site: %v, %v", resp, err)
		}
		if err := sleep(t.Context(), 26*time.Second); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := two.Do(t.Context(), get(t)); err != nil || time.Since(began) != 4*time.Second {
			t.Errorf("%v after %s; the last 4 s are waited", err, time.Since(began))
		}
	})
}

func TestA429HalvesTheRateAndEachCleanMinuteRaisesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := true
		target := &fakeTarget{latency: time.Millisecond, answer: func(int, *http.Request) (int, http.Header, error) {
			if refuse {
				return 429, http.Header{"Retry-After": {"1"}}, nil
			}
			return 200, nil, nil
		}}
		site := NewSites(nil, nil).Join("a", Limits{Rate: Rate{100, time.Minute}, Concurrency: 8})
		c := client(t, Config{Transport: target, Site: site, Policy: Policy{Attempts: 1}})
		// Eight calls at once are refused together: that is one sign of overload, not eight.
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, err := c.Do(t.Context(), get(t)); err != nil {
					t.Errorf("call: %v", err)
				}
			})
		}
		all.Wait()
		refuse = false
		perMinute := func() int {
			target.mu.Lock()
			target.arrivals = nil
			target.mu.Unlock()
			work(t, c, 8, time.Now().Add(time.Minute))
			return len(target.arrivals)
		}
		if err := sleep(t.Context(), 61*time.Second); err != nil {
			t.Fatal(err)
		}
		got := []int{perMinute(), perMinute()}
		for range 8 {
			perMinute()
		}
		got = append(got, perMinute())
		// 100, halved, raised by a tenth for each minute: 55, 60, …, 100.
		if diff := cmp.Diff([]int{55, 60, 100}, got); diff != "" {
			t.Errorf("calls a minute: %s", diff)
		}
	})
}

func TestConcurrencyFallsWhenCallsFailOrSlowDownAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &fakeTarget{latency: 100 * time.Millisecond}
		site := NewSites(nil, nil).Join("a", Limits{Concurrency: 16})
		c := client(t, Config{Transport: target, Site: site, Policy: Policy{Waits: []time.Duration{}}})
		phase := func(latency time.Duration, status int) int {
			target.mu.Lock()
			target.latency, target.most = latency, 0
			target.answer = func(int, *http.Request) (int, http.Header, error) { return status, nil, nil }
			target.mu.Unlock()
			work(t, c, 32, time.Now().Add(30*time.Second))
			site.gate.mu.Lock()
			defer site.gate.mu.Unlock()
			return int(site.gate.limit)
		}
		if got := phase(100*time.Millisecond, 200); got != 16 || target.most != 16 {
			t.Errorf("healthy: limit %d, %d at once; want 16", got, target.most)
		}
		if got := phase(100*time.Millisecond, 502); got != 1 {
			t.Errorf("all calls fail: limit %d, want 1", got)
		}
		if got := phase(100*time.Millisecond, 200); got != 16 {
			t.Errorf("healthy again: limit %d, want 16", got)
		}
		if got := phase(2*time.Second, 200); got >= 12 {
			t.Errorf("twenty times slower: limit %d, want far less than 16", got)
		}
		if got := phase(100*time.Millisecond, 200); got != 16 {
			t.Errorf("fast again: limit %d, want 16", got)
		}
	})
}

func TestACallerThatGivesUpLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		g.set(1)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("enter = %v", err)
		}
		entered := make(chan error, 1)
		go func() { entered <- g.enter(t.Context()) }()
		synctest.Wait()
		g.leave()
		if err := <-entered; err != nil {
			t.Fatal(err)
		}
		if g.inside != 1 || len(g.waiting) != 0 {
			t.Errorf("%d inside and %d waiting, want 1 and 0", g.inside, len(g.waiting))
		}
	})
}

func TestJoinTakesTheLimitsGivenLast(t *testing.T) {
	sites := NewSites(nil, nil)
	a := sites.Join("x", Limits{Rate: Rate{10, time.Second}})
	b := sites.Join("x", Limits{Rate: Rate{20, time.Second}, Concurrency: 4})
	if a != b {
		t.Fatal("one key has two sites")
	}
	if got := fmt.Sprint(a.limits.Rate, a.gate.most, a.bucket.Limit()); got != "20/s 4 20" {
		t.Errorf("limits %s", got)
	}
}
