package scim

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// Probe implements connector.Target: one query for a random value of the first joining attribute, or a listing of two
// objects where the setting probe says so, for each kind in use, users first (scim.R5, R6).
func (c *Client) Probe(ctx context.Context) (connector.Caps, error) {
	for _, k := range c.order {
		if err := c.probe(ctx, k); err != nil {
			return connector.Caps{}, err
		}
	}
	return connector.Caps{
		List:               c.cfg.List,
		PageSize:           c.pageSize,
		MemberBatch:        c.cfg.MemberBatch,
		WholeMembers:       c.cfg.Dialect == Leapsome,
		ReferencesInCreate: c.cfg.ReferencesInCreate,
		ReadBeforeWrite:    c.cfg.ReadBeforeWrite,
		PerMinute:          c.cfg.Rate.PerMinute(),
		Concurrency:        c.cfg.Concurrency,
		Calls:              c.calls(),
	}, nil
}

// calls are those of each operation. Cost knows more of creates, updates and deletes.
func (c *Client) calls() map[connector.Operation][]string {
	probes := make([]string, len(c.order))
	for i := range probes {
		probes[i] = http.MethodGet
	}
	update := []string{http.MethodPatch}
	if c.cfg.UpdateMethod == byPut {
		update = []string{http.MethodGet, http.MethodPut}
	}
	return map[connector.Operation][]string{
		connector.OpProbe:  probes,
		connector.OpList:   {http.MethodGet},
		connector.OpFind:   {http.MethodGet},
		connector.OpGet:    {http.MethodGet},
		connector.OpCreate: {http.MethodPost},
		connector.OpUpdate: update,
		connector.OpDelete: {http.MethodDelete},
	}
}

func (c *Client) probe(ctx context.Context, k *kind) error {
	_, err := c.ask(ctx, k, k.joining[0])
	return err
}

// ask sends the query of the probe for one attribute. It returns the answer, too, when there was one; its error is an
// *connector.Error.
func (c *Client) ask(ctx context.Context, k *kind, a *attribute) (*httpx.Response, error) {
	x := c.queryOf(k, a, uuid.NewString())
	listed := c.cfg.Probe == probeList && a == k.joining[0]
	if listed {
		x.query, x.op = url.Values{"count": {"2"}}, "GET "+k.endpoint
		if !c.cfg.NoAttributesParam {
			x.query.Set("startIndex", "1")
		}
		c.exclude(k, x.query)
	}
	x.safe = false // not repeated: whether the target answers at all is what the probe is to tell, within the time-out
	resp, err := c.send(ctx, x)
	if err != nil {
		return nil, err
	}
	list, isList := decodeList(resp.Body)
	switch {
	case resp.Status == http.StatusNotFound && c.cfg.EmptyQuery404:
	case resp.Status != http.StatusOK || !isList:
		return resp, c.judge(x, probe, resp)
	case len(list.Resources) > 0 && !listed:
		return resp, &connector.Error{Kind: connector.KindIncompatible, Op: x.name(), Code: connector.CodeServiceIncompatible, Status: resp.Status,
			Detail: fmt.Sprintf("a query for a random %s found %d objects", a.name, len(list.Resources)),
			Hint:   fmt.Sprintf("the target does not filter on %s: match on another attribute", a.name)}
	}
	return resp, nil
}

// queryOf is the query for objects whose attribute equals a value (scim.R7 to R11, R14). It is no page of a listing
// (scim.R52), so it carries no count.
func (c *Client) queryOf(k *kind, a *attribute, value string) *exchange {
	q := url.Values{"filter": {a.text + " eq " + scim.Quote(a.def.Fit(value))}}
	c.exclude(k, q)
	return &exchange{method: http.MethodGet, path: k.endpoint, query: q, safe: true, op: "GET " + k.endpoint + "?filter=" + a.text}
}

// exclude asks a server not to send the members of groups (scim.R11).
func (c *Client) exclude(k *kind, q url.Values) {
	if k.name == identity.Group && c.excludes() {
		q.Set("excludedAttributes", "members")
	}
}

