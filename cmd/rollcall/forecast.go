package main

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

// standing is how many calls count against the allowance of a job's target at the moment, for a rate per minute.
func (s *state) standing(ctx context.Context, c *cli, j store.Job, f *appfile.File) (int, error) {
	facts, ok := s.facts(c, j, f, f.Job.Target)
	if !ok || facts.Rate.Per != time.Minute {
		return 0, nil
	}
	return s.Store.Standing(ctx, facts.Site, c.Now())
}

// sharers are the other jobs whose target is the same site. Those that cannot be read are left out.
func (s *state) sharers(ctx context.Context, c *cli, j store.Job, site string) ([]engine.Sharer, error) {
	jobs, err := s.Store.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	out := []engine.Sharer{}
	for _, other := range jobs {
		if other.ID == j.ID {
			continue
		}
		f, err := parseStored(other)
		if err != nil {
			continue
		}
		if facts, ok := s.facts(c, other, f, f.Job.Target); !ok || facts.Site != site {
			continue
		}
		cycles, err := s.Store.CyclesOf(ctx, other.ID, 1)
		if err != nil {
			return nil, err
		}
		one := engine.Sharer{Job: other.Name}
		if len(cycles) > 0 && cycles[0].State == store.Running {
			one.Left = max(0, cycles[0].Planned-cycles[0].Done)
		}
		out = append(out, one)
	}
	return out, nil
}

// forecast says how long calls take from now on; nil for a target without a rate. used is what stood in the window before
// any of them. Of other jobs those count that have a cycle under way, an object for a call.
func (s *state) forecast(ctx context.Context, c *cli, j store.Job, f *appfile.File, calls int64, used int) (*engine.Forecast, error) {
	facts, ok := s.facts(c, j, f, f.Job.Target)
	if !ok || !facts.Rate.Limited() {
		return nil, nil
	}
	all, err := s.sharers(ctx, c, j, facts.Site)
	if err != nil {
		return nil, err
	}
	out := &engine.Forecast{Rate: facts.Rate.String(), Used: used, Others: []engine.Sharer{}}
	for _, o := range all {
		if o.Left > 0 {
			out.Others = append(out.Others, o)
			calls += o.Left
		}
	}
	out.Minutes = minutesFor(facts.Rate, calls, used)
	return out, nil
}

// minutesFor is how long calls take at a rate when some stand in its window already. A rate per minute lets through what is
// free at once, and a window's worth each minute from then on; a rate per second is even.
func minutesFor(r httpx.Rate, calls int64, used int) float64 {
	if r.Per != time.Minute {
		return float64(calls) / r.PerMinute()
	}
	rest := calls - int64(max(0, r.N-used))
	return max(0, math.Ceil(float64(rest)/float64(r.N)))
}

// siteStatus is what is known of the allowance of a job's target; nil for a target without a rate.
func (s *state) siteStatus(ctx context.Context, c *cli, j store.Job, f *appfile.File, cycles []store.Cycle) (*view.Site, error) {
	facts, ok := s.facts(c, j, f, f.Job.Target)
	if !ok || !facts.Rate.Limited() {
		return nil, nil
	}
	used, err := s.standing(ctx, c, j, f)
	if err != nil {
		return nil, err
	}
	shared, err := s.sharers(ctx, c, j, facts.Site)
	if err != nil {
		return nil, err
	}
	out := &view.Site{Name: facts.SiteName, Rate: facts.Rate.String(), Used: used, Shared: shared}
	if len(cycles) > 0 && cycles[0].State == store.Running {
		out.Left = timeToGo(facts, cycles[0], shared, used)
	}
	return out, nil
}

// timeToGo is how long the rest of a cycle takes, in minutes, with what other jobs have to go on the same allowance.
func timeToGo(facts web.Facts, cycle store.Cycle, shared []engine.Sharer, used int) float64 {
	left := max(0, cycle.Planned-cycle.Done)
	if left == 0 {
		return 0
	}
	for _, o := range shared {
		left += o.Left
	}
	return minutesFor(facts.Rate, left, used)
}

// announcer says once, when a cycle begins to write, how long that takes at the target's rate: where nobody sees the bar,
// and when it is more than a minute.
func (s *state) announcer(ctx context.Context, c *cli, j store.Job, f *appfile.File) func(engine.Progress) {
	var once sync.Once
	return func(p engine.Progress) {
		if p.Phase != store.PhaseExport || p.Total == 0 || c.Columns() > 0 {
			return
		}
		once.Do(func() {
			used, err := s.standing(ctx, c, j, f)
			if err != nil {
				return // the cycle itself will meet what is wrong, and tell it
			}
			left := p.Total - p.Done
			if fc, err := s.forecast(ctx, c, j, f, left, used); err == nil && fc != nil && fc.Minutes > 1 {
				c.notef("note: %s to write; at the target's rate of %s that takes about %s", view.Plural(left, "object"), fc.Rate,
					view.Duration(time.Duration(math.Ceil(fc.Minutes))*time.Minute))
			}
		})
	}
}
