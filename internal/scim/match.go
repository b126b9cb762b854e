package scim

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// test decides about a resource, or about an element of a list within brackets.
type test func(node any) bool

// Predicate decides about resources.
type Predicate func(resource map[string]any) bool

// Compile checks a filter against a definition (nil: the built-in ones) and prepares it for many resources.
// Errors are as for Filter.Match. The predicate may be used from several goroutines.
func Compile(f Filter, def *Definition) (Predicate, error) {
	t, err := f.compile(scope{def: def.orBuiltin()})
	if err != nil {
		return nil, err
	}
	return func(resource map[string]any) bool { return t(resource) }, nil
}

func match(f Filter, resource map[string]any, def *Definition) (bool, error) {
	p, err := Compile(f, def)
	if err != nil {
		return false, err
	}
	return p(resource), nil
}

// Match implements Filter.
func (f *Logical) Match(r map[string]any, def *Definition) (bool, error) { return match(f, r, def) }

// Match implements Filter.
func (f *Not) Match(r map[string]any, def *Definition) (bool, error) { return match(f, r, def) }

// Match implements Filter.
func (f *Compare) Match(r map[string]any, def *Definition) (bool, error) { return match(f, r, def) }

// Match implements Filter.
func (f *Has) Match(r map[string]any, def *Definition) (bool, error) { return match(f, r, def) }

// scope says what attribute names mean: attributes of a resource, or sub-attributes of an element.
type scope struct {
	def      *Definition
	element  bool
	parent   *Attribute // of the element; nil if unknown
	fallback ErrorType  // error type; InvalidFilter when empty
}

func (s scope) errorType() ErrorType {
	if s.fallback == "" {
		return InvalidFilter
	}
	return s.fallback
}

func (s scope) locate(p Path) (target, error) {
	if !s.element {
		return s.def.target(p, s.errorType())
	}
	t := target{name: p.Attribute, sub: p.SubAttribute}
	if s.parent != nil {
		if t.attr = s.parent.Sub(p.Attribute); t.attr == nil && s.def.strict &&
			!(s.parent.Type != Complex && strings.EqualFold(p.Attribute, "value")) {
			return t, badRequest(s.errorType(), "%s: %s has no sub-attribute %s", p, s.parent.Name, p.Attribute)
		}
	}
	if t.attr == nil {
		t.attr = usualSub(p.Attribute)
	}
	if s.def.strict && p.SubAttribute != "" {
		return t, badRequest(s.errorType(), "%s: sub-attributes have no sub-attributes", p)
	}
	return t, nil
}

// target is a path found in a definition.
type target struct {
	urn     string     // key of the extension's object; empty: the resource itself
	name    string     // attribute, as defined if known
	sub     string     // sub-attribute, as defined if known; empty if none
	attr    *Attribute // nil if unknown
	subAttr *Attribute // nil if unknown or none
	filter  test       // on elements; nil if none
}

func (d *Definition) target(p Path, onError ErrorType) (target, error) {
	t, err := d.locate(p, onError)
	if err != nil {
		return t, err
	}
	if p.Filter != nil {
		if t.attr != nil && !t.attr.MultiValued && d.strict {
			return t, badRequest(onError, "%s: %s has one value only, brackets select from many", p, t.attr.Name)
		}
		t.filter, err = p.Filter.compile(scope{def: d, element: true, parent: t.attr, fallback: onError})
	}
	return t, err
}

// visit calls yield for every value the target has in node, until yield returns false. Lists are taken apart,
// null is left out.
func (t *target) visit(node any, yield func(any) bool) {
	object, ok := node.(map[string]any)
	if !ok {
		// An element that is a simple value is its own "value" (RFC 7643 section 2.4).
		if t.urn == "" && strings.EqualFold(t.name, "value") && node != nil {
			yield(node)
		}
		return
	}
	if t.urn != "" {
		_, v, _ := Lookup(object, t.urn)
		if object, ok = v.(map[string]any); !ok {
			return
		}
	}
	_, v, _ := Lookup(object, t.name)
	each(v, func(element any) bool {
		if t.filter != nil && !t.filter(element) {
			return true
		}
		if t.sub == "" {
			return yield(element)
		}
		m, ok := element.(map[string]any)
		if !ok {
			if strings.EqualFold(t.sub, "value") {
				return yield(element)
			}
			return true
		}
		_, sv, _ := Lookup(m, t.sub)
		return each(sv, yield)
	})
}

