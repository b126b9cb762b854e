package scim

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// object makes an object of a resource, a record or a map, with the attributes that the job uses and the resource shows. References with
// several values are left out unless members is set (scim.R43).
func (c *Client) object(k *kind, resource any, members bool) *identity.Object {
	// The id is kept for long, and must not keep the whole answer, which it is a part of.
	o := &identity.Object{Kind: k.name, Anchor: strings.Clone(idOf(resource)), Attrs: make(identity.Attrs, 0, len(k.attrs))}
	for _, a := range k.attrs {
		if a.members && !members {
			if shown := valueOf(resource, a.path.Attribute); shown != nil && c.excludes() && !c.membersShown.Swap(true) {
				c.log.Warn("the target shows members although they were excluded; they are ignored", "attribute", a.name)
			}
			continue
		}
		if v := a.read(resource); v != nil {
			o.Attrs = append(o.Attrs, identity.Attr{Name: a.name, Value: v})
		}
	}
	return o
}

// read returns the value of an attribute in a resource, nil when it shows none.
func (a *attribute) read(resource any) any {
	found := a.find(resource)
	values := make([]any, 0, len(found))
	for _, v := range found {
		if v := a.value(v); v != nil {
			values = append(values, v)
		}
	}
	switch {
	case len(values) == 0:
		return nil
	case a.def.MultiValued:
		return values
	}
	return values[0]
}

// value brings what JSON delivers into the form of package identity.
func (a *attribute) value(v any) any {
	switch t := v.(type) {
	case *record, map[string]any:
		if !a.reference {
			return identity.Normal(loose(t))
		}
		for _, key := range []string{"value", "managerId"} { // the latter is Leapsome's
			if id := valueOf(t, key); id != nil {
				return a.ref(id)
			}
		}
		return nil
	case []any:
		return identity.Normal(loose(t))
	case string:
		if a.reference {
			return a.ref(t)
		}
		if a.boolean { // some servers answer "true" (scim.R57)
			switch strings.ToLower(t) {
			case "true":
				return true
			case "false":
				return false
			}
		}
	case float64:
		if a.reference {
			return a.ref(t)
		}
		if t == math.Trunc(t) && math.Abs(t) < 1<<53 {
			return int64(t)
		}
	}
	return identity.Normal(v)
}

// ref makes a reference of an id, nil of what is none.
func (a *attribute) ref(id any) any {
	text := idText(id)
	if text == "" {
		return nil
	}
	kind := a.def.References
	if kind == "" {
		kind = identity.User
	}
	return identity.Ref{Kind: kind, Anchor: text}
}

// idOf is the id of a resource, "" for none.
func idOf(resource any) string { return idText(valueOf(resource, "id")) }

// idText takes ids that a server writes as numbers too.
func idText(id any) string {
	switch id := id.(type) {
	case string:
		return id
	case float64:
		if id == math.Trunc(id) && math.Abs(id) < 1<<53 {
			return strconv.FormatInt(int64(id), 10)
		}
	}
	return ""
}

// holds tells whether a resource has a value that equals text under the attribute's case rule; folded tells whether it
// has one that differs in letter case only (scim.R52).
func (a *attribute) holds(resource any, text string) (equal, folded bool) {
	for _, v := range a.find(resource) {
		var have string
		switch v := a.value(v).(type) {
		case string:
			have = v
		case identity.Ref:
			have = v.Anchor
		case bool:
			have, text = strings.ToLower(textOfBool(v)), strings.ToLower(text)
		case int64:
			have = strconv.FormatInt(v, 10)
		case float64:
			have = strconv.FormatFloat(v, 'f', -1, 64)
		default:
			continue
		}
		switch {
		case have == text:
			return true, true
		case strings.EqualFold(have, text):
			folded = true
		}
	}
	return folded && !a.exact, folded
}

// usual and lenient read JSON as servers write it: names in any case (scim.R57), bytes that are no UTF-8, and, lenient
// only, names that come twice. Allowing those costs five times the time, so it is tried when the usual way fails.
var (
	usual   = json.JoinOptions(json.MatchCaseInsensitiveNames(true), jsontext.AllowInvalidUTF8(true))
	lenient = json.JoinOptions(usual, jsontext.AllowDuplicateNames(true))
)

// decode reads JSON into what v points to.
func decode(body []byte, v any) error {
	if err := json.Unmarshal(body, v, usual); err == nil {
		return nil
	}
	return json.Unmarshal(body, v, lenient)
}

// decodeAnswer reads a resource, as a record or a map; ok is false for what is no JSON object.
func decodeAnswer(body []byte) (resource any, ok bool) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, false
	}
	v, ok := readQuick(string(body))
	if !ok {
		v = nil // package json reads into an empty interface without reflection
		if err := decode(body, &v); err != nil {
			return nil, false
		}
	}
	return v, isObject(v)
}

// decodeResource is decodeAnswer with maps all through, for what is to be looked at more closely.
func decodeResource(body []byte) (resource map[string]any, ok bool) {
	v, ok := decodeAnswer(body)
	return mapOf(v), ok
}

// listAnswer is a ListResponse as servers send it.
type listAnswer struct {
	Schemas      []string `json:"schemas"`
	TotalResults *int     `json:"totalResults"`
	NextCursor   string   `json:"nextCursor"`
	Resources    []any    `json:"Resources"`
}

// resources are the resources as objects; what is no object is an object without an id.
func (l *listAnswer) resources() []map[string]any {
	out := make([]map[string]any, len(l.Resources))
	for i, r := range l.Resources {
		out[i], _ = r.(map[string]any)
	}
	return out
}

// decodeList reads a ListResponse; ok is false for anything else. The schema is not insisted on where totalResults or
// Resources show what it is.
func decodeList(body []byte) (list listAnswer, ok bool) {
	if err := decode(body, &list); err != nil {
		return listAnswer{}, false
	}
	for _, s := range list.Schemas {
		if strings.EqualFold(s, scim.ListResponseURN) {
			return list, true
		}
	}
	return list, list.TotalResults != nil && len(list.Schemas) == 0 || list.Resources != nil
}
