package expr

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// MaxLength is the greatest length of an expression in characters (specification, section 1).
	MaxLength = 10_000
	// MaxDepth is the deepest nesting of calls.
	MaxDepth = 256
)

type parser struct {
	lex   lexer
	tok   token
	depth int
}

// parse reads a whole expression. It stops at the first mistake: after one, the rest cannot be trusted.
func parse(src string) (*node, *Error) {
	if n := utf8.RuneCountInString(src); n > MaxLength {
		return nil, newError(KindLimit, "the expression has %d characters, %d are allowed", n, MaxLength).
			hint("split the mapping, or replace nested IIF by one Switch").place(src, 0)
	}
	if i := invalidUTF8(src); i >= 0 {
		return nil, newError(KindParse, "the text is not valid UTF-8").place(src, i)
	}
	p := &parser{lex: lexer{src: src}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokEnd {
		return nil, newError(KindParse, "the expression is empty").place(src, p.tok.pos)
	}
	n, err := p.argument()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokEnd {
		return nil, p.unexpected("the expression should end here")
	}
	return n, nil
}

func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return i
		}
	}
	return -1
}

func (p *parser) advance() *Error {
	t, err := p.lex.next()
	p.tok = t
	return err
}

func (p *parser) unexpected(wanted string) *Error {
	e := newError(KindParse, "%s, but %s follows", wanted, p.tok.describe())
	switch {
	case p.tok.kind == tokName && isLogical(p.tok.text):
		e.Hint = "there are no logical operators; nest IIF instead"
	case p.tok.kind == tokEnd:
		e = newError(KindParse, "the expression ends too early: %s", wanted)
	case p.tok.kind == tokCompare:
		e.Hint = "comparisons do not chain; nest IIF instead"
	}
	return e.place(p.lex.src, p.tok.pos)
}

func isLogical(name string) bool {
	switch strings.ToUpper(name) {
	case "AND", "OR", "XOR", "NOT":
		return true
	}
	return false
}

// argument reads an operand, or two with a comparison between them. Where a comparison is allowed is a
// matter of the check.
func (p *parser) argument() (*node, *Error) {
	left, err := p.operand()
	if err != nil || p.tok.kind != tokCompare {
		return left, err
	}
	op := p.tok
	if err := p.advance(); err != nil {
		return nil, err
	}
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	return &node{
		kind: nodeCompare, pos: left.pos, end: right.end, text: op.text,
		args: []*node{left, right}, argPos: []int{op.pos},
	}, nil
}

func (p *parser) operand() (*node, *Error) {
	t := p.tok
	n := &node{pos: t.pos, end: t.end, text: t.text}
	switch t.kind {
	case tokText:
		n.kind = nodeText
	case tokAttribute:
		n.kind = nodeAttribute
	case tokNumber:
		n.kind = nodeNumber
		num, hex, ok := parseLiteral(t.text)
		if !ok {
			return nil, newError(KindParse, "the number %s is too large", t.text).place(p.lex.src, t.pos)
		}
		n.num, n.hex = num, hex
	case tokName:
		return p.nameOrCall(n)
	case tokEnd, tokOpen, tokClose, tokComma, tokCompare:
		return nil, p.unexpected("an attribute, a constant or a function is wanted here")
	}
	return n, p.advance()
}

func (p *parser) nameOrCall(n *node) (*node, *Error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokOpen {
		return p.call(n)
	}
	if word, ok := keyword(n.text); ok {
		n.kind, n.text = nodeKeyword, word
		return n, nil
	}
	e := newError(KindParse, "%q is neither a function call nor a keyword", n.text)
	switch {
	case isLogical(n.text):
		e.Hint = "there are no logical operators; nest IIF instead"
	case lookup(n.text) != nil:
		e.Hint = fmt.Sprintf("a call needs parentheses, also without arguments: %s()", n.text)
	default:
		e.Hint = fmt.Sprintf(`write [%s] for the attribute, "%s" for the text`, n.text, n.text)
	}
	return nil, e.place(p.lex.src, n.pos)
}

func (p *parser) call(n *node) (*node, *Error) {
	n.kind = nodeCall
	if p.depth++; p.depth > MaxDepth {
		return nil, newError(KindLimit, "calls are nested more than %d deep", MaxDepth).place(p.lex.src, n.pos)
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil { // (
		return nil, err
	}
	if p.tok.kind == tokClose { // F() has no arguments, not an omitted one
		n.end = p.tok.end
		return n, p.advance()
	}
	for {
		n.argPos = append(n.argPos, p.tok.pos)
		if p.tok.kind == tokComma || p.tok.kind == tokClose {
			n.args = append(n.args, nil)
		} else {
			a, err := p.argument()
			if err != nil {
				return nil, err
			}
			n.args = append(n.args, a)
		}
		switch p.tok.kind {
		case tokComma:
			if err := p.advance(); err != nil {
				return nil, err
			}
		case tokClose:
			n.end = p.tok.end
			return n, p.advance()
		case tokEnd, tokText, tokNumber, tokName, tokAttribute, tokOpen, tokCompare:
			return nil, p.unexpected("a comma or the closing parenthesis of " + n.text + " is wanted here")
		}
	}
}

// keyword gives the canonical spelling of a keyword. Case is ignored as for function names (O-01, O-10).
func keyword(name string) (string, bool) {
	for _, k := range [...]string{
		keywordTrue, keywordFalse, keywordIgnoreAttribute, keywordIgnoreObject, keywordTextCompare, keywordBinaryCompare,
	} {
		if strings.EqualFold(k, name) {
			return k, true
		}
	}
	return "", false
}

const (
	keywordTrue            = "True"
	keywordFalse           = "False"
	keywordIgnoreAttribute = "IgnoreAttributeFlow"
	keywordIgnoreObject    = "IgnoreObjectFlow"
	keywordTextCompare     = "vbTextCompare"
	keywordBinaryCompare   = "vbBinaryCompare"
)

// parseLiteral reads a number as the grammar writes it: decimal, signed, or &H and hexadecimal digits. A
// hexadecimal number with the 64th bit set is negative, as in Visual Basic.
func parseLiteral(s string) (v value, hex, ok bool) {
	if len(s) > 2 && s[0] == '&' && (s[1] == 'H' || s[1] == 'h') {
		u, err := strconv.ParseUint(s[2:], 16, 64)
		return intValue(int64(u)), true, err == nil
	}
	v, ok = parseNumber(s)
	if v.k == kindFloat {
		if n, whole := wholeNumber(v.float()); whole { // 1.0 is 1, as it is printed
			v = intValue(n)
		}
	}
	return v, false, ok
}
