package scim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// Dialect says how requests are written (design D16).
type Dialect string

// The dialects.
const (
	RFC       Dialect = "rfc"       // RFC 7644 to the letter
	Entra2020 Dialect = "entra2020" // the reference service with its flag; spec/scim-client.md calls it rfc
	Legacy    Dialect = "legacy"    // the reference service without it
)

// Values of settings.
const (
	keysFlat   = "flat"
	keysNested = "nested"

	shapeText   = "text"
	shapeObject = "object"
	shapeList   = "list"

	nestLastColon = "lastColon"
	nestAfterUser = "afterUser"

	authBearer = "bearer"
	authBasic  = "basic"
	authHeader = "header"
)

// Config is what is set for one SCIM target. Decode makes it of settings and fills in all defaults.
type Config struct {
	URL                *url.URL // without behaviour flags; other query parameters go with every request (scim.R2)
	Auth               Auth
	Rate               httpx.Rate
	Concurrency        int
	Timeout            time.Duration
	Dialect            Dialect
	MemberBatch        int
	ReferencesInCreate bool
	ReadBeforeWrite    connector.ReadPolicy
	AllowInsecure      bool
	CAFile             string
	Site               string
	List               bool
	PageSize           int
	BooleanAsString    bool   // in updates (scim.R31)
	MergedKeys         string // scim.R32
	ManagerShape       string // scim.R35
	ExtensionNesting   string // scim.R23
	ContentType        string
	EmptyQuery404      bool // scim.R54
	Throttle503        bool

	UserAgent string            // "" means Rollcall
	Transport http.RoundTripper // replaces the network in tests
	Policy    httpx.Policy      // repeats; Throttle503 is set from above
}

// Auth says which credential proves who calls. The zero value sends none.
type Auth struct {
	Kind     string // bearer, basic or header; "" for none
	Username string // basic
	Name     string // header
	Secret   secret.Ref
}

// Decode makes a Config of the settings of an app file. The error joins all problems, each naming its setting.
func Decode(settings map[string]any) (Config, error) {
	d := decoder{settings: settings, seen: map[string]bool{}}
	c := Config{
		Auth:               d.auth("auth"),
		Concurrency:        d.number("concurrency", httpx.DefaultConcurrency, 1, 256),
		Timeout:            d.duration("timeout", httpx.DefaultTimeout, time.Second, 10*time.Minute),
		MemberBatch:        d.number("memberBatch", 100, 1, 500),
		ReferencesInCreate: d.flag("referencesInCreate", true),
		ReadBeforeWrite:    connector.ReadPolicy(d.choice("readBeforeWrite", string(connector.ReadStale))),
		AllowInsecure:      d.flag("allowInsecure", false),
		CAFile:             d.text("caFile"),
		Site:               d.text("site"),
		List:               d.flag("list", true),
		PageSize:           d.number("pageSize", 100, 1, 1000),
		MergedKeys:         d.choice("mergedKeys", keysFlat),
		ExtensionNesting:   d.choice("extensionNesting", nestLastColon),
		ContentType:        d.choice("contentType", "application/scim+json"),
		EmptyQuery404:      d.flag("emptyQuery404", false),
		Throttle503:        d.flag("throttle503", false),
	}
	var flagged Dialect
	c.URL, flagged = d.url("url", c.AllowInsecure)
	c.Rate = d.rate("rate")
	c.Dialect = Dialect(d.choice("dialect", string(cmp.Or(flagged, RFC))))
	c.BooleanAsString = d.flag("booleanAsString", c.Dialect == Legacy)
	shape := shapeObject
	if c.Dialect == Legacy {
		shape = shapeText
	}
	c.ManagerShape = d.choice("managerShape", shape)
	d.unknown()
	return c, errors.Join(d.problems...)
}

// decoder reads settings one by one and collects what is wrong with them.
type decoder struct {
	settings map[string]any
	seen     map[string]bool
	problems []error
}

func (d *decoder) problem(name, format string, args ...any) {
	d.problems = append(d.problems, fmt.Errorf("setting %s: %w", name, fmt.Errorf(format, args...)))
}

// get returns the value of a setting, nil when it is not set.
func (d *decoder) get(name string) any {
	d.seen[name] = true
	return d.settings[name]
}

func (d *decoder) unknown() {
	for _, name := range slices.Sorted(maps.Keys(d.settings)) {
		if !d.seen[name] {
			d.problem(name, "there is no such setting of the connector scim")
		}
	}
}

func (d *decoder) text(name string) string {
	switch v := d.get(name).(type) {
	case nil:
	case string:
		return v
	default:
		d.problem(name, "must be a text, not %v", v)
	}
	return ""
}

