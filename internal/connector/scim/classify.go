package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/scim"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// maxDetail bounds what a server's own words take in a log, in bytes.
const maxDetail = 500

// called says what a call was made to, which decides what 403, 404 and 400 mean.
type called int

const (
	item       called = iota // one resource
	collection               // a query, a listing or a create
	probe                    // the probe: nothing that works can be refused here
)

// lost classifies a call that got no answer (engine section 18; scim.R63).
func (c *Client) lost(ctx context.Context, x *exchange, err error) *connector.Error {
	e := &connector.Error{Kind: connector.KindTemporary, Op: x.name(), Code: connector.CodeProtocol, Err: err}
	var wait *httpx.WaitError
	if errors.As(err, &wait) {
		e.Kind, e.Code = connector.KindRateLimited, connector.CodeTooManyRequests
		e.NotSent, e.RetryAfter = true, wait.For
		return e
	}
	var call *httpx.CallError
	if !errors.As(err, &call) {
		return e
	}
	e.MaybeDone = call.Sent && x.method != http.MethodGet
	e.Err = call.Err
	if ctx.Err() != nil {
		e.Err = ctx.Err()
		return e
	}
	host := c.cfg.URL.Host
	switch call.Fault {
	case httpx.FaultTimeout:
		e.Code, e.Hint = connector.CodeTimeout, fmt.Sprintf("the target did not answer in time: see whether it is overloaded, or raise the setting timeout (now %s)", c.cfg.Timeout)
	case httpx.FaultDNS:
		e.Hint = fmt.Sprintf("the host name %s is not known: check the setting url", c.cfg.URL.Hostname())
	case httpx.FaultRefused:
		e.Hint = fmt.Sprintf("nothing listens at %s: check host and port in the setting url, and the firewall", host)
	case httpx.FaultTLS:
		e.Hint = fmt.Sprintf("the certificate of %s is not trusted, or encryption could not be agreed on: for a private certificate authority set caFile", host)
	case httpx.FaultClosed:
		e.Hint = "the connection was closed before the answer was complete: see the target's or the proxy's log"
	case httpx.FaultTooLarge:
		e.Kind, e.Code = connector.KindIncompatible, connector.CodeServiceIncompatible
		e.Hint = "the answer is longer than any SCIM answer should be: lower the setting pageSize, or check the setting url"
	case httpx.FaultForbidden:
		e.Kind, e.Hint = connector.KindInvalid, "check the setting url"
	case httpx.FaultCancelled, httpx.FaultOther:
	}
	return e
}

// judge classifies an answer that is not the success its caller hoped for (engine section 18).
func (c *Client) judge(x *exchange, at called, resp *httpx.Response) *connector.Error {
	e := &connector.Error{Kind: connector.KindInvalid, Op: x.name(), Code: connector.CodeUnprocessable, Status: resp.Status}
	scimType, detail := c.said(resp)
	e.Detail = detail
	if resp.Throttled {
		e.Kind, e.Code, e.RetryAfter = connector.KindRateLimited, connector.CodeTooManyRequests, resp.RetryAfter
		e.Hint = "the target allows fewer calls than are made: lower the setting rate"
		return e
	}
	switch s := resp.Status; {
	case s < 300:
		e.Kind, e.Code = connector.KindIncompatible, connector.CodeServiceIncompatible
		e.Hint = c.notSCIM(resp)
	case s < 400:
		e.Kind, e.Code = connector.KindIncompatible, connector.CodeServiceIncompatible
		e.Hint = c.redirected(resp)
	case s == http.StatusBadRequest:
		c.badRequest(e, at, scimType)
	case s == http.StatusUnauthorized:
		e.Kind, e.Code = connector.KindAuth, connector.CodeUnauthorized
		e.Hint = "the target does not accept the credential: it may have expired or been revoked; make a new one and renew the setting auth"
		if c.cfg.Auth.Kind == "" {
			e.Hint = "the target wants a credential: set auth"
		}
	case s == http.StatusForbidden:
		e.Code = connector.CodeInsufficientRights
		e.Hint = "the credential is accepted but may not do this: give it the right in the target"
		if at == probe {
			e.Kind = connector.KindAuth
		}
	case s == http.StatusNotFound && at == item:
		e.Kind, e.Code = connector.KindNotFound, connector.CodeInvalidAnchor
	case s == http.StatusNotFound:
		e.Kind, e.Code = connector.KindIncompatible, connector.CodeServiceIncompatible
		e.Hint = fmt.Sprintf("there is no %s below the address: check the setting url, which must end where /Users begins", x.path)
	case s == http.StatusMethodNotAllowed:
		e.Kind, e.Code = connector.KindUnsupported, connector.CodeMethodNotAllowed
	case s == http.StatusRequestTimeout, s == http.StatusGatewayTimeout:
		e.Kind, e.Code, e.MaybeDone = connector.KindTemporary, connector.CodeTimeout, x.method != http.MethodGet
	case s == http.StatusConflict:
		e.Kind, e.Code = connector.KindConflict, connector.CodeConflict
	case s == http.StatusNotImplemented:
		e.Kind, e.Code = connector.KindUnsupported, connector.CodeNotImplemented
	case s == http.StatusUnsupportedMediaType:
		e.Kind = connector.KindUnsupported
		e.Hint = fmt.Sprintf("the target does not take %s: set contentType to the other choice", c.cfg.ContentType)
	case s >= 500:
		// What a server that fails has done before it failed is not known.
		e.Kind, e.Code, e.MaybeDone = connector.KindTemporary, connector.CodeServerError, x.method != http.MethodGet
	}
	if at == probe && e.Kind == connector.KindInvalid {
		e.Kind, e.Code = connector.KindIncompatible, connector.CodeProbeUnexpected
		if e.Hint == "" {
			e.Hint = "the target refuses a query for the joining attribute, which it must be able to filter on (engine.R53)"
		}
	}
	return e
}

