package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNewNamesTheKnownSandboxes(t *testing.T) {
	_, err := New("litmos", Config{})
	if err == nil || !strings.Contains(err.Error(), "litmos-scim, scim") || !strings.Contains(err.Error(), `"litmos"`) {
		t.Errorf("error %v", err)
	}
	for _, name := range Names() {
		s, err := New(name, Config{})
		if err != nil || s.Name() != name || !strings.HasPrefix(s.BasePath(), "/") || strings.HasSuffix(s.BasePath(), "/") {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

func TestNoTokenAsksForNone(t *testing.T) {
	s, err := New("scim", Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/scim/v2/Users", nil))
	if w.Code != 200 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func (c *client) requests() []map[string]any {
	c.t.Helper()
	var list []map[string]any
	for line := range strings.Lines(c.with("Authorization", "").must(200, "GET", "/_sandbox/requests", "").raw) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			c.t.Fatalf("line %q: %v", line, err)
		}
		list = append(list, m)
	}
	return list
}

func TestRequestsAreRecorded(t *testing.T) {
	clock := &clock{time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC)}
	c := open(t, "scim", Config{Now: clock.Now})
	created := c.must(201, "POST", "/Users", `{"userName":"mira","title":"knows `+testToken+`"}`)
	c.must(200, "GET", "/Users?filter=userName+eq+%22"+testToken+"%22&count=1", "")
	c.must(400, "POST", "/Users", `no JSON`)
	c.with("Authorization", "Bearer wrong-token").must(401, "GET", "/Users", "")
	c.must(204, "DELETE", "/Users/"+created.body["id"].(string), "")
	raw := c.must(200, "GET", "/_sandbox/requests", "").raw
	if strings.Contains(raw, testToken) || strings.Contains(raw, "wrong-token") {
		t.Errorf("a token is in the record:\n%s", raw)
	}
	got := c.requests()
	if len(got) != 5 {
		t.Fatalf("%d lines, want 5:\n%s", len(got), raw)
	}
	for i, m := range got {
		if m["response"] == nil && i < 4 {
			t.Errorf("line %d has no response", i)
		}
		delete(m, "response")
	}
	at := "2026-03-01T12:00:00.005Z"
	want := []map[string]any{
		{"time": at, "method": "POST", "path": "/scim/v2/Users", "query": "", "status": 201.0, "request": map[string]any{"userName": "mira", "title": "knows ***"}},
		{"time": at, "method": "GET", "path": "/scim/v2/Users", "query": "filter=userName+eq+%22***%22&count=1", "status": 200.0, "request": nil},
		{"time": at, "method": "POST", "path": "/scim/v2/Users", "query": "", "status": 400.0, "request": "no JSON"},
		{"time": at, "method": "GET", "path": "/scim/v2/Users", "query": "", "status": 401.0, "request": nil},
		{"time": at, "method": "DELETE", "path": "/scim/v2/Users/" + created.body["id"].(string), "query": "", "status": 204.0, "request": nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	quiet := open(t, "scim", Config{NoBodies: true})
	quiet.user("mira")
	if got := quiet.requests()[0]; got["request"] != nil || got["response"] != nil || got["status"] != 201.0 {
		t.Errorf("record without bodies: %v", got)
	}
}

func TestRecordIsBounded(t *testing.T) {
	r := newRecorder(false)
	body := bytes.Repeat([]byte("x"), maxOneBody)
	n := maxBodies/len(body) + 3
	for i := range n {
		r.add(exchange{status: i, request: body})
	}
	r.add(exchange{status: n, request: append(body, 'x'), response: []byte("{}")})
	list := r.snapshot()
	if len(list) != n+1 || r.bodies > maxBodies {
		t.Fatalf("%d exchanges with %d bytes", len(list), r.bodies)
	}
	for i, e := range list {
		if wantBody := i > 3 && i < n; e.status != i || (e.request != nil) != wantBody || e.dropped == wantBody {
			t.Fatalf("exchange %d: status %d, %d bytes, dropped %v", i, e.status, len(e.request), e.dropped)
		}
	}
	r.reset()
	for i := range maxExchanges + 10 {
		r.add(exchange{status: i, response: []byte("1")})
	}
	list = r.snapshot()
	if len(list) != maxExchanges || list[0].status != 10 || list[maxExchanges-1].status != maxExchanges+9 || r.bodies != maxExchanges {
		t.Errorf("%d exchanges from %d to %d with %d bytes", len(list), list[0].status, list[len(list)-1].status, r.bodies)
	}
}

func TestState(t *testing.T) {
	c := open(t, "scim", Config{})
	if got := c.must(200, "GET", "/_sandbox/state", "").raw; strings.TrimSpace(got) != `{"users":[],"groups":[]}` {
		t.Errorf("empty state %s", got)
	}
	mira := c.user("mira")
	c.user("ola")
	c.group("Line 12", mira)
	state := c.with("Authorization", "").must(200, "GET", "/_sandbox/state", "").body
	users, groups := state["users"].([]any), state["groups"].([]any)
	if len(users) != 2 || users[0].(map[string]any)["userName"] != "mira" || len(groups) != 1 {
		t.Fatalf("state %v", state)
	}
	if got := groups[0].(map[string]any)["members"].([]any)[0].(map[string]any)["value"]; got != mira {
		t.Errorf("member %v", got)
	}
	c.must(204, "POST", "/_sandbox/reset", "")
	if got := c.must(200, "GET", "/_sandbox/state", "").raw; strings.TrimSpace(got) != `{"users":[],"groups":[]}` {
		t.Errorf("state after reset %s", got)
	}
	if got := c.requests(); len(got) != 0 {
		t.Errorf("requests after reset %v", got)
	}
	c.user("mira")
}

func TestSignIn(t *testing.T) {
	c := open(t, "scim", Config{})
	id := c.user("mira@example.net")
	c.must(200, "GET", "/_sandbox/signin?userName=MIRA@example.net", "")
	c.must(403, "GET", "/_sandbox/signin?userName=nobody", "")
	c.must(403, "GET", "/_sandbox/signin", "")
	c.must(200, "PATCH", "/Users/"+id, patchBody(`[{"op":"Replace","path":"active","value":"False"}]`))
	c.must(403, "GET", "/_sandbox/signin?userName=mira@example.net", "")
	c.must(200, "PATCH", "/Users/"+id, patchBody(`[{"op":"Replace","path":"active","value":true}]`))
	c.must(200, "GET", "/_sandbox/signin?userName=mira@example.net", "")
	c.must(204, "DELETE", "/Users/"+id, "")
	c.must(403, "GET", "/_sandbox/signin?userName=mira@example.net", "")
}

func TestOwnPagesRefuse(t *testing.T) {
	c := open(t, "scim", Config{})
	c.must(404, "GET", "/_sandbox/secrets", "")
	if got := c.must(405, "GET", "/_sandbox/reset", "").header.Get("Allow"); got != "POST" {
		t.Errorf("Allow %q", got)
	}
	for _, body := range []string{`{`, `{}`, `{"nth":1}`, `{"status":42}`, `{"statsu":500}`, `{"path":"[","status":500}`, `{"status":500,"retryAfter":[]}`,
		strings.Repeat(" ", maxAdminBody+1)} {
		c.must(400, "POST", "/_sandbox/fault", body)
	}
	for _, page := range []string{"requests", "state", "signin?userName=x"} {
		for _, address := range []string{"192.0.2.7:4711", "[2001:db8::1]:4711", "odd"} {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/_sandbox/"+page, nil)
			r.RemoteAddr = address
			w := httptest.NewRecorder()
			c.server.Handler().ServeHTTP(w, r)
			if w.Code != 403 {
				t.Errorf("%s from %s: status %d", page, address, w.Code)
			}
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/_sandbox/state", nil)
	r.RemoteAddr = "[::1]:4711"
	w := httptest.NewRecorder()
	c.server.Handler().ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("from loopback: status %d", w.Code)
	}
}

func TestFaults(t *testing.T) {
	// Each step is a request and the status it gets.
	tests := []struct{ name, fault, steps string }{
		{"the next request", `{"status":500}`, "GET /Users 500, GET /Users 200"},
		{"the second matching one, three times", `{"method":"get","path":"/Users","nth":2,"times":3,"status":502}`,
			"GET /Users 200, GET /Groups 200, GET /Users 502, GET /Users/x 502, GET /Users 502, GET /Users 200"},
		{"other methods are left alone", `{"method":"DELETE","status":500}`, "GET /Users 200, DELETE /Users/x 500, DELETE /Users/x 404"},
		{"a prefix of the full path", `{"path":"/scim/v2/Gr","status":500}`, "GET /Users 200, GET /Groups 500"},
		{"a pattern", `{"path":"/Users/*","status":503}`, "GET /Users 200, GET /Users/a 503, GET /Users/a 404"},
		{"a pattern of the full path", `{"path":"/scim/v?/Users","times":2,"status":503}`, "GET /Users/a 404, GET /Users 503, GET /Users 503, GET /Users 200"},
		{"for ever", `{"path":"/Users","times":-1,"status":500}`, "GET /Users 500, GET /Users 500, GET /Users 500, GET /Groups 200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, "scim", Config{})
			c.must(204, "POST", "/_sandbox/fault", tt.fault)
			for step := range strings.SplitSeq(tt.steps, ", ") {
				var method, path string
				var status int
				if _, err := fmt.Sscan(step, &method, &path, &status); err != nil {
					t.Fatal(err)
				}
				if got := c.do(method, path, ""); got.status != status {
					t.Fatalf("%s: status %d", step, got.status)
				}
			}
			c.must(204, "POST", "/_sandbox/reset", "")
			c.must(200, "GET", "/Users", "")
			c.must(200, "GET", "/Users", "")
		})
	}
	c := open(t, "scim", Config{})
	for _, retryAfter := range []string{`7`, `"7"`} {
		c.must(204, "POST", "/_sandbox/fault", `{"status":429,"retryAfter":`+retryAfter+`}`)
		if a := c.refused(429, "", "POST", "/Users", `{"userName":"x"}`); a.header.Get("Retry-After") != "7" {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
	}
	if err := c.server.SetFault(Fault{Method: "POST", Status: 500, RetryAfter: "3"}); err != nil {
		t.Fatal(err)
	}
	c.must(500, "POST", "/Users", `{"userName":"x"}`)
	if err := c.server.SetFault(Fault{}); err == nil {
		t.Error("a fault that does nothing is taken")
	}
	if got := c.must(200, "GET", "/Users", "").body["totalResults"]; got != 0.0 {
		t.Errorf("%v users; a status fault does no work", got)
	}
}

func TestDroppedReply(t *testing.T) {
	c := open(t, "scim", Config{})
	c.must(204, "POST", "/_sandbox/fault", `{"method":"POST","path":"/Users","dropReply":true}`)
	resp, err := http.DefaultTransport.RoundTrip(c.request("POST", "/Users", `{"userName":"mira"}`))
	if err == nil {
		resp.Body.Close()
		t.Fatalf("an answer came: %s", resp.Status)
	}
	if got := c.must(200, "GET", "/Users", "").body["totalResults"]; got != 1.0 {
		t.Errorf("%v users, want the one whose answer was lost", got)
	}
	if got := c.requests()[0]; got["status"] != 201.0 {
		t.Errorf("record has %v", got)
	}
}

// TestDelays runs in a bubble, where waiting takes no time but the clock goes on.
func TestDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New("scim", Config{Latency: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		took := func(ctx context.Context) (d time.Duration, aborted any) {
			defer func() { aborted = recover() }()
			begin := time.Now()
			defer func() { d = time.Since(begin) }()
			s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/scim/v2/Users", nil))
			return
		}
		if d, aborted := took(t.Context()); d != 20*time.Millisecond || aborted != nil {
			t.Errorf("latency: %v, %v", d, aborted)
		}
		if err := s.SetFault(Fault{DelayMS: 3000}); err != nil {
			t.Fatal(err)
		}
		if d, aborted := took(t.Context()); d != 3020*time.Millisecond || aborted != nil {
			t.Errorf("delay: %v, %v", d, aborted)
		}
		if err := s.SetFault(Fault{DelayMS: 3000}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if d, aborted := took(ctx); d != time.Second || aborted != http.ErrAbortHandler { //nolint:errorlint // a recovered panic value, which is compared as the server compares it
			t.Errorf("client gone: %v, %v", d, aborted)
		}
	})
}

func TestStart(t *testing.T) {
	s, err := New("litmos-scim", Config{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	get := func(url string) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/Users", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			return fmt.Errorf("status %s, %w", resp.Status, err)
		}
		return nil
	}
	for _, addr := range []string{"", "127.0.0.1:0", ":0"} {
		url, stop, err := s.Start(ctx, addr)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(url, "http://127.0.0.1:") || !strings.HasSuffix(url, "/v2/SCIM") {
			t.Errorf("%q gives %s", addr, url)
		}
		if err := get(url); err != nil {
			t.Error(err)
		}
		if _, _, err := s.Start(ctx, strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/v2/SCIM")); err == nil {
			t.Error("a port that is taken can be had")
		}
		stop()
		stop()
		if err := get(url); err == nil {
			t.Errorf("%s answers after stop", url)
		}
	}
	url, stop, err := s.Start(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	stop()
	if err := get(url); err == nil {
		t.Errorf("%s answers after the context ended", url)
	}
}

// TestConcurrentUse has many clients at once; the race detector and the counts decide.
func TestConcurrentUse(t *testing.T) {
	c := open(t, "scim", Config{})
	group := c.group("All")
	const clients, each = 8, 25
	t.Run("clients", func(t *testing.T) {
		for i := range clients {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				c := *c
				c.t = t
				for j := range each {
					c.liveThrough(fmt.Sprintf("u%d-%d", i, j), group, j%5)
				}
			})
		}
	})
	const want = clients * each * 4 / 5
	if got := c.must(200, "GET", "/Users?count=0", "").body["totalResults"]; got != float64(want) {
		t.Errorf("%v users, want %d", got, want)
	}
	if got := len(c.members(group)); got != want {
		t.Errorf("%d members, want %d", got, want)
	}
}

// liveThrough creates a user, changes it, and does one of five other things.
func (c *client) liveThrough(name, group string, other int) {
	id := c.user(name)
	c.must(204, "PATCH", "/Groups/"+group, patchBody(`[{"op":"add","path":"members","value":[{"value":"`+id+`"}]}]`))
	c.must(200, "PATCH", "/Users/"+id, patchBody(`[{"op":"replace","path":"title","value":"T"}]`))
	c.must(200, "GET", "/Users?filter=userName%20eq%20%22"+name+"%22", "")
	c.must(409, "POST", "/Users", `{"userName":"`+name+`"}`)
	switch other {
	case 0:
		c.must(204, "DELETE", "/Users/"+id, "")
	case 1:
		c.must(200, "GET", "/_sandbox/state", "")
	case 2:
		c.must(200, "GET", "/_sandbox/requests", "")
	case 3:
		c.must(200, "GET", "/Groups?filter=displayName%20sw%20%22a%22", "")
	}
}
