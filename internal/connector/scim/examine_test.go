package scim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/sandbox"
)

// examine opens a client as `rollcall probe` does and examines the server.
func examine(t *testing.T, address string, settings map[string]any) connector.Examination {
	t.Helper()
	t.Setenv("SCIM_TEST_TOKEN", token)
	all := map[string]any{"url": address, "auth": map[string]any{"bearer": map[string]any{"env": "SCIM_TEST_TOKEN"}}, "timeout": "5s"}
	for k, v := range settings {
		all[k] = v
	}
	cfg, err := Decode(all)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(cfg, connector.Env{Logger: slog.New(slog.DiscardHandler), Uses: []connector.Use{userUse()}, Once: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	e := c.Examine(t.Context())
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), token) {
		t.Errorf("the report shows the token: %s", text)
	}
	return e
}

// failing returns the findings because of which a job cannot run.
func failing(e connector.Examination) []connector.Finding {
	var out []connector.Finding
	for _, f := range e.Findings {
		if f.State == connector.Fails {
			out = append(out, f)
		}
	}
	return out
}

// authority signs certificates for servers.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key := newKey(t)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Depot CA"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(240 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

// file writes the authority's certificate as PEM.
func (a authority) file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve starts a TLS server on 127.0.0.1 with a certificate; self makes it its own authority.
func (a authority) serve(t *testing.T, handler http.Handler, self bool, change func(*x509.Certificate)) string {
	t.Helper()
	key := newKey(t)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "scim.depot.example"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(120 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if change != nil {
		change(tmpl)
	}
	parent, signer := a.cert, a.key
	if self {
		parent, signer = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

// answering is a handler that gives one answer to everything.
func answering(status int, body string, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func plainServer(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(s.Close)
	return s.URL
}

func webToken(expires time.Time) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"sub":"rollcall","exp":%d}`, expires.Unix())) + ".c2ln"
}

// TestEachRefusalNamesItsCure holds what an administrator is told when a target does not take the job in: a message of its
// own for each way of being refused, over real servers.
func TestEachRefusalNamesItsCure(t *testing.T) {
	ca := newAuthority(t)
	t.Setenv("OLD_TOKEN", webToken(time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)))
	empty := answering(200, noneFound)
	closed := httptest.NewServer(empty)
	closed.Close()
	hangs := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	scimError := func(detail string) string {
		return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"` + detail + `"}`
	}
	somebody := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"Resources":[{"id":"1","userName":"a"}]}`
	tests := []struct {
		name     string
		address  string
		settings map[string]any
		topic    string
		found    string // in what was found
		cure     string // in the cure
	}{
		{"an expired token, without a word", plainServer(t, answering(401, "")), nil,
			topicCredential, "401 Unauthorized", "may have expired or been revoked, or be one for something else; make a new one in the target and renew the setting auth"},
		{"an expired token, and the server says so", plainServer(t, answering(401, "", "WWW-Authenticate", `Bearer realm="lms, eu", error="invalid_token", error_description="The access token expired"`)), nil,
			topicCredential, "401 The access token expired", "the target says that the credential has expired: make a new one"},
		{"an expired web token (RFC 7519)", plainServer(t, answering(401, scimError("no"))), map[string]any{"auth": map[string]any{"bearer": map[string]any{"env": "OLD_TOKEN"}}},
			topicCredential, "401 no", "the token has expired, on 2026-01-02 03:04Z: make a new one"},
		{"a credential of another kind", plainServer(t, answering(401, "", "WWW-Authenticate", `Basic realm="x, bearer y"`)), nil,
			topicCredential, "401", "asks for a credential of the kind basic, and the setting auth is bearer"},
		{"no credential", plainServer(t, answering(401, "")), map[string]any{"auth": nil},
			topicCredential, "401", "the target wants a credential: set auth"},
		{"a key without rights", plainServer(t, answering(403, scimError("scope users:read is missing"))), nil,
			topicCredential, "403 scope users:read is missing", "accepted but may not do this: give it the right in the target"},
		{"an address that answers web pages", plainServer(t, answering(200, "<!doctype html><title>Sign in</title>", "Content-Type", "text/html")), nil,
			topicService, "200 OK", "answers a web page, not SCIM: check the setting url"},
		{"an address that answers XML", plainServer(t, answering(200, `<?xml version="1.0"?><Users/>`, "Content-Type", "text/xml")), nil,
			topicService, "200 OK", "answers XML, and SCIM 2.0 is JSON: check the setting url"},
		{"JSON that is not SCIM", plainServer(t, answering(200, `{"users":[]}`)), nil,
			topicService, "200", "is the address of a SCIM 2.0 service"},
		{"an address with nothing there", plainServer(t, answering(404, "")), nil,
			topicService, "404 Not Found", "there is no /Users below the address: check the setting url"},
		{"a redirect to another host", plainServer(t, http.RedirectHandler("https://login.example.net/x", http.StatusFound)), nil,
			topicService, "302", "redirects to https://login.example.net/x, and a credential is never sent on"},
		{"a self-signed certificate", ca.serve(t, empty, true, nil), nil,
			topicConnection, "certificate", "is self-signed: store it as a PEM file and set caFile"},
		{"a certificate of an authority that nobody knows", ca.serve(t, empty, false, nil), nil,
			topicConnection, "unknown authority", "from an authority that this machine does not know (Depot CA): set caFile to a PEM file with that authority's certificate"},
		{"an expired certificate", ca.serve(t, empty, false, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), map[string]any{"caFile": ca.file(t)},
			topicConnection, "expired", "expired on " + time.Now().Add(-time.Minute).UTC().Format(time.DateOnly) + ": whoever runs the target has to renew it"},
		{"a certificate that is not valid yet", ca.serve(t, empty, false, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(100 * time.Hour) }), map[string]any{"caFile": ca.file(t)},
			topicConnection, "not yet valid", "check this machine's clock"},
		{"a certificate for another name", ca.serve(t, empty, false, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"scim.depot.example"} }), map[string]any{"caFile": ca.file(t)},
			topicConnection, "certificate", "is for scim.depot.example, and not for 127.0.0.1: write the name it is for"},
		{"a server that does not encrypt", strings.Replace(plainServer(t, empty), "http://", "https://", 1), nil,
			topicConnection, "does not look like a TLS handshake", "does not encrypt: it answers plain HTTP. Check the port"},
		{"a server that wants to be called encrypted", strings.Replace(ca.serve(t, empty, true, nil), "https://", "http://", 1), nil,
			topicService, "HTTPS", "begin the setting url with https://"},
		{"an unknown host", "https://scim.invalid/v2", nil,
			topicConnection, "scim.invalid", "the host name scim.invalid is not known: check the setting url"},
		{"nothing listens", closed.URL, nil,
			topicConnection, "refused", "nothing listens at 127.0.0.1"},
		{"no answer in time", plainServer(t, hangs), map[string]any{"timeout": "1s"},
			topicConnection, "no answer within 1s", "raise the setting timeout (now 1s)"},
		{"too many requests at once", plainServer(t, answering(429, "", "Retry-After", "120")), nil,
			topicService, "429 Too Many Requests", "lower the setting rate"},
		{"not available at once", plainServer(t, answering(503, "")), nil,
			topicService, "503 Service Unavailable", "somebody works on it; try again later"},
		{"a filter that is ignored", plainServer(t, answering(200, somebody)), nil,
			"filter User on userName", "a query for a random userName found 1 objects", "does not filter on userName: match on another attribute"},
	}
	cures := map[string]string{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := examine(t, tt.address, tt.settings)
			got := failing(e)
			if len(got) == 0 || e.Usable() {
				t.Fatalf("nothing fails: %+v", e.Findings)
			}
			f := got[0]
			if f.Topic != tt.topic || !strings.Contains(f.Found, tt.found) || !strings.Contains(f.Cure, tt.cure) {
				t.Errorf("topic %q: found %q, cure %q\nwant topic %q, %q in what was found, %q in the cure", f.Topic, f.Found, f.Cure, tt.topic, tt.found, tt.cure)
			}
			if other, taken := cures[f.Cure]; taken {
				t.Errorf("the cure is that of %q: %s", other, f.Cure)
			}
			cures[f.Cure] = tt.name
		})
	}
}

// below serves a SCIM sandbox under another path of the same host, and 404 elsewhere.
func below(t *testing.T, path string) string {
	t.Helper()
	box, err := sandbox.New("scim", sandbox.Config{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return plainServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, path+"/")
		if !ok {
			http.NotFound(w, r)
			return
		}
		r.URL.Path = box.BasePath() + "/" + rest
		box.Handler().ServeHTTP(w, r)
	}))
}

func TestAWrongPathIsPutRight(t *testing.T) {
	for _, tt := range []struct{ name, service, entered string }{
		{"without /scim/v2", "/scim/v2", ""},
		{"without /v2", "/scim/v2", "/scim"},
		{"without /scim", "/v2/scim", "/v2"},
		{"with /v2 too much", "/scim", "/scim/v2"},
		{"with /scim too much", "/identity", "/identity/scim"},
		{"with /Users behind it", "/tenant/7", "/tenant/7/Users"},
		{"below /api", "/api/scim", "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := below(t, tt.service)
			e := examine(t, host+tt.entered, nil)
			want := []connector.Suggestion{{Setting: "url", Value: host + tt.service, Why: "a SCIM service answers there"}}
			if diff := cmp.Diff(want, e.Suggested); diff != "" {
				t.Error(diff)
			}
			if got := failing(e); len(got) != 1 || got[0].Cure != "a SCIM service answers at "+host+tt.service+": set url to that" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// wrapped is a sandbox whose answers are changed on their way.
func wrapped(t *testing.T, change func(w http.ResponseWriter, r *http.Request, next http.Handler)) string {
	t.Helper()
	box, err := sandbox.New("scim", sandbox.Config{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return plainServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { change(w, r, box.Handler()) })) + box.BasePath()
}

func addUser(t *testing.T, base, name string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/Users", strings.NewReader(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"`+name+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("status %d, %v", resp.StatusCode, err)
	}
}

