package web

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
)

// Conn is a connection to one service under one credential. Safe for concurrent use.
type Conn struct {
	cfg    Config
	http   *httpx.Client
	log    *slog.Logger
	hidden func() []string // texts of the credential, taken out of what a server says
	now    func() time.Time

	expires time.Time // when the credential ends, where its text says so
}

// Open makes a connection. It reads the secrets and does not call the server. sites holds the allowances of all targets
// of the process; nil gives this connection one of its own.
func Open(cfg Config, env connector.Env, sites *httpx.Sites) (*Conn, error) {
	if cfg.URL == nil {
		return nil, errors.New("setting url is missing")
	}
	env.Logger = discard(env.Logger)
	if env.Meter == nil {
		env.Meter = &connector.Meter{}
	}
	if env.Now == nil {
		env.Now = time.Now
	}
	if sites == nil {
		sites = httpx.NewSites(nil, env.Now)
	}
	net, err := cfg.network(env.Dir, env.Logger)
	if err != nil {
		return nil, err
	}
	var cred credential
	var source *tokens
	if cfg.Auth.OAuth2 == nil {
		cred, err = cfg.Auth.open(env.Dir, env.Logger)
	} else {
		source, cred, err = cfg.Auth.OAuth2.open(env)
	}
	if err != nil {
		return nil, err
	}
	policy := cfg.Policy
	policy.Throttle503 = cfg.Throttle503
	if env.Once {
		policy.Waits, policy.Attempts = []time.Duration{}, 1
	}
	site := sites.Join(cfg.site(cred, net), httpx.Limits{Rate: cfg.Rate, Concurrency: cfg.Concurrency, Timeout: cfg.Timeout})
	if source != nil {
		if source.http, err = tokenClient(cfg, source.cfg, net, env, sites, site); err != nil {
			return nil, err
		}
	}
	client, err := httpx.New(httpx.Config{
		Timeout:       cfg.Timeout,
		AllowInsecure: cfg.AllowInsecure,
		RootCAs:       net.roots,
		Certificate:   net.certificate,
		Proxy:         net.proxy,
		UserAgent:     cfg.userAgent(),
		Authorize:     cred.authorize,
		Renew:         cred.renew,
		Site:          site,
		Policy:        policy,
		OnCall:        env.Meter.Add,
		OnThrottle:    env.Meter.Throttle,
		Now:           env.Now,
		Transport:     cfg.Transport,
	})
	if err != nil {
		return nil, err
	}
	expires, _ := jwtExpiry(cred.token)
	c := &Conn{cfg: cfg, http: client, log: env.Logger, hidden: func() []string { return cred.hidden }, now: env.Now, expires: expires}
	if source != nil {
		c.hidden = source.secrets
	}
	return c, nil
}

// site is the key of the allowance that calls are counted against (design D2).
func (c Config) site(cred credential, net network) string {
	host := c.URL.Scheme + "://" + c.URL.Host
	switch {
	case strings.EqualFold(c.Site, SiteHost):
		return host
	case c.Site != "":
		return c.Site
	case net.certificate != nil:
		return host + "#" + cred.holder + "+" + net.fingerprint
	}
	return host + "#" + cred.holder
}

// Close closes idle connections. Conn stays usable.
func (c *Conn) Close() error {
	c.http.CloseIdle()
	return nil
}

// Do makes a call, with the repeats that package httpx allows. Each has an X-Request-Id, which the log repeats. The answer
// may have any status; judging it is the caller's business, by Judge. Without one the error is for Lost.
func (c *Conn) Do(ctx context.Context, req httpx.Request) (*httpx.Response, error) {
	if req.Header == nil {
		req.Header = http.Header{}
	}
	id := uuid.NewString()
	req.Header["X-Request-Id"] = []string{id}
	resp, err := c.http.Do(ctx, req)
	if c.log.Enabled(ctx, slog.LevelDebug) {
		status := 0
		if resp != nil {
			status = resp.Status
		}
		c.log.DebugContext(ctx, "call", "method", req.Method, "path", cmp.Or(req.Shown, req.URL.Path), "status", status, "request_id", id)
	}
	return resp, err
}

// Below is the connection with another path of the same host as its base address. It shares the credential, the site and
// everything else.
func (c *Conn) Below(path string) *Conn {
	other := *c
	u := *c.cfg.URL
	u.Path, u.RawPath = path, ""
	other.cfg.URL = &u
	return &other
}

// Address is the base address with an escaped path and a query behind it.
func (c *Conn) Address(path string, query url.Values) *url.URL {
	u := *c.cfg.URL
	escaped := strings.TrimRight(u.EscapedPath(), "/") + path
	u.RawPath = escaped
	// What was escaped by us can be unescaped; the base address came through url.Parse.
	if plain, err := url.PathUnescape(escaped); err == nil {
		u.Path = plain
	}
	if q := EncodeQuery(query); q != "" {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += q
	}
	return &u
}

// EncodeQuery is url.Values.Encode with %20 for a blank, since not all servers read + as one (scim.R8).
func EncodeQuery(query url.Values) string {
	return strings.ReplaceAll(query.Encode(), "+", "%20")
}
