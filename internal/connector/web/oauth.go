package web

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// Grant says how access tokens are got (RFC 6749 section 1.3).
type Grant string

// The grants.
const (
	ClientCredentials Grant = "clientCredentials" // RFC 6749 section 4.4
	AuthorizationCode Grant = "authorizationCode" // sections 4.1 and 6, with PKCE (RFC 7636): `rollcall login`, then refresh tokens
	JWTBearer         Grant = "jwtBearer"         // RFC 7523 section 2.1
)

// ClientAuth says how the client proves itself to the token endpoint.
type ClientAuth string

// The ways.
const (
	ClientBasic         ClientAuth = "basic"         // client_secret_basic (RFC 6749 section 2.3.1)
	ClientPost          ClientAuth = "post"          // client_secret_post
	ClientPrivateKeyJWT ClientAuth = "privateKeyJWT" // a signed assertion (RFC 7523 section 2.2)
	ClientNone          ClientAuth = "none"          // it says who it is and proves nothing
)

// assertionLifetime is how long an assertion holds when nothing is set. Servers refuse one that holds for long.
const assertionLifetime = 5 * time.Minute

// OAuth2 is what is set for access tokens.
type OAuth2 struct {
	Grant            Grant
	TokenURL         *url.URL
	AuthorizationURL *url.URL // authorizationCode
	ClientID         string
	ClientSecret     secret.Ref // zero for none
	ClientAuth       ClientAuth
	Scopes           []string
	Parameters       map[string]string // further parameters of every request to the server
	Signed           Assertion         // jwtBearer and privateKeyJWT
	Assertion        secret.Ref        // an assertion made by others, read afresh for each token; zero for none
}

// Assertion is what is signed to prove who asks (RFC 7523 section 3).
type Assertion struct {
	Key      secret.Ref // PEM: RSA signs RS256, P-256 signs ES256; zero for none
	KeyID    string
	Issuer   string // "" means the client's id
	Subject  string // "" means the issuer
	Audience string // "" means the token endpoint
	Lifetime time.Duration
}

// oauth2Fields is the table of auth.oauth2.
func oauth2Fields() []connector.Setting {
	return []connector.Setting{
		{Name: "grant", Type: connector.Choice, Default: string(ClientCredentials), Values: []string{string(ClientCredentials), string(AuthorizationCode), string(JWTBearer)},
			Help: "How access tokens are got: with the client's own credential, with the consent that somebody gives in `rollcall login`, or with a signed assertion (RFC 7523)."},
		{Name: "tokenURL", Type: connector.URL, Required: true, Help: "Address that issues tokens; HTTPS only, whatever allowInsecure says."},
		{Name: "authorizationURL", Type: connector.URL, Help: "Address at which somebody gives consent; grant authorizationCode only."},
		{Name: "clientID", Type: connector.Text, Help: "Name of the client; may be missing with the grant jwtBearer only."},
		{Name: "clientSecret", Type: connector.Text, Secret: true, Help: "Its secret."},
		{Name: "clientAuth", Type: connector.Choice, Values: []string{string(ClientBasic), string(ClientPost), string(ClientPrivateKeyJWT), string(ClientNone)},
			Help: "How the client proves itself: in the header Authorization (basic), in the body (post), with an assertion (privateKeyJWT), or not at all; by default basic where there is a clientSecret, privateKeyJWT where there is a key or an assertion instead, else none; with the grant jwtBearer, whose key signs the grant, basic or none."},
		{Name: "scopes", Type: connector.List, Help: "Scopes to ask for."},
		{Name: "parameters", Type: connector.Map, Help: "Further parameters of the requests for tokens, for instance audience or resource."},
		{Name: "key", Type: connector.Text, Secret: true, Help: "Private key in PEM form that signs assertions: RSA of 2048 bits or more (RS256), or P-256 (ES256)."},
		{Name: "keyID", Type: connector.Text, Help: "Name of the key, in the assertion's header (kid)."},
		{Name: "issuer", Type: connector.Text, Help: "Issuer of assertions (iss); by default the client's name."},
		{Name: "subject", Type: connector.Text, Help: "Whom the token is for (sub) with the grant jwtBearer; by default the issuer."},
		{Name: "audience", Type: connector.Text, Help: "Audience of assertions (aud); by default tokenURL."},
		{Name: "lifetime", Type: connector.Duration, Default: "5m", Help: "How long an assertion holds, 1m to 1h."},
		{Name: "assertion", Type: connector.Text, Secret: true, Help: "An assertion that others make, in place of key: workload identity. It is read afresh for every token."},
	}
}

// reserved are the parameters that are Rollcall's to set.
var reserved = []string{"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "assertion", "code", "code_verifier",
	"code_challenge", "code_challenge_method", "redirect_uri", "refresh_token", "response_type", "state", "scope"}

