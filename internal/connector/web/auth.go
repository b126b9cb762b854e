package web

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"

	"golang.org/x/net/http/httpguts"

	"github.com/rollcall-id/rollcall/internal/secret"
)

// The kinds of credential.
const (
	authBearer = "bearer"
	authBasic  = "basic"
	authHeader = "header"
)

func authKinds() []string { return []string{authBearer, authBasic, authHeader} }

// Auth says which credential proves who calls (scim.R71). The zero value sends none.
type Auth struct {
	Kind     string // bearer, basic or header; "" for none
	Username string // basic
	Name     string // header
	Secret   secret.Ref
}

// auth reads the credential.
func (d *Decoder) auth(name string) Auth {
	v := d.Get(name)
	if v == nil {
		return Auth{}
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		d.Problem(name, "must be one of {bearer: …}, {basic: …} and {header: …}")
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
			a.Username = d.part(name, "username", v)
			a.Secret = d.partSecret(name, "password", v)
			d.parts(name, v, "username", "password")
		case authHeader:
			a.Name = d.part(name, "name", v)
			if a.Name != "" && !httpguts.ValidHeaderFieldName(a.Name) {
				d.Problem(name+".name", "%q is no name of an HTTP header", a.Name)
			}
			a.Secret = d.partSecret(name, "value", v)
			d.parts(name, v, "name", "value")
		default:
			d.Problem(name, "is not supported: use bearer, basic or header")
		}
	}
	return a
}

// credential is an Auth whose secret was read.
type credential struct {
	authorize   func(ctx context.Context, header http.Header) error // nil for none
	fingerprint string                                              // stands for it, and does not tell it
	hidden      []string                                            // its texts, which must not come back in a message
}

// open reads the secret. dir is where the path of its file starts from.
func (a Auth) open(dir string, log *slog.Logger) (credential, error) {
	if a.Kind == "" {
		return credential{fingerprint: "none"}, nil
	}
	value, warning, err := a.Secret.Resolve(dir)
	if err != nil {
		return credential{}, fmt.Errorf("setting auth.%s: %w", a.Kind, err)
	}
	if warning != "" {
		log.Warn("secret is readable by others", "setting", "auth."+a.Kind, "reason", warning)
	}
	name, text := "Authorization", ""
	switch a.Kind {
	case authBearer:
		text = "Bearer " + value.Reveal() // scim.R67
	case authBasic:
		text = "Basic " + base64.StdEncoding.EncodeToString([]byte(a.Username+":"+value.Reveal()))
	case authHeader:
		name, text = a.Name, value.Reveal()
	default:
		return credential{}, fmt.Errorf("setting auth: %q is not supported: use bearer, basic or header", a.Kind)
	}
	if !httpguts.ValidHeaderFieldValue(text) {
		return credential{}, fmt.Errorf("setting auth.%s: the secret %s has a line end or another control character in it", a.Kind, a.Secret)
	}
	header := secret.New(text)
	return credential{
		authorize: func(_ context.Context, h http.Header) error {
			h.Set(name, header.Reveal())
			return nil
		},
		fingerprint: secret.New(a.Kind + "\x00" + a.Name + "\x00" + text).Fingerprint(),
		hidden:      []string{text, value.Reveal()},
	}, nil
}
