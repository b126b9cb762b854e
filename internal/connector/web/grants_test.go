package web_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/secret"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSignedAssertions(t *testing.T) {
	signers := map[string]crypto.Signer{"RS256": rsaKey(t, 2048), "ES256": testbed.NewKey(t)}
	for alg, key := range signers {
		for name, tt := range map[string]struct {
			client   testbed.OAuthClient
			settings map[string]any
		}{
			"as the client's proof (RFC 7523 section 2.2)": {
				testbed.OAuthClient{ID: "c", Auth: "private_key_jwt", Key: key.Public()},
				map[string]any{"clientID": "c", "keyID": "k1"},
			},
			"as the grant, by a client that proves nothing (section 2.1)": {
				testbed.OAuthClient{ID: "c", Auth: "none", Key: key.Public()},
				map[string]any{"grant": "jwtBearer", "clientID": "c", "subject": "admin@example.com"},
			},
			"as the grant and as the client's proof": {
				testbed.OAuthClient{ID: "c", Auth: "private_key_jwt", Key: key.Public()},
				map[string]any{"grant": "jwtBearer", "clientID": "c", "clientAuth": "privateKeyJWT", "issuer": "integration"},
			},
		} {
			t.Run(alg+" "+name, func(t *testing.T) {
				oauth := testbed.NewOAuth(t, tt.client)
				target := newService(t, oauth)
				tt.settings["tokenURL"], tt.settings["key"] = oauth.TokenURL(), file(testbed.KeyFile(t, key))
				conn, err := web.Open(decode(t, map[string]any{"url": target.URL, "caFile": trust(t, target.Server, oauth.Server),
					"auth": map[string]any{"oauth2": tt.settings}}), connector.Env{}, nil)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 { // an assertion works once, so the second is another one
					if status, err := call(t.Context(), conn, http.MethodGet); status != http.StatusOK {
						t.Fatalf("status %d, %v", status, err)
					}
					oauth.Revoke(false)
				}
				if n := len(oauth.Forms()); n != 2 {
					t.Errorf("%d tokens were asked for, want 2", n)
				}
			})
		}
	}
}

