package litmos

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
	"sync"
	"testing"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/conntest"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sandbox"
	"github.com/rollcall-id/rollcall/internal/schema"
)

const key = "t0p-s3cret"

// clock is the time of a site and of us.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// site is an emulated site.
type site struct {
	url   string
	root  string
	clock *clock
}

func startSite(t testing.TB, cfg sandbox.Config) *site {
	t.Helper()
	s := &site{clock: &clock{at: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}}
	cfg.Token, cfg.Now, cfg.Rate = key, s.clock.now, sandbox.NoRate
	box, err := sandbox.New("litmos-api", cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", s.clock.now().Format(http.TimeFormat))
		box.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.root, s.url = server.URL, server.URL+box.BasePath()
	return s
}

// call makes a call past the connector.
func (s *site) call(ctx context.Context, method, path string, body any, into any) error {
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path+"?source=tests&format=json", reader)
	if err != nil {
		return err
	}
	req.Header.Set("apikey", key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, data)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(data, into)
}

// settings are those of an app file, with more.
func settings(t testing.TB, url string, more map[string]any) Config {
	t.Helper()
	t.Setenv("LITMOS_TEST_KEY", key)
	all := map[string]any{"url": url, "source": "Example & Co", "pageSize": 10,
		"auth": map[string]any{"header": map[string]any{"name": "apikey", "value": map[string]any{"env": "LITMOS_TEST_KEY"}}}}
	for k, v := range more {
		all[k] = v
	}
	cfg, err := Decode(all)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Policy = httpx.Policy{Waits: []time.Duration{0, 0, 0}}
	return cfg
}

func userUse(more ...schema.Attribute) connector.Use {
	return connector.Use{Kind: identity.User, Joining: []string{"UserName"}, Attributes: append([]schema.Attribute{
		{Name: "UserName", Required: true, Unique: true, FoldCase: true}, {Name: "FirstName", Required: true}, {Name: "LastName", Required: true},
		{Name: "Email"}, {Name: "Active", Type: schema.Boolean}, {Name: "AccessLevel"}, {Name: "DisableMessages", Type: schema.Boolean},
		{Name: "CompanyName"}, {Name: "JobTitle"}, {Name: "ManagerId", Type: schema.Reference, References: identity.User},
		{Name: "ExternalEmployeeId"}, {Name: "CustomField3"}, {Name: "ExpirationDate", Type: schema.DateTime},
	}, more...)}
}

func groupUse(more ...schema.Attribute) connector.Use {
	return connector.Use{Kind: identity.Group, Joining: []string{"Name"}, Attributes: append([]schema.Attribute{
		{Name: "Name", Required: true, Unique: true}, {Name: "members", Type: schema.Reference, MultiValued: true, References: identity.User},
	}, more...)}
}

func open(t testing.TB, s *site, more map[string]any, meter *connector.Meter, uses ...connector.Use) *Client {
	t.Helper()
	if len(uses) == 0 {
		uses = []connector.Use{userUse(), groupUse()}
	}
	c, err := New(settings(t, s.url, more), connector.Env{Meter: meter, Logger: slog.New(slog.DiscardHandler), Now: s.clock.now, Uses: uses}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// userName makes a valid user name of any text: no control characters, no angle brackets, not too short, not too long.
func userName(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == '<' || r == '>' {
			return '~'
		}
		return r
	}, text)
	r := []rune("key " + text)
	return string(r[:min(len(r), 255)])
}

func subject(c *Client, meter *connector.Meter, s *site) conntest.Subject {
	return conntest.Subject{
		Target: c, Meter: meter, User: identity.User, Group: identity.Group,
		Key: "UserName", KeyValue: userName, FoldKey: true, Text: "CompanyName", Other: "JobTitle", Flag: "Active",
		Manager: "ManagerId", GroupKey: "Name", Members: "members",
		Required: func(i int) identity.Attrs {
			return identity.Attrs{{Name: "FirstName", Value: "Mira"}, {Name: "LastName", Value: fmt.Sprint("Okafor ", i)}, {Name: "Active", Value: true}}
		},
		MembersOf: func(ctx context.Context, group string) ([]string, error) {
			var list []struct{ ID string }
			err := s.call(ctx, http.MethodGet, teamPath(group)+"/users", nil, &list)
			out := make([]string, len(list))
			for i, m := range list {
				out[i] = m.ID
			}
			return out, err
		},
	}
}

func TestClientIsATarget(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings map[string]any
		box      sandbox.Config
		uses     []connector.Use
	}{
		{"in JSON", nil, sandbox.Config{}, nil},
		{"in XML", map[string]any{"format": "xml"}, sandbox.Config{}, nil},
		{"with all switches on", map[string]any{"sendMessage": true, "removeFromTeamsOnDisable": true, "memberBatch": 2}, sandbox.Config{}, nil},
		{"with advanced custom fields", nil, sandbox.Config{CustomFields: []string{"Cost centre", "Shoe size"}},
			[]connector.Use{userUse(schema.Attribute{Name: "custom.Cost centre"}), groupUse(schema.Attribute{Name: "Description"})}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conntest.RunTarget(t, func(t *testing.T) conntest.Subject {
				s, meter := startSite(t, tt.box), &connector.Meter{}
				return subject(open(t, s, tt.settings, meter, tt.uses...), meter, s)
			})
		})
	}
}

