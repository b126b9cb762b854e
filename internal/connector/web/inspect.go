package web

import (
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// Origin says who said when a credential expires.
type Origin string

// The origins.
const (
	FromSetting     Origin = "setting"     // credentialExpires
	FromToken       Origin = "token"       // the claim exp of a token that is a JWT
	FromCertificate Origin = "certificate" // the end of clientCertificate
)

// Facts is what is known of a connection without a call.
type Facts struct {
	Site        string     // key of the allowance that its calls are counted against
	SiteName    string     // the same for people
	Rate        httpx.Rate // of the allowance
	Fingerprint string     // of the secret that somebody renews; "" for none
	Kept        string     // where it is kept, for messages: {env: NAME}
	Expires     time.Time  // when the first of token and certificate expires, zero where nothing says so
	From        Origin     // who says so
}

// Inspect reads the secrets of a connection and tells what they say. It calls nobody.
func Inspect(cfg Config, env connector.Env) (Facts, error) {
	env.Logger = discard(env.Logger)
	net, err := cfg.network(env.Dir, env.Logger)
	if err != nil {
		return Facts{}, err
	}
	cred, kept := credential{}, cfg.Auth.Secret
	if o := cfg.Auth.OAuth2; o != nil {
		_, cred, err = o.open(env)
		if kept = o.ClientSecret; kept == (secret.Ref{}) {
			kept = o.Signed.Key
		}
	} else {
		cred, err = cfg.Auth.open(env.Dir, env.Logger)
	}
	if err != nil {
		return Facts{}, err
	}
	f := Facts{Site: cfg.site(cred, net), SiteName: cfg.URL.Scheme + "://" + cfg.URL.Host, Rate: cfg.Rate, Fingerprint: cred.fingerprint, Expires: cfg.Expires, From: FromSetting}
	if cfg.Site != "" {
		f.SiteName = f.Site
	}
	if kept != (secret.Ref{}) {
		f.Kept = kept.String()
	}
	sooner := func(at time.Time, from Origin) {
		if f.Expires.IsZero() || at.Before(f.Expires) {
			f.Expires, f.From = at, from
		}
	}
	if at, ok := jwtExpiry(cred.token); ok {
		sooner(at, FromToken)
	}
	if c := net.certificate; c != nil && c.Leaf != nil {
		sooner(c.Leaf.NotAfter, FromCertificate)
		if f.Fingerprint == "" {
			f.Fingerprint, f.Kept = net.fingerprint, cfg.Certificate
		}
	}
	if f.Expires.IsZero() {
		f.From = ""
	}
	return f, nil
}
