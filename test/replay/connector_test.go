package replay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/scim"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

const (
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"
	department = enterprise + "department"
	manager    = enterprise + "manager"
	workMail   = `emails[type eq "work"].value`
	mobile     = `phoneNumbers[type eq "mobile"].value`
)

// TestWhatRollcallSendsIsTakenAlike lets Rollcall's own client lead two users and a group through their lives at the
// strict sandbox, and sends what the sandbox has recorded to an empty one and to scimmy: both take every request, and
// answer alike.
func TestWhatRollcallSendsIsTakenAlike(t *testing.T) {
	other := startScimmy(t)
	sandbox := startSandbox(t, true)
	live(t, sandbox)
	steps := recorded(t, sandbox)
	sandbox.forget()
	other.forget()

	methods := map[string]int{}
	var all []seen
	for _, st := range steps {
		ours, theirs := sandbox.gather(st), other.gather(st)
		for name, f := range map[string]facts{"the sandbox": ours, "scimmy": theirs} {
			if !strings.HasPrefix(f["status"], "2") {
				t.Errorf("%s, %s\n%s: %s answers %s", st.name, st, st.body, name, f["status"])
			}
		}
		all = append(all, compare(st.name, st.call(), true, ours, theirs)...)
		methods[st.call()]++
	}
	for _, problem := range unexplained(everywhere(), all) {
		t.Error(problem)
	}
	for _, call := range []string{"GET /Users", "GET /Users/", "POST /Users", "PATCH /Users/", "DELETE /Users/",
		"GET /Groups", "GET /Groups/", "POST /Groups", "PATCH /Groups/", "DELETE /Groups/"} {
		if methods[call] == 0 {
			t.Errorf("Rollcall has sent no %s; the calls were %v", call, methods)
		}
	}
}

// live sends what a job sends in the lives of two users and a group.
func live(t *testing.T, s *server) {
	t.Helper()
	c := openClient(t, s)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	find := func(kind identity.Kind, attr, value string, want int) {
		t.Helper()
		found, err := c.Find(ctx, kind, attr, value, 2)
		must(err)
		if len(found) != want {
			t.Fatalf("%s %q finds %d, want %d", attr, value, len(found), want)
		}
	}
	create := func(kind identity.Kind, attrs ...identity.Attr) identity.Ref {
		t.Helper()
		made, err := c.Create(ctx, &identity.Object{Kind: kind, Attrs: attrs})
		must(err)
		return identity.Ref{Kind: kind, Anchor: made.Anchor}
	}
	update := func(to identity.Ref, changes ...connector.Change) {
		t.Helper()
		_, err := c.Update(ctx, connector.Update{Kind: to.Kind, Anchor: to.Anchor, Changes: changes})
		must(err)
	}
	set := func(attr string, before, after any) connector.Change {
		return connector.Change{Attr: attr, Op: connector.Set, Old: before, New: after}
	}

	_, err := c.Probe(ctx)
	must(err)
	find(identity.User, "userName", "mira.okafor@example.net", 0)
	boss := create(identity.User, identity.Attr{Name: "userName", Value: "sam.lind@example.net"}, identity.Attr{Name: "active", Value: true},
		identity.Attr{Name: workMail, Value: "sam.lind@example.net"})
	mira := create(identity.User,
		identity.Attr{Name: "externalId", Value: "40217"}, identity.Attr{Name: "userName", Value: "mira.okafor@example.net"},
		identity.Attr{Name: "active", Value: true}, identity.Attr{Name: "displayName", Value: "Mira Okafor"}, identity.Attr{Name: "title", Value: "Tram driver"},
		identity.Attr{Name: "name.givenName", Value: "Mira"}, identity.Attr{Name: "name.familyName", Value: "Okafor"},
		identity.Attr{Name: workMail, Value: "mira.okafor@example.net"}, identity.Attr{Name: mobile, Value: "+49 30 5550142"},
		identity.Attr{Name: `addresses[type eq "work"].locality`, Value: "Berlin"}, identity.Attr{Name: `addresses[type eq "work"].country`, Value: "DE"},
		identity.Attr{Name: enterprise + "employeeNumber", Value: "40217"}, identity.Attr{Name: department, Value: "Line 12"},
		identity.Attr{Name: manager, Value: boss})
	find(identity.User, "userName", "MIRA.okafor@example.net", 1)
	find(identity.User, workMail, "mira.okafor@example.net", 1)
	_, err = c.Get(ctx, identity.User, mira.Anchor)
	must(err)
	_, err = c.List(ctx, identity.User, "")
	must(err)
	update(mira, set("title", "Tram driver", "Dispatcher"), set("name.familyName", "Okafor", "Okafor-Lind"),
		set(department, "Line 12", "Control room"), set(workMail, "mira.okafor@example.net", "mira.o@example.net"))
	update(mira, set("active", true, false))
	update(mira, set("active", false, true))
	update(mira, set("nickName", nil, "Mi"))
	update(mira, connector.Change{Attr: "nickName", Op: connector.Clear, Old: "Mi"}, connector.Change{Attr: "title", Op: connector.Clear, Old: "Dispatcher"})
	update(mira, connector.Change{Attr: mobile, Op: connector.Clear, Old: "+49 30 5550142"})
	update(mira, set(mobile, nil, "+49 30 5550143"))
	update(mira, connector.Change{Attr: manager, Op: connector.Clear, Old: boss})
	update(mira, set(manager, nil, boss))
	update(boss, set(manager, nil, mira))
	update(boss, set(manager, mira, boss))
	update(boss, set("userName", "sam.lind@example.net", "samuel.lind@example.net"))

	find(identity.Group, "displayName", "Line 12 crew", 0)
	crew := create(identity.Group, identity.Attr{Name: "displayName", Value: "Line 12 crew"}, identity.Attr{Name: "externalId", Value: "G-12"},
		identity.Attr{Name: "members", Value: []any{mira}})
	find(identity.Group, "displayName", "line 12 CREW", 1)
	_, err = c.Get(ctx, identity.Group, crew.Anchor)
	must(err)
	_, err = c.List(ctx, identity.Group, "")
	must(err)
	update(crew, set("displayName", "Line 12 crew", "Line 12 and 14 crew"))
	update(crew, connector.Change{Attr: "members", Op: connector.Add, New: []any{boss}})
	update(crew, connector.Change{Attr: "members", Op: connector.Remove, New: []any{mira, boss}})
	must(c.Delete(ctx, identity.Group, crew.Anchor))
	must(c.Delete(ctx, identity.User, mira.Anchor))
	must(c.Delete(ctx, identity.User, boss.Anchor))
}

