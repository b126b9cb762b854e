package litmos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// odd is a site whose lists behave as servers were seen to (U1).
type odd struct {
	mu    sync.Mutex
	ids   []string
	give  func(start, limit int) int // how many from start on; nil: as many as asked for
	then  func(call int, s *odd)     // after each page
	teams map[string][]string        // members of teams
	calls []string                   // path and start
}

func (s *odd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	start, _ := strconv.Atoi(q.Get("start"))
	limit, _ := strconv.Atoi(q.Get("limit"))
	path := strings.TrimPrefix(r.URL.Path, "/v1.svc")
	s.calls = append(s.calls, path+" "+q.Get("start"))
	ids := s.ids
	if team, ok := strings.CutPrefix(path, "/teams/"); ok {
		ids = s.teams[strings.TrimSuffix(team, "/users")]
	} else if path == "/teams" {
		ids = nil
		for id := range s.teams {
			ids = append(ids, id)
		}
		slices.Sort(ids)
	}
	n := limit
	if s.give != nil {
		n = s.give(start, limit)
	}
	page := []map[string]any{}
	for _, id := range ids[min(start, len(ids)):min(start+n, len(ids))] {
		page = append(page, map[string]any{"Id": id, "UserName": id + "@example.net", "Active": true, "Name": id, "LoginKey": "x"})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(page)
	if s.then != nil {
		s.then(len(s.calls), s)
	}
}

func people(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("u%04d", i)
	}
	return out
}