func TestSettingsAreSuggested(t *testing.T) {
	filtered := func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Query().Has("filter") }
	tests := []struct {
		name   string
		change func(w http.ResponseWriter, r *http.Request, next http.Handler)
		want   connector.Suggestion
		usable bool
	}{
		{"404 instead of an empty list (scim.R54)", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if filtered(r) && !strings.Contains(r.URL.RawQuery, "mira") {
				http.Error(w, `{"detail":"no such user"}`, http.StatusNotFound)
				return
			}
			next.ServeHTTP(w, r)
		}, connector.Suggestion{Setting: "emptyQuery404", Value: true, Why: "the target answers 404 to a query without a result"}, false},
		{"a server that cannot page (scim.R51)", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if q := r.URL.Query(); q.Has("startIndex") {
				q.Set("startIndex", "1")
				q.Set("count", "1")
				r.URL.RawQuery = q.Encode()
			}
			next.ServeHTTP(w, r)
		}, connector.Suggestion{Setting: "list", Value: false, Why: "a listing of User fails"}, true},
		{"a server with small pages", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if q := r.URL.Query(); q.Has("count") {
				q.Set("count", "1")
				r.URL.RawQuery = q.Encode()
			}
			next.ServeHTTP(w, r)
		}, connector.Suggestion{Setting: "pageSize", Value: 1, Why: "the target gives no more in a page"}, true},
		{"a server without PATCH (scim.R49)", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasSuffix(r.URL.Path, configPath) {
				answering(200, `{"patch":{"supported":false}}`).ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		}, connector.Suggestion{Setting: "updateMethod", Value: "put", Why: "the target says that it does not support PATCH"}, false},
		{"a server that announces its allowance", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			w.Header().Set("RateLimit-Policy", `"default";q=100;w=60`)
			next.ServeHTTP(w, r)
		}, connector.Suggestion{Setting: "rate", Value: "100/min", Why: "the target announces it"}, true},
		{"a server that was built against the reference service (design D16)", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasSuffix(r.URL.Path, schemasPath) {
				answering(200, `{"totalResults":1,"Resources":[{"id":"http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group","attributes":[]}]}`).ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		}, connector.Suggestion{Setting: "dialect", Value: "legacy", Why: "the target knows schemas of the reference service"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := wrapped(t, tt.change)
			addUser(t, base, "mira@example.com")
			addUser(t, base, "jo@example.com")
			e := examine(t, base, nil)
			if diff := cmp.Diff([]connector.Suggestion{tt.want}, e.Suggested); diff != "" {
				t.Error(diff)
			}
			if e.Usable() != tt.usable {
				t.Errorf("usable %v, want %v: %+v", e.Usable(), tt.usable, e.Findings)
			}
		})
	}
}