// openClient makes a client of dialect rfc, as an app file would.
func openClient(t *testing.T, s *server) *scim.Client {
	t.Helper()
	t.Setenv("REPLAY_TOKEN", s.token)
	cfg, err := scim.Decode(map[string]any{"url": s.base, "dialect": string(scim.RFC),
		"auth": map[string]any{"bearer": map[string]any{"env": "REPLAY_TOKEN"}}})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Policy = httpx.Policy{Waits: []time.Duration{0, 0, 0}}
	uses := []connector.Use{
		{Kind: identity.User, Joining: []string{"userName", workMail}, Attributes: []schema.Attribute{
			{Name: "userName", Required: true, Unique: true, FoldCase: true}, {Name: "externalId"}, {Name: "active", Type: schema.Boolean},
			{Name: "displayName"}, {Name: "nickName"}, {Name: "title"}, {Name: "name.givenName"}, {Name: "name.familyName"}, {Name: workMail},
			{Name: mobile}, {Name: `addresses[type eq "work"].locality`}, {Name: `addresses[type eq "work"].country`},
			{Name: enterprise + "employeeNumber"}, {Name: department},
			{Name: manager, Type: schema.Reference, References: identity.User},
		}},
		{Kind: identity.Group, Joining: []string{"displayName"}, Attributes: []schema.Attribute{
			{Name: "displayName", Required: true, Unique: true}, {Name: "externalId"},
			{Name: "members", Type: schema.Reference, MultiValued: true, References: identity.User},
		}},
	}
	c, err := scim.New(cfg, connector.Env{Meter: &connector.Meter{}, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Uses: uses}, nil)
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

// recorded returns what the sandbox has been sent, with names for the ids that it gave.
func recorded(t *testing.T, s *server) []step {
	t.Helper()
	origin, base := s.base[:strings.LastIndex(s.base, "/scim/")], "/scim/v2"
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, origin+"/_sandbox/requests", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var steps []step
	var names []string // ids and names in turn
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		var line struct {
			Method, Path, Query string
			Status              int
			Request, Response   json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		query, err := url.ParseQuery(line.Query)
		if err != nil {
			t.Fatal(err)
		}
		named := strings.NewReplacer(names...)
		st := step{name: fmt.Sprintf("request %d of Rollcall", len(steps)+1), method: line.Method, path: named.Replace(strings.TrimPrefix(line.Path, base))}
		if !bytes.Equal(line.Request, []byte("null")) {
			st.body = named.Replace(string(line.Request))
		}
		for _, name := range slices.Sorted(maps.Keys(query)) {
			st.query = append(st.query, name, named.Replace(query.Get(name)))
		}
		if line.Status == http.StatusCreated {
			st.as = fmt.Sprintf("made%d", len(names)/2+1)
			names = append(names, idOf(string(line.Response)), "{"+st.as+"}")
		}
		steps = append(steps, st)
	}
	return steps
}
