package testbed

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// OAuthClient is a client that an [OAuth] server knows.
type OAuthClient struct {
	ID     string
	Secret string           // for Auth basic and post
	Auth   string           // client_secret_basic, client_secret_post, private_key_jwt or none: no other way is taken
	Key    crypto.PublicKey // of assertions, for private_key_jwt and the grant jwt-bearer
	Scopes []string         // that it may ask for; nil for none
}

// OAuth is an OAuth 2 server for tests, as strict as RFC 6749, 7523 and 7636 allow: refresh tokens work once, and one that
// is used again ends all that came of the same consent; codes, and the ids of assertions, work once, too.
type OAuth struct {
	*httptest.Server

	Lifetime time.Duration    // of access tokens; 0 means an hour
	Now      func() time.Time // nil means time.Now
	Silent   bool             // answers do not say how long a token holds

	mu       sync.Mutex
	clients  map[string]OAuthClient
	access   map[string]issued
	refresh  map[string]issued // used ones, too
	codes    map[string]code
	jtis     map[string]bool
	forms    []url.Values
	failures []int
	issuedN  int
}

type issued struct {
	family  string // of tokens that came of one consent
	client  string
	expires time.Time
	used    bool
}

type code struct {
	client, redirect, challenge string
	used                        bool
}

// NewOAuth starts a server over TLS with these clients. /token issues tokens, /authorize gives consent at once.
func NewOAuth(t testing.TB, clients ...OAuthClient) *OAuth {
	t.Helper()
	s := &OAuth{clients: map[string]OAuthClient{}, access: map[string]issued{}, refresh: map[string]issued{}, codes: map[string]code{}, jtis: map[string]bool{}}
	for _, c := range clients {
		s.clients[c.ID] = c
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", s.token)
	mux.HandleFunc("GET /authorize", s.authorize)
	s.Server = httptest.NewUnstartedServer(mux)
	quiet(s.Server)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// TokenURL and AuthorizationURL are the server's two addresses.
func (s *OAuth) TokenURL() string { return s.URL + "/token" }

// AuthorizationURL is where consent is given.
func (s *OAuth) AuthorizationURL() string { return s.URL + "/authorize" }

// Register changes a client, or adds one.
func (s *OAuth) Register(c OAuthClient) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[c.ID] = c
}

// Fail makes the next requests for tokens answer these statuses, with an empty body.
func (s *OAuth) Fail(statuses ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, statuses...)
}

// Revoke ends all access tokens, and with refresh all refresh tokens.
func (s *OAuth) Revoke(refresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.access)
	if refresh {
		clear(s.refresh)
	}
}

// Forms are the parameters of all requests for tokens so far.
func (s *OAuth) Forms() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.forms)
}

// Valid tells whether a request carries an access token that holds.
func (s *OAuth) Valid(r *http.Request) bool {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.access[text]
	return ok && known && s.now().Before(t.expires)
}

