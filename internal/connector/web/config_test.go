package web_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/secret"
)

const base = "https://api.example.com/v1"

// problems decodes settings and returns all that is wrong with them.
func problems(settings map[string]any) string {
	d := web.NewDecoder("test", table(), settings)
	web.DecodeConfig(d, base)
	if err := d.Err(); err != nil {
		return err.Error()
	}
	return ""
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func oauth2(settings map[string]any) map[string]any {
	return map[string]any{"url": base, "auth": map[string]any{"oauth2": settings}}
}

func TestDecodeConfig(t *testing.T) {
	env := map[string]any{"env": "S"}
	ref := secret.Ref{Env: "S"}
	token := parse(t, "https://login.example.com/token")
	plain := func(change func(*web.Config)) web.Config {
		c := web.Config{URL: parse(t, base), Concurrency: 16, Timeout: 30 * time.Second}
		change(&c)
		return c
	}
	client := func(change func(*web.OAuth2)) web.Config {
		o := &web.OAuth2{Grant: web.ClientCredentials, TokenURL: token, ClientID: "c", ClientAuth: web.ClientBasic, Signed: web.Assertion{Lifetime: 5 * time.Minute}}
		change(o)
		return plain(func(c *web.Config) { c.Auth = web.Auth{Kind: "oauth2", OAuth2: o} })
	}
	tests := []struct {
		name string
		in   map[string]any
		want web.Config
	}{
		{"an address alone takes all defaults", map[string]any{"url": base}, plain(func(*web.Config) {})},
		{"every setting that has nothing to do with the credential", map[string]any{"url": base, "rate": "100/min", "concurrency": 4, "timeout": "45s", "caFile": "ca.pem", "site": "host",
			"clientCertificate": "c.pem", "clientKey": env, "credentialExpires": "2027-03-31", "throttle503": true,
			"proxy": "http://proxy.example.com:3128", "proxyAuth": map[string]any{"username": "u", "password": env}},
			plain(func(c *web.Config) {
				c.Rate, c.Concurrency, c.Timeout = httpx.Rate{N: 100, Per: time.Minute}, 4, 45*time.Second
				c.CAFile, c.Site, c.Certificate, c.Key, c.Throttle503 = "ca.pem", "host", "c.pem", ref, true
				c.Expires = time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
				c.Proxy = web.Proxy{URL: parse(t, "http://proxy.example.com:3128"), Username: "u", Password: ref}
			})},
		{"no proxy", map[string]any{"url": base, "proxy": "none"}, plain(func(c *web.Config) { c.Proxy.None = true })},
		{"a client with a secret proves itself in the header", oauth2(map[string]any{"tokenURL": token.String(), "clientID": "c", "clientSecret": env}),
			client(func(o *web.OAuth2) { o.ClientSecret = ref })},
		{"a client with a key signs", oauth2(map[string]any{"tokenURL": token.String(), "clientID": "c", "key": env, "keyID": "k", "lifetime": "10m"}),
			client(func(o *web.OAuth2) {
				o.ClientAuth, o.Signed = web.ClientPrivateKeyJWT, web.Assertion{Key: ref, KeyID: "k", Lifetime: 10 * time.Minute}
			})},
		{"workload identity", oauth2(map[string]any{"tokenURL": token.String(), "clientID": "c", "assertion": map[string]any{"file": "/var/run/token"}}),
			client(func(o *web.OAuth2) {
				o.ClientAuth, o.Assertion = web.ClientPrivateKeyJWT, secret.Ref{File: "/var/run/token"}
			})},
		{"consent, by a client without a secret", oauth2(map[string]any{"grant": "authorizationCode", "tokenURL": token.String(), "authorizationURL": "https://login.example.com/authorize", "clientID": "c", "scopes": []any{"a", "b"}}),
			client(func(o *web.OAuth2) {
				o.Grant, o.ClientAuth, o.AuthorizationURL, o.Scopes = web.AuthorizationCode, web.ClientNone, parse(t, "https://login.example.com/authorize"), []string{"a", "b"}
			})},
		{"a signed grant without a client", oauth2(map[string]any{"grant": "jwtBearer", "tokenURL": token.String(), "key": env, "issuer": "i", "subject": "s", "audience": "a", "parameters": map[string]any{"resource": "r"}}),
			client(func(o *web.OAuth2) {
				o.Grant, o.ClientAuth, o.ClientID, o.Parameters = web.JWTBearer, web.ClientNone, "", map[string]string{"resource": "r"}
				o.Signed = web.Assertion{Key: ref, Issuer: "i", Subject: "s", Audience: "a", Lifetime: 5 * time.Minute}
			})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := decode(t, tt.in)
			got.Policy = httpx.Policy{}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatDoesNotGoTogetherIsTold(t *testing.T) {
	const token = "https://login.example.com/token"
	s := map[string]any{"env": "S"}
	with := func(settings map[string]any) map[string]any {
		all := map[string]any{"tokenURL": token, "clientID": "c"}
		for k, v := range settings {
			all[k] = v
		}
		return oauth2(all)
	}
	tests := []struct {
		in   map[string]any
		want string
	}{
		{map[string]any{"url": base, "auth": map[string]any{"card": s}}, "setting auth.card: is not supported: use bearer, basic, header or oauth2"},
		{map[string]any{"url": base, "auth": map[string]any{"oauth2": "geheim"}}, "setting auth.oauth2: must be a map"},
		{with(nil), "setting auth.oauth2.clientSecret: is missing: the grant clientCredentials has no other proof"},
		{with(map[string]any{"clientSecret": "geheim"}), "setting auth.oauth2.clientSecret: a secret is not written here"},
		{with(map[string]any{"clientAuth": "post"}), "setting auth.oauth2.clientSecret: is missing: clientAuth post sends it"},
		{with(map[string]any{"clientAuth": "privateKeyJWT"}), "setting auth.oauth2.key: is missing: clientAuth privateKeyJWT signs with it"},
		{with(map[string]any{"clientAuth": "magic", "clientSecret": s}), "setting auth.oauth2.clientAuth: must be one of basic, post, privateKeyJWT, none"},
		{with(map[string]any{"clientAuth": "none", "clientSecret": s, "grant": "jwtBearer", "key": s}), "clientSecret is never sent"},
		{with(map[string]any{"grant": "password", "clientSecret": s}), "setting auth.oauth2.grant: must be one of clientCredentials, authorizationCode, jwtBearer"},
		{with(map[string]any{"grant": "authorizationCode"}), "setting auth.oauth2.authorizationURL: is missing"},
		{with(map[string]any{"grant": "authorizationCode", "authorizationURL": "http://login.example.com"}), "setting auth.oauth2.authorizationURL: \"http://login.example.com\" is not encrypted"},
		{with(map[string]any{"clientSecret": s, "authorizationURL": token}), "authorizationURL: belongs to the grant authorizationCode"},
		{with(map[string]any{"grant": "jwtBearer"}), "setting auth.oauth2.key: is missing: the grant jwtBearer signs with it"},
		{with(map[string]any{"grant": "jwtBearer", "assertion": s, "clientAuth": "privateKeyJWT"}), "so the client's own has to be signed"},
		{with(map[string]any{"grant": "jwtBearer", "clientID": "", "key": s}), "setting auth.oauth2.issuer: is missing"},
		{with(map[string]any{"clientID": "", "clientSecret": s}), "setting auth.oauth2.clientID: is missing"},
		{with(map[string]any{"clientSecret": s, "lifetime": "2h"}), "setting auth.oauth2.lifetime: must be between 1m0s and 1h0m0s"},
		{with(map[string]any{"clientSecret": s, "parameters": map[string]any{"Client_Secret": "geheim"}}), "setting auth.oauth2.parameters.Client_Secret: is set by Rollcall"},
		{with(map[string]any{"clientSecret": s, "colour": "red"}), "setting auth.oauth2.colour: there is no such setting of auth.oauth2"},
		{map[string]any{"url": base, "allowInsecure": true, "auth": map[string]any{"oauth2": map[string]any{"tokenURL": "http://login.example.com", "clientID": "c", "clientSecret": s}}}, "setting auth.oauth2.tokenURL: \"http://login.example.com\" is not encrypted"},
		{map[string]any{"url": base, "clientCertificate": "c.pem"}, "setting clientCertificate: and clientKey belong together"},
		{map[string]any{"url": base, "clientKey": s}, "setting clientCertificate: and clientKey belong together"},
		{map[string]any{"url": base, "credentialExpires": "soon"}, "setting credentialExpires: \"soon\" is no date: write it like 2027-03-31"},
		{map[string]any{"url": base, "proxy": "http://u:geheim@proxy.example.com"}, "setting proxy: must not hold user and password"},
		{map[string]any{"url": base, "proxy": "socks5://proxy.example.com"}, "setting proxy: "},
		{map[string]any{"url": base, "proxyAuth": map[string]any{"username": "u", "password": s}}, "setting proxyAuth: is for the proxy of the setting proxy"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			got := problems(tt.in)
			if !strings.Contains(got, tt.want) || strings.Contains(got, "geheim") {
				t.Errorf("%q, want %q in it and no secret", got, tt.want)
			}
		})
	}
}

func TestOpenTellsWhatIsWrong(t *testing.T) {
	dir := files(t, map[string]string{"bad": "two\nlines", "ca": "no certificate", "good": "x"})
	auth := func(name string) map[string]any { return map[string]any{"bearer": file(name)} }
	for want, settings := range map[string]map[string]any{
		"setting auth.bearer: secret file " + filepath.Join(dir, "absent") + " does not exist": {"auth": auth("absent")},
		"has a line end":                             {"auth": auth("bad")},
		"setting caFile: open ":                      {"caFile": "absent"},
		"setting caFile: ca holds no certificate":    {"caFile": "ca"},
		"setting clientCertificate: open ":           {"clientCertificate": "absent", "clientKey": file("good")},
		"setting clientKey: secret file ":            {"clientCertificate": "ca", "clientKey": file("absent")},
		"setting proxyAuth.password: secret file ":   {"proxy": "http://proxy.invalid", "proxyAuth": map[string]any{"username": "u", "password": file("absent")}},
		"setting auth.oauth2.clientSecret: secret f": {"auth": map[string]any{"oauth2": map[string]any{"tokenURL": base, "clientID": "c", "clientSecret": file("absent")}}},
		"setting auth.oauth2.assertion: secret file": {"auth": map[string]any{"oauth2": map[string]any{"tokenURL": base, "clientID": "c", "assertion": file("absent")}}},
	} {
		settings["url"] = base
		if _, err := web.Open(decode(t, settings), connector.Env{Dir: dir}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
		if _, err := web.Inspect(decode(t, settings), connector.Env{Dir: dir}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("inspect: %v, want %q in it", err, want)
		}
	}
}

func TestWhenACredentialExpires(t *testing.T) {
	jwt := func(claims string) string {
		e := base64.RawURLEncoding.EncodeToString
		return e([]byte(`{"alg":"HS256"}`)) + "." + e([]byte(claims)) + ".c2lnbmF0dXJl"
	}
	at := time.Date(2027, 3, 31, 12, 0, 0, 0, time.UTC)
	dir := files(t, map[string]string{
		"jwt": jwt(fmt.Sprintf(`{"exp":%d}`, at.Unix())), "float": jwt(fmt.Sprintf(`{"exp":%d.5}`, at.Unix())), "never": jwt(`{"sub":"x"}`), "zero": jwt(`{"exp":0}`),
		"plain": "abc", "dots": "a.b.c", "huge": jwt(`{"exp":1e300}`),
	})
	day := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name    string
		auth    map[string]any
		setting string
		want    time.Time
		from    web.Origin
	}{
		{"a bearer token that is a JWT says so", map[string]any{"bearer": file("jwt")}, "", at, web.FromToken},
		{"also with a fraction", map[string]any{"bearer": file("float")}, "", at, web.FromToken},
		{"also in a header of its own", map[string]any{"header": map[string]any{"name": "X-Token", "value": file("jwt")}}, "", at, web.FromToken},
		{"a JWT without an end", map[string]any{"bearer": file("never")}, "", time.Time{}, ""},
		{"a JWT that ends in 1970 means nothing", map[string]any{"bearer": file("zero")}, "", time.Time{}, ""},
		{"a JWT that ends when nobody lives", map[string]any{"bearer": file("huge")}, "", time.Time{}, ""},
		{"a plain token", map[string]any{"bearer": file("plain")}, "", time.Time{}, ""},
		{"a plain token with two dots", map[string]any{"bearer": file("dots")}, "", time.Time{}, ""},
		{"the setting says it for others", map[string]any{"bearer": file("plain")}, "2027-03-01", day, web.FromSetting},
		{"what comes first counts", map[string]any{"bearer": file("jwt")}, "2027-03-01", day, web.FromSetting},
		{"whoever says it", map[string]any{"bearer": file("jwt")}, "2028-03-01", at, web.FromToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			settings := map[string]any{"url": base, "auth": tt.auth}
			if tt.setting != "" {
				settings["credentialExpires"] = tt.setting
			}
			facts, err := web.Inspect(decode(t, settings), connector.Env{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if !facts.Expires.Equal(tt.want) || facts.From != tt.from {
				t.Errorf("%s by %q, want %s by %q", facts.Expires, facts.From, tt.want, tt.from)
			}
		})
	}
}
