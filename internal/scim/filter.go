package scim

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Filter is the tree of a filter (RFC 7644 section 3.4.2.2): *Logical, *Not, *Compare or *Has.
type Filter interface {
	// String gives the filter in the form ParseFilter reads; reading it gives the same tree.
	String() string
	// Match reports whether the resource satisfies the filter. A nil definition means the built-in ones. The
	// error is an *Error of type InvalidFilter: a comparison that the attribute's type does not allow, or, in a
	// strict definition, an attribute that does not exist. To test many resources use Compile.
	Match(resource map[string]any, def *Definition) (bool, error)

	compile(s scope) (test, error)
}

// Operator compares an attribute with a value.
type Operator string

// The operators of RFC 7644 section 3.4.2.2.
const (
	Equal          Operator = "eq"
	NotEqual       Operator = "ne"
	Contains       Operator = "co"
	StartsWith     Operator = "sw"
	EndsWith       Operator = "ew"
	Present        Operator = "pr"
	Greater        Operator = "gt"
	GreaterOrEqual Operator = "ge"
	Less           Operator = "lt"
	LessOrEqual    Operator = "le"
)

// Logical joins two filters.
type Logical struct {
	Or          bool // false: and
	Left, Right Filter
}

// Not turns a filter round.
type Not struct{ Filter Filter }

// Compare tests an attribute. A multi-valued attribute satisfies it when one of its values does; a complex one
// without sub-attribute means its "value".
type Compare struct {
	Path     Path
	Operator Operator
	Value    any // string, bool, json.Number or nil; always nil with Present
}

// Has is a value path standing alone: some element of the attribute satisfies the filter in brackets.
type Has struct{ Path Path }

var (
	_ Filter = (*Logical)(nil)
	_ Filter = (*Not)(nil)
	_ Filter = (*Compare)(nil)
	_ Filter = (*Has)(nil)
)

// Eq is the filter path eq value, the only one a client needs for matching (scim.R7).
func Eq(path Path, value any) *Compare {
	return &Compare{Path: path, Operator: Equal, Value: value}
}

func (f *Logical) String() string {
	op := " and "
	if f.Or {
		op = " or "
	}
	return f.operand(f.Left, false) + op + f.operand(f.Right, true)
}

// operand puts parentheses where the tree would be read differently without: or below and, and a right operand
// of the same kind, since operators group to the left.
func (f *Logical) operand(side Filter, right bool) string {
	if l, ok := side.(*Logical); ok && (l.Or && !f.Or || right && l.Or == f.Or) {
		return "(" + l.String() + ")"
	}
	return side.String()
}

func (f *Not) String() string { return "not (" + f.Filter.String() + ")" }

func (f *Has) String() string { return f.Path.String() }

func (f *Compare) String() string {
	if f.Operator == Present {
		return f.Path.String() + " pr"
	}
	return f.Path.String() + " " + string(f.Operator) + " " + Quote(f.Value)
}

// Quote writes a comparison value for a filter (scim.R14): texts in quotation marks with JSON escapes for
// quotation mark, backslash and control characters, other characters as they are; Booleans, numbers and nil as
// JSON. Values of any other type are written as the text of their JSON form.
func Quote(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	case string:
		return quoteText(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	}
	data, err := json.Marshal(value)
	if err != nil {
		return `""`
	}
	switch value.(type) {
	case float64, float32:
		return string(data)
	}
	return quoteText(string(data))
}

func quoteText(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
			i++
		case c < ' ' || c == 0x7f:
			b.WriteString(`\u00`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			i++
		case c < utf8.RuneSelf:
			b.WriteByte(c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b.WriteRune(r) // an invalid byte becomes U+FFFD
			i += n
		}
	}
	b.WriteByte('"')
	return b.String()
}
