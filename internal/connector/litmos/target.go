package litmos

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// Client is a Litmos site as a target. Safe for concurrent use.
type Client struct {
	*api
	kinds map[identity.Kind]*kind
}

var (
	_ connector.Target = (*Client)(nil)
	_ connector.Lister = (*Client)(nil)
	_ connector.Tariff = (*Client)(nil)
)

// New makes a client. It reads the secrets and does not call the site. sites holds the allowances of all targets of the
// process; nil gives this client one of its own.
func New(cfg Config, env connector.Env, sites *httpx.Sites) (*Client, error) {
	a, err := newAPI(cfg, env, sites)
	if err != nil {
		return nil, err
	}
	c := &Client{api: a, kinds: map[identity.Kind]*kind{}}
	for _, use := range env.Uses {
		names := make([]string, len(use.Attributes))
		for i, at := range use.Attributes {
			names[i] = at.Name
		}
		k, err := newKind(cfg, use.Kind, names)
		if err != nil {
			return nil, err
		}
		c.kinds[use.Kind] = k
	}
	return c, nil
}

// Close closes idle connections. The client stays usable.
func (a *api) Close() error { return a.conn.Close() }

// kind is what is asked of objects of one kind.
type kind struct {
	name   identity.Kind
	fields []field  // all there are
	used   []use    // in the order asked for
	custom []string // names of advanced custom fields among used
	full   bool     // something is used that lists do not show
}

// use is one attribute that is asked for.
type use struct {
	name   string
	field  field
	custom string // name of the advanced custom field, "" for a field
	ref    string // members, leaders or admins, "" for a field
}

func newKind(cfg Config, name identity.Kind, attrs []string) (*kind, error) {
	k := &kind{name: name}
	switch name {
	case identity.User:
		k.fields = userFields()
	case identity.Group:
		k.fields = teamFields()
	default:
		return nil, invalid("use "+string(name), fmt.Errorf("litmos has no objects of type %q, only User and Group", name))
	}
	var unknown []string
	for _, attr := range attrs {
		u, ok := k.use(attr)
		switch {
		case !ok:
			unknown = append(unknown, attr)
			continue
		case u.custom != "" && cfg.CustomFields == customOff:
			return nil, invalid("use "+string(name), fmt.Errorf("the attribute %s is an advanced custom field, and the setting customFields is off", attr))
		case u.custom != "":
			k.custom = append(k.custom, u.custom)
		case u.ref == "" && !u.field.short:
			k.full = true
		}
		k.used = append(k.used, u)
	}
	if unknown != nil {
		return nil, invalid("use "+string(name), fmt.Errorf("litmos has no attribute %s of %s", strings.Join(unknown, ", "), name))
	}
	return k, nil
}

// use finds an attribute by its name.
func (k *kind) use(name string) (use, bool) {
	if custom, ok := strings.CutPrefix(name, customPrefix); ok && k.name == identity.User && custom != "" {
		return use{name: name, custom: custom}, true
	}
	if k.name == identity.Group && slices.Contains(teamReferences(), name) {
		return use{name: name, ref: name}, true
	}
	for _, f := range k.fields {
		if f.name == name && name != fieldID && name != fieldLoginKey {
			return use{name: name, field: f}, true
		}
	}
	return use{}, false
}

// hidden names the attributes in use that listings do not show.
func (k *kind) hidden() []string {
	var out []string
	for _, u := range k.used {
		if u.custom != "" || u.field.writeOnly || k.name == identity.Group && u.ref == "" && !u.field.short {
			out = append(out, u.name)
		}
	}
	return out
}

// object makes an object of a record, with the attributes that are used and the record shows. References with several
// values are never among them (scim.R43 says why: they are compared with what was written). custom may be nil.
func (k *kind) object(r, custom *record) (*identity.Object, error) {
	o := &identity.Object{Kind: k.name, Anchor: r.id(), Attrs: make(identity.Attrs, 0, len(k.used))}
	for _, u := range k.used {
		var v any
		switch {
		case u.ref != "" || u.field.writeOnly:
			continue
		case u.custom != "":
			if custom == nil {
				continue
			}
			if s := custom.text(u.custom); s != "" {
				v = s
			}
		default:
			shown, _ := r.get(u.field.name)
			var err error
			if v, err = u.field.value(shown); err != nil {
				return o, err
			}
		}
		if v != nil {
			o.Attrs = append(o.Attrs, identity.Attr{Name: u.name, Value: v})
		}
	}
	return o, nil
}

// shown is object for a target, where a value that cannot be read does not follow the interface.
func (c *Client) shown(x *exchange, resp *httpx.Response, k *kind, r, custom *record) (*identity.Object, error) {
	o, err := k.object(r, custom)
	if err != nil {
		return nil, c.broken(x, resp, err.Error(), notLitmos)
	}
	return o, nil
}

// Probe implements connector.Target with one call that needs nothing but a right to read (A6).
func (c *Client) Probe(ctx context.Context) (connector.Caps, error) {
	x := &exchange{method: http.MethodGet, path: "/users", query: url.Values{"limit": {"1"}}, at: web.Probe}
	resp, err := c.send(ctx, x)
	if err != nil {
		return connector.Caps{}, err
	}
	if resp.Status != http.StatusOK {
		return connector.Caps{}, c.fail(x, resp)
	}
	if _, err := c.many(x, resp, nameUser); err != nil {
		return connector.Caps{}, err
	}
	get := []string{http.MethodGet}
	read, update := get, []string{http.MethodGet, http.MethodPut}
	if k := c.kinds[identity.User]; k != nil && len(k.custom) > 0 {
		read = append(read, http.MethodGet)
	}
	return connector.Caps{
		List:               true,
		PageSize:           c.cfg.PageSize,
		MemberBatch:        c.cfg.MemberBatch,
		MembersApart:       true,
		ReferencesInCreate: true,
		ReadBeforeWrite:    c.cfg.ReadBeforeWrite,
		PerMinute:          c.cfg.Rate.PerMinute(),
		Concurrency:        c.cfg.Concurrency,
		Calls: map[connector.Operation][]string{
			connector.OpProbe:  get,
			connector.OpList:   get,
			connector.OpFind:   get,
			connector.OpGet:    read,
			connector.OpCreate: {http.MethodPost},
			connector.OpUpdate: update,
			connector.OpDelete: {http.MethodDelete},
		},
	}, nil
}

