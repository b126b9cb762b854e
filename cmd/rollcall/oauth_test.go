package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rollcall-id/rollcall/internal/sandbox"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

// oauthServer is `oauth`: it starts an OAuth server that knows the client rollcall with the secret s3cr3t, a public client
// desk, and a SCIM service over TLS that takes its tokens. It sets OAUTH and SCIM to their addresses and writes ca.pem.
// `oauth revoke` ends all access tokens, `oauth revoke-all` refresh tokens, too.
func oauthServer(t *testing.T) func(*testscript.TestScript, bool, []string) {
	servers := map[*testscript.TestScript]*testbed.OAuth{}
	return func(ts *testscript.TestScript, neg bool, args []string) {
		switch {
		case !neg && len(args) == 1 && servers[ts] != nil && (args[0] == "revoke" || args[0] == "revoke-all"):
			servers[ts].Revoke(args[0] == "revoke-all")
			return
		case neg || len(args) != 0:
			ts.Fatalf("usage: oauth [revoke | revoke-all]")
		}
		o := testbed.NewOAuth(t, testbed.OAuthClient{ID: "rollcall", Secret: "s3cr3t", Auth: "client_secret_basic", Scopes: []string{"scim", "offline_access"}},
			testbed.OAuthClient{ID: "desk", Auth: "none", Scopes: []string{"scim", "offline_access"}})
		now, err := time.Parse(time.RFC3339, ts.Getenv("TEST_NOW"))
		ts.Check(err)
		o.Now = func() time.Time { return now }
		servers[ts] = o
		box, err := sandbox.New("scim", sandbox.Config{})
		ts.Check(err)
		app := httptest.NewTLSServer(o.Protect(box.Handler()))
		t.Cleanup(app.Close)
		var trusted []byte
		for _, s := range []*httptest.Server{o.Server, app} {
			data, err := os.ReadFile(testbed.CAFile(t, s))
			ts.Check(err)
			trusted = append(trusted, data...)
		}
		ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), trusted, 0o600))
		ts.Setenv("OAUTH", o.URL)
		ts.Setenv("SCIM", app.URL+box.BasePath())
	}
}

// browse is `browse URL [STATUS]`: what a browser does that is signed in and agrees. It follows redirects, here to the
// server of `oauth` and back to rollcall, and the last page must have this status, 200 by default.
func browse(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: browse url [status]")
	}
	want := "200"
	if len(args) == 2 {
		want = args[1]
	}
	address, err := url.Parse(args[0])
	ts.Check(err)
	pem, err := os.ReadFile(ts.MkAbs("ca.pem"))
	ts.Check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	ts.Check(err)
	resp, err := (&http.Client{Transport: transport}).Do(req)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if got := resp.Status[:3]; got != want {
		ts.Fatalf("GET %s: status %s, want %s", address.Redacted(), got, want)
	}
}
