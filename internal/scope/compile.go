package scope

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/expr"
)

// ErrorKind classifies a refusal (scoping specification, section 7).
type ErrorKind string

// The kinds of refusals.
const (
	// KindOperator: the operator is unknown or unsupported.
	KindOperator ErrorKind = "operator"
	// KindValue: a value is missing, no integer where one is wanted, or a pattern that does not compile.
	KindValue ErrorKind = "value"
	// KindEmpty: a group has no clauses.
	KindEmpty ErrorKind = "empty"
	// KindAttribute: a clause names no attribute, or one with several values.
	KindAttribute ErrorKind = "attribute"
)

// Error is one reason why a filter is refused.
type Error struct {
	Kind ErrorKind
	// Input is true if the group is one of InputFilterGroups.
	Input bool
	// Group is the index of the group, from 0, and Clause that of the clause, -1 for the group as a whole.
	Group, Clause int
	// Message says what is wrong and how to mend it.
	Message string
}

// Error gives the place, counted from 1 as people do, and the message.
func (e *Error) Error() string {
	list := ""
	if e.Input {
		list = "input filter "
	}
	if e.Clause < 0 {
		return fmt.Sprintf("%sgroup %d: %s", list, e.Group+1, e.Message)
	}
	return fmt.Sprintf("%sgroup %d, clause %d: %s", list, e.Group+1, e.Clause+1, e.Message)
}

// Errors are all reasons why a filter is refused, in the order of its clauses. It has at least one element.
type Errors []*Error

// Error gives one line for each reason.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes errors.As find the first *Error.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// Warning is a clause that works here but does not carry over to the reference service.
type Warning struct {
	// Group and Clause are the indexes, from 0.
	Group, Clause int
	Message       string
}

// Options are what a job can say about the reading of its filters. The zero value is the documented one.
type Options struct {
	// RegexAnywhere lets patterns match anywhere in the value instead of the whole of it, for filters
	// that were written with that in mind.
	RegexAnywhere bool
	// MultiValued tells whether the schema declares an attribute multi-valued; such clauses are refused.
	// nil means that the schema is not known.
	MultiValued func(attribute string) bool
}

// Program is a compiled filter. It is immutable and safe for use by several goroutines.
type Program struct {
	filter   Filter
	groups   []group
	input    []group
	names    []string
	warnings []Warning
}

type group struct {
	name    string
	clauses []clause
}

type clause struct {
	Clause
	op     Operator
	values []operand
}

// operand is one value of a clause, prepared for its operator.
type operand struct {
	text    string
	number  int64 // of text, if numeric
	numeric bool  // text is the decimal form of number
	pattern *expr.Regex
}

// Compile checks a filter and prepares it. The error is Errors: every problem at once.
func Compile(f Filter) (*Program, error) { return CompileWith(f, Options{}) }

// CompileWith is Compile with what the job and the schema say.
func CompileWith(f Filter, opts Options) (*Program, error) {
	c := compiler{opts: opts}
	p := &Program{
		groups: c.groups(f.Groups, false),
		input:  c.groups(f.InputFilterGroups, true),
	}
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	p.names, p.warnings = c.names, c.warnings
	p.filter = Filter{
		Groups: canonical(p.groups), InputFilterGroups: canonical(p.input), CategoryFilterGroups: cloneGroups(f.CategoryFilterGroups),
	}
	return p, nil
}

// Filter gives the filter with operators and attributes in their canonical spelling.
func (p *Program) Filter() Filter {
	return Filter{
		Groups:               cloneGroups(p.filter.Groups),
		InputFilterGroups:    cloneGroups(p.filter.InputFilterGroups),
		CategoryFilterGroups: cloneGroups(p.filter.CategoryFilterGroups),
	}
}

// Attributes gives the names of the attributes that the filter looks at, each once, in the order of first use.
func (p *Program) Attributes() []string { return slices.Clone(p.names) }

// Warnings gives the clauses that the reference service does not support (scoping specification, section 4).
func (p *Program) Warnings() []Warning { return slices.Clone(p.warnings) }

func canonical(groups []group) []Group {
	if groups == nil {
		return nil
	}
	out := make([]Group, len(groups))
	for i, g := range groups {
		out[i].Name = g.name
		for _, c := range g.clauses {
			out[i].Clauses = append(out[i].Clauses, c.Clause)
		}
	}
	return out
}

