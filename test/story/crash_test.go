package story

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/testbed"
)

// seedGiven repeats the moments of an earlier run: go test ./test/story -run Killed -seed N.
var seedGiven = flag.Uint64("seed", 0, "seed of the random moments at which runs are killed; 0 takes a new one")

// newSeed returns the seed of a test and prints it.
func newSeed(t *testing.T) uint64 {
	t.Helper()
	seed := *seedGiven
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	return seed
}

// moment is when a run is killed.
type moment int

const (
	requestLost  moment = iota // its nth request is on the way and never arrives
	answerLost                 // its nth request was carried out, and the answer is on the way
	answerJustIn               // the answer to its nth request has just been sent
	byTheClock                 // at any instant, for the times between requests
	moments
)

func (m moment) String() string {
	return [...]string{"before its request %d arrives", "before the answer to its request %d", "after the answer to its request %d", "at a random time"}[m]
}

// executioner stands between the program and a target and kills the run at its moment.
type executioner struct {
	url string

	mu     sync.Mutex
	victim *process
	when   moment
	nth    int // requests left until then
	struck atomic.Bool
}

// newExecutioner makes a way to a target through which requests are counted.
func newExecutioner(t *testing.T, target string) *executioner {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	x := &executioner{}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: to.Scheme, Host: to.Host})
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) } // the run was killed
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		victim, when := x.count()
		if victim == nil {
			proxy.ServeHTTP(w, r)
			return
		}
		switch when {
		case requestLost:
			victim.kill()
			panic(http.ErrAbortHandler)
		case answerLost:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			victim.kill()
			panic(http.ErrAbortHandler)
		default:
			proxy.ServeHTTP(w, r)
			_ = http.NewResponseController(w).Flush() // a victim that has gone meanwhile wants no answer
			victim.kill()
		}
	}))
	t.Cleanup(front.Close)
	x.url = front.URL + to.Path
	return x
}

// count counts a request and returns whom to kill at it.
func (x *executioner) count() (*process, moment) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.victim == nil {
		return nil, 0
	}
	if x.nth--; x.nth > 0 {
		return nil, 0
	}
	victim := x.victim
	x.victim = nil
	x.struck.Store(true)
	return victim, x.when
}

// sentence names the next victim; nil pardons the last one.
func (x *executioner) sentence(victim *process, when moment, nth int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.victim, x.when, x.nth = victim, when, nth
	x.struck.Store(false)
}

// killedLoad is a first load that is killed several times.
type killedLoad struct {
	world  *world
	target *sandbox
	seed   uint64
	kills  int
}

// play kills the load and lets it go on until it is done. It returns how many kills met work that was under way.
func (k killedLoad) play(t *testing.T) (midway int) {
	random := rand.New(rand.NewPCG(k.seed, 0))
	c := companyOf(t, "2012-12-31")
	x := newExecutioner(t, k.target.url)
	k.world.write("app.yaml", appFile(settings{url: x.url, deletes: true, layout: everything}))
	k.world.write("people.csv", c.csv())

	for i := range k.kills {
		when, nth := moment(random.IntN(int(moments))), 1+random.IntN(len(c.people)/k.kills)
		after := time.Duration(random.Int64N(int64(400 * time.Millisecond)))
		p := k.world.start("run", "-f", "app.yaml", "-o", "json")
		if when == byTheClock {
			select {
			case <-p.ended:
			case <-time.After(after):
				p.kill()
			}
		} else {
			x.sentence(p, when, nth)
		}
		o := p.wait()
		struck := when == byTheClock || x.struck.Load()
		x.sentence(nil, 0, 0)
		there := len(k.target.state().Users)
		t.Logf("run %d was killed "+when.String()+": exit code %d, %d accounts so far", append(numbered(when, i, nth), o.Code, there)...)
		if o.Code != -1 {
			if struck || o.Code != exitFine {
				t.Fatalf("the run was not ended by the signal\n%v", o)
			}
			return midway // done before its moment
		}
		if there > 0 && there < len(c.people) {
			midway++
		}
	}
	rep := k.world.run("app.yaml", exitFine)
	if rep.Cycle.State != "Succeeded" || rep.Counts.Failed != 0 {
		t.Errorf("the last run ended as %s with %+v", rep.Cycle.State, rep.Counts)
	}
	if want := (counts{Imported: 290, InScope: 290, Created: 290}); rep.Counts != want { // a resumed cycle counts as a whole
		t.Errorf("counts of the resumed cycle (-want +got):\n%s", cmp.Diff(want, rep.Counts))
	}
	wantAccounts(t, k.target, c.accounts(everything, nil))
	list := k.target.exchanges()
	wantCreatedOnce(t, list)
	for _, e := range list {
		if e.Status == http.StatusConflict {
			t.Errorf("%s %s of %v was refused as a duplicate: a create was repeated", e.Method, e.Path, e.Request["userName"])
		}
	}
	if again := k.world.run("app.yaml", exitFine); again.Requests.writes() != 0 || again.Counts.Unchanged != len(c.people) {
		t.Errorf("the cycle after the load is not quiet: %+v %v", again.Counts, again.Requests.ByMethod)
	}
	return midway
}

