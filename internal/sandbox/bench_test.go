package sandbox

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// These go through the handler without the network, so that they measure the sandbox and not net/http.

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

func benchServer(b *testing.B, users int) *Server {
	b.Helper()
	s, err := New("scim", Config{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range users {
		createUser(b, s, i)
	}
	return s
}

func createUser(b *testing.B, s *Server, i int) {
	body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
"externalId":"E%d","userName":"user%d@example.net","active":true,"displayName":"Mira Okafor %d","title":"Tram driver","name":{"givenName":"Mira","familyName":"Okafor"},
"emails":[{"type":"work","primary":true,"value":"user%d@example.net"}],"phoneNumbers":[{"type":"mobile","value":"+49 30 5550142"}],"addresses":[{"type":"work","locality":"Berlin","country":"DE"}],
"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"%d","department":"Line 12"}}`, i, i, i, i, i)
	r := httptest.NewRequestWithContext(b.Context(), "POST", "/scim/v2/Users", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/scim+json")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != 201 {
		b.Fatalf("status %d: %s", w.Code, w.Body)
	}
}

func BenchmarkPostUser(b *testing.B) {
	s := benchServer(b, 0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		createUser(b, s, i)
	}
}

func BenchmarkFilterUserName(b *testing.B) {
	const users = 20_000
	s := benchServer(b, users)
	h := s.Handler()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := httptest.NewRequestWithContext(b.Context(), "GET", fmt.Sprintf("/scim/v2/Users?filter=userName%%20eq%%20%%22user%d@example.net%%22", i%users), nil)
		h.ServeHTTP(&discard{http.Header{}}, r)
	}
}

func BenchmarkPatchUser(b *testing.B) {
	s := benchServer(b, 1)
	var id string
	for u := range s.app.users() {
		id = strings.Split(strings.Split(string(u), `"id":"`)[1], `"`)[0]
	}
	h := s.Handler()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := httptest.NewRequestWithContext(b.Context(), "PATCH", "/scim/v2/Users/"+id, strings.NewReader(
			fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"T%d"}]}`, i)))
		r.Header.Set("Content-Type", "application/scim+json")
		h.ServeHTTP(&discard{http.Header{}}, r)
	}
}

func BenchmarkListPage(b *testing.B) {
	h := benchServer(b, 1000).Handler()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&discard{http.Header{}}, httptest.NewRequestWithContext(b.Context(), "GET", "/scim/v2/Users?startIndex=401&count=200", nil))
	}
}
