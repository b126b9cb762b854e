package litmos

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// fail classifies an answer that is not the success its caller hoped for (section 7).
func (a *api) fail(x *exchange, resp *httpx.Response) *connector.Error {
	e := a.conn.Judge(x.call(), resp, a.said(resp))
	if resp.Throttled {
		return e
	}
	switch s := resp.Status; {
	case s < 300:
		e.Hint = notLitmos
	case s == http.StatusBadRequest:
		if missing.MatchString(e.Detail) {
			e.Code = connector.CodeMissingValues
		}
	case s == http.StatusUnauthorized:
		e.Hint = "Litmos does not accept the key, or the API is not switched on for the site: renew the setting auth with the API key that an Account Owner sees under My Profile & Settings, and have the vendor's support switch the API on; trial sites have none"
	case s == http.StatusForbidden:
		// No rights, no source, or plain HTTP: the next call would meet the same.
		e.Kind = connector.KindAuth
		e.Hint = "Litmos knows the key, but its user may not do this, or the setting source is not accepted: the key must be that of an Account Owner, and source the name of the company, at most 50 characters"
	case s == http.StatusNotFound:
		a.notFound(x, e)
	case s == http.StatusNotAcceptable:
		e.Kind, e.Code = connector.KindIncompatible, connector.CodeServiceIncompatible
		e.Hint = "Litmos refuses the window of time that was asked for; this is a fault of ours: report it"
	case s == http.StatusConflict:
		if badValue.MatchString(e.Detail) {
			e.Kind, e.Code = connector.KindInvalid, connector.CodeUnprocessable
		}
	case s == http.StatusServiceUnavailable:
		// Five in a row are no limit any more (R3).
		e.Kind, e.Code = connector.KindIncompatible, connector.CodeEndpointUnavailable
		e.Hint = "Litmos answers 503 to every call, also after pauses: the service is down, or others use up the site's allowance"
	}
	return e
}

const notLitmos = "the answer is not what the Litmos API has here: check that the setting url is its address and ends in /v1.svc"

var (
	missing  = regexp.MustCompile(`(?i)\b(required|mandatory|missing)\b`)
	badValue = regexp.MustCompile(`(?i)\b(invalid|too short|too long|characters?)\b`) // 409 is also said of values that nobody has
	ofUser   = regexp.MustCompile(`(?i)\bmanager`)
)

// notFound tells what of a call was not found: the object itself, or something that a value names.
func (a *api) notFound(x *exchange, e *connector.Error) {
	switch {
	case ofUser.MatchString(e.Detail):
		e.Kind, e.Code = connector.KindInvalid, connector.CodeUnprocessable
		e.Hint = "the manager's account is not in Litmos any more"
	case missing.MatchString(e.Detail):
		e.Kind, e.Code = connector.KindInvalid, connector.CodeMissingValues
	case x.at != web.Item && x.method == http.MethodPost:
		// A create cannot miss what it makes: it names a manager that is gone.
		e.Kind, e.Code = connector.KindInvalid, connector.CodeUnprocessable
		e.Hint = "something that the request names is not in Litmos, such as the manager; if every create fails so, check the setting url"
	case x.at != web.Item:
		e.Hint = fmt.Sprintf("there is no %s below the address: check the setting url, which ends in /v1.svc", x.path)
	}
}

// said is what the site said of an error: Detail in the body, else the text behind the status (R7). Neither the
// credential nor a sign-in address is in it, should the site repeat one.
func (a *api) said(resp *httpx.Response) string {
	detail := ""
	body := bytes.TrimSpace(resp.Body)
	if list, _, err := a.parse(body, "Error"); err == nil && len(list) == 1 {
		for _, name := range []string{"Detail", "Message"} {
			if detail == "" {
				detail = list[0].text(name)
			}
		}
	} else if len(body) > 0 && body[0] != '<' && body[0] != '{' && body[0] != '[' && utf8.Valid(body) {
		detail = string(body)
	}
	if detail == "" {
		detail = resp.Reason
	}
	return a.conn.Clean(withoutLogin(detail), resp.Status)
}

var login = regexp.MustCompile(`(?i)\S*login_?key\S*`)

// withoutLogin takes sign-in addresses out of a text (section 2.3, LoginKey).
func withoutLogin(s string) string { return login.ReplaceAllString(s, "…") }

// tooLong names the values that are longer than documented, as a hint for a refusal. What is documented and what is
// enforced differ in places, so nothing is refused beforehand.
func tooLong(e *connector.Error, fields []field, attrs identity.Attrs) {
	if e.Kind != connector.KindInvalid || e.Hint != "" {
		return
	}
	var names []string
	for _, at := range attrs {
		f, ok := fieldNamed(fields, at.Name)
		if n := utf8.RuneCountInString(asText(at.Value)); ok && f.max > 0 && n > f.max {
			names = append(names, fmt.Sprintf("%s has %d characters, documented are at most %d", f.name, n, f.max))
		}
	}
	slices.Sort(names)
	e.Hint = strings.Join(names, "; ")
}

// broken is an answer that does not follow what is documented.
func (a *api) broken(x *exchange, resp *httpx.Response, detail, hint string) *connector.Error {
	return &connector.Error{Kind: connector.KindIncompatible, Op: x.name(), Code: connector.CodeServiceIncompatible,
		Status: resp.Status, Detail: detail, Hint: hint}
}

// unread is an answer whose body is not what was expected. Nothing of the body is shown.
func (a *api) unread(x *exchange, resp *httpx.Response, want string) *connector.Error {
	return a.broken(x, resp, "the answer is no "+want, notLitmos)
}

// invalid is a call that was not made because what was asked for cannot be written.
func invalid(op string, err error) *connector.Error {
	return &connector.Error{Kind: connector.KindInvalid, Op: op, Code: connector.CodeUnprocessable, NotSent: true, Err: err}
}

// halfDone marks the failure of a later call of an operation: what the earlier ones did stays done.
func halfDone(err error) error {
	e := *connector.AsError(err)
	e.NotSent, e.MaybeDone = false, true
	return &e
}
