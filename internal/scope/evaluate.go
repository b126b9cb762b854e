package scope

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/expr"
)

// Attributes gives the attributes of the source object.
type Attributes interface {
	// Attr gives the value of an attribute: nil, string, bool, int64, float64, time.Time, []any, []string
	// or map[string]any. ok is false when it is absent, which is the same as nil here.
	Attr(name string) (value any, ok bool)
}

// Decision is whether an object is in scope, and why.
type Decision struct {
	In bool
	// Groups has every group of the filter with every clause, also those that were not needed for the
	// decision. Without a filter it is empty.
	Groups []GroupResult
}

// GroupResult is the outcome of one group.
type GroupResult struct {
	Name    string
	In      bool
	Clauses []ClauseResult
}

// ClauseResult is the outcome of one clause.
type ClauseResult struct {
	Clause Clause
	// Value is that of the attribute; nil if it has none.
	Value any
	Holds bool
}

// In reports whether an object is in scope. It stops at the first group that holds and allocates nothing.
// An error, a pattern that ran out of time, means that the object is neither in nor out.
func (p *Program) In(a Attributes) (bool, error) { return anyGroup(p.groups, a) }

// Reads reports whether an object passes InputFilterGroups. One that does not is passed over: it is neither
// provisioned nor deprovisioned.
func (p *Program) Reads(a Attributes) (bool, error) { return anyGroup(p.input, a) }

func anyGroup(groups []group, a Attributes) (bool, error) {
	for i := range groups {
		if ok, err := groups[i].holds(a); ok || err != nil {
			return ok, err
		}
	}
	return len(groups) == 0, nil
}

func (g *group) holds(a Attributes) (bool, error) {
	for i := range g.clauses {
		c := &g.clauses[i]
		ok, err := c.holds(c.read(a))
		if err != nil {
			return false, c.failed(err)
		}
		if !ok {
			return false, nil
		}
	}
	return true, nil
}

// Evaluate decides as In does and gives the outcome of every clause. An error in a clause that the decision
// does not depend on is passed over.
func (p *Program) Evaluate(a Attributes) (Decision, error) {
	d := Decision{In: len(p.groups) == 0}
	for i := range p.groups {
		g := &p.groups[i]
		r := GroupResult{Name: g.name, In: true, Clauses: make([]ClauseResult, len(g.clauses))}
		for k := range g.clauses {
			c := &g.clauses[k]
			v := c.read(a)
			ok, err := c.holds(v)
			if err != nil && r.In && !d.In {
				return Decision{}, c.failed(err)
			}
			r.In = r.In && ok
			r.Clauses[k] = ClauseResult{Clause: c.Clause, Value: v, Holds: ok}
		}
		d.In = d.In || r.In
		d.Groups = append(d.Groups, r)
	}
	return d, nil
}

func (c *clause) read(a Attributes) any {
	v, _ := a.Attr(c.Attribute)
	return v
}

func (c *clause) failed(err error) error {
	return fmt.Errorf("scoping filter, clause %s %s: %w", c.Attribute, c.Operator, err)
}

// holds evaluates the clause for a value that may be a list: each element must satisfy it.
func (c *clause) holds(v any) (bool, error) {
	switch list := v.(type) {
	case []any:
		return c.all(len(list), func(i int) any { return list[i] })
	case []string:
		return c.all(len(list), func(i int) any { return list[i] })
	}
	return c.one(v)
}

func (c *clause) all(n int, element func(int) any) (bool, error) {
	if n == 0 {
		return c.one(nil)
	}
	for i := range n {
		if ok, err := c.one(element(i)); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// one evaluates the clause for a single value. No value makes every clause false but IS NULL.
func (c *clause) one(v any) (bool, error) {
	empty := v == nil || v == ""
	op := c.op.code
	if op == opIsNull || op == opIsNotNull {
		return empty == (op == opIsNull), nil
	}
	if empty {
		return false, nil
	}
	if op == opIsTrue || op == opIsFalse {
		return isBool(v, op == opIsTrue), nil
	}
	n, whole := integer(v)
	if op == opGreater || op == opGreaterOrEqual {
		return whole && c.greater(n), nil
	}
	if whole && (op == opEquals || op == opNotEquals) {
		return c.equalsNumber(n) != c.op.negative, nil
	}
	text, ok := textOf(v)
	if !ok {
		return false, nil
	}
	for i := range c.values {
		fits, err := c.fits(&c.values[i], text)
		if err != nil {
			return false, err
		}
		if fits {
			return !c.op.negative, nil
		}
	}
	return c.op.negative, nil
}

// fits compares the text of the attribute with one value, negation left aside.
func (c *clause) fits(o *operand, text string) (bool, error) {
	switch c.op.code {
	case opEquals, opNotEquals:
		return text == o.text, nil
	case opRegex, opNotRegex:
		return o.pattern.MatchString(text)
	case opIncludes:
		return strings.Contains(text, o.text), nil
	case opEndsWith:
		return strings.HasSuffix(text, o.text), nil
	case opWithin, opNotWithin:
		return strings.Contains(o.text, text), nil
	case opIsNull, opIsNotNull, opIsTrue, opIsFalse, opGreater, opGreaterOrEqual:
	}
	return false, nil
}

func (c *clause) greater(n int64) bool {
	for i := range c.values {
		if n > c.values[i].number || n == c.values[i].number && c.op.code == opGreaterOrEqual {
			return true
		}
	}
	return false
}

// equalsNumber compares an integer by its decimal text: 7 equals "7" but not "07".
func (c *clause) equalsNumber(n int64) bool {
	for i := range c.values {
		if c.values[i].numeric && c.values[i].number == n {
			return true
		}
	}
	return false
}

// isBool reports whether a value is the Boolean, or its text in any case.
func isBool(v any, want bool) bool {
	switch b := v.(type) {
	case bool:
		return b == want
	case string:
		if want {
			return strings.EqualFold(b, "True")
		}
		return strings.EqualFold(b, "False")
	}
	return false
}

// integer gives the value of an integer attribute. A text is none, whatever it says.
func integer(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		if n == math.Trunc(n) && n >= -(1<<63) && n < 1<<63 {
			return int64(n), true
		}
	}
	return 0, false
}

// textOf gives the text of a single value as the expression language has it. Complex values have none.
func textOf(v any) (string, bool) {
	switch t := v.(type) {
	case string:
		return t, true
	case int64:
		return strconv.FormatInt(t, 10), true
	}
	switch expr.TypeName(v) {
	case "String", "Number", "Boolean", "DateTime":
		return expr.Format(v), true
	}
	return "", false
}
