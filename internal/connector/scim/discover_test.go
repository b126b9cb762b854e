package scim

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sandbox"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// describing is a server that has only the three endpoints of RFC 7644 section 4; an answer that is missing is 404, one
// that begins with a status is that status.
func describing(t *testing.T, answers map[string]string) string {
	t.Helper()
	return plainServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch body := answers[r.URL.Path]; {
		case body == "":
			http.NotFound(w, r)
		case strings.HasPrefix(body, "401"):
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasPrefix(body, "403"):
			w.WriteHeader(http.StatusForbidden)
		default:
			_, _ = w.Write([]byte(body))
		}
	}))
}

func TestDiscover(t *testing.T) {
	yes, no := true, false
	const users = `"id":"urn:ietf:params:scim:schemas:core:2.0:User"`
	list := func(resources string) string {
		return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"Resources":[` + resources + `]}`
	}
	tests := []struct {
		name    string
		answers map[string]string
		want    connector.Discovery
	}{
		{"a server that says nothing is fine (scim.R49)", nil, connector.Discovery{}},
		{"what it can do", map[string]string{configPath: `{"patch":{"supported":false},"bulk":{"supported":true,"maxOperations":50,"maxPayloadSize":1048576},
			"filter":{"supported":true,"maxResults":200},"changePassword":{"supported":false},"sort":{"supported":false},"etag":{"supported":true},
			"pagination":{"cursor":true,"index":false,"maxPageSize":40}}`},
			connector.Discovery{Patch: &no, Filter: &yes, Sort: &no, ETag: &yes, ChangePassword: &no, MaxResults: 200,
				Bulk: &connector.Bulk{MaxOperations: 50, MaxPayloadSize: 1 << 20}, Paging: connector.Paging{Cursor: true, MaxPageSize: 40}}},
		{"bulk that is not supported is none, numbers that make no sense are none", map[string]string{configPath: `{"bulk":{"supported":false,"maxOperations":1000},"filter":{"maxResults":-1}}`},
			connector.Discovery{}},
		{"endpoints elsewhere, as a path and as an address", map[string]string{typesPath: list(`{"name":"User","endpoint":"/Accounts","schema":"urn:ietf:params:scim:schemas:core:2.0:User"},
			{"name":"Group","endpoint":"Teams","schema":"urn:ietf:params:scim:schemas:core:2.0:Group"},{"name":"Device","endpoint":"/Devices","schema":"urn:x:Device"}`)},
			connector.Discovery{Endpoints: map[identity.Kind]string{identity.User: "/Accounts", identity.Group: "/Teams"}}},
		{"endpoints on another host are not used", map[string]string{typesPath: list(`{"name":"User","endpoint":"https://elsewhere.example/Users","schema":"urn:ietf:params:scim:schemas:core:2.0:User"}`)},
			connector.Discovery{Notices: []string{"GET /ResourceTypes: the endpoint of User is not below the address, and is not used"}}},
		{"attributes (scim.R48)", map[string]string{schemasPath: list(`{` + users + `,"attributes":[
			{"name":"userName","type":"string","required":true,"uniqueness":"server"},
			{"name":"id","type":"string","mutability":"readOnly"},
			{"name":"groups","type":"complex","multiValued":true,"mutability":"readOnly","subAttributes":[{"name":"value"}]},
			{"name":"name","type":"complex","required":true,"subAttributes":[{"name":"familyName","type":"string","required":true},{"name":"formatted","mutability":"readOnly"}]},
			{"name":"badge","type":"integer","caseExact":true},
			{"name":"emails","type":"complex","multiValued":true,"required":true,"subAttributes":[{"name":"value","type":"string"},{"name":"display"},{"name":"primary","type":"boolean"},{"name":"type","canonicalValues":["work","home"]}]},
			{"name":"roles","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},{"name":"type"}]}]}`)},
			connector.Discovery{Schemas: []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, Schema: schema.Schema{{Kind: identity.User,
				Attributes: []schema.Attribute{
					{Name: "userName", FoldCase: true, Unique: true}, {Name: "name.familyName", FoldCase: true}, {Name: "badge", Type: schema.Integer},
					{Name: `emails[type eq "work"].value`, FoldCase: true}, {Name: `emails[type eq "home"].value`, FoldCase: true},
					{Name: "roles", MultiValued: true},
				},
				Demands: []string{"userName", "name.familyName", "emails"}}}}},
		{"an extension, by the resource types", map[string]string{
			typesPath: list(`{"name":"User","endpoint":"/Users","schema":"urn:ietf:params:scim:schemas:core:2.0:User","schemaExtensions":[{"schema":"urn:depot:Tram","required":false}]}`),
			schemasPath: list(`{"id":"urn:depot:Tram","attributes":[{"name":"line","type":"string","caseExact":true},
				{"name":"boss","type":"complex","subAttributes":[{"name":"value"},{"name":"$ref","type":"reference","referenceTypes":["User"]}]}]},
				{"id":"urn:depot:Other:User","attributes":[{"name":"x"}]}`)},
			connector.Discovery{Schemas: []string{"urn:depot:Tram", "urn:depot:Other:User"}, Schema: schema.Schema{{Kind: identity.User, Attributes: []schema.Attribute{
				{Name: "urn:depot:Tram:line"}, {Name: "urn:depot:Tram:boss", Type: schema.Reference, References: identity.User}}}}}},
		{"an extension, by its name", map[string]string{schemasPath: list(`{"id":"urn:depot:2.0:User","attributes":[{"name":"line","caseExact":true}]}`)},
			connector.Discovery{Schemas: []string{"urn:depot:2.0:User"}, Schema: schema.Schema{{Kind: identity.User, Attributes: []schema.Attribute{{Name: "urn:depot:2.0:User:line"}}}}}},
		{"what cannot be read is a notice (scim.R47)", map[string]string{configPath: "<html>", typesPath: "[]", schemasPath: "403"},
			connector.Discovery{Notices: []string{"the answer to GET /ServiceProviderConfig is not what RFC 7643 section 5 has there",
				"GET /Schemas was answered with 403 Forbidden", "the answer to GET /ResourceTypes is no ListResponse"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			meter := &connector.Meter{}
			c := open(t, describing(t, tt.answers), nil, meter)
			got, err := c.Discover(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			slicesOfText := cmpopts.SortSlices(func(a, b string) bool { return a < b })
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(connector.Discovery{}, "At", "Address"), slicesOfText); diff != "" {
				t.Error(diff)
			}
			if n := meter.Read().Total(); n != 3 {
				t.Errorf("%d calls, want 3", n)
			}
		})
	}
}

func TestDiscoveryEndsWithARefusedCredential(t *testing.T) {
	meter := &connector.Meter{}
	c := open(t, describing(t, map[string]string{configPath: "401"}), nil, meter)
	if _, err := c.Discover(t.Context()); connector.KindOf(err) != connector.KindAuth || meter.Read().Total() != 1 {
		t.Errorf("%v after %d calls, want a refused credential after one", err, meter.Read().Total())
	}
}

// TestWhatWasFoundIsUsed opens a client with what its target said of itself (scim.R49).
func TestWhatWasFoundIsUsed(t *testing.T) {
	box, err := sandbox.New("scim", sandbox.Config{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	base := plainServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, "/Accounts")
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method == http.MethodGet && r.URL.Query().Has("count") && r.URL.Query().Get("count") != "40" {
			t.Errorf("count is %s, want what the target announced", r.URL.Query().Get("count"))
		}
		r.URL.Path = box.BasePath() + "/Users" + rest
		box.Handler().ServeHTTP(w, r)
	}))
	use := func(found *connector.Discovery) *Client {
		t.Setenv("SCIM_TEST_TOKEN", token)
		cfg, err := Decode(map[string]any{"url": base, "auth": map[string]any{"bearer": map[string]any{"env": "SCIM_TEST_TOKEN"}}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(cfg, connector.Env{Uses: []connector.Use{userUse()}, Found: found, Now: time.Now}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	found := &connector.Discovery{Address: base, Endpoints: map[identity.Kind]string{identity.User: "/Accounts"}, MaxResults: 40}
	c := use(found)
	caps, err := c.Probe(t.Context())
	if err != nil || caps.PageSize != 40 {
		t.Fatalf("page size %d, %v", caps.PageSize, err)
	}
	made, err := c.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "userName", Value: "mira"}}})
	if err != nil {
		t.Fatal(err)
	}
	if page, err := c.List(t.Context(), identity.User, ""); err != nil || len(page.Objects) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	if _, err := c.Update(t.Context(), connector.Update{Kind: identity.User, Anchor: made.Anchor, Changes: []connector.Change{{Attr: "title", Op: connector.Set, New: "Driver"}}}); err != nil {
		t.Error(err)
	}
	other := *found
	other.Address = "https://old.example/scim" // what another target said means nothing here
	if _, err := use(&other).Probe(t.Context()); connector.KindOf(err) != connector.KindIncompatible {
		t.Errorf("%v, want that there is no /Users", err)
	}
}