func (s *odd) open(t *testing.T, pageSize int) (*Client, *Source) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	cfg := settings(t, server.URL+"/v1.svc", map[string]any{"pageSize": pageSize})
	c, err := New(cfg, connector.Env{Uses: []connector.Use{userUse(), groupUse()}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	src, err := NewSource(cfg, connector.Env{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, src
}

func listed(ctx context.Context, c *Client) ([]string, error) {
	var out []string
	for cursor := ""; ; {
		page, err := c.List(ctx, identity.User, cursor)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Objects {
			out = append(out, o.Anchor)
		}
		if cursor = page.Next; cursor == "" {
			return out, nil
		}
	}
}

func readAll(ctx context.Context, src *Source, kind identity.Kind, attrs ...string) (out []*identity.Object, err error) {
	for item, err := range src.Read(ctx, connector.ReadRequest{Kind: kind, Attrs: attrs}) {
		if err != nil {
			return nil, err
		}
		out = append(out, item.Object)
	}
	return out, nil
}

// TestNobodyIsMissedInAListing: a short page is not the last one, and a long one is not an error (U1).
func TestNobodyIsMissedInAListing(t *testing.T) {
	tests := []struct {
		name string
		n    int
		give func(start, limit int) int
	}{
		{"as documented", 95, nil},
		{"just full pages", 40, nil},
		{"fewer than asked for", 95, func(_, limit int) int { return limit - 3 }},
		{"more than asked for", 95, func(_, limit int) int { return limit + 3 }},
		{"far fewer than asked for, as a server that allows less", 95, func(_, _ int) int { return 7 }},
		{"one at a time", 9, func(_, _ int) int { return 1 }},
		{"nobody", 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &odd{ids: people(tt.n), give: tt.give}
			c, src := s.open(t, 20)
			got, err := listed(t.Context(), c)
			if diff := cmp.Diff(people(tt.n), append([]string{}, got...)); err != nil || diff != "" {
				t.Errorf("List: %v (-want +got):\n%s", err, diff)
			}
			if last := s.calls[len(s.calls)-1]; !strings.HasSuffix(last, " "+strconv.Itoa(tt.n)) && tt.n > 0 {
				t.Errorf("the listing ended with %q, not with an empty page", last)
			}
			objects, err := readAll(t.Context(), src, identity.User, "UserName")
			read := []string{}
			for _, o := range objects {
				read = append(read, o.Anchor)
			}
			if diff := cmp.Diff(people(tt.n), read); err != nil || diff != "" {
				t.Errorf("Read: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestNobodyIsMissedWhenOthersAreDeletedMeanwhile: whoever moves up between two pages would seem to have left.
func TestNobodyIsMissedWhenOthersAreDeletedMeanwhile(t *testing.T) {
	for name, gone := range map[string]int{"one": 1, "as many as pages overlap": 2, "more than pages overlap": 9, "half of all": 30} {
		t.Run(name, func(t *testing.T) {
			s := &odd{ids: people(60), then: func(call int, s *odd) {
				if call == 1 {
					s.ids = slices.Clone(s.ids[gone:])
				}
			}}
			_, src := s.open(t, 20)
			objects, err := readAll(t.Context(), src, identity.User, "UserName")
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]int{}
			for _, o := range objects {
				seen[o.Anchor]++
			}
			for _, id := range people(60)[gone:] {
				if seen[id] != 1 {
					t.Errorf("%s, who was there all the time, was delivered %d times", id, seen[id])
				}
			}
		})
	}
	s := &odd{ids: people(600), then: func(_ int, s *odd) { s.ids = slices.Clone(s.ids[min(15, len(s.ids)):]) }}
	_, src := s.open(t, 20)
	if _, err := readAll(t.Context(), src, identity.User, "UserName"); connector.KindOf(err) != connector.KindTemporary {
		t.Errorf("a list that changes faster than it can be read: %v", err)
	}
}

func TestAListingThatDoesNotMoveIsNoListing(t *testing.T) {
	still := &odd{ids: people(60)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		q.Set("start", "0")
		r.URL.RawQuery = q.Encode()
		still.ServeHTTP(w, r)
	}))
	defer server.Close()
	cfg := settings(t, server.URL+"/v1.svc", nil)
	c, err := New(cfg, connector.Env{Uses: []connector.Use{userUse()}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listed(t.Context(), c); connector.KindOf(err) != connector.KindIncompatible {
		t.Errorf("List: %v", err)
	}
	for _, cursor := range []string{"x", "0:", "-1:a", "5"} {
		if _, err := c.List(t.Context(), identity.User, cursor); connector.KindOf(err) != connector.KindInvalid {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

// TestSearchComparesExactly is U2: search finds parts of texts.
func TestSearchComparesExactly(t *testing.T) {
	var users []map[string]any
	add := func(id, name string) {
		users = append(users, map[string]any{"Id": id, "UserName": name, "Active": true})
	}
	for i := range 120 {
		add(fmt.Sprint("x", i), fmt.Sprintf("%dmira@example.net", i))
	}
	add("hit", "Mira@example.net")
	add("twin", "mira@EXAMPLE.net")
	var calls []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls = append(calls, r.URL.Path)
		q := r.URL.Query()
		if id, ok := strings.CutPrefix(r.URL.Path, "/v1.svc/users/"); ok {
			for _, u := range users {
				if u["Id"] == id {
					_ = json.NewEncoder(w).Encode(u)
					return
				}
			}
			w.WriteHeader(http.StatusNotFound)
			return
		}
		start, _ := strconv.Atoi(q.Get("start"))
		limit, _ := strconv.Atoi(q.Get("limit"))
		var hits []map[string]any
		for _, u := range users {
			if strings.Contains(strings.ToLower(u["UserName"].(string)), strings.ToLower(q.Get("search"))) {
				hits = append(hits, u)
			}
		}
		hits = hits[min(start, len(hits)):]
		_ = json.NewEncoder(w).Encode(append([]map[string]any{}, hits[:min(limit, len(hits))]...))
	}))
	defer server.Close()
	c, err := New(settings(t, server.URL+"/v1.svc", map[string]any{"pageSize": 50}), connector.Env{Uses: []connector.Use{userUse()}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		limit int
		want  []string
	}{{"mira@example.net", 5, []string{"hit", "twin"}}, {"mira@example.net", 1, []string{"hit"}}, {"ira@example.net", 5, nil}, {"nobody@example.net", 5, nil}, {"", 5, nil}} {
		calls = nil
		found, err := c.Find(t.Context(), identity.User, "UserName", tt.name, tt.limit)
		var got []string
		for _, o := range found {
			got = append(got, o.Anchor)
		}
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", tt.name, err, diff)
		}
		if tt.name == "nobody@example.net" && len(calls) != 1 {
			t.Errorf("nobody was looked for with %d calls", len(calls))
		}
	}
}

func TestWhatCannotBeFoundSaysSo(t *testing.T) {
	c, s, _ := scripted(t, nil, []connector.Use{userUse(), groupUse()}, reply{status: 200, body: "[]"})
	for _, tt := range []struct {
		kind identity.Kind
		attr string
	}{{identity.User, "Password"}, {identity.User, "custom.Badge"}, {identity.User, "nothing"}, {identity.Group, "members"}, {identity.Group, "Description"}} {
		if _, err := c.Find(t.Context(), tt.kind, tt.attr, "x", 1); connector.KindOf(err) != connector.KindUnsupported {
			t.Errorf("%s %s: %v", tt.kind, tt.attr, err)
		}
	}
	if len(s.calls) != 0 {
		t.Errorf("calls were made: %q", s.calls)
	}
	if _, err := c.Find(t.Context(), identity.User, "ExternalEmployeeId", "7", 1); err != nil || s.calls[0] != "GET /v1.svc/org/users/details" {
		t.Errorf("an attribute that search does not look at: %v, %q", err, s.calls)
	}
}

func TestMembersOfSmallTeamsTakeOneCall(t *testing.T) {
	s := &odd{teams: map[string][]string{"small": people(20), "empty": nil, "large": people(130)}}
	_, src := s.open(t, 60)
	objects, err := readAll(t.Context(), src, identity.Group, "Name", "members")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, o := range objects {
		v, _ := o.Get("members")
		list, _ := v.([]any)
		got[o.Anchor] = len(list)
	}
	if diff := cmp.Diff(map[string]int{"small": 20, "empty": 0, "large": 130}, got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	per := map[string]int{}
	for _, call := range s.calls {
		path, _, _ := strings.Cut(call, " ")
		per[path]++
	}
	if per["/teams/small/users"] != 1 || per["/teams/empty/users"] != 1 || per["/teams"] != 2 {
		t.Errorf("calls: %v", per)
	}
}

// TestMarksDoNotOutlastTheirSpan: a window of changes does not tell who was deleted, so everything is read in every span.
func TestMarksDoNotOutlastTheirSpan(t *testing.T) {
	s := &odd{ids: people(3)}
	_, src := s.open(t, 20)
	now := time.Date(2026, 3, 2, 23, 50, 0, 0, time.UTC)
	src.now = func() time.Time { return now }
	mark := func(at time.Time) string { return markPrefix + strconv.FormatInt(at.Unix(), 10) }
	for _, tt := range []struct {
		name  string
		mark  string
		after time.Duration
		good  bool
	}{
		{"of the same day", mark(now.Add(-20 * time.Hour)), 0, true},
		{"of this moment", mark(now), 0, true},
		{"of a clock that is ahead a little", mark(now.Add(time.Minute)), 0, true},
		{"of yesterday, twenty minutes ago", mark(now), 20 * time.Minute, false},
		{"of another source", "17", 0, false},
		{"of a distant future", mark(now.Add(48 * time.Hour)), 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src.now = func() time.Time { return now.Add(tt.after) }
			for kind, attr := range map[identity.Kind]string{identity.User: "UserName", identity.Group: "Name"} {
				var err error
				for _, e := range src.Changes(t.Context(), connector.ReadRequest{Kind: kind, Attrs: []string{attr}}, tt.mark) {
					err = e
				}
				if tt.good && err != nil || !tt.good && connector.KindOf(err) != connector.KindNotFound {
					t.Errorf("%s: %v", kind, err)
				}
			}
		})
	}
}

func TestAUserWhoseStateIsNotToldFailsAlone(t *testing.T) {
	s := &script{replies: []reply{{status: 200, body: `[{"Id":"1","UserName":"a"},{"Id":"2","UserName":"b","Active":false}]`}, {status: 200, body: "[]"}}}
	cfg := settings(t, "https://api.litmos.com/v1.svc", nil)
	cfg.Transport = s
	src, err := NewSource(cfg, connector.Env{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []connector.Item
	for item, err := range src.Read(t.Context(), connector.ReadRequest{Kind: identity.User, Attrs: []string{"username", "ACCOUNTENABLED"}}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item)
	}
	if len(got) != 2 || got[0].Err == nil || got[0].Object.Anchor != "1" || got[1].Err != nil || !got[1].Object.Disabled {
		t.Fatalf("items: %+v", got)
	}
	if diff := cmp.Diff(identity.Attrs{{Name: "username", Value: "b"}, {Name: "ACCOUNTENABLED", Value: false}}, got[1].Object.Attrs); diff != "" {
		t.Errorf("attributes, under the names they were asked for by (-want +got):\n%s", diff)
	}
}