// each takes a value apart: a list element by element, anything else as one, null as none.
func each(v any, yield func(any) bool) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		for _, e := range v {
			if e != nil && !yield(e) {
				return false
			}
		}
		return true
	}
	return yield(v)
}

func (f *Logical) compile(s scope) (test, error) {
	left, err := f.Left.compile(s)
	if err != nil {
		return nil, err
	}
	right, err := f.Right.compile(s)
	if err != nil {
		return nil, err
	}
	if f.Or {
		return func(n any) bool { return left(n) || right(n) }, nil
	}
	return func(n any) bool { return left(n) && right(n) }, nil
}

func (f *Not) compile(s scope) (test, error) {
	inner, err := f.Filter.compile(s)
	if err != nil {
		return nil, err
	}
	return func(n any) bool { return !inner(n) }, nil
}

func (f *Has) compile(s scope) (test, error) {
	t, err := s.locate(f.Path)
	if err != nil {
		return nil, err
	}
	return func(n any) bool {
		found := false
		t.visit(n, func(any) bool { found = true; return false })
		return found
	}, nil
}

func (f *Compare) compile(s scope) (test, error) {
	t, err := s.locate(f.Path)
	if err != nil {
		return nil, err
	}
	if f.Operator == Present || f.Value == nil {
		return f.compilePresence(t, s)
	}
	kind := t.attr
	if t.sub != "" {
		kind = t.subAttr
	}
	if kind != nil && kind.Type == Complex {
		value := kind.Sub("value")
		if value == nil {
			return nil, badRequest(s.errorType(), "%s: a complex attribute is compared by a sub-attribute; name one of them", f)
		}
		kind = value
	}
	compare, err := comparison(kind, f, s.errorType())
	if err != nil {
		return nil, err
	}
	return func(n any) bool {
		matched, found := false, false
		t.visit(n, func(v any) bool {
			found = true
			if m, ok := v.(map[string]any); ok {
				if _, v, ok = Lookup(m, "value"); !ok {
					return true
				}
			}
			matched = compare(v)
			return !matched
		})
		// Not equal holds for an attribute without value, too.
		return matched || !found && f.Operator == NotEqual
	}, nil
}

// compilePresence handles pr, and eq and ne with null, which say the same of a value that is not there.
func (f *Compare) compilePresence(t target, s scope) (test, error) {
	want := true
	switch f.Operator {
	case Present, NotEqual:
	case Equal:
		want = false
	default:
		return nil, badRequest(s.errorType(), "%s: null can only be compared with eq and ne", f)
	}
	return func(n any) bool {
		found := false
		t.visit(n, func(v any) bool { found = !isEmpty(v); return !found })
		return found == want
	}, nil
}

// isEmpty reports what pr does not count as a value (RFC 7644 section 3.4.2.2, table 3).
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, e := range v {
			if e != nil {
				return false
			}
		}
		return true
	}
	return false
}

