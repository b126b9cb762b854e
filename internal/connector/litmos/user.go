package litmos

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// fetch reads one user or team by its id.
func (a *api) fetch(ctx context.Context, send caller, path, id, name string) (*record, *exchange, *httpx.Response, error) {
	x := &exchange{method: http.MethodGet, path: path, safe: true}
	resp, err := send(ctx, x)
	if err != nil {
		return nil, x, nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, x, resp, a.fail(x, resp)
	}
	r, err := a.one(x, resp, name)
	if err != nil {
		return nil, x, resp, err
	}
	switch got := r.id(); {
	case got == "":
		return nil, x, resp, a.broken(x, resp, "the answer has no Id", notLitmos)
	case got != id && strings.EqualFold(r.text(fieldUserName), id):
		// The place of an id takes user names too: what was asked for is not there, somebody has its name.
		return nil, x, resp, &connector.Error{Kind: connector.KindNotFound, Op: x.name(), Code: connector.CodeInvalidAnchor, Status: http.StatusNotFound, Detail: "no object has this id"}
	case got != id:
		return nil, x, resp, a.broken(x, resp, fmt.Sprintf("asked for %q, Litmos answered with %q", id, got), "")
	}
	return r, x, resp, nil
}

// getUser reads a user with the attributes in use.
func (c *Client) getUser(ctx context.Context, send caller, k *kind, id string) (*identity.Object, error) {
	r, x, resp, err := c.fetch(ctx, send, userPath(id), id, nameUser)
	if err != nil {
		return nil, err
	}
	var custom *record
	if len(k.custom) > 0 {
		if custom, err = c.customOf(ctx, c.follow, id); err != nil {
			return nil, err
		}
	}
	return c.shown(x, resp, k, r, custom)
}

// createUser is a POST of the complete skeleton (section 2.3), and one of advanced custom fields where there are values.
func (c *Client) createUser(ctx context.Context, k *kind, obj *identity.Object) (*identity.Object, error) {
	x := &exchange{method: http.MethodPost, path: "/users", query: c.switches(), at: web.Collection}
	r := &record{fields: []item{{fieldLevel, defaultLevel}, {fieldMessages, true}, {fieldActive, true}, {fieldSkipLogin, c.cfg.SkipFirstLogin}}}
	custom := &record{}
	for _, at := range obj.Attrs {
		u, ok := k.use(at.Name)
		switch {
		case !ok:
			return nil, invalid(x.name(), fmt.Errorf("litmos has no attribute %s of users", at.Name))
		case u.custom != "":
			custom.set(u.custom, asText(at.Value))
			continue
		}
		v, err := u.field.wire(at.Value)
		if err != nil {
			return nil, invalid(x.name(), err)
		}
		r.set(u.field.name, v)
	}
	r.set(fieldCustom, !strings.Contains(r.text(fieldUserName), "@"))
	made, err := c.post(ctx, k, x, r, obj.Attrs, nameUser, fieldUserName)
	if err != nil || len(custom.fields) == 0 {
		return made, err
	}
	if err := c.writeCustom(ctx, made.Anchor, custom); err != nil {
		return nil, halfDone(err)
	}
	for _, it := range custom.fields {
		made.Attrs.Set(customPrefix+it.name, it.value)
	}
	return made, nil
}

// switches are the query parameters of a create (U7).
func (c *Client) switches() url.Values {
	q := c.mails()
	if c.cfg.SkipFirstLogin {
		q.Set("skipfirstlogin", "true")
	}
	return q
}

// mails is the switch that makes Litmos send its mail (U7, T4).
func (c *Client) mails() url.Values {
	q := url.Values{}
	if c.cfg.SendMessage {
		q.Set("sendmessage", "true")
	}
	return q
}

// post makes an object of a record and reads what came of it. name is what the object is called in messages, joining the
// field by which it is found when the answer does not show it; attrs are what was asked for, for a refusal's hint.
func (c *Client) post(ctx context.Context, k *kind, x *exchange, r *record, attrs identity.Attrs, name, joining string) (*identity.Object, error) {
	var err error
	if x.body, err = c.write(r.arranged(k.fields), name); err != nil {
		return nil, invalid(x.name(), err)
	}
	resp, err := c.send(ctx, x)
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusCreated && resp.Status != http.StatusOK {
		e := c.fail(x, resp)
		tooLong(e, k.fields, attrs)
		return nil, e
	}
	return c.made(ctx, k, x, resp, name, joining, r.text(joining))
}

