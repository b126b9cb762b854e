package expr

import (
	"slices"
	"strings"
)

// checker finds the mistakes that do not depend on values, over the whole expression, so that one in a
// branch that is never taken is reported when the mapping is saved.
type checker struct {
	src  string
	root *node
	errs Errors
}

// check resolves the functions of the tree and gives all mistakes in the order of the text.
func check(src string, root *node) Errors {
	c := &checker{src: src, root: root}
	c.visit(root, false)
	slices.SortStableFunc(c.errs, func(a, b *Error) int { return a.Pos - b.Pos })
	return c.errs
}

func (c *checker) report(pos int, e *Error) { c.errs = append(c.errs, e.place(c.src, pos)) }

// visit checks a node. condition is true where a comparison may stand.
func (c *checker) visit(n *node, condition bool) {
	switch n.kind {
	case nodeCompare:
		if !condition {
			c.report(n.argPos[0], newError(KindParse, "a comparison may only be the condition of IIF or the argument of CBool"))
		}
		c.visit(n.args[0], false)
		c.visit(n.args[1], false)
	case nodeCall:
		c.call(n)
	case nodeKeyword:
		if n.text == keywordTextCompare || n.text == keywordBinaryCompare {
			c.report(n.pos, newError(KindArgument, "%s may only be the last argument of InStr", n.text))
		}
	case nodeText, nodeNumber, nodeAttribute:
	}
}

func (c *checker) call(n *node) {
	n.fn = lookup(n.text)
	if n.fn == nil {
		e := newError(KindUnknownFunction, "there is no function %s", n.text)
		if h := suggest(n.text); h != "" {
			e.Hint = h
		}
		c.report(n.pos, e)
	} else if n.fn.check != nil {
		n.fn.check(c, n)
	} else {
		c.arguments(n)
	}
	if n.fn != nil && n.fn.Name == nameSelectUnique && n != c.root {
		c.report(n.pos, newError(KindPlacement, "it must be the outermost function").
			hint("move the other functions into each of its candidates").in(n.fn.Name))
	}
	for i, a := range n.args {
		if a == nil || c.isCompareType(n, i, a) {
			continue
		}
		c.visit(a, n.fn == nil || n.fn.takesCondition(i))
	}
}

func (f *Function) takesCondition(i int) bool {
	p := f.param(i)
	return p != nil && p.Type == TypeCondition
}

func (c *checker) isCompareType(n *node, i int, a *node) bool {
	return n.fn != nil && n.fn.Name == nameInStr && i == 3 && a.kind == nodeKeyword
}

// arguments checks the number of arguments and that no required one is omitted.
func (c *checker) arguments(n *node) {
	f := n.fn
	if f.repeats() == 0 && len(n.args) > len(f.Params) {
		c.report(n.argPos[len(f.Params)], c.countError(n, "too many arguments"))
		return
	}
	if len(n.args) < f.least {
		c.report(n.pos, c.countError(n, "too few arguments"))
		return
	}
	for i := range max(len(n.args), len(f.Params)) {
		p := f.param(i)
		if !p.Required || !n.omitted(i) {
			continue
		}
		if i >= len(n.args) {
			c.report(n.pos, c.countError(n, "the argument "+p.Name+" is missing"))
			return
		}
		c.report(n.argPos[i], c.countError(n, "the argument "+p.Name+" must not be omitted"))
	}
}

func (c *checker) countError(n *node, message string) *Error {
	return newError(KindArgument, "%s", message).hint("it is called as %s", n.fn.Signature()).in(n.fn.Name)
}

// suggest gives a hint for the name of a function that does not exist.
func suggest(name string) string {
	lower := strings.ToLower(name)
	switch lower { // functions of related languages
	case "if", "iff", "case":
		return "did you mean IIF or Switch?"
	case "lcase", "lower":
		return "did you mean ToLower?"
	case "ucase", "upper":
		return "did you mean ToUpper?"
	case "concat", "concatenate":
		return "did you mean Join or Append?"
	case "trim", "ltrim", "rtrim":
		return `use Replace with the pattern "^ +| +$"`
	case "substring", "substr", "right":
		return "did you mean Mid?"
	case "contains":
		return "use InStr, which is 0 when the text does not occur"
	case "today", "date", "getdate":
		return "did you mean Now?"
	case "cnum", "cint", "clng":
		return "texts are numbers where a number is wanted; no conversion is needed"
	case "and", "or":
		return "there are no logical operators; nest IIF instead"
	case "isnotnull", "isnotnullorempty":
		return "did you mean IsPresent?"
	}
	best, distance := "", max(1, len(lower)/3)
	for _, f := range functionTable() {
		if d := editDistance(lower, strings.ToLower(f.Name)); d <= distance && (best == "" || d < distance) {
			best, distance = f.Name, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours between two words.
func editDistance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	prev2, prev, cur := rows[0], rows[1], rows[2]
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
