package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

// service is a target over TLS that takes the tokens of an OAuth server, and remembers what it was asked.
type service struct {
	*httptest.Server
	oauth *testbed.OAuth

	mu      sync.Mutex
	methods []string // of calls with a token that holds
	refused int      // calls with another
}

func newService(t *testing.T, oauth *testbed.OAuth) *service {
	t.Helper()
	s := &service{oauth: oauth}
	taken := oauth.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.methods = append(s.methods, r.Method)
		w.WriteHeader(http.StatusOK)
	}))
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !oauth.Valid(r) {
			s.mu.Lock()
			s.refused++
			s.mu.Unlock()
		}
		taken.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) seen() (methods []string, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.methods...), s.refused
}

// table are the settings of every connector over HTTP.
func table() []connector.Setting { return web.Settings("The address.") }

// decode makes a Config of settings.
func decode(t *testing.T, settings map[string]any) web.Config {
	t.Helper()
	d := web.NewDecoder("test", table(), settings)
	cfg := web.DecodeConfig(d, "https://api.example.com")
	if err := d.Err(); err != nil {
		t.Fatal(err)
	}
	cfg.Policy = httpx.Policy{Waits: []time.Duration{0, 0}}
	return cfg
}

// files writes secrets and returns the directory they are in.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func file(name string) map[string]any { return map[string]any{"file": name} }