func cloneGroups(groups []Group) []Group {
	out := slices.Clone(groups)
	for i := range out {
		out[i].Clauses = slices.Clone(out[i].Clauses)
		for k := range out[i].Clauses {
			out[i].Clauses[k].Values = slices.Clone(out[i].Clauses[k].Values)
		}
	}
	return out
}

type compiler struct {
	opts     Options
	errs     Errors
	names    []string
	warnings []Warning

	// where the compiler is
	input       bool
	group, item int
}

func (c *compiler) refuse(kind ErrorKind, format string, args ...any) {
	c.errs = append(c.errs, &Error{Kind: kind, Input: c.input, Group: c.group, Clause: c.item, Message: fmt.Sprintf(format, args...)})
}

func (c *compiler) groups(in []Group, input bool) []group {
	var out []group
	c.input = input
	for i, g := range in {
		c.group, c.item = i, -1
		compiled := group{name: g.Name}
		if len(g.Clauses) == 0 {
			c.refuse(KindEmpty, "the group has no clauses; remove it, or give it one")
		}
		for k, cl := range g.Clauses {
			c.item = k
			compiled.clauses = append(compiled.clauses, c.clause(cl))
		}
		out = append(out, compiled)
	}
	return out
}

func (c *compiler) clause(in Clause) clause {
	out := clause{Clause: Clause{Attribute: strings.TrimSpace(in.Attribute), Operator: in.Operator}}
	c.attribute(out.Attribute)
	op, ok := LookupOperator(in.Operator)
	switch {
	case foldOperator(in.Operator) == "ISMEMBEROF":
		c.refuse(KindOperator, "the operator IsMemberOf is not supported; assign the group to the application instead")
		return out
	case !ok:
		c.refuse(KindOperator, "there is no operator %q; operators are %s", in.Operator, operatorNames())
		return out
	}
	out.op, out.Operator = op, op.Name
	if op.Unary {
		return out
	}
	out.Values = slices.Clone(in.Values)
	if len(in.Values) == 0 {
		c.refuse(KindValue, "%s needs a value", op.Name)
	}
	for _, v := range in.Values {
		if v == "" {
			c.refuse(KindValue, "the value of %s is empty; to ask for missing values use IS NULL or IS NOT NULL", op.Name)
			continue
		}
		out.values = append(out.values, c.operand(op, v))
	}
	return out
}

func (c *compiler) attribute(name string) {
	if name == "" {
		c.refuse(KindAttribute, "the clause names no attribute")
		return
	}
	if c.opts.MultiValued != nil && c.opts.MultiValued(name) {
		c.refuse(KindAttribute, "%s has several values; filters look at attributes with one", name)
		return
	}
	if !slices.Contains(c.names, name) {
		c.names = append(c.names, name)
	}
	if !c.input && !carriesOver(name) {
		c.warnings = append(c.warnings, Warning{
			Group: c.group, Clause: c.item,
			Message: name + " cannot be used in a scoping filter of Microsoft Entra; here it is compared as it is",
		})
	}
}

// carriesOver reports whether the reference service lets a filter use the attribute (section 4).
func carriesOver(name string) bool {
	switch strings.ToLower(name) {
	case "approleassignments", "usertype", "manager", "members",
		"statushiredate", "startdate", "enddate", "statusterminationdate", "accountexpires":
		return false
	}
	return true
}

func (c *compiler) operand(op Operator, v string) operand {
	out := operand{text: v}
	switch op.code {
	case opEquals, opNotEquals:
		n, err := strconv.ParseInt(v, 10, 64)
		out.number, out.numeric = n, err == nil && strconv.FormatInt(n, 10) == v
	case opRegex, opNotRegex:
		compile := expr.CompileWholeRegex
		if c.opts.RegexAnywhere {
			compile = expr.CompileRegex
		}
		re, err := compile(v)
		if err != nil {
			c.refuse(KindValue, "the pattern %q cannot be used: %s", v, message(err))
		}
		out.pattern = re
	case opGreater, opGreaterOrEqual:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		if err != nil || n < 0 {
			c.refuse(KindValue, "the value of %s must be an integer from 0 up, not %q", op.Name, v)
		}
		out.number = n
	case opIsNull, opIsNotNull, opIsTrue, opIsFalse, opIncludes, opEndsWith, opWithin, opNotWithin:
	}
	return out
}

// message gives the text of an error of expr without the place in an expression, which it does not have here.
func message(err error) string {
	if e, ok := errors.AsType[*expr.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
