package replay

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-id/rollcall/internal/sandbox"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

// server is one that the script is sent to.
type server struct {
	t     *testing.T
	base  string // URL without a slash at the end
	token string
	reset func()
	names map[string]string // what stands for a name in braces
}

// startSandbox starts the sandbox "scim".
func startSandbox(t *testing.T, strict bool) *server {
	t.Helper()
	const token = "r3play-token"
	box, err := sandbox.New("scim", sandbox.Config{Token: token, Strict: strict})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(box.Handler())
	t.Cleanup(h.Close)
	return newServer(t, h.URL+box.BasePath(), token, box.Reset)
}

// startScimmy starts the independent server, or skips the test, as testbed says.
func startScimmy(t *testing.T) *server {
	t.Helper()
	s := testbed.Scimmy(t)
	return newServer(t, s.BaseURL, s.Token, s.Reset)
}

func newServer(t *testing.T, base, token string, reset func()) *server {
	s := &server{t: t, base: base, token: token, reset: reset}
	s.forget()
	return s
}

// forget empties the server and forgets the ids of what it held.
func (s *server) forget() {
	s.reset()
	s.names = map[string]string{
		"User":       "urn:ietf:params:scim:schemas:core:2.0:User",
		"Group":      "urn:ietf:params:scim:schemas:core:2.0:Group",
		"Enterprise": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
		"PatchOp":    "urn:ietf:params:scim:api:messages:2.0:PatchOp",
		"gone":       "00000000-0000-4000-8000-000000000000",
		"base":       s.base,
	}
}

// expand puts in what names in braces stand for.
func (s *server) expand(text string) string {
	pairs := make([]string, 0, 2*len(s.names))
	for name, value := range s.names {
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// collapse puts the names in again for URNs, ids and the base URL, so that answers of two servers can be compared.
func (s *server) collapse(text string) string {
	for name, value := range s.names {
		text = strings.ReplaceAll(text, value, "{"+name+"}")
	}
	return text
}

// answer is what a server answered, with names for ids.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// send sends one request.
func (s *server) send(st step) answer {
	s.t.Helper()
	target := s.base + s.expand(st.path)
	if len(st.query) > 0 {
		q := url.Values{}
		for i := 0; i < len(st.query); i += 2 {
			q.Add(st.query[i], s.expand(st.query[i+1]))
		}
		target += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(s.t.Context(), st.method, target, strings.NewReader(s.expand(st.body)))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if st.method == http.MethodPost || st.method == http.MethodPut || st.method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	for name, value := range st.header {
		req.Header.Del(name)
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s: %v", st, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s: %v", st, err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header.Clone(), body: string(body)}
	if id := idOf(a.body); a.status == http.StatusCreated && id != "" {
		as := st.as
		if as == "" {
			as = "new"
		}
		s.names[as] = id
	}
	a.body = s.collapse(a.body)
	for name := range a.header {
		a.header.Set(name, s.collapse(a.header.Get(name)))
	}
	return a
}

// prepare empties the server and makes what the step finds there.
func (s *server) prepare(st step) error {
	s.forget()
	for _, b := range append(present(), st.before...) {
		if a := s.send(b); !a.ok() {
			return fmt.Errorf("%s, to prepare for %q: status %d: %s", b, st.name, a.status, a.body)
		}
	}
	return nil
}
