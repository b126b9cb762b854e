package scim

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// Questions that some targets need asked before an answer, or a write, can be believed.

// judgeItem classifies the refusal of a call to one object. Where 401 may mean that there is no such group
// (reference401), a query tells whether the credential is still accepted.
func (c *Client) judgeItem(ctx context.Context, k *kind, x *exchange, resp *httpx.Response) *connector.Error {
	e := c.judge(x, item, resp)
	if resp.Status != http.StatusUnauthorized || !c.cfg.Reference401 || k.name != identity.Group {
		return e
	}
	ask := c.queryOf(k, k.joining[0], uuid.NewString())
	answer, err := c.send(ctx, ask)
	if err != nil {
		return connector.AsError(err)
	}
	if _, isList := decodeList(answer.Body); answer.Status != http.StatusOK || !isList {
		return e
	}
	e.Kind, e.Code, e.Hint = connector.KindNotFound, connector.CodeInvalidAnchor, ""
	return e
}

// notSetYet leaves out the references that the target has already, as it says when asked (referenceCheck, scim.R34).
func (c *Client) notSetYet(ctx context.Context, k *kind, u connector.Update) ([]connector.Change, error) {
	var out []connector.Change
	for _, ch := range u.Changes {
		a, err := k.attribute(ch.Attr, c.cfg)
		if err != nil {
			return nil, invalid("update "+string(k.name), err)
		}
		if !asksFor(a, ch) {
			out = append(out, ch)
			continue
		}
		var left []any
		for _, ref := range list(ch.New) {
			set, err := c.isSet(ctx, k, u.Anchor, a, anchorOf(ref))
			if err != nil {
				return nil, err
			}
			if !set {
				left = append(left, ref)
			}
		}
		switch {
		case len(left) == 0:
			continue
		case a.members:
			ch.New = left
		}
		out = append(out, ch)
	}
	return out, nil
}

// asksFor tells whether a change writes references about which the target is asked first.
func asksFor(a *attribute, ch connector.Change) bool {
	return a.reference && (ch.Op == connector.Set || ch.Op == connector.Add)
}

// isSet asks whether an object has a reference.
func (c *Client) isSet(ctx context.Context, k *kind, anchor string, a *attribute, ref string) (bool, error) {
	q := url.Values{"filter": {"id eq " + scim.Quote(anchor) + " and " + a.path.Attribute + " eq " + scim.Quote(ref)}}
	if !c.cfg.NoAttributesParam {
		q.Set("attributes", "id") // one of attributes and excludedAttributes alone (RFC 7644 section 3.4.2.5)
	}
	x := &exchange{method: http.MethodGet, path: k.endpoint, query: q, safe: true, op: "GET " + k.endpoint + "?filter=" + a.path.Attribute}
	resp, err := c.send(ctx, x)
	if err != nil {
		return false, err
	}
	if resp.Status == http.StatusNotFound { // some have no such member to look for
		return false, nil
	}
	found, ok := decodeList(resp.Body)
	if resp.Status != http.StatusOK || !ok {
		return false, c.judge(x, collection, resp)
	}
	return slices.ContainsFunc(found.resources(), func(r map[string]any) bool { return idOf(r) == anchor }), nil
}