// excludes tells whether the server takes the parameter.
func (c *Client) excludes() bool { return !c.cfg.NoAttributesParam && c.cfg.Dialect != Leapsome }

// Find implements connector.Target.
func (c *Client) Find(ctx context.Context, kind identity.Kind, attr, value string, limit int) ([]*identity.Object, error) {
	k, err := c.kindOf(kind, "find")
	if err != nil {
		return nil, err
	}
	a, err := k.attribute(attr, c.cfg)
	if err != nil {
		return nil, invalid("find "+string(kind), err)
	}
	resources, err := c.find(ctx, k, a, value)
	if err != nil {
		return nil, err
	}
	out := make([]*identity.Object, 0, len(resources))
	for _, r := range resources[:min(limit, len(resources))] {
		out = append(out, c.object(k, r, false))
	}
	return out, nil
}

// find returns the resources that match. Those that a server returned although they do not match mean that it ignored
// the filter, and linking one of them would hand a person's account to somebody else (scim.R52).
func (c *Client) find(ctx context.Context, k *kind, a *attribute, value string) ([]map[string]any, error) {
	x := c.queryOf(k, a, value)
	resp, err := c.send(ctx, x)
	if err != nil {
		return nil, err
	}
	if resp.Status == http.StatusNotFound && c.cfg.EmptyQuery404 {
		return nil, nil
	}
	list, isList := decodeList(resp.Body)
	if resp.Status != http.StatusOK || !isList {
		return nil, c.judge(x, collection, resp)
	}
	value = a.def.Fit(value)
	var out []map[string]any
	for _, r := range list.resources() {
		equal, folded := a.holds(r, value)
		switch {
		case idOf(r) == "":
			return nil, c.broken(x, resp, "a resource in the answer has no id", "")
		case equal:
			out = append(out, r)
		case !folded:
			return nil, c.broken(x, resp, fmt.Sprintf("the answer has an object whose %s is not what was asked for", a.name),
				fmt.Sprintf("the target does not filter on %s as SCIM 2.0 has it: match on another attribute", a.name))
		}
	}
	return out, nil
}

// Get implements connector.Target.
func (c *Client) Get(ctx context.Context, kind identity.Kind, anchor string) (*identity.Object, error) {
	k, err := c.kindAnd(kind, anchor, "get")
	if err != nil {
		return nil, err
	}
	resource, err := c.get(ctx, k, anchor)
	if err != nil {
		return nil, err
	}
	return c.object(k, resource, false), nil
}

// get reads a resource without its members.
func (c *Client) get(ctx context.Context, k *kind, anchor string) (map[string]any, error) {
	q := url.Values{}
	c.exclude(k, q)
	return c.fetch(ctx, k, anchor, q)
}

// fetch reads a resource.
func (c *Client) fetch(ctx context.Context, k *kind, anchor string, q url.Values) (map[string]any, error) {
	x := &exchange{method: http.MethodGet, path: k.itemPath(anchor), query: q, safe: true}
	resp, err := c.send(ctx, x)
	if err != nil {
		return nil, err
	}
	resource, ok := decodeResource(resp.Body)
	switch {
	case resp.Status != http.StatusOK || !ok:
		return nil, c.judgeItem(ctx, k, x, resp)
	case idOf(resource) == "":
		return nil, c.broken(x, resp, "the resource has no id", "")
	case idOf(resource) != anchor && c.cfg.Dialect == Leapsome: // an object that has this as its externalId
		return nil, &connector.Error{Kind: connector.KindNotFound, Op: x.name(), Code: connector.CodeInvalidAnchor, Status: resp.Status, Detail: "there is no object with this id"}
	case idOf(resource) != anchor:
		return nil, c.broken(x, resp, fmt.Sprintf("asked for %q, the target answered with %q", anchor, idOf(resource)), "")
	}
	return resource, nil
}

