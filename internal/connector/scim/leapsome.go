package scim

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// The dialect leapsome is that of Leapsome's own description of its SCIM interface: an update is a part of the resource
// and no list of operations, with the user name always in it; a create takes fewer attributes than an update; members are
// added by a list, and taken away by a list of all that remain.

// takenByCreate tells whether Leapsome's create takes an attribute.
func takenByCreate(a *attribute) bool {
	switch strings.ToLower(a.path.Attribute) {
	case "username", "displayname", "title", "photos", "externalid":
		return a.core()
	case "name":
		return a.core() && !strings.EqualFold(a.path.SubAttribute, "formatted")
	}
	return false
}

// core tells whether an attribute stands in the resource itself.
func (a *attribute) core() bool { return a.path.Schema == "" || scim.IsCoreURN(a.path.Schema) }

// keptByLeapsome tells whether Leapsome keeps an attribute: of e-mail addresses it has the one for work alone.
func keptByLeapsome(a *attribute) bool {
	return !a.core() || !strings.EqualFold(a.path.Attribute, "emails") || slices.Contains(a.place.element, equality{"type", "work"})
}

// checkLeapsome refuses what cannot be done with a kind in the dialect.
func (k *kind) checkLeapsome() error {
	filterable := "userName"
	if k.name == identity.Group {
		filterable = "displayName"
	}
	for _, a := range k.joining {
		if !a.core() || !strings.EqualFold(a.path.Attribute, filterable) {
			return fmt.Errorf("attribute %s of %s: Leapsome finds objects by %s alone: match on that", a.name, k.name, filterable)
		}
	}
	for _, a := range k.attrs {
		if a.members && k.name == identity.User {
			return fmt.Errorf("attribute %s of %s: a reference with several values cannot be kept up to date in Leapsome: map one value", a.name, k.name)
		}
	}
	return nil
}

// createLeapsome makes an object, and writes what a create does not take right afterwards.
func (c *Client) createLeapsome(ctx context.Context, k *kind, obj *identity.Object) (*identity.Object, error) {
	x := &exchange{method: http.MethodPost, path: k.endpoint}
	now, later, err := c.portions(k, obj.Attrs)
	if err != nil {
		return nil, invalid(x.name(), err)
	}
	body, err := c.createBody(k, now)
	if err != nil {
		return nil, invalid(x.name(), err)
	}
	x.body = body
	rest := &record{}
	if name, ok := obj.Get(k.mustHave()); ok {
		err = c.partial(k, rest, k.mustHave(), name)
	}
	for _, attr := range later {
		if err == nil {
			err = c.partial(k, rest, attr.Name, attr.Value)
		}
	}
	if err != nil {
		return nil, invalid(x.name(), err)
	}
	made, err := c.post(ctx, k, obj, x)
	if err != nil || len(later) == 0 {
		return made, err
	}
	o, failed := c.change(ctx, k, made.Anchor, &exchange{method: http.MethodPatch, path: k.itemPath(made.Anchor), body: rest, safe: true})
	if failed == nil {
		return combined(made, o), nil
	}
	// The account is there: it is looked for, found, and gets the rest then.
	e := *failed.err
	e.MaybeDone, e.NotSent = true, false
	if e.Kind != connector.KindAuth && e.Kind != connector.KindRateLimited {
		e.Kind = connector.KindTemporary
	}
	e.Detail = "the account was made, and the rest of its values not written: " + e.Detail
	return nil, &e
}

// combined is what two answers about one object show, the later one where both do.
func combined(first, second *identity.Object) *identity.Object {
	if second == nil {
		return first
	}
	for _, a := range second.Attrs {
		first.Attrs.Set(a.Name, a.Value)
	}
	return first
}

// portions takes apart what a create takes and what has to follow. What Leapsome does not keep is in neither.
func (c *Client) portions(k *kind, attrs identity.Attrs) (now, later identity.Attrs, err error) {
	for _, attr := range attrs {
		a, err := k.attribute(attr.Name, c.cfg)
		switch {
		case err != nil:
			return nil, nil, err
		case identity.Empty(attr.Value), !keptByLeapsome(a):
		case takenByCreate(a):
			now = append(now, attr)
		default:
			later = append(later, attr)
		}
	}
	return now, later, nil
}

// partial writes a value into a partial resource; nil clears the attribute.
func (c *Client) partial(k *kind, body *record, name string, value any) error {
	a, err := k.attribute(name, c.cfg)
	if err != nil {
		return err
	}
	v, err := a.wire(value)
	if err != nil {
		return err
	}
	if ref, ok := v.(map[string]any); ok && a.reference { // a manager is a text here
		v = ref["value"]
	}
	if v == nil && a.place.element != nil { // a list of one
		body.inside(a.place.schema).set(a.place.name, []any{})
		return nil
	}
	if err := a.put(body, v); err != nil {
		return fmt.Errorf("attribute %s: %w", a.name, err)
	}
	primaryWorkMail(body, false)
	return nil
}

// mustHave is the attribute that every update of a kind carries.
func (k *kind) mustHave() string {
	if k.name == identity.Group {
		return "displayName"
	}
	return "userName"
}

