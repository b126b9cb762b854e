package pace

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/connector"
	dirconn "github.com/rollcall-id/rollcall/internal/connector/directory"
	"github.com/rollcall-id/rollcall/internal/connector/litmos"
	scimconn "github.com/rollcall-id/rollcall/internal/connector/scim"
	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sandbox"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
)

// perMinute is what SAP Litmos allows a site, over all its interfaces (litmos-api R1).
const perMinute = 100

// latency is what each answer takes.
const latency = 50 * time.Millisecond

// world is a directory with its people and teams, jobs from it, and one site that they call.
type world struct {
	t     *testing.T
	db    *database.DB
	store *sqlstore.Store
	dir   *directory.Directory
	site  *site
}

// newWorld is made within a bubble of synctest; the database is opened outside.
func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	return &world{t: t, db: db, store: sqlstore.New(db), dir: directory.New(db, directory.Config{}), site: newSite(t)}
}

// employ brings people and teams into the directory: every tenth person leads the nine that follow, and each team has so
// many members, the teams overlapping.
func (w *world) employ(people, teams, membersOfEach int) {
	w.t.Helper()
	ctx := w.t.Context()
	ids := make([]identity.Ref, people)
	for i := range people {
		attrs := identity.Attrs{}
		name := fmt.Sprintf("person%04d", i)
		for _, a := range [][2]string{{"userPrincipalName", name + "@example.com"}, {"mail", name + "@example.com"}, {"displayName", "Given " + name},
			{"givenName", "Given"}, {"surname", name}, {"jobTitle", "Fitter"}, {"employeeId", fmt.Sprint(1000 + i)}} {
			attrs.Set(a[0], a[1])
		}
		if i%10 > 0 {
			attrs.Set("manager", ids[i/10*10])
		}
		e, err := w.dir.CreateUser(ctx, attrs)
		if err != nil {
			w.t.Fatal(err)
		}
		ids[i] = identity.Ref{Kind: identity.User, Anchor: e.Anchor}
	}
	for i := range teams {
		attrs := identity.Attrs{}
		attrs.Set("displayName", fmt.Sprintf("Team %02d", i))
		members := make([]any, membersOfEach)
		for m := range members {
			members[m] = ids[(i*people/teams+m)%people]
		}
		attrs.Set("members", members)
		if _, err := w.dir.CreateGroup(ctx, attrs); err != nil {
			w.t.Fatal(err)
		}
	}
}

// site is one SAP Litmos site with both of its interfaces, which share the allowance.
type site struct {
	api, scim *sandbox.Server

	mu       sync.Mutex
	arrivals []time.Time
	refused  int // answers 503
}

const (
	siteURL = "https://litmos.example.com"
	token   = "a-token-for-tests"
)