// Create implements connector.Target. The result shows members too if the answer does, so that the caller sees which
// references were kept (design D1).
func (c *Client) Create(ctx context.Context, obj *identity.Object) (*identity.Object, error) {
	k, err := c.kindOf(obj.Kind, "create")
	if err != nil {
		return nil, err
	}
	if c.cfg.Dialect == Leapsome {
		return c.createLeapsome(ctx, k, obj)
	}
	x := &exchange{method: http.MethodPost, path: k.endpoint}
	body, err := c.createBody(k, obj.Attrs)
	if err != nil {
		return nil, invalid(x.name(), err)
	}
	x.body = body
	return c.post(ctx, k, obj, x)
}

// post sends a create.
func (c *Client) post(ctx context.Context, k *kind, obj *identity.Object, x *exchange) (*identity.Object, error) {
	resp, err := c.send(ctx, x)
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusCreated && resp.Status != http.StatusOK {
		return nil, c.judge(x, collection, resp)
	}
	resource, _ := decodeAnswer(resp.Body)
	if idOf(resource) != "" {
		return c.object(k, resource, true), nil
	}
	return c.identify(ctx, k, obj, x, resp)
}

// identify finds the id of an account that was created by an answer without one: in Location, else by the joining
// attributes (scim.R18).
func (c *Client) identify(ctx context.Context, k *kind, obj *identity.Object, x *exchange, resp *httpx.Response) (*identity.Object, error) {
	if u, err := url.Parse(resp.Header.Get("Location")); err == nil {
		dir, last := path.Split(strings.TrimRight(u.EscapedPath(), "/"))
		id, err := url.PathUnescape(last)
		if err == nil && id != "" && strings.EqualFold(path.Base(dir), path.Base(k.endpoint)) {
			return &identity.Object{Kind: k.name, Anchor: id}, nil
		}
	}
	for _, a := range k.joining {
		v, ok := obj.Get(a.name)
		value, isText := v.(string)
		if !ok || !isText || value == "" {
			continue
		}
		found, err := c.find(ctx, k, a, value)
		if err != nil {
			e := connector.AsError(err)
			e.MaybeDone = true
			return nil, e
		}
		if len(found) == 1 {
			return c.object(k, found[0], false), nil
		}
	}
	e := c.broken(x, resp, "the target created the account and did not tell its id", c.notSCIM(resp))
	e.MaybeDone = true
	return nil, e
}

// Update implements connector.Target.
func (c *Client) Update(ctx context.Context, u connector.Update) (*identity.Object, error) {
	k, err := c.kindAnd(u.Kind, u.Anchor, "update")
	if err != nil {
		return nil, err
	}
	if c.cfg.ReferenceCheck == checkQuery {
		if u.Changes, err = c.notSetYet(ctx, k, u); err != nil || len(u.Changes) == 0 {
			return nil, err
		}
	}
	switch {
	case c.cfg.Dialect == Leapsome:
		return c.updateLeapsome(ctx, k, u)
	case c.puts(k):
		return c.put(ctx, k, u)
	}
	return c.update(ctx, k, u)
}

// update sends a PATCH, in other words or in parts where the server refuses it.
func (c *Client) update(ctx context.Context, k *kind, u connector.Update) (*identity.Object, error) {
	ops, err := c.operations(k, u)
	if err != nil {
		return nil, invalid("PATCH "+k.itemPath(u.Anchor), err)
	}
	if len(ops) == 0 {
		return nil, nil
	}
	o, failed := c.patch(ctx, k, u.Anchor, c.foresee(k, ops))
	if failed == nil {
		return o, nil
	}
	if failed.noTarget {
		again, ok, err := c.retarget(ctx, k, u.Anchor, ops)
		switch {
		case err != nil:
			return nil, err
		case ok && len(again) == 0:
			return nil, nil // all that was to be removed is gone
		case ok:
			if o, failed = c.patch(ctx, k, u.Anchor, again); failed == nil {
				return o, nil
			}
		}
	}
	if failed.tooMuch && countMembers(u) > 0 {
		return c.split(ctx, k, u, failed.err)
	}
	return nil, failed.err
}

// refusal is a PATCH that did not succeed.
type refusal struct {
	err      *connector.Error
	noTarget bool // an operation leads to nothing
	tooMuch  bool // fewer members in a request may be accepted (scim.R41)
	outdated bool // the resource has another version by now
}