// companions are the attributes that an update must carry beside those that change: the name of the object, and the
// other part of a person's name.
func (k *kind) companions(changes []connector.Change) []string {
	changed := func(name string) bool {
		return slices.ContainsFunc(changes, func(ch connector.Change) bool { return strings.EqualFold(ch.Attr, name) })
	}
	var out []string
	if !changed(k.mustHave()) {
		out = append(out, k.mustHave())
	}
	const given, family = "name.givenName", "name.familyName"
	switch {
	case k.name != identity.User:
	case changed(given) && !changed(family):
		out = append(out, family)
	case changed(family) && !changed(given):
		out = append(out, given)
	}
	return out
}

// knows tells whether all these values are known.
func knows(known map[string]any, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return identity.Empty(known[name]) })
}

// keptChanges are the changes of attributes that Leapsome keeps.
func (c *Client) keptChanges(k *kind, changes []connector.Change) []connector.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(ch connector.Change) bool {
		a, err := k.attribute(ch.Attr, c.cfg)
		return err == nil && !keptByLeapsome(a)
	})
}

// updateLeapsome writes changes. What an update must carry beside them is taken from what is known of the account, and
// read where it is not.
func (c *Client) updateLeapsome(ctx context.Context, k *kind, u connector.Update) (*identity.Object, error) {
	op := "PATCH " + k.itemPath(u.Anchor)
	changes := c.keptChanges(k, u.Changes)
	if len(changes) == 0 {
		return nil, nil
	}
	beside := k.companions(changes)
	known := u.Known
	if !knows(known, beside) {
		var err error
		if known, err = c.lookUp(ctx, k, u.Anchor, beside); err != nil {
			return nil, err
		}
	}
	body := &record{}
	for _, name := range beside {
		if err := c.partial(k, body, name, known[name]); err != nil {
			return nil, invalid(op, err)
		}
	}
	names := slices.Clone(body.fields)
	for _, ch := range changes {
		a, err := k.attribute(ch.Attr, c.cfg)
		switch {
		case err != nil:
		case a.members && len(changes) == 1:
			return nil, c.writeMembers(ctx, k, u.Anchor, ch, names)
		case a.members, ch.Op == connector.Remove:
			err = fmt.Errorf("attribute %s: members are changed in an update of their own", a.name)
		case ch.Op == connector.Clear:
			err = c.partial(k, body, ch.Attr, nil)
		default:
			err = c.partial(k, body, ch.Attr, ch.New)
		}
		if err != nil {
			return nil, invalid(op, err)
		}
	}
	o, failed := c.change(ctx, k, u.Anchor, &exchange{method: http.MethodPatch, path: k.itemPath(u.Anchor), body: body, safe: true})
	if failed != nil {
		return nil, failed.err
	}
	return o, nil
}

// lookUp reads some values of an object.
func (c *Client) lookUp(ctx context.Context, k *kind, anchor string, names []string) (map[string]any, error) {
	resource, err := c.get(ctx, k, anchor)
	if err != nil {
		return nil, err
	}
	known := make(map[string]any, len(names))
	for _, name := range names {
		a, err := k.attribute(name, c.cfg)
		if err != nil {
			return nil, invalid("GET "+k.itemPath(anchor), err)
		}
		known[name] = a.read(resource)
	}
	return known, nil
}

// writeMembers adds members, or replaces all of them. A list that is too long for one call begins with the call that
// replaces; until the last one is done, members are missing, which the error says.
func (c *Client) writeMembers(ctx context.Context, k *kind, anchor string, ch connector.Change, names []field) error {
	if ch.Op == connector.Remove {
		return invalid("PATCH "+k.itemPath(anchor), fmt.Errorf("attribute %s: Leapsome takes members away by the list of all that remain", ch.Attr))
	}
	replace := ch.Op == connector.Set
	write := func(ctx context.Context, _ connector.Change, refs []any) *refusal {
		members := make([]any, len(refs))
		for i, ref := range refs {
			members[i] = map[string]any{"value": anchorOf(ref)}
		}
		body := &record{fields: append(slices.Clone(names), field{"members", members}, field{"replaceMembers", replace})}
		_, failed := c.change(ctx, k, anchor, &exchange{method: http.MethodPatch, path: k.itemPath(anchor), body: body, safe: true})
		if failed == nil {
			replace = false
		}
		return failed
	}
	refs := list(ch.New)
	if len(refs) == 0 {
		if failed := write(ctx, ch, refs); failed != nil {
			return failed.err
		}
		return nil
	}
	h := halving{write: write}
	err := error(nil)
	for part := range slices.Chunk(refs, c.cfg.MemberBatch) {
		if err = h.send(ctx, ch, part); err != nil {
			break
		}
	}
	if err == nil {
		err = h.result()
	}
	if err != nil && ch.Op == connector.Set && !replace { // some of the list is there, and nothing of what was before
		e := *connector.AsError(err)
		e.MaybeDone, e.NotSent = true, false
		return &e
	}
	return err
}
