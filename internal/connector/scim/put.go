package scim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// A server without PATCH gets the whole resource (updateMethod: put, scim.R13): it is read, what changes is written into
// it, and what the server sent beside that goes back as it came, attributes that Rollcall does not know included.

// puts tells whether objects of a kind are updated by PUT.
func (c *Client) puts(k *kind) bool {
	if k.name == identity.Group {
		return c.cfg.GroupUpdateMethod == byPut
	}
	return c.cfg.UpdateMethod == byPut
}

// put reads a resource and writes it with the changes. Where the server tells versions, only the one that was read is
// overwritten (RFC 7644 section 3.14): when somebody else was faster, the resource is read once more.
func (c *Client) put(ctx context.Context, k *kind, u connector.Update) (*identity.Object, error) {
	o, failed, err := c.putOnce(ctx, k, u)
	if failed != nil && failed.outdated {
		o, failed, err = c.putOnce(ctx, k, u)
	}
	if failed == nil {
		return o, err
	}
	if failed.outdated {
		failed.err.Kind, failed.err.Code = connector.KindTemporary, connector.CodeConflict
		failed.err.Hint = "somebody else writes to it at the same time; it is tried again"
	}
	return nil, failed.err
}

func (c *Client) putOnce(ctx context.Context, k *kind, u connector.Update) (*identity.Object, *refusal, error) {
	resource, err := c.fetch(ctx, k, u.Anchor, url.Values{}) // with members, which would be lost otherwise
	if err != nil {
		return nil, nil, err
	}
	x := &exchange{method: http.MethodPut, path: k.itemPath(u.Anchor), safe: true}
	if c.cfg.ETag == etagAuto {
		x.match = tagOf(resource)
	}
	for _, ch := range u.Changes {
		if resource, err = c.apply(k, resource, ch); err != nil {
			return nil, nil, invalid(x.name(), err)
		}
	}
	c.whole(k, resource)
	x.body = resource
	o, failed := c.change(ctx, k, u.Anchor, x)
	return o, failed, nil
}

// entityTag is an entity tag, weak or strong (RFC 9110 section 8.8.3).
var entityTag = regexp.MustCompile(`^(W/)?"[\x21\x23-\x7e]*"$`)

// tagOf is the entity tag of a resource that was read, "" when the server tells none that can be sent back (RFC 7643
// section 3.1).
func tagOf(resource map[string]any) string {
	_, meta, _ := scim.Lookup(resource, "meta")
	m, _ := meta.(map[string]any)
	_, v, _ := scim.Lookup(m, "version")
	if version, ok := v.(string); ok && entityTag.MatchString(version) {
		return version
	}
	return ""
}

// apply writes one change into a resource.
func (c *Client) apply(k *kind, resource map[string]any, ch connector.Change) (map[string]any, error) {
	a, err := k.attribute(ch.Attr, c.cfg)
	if err != nil {
		return nil, err
	}
	var ops []scim.Operation
	switch ch.Op {
	case connector.Set, connector.Add:
		v, err := a.wire(ch.New)
		if err != nil {
			return nil, err
		}
		if a.reference && !a.members && a.path.SubAttribute == "" {
			if text, ok := v.(string); ok { // as in a create
				v = map[string]any{"value": text}
			}
		}
		op := scim.OpReplace
		if ch.Op == connector.Add {
			op = scim.OpAdd
		}
		if op == scim.OpReplace && !a.members {
			return resource, a.path.Set(resource, v)
		}
		ops = []scim.Operation{{Op: op, Path: a.path.String(), Value: v}}
	case connector.Clear:
		ops = []scim.Operation{{Op: scim.OpRemove, Path: a.path.String()}}
	case connector.Remove:
		for _, ref := range list(ch.New) {
			ops = append(ops, scim.Operation{Op: scim.OpRemove, Path: a.path.String() + "[value eq " + scim.Quote(anchorOf(ref)) + "]"})
		}
	default:
		return nil, fmt.Errorf("attribute %s: there is no operation %q", a.name, ch.Op)
	}
	for _, op := range ops {
		changed, err := scim.Apply(resource, []scim.Operation{op}, nil)
		var refused *scim.Error
		switch {
		case err == nil:
			resource = changed
		case op.Op == scim.OpRemove && errors.As(err, &refused) && refused.ScimType == scim.NoTarget: // it is not there
		default:
			return nil, fmt.Errorf("attribute %s: %w", a.name, err)
		}
	}
	return resource, nil
}

// whole makes a resource that was read one that may be written: without what is the server's own, and with the schemas of
// what it holds by now.
func (c *Client) whole(k *kind, resource map[string]any) {
	for name, v := range resource {
		switch known := defined(scim.Path{Attribute: name}); {
		case strings.EqualFold(name, "id"), strings.EqualFold(name, "meta"), strings.EqualFold(name, "groups"), known != nil && known.Mutability == scim.ReadOnly:
			delete(resource, name)
		default:
			dropReadOnly(known, v)
		}
		if strings.EqualFold(name, scim.EnterpriseUserURN) {
			extension, _ := v.(map[string]any)
			for sub, v := range extension {
				dropReadOnly(defined(scim.Path{Schema: name, Attribute: sub}), v)
			}
		}
	}
	key, schemas, _ := scim.Lookup(resource, "schemas")
	if key == "" {
		key = "schemas"
	}
	names, _ := schemas.([]any)
	if len(names) == 0 {
		names = []any{k.core}
	}
	for _, name := range slices.Sorted(maps.Keys(resource)) {
		if c.cfg.ExtensionInSchemas && strings.HasPrefix(strings.ToLower(name), "urn:") && !listed(names, name) {
			names = append(names, name)
		}
	}
	resource[key] = names
	if mails, v, ok := scim.Lookup(resource, "emails"); ok && c.cfg.PrimaryEmailRequired && k.name == identity.User {
		r := &record{fields: []field{{mails, tight(v)}}}
		primaryWorkMail(r, c.cfg.Dialect != Legacy)
		resource[mails] = loose(r.get(mails))
	}
}

// dropReadOnly takes from a complex value what is the server's own, such as the display name of a manager.
func dropReadOnly(a *scim.Attribute, v any) {
	if a == nil || a.Type != scim.Complex {
		return
	}
	for _, e := range list(v) {
		m, ok := e.(map[string]any)
		if !ok {
			continue
		}
		for name := range m {
			if sub := a.Sub(name); sub != nil && sub.Mutability == scim.ReadOnly {
				delete(m, name)
			}
		}
	}
}
