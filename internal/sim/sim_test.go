package sim

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

var (
	seedsFlag  = flag.Int("seeds", 0, "how many seeds to run; 0 for as many as take some seconds")
	seedFlag   = flag.Uint64("seed", 0, "run this seed alone, and show its history")
	fromFlag   = flag.Uint64("from", 1, "the first of these seeds")
	cyclesFlag = flag.Int("cycles", 30, "cycles of a seed")
	firstFlag  = flag.Bool("first", false, "stop at the first seed that fails, and do not look for fewer cycles")
)

// manySeeds is enough for every fault to come about.
const manySeeds = 100

func openStore(t testing.TB) *sqlstore.Store {
	t.Helper()
	return sqlstore.New(testbed.ScratchDatabase(t))
}

// play runs one seed in a bubble in which time passes only when everybody waits.
func play(t *testing.T, seed uint64, cycles, concurrency int, db *sqlstore.Store, ta *tally) (w *world) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		c := draw(rand.New(rand.NewPCG(seed, 0)), concurrency)
		if w, err = live(t.Context(), c, seed, cycles, db, ta); err != nil {
			t.Fatalf("seed %d: the simulator itself failed: %v", seed, err)
		}
	})
	return w
}

// shorter looks for the fewest cycles with which a seed still fails.
func shorter(t *testing.T, w *world, seed uint64, cycles, concurrency int, db *sqlstore.Store) (*world, int) {
	for n := min(w.cycles, cycles-1); n > 0; n-- {
		less := play(t, seed, n, concurrency, db, newTally())
		if !less.failed() {
			break
		}
		w, cycles = less, n
	}
	return w, cycles
}

func tell(t *testing.T, w *world, seed uint64, cycles int) {
	t.Errorf("seed %d: %s\n  replay: go test ./internal/sim -run TestSeeds -seed %d -cycles %d\n  %s", seed, w.problem, seed, cycles, strings.Join(last(w.history), "\n  "))
}

func last(lines []string) []string {
	if n := len(lines) - historyKept; n > 0 && *seedFlag == 0 {
		return append([]string{fmt.Sprintf("(%d lines before)", n)}, lines[n:]...)
	}
	return lines
}

// TestSeeds runs many seeds, each with one worker, so that it can be replayed. Every fault must have come about.
func TestSeeds(t *testing.T) {
	if *seedFlag != 0 {
		w := play(t, *seedFlag, *cyclesFlag, 1, openStore(t), newTally())
		if w.failed() {
			tell(t, w, *seedFlag, *cyclesFlag)
		}
		return
	}
	n := *seedsFlag
	if n == 0 {
		n = manySeeds
		if testing.Short() {
			n = 10
		}
	}
	runSeeds(t, n, 1)
}

// runSeeds runs n seeds, some at once.
func runSeeds(t *testing.T, n, concurrency int) {
	ta := newTally()
	next := make(chan uint64)
	go func() {
		defer close(next)
		for seed := range n {
			next <- *fromFlag + uint64(seed)
		}
	}()
	began := time.Now()
	var mu sync.Mutex
	failures := 0
	var played atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for i := range min(runtime.GOMAXPROCS(0), 4) {
			t.Run(fmt.Sprint("worker ", i), func(t *testing.T) {
				t.Parallel()
				db := openStore(t)
				for seed := range next {
					mu.Lock()
					over := *firstFlag && failures > 0
					mu.Unlock()
					if over {
						continue
					}
					w := play(t, seed, *cyclesFlag, concurrency, db, ta)
					if n := played.Add(1); n%100 == 0 {
						t.Logf("%d seeds played, the last was %d", n, seed)
					}
					if w.failed() {
						mu.Lock()
						failures++
						few := failures <= 3
						mu.Unlock()
						if !few {
							t.Errorf("seed %d: %s", seed, w.problem)
							continue
						}
						cycles := *cyclesFlag
						if concurrency == 1 && !*firstFlag {
							w, cycles = shorter(t, w, seed, cycles, concurrency, db)
						}
						tell(t, w, seed, cycles)
					}
				}
			})
		}
	})
	t.Logf("%d seeds of %d cycles in %s, %d failed\n%s", n, *cyclesFlag, time.Since(began).Round(time.Millisecond), failures, ta)
	if failures == 0 {
		for _, what := range ta.unproven(n, *cyclesFlag) {
			t.Errorf("never came about: %s", what)
		}
	}
}

// TestAFaultThatNeverCameAbout makes a run of many seeds fail: it proves nothing.
func TestAFaultThatNeverCameAbout(t *testing.T) {
	all := func() *tally {
		ta := newTally()
		for _, what := range expected() {
			ta.hit(what)
		}
		return ta
	}
	if got := all().unproven(manySeeds, 30); len(got) > 0 {
		t.Errorf("all came about, and the run complains of %q", got)
	}
	for _, what := range expected() {
		ta := all()
		delete(ta.count, what)
		if diff := cmp.Diff([]string{what}, ta.unproven(manySeeds, 30)); diff != "" {
			t.Errorf("without %q (- want, + got):\n%s", what, diff)
		}
		if got := ta.unproven(manySeeds-1, 30); len(got) > 0 {
			t.Errorf("a run of few seeds complains of %q", got)
		}
	}
	ta := all()
	ta.hit("a fault that nobody expects")
	if diff := cmp.Diff([]string{"a fault that nobody expects, and it did"}, ta.unproven(manySeeds, 30)); diff != "" {
		t.Errorf("(- want, + got):\n%s", diff)
	}
}

// TestWorkers runs seeds with four workers. What they do at once cannot be replayed, so a failure is one of the engine all
// the same, but has to be found by its history. With -seed one seed is played until it fails, so many times at most.
func TestWorkers(t *testing.T) {
	n := *seedsFlag
	if *seedFlag != 0 {
		db := openStore(t)
		for range max(n, 1) {
			if w := play(t, *seedFlag, *cyclesFlag, 4, db, newTally()); w.failed() {
				tell(t, w, *seedFlag, *cyclesFlag)
				return
			}
		}
		return
	}
	if n == 0 {
		n = 20
		if testing.Short() {
			n = 3
		}
	}
	runSeeds(t, n, 4)
}

// TestReplay: a seed is the same whenever it is run, to the nanosecond.
func TestReplay(t *testing.T) {
	db := openStore(t)
	for seed := uint64(1); seed <= 5; seed++ {
		first := play(t, seed, 10, 1, db, newTally())
		for range 2 {
			again := play(t, seed, 10, 1, db, newTally())
			if first.digest != again.digest {
				for i := range min(len(first.history), len(again.history)) {
					if first.history[i] != again.history[i] {
						t.Errorf("seed %d: after %d and %d steps, from the end:\n%s\n%s", seed, first.step, again.step, first.history[i], again.history[i])
						break
					}
				}
			}
		}
	}
}