// trust writes what both servers show into one file.
func trust(t *testing.T, servers ...*httptest.Server) string {
	t.Helper()
	var all []byte
	for _, s := range servers {
		data, err := os.ReadFile(testbed.CAFile(t, s))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// call makes one call and returns its status.
func call(ctx context.Context, c *web.Conn, method string) (int, error) {
	resp, err := c.Do(ctx, httpx.Request{Method: method, URL: c.Address("/things", nil), Safe: method == http.MethodGet})
	if err != nil {
		return 0, c.Lost(ctx, web.Call{Op: method + " /things", Method: method, Path: "/things"}, err)
	}
	return resp.Status, nil
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestClientCredentials(t *testing.T) {
	const id, password = "client one", "p%4 +/ä&s"
	for _, way := range []string{"basic", "post"} {
		t.Run("the client proves itself by "+way, func(t *testing.T) {
			oauth := testbed.NewOAuth(t, testbed.OAuthClient{ID: id, Secret: password, Auth: "client_secret_" + way, Scopes: []string{"users", "groups"}})
			target := newService(t, oauth)
			settings := map[string]any{"url": target.URL, "caFile": trust(t, target.Server, oauth.Server), "auth": map[string]any{"oauth2": map[string]any{
				"tokenURL": oauth.TokenURL(), "clientID": id, "clientSecret": file("s"), "clientAuth": way, "scopes": []any{"users", "groups"},
				"parameters": map[string]any{"audience": "https://api.example.com"}}}}
			meter := &connector.Meter{}
			conn, err := web.Open(decode(t, settings), connector.Env{Dir: files(t, map[string]string{"s": password + "\n"}), Meter: meter}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				if status, err := call(t.Context(), conn, method); status != http.StatusOK {
					t.Fatalf("%s: status %d, %v", method, status, err)
				}
			}
			methods, refused := target.seen()
			if diff := cmp.Diff([]string{"GET", "POST"}, methods); diff != "" || refused > 0 {
				t.Errorf("%d refused, calls: %s", refused, diff)
			}
			forms := oauth.Forms()
			if len(forms) != 1 {
				t.Fatalf("%d tokens were asked for, want one for both calls", len(forms))
			}
			if got := forms[0].Get("audience") + " " + forms[0].Get("scope") + " " + forms[0].Get("grant_type"); got != "https://api.example.com users groups client_credentials" {
				t.Errorf("parameters: %s", got)
			}
			if n := meter.Read().Total(); n != 2 {
				t.Errorf("%d calls are counted; the one for the token is not made to the target", n)
			}
		})
	}
}

// TestATokenIsRenewedAtFourFifthsOfItsLife (scim.R69, R71).
func TestATokenIsRenewedAtFourFifthsOfItsLife(t *testing.T) {
	c := newClock()
	oauth := testbed.NewOAuth(t, testbed.OAuthClient{ID: "c", Secret: "s", Auth: "client_secret_basic"})
	oauth.Now, oauth.Lifetime = c.now, 100*time.Second
	target := newService(t, oauth)
	conn := openClient(t, oauth, target, c)
	steps := []struct {
		after  time.Duration
		tokens int
	}{{0, 1}, {79 * time.Second, 1}, {time.Second, 2}, {79 * time.Second, 2}, {time.Second, 3}, {time.Hour, 4}}
	for i, step := range steps {
		c.add(step.after)
		if status, err := call(t.Context(), conn, http.MethodGet); status != http.StatusOK {
			t.Fatalf("step %d: status %d, %v", i, status, err)
		}
		if n := len(oauth.Forms()); n != step.tokens {
			t.Errorf("step %d: %d tokens, want %d (scim.R71)", i, n, step.tokens)
		}
	}
	if _, refused := target.seen(); refused > 0 {
		t.Errorf("%d calls were refused", refused)
	}
}

// openClient opens a connection with client credentials c and s.
func openClient(t *testing.T, oauth *testbed.OAuth, target *service, c *clock) *web.Conn {
	t.Helper()
	settings := map[string]any{"url": target.URL, "caFile": trust(t, target.Server, oauth.Server), "auth": map[string]any{"oauth2": map[string]any{
		"tokenURL": oauth.TokenURL(), "clientID": "c", "clientSecret": file("s")}}}
	conn, err := web.Open(decode(t, settings), connector.Env{Dir: files(t, map[string]string{"s": "s"}), Now: c.now, Name: "Learning"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestATokenThatIsRefusedIsRenewedOnce (scim.R66).
func TestATokenThatIsRefusedIsRenewedOnce(t *testing.T) {
	c := newClock()
	oauth := testbed.NewOAuth(t, testbed.OAuthClient{ID: "c", Secret: "s", Auth: "client_secret_basic"})
	oauth.Now = c.now
	target := newService(t, oauth)
	conn := openClient(t, oauth, target, c)
	if status, err := call(t.Context(), conn, http.MethodGet); status != http.StatusOK {
		t.Fatalf("status %d, %v", status, err)
	}
	oauth.Revoke(false)
	// A 401 says that the call was not carried out, so even a create is made again.
	if status, err := call(t.Context(), conn, http.MethodPost); status != http.StatusOK {
		t.Fatalf("status %d, %v", status, err)
	}
	if methods, refused := target.seen(); refused != 1 || len(methods) != 2 || len(oauth.Forms()) != 2 {
		t.Errorf("%v, %d refused, %d tokens; want one of each more", methods, refused, len(oauth.Forms()))
	}
}

func TestCallersThatComeTogetherShareOneRenewal(t *testing.T) {
	c := newClock()
	oauth := testbed.NewOAuth(t, testbed.OAuthClient{ID: "c", Secret: "s", Auth: "client_secret_basic"})
	oauth.Now = c.now
	target := newService(t, oauth)
	conn := openClient(t, oauth, target, c)
	together := func() {
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				if status, err := call(t.Context(), conn, http.MethodPost); status != http.StatusOK {
					t.Errorf("status %d, %v", status, err)
				}
			})
		}
		wg.Wait()
	}
	together()
	oauth.Revoke(false)
	together()
	if n := len(oauth.Forms()); n != 2 {
		t.Errorf("%d tokens were asked for, want one for each time", n)
	}
	if methods, _ := target.seen(); len(methods) != 24 {
		t.Errorf("%d calls arrived, want 24", len(methods))
	}
}

func TestATokenNobodyTakesIsAnErrorOfTheJob(t *testing.T) {
	c := newClock()
	oauth := testbed.NewOAuth(t, testbed.OAuthClient{ID: "c", Secret: "s", Auth: "client_secret_basic"})
	oauth.Lifetime = time.Hour
	target := newService(t, testbed.NewOAuth(t)) // which takes the tokens of another server
	conn := openClient(t, oauth, target, c)
	resp, err := conn.Do(t.Context(), httpx.Request{Method: http.MethodPost, URL: conn.Address("/things", nil)})
	if err != nil {
		t.Fatal(err)
	}
	judged := conn.Judge(web.Call{Op: "POST /things", Method: http.MethodPost, Path: "/things"}, resp, conn.Clean(string(resp.Body), resp.Status))
	if judged.Kind != connector.KindAuth || !strings.Contains(judged.Hint, "a new one included") || judged.MaybeDone {
		t.Errorf("%+v", judged)
	}
	if _, refused := target.seen(); refused != 2 || len(oauth.Forms()) != 2 {
		t.Errorf("%d calls and %d tokens, want two of each", refused, len(oauth.Forms()))
	}
}

func TestWhatTheTokenEndpointRefusesIsToldWithItsCure(t *testing.T) {
	client := testbed.OAuthClient{ID: "c", Secret: "s3cr3t", Auth: "client_secret_basic", Scopes: []string{"users"}}
	tests := []struct {
		name  string
		fail  []int
		with  map[string]any
		kind  connector.Kind
		hints []string
	}{
		{"a wrong secret", nil, map[string]any{"clientSecret": file("wrong")}, connector.KindAuth, []string{"invalid_client", "the secret may have expired", "auth.oauth2.clientSecret says: {file: wrong}"}},
		{"another way to prove the client", nil, map[string]any{"clientAuth": "post"}, connector.KindAuth, []string{"check auth.oauth2.clientID and clientAuth"}},
		{"a scope that is not allowed", nil, map[string]any{"scopes": []any{"admin"}}, connector.KindAuth, []string{"invalid_scope", "auth.oauth2.scopes"}},
		{"an address that issues no tokens", nil, map[string]any{"tokenURL": "/authorize"}, connector.KindIncompatible, []string{"auth.oauth2.tokenURL"}},
		{"a server in trouble", []int{503, 503, 503}, nil, connector.KindTemporary, []string{"status 503"}},
		{"too many requests", []int{429}, nil, connector.KindRateLimited, []string{"status 429"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			oauth := testbed.NewOAuth(t, client)
			target := newService(t, oauth)
			settings := map[string]any{"tokenURL": oauth.TokenURL(), "clientID": "c", "clientSecret": file("s")}
			for k, v := range tt.with {
				if text, ok := v.(string); ok && k == "tokenURL" {
					v = oauth.URL + text
				}
				settings[k] = v
			}
			cfg := decode(t, map[string]any{"url": target.URL, "caFile": trust(t, target.Server, oauth.Server), "auth": map[string]any{"oauth2": settings}})
			cfg.Policy.Attempts = 1
			conn, err := web.Open(cfg, connector.Env{Dir: files(t, map[string]string{"s": "s3cr3t", "wrong": "s3cr3t-old"})}, nil)
			if err != nil {
				t.Fatal(err)
			}
			oauth.Fail(tt.fail...)
			_, err = call(t.Context(), conn, http.MethodPost)
			e := connector.AsError(err)
			if e.Kind != tt.kind || !e.NotSent || e.MaybeDone {
				t.Errorf("%+v, want kind %s, and not sent", e, tt.kind)
			}
			for _, hint := range tt.hints {
				if !strings.Contains(err.Error(), hint) {
					t.Errorf("%q is missing in: %v", hint, err)
				}
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the secret shows: %v", err)
			}
			if methods, refused := target.seen(); len(methods) > 0 || refused > 0 {
				t.Errorf("the target was called: %v, %d", methods, refused)
			}
		})
	}
}

func TestAnAnswerThatRepeatsASecretDoesNotShowIt(t *testing.T) {
	echo := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := r.FormValue("client_secret") + r.Header.Get("Authorization")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_request", "error_description": "bad: " + body})
	}))
	defer echo.Close()
	conn, err := web.Open(decode(t, map[string]any{"url": "https://target.invalid", "caFile": trust(t, echo), "auth": map[string]any{"oauth2": map[string]any{
		"tokenURL": echo.URL, "clientID": "c", "clientSecret": file("s"), "clientAuth": "post"}}}),
		connector.Env{Dir: files(t, map[string]string{"s": "t0psecret"})}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = call(t.Context(), conn, http.MethodGet)
	if err == nil || strings.Contains(err.Error(), "t0psecret") || !strings.Contains(err.Error(), "•••") {
		t.Errorf("%v", err)
	}
}
