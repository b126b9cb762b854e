package scim

import (
	"encoding/json"
	"strings"
)

const (
	// maxDepth bounds the nesting of parentheses, so that a hostile filter cannot exhaust the stack.
	maxDepth = 100
	// maxComparisons bounds how many comparisons a filter may join, since each is made for every resource.
	maxComparisons = 5000
)

// ParseFilter reads a filter (RFC 7644 section 3.4.2.2). Beyond the grammar it takes a sub-attribute after a
// value path, emails[type eq "work"].value eq "x", since the reference client sends it (scim.R10, vectors P-04).
// The error is an *Error of type InvalidFilter.
func ParseFilter(text string, knownSchemas ...string) (Filter, error) {
	p := parser{text: text, schemas: knownSchemas, onError: InvalidFilter}
	f, err := p.disjunction()
	if err == nil {
		p.space()
		if p.pos < len(p.text) {
			err = p.fail("expected and, or, or the end of the filter")
		}
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// parser reads paths and filters from left to right.
type parser struct {
	text    string
	pos     int
	schemas []string
	onError ErrorType
	depth   int
	inside  bool // between brackets, where no further brackets are allowed

	comparisons int // read so far
}

func (p *parser) fail(format string, args ...any) error {
	e := badRequest(p.onError, format, args...)
	what := "path"
	if p.onError == InvalidFilter {
		what = "filter"
	}
	e.Detail = what + " " + Quote(p.excerpt()) + ", position " + Quote(p.pos+1) + ": " + e.Detail
	return e
}

// excerpt gives the text, or of a long one the part around the place of a mistake.
func (p *parser) excerpt() string {
	const most, around = 300, 100
	if len(p.text) <= most {
		return p.text
	}
	from, to := max(0, p.pos-around), min(len(p.text), p.pos+around)
	part := strings.ToValidUTF8(p.text[from:to], "")
	if from > 0 {
		part = "…" + part
	}
	if to < len(p.text) {
		part += "…"
	}
	return part
}

func (p *parser) space() bool {
	start := p.pos
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\t') {
		p.pos++
	}
	return p.pos > start
}

// word reads up to a blank, bracket, parenthesis or quotation mark.
func (p *parser) word() string {
	start := p.pos
	for p.pos < len(p.text) && strings.IndexByte(" \t\"()[]", p.text[p.pos]) < 0 {
		p.pos++
	}
	return p.text[start:p.pos]
}

func (p *parser) accept(c byte) bool {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// keyword takes the word if it comes next, after blanks; if not, nothing is consumed.
func (p *parser) keyword(want string) bool {
	start := p.pos
	p.space()
	if strings.EqualFold(p.word(), want) {
		return true
	}
	p.pos = start
	return false
}

func (p *parser) disjunction() (Filter, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("parentheses are nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	left, err := p.conjunction()
	for err == nil && p.keyword("or") {
		var right Filter
		right, err = p.conjunction()
		left = &Logical{Or: true, Left: left, Right: right}
	}
	return left, err
}

func (p *parser) conjunction() (Filter, error) {
	left, err := p.term()
	for err == nil && p.keyword("and") {
		var right Filter
		right, err = p.term()
		left = &Logical{Left: left, Right: right}
	}
	return left, err
}

func (p *parser) term() (Filter, error) {
	p.space()
	if p.accept('(') {
		return p.group()
	}
	start := p.pos
	if strings.EqualFold(p.word(), "not") {
		p.space()
		if p.accept('(') {
			f, err := p.group()
			if err != nil {
				return nil, err
			}
			return &Not{Filter: f}, nil
		}
	}
	p.pos = start
	return p.comparison()
}

func (p *parser) group() (Filter, error) {
	f, err := p.disjunction()
	if err != nil {
		return nil, err
	}
	p.space()
	if !p.accept(')') {
		return nil, p.fail("a closing parenthesis is missing")
	}
	return f, nil
}

func (p *parser) comparison() (Filter, error) {
	if p.comparisons++; p.comparisons > maxComparisons {
		return nil, p.fail("more than %d comparisons are joined", maxComparisons)
	}
	path, err := p.path(false)
	if err != nil {
		return nil, err
	}
	start := p.pos
	blank := p.space()
	opText := p.word()
	op := Operator(FoldKey(opText))
	alone := path.Filter != nil && path.SubAttribute == ""
	switch op {
	case Present:
		if !blank {
			return nil, p.fail("a blank is missing before the operator")
		}
		return &Compare{Path: path, Operator: Present}, nil
	case Equal, NotEqual, Contains, StartsWith, EndsWith, Greater, GreaterOrEqual, Less, LessOrEqual:
		if !blank {
			return nil, p.fail("a blank is missing before the operator")
		}
	default:
		p.pos = start
		if alone {
			return &Has{Path: path}, nil
		}
		if opText == "" {
			return nil, p.fail("an operator is missing after %s", path)
		}
		return nil, p.fail("%s is not an operator", Quote(opText))
	}
	if !p.space() {
		return nil, p.fail("a blank and a value are missing after %s", op)
	}
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	return &Compare{Path: path, Operator: op, Value: value}, nil
}

// value reads a comparison value: a JSON string, number, true, false or null.
func (p *parser) value() (any, error) {
	if p.pos < len(p.text) && p.text[p.pos] == '"' {
		return p.stringValue()
	}
	start := p.pos
	switch w := p.word(); w {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	case "":
		return nil, p.fail("a value is missing")
	default:
		if w[0] == '-' || '0' <= w[0] && w[0] <= '9' {
			if json.Valid([]byte(w)) {
				return json.Number(w), nil
			}
		}
		p.pos = start
		return nil, p.fail("%s is not a JSON value; texts stand in quotation marks", Quote(w))
	}
}

func (p *parser) stringValue() (any, error) {
	for end := p.pos + 1; end < len(p.text); end++ {
		switch p.text[end] {
		case '\\':
			end++
		case '"':
			var s string
			if err := json.Unmarshal([]byte(p.text[p.pos:end+1]), &s); err != nil {
				return nil, p.fail("the text is not a JSON string: %v", err)
			}
			p.pos = end + 1
			return s, nil
		}
	}
	return nil, p.fail("a closing quotation mark is missing")
}

// path reads an attribute path; a bare schema URI only where the caller allows it.
func (p *parser) path(bareAllowed bool) (Path, error) {
	start := p.pos
	text := p.word()
	if text == "" {
		return Path{}, p.fail("an attribute name is missing")
	}
	schema, rest, known, bare := splitSchema(text, p.schemas)
	if bare {
		if !bareAllowed {
			p.pos = start
			return Path{}, p.fail("%s is a schema; an attribute is missing after it", text)
		}
		return Path{Schema: schema}, nil
	}
	name, sub, hasSub := strings.Cut(rest, ".")
	if known && !hasSub {
		name, sub, hasSub = strings.Cut(rest, ":")
	}
	if strings.Contains(text, ":") && !validSchema(schema) || !validName(name) || hasSub && !validName(sub) {
		p.pos = start
		return Path{}, p.fail("%s is not an attribute path", Quote(text))
	}
	path := Path{Schema: schema, Attribute: name, SubAttribute: sub}
	if p.pos == len(p.text) || p.text[p.pos] != '[' {
		return path, nil
	}
	if hasSub {
		return Path{}, p.fail("a filter may not follow a sub-attribute")
	}
	if p.inside {
		return Path{}, p.fail("brackets may not stand within brackets")
	}
	p.pos++
	p.inside = true
	f, err := p.disjunction()
	if err != nil {
		return Path{}, err
	}
	p.inside = false
	p.space()
	if !p.accept(']') {
		return Path{}, p.fail("a closing bracket is missing")
	}
	path.Filter = f
	if p.accept('.') {
		if path.SubAttribute = p.word(); !validName(path.SubAttribute) {
			return Path{}, p.fail("%s is not a sub-attribute", Quote(path.SubAttribute))
		}
	}
	return path, nil
}