func TestAWholeReport(t *testing.T) {
	ca := newAuthority(t)
	box, err := sandbox.New("scim", sandbox.Config{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	base := ca.serve(t, box.Handler(), false, nil) + box.BasePath()
	addOver := plainServer(t, box.Handler()) + box.BasePath()
	addUser(t, addOver, "mira@example.com")
	e := examine(t, base, map[string]any{"caFile": ca.file(t)})
	until := time.Now().Add(120 * time.Hour).UTC().Format(time.DateOnly)
	want := []connector.Finding{
		{Topic: "connection", State: connector.Limited, Found: "answers, TLS 1.3; certificate of scim.depot.example from Depot CA, valid until " + until,
			Meaning: "the job fails once the certificate has ended", Cure: "have it renewed by whoever runs the target"},
		{Topic: "credential", State: connector.Works, Found: "accepted"},
		{Topic: "self-description", State: connector.Works, Found: "what it can do, 63 attributes of User, 2 attributes of Group"},
		{Topic: "filter User on userName", State: connector.Works, Found: "answers with an empty list for a value that nobody has"},
		{Topic: "list User", State: connector.Works, Found: "200 asked for in a page, 1 came; 1 in all"},
		{Topic: "find a User by userName", State: connector.Works, Found: "an account that is listed is found"},
		{Topic: "ETag", State: connector.Works, Found: "accounts have versions"},
		{Topic: "PATCH", State: connector.Works, Found: "announced"},
		{Topic: "attributes of User", State: connector.Works, Found: "the target has all that is mapped, and all that it requires is mapped"},
		{Topic: "dialect", State: connector.Works, Found: "rfc"},
	}
	if diff := cmp.Diff(want, e.Findings); diff != "" {
		t.Error(diff)
	}
	if e.Address != base || e.Credential != "bearer" || e.Encryption == nil || e.Encryption.Issuer != "Depot CA" {
		t.Errorf("%+v", e)
	}
}
