package scim

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

var update = flag.Bool("update", false, "rewrite the files in testdata/wire")

// answer is what a scripted server says to one call.
type answer struct {
	status int
	body   string
	header http.Header
	err    error
}

// script is a server that gives the answers in order and writes down what it was asked. After the last answer it gives
// the last one again.
type script struct {
	mu      sync.Mutex
	answers []answer
	decide  func(body string) answer // instead of answers
	calls   []string                 // "PATCH /scim/v2/Users/1"
	bodies  []string
	headers []http.Header
	log     strings.Builder
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var a answer
	if s.decide != nil {
		a = s.decide(string(body))
	} else {
		a = s.answers[min(len(s.calls), len(s.answers)-1)]
	}
	s.calls = append(s.calls, r.Method+" "+r.URL.RequestURI())
	s.bodies = append(s.bodies, string(body))
	s.headers = append(s.headers, r.Header.Clone())
	fmt.Fprintf(&s.log, "%s %s\n", r.Method, r.URL.RequestURI())
	if len(body) > 0 {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, body, "", "  "); err != nil {
			return nil, err
		}
		fmt.Fprintf(&s.log, "Content-Type: %s\n\n%s\n", r.Header.Get("Content-Type"), pretty.String())
	}
	if a.err != nil {
		return nil, a.err
	}
	header := a.header
	if header == nil {
		header = http.Header{"Content-Type": {"application/scim+json"}}
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// scripted is a client of a scripted server.
func scripted(t testing.TB, settings map[string]any, uses []connector.Use, answers ...answer) (*Client, *script, *connector.Meter) {
	t.Helper()
	t.Setenv("SCIM_TEST_TOKEN", token)
	all := map[string]any{"url": "https://lms.example.net/scim/v2", "auth": map[string]any{"bearer": map[string]any{"env": "SCIM_TEST_TOKEN"}}}
	for k, v := range settings {
		all[k] = v
	}
	cfg, err := Decode(all)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{answers: answers}
	cfg.Transport = s
	cfg.Policy = httpx.Policy{Waits: []time.Duration{0, 0, 0}}
	meter := &connector.Meter{}
	if uses == nil {
		uses = []connector.Use{userUse(), groupUse()}
	}
	c, err := New(cfg, connector.Env{Meter: meter, Uses: uses}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, s, meter
}

const noneFound = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[],"startIndex":1,"itemsPerPage":20}`

var randomID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// TestWire holds every request of the life of one user and one group in each dialect against testdata/wire
// (scim sections 3 to 7, design D16): addresses with and without a slash at their end, queries, creates and updates
// (scim.R3, R5, R7, R8, R9, R10, R11, R12, R20, R27).
func TestWire(t *testing.T) {
	badge := "urn:ietf:params:scim:schemas:extension:Depot:2.0:User:badge"
	custom := "urn:ietf:params:scim:schemas:extension:Litmos:2.0:User:CustomField:CustomField3"
	manager, dept := enterprise+"manager", enterprise+"department"
	mail, fax := `emails[type eq "work"].value`, `phoneNumbers[type eq "fax"].value`
	ref := func(id string) identity.Ref { return identity.Ref{Kind: identity.User, Anchor: id} }
	user := func(id string) answer { return answer{status: 201, body: `{"id":"` + id + `"}`} }
	ok, none := answer{status: 204}, answer{status: 200, body: noneFound}

	steps := []struct {
		name   string
		answer answer
		run    func(c *Client) error
	}{
		{"find a user by user name", none, func(c *Client) error {
			_, err := c.Find(t.Context(), identity.User, "userName", "mira.okafor@example.net", 2)
			return err
		}},
		{"find a user by work address", none, func(c *Client) error {
			_, err := c.Find(t.Context(), identity.User, mail, `o"neil+1@example.net`, 2)
			return err
		}},
		{"create a user with a manager", user("7710ab"), func(c *Client) error {
			_, err := c.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{
				{Name: "externalId", Value: "5f1c0b9e-77aa-4c0e-9b7d-0a6f3f1d2c44"},
				{Name: "userName", Value: "mira.okafor@example.net"}, {Name: "active", Value: "True"},
				{Name: "displayName", Value: "Mira Okafor"}, {Name: "title", Value: "Tram driver"},
				{Name: "name.givenName", Value: "Mira"}, {Name: "name.familyName", Value: "Okafor"},
				{Name: mail, Value: "mira.okafor@example.net"},
				{Name: `phoneNumbers[type eq "mobile"].value`, Value: "+49 30 5550142"}, {Name: fax, Value: nil},
				{Name: `addresses[type eq "work"].locality`, Value: "Berlin"}, {Name: `addresses[type eq "work"].country`, Value: "DE"},
				{Name: `roles[primary eq "True"].value`, Value: "Admin"}, {Name: "nickName", Value: ""},
				{Name: enterprise + "employeeNumber", Value: "40217"}, {Name: dept, Value: "Line 12"},
				{Name: manager, Value: ref("7702fe")}, {Name: badge, Value: "B-117"}, {Name: custom, Value: "Depot North"},
			}})
			return err
		}},
		{"create a user with a user name alone", user("7711c0"), func(c *Client) error {
			_, err := c.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "userName", Value: "sam.lind@example.net"}, {Name: "active", Value: true}}})
			return err
		}},
		{"read a user", answer{status: 200, body: `{"id":"7710ab"}`}, func(c *Client) error {
			_, err := c.Get(t.Context(), identity.User, "7710ab")
			return err
		}},
		{"disable", ok, change(t, identity.User, "7710ab", connector.Change{Attr: "active", Op: connector.Set, Old: true, New: false})},
		{"enable", ok, change(t, identity.User, "7710ab", connector.Change{Attr: "active", Op: connector.Set, Old: false, New: "True"})},
		{"add one value", ok, change(t, identity.User, "7710ab", connector.Change{Attr: "nickName", Op: connector.Set, New: "Mi"})},
		{"change several values and add one", ok, change(t, identity.User, "7710ab",
			connector.Change{Attr: "title", Op: connector.Set, Old: "Tram driver", New: "Dispatcher"},
			connector.Change{Attr: mail, Op: connector.Set, Old: "mira.okafor@example.net", New: "mira.o@example.net"},
			connector.Change{Attr: "name.familyName", Op: connector.Set, Old: "Okafor", New: "Okafor-Lind"},
			connector.Change{Attr: dept, Op: connector.Set, Old: "Line 12", New: "Control room"},
			connector.Change{Attr: badge, Op: connector.Set, New: "B-118"})},
		{"change one value and disable", ok, change(t, identity.User, "7710ab",
			connector.Change{Attr: "title", Op: connector.Set, Old: "Dispatcher", New: "Retired"},
			connector.Change{Attr: "active", Op: connector.Set, Old: true, New: false})},
		{"add a value to an element that may not exist", ok, change(t, identity.User, "7710ab", connector.Change{Attr: fax, Op: connector.Set, New: "+49 30 5550143"})},
		{"change the primary role", ok, change(t, identity.User, "7710ab", connector.Change{Attr: `roles[primary eq "True"].value`, Op: connector.Set, Old: "Admin", New: "Viewer"})},
		{"clear values", ok, change(t, identity.User, "7710ab",
			connector.Change{Attr: "title", Op: connector.Clear, Old: "Retired"}, connector.Change{Attr: fax, Op: connector.Clear, Old: "+49 30 5550143"})},
		{"set the manager", ok, change(t, identity.User, "7710ab", connector.Change{Attr: manager, Op: connector.Set, New: ref("7702fe")})},
		{"change the manager", ok, change(t, identity.User, "7710ab", connector.Change{Attr: manager, Op: connector.Set, Old: ref("7702fe"), New: ref("7703aa")})},
		{"clear the manager", ok, change(t, identity.User, "7710ab", connector.Change{Attr: manager, Op: connector.Clear, Old: ref("7703aa")})},
		{"find a group", none, func(c *Client) error {
			_, err := c.Find(t.Context(), identity.Group, "displayName", "Line 12 crew", 2)
			return err
		}},
		{"create a group without members", user("g31"), func(c *Client) error {
			_, err := c.Create(t.Context(), &identity.Object{Kind: identity.Group, Attrs: identity.Attrs{
				{Name: "externalId", Value: "c2b8d5f0-1f0e-4a0b-8d55-3c5f12de9a01"}, {Name: "displayName", Value: "Line 12 crew"}}})
			return err
		}},
		{"create a group with members", user("g32"), func(c *Client) error {
			_, err := c.Create(t.Context(), &identity.Object{Kind: identity.Group, Attrs: identity.Attrs{
				{Name: "displayName", Value: "Line 14 crew"}, {Name: "members", Value: []any{ref("7710ab"), ref("7711c0")}}}})
			return err
		}},
		{"read a group", answer{status: 200, body: `{"id":"g31"}`}, func(c *Client) error {
			_, err := c.Get(t.Context(), identity.Group, "g31")
			return err
		}},
		{"rename the group", ok, change(t, identity.Group, "g31", connector.Change{Attr: "displayName", Op: connector.Set, Old: "Line 12 crew", New: "Line 12 and 14 crew"})},
		{"add members", ok, change(t, identity.Group, "g31", connector.Change{Attr: "members", Op: connector.Add, New: []any{ref("7710ab"), ref("7711c0")}})},
		{"remove members", ok, change(t, identity.Group, "g31", connector.Change{Attr: "members", Op: connector.Remove, New: []any{ref("7710ab"), ref("7711c0")}})},
		{"list a page of users", none, func(c *Client) error { _, err := c.List(t.Context(), identity.User, ""); return err }},
		{"list a page of groups", none, func(c *Client) error { _, err := c.List(t.Context(), identity.Group, "i100::g1"); return err }},
		{"delete the group", ok, func(c *Client) error { return c.Delete(t.Context(), identity.Group, "g31") }},
		{"delete a user with a slash in the id", ok, func(c *Client) error { return c.Delete(t.Context(), identity.User, "a/b c?d") }},
		{"probe", none, func(c *Client) error { _, err := c.Probe(t.Context()); return err }},
	}

	more := []schema.Attribute{{Name: badge}, {Name: custom}, {Name: "externalId"}, {Name: "nickName"}, {Name: fax}, {Name: `roles[primary eq "True"].value`}}
	variants := map[string]map[string]any{
		"rfc":       {},
		"entra2020": {"dialect": "entra2020"},
		"legacy":    {"dialect": "legacy"},
		"switches": {"dialect": "entra2020", "mergedKeys": "nested", "managerShape": "list", "extensionNesting": "afterUser",
			"booleanAsString": true, "contentType": "application/json", "url": "https://lms.example.net/scim/v2/?AADOptScim062020&tenant=5"},
	}
	for name, settings := range variants {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			for _, step := range steps {
				c, s, _ := scripted(t, settings, []connector.Use{userUse(more...), groupUse()}, step.answer)
				if err := step.run(c); err != nil {
					t.Errorf("%s: %v", step.name, err)
				}
				fmt.Fprintf(&out, "== %s\n%s\n", step.name, randomID.ReplaceAllStringFunc(s.log.String(), func(id string) string {
					if strings.HasPrefix(id, "5f1c0b9e") || strings.HasPrefix(id, "c2b8d5f0") {
						return id
					}
					return "RANDOM"
				}))
			}
			file := filepath.Join("testdata", "wire", name+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("run go test -update and read the difference: %s", diff)
			}
		})
	}
}

func change(t *testing.T, kind identity.Kind, anchor string, changes ...connector.Change) func(*Client) error {
	return func(c *Client) error {
		_, err := c.Update(t.Context(), connector.Update{Kind: kind, Anchor: anchor, Changes: changes})
		return err
	}
}
