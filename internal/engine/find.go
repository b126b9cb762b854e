package engine

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Found is an object that a key names: a source anchor, a joining value, an e-mail address or the id of an account.
type Found struct {
	Rule        string        `json:"rule"`
	Kind        identity.Kind `json:"type"`
	Anchor      string        `json:"id"`
	DisplayName string        `json:"displayName,omitempty"`
	By          string        `json:"by"` // what of it the key is: "key", "account", or the name of an attribute
}

// What a key can be beside the value of an attribute.
const (
	byAnchor  = "key"
	byAccount = "account"
)

// KeyError says that a key does not name one object: none when Found is empty, else several.
type KeyError struct {
	Key   string
	Where string // where was looked, for people
	Found []Found
}

// Error tells what was found, and how to say which is meant.
func (e *KeyError) Error() string {
	if len(e.Found) == 0 {
		return fmt.Sprintf("%s has nobody with the key, joining value or e-mail address %q", e.Where, e.Key)
	}
	const most = 10
	var names []string
	for i, f := range e.Found {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(e.Found)-most))
			break
		}
		names = append(names, fmt.Sprintf("%s (rule %s, by %s)", f.Anchor, f.Rule, f.By))
	}
	return fmt.Sprintf("%q names several objects of %s: %s; give the key of one, or its rule", e.Key, e.Where, strings.Join(names, ", "))
}

// one returns the only object of a list.
func one(key, where string, found []Found) (Found, error) {
	if len(found) != 1 {
		return Found{}, &KeyError{Key: key, Where: where, Found: found}
	}
	return found[0], nil
}

// findInSource finds the objects of the source that a key names: by anchor, else by joining value, else by e-mail
// address. Anchors are asked for where the source answers that without reading everything; the rest takes one pass over
// it. only names one rule, "" for all.
func (c *cycle) findInSource(ctx context.Context, key, only string) ([]Found, error) {
	known, err := c.subject.Source.Schema(ctx)
	if err != nil {
		return nil, &jobFailure{reason: quarantineSource, op: "read the source", err: err}
	}
	var levels [3][]Found
	for _, r := range c.rules {
		if only != "" && r.def.Name != only {
			continue
		}
		if found, err := c.lookUp(ctx, r, key); err != nil {
			return nil, err
		} else if found {
			levels[0] = append(levels[0], Found{Rule: r.def.Name, Kind: r.def.From, Anchor: key, By: byAnchor})
		}
	}
	if len(levels[0]) > 0 {
		return levels[0], nil
	}
	for _, r := range c.rules {
		if only != "" && r.def.Name != only {
			continue
		}
		k, err := c.keys(r)
		if err != nil {
			return nil, err
		}
		if o, ok := known.Object(r.def.From); ok {
			for _, a := range o.Attributes {
				k.addMail(a.Name)
			}
		}
		for item, err := range c.subject.Source.Read(ctx, connector.ReadRequest{Kind: r.def.From, Attrs: k.attrs}) {
			if err != nil {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				return nil, &jobFailure{reason: quarantineSource, op: "read the source", err: err}
			}
			if item.Object == nil {
				continue
			}
			level, by := k.of(item.Object, key)
			f := Found{Rule: r.def.Name, Kind: r.def.From, Anchor: item.Object.Anchor, By: by}
			if level >= 0 && !slices.Contains(levels[level], f) {
				levels[level] = append(levels[level], f)
			}
		}
	}
	for _, found := range levels {
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, nil
}

// lookUp asks for an object by its anchor where that costs no pass over the source, which sources with a change feed
// can do.
func (c *cycle) lookUp(ctx context.Context, r *rule, anchor string) (bool, error) {
	_, feed := c.subject.Source.(connector.Feed)
	lookup, ok := c.subject.Source.(connector.Lookup)
	if !feed || !ok {
		return false, nil
	}
	for item, err := range lookup.Lookup(ctx, connector.ReadRequest{Kind: r.def.From}, []string{anchor}) {
		if err != nil {
			return false, sourceFailure(ctx, err)
		}
		return !item.Gone && item.Object != nil, nil
	}
	return false, nil
}

// keys tells what an object of a rule can be named by.
type keys struct {
	rule  *rule
	set   *mapping.Set // joining mappings only
	mails []string     // attributes with e-mail addresses
	attrs []string     // all that must be read
	ctx   mapping.Context
}

func (c *cycle) keys(r *rule) (*keys, error) {
	to, _ := c.subject.TargetSchema.Object(r.def.To)
	joining := slices.DeleteFunc(slices.Clone(r.def.Attributes), func(a mapping.Attribute) bool { return a.Match == 0 })
	set, err := mapping.Compile(joining, to)
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.def.Name, err)
	}
	k := &keys{rule: r, set: set, attrs: slices.Clone(set.Sources()), ctx: mapping.Context{Now: c.Now, Rand: c.Rand, DefaultDomain: c.subject.Def.Settings.DefaultDomain}}
	for _, a := range r.used {
		k.addMail(a)
	}
	return k, nil
}