func (d *decoder) flag(name string, otherwise bool) bool {
	switch v := d.get(name).(type) {
	case nil:
	case bool:
		return v
	default:
		d.problem(name, "must be true or false, not %v", v)
	}
	return otherwise
}

func (d *decoder) number(name string, otherwise, least, most int) int {
	n := otherwise
	switch v := d.get(name).(type) {
	case nil:
	case int:
		n = v
	case int64:
		n = int(v)
	case float64:
		if n = int(v); float64(n) != v {
			d.problem(name, "must be a whole number, not %v", v)
			return otherwise
		}
	default:
		d.problem(name, "must be a number, not %v", v)
	}
	if n < least || n > most {
		d.problem(name, "must be between %d and %d, not %d", least, most, n)
	}
	return n
}

func (d *decoder) duration(name string, otherwise, least, most time.Duration) time.Duration {
	t := otherwise
	switch v := d.get(name).(type) {
	case nil:
	case time.Duration:
		t = v
	case string:
		var err error
		if t, err = time.ParseDuration(v); err != nil {
			d.problem(name, "%q is no duration: write it like 30s or 2m", v)
			return otherwise
		}
	default:
		d.problem(name, "must be a duration like 30s, not %v", v)
	}
	if t < least || t > most {
		d.problem(name, "must be between %s and %s, not %s", least, most, t)
	}
	return t
}

func (d *decoder) rate(name string) httpx.Rate {
	r, err := httpx.ParseRate(d.text(name))
	if err != nil {
		d.problem(name, "%w", err)
	}
	return r
}

func (d *decoder) choice(name, otherwise string) string {
	v := d.text(name)
	if v == "" {
		return otherwise
	}
	for _, s := range Settings() {
		if s.Name == name && !slices.Contains(s.Values, v) {
			d.problem(name, "must be one of %s, not %q", strings.Join(s.Values, ", "), v)
		}
	}
	return v
}

// url reads the base address and takes the behaviour flags of the reference service out of it, whatever their case,
// with or without a value (scim.R2). The second result is the dialect that a flag asks for.
func (d *decoder) url(name string, allowInsecure bool) (*url.URL, Dialect) {
	text := d.text(name)
	if text == "" {
		d.problem(name, "is missing: enter the base address of the SCIM service, like https://scim.example.com/v2")
		return nil, ""
	}
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		// The parser's message repeats the address, which may hold a password.
		d.problem(name, "is no address: write it like https://scim.example.com/v2")
		return nil, ""
	}
	if u.User != nil {
		d.problem(name, "must not hold user and password: use the setting auth")
		return nil, ""
	}
	if err := httpx.CheckURL(u, allowInsecure); err != nil {
		d.problem(name, "%w", err)
		return nil, ""
	}
	u.Fragment = ""
	var dialect Dialect
	var kept []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		key, value, _ := strings.Cut(part, "=")
		on := !strings.EqualFold(value, "false")
		switch {
		case key == "":
		case strings.EqualFold(key, "aadOptscim062020"):
			if on {
				dialect = Entra2020
			}
		case strings.EqualFold(key, "AzureAdScimPatch2017"):
			if on {
				dialect = Legacy
			}
		default:
			kept = append(kept, part)
		}
	}
	u.RawQuery = strings.Join(kept, "&")
	return u, dialect
}

// auth reads the credential (scim.R71).
func (d *decoder) auth(name string) Auth {
	v := d.get(name)
	if v == nil {
		return Auth{}
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		d.problem(name, "must be one of {bearer: …}, {basic: …} and {header: …}")
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
				d.problem(name+".name", "%q is no name of an HTTP header", a.Name)
			}
			a.Secret = d.partSecret(name, "value", v)
			d.parts(name, v, "name", "value")
		default:
			d.problem(name, "is not supported: use bearer, basic or header")
		}
	}
	return a
}

func (d *decoder) secret(name string, v any) secret.Ref {
	r, err := secret.ParseRef(v)
	if err != nil {
		d.problem(name, "%w", err)
	}
	return r
}

func (d *decoder) part(name, key string, v any) string {
	m, _ := v.(map[string]any)
	text, ok := m[key].(string)
	if !ok || text == "" {
		d.problem(name+"."+key, "is missing")
	}
	return text
}

func (d *decoder) partSecret(name, key string, v any) secret.Ref {
	m, _ := v.(map[string]any)
	if m[key] == nil {
		d.problem(name+"."+key, "is missing")
		return secret.Ref{}
	}
	return d.secret(name+"."+key, m[key])
}

func (d *decoder) parts(name string, v any, known ...string) {
	m, _ := v.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(known, key) {
			d.problem(name+"."+key, "there is no such setting")
		}
	}
}