// oauth2 reads auth.oauth2. It is nil when it is no map.
func (d *Decoder) oauth2(name string, v any) *OAuth2 {
	m, ok := v.(map[string]any)
	if !ok {
		d.Problem(name, "must be a map with tokenURL and what else the server wants")
		return nil
	}
	in := d.within(name, oauth2Fields(), m)
	o := &OAuth2{
		Grant:      Grant(in.Choice("grant", string(ClientCredentials))),
		TokenURL:   in.address("tokenURL", "https://login.example.com/oauth2/token"),
		ClientID:   in.Text("clientID"),
		ClientAuth: ClientAuth(in.Choice("clientAuth", "")),
		Scopes:     in.Texts("scopes"),
		Parameters: in.TextMap("parameters"),
		Signed: Assertion{
			KeyID: in.Text("keyID"), Issuer: in.Text("issuer"), Subject: in.Text("subject"), Audience: in.Text("audience"),
			Lifetime: in.Duration("lifetime", assertionLifetime, time.Minute, time.Hour),
		},
		ClientSecret: in.optionalSecret("clientSecret"),
		Assertion:    in.optionalSecret("assertion"),
	}
	o.Signed.Key = in.optionalSecret("key")
	if in.Get("authorizationURL") != nil {
		o.AuthorizationURL = in.address("authorizationURL", "https://login.example.com/oauth2/authorize")
	}
	if o.ClientAuth == "" {
		switch {
		case o.ClientSecret != (secret.Ref{}):
			o.ClientAuth = ClientBasic
		case o.Grant != JWTBearer && o.proves():
			o.ClientAuth = ClientPrivateKeyJWT
		default:
			o.ClientAuth = ClientNone
		}
	}
	o.check(in)
	d.problems = append(d.problems, in.wrapped()...)
	return o
}

// proves tells whether there is something to make an assertion of.
func (o *OAuth2) proves() bool {
	return o.Signed.Key != (secret.Ref{}) || o.Assertion != (secret.Ref{})
}

// check notes what does not go together.
func (o *OAuth2) check(d *Decoder) {
	hasSecret, hasKey := o.ClientSecret != (secret.Ref{}), o.Signed.Key != (secret.Ref{})
	switch {
	case o.ClientID == "" && o.Grant != JWTBearer:
		d.Problem("clientID", "is missing: it is the name that the server gave the client")
	case o.ClientID == "" && o.ClientAuth != ClientNone:
		d.Problem("clientID", "is missing: with clientAuth %s the server has to be told who proves itself", o.ClientAuth)
	}
	switch o.ClientAuth {
	case ClientBasic, ClientPost:
		if !hasSecret {
			d.Problem("clientSecret", "is missing: clientAuth %s sends it", o.ClientAuth)
		}
	case ClientPrivateKeyJWT:
		if !o.proves() {
			d.Problem("key", "is missing: clientAuth privateKeyJWT signs with it; or give an assertion that others make")
		}
		if o.Grant == JWTBearer && !hasKey {
			d.Problem("key", "is missing: with the grant jwtBearer the assertion is the grant, so the client's own has to be signed")
		}
	case ClientNone:
		if o.Grant == ClientCredentials {
			d.Problem("clientSecret", "is missing: the grant clientCredentials has no other proof, unless there is a key or an assertion")
		}
		if hasSecret {
			d.Problem("clientAuth", "is none, so clientSecret is never sent: leave one of them out")
		}
	}
	switch o.Grant {
	case AuthorizationCode:
		if o.AuthorizationURL == nil && d.settings["authorizationURL"] == nil {
			d.Problem("authorizationURL", "is missing: it is where somebody gives consent in `rollcall login`")
		}
	case JWTBearer:
		if !o.proves() {
			d.Problem("key", "is missing: the grant jwtBearer signs with it; or give an assertion that others make")
		}
		if hasKey && o.Assertion == (secret.Ref{}) && o.Signed.Issuer == "" && o.ClientID == "" {
			d.Problem("issuer", "is missing: the server has to be told who signs")
		}
	case ClientCredentials:
	}
	if o.Grant != AuthorizationCode && d.settings["authorizationURL"] != nil {
		d.Problem("authorizationURL", "belongs to the grant authorizationCode, and grant is %s", o.Grant)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Parameters)) {
		if slices.Contains(reserved, strings.ToLower(name)) {
			d.Problem("parameters."+name, "is set by Rollcall: use the setting for it")
		}
	}
}

// address reads an address of the OAuth server.
func (d *Decoder) address(name, example string) *url.URL { return d.URL(name, example, false) }

// SameOrigin tells whether two addresses are of one scheme, host and port.
func SameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		return map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}