func TestPageSize(t *testing.T) {
	for _, tt := range []struct {
		name     string
		cfg      Config
		found    connector.Discovery
		size     int
		byCursor bool
	}{
		{"nothing is known (scim.R51)", Config{Paging: pagingAuto}, connector.Discovery{}, 100, false},
		{"as many as are announced", Config{Paging: pagingAuto}, connector.Discovery{MaxResults: 200}, 200, false},
		{"but no more than an answer should hold", Config{Paging: pagingAuto}, connector.Discovery{MaxResults: 10000}, 500, false},
		{"what is set holds", Config{Paging: pagingAuto, PageSize: 7}, connector.Discovery{MaxResults: 200}, 7, false},
		{"by cursor where that is announced (RFC 9865)", Config{Paging: pagingAuto}, connector.Discovery{MaxResults: 200, Paging: connector.Paging{Cursor: true, MaxPageSize: 50}}, 50, true},
		{"by index where that is set", Config{Paging: pagingIndex}, connector.Discovery{MaxResults: 200, Paging: connector.Paging{Cursor: true, MaxPageSize: 50}}, 200, false},
		{"by cursor where that is set", Config{Paging: pagingCursor}, connector.Discovery{}, 100, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if size, byCursor := paging(tt.cfg, tt.found); size != tt.size || byCursor != tt.byCursor {
				t.Errorf("%d, by cursor %v; want %d, %v", size, byCursor, tt.size, tt.byCursor)
			}
		})
	}
}