var missingText = regexp.MustCompile(`(?i)\b(required|mandatory|missing)\b`)

func (c *Client) badRequest(e *connector.Error, at called, scimType string) {
	switch {
	case strings.EqualFold(scimType, string(scim.Uniqueness)):
		e.Kind, e.Code = connector.KindConflict, connector.CodeConflict
	case strings.EqualFold(scimType, string(scim.InvalidFilter)):
		e.Hint = "the target cannot filter on this: match on another attribute"
	case at != probe && missingText.MatchString(e.Detail):
		e.Code = connector.CodeMissingValues
	}
}

// said is what a server said of an error (scim.R59): the scimType and its words. The credential is taken out, should a
// server repeat it.
func (c *Client) said(resp *httpx.Response) (scimType, detail string) {
	var m struct {
		ScimType string `json:"scimType"`
		Detail   string `json:"detail"`
		Message  string `json:"message"`
		Error    any    `json:"error"`
	}
	body := bytes.TrimSpace(resp.Body)
	switch {
	case json.Unmarshal(body, &m) == nil:
		detail = m.Detail
		if detail == "" {
			detail = m.Message
		}
		if text, ok := m.Error.(string); detail == "" && ok {
			detail = text
		}
	case len(body) > 0 && body[0] != '<' && utf8.Valid(body):
		detail = string(body)
	}
	for _, hidden := range c.hidden {
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
		detail = http.StatusText(resp.Status)
	}
	return m.ScimType, detail
}

// notSCIM says what an answer is that should be SCIM and is not.
func (c *Client) notSCIM(resp *httpx.Response) string {
	if isWebPage(resp) {
		return "the address answers a web page, not SCIM: check the setting url"
	}
	return "the answer is not what SCIM 2.0 has here (RFC 7644): check that the setting url is the address of a SCIM 2.0 service"
}

// isWebPage tells whether an answer is a page for people.
func isWebPage(resp *httpx.Response) bool {
	body := bytes.TrimSpace(resp.Body)
	return strings.Contains(resp.Header.Get("Content-Type"), "html") || len(body) > 0 && body[0] == '<'
}

// redirected says where an answer points that is not followed (scim.R65).
func (c *Client) redirected(resp *httpx.Response) string {
	to, err := c.cfg.URL.Parse(resp.Header.Get("Location"))
	if err != nil || to.Host == "" {
		return "the target redirects to nowhere: check the setting url"
	}
	plain := url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}
	return fmt.Sprintf("the target redirects to %s, and a credential is never sent on: check the setting url", plain.String())
}
