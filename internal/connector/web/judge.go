package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// maxDetail bounds what a server's own words take in a log, in bytes.
const maxDetail = 500

// Place says what a call was made to, which decides what 403, 404 and 400 mean.
type Place int

// The places.
const (
	Item       Place = iota // one object
	Collection              // a query, a listing or a create
	Probe                   // the probe: nothing that works can be refused here
)

// Call names a call in an error.
type Call struct {
	Op     string // what was being done, for instance "POST /Users"
	Method string
	Path   string // below the base address
	At     Place
}

// Lost classifies a call that got no answer (engine section 18; scim.R63).
func (c *Conn) Lost(ctx context.Context, call Call, err error) *connector.Error {
	e := c.place(call.Op).lost(ctx, err)
	e.MaybeDone = e.MaybeDone && call.Method != http.MethodGet
	return e
}

func (c *Conn) place(op string) place {
	return place{op: op, url: c.cfg.URL, setting: "url", timeout: c.cfg.Timeout}
}

// place is where a call went, for messages.
type place struct {
	op      string
	url     *url.URL
	setting string // which holds the address
	timeout time.Duration
}

// lost classifies a call that got no answer. MaybeDone says that it went out.
func (p place) lost(ctx context.Context, err error) *connector.Error {
	e := &connector.Error{Kind: connector.KindTemporary, Op: p.op, Code: connector.CodeProtocol, Err: err}
	var wait *httpx.WaitError
	var lost *httpx.CallError
	var cause *connector.Error
	if errors.As(err, &cause) { // there was no credential to call with
		told := *cause
		told.MaybeDone = errors.As(err, &lost) && lost.Sent
		told.NotSent = !told.MaybeDone
		return &told
	}
	if errors.As(err, &wait) {
		e.Kind, e.Code = connector.KindRateLimited, connector.CodeTooManyRequests
		e.NotSent, e.RetryAfter = true, wait.For
		return e
	}
	if !errors.As(err, &lost) {
		return e
	}
	e.MaybeDone = lost.Sent
	e.Err = lost.Err
	if ctx.Err() != nil {
		e.Err = ctx.Err()
		return e
	}
	switch lost.Fault {
	case httpx.FaultTimeout:
		e.Code, e.Hint = connector.CodeTimeout, fmt.Sprintf("the target did not answer in time: see whether it is overloaded, or raise the setting timeout (now %s)", p.timeout)
	case httpx.FaultDNS:
		e.Hint = fmt.Sprintf("the host name %s is not known: check the setting %s", p.url.Hostname(), p.setting)
	case httpx.FaultRefused:
		e.Hint = fmt.Sprintf("nothing listens at %s: check host and port in the setting %s, and the firewall", p.url.Host, p.setting)
	case httpx.FaultTLS:
		e.Hint = p.untrusted(lost.Err)
	case httpx.FaultClosed:
		e.Hint = "the connection was closed before the answer was complete: see the target's or the proxy's log"
	case httpx.FaultTooLarge:
		e.Kind, e.Code = connector.KindIncompatible, connector.CodeServiceIncompatible
		e.Hint = fmt.Sprintf("the answer is longer than any answer here should be: lower the setting pageSize, or check the setting %s", p.setting)
	case httpx.FaultForbidden:
		e.Kind, e.Hint = connector.KindInvalid, "check the setting "+p.setting
	case httpx.FaultProxy:
		e.Hint = proxyHint(lost.Err)
	case httpx.FaultCancelled, httpx.FaultOther, httpx.FaultCredential: // what is wrong with a credential itself was told above
	}
	return e
}

// proxyHint says what to do about a proxy.
func proxyHint(err error) string {
	var refused *httpx.ProxyError
	switch {
	case !errors.As(err, &refused):
		return "the proxy cannot be reached: check the setting proxy, or HTTPS_PROXY in the environment"
	case refused.Status == http.StatusProxyAuthRequired:
		return "the proxy wants a credential, or does not accept the one it got: set proxyAuth"
	}
	return "the proxy does not let the call through: have the target's address allowed there, or set proxy: none if it can be reached without"
}