// made reads the answer to a create. One without an id is followed by a question for what was made.
func (c *Client) made(ctx context.Context, k *kind, x *exchange, resp *httpx.Response, name, key, value string) (*identity.Object, error) {
	if r, err := c.one(x, resp, name); err == nil && r.id() != "" {
		o, err := c.shown(x, resp, k, r, nil)
		if err != nil {
			return nil, halfDone(err)
		}
		return o, nil
	}
	found, err := c.search(ctx, c.follow, k, key, value, 2)
	switch {
	case err != nil:
		return nil, halfDone(err)
	case len(found) == 1:
		return found[0], nil
	}
	return nil, halfDone(c.broken(x, resp, "Litmos made the object and did not tell its id", notLitmos))
}

// updateUser reads the account, changes what is to be changed, and writes all of it back (U6).
func (c *Client) updateUser(ctx context.Context, k *kind, u connector.Update) error {
	w := sortChanges(u.Changes)
	done := false
	if len(w.fields) > 0 {
		if err := c.replace(ctx, k, userPath(u.Anchor), nameUser, u.Anchor, w.fields); err != nil {
			return err
		}
		done = true
	}
	if c.leavesTeams(w.fields) {
		x := &exchange{method: http.MethodDelete, path: userPath(u.Anchor) + "/teams", safe: true}
		if err := c.plain(ctx, c.follow, x); err != nil {
			return halfDone(err)
		}
	}
	if len(w.custom) == 0 {
		return nil
	}
	send := c.send
	if done {
		send = c.follow
	}
	if err := c.updateCustom(ctx, send, u.Anchor, w.custom); err != nil {
		if done {
			return halfDone(err)
		}
		return err
	}
	return nil
}

// leavesTeams tells whether an update takes a user out of all teams.
func (c *Client) leavesTeams(changes []connector.Change) bool {
	if !c.cfg.RemoveFromTeamsOnDisable {
		return false
	}
	for _, ch := range changes {
		if on, err := asFlag(ch.New); ch.Attr == fieldActive && (ch.Op == connector.Clear || err == nil && !on) {
			return true
		}
	}
	return false
}

// replace is the read and the write of an update. A field that the request left out would be emptied (U6), so everything
// that was read goes back, but for the sign-in address.
func (c *Client) replace(ctx context.Context, k *kind, path, name, id string, changes []connector.Change) error {
	r, _, _, err := c.fetch(ctx, c.send, path, id, name)
	if err != nil {
		return err
	}
	x := &exchange{method: http.MethodPut, path: path, safe: true}
	set := make(identity.Attrs, 0, len(changes))
	for _, ch := range changes {
		u, ok := k.use(ch.Attr)
		if !ok || u.field.readOnly {
			return invalid(x.name(), fmt.Errorf("litmos has no attribute %s that can be written", ch.Attr))
		}
		var v any
		if ch.Op != connector.Clear {
			v = ch.New
		}
		wired, err := u.field.wire(v)
		if err != nil {
			return invalid(x.name(), err)
		}
		if r.set(u.field.name, wired); u.field.name == fieldUserName {
			r.set(fieldCustom, !strings.Contains(asText(wired), "@"))
		}
		set = append(set, identity.Attr{Name: ch.Attr, Value: v})
	}
	if x.body, err = c.write(r.arranged(k.fields), name); err != nil {
		return invalid(x.name(), err)
	}
	resp, err := c.follow(ctx, x)
	if err != nil {
		return err
	}
	if resp.Status/100 == 2 {
		return nil
	}
	e := c.fail(x, resp)
	if e.Kind == connector.KindNotFound {
		// It was there a moment ago: what is not found is the manager that is to be set (section 2.3).
		if _, sets := set.Get(fieldManager); sets {
			e.Kind, e.Code = connector.KindInvalid, connector.CodeUnprocessable
			e.Hint = "the manager's account is not in Litmos any more"
		}
	}
	tooLong(e, k.fields, set)
	return e
}

// plain makes a call whose answer says nothing but that it worked.
func (a *api) plain(ctx context.Context, send caller, x *exchange) error {
	resp, err := send(ctx, x)
	if err != nil {
		return err
	}
	if resp.Status/100 != 2 {
		return a.fail(x, resp)
	}
	return nil
}
