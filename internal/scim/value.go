package scim

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// containsFold reports whether list holds s without regard to case.
func containsFold(list []string, s string) bool {
	for _, e := range list {
		if strings.EqualFold(e, s) {
			return true
		}
	}
	return false
}

// Clone copies a JSON value with everything below it.
func Clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneObject(v)
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = Clone(e)
		}
		return c
	}
	return v
}

func cloneObject(object map[string]any) map[string]any {
	c := make(map[string]any, len(object))
	for k, v := range object {
		c[k] = Clone(v)
	}
	return c
}

// EqualValues reports whether two JSON values are the same. Names of attributes compare without regard to case, null
// is the same as absent, numbers compare by value, texts exactly.
func EqualValues(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && containsAll(a, b) && containsAll(b, a)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !EqualValues(a[i], b[i]) {
				return false
			}
		}
		return true
	case string:
		b, ok := b.(string)
		return ok && a == b
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case nil:
		return b == nil
	}
	x, ok := asNumber(a)
	y, ok2 := asNumber(b)
	return ok && ok2 && x == y
}

// containsAll reports whether every value of a is in b.
func containsAll(a, b map[string]any) bool {
	for k, v := range a {
		if v == nil {
			continue
		}
		if _, w, ok := Lookup(b, k); !ok || !EqualValues(v, w) {
			return false
		}
	}
	return true
}

// withoutNulls copies a value whose type is not known, leaving out null; nil if nothing remains.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, e := range v {
			if e = withoutNulls(e); e != nil {
				c[k] = e
			}
		}
		if len(c) == 0 {
			return nil
		}
		return c
	case []any:
		c := make([]any, 0, len(v))
		for _, e := range v {
			if e = withoutNulls(e); e != nil {
				c = append(c, e)
			}
		}
		if len(c) == 0 {
			return nil
		}
		return c
	}
	return v
}

// reader brings values into the form their definition wants.
type reader struct {
	strict bool
	// keepReadOnly leaves read-only sub-attributes in; clients' values for them are dropped otherwise
	// (RFC 7644 section 3.3).
	keepReadOnly bool
	// wrap takes one element for a list of one, which PATCH allows in any case.
	wrap bool
}

// at reads a value as value does and puts the path in front of the detail of an error.
func (r reader) at(path Path, a *Attribute, v any) (any, *Error) {
	v, err := r.value(a, v)
	return v, err.within(path.String)
}

// within puts in front of the detail where the value is; the parts are put together only when there is an error.
func (e *Error) within(where func() string) *Error {
	if e != nil {
		e.Detail = where() + e.Detail
	}
	return e
}

// value reads a value of an attribute, nil definition: any type. The result shares nothing with v. It is nil
// when nothing is assigned: null, empty lists and objects (RFC 7643 section 2.5). The detail of an error begins
// after the name of the attribute.
func (r reader) value(a *Attribute, v any) (any, *Error) {
	if a == nil {
		return withoutNulls(v), nil
	}
	elements, isList := v.([]any)
	switch {
	case v == nil:
		return nil, nil
	case !a.MultiValued && isList:
		if r.strict || len(elements) > 1 {
			return nil, badRequest(InvalidValue, " takes one value, not a list")
		}
		if len(elements) == 0 {
			return nil, nil
		}
		return r.single(a, elements[0])
	case !a.MultiValued:
		return r.single(a, v)
	case !isList && r.strict && !r.wrap:
		return nil, badRequest(InvalidValue, " takes a list of values")
	case !isList:
		elements = []any{v}
	}
	c := make([]any, 0, len(elements))
	for i, e := range elements {
		e, err := r.single(a, e)
		if err != nil {
			return nil, err.within(func() string { return "[" + strconv.Itoa(i) + "]" })
		}
		if e != nil {
			c = append(c, e)
		}
	}
	if len(c) == 0 {
		return nil, nil
	}
	return c, nil
}

// single reads one value of an attribute, or one element of its list.
func (r reader) single(a *Attribute, v any) (any, *Error) {
	if v == nil {
		return nil, nil
	}
	wrong := func(want string) (any, *Error) {
		return nil, badRequest(InvalidValue, " must be %s", want)
	}
	switch a.Type {
	case Complex:
		return r.complex(a, v)
	case Boolean:
		b, ok := v.(bool)
		if !ok && !r.strict {
			b, ok = asBool(v) // "True" and "False" of older clients, vectors P-05
		}
		if !ok {
			return wrong("true or false")
		}
		return b, nil
	case Integer, Decimal:
		n, ok := asNumber(v)
		if s, isText := v.(string); isText && !r.strict {
			n, ok = asNumber(json.Number(s))
		}
		if !ok || math.IsInf(n, 0) {
			return wrong("a number")
		}
		if a.Type == Integer && n != math.Trunc(n) {
			return wrong("a whole number")
		}
		if s, isText := v.(string); isText {
			return json.Number(s), nil
		}
		return v, nil
	default: // a text of some form
	}
	s, ok := v.(string)
	if !ok {
		return wrong("a text")
	}
	switch a.Type {
	case DateTime:
		if _, ok := asTime(s); !ok {
			return wrong("a time such as 2008-01-23T04:56:22Z")
		}
	case Binary:
		if _, err := base64.StdEncoding.DecodeString(s); err != nil {
			if _, err := base64.URLEncoding.DecodeString(s); err != nil {
				return wrong("base64 text")
			}
		}
	default: // any text
	}
	return s, nil
}

func (r reader) complex(a *Attribute, v any) (any, *Error) {
	object, ok := v.(map[string]any)
	if !ok {
		if _, isList := v.([]any); isList || r.strict || a.Sub("value") == nil {
			return nil, badRequest(InvalidValue, " must be an object")
		}
		// A bare value stands for {"value": …}; the reference client sends manager so (scim.R35).
		object = map[string]any{"value": v}
	}
	c := make(map[string]any, len(object))
	for k, e := range object {
		s := a.Sub(k)
		if s == nil && r.strict {
			return nil, badRequest(InvalidSyntax, " has no sub-attribute %s", k)
		}
		name := k
		if s != nil {
			if s.Mutability == ReadOnly && !r.keepReadOnly {
				continue
			}
			name = s.Name
		}
		read, err := r.value(s, e)
		if err != nil {
			return nil, err.within(func() string { return "." + name })
		}
		if read != nil {
			c[name] = read
		}
	}
	if len(c) == 0 {
		return nil, nil
	}
	return c, nil
}
