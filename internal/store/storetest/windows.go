package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

func windowChecks() []Check {
	return []Check{
		{"a window gives its limit, then says when there is more (D2)", windowLimit},
		{"calls without an answer leave after the window and the grace", windowGrace},
		{"unused calls are given back, and a ticket may be settled in parts", windowUnused},
		{"what stands in a window is told, of one site only (D2)", windowStanding},
		{"no window ever holds more than the limit, whoever reserves at once (D2, P7)", windowConcurrent},
	}
}

const site = "https://api.litmos.example#key"

func windowLimit(ctx context.Context, s Store) error {
	now := instant()
	reserve := func(at time.Time, n int) (int, int64, time.Duration, error) {
		return s.Reserve(ctx, site, n, 100, time.Minute, time.Minute, at)
	}
	granted, first60, wait, err := reserve(now, 60)
	if err := first(err, same("granted", granted, 60), same("wait", wait, 0)); err != nil {
		return err
	}
	granted, rest, _, err := reserve(now, 60)
	if err := first(err, same("granted of the rest", granted, 40)); err != nil {
		return err
	}
	if first60 == rest {
		return errors.New("two grants have the same ticket")
	}
	granted, _, wait, err = reserve(now.Add(time.Second), 1)
	if err := first(err, same("granted in a full window", granted, 0), same("wait while no answer came", wait, time.Minute)); err != nil {
		return err
	}
	// A call leaves the window 60 s after its answer.
	answers := []time.Time{now.Add(2 * time.Second), now.Add(3 * time.Second), now.Add(3 * time.Second)}
	if err := s.Settle(ctx, site, rest, append(answers, slices.Repeat([]time.Time{now.Add(5 * time.Second)}, 37)...), 0); err != nil {
		return err
	}
	granted, _, wait, err = reserve(now.Add(10*time.Second), 1)
	if err := first(err, same("granted after the answers", granted, 0), same("wait after the answers", wait, 52*time.Second)); err != nil {
		return err
	}
	granted, _, _, err = reserve(now.Add(62*time.Second), 10)
	if err := first(err, same("granted 60 s after the first answer", granted, 1)); err != nil {
		return err
	}
	granted, _, _, err = reserve(now.Add(63*time.Second), 10)
	if err := first(err, same("granted 60 s after the next two", granted, 2)); err != nil {
		return err
	}
	granted, _, _, err = s.Reserve(ctx, "another site", 500, 100, time.Minute, 0, now)
	return first(err, same("granted at another site", granted, 100))
}

func windowGrace(ctx context.Context, s Store) error {
	now := instant()
	granted, ticket, _, err := s.Reserve(ctx, site, 5, 5, time.Minute, 30*time.Second, now)
	if err := first(err, same("granted", granted, 5)); err != nil {
		return err
	}
	for _, at := range []time.Duration{61 * time.Second, 90*time.Second - time.Microsecond} {
		granted, _, wait, err := s.Reserve(ctx, site, 5, 5, time.Minute, 30*time.Second, now.Add(at))
		if err := first(err, same("granted before the end of the grace", granted, 0), same("wait", wait, 90*time.Second-at)); err != nil {
			return err
		}
	}
	granted, _, _, err = s.Reserve(ctx, site, 5, 5, time.Minute, 30*time.Second, now.Add(90*time.Second))
	return first(err, same("granted after the grace", granted, 5), s.Settle(ctx, site, ticket, []time.Time{now}, 0), s.Settle(ctx, "unknown site", 1, nil, 1))
}

