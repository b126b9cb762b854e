package web

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// Values of parameters that RFC 7523 and RFC 7521 fix.
const (
	grantJWTBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	assertionJWT   = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// endpoint is a token endpoint and the client that asks it.
type endpoint struct {
	cfg    *OAuth2
	http   *httpx.Client
	app    string // name of the job, for messages
	dir    string // where paths of secrets start from
	log    *slog.Logger
	now    func() time.Time
	client secret.Value  // the client's secret, zero for none
	key    crypto.Signer // signs assertions, nil for none
}

// newEndpoint reads the secrets of the client.
func newEndpoint(o *OAuth2, client *httpx.Client, env connector.Env) (endpoint, error) {
	e := endpoint{cfg: o, http: client, app: env.Name, dir: env.Dir, log: env.Logger, now: env.Now}
	if e.now == nil {
		e.now = time.Now
	}
	var err error
	if o.ClientSecret != (secret.Ref{}) {
		if e.client, err = readSecret("auth.oauth2.clientSecret", o.ClientSecret, env.Dir, env.Logger); err != nil {
			return endpoint{}, err
		}
	}
	if o.Signed.Key != (secret.Ref{}) {
		pem, err := readSecret("auth.oauth2.key", o.Signed.Key, env.Dir, env.Logger)
		if err != nil {
			return endpoint{}, err
		}
		if e.key, err = signingKey(pem); err != nil {
			return endpoint{}, fmt.Errorf("setting auth.oauth2.key: %s: %w", o.Signed.Key, err)
		}
	}
	if o.Assertion != (secret.Ref{}) {
		if _, err := readSecret("auth.oauth2.assertion", o.Assertion, env.Dir, env.Logger); err != nil {
			return endpoint{}, err
		}
	}
	return e, nil
}

// fingerprint stands for the secret of the client that somebody has to renew; "" where there is none.
func (e *endpoint) fingerprint() string {
	switch {
	case !e.client.IsZero():
		return e.client.Fingerprint()
	case e.key != nil:
		if public, err := x509.MarshalPKIXPublicKey(e.key.Public()); err == nil {
			return secret.New(string(public)).Fingerprint()
		}
	}
	return ""
}

// hidden are texts that a server must not be able to put into a log.
func (e *endpoint) hidden() []string {
	if e.client.IsZero() {
		return nil
	}
	return []string{e.client.Reveal(), url.QueryEscape(e.client.Reveal())}
}

// grantForm is the request of a grant that needs nobody's consent.
func (e *endpoint) grantForm() (url.Values, error) {
	if e.cfg.Grant != JWTBearer {
		return url.Values{"grant_type": {"client_credentials"}}, nil
	}
	issuer := e.cfg.Signed.Issuer
	if issuer == "" {
		issuer = e.cfg.ClientID
	}
	subject := e.cfg.Signed.Subject
	if subject == "" {
		subject = issuer
	}
	assertion, err := e.foreign()
	if err == nil && assertion.IsZero() {
		assertion, err = e.sign(issuer, subject)
	}
	return url.Values{"grant_type": {grantJWTBearer}, "assertion": {assertion.Reveal()}}, err
}

// foreign reads the assertion that others make; it is zero when none is set.
func (e *endpoint) foreign() (secret.Value, error) {
	if e.cfg.Assertion == (secret.Ref{}) {
		return secret.Value{}, nil
	}
	v, err := readSecret("auth.oauth2.assertion", e.cfg.Assertion, e.dir, e.log)
	if err != nil {
		return v, &connector.Error{Kind: connector.KindAuth, Op: e.op(), Code: connector.CodeUnauthorized, NotSent: true, Err: err}
	}
	return secret.New(strings.TrimSpace(v.Reveal())), nil
}

// sign makes an assertion (RFC 7523 section 3).
func (e *endpoint) sign(issuer, subject string) (secret.Value, error) {
	audience := e.cfg.Signed.Audience
	if audience == "" {
		audience = e.cfg.TokenURL.String()
	}
	now := e.now()
	v, err := signJWT(e.key, e.cfg.Signed.KeyID, map[string]any{
		"iss": issuer, "sub": subject, "aud": audience, "iat": now.Unix(), "exp": now.Add(e.cfg.Signed.Lifetime).Unix(), "jti": uuid.NewString(),
	})
	if err != nil {
		return v, &connector.Error{Kind: connector.KindAuth, Op: e.op(), Code: connector.CodeUnauthorized, NotSent: true, Err: err}
	}
	return v, nil
}

// prove adds what proves the client to a request for a token.
func (e *endpoint) prove(form url.Values, header http.Header) error {
	switch e.cfg.ClientAuth {
	case ClientBasic:
		// Both are form-encoded first (RFC 6749 section 2.3.1).
		pair := url.QueryEscape(e.cfg.ClientID) + ":" + url.QueryEscape(e.client.Reveal())
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
		return nil
	case ClientPost:
		form.Set("client_secret", e.client.Reveal())
	case ClientPrivateKeyJWT:
		var assertion secret.Value
		var err error
		if e.cfg.Grant != JWTBearer { // there it is the grant itself
			assertion, err = e.foreign()
		}
		if err == nil && assertion.IsZero() {
			assertion, err = e.sign(e.cfg.ClientID, e.cfg.ClientID)
		}
		if err != nil {
			return err
		}
		form.Set("client_assertion_type", assertionJWT)
		form.Set("client_assertion", assertion.Reveal())
	case ClientNone:
	}
	if e.cfg.ClientID != "" {
		form.Set("client_id", e.cfg.ClientID)
	}
	return nil
}

// op names the request in errors.
func (e *endpoint) op() string {
	return "access token from " + e.cfg.TokenURL.Scheme + "://" + e.cfg.TokenURL.Host + e.cfg.TokenURL.Path
}

// ask makes one request for a token. safe says that it may be repeated when its answer was lost.
func (e *endpoint) ask(ctx context.Context, form url.Values, safe bool) (granted, error) {
	for name, value := range e.cfg.Parameters {
		form.Set(name, value)
	}
	if len(e.cfg.Scopes) > 0 && form.Get("grant_type") != "authorization_code" { // the code has them in it already
		form.Set("scope", strings.Join(e.cfg.Scopes, " "))
	}
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	if err := e.prove(form, header); err != nil {
		return granted{}, err
	}
	asked := e.now()
	resp, err := e.http.Do(ctx, httpx.Request{Method: http.MethodPost, URL: e.cfg.TokenURL, Header: header, Body: []byte(form.Encode()), Safe: safe})
	if err != nil {
		return granted{}, e.lost(ctx, err)
	}
	if resp.Status != http.StatusOK {
		return granted{}, e.refused(resp, form)
	}
	got, err := readGrant(resp.Body, asked)
	if err != nil {
		return granted{}, &connector.Error{Kind: connector.KindIncompatible, Op: e.op(), Code: connector.CodeServiceIncompatible, Status: resp.Status, NotSent: true,
			Err: err, Hint: "check the setting auth.oauth2.tokenURL, which must be the token endpoint of an OAuth 2 server"}
	}
	return got, nil
}

// lost says what became of a request without an answer. The target was sent nothing.
func (e *endpoint) lost(ctx context.Context, err error) *connector.Error {
	lost := place{op: e.op(), url: e.cfg.TokenURL, setting: "auth.oauth2.tokenURL"}.lost(ctx, err)
	lost.NotSent, lost.MaybeDone = true, false
	return lost
}

// refused says what an error of the token endpoint means (RFC 6749 section 5.2) and how to mend it.
func (e *endpoint) refused(resp *httpx.Response, form url.Values) *connector.Error {
	var m struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	// An answer that is no JSON has no code, and is judged by its status.
	_ = json.Unmarshal(resp.Body, &m)
	said := m.Error
	if m.Description != "" {
		said = strings.TrimPrefix(said+": "+m.Description, ": ")
	}
	hidden := e.hidden()
	for _, name := range []string{"assertion", "client_assertion", "refresh_token", "code", "code_verifier"} {
		hidden = append(hidden, form.Get(name))
	}
	err := &connector.Error{Kind: connector.KindAuth, Op: e.op(), Code: connector.CodeUnauthorized, Status: resp.Status, NotSent: true,
		Detail: clean(said, resp.Status, hidden)}
	switch {
	case resp.Throttled:
		err.Kind, err.Code, err.RetryAfter = connector.KindRateLimited, connector.CodeTooManyRequests, resp.RetryAfter
	case m.Error == "invalid_client", m.Error == "" && resp.Status == http.StatusUnauthorized:
		err.Hint = e.renewClient()
	case m.Error == "invalid_grant":
		err.Hint = e.renewGrant(form.Get("grant_type"))
	case m.Error == "unauthorized_client":
		err.Hint = fmt.Sprintf("the client %s may not use the grant %s: allow it at the server that issues tokens", e.cfg.ClientID, e.cfg.Grant)
	case m.Error == "invalid_scope":
		err.Hint = "check the setting auth.oauth2.scopes, and what the client may ask for at the server that issues tokens"
	case m.Error == "invalid_target": // RFC 8707
		err.Hint = "check resource and audience in the setting auth.oauth2.parameters"
	case m.Error == "unsupported_grant_type", m.Error == "invalid_request":
		err.Kind, err.Code = connector.KindIncompatible, connector.CodeServiceIncompatible
		err.Hint = "the server that issues tokens wants something else: compare auth.oauth2.grant, clientAuth and parameters with its documentation"
	case resp.Status >= 500, m.Error == "temporarily_unavailable":
		err.Kind, err.Code = connector.KindTemporary, connector.CodeServerError
	case m.Error == "":
		err.Kind, err.Code = connector.KindIncompatible, connector.CodeServiceIncompatible
		err.Hint = "check the setting auth.oauth2.tokenURL, which must be the token endpoint of an OAuth 2 server"
	}
	return err
}

// renewClient says what to do when the client itself is refused.
func (e *endpoint) renewClient() string {
	switch e.cfg.ClientAuth {
	case ClientBasic, ClientPost:
		return fmt.Sprintf("the client is not accepted: check auth.oauth2.clientID and clientAuth; the secret may have expired, then make a new one and put it where auth.oauth2.clientSecret says: %s", e.cfg.ClientSecret)
	case ClientPrivateKeyJWT:
		if e.cfg.Grant != JWTBearer && e.cfg.Assertion != (secret.Ref{}) {
			return fmt.Sprintf("the client's assertion is not accepted: see whether %s is renewed in time, and whether its issuer, subject and audience are those that the server expects", e.cfg.Assertion)
		}
		return fmt.Sprintf("the client's assertion is not accepted: see whether the server knows the key %s under keyID %q, whether audience is right, and whether this machine's clock is", e.cfg.Signed.Key, e.cfg.Signed.KeyID)
	case ClientNone:
	}
	return "the client is not accepted: check auth.oauth2.clientID; the server may want a clientSecret"
}

// renewGrant says what to do when what stands for the consent is refused.
func (e *endpoint) renewGrant(grant string) string {
	switch grant {
	case "refresh_token":
		return "the consent has expired or was withdrawn: " + loginAgain(e.app)
	case "authorization_code":
		return "the consent was not taken: try again, without waiting before you agree"
	}
	if e.cfg.Assertion != (secret.Ref{}) {
		return fmt.Sprintf("the assertion is not accepted: see whether %s is renewed in time, and whether its issuer, subject and audience are those that the server expects", e.cfg.Assertion)
	}
	return "the assertion is not accepted: check issuer, subject, audience and keyID under auth.oauth2, whether the server knows the key, and whether this machine's clock is right"
}

// loginAgain names the command that gets a new consent.
func loginAgain(app string) string {
	if app == "" {
		return "run `rollcall login` for this job again"
	}
	if strings.ContainsAny(app, " '\"") {
		app = `"` + strings.ReplaceAll(app, `"`, `\"`) + `"`
	}
	return "run `rollcall login " + app + "` again"
}