func TestAnAssertionOfOthersIsReadAfreshForEachToken(t *testing.T) {
	// The platform would write a signed token; what is sent is all that matters here.
	oauth := testbed.NewOAuth(t, testbed.OAuthClient{ID: "c", Auth: "private_key_jwt", Key: testbed.NewKey(t).Public()})
	dir := files(t, map[string]string{"token": "first\n"})
	conn, err := web.Open(decode(t, map[string]any{"url": "https://target.invalid", "caFile": trust(t, oauth.Server), "auth": map[string]any{"oauth2": map[string]any{
		"tokenURL": oauth.TokenURL(), "clientID": "c", "assertion": file("token")}}}), connector.Env{Dir: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range []string{"second", ""} {
		_, err = call(t.Context(), conn, http.MethodGet)
		e := connector.AsError(err)
		if e.Kind != connector.KindAuth || !strings.Contains(e.Hint, "{file: token}") || strings.Contains(err.Error(), "first") {
			t.Fatalf("%v", err)
		}
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte(next), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err = call(t.Context(), conn, http.MethodGet)
	if e := connector.AsError(err); e.Kind != connector.KindAuth || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an assertion that is gone: %v", err)
	}
	var sent []string
	for _, form := range oauth.Forms() {
		sent = append(sent, form.Get("client_assertion"))
	}
	if diff := cmp.Diff([]string{"first", "second"}, sent); diff != "" {
		t.Error(diff)
	}
}

func TestKeysThatCannotSignAreRefused(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := testbed.NewCA(t)
	dir := files(t, map[string]string{"text": "geheim", "locked": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nZ2VoZWlt\n-----END ENCRYPTED PRIVATE KEY-----\n",
		"broken": "-----BEGIN PRIVATE KEY-----\nZ2VoZWlt\n-----END PRIVATE KEY-----\n"})
	t.Setenv("GODEBUG", "rsa1024min=0")
	for path, want := range map[string]string{
		filepath.Join(dir, "text"): "there is no private key in PEM form", filepath.Join(dir, "locked"): "protected by a password", filepath.Join(dir, "broken"): "cannot be read",
		testbed.KeyFile(t, p384): "curve P-384; P-256 is wanted", testbed.KeyFile(t, rsaKey(t, 1024)): "1024 bits; 2048 are the least", ca.File(t): "there is no private key",
	} {
		cfg := decode(t, map[string]any{"url": "https://target.invalid", "auth": map[string]any{"oauth2": map[string]any{
			"tokenURL": "https://login.invalid", "clientID": "c", "key": file(path)}}})
		_, err := web.Open(cfg, connector.Env{}, nil)
		if err == nil || !strings.Contains(err.Error(), "setting auth.oauth2.key: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}

// drawer keeps the secrets of one job for several connections, as processes on one database have it.
type drawer struct {
	change sync.Mutex

	mu   sync.Mutex
	kept map[string]secret.Value
}

func (d *drawer) Read(_ context.Context, name string) (secret.Value, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := d.kept[name]
	if !ok {
		return v, connector.ErrNotSealed
	}
	return v, nil
}

func (d *drawer) Replace(ctx context.Context, name string, change func(context.Context, secret.Value) (secret.Value, error)) (secret.Value, error) {
	d.change.Lock()
	defer d.change.Unlock()
	old, err := d.Read(ctx, name)
	if err != nil && !errors.Is(err, connector.ErrNotSealed) {
		return old, err
	}
	v, err := change(ctx, old)
	if err != nil {
		return v, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept[name] = v
	return v, nil
}

// consented is a server, a target, and the settings of a job that somebody has given consent for.
func consented(t *testing.T, c *clock) (oauth *testbed.OAuth, target *service, cfg web.Config, env connector.Env) {
	t.Helper()
	oauth = testbed.NewOAuth(t, testbed.OAuthClient{ID: "desk", Auth: "none", Scopes: []string{"scim"}})
	oauth.Now = c.now
	target = newService(t, oauth)
	cfg = decode(t, map[string]any{"url": target.URL, "caFile": trust(t, target.Server, oauth.Server), "auth": map[string]any{"oauth2": map[string]any{
		"grant": "authorizationCode", "tokenURL": oauth.TokenURL(), "authorizationURL": oauth.AuthorizationURL(), "clientID": "desk", "scopes": []any{"scim"}}}})
	env = connector.Env{Now: c.now, Name: "Learning", Sealed: &drawer{kept: map[string]secret.Value{}}}
	return oauth, target, cfg, env
}

// agree goes the way of a browser and returns the query it comes back with.
func agree(t *testing.T, oauth *testbed.OAuth, address string) url.Values {
	t.Helper()
	client := oauth.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	back, err := resp.Location()
	if err != nil {
		t.Fatalf("status %d: %v", resp.StatusCode, err)
	}
	return back.Query()
}

// login gives consent and keeps the tokens.
func login(t *testing.T, oauth *testbed.OAuth, cfg web.Config, env connector.Env) {
	t.Helper()
	way, err := web.NewLogin(cfg, env, "http://127.0.0.1:8401/callback")
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := way.Finish(t.Context(), agree(t, oauth, way.URL()))
	if err != nil {
		t.Fatal(err)
	}
	_, err = env.Sealed.Replace(t.Context(), web.SealedTokens, func(context.Context, secret.Value) (secret.Value, error) { return tokens, nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestLoginTakesOnlyTheAnswerToItsOwnQuestion(t *testing.T) {
	oauth, _, cfg, env := consented(t, newClock())
	way, err := web.NewLogin(cfg, env, "http://127.0.0.1:8401/callback")
	if err != nil {
		t.Fatal(err)
	}
	answer := agree(t, oauth, way.URL())
	for name, q := range map[string]url.Values{"none": {}, "another state": {"code": answer["code"], "state": {"guessed"}}, "an error of others": {"error": {"access_denied"}}} {
		if _, err := way.Finish(t.Context(), q); !errors.Is(err, web.ErrStranger) {
			t.Errorf("%s: %v, want ErrStranger", name, err)
		}
	}
	if _, err := way.Finish(t.Context(), url.Values{"state": answer["state"], "error": {"access_denied"}}); err == nil || !strings.Contains(err.Error(), "and agree") {
		t.Errorf("%v", err)
	}
	if _, err := way.Finish(t.Context(), answer); err != nil {
		t.Error(err)
	}
	_, err = way.Finish(t.Context(), answer) // the code has been used
	if err == nil || !strings.Contains(err.Error(), "try again") || strings.Contains(err.Error(), answer.Get("code")) {
		t.Errorf("%v", err)
	}
}

func TestAConsentIsRenewedByOneProcessAtATime(t *testing.T) {
	c := newClock()
	oauth, target, cfg, env := consented(t, c)
	login(t, oauth, cfg, env)
	var conns []*web.Conn // as many processes
	for range 6 {
		conn, err := web.Open(cfg, env, nil)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	// A refresh token that was used twice would end everything that came of the consent.
	for round := range 4 {
		var wg sync.WaitGroup
		for _, conn := range conns {
			wg.Go(func() {
				if status, err := call(t.Context(), conn, http.MethodPost); status != http.StatusOK {
					t.Errorf("round %d: status %d, %v", round, status, err)
				}
			})
		}
		wg.Wait()
		if n := len(oauth.Forms()); n != 1+round {
			t.Errorf("round %d: %d requests for tokens, want one in each round but the first", round, n)
		}
		if round == 1 {
			oauth.Revoke(false)
		} else {
			c.add(50 * time.Minute) // four fifths of an hour are over
		}
	}
	if methods, refused := target.seen(); len(methods) != 24 || refused > 6 {
		t.Errorf("%d calls arrived, %d were refused", len(methods), refused)
	}
}

func TestAConsentThatIsGoneIsToldWithTheCommand(t *testing.T) {
	c := newClock()
	oauth, target, cfg, env := consented(t, c)
	fail := func(want string) {
		t.Helper()
		conn, err := web.Open(cfg, env, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = call(t.Context(), conn, http.MethodPost)
		if e := connector.AsError(err); e.Kind != connector.KindAuth || !e.NotSent || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "run `rollcall login Learning` again") || strings.Contains(err.Error(), "refresh-") {
			t.Errorf("%v, want %q and the command", err, want)
		}
	}
	fail("nobody has given consent yet")
	login(t, oauth, cfg, env)
	oauth.Revoke(true)
	c.add(2 * time.Hour)
	fail("the consent has expired or was withdrawn")
	login(t, oauth, cfg, env)
	cfg.Auth.OAuth2.ClientID = "another"
	fail("was given to another client")
	if methods, _ := target.seen(); len(methods) > 0 {
		t.Errorf("%v arrived", methods)
	}
}

func TestMutualTLS(t *testing.T) {
	ca := testbed.NewCA(t)
	target := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.PeerCertificates[0].Subject.CommonName != "rollcall" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	target.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(), MinVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{ca.Issue(t, "server", time.Now().Add(time.Hour))}}
	quietly(target)
	target.StartTLS()
	defer target.Close()
	until := time.Now().Add(20 * 24 * time.Hour).Truncate(time.Second).UTC()
	certificate, key := testbed.Files(t, ca.Issue(t, "rollcall", until))
	cfg := decode(t, map[string]any{"url": target.URL, "caFile": ca.File(t), "clientCertificate": certificate, "clientKey": file(key)})
	conn, err := web.Open(cfg, connector.Env{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := call(t.Context(), conn, http.MethodGet); status != http.StatusOK {
		t.Fatalf("status %d, %v", status, err)
	}
	facts, err := web.Inspect(cfg, connector.Env{})
	if err != nil || !facts.Expires.Equal(until) || facts.From != web.FromCertificate || facts.Fingerprint == "" {
		t.Errorf("%+v, %v; want the end of the certificate, %s", facts, err, until)
	}

	without, err := web.Open(decode(t, map[string]any{"url": target.URL, "caFile": ca.File(t)}), connector.Env{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = call(t.Context(), without, http.MethodGet)
	if err == nil || !strings.Contains(err.Error(), "it may want a client certificate") {
		t.Errorf("without a certificate: %v", err)
	}
	stranger, err := web.Open(decode(t, map[string]any{"url": target.URL, "clientCertificate": certificate, "clientKey": file(key)}), connector.Env{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = call(t.Context(), stranger, http.MethodGet)
	if err == nil || !strings.Contains(err.Error(), "set caFile") {
		t.Errorf("a server of an unknown authority: %v", err)
	}
	_, other := testbed.Files(t, ca.Issue(t, "other", until))
	if _, err := web.Open(decode(t, map[string]any{"url": target.URL, "clientCertificate": certificate, "clientKey": file(other)}), connector.Env{}, nil); err == nil ||
		!strings.Contains(err.Error(), "setting clientCertificate") || !strings.Contains(err.Error(), "cannot be used together") {
		t.Errorf("the key of another certificate: %v", err)
	}
}
