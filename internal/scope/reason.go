package scope

import (
	"strings"

	"github.com/rollcall-id/rollcall/internal/expr"
)

// maxShown is how much of a value a reason shows, in characters.
const maxShown = 80

// Reason says in one line why the object is in or out of scope, in the words of the filter:
//
//	out of scope: department is "Ops", not EQUALS Sales
//
// It contains values of attributes and belongs into the provisioning log, not into the log of the process.
func (d Decision) Reason() string {
	if len(d.Groups) == 0 {
		if d.In {
			return "in scope: there is no scoping filter"
		}
		return "out of scope"
	}
	var parts []string
	for _, g := range d.Groups {
		if d.In && g.In {
			return "in scope: " + g.because()
		}
		if !d.In {
			parts = append(parts, g.misses())
		}
	}
	return "out of scope: " + strings.Join(parts, "; ")
}

// because names the group that holds, or its clauses if it has no name.
func (g GroupResult) because() string {
	if g.Name != "" {
		return "the filter " + quoted(g.Name) + " holds"
	}
	var parts []string
	for _, c := range g.Clauses {
		parts = append(parts, c.Clause.String())
	}
	return strings.Join(parts, " and ")
}

// misses gives the first clause that does not hold: a group fails by one.
func (g GroupResult) misses() string {
	for _, c := range g.Clauses {
		if !c.Holds {
			return c.miss()
		}
	}
	return "no clause failed"
}

func (c ClauseResult) miss() string {
	op, _ := LookupOperator(c.Clause.Operator)
	is := " is " + shownValue(c.Value)
	if is == " is " {
		is = " has no value"
	}
	if op.negative || op.Unary {
		return c.Clause.Attribute + is + ", but must be " + c.Clause.condition()
	}
	return c.Clause.Attribute + is + ", not " + c.Clause.condition()
}

// String gives the clause as people write it: department EQUALS Sales.
func (c Clause) String() string { return c.Attribute + " " + c.condition() }

func (c Clause) condition() string {
	if len(c.Values) == 0 {
		return c.Operator
	}
	return c.Operator + " " + strings.Join(c.Values, " or ")
}

// shownValue gives a value for people: texts between quotation marks, "" if there is none.
func shownValue(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case string:
		if t == "" {
			return ""
		}
		return quoted(t)
	case []any, []string:
		if s := expr.Format(v); s != "" {
			return "the list " + quoted(s)
		}
		return ""
	}
	return shorten(expr.Format(v))
}

func quoted(s string) string { return `"` + shorten(s) + `"` }

func shorten(s string) string {
	runes := []rune(s)
	if len(runes) <= maxShown {
		return s
	}
	return string(runes[:maxShown-1]) + "…"
}