// Cost implements connector.Tariff.
func (c *Client) Cost(op connector.Operation, kind identity.Kind, changes []connector.Change) []string {
	w := sortChanges(changes)
	switch op {
	case connector.OpCreate:
		calls := []string{http.MethodPost}
		if len(w.custom) > 0 {
			calls = append(calls, http.MethodPost)
		}
		return calls
	case connector.OpUpdate:
		var calls []string
		if len(w.fields) > 0 {
			calls = append(calls, http.MethodGet, http.MethodPut)
			if kind == identity.User && c.leavesTeams(w.fields) {
				calls = append(calls, http.MethodDelete)
			}
		}
		if len(w.custom) > 0 {
			calls = append(calls, http.MethodGet, http.MethodPost)
		}
		for _, ch := range w.refs {
			calls = append(calls, refMethods(ch)...)
		}
		return calls
	case connector.OpDelete:
		return []string{http.MethodDelete}
	case connector.OpGet:
		if k := c.kinds[kind]; k != nil && len(k.custom) > 0 {
			return []string{http.MethodGet, http.MethodGet}
		}
	case connector.OpProbe, connector.OpList, connector.OpFind:
	}
	return []string{http.MethodGet}
}

// Batch implements connector.Tariff: members are added together, everything else is one call each (T2, T3).
func (c *Client) Batch(_ identity.Kind, attr string, op connector.Op) int {
	if attr == refMembers && op == connector.Add {
		return c.cfg.MemberBatch
	}
	return 1
}

// writes are the changes of one update, by the calls they need.
type writes struct {
	fields []connector.Change
	custom []connector.Change
	refs   []connector.Change
}

func sortChanges(changes []connector.Change) writes {
	var w writes
	for _, ch := range changes {
		switch {
		case strings.HasPrefix(ch.Attr, customPrefix):
			w.custom = append(w.custom, ch)
		case slices.Contains(teamReferences(), ch.Attr):
			w.refs = append(w.refs, ch)
		default:
			w.fields = append(w.fields, ch)
		}
	}
	return w
}

// Get implements connector.Target.
func (c *Client) Get(ctx context.Context, kind identity.Kind, anchor string) (*identity.Object, error) {
	k, err := c.kindAnd(kind, anchor, "get")
	if err != nil {
		return nil, err
	}
	if k.name == identity.Group {
		return c.getTeam(ctx, k, anchor)
	}
	return c.getUser(ctx, c.send, k, anchor)
}

// Create implements connector.Target. Members are not part of a create: the result does not show them, and they are sent
// as an update.
func (c *Client) Create(ctx context.Context, obj *identity.Object) (*identity.Object, error) {
	k, err := c.kindOf(obj.Kind, "create")
	if err != nil {
		return nil, err
	}
	if k.name == identity.Group {
		return c.createTeam(ctx, k, obj)
	}
	return c.createUser(ctx, k, obj)
}

// Update implements connector.Target. It returns nothing: the answers have no body.
func (c *Client) Update(ctx context.Context, u connector.Update) (*identity.Object, error) {
	k, err := c.kindAnd(u.Kind, u.Anchor, "update")
	if err != nil {
		return nil, err
	}
	if k.name == identity.Group {
		return nil, c.updateTeam(ctx, k, u)
	}
	return nil, c.updateUser(ctx, k, u)
}

// Delete implements connector.Target. 403 is also the answer for an id that is unknown (section 7), so whether the
// object is gone is asked before it is believed.
func (c *Client) Delete(ctx context.Context, kind identity.Kind, anchor string) error {
	k, err := c.kindAnd(kind, anchor, "delete")
	if err != nil {
		return err
	}
	path := userPath(anchor)
	if k.name == identity.Group {
		path = teamPath(anchor)
	}
	x := &exchange{method: http.MethodDelete, path: path, safe: true}
	resp, err := c.send(ctx, x)
	if err != nil {
		return err
	}
	switch resp.Status {
	case http.StatusOK, http.StatusNoContent, http.StatusAccepted, http.StatusNotFound, http.StatusGone:
		return nil
	case http.StatusForbidden:
		asked := &exchange{method: http.MethodGet, path: path, safe: true}
		if there, err := c.follow(ctx, asked); err == nil && there.Status == http.StatusNotFound {
			return nil
		}
	}
	return c.fail(x, resp)
}

func (c *Client) kindOf(name identity.Kind, op string) (*kind, error) {
	if k := c.kinds[name]; k != nil {
		return k, nil
	}
	return nil, invalid(op+" "+string(name), fmt.Errorf("no rule of the job writes objects of type %q", name))
}

// kindAnd also refuses anchors that would lead to another object than they name.
func (c *Client) kindAnd(name identity.Kind, anchor, op string) (*kind, error) {
	k, err := c.kindOf(name, op)
	if err == nil && !isID(anchor) {
		err = invalid(op+" "+string(name), fmt.Errorf("%q is no id of Litmos", anchor))
	}
	return k, err
}

// isID tells whether a text can stand for one object in a path.
func isID(s string) bool { return s != "" && s != "." && s != ".." }
