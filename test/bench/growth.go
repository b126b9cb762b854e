package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Aims of section 7 of the design.
const (
	mostMemory  = 150 << 20            // P5: bytes, any cycle
	mostGrowth  = 1.2                  // P5: memory of the largest population to that of a tenth of it
	mostCompare = 8 * time.Microsecond // P9: CPU per user
	mostReading = 4.0                  // P9: times the CPU of the bare reader
)

// The cycles whose growth is measured.
const (
	cycleFirst     = "first load"
	cycleUnchanged = "nothing changed"
	cycleChanged   = "1 % changed"
	cycleLeavers   = "1 % left"
)

// growth is what the cycles of populations of several sizes took.
type growth struct {
	sizes []int
	took  map[string][]cost // by cycle, in the order of sizes
}

// cost is what one cycle took.
type cost struct {
	usage
	calls int
}

// grow runs the same four cycles for populations of growing sizes (P5, P9), and tells what each costs and how it grows.
// The guard's threshold is raised, or it would hold the leavers.
func (b *bench) grow(ctx context.Context, p programme) error {
	g := growth{sizes: p.grow, took: map[string][]cost{}}
	for _, users := range g.sizes {
		if err := b.population(ctx, size{Users: users}, &g); err != nil {
			return fmt.Errorf("%s users: %w", thousands(users), err)
		}
	}
	b.growthRows(g)
	return nil
}

// population takes one company through the four cycles.
func (b *bench) population(ctx context.Context, s size, g *growth) (err error) {
	t, err := b.openTarget(ctx, 0, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	dir, err := b.folder()
	if err != nil {
		return err
	}
	if err := errors.Join(writeCompany(dir, s), writeApp(dir, s, t.URL)); err != nil {
		return err
	}
	one := s.Users / 100
	if err := b.growthCycle(ctx, dir, cycleFirst, g, func(r report) bool { return r.Counts.Created == s.Users }); err != nil {
		return err
	}
	if err := b.unchanged(ctx, dir, s, g); err != nil {
		return err
	}
	if err := writeLater(dir, s, news{changed: one, title: "Foreman"}); err != nil {
		return err
	}
	if err := b.growthCycle(ctx, dir, cycleChanged, g, func(r report) bool { return r.Counts.Updated == one && r.Requests.ByMethod["PATCH"] == one }); err != nil {
		return err
	}
	if err := writeLater(dir, s, news{changed: one, title: "Foreman", left: one}); err != nil {
		return err
	}
	if err := b.growthCycle(ctx, dir, cycleLeavers, g, func(r report) bool { return r.Counts.Deleted == one && r.Requests.ByMethod["DELETE"] == one }); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// growthCycle runs a cycle once and makes sure that it did what it is measured for.
func (b *bench) growthCycle(ctx context.Context, dir, what string, g *growth, did func(report) bool) error {
	b.notef("%s", what)
	r, u, err := b.cycle(ctx, dir)
	if err != nil {
		return err
	}
	if r.Cycle.State != "Succeeded" || !did(r) {
		return fmt.Errorf("%s: the cycle is %s with %+v and the calls %v", what, r.Cycle.State, r.Counts, r.Requests.ByMethod)
	}
	g.took[what] = append(g.took[what], cost{u, r.Requests.Total})
	return nil
}

// unchanged compares a cycle without a change with a bare reader of the same file (P9).
func (b *bench) unchanged(ctx context.Context, dir string, s size, g *growth) error {
	var ours, bare []usage
	var once growth
	for round := range b.rounds {
		b.notef("%s: %s, round %d of %d", s, cycleUnchanged, round+1, b.rounds)
		once = growth{took: map[string][]cost{}}
		if err := b.growthCycle(ctx, dir, cycleUnchanged, &once, func(r report) bool { return r.Counts.Unchanged == s.Users && r.Counts.Imported == s.Users }); err != nil {
			return err
		}
		ours = append(ours, once.took[cycleUnchanged][0].usage)
		out, u, err := execute(ctx, dir, b.self, readerCommand, filepath.Join(dir, peopleFile))
		if err != nil {
			return err
		}
		if want := fmt.Sprintln(s.Users + 1); string(out) != want { // with the header
			return fmt.Errorf("the bare reader found %q records, want %q", out, want)
		}
		bare = append(bare, u)
	}
	own, reading := leastCPU(ours), leastCPU(bare)
	g.took[cycleUnchanged] = append(g.took[cycleUnchanged], cost{usage{timesOf(ours).least, own, peakOf(ours)}, once.took[cycleUnchanged][0].calls})
	each := own / time.Duration(s.Users)
	b.table.add(row{measure: "P9 CPU per user, unchanged", of: s.String(), rollcall: micro(each), bare: micro(mostCompare),
		ratio: each.Seconds() / mostCompare.Seconds(), aim: "≤ 1.00", met: each <= mostCompare})
	ratio := own.Seconds() / reading.Seconds()
	b.table.add(row{measure: "P9 CPU beside encoding/csv", of: s.String(), rollcall: fmt.Sprintf("%.3f s", own.Seconds()), bare: fmt.Sprintf("%.3f s", reading.Seconds()),
		ratio: ratio, aim: fmt.Sprintf("≤ %.2f", mostReading), met: ratio <= mostReading})
	return nil
}

// growthRows tells each cycle of each size, and how memory and CPU per user grow from the size before.
func (b *bench) growthRows(g growth) {
	for _, what := range []string{cycleFirst, cycleUnchanged, cycleChanged, cycleLeavers} {
		for i, users := range g.sizes {
			c := g.took[what][i]
			of := thousands(users) + " users, " + what
			b.table.add(row{measure: "   time and calls", of: of, rollcall: fmt.Sprintf("%.2f s, %s calls", c.Wall.Seconds(), thousands(c.calls)),
				bare: micro(c.CPU/time.Duration(users)) + " CPU per user"})
			b.table.add(row{measure: "P5 memory", of: of, rollcall: mebi(c.Peak), bare: mebi(mostMemory), ratio: float64(c.Peak) / mostMemory, aim: "≤ 1.00", met: c.Peak <= mostMemory})
			if i == 0 {
				continue
			}
			was := g.took[what][i-1]
			times := fmt.Sprintf("%d times the users", users/g.sizes[i-1])
			grown := row{measure: "P5 growth of memory", of: of, rollcall: mebi(c.Peak), bare: mebi(was.Peak), ratio: float64(c.Peak) / float64(was.Peak)}
			if users >= 1_000_000 {
				grown.aim, grown.met = fmt.Sprintf("≤ %.2f", mostGrowth), grown.ratio <= mostGrowth
			}
			b.table.add(grown)
			b.table.add(row{measure: "   growth of time", of: of, rollcall: fmt.Sprintf("%.2f s", c.Wall.Seconds()), bare: fmt.Sprintf("%.2f s, %s", was.Wall.Seconds(), times),
				ratio: c.Wall.Seconds() / was.Wall.Seconds()})
		}
	}
}

// leastCPU is the least CPU time of the rounds.
func leastCPU(list []usage) time.Duration {
	cpu := list[0].CPU
	for _, u := range list {
		cpu = min(cpu, u.CPU)
	}
	return cpu
}