// comparison makes the comparison of one value, by the attribute's type if known, else by the types at hand.
func comparison(kind *Attribute, f *Compare, onError ErrorType) (func(any) bool, error) {
	refuse := func(why string) (func(any) bool, error) {
		return nil, badRequest(onError, "%s: %s", f, why)
	}
	textual := f.Operator == Contains || f.Operator == StartsWith || f.Operator == EndsWith
	ordered := f.Operator != Equal && f.Operator != NotEqual && !textual
	dataType := DataType("")
	if kind != nil {
		dataType = DataType(orDefault(string(kind.Type), string(String)))
	}
	switch dataType {
	case Boolean:
		want, ok := asBool(f.Value)
		switch {
		case textual || ordered:
			return refuse("a Boolean can only be compared with eq and ne")
		case !ok:
			return refuse("a Boolean is compared with true or false")
		}
		return func(v any) bool {
			got, ok := asBool(v)
			return (ok && got == want) == (f.Operator == Equal)
		}, nil
	case Integer, Decimal:
		want, ok := asNumber(f.Value)
		switch {
		case textual:
			return refuse("a number cannot be compared with " + string(f.Operator))
		case !ok:
			return refuse("a number is compared with a number")
		}
		return func(v any) bool {
			got, ok := asNumber(v)
			return ok && holds(f.Operator, compareNumbers(got, want))
		}, nil
	case DateTime:
		wantText, _ := f.Value.(string)
		want, ok := asTime(wantText)
		if textual && wantText != "" {
			break
		}
		if !ok {
			return refuse("a time is compared with a time such as \"2011-05-13T04:42:34Z\"")
		}
		return func(v any) bool {
			s, _ := v.(string)
			got, ok := asTime(s)
			return ok && holds(f.Operator, got.Compare(want))
		}, nil
	case Binary:
		if ordered {
			return refuse("binary values have no order")
		}
	case "":
		if _, isBool := f.Value.(bool); isBool && (textual || ordered) {
			return refuse("a Boolean can only be compared with eq and ne")
		}
		return dynamicComparison(f), nil
	default: // texts, and what is compared as text
	}
	want, ok := f.Value.(string)
	if !ok {
		return refuse("a text is compared with a text in quotation marks")
	}
	compare := textComparison(f.Operator, want, kind.CaseExact)
	return func(v any) bool {
		s, ok := v.(string)
		return ok && compare(s)
	}, nil
}

// dynamicComparison compares by the types of the two values: same type or not equal.
func dynamicComparison(f *Compare) func(any) bool {
	text, isText := f.Value.(string)
	compareText := textComparison(f.Operator, text, false)
	wantBool, isBool := asBool(f.Value)
	wantNumber, isNumber := json.Number(""), false
	if n, ok := f.Value.(json.Number); ok {
		wantNumber, isNumber = n, true
	}
	number, _ := asNumber(wantNumber)
	return func(v any) bool {
		switch v := v.(type) {
		case string:
			if isText {
				return compareText(v)
			}
		case bool:
			if isBool && (f.Operator == Equal || f.Operator == NotEqual) {
				return (v == wantBool) == (f.Operator == Equal)
			}
		default:
			if got, ok := asNumber(v); ok && isNumber {
				return holds(f.Operator, compareNumbers(got, number))
			}
		}
		return f.Operator == NotEqual
	}
}

func textComparison(op Operator, want string, caseExact bool) func(string) bool {
	fold := func(s string) string { return s }
	if !caseExact {
		if op == Equal {
			return func(s string) bool { return strings.EqualFold(s, want) }
		}
		fold = FoldKey
		want = FoldKey(want)
	}
	switch op {
	case Contains:
		return func(s string) bool { return strings.Contains(fold(s), want) }
	case StartsWith:
		return func(s string) bool { return strings.HasPrefix(fold(s), want) }
	case EndsWith:
		return func(s string) bool { return strings.HasSuffix(fold(s), want) }
	default:
		return func(s string) bool { return holds(op, strings.Compare(fold(s), want)) }
	}
}

// holds says whether an operator is satisfied by the sign of a comparison.
func holds(op Operator, sign int) bool {
	switch op {
	case Equal:
		return sign == 0
	case NotEqual:
		return sign != 0
	case Greater:
		return sign > 0
	case GreaterOrEqual:
		return sign >= 0
	case Less:
		return sign < 0
	case LessOrEqual:
		return sign <= 0
	default: // of text only
		return false
	}
}

// asBool takes the texts True and False in any case for the Boolean (vectors P-03).
func asBool(v any) (value, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		switch {
		case strings.EqualFold(v, "true"):
			return true, true
		case strings.EqualFold(v, "false"):
			return false, true
		}
	}
	return false, false
}

func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, !math.IsNaN(v)
	case json.Number:
		f, err := strconv.ParseFloat(v.String(), 64)
		return f, err == nil
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	}
	return 0, false
}

func compareNumbers(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// asTime reads an XML Schema dateTime; one without zone counts as UTC (RFC 7643 section 2.3.5).
func asTime(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04:05") {
		return time.Time{}, false
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, true
	}
	t, err := time.Parse("2006-01-02T15:04:05.999999999", s)
	return t, err == nil
}
