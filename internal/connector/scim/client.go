package scim

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// Client is a SCIM server as a target. Safe for concurrent use.
type Client struct {
	cfg   Config
	conn  *web.Conn
	log   *slog.Logger
	kinds map[identity.Kind]*kind
	order []*kind // users first
	now   func() time.Time

	uses     []connector.Use
	pageSize int  // objects asked for in a page of a listing
	byCursor bool // listings are paged by cursor (RFC 9865)

	mostInPage int // that the target announces; 0 when it does not

	membersShown atomic.Bool // the warning of scim.R38 was given
	wantsElement atomic.Bool // the server refused a value path without an element (section 5, Open)
}

var (
	_ connector.Target = (*Client)(nil)
	_ connector.Lister = (*Client)(nil)

	_ connector.Discoverer = (*Client)(nil)
	_ connector.Examiner   = (*Client)(nil)
)

// New makes a client. It reads the secrets and does not call the server. sites holds the allowances of all targets of
// the process; nil gives this client one of its own.
func New(cfg Config, env connector.Env, sites *httpx.Sites) (*Client, error) {
	if env.Logger == nil {
		env.Logger = slog.New(slog.DiscardHandler)
	}
	conn, err := web.Open(cfg.Config, env, sites)
	if err != nil {
		return nil, err
	}
	if env.Now == nil {
		env.Now = time.Now
	}
	found := connector.Discovery{}
	if env.Found != nil && env.Found.Address == cfg.URL.String() {
		found = *env.Found
	}
	return newClient(cfg, conn, env, found)
}

// newClient makes a client over a connection, for a target that has said of itself what was found.
func newClient(cfg Config, conn *web.Conn, env connector.Env, found connector.Discovery) (*Client, error) {
	c := &Client{cfg: cfg, conn: conn, log: env.Logger, kinds: map[identity.Kind]*kind{}, now: env.Now, uses: env.Uses}
	c.pageSize, c.byCursor = paging(cfg, found)
	c.mostInPage = announcedPage(found, c.byCursor)
	for _, use := range env.Uses {
		k, err := newKind(use, cfg)
		if err != nil {
			return nil, err
		}
		if path := found.Endpoints[use.Kind]; path != "" {
			k.endpoint = path
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
func (c *Client) Close() error { return c.conn.Close() }

// exchange is one call with the answer it got.
type exchange struct {
	method string
	path   string     // below the base address, escaped: /Users/7710ab
	query  url.Values // spelt by web.EncodeQuery
	body   any        // marshalled when not nil
	safe   bool       // may be repeated when its answer was lost
	match  string     // entity tag of the version that may be overwritten; "" for any
	op     string     // for errors; method and path when empty
}

// name is what an error says was being done. Ids may stand in it, values of people may not.
func (x *exchange) name() string {
	if x.op != "" {
		return x.op
	}
	return x.method + " " + x.path
}

func (x *exchange) call(at called) web.Call {
	return web.Call{Op: x.name(), Method: x.method, Path: x.path, At: at}
}

// send makes a call. The answer may have any status; judging it is the caller's business, by fail.
func (c *Client) send(ctx context.Context, x *exchange) (*httpx.Response, error) {
	header := http.Header{"Accept": {"application/scim+json, application/json;q=0.9"}}
	req := httpx.Request{Method: x.method, URL: c.conn.Address(x.path, x.query), Header: header, Safe: x.safe}
	if x.body != nil {
		body, err := encode(x.body)
		if err != nil {
			return nil, &connector.Error{Kind: connector.KindInvalid, Op: x.name(), Code: connector.CodeUnprocessable, NotSent: true, Err: err}
		}
		req.Body = body
		header["Content-Type"] = []string{c.cfg.ContentType}
	}
	if x.match != "" {
		header["If-Match"] = []string{x.match}
	}
	resp, err := c.conn.Do(ctx, req)
	if err != nil {
		return nil, c.conn.Lost(ctx, x.call(item), err)
	}
	if (x.method == http.MethodPatch || x.method == http.MethodDelete) && resp.Status/100 == 2 && web.IsWebPage(resp) {
		// A sign-in page in front of the target: taking it for success would leave somebody's access in place unnoticed.
		return nil, c.broken(x, resp, "the answer is a web page, so the change cannot be taken for made", c.notSCIM(resp))
	}
	return resp, nil
}

// itemPath is the path of one resource.
func (k *kind) itemPath(anchor string) string { return k.endpoint + "/" + url.PathEscape(anchor) }