// patch sends one PATCH.
func (c *Client) patch(ctx context.Context, k *kind, anchor string, ops []operation) (*identity.Object, *refusal) {
	return c.change(ctx, k, anchor, &exchange{method: http.MethodPatch, path: k.itemPath(anchor), body: message(ops), safe: repeatable(ops)})
}

// change sends a PATCH or a PUT of one object.
func (c *Client) change(ctx context.Context, k *kind, anchor string, x *exchange) (*identity.Object, *refusal) {
	resp, err := c.send(ctx, x)
	if err != nil {
		return nil, &refusal{err: connector.AsError(err)}
	}
	switch resp.Status {
	case http.StatusOK, http.StatusNoContent, http.StatusAccepted:
	default:
		scimType, _ := c.said(resp)
		return nil, &refusal{
			err:      c.judgeItem(ctx, k, x, resp),
			noTarget: resp.Status == http.StatusBadRequest && strings.EqualFold(scimType, string(scim.NoTarget)),
			tooMuch:  resp.Status == http.StatusBadRequest || resp.Status == http.StatusRequestEntityTooLarge,
			outdated: resp.Status == http.StatusPreconditionFailed,
		}
	}
	// A server may return any part of the resource, or nothing (scim.R56).
	resource, ok := decodeAnswer(resp.Body)
	if !ok {
		return nil, nil
	}
	o := c.object(k, resource, false)
	o.Anchor = anchor
	return o, nil
}

// Delete implements connector.Target.
func (c *Client) Delete(ctx context.Context, kind identity.Kind, anchor string) error {
	k, err := c.kindAnd(kind, anchor, "delete")
	if err != nil {
		return err
	}
	if k.name == identity.Group && c.cfg.NoGroupDelete {
		return c.emptyGroup(ctx, k, anchor)
	}
	if c.cfg.Dialect == Leapsome {
		return &connector.Error{Kind: connector.KindUnsupported, Op: "delete " + string(kind), Code: connector.CodeMethodNotAllowed, NotSent: true,
			Detail: "Leapsome has no call that deletes a user", Hint: "take delete from the actions of the rule; the user is disabled instead"}
	}
	x := &exchange{method: http.MethodDelete, path: k.itemPath(anchor), safe: true}
	resp, err := c.send(ctx, x)
	if err != nil {
		return err
	}
	switch resp.Status {
	case http.StatusNoContent, http.StatusOK, http.StatusAccepted, http.StatusNotFound, http.StatusGone: // scim.R21
		return nil
	}
	if e := c.judgeItem(ctx, k, x, resp); e.Kind != connector.KindNotFound {
		return e
	}
	return nil
}

// broken is an answer that does not follow the protocol.
func (c *Client) broken(x *exchange, resp *httpx.Response, detail, hint string) *connector.Error {
	return &connector.Error{Kind: connector.KindIncompatible, Op: x.name(), Code: connector.CodeServiceIncompatible,
		Status: resp.Status, Detail: detail, Hint: hint}
}

// invalid is a call that was not made because what was asked for cannot be written.
func invalid(op string, err error) *connector.Error {
	return &connector.Error{Kind: connector.KindInvalid, Op: op, Code: connector.CodeUnprocessable, NotSent: true, Err: err}
}

func (c *Client) kindOf(kind identity.Kind, op string) (*kind, error) {
	if k := c.kinds[kind]; k != nil {
		return k, nil
	}
	return nil, invalid(op+" "+string(kind), fmt.Errorf("no rule of the job writes objects of type %q", kind))
}

// kindAnd also refuses anchors that would lead to another resource than they name.
func (c *Client) kindAnd(kind identity.Kind, anchor, op string) (*kind, error) {
	k, err := c.kindOf(kind, op)
	if err == nil && (anchor == "" || anchor == "." || anchor == "..") {
		err = invalid(op+" "+string(kind), fmt.Errorf("%q is no id of a resource", anchor))
	}
	return k, err
}
