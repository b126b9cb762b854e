package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokText
	tokNumber
	tokName
	tokAttribute
	tokOpen
	tokClose
	tokComma
	tokCompare
)

type token struct {
	kind tokenKind
	pos  int
	end  int
	// text is the content: unescaped for a string, trimmed for an attribute, as written for the rest.
	text string
}

func (t token) describe() string {
	switch t.kind {
	case tokEnd:
		return "the end of the expression"
	case tokText:
		return "a string"
	case tokNumber:
		return "the number " + t.text
	case tokAttribute:
		return "the attribute [" + t.text + "]"
	case tokName, tokCompare, tokOpen, tokClose, tokComma:
	}
	return `"` + t.text + `"`
}

type lexer struct {
	src string
	pos int
}

// next reads one token. The grammar is section 2 of the expression specification.
func (l *lexer) next() (token, *Error) {
	for l.pos < len(l.src) && isBlank(l.src[l.pos]) {
		l.pos++
	}
	start := l.pos
	if start >= len(l.src) {
		return token{kind: tokEnd, pos: start, end: start}, nil
	}
	switch c := l.src[start]; {
	case c == '"':
		return l.string()
	case c == '[':
		return l.attribute()
	case c == '(':
		return l.take(tokOpen, 1), nil
	case c == ')':
		return l.take(tokClose, 1), nil
	case c == ',':
		return l.take(tokComma, 1), nil
	case c == '=':
		return l.take(tokCompare, 1), nil
	case c == '<' || c == '>':
		two := l.src[start:min(start+2, len(l.src))]
		if two == "<>" || two == "<=" || two == ">=" {
			return l.take(tokCompare, 2), nil
		}
		return l.take(tokCompare, 1), nil
	case isDigit(c) || c == '&' || c == '-' || c == '+':
		return l.number()
	}
	r, size := utf8.DecodeRuneInString(l.src[start:])
	if unicode.IsLetter(r) {
		return l.name(), nil
	}
	l.pos += size
	e := newError(KindParse, "the character %q cannot stand here", r)
	switch r {
	case '“', '”', '„', '«', '»':
		e.Hint = `strings stand between straight quotation marks: "text"`
	case '\'', '‘', '’':
		e.Hint = `strings stand between double quotation marks: "text"`
	case ']':
		e.Hint = "an attribute starts with ["
	case ';':
		e.Hint = "arguments are separated by commas"
	}
	return token{}, e.place(l.src, start)
}

func (l *lexer) take(kind tokenKind, n int) token {
	t := token{kind: kind, pos: l.pos, end: l.pos + n, text: l.src[l.pos : l.pos+n]}
	l.pos += n
	return t
}

// string reads a string constant. \\ and \" are escapes; any other backslash is itself (O-03), which
// published samples with regular expressions rely on.
func (l *lexer) string() (token, *Error) {
	start := l.pos
	end := closingQuote(l.src, start)
	if end < 0 {
		return token{}, newError(KindParse, "the string is not closed").
			hint(`put a " at its end; a \" within it is a quotation mark, a \\ a backslash`).place(l.src, start)
	}
	raw := l.src[start+1 : end]
	l.pos = end + 1
	return token{kind: tokText, pos: start, end: l.pos, text: unescape(raw)}, nil
}

// closingQuote gives the place of the quotation mark that closes the one at start, or -1.
func closingQuote(s string, start int) int {
	for i := start + 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i
		case '\\':
			if i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == '"') {
				i++
			}
		}
	}
	return -1
}

func unescape(raw string) string {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw
	}
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' && i+1 < len(raw) && (raw[i+1] == '\\' || raw[i+1] == '"') {
			i++
		}
		b.WriteByte(raw[i])
	}
	return b.String()
}

// attribute reads [name]. Brackets within must balance; those in a quoted part of an inner filter do not
// count, so that [emails[type eq "a]b"].value] is one reference.
func (l *lexer) attribute() (token, *Error) {
	start := l.pos
	depth := 0
	for i := start; i < len(l.src); i++ {
		switch l.src[i] {
		case '[':
			depth++
		case ']':
			depth--
			if depth > 0 {
				continue
			}
			l.pos = i + 1
			name := strings.TrimSpace(l.src[start+1 : i])
			if name == "" {
				return token{}, newError(KindParse, "the attribute has no name").
					hint("write the name between the brackets, as in [mail]").place(l.src, start)
			}
			return token{kind: tokAttribute, pos: start, end: l.pos, text: name}, nil
		case '"':
			if depth < 2 {
				continue
			}
			if end := closingQuote(l.src, i); end >= 0 {
				i = end
			}
		}
	}
	return token{}, newError(KindParse, "the attribute name is not closed").
		hint("put a ] after the name").place(l.src, start)
}

func (l *lexer) number() (token, *Error) {
	start := l.pos
	i := start
	if l.src[i] == '&' {
		i++
		if i >= len(l.src) || l.src[i] != 'H' && l.src[i] != 'h' {
			return token{}, newError(KindParse, "the character '&' cannot stand here").
				hint("texts are put together with Join or Append; a hexadecimal number is written &HFF").place(l.src, start)
		}
		i++
		digits := i
		for i < len(l.src) && isHexDigit(l.src[i]) {
			i++
		}
		if i == digits {
			return token{}, newError(KindParse, "&H is not followed by hexadecimal digits").place(l.src, start)
		}
	} else {
		if !isDigit(l.src[i]) {
			i++
		}
		digits := i
		for i < len(l.src) && isDigit(l.src[i]) {
			i++
		}
		if i == digits {
			return token{}, newError(KindParse, "the sign %q is not followed by a number", l.src[start]).
				hint("there is no arithmetic in this language").place(l.src, start)
		}
		if i+1 < len(l.src) && l.src[i] == '.' && isDigit(l.src[i+1]) {
			i++
			for i < len(l.src) && isDigit(l.src[i]) {
				i++
			}
		}
	}
	l.pos = i
	t := token{kind: tokNumber, pos: start, end: i, text: l.src[start:i]}
	if r, _ := utf8.DecodeRuneInString(l.src[i:]); unicode.IsLetter(r) || r == '_' {
		return token{}, newError(KindParse, "the number %s runs into %q", t.text, r).
			hint("a text stands between quotation marks").place(l.src, i)
	}
	return t, nil
}

func (l *lexer) name() token {
	start := l.pos
	for l.pos < len(l.src) {
		r, size := utf8.DecodeRuneInString(l.src[l.pos:])
		if !unicode.IsLetter(r) && !isASCIIDigit(r) && r != '_' {
			break
		}
		l.pos += size
	}
	return token{kind: tokName, pos: start, end: l.pos, text: l.src[start:l.pos]}
}

func isBlank(c byte) bool      { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
func isDigit(c byte) bool      { return '0' <= c && c <= '9' }
func isASCIIDigit(r rune) bool { return '0' <= r && r <= '9' }
func isHexDigit(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
