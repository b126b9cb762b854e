package litmos

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/identity"
)

func (c *Client) getTeam(ctx context.Context, k *kind, id string) (*identity.Object, error) {
	r, x, resp, err := c.fetch(ctx, c.send, teamPath(id), id, nameTeam)
	if err != nil {
		return nil, err
	}
	return c.shown(x, resp, k, r, nil)
}

// createTeam makes a team without members.
func (c *Client) createTeam(ctx context.Context, k *kind, obj *identity.Object) (*identity.Object, error) {
	x := &exchange{method: http.MethodPost, path: "/teams", at: web.Collection}
	r := &record{}
	for _, at := range obj.Attrs {
		u, ok := k.use(at.Name)
		switch {
		case !ok:
			return nil, invalid(x.name(), fmt.Errorf("litmos has no attribute %s of teams", at.Name))
		case u.ref != "":
			continue
		}
		v, err := u.field.wire(at.Value)
		if err != nil {
			return nil, invalid(x.name(), err)
		}
		r.set(u.field.name, v)
	}
	return c.post(ctx, k, x, r, obj.Attrs, nameTeam, fieldName)
}

// updateTeam writes name and description like those of a user, and members, leaders and administrators by calls of their
// own. Membership comes first: only members can lead.
func (c *Client) updateTeam(ctx context.Context, k *kind, u connector.Update) error {
	w := sortChanges(u.Changes)
	calls := 0
	if len(w.fields) > 0 {
		if err := c.replace(ctx, k, teamPath(u.Anchor), nameTeam, u.Anchor, w.fields); err != nil {
			return err
		}
		calls++
	}
	for _, pass := range []bool{true, false} { // members, then the others
		for _, ch := range w.refs {
			if (ch.Attr == refMembers) != pass {
				continue
			}
			if err := c.changeReferences(ctx, u.Anchor, ch, &calls); err != nil {
				return err
			}
		}
	}
	return nil
}

// changeReferences adds or removes members, leaders or administrators. calls counts what the update has done so far.
func (c *Client) changeReferences(ctx context.Context, team string, ch connector.Change, calls *int) error {
	ids, err := anchors(ch)
	if err != nil {
		return invalid("update team "+team, err)
	}
	send := func(x *exchange) error {
		how := c.send
		if *calls > 0 {
			how = c.follow
		}
		err := c.plain(ctx, how, x)
		if err == nil {
			*calls++
		}
		return err
	}
	failed := func(err error) error {
		if err != nil && *calls > 0 {
			return halfDone(err)
		}
		return err
	}
	switch {
	case ch.Op == connector.Add && ch.Attr == refMembers:
		return failed(c.addMembers(team, ids, send))
	case ch.Op == connector.Add:
		for _, id := range ids {
			if err := c.promote(team, ch.Attr, id, send); err != nil {
				return failed(err)
			}
		}
		return nil
	}
	for _, id := range ids {
		x := &exchange{method: http.MethodDelete, path: teamPath(team) + "/" + refPath(ch.Attr) + "/" + url.PathEscape(id), safe: true}
		err := send(x)
		if connector.KindOf(err) == connector.KindNotFound { // a member no more, or nobody: what was wanted
			*calls++
			continue
		}
		if err != nil {
			return failed(err)
		}
	}
	return nil
}

// addMembers adds users to a team. Those who are members already, and ids of nobody, are passed over by Litmos.
func (c *Client) addMembers(team string, ids []string, send func(*exchange) error) error {
	x := &exchange{method: http.MethodPost, path: teamPath(team) + "/users", query: c.mails(), safe: true}
	var err error
	if x.body, err = c.writeAll(idsOf(ids), nameUser); err != nil {
		return invalid(x.name(), err)
	}
	return send(x)
}

// promote makes a member leader or administrator. Litmos answers 404 for who is no member: then membership comes first.
func (c *Client) promote(team, role, id string, send func(*exchange) error) error {
	x := &exchange{method: http.MethodPut, path: teamPath(team) + "/" + refPath(role) + "/" + url.PathEscape(id), safe: true}
	err := send(x)
	if connector.KindOf(err) != connector.KindNotFound {
		return err
	}
	if err := c.addMembers(team, []string{id}, send); err != nil {
		return err
	}
	if err = send(x); connector.KindOf(err) == connector.KindNotFound {
		e := connector.AsError(err) // of the user, not of the team, which has just taken members
		e.Kind, e.Code, e.Hint = connector.KindInvalid, connector.CodeUnprocessable, "the user cannot be made a member of the team: the account may be gone or inactive"
	}
	return err
}

// refPath is where the references of a team are.
func refPath(attr string) string {
	if attr == refMembers {
		return "users"
	}
	return attr
}

// refMethods are the calls that a change of references takes.
func refMethods(ch connector.Change) []string {
	list, _ := ch.New.([]any)
	n, method := len(list), http.MethodDelete
	if ch.Op == connector.Add {
		if method = http.MethodPut; ch.Attr == refMembers {
			n, method = min(n, 1), http.MethodPost
		}
	}
	out := make([]string, n)
	for i := range out {
		out[i] = method
	}
	return out
}

// anchors are the ids that a change of references names.
func anchors(ch connector.Change) ([]string, error) {
	if ch.Op != connector.Add && ch.Op != connector.Remove {
		return nil, fmt.Errorf("%s can be added to and taken from, not set", ch.Attr)
	}
	list, _ := ch.New.([]any)
	out := make([]string, 0, len(list))
	for _, v := range list {
		ref, ok := v.(identity.Ref)
		if !ok || !isID(ref.Anchor) {
			return nil, fmt.Errorf("%s takes references to users", ch.Attr)
		}
		out = append(out, ref.Anchor)
	}
	return out, nil
}