// Protect is a resource server: it lets requests with a token through, and answers 401 to others (RFC 6750 section 3).
func (s *OAuth) Protect(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.Valid(r) {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			http.Error(w, `{"error":"invalid_token"}`, http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (s *OAuth) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// oauthError is an error of RFC 6749 section 5.2.
type oauthError struct {
	status      int
	code, words string
}

func refuse(status int, code, format string, args ...any) *oauthError {
	return &oauthError{status, code, fmt.Sprintf(format, args...)}
}

func (s *OAuth) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	answer, refused := s.answer(r)
	status := http.StatusOK
	if refused != nil {
		status = refused.status
		answer = map[string]any{"error": refused.code, "error_description": refused.words}
		if refused.code == "" { // a failure that was asked for
			w.WriteHeader(status)
			return
		}
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
		}
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a client that has gone needs no answer
}

func (s *OAuth) answer(r *http.Request) (map[string]any, *oauthError) {
	if r.Method != http.MethodPost {
		return nil, refuse(http.StatusMethodNotAllowed, "invalid_request", "tokens are issued to POST")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, refuse(http.StatusBadRequest, "invalid_request", "the body must be a form")
	}
	if err := r.ParseForm(); err != nil || len(r.URL.RawQuery) > 0 {
		return nil, refuse(http.StatusBadRequest, "invalid_request", "parameters belong into the body")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 || values[0] == "" {
			return nil, refuse(http.StatusBadRequest, "invalid_request", "%s must have one value", name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forms = append(s.forms, r.PostForm)
	if len(s.failures) > 0 {
		status := s.failures[0]
		s.failures = s.failures[1:]
		return nil, &oauthError{status: status}
	}
	client, refused := s.client(r)
	if refused != nil {
		return nil, refused
	}
	family := uuid.NewString()
	form, withRefresh := r.PostForm, false
	switch form.Get("grant_type") {
	case "client_credentials":
		if client.Auth == "none" {
			return nil, refuse(http.StatusBadRequest, "unauthorized_client", "a public client has no credential")
		}
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		if err := s.verify(client.Key, form.Get("assertion"), ""); err != nil {
			return nil, refuse(http.StatusBadRequest, "invalid_grant", "%v", err)
		}
	case "authorization_code":
		if err := s.redeem(form, client.ID); err != nil {
			return nil, refuse(http.StatusBadRequest, "invalid_grant", "%v", err)
		}
		withRefresh = true
	case "refresh_token":
		old, known := s.refresh[form.Get("refresh_token")]
		if !known || old.client != client.ID {
			return nil, refuse(http.StatusBadRequest, "invalid_grant", "no such refresh token")
		}
		if old.used {
			s.end(old.family)
			return nil, refuse(http.StatusBadRequest, "invalid_grant", "the refresh token was used before; all tokens of the consent end")
		}
		old.used = true
		s.refresh[form.Get("refresh_token")] = old
		family, withRefresh = old.family, true
	case "":
		return nil, refuse(http.StatusBadRequest, "invalid_request", "grant_type is missing")
	default:
		return nil, refuse(http.StatusBadRequest, "unsupported_grant_type", "no such grant")
	}
	for _, scope := range strings.Fields(form.Get("scope")) {
		if !slices.Contains(client.Scopes, scope) {
			return nil, refuse(http.StatusBadRequest, "invalid_scope", "%s is not allowed", scope)
		}
	}
	return s.issue(client.ID, family, withRefresh), nil
}

func (s *OAuth) end(family string) {
	for _, all := range []map[string]issued{s.access, s.refresh} {
		for text, t := range all {
			if t.family == family {
				delete(all, text)
			}
		}
	}
}

func (s *OAuth) issue(client, family string, withRefresh bool) map[string]any {
	life := s.Lifetime
	if life == 0 {
		life = time.Hour
	}
	s.issuedN++
	access := fmt.Sprintf("access-%d-%s", s.issuedN, uuid.NewString())
	s.access[access] = issued{family: family, client: client, expires: s.now().Add(life)}
	answer := map[string]any{"access_token": access, "token_type": "Bearer"}
	if !s.Silent {
		answer["expires_in"] = int(life / time.Second)
	}
	if withRefresh {
		refresh := fmt.Sprintf("refresh-%d-%s", s.issuedN, uuid.NewString())
		s.refresh[refresh] = issued{family: family, client: client}
		answer["refresh_token"] = refresh
	}
	return answer
}

// client finds out who asks, in the one way that the client is registered for.
func (s *OAuth) client(r *http.Request) (OAuthClient, *oauthError) {
	bad := func(words string) (OAuthClient, *oauthError) {
		return OAuthClient{}, refuse(http.StatusUnauthorized, "invalid_client", "%s", words)
	}
	form := r.PostForm
	id, way := form.Get("client_id"), "none"
	user, password, basic := r.BasicAuth()
	ways := 0
	if basic {
		ways, way = ways+1, "client_secret_basic"
		var err1, err2 error
		id, err1 = url.QueryUnescape(user)
		password, err2 = url.QueryUnescape(password)
		if err1 != nil || err2 != nil {
			return bad("the credential is not form-encoded")
		}
	}
	if form.Has("client_secret") {
		ways, way, password = ways+1, "client_secret_post", form.Get("client_secret")
	}
	if form.Has("client_assertion") {
		ways, way = ways+1, "private_key_jwt"
	}
	if ways > 1 {
		return OAuthClient{}, refuse(http.StatusBadRequest, "invalid_request", "more than one proof of the client")
	}
	c, known := s.clients[id]
	switch {
	case !known:
		return bad("no such client")
	case c.Auth != way:
		return bad("the client proves itself by " + c.Auth)
	case way == "client_secret_basic" || way == "client_secret_post":
		if subtle.ConstantTimeCompare([]byte(password), []byte(c.Secret)) != 1 {
			return bad("wrong secret")
		}
	case way == "private_key_jwt":
		if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			return bad("client_assertion_type is wrong")
		}
		if err := s.verify(c.Key, form.Get("client_assertion"), id); err != nil {
			return bad(err.Error())
		}
	}
	return c, nil
}

// verify checks an assertion (RFC 7523 section 3). subject is who it must speak of; "" for anybody.
func (s *OAuth) verify(key crypto.PublicKey, text, subject string) error {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return fmt.Errorf("the assertion is no JWT")
	}
	var header struct{ Alg, Typ, Kid string }
	var claims struct {
		Iss, Sub, Aud, Jti string
		Iat, Exp           int64
	}
	var raw [3][]byte
	for i, part := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return fmt.Errorf("the assertion is no JWT: %w", err)
		}
	}
	if err := json.Unmarshal(raw[0], &header); err != nil {
		return fmt.Errorf("header of the assertion: %w", err)
	}
	if err := json.Unmarshal(raw[1], &claims); err != nil {
		return fmt.Errorf("claims of the assertion: %w", err)
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	switch k := key.(type) {
	case *rsa.PublicKey:
		if err := rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], raw[2]); err != nil || header.Alg != "RS256" {
			return fmt.Errorf("the signature is wrong")
		}
	case *ecdsa.PublicKey:
		if len(raw[2]) != 64 || header.Alg != "ES256" || !ecdsa.Verify(k, digest[:], new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:])) {
			return fmt.Errorf("the signature is wrong")
		}
	default:
		return fmt.Errorf("the client has no key")
	}
	now := s.now()
	switch {
	case claims.Iss == "" || claims.Sub == "":
		return fmt.Errorf("issuer and subject are wanted")
	case subject != "" && (claims.Iss != subject || claims.Sub != subject):
		return fmt.Errorf("issuer and subject must be the client")
	case claims.Aud != s.TokenURL():
		return fmt.Errorf("the audience is not this server")
	case claims.Exp <= now.Unix() || claims.Exp > now.Add(time.Hour).Unix()+1 || claims.Iat > now.Unix()+5:
		return fmt.Errorf("the assertion has expired, or holds too long")
	case claims.Jti == "" || s.jtis[claims.Jti]:
		return fmt.Errorf("the assertion was used before")
	}
	s.jtis[claims.Jti] = true
	return nil
}

