package litmos

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// maxSearch is the longest text that search takes, in characters.
const maxSearch = 50

// certainlyAll is how many objects of a page that asked for more are all there are: fewer than half of the page that is
// given when none is asked for. A server was seen to give slightly fewer than it was asked for (U1), not half.
const certainlyAll = 50

// Find implements connector.Target. There is no exact filter (U2): a user name that survives in a path is looked up there,
// other values are searched for as parts of texts, and what was found is compared. Case does not matter in user names,
// addresses and names of teams. Attributes that search does not look at are found by reading the whole list.
func (c *Client) Find(ctx context.Context, kind identity.Kind, attr, value string, limit int) ([]*identity.Object, error) {
	k, err := c.kindOf(kind, "find")
	if err != nil {
		return nil, err
	}
	u, ok := k.use(attr)
	switch {
	case !ok || u.ref != "" || u.custom != "" || u.field.writeOnly:
		return nil, &connector.Error{Kind: connector.KindUnsupported, Op: "find " + string(kind), Code: connector.CodeUnprocessable, NotSent: true,
			Detail: fmt.Sprintf("Litmos cannot be searched for %s", attr), Hint: "match on UserName, Email or ExternalEmployeeId, and teams on Name"}
	case value == "" || limit <= 0:
		return nil, nil
	case attr == fieldUserName && survives(value):
		found, certain, err := c.byName(ctx, k, value)
		if certain || err != nil {
			return found, err
		}
	}
	// The short form has what is compared, but for the name of a company.
	if u.field.search && u.field.short {
		return c.search(ctx, c.send, k, attr, value, limit)
	}
	return c.scan(ctx, k, u.field, value, limit)
}

// survives tells whether a user name certainly reaches the server within a path: dots, pluses and slashes may not (U2).
func survives(name string) bool {
	for _, r := range name {
		if r > 0x7f || r != '-' && r != '_' && r != '@' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}

// byName looks a user up by name. An id stands in the same place, so an answer about somebody else is no answer.
func (c *Client) byName(ctx context.Context, k *kind, name string) (found []*identity.Object, certain bool, err error) {
	x := &exchange{method: http.MethodGet, path: userPath(name), safe: true, op: "GET /users/{userName}"}
	resp, err := c.send(ctx, x)
	switch {
	case err != nil:
		return nil, false, err
	case resp.Status == http.StatusNotFound:
		return nil, true, nil
	case resp.Status != http.StatusOK:
		return nil, false, c.fail(x, resp)
	}
	r, err := c.one(x, resp, nameUser)
	if err != nil {
		return nil, false, err
	}
	if r.id() == "" || !strings.EqualFold(r.text(fieldUserName), name) {
		return nil, false, nil
	}
	var custom *record
	if len(k.custom) > 0 {
		if custom, err = c.customOf(ctx, c.follow, r.id()); err != nil {
			return nil, false, err
		}
	}
	o, err := c.shown(x, resp, k, r, custom)
	if err != nil {
		return nil, false, err
	}
	return []*identity.Object{o}, true, nil
}

// search asks for objects with a text in them and returns those whose attribute equals the value, with all attributes in
// use.
func (c *Client) search(ctx context.Context, send caller, k *kind, attr, value string, limit int) ([]*identity.Object, error) {
	path, name := "/users", nameUser
	if k.name == identity.Group {
		path, name = "/teams", nameTeam
	}
	var hits []string
	objects := map[string]*identity.Object{}
	for start := 0; ; {
		x := &exchange{method: http.MethodGet, path: path, safe: true, at: web.Collection, op: "GET " + path + "?search",
			query: url.Values{"search": {cut(value)}, "start": {strconv.Itoa(start)}, "limit": {strconv.Itoa(c.cfg.PageSize)}}}
		resp, err := send(ctx, x)
		if err != nil {
			return nil, err
		}
		if resp.Status != http.StatusOK {
			return nil, c.fail(x, resp)
		}
		page, err := c.many(x, resp, name)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			id := r.id()
			if id == "" {
				return nil, c.broken(x, resp, "an object in the answer has no Id", notLitmos)
			}
			if objects[id] != nil || !strings.EqualFold(r.text(attr), value) {
				continue
			}
			o, err := c.shown(x, resp, k, r, nil)
			if err != nil {
				return nil, err
			}
			objects[id] = o
			hits = append(hits, id)
		}
		if len(hits) >= limit || len(page) < certainlyAll && len(page) < c.cfg.PageSize {
			break
		}
		start += len(page)
		if len(page) == 0 {
			break
		}
	}
	return c.complete(ctx, k, hits[:min(limit, len(hits))], objects)
}

// complete reads what the short form does not show.
func (c *Client) complete(ctx context.Context, k *kind, ids []string, short map[string]*identity.Object) ([]*identity.Object, error) {
	out := make([]*identity.Object, 0, len(ids))
	for _, id := range ids {
		o := short[id]
		if k.full || len(k.custom) > 0 {
			var err error
			if k.name == identity.Group {
				o, err = c.getTeam(ctx, k, id)
			} else {
				o, err = c.getUser(ctx, c.follow, k, id)
			}
			if connector.KindOf(err) == connector.KindNotFound { // gone since
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// cut is the beginning of a text that search takes: what has the text in it has its beginning in it.
func cut(s string) string {
	r := []rune(s)
	return string(r[:min(len(r), maxSearch)])
}

// scan reads the whole list.
func (c *Client) scan(ctx context.Context, k *kind, f field, value string, limit int) ([]*identity.Object, error) {
	if k.name == identity.Group {
		return nil, &connector.Error{Kind: connector.KindUnsupported, Op: "find Group", Code: connector.CodeUnprocessable, NotSent: true,
			Detail: "Litmos cannot be searched for " + f.name, Hint: "match teams on Name"}
	}
	var hits []string
	objects := map[string]*identity.Object{}
	l := c.allUsers(true)
	for start := 0; len(hits) < limit; {
		page, err := c.page(ctx, c.send, l, start)
		if err != nil {
			return nil, err
		}
		if len(page.records) == 0 {
			break
		}
		for _, r := range page.records {
			if have := r.text(f.name); have != value && !(f.fold && strings.EqualFold(have, value)) || objects[r.id()] != nil {
				continue
			}
			o, err := c.shown(page.exchange, page.resp, k, r, nil)
			if err != nil {
				return nil, err
			}
			objects[o.Anchor] = o
			hits = append(hits, o.Anchor)
		}
		start += len(page.records)
	}
	hits = hits[:min(limit, len(hits))]
	if len(k.custom) > 0 {
		return c.complete(ctx, k, hits, objects)
	}
	out := make([]*identity.Object, len(hits))
	for i, id := range hits {
		out[i] = objects[id]
	}
	return out, nil
}