// newSource is a site with three users, a team and a source that reads it.
func newSource(t *testing.T, more map[string]any) (*Source, *site, []*identity.Object) {
	t.Helper()
	s := startSite(t, sandbox.Config{})
	want := make([]*identity.Object, 3)
	for i := range want {
		var made struct{ ID string }
		body := map[string]any{"Id": "", "UserName": fmt.Sprintf("mira%d@example.net", i), "FirstName": "Mira", "LastName": `O'Neil & "Söhne"`,
			"Email": "", "DisableMessages": true, "Active": i != 1, "JobTitle": fmt.Sprint("Smith <", i, ">")}
		if err := s.call(t.Context(), http.MethodPost, "/users", body, &made); err != nil {
			t.Fatal(err)
		}
		want[i] = &identity.Object{Kind: identity.User, Anchor: made.ID, Disabled: i == 1, Attrs: identity.Attrs{
			{Name: "UserName", Value: body["UserName"]}, {Name: "LastName", Value: body["LastName"]}, {Name: "JobTitle", Value: body["JobTitle"]},
			{Name: "Email"}}}
		s.clock.pass(2 * time.Second)
	}
	cfg := settings(t, s.url, map[string]any{"overlap": "0s", "pageSize": 2})
	for k, v := range more {
		cfg = settings(t, s.url, map[string]any{"overlap": "0s", "pageSize": 2, k: v})
	}
	src, err := NewSource(cfg, connector.Env{Now: s.clock.now}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return src, s, want
}

func TestSourceIsASourceOfUsers(t *testing.T) {
	for _, format := range []string{"json", "xml"} {
		t.Run(format, func(t *testing.T) {
			conntest.RunSource(t, func(t *testing.T) conntest.SourceCase {
				src, s, want := newSource(t, map[string]any{"format": format})
				return conntest.SourceCase{Source: src, Kind: identity.User, Want: want,
					Attrs: []string{"UserName", "LastName", "JobTitle", "Email"},
					Change: func(ctx context.Context) (*identity.Object, error) {
						s.clock.pass(2 * time.Second)
						var full map[string]any
						path := userPath(want[0].Anchor)
						if err := s.call(ctx, http.MethodGet, path, nil, &full); err != nil {
							return nil, err
						}
						full["LastName"], full["JobTitle"] = "Okafor", "Baker"
						if err := s.call(ctx, http.MethodPut, path, full, nil); err != nil {
							return nil, err
						}
						s.clock.pass(2 * time.Second)
						o := *want[0]
						o.Attrs = append(identity.Attrs{}, o.Attrs...)
						o.Attrs.Set("LastName", "Okafor")
						o.Attrs.Set("JobTitle", "Baker")
						return &o, nil
					},
					Remove: func(ctx context.Context) (string, error) {
						s.clock.pass(2 * time.Second)
						return want[2].Anchor, s.call(ctx, http.MethodDelete, userPath(want[2].Anchor), nil, nil)
					},
					Outdate: func(context.Context) error {
						s.clock.pass(24 * time.Hour)
						return nil
					},
				}
			})
		})
	}
}

// withoutFeed hides the feed, which delivers every team every time.
type withoutFeed struct {
	connector.Source
	connector.Lookup
}

func TestSourceIsASourceOfTeams(t *testing.T) {
	for _, how := range []string{"team", "range"} {
		t.Run("members read by "+how, func(t *testing.T) {
			conntest.RunSource(t, func(t *testing.T) conntest.SourceCase {
				src, s, people := newSource(t, map[string]any{"readMembers": how})
				var want []*identity.Object
				for i, name := range []string{"Sales", "Söhne & <Co>", "Empty"} {
					var made struct{ ID string }
					if err := s.call(t.Context(), http.MethodPost, "/teams", map[string]any{"Id": "", "Name": name, "Description": "Team " + name}, &made); err != nil {
						t.Fatal(err)
					}
					o := &identity.Object{Kind: identity.Group, Anchor: made.ID, Attrs: identity.Attrs{{Name: "Name", Value: name}, {Name: "Description", Value: "Team " + name}}}
					if i < 2 {
						var add []map[string]any
						for _, p := range people {
							add = append(add, map[string]any{"Id": p.Anchor})
						}
						if err := s.call(t.Context(), http.MethodPost, teamPath(made.ID)+"/users", add, nil); err != nil {
							t.Fatal(err)
						}
						if err := s.call(t.Context(), http.MethodPut, teamPath(made.ID)+"/leaders/"+people[0].Anchor, nil, nil); err != nil {
							t.Fatal(err)
						}
						// The second one is inactive, which hides the membership (T3).
						o.Attrs.Set("members", references([]string{people[0].Anchor, people[2].Anchor}))
						o.Attrs.Set("leaders", references([]string{people[0].Anchor}))
					}
					want = append(want, o)
				}
				return conntest.SourceCase{Source: withoutFeed{src, src}, Kind: identity.Group, Attrs: []string{"Name", "Description", "members", "leaders"}, Want: want}
			})
		})
	}
}
