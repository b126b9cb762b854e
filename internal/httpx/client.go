package httpx

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Defaults of Config.
const (
	DefaultTimeout = 30 * time.Second
	DefaultMaxBody = 32 << 20

	dialTimeout = 10 * time.Second // scim.R64

	// idleTimeout is shorter than the five seconds after which common servers close an idle connection. A call that
	// meets the closing would be lost without an answer, and a create cannot be repeated blindly.
	idleTimeout = 4 * time.Second

	// maxRedirects is how many redirects in a row are followed.
	maxRedirects = 3
)

// Config says how calls are made. The zero value works.
type Config struct {
	Timeout       time.Duration // one attempt, from dialling to the last byte of the answer; 0 means DefaultTimeout
	MaxBody       int64         // longest answer in bytes, after decompression; 0 means DefaultMaxBody
	AllowInsecure bool          // plain HTTP to hosts other than this one
	RootCAs       *x509.CertPool
	Certificate   *tls.Certificate // shown to servers that ask who calls (mutual TLS); nil for none
	UserAgent     string

	// Proxy says which proxy a request goes through, nil for none. A nil function means what the environment says
	// (HTTP_PROXY, HTTPS_PROXY, NO_PROXY).
	Proxy func(*http.Request) (*url.URL, error)

	// Authorize adds the credential to the header of one attempt; nil for none. It is called for every attempt, before
	// the attempt waits for its turn, so that a renewed credential is used at once and getting one takes no allowance.
	// Its error ends the call with FaultCredential.
	Authorize func(ctx context.Context, header http.Header) error

	// Renew is asked once in a call that was answered 401, with the header that was refused: is there another credential
	// now? If so the call is made again, whatever its method, since an answer of 401 says that it was not carried out
	// (scim.R69). Its error ends the call with FaultCredential. nil means that there is never another.
	Renew func(ctx context.Context, refused http.Header) (bool, error)

	// Site paces the calls; nil means a site of its own without a rate.
	Site *Site

	Policy     Policy
	OnCall     func(method string) // each request that goes out, repeats included
	OnThrottle func()              // each answer that said "too many requests"
	Now        func() time.Time    // nil means time.Now

	// Transport replaces the network in tests. What it is given is not checked against forbidden addresses.
	Transport http.RoundTripper
}

// Policy says when a call is repeated. The zero value means the defaults.
type Policy struct {
	// Waits before repeats of a call that is safe to repeat and got no answer or a 5xx (scim.R63).
	// nil means 1 s, 4 s, 16 s; an empty slice means no repeats.
	Waits []time.Duration

	// Attempts is how often a call is sent at most while the answer is "too many requests"; 0 means 5 (scim.R62).
	Attempts int

	// LongestWait is how long a call waits for its turn; a longer wait is a *WaitError, or the answer that asked for
	// it (design D13). 0 means 5 s.
	LongestWait time.Duration

	// Throttle503 makes every 503 mean "too many requests", as SAP Litmos has it. Otherwise only one with a
	// Retry-After does.
	Throttle503 bool

	// Pause is how long an answer "too many requests" without a Retry-After stops the site; 0 means 1 s, which doubles
	// with each such answer in a row.
	Pause time.Duration

	// OutageAfter is how many answers 503 in a row, from whichever call, are an outage and no longer "too many requests";
	// 0 means that they never are.
	OutageAfter int

	// Random gives numbers in [0, 1) for the spread of waits by a fifth; nil means a random source.
	Random func() float64
}

func (p Policy) withDefaults() Policy {
	if p.Waits == nil {
		p.Waits = []time.Duration{time.Second, 4 * time.Second, 16 * time.Second}
	}
	if p.Attempts <= 0 {
		p.Attempts = 5
	}
	if p.LongestWait <= 0 {
		p.LongestWait = 5 * time.Second
	}
	if p.Random == nil {
		p.Random = rand.Float64
	}
	return p
}

// spread is a factor between 0.8 and 1.2, so that callers that failed together do not come back together.
func (p Policy) spread() float64 { return 0.8 + 0.4*p.Random() }

