package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/scim"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/database/sqlite"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
)

// counter is a site that takes 100 calls in any 60 seconds, however they are signed, and answers 503 to more.
type counter struct {
	clock *clock

	mu      sync.Mutex
	taken   []time.Time
	by      map[string]int // calls taken, by interface
	refused int
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, inside := c.clock.now(), 0
	for _, at := range c.taken {
		if now.Sub(at) < time.Minute {
			inside++
		}
	}
	if inside >= 100 {
		c.refused++
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	c.taken = append(c.taken, now)
	if strings.HasPrefix(r.URL.Path, "/scim/") {
		c.by["scim"]++
		w.Header().Set("Content-Type", "application/scim+json")
		_, _ = io.WriteString(w, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"7","userName":"mira@example.com"}`)
		return
	}
	c.by["rest"]++
}

// openWindows opens the database as a process of its own does.
func openWindows(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return sqlstore.New(db)
}

// TestJobsOfTwoConnectorsShareTheAllowanceOfASite has a SCIM connector with a token and another one with a key in a header
// call one site, from two processes on one database (design D2, P7).
func TestJobsOfTwoConnectorsShareTheAllowanceOfASite(t *testing.T) {
	const calls = 400 // of each
	c := newClock()
	site := &counter{clock: c, by: map[string]int{}}
	server := httptest.NewServer(site)
	defer server.Close()
	path := filepath.Join(t.TempDir(), "rollcall.db")
	dir := files(t, map[string]string{"token": "scim-token", "key": "api-key"})
	common := func(url string, auth map[string]any) map[string]any {
		return map[string]any{"url": url, "auth": auth, "rate": "100/min", "site": "host", "throttle503": true}
	}
	impatient := httpx.Policy{LongestWait: 1} // every wait is told, so that the test can move the clock

	one, err := scim.Decode(common(server.URL+"/scim", map[string]any{"bearer": file("token")}))
	if err != nil {
		t.Fatal(err)
	}
	one.Policy = impatient
	users := connector.Use{Kind: identity.User, Joining: []string{"userName"}, Attributes: []schema.Attribute{{Name: "userName"}}}
	people, err := scim.New(one, connector.Env{Dir: dir, Now: c.now, Uses: []connector.Use{users}}, httpx.NewSites(openWindows(t, path), c.now))
	if err != nil {
		t.Fatal(err)
	}
	two := decode(t, common(server.URL+"/rest", map[string]any{"header": map[string]any{"name": "apikey", "value": file("key")}}))
	two.Policy = impatient
	rest, err := web.Open(two, connector.Env{Dir: dir, Now: c.now}, httpx.NewSites(openWindows(t, path), c.now))
	if err != nil {
		t.Fatal(err)
	}
	jobs := []func(context.Context) error{
		func(ctx context.Context) error { _, err := people.Get(ctx, identity.User, "7"); return err },
		func(ctx context.Context) error { _, err := call(ctx, rest, http.MethodGet); return err },
	}
	began, done := c.now(), make([]int, len(jobs))
	for done[0]+done[1] < 2*calls {
		wait := time.Duration(-1)
		for i, do := range jobs {
			if done[i] == calls {
				continue
			}
			err := do(t.Context())
			var told *connector.Error
			switch {
			case err == nil:
				done[i]++
				wait = 0
			case errors.As(err, &told) && told.Kind == connector.KindRateLimited && told.NotSent:
				if wait < 0 || told.RetryAfter < wait {
					wait = told.RetryAfter
				}
			default:
				t.Fatalf("job %d after %d calls: %v", i, done[i], err)
			}
		}
		c.add(max(wait, time.Millisecond))
	}
	if diff := cmp.Diff(map[string]int{"scim": calls, "rest": calls}, site.by); diff != "" {
		t.Errorf("calls taken: %s", diff)
	}
	if site.refused > 0 {
		t.Errorf("the site refused %d calls", site.refused)
	}
	if took, most := c.now().Sub(began), time.Duration(1.05*2*calls/100*float64(time.Minute)); took > most {
		t.Errorf("it took %s, at most %s are right", took, most)
	}
	if took, least := c.now().Sub(began), time.Duration(2*calls/100-1)*time.Minute; took < least {
		t.Errorf("it took %s; %s are the least at this rate", took, least)
	}
}

func TestWhoSharesASite(t *testing.T) {
	dir := files(t, map[string]string{"a": "token a", "b": "token b"})
	key := func(settings map[string]any) string {
		settings["url"] = "https://api.example.com/" + settings["url"].(string)
		facts, err := web.Inspect(decode(t, settings), connector.Env{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(facts.Site, "token ") || strings.Contains(facts.SiteName, "#") {
			t.Errorf("%+v shows more than a name", facts)
		}
		return facts.Site
	}
	bearer := func(name string) map[string]any { return map[string]any{"bearer": file(name)} }
	plain := key(map[string]any{"url": "scim", "auth": bearer("a")})
	if plain != key(map[string]any{"url": "rest", "auth": bearer("a")}) {
		t.Error("one credential at one host is one site")
	}
	if plain == key(map[string]any{"url": "scim", "auth": bearer("b")}) {
		t.Error("two credentials are two sites")
	}
	host := key(map[string]any{"url": "scim", "auth": bearer("a"), "site": "host"})
	if host != key(map[string]any{"url": "rest", "auth": map[string]any{"header": map[string]any{"name": "apikey", "value": file("b")}}, "site": "Host"}) || host != "https://api.example.com" {
		t.Errorf("site: host is %q for all credentials", host)
	}
	if got := key(map[string]any{"url": "scim", "auth": bearer("a"), "site": "litmos-sales"}); got != "litmos-sales" {
		t.Errorf("a name is a name, not %q", got)
	}
	client := func(secret string) string {
		return key(map[string]any{"url": "scim", "auth": map[string]any{"oauth2": map[string]any{"tokenURL": "https://login.example.com", "clientID": "c", "clientSecret": file(secret)}}})
	}
	if client("a") != client("b") {
		t.Error("a client with a new secret is the same client, and its allowance is")
	}
}
