package mapping

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Value is what one mapping gives for one object. Nil with Ignored false means "no value" (engine.R63).
type Value struct {
	Index   int            // of the mapping in its set
	Value   any            // not for reference mappings
	Refs    []identity.Ref // for reference mappings: the source objects referred to, in order, without repetition
	Ignored bool           // the mapping does nothing for this object (expressions section 8)
}

// Context is what an evaluation may use beside the object.
type Context struct {
	Now           func() time.Time
	Rand          io.Reader // of Guid and RandomString; without it they fail
	DefaultDomain string
}

// Result is the outcome of all mappings for one object.
type Result struct {
	Values       []Value
	Choices      []Choice // mappings whose value is still to be chosen; in Values they are ignored until then
	IgnoreObject bool     // the object is to be skipped in this cycle
}

// Settle puts a chosen value in the place of an open choice.
func Settle(values []Value, index int, v any) {
	for i := range values {
		if values[i].Index == index {
			values[i].Value, values[i].Ignored = v, false
		}
	}
}

// ErrManyValues is the cause of engine.R67: several values for a single-valued attribute.
var ErrManyValues = errors.New("several values for an attribute that takes one")

// Eval evaluates the mappings for an object. softDeleted is the value of [IsSoftDeleted]. With onlySoftDeleted just the
// mappings that name IsSoftDeleted are evaluated, for objects that are gone from the source (design 6.2).
// The error joins one error per mapping that failed; each names its target attribute.
func (s *Set) Eval(o *identity.Object, softDeleted, onlySoftDeleted bool, c Context) (Result, error) {
	env := expr.Env{Attributes: &view{object: o, softDeleted: softDeleted}, Now: c.Now, Rand: c.Rand, DefaultDomain: c.DefaultDomain}
	res := Result{Values: make([]Value, 0, len(s.Mappings))}
	var errs []error
	for i := range s.Mappings {
		m := &s.Mappings[i]
		if onlySoftDeleted && !m.NamesSoftDeleted {
			continue
		}
		v := Value{Index: i}
		if err := m.eval(&v, o, &env, &res); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.Target, err))
			continue
		}
		res.Values = append(res.Values, v)
	}
	return res, errors.Join(errs...)
}

func (m *Mapping) eval(v *Value, o *identity.Object, env *expr.Env, res *Result) error {
	if m.prog == nil {
		return nil
	}
	if raw, ok := m.direct(o); ok {
		v.Refs = references(raw)
		return nil
	}
	if m.Unique {
		c, open := m.choose(v.Index, env)
		if v.Ignored = open; open {
			res.Choices = append(res.Choices, c)
		}
		return nil
	}
	got, err := m.prog.Eval(env)
	if err != nil {
		return err
	}
	if sig, ok := got.(expr.Signal); ok {
		v.Ignored = true
		if sig == expr.IgnoreObject {
			res.IgnoreObject = true
		}
		return nil
	}
	if m.IsReference() {
		v.Refs = references(identity.Normal(got))
		return nil
	}
	v.Value, err = coerce(identity.Normal(got), m.Def)
	return err
}

// references brings a value to the list of objects it refers to. Text without a kind refers to a user.
func references(v any) []identity.Ref {
	var out []identity.Ref
	add := func(e any) {
		var r identity.Ref
		switch e := e.(type) {
		case identity.Ref:
			r = e
		case nil:
		default:
			r = identity.Ref{Kind: identity.User, Anchor: expr.Format(e)}
		}
		if r.Anchor != "" {
			out = append(out, r)
		}
	}
	if list, ok := v.([]any); ok {
		for _, e := range list {
			add(e)
		}
		slices.SortFunc(out, CompareRefs)
		return slices.Compact(out)
	}
	add(v)
	return out
}

// CompareRefs orders references by kind and anchor.
func CompareRefs(a, b identity.Ref) int {
	if c := strings.Compare(string(a.Kind), string(b.Kind)); c != 0 {
		return c
	}
	return strings.Compare(a.Anchor, b.Anchor)
}