// redeem takes a code (RFC 6749 section 4.1.3) with its proof (RFC 7636 section 4.6).
func (s *OAuth) redeem(form url.Values, client string) error {
	text := form.Get("code")
	c, known := s.codes[text]
	if !known || c.used || c.client != client {
		return fmt.Errorf("no such code")
	}
	c.used = true
	s.codes[text] = c
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case c.redirect != form.Get("redirect_uri"):
		return fmt.Errorf("redirect_uri is not that of the request for consent")
	case len(form.Get("code_verifier")) < 43 || c.challenge != base64.RawURLEncoding.EncodeToString(sum[:]):
		return fmt.Errorf("code_verifier does not fit")
	}
	return nil
}

// authorize gives consent at once, as somebody who is signed in and agrees.
func (s *OAuth) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	client, known := s.clients[q.Get("client_id")]
	back, err := url.Parse(q.Get("redirect_uri"))
	if !known || err != nil || back.Scheme != "http" || !loopback(back) { // RFC 8252 section 7.3
		http.Error(w, "client or redirect_uri is wrong", http.StatusBadRequest)
		return
	}
	answer := url.Values{"state": {q.Get("state")}}
	switch {
	case q.Get("response_type") != "code":
		answer.Set("error", "unsupported_response_type")
	case q.Get("state") == "", q.Get("code_challenge_method") != "S256", len(q.Get("code_challenge")) != 43:
		answer.Set("error", "invalid_request")
	case !subset(strings.Fields(q.Get("scope")), client.Scopes):
		answer.Set("error", "invalid_scope")
	default:
		text := "code-" + uuid.NewString()
		s.codes[text] = code{client: client.ID, redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge")}
		answer.Set("code", text)
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

func loopback(u *url.URL) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.IsLoopback()
}
