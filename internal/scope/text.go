package scope

import (
	"fmt"
	"strings"
)

// ParseClause reads a clause as a person writes it on a command line: an attribute, an operator as Operators has them,
// and the value, in quotes where blanks at its ends count.
//
//	department EQUALS Sales
//	jobTitle includes "sales "
//	accountEnabled IS TRUE
//
// What it makes is checked by Compile.
func ParseClause(text string) (Clause, error) {
	attribute, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	words := strings.Fields(rest)
	for n := len(words); n > 0; n-- { // the longest operator: NOT EQUALS before NOT, IS NOT NULL before IS
		op, ok := LookupOperator(strings.Join(words[:n], " "))
		if !ok {
			continue
		}
		c := Clause{Attribute: attribute, Operator: op.Name}
		value := afterWords(rest, n)
		switch {
		case op.Unary && value != "":
			return Clause{}, fmt.Errorf("%q: the operator %s takes no value", text, op.Name)
		case op.Unary:
			return c, nil
		case value == "":
			return Clause{}, fmt.Errorf("%q: the operator %s needs a value", text, op.Name)
		}
		if inner, ok := strings.CutPrefix(value, `"`); ok && len(value) > 1 {
			if inner, ok = strings.CutSuffix(inner, `"`); ok {
				value = inner
			}
		}
		c.Values = []string{value}
		return c, nil
	}
	return Clause{}, fmt.Errorf("%q has no operator; write ATTRIBUTE OPERATOR VALUE, where the operators are %s", text, operatorNames())
}

// afterWords is what follows the first n words of a text.
func afterWords(text string, n int) string {
	text = strings.TrimSpace(text)
	for range n {
		_, rest, _ := strings.Cut(text, " ")
		text = strings.TrimSpace(rest)
	}
	return text
}

// Text writes the filter on one line, clauses as ParseClause reads them. Clauses of a group are joined by AND, groups by
// OR.
func (f Filter) Text() string {
	groups := make([]string, len(f.Groups))
	for i, g := range f.Groups {
		clauses := make([]string, len(g.Clauses))
		for k, c := range g.Clauses {
			clauses[k] = c.Attribute + " " + c.Operator
			for n, v := range c.Values {
				if n > 0 {
					clauses[k] += ","
				}
				if v != strings.TrimSpace(v) || v == "" || strings.HasPrefix(v, `"`) {
					v = `"` + v + `"`
				}
				clauses[k] += " " + v
			}
		}
		groups[i] = strings.Join(clauses, " AND ")
	}
	return strings.Join(groups, " OR ")
}
