package scim

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
	"golang.org/x/net/http/httpguts"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// Client is a SCIM server as a target. Safe for concurrent use.
type Client struct {
	cfg    Config
	http   *httpx.Client
	log    *slog.Logger
	hidden []string // texts of the credential, taken out of what a server says
	kinds  map[identity.Kind]*kind
	order  []*kind // users first

	membersShown atomic.Bool // the warning of scim.R38 was given
	wantsElement atomic.Bool // the server refused a value path without an element (section 5, Open)
}

var (
	_ connector.Target = (*Client)(nil)
	_ connector.Lister = (*Client)(nil)
)

// New makes a client. It reads the secrets and does not call the server. sites holds the allowances of all targets of
// the process; nil gives this client one of its own.
func New(cfg Config, env connector.Env, sites *httpx.Sites) (*Client, error) {
	if cfg.URL == nil {
		return nil, errors.New("setting url is missing")
	}
	if env.Logger == nil {
		env.Logger = slog.New(slog.DiscardHandler)
	}
	if env.Meter == nil {
		env.Meter = &connector.Meter{}
	}
	if sites == nil {
		sites = httpx.NewSites(nil, env.Now)
	}
	c := &Client{cfg: cfg, log: env.Logger, kinds: map[identity.Kind]*kind{}}
	authorize, fingerprint, err := c.credential(env)
	if err != nil {
		return nil, err
	}
	roots, err := trusted(cfg.CAFile, env.Dir)
	if err != nil {
		return nil, err
	}
	site := cfg.Site
	if site == "" {
		site = cfg.URL.Scheme + "://" + cfg.URL.Host + "#" + fingerprint
	}
	policy := cfg.Policy
	policy.Throttle503 = cfg.Throttle503
	userAgent := cfg.UserAgent
	if userAgent == "" {
		userAgent = "Rollcall"
	}
	c.http, err = httpx.New(httpx.Config{
		Timeout:       cfg.Timeout,
		AllowInsecure: cfg.AllowInsecure,
		RootCAs:       roots,
		UserAgent:     userAgent,
		Authorize:     authorize,
		Site:          sites.Join(site, httpx.Limits{Rate: cfg.Rate, Concurrency: cfg.Concurrency, Timeout: cfg.Timeout}),
		Policy:        policy,
		OnCall:        env.Meter.Add,
		OnThrottle:    env.Meter.Throttle,
		Now:           env.Now,
		Transport:     cfg.Transport,
	})
	if err != nil {
		return nil, err
	}
	for _, use := range env.Uses {
		k, err := newKind(use, cfg)
		if err != nil {
			return nil, err
		}
		c.kinds[use.Kind] = k
		if use.Kind == identity.User {
			c.order = append([]*kind{k}, c.order...)
		} else {
			c.order = append(c.order, k)
		}
	}
	return c, nil
}

// Close closes idle connections. The client stays usable.
func (c *Client) Close() error {
	c.http.CloseIdle()
	return nil
}

// credential resolves the secret. It returns what puts it into a request, and a text that stands for it.
func (c *Client) credential(env connector.Env) (func(context.Context, http.Header) error, string, error) {
	a := c.cfg.Auth
	if a.Kind == "" {
		return nil, "none", nil
	}
	value, warning, err := a.Secret.Resolve(env.Dir)
	if err != nil {
		return nil, "", fmt.Errorf("setting auth.%s: %w", a.Kind, err)
	}
	if warning != "" {
		c.log.Warn("secret is readable by others", "setting", "auth."+a.Kind, "reason", warning)
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
		return nil, "", fmt.Errorf("setting auth: %q is not supported: use bearer, basic or header", a.Kind)
	}
	if !httpguts.ValidHeaderFieldValue(text) {
		return nil, "", fmt.Errorf("setting auth.%s: the secret %s has a line end or another control character in it", a.Kind, a.Secret)
	}
	c.hidden = []string{text, value.Reveal()}
	header := secret.New(text)
	return func(_ context.Context, h http.Header) error {
		h.Set(name, header.Reveal())
		return nil
	}, secret.New(a.Kind + "\x00" + a.Name + "\x00" + text).Fingerprint(), nil
}

// trusted returns the system's certificate authorities and those of a file; nil means the system's alone.
func trusted(file, dir string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("setting caFile: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("setting caFile: %s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// exchange is one call with the answer it got.
type exchange struct {
	method string
	path   string     // below the base address, escaped: /Users/7710ab
	query  url.Values // spelt by encodeQuery
	body   any        // marshalled when not nil
	safe   bool       // may be repeated when its answer was lost
	op     string     // for errors; method and path when empty
}

// name is what an error says was being done. Ids may stand in it, values of people may not.
func (x *exchange) name() string {
	if x.op != "" {
		return x.op
	}
	return x.method + " " + x.path
}

// send makes a call. The answer may have any status; judging it is the caller's business, by fail.
func (c *Client) send(ctx context.Context, x *exchange) (*httpx.Response, error) {
	header := http.Header{"Accept": {"application/scim+json, application/json;q=0.9"}}
	req := httpx.Request{Method: x.method, URL: c.address(x.path, x.query), Header: header, Safe: x.safe}
	if x.body != nil {
		body, err := encode(x.body)
		if err != nil {
			return nil, &connector.Error{Kind: connector.KindInvalid, Op: x.name(), Code: connector.CodeUnprocessable, NotSent: true, Err: err}
		}
		req.Body = body
		header["Content-Type"] = []string{c.cfg.ContentType}
	}
	id := uuid.NewString()
	header["X-Request-Id"] = []string{id}
	resp, err := c.http.Do(ctx, req)
	if c.log.Enabled(ctx, slog.LevelDebug) {
		status := 0
		if resp != nil {
			status = resp.Status
		}
		c.log.DebugContext(ctx, "scim call", "method", x.method, "path", x.path, "status", status, "request_id", id)
	}
	if err != nil {
		return nil, c.lost(ctx, x, err)
	}
	if (x.method == http.MethodPatch || x.method == http.MethodDelete) && resp.Status/100 == 2 && isWebPage(resp) {
		// A sign-in page in front of the target: taking it for success would leave somebody's access in place unnoticed.
		return nil, c.broken(x, resp, "the answer is a web page, so the change cannot be taken for made", c.notSCIM(resp))
	}
	return resp, nil
}

// address is the base address with a path and a query behind it.
func (c *Client) address(path string, query url.Values) *url.URL {
	u := *c.cfg.URL
	escaped := strings.TrimRight(u.EscapedPath(), "/") + path
	u.RawPath = escaped
	// What was escaped by us can be unescaped; the base address came through url.Parse.
	if plain, err := url.PathUnescape(escaped); err == nil {
		u.Path = plain
	}
	if q := encodeQuery(query); q != "" {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += q
	}
	return &u
}

// encodeQuery is url.Values.Encode with %20 for a blank, since not all servers read + as one (scim.R8).
func encodeQuery(query url.Values) string {
	return strings.ReplaceAll(query.Encode(), "+", "%20")
}

// itemPath is the path of one resource.
func (k *kind) itemPath(anchor string) string { return k.endpoint + "/" + url.PathEscape(anchor) }