func windowUnused(ctx context.Context, s Store) error {
	now := instant()
	_, ticket, _, err := s.Reserve(ctx, site, 10, 10, time.Minute, time.Minute, now)
	if err := first(err, s.Settle(ctx, site, ticket, []time.Time{now}, 3), s.Settle(ctx, site, ticket, []time.Time{now, now}, 0)); err != nil {
		return err
	}
	if err := s.Settle(ctx, site, ticket, []time.Time{now, now, now}, 2); err == nil {
		return errors.New("5 calls are settled of a ticket with 4 left, without an error")
	}
	granted, _, _, err := s.Reserve(ctx, site, 10, 10, time.Minute, time.Minute, now)
	if err := first(err, same("granted of what was given back", granted, 3)); err != nil {
		return err
	}
	// At now + 60 s the three answered ones have left; four are open, three are those just granted.
	granted, _, _, err = s.Reserve(ctx, site, 10, 10, time.Minute, time.Minute, now.Add(time.Minute))
	if err := first(err, same("granted after a minute", granted, 3)); err != nil {
		return err
	}
	granted, _, wait, err := s.Reserve(ctx, site, 10, 0, time.Minute, time.Minute, now.Add(time.Hour))
	return first(err, same("granted of a limit of nothing", granted, 0), same("wait", wait, time.Minute))
}

func windowStanding(ctx context.Context, s Store) error {
	now := instant()
	_, ticket, _, err := s.Reserve(ctx, site, 10, 10, time.Minute, 30*time.Second, now)
	if err := first(err, s.Settle(ctx, site, ticket, []time.Time{now, now.Add(time.Second)}, 3)); err != nil {
		return err
	}
	for _, want := range []struct {
		site  string
		after time.Duration
		n     int
	}{{site, 0, 7}, {site, time.Minute, 6}, {site, 61 * time.Second, 5}, {site, 90 * time.Second, 0}, {"another site", 0, 0}} {
		n, err := s.Standing(ctx, want.site, now.Add(want.after))
		if err := first(err, same(fmt.Sprintf("standing at %s after %s", want.site, want.after), n, want.n)); err != nil {
			return err
		}
	}
	return nil
}

// windowConcurrent lets several processes reserve and settle on a clock that moves in steps, and then looks at every
// window of the times at which the target could have counted the calls.
func windowConcurrent(ctx context.Context, s Store) error {
	const limit, processes, rounds = 50, 6, 30
	const window, grace = time.Minute, 20 * time.Second
	type span struct{ sent, answered time.Time }
	var mu sync.Mutex
	var spans []span
	for round := range rounds {
		now := instant().Add(time.Duration(round) * 7 * time.Second)
		errs := make([]error, processes)
		var wg sync.WaitGroup
		for p := range processes {
			random := rand.New(rand.NewPCG(uint64(round), uint64(p)))
			wg.Go(func() {
				granted, ticket, wait, err := s.Reserve(ctx, site, 1+random.IntN(20), limit, window, grace, now)
				if err != nil {
					errs[p] = err
					return
				}
				if granted == 0 {
					if wait <= 0 || wait > window+grace {
						errs[p] = fmt.Errorf("a full window asks to wait %v", wait)
					}
					return
				}
				unused := random.IntN(granted + 1)
				var answers []time.Time
				var sent []span
				for range granted - unused {
					// Sent at any time before the answer, which comes within the grace.
					answered := now.Add(time.Duration(random.Int64N(int64(grace)))).Truncate(time.Microsecond)
					answers = append(answers, answered)
					sent = append(sent, span{now, answered})
				}
				mu.Lock()
				spans = append(spans, sent...)
				mu.Unlock()
				if random.IntN(10) > 0 { // otherwise the process dies before it settles
					errs[p] = s.Settle(ctx, site, ticket, answers, unused)
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	if len(spans) < limit*2 {
		return fmt.Errorf("only %d calls were granted in all", len(spans))
	}
	// The target counts a call at an instant between sending and answer. The worst for a window is that all calls that
	// can be counted in it are; windows that begin with an answer hold the most.
	for _, from := range spans {
		n := 0
		for _, other := range spans {
			if !other.answered.Before(from.answered) && other.sent.Before(from.answered.Add(window)) {
				n++
			}
		}
		if n > limit {
			return fmt.Errorf("%d calls can stand in the window from %s", n, from.answered.Format(time.RFC3339Nano))
		}
	}
	return nil
}
