package scim

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// The two benchmarks send the same body over loopback to the same server; their ratio is what the client costs
// (design section 7, P4). Run them with -cpu 1 and -cpu 2.

func benchUser() *identity.Object {
	return &identity.Object{Kind: identity.User, Attrs: identity.Attrs{
		{Name: "userName", Value: "mira.okafor@example.net"}, {Name: "active", Value: "True"},
		{Name: "displayName", Value: "Mira Okafor"}, {Name: "title", Value: "Tram driver"},
		{Name: "name.givenName", Value: "Mira"}, {Name: "name.familyName", Value: "Okafor"},
		{Name: `emails[type eq "work"].value`, Value: "mira.okafor@example.net"},
		{Name: `phoneNumbers[type eq "mobile"].value`, Value: "+49 30 5550142"},
		{Name: `addresses[type eq "work"].locality`, Value: "Berlin"}, {Name: `addresses[type eq "work"].country`, Value: "DE"},
		{Name: enterprise + "employeeNumber", Value: "40217"}, {Name: enterprise + "department", Value: "Line 12"},
		{Name: enterprise + "manager", Value: identity.Ref{Kind: identity.User, Anchor: "7702fe"}},
	}}
}

// echo answers a create with what was sent and an id.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(append([]byte(`{"id":"7710ab",`), body[1:]...))
}

func BenchmarkCreate(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(echo))
	defer server.Close()
	c := open(b, server.URL, nil, &connector.Meter{})
	user := benchUser()
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Create(b.Context(), user); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkBareClient(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(echo))
	defer server.Close()
	c := open(b, server.URL, nil, &connector.Meter{})
	m, err := c.createBody(c.kinds[identity.User], benchUser().Attrs)
	if err != nil {
		b.Fatal(err)
	}
	body, err := encode(m)
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL+"/Users", bytes.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("Content-Type", "application/scim+json")
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, resp.Body)
			if cerr := resp.Body.Close(); err != nil || cerr != nil {
				b.Error(err, cerr)
				return
			}
		}
	})
}

// BenchmarkBody is the share of a create that is not the network.
func BenchmarkBody(b *testing.B) {
	c, _, _ := scripted(b, nil, nil, answer{status: 500})
	user := benchUser()
	b.ReportAllocs()
	for b.Loop() {
		m, err := c.createBody(c.kinds[identity.User], user.Attrs)
		if err != nil {
			b.Fatal(err)
		}
		body, err := encode(m)
		if err != nil {
			b.Fatal(err)
		}
		r, _ := decodeResource(body)
		if o := c.object(c.kinds[identity.User], r, true); len(o.Attrs) == 0 {
			b.Fatal("nothing was read")
		}
	}
}