// coerce brings a value to the type of the target attribute. An attribute whose type is unknown takes what comes.
func coerce(v any, def schema.Attribute) (any, error) {
	if list, ok := v.([]any); ok {
		if def.MultiValued {
			return coerceAll(list, def)
		}
		if len(list) > 1 {
			return nil, fmt.Errorf("%w: %d values; choose one with Item() or Join()", ErrManyValues, len(list))
		}
		v = list[0]
	}
	switch def.Type {
	case schema.Boolean:
		switch b := v.(type) {
		case string:
			switch {
			case strings.EqualFold(b, "true"):
				return true, nil
			case strings.EqualFold(b, "false"):
				return false, nil
			case b == "":
				return nil, nil
			}
			return nil, fmt.Errorf("%q is no Boolean; the expression should give True or False", b)
		case nil, bool:
			return b, nil
		}
		return nil, fmt.Errorf("a %s is no Boolean", expr.TypeName(v))
	case schema.Integer:
		if t, ok := v.(string); ok {
			if strings.TrimSpace(t) == "" {
				return nil, nil
			}
			n, err := strconv.ParseInt(strings.TrimSpace(t), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%q is no integer", t)
			}
			return n, nil
		}
		switch n := v.(type) {
		case nil, int64:
			return n, nil
		case float64:
			if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
				return int64(n), nil
			}
			return nil, fmt.Errorf("%s is no integer", expr.Format(n))
		}
		return nil, fmt.Errorf("a %s is no integer", expr.TypeName(v))
	case schema.DateTime:
		if t, ok := v.(time.Time); ok {
			return t.UTC().Format(time.RFC3339Nano), nil
		}
		return v, nil
	default: // text of some kind
	}
	switch t := v.(type) {
	case string:
		return def.Fit(t), nil
	case time.Time:
		return expr.Format(t), nil
	case bool, int64, float64:
		if def.Type == schema.String && !def.Untyped() {
			return def.Fit(expr.Format(t)), nil
		}
	}
	return v, nil
}

// coerceAll coerces the values of an attribute that takes several. Values that have become empty are left out.
func coerceAll(list []any, def schema.Attribute) (any, error) {
	def.MultiValued = false
	out := make([]any, 0, len(list))
	for _, e := range list {
		v, err := coerce(e, def)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// Fits tells whether a value can be written to an attribute: the error is the one that it would fail with.
func Fits(v any, def schema.Attribute) error {
	_, err := coerce(v, def)
	return err
}

// Typed gives a text of the configuration, such as a default, in the type of the target attribute, so that it compares
// equal to the same value from a source. A text that is none of that type stays as it is: the target may know it.
func (m *Mapping) Typed(text string) any {
	def := m.Def
	def.MultiValued = false
	if v, err := coerce(text, def); err == nil && v != nil {
		return v
	}
	return text
}

// Text gives a value as the text that is compared in matching.
func Text(v any) string {
	if v == nil {
		return ""
	}
	return expr.Format(v)
}

// view shows an object to expressions and filters with the attributes every source object has.
type view struct {
	object      *identity.Object
	softDeleted bool
}

// View shows an object to filters with the computed attributes but IsSoftDeleted, which depends on the filter.
func View(o *identity.Object) interface {
	Attr(name string) (any, bool)
} {
	return &view{object: o}
}

func (v *view) Attr(name string) (any, bool) {
	switch {
	case strings.EqualFold(name, IsSoftDeleted):
		return v.softDeleted, true
	case strings.EqualFold(name, AccountEnabled):
		if got, ok := v.object.Attr(name); ok {
			return got, true
		}
		return !v.object.Disabled, true
	case strings.EqualFold(name, ObjectID):
		return v.object.Anchor, true
	case strings.EqualFold(name, AppRoleAssignments):
		if v.object.Assignment == nil || len(v.object.Assignment.Roles) == 0 {
			return nil, false
		}
		list := make([]any, len(v.object.Assignment.Roles))
		for i, r := range v.object.Assignment.Roles {
			list[i] = map[string]any{"id": r.ID, "value": r.Value, "displayName": r.DisplayName}
		}
		return list, true
	}
	return Lookup(v.object.Attr, name)
}