func (k *keys) addMail(name string) {
	if !holdsMail(name) || slices.Contains(k.mails, name) {
		return
	}
	k.mails = append(k.mails, name)
	if !slices.Contains(k.attrs, name) {
		k.attrs = append(k.attrs, name)
	}
}

// holdsMail tells by its name whether an attribute holds an e-mail address of the person, and not, say, the manager's.
func holdsMail(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	if strings.Contains(plain, "manager") || strings.Contains(plain, "nickname") {
		return false
	}
	return strings.Contains(plain, "mail") || plain == "userprincipalname" || plain == "upn"
}

// of tells whether an object bears a key, and as what: 0 as its anchor, 1 as a joining value, 2 as an e-mail address;
// -1 for not at all.
func (k *keys) of(o *identity.Object, key string) (level int, by string) {
	if o.Anchor == key {
		return 0, byAnchor
	}
	res, err := k.set.Eval(o, false, false, k.ctx)
	if err == nil {
		for _, q := range questions(k.set, res.Values) {
			if k.rule.fold(q.Attr, q.Value) == k.rule.fold(q.Attr, key) {
				return 1, q.Attr
			}
		}
	}
	if !strings.Contains(key, "@") {
		return -1, ""
	}
	for _, name := range k.mails {
		v, _ := o.Attr(name)
		for _, text := range texts(v) {
			if strings.EqualFold(text, key) {
				return 2, name
			}
		}
	}
	return -1, ""
}

// texts lists the texts that a value consists of.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, texts(e)...)
		}
		return out
	}
	return nil
}

// findInState finds the objects that a key names among those that the state knows: by source anchor, else by account,
// else by a joining value or e-mail address that was written last (engine.R167).
func (c *cycle) findInState(ctx context.Context, key, only string) ([]Found, error) {
	var anchors, accounts, values []Found
	for _, r := range c.rules {
		if only != "" && r.def.Name != only {
			continue
		}
		known, err := c.Store.ObjectsByAnchor(ctx, c.subject.Job.ID, r.def.Name, []string{key})
		if err != nil {
			return nil, fmt.Errorf("rule %s: read known objects: %w", r.def.Name, err)
		}
		if _, ok := known[key]; ok {
			anchors = append(anchors, Found{Rule: r.def.Name, Kind: r.def.From, Anchor: key, By: byAnchor})
		}
		owners, err := c.Store.Owners(ctx, c.subject.Job.ID, r.def.Name, []string{key})
		if err != nil {
			return nil, fmt.Errorf("rule %s: read who an account belongs to: %w", r.def.Name, err)
		}
		if owner, ok := owners[key]; ok {
			accounts = append(accounts, Found{Rule: r.def.Name, Kind: r.def.From, Anchor: owner, By: byAccount})
		}
	}
	switch {
	case len(anchors) > 0:
		return anchors, nil
	case len(accounts) > 0:
		return accounts, nil
	}
	for _, r := range c.rules {
		if only != "" && r.def.Name != only {
			continue
		}
		for l, err := range c.links(ctx, r) {
			if err != nil {
				return nil, err
			}
			by, err := r.wroteAs(l, key)
			if err != nil {
				return nil, err
			}
			if by != "" {
				values = append(values, Found{Rule: r.def.Name, Kind: r.def.From, Anchor: l.Anchor, DisplayName: l.Name, By: by})
			}
		}
	}
	return values, nil
}

// links delivers the linked objects of a rule.
func (c *cycle) links(ctx context.Context, r *rule) iter.Seq2[store.Link, error] {
	return func(yield func(store.Link, error) bool) {
		for l, err := range c.Store.Links(ctx, c.subject.Job.ID, r.def.Name) {
			if err != nil {
				err = fmt.Errorf("rule %s: read links: %w", r.def.Name, err)
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

// wroteAs tells under which attribute a key was written last to the account of a link: a joining attribute, or one that
// holds e-mail addresses; "" for none.
func (r *rule) wroteAs(l store.Link, key string) (string, error) {
	cur, err := decodeProjection(store.Projection{ObjectKey: l.ObjectKey, Doc: l.Doc})
	if err != nil {
		return "", err
	}
	for _, attr := range r.joining() {
		if v := mapping.Text(cur.Values[attr]); v != "" && r.fold(attr, v) == r.fold(attr, key) {
			return attr, nil
		}
	}
	if !strings.Contains(key, "@") {
		return "", nil
	}
	for _, attr := range slices.Sorted(maps.Keys(cur.Values)) {
		if holdsMail(attr) && slices.ContainsFunc(texts(cur.Values[attr]), func(t string) bool { return strings.EqualFold(t, key) }) {
			return attr, nil
		}
	}
	return "", nil
}
