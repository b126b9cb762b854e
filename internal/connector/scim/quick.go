package scim

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// quick reads the JSON that servers usually write, in a third of the time that package json takes: objects whose names
// are all different, texts without escapes of other characters than those that JSON has a letter for, whole numbers, up
// to some depth. Whatever else there is makes it say no, and package json reads the answer; what quick does read, package
// json reads the same (FuzzQuick). Texts are parts of one string, the whole answer, unless they have escapes, as the
// version of a resource has: W/\"1\". Objects are records, which take a third of what maps do.
type quick struct {
	s  string
	no bool
}

// quickDepth is how deep objects and lists may stand in one another.
const quickDepth = 16

// readQuick returns the value that a text stands for, and whether it could be read.
func readQuick(s string) (any, bool) {
	q := quick{s: s}
	v := q.value(quickDepth)
	q.blanks()
	return v, !q.no && q.s == ""
}

func (q *quick) blanks() {
	i := 0
	for i < len(q.s) && (q.s[i] == ' ' || q.s[i] == '\n' || q.s[i] == '\r' || q.s[i] == '\t') {
		i++
	}
	q.s = q.s[i:]
}

// take passes over a character, after blanks, if it comes next.
func (q *quick) take(c byte) bool {
	q.blanks()
	if q.s == "" || q.s[0] != c {
		return false
	}
	q.s = q.s[1:]
	return true
}

func (q *quick) fail() any {
	q.s, q.no = "", true
	return nil
}

func (q *quick) value(depth int) any {
	q.blanks()
	if q.s == "" || depth == 0 {
		return q.fail()
	}
	switch c := q.s[0]; c {
	case '"':
		return q.text()
	case '{':
		return q.object(depth)
	case '[':
		return q.list(depth)
	case 't':
		return q.word("true", true)
	case 'f':
		return q.word("false", false)
	case 'n':
		return q.word("null", nil)
	}
	return q.number()
}

func (q *quick) word(text string, v any) any {
	if !strings.HasPrefix(q.s, text) {
		return q.fail()
	}
	q.s = q.s[len(text):]
	return v
}

func (q *quick) text() string {
	if q.s == "" || q.s[0] != '"' {
		q.fail()
		return ""
	}
	plain := true
	for i := 1; i < len(q.s); i++ {
		switch c := q.s[i]; {
		case c == '"':
			text := q.s[1:i]
			q.s = q.s[i+1:]
			if !plain && !utf8.ValidString(text) {
				q.fail()
			}
			return text
		case c == '\\':
			return q.escaped()
		case c < ' ':
			q.fail()
			return ""
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	q.fail()
	return ""
}

// escaped reads a text that has escapes.
func (q *quick) escaped() string {
	out := make([]byte, 0, 32)
	for i := 1; i < len(q.s); i++ {
		switch c := q.s[i]; {
		case c == '"':
			q.s = q.s[i+1:]
			if !utf8.Valid(out) {
				q.fail()
			}
			return string(out)
		case c < ' ':
			q.fail()
			return ""
		case c == '\\' && i+1 < len(q.s):
			i++
			letter := strings.IndexByte(`"\/bfnrt`, q.s[i])
			if letter < 0 { // \u and what is no escape
				q.fail()
				return ""
			}
			out = append(out, "\"\\/\b\f\n\r\t"[letter])
		default:
			out = append(out, c)
		}
	}
	q.fail()
	return ""
}

// quickFields is how many fields an object may have; each name is compared with all before it.
const quickFields = 64

func (q *quick) object(depth int) any {
	q.take('{')
	out := &record{}
	if q.take('}') {
		return out
	}
	out.fields = make([]field, 0, 4)
	for !q.no {
		q.blanks()
		name := q.text()
		if !q.take(':') || len(out.fields) == quickFields || slices.ContainsFunc(out.fields, func(f field) bool { return f.name == name }) {
			break
		}
		out.fields = append(out.fields, field{name, q.value(depth - 1)})
		switch {
		case q.take('}'):
			return out
		case !q.take(','):
			return q.fail()
		}
	}
	return q.fail()
}

func (q *quick) list(depth int) any {
	q.take('[')
	out := []any{}
	if q.take(']') {
		return out
	}
	for !q.no {
		out = append(out, q.value(depth-1))
		switch {
		case q.take(']'):
			return out
		case !q.take(','):
			return q.fail()
		}
	}
	return q.fail()
}

// number reads a whole number of up to fifteen digits, which a float64 holds exactly.
func (q *quick) number() any {
	digits := strings.TrimPrefix(q.s, "-")
	n, i := 0.0, 0
	for i < len(digits) && '0' <= digits[i] && digits[i] <= '9' {
		n = n*10 + float64(digits[i]-'0')
		i++
	}
	if i == 0 || i > 15 || i > 1 && digits[0] == '0' || i < len(digits) && strings.IndexByte(".eE", digits[i]) >= 0 {
		return q.fail()
	}
	if len(digits) < len(q.s) {
		if n == 0 {
			return q.fail() // package json knows a zero below zero
		}
		n = -n
	}
	q.s = digits[i:]
	return n
}