// numbered are the arguments of a moment's words.
func numbered(when moment, run, nth int) []any {
	if when == byTheClock {
		return []any{run + 1}
	}
	return []any{run + 1, nth}
}

// TestKilledLoadsLoseAndRepeatNothing kills first loads of 290 people at twenty random moments, each followed by a new
// run: at the end nobody is missing or there twice, every manager is right, and no create was sent twice (design
// section 4 and D13, I1 and I5 of section 7).
func TestKilledLoadsLoseAndRepeatNothing(t *testing.T) {
	long(t)
	t.Parallel()
	const loads, kills = 4, 5
	seed := newSeed(t)
	var midway atomic.Int64
	t.Run("loads", func(t *testing.T) {
		for i := range uint64(loads) {
			t.Run(fmt.Sprintf("load %d", i+1), func(t *testing.T) {
				t.Parallel()
				k := killedLoad{newWorld(t, token), startSandbox(t, "scim", token, "--latency", "20ms"), seed + i, kills}
				midway.Add(int64(k.play(t)))
			})
		}
	})
	// Kills that hit nothing would prove nothing.
	if n := midway.Load(); n < loads*kills/3 {
		t.Errorf("only %d of %d kills met a load under way", n, loads*kills)
	}
}

// TestKilledLoadWithPostgresState is the same with the state in PostgreSQL.
func TestKilledLoadWithPostgresState(t *testing.T) {
	long(t)
	t.Parallel()
	w := newWorld(t, token)
	w.db = testbed.Postgres(t)
	seed := newSeed(t)
	k := killedLoad{w, startSandbox(t, "scim", token, "--latency", "20ms"), seed, 5}
	if k.play(t) == 0 {
		t.Error("no kill met a load under way")
	}
}

// TestKilledHeldCycleTakesNothingAway kills cycles that the deletion guard holds, at random moments: however far one has
// come with holding back, the next one holds back the rest, and nobody loses an account (design D6, I2 and I3).
func TestKilledHeldCycleTakesNothingAway(t *testing.T) {
	long(t)
	t.Parallel()
	const kills = 8
	seed := newSeed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	w, target, c := settled(t, settings{deletes: true})
	before, seen := target.state(), len(target.exchanges())
	w.write("people.csv", c.first(0).csv())
	for i := range kills {
		after := time.Duration(random.Int64N(int64(150 * time.Millisecond)))
		p := w.start("run", "-f", "app.yaml", "-o", "json")
		select {
		case <-p.ended:
		case <-time.After(after):
			p.kill()
		}
		o := p.wait()
		t.Logf("run %d was killed after %v: exit code %d", i+1, after, o.Code)
		if o.Code != -1 && o.Code != exitHeld {
			t.Fatalf("the run ended neither by the signal nor held\n%v", o)
		}
	}
	rep := w.run("app.yaml", exitHeld)
	if want := (counts{Staged: 290}); rep.Counts != want {
		t.Errorf("counts (-want +got):\n%s", cmp.Diff(want, rep.Counts))
	}
	if made := writesIn(target.exchanges()[seen:]); made != nil {
		t.Errorf("written to the target: %v", made)
	}
	if diff := cmp.Diff(before, target.state()); diff != "" {
		t.Errorf("the target was changed (-before +after):\n%s", diff)
	}
	if list := decode[[]held](t, w.rollcall("deletes", "list", "Company", "-o", "json")); len(list) != len(c.people) {
		t.Errorf("%d operations are held, want %d", len(list), len(c.people))
	}
}