func newSite(t *testing.T) *site {
	t.Helper()
	open := func(name string) *sandbox.Server {
		s, err := sandbox.New(name, sandbox.Config{Token: token, Latency: latency, NoBodies: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	return &site{api: open("litmos-api"), scim: open("litmos-scim")}
}

// url is the base address of one of the interfaces.
func (s *site) url(template string) string {
	if template == "litmos-api" {
		return siteURL + s.api.BasePath()
	}
	return siteURL + s.scim.BasePath()
}

// RoundTrip takes a call to either interface. What goes beyond the allowance is answered with 503: each sandbox keeps
// the limit for itself, and the site for both together.
func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	handler := s.scim.Handler()
	if strings.HasPrefix(r.URL.Path, s.api.BasePath()) {
		handler = s.api.Handler()
	}
	answer := httptest.NewRecorder()
	if s.full(time.Now()) {
		answer.WriteHeader(http.StatusServiceUnavailable)
	} else {
		handler.ServeHTTP(answer, r)
	}
	if answer.Code == http.StatusServiceUnavailable {
		s.mu.Lock()
		s.refused++
		s.mu.Unlock()
	}
	return answer.Result(), nil
}

// full counts a call that arrives, and tells whether it is one too many for any 60 seconds.
func (s *site) full(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.arrivals)
	s.arrivals = append(s.arrivals, now)
	return n >= perMinute && now.Sub(s.arrivals[n-perMinute]) < time.Minute
}

// used is the part of the allowance that was used: the time that so many calls take at least, by the time that they took.
// The first hundred may go out at once, the next hundred a minute later.
func (s *site) used() (calls int, took time.Duration, share float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls = len(s.arrivals)
	took = s.arrivals[calls-1].Sub(s.arrivals[0])
	return calls, took, float64((calls-1)/perMinute) * time.Minute.Seconds() / took.Seconds()
}

// process is one run of the program: the limiter's registry is its own, the store is shared.
type process struct {
	world *world
	sites *httpx.Sites
}

func (w *world) process() process {
	return process{w, httpx.NewSites(w.store, time.Now)}
}

// run makes a job of a template as it is and runs its first cycle.
func (p process) run(template string) (engine.RunReport, error) {
	w := p.world
	ctx := w.t.Context()
	f, err := appfile.Parse([]byte(appText(template, w.site.url(template))), w.t.TempDir(), appfile.Options{Connectors: connectors(), Template: gallery.Get})
	if err != nil {
		return engine.RunReport{}, err
	}
	row := store.Job{ID: uuid.NewString(), Name: f.Job.Name, Version: 1, InitialDue: true, Created: time.Now(), Updated: time.Now()}
	if err := w.store.CreateJob(ctx, row); err != nil {
		return engine.RunReport{}, err
	}
	uses, err := engine.Uses(f.Job, f.TargetSchema)
	if err != nil {
		return engine.RunReport{}, err
	}
	env := connector.Env{Logger: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Now: time.Now, Job: row.ID, Name: row.Name, Uses: uses, Meter: &connector.Meter{}}
	sub := engine.Subject{Job: row, Def: f.Job, TargetSchema: f.TargetSchema, Meter: env.Meter, Source: dirconn.NewSource(w.dir, env), SourceName: "directory", TargetName: "litmos"}
	if sub.Target, err = p.open(template, f.Job.Target.Settings, env); err != nil {
		return engine.RunReport{}, err
	}
	e := engine.New(engine.Config{Store: w.store, Now: time.Now, NewID: uuid.NewString, Holder: uuid.NewString(), TempDir: w.t.TempDir(), Logger: env.Logger})
	return e.Run(ctx, sub, engine.Options{Manual: true})
}

// open opens the target of a job, which reaches the site without a network.
func (p process) open(template string, settings map[string]any, env connector.Env) (connector.Target, error) {
	if template == "litmos-api" {
		cfg, err := litmos.Decode(settings)
		if err != nil {
			return nil, err
		}
		cfg.Transport = p.world.site
		return litmos.New(cfg, env, p.sites)
	}
	cfg, err := scimconn.Decode(settings)
	if err != nil {
		return nil, err
	}
	cfg.Transport = p.world.site
	return scimconn.New(cfg, env, p.sites)
}

// appText is an app file that has from its template whatever it can, the rate and the site above all.
func appText(template, url string) string {
	auth, more := "{bearer: {env: PACE_TOKEN}}", ""
	if template == "litmos-api" {
		auth, more = "{header: {name: apikey, value: {env: PACE_TOKEN}}}", "    source: example\n"
	}
	return fmt.Sprintf("name: %s\ntemplate: %s\nsource: {connector: directory}\ntarget:\n  settings:\n    url: %s\n    auth: %s\n%ssettings: {scope: all}\n",
		template, template, url, auth, more)
}

func connectors() map[string]appfile.ConnectorInfo {
	return map[string]appfile.ConnectorInfo{
		"directory": {Source: true, Target: true, Settings: dirconn.Settings()},
		"scim":      {Target: true, Settings: scimconn.Settings()},
		"litmos":    {Source: true, Target: true, Settings: litmos.Settings()},
	}
}

// held counts what an interface of the site holds.
func held(t *testing.T, s *sandbox.Server) (users, groups, members int) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/_sandbox/state", nil)
	r.RemoteAddr = "127.0.0.1:1"
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, r)
	h := decode(t, answer.Body.Bytes())
	for _, g := range h.Groups {
		list, _ := g["members"].([]any)
		if list == nil {
			list, _ = g["Members"].([]any)
		}
		members += len(list)
	}
	return len(h.Users), len(h.Groups), members
}

// most is the greatest number of arrivals in any 60 seconds.
func (s *site) most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortFunc(s.arrivals, time.Time.Compare)
	most, first := 0, 0
	for i, at := range s.arrivals {
		for at.Sub(s.arrivals[first]) >= time.Minute {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