// Throttled tells whether an answer says "too many requests".
func (p Policy) Throttled(status int, header http.Header) bool {
	return status == http.StatusTooManyRequests ||
		status == http.StatusServiceUnavailable && (p.Throttle503 || header.Get("Retry-After") != "")
}

// Client makes calls. Safe for concurrent use.
type Client struct {
	cfg  Config
	rt   http.RoundTripper
	site *Site
}

// New makes a client.
func New(cfg Config) (*Client, error) {
	if cfg.Timeout < 0 || cfg.MaxBody < 0 {
		return nil, errors.New("time-out and longest answer may not be negative")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Policy = cfg.Policy.withDefaults()
	if cfg.Site == nil {
		cfg.Site = NewSites(nil, cfg.Now).Join("", Limits{Timeout: cfg.Timeout})
	}
	rt := cfg.Transport
	if rt == nil {
		rt = newTransport(cfg)
	}
	return &Client{cfg: cfg, rt: rt, site: cfg.Site}, nil
}

func newTransport(cfg Config) *http.Transport {
	conns := max(cfg.Site.concurrency(), DefaultConcurrency)
	proxy := cfg.Proxy
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	var certificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
	if cfg.Certificate != nil {
		// Always the one that is set, whichever authorities the server names: its refusal says more than our silence.
		certificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cfg.Certificate, nil }
	}
	return &http.Transport{
		Proxy:                  proxy,
		OnProxyConnectResponse: proxyAnswer,
		DialContext:            dialer{timeout: dialTimeout}.dial,
		TLSClientConfig: &tls.Config{
			MinVersion:           tls.VersionTLS12, // scim.R72
			RootCAs:              cfg.RootCAs,
			GetClientCertificate: certificate,
			CipherSuites: []uint16{ // scim.R73, R74; TLS 1.3 has suites of its own
				tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
				tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
				tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
				tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
				tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
				tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
			},
		},
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConns:           conns,
		MaxIdleConnsPerHost:    conns,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: 1 << 20,
		// HTTP/1.1 only: one connection carries one call, so a broken connection loses one answer and not sixteen.
		ForceAttemptHTTP2: false,
	}
}

// proxyAnswer looks at what a proxy answered to CONNECT.
func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyError{Status: resp.StatusCode}
}

func (s *Site) concurrency() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits.Concurrency
}

