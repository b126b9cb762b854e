package expr

import "strings"

// The arguments of Replace.
const (
	replaceSource = iota
	replaceOld
	replacePattern
	replaceGroupName
	replaceValue
	replaceAttribute
	replaceTemplate
)

func replaceFunction() Function {
	return Function{
		Name: "Replace",
		Params: []Param{
			required("source", TypeString).nullable(),
			optional("oldValue", TypeString).help("the plain text to look for, in source or in template"),
			optional("regexPattern", TypeString).help("a .NET regular expression to look for in source"),
			optional("regexGroupName", TypeString).help("the group of the pattern that is replaced, or taken from replacementAttributeName"),
			optional("replacementValue", TypeString).help("what comes in its place; after a pattern without group name it may refer to groups, as in ${name}"),
			optional("replacementAttributeName", TypeString).help("the attribute to take a value from when source is empty"),
			optional("template", TypeString).help("the text in which oldValue is replaced by source"),
		},
		Result: "String",
		Help:   "Replaces parts of a text. What it does depends on which arguments are given; those that are not are left out, but their commas stay.",
		Examples: []Example{
			{Expression: `Replace([firstName], " ", , , ".", , )`, Attributes: attributes("firstName", "Mary Ann"), Want: "Mary.Ann"},
			{Expression: `Replace([userId], "<username>", , , , , "<username>@contoso.com")`, Attributes: attributes("userId", "jsmith"), Want: "jsmith@contoso.com"},
			{Expression: `Replace([phone], , "[()\s-]+", , "", , )`, Attributes: attributes("phone", "+1 (555) 123-4567"), Want: "+15551234567"},
			{Expression: `Replace([phone], , "\+(?<code>\d*) (?<number>.*)", , "${number}", , )`, Attributes: attributes("phone", "+91 9998887777"), Want: "9998887777"},
			{Expression: `Replace([street], , "(?<number>^\d*)", "number", "888", , )`, Attributes: attributes("street", "545 Tremont Street"), Want: "888 Tremont Street"},
			{Expression: `Replace([phone], , "\+(?<code>\d*) (?<number>.*)", "number", , [mobile], )`, Attributes: attributes("mobile", "+91 8887779999"), Want: "8887779999"},
		},
		check: checkReplace,
		bind:  bindReplace,
	}
}

type replaceMode uint8

const (
	replaceNone replaceMode = iota
	replaceFromAttribute
	replaceInGroup
	replaceByPattern
	replaceInTemplate
	replacePlain
)

// modeOf gives the first mode whose arguments are all given. Given means not omitted: "" counts.
func modeOf(n *node) replaceMode {
	given := func(args ...int) bool {
		for _, i := range args {
			if n.omitted(i) {
				return false
			}
		}
		return true
	}
	switch {
	case given(replacePattern, replaceGroupName, replaceAttribute):
		return replaceFromAttribute
	case given(replacePattern, replaceGroupName, replaceValue):
		return replaceInGroup
	case given(replacePattern, replaceValue):
		return replaceByPattern
	case given(replaceOld, replaceTemplate):
		return replaceInTemplate
	case given(replaceOld, replaceValue):
		return replacePlain
	}
	return replaceNone
}

func checkReplace(c *checker, n *node) {
	before := len(c.errs)
	c.arguments(n)
	if len(c.errs) == before && modeOf(n) == replaceNone {
		c.report(n.pos, newError(KindArgument, "these arguments do not go together").
			hint("give oldValue and replacementValue, oldValue and template, or regexPattern and replacementValue; omitted arguments keep their commas").
			in(n.fn.Name))
	}
}

// bindReplace gives the function for the mode. Null in any argument of the mode gives Null (O-05, O-20), but for an
// empty source that is taken from an attribute.
func bindReplace(n *node, constants []*value) applyFn {
	mode := modeOf(n)
	if mode == replaceInTemplate || mode == replacePlain {
		return func(_ *state, a []value) (value, *Error) { return replaceText(mode, a) }
	}
	pattern := constantOr(constants[replacePattern], replacePattern, compileRegex)
	if mode == replaceByPattern {
		return bindPattern(pattern, constants)
	}
	return func(st *state, a []value) (value, *Error) {
		if a[replacePattern].k == kindNull || a[replaceGroupName].k == kindNull {
			return value{}, nil
		}
		re, err := pattern(a)
		if err != nil {
			return value{}, err
		}
		group, err := re.group(a[replaceGroupName].s)
		if err != nil {
			return value{}, err.forArg(replaceGroupName)
		}
		if mode == replaceInGroup {
			if a[replaceSource].k == kindNull || a[replaceValue].k == kindNull {
				return value{}, nil
			}
			s, err := re.replaceGroup(st, a[replaceSource].s, group, a[replaceValue].s)
			return textValue(s), err
		}
		if !a[replaceSource].isEmpty() {
			return a[replaceSource], nil
		}
		if a[replaceAttribute].k == kindNull {
			return value{}, nil
		}
		s := a[replaceAttribute].s
		m, ok, err := re.first(st, s)
		if err != nil || !ok {
			return value{}, err
		}
		start, end, _ := m.span(group)
		return textValue(s[start:end]), nil
	}
}

func bindPattern(pattern func(a []value) (*Regex, *Error), constants []*value) applyFn {
	// The replacement is parsed against the groups of the pattern: once if both are constant.
	var fixed replacement
	prepared := false
	if p, v := constants[replacePattern], constants[replaceValue]; p != nil && p.k == kindText && v != nil && v.k == kindText {
		if re, err := pattern(nil); err == nil { // a constant needs no arguments
			fixed, prepared = re.parseReplacement(v.s), true
		}
	}
	return func(st *state, a []value) (value, *Error) {
		if a[replaceSource].k == kindNull || a[replacePattern].k == kindNull || a[replaceValue].k == kindNull {
			return value{}, nil
		}
		re, err := pattern(a)
		if err != nil {
			return value{}, err
		}
		rep := fixed
		if !prepared {
			rep = re.parseReplacement(a[replaceValue].s)
		}
		s, err := re.replaceAll(st, a[replaceSource].s, rep)
		return textValue(s), err
	}
}

// replaceText replaces plain text: source in template, or replacementValue in source.
func replaceText(mode replaceMode, a []value) (value, *Error) {
	text, by := a[replaceSource], a[replaceValue]
	if mode == replaceInTemplate {
		text, by = a[replaceTemplate], a[replaceSource]
	}
	old := a[replaceOld]
	if text.k == kindNull || by.k == kindNull || old.k == kindNull {
		return value{}, nil
	}
	if old.s == "" {
		return value{}, newError(KindArgument, "the text to look for is empty").forArg(replaceOld)
	}
	if n := strings.Count(text.s, old.s); n > 0 && len(text.s)+n*(len(by.s)-len(old.s)) > MaxText {
		return value{}, newError(KindLimit, "the text is longer than %d bytes", MaxText)
	}
	return textValue(strings.ReplaceAll(text.s, old.s, by.s)), nil
}