// Judge classifies an answer that is not the success its caller hoped for, by its status alone (engine section 18). detail
// is what the server said, made fit for a log by Clean. A connector that knows better changes the result.
func (c *Conn) Judge(call Call, resp *httpx.Response, detail string) *connector.Error {
	e := &connector.Error{Kind: connector.KindInvalid, Op: call.Op, Code: connector.CodeUnprocessable, Status: resp.Status, Detail: detail}
	if resp.Throttled {
		e.Kind, e.Code, e.RetryAfter = connector.KindRateLimited, connector.CodeTooManyRequests, resp.RetryAfter
		e.Hint = "the target allows fewer calls than are made: lower the setting rate"
		return e
	}
	switch s := resp.Status; {
	case s < 300:
		e.Kind, e.Code = connector.KindIncompatible, connector.CodeServiceIncompatible
	case s < 400:
		e.Kind, e.Code = connector.KindIncompatible, connector.CodeServiceIncompatible
		e.Hint = c.redirected(resp)
	case s == http.StatusUnauthorized:
		e.Kind, e.Code = connector.KindAuth, connector.CodeUnauthorized
		c.refused(e, resp)
	case s == http.StatusForbidden:
		e.Code = connector.CodeInsufficientRights
		e.Hint = "the credential is accepted but may not do this: give it the right in the target"
		if call.At == Probe {
			e.Kind = connector.KindAuth
		}
	case s == http.StatusNotFound && call.At == Item:
		e.Kind, e.Code = connector.KindNotFound, connector.CodeInvalidAnchor
	case s == http.StatusNotFound:
		e.Kind, e.Code = connector.KindIncompatible, connector.CodeServiceIncompatible
		e.Hint = fmt.Sprintf("there is no %s below the address: check the setting url, which must end where it begins", call.Path)
	case s == http.StatusMethodNotAllowed:
		e.Kind, e.Code = connector.KindUnsupported, connector.CodeMethodNotAllowed
	case s == http.StatusRequestTimeout, s == http.StatusGatewayTimeout:
		e.Kind, e.Code, e.MaybeDone = connector.KindTemporary, connector.CodeTimeout, call.Method != http.MethodGet
	case s == http.StatusConflict:
		e.Kind, e.Code = connector.KindConflict, connector.CodeConflict
	case s == http.StatusNotImplemented:
		e.Kind, e.Code = connector.KindUnsupported, connector.CodeNotImplemented
	case s == http.StatusUnsupportedMediaType:
		e.Kind = connector.KindUnsupported
	case s == http.StatusBadRequest && c.cfg.URL.Scheme == "http" && bytes.Contains(resp.Body, []byte("HTTPS")):
		e.Kind, e.Code = connector.KindIncompatible, connector.CodeServiceIncompatible
		e.Hint = "the target wants to be called with HTTPS: begin the setting url with https://"
	case s >= 500:
		// What a server that fails has done before it failed is not known.
		e.Kind, e.Code, e.MaybeDone = connector.KindTemporary, connector.CodeServerError, call.Method != http.MethodGet
		if s == http.StatusServiceUnavailable {
			e.Hint = "the target is not available now: it is overloaded, or somebody works on it; try again later"
		}
	}
	return e
}

// Clean makes a server's own words fit for a log: in one line, not too long, and without the credential, should the server
// repeat it. No words at all become the name of the status.
func (c *Conn) Clean(detail string, status int) string {
	return clean(detail, status, c.hidden())
}

func clean(detail string, status int, secrets []string) string {
	for _, hidden := range secrets {
		if hidden != "" {
			detail = strings.ReplaceAll(detail, hidden, secret.Mask)
		}
	}
	detail = strings.Join(strings.Fields(detail), " ")
	if len(detail) > maxDetail {
		cut := maxDetail
		for cut > 0 && !utf8.RuneStart(detail[cut]) {
			cut--
		}
		detail = detail[:cut] + "…"
	}
	if detail == "" {
		detail = http.StatusText(status)
	}
	return detail
}

// IsWebPage tells whether an answer is a page for people.
func IsWebPage(resp *httpx.Response) bool {
	body := bytes.TrimSpace(resp.Body)
	return strings.Contains(resp.Header.Get("Content-Type"), "html") || len(body) > 0 && body[0] == '<'
}

// IsXML tells whether an answer is XML, and no page for people.
func IsXML(resp *httpx.Response) bool {
	kind := resp.Header.Get("Content-Type")
	return !strings.Contains(kind, "html") && (strings.Contains(kind, "xml") || bytes.HasPrefix(bytes.TrimSpace(resp.Body), []byte("<?xml")))
}

// redirected says where an answer points that is not followed (scim.R65).
func (c *Conn) redirected(resp *httpx.Response) string {
	to, err := c.cfg.URL.Parse(resp.Header.Get("Location"))
	if err != nil || to.Host == "" {
		return "the target redirects to nowhere: check the setting url"
	}
	plain := url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}
	if to.Scheme == c.cfg.URL.Scheme && strings.EqualFold(to.Host, c.cfg.URL.Host) {
		return fmt.Sprintf("the target has moved to %s: write its address so in the setting url", plain.String())
	}
	return fmt.Sprintf("the target redirects to %s, and a credential is never sent on: check the setting url", plain.String())
}