// CloseIdle closes connections that are not in use. The client stays usable.
func (c *Client) CloseIdle() {
	if t, ok := c.rt.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Request is one call.
type Request struct {
	Method string
	URL    *url.URL
	Header http.Header // not changed
	Body   []byte
	Safe   bool   // sending it twice does no more than sending it once: it may be repeated when its answer was lost
	Shown  string // stands for the path in logs, where the path holds a value of a person; "" for the path itself
}

// Response is the answer to a call, whatever its status.
type Response struct {
	Status     int
	Reason     string // the text behind the status, which some servers put their error into
	Header     http.Header
	Body       []byte
	Throttled  bool          // it says "too many requests"
	RetryAfter time.Duration // how long the site is stopped from now; 0 for not at all

	TLS *tls.ConnectionState // nil for plain HTTP
}

// Do makes one call with the repeats that Policy allows and returns the last answer. Without one the error is a
// *CallError, or a *WaitError when nothing was sent.
func (c *Client) Do(ctx context.Context, req Request) (*Response, error) {
	var last *Response
	var lost *CallError
	repeats, refusals, redirects, renewed := 0, 0, 0, false
	target := req.URL
	for {
		if err := CheckURL(target, c.cfg.AllowInsecure); err != nil {
			return nil, &CallError{Method: req.Method, URL: plainURL(target), Fault: FaultForbidden, Err: err}
		}
		header, err := c.header(ctx, req)
		if err != nil && (last != nil || lost != nil) {
			return c.notSent(req, last, lost, err)
		}
		if err != nil {
			return nil, c.noCredential(ctx, req, false, err)
		}
		p, err := c.site.acquire(ctx, c.cfg.Policy.LongestWait)
		if err != nil {
			return c.notSent(req, last, lost, err)
		}
		began := c.cfg.Now()
		resp, callErr := c.attempt(ctx, req, target, header)
		o := outcome{began: began, ended: c.cfg.Now(), jitter: c.cfg.Policy.spread()}
		switch {
		case callErr != nil:
			o.failed = callErr.Fault != FaultCancelled && callErr.Fault != FaultTooLarge
		case c.cfg.Policy.Throttled(resp.Status, resp.Header):
			resp.Throttled = true
			o.refused, o.retryAfter = true, cmp.Or(retryAfter(resp.Header, o.ended), c.cfg.Policy.Pause)
			if c.cfg.OnThrottle != nil {
				c.cfg.OnThrottle()
			}
		default:
			o.failed = resp.Status >= 500 && resp.Status != http.StatusNotImplemented
		}
		stopped := p.done(ctx, o)
		if o.refused && resp.Status == http.StatusServiceUnavailable && c.cfg.Policy.OutageAfter > 0 && c.site.refusals() >= c.cfg.Policy.OutageAfter {
			resp.Throttled = false
			return resp, nil
		}

		var wait time.Duration
		switch {
		case callErr != nil:
			last, lost = nil, callErr
			if !callErr.Fault.repeatable() || callErr.Sent && !req.Safe || repeats >= len(c.cfg.Policy.Waits) {
				return nil, callErr
			}
			wait = c.cfg.Policy.Waits[repeats]
			repeats++
		case resp.Throttled:
			resp.RetryAfter = stopped
			last, lost = resp, nil
			if refusals++; refusals >= c.cfg.Policy.Attempts {
				return resp, nil
			}
			continue // the site is stopped: acquire waits, or gives up
		case resp.Status == http.StatusUnauthorized && c.cfg.Renew != nil && !renewed:
			if renewed, err = c.cfg.Renew(ctx, header); err != nil {
				return nil, c.noCredential(ctx, req, last != nil || lost != nil && lost.Sent, err)
			}
			if !renewed {
				return resp, nil
			}
			continue
		case resp.Status == http.StatusTemporaryRedirect || resp.Status == http.StatusPermanentRedirect:
			next := redirect(target, resp.Header.Get("Location"))
			if redirects++; next == nil || redirects > maxRedirects {
				return resp, nil
			}
			target = next
			continue
		case resp.Status >= 500 && resp.Status != http.StatusNotImplemented && req.Safe && repeats < len(c.cfg.Policy.Waits):
			last, lost = resp, nil
			wait = c.cfg.Policy.Waits[repeats]
			repeats++
		default:
			return resp, nil
		}
		wait = time.Duration(float64(wait) * c.cfg.Policy.spread())
		if deadline, ok := ctx.Deadline(); ok && c.cfg.Now().Add(wait).After(deadline) {
			if lost != nil {
				return nil, lost
			}
			return last, nil
		}
		if err := sleep(ctx, wait); err != nil {
			return c.notSent(req, last, lost, err)
		}
	}
}

// header is the header of one attempt, with the credential.
func (c *Client) header(ctx context.Context, req Request) (http.Header, error) {
	h := make(http.Header, len(req.Header)+3)
	maps.Copy(h, req.Header)
	if c.cfg.UserAgent != "" {
		h.Set("User-Agent", c.cfg.UserAgent)
	}
	if c.cfg.Authorize == nil {
		return h, nil
	}
	return h, c.cfg.Authorize(ctx, h)
}

// noCredential says that a call was not made, or not carried out, for want of a credential. sent says that an earlier
// attempt of it went out and may have been.
func (c *Client) noCredential(ctx context.Context, req Request, sent bool, err error) *CallError {
	fault := FaultCredential
	if ctx.Err() != nil {
		fault = FaultCancelled
	}
	return &CallError{Method: req.Method, URL: plainURL(req.URL), Fault: fault, Sent: sent, Err: err}
}

// notSent says what came of a call whose next attempt did not take place: the outcome of the one before, if any.
func (c *Client) notSent(req Request, last *Response, lost *CallError, err error) (*Response, error) {
	var wait *WaitError
	if last != nil {
		if errors.As(err, &wait) && last.Throttled {
			last.RetryAfter = wait.For
		}
		return last, nil
	}
	if lost != nil {
		return nil, lost
	}
	if errors.As(err, &wait) {
		return nil, wait
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil, &CallError{Method: req.Method, URL: plainURL(req.URL), Fault: FaultCancelled, Err: err}
	}
	return nil, &CallError{Method: req.Method, URL: plainURL(req.URL), Fault: FaultOther, Err: err}
}

// attempt sends the request once and reads the whole answer.
func (c *Client) attempt(ctx context.Context, req Request, target *url.URL, header http.Header) (*Response, *CallError) {
	fail := func(sent bool, err error) *CallError {
		return &CallError{Method: req.Method, URL: plainURL(target), Fault: faultOf(ctx, err), Sent: sent, Err: err}
	}
	once, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var sent atomic.Bool
	goes := func() {
		sent.Store(true)
		if c.cfg.OnCall != nil {
			c.cfg.OnCall(req.Method)
		}
	}
	traced := once
	if c.cfg.Transport == nil {
		// A call counts when it has a connection to go out on, not when a host cannot be reached.
		traced = httptrace.WithClientTrace(once, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { goes() }})
	}
	// The URL is given as it is: http.NewRequest would write and parse it again.
	hr := (&http.Request{Method: req.Method, URL: target, Host: target.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(traced)
	if req.Body != nil {
		hr.ContentLength = int64(len(req.Body))
		hr.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(req.Body)), nil }
		hr.Body = io.NopCloser(bytes.NewReader(req.Body))
		if len(req.Body) == 0 {
			hr.Body = http.NoBody
		}
	}
	if c.cfg.Transport != nil {
		goes()
	}
	hresp, err := c.rt.RoundTrip(hr) //nolint:bodyclose // read closes it
	if err != nil {
		if ctx.Err() == nil && once.Err() != nil {
			err = fmt.Errorf("no answer within %s: %w", c.cfg.Timeout, context.DeadlineExceeded)
		}
		return nil, fail(sent.Load(), err)
	}
	answer, err := c.read(hresp)
	if err != nil {
		if ctx.Err() == nil && once.Err() != nil {
			err = fmt.Errorf("answer not complete within %s: %w", c.cfg.Timeout, context.DeadlineExceeded)
		}
		return nil, fail(true, err)
	}
	reason := strings.TrimSpace(strings.TrimPrefix(hresp.Status, strconv.Itoa(hresp.StatusCode)))
	return &Response{Status: hresp.StatusCode, Reason: reason, Header: hresp.Header, Body: answer, TLS: hresp.TLS}, nil
}

// read returns the body of an answer, which may not be longer than MaxBody.
func (c *Client) read(resp *http.Response) (body []byte, err error) {
	defer func() {
		if cerr := resp.Body.Close(); err == nil && cerr != nil {
			err = cerr
		}
	}()
	limit := c.cfg.MaxBody
	if resp.ContentLength > limit {
		return nil, fmt.Errorf("%w: %d bytes, allowed are %d", errTooLarge, resp.ContentLength, limit)
	}
	var buf bytes.Buffer
	if resp.ContentLength > 0 {
		buf.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	return buf.Bytes(), nil
}

// redirect is where a 307 or 308 leads, nil when it leads to another origin or nowhere: the credential goes to the
// host it was entered for only (scim.R65).
func redirect(from *url.URL, location string) *url.URL {
	if location == "" {
		return nil
	}
	to, err := from.Parse(location)
	if err != nil || to.Scheme != from.Scheme || !strings.EqualFold(to.Host, from.Host) || to.User != nil {
		return nil
	}
	return to
}

// retryAfter reads a Retry-After header: seconds, or an HTTP date (RFC 9110 section 10.2.3). 0 means none.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(longestStop/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), longestStop)
	}
	return 0
}
