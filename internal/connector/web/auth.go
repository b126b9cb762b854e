package web

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"

	"golang.org/x/net/http/httpguts"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// The kinds of credential.
const (
	authBearer = "bearer"
	authBasic  = "basic"
	authHeader = "header"
	authOAuth2 = "oauth2"
)

// Auth says which credential proves who calls (scim.R71). The zero value sends none.
type Auth struct {
	Kind     string // bearer, basic, header or oauth2; "" for none
	Username string // basic
	Name     string // header
	Secret   secret.Ref
	OAuth2   *OAuth2 // oauth2
}

// authFields is the table of the kinds of credential, of which an app file names one.
func authFields() []connector.Setting {
	return []connector.Setting{
		{Name: authBearer, Type: connector.Text, Secret: true, Help: "A token that is sent as it is, in the header Authorization."},
		{Name: authBasic, Type: connector.Map, Help: "User and password.", Fields: basicFields()},
		{Name: authHeader, Type: connector.Map, Help: "A key in a header of its own.", Fields: []connector.Setting{
			{Name: "name", Type: connector.Text, Required: true, Help: "Name of the header, for instance apikey."},
			{Name: "value", Type: connector.Text, Required: true, Secret: true, Help: "The key."},
		}},
		{Name: authOAuth2, Type: connector.Map, Help: "An access token of an OAuth 2 server, renewed in time.", Fields: oauth2Fields()},
	}
}

func basicFields() []connector.Setting {
	return []connector.Setting{
		{Name: "username", Type: connector.Text, Required: true, Help: "Name to sign in with."},
		{Name: "password", Type: connector.Text, Required: true, Secret: true, Help: "Its password."},
	}
}

// auth reads the credential.
func (d *Decoder) auth(name string) Auth {
	v := d.Get(name)
	if v == nil {
		return Auth{}
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		d.Problem(name, "must be one of {bearer: …}, {basic: …}, {header: …} and {oauth2: …}")
		return Auth{}
	}
	a := Auth{}
	for kind, v := range m {
		a.Kind = kind
		name := name + "." + kind
		switch kind {
		case authBearer:
			a.Secret = d.secret(name, v)
		case authBasic:
			a.Username, a.Secret = d.basic(name, v)
		case authHeader:
			a.Name = d.part(name, "name", v)
			if a.Name != "" && !httpguts.ValidHeaderFieldName(a.Name) {
				d.Problem(name+".name", "%q is no name of an HTTP header", a.Name)
			}
			a.Secret = d.partSecret(name, "value", v)
			d.parts(name, v, "name", "value")
		case authOAuth2:
			a.OAuth2 = d.oauth2(name, v)
		default:
			d.Problem(name, "is not supported: use bearer, basic, header or oauth2")
		}
	}
	return a
}

// basic reads user and password.
func (d *Decoder) basic(name string, v any) (username string, password secret.Ref) {
	username = d.part(name, "username", v)
	password = d.partSecret(name, "password", v)
	d.parts(name, v, "username", "password")
	return username, password
}

// credential is an Auth whose secrets were read.
type credential struct {
	authorize func(ctx context.Context, header http.Header) error // nil for none

	// renew is asked after a 401 with the header that was refused: is another credential at hand now? nil for never.
	renew func(ctx context.Context, refused http.Header) (bool, error)

	holder      string   // stands for who calls, whose allowance is counted, and tells no secret
	fingerprint string   // stands for the secret that an administrator renews, and does not tell it
	hidden      []string // its texts, which must not come back in a message
	token       string   // what is sent as it is and may be a JWT that tells when it expires; "" for none
}

// open reads the secret of a credential that is sent as it is. dir is where the path of its file starts from.
func (a Auth) open(dir string, log *slog.Logger) (credential, error) {
	if a.Kind == "" {
		return credential{holder: "none"}, nil
	}
	value, err := readSecret("auth."+a.Kind, a.Secret, dir, log)
	if err != nil {
		return credential{}, err
	}
	cred := credential{}
	name, text := "Authorization", ""
	switch a.Kind {
	case authBearer:
		text = "Bearer " + value.Reveal() // scim.R67
		cred.token = value.Reveal()
	case authBasic:
		text = "Basic " + base64.StdEncoding.EncodeToString([]byte(a.Username+":"+value.Reveal()))
	case authHeader:
		name, text = a.Name, value.Reveal()
		cred.token = value.Reveal()
	default:
		return credential{}, fmt.Errorf("setting auth: %q is not supported: use bearer, basic, header or oauth2", a.Kind)
	}
	if !httpguts.ValidHeaderFieldValue(text) {
		return credential{}, fmt.Errorf("setting auth.%s: the secret %s has a line end or another control character in it", a.Kind, a.Secret)
	}
	header := secret.New(text)
	cred.authorize = func(_ context.Context, h http.Header) error {
		h.Set(name, header.Reveal())
		return nil
	}
	cred.fingerprint = secret.New(a.Kind + "\x00" + a.Name + "\x00" + text).Fingerprint()
	cred.holder = cred.fingerprint
	cred.hidden = []string{text, value.Reveal()}
	return cred, nil
}

// readSecret reads a secret and warns where others can read it, too.
func readSecret(setting string, ref secret.Ref, dir string, log *slog.Logger) (secret.Value, error) {
	value, warning, err := ref.Resolve(dir)
	if err != nil {
		return secret.Value{}, fmt.Errorf("setting %s: %w", setting, err)
	}
	if warning != "" {
		log.Warn("secret is readable by others", "setting", setting, "reason", warning)
	}
	return value, nil
}
