package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// called says what a call was made to, which decides what 403, 404 and 400 mean.
type called = web.Place

const (
	item       = web.Item
	collection = web.Collection
	probe      = web.Probe
)

// judge classifies an answer that is not the success its caller hoped for (engine section 18).
func (c *Client) judge(x *exchange, at called, resp *httpx.Response) *connector.Error {
	scimType, detail := c.said(resp)
	e := c.conn.Judge(x.call(at), resp, detail)
	if resp.Throttled {
		return e
	}
	switch s := resp.Status; {
	case s == http.StatusForbidden && c.cfg.Dialect == Leapsome:
		e.Kind, e.Code = connector.KindAuth, connector.CodeUnauthorized
		e.Hint = "Leapsome answers 403 to a token that is not valid: make a new one (Settings, Integrations, SCIM User provisioning) and renew the setting auth"
	case s < 300:
		e.Hint = c.notSCIM(resp)
	case s == http.StatusBadRequest:
		c.badRequest(e, at, scimType)
	case s == http.StatusNotFound && at != item:
		e.Hint = fmt.Sprintf("there is no %s below the address: check the setting url, which must end where /Users begins", x.path)
	case s == http.StatusUnsupportedMediaType:
		e.Hint = fmt.Sprintf("the target does not take %s: set contentType to the other choice", c.cfg.ContentType)
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
	return m.ScimType, c.conn.Clean(detail, resp.Status)
}

// notSCIM says what an answer is that should be SCIM and is not.
func (c *Client) notSCIM(resp *httpx.Response) string {
	if web.IsXML(resp) {
		return "the address answers XML, and SCIM 2.0 is JSON: check the setting url, which may be that of another interface of the application"
	}
	if web.IsWebPage(resp) {
		return "the address answers a web page, not SCIM: check the setting url"
	}
	return "the answer is not what SCIM 2.0 has here (RFC 7644): check that the setting url is the address of a SCIM 2.0 service"
}
