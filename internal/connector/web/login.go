package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// ErrStranger is the error of Login.Finish for an answer that does not belong to this login. Whoever listens goes on.
var ErrStranger = errors.New("this answer belongs to no login that is under way")

// Login is the way to the consent of somebody: the request for it, and what the server sends back through their browser
// (RFC 6749 section 4.1, with PKCE by RFC 7636 and a loopback address by RFC 8252 section 7.3).
type Login struct {
	endpoint
	redirect string
	state    secret.Value
	verifier secret.Value
}

// NewLogin begins a login. redirect is the address on this machine to which the browser is sent back. It reads the secrets
// of the client and calls nobody.
func NewLogin(cfg Config, env connector.Env, redirect string) (*Login, error) {
	o := cfg.Auth.OAuth2
	if o == nil || o.Grant != AuthorizationCode {
		return nil, errors.New("setting auth: nobody's consent is wanted; `rollcall login` is for oauth2 with grant: authorizationCode")
	}
	env.Logger = discard(env.Logger)
	if env.Meter == nil {
		env.Meter = &connector.Meter{}
	}
	net, err := cfg.network(env.Dir, env.Logger)
	if err != nil {
		return nil, err
	}
	sites := httpx.NewSites(nil, env.Now)
	client, err := tokenClient(cfg, o, net, env, sites, sites.Join(cfg.URL.Host, httpx.Limits{}))
	if err != nil {
		return nil, err
	}
	e, err := newEndpoint(o, client, env)
	if err != nil {
		return nil, err
	}
	l := &Login{endpoint: e, redirect: redirect}
	for _, to := range []*secret.Value{&l.state, &l.verifier} {
		if *to, err = random(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// random is 32 random bytes as a text of 43 letters that needs no encoding anywhere (RFC 7636 section 4.1).
func random() (secret.Value, error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return secret.Value{}, fmt.Errorf("make a random text: %w", err)
	}
	return secret.New(base64.RawURLEncoding.EncodeToString(raw)), nil
}

// URL is the address that somebody opens in a browser to give consent. It holds no secret that could be used without the
// verifier.
func (l *Login) URL() string {
	challenge := sha256.Sum256([]byte(l.verifier.Reveal()))
	q := l.cfg.AuthorizationURL.Query()
	for name, value := range l.cfg.Parameters {
		q.Set(name, value)
	}
	q.Set("response_type", "code")
	q.Set("client_id", l.cfg.ClientID)
	q.Set("redirect_uri", l.redirect)
	q.Set("state", l.state.Reveal())
	q.Set("code_challenge", base64.RawURLEncoding.EncodeToString(challenge[:]))
	q.Set("code_challenge_method", "S256")
	if len(l.cfg.Scopes) > 0 {
		q.Set("scope", strings.Join(l.cfg.Scopes, " "))
	}
	u := *l.cfg.AuthorizationURL
	u.RawQuery = EncodeQuery(q)
	return u.String()
}

// Finish takes the query that the browser came back with and redeems its code. What it returns is to be kept under
// SealedTokens. ErrStranger says that the query came from elsewhere.
func (l *Login) Finish(ctx context.Context, query url.Values) (secret.Value, error) {
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(l.state.Reveal())) != 1 {
		return secret.Value{}, ErrStranger
	}
	if code := query.Get("error"); code != "" {
		hint := "ask again, and agree"
		if code != "access_denied" {
			hint = "compare clientID, scopes and parameters under auth.oauth2 with what the server knows of the client, above all its redirect addresses: " + l.redirect
		}
		return secret.Value{}, &connector.Error{Kind: connector.KindAuth, Op: "consent", Code: connector.CodeUnauthorized, NotSent: true, Hint: hint,
			Detail: clean(strings.TrimSuffix(code+": "+query.Get("error_description"), ": "), 0, l.hidden())}
	}
	code := query.Get("code")
	if code == "" {
		return secret.Value{}, errors.New("consent: the server sent neither a code nor an error")
	}
	got, err := l.ask(ctx, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {l.redirect}, "code_verifier": {l.verifier.Reveal()}}, false)
	if err != nil {
		return secret.Value{}, err
	}
	if got.refresh.IsZero() && !got.token.expires.IsZero() {
		return secret.Value{}, errors.New("the server gave a token that expires, and no refresh token to renew it with: " +
			"have the client allowed refresh tokens, and ask for them as the server's documentation says, mostly by the scope offline_access")
	}
	return l.cfg.newConsent(got).seal()
}
